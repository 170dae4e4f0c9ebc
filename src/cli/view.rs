//! How a deployment looks while it goes on.

use super::progress::{Progress, Wait};
use super::words::{duration, row};
use crate::deploy::{News, Observer, Step, Verb, Work};
use anstyle::AnsiColor;
use std::time::Duration;

/// Lines are this wide, so that they fit 80 columns.
pub(super) const WIDTH: usize = 78;

/// Shows the steps of a deployment or a removal as lines.
#[derive(Debug)]
pub struct View {
    progress: Progress,
    label: &'static str,
    subject: String,
    titled: bool,
    wait: Option<Wait>,
}

impl View {
    /// A view whose first line says `label  subject`, before any step.
    pub fn new(progress: &Progress, label: &'static str, subject: impl Into<String>) -> Self {
        Self {
            progress: progress.clone(),
            label,
            subject: subject.into(),
            titled: false,
            wait: None,
        }
    }

    /// Takes the moving line away.
    pub fn rest(&mut self) {
        self.wait = None;
    }

    fn title(&mut self) {
        if !self.titled {
            self.titled = true;
            self.line(row(self.label, &self.subject));
        }
    }

    fn line(&mut self, text: String) {
        self.progress.line(text);
    }

    fn waits(&mut self, text: String) {
        match &self.wait {
            Some(wait) => wait.update(text),
            None => self.wait = Some(self.progress.wait(text)),
        }
    }

    fn news(&mut self, news: News) {
        self.title();
        let ok = AnsiColor::Green.on_default();
        let bad = AnsiColor::Red.on_default();
        match news {
            News::Began { .. } => {}
            News::Ended {
                logical,
                kind,
                took,
                verb,
                ..
            } => {
                let what = match verb {
                    Verb::Create => short(&kind).to_owned(),
                    Verb::Update => format!("{} updated", short(&kind)),
                    Verb::Delete => format!("{} deleted", short(&kind)),
                    Verb::Keep => format!("{} kept", short(&kind)),
                };
                self.line(timed(&format!("           {ok}✔{ok:#} {logical:<21} {what}"), took));
            }
            News::Failed { logical, kind, reason } => {
                self.line(format!(
                    "           {bad}✘{bad:#} {logical:<21} {kind} failed: {reason}"
                ));
            }
            News::RollingBack { reason } => {
                self.line(row("", format!("rolling back: {reason}").trim_end_matches([':', ' '])));
            }
        }
    }
}

impl Observer for View {
    fn tell(&mut self, step: Step) {
        match step {
            Step::Waiting(what) => self.waits(row("", format!("waiting for {what}"))),
            Step::Note(text) => {
                self.rest();
                self.line(row("", text));
            }
            Step::News { news, .. } => self.news(news),
            Step::Working { on, done, total } => match work(&on) {
                Some(what) => self.waits(row("", format!("{what}   {done}/{total}"))),
                None => self.rest(),
            },
        }
    }
}

/// The first of the resources that are being worked on, with what is done to it; `None` without any.
fn work(on: &[Work]) -> Option<String> {
    let first = on.first()?;
    let more = match on.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let what = match (first.kind.as_str(), first.verb) {
        ("AWS::AutoScaling::AutoScalingGroup", Verb::Delete) => "ending its instance".to_owned(),
        ("AWS::AutoScaling::AutoScalingGroup", _) => "waiting for the agent's signal".to_owned(),
        (kind, Verb::Delete) => format!("deleting {}", short(kind)),
        (kind, _) => short(kind).to_owned(),
    };
    Some(format!("{:<21} {what}{more}", first.logical))
}

fn short(kind: &str) -> &str {
    kind.trim_start_matches("AWS::")
}

/// A line with a time at its right end.
pub fn timed(line: &str, time: Duration) -> String {
    let time = duration(time);
    let visible = anstream::adapter::strip_str(line).to_string().chars().count();
    let gap = WIDTH.saturating_sub(visible + time.chars().count()).max(2);
    format!("{line}{}{time}", " ".repeat(gap))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_called_what_it_is() {
        let on = |logical: &str, kind: &str, verb| Work {
            logical: logical.into(),
            kind: kind.into(),
            verb,
        };
        let group = |verb| on("Group", "AWS::AutoScaling::AutoScalingGroup", verb);
        let mount = |verb| on("MountTarget1", "AWS::EFS::MountTarget", verb);
        for (works, expected) in [
            (
                vec![group(Verb::Create)],
                "Group                 waiting for the agent's signal",
            ),
            (
                vec![group(Verb::Update)],
                "Group                 waiting for the agent's signal",
            ),
            (vec![group(Verb::Delete)], "Group                 ending its instance"),
            (
                vec![mount(Verb::Delete), group(Verb::Delete)],
                "MountTarget1          deleting EFS::MountTarget and 1 more",
            ),
            (vec![mount(Verb::Create)], "MountTarget1          EFS::MountTarget"),
        ] {
            assert_eq!(work(&works).as_deref(), Some(expected));
        }
        assert_eq!(work(&[]), None);
    }

    #[test]
    fn times_stand_in_one_column() {
        let plain = timed("  stack    mqaws-qm1", Duration::from_millis(300));
        assert_eq!(plain.chars().count(), WIDTH);
        let green = AnsiColor::Green.on_default();
        let coloured = timed(&format!("  {green}✔{green:#} x"), Duration::from_secs(67));
        assert_eq!(
            anstream::adapter::strip_str(&coloured).to_string().chars().count(),
            WIDTH
        );
        assert!(timed(&"x".repeat(100), Duration::ZERO).ends_with("x  0.00 s"));
    }
}

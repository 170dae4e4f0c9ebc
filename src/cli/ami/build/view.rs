//! How a build looks while it goes on.

use super::super::super::view::WIDTH;
use super::super::super::words::row;
use super::super::super::{Progress, Wait, timed};
use crate::image::News;
use crate::image::build::Step;
use anstyle::AnsiColor;
use serde::Serialize;

/// Where the last line of a script begins: behind two columns, the sign, and the stage.
const SAID_AT: usize = 27;

/// A stage that ended well.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Timed {
    /// Its name.
    pub stage: String,
    /// What it found or made.
    pub found: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

/// Shows the stages of a build as lines.
#[derive(Debug)]
pub(super) struct View {
    progress: Progress,
    wait: Option<Wait>,
    run: String,
    titled: bool,
    stages: Vec<Timed>,
}

impl View {
    /// A view of a run.
    pub(super) fn new(progress: &Progress, run: &str) -> Self {
        Self {
            progress: progress.clone(),
            wait: None,
            run: run.to_owned(),
            titled: false,
            stages: Vec::new(),
        }
    }

    /// Takes a step.
    pub(super) fn tell(&mut self, step: Step) {
        let (good, bad) = (AnsiColor::Green.on_default(), AnsiColor::Red.on_default());
        match step {
            Step::Preparing(verb) => self.waits(row("", format!("packer {verb}"))),
            Step::Made(_) => {}
            Step::Working(stage, said) => {
                self.title();
                let said = said
                    .map(|said| said.chars().take(WIDTH - SAID_AT).collect::<String>())
                    .unwrap_or_default();
                self.waits(
                    format!("             {:<13} {said}", stage.to_string())
                        .trim_end()
                        .to_owned(),
                );
            }
            Step::News(News::Ended { stage, found, took }) => {
                self.title();
                self.wait = None;
                let line = format!(
                    "           {good}✔{good:#} {:<13} {}",
                    stage.to_string(),
                    found.as_deref().unwrap_or_default()
                );
                self.progress.line(timed(line.trim_end(), took));
                self.stages.push(Timed {
                    stage: stage.to_string(),
                    found,
                    seconds: (took.as_secs_f64() * 10.0).round() / 10.0,
                });
            }
            Step::News(News::Failed(failure)) => {
                self.title();
                self.wait = None;
                let line = format!("           {bad}✘{bad:#} {:<13} failed", failure.stage.to_string());
                self.progress.line(timed(&line, failure.took));
            }
            Step::Publishing => self.waits(row("", "waiting for Systems Manager to validate the image")),
        }
    }

    /// Ends the view; returns the stages that ended well.
    pub(super) fn end(self) -> Vec<Timed> {
        self.stages
    }

    fn title(&mut self) {
        if !self.titled {
            self.titled = true;
            self.wait = None;
            self.progress.line(row("build", &self.run));
        }
    }

    fn waits(&mut self, text: String) {
        match &self.wait {
            Some(wait) => wait.update(text),
            None => self.wait = Some(self.progress.wait(text)),
        }
    }
}

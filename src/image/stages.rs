//! Which stage of a build runs, which failed, and what it said last: read from what Packer would show a person.
//!
//! Packer has no machine-readable stages; its headlines are what there is. A headline that is not known here changes no
//! stage, it only counts as something said.

use super::machine::{Entry, Level, Line};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// How many of a stage's last lines are kept.
const LAST_LINES: usize = 12;

/// A stage of a build, in the order in which they come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The source image, the network and the name are looked at.
    Source,
    /// The instance is launched.
    Instance,
    /// The instance is waited for until it answers.
    Connection,
    /// Files go to the instance.
    Upload,
    /// A script runs on the instance; its file name without the ending.
    Script(String),
    /// The instance is stopped.
    Stop,
    /// The image is made.
    Image,
    /// Image and snapshots are tagged.
    Tags,
    /// Packer removes what it made besides the image.
    CleanUp,
    /// Packer writes down what it made.
    Record,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Instance => "instance",
            Self::Connection => "connection",
            Self::Upload => "upload",
            Self::Script(name) => name,
            Self::Stop => "stop",
            Self::Image => "image",
            Self::Tags => "tags",
            Self::CleanUp => "clean-up",
            Self::Record => "record",
        })
    }
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A stage ended well.
    Ended {
        /// The stage.
        stage: Stage,
        /// What it found or made, `i-…`.
        found: Option<String>,
        /// How long it took.
        took: Duration,
    },
    /// A stage failed.
    Failed(Failure),
}

/// A stage that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The stage.
    pub stage: Stage,
    /// How long it took.
    pub took: Duration,
    /// What it said last, at most 12 lines.
    pub said: Vec<String>,
}

/// Names of what Packer made and has to remove, as far as it told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Temporary {
    /// The instance.
    pub instance: Option<String>,
    /// Name of the key pair.
    pub key_pair: Option<String>,
    /// Name of the security group.
    pub security_group: Option<String>,
    /// The image, when it was made.
    pub image: Option<String>,
}

/// Follows a build: feed it Packer's lines in order.
#[derive(Debug, Default)]
pub struct Stages {
    current: Option<(Stage, Duration)>,
    found: Option<String>,
    said: VecDeque<String>,
    /// The stage before Packer began to remove things: what failed, if anything did.
    before_clean_up: Option<Failure>,
    failure: Option<Failure>,
    reason: Option<String>,
    /// Whether the stage told an error; a script may, and end well.
    erred: bool,
    temporary: Temporary,
}

impl Stages {
    /// Takes a line that came at a time since the build began; returns what is new.
    pub fn feed(&mut self, line: &Line, at: Duration) -> Vec<News> {
        let mut news = Vec::new();
        match &line.entry {
            Entry::Ui { level, text } => {
                for text in text.lines() {
                    self.take(level, text.trim_end(), at, &mut news);
                }
            }
            Entry::Error(reason) => self.reason = Some(reason.trim().to_owned()),
            _ => {}
        }
        news
    }

    /// Ends the following: what was under way ended well, or failed.
    pub fn end(&mut self, well: bool, at: Duration) -> Vec<News> {
        let mut news = Vec::new();
        if well {
            self.leave(at, &mut news);
        } else {
            self.fail(at, &mut news);
        }
        news
    }

    /// The stage that runs, and the last line that it said.
    pub fn current(&self) -> Option<(&Stage, Option<&str>)> {
        let (stage, _) = self.current.as_ref()?;
        Some((stage, self.said.back().map(String::as_str)))
    }

    /// The stage that failed.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Why the build failed, in Packer's words.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// What Packer made and has to remove.
    pub fn temporary(&self) -> &Temporary {
        &self.temporary
    }

    fn take(&mut self, level: &Level, text: &str, at: Duration, news: &mut Vec<News>) {
        let said = without_builder(text);
        if *level == Level::Say && text.starts_with("==> ") {
            self.note(said);
            if ["Provisioning step had errors", "Step "]
                .iter()
                .any(|p| said.starts_with(p))
            {
                // the stage before it is what failed
                self.fail(at, news);
                return;
            }
            let next = stage(said);
            if let Some(next) = next {
                self.enter(next, at, news);
                return;
            }
        } else if *level == Level::Error && text.starts_with("Build '") {
            self.fail(at, news);
            return;
        } else {
            self.note(said);
            self.erred |= *level == Level::Error;
        }
        self.say(said);
    }

    fn say(&mut self, text: &str) {
        if !text.is_empty() {
            if self.said.len() == LAST_LINES {
                self.said.pop_front();
            }
            self.said.push_back(text.to_owned());
        }
    }

    fn enter(&mut self, next: Stage, at: Duration, news: &mut Vec<News>) {
        if self.current.as_ref().is_some_and(|(stage, _)| *stage == next) {
            return;
        }
        if next == Stage::CleanUp && self.before_clean_up.is_none() {
            self.before_clean_up = self.under_way(at);
            // Tags are the last thing before an orderly clean-up.
            let unfinished = |stage: &Stage| *stage != Stage::Tags || self.erred;
            if self.before_clean_up.as_ref().is_some_and(|b| unfinished(&b.stage)) {
                self.fail(at, news);
            }
        }
        self.leave(at, news);
        self.current = Some((next, at));
    }

    fn leave(&mut self, at: Duration, news: &mut Vec<News>) {
        let found = self.found.take();
        if let Some((stage, since)) = self.current.take() {
            news.push(News::Ended {
                stage,
                found,
                took: at.saturating_sub(since),
            });
        }
        self.said.clear();
        self.erred = false;
    }

    fn under_way(&self, at: Duration) -> Option<Failure> {
        let (stage, since) = self.current.clone()?;
        Some(Failure {
            stage,
            took: at.saturating_sub(since),
            said: self.said.iter().cloned().collect(),
        })
    }

    fn fail(&mut self, at: Duration, news: &mut Vec<News>) {
        if self.failure.is_some() {
            return;
        }
        let failed = self.before_clean_up.clone().or_else(|| self.under_way(at));
        if let Some(failed) = failed {
            if self.current.as_ref().is_some_and(|(stage, _)| *stage == failed.stage) {
                self.current = None;
                self.said.clear();
            }
            self.found = None;
            self.failure = Some(failed.clone());
            news.push(News::Failed(failed));
        }
    }

    /// Keeps the names of things.
    fn note(&mut self, said: &str) {
        let after = |prefix: &str| said.strip_prefix(prefix).map(|rest| rest.trim().to_owned());
        let temporary = &mut self.temporary;
        if let Some(name) = after("Creating temporary keypair: ") {
            temporary.key_pair = Some(name);
        } else if let Some(name) = after("Creating temporary security group for this instance: ") {
            temporary.security_group = Some(name);
        } else if let Some(id) = after("Instance ID: ") {
            self.found = Some(id.clone());
            temporary.instance = Some(id);
        } else if let Some(id) = after("AMI: ") {
            self.found = Some(id.clone());
            temporary.image = Some(id);
        } else if let Some(id) = after("Found Image ID: ") {
            self.found = Some(id);
        }
    }
}

/// A text without `==> ` and the builder's name.
fn without_builder(text: &str) -> &str {
    let text = text.strip_prefix("==> ").unwrap_or(text).trim_start();
    match text.split_once(": ") {
        Some((builder, rest)) if builder.contains("amazon-ebs") && !builder.contains(char::is_whitespace) => {
            rest.trim_end()
        }
        _ => text
            .strip_suffix(':')
            .filter(|b| b.ends_with("amazon-ebs.mqaws"))
            .map_or(text, |_| ""),
    }
}

/// The stage that a headline begins.
fn stage(headline: &str) -> Option<Stage> {
    if let Some(path) = headline.strip_prefix("Provisioning with shell script: ") {
        return Some(Stage::Script(script(path)));
    }
    let of = |prefixes: &[&str], stage| prefixes.iter().any(|p| headline.starts_with(p)).then_some(stage);
    of(
        &[
            "Prevalidating ",
            "Creating temporary keypair",
            "Creating temporary security group",
        ],
        Stage::Source,
    )
    .or_else(|| {
        of(
            &["Launching a source AWS instance", "Waiting for instance ("],
            Stage::Instance,
        )
    })
    .or_else(|| {
        of(&["Using ", "Waiting for SSH", "Waiting for WinRM"], Stage::Connection).filter(|_| connects(headline))
    })
    .or_else(|| of(&["Uploading "], Stage::Upload))
    .or_else(|| {
        of(
            &["Stopping the source instance", "Waiting for the instance to stop"],
            Stage::Stop,
        )
    })
    .or_else(|| {
        of(&["Creating AMI ", "Waiting for AMI to become ready"], Stage::Image)
            .filter(|_| !headline.ends_with("AMI tags"))
    })
    .or_else(|| {
        of(
            &["Adding tags to AMI", "Tagging snapshot", "Creating AMI tags"],
            Stage::Tags,
        )
    })
    .or_else(|| {
        let clean_up = [
            "Terminating the source AWS instance",
            "Cleaning up any extra volumes",
            "Deleting temporary ",
            "Deregistering the AMI",
        ];
        of(&clean_up, Stage::CleanUp)
    })
    .or_else(|| of(&["Running post-processor"], Stage::Record))
}

/// Whether `Using …` is about the way to the instance: `Using SSH communicator to connect: 10.0.0.7`.
fn connects(headline: &str) -> bool {
    !headline.starts_with("Using ")
        || headline.contains(" communicator to connect")
        || headline.contains("Session Manager")
}

/// Name of a script by its path.
fn script(path: &str) -> String {
    let file = path.trim().rsplit('/').next().unwrap_or_default();
    let name = file.strip_suffix(".sh").unwrap_or(file);
    match name.starts_with("packer-shell") {
        // a line in the template, which Packer writes to a file of its own
        true => "preparation".to_owned(),
        false => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds since the beginning, and a line of Packer 1.6.6 (shortened).
    fn play(stages: &mut Stages, lines: &[(u64, &str)]) -> Vec<String> {
        let mut told = Vec::new();
        for (at, text) in lines {
            let news = stages.feed(&Line::parse(&format!("1,{text}")), Duration::from_secs(*at));
            told.extend(news.into_iter().map(words));
        }
        told
    }

    fn words(news: News) -> String {
        match news {
            News::Ended { stage, found, took } => {
                format!("{stage} {} {}", found.unwrap_or_default(), took.as_secs())
            }
            News::Failed(failure) => format!("{} failed {}", failure.stage, failure.took.as_secs()),
        }
    }

    const LAUNCH: &[(u64, &str)] = &[
        (
            0,
            ",ui,say,==> amazon-ebs.mqaws: Prevalidating any provided VPC information",
        ),
        (1, ",ui,message,    amazon-ebs.mqaws: Found Image ID: ami-0571"),
        (
            1,
            ",ui,say,==> amazon-ebs.mqaws: Creating temporary keypair: packer_6b08",
        ),
        (
            2,
            ",ui,say,==> amazon-ebs.mqaws: Creating temporary security group for this instance: packer_6b09",
        ),
        (3, ",ui,say,==> amazon-ebs.mqaws: Launching a source AWS instance..."),
        (4, ",ui,message,    amazon-ebs.mqaws: Instance ID: i-d782"),
        (
            5,
            ",ui,say,==> amazon-ebs.mqaws: Waiting for instance (i-d782) to become ready...",
        ),
        (
            9,
            ",ui,say,==> amazon-ebs.mqaws: Using ssh communicator to connect: 10.0.0.7",
        ),
        (12, ",ui,say,==> amazon-ebs.mqaws: Connected to SSH!"),
        (12, ",ui,say,==> amazon-ebs.mqaws: Uploading /w/provision => /tmp"),
        (
            13,
            ",ui,say,==> amazon-ebs.mqaws: Provisioning with shell script: /w/provision/10-accounts.sh",
        ),
        (
            14,
            ",ui,message,    amazon-ebs.mqaws: mqaws: 10-accounts: user mqm%!(PACKER_COMMA) uid 1234",
        ),
        (
            15,
            ",ui,say,==> amazon-ebs.mqaws: Provisioning with shell script: /w/provision/30-engine.sh",
        ),
    ];

    #[test]
    fn a_build_goes_through_its_stages() {
        let mut stages = Stages::default();
        let mut told = play(&mut stages, LAUNCH);
        assert_eq!(stages.current(), Some((&Stage::Script("30-engine".into()), None)));
        told.extend(play(
            &mut stages,
            &[
                (75, ",ui,say,==> amazon-ebs.mqaws: Stopping the source instance..."),
                (80, ",ui,say,==> amazon-ebs.mqaws: Waiting for the instance to stop..."),
                (
                    90,
                    ",ui,say,==> amazon-ebs.mqaws: Creating AMI mqaws-1 from instance i-d782",
                ),
                (90, ",ui,message,    amazon-ebs.mqaws: AMI: ami-dbd0"),
                (91, ",ui,say,==> amazon-ebs.mqaws: Waiting for AMI to become ready..."),
                (190, ",ui,say,==> amazon-ebs.mqaws: Adding tags to AMI (ami-dbd0)..."),
                (190, ",ui,say,==> amazon-ebs.mqaws: Creating AMI tags"),
                (
                    191,
                    ",ui,say,==> amazon-ebs.mqaws: Terminating the source AWS instance...",
                ),
                (192, ",ui,say,==> amazon-ebs.mqaws: Deleting temporary keypair..."),
                (
                    195,
                    ",ui,say,==> amazon-ebs.mqaws: Running post-processor:  (type manifest)",
                ),
                (195, ",ui,say,Build 'amazon-ebs.mqaws' finished after 3 minutes."),
            ],
        ));
        told.extend(stages.end(true, Duration::from_secs(196)).into_iter().map(words));
        assert_eq!(
            told,
            [
                "source ami-0571 3",
                "instance i-d782 6",
                "connection  3",
                "upload  1",
                "10-accounts  2",
                "30-engine  60",
                "stop  15",
                "image ami-dbd0 100",
                "tags  1",
                "clean-up  4",
                "record  1",
            ]
        );
        assert_eq!(stages.failure(), None);
        let temporary = Temporary {
            instance: Some("i-d782".into()),
            key_pair: Some("packer_6b08".into()),
            security_group: Some("packer_6b09".into()),
            image: Some("ami-dbd0".into()),
        };
        assert_eq!(*stages.temporary(), temporary);
    }

    #[test]
    fn a_script_that_fails_is_named_with_its_last_words() {
        let mut stages = Stages::default();
        play(&mut stages, LAUNCH);
        let told = play(
            &mut stages,
            &[
                (
                    16,
                    ",ui,message,    amazon-ebs.mqaws: mqaws: 30-engine: checking the package",
                ),
                (17, ",ui,error,==> amazon-ebs.mqaws: error: no license"),
                (
                    18,
                    ",ui,say,==> amazon-ebs.mqaws: Provisioning step had errors: Running the cleanup provisioner%!(PACKER_COMMA) if present...",
                ),
                (
                    18,
                    ",ui,say,==> amazon-ebs.mqaws: Terminating the source AWS instance...",
                ),
                (19, ",ui,say,==> amazon-ebs.mqaws: Deleting temporary keypair..."),
                (
                    20,
                    ",ui,error,Build 'amazon-ebs.mqaws' errored after 20 seconds: Script exited with non-zero exit status: 7",
                ),
                (20, "amazon-ebs.mqaws,error,Script exited with non-zero exit status: 7"),
            ],
        );
        assert_eq!(told, ["30-engine failed 3"]);
        assert!(stages.end(false, Duration::from_secs(21)).is_empty(), "told once");
        let failure = stages.failure().unwrap();
        assert_eq!(
            failure.said,
            ["mqaws: 30-engine: checking the package", "error: no license"]
        );
        assert_eq!(stages.reason(), Some("Script exited with non-zero exit status: 7"));
    }

    #[test]
    fn what_aws_refuses_fails_the_stage_that_asked() {
        let mut stages = Stages::default();
        play(&mut stages, &LAUNCH[..5]);
        let told = play(
            &mut stages,
            &[
                (
                    5,
                    ",ui,error,==> amazon-ebs.mqaws: Error launching source instance: UnauthorizedOperation",
                ),
                (6, ",ui,say,==> amazon-ebs.mqaws: Deleting temporary keypair..."),
            ],
        );
        assert_eq!(told, ["instance failed 3"]);
        assert_eq!(
            stages.failure().unwrap().said,
            ["Error launching source instance: UnauthorizedOperation"]
        );
    }

    #[test]
    fn an_image_that_is_not_made_fails_at_once() {
        let mut stages = Stages::default();
        play(&mut stages, LAUNCH);
        let told = play(
            &mut stages,
            &[
                (
                    80,
                    ",ui,say,==> amazon-ebs.mqaws: Creating AMI mqaws-1 from instance i-d782",
                ),
                (81, ",ui,error,==> amazon-ebs.mqaws: Error waiting for AMI"),
                (
                    82,
                    ",ui,say,==> amazon-ebs.mqaws: Terminating the source AWS instance...",
                ),
                (
                    83,
                    ",ui,error,Build 'amazon-ebs.mqaws' errored after 83 seconds: Error waiting for AMI",
                ),
            ],
        );
        assert_eq!(told, ["30-engine  65", "image failed 2"]);
        assert_eq!(stages.failure().unwrap().said, ["Error waiting for AMI"]);
    }

    #[test]
    fn tags_that_failed_are_told_apart_from_tags_that_were_made() {
        let mut stages = Stages::default();
        play(&mut stages, LAUNCH);
        let told = play(
            &mut stages,
            &[
                (80, ",ui,say,==> amazon-ebs.mqaws: Adding tags to AMI (ami-dbd0)..."),
                (81, ",ui,error,==> amazon-ebs.mqaws: Error adding tags"),
                (
                    82,
                    ",ui,say,==> amazon-ebs.mqaws: Deregistering the AMI and deleting associated snapshots because of cancellation%!(PACKER_COMMA) or error...",
                ),
                (
                    83,
                    ",ui,error,Build 'amazon-ebs.mqaws' errored after 83 seconds: Error adding tags",
                ),
            ],
        );
        assert_eq!(told, ["30-engine  65", "tags failed 2"]);
    }

    #[test]
    fn a_build_that_never_began_has_no_stage() {
        let mut stages = Stages::default();
        assert!(play(&mut stages, &[(0, ",ui,error,Error: Unset variable \"agent\"")]).is_empty());
        assert!(stages.end(false, Duration::ZERO).is_empty());
        assert_eq!((stages.failure(), stages.current()), (None, None));
    }

    #[test]
    fn only_the_builder_is_taken_off() {
        for (text, said) in [
            ("==> amazon-ebs.mqaws: Connected", "Connected"),
            ("    amazon-ebs.mqaws: error: x", "error: x"),
            ("    amazon-ebs.mqaws:", ""),
            ("error: disk full", "error: disk full"),
            ("==> Wait completed", "Wait completed"),
        ] {
            assert_eq!(without_builder(text), said, "{text}");
        }
    }
}

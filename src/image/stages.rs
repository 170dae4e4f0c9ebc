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
    /// The image is copied into an encrypted one.
    Encryption,
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
            Self::Encryption => "encryption",
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
    /// Images: the one that is copied into an encrypted one, and that one.
    pub images: Vec<String>,
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
                let tags = next == Stage::Tags;
                self.enter(next, at, news);
                if tags {
                    self.found = self.temporary.images.last().cloned();
                }
                return;
            }
        } else if *level == Level::Error && (text.starts_with("Build '") || said.starts_with("Step \"Step")) {
            // With `-on-error=abort` a line for each step follows, which would be taken for the stage's last ones.
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
            temporary.images.push(id);
        } else if let Some(id) = after("Found Image ID: ") {
            self.found = Some(id);
        } else if let Some(id) = after("Adding tags to AMI (").and_then(|rest| Some(rest.split_once(')')?.0.to_owned()))
        {
            temporary.images.retain(|known| *known != id);
            temporary.images.push(id);
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

/// How headlines begin, and the stage that they are of; the first that fits counts. As Packer 1.6.6 was seen to write them;
/// of newer ones it is known that they write SSH in capitals.
const HEADLINES: &[(&str, Stage)] = &[
    ("Prevalidating ", Stage::Source),
    ("Creating temporary keypair", Stage::Source),
    ("Creating temporary security group", Stage::Source),
    ("Launching a source AWS instance", Stage::Instance),
    ("Waiting for instance (", Stage::Instance),
    ("Using ssh communicator", Stage::Connection),
    ("Using SSH communicator", Stage::Connection),
    ("Waiting for SSH", Stage::Connection),
    ("Uploading ", Stage::Upload),
    ("Stopping the source instance", Stage::Stop),
    ("Waiting for the instance to stop", Stage::Stop),
    ("Creating AMI tags", Stage::Tags),
    ("Creating AMI ", Stage::Image),
    ("Waiting for AMI to become ready", Stage::Image),
    ("Copying/Encrypting AMI", Stage::Encryption),
    ("Modifying attributes on ", Stage::Tags),
    ("Adding tags to AMI", Stage::Tags),
    ("Tagging snapshot", Stage::Tags),
    ("Deregistering the AMI", Stage::CleanUp),
    ("Terminating the source AWS instance", Stage::CleanUp),
    ("Cleaning up any extra volumes", Stage::CleanUp),
    ("Deleting temporary ", Stage::CleanUp),
    ("Running post-processor", Stage::Record),
];

/// The stage that a headline begins.
fn stage(headline: &str) -> Option<Stage> {
    if let Some(path) = headline.strip_prefix("Provisioning with shell script: ") {
        return Some(Stage::Script(script(path)));
    }
    let fits = HEADLINES.iter().find(|(beginning, _)| headline.starts_with(beginning));
    fits.map(|(_, stage)| stage.clone())
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
mod tests;

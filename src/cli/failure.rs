//! Errors at the edge: any [`Remedy`] becomes text or one JSON document, and an exit code.

use super::output::Output;
use super::pipeline::annotate_error;
use crate::remedy::{Besides, ExitKind, NOTHING, Remedy};
use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::io::ErrorKind;

/// What a verb returns: how it ended, or why it did not.
pub type Outcome = Result<ExitKind, Failure>;

/// Any error that knows its remedy.
///
/// Made by `?` from every type that implements [`Remedy`].
#[derive(Debug)]
pub struct Failure(Box<dyn Remedy + Send + Sync>);

impl<E: Remedy + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl Failure {
    /// The same error, after something else had been changed: `done` says what, as a clause.
    pub(super) fn besides(self, done: &str) -> Self {
        Besides {
            done: done.to_owned(),
            error: self.0,
        }
        .into()
    }

    /// The exit code that this error stands for.
    pub fn exit(&self) -> ExitKind {
        self.0.exit()
    }

    /// The error itself.
    pub fn error(&self) -> &(dyn Remedy + Send + Sync) {
        self.0.as_ref()
    }

    /// The error as text: error, place, cause, details, left, hint.
    pub fn text(&self) -> String {
        let error = AnsiColor::Red.on_default().bold();
        let hint = AnsiColor::Cyan.on_default();
        let mut text = labelled("error", error, &self.0.to_string());
        if let Some(place) = self.0.place() {
            let _ = writeln!(text, "{}", place.trim_end());
        }
        for cause in causes(self.error()) {
            text += &labelled("cause", Style::new(), &cause);
        }
        for (label, detail) in self.0.details() {
            text += &labelled(&label, Style::new(), &detail);
        }
        let left = self.0.left();
        let nothing = left.as_deref() == Some(NOTHING);
        if let Some(left) = left.filter(|_| !nothing) {
            text += &labelled("left", Style::new(), &left);
        }
        if let Some(remedy) = self.0.hint() {
            text += &labelled("hint", hint, &remedy);
        }
        if nothing {
            let _ = writeln!(text, "{NOTHING}");
        }
        text
    }

    /// The error as a JSON document, schema `mqaws.error/1`.
    pub fn json(&self) -> Value {
        let details: Map<String, Value> = self.0.details().into_iter().map(|(k, v)| (k, v.into())).collect();
        json!({
            "schema": "mqaws.error/1",
            "error": self.0.to_string(),
            "causes": causes(self.error()),
            "details": details,
            "place": self.0.place(),
            "left": self.0.left(),
            "hint": self.0.hint(),
            "exit": { "code": self.exit() as u8, "name": self.exit().name() },
        })
    }

    /// Prints the error: text to standard error, or JSON to standard output.
    pub fn report(&self, output: &Output) {
        if output.is_json() {
            let mut document = self.json();
            // What the user wrote stands in the others, and is quoted as it is.
            for field in ["details", "left", "hint"] {
                output.suggestions().complete_all(&mut document[field]);
            }
            output.document(&document);
        } else {
            output.note(self.text().trim_end());
        }
        let all: Vec<String> = [self.0.to_string()].into_iter().chain(causes(self.error())).collect();
        annotate_error(output, &all.join(": "));
    }
}

/// A label and its text; further lines of the text are indented below the first.
fn labelled(label: &str, style: Style, text: &str) -> String {
    let gap = " ".repeat(6usize.saturating_sub(label.len() + 1) + 1);
    let below = format!("\n{}", " ".repeat(label.len() + 1 + gap.len()));
    let text = text.trim_end().replace('\n', &below);
    format!("{style}{label}:{style:#}{gap}{text}\n")
}

/// The sources of an error, outermost first, without those that only repeat what was said.
fn causes(error: &(dyn Remedy + Send + Sync)) -> Vec<String> {
    let mut said = error.to_string();
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !text.is_empty() && !said.contains(&text) {
            said = text.clone();
            causes.push(text);
        }
        source = cause.source();
    }
    causes
}

/// Errors of the command line itself.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Options that do not go together, or a value that is none.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to write instead.
        hint: Option<String>,
    },
    /// Something outside is missing.
    #[error("{message}")]
    Precondition {
        /// What is missing.
        message: String,
        /// How to get it.
        hint: Option<String>,
    },
    /// A question could not be asked.
    #[error("{question} requires confirmation, but standard input is not a terminal")]
    NotATerminal {
        /// The question.
        question: String,
    },
    /// The answer was no.
    #[error("canceled: not confirmed")]
    Declined {
        /// What had to be typed, where that is a name.
        expected: Option<String>,
    },
    /// The user interrupted; what was begun was undone.
    #[error("interrupted")]
    Interrupted {
        /// What exists still.
        left: Option<String>,
    },
    /// It was not over in the time that the user gave.
    #[error("{what} did not end within {} s", .waited.as_secs_f64())]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        waited: std::time::Duration,
        /// What exists still.
        left: Option<String>,
    },
    /// A file could not be read or written.
    #[error("cannot {action} `{path}`")]
    File {
        /// What was attempted, e.g. `write`.
        action: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A file is not the text that it should be.
    #[error("cannot read `{path}`")]
    Text {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        #[source]
        source: mqaws_files::TextError,
    },
    /// A file of the user's could not be written; those are whole that are there.
    #[error("cannot write `{path}`")]
    Write {
        /// The file.
        path: std::path::PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
        /// Others that were written before.
        written: Vec<std::path::PathBuf>,
    },
    /// The asynchronous runtime did not start.
    #[error("cannot start the runtime")]
    Runtime(#[source] std::io::Error),
    /// A value did not turn into JSON: a bug.
    #[error("cannot write the result as JSON")]
    Json(#[source] serde_json::Error),
}

impl Remedy for CliError {
    fn exit(&self) -> ExitKind {
        match self {
            Self::Usage { .. } | Self::NotATerminal { .. } => ExitKind::Usage,
            Self::Precondition { .. }
            | Self::File { .. }
            | Self::Text { .. }
            | Self::Write { .. }
            | Self::Declined { .. } => ExitKind::Precondition,
            Self::Late { .. } => ExitKind::Remote,
            Self::Interrupted { .. } => ExitKind::Interrupted,
            Self::Runtime(_) | Self::Json(_) => ExitKind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } | Self::Precondition { hint, .. } => hint.clone(),
            Self::Late { .. } => Some("to wait longer, use a longer --timeout".into()),
            Self::NotATerminal { .. } => Some("to continue without a prompt, add --yes".into()),
            Self::File { source, .. } | Self::Write { source, .. } => Some(
                match source.kind() {
                    ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                        "free up space, or specify a different path"
                    }
                    ErrorKind::AlreadyExists => "specify a different file, or remove this one",
                    _ => "check the path and its permissions",
                }
                .into(),
            ),
            Self::Text { source, .. } => Some(source.hint().into()),
            Self::Runtime(_) => Some("the machine has run out of threads or memory; check `ulimit -u`".into()),
            Self::Declined { expected: None } => Some("to continue, answer yes; to skip the prompt, add --yes".into()),
            Self::Declined { expected: Some(name) } => {
                Some(format!("to continue, type `{name}`; to skip the prompt, add --yes"))
            }
            Self::Interrupted { .. } | Self::Json(_) => None,
        }
    }

    fn left(&self) -> Option<String> {
        match self {
            Self::Interrupted { left } | Self::Late { left, .. } => {
                Some(left.clone().unwrap_or_else(|| "nothing".into()))
            }
            Self::Json(_) => None,
            Self::Write { written, .. } if !written.is_empty() => {
                let written: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
                Some(format!("written: {}", written.join(", ")))
            }
            _ => Some(NOTHING.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("stack `s` was rolled back")]
    struct RolledBack(#[source] std::io::Error);

    impl Remedy for RolledBack {
        fn exit(&self) -> ExitKind {
            ExitKind::Remote
        }
        fn details(&self) -> Vec<(String, String)> {
            vec![("agent".into(), "strmqm exit 71".into())]
        }
        fn left(&self) -> Option<String> {
            Some("file system fs-1 (kept)".into())
        }
        fn hint(&self) -> Option<String> {
            Some("rebuild the image".into())
        }
    }

    #[test]
    fn text_has_every_part_in_order() {
        let failure = Failure::from(RolledBack(std::io::Error::other("no signal")));
        let text = anstream::adapter::strip_str(&failure.text()).to_string();
        assert_eq!(
            text,
            "error: stack `s` was rolled back\ncause: no signal\nagent: strmqm exit 71\n\
             left:  file system fs-1 (kept)\nhint:  rebuild the image\n"
        );
    }

    #[test]
    fn nothing_changed_comes_last() {
        let failure = Failure::from(CliError::Usage {
            message: "m".into(),
            hint: Some("h".into()),
        });
        let text = anstream::adapter::strip_str(&failure.text()).to_string();
        assert_eq!(text, "error: m\nhint:  h\nnothing was changed\n");
    }

    #[test]
    fn json_has_the_same_facts() {
        let json = Failure::from(RolledBack(std::io::Error::other("no signal"))).json();
        assert_eq!(json["schema"], "mqaws.error/1");
        assert_eq!(json["causes"][0], "no signal");
        assert_eq!(json["details"]["agent"], "strmqm exit 71");
        assert_eq!(json["exit"], json!({"code": 4, "name": "remote"}));
    }

    #[test]
    fn the_page_lists_every_exit_code() {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/troubleshooting.md");
        let page = std::fs::read_to_string(page).unwrap();
        let (_, rest) = page
            .split_once("<!-- exit codes: as in crates/contract/src/exit.rs -->\n")
            .unwrap();
        let (table, _) = rest.split_once("<!-- end of the exit codes -->").unwrap();
        let rows: Vec<String> = table
            .lines()
            .skip(2)
            .map(|row| row.split('|').take(3).collect::<Vec<_>>().join("|"))
            .collect();
        let mut kinds = ExitKind::ALL.to_vec();
        kinds.sort_by_key(|kind| *kind as u8);
        let known: Vec<String> = kinds
            .into_iter()
            .map(|kind| format!("| {} | {} ", kind as u8, kind.meaning()))
            .collect();
        assert_eq!(rows, known);
    }
}

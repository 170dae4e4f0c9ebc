//! What is made of a test beside its report: JUnit XML and a Markdown summary for a pipeline, a page for a browser, and the annotations of GitHub Actions.

use super::context::STANDARD_INPUT;
use super::words::row;
use super::written::{self, NewFile};
use super::{CliError, Context, Failure, Output};
use crate::failover::Report;
use crate::failover::page::page;
use crate::failover::report::complaints;
use crate::failover::report::junit::junit;
use crate::failover::report::markdown::markdown;
use crate::failover::verdict::Verdict;
use crate::remedy::ExitKind;
use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// GitHub Actions shows no more annotations of a step than this.
const ANNOTATIONS: usize = 10;

/// The files that a test or a report is asked for.
#[derive(Debug, Default, Clone, clap::Args)]
pub struct Files {
    /// JUnit XML of the thresholds, one case each; replaces the file
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Markdown summary; replaces the file, and is also appended to $GITHUB_STEP_SUMMARY if that is set
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// HTML page with charts, in one file without scripts; replaces the file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Open the page in the browser of the desktop
    #[arg(long, requires = "html")]
    pub open: bool,
}

/// The files that were asked for, each of which can be written.
#[derive(Debug, Default)]
pub(super) struct Published(Files);

impl Published {
    /// Begins to write the files: found out now, not after an hour of rounds.
    ///
    /// # Errors
    /// [`CliError::Precondition`] for a folder that does not exist, [`CliError::Write`]; [`CliError::Usage`] for `-`.
    pub(super) fn prepare(files: Files) -> Result<Self, CliError> {
        for (flag, path) in [
            ("--junit", &files.junit),
            ("--markdown", &files.markdown),
            ("--html", &files.html),
        ] {
            let Some(path) = path else { continue };
            if path == Path::new(STANDARD_INPUT) {
                return Err(CliError::Usage {
                    message: format!("{flag} writes to a file, not to standard output"),
                    hint: Some(format!("specify a file; for one named `-`, use {flag} ./-")),
                });
            }
            written::try_out(path)?;
        }
        Ok(Self(files))
    }

    /// Whether any file was asked for.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.junit.is_some() || self.0.markdown.is_some() || self.0.html.is_some()
    }

    /// Writes the files of these reports.
    ///
    /// Returns how it ended: what a pipeline cannot read is not done. Why is said at once.
    pub(super) fn publish(&self, context: &Context, reports: &[&Report]) -> ExitKind {
        let output = context.output();
        let mut exit = ExitKind::Success;
        let mut done = |label: &str, path: &Path, written: Result<(), CliError>| match written {
            Ok(()) => output.data(row(label, path.display().to_string())),
            Err(error) => {
                let failure = Failure::from(error);
                output.note(failure.text().trim_end());
                exit = failure.exit();
            }
        };
        if let Some(path) = &self.0.junit {
            done("junit", path, write(path, &junit(reports)));
        }
        if let Some(path) = &self.0.html {
            let written = write(path, &page(reports));
            let is_written = written.is_ok();
            done("html", path, written);
            if self.0.open && is_written {
                open_page(output, path);
            }
        }
        if let Some(path) = &self.0.markdown {
            let page = markdown(reports);
            done("markdown", path, write(path, &page));
            if let Some(summary) = env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
                let summary = PathBuf::from(summary);
                done("markdown", &summary, append(&summary, &page));
            }
        }
        exit
    }
}

/// Writes the page of a report beside it, and returns where it is. It is worth no error: the report has all of it.
pub(super) fn page_beside(output: &Output, report: &Report, kept: &Path) -> Option<PathBuf> {
    let path = kept.with_extension("html");
    match write(&path, &page(&[report])) {
        Ok(()) => Some(path),
        Err(error) => {
            output.note(format!("warning: {error}"));
            None
        }
    }
}

/// Opens a page in the browser of the desktop; without one, and where none can be started, the page is there all the same.
pub(super) fn open_page(output: &Output, page: &Path) {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_desktop = cfg!(target_os = "macos") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    let why = match is_desktop {
        true => open::that_detached(page).err().map(|error| error.to_string()),
        false => Some("this session has no desktop".to_owned()),
    };
    if let Some(why) = why {
        output.note(format!("warning: cannot open {} in a browser: {why}", page.display()));
    }
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    written::write(NewFile {
        path: path.to_owned(),
        content: text.as_bytes(),
        mode: None,
        replaces: true,
    })
}

/// Adds a page to the summary of a step, which other commands of the step have added to.
fn append(path: &Path, page: &str) -> Result<(), CliError> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    let written = file.and_then(|mut file| file.write_all(format!("{page}\n").as_bytes()));
    written.map_err(|source| CliError::Write {
        path: path.to_owned(),
        source,
        written: Vec::new(),
    })
}

/// Tells GitHub Actions what did not pass, when it runs this.
pub(super) fn annotate(output: &Output, report: &Report) {
    if !is_github() {
        return;
    }
    let all = complaints(report);
    for (verdict, about, reason) in all.iter().take(ANNOTATIONS) {
        let title = match verdict {
            Verdict::Fail => "failover test failed",
            _ => "failover test inconclusive",
        };
        output.note(annotation(title, &format!("{about}: {reason}")));
    }
}

/// Tells GitHub Actions of an error, when it runs this.
pub(super) fn annotate_error(output: &Output, message: &str) {
    if is_github() {
        output.note(annotation("mqaws", message));
    }
}

fn is_github() -> bool {
    env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// A workflow command of GitHub Actions: one line, whatever the text is.
fn annotation(title: &str, message: &str) -> String {
    let safe = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let title = safe(title).replace(':', "%3A").replace(',', "%2C");
    format!("::error title={title}::{}", safe(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_one_line_and_one_command() {
        assert_eq!(
            annotation("a: b, c", "100 %\r\n::warning::x"),
            "::error title=a%3A b%2C c::100 %25%0D%0A::warning::x"
        );
    }
}

//! A test as it goes, for people.

use crate::cli::pipeline::{Published, annotate};
use crate::cli::reports::{keep, place};
use crate::cli::words::row;
use crate::cli::{Context, Wait};
use crate::failover::report::Run;
use crate::failover::{self, Report, text};
use std::path::Path;

/// Shows a test as it goes.
pub(crate) struct Show<'a> {
    context: &'a Context,
    out: Option<&'a Path>,
    files: Option<&'a Published>,
    wait: Wait,
}

impl<'a> Show<'a> {
    /// Begins with a moving line; a report of a broken-off test is written nowhere.
    pub(crate) fn new(context: &'a Context) -> Self {
        let wait = context.progress().wait(row("", "reading the stack"));
        Self {
            context,
            out: None,
            files: None,
            wait,
        }
    }

    /// As [`Show::new`], and the rounds of a broken-off test are written into `out`.
    pub(crate) fn writing_into(context: &'a Context, out: &'a Path) -> Self {
        Self {
            out: Some(out),
            ..Self::new(context)
        }
    }

    /// The same, and so are the files for a pipeline.
    pub(super) fn publishing(self, files: &'a Published) -> Self {
        Self {
            files: Some(files),
            ..self
        }
    }
}

impl failover::Watch for Show<'_> {
    fn doing(&self, what: &str) {
        self.wait.update(row("", what));
    }

    fn began(&self, report: &Report) {
        self.context.output().data(text::load(&report.load));
    }

    fn round(&self, run: &Run) {
        self.context.output().data(format!("\n{}", text::run(run)));
    }

    fn broken_off(&self, report: &Report) {
        let (output, Some(out)) = (self.context.output(), self.out) else {
            return;
        };
        // Without a round there is nothing to keep, but a pipeline that wants files must not take their absence for success.
        if report.runs.is_empty() && !self.files.is_some_and(Published::is_wanted) {
            return;
        }
        let mut report = report.clone();
        let kept = keep(self.context, &mut report, out);
        output.note(row(
            "report",
            format!(
                "{}, with {}",
                place(kept.as_deref()),
                match report.runs.len() {
                    0 => "no completed round",
                    _ => "the completed rounds",
                }
            ),
        ));
        if let Some(files) = self.files {
            files.publish(self.context, &[&report]);
            annotate(output, &report);
        }
    }
}

//! The two streams: data to standard output, everything else to standard error.

use super::args::{Color, Format};
use super::progress::Progress;
use super::suggestions::Suggestions;
use super::terminal::{shown, shown_json};
use serde::Serialize;
use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where verbs print.
///
/// Data goes to standard output with [`Output::data`] or [`Output::document`]; notes, progress and questions go to
/// standard error. A reader that went away (`mqaws … | head`) is no error.
#[derive(Debug, Clone)]
pub struct Output {
    format: Format,
    quiet: bool,
    progress: Progress,
    torn: Arc<AtomicBool>,
    suggestions: Arc<Suggestions>,
}

impl Output {
    pub(super) fn new(format: Format, color: Color, quiet: bool, progress: Progress, suggestions: Suggestions) -> Self {
        match color {
            // Auto also honours NO_COLOR, CLICOLOR_FORCE and TERM.
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
        Self {
            format,
            quiet,
            progress,
            torn: Arc::default(),
            suggestions: Arc::new(suggestions),
        }
    }

    /// Whether something for standard output could not be written there, for another reason than that its reader went away.
    pub(super) fn is_torn(&self) -> bool {
        self.torn.load(Ordering::Relaxed)
    }

    /// What the commands in messages take over from this call.
    pub(super) fn suggestions(&self) -> &Suggestions {
        &self.suggestions
    }

    /// Whether the user asked for JSON: then standard output gets one document and nothing else.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints text for people to standard output; does nothing when JSON was asked for.
    pub fn data(&self, text: impl AsRef<str>) {
        if !self.is_json() {
            self.raw(&shown(&self.suggestions.complete(text.as_ref())));
        }
    }

    /// Prints text to standard output whatever the form: a template, a completion script.
    pub fn raw(&self, text: &str) {
        self.progress.aside(|| {
            let mut out = anstream::stdout().lock();
            let newline = if text.ends_with('\n') { "" } else { "\n" };
            let written = write!(out, "{text}{newline}").and_then(|()| out.flush());
            drop(out);
            // A closed pipe ends the output, not the program's work.
            if let Err(error) = written
                && error.kind() != ErrorKind::BrokenPipe
                && !self.torn.swap(true, Ordering::Relaxed)
            {
                let _ = writeln!(
                    anstream::stderr().lock(),
                    "error: cannot write to standard output: {error}"
                );
            }
        });
    }

    /// Prints a JSON document to standard output.
    pub fn document(&self, document: &impl Serialize) {
        match serde_json::to_string_pretty(document) {
            Ok(text) => self.raw(&shown_json(&text)),
            Err(error) => self.note(format!("error: cannot write the result as JSON: {error}")),
        }
    }

    /// Prints a line to standard error; `--quiet` leaves it out.
    pub fn say(&self, text: impl AsRef<str>) {
        if !self.quiet {
            self.note(text);
        }
    }

    /// Prints a line to standard error, also with `--quiet`: errors and warnings.
    pub fn note(&self, text: impl AsRef<str>) {
        self.progress.aside(|| {
            let text = self.suggestions.complete(text.as_ref());
            let _ = writeln!(anstream::stderr().lock(), "{}", shown(&text));
        });
    }
}

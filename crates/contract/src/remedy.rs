//! Errors own their remedy: what to do next, and what an operation left behind.
//!
//! The text of an error says what was attempted on what; its source says why it failed; this trait says the rest.
//! Only `cli` prints, once, at the edge.

pub use crate::exit::ExitKind;
use std::error::Error;
use std::fmt;

/// What an error says that left everything as it was.
pub const NOTHING: &str = "nothing was changed";

/// What a user can do about an error, and what it left behind.
pub trait Remedy: std::error::Error {
    /// The exit code that this error stands for.
    fn exit(&self) -> ExitKind;
    /// One sentence that says what to do next.
    fn hint(&self) -> Option<String> {
        None
    }
    /// What exists now that did not exist before, or `nothing was changed`.
    fn left(&self) -> Option<String> {
        None
    }
    /// Further facts under a one-word label, e.g. `agent` and its last error.
    fn details(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    /// The place in the user's file, as `file:line:column` with an excerpt, when the error has one.
    fn place(&self) -> Option<String> {
        None
    }
}

/// An error that came after something else had been changed.
#[derive(Debug)]
pub struct Besides<E: ?Sized> {
    /// What had been changed, as a clause: `the previous, empty stack was removed`.
    pub done: String,
    /// The error.
    pub error: Box<E>,
}

impl<E: Remedy + ?Sized> fmt::Display for Besides<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<E: Remedy + ?Sized> Error for Besides<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

impl<E: Remedy + ?Sized> Remedy for Besides<E> {
    fn exit(&self) -> ExitKind {
        self.error.exit()
    }

    fn hint(&self) -> Option<String> {
        self.error.hint()
    }

    fn left(&self) -> Option<String> {
        let done = &self.done;
        Some(match self.error.left() {
            Some(left) if left != NOTHING => format!("{left}; {done}"),
            _ => format!("{done}; nothing else was changed"),
        })
    }

    fn details(&self) -> Vec<(String, String)> {
        self.error.details()
    }

    fn place(&self) -> Option<String> {
        self.error.place()
    }
}

/// An error and its causes in one line; a cause whose words an error before it quotes is not said twice.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}

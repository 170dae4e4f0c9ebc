//! Errors own their remedy: what to do next, and what an operation left behind.
//!
//! The text of an error says what was attempted on what; its source says why it failed; this trait says the rest.
//! Only `cli` prints, once, at the edge.

use std::error::Error;
use std::fmt;

/// What an error says that left everything as it was.
pub const NOTHING: &str = "nothing was changed";

/// Exit codes of the program: a stable interface for pipelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ExitKind {
    /// Done, or the test passed.
    Success = 0,
    /// A bug in mqaws.
    Internal = 1,
    /// Wrong command line.
    Usage = 2,
    /// Configuration, credentials, a missing tool or an unreachable endpoint.
    Precondition = 3,
    /// AWS or a remote command failed.
    Remote = 4,
    /// Acknowledged messages were lost.
    Lost = 10,
    /// Service did not come back in time.
    NoRecovery = 11,
    /// The RTO was over its limit.
    RtoExceeded = 12,
    /// Duplicates or order against the policy.
    Duplicates = 13,
    /// The measured outage does not fit the SLO.
    SloExceeded = 14,
    /// Nothing was proved.
    Inconclusive = 20,
    /// Interrupted; what was started was rolled back.
    Interrupted = 130,
}

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
    /// What had been changed, as a clause: `the empty stack of before was removed`.
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

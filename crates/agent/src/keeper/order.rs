//! A command of the engine and what became of it, as they go over the socket.

use mqaws_engine::{Command, Output, RunError};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A command line as it goes over the socket; see [`Command`] for the fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdin: Option<String>,
    deadline_ms: u64,
    run_as: Option<(u32, u32)>,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ran", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the fields of Output and RunError")]
pub(crate) enum Ran {
    /// It ended by itself.
    Ended { code: i32, text: String, elapsed_ms: u64 },
    /// It was killed at its deadline.
    TimedOut { text: String, reaped: bool },
    /// A signal ended it.
    Signal { signal: i32, text: String },
    /// It could not be started.
    NotStarted { why: String },
    /// Its end could not be learned.
    NotFollowed { why: String },
}

impl From<&Command> for Order {
    fn from(command: &Command) -> Self {
        Self {
            program: command.program.clone(),
            args: command.args.clone(),
            env: command.env.clone(),
            stdin: command.stdin.clone(),
            deadline_ms: u64::try_from(command.deadline.as_millis()).unwrap_or(u64::MAX),
            run_as: command.run_as,
        }
    }
}

impl From<Order> for Command {
    fn from(order: Order) -> Self {
        Self {
            program: order.program,
            args: order.args,
            env: order.env,
            stdin: order.stdin,
            deadline: Duration::from_millis(order.deadline_ms),
            run_as: order.run_as,
        }
    }
}

impl From<Result<Output, RunError>> for Ran {
    fn from(result: Result<Output, RunError>) -> Self {
        match result {
            Ok(output) => Self::Ended {
                code: output.code,
                text: output.text,
                elapsed_ms: u64::try_from(output.elapsed.as_millis()).unwrap_or(u64::MAX),
            },
            Err(RunError::TimedOut { text, reaped, .. }) => Self::TimedOut { text, reaped },
            Err(RunError::Signal { signal, text, .. }) => Self::Signal { signal, text },
            Err(RunError::CouldNotStart { source, .. }) => Self::NotStarted {
                why: source.to_string(),
            },
            Err(RunError::CouldNotFollow { source, .. }) => Self::NotFollowed {
                why: source.to_string(),
            },
        }
    }
}

impl Ran {
    /// The result as a runner gives it.
    ///
    /// # Errors
    /// [`RunError`], whenever the command gave no exit code.
    pub(crate) fn result(self, command: &Command) -> Result<Output, RunError> {
        let line = command.to_string();
        Err(match self {
            Self::Ended { code, text, elapsed_ms } => {
                return Ok(Output {
                    code,
                    text,
                    elapsed: Duration::from_millis(elapsed_ms),
                });
            }
            Self::TimedOut { text, reaped } => RunError::TimedOut {
                command: line,
                after: command.deadline,
                text,
                reaped,
            },
            Self::Signal { signal, text } => RunError::Signal {
                command: line,
                signal,
                text,
            },
            Self::NotStarted { why } => RunError::CouldNotStart {
                command: line,
                source: io::Error::other(why),
            },
            Self::NotFollowed { why } => RunError::CouldNotFollow {
                command: line,
                source: io::Error::other(why),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_results_survive_the_socket() {
        let command = Command::new("/opt/mqm/bin/strmqm")
            .args(["-x", "QM1"])
            .env("MQAWS_EPOCH", "7")
            .stdin("text")
            .deadline(Duration::from_secs(900));
        let text = serde_json::to_string(&Order::from(&command)).expect("json");
        let order: Order = serde_json::from_str(&text).expect("order");
        assert_eq!(Command::from(order), command);

        let echo = Command::new("/bin/sh").args(["-c", "echo hello; exit 3"]);
        let silent = Command::new("/bin/sh").args(["-c", "kill -9 $$"]);
        let missing = Command::new("/nonexistent/strmqm");
        for (command, expected) in [(echo, "3 hello"), (silent, "signal 9"), (missing, "could not start")] {
            let ran = Ran::from(mqaws_engine::runner::run(&command));
            let text = serde_json::to_string(&ran).expect("json");
            let ran: Ran = serde_json::from_str(&text).expect("ran");
            let said = match ran.result(&command) {
                Ok(output) => format!("{} {}", output.code, output.text.trim()),
                Err(error) => error.to_string(),
            };
            assert!(said.contains(expected), "{said}");
        }
    }
}

//! The user's own definitions: applied once per change, each command's result checked.
//!
//! What was applied last is known by a mark in the queue manager itself, a queue whose description is the text's digest: it
//! travels with the data, whichever instance comes next.

use super::{Service, transient};
use crate::ibm_mq::Driver;
use crate::ibm_mq::mqsc::{MqscError, Report};
use crate::service::{EngineFailure, FailureKind};
use mqaws_contract::agent::line_of_definitions;
use sha2::{Digest, Sha256};
use std::io;

/// The queue that carries the mark.
const MARK: &str = "MQAWS.DEFINITIONS";
/// `AMQ8147E`: the object does not exist.
const NOT_FOUND: u16 = 8147;

impl Service {
    /// Applies the user's file when it is another than the last one that was applied; says whether it was.
    pub(super) fn define_own(&self) -> Result<bool, EngineFailure> {
        let text = match std::fs::read_to_string(&self.definitions) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => {
                return Err(EngineFailure {
                    kind: FailureKind::Shared,
                    text: format!("cannot read {}: {error}", self.definitions.display()),
                });
            }
        };
        let digest = hex::encode(Sha256::digest(text.as_bytes()));
        if self.applied()?.as_deref() == Some(&digest) {
            return Ok(false);
        }
        tracing::info!(digest, "the user's definitions are applied");
        let output = self.run(&self.driver.mqsc(&self.queue_manager, &text))?;
        Driver::processed(&output).map_err(|error| self.refused(&error, &text))?;
        self.mqsc(&format!("DEFINE QLOCAL('{MARK}') DESCR('{digest}') REPLACE"))?;
        Ok(true)
    }

    /// The digest of what was applied last.
    fn applied(&self) -> Result<Option<String>, EngineFailure> {
        let display = format!("DISPLAY QLOCAL('{MARK}') DESCR");
        let output = self.run(&self.driver.mqsc(&self.queue_manager, &display))?;
        let report = Report::parse(&output.text);
        let none = |m: &crate::ibm_mq::messages::Message| m.number == NOT_FOUND;
        if report.commands.iter().any(|c| c.failure().is_some_and(none)) {
            return Ok(None);
        }
        report.check(output.code).map_err(|error| transient(&error))?;
        Ok(report.objects().find_map(|o| o.get("DESCR").map(str::to_owned)))
    }

    /// Another attempt, or another instance, would be given the same text and refuse it again.
    fn refused(&self, error: &MqscError, text: &str) -> EngineFailure {
        let kind = match error {
            MqscError::Failed { .. } | MqscError::Unanswered { .. } => FailureKind::Shared,
            _ => FailureKind::Transient,
        };
        let line = match error {
            MqscError::Failed { number, .. } => line_of(text, *number),
            _ => None,
        };
        EngineFailure {
            kind,
            text: match line {
                Some(line) => format!("{}: {error}", line_of_definitions(line)),
                None => format!("the definitions: {error}"),
            },
        }
    }
}

/// The line, from 1, on which the command with this number begins.
fn line_of(text: &str, number: u32) -> Option<usize> {
    let mut commands = 0;
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('*') {
            continue;
        }
        if !goes_on {
            commands += 1;
            if commands == number {
                return Some(index + 1);
            }
        }
        goes_on = line.ends_with(['+', '-']);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_found_on_its_line() {
        let text = "* queues\n\nDEFINE QLOCAL(A) +\n  MAXDEPTH(5)\n* more\nDEFINE QLOCAL(B)\nDEFINE QLOCAL(C\n";
        assert_eq!(
            [1, 2, 3, 4, 0].map(|number| line_of(text, number)),
            [Some(3), Some(6), Some(7), None, None]
        );
    }
}

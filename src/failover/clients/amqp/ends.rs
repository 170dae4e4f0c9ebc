//! Ends of connections, sessions and links: what ended, in plain words, and whether the queue is to blame.

use fe2o3_amqp::connection::ConnectionStopReason;
use fe2o3_amqp::link::{ReceiverAttachError, SenderAttachError, SessionStopReason};
use fe2o3_amqp_types::definitions::{Error as AmqpFault, ErrorCondition};

/// Why a link could not be attached.
pub(super) trait AttachError: std::fmt::Display {
    /// What ended under the link, when that and not the queue is the reason.
    fn end(&self) -> Option<String>;
}

impl AttachError for SenderAttachError {
    fn end(&self) -> Option<String> {
        match self {
            Self::SessionStopped(reason) => end_of(reason),
            _ => None,
        }
    }
}

impl AttachError for ReceiverAttachError {
    fn end(&self) -> Option<String> {
        match self {
            Self::SessionStopped(reason) => end_of(reason),
            _ => None,
        }
    }
}

fn end_of(reason: &SessionStopReason) -> Option<String> {
    use {ConnectionStopReason as Connection, SessionStopReason as Session};
    let error = match reason {
        Session::Ended => return Some("session ended".into()),
        Session::RemoteEnded => return Some("session closed by the broker".into()),
        Session::ConnectionStopped(Connection::Closed) => return Some("connection closed".into()),
        Session::ConnectionStopped(Connection::RemoteClosed) => return Some("connection closed by the broker".into()),
        Session::EndedWithError(error)
        | Session::RemoteEndedWithError(error)
        | Session::ConnectionStopped(Connection::ClosedWithError(error) | Connection::RemoteClosedWithError(error)) => {
            error
        }
    };
    // A broker may end more than the link when it refuses a queue.
    match error.condition {
        ErrorCondition::ConnectionError(_) | ErrorCondition::SessionError(_) => Some(words(&format!("{error:?}"))),
        _ => None,
    }
}

/// A broker's error in its own words.
pub(super) fn said(error: &AmqpFault) -> String {
    match error.description.as_deref() {
        Some(description) if !description.trim().is_empty() => description.to_owned(),
        _ => format!("{:?}", error.condition),
    }
}

pub(super) fn ending<E: std::fmt::Display>(what: &str, ended: Result<(), E>) -> String {
    match ended {
        Ok(()) => format!("{what} closed by the broker"),
        Err(error) => words(&error.to_string()),
    }
}

/// The library's words for the ends that everybody knows, in those of everybody.
pub(super) fn words(error: &str) -> String {
    let known = [
        (
            &["ConnectionReset", "BrokenPipe", "Broken pipe", "reset by peer"][..],
            "connection reset",
        ),
        (
            &["UnexpectedEof", "Expecting remote close", "unexpected end of file"],
            "connection closed",
        ),
        (&["Idle timeout", "IdleTimeout", "idle timeout"], "no heartbeat"),
    ];
    let found = known
        .iter()
        .find(|(signs, _)| signs.iter().any(|sign| error.contains(sign)));
    let described = || {
        let (_, rest) = error.split_once("description: Some(\"")?;
        let (description, _) = rest.split_once("\")")?;
        Some(format!("closed by the broker: {description}"))
    };
    found
        .map(|(_, words)| (*words).to_owned())
        .or_else(described)
        .unwrap_or_else(|| error.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fe2o3_amqp_types::definitions::{AmqpError, ConnectionError};

    #[test]
    fn an_end_says_nothing_of_the_queue_unless_it_names_one() {
        let error = |condition: ErrorCondition| AmqpFault::new(condition, Some("AMQ1: said".into()), None);
        let stopped = ConnectionStopReason::RemoteClosedWithError;
        for (reason, expected) in [
            (SessionStopReason::Ended, Some("session ended")),
            (SessionStopReason::RemoteEnded, Some("session closed by the broker")),
            (
                ConnectionStopReason::RemoteClosed.into(),
                Some("connection closed by the broker"),
            ),
            (
                stopped(error(ConnectionError::ConnectionForced.into())).into(),
                Some("closed by the broker: AMQ1: said"),
            ),
            (stopped(error(AmqpError::UnauthorizedAccess.into())).into(), None),
            (
                SessionStopReason::RemoteEndedWithError(error(AmqpError::NotFound.into())),
                None,
            ),
        ] {
            assert_eq!(end_of(&reason).as_deref(), expected, "{reason:?}");
        }
    }

    #[test]
    fn known_ends_have_plain_words() {
        for (error, expected) in [
            (
                "IO Error Os { code: 104, kind: ConnectionReset, message: \"Connection reset by peer\" }",
                "connection reset",
            ),
            (
                "IO Error Os { code: 32, kind: BrokenPipe, message: \"Broken pipe\" }",
                "connection reset",
            ),
            (
                "IO Error Custom { kind: UnexpectedEof, error: \"Expecting remote close\" }",
                "connection closed",
            ),
            (
                "Remote peer closed connection with error Error { condition: ConnectionError(ConnectionForced), description: Some(\"AMQ8146E: ending\"), info: None }",
                "closed by the broker: AMQ8146E: ending",
            ),
            ("something else", "something else"),
        ] {
            assert_eq!(words(error), expected);
        }
    }
}

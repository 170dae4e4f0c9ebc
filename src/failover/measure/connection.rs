//! What the workers of a round noticed of their connections, and when this process itself did not run.

use super::gap::Worker;

/// What happened to one worker's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionEvent {
    /// Who.
    pub worker: Worker,
    /// When.
    pub at_ns: u64,
    /// What.
    pub what: ConnectionChange,
    /// Messages acknowledged and not yet received at that moment.
    pub waiting: u64,
}

/// What a worker noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionChange {
    /// It has a connection.
    Connected,
    /// Its connection is gone; the client library's words.
    Lost(String),
    /// A connection could not be made; the words of the last attempt.
    Refused(String),
}

/// A time in which this process did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stalled {
    /// Beginning.
    pub from_ns: u64,
    /// End.
    pub to_ns: u64,
}

/// Whether a worker had a connection at last; `notes` are in order of time.
pub(crate) fn is_connected(notes: &[ConnectionEvent], worker: Worker) -> bool {
    matches!(
        notes.iter().rfind(|note| note.worker == worker),
        Some(ConnectionEvent {
            what: ConnectionChange::Connected,
            ..
        })
    )
}

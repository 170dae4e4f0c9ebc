//! States of a single writer.

use crate::agent::duty::SERVING;

/// States, in the order of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum State {
    /// Learns who and where it is.
    Booting,
    /// Mounts the shared file system.
    Mounting,
    /// Waits for the lock and a proof that the previous owner writes no more.
    Fencing,
    /// Creates the queue manager or makes it known to this host.
    Adopting,
    /// Starts it; replaying its log belongs to this.
    Starting,
    /// It serves.
    Serving,
    /// It died or hung and is started again in place.
    Restarting,
    /// This instance gave up and asked to be replaced.
    Condemned,
    /// It is being stopped in order.
    Draining,
    /// It is stopped, the lock is released.
    Stopped,
    /// A person asked the agent to keep its hands off.
    Paused,
}

impl State {
    /// The word in status and logs.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Booting => "booting",
            Self::Mounting => "mounting",
            Self::Fencing => "fencing",
            Self::Adopting => "adopting",
            Self::Starting => "starting",
            Self::Serving => SERVING,
            Self::Restarting => "restarting",
            Self::Condemned => "condemned",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
        }
    }
}

//! States of a single writer.

use crate::model::agent::AgentState;

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
    /// It is being stopped in order, and this host waits for the lock afterwards.
    HandingOver,
    /// It is stopped, the lock is released.
    Stopped,
    /// A person asked the agent to keep its hands off.
    Paused,
}

impl State {
    /// What a status says of it.
    pub(super) fn said(self) -> AgentState {
        match self {
            Self::Booting => AgentState::Booting,
            Self::Mounting => AgentState::Mounting,
            Self::Fencing => AgentState::Fencing,
            Self::Adopting => AgentState::Adopting,
            Self::Starting => AgentState::Starting,
            Self::Serving => AgentState::Serving,
            Self::Restarting => AgentState::Restarting,
            Self::Condemned => AgentState::Condemned,
            Self::Draining | Self::HandingOver => AgentState::Draining,
            Self::Stopped => AgentState::Stopped,
            Self::Paused => AgentState::Paused,
        }
    }
}

//! The seam between the main loop and a duty.

use super::event::{Action, Decision, Event};
use crate::agent::ports::Identity;
use crate::fence::{Epoch, Inquiry, Proof};
use crate::model::agent::{AgentState, Pause};
use mqaws_engine::EngineInfo;
use std::time::Duration;

/// What a topology asks of the agent on one host.
pub trait Duty: Send {
    /// Handles one event; `now` comes from a clock that does not go back and that counts the time for which the host is
    /// suspended.
    fn handle(&mut self, event: Event, now: Duration) -> Vec<Action>;

    /// The generation of work that is not yet stale.
    fn generation(&self) -> u64;

    /// What a status tells.
    fn view(&self) -> View<'_>;
}

/// What a status tells of a duty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View<'a> {
    /// The state.
    pub(crate) state: AgentState,
    /// An engine that was started in full runs: what was measured of it holds.
    pub(crate) running: bool,
    /// Identity, once known.
    pub(crate) identity: Option<&'a Identity>,
    /// Engine, once known.
    pub(crate) engine: Option<&'a EngineInfo>,
    /// Whether a host is ready to take over, as far as this one knows; absent where none waits.
    pub(crate) standby_ready: Option<bool>,
    /// An operator's stop on the data that this host owns.
    pub(crate) paused: Option<&'a Pause>,
    /// Restarts in place.
    pub(crate) restarts: u32,
    /// The last thing that went wrong, or what is waited for.
    pub(crate) last_error: Option<String>,
    /// Why only a person can help, while that is so.
    pub(crate) alarm: Option<&'a str>,
    /// The last decision of a person.
    pub(crate) decision: Option<&'a Decision>,
    /// Who may write the data; absent where no host of the topology shares any with another.
    pub(crate) fence: Option<FenceView<'a>>,
}

/// Who may write data that hosts share.
#[derive(Debug, Clone, PartialEq)]
pub struct FenceView<'a> {
    /// Epoch while this instance owns the data.
    pub(crate) epoch: Option<Epoch>,
    /// Proof of the last start.
    pub(crate) proof: Option<&'a Proof>,
    /// When that proof was obtained, RFC 3339 UTC, where the agent has it from a keeper that lived on.
    pub(crate) proved_at: Option<&'a str>,
    /// Whether the lock is held.
    pub(crate) held: bool,
    /// The inquiry about the previous owner, while there is one.
    pub(crate) inquiry: Option<&'a Inquiry>,
}

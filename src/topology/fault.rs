//! Faults, and what a topology does about them.

use crate::model::agent::{ProofKind, mark};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What is done to the stack. What each is, who injects it and how it is seen is in [`Fault::facts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The agent is killed; keeper and queue manager live on.
    KillAgent,
    /// The storage does not answer for less than a lease.
    StallStorage,
    /// The load balancer resets every connection.
    ResetConnections,
    /// The load balancer forgets every connection, as one that was idle for too long: it discards the next packet, and then resets.
    IdleTimeout,
    /// The queue manager is stopped without the agent; it must be restarted in place.
    StopQueueManager,
    /// SIGKILL to every process of the queue manager.
    KillQueueManager,
    /// SIGSTOP to every process of the queue manager: no responses, no closed connections.
    HangQueueManager,
    /// The lock keeper is killed.
    KillKeeper,
    /// Agent, keeper, and queue manager are stopped, and go on later.
    HangHost,
    /// The storage does not answer for longer than a lease.
    CutStorage,
    /// Clients are heard and never answered; everything else is reached.
    CutOneWay,
    /// The host is cut off from everything, and comes back later.
    CutHost,
    /// All hosts of the zone are.
    CutZone,
    /// The shared file system has no room left.
    FillStorage,
    /// An operator moves the queue manager to another host: `mqaws failover`.
    Move,
    /// EC2 TerminateInstances on the instance that serves.
    TerminateInstance,
    /// Auto Scaling SetInstanceHealth on the instance that serves: an orderly replacement.
    MarkUnhealthy,
    /// The host loses its power: no shutdown, nothing released.
    PowerOffHost,
    /// The same, and the API of AWS fails for the instances during the failover.
    ApiDown,
}

impl Fault {
    /// All faults, in the order of growing effort for the stack.
    pub const ALL: [Self; 19] = [
        Self::KillAgent,
        Self::StallStorage,
        Self::ResetConnections,
        Self::IdleTimeout,
        Self::StopQueueManager,
        Self::KillQueueManager,
        Self::HangQueueManager,
        Self::KillKeeper,
        Self::HangHost,
        Self::CutStorage,
        Self::CutOneWay,
        Self::CutHost,
        Self::CutZone,
        Self::FillStorage,
        Self::Move,
        Self::TerminateInstance,
        Self::MarkUnhealthy,
        Self::PowerOffHost,
        Self::ApiDown,
    ];

    /// The name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Names of all, `a, b, c`.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// Whether it is what a planned swap of an instance does, rather than something that breaks.
    #[must_use]
    pub fn is_orderly(self) -> bool {
        matches!(self, Self::MarkUnhealthy | Self::Move)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        Self::ALL
            .into_iter()
            .find(|fault| fault.name() == text)
            .ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

/// A fault that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown fault `{0}`; valid faults: {names}", names = Fault::names())]
pub struct UnknownFault(pub String);

/// What a topology does about a fault that it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// The fault.
    pub fault: Fault,
    /// What it must do.
    pub by: Restart,
    /// Proofs of the fence with which the engine may start then; empty where none starts, or where any will do.
    pub proofs: &'static [ProofKind],
}

impl Stand {
    pub(super) const fn new(fault: Fault, by: Restart, proofs: &'static [ProofKind]) -> Self {
        Self { fault, by, proofs }
    }
}

/// The same boot of the same host, without a process of the engine.
pub(super) const SAME_HOST: &[ProofKind] = &[ProofKind::SameHost];
/// The previous owner released the data.
pub(super) const CLEAN: &[ProofKind] = &[ProofKind::Clean];
/// The previous owner is gone by the word of EC2.
pub(super) const TERMINATED: &[ProofKind] = &[ProofKind::Terminated];

/// How service comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// No client notices anything.
    Unnoticed,
    /// Nothing is restarted: clients are served again when they reconnect, or when the fault ends.
    WhenItEnds,
    /// The same instance starts the queue manager again.
    InPlace,
    /// Another instance takes over; the one of before is gone, with what only it can tell.
    Elsewhere,
}

impl Restart {
    /// In words, for reports.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Unnoticed => "unnoticed",
            Self::WhenItEnds => "reconnect",
            Self::InPlace => "in place",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// One term of an outage: what it is called, and the mark that ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Its name in reports.
    pub name: &'static str,
    /// What ends it.
    pub until: Cut,
}

/// What ends a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The first of any of these marks, on any instance.
    First(&'static [&'static str]),
    /// The last such mark before the start that ended the outage, on the same instance.
    BeforeStart(&'static str),
    /// The same, and the mark's detail says more.
    BeforeStartWithDetail(&'static str),
    /// The start that ended the outage.
    Start,
    /// The load balancer has a healthy target again.
    Target,
}

/// The marks by which an agent says that it noticed a fault.
pub const NOTICED: &[&str] = &[mark::DEATH_NOTICED, mark::HANG_NOTICED, mark::DRAINING, mark::CONDEMNED];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(fault));
            assert_eq!(serde_json::to_value(fault).unwrap(), fault.name());
        }
        let error = "unplug".parse::<Fault>().unwrap_err().to_string();
        assert!(
            error.contains("`unplug`") && error.contains("hang-queue-manager"),
            "{error}"
        );
    }
}

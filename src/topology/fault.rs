//! Faults, and what a topology does about them.

use crate::model::agent::mark;
use mqaws_contract::InstanceFault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What is done to the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The queue manager is stopped without the agent; it must be restarted in place.
    StopQueueManager,
    /// SIGKILL to every process of the queue manager.
    KillQueueManager,
    /// SIGSTOP to every process of the queue manager: no responses, no closed connections.
    HangQueueManager,
    /// EC2 TerminateInstances on the instance that serves.
    TerminateInstance,
    /// Auto Scaling SetInstanceHealth on the instance that serves: an orderly replacement.
    MarkUnhealthy,
}

impl Fault {
    /// All faults, in the order of growing effort for the stack.
    pub const ALL: [Self; 5] = [
        Self::StopQueueManager,
        Self::KillQueueManager,
        Self::HangQueueManager,
        Self::TerminateInstance,
        Self::MarkUnhealthy,
    ];

    /// The name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StopQueueManager => InstanceFault::StopQueueManager.name(),
            Self::KillQueueManager => InstanceFault::KillQueueManager.name(),
            Self::HangQueueManager => InstanceFault::HangQueueManager.name(),
            Self::TerminateInstance => "terminate-instance",
            Self::MarkUnhealthy => "mark-unhealthy",
        }
    }

    /// Names of all, `a, b, c`.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// Whether the agent injects it on the instance, else it is a call to EC2 or Auto Scaling.
    #[must_use]
    pub fn by_agent(self) -> bool {
        match self {
            Self::StopQueueManager | Self::KillQueueManager | Self::HangQueueManager => true,
            Self::TerminateInstance | Self::MarkUnhealthy => false,
        }
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
}

/// How service comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// The same instance starts the queue manager again.
    InPlace,
    /// Another instance takes over; the one of before is gone, with what only it can tell.
    Elsewhere,
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
    fn the_agent_knows_those_that_are_its_own() {
        for fault in Fault::ALL {
            assert_eq!(InstanceFault::of(fault.name()).is_some(), fault.by_agent(), "{fault}");
        }
        let own = Fault::ALL.into_iter().filter(|fault| fault.by_agent());
        assert_eq!(own.count(), InstanceFault::ALL.len());
    }

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

//! What the failover test needs of the cloud, declared here and implemented over the SDK in `aws`.
//!
//! No answer is ever taken for another: a call that failed says so, and the caller decides.

use crate::failover::clients::client::BoxFuture;
use crate::failover::measure::targets::Targets;
use crate::failover::report::AssumedDelay;
use crate::model::InstanceId;
use crate::model::agent::{AgentStatus, ConnectionsReport, FaultReport, Mark, ProbeReport};
use crate::observe::ports::StackStatus;
use crate::observe::state::Blocker;
use crate::remedy::{ExitKind, Remedy, chain};
use crate::stack::{NoDocument, Parts};
use crate::topology::{Fault, Site};
use mqaws_contract::FaultOrder;
use mqaws_contract::verb::Verb;
use secrecy::SecretString;
use std::time::Duration;

/// The answer of one call.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, CloudError>>;

/// A call to AWS, or a command on the instance, that did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("could not {attempted}")]
pub struct CloudError {
    /// What was attempted on what: `read the outputs of stack mqaws-qm1`.
    pub attempted: String,
    /// AWS's or the command's own words.
    #[source]
    pub cause: Box<dyn std::error::Error + Send + Sync>,
    /// What to do about it.
    pub hint: Option<String>,
    /// [`ExitKind::Precondition`] for credentials, names and endpoints, [`ExitKind::Remote`] for the rest.
    pub exit: ExitKind,
}

impl CloudError {
    /// A failed call, exit code 4.
    pub fn remote(attempted: impl Into<String>, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            attempted: attempted.into(),
            cause: cause.into(),
            hint: None,
            exit: ExitKind::Remote,
        }
    }

    /// Something the user has to put right first, exit code 3.
    pub fn precondition(
        attempted: impl Into<String>,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            attempted: attempted.into(),
            cause: cause.into(),
            hint: Some(hint.into()),
            exit: ExitKind::Precondition,
        }
    }

    /// Calls that were all made, as one that says what failed of them; hint and exit code are the first one's.
    ///
    /// # Errors
    /// That one, unless nothing failed.
    pub fn all(failed: Vec<Self>) -> Result<(), Self> {
        let both = |first: Self, next: Self| Self {
            attempted: format!("{} and {}", first.attempted, next.attempted),
            cause: format!("{}; {}", chain(first.cause.as_ref()), chain(next.cause.as_ref())).into(),
            ..first
        };
        failed.into_iter().reduce(both).map_or(Ok(()), Err)
    }
}

impl From<NoDocument> for CloudError {
    fn from(error: NoDocument) -> Self {
        let hint = error.hint();
        Self::precondition(format!("ask the agents of stack {}", error.stack), error, hint)
    }
}

impl Remedy for CloudError {
    fn exit(&self) -> ExitKind {
        self.exit
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// The stack under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Name of the stack.
    pub stack: String,
    /// AWS region.
    pub region: String,
    /// Account id.
    pub account: String,
    /// Its status, from CloudFormation.
    pub status: StackStatus,
    /// Queue manager, from the outputs.
    pub queue_manager: String,
    /// What the stack consists of.
    pub parts: Parts,
    /// Whether the stack carries `mqaws:allow-faults=true`.
    pub allow_faults: bool,
    /// Set when the endpoint is a local cloud.
    pub lab: Option<Lab>,
}

impl Target {
    /// Where faults are injected.
    #[must_use]
    pub fn site(&self) -> Site<'_> {
        match &self.lab {
            Some(lab) => Site::Local(&lab.hosts),
            None => Site::Aws,
        }
    }
}

/// What a local cloud says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lab {
    /// `fast` or `aws`.
    pub timing: String,
    /// What instances are made of: `process`, `namespace` or `guest`.
    pub hosts: String,
    /// Delays that it replays although AWS documents no value for them, longest first; none in `fast` timing.
    pub assumed: Vec<AssumedDelay>,
}

/// An instance of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// EC2 instance id.
    pub id: InstanceId,
    /// Availability zone.
    pub zone: String,
    /// Lifecycle state as Auto Scaling names it, e.g. `InService`.
    pub lifecycle: String,
    /// Health as Auto Scaling names it, `Healthy` or `Unhealthy`.
    pub health: String,
}

/// The application user.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password; never shown.
    pub password: SecretString,
}

/// The mark of a test on a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who tests it.
    pub holder: String,
    /// A mark that is not renewed by then is of a test that was broken off; absent when that is not known.
    pub until: Option<jiff::Timestamp>,
}

impl Turn {
    /// Whether it was not renewed in time.
    #[must_use]
    pub fn is_over(&self, now: jiff::Timestamp) -> bool {
        self.until.is_some_and(|until| until < now)
    }
}

/// What to do with the test's own queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Define them if they are not there.
    Define,
    /// Read how many messages are on them.
    Depth,
    /// Delete them with what is on them.
    Delete,
}

impl Probe {
    /// The agent's verb for it.
    #[must_use]
    pub fn verb(self) -> Verb {
        match self {
            Self::Define => Verb::Define,
            Self::Depth => Verb::Depth,
            Self::Delete => Verb::Delete,
        }
    }
}

/// Where a test is done: the stack under test and the cloud around it, to be looked at, broken and marked as under test.
pub trait TestBed: Send + Sync {
    /// The stack's outputs and tags, and whether this is a lab.
    fn target<'a>(&'a self, stack: &'a str) -> Answer<'a, Target>;

    /// The instances of the group.
    fn instances<'a>(&'a self, target: &'a Target) -> Answer<'a, Vec<Instance>>;

    /// The application user.
    fn credentials<'a>(&'a self, target: &'a Target) -> Answer<'a, Credentials>;

    /// Names of the stack's alarms that are in state `ALARM`.
    fn alarms<'a>(&'a self, target: &'a Target) -> Answer<'a, Vec<String>>;

    /// How many targets of the AMQP target group are registered and healthy; `None` when there is no such group.
    fn targets<'a>(&'a self, target: &'a Target) -> Answer<'a, Option<Targets>>;

    /// `mqaws-agent status --json` on an instance.
    fn agent_status<'a>(&'a self, target: &'a Target, instance: &'a InstanceId) -> Answer<'a, AgentStatus>;

    /// `mqaws-agent marks --since` on an instance; wall clock in nanoseconds since 1970.
    fn marks<'a>(&'a self, target: &'a Target, instance: &'a InstanceId, since_unix_ns: i64) -> Answer<'a, Vec<Mark>>;

    /// `mqaws-agent fault` on an instance.
    fn order<'a>(&'a self, target: &'a Target, instance: &'a InstanceId, order: FaultOrder) -> Answer<'a, FaultReport>;

    /// `mqaws-agent probe` on an instance.
    fn probe<'a>(&'a self, target: &'a Target, instance: &'a InstanceId, probe: Probe) -> Answer<'a, ProbeReport>;

    /// `mqaws-agent connections` on an instance; `None` when the agent, or the stack's document, is of an earlier version without it.
    fn connections<'a>(&'a self, target: &'a Target, instance: &'a InstanceId)
    -> Answer<'a, Option<ConnectionsReport>>;

    /// Begins a planned move of the queue manager away from the instance.
    fn begin_move<'a>(&'a self, target: &'a Target, instance: &'a InstanceId) -> Answer<'a, ()>;

    /// What keeps the groups of the stack from launching instances.
    fn blockers<'a>(&'a self, target: &'a Target) -> Answer<'a, Vec<Blocker>>;

    /// Has every group want its instance again, which a planned move may have taken away for a moment.
    fn restore_capacity<'a>(&'a self, target: &'a Target) -> Answer<'a, ()>;

    /// EC2 TerminateInstances.
    fn terminate<'a>(&'a self, instance: &'a InstanceId) -> Answer<'a, ()>;

    /// EC2 TerminateInstances with SkipOsShutdown.
    fn power_off<'a>(&'a self, instance: &'a InstanceId) -> Answer<'a, ()>;

    /// Has a local cloud inject a fault of its own, for this long.
    fn break_cloud<'a>(&'a self, fault: Fault, instance: &'a InstanceId, time: Duration) -> Answer<'a, FaultReport>;

    /// What a local cloud has seen of the last fault of each kind.
    fn cloud_faults(&self) -> Answer<'_, Vec<FaultReport>>;

    /// Has a local cloud end all its faults.
    fn heal_cloud(&self) -> Answer<'_, ()>;

    /// Auto Scaling SetInstanceHealth, without respect for the grace period.
    fn mark_unhealthy<'a>(&'a self, instance: &'a InstanceId) -> Answer<'a, ()>;

    /// State of an instance as EC2 names it, e.g. `running`; `None` when EC2 does not know it any more.
    fn instance_state<'a>(&'a self, instance: &'a InstanceId) -> Answer<'a, Option<String>>;

    /// The mark of a test on the stack, also one that is over.
    fn turn<'a>(&'a self, target: &'a Target) -> Answer<'a, Option<Turn>>;

    /// The mark of a test on the stack of this name; none on a stack that does not exist, or has no group.
    fn turn_on<'a>(&'a self, stack: &'a str) -> Answer<'a, Option<Turn>>;

    /// Marks the stack as under test by `holder`; returns the mark of another whose test is not over, and then changes nothing.
    fn take_turn<'a>(&'a self, target: &'a Target, holder: &'a str) -> Answer<'a, Option<Turn>>;

    /// Renews the mark of `holder`; false when it is not there any more, and then nothing is changed.
    fn keep_turn<'a>(&'a self, target: &'a Target, holder: &'a str) -> Answer<'a, bool>;

    /// Takes the mark of `holder` away again.
    fn end_turn<'a>(&'a self, target: &'a Target, holder: &'a str) -> Answer<'a, ()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_failed_are_told_together() {
        assert!(CloudError::all(Vec::new()).is_ok());
        let failed = |group: &str, why: &str| CloudError::remote(format!("restore group {group}"), why.to_owned());
        let error = CloudError::all(vec![failed("a", "throttled"), failed("b", "denied")]).unwrap_err();
        let told = chain(&error);
        for words in ["restore group a", "restore group b", "throttled; denied"] {
            assert!(told.contains(words), "{told}");
        }
        assert_eq!(error.exit, ExitKind::Remote);
    }
}

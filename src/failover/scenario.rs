//! What a test does: which fault, under which load, judged by which limits.

use super::clients::dial::DriverName;
use super::clients::endpoint::AmqpEndpoint;
use super::clients::tls::Trust;
use super::measure::limits::Limits;
use crate::topology::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The load, open loop: every producer has a slot every `1/rate` seconds, whether or not the last one was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    /// Producers of persistent messages, at least 1.
    pub producers: u32,
    /// Additional producers of non-persistent messages, counted separately.
    pub non_persistent_producers: u32,
    /// Messages per second of each producer.
    pub rate: u32,
    /// Consumers, at least 1.
    pub consumers: u32,
    /// Bytes of a message body, at least the header's 40.
    pub size: usize,
    /// Unacknowledged attempts that a producer may have at a time; never 0.
    pub window: usize,
    /// Messages waiting in the queue when the fault is injected; only waiting messages can show loss.
    pub backlog: u64,
    /// Whether producers wait for the broker's confirms. Without them, a message that was sent counts as acknowledged.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub confirms: bool,
}

const fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_yes(yes: &bool) -> bool {
    *yes
}

impl Default for Load {
    fn default() -> Self {
        Self {
            producers: 4,
            non_persistent_producers: 0,
            rate: 200,
            consumers: 2,
            size: 1024,
            window: 100,
            backlog: 2000,
            confirms: true,
        }
    }
}

/// How long each part takes at least or at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Load before the fault, once the backlog waits.
    pub baseline: Duration,
    /// Load after service is back.
    pub settle: Duration,
    /// Service must be back within this time of the fault.
    pub recovery_timeout: Duration,
    /// The queue must be empty within this time of the end of the load.
    pub drain_timeout: Duration,
    /// With an empty queue and nothing coming for this long, what is missing is lost: longer than anything could be held back.
    pub drain_idle: Duration,
    /// Full records are kept this long on either side of the fault.
    pub keep: Duration,
    /// A lease of the lock on the shared file system: what a fault lasts goes by it.
    pub lease: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            baseline: Duration::from_secs(10),
            settle: Duration::from_secs(10),
            recovery_timeout: Duration::from_secs(600),
            drain_timeout: Duration::from_secs(300),
            drain_idle: Duration::from_secs(30),
            keep: Duration::from_secs(30),
            lease: Duration::from_secs(90),
        }
    }
}

/// Times that the user gave; the others follow the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// Instead of [`Pace::baseline`].
    pub baseline: Option<Duration>,
    /// Instead of [`Pace::settle`].
    pub settle: Option<Duration>,
    /// Instead of [`Pace::recovery_timeout`].
    pub recovery_timeout: Option<Duration>,
    /// Instead of [`Pace::drain_timeout`].
    pub drain_timeout: Option<Duration>,
    /// Instead of [`Pace::drain_idle`].
    pub drain_idle: Option<Duration>,
    /// The test must end within this time; without it, it goes on until it ends.
    pub whole: Option<Duration>,
}

impl Pace {
    /// This pace, but for what was given.
    #[must_use]
    pub fn with(self, times: &Times) -> Self {
        Self {
            baseline: times.baseline.unwrap_or(self.baseline),
            settle: times.settle.unwrap_or(self.settle),
            recovery_timeout: times.recovery_timeout.unwrap_or(self.recovery_timeout),
            drain_timeout: times.drain_timeout.unwrap_or(self.drain_timeout),
            drain_idle: times.drain_idle.unwrap_or(self.drain_idle),
            keep: self.keep,
            lease: self.lease,
        }
    }

    /// The pace for a local cloud with fast timing: its leases last 3 s, and nobody waits for EC2.
    #[must_use]
    pub fn lab_fast() -> Self {
        Self {
            baseline: Duration::from_secs(2),
            settle: Duration::from_secs(2),
            recovery_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(60),
            drain_idle: Duration::from_secs(5),
            keep: Duration::from_secs(30),
            lease: Duration::from_secs(3),
        }
    }
}

/// Which faults a test injects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Faults {
    /// These; one that the place or the topology cannot have is refused.
    Named(Vec<Fault>),
    /// All that the topology stands and the place can have; the report says what it cannot.
    All,
}

/// A whole test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Name of the stack.
    pub stack: String,
    /// Faults, one after the other.
    pub faults: Faults,
    /// Rounds for each fault, at least 1.
    pub rounds: u32,
    /// The load.
    pub load: Load,
    /// How long things take, where it is not to be as fits the place.
    pub times: Times,
    /// The limits.
    pub limits: Limits,
    /// Where the AMQP service answers, instead of the stack's own endpoint.
    pub amqp: Option<AmqpEndpoint>,
    /// What the clients speak, instead of the driver that is the engine's own.
    pub driver: Option<DriverName>,
    /// Whom the clients trust where there is TLS.
    pub trust: Trust,
    /// Options about trust that the user gave, which an endpoint without TLS would not obey.
    pub tls_options: Vec<&'static str>,
    /// What the user said about a real account.
    pub consent: Consent,
    /// Folder in which the journal of changes is written, so that a later run can undo them.
    pub journals: Option<std::path::PathBuf>,
    /// The command that undoes a test of this stack which was broken off, as a shell takes it.
    pub heal: String,
}

impl Scenario {
    /// One round of one fault with the default load.
    #[must_use]
    pub fn new(stack: impl Into<String>, fault: Fault) -> Self {
        let stack = stack.into();
        Self {
            heal: format!("mqaws failover-test heal --stack {stack}"),
            stack,
            faults: Faults::Named(vec![fault]),
            rounds: 1,
            load: Load::default(),
            times: Times::default(),
            limits: Limits::default(),
            amqp: None,
            driver: None,
            trust: Trust::default(),
            tls_options: Vec::new(),
            consent: Consent::default(),
            journals: None,
        }
    }
}

/// What the user said about a real account; the lab needs none of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consent {
    /// The stack's name as the user typed it, at the prompt or as an option.
    pub typed: Option<String>,
    /// The account id that `--yes` was given with.
    pub account: Option<String>,
    /// Continue even if other clients are connected to the queue manager.
    pub foreign_connections: bool,
}

//! What the deploying side and the agent tell each other: configuration in, status and marks out.
//!
//! Written as JSON. Readers keep unknown values; writers only add fields within one schema version.

use crate::EngineKind;
pub use crate::ports::Ports;
use crate::words::words;
use serde::{Deserialize, Serialize};

pub mod mark;
mod member;
pub mod metric;
mod pause;
mod proof;
mod state;

pub use member::{JOIN_TAG, MemberAddress, MemberConfig, MemberName, MemberStatus, PEER_PORT};
pub use pause::Pause;
pub use proof::ProofKind;
pub use state::AgentState;

/// The tag that allows failover tests to inject faults, when its value is `true`; a stack hands it on to its instances.
pub const ALLOW_FAULTS_TAG: &str = "mqaws:allow-faults";

/// The tag of a file system that says which queue manager may be created on it, once: the word `create`. The name is written as
/// [`tag_of`] does.
pub const CREATE_TAG: &str = "mqaws:create";

/// The tag by which an agent notes on a file system that the word [`CREATE_TAG`] is used up; its value begins with the queue manager. It is on the file system and not in it: data
/// that is gone takes it along no more than a mount that is missing.
pub const CREATED_TAG: &str = "mqaws:created";

/// A queue manager's name as the value of a tag: EFS takes no `%` there, and a queue manager's name has no `:`.
pub fn tag_of(queue_manager: &str) -> String {
    queue_manager.replace('%', ":")
}

/// The agent's configuration, written to `/etc/mqaws/agent.json` by the user data; holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentConfig {
    /// [`AgentConfig::SCHEMA`].
    pub schema: String,
    /// Name of the stack.
    pub stack: String,
    /// AWS region.
    pub region: String,
    /// Logical id of the Auto Scaling group, for the deployment's signal.
    pub group: String,
    /// Name of the terminating lifecycle hook.
    pub hook: String,
    /// Name of the queue manager.
    pub queue_manager: String,
    /// Topology that makes the queue manager highly available.
    pub topology: Topology,
    /// The engine and where its commands are.
    pub engine: EngineConfig,
    /// Where its data are.
    pub storage: StorageConfig,
    /// The member that this host sits on, where each keeps a copy of the data on a volume of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberConfig>,
    /// ARN of the secret that holds the application user, `{"username":…,"password":…}`.
    pub credentials: String,
    /// Name of that user, for whom the definitions open the queue manager.
    #[serde(default = "default_user")]
    pub user: String,
    /// ARN of the secret that holds the certificate; empty when the queue manager serves without TLS.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub certificate: String,
    /// TCP ports of the engine, one key each: `mq_port`, `amqp_port`.
    #[serde(flatten)]
    pub ports: Ports,
    /// CloudWatch namespace of the agent's metrics.
    pub metrics_namespace: String,
    /// What is known of the previous owner before the engine may start.
    #[serde(default, skip_serializing_if = "FenceConfig::is_default")]
    pub fence: FenceConfig,
}

impl AgentConfig {
    /// The schema of this version.
    pub const SCHEMA: &str = "mqaws.agent/1";
}

/// What is known of the previous owner before the engine may start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceConfig {
    /// Whether the engine may start on the proof `lease`, without EC2's word; absent leaves it to the engine's own
    /// rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseUse>,
}

impl FenceConfig {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

words! {
    /// Whether an engine may start on the proof `lease`.
    pub enum LeaseUse {
        /// `allow`.
        Allow = "allow",
        /// `refuse`.
        Refuse = "refuse",
    }
}

words! {
    /// How a queue manager is made highly available.
    pub enum Topology {
        /// One instance, replaced in either zone, on the same data.
        Single = "single",
        /// Two instances in two zones on the same data: one is active, the other is ready to take over.
        Standby = "standby",
    }
}

words! {
    /// How a real host mounts the shared file system.
    #[derive(Default)]
    pub enum MountMethod {
        /// By efs-utils, with TLS and the instance's role.
        #[default]
        EfsUtils = "efs-utils",
        /// By the kernel's NFS alone, with neither.
        Nfs = "nfs",
    }
}

impl MountMethod {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The engine and where its commands are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineConfig {
    /// Which engine it is.
    pub kind: EngineKind,
    /// Directory of the engine's commands.
    pub bin_dir: String,
}

/// Where data are on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageConfig {
    /// EFS file system id; empty where the data are on a member's volume.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file_system: String,
    /// Mount point, `/mnt/mqaws`.
    pub mount: String,
    /// How a real host mounts it.
    #[serde(default, skip_serializing_if = "MountMethod::is_default")]
    pub mount_with: MountMethod,
    /// What the lease of its server is taken to be, seconds; absent: the agent's own assumption about EFS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_seconds: Option<u32>,
}

fn default_user() -> String {
    "mqapp".to_owned()
}

/// What `mqaws-agent status --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// [`AgentStatus::SCHEMA`].
    pub schema: String,
    /// Version of the agent.
    pub agent_version: String,
    /// EC2 instance id.
    pub instance: String,
    /// Availability zone.
    pub zone: String,
    /// Queue manager name.
    pub queue_manager: String,
    /// State of the agent's machine.
    pub state: AgentState,
    /// When that state was entered, RFC 3339 UTC.
    pub since: String,
    /// For how many seconds a living agent has not renewed this status, by the clock of its host.
    #[serde(default)]
    pub age_seconds: Option<u64>,
    /// Epoch of the owner record while this instance owns the data.
    #[serde(default)]
    pub epoch: Option<u64>,
    /// Why the last start was safe.
    #[serde(default)]
    pub proof: Option<ProofReport>,
    /// Engine product and version as the engine printed it, or the stand-in's own text.
    #[serde(default)]
    pub engine_version: Option<String>,
    /// True when the engine is the lab's stand-in, a test double.
    #[serde(default)]
    pub stand_in: bool,
    /// Status of the queue manager in the engine's words, e.g. `RUNNING`.
    #[serde(default)]
    pub queue_manager_status: Option<String>,
    /// Whether the lock is held now.
    #[serde(default)]
    pub lock_held: bool,
    /// 99th percentile of the last write and fsync samples on the shared file system, in milliseconds.
    #[serde(default)]
    pub fsync_millis: Option<f64>,
    /// The fastest of those samples, in milliseconds: no write to the storage takes less.
    #[serde(default)]
    pub fsync_fastest_millis: Option<f64>,
    /// Whether a host is ready to take over: this one while it waits, another while this one serves. Absent where none waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby_ready: Option<bool>,
    /// Who stopped the queue manager, while an operator's stop is in force on the data that this host owns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Pause>,
    /// Restarts in place since the agent started.
    #[serde(default)]
    pub restarts: u32,
    /// Client connections, when the engine tells; measured once a minute.
    #[serde(default)]
    pub connections: Option<u64>,
    /// How many seconds ago connections, certificate and the queue manager's status were measured, by the clock of its host; absent when
    /// nothing was, and from an agent of an earlier version.
    #[serde(default)]
    pub measured_seconds: Option<u64>,
    /// Days until the certificate is over, when there is one and its end is known; negative afterwards.
    #[serde(default)]
    pub certificate_days: Option<f64>,
    /// The last thing that went wrong, in words fit for a user.
    #[serde(default)]
    pub last_error: Option<String>,
    /// Why the start is refused until an operator decides, while that is so.
    #[serde(default)]
    pub alarm: Option<String>,
    /// The previous owner on another host, while this instance waits for a proof about it.
    #[serde(default)]
    pub previous: Option<PreviousOwner>,
    /// The file system of which this one is a copy, while this instance waits for a person's word.
    #[serde(default)]
    pub original: Option<Original>,
    /// The file system without data and without the word `create`, while this instance waits for a person's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty: Option<String>,
    /// The last decision of a person.
    #[serde(default)]
    pub decision: Option<FenceDecision>,
    /// How the member that this host sits on is, where each keeps a copy of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberStatus>,
}

/// `line 5 of the definitions`: how an agent names a place in the user's own definitions, of whose file it does not know the name.
pub fn line_of_definitions(line: usize) -> String {
    format!("line {line} of the definitions")
}

/// An agent's words with the place in the user's own file, `orders.mqsc:5`.
pub fn place_definitions(words: &str, file: &str) -> String {
    let found = words.split_once("line ").and_then(|(before, rest)| {
        let (line, after) = rest.split_once(" of the definitions")?;
        line.parse::<usize>().ok()?;
        Some(format!("{before}{file}:{line}{after}"))
    });
    found.unwrap_or_else(|| words.to_owned())
}

/// Seconds after which a measurement does not tell what is so now.
pub const MEASURED_STALE_SECONDS: u64 = 5;

/// Seconds after which a status that was not renewed says nothing any more; a living agent renews it every few.
pub const STATUS_STALE_SECONDS: u64 = 30;

impl AgentStatus {
    /// The schema of this version.
    pub const SCHEMA: &str = "mqaws.agent-status/1";

    /// The state, or [`AgentState::Unknown`] when the status is too old to tell.
    pub fn current_state(&self) -> &AgentState {
        match self.age_seconds {
            Some(age) if age > STATUS_STALE_SECONDS => &AgentState::Unknown,
            _ => &self.state,
        }
    }
}

/// A file system of which this one is a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// EFS file system id, by the owner record.
    pub file_system: String,
    /// EC2 instance id of its owner when the copy was made; it may live, and is left alone.
    pub owner: String,
    /// What is waited for, for people.
    pub waiting_for: String,
}

/// What is known of a previous owner on another host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousOwner {
    /// EC2 instance id.
    pub instance: String,
    /// What is waited for, for people.
    pub waiting_for: String,
    /// Its sign of life: a counter in the owner record.
    pub alive: u64,
    /// For how many seconds that has not changed.
    pub silent_seconds: u64,
    /// For how many it must not change before that proves something.
    pub wait_seconds: u64,
}

/// A person's word, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceDecision {
    /// Names the decision.
    pub id: String,
    /// The proof that it gives: [`ProofKind::Operator`], [`ProofKind::Copy`], or [`ProofKind::New`].
    #[serde(default = "ProofKind::before_there_were_several")]
    pub kind: ProofKind,
    /// The instance that was said to be gone, or the file system that this one was said to be a copy of, or that may be begun on.
    pub named: String,
    /// Why it was not taken, if it was not.
    #[serde(default)]
    pub refused: Option<String>,
}

/// Why a start of a queue manager on existing data was safe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofReport {
    /// What kind of proof.
    pub kind: ProofKind,
    /// Instance id of the previous owner, when there was one; of a copy, that of the original's.
    #[serde(default)]
    pub previous: Option<String>,
    /// When the proof was obtained, RFC 3339 UTC.
    pub at: String,
}

/// One phase mark: a point on the instance's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Wall clock in nanoseconds since 1970; in the lab, all hosts share one clock.
    pub t_unix_ns: i64,
    /// Instance that wrote the mark.
    pub instance: String,
    /// Epoch at that moment, 0 before there is one.
    pub epoch: u64,
    /// What happened; see [`mark`] for the names.
    pub mark: String,
    /// A few words more, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What the agent waited for since the mark before; the rest of that time is its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
}

/// A wait for something that is not the agent: a command, a call, the kernel, the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// What was waited for, for people.
    pub what: String,
    /// When it began; wall clock in nanoseconds since 1970.
    pub t_unix_ns: i64,
    /// How long it took, in nanoseconds.
    pub ns: i64,
}

/// What `mqaws-agent fault KIND` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultReport {
    /// Name of the fault.
    pub fault: String,
    /// Whether the fault was seen to have happened.
    pub verified: bool,
    /// What was seen, for people.
    pub evidence: String,
    /// When it was injected, wall clock in nanoseconds since 1970.
    pub t_unix_ns: i64,
}

/// What `mqaws-agent probe define|depth|delete` prints: the test's own queues on the queue manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// Queues `MQAWS.PROBE.*` with their current depth.
    pub queues: Vec<ProbeQueue>,
}

/// What `mqaws-agent connections` prints, asked of the engine at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionsReport {
    /// Connections to the queue manager; absent when the engine does not count them.
    pub connections: Option<u64>,
}

/// One queue of the test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeQueue {
    /// Queue name.
    pub name: String,
    /// Messages on it, committed and not.
    pub depth: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_definitions_is_told_by_the_name_of_the_file() {
        let words = format!("i-1 at t: {}: `X` failed", line_of_definitions(5));
        assert_eq!(
            place_definitions(&words, "a/bad.mqsc"),
            "i-1 at t: a/bad.mqsc:5: `X` failed"
        );
        for other in ["cannot mount", "line x of the definitions", "line 5 of the file"] {
            assert_eq!(place_definitions(other, "a.mqsc"), other);
        }
    }
}

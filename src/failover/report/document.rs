//! The report: what was done, what was measured, what it does not show. One file a test, never overwriting another.

use super::modeled::{Model, ModeledPart};
use crate::failover::measure::account::{Account, Counts};
use crate::failover::measure::gap::Outage;
use crate::failover::measure::limits::Limits;
use crate::failover::measure::phases::{Clock, Phase};
use crate::failover::measure::series::Series;
use crate::failover::measure::spread::RtoSpread;
use crate::failover::measure::verdict::{Check, Verdict};
use crate::failover::scenario::Load;
use crate::topology::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the report's shape; within it, fields are only added.
pub const SCHEMA: &str = "mqaws.failover/1";

/// Name of the first report in a folder.
pub const FIRST: &str = "report.json";

/// A whole test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of mqaws.
    pub mqaws_version: String,
    /// When the test began, RFC 3339 UTC.
    pub started_at: String,
    /// Where it ran.
    pub place: Place,
    /// What served.
    pub engine: Engine,
    /// Protocol of the test.
    pub driver: DriverInfo,
    /// The load.
    pub load: Load,
    /// The limits.
    pub limits: Limits,
    /// One entry a round.
    pub runs: Vec<Run>,
    /// Faults that were wanted and not injected; absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_run: Vec<NotRun>,
    /// What the model of an outage is computed from; absent in reports of earlier versions, which have the defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// All rounds together.
    pub summary: Summary,
    /// Assumptions of the measurement.
    pub assumptions: Vec<String>,
    /// What the numbers do not show.
    pub not_shown: Vec<String>,
    /// The verdict on all rounds.
    pub verdict: Verdict,
    /// The worst exit code of all rounds; 3 if they passed and the report could not be written to the requested folder.
    pub exit_code: u8,
    /// Why not all requested rounds were run; absent if the test completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_off: Option<Broken>,
    /// Where the report is instead of the requested folder; absent if it could be written there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwritten: Option<Unwritten>,
    /// The rounds' ledgers, for the file beside the report.
    #[serde(skip)]
    pub ledgers: Vec<Vec<u8>>,
}

/// A fault that this place cannot have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotRun {
    /// The fault.
    pub fault: Fault,
    /// Why.
    pub why: String,
}

/// A test that ended early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Broken {
    /// Rounds that were requested.
    pub rounds: u32,
    /// Why it ended.
    pub cause: String,
}

/// A report that could not be written to the requested folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unwritten {
    /// The folder.
    pub folder: String,
    /// Why it could not be written there.
    pub cause: String,
    /// The file that holds it instead; absent when it went to standard error, without a `ledger.bin`.
    pub kept: Option<String>,
}

/// Where a test ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// `lab` or `aws`.
    pub kind: String,
    /// Timing model of the lab, `fast` or `aws`.
    pub timing: Option<String>,
    /// What the lab's instances are made of, `process`, `namespace` or `guest`.
    pub hosts: Option<String>,
    /// Delays that the lab simulates although AWS documents no value for them, longest first; none in `fast` timing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<AssumedDelay>,
    /// AWS region.
    pub region: String,
    /// Account id.
    pub account: String,
    /// Name of the stack.
    pub stack: String,
    /// Topology of the stack; absent in reports of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology: Option<String>,
    /// `host:port` that the clients used, with `amqps://` before it where they used TLS.
    pub endpoint: String,
}

/// A delay that a lab simulates and that is an assumption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AssumedDelay {
    /// Name in the lab's table of delays, `ec2.boot`.
    pub name: String,
    /// Its length.
    pub milliseconds: u64,
}

/// What served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Engine {
    /// Name of the queue manager.
    pub queue_manager: String,
    /// Product and version as reported by the engine.
    pub version: Option<String>,
    /// Whether it is the lab's stand-in, a test double.
    pub stand_in: bool,
    /// Version of the agent.
    pub agent_version: String,
}

/// Protocol with which the engine was tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriverInfo {
    /// Name, `amqp10`.
    pub name: String,
    /// What its numbers do not say.
    pub caveat: String,
}

/// One round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Number within the test, from 1.
    pub round: u32,
    /// Identity in the bodies of the messages, 16 hexadecimal digits.
    pub run_id: String,
    /// When the round began, RFC 3339 UTC.
    pub started_at: String,
    /// The fault.
    pub fault: FaultRecord,
    /// Instance that served before the fault, with its zone.
    pub served_before: Host,
    /// Instance that served after it; absent when none did.
    pub served_after: Option<Host>,
    /// Messages waiting when the fault took hold.
    pub backlog_at_fault: u64,
    /// Messages acknowledged in the second before the fault.
    pub acked_last_second: u64,
    /// What the broker itself counted; absent in reports of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<BrokerCount>,
    /// The account of messages.
    pub ledger: Account,
    /// Age of the oldest lost message at the fault, in nanoseconds: the RPO in time; absent when nothing was lost or its time is not known.
    pub rpo_ns: Option<u64>,
    /// What each worker saw, times since the round began.
    pub outages: Vec<Outage>,
    /// The service's outage and its parts; absent when no worker saw one.
    pub rto: Option<Rto>,
    /// From the fault until the first message that was put after it was received.
    pub end_to_end_ns: Option<u64>,
    /// From the fault until rate and latency were as before for five seconds; absent if that was not observed.
    pub to_full_ns: Option<u64>,
    /// Latency of acknowledgments, counted from the due time.
    pub latency: Vec<Latency>,
    /// Rate and latency over time; absent in reports of earlier versions, and when nothing was acknowledged or received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Series>,
    /// What happened, relative to the fault.
    pub timeline: Vec<Entry>,
    /// When this process itself did not run, relative to the fault.
    pub stalls: Vec<Stall>,
    /// Things to know that are no failure.
    pub warnings: Vec<String>,
    /// Values and their limits.
    pub thresholds: Vec<Check>,
    /// The verdict on this round.
    pub verdict: Verdict,
    /// The exit code of this round.
    pub exit_code: u8,
}

/// Messages on the test's queue as reported by the queue manager under test, read on its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BrokerCount {
    /// Once the backlog was put, before consumers started.
    pub after_fill: u64,
    /// At rest after the load, before the queue was emptied; absent when there were no two equal readings.
    pub at_rest: Option<u64>,
    /// Least and most that can have been there, without what turned out to be lost: the limit of the check `broker.depth`.
    pub expected: Option<(u64, u64)>,
}

/// A fault as it was injected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultRecord {
    /// Which.
    pub name: Fault,
    /// Whether it was seen to have happened.
    pub verified: bool,
    /// What was seen.
    pub evidence: String,
    /// When it was asked for, nanoseconds since the round began; all relative times count from here unless the fault's own mark is known.
    pub asked_ns: u64,
    /// When it took hold, nanoseconds since the round began, by the injector's mark, else as asked.
    pub at_ns: u64,
}

/// An instance that served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// EC2 instance id.
    pub instance: String,
    /// Availability zone.
    pub zone: String,
    /// Epoch of the owner record.
    pub epoch: Option<u64>,
    /// Why its start was safe.
    pub proof: Option<String>,
}

/// The service's outage: the worst worker's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rto {
    /// From the last success to the first, in nanoseconds.
    pub ns: u64,
    /// From the fault to the first success.
    pub from_fault_ns: Option<u64>,
    /// Whether it is longer than the gaps that are usual at this rate; else service was never seen to stop.
    pub counts: bool,
    /// How far the parts may be off; the whole is measured on one clock and is exact to one slot.
    pub uncertainty_ns: u64,
    /// The parts; they add up to the whole.
    pub phases: Vec<Phase>,
}

/// Latency of acknowledgments in one part of a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// `before`, `during` or `after`.
    pub part: String,
    /// Slots counted, missed ones included.
    pub slots: u64,
    /// Median in microseconds.
    pub p50_us: u64,
    /// 99th percentile in microseconds.
    pub p99_us: u64,
    /// Largest in microseconds.
    pub max_us: u64,
}

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Relative to the fault.
    pub t_ns: i64,
    /// `fault`, `clients`, `agent`, `engine`, `target` or `cloud`.
    pub source: String,
    /// A word for programs, e.g. `death-noticed`.
    pub kind: String,
    /// A few words for people.
    pub text: String,
    /// How far the time may be off.
    pub uncertainty_ns: u64,
}

/// A period in which this process itself did not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stall {
    /// Relative to the fault.
    pub t_ns: i64,
    /// How long.
    pub ns: u64,
}

/// All rounds together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Rounds done.
    pub rounds: u32,
    /// Rounds that passed.
    pub passed: u32,
    /// Rounds that failed.
    pub failed: u32,
    /// Rounds that proved nothing.
    pub inconclusive: u32,
    /// Messages lost in all rounds.
    pub lost: u64,
    /// Rounds that lost a message; losses within a round are correlated, so the round is the unit.
    pub losing_rounds: u32,
    /// With no losing round: the chance of a losing round is below this, with 95 % confidence.
    pub loss_chance_below: Option<f64>,
    /// Outages of all rounds by fault, in nanoseconds.
    pub rto: Vec<RtoSummary>,
    /// All counts of persistent messages added up.
    pub messages: Counts,
    /// Rounds counted by fault, in the order of the first round; absent in reports of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultSummary>,
}

/// All rounds of one fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FaultSummary {
    /// The fault.
    pub fault: Fault,
    /// Rounds done.
    pub rounds: u32,
    /// Rounds that passed.
    pub passed: u32,
    /// Rounds that failed.
    pub failed: u32,
    /// Rounds that proved nothing.
    pub inconclusive: u32,
    /// Messages lost in all of them.
    pub lost: u64,
    /// Rounds that lost a message.
    pub losing_rounds: u32,
    /// The outages of those that proved something; absent when none of them measured one.
    pub rto: Option<RtoSpread>,
    /// Values over all rounds and their limits.
    pub thresholds: Vec<Check>,
    /// What the topology must do about it; absent in reports of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Response>,
    /// What was seen, round by round without repetition; absent in reports of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measured: Vec<Response>,
    /// Those of them that are not as expected: a warning, which changes no verdict; absent when there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unexpected: Vec<Response>,
    /// The parts of the round with the median outage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// The model of an outage beside these parts; absent in reports of earlier versions, and where the model says nothing of the fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modeled: Vec<ModeledPart>,
    /// Whether that model begins only when the fault has ended: the instance that it holds up is the one that starts the queue manager again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub modeled_after_fault: bool,
    /// Rounds in which the fault was verified.
    #[serde(default)]
    pub verified: u32,
}

/// How service comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Response {
    /// `unnoticed`, `reconnect`, `in place`, or `elsewhere`.
    pub by: String,
    /// Proofs of the fence with which the engine may start, or did; empty where none starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<String>,
}

/// Outages of all rounds of one fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RtoSummary {
    /// The fault.
    pub fault: Fault,
    /// Every round's, in order.
    pub outages_ns: Vec<u64>,
    /// Smallest, median and largest.
    pub min_median_max_ns: (u64, u64, u64),
}

impl FaultRecord {
    /// A time of the round relative to the fault.
    #[must_use]
    pub fn relative(&self, round_ns: u64) -> i64 {
        i64::try_from(round_ns).unwrap_or(i64::MAX) - i64::try_from(self.at_ns).unwrap_or(i64::MAX)
    }

    /// A wall clock time relative to the fault.
    #[must_use]
    pub fn relative_wall(&self, clock: Clock, unix_ns: i64) -> i64 {
        clock.round_ns(unix_ns) - i64::try_from(self.at_ns).unwrap_or(i64::MAX)
    }
}

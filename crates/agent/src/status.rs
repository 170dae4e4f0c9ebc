//! The agent's status: assembled from the duty and its measurements, kept in a file for the command that prints it.

use super::duty::View;
use super::layout::Layout;
use super::marks::unix_nanos;
use super::ports::Measures;
use crate::fence::Inquiry;
use crate::model::agent::{AgentConfig, AgentStatus, FenceDecision, Original, PreviousOwner, ProofReport};
use mqaws_files::AtomicWrite;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;

/// What the file holds: the status, and whose it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StatusFile {
    /// The agent's process.
    pub(crate) pid: i32,
    /// When it was written, wall clock in nanoseconds since 1970.
    pub(crate) written_unix_ns: i64,
    /// When the engine was measured, likewise; a file of an earlier version does not tell.
    #[serde(default)]
    pub(crate) measured_unix_ns: Option<i64>,
    /// The status.
    pub(crate) status: AgentStatus,
}

/// How long writes to the shared file system take.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WriteTimes {
    /// 99th percentile of the last ones, milliseconds.
    pub(crate) slow_millis: Option<f64>,
    /// The fastest of them, milliseconds.
    pub(crate) fastest_millis: Option<f64>,
}

/// What a status tells beside the duty.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Extra {
    /// When the state was entered.
    pub(crate) since: String,
    /// When the proof was obtained.
    pub(crate) proof_at: String,
    /// What was measured of the engine.
    pub(crate) measures: Measures,
    /// When that began, wall clock in nanoseconds since 1970; absent when the engine was not asked.
    pub(crate) measured_unix_ns: Option<i64>,
    /// What the keeper measured of the file system.
    pub(crate) writes: WriteTimes,
    /// Why the load balancer's health checks are not answered, when they should be.
    pub(crate) unanswered: Option<String>,
}

/// The status of a duty.
pub(crate) fn assemble(config: &AgentConfig, view: &View<'_>, extra: &Extra) -> AgentStatus {
    let fence = view.fence.as_ref();
    let inquiry = fence.and_then(|fence| fence.inquiry);
    AgentStatus {
        schema: AgentStatus::SCHEMA.to_owned(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        instance: view.identity.map(|i| i.instance.to_string()).unwrap_or_default(),
        zone: view.identity.map(|i| i.zone.clone()).unwrap_or_default(),
        queue_manager: config.queue_manager.clone(),
        state: view.state.clone(),
        since: extra.since.clone(),
        age_seconds: None,
        epoch: fence.and_then(|fence| fence.epoch).map(|e| e.0),
        proof: fence.and_then(|fence| fence.proof).map(|proof| ProofReport {
            kind: proof.kind.clone(),
            previous: proof.previous.as_ref().map(ToString::to_string),
            at: fence
                .and_then(|fence| fence.proved_at)
                .unwrap_or(&extra.proof_at)
                .to_owned(),
        }),
        engine_version: view.engine.map(|e| e.version.clone()),
        stand_in: view.engine.is_some_and(|e| e.stand_in),
        queue_manager_status: extra.measures.status.clone().filter(|_| view.running),
        lock_held: fence.is_some_and(|fence| fence.held),
        fsync_millis: extra.writes.slow_millis,
        fsync_fastest_millis: extra.writes.fastest_millis,
        standby_ready: view.standby_ready,
        paused: view.paused.cloned(),
        restarts: view.restarts,
        connections: extra.measures.connections.filter(|_| view.running),
        measured_seconds: None,
        certificate_days: extra.measures.certificate_days.filter(|_| view.running),
        last_error: view.last_error.clone().or_else(|| extra.unanswered.clone()),
        alarm: view.alarm.map(str::to_owned),
        previous: inquiry.and_then(previous),
        original: inquiry.and_then(original),
        empty: inquiry.and_then(Inquiry::empty).map(str::to_owned),
        member: None,
        decision: view.decision.map(|decision| FenceDecision {
            id: decision.id.clone(),
            kind: decision.word.kind(),
            named: decision.word.named().to_owned(),
            refused: decision.refused.clone(),
        }),
    }
}

fn previous(inquiry: &Inquiry) -> Option<PreviousOwner> {
    let (alive, silent, wait) = inquiry.silence();
    inquiry.previous().map(|instance| PreviousOwner {
        instance: instance.to_string(),
        waiting_for: inquiry.waiting_for(),
        alive,
        silent_seconds: silent.as_secs(),
        wait_seconds: wait.as_secs(),
    })
}

fn original(inquiry: &Inquiry) -> Option<Original> {
    inquiry.original().map(|(file_system, owner)| Original {
        file_system: file_system.to_owned(),
        owner: owner.to_owned(),
        waiting_for: inquiry.waiting_for(),
    })
}

/// Writes the file whole, with the time of the measurement in it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write(layout: &Layout, status: &AgentStatus, measured_unix_ns: Option<i64>) -> io::Result<()> {
    let path = layout.status();
    fs::create_dir_all(layout.run())?;
    let file = StatusFile {
        pid: i32::try_from(std::process::id()).unwrap_or_default(),
        written_unix_ns: unix_nanos(),
        measured_unix_ns,
        status: status.clone(),
    };
    AtomicWrite::to(&path).write(&serde_json::to_vec(&file)?)
}

/// Reads the file.
///
/// # Errors
/// When there is none or it cannot be read.
pub(crate) fn read(path: &Path) -> io::Result<StatusFile> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::agent::{AgentState, ProofKind};

    #[test]
    fn words_of_a_status_that_another_version_wrote_are_handed_on_as_they_are() {
        let written = |state: &str, proof: &str| {
            serde_json::json!({
                "schema": AgentStatus::SCHEMA, "agent_version": "9", "instance": "i-1", "zone": "z", "queue_manager": "QM1",
                "state": state, "since": "", "proof": {"kind": proof, "previous": null, "at": ""},
            })
        };
        let read = |state: &str, proof: &str| {
            let status: AgentStatus = serde_json::from_value(written(state, proof)).expect("a status");
            let again = serde_json::to_value(&status).expect("JSON");
            assert_eq!(
                (&again["state"], &again["proof"]["kind"]),
                (&state.into(), &proof.into())
            );
            (status.state, status.proof.expect("proof").kind)
        };
        assert_eq!(read("serving", "copy"), (AgentState::Serving, ProofKind::Copy));
        let (state, proof) = read("replicating", "quorum");
        assert_eq!(state, AgentState::Other("replicating".into()));
        assert_eq!(proof, ProofKind::Other("quorum".into()));
    }
}

//! What a duty asks of the keeper, and what it hears of it.

use crate::fence::{Epoch, Inspection, Proof};
use crate::model::InstanceId;
use crate::model::agent::Pause;

/// Work of the keeper. Each ends in the [`KeeperOutcome`] named beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeeperWork {
    /// Find or start the keeper ([`KeeperOutcome::Opened`]).
    Open,
    /// Read owner record and data state under the lock ([`KeeperOutcome::Inspected`]).
    Inspect,
    /// Note that this host waits for the lock, and read owner record and data state without it ([`KeeperOutcome::Waited`]).
    Wait {
        /// Whether all is prepared.
        ready: bool,
    },
    /// Read the sign of life in the inspected record ([`KeeperOutcome::Looked`]).
    Look,
    /// Give the lock back for a while to an owner that lives ([`KeeperOutcome::StoodBack`]).
    StandBack,
    /// Write the owner record with this proof ([`KeeperOutcome::Claimed`]).
    Claim(Proof),
    /// Write into the owner record which engine is about to write the data ([`KeeperOutcome::LevelWritten`]).
    Level(String),
    /// Keep an operator's stop beside the data, or end it ([`KeeperOutcome::Paused`]).
    Pause(Option<Pause>),
    /// Let go of the data; `condemned` counts this instance as one that gave up ([`KeeperOutcome::Released`]).
    Release {
        /// This instance gave up without having served.
        condemned: bool,
    },
}

/// Result of a piece of [`KeeperWork`]. Errors are text for people, but for those of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is explained at its work")]
pub enum KeeperOutcome {
    Opened {
        /// Number of the connection; from now on only its events count.
        connection: u64,
        /// What was found.
        result: Result<KeeperState, String>,
    },
    Inspected(Result<Inspection, String>),
    Waited(Result<Inspection, String>),
    Looked(Result<Looked, String>),
    StoodBack(Result<(), String>),
    Claimed(Result<Claimed, ClaimError>),
    LevelWritten(Result<(), String>),
    /// What is in force now.
    Paused(Result<Option<Pause>, String>),
    Released(Result<(), String>),
}

/// What the agent found when it opened the keeper.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeeperState {
    /// Whether the lock is held.
    pub(crate) held: bool,
    /// Who holds it, when that is another.
    pub(crate) holder: Option<String>,
    /// The epoch that this keeper claimed, when the agent found a living keeper again.
    pub(crate) claimed: Option<(Epoch, Proof)>,
    /// When the proof of that claim was obtained, RFC 3339 UTC, when the keeper tells.
    pub(crate) proved_at: Option<String>,
    /// The operator's stop on what was claimed.
    pub(crate) paused: Option<Pause>,
    /// Whether an engine has served under this keeper.
    pub(crate) served: bool,
    /// The engine's execution controller on this host.
    pub(crate) controller: Option<i32>,
    /// Processes of the engine on this host.
    pub(crate) processes: usize,
    /// A host that is ready to take over.
    pub(crate) standby: Option<InstanceId>,
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The epoch.
    pub(crate) epoch: Epoch,
    /// The operator's stop that was found beside the data: then no engine is started.
    pub(crate) paused: Option<Pause>,
}

/// Why a claim was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The record is no longer the one that the proof is about.
    #[error("the owner record changed under the lock")]
    Changed,
    /// It could not be written.
    #[error("{0}")]
    Failed(String),
}

/// What a look at the inspected record found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// It is the same, with this sign of life.
    Alive(u64),
    /// It is another, or was released.
    Changed,
}

/// What the keeper tells unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeeperEvent {
    /// The lock was obtained.
    LockHeld,
    /// Another holds it.
    LockBusy(String),
    /// It was held and is lost; the engine is being killed.
    LockLost(String),
    /// The keeper's process ended.
    Gone,
    /// Writes to the shared file system hang, or no longer hang.
    Storage {
        /// Whether they hang.
        stalled: bool,
    },
    /// The owner record that this host claimed is gone, or is there again.
    Record {
        /// Why only a person can help; absent when it is there again.
        gone: Option<String>,
    },
    /// A host is ready to take over, or none is any more.
    Standby {
        /// Which one.
        ready: Option<InstanceId>,
    },
    /// The shared file system has no room left, or has room again.
    Room {
        /// What is full; absent when there is room.
        full: Option<String>,
    },
}

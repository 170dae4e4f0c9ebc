//! What agent and keeper say to each other: one JSON object a line.

use super::order::{Order, Ran};
use crate::fence::{BootId, DataState, Epoch, Inspection, LockPlace, OwnerRecord, Proof, RecordView};
use crate::model::agent::Pause;
use crate::model::{AsWritten, EngineKind, InstanceId};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// What a keeper is started with, one line on its standard input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeeperConfig {
    /// Its socket.
    pub(crate) socket: PathBuf,
    /// Mount point of the shared file system.
    pub mount: PathBuf,
    /// Queue manager.
    pub queue_manager: String,
    /// The engine; a keeper of the version before was not told, for there was one.
    #[serde(default)]
    pub(crate) engine: EngineKind,
    /// File system id.
    pub file_system: String,
    /// EC2 instance id of this host.
    pub instance: InstanceId,
    /// The kernel's boot id.
    pub(crate) boot: BootId,
    /// Where the lock is.
    pub lock: LockPlace,
    /// User and group id that the directories of data and log are given to.
    #[serde(default)]
    pub(crate) owner: Option<(u32, u32)>,
}

/// A request; each is answered by one [`Reply`], [`Request::Watch`] also by [`Notice`]s for as long as the connection lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub(crate) enum Request {
    /// How things are.
    Status,
    /// How things are, and from then on what happens.
    Watch,
    /// Read record and data state. Only while the lock is held.
    Inspect,
    /// Note that this host waits for the lock, and read record and data state. Only while the lock is not held.
    Wait {
        /// Whether all is prepared.
        ready: bool,
    },
    /// Read the sign of life in the record that was last inspected. Only while the lock is held.
    Look,
    /// Give the lock back for a while, if the owner in the record that was last inspected was seen to live and is to go first
    /// for it. Only while the lock is held, and nothing is claimed.
    StandBack,
    /// Write the record for the next epoch, if it is still the one that was last inspected or claimed.
    Claim {
        /// Why it is safe.
        proof: Proof,
    },
    /// Write into the record which engine writes the data, before it does.
    Level {
        /// In the engine's own words.
        engine_version: String,
    },
    /// Run a command of the engine in the keeper's unit. Only while the lock is held and the data claimed.
    Run {
        /// The command line.
        order: Order,
    },
    /// Keep the operator's stop beside the data, or end it. Only while the lock is held and the data claimed.
    Pause {
        /// The stop; absent to end it.
        #[serde(default)]
        pause: Option<Pause>,
    },
    /// Note with the next sign of life that the instance has served: the count of instances that gave up begins anew.
    NoteServed,
    /// Write that the data is let go, release the lock, end.
    Release {
        /// This instance gave up without having served.
        condemned: bool,
    },
}

/// The answer to a request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// Whether it was done.
    pub(crate) ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// A claim or a look found another record than the one that was inspected.
    #[serde(default)]
    pub(crate) changed: bool,
    /// How things are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<KeeperStatus>,
    /// What an inspection found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) found: Option<Found>,
    /// The sign of life that a look found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alive: Option<u64>,
    /// The claimed epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) epoch: Option<Epoch>,
    /// The operator's stop that a claim found; an earlier keeper does not look for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) paused: Option<Pause>,
    /// What became of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ran: Option<Ran>,
}

impl Reply {
    /// Done.
    pub(crate) fn done() -> Self {
        Self {
            ok: true,
            ..Self::default()
        }
    }

    /// Not done.
    pub(crate) fn failed(error: impl Into<String>) -> Self {
        Self {
            error: Some(error.into()),
            ..Self::default()
        }
    }
}

/// How things are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeeperStatus {
    /// The keeper's own token.
    pub(crate) token: String,
    /// Its process id.
    pub(crate) pid: u32,
    /// For which boot of which instance it was started.
    pub(crate) instance: AsWritten<InstanceId>,
    /// See `instance`.
    pub(crate) boot: AsWritten<BootId>,
    /// Whose data it guards; empty for a keeper of an earlier version.
    #[serde(default)]
    pub(crate) queue_manager: String,
    /// Where they are; empty for a keeper of an earlier version.
    #[serde(default)]
    pub(crate) file_system: String,
    /// How long it took from the beginning of its own code until it answered, milliseconds.
    #[serde(default)]
    pub(crate) ready_millis: Option<u64>,
    /// Whether the lock is held.
    pub(crate) held: bool,
    /// Who holds it, when that is another.
    pub(crate) holder: Option<String>,
    /// What this keeper has claimed.
    pub(crate) claimed: Option<(Epoch, Proof)>,
    /// The operator's stop on what was claimed.
    #[serde(default)]
    pub(crate) paused: Option<Pause>,
    /// Whether an engine has served under this keeper, whatever its epoch: all that it needs was defined.
    #[serde(default)]
    pub(crate) served: bool,
    /// The owner record as it was last read or written.
    #[serde(default)]
    pub(crate) record: Option<OwnerRecord>,
    /// How long ago this keeper last proved the lock to be held, milliseconds; absent before it did.
    #[serde(default)]
    pub(crate) proved_millis: Option<u64>,
    /// The age that T is compared with, milliseconds: older than the above while an earlier keeper's guard goes on; absent
    /// while nothing is guarded.
    #[serde(default)]
    pub(crate) guard_millis: Option<u64>,
    /// The lock's lease, milliseconds, once it is known.
    #[serde(default)]
    pub(crate) lease_millis: Option<u64>,
    /// 99th percentile of the last writes to the file system, milliseconds.
    pub(crate) fsync_millis: Option<f64>,
    /// Whether a write hangs.
    pub(crate) stalled: bool,
    /// Why the record that this keeper claimed is not there any more.
    #[serde(default)]
    pub(crate) record_gone: Option<String>,
    /// A host that is ready to take over, while the lock is held.
    #[serde(default)]
    pub(crate) standby: Option<InstanceId>,
}

impl KeeperStatus {
    /// Whether this keeper guards these data: an agent's configuration may have changed since it was started.
    ///
    /// # Errors
    /// In words, when it guards others.
    pub(crate) fn guards(&self, queue_manager: &str, file_system: &str) -> Result<(), String> {
        let (own, other) = (&self.queue_manager, &self.file_system);
        if (own.as_str(), other.as_str()) == (queue_manager, file_system) || (own.is_empty() && other.is_empty()) {
            return Ok(());
        }
        Err(format!(
            "the running lock keeper guards {own} on {other}, but this agent is configured for {queue_manager} on {file_system}: first stop it with the old configuration"
        ))
    }
}

/// What an inspection found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// The record, when there is a readable one.
    pub(crate) record: Option<OwnerRecord>,
    /// Why the record that is there cannot be read.
    pub(crate) unreadable: Option<String>,
    /// `absent`, `present`, `half-created`.
    pub(crate) data: String,
    /// The lock's lease, milliseconds.
    pub(crate) lease_millis: u64,
}

impl Found {
    /// As the decision takes it.
    pub(crate) fn view(self) -> Inspection {
        let data = match self.data.as_str() {
            "absent" => DataState::Absent,
            "half-created" => DataState::HalfCreated,
            _ => DataState::Present,
        };
        let record = match (self.unreadable, self.record) {
            (Some(why), _) => RecordView::Unreadable(why),
            (None, Some(record)) => RecordView::Present(Box::new(record)),
            (None, None) => RecordView::Absent,
        };
        Inspection {
            record,
            data,
            lease: Duration::from_millis(self.lease_millis),
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Notice {
    /// The lock was obtained.
    Held,
    /// Another holds it.
    Busy {
        /// Its instance id.
        holder: String,
    },
    /// The lock is lost; the host is being reset.
    Lost {
        /// Why.
        why: String,
    },
    /// Writes hang, or no longer hang.
    Storage {
        /// Whether they hang.
        stalled: bool,
    },
    /// The claimed record is gone, or is there again.
    Record {
        /// See [`KeeperStatus::record_gone`].
        gone: Option<String>,
    },
    /// A host is ready to take over, or none is any more.
    Standby {
        /// Which one.
        ready: Option<InstanceId>,
    },
    /// The file system has no room left, told again and again while that is so; or has room again.
    Room {
        /// What is full.
        full: Option<String>,
    },
    /// A sign of life was written.
    Beat {
        /// See [`KeeperStatus::fsync_millis`].
        fsync_millis: Option<f64>,
        /// The fastest of those writes, milliseconds; an earlier keeper does not tell.
        #[serde(default)]
        fsync_fastest_millis: Option<f64>,
    },
}

//! The keeper's work on the file system: inspect, claim, sign of life, release. All on one thread, which may hang.

use super::protocol::{Found, KeeperConfig, Reply};
use crate::fence::{
    Epoch, LockPlace, OwnerRecord, Proof, RecordStore, SCHEMA, StandbyNote, Standbys, StoreError, Writer, is_full,
};
use crate::model::agent::Pause;
use crate::model::{AsWritten, InstanceId};
use crate::remedy::chain;
use mqaws_engine::{DataState, Product};
use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::chown;
use std::time::{Duration, Instant};

/// How many writes the percentile is taken over.
const SAMPLES: usize = 128;

/// What a claim or a beat must find in place of what it replaces.
#[derive(Debug, Clone, PartialEq)]
enum Basis {
    /// Nothing was looked at yet.
    Unknown,
    Absent,
    Record(Box<OwnerRecord>),
}

/// The record as this keeper knows it.
pub(super) struct KeptRecord {
    config: KeeperConfig,
    product: &'static dyn Product,
    token: String,
    store: RecordStore,
    basis: Basis,
    own: Option<OwnerRecord>,
    /// The operator's stop, as it was read with the last claim or written since.
    paused: Option<Pause>,
    /// This host's sign of life while it waits.
    waited: u64,
    /// Who else waits.
    standbys: Standbys,
    samples: VecDeque<Duration>,
}

/// What became of a sign of life.
#[derive(Debug)]
pub(super) enum Beat {
    /// It was written.
    Written,
    /// There is nothing to sign yet.
    Nothing,
    /// Another has claimed since: its claim is the record now.
    Foreign(String),
    /// This owner's record is not there any more, and no later one either.
    Gone(String),
    /// There is no room for it.
    Full(String),
    /// The file system refused.
    Failed(String),
}

/// Less free room than this, in bytes, is none: an engine that has to write a page or two would not start.
const ROOM: u64 = 1 << 20;

impl KeptRecord {
    pub(super) fn new(config: KeeperConfig, product: &'static dyn Product, token: String) -> Self {
        let store = RecordStore::new(&config.mount, &config.queue_manager);
        Self {
            config,
            product,
            token,
            store,
            basis: Basis::Unknown,
            own: None,
            paused: None,
            waited: 0,
            standbys: Standbys::default(),
            samples: VecDeque::with_capacity(SAMPLES),
        }
    }

    pub(super) fn inspect(&mut self, lease_millis: u64) -> Reply {
        if let Err(error) = self.store.prepare(&self.token) {
            return Reply::failed(chain(&error));
        }
        let (record, unreadable) = match self.store.read() {
            Ok(record) => (record, None),
            Err(error @ StoreError::Record { .. }) => (None, Some(chain(&error))),
            Err(error) => return Reply::failed(chain(&error)),
        };
        self.basis = match (&record, &unreadable) {
            (Some(record), _) => Basis::Record(Box::new(record.clone())),
            (None, None) => Basis::Absent,
            (None, Some(_)) => Basis::Unknown,
        };
        let data = match self.data() {
            Ok(data) => data.to_owned(),
            Err(error) => return Reply::failed(format!("inspect the data directory: {error}")),
        };
        Reply {
            found: Some(Found {
                record,
                unreadable,
                data,
                lease_millis,
            }),
            ..Reply::done()
        }
    }

    /// Notes that this host waits, and reads what the owner does; what is found here is no basis of a claim.
    pub(super) fn wait(&mut self, ready: bool, lease_millis: u64) -> Reply {
        self.waited += 1;
        let note = StandbyNote {
            instance: self.config.instance.clone(),
            boot: AsWritten::Id(self.config.boot.clone()),
            keeper: self.token.clone(),
            alive: self.waited,
            ready,
        };
        // A change of its own in the directory first: it makes an NFS client see that others have changed it, too.
        let (record, unreadable) = match self.store.note_standby(&note).and_then(|()| self.store.read()) {
            Ok(record) => (record, None),
            Err(error @ StoreError::Record { .. }) => (None, Some(chain(&error))),
            Err(error) => return Reply::failed(chain(&error)),
        };
        match self.data() {
            Ok(data) => Reply {
                found: Some(Found {
                    record,
                    unreadable,
                    data: data.to_owned(),
                    lease_millis,
                }),
                ..Reply::done()
            },
            Err(error) => Reply::failed(format!("inspect the data directory: {error}")),
        }
    }

    /// A host that is ready to take over, by the notes of those that wait; `now` by a clock that does not go back.
    pub(super) fn standby(&mut self, now: Duration) -> Option<InstanceId> {
        let notes = self.store.standbys().unwrap_or_default();
        let found = self.standbys.look(now, &notes);
        for instance in &found.forgotten {
            self.store.forget_standby(instance);
        }
        found.ready
    }

    /// The sign of life in the record that was inspected, which must be there still, and not released.
    pub(super) fn look(&mut self) -> Reply {
        let current = match self.store.read() {
            Ok(current) => current,
            Err(error) => return Reply::failed(chain(&error)),
        };
        if !self.is_basis(current.as_ref()) {
            return Reply {
                changed: true,
                ..Reply::failed("the owner record is not the one that was inspected")
            };
        }
        if let (Basis::Record(basis), Some(current)) = (&mut self.basis, &current) {
            basis.alive = current.alive;
        }
        Reply {
            alive: Some(current.map_or(0, |r| r.alive)),
            ..Reply::done()
        }
    }

    fn is_basis(&self, current: Option<&OwnerRecord>) -> bool {
        match (&self.basis, current) {
            (Basis::Absent, None) => true,
            (Basis::Record(basis), Some(current)) => basis.same_claim(current) && basis.released == current.released,
            _ => false,
        }
    }

    fn data(&self) -> std::io::Result<&'static str> {
        let found = self.product.data(&self.config.mount, &self.config.queue_manager)?;
        Ok(match found {
            DataState::Absent => "absent",
            DataState::Present => "present",
            DataState::HalfCreated => "half-created",
        })
    }

    pub(super) fn claim(&mut self, proof: Proof) -> Reply {
        let current = match self.store.read() {
            Ok(current) => current,
            Err(error) => return Reply::failed(chain(&error)),
        };
        if !self.is_basis(current.as_ref()) {
            return Reply {
                changed: true,
                ..Reply::failed("the owner record is not the one that the proof is about")
            };
        }
        // No start without a claim, and no claim without this question: whoever is asked to start has the answer.
        let paused = match self.store.paused() {
            Ok(paused) => paused,
            Err(error) => return Reply::failed(chain(&error)),
        };
        let (mount, queue_manager) = (&self.config.mount, &self.config.queue_manager);
        for dir in &self.product.directories(mount, queue_manager) {
            let made = fs::create_dir_all(dir).and_then(|()| match self.config.owner {
                Some((user, group)) => chown(dir, Some(user), Some(group)),
                None => Ok(()),
            });
            if let Err(error) = made {
                return Reply::failed(format!("cannot create {}: {error}", dir.display()));
            }
        }
        // Notes that no sign of life has carried to the file yet are in our own copy.
        let before = self.own.as_ref().or(current.as_ref());
        let record = OwnerRecord {
            schema: SCHEMA.to_owned(),
            queue_manager: self.config.queue_manager.clone(),
            file_system: Some(self.config.file_system.clone()),
            epoch: before.map_or(Epoch(0), |r| r.epoch).next(),
            owner: Writer {
                instance: AsWritten::Id(self.config.instance.clone()),
                boot: AsWritten::Id(self.config.boot.clone()),
            },
            keeper: self.token.clone(),
            alive: 0,
            released: false,
            proof,
            at: jiff::Timestamp::now().to_string(),
            engine_version: before.and_then(|r| r.engine_version.clone()),
            condemned: before
                .filter(|r| r.original(&self.config.file_system).is_none())
                .map_or(0, |r| r.condemned),
            served: before.is_some_and(|r| r.served),
        };
        match self.timed(|store| store.claim(&record)) {
            Err(error @ (StoreError::Taken { .. } | StoreError::Late { .. })) => Reply {
                changed: true,
                ..Reply::failed(chain(&error))
            },
            Err(error) => Reply::failed(chain(&error)),
            Ok(()) => {
                let epoch = record.epoch;
                self.store.forget_standby(&self.config.instance);
                self.basis = Basis::Record(Box::new(record.clone()));
                self.own = Some(record);
                self.paused = paused;
                Reply {
                    epoch: Some(epoch),
                    paused: self.paused.clone(),
                    ..Reply::done()
                }
            }
        }
    }

    /// Writes which engine writes the data, unless the record says so already.
    pub(super) fn level(&mut self, engine_version: String) -> Reply {
        let Some(mut record) = self.own.clone() else {
            return Reply::failed("nothing was claimed");
        };
        if record.engine_version.as_ref() == Some(&engine_version) {
            return Reply::done();
        }
        record.engine_version = Some(engine_version);
        match self.timed(|store| store.update(&record)) {
            Err(error) => Reply::failed(chain(&error)),
            Ok(()) => {
                self.own = Some(record);
                Reply::done()
            }
        }
    }

    /// Keeps the operator's stop where the data are, or ends it.
    pub(super) fn pause(&mut self, pause: Option<Pause>) -> Reply {
        if self.own.is_none() {
            return Reply::failed("nothing was claimed");
        }
        let token = self.token.clone();
        let written = self.timed(|store| match &pause {
            Some(pause) => store.pause(&token, pause),
            None => store.resume(),
        });
        match written {
            Err(error) => Reply::failed(chain(&error)),
            Ok(()) => {
                self.paused = pause;
                Reply::done()
            }
        }
    }

    pub(super) fn note_served(&mut self) -> Reply {
        let Some(own) = self.own.as_mut() else {
            return Reply::failed("nothing was claimed");
        };
        own.condemned = 0;
        own.served = true;
        // Writes beside a start that replays its log say nothing about the storage in service.
        self.samples.clear();
        Reply::done()
    }

    /// Writes the sign of life, after a look that nobody else has claimed meanwhile.
    pub(super) fn beat(&mut self) -> Beat {
        let Some(mut record) = self.own.clone() else {
            return Beat::Nothing;
        };
        match self.store.read() {
            Err(error) => return Beat::Failed(chain(&error)),
            Ok(Some(current)) if current.same_claim(&record) => {}
            // A claim of its own whose answer was lost.
            Ok(Some(current)) if current.keeper == self.token && current.epoch > record.epoch => {
                return Beat::Failed(format!("epoch {} was claimed unexpectedly", current.epoch));
            }
            Ok(Some(current)) if current.epoch >= record.epoch => {
                return Beat::Foreign(format!("{} claimed epoch {}", current.owner.instance, current.epoch));
            }
            Ok(left) => {
                let left = left.map_or("none".to_owned(), |r| format!("that of epoch {}", r.epoch));
                return Beat::Gone(format!(
                    "the owner record of epoch {} is missing, and {left} remains: it was removed by another process",
                    record.epoch
                ));
            }
        }
        record.alive += 1;
        match self.timed(|store| store.update(&record)) {
            Err(StoreError::Io { path, source, .. }) if is_full(&source) => {
                Beat::Full(format!("{source}: write {}", path.display()))
            }
            Err(error) => Beat::Failed(chain(&error)),
            Ok(()) => {
                self.own = Some(record);
                Beat::Written
            }
        }
    }

    /// What little room is left on the file system, in words; `None` when there is enough, or nobody knows.
    pub(super) fn little_room(&self) -> Option<String> {
        let left = rustix::fs::statvfs(&self.config.mount).ok()?;
        let left = left.f_bavail.saturating_mul(left.f_frsize);
        // No number that changes with every write: each other reason is an alarm of its own.
        (left < ROOM).then(|| {
            format!(
                "{} has less than {ROOM} bytes of free space",
                self.config.mount.display()
            )
        })
    }

    pub(super) fn release(&mut self, condemned: bool) -> Reply {
        // Also without a claim of this keeper: an earlier one's engine may have written.
        if let Err(error) = self.write_back() {
            return Reply::failed(format!("write back what the engine wrote: {error}"));
        }
        let Some(mut record) = self.own.clone() else {
            return Reply::done();
        };
        record.released = true;
        if condemned {
            record.condemned = record.condemned.saturating_add(1);
        }
        match self.timed(|store| store.update(&record)) {
            Err(error) => Reply::failed(chain(&error)),
            Ok(()) => {
                self.own = None;
                Reply::done()
            }
        }
    }

    /// The engine is gone, but what it wrote may still be in this kernel's memory: it must not arrive after the release.
    fn write_back(&self) -> std::io::Result<()> {
        match self.config.lock {
            // All hosts of such a file system are processes on one kernel, whose memory they share.
            LockPlace::Lease { .. } => Ok(()),
            LockPlace::Nfs { .. } => Ok(rustix::fs::syncfs(fs::File::open(&self.config.mount)?)?),
        }
    }

    /// The record as it was last read or written.
    pub(super) fn seen(&self) -> Option<OwnerRecord> {
        match (&self.own, &self.basis) {
            (Some(own), _) => Some(own.clone()),
            (None, Basis::Record(basis)) => Some(OwnerRecord::clone(basis)),
            (None, Basis::Absent | Basis::Unknown) => None,
        }
    }

    /// The operator's stop on the data that this keeper claimed.
    pub(super) fn paused(&self) -> Option<Pause> {
        self.own.as_ref().and(self.paused.clone())
    }

    pub(super) fn claimed(&self) -> Option<(Epoch, Proof)> {
        self.own.as_ref().map(|r| (r.epoch, r.proof.clone()))
    }

    /// 99th percentile of the last writes, by nearest rank.
    pub(super) fn fsync_millis(&self) -> Option<f64> {
        let mut sorted: Vec<Duration> = self.samples.iter().copied().collect();
        sorted.sort();
        let rank = (sorted.len() * 99).div_ceil(100);
        sorted.get(rank.checked_sub(1)?).copied().map(millis)
    }

    /// The fastest of the last writes.
    pub(super) fn fsync_fastest_millis(&self) -> Option<f64> {
        self.samples.iter().min().copied().map(millis)
    }

    fn timed(&mut self, write: impl FnOnce(&RecordStore) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let begin = Instant::now();
        write(&self.store)?;
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(begin.elapsed());
        Ok(())
    }
}

/// To the microsecond.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests;

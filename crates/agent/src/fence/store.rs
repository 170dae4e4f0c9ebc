//! The record on the file system: the effectful edge.
//!
//! Each epoch has a file of its own, and the record is the one of the highest epoch. A claim *creates* its file, which the
//! file system allows once: of two hosts that claim the same epoch one is refused, however late its request arrives. What
//! an owner writes afterwards goes to its own epoch's file, so that nothing late of it ever covers a successor's.

use super::folder::Folder;
use super::record::{Epoch, OwnerRecord, RecordError};
use super::standby::StandbyNote;
use crate::model::agent::Pause;
use crate::model::{InstanceId, InvalidName, PathComponent};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Files of earlier epochs that are kept, for people.
const KEPT: u64 = 3;

/// Why the record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("cannot {what} {path}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A keeper's token is no part of a file's name.
    #[error("cannot write a file of this keeper")]
    Keeper(#[from] InvalidName),
    /// The content is not a record of this queue manager.
    #[error("cannot read {path}")]
    Record {
        /// Which file.
        path: PathBuf,
        /// Why it is not.
        #[source]
        source: RecordError,
    },
    /// Somebody else has claimed a later epoch.
    #[error("{path} does not have the highest epoch: another host claimed it first")]
    Late {
        /// The epoch's file.
        path: PathBuf,
    },
    /// Somebody else has claimed this epoch.
    #[error("{path} already exists: another host claimed it first")]
    Taken {
        /// The epoch's file.
        path: PathBuf,
    },
}

/// The owner record of one queue manager on one mount.
#[derive(Debug, Clone)]
pub struct RecordStore {
    folder: Folder,
    queue_manager: String,
}

impl RecordStore {
    /// The record of `queue_manager` below `mount`.
    pub fn new(mount: &Path, queue_manager: &str) -> Self {
        Self {
            folder: Folder::new(mount, queue_manager),
            queue_manager: queue_manager.to_owned(),
        }
    }

    /// Where the record of an epoch is.
    ///
    /// # Errors
    /// [`StoreError::Io`], see [`Folder::path`].
    pub fn path(&self, epoch: Epoch) -> Result<PathBuf, StoreError> {
        Ok(record_in(&self.dir()?, epoch))
    }

    fn dir(&self) -> Result<PathBuf, StoreError> {
        self.folder.path().map_err(io_error("look into", self.folder.mount()))
    }

    /// Makes the directory of the record, on stable storage, and makes this host read it anew.
    ///
    /// # Errors
    /// [`StoreError::Io`]; [`StoreError::Keeper`].
    pub(crate) fn prepare(&self, keeper: &str) -> Result<(), StoreError> {
        let dir = self.dir()?;
        fs::create_dir_all(&dir).map_err(io_error("create", &dir))?;
        let mount = self.folder.mount();
        for dir in dir.ancestors().take_while(|dir| dir.starts_with(mount)) {
            sync_dir(dir)?;
        }
        // A change of its own lets an NFS client see that others have changed the directory, too.
        let touched = dir.join(PathComponent::new(format!("look-{keeper}"))?);
        File::create(&touched).map_err(io_error("create", &touched))?;
        fs::remove_file(&touched).map_err(io_error("remove", &touched))
    }

    /// Reads the record of the highest epoch; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`]; a file that is there but is no record is an error.
    pub fn read(&self) -> Result<Option<OwnerRecord>, StoreError> {
        let dir = self.dir()?;
        let Some(epoch) = epochs(&dir)?.into_iter().max() else {
            return Ok(None);
        };
        let path = record_in(&dir, epoch);
        let text = fs::read(&path).map_err(io_error("read", &path))?;
        match OwnerRecord::parse(&text, &self.queue_manager) {
            Ok(record) if record.epoch == epoch => Ok(Some(record)),
            Ok(record) => Err(RecordError::OtherEpoch(record.epoch)),
            Err(error) => Err(error),
        }
        .map_err(|source| StoreError::Record { path, source })
    }

    /// Claims an epoch: its file comes into being whole, or not at all because it is there.
    ///
    /// The file of an epoch that was forgotten can come into being a second time, by a request that was on its way for very
    /// long; so the claim counts only if its epoch is the highest afterwards.
    ///
    /// # Errors
    /// [`StoreError::Taken`]; [`StoreError::Late`]; [`StoreError::Keeper`]; [`StoreError::Io`], after which the claim may have succeeded or may still succeed.
    pub(crate) fn claim(&self, record: &OwnerRecord) -> Result<(), StoreError> {
        let dir = self.dir()?;
        let path = record_in(&dir, record.epoch);
        let new = write_new(&dir, &record.keeper, &record.to_line())?;
        let linked = fs::hard_link(&new, &path);
        let taken = match linked {
            Ok(()) => false,
            // An answer may be lost and the request repeated: then it is our own.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                !self.read()?.is_some_and(|there| there.same_claim(record))
            }
            Err(error) => return Err(io_error("create", &path)(error)),
        };
        // What stays behind is a file that nobody reads.
        let _ = fs::remove_file(&new);
        if taken {
            return Err(StoreError::Taken { path });
        }
        sync_dir(&dir)?;
        if !self.read()?.is_some_and(|highest| highest.same_claim(record)) {
            return Err(StoreError::Late { path });
        }
        forget(&dir, record.epoch);
        Ok(())
    }

    /// Writes the record of an epoch that this host has claimed: a reader sees the old one or the new one, also after a
    /// crash.
    ///
    /// # Errors
    /// [`StoreError::Keeper`]; [`StoreError::Io`]; the old record is then still there, or the new one already is.
    pub(crate) fn update(&self, record: &OwnerRecord) -> Result<(), StoreError> {
        let dir = self.dir()?;
        let path = record_in(&dir, record.epoch);
        let new = write_new(&dir, &record.keeper, &record.to_line())?;
        fs::rename(&new, &path).map_err(io_error("replace", &path))?;
        sync_dir(&dir)
    }

    /// Writes on stable storage that an operator stopped the queue manager. Only the owner of the data does, under the lock.
    ///
    /// # Errors
    /// [`StoreError::Keeper`]; [`StoreError::Io`], after which the pause may be there.
    pub(crate) fn pause(&self, keeper: &str, pause: &Pause) -> Result<(), StoreError> {
        let dir = self.dir()?;
        let path = dir.join(PAUSE);
        let file = PauseFile {
            schema: PAUSE_SCHEMA.to_owned(),
            pause: pause.clone(),
        };
        // Strings alone: nothing here can fail to serialize.
        let text = serde_json::to_vec(&file).unwrap_or_default();
        let new = write_new(&dir, keeper, &text)?;
        fs::rename(&new, &path).map_err(io_error("replace", &path))?;
        sync_dir(&dir)
    }

    /// Takes the operator's stop away, on stable storage.
    ///
    /// # Errors
    /// [`StoreError::Io`], after which the pause may be gone.
    pub(crate) fn resume(&self) -> Result<(), StoreError> {
        let dir = self.dir()?;
        let path = dir.join(PAUSE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", &path)(error)),
            _ => sync_dir(&dir),
        }
    }

    /// The operator's stop, while there is one. A file that says nothing readable is one all the same.
    ///
    /// # Errors
    /// [`StoreError::Io`]: then nobody knows.
    pub fn paused(&self) -> Result<Option<Pause>, StoreError> {
        let path = self.dir()?.join(PAUSE);
        match fs::read(&path) {
            Ok(text) => Ok(Some(
                serde_json::from_slice::<PauseFile>(&text).unwrap_or_default().pause,
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("read", &path)(error)),
        }
    }

    /// Writes the note of a host that waits. It needs no lock: nobody else writes this file, and no start depends on it.
    ///
    /// # Errors
    /// [`StoreError::Keeper`]; [`StoreError::Io`].
    pub(crate) fn note_standby(&self, note: &StandbyNote) -> Result<(), StoreError> {
        let dir = self.dir()?;
        fs::create_dir_all(&dir).map_err(io_error("create", &dir))?;
        let path = note_in(&dir, &note.instance)?;
        let new = dir.join(PathComponent::new(format!("new-{}", note.keeper))?);
        let text = serde_json::to_vec(note).map_err(io::Error::other);
        text.and_then(|text| fs::write(&new, text))
            .map_err(io_error("write", &new))?;
        fs::rename(&new, &path).map_err(io_error("replace", &path))
    }

    /// The notes of hosts that wait; one that cannot be read is none.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub(crate) fn standbys(&self) -> Result<Vec<StandbyNote>, StoreError> {
        let dir = self.dir()?;
        let mut notes = Vec::new();
        for entry in fs::read_dir(&dir).map_err(io_error("list", &dir))? {
            let entry = entry.map_err(io_error("list", &dir))?;
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name.starts_with(NOTE)) {
                let text = fs::read(entry.path()).unwrap_or_default();
                notes.extend(serde_json::from_slice::<StandbyNote>(&text).ok());
            }
        }
        Ok(notes)
    }

    /// Removes the note of a host that waits no more; one that stays is silent.
    pub(crate) fn forget_standby(&self, instance: &InstanceId) {
        if let Ok(path) = self.dir().and_then(|dir| note_in(&dir, instance)) {
            let _ = fs::remove_file(path);
        }
    }
}

/// The operator's stop; a version before looks for no such file.
const PAUSE: &str = "pause.json";

/// Schema of that file.
const PAUSE_SCHEMA: &str = "mqaws.pause/1";

/// What the file says.
#[derive(Debug, Default, Serialize, Deserialize)]
struct PauseFile {
    #[serde(default)]
    schema: String,
    #[serde(flatten)]
    pause: Pause,
}

/// How the names of notes begin.
const NOTE: &str = "standby-";

fn note_in(dir: &Path, instance: &InstanceId) -> Result<PathBuf, StoreError> {
    Ok(dir.join(PathComponent::new(format!("{NOTE}{instance}.json"))?))
}

fn record_in(dir: &Path, epoch: Epoch) -> PathBuf {
    dir.join(format!("owner-{epoch}.json"))
}

/// The epochs that have a file.
fn epochs(dir: &Path) -> Result<Vec<Epoch>, StoreError> {
    let list = match fs::read_dir(dir) {
        Ok(list) => list,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("list", dir)(error)),
    };
    let mut epochs = Vec::new();
    for entry in list {
        let name = entry.map_err(io_error("list", dir))?.file_name();
        let number = name
            .to_str()
            .and_then(|n| n.strip_prefix("owner-")?.strip_suffix(".json"));
        epochs.extend(number.and_then(|n| n.parse().ok()).map(Epoch));
    }
    Ok(epochs)
}

fn write_new(dir: &Path, keeper: &str, content: &[u8]) -> Result<PathBuf, StoreError> {
    let new = dir.join(PathComponent::new(format!("new-{keeper}"))?);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o640)
        .open(&new)
        .map_err(io_error("create", &new))?;
    file.write_all(content).map_err(io_error("write", &new))?;
    file.sync_all().map_err(io_error("sync", &new))?;
    Ok(new)
}

/// Removes files of long gone epochs; one that stays disturbs nobody.
fn forget(dir: &Path, own: Epoch) {
    for epoch in epochs(dir).unwrap_or_default() {
        if epoch.0.saturating_add(KEPT) < own.0 {
            let _ = fs::remove_file(record_in(dir, epoch));
        }
    }
}

fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(io_error("sync", dir))
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::super::proof::Proof;
    use super::super::record::{SCHEMA, Writer};
    use super::*;
    use crate::model::agent::ProofKind;
    use proptest::prelude::*;

    fn record(keeper: &str, epoch: u64) -> OwnerRecord {
        OwnerRecord {
            schema: SCHEMA.into(),
            queue_manager: "QM1".into(),
            file_system: None,
            epoch: Epoch(epoch),
            owner: Writer {
                instance: "i-1".into(),
                boot: "b".into(),
            },
            keeper: keeper.into(),
            alive: 0,
            released: false,
            proof: Proof {
                kind: ProofKind::New,
                previous: None,
            },
            at: String::new(),
            engine_version: None,
            condemned: 0,
            served: false,
        }
    }

    fn store(dir: &Path) -> RecordStore {
        let store = RecordStore::new(dir, "QM1");
        store.prepare("k").expect("prepare");
        store
    }

    #[test]
    fn a_pause_is_kept_until_it_is_ended_and_damage_ends_none() {
        let dir = tempfile::tempdir().expect("tempdir");
        let store = store(dir.path());
        assert_eq!(store.paused().expect("read"), None);
        store.resume().expect("nothing to end");
        let pause = Pause {
            since: "2026-01-01T00:00:00Z".into(),
            by: "ops".into(),
            why: None,
        };
        store.pause("k", &pause).expect("paused");
        assert_eq!(store.paused().expect("read"), Some(pause));
        let path = dir.path().join(".mqaws/QM1/pause.json");
        for damage in [&b""[..], b"{", br#"{"schema":"mqaws.pause/9","until":4}"#] {
            fs::write(&path, damage).expect("damage");
            assert_eq!(store.paused().expect("read"), Some(Pause::default()));
        }
        assert!(store.read().expect("no record").is_none());
        store.resume().expect("resumed");
        assert_eq!(store.paused().expect("read"), None);
        // What cannot be looked at is no absence.
        fs::create_dir(&path).expect("a directory in its place");
        assert!(store.paused().is_err());
    }

    #[test]
    fn a_record_survives_and_damage_is_not_absence() {
        let dir = tempfile::tempdir().expect("tempdir");
        let store = RecordStore::new(dir.path(), "QM1");
        assert!(store.read().expect("nothing yet").is_none());
        store.prepare("k1").expect("prepare");
        store.prepare("k1").expect("twice");
        let mut record = record("k1", 1);
        store.claim(&record).expect("claim");
        record.alive = 1;
        store.update(&record).expect("update");
        assert_eq!(store.read().expect("read"), Some(record));
        assert_eq!(fs::read_dir(dir.path().join(".mqaws/QM1")).expect("dir").count(), 1);
        fs::write(store.path(Epoch(1)).expect("path"), b"{\"schema\":").expect("damage");
        assert!(store.read().is_err());
        fs::write(
            store.path(Epoch(1)).expect("path"),
            super::tests::record("k1", 2).to_line(),
        )
        .expect("another epoch's");
        assert!(store.read().is_err());
    }

    #[test]
    fn an_epoch_is_claimed_once_and_a_late_write_of_an_old_one_covers_nothing() {
        let dir = tempfile::tempdir().expect("tempdir");
        let store = store(dir.path());
        store.claim(&record("k1", 1)).expect("claim");
        assert!(matches!(store.claim(&record("k2", 1)), Err(StoreError::Taken { .. })));
        store.claim(&record("k1", 1)).expect("its own, repeated");
        store.claim(&record("k2", 2)).expect("the next");
        let mut late = record("k1", 1);
        (late.alive, late.released) = (99, true);
        store.update(&late).expect("late");
        assert_eq!(store.read().expect("read"), Some(record("k2", 2)));
    }

    #[test]
    fn a_keeper_whose_token_leads_elsewhere_writes_nothing() {
        let dir = tempfile::tempdir().expect("tempdir");
        let store = store(dir.path());
        for token in ["/../../../x", "a/b"] {
            assert!(matches!(store.prepare(token), Err(StoreError::Keeper(_))));
            assert!(matches!(store.claim(&record(token, 1)), Err(StoreError::Keeper(_))));
            assert!(matches!(store.update(&record(token, 1)), Err(StoreError::Keeper(_))));
        }
        assert_eq!(files(dir.path()), Vec::<PathBuf>::new());
    }

    #[test]
    fn old_epochs_are_forgotten_but_for_a_few() {
        let dir = tempfile::tempdir().expect("tempdir");
        let store = store(dir.path());
        for epoch in 1..=12 {
            store.claim(&record("k1", epoch)).expect("claim");
        }
        assert_eq!(
            epochs(&store.dir().expect("path")).expect("list").len() as u64,
            KEPT + 1
        );
        assert_eq!(store.read().expect("read").map(|r| r.epoch), Some(Epoch(12)));
    }

    #[test]
    fn a_claim_of_an_epoch_that_was_forgotten_comes_too_late() {
        let dir = tempfile::tempdir().expect("tempdir");
        let store = store(dir.path());
        for epoch in 1..=9 {
            store.claim(&record("k1", epoch)).expect("claim");
        }
        assert!(!store.path(Epoch(2)).expect("path").exists(), "forgotten");
        let late = store.claim(&record("k2", 2));
        assert!(matches!(late, Err(StoreError::Late { .. })), "{late:?}");
        assert_eq!(store.read().expect("read"), Some(record("k1", 9)));
    }

    #[test]
    fn of_many_hosts_that_claim_at_once_one_succeeds() {
        let dir = tempfile::tempdir().expect("tempdir");
        let store = store(dir.path());
        let claims: Vec<_> = (0..8)
            .map(|n| {
                let store = store.clone();
                std::thread::spawn(move || store.claim(&record(&format!("k{n}"), 1)).is_ok())
            })
            .collect();
        let won = claims.into_iter().map(|c| c.join().expect("thread"));
        assert_eq!(won.filter(|won| *won).count(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// What is made for a queue manager of any name is made below its own file system, and is read again.
        #[test]
        fn a_record_stays_below_the_mount_and_is_found_again(name in "[A-Za-z0-9./_%]{1,48}") {
            let dir = tempfile::tempdir().expect("tempdir");
            let mount = dir.path().join("a/b/mount");
            fs::create_dir_all(&mount).expect("mount");
            let record = OwnerRecord { queue_manager: name.clone(), ..record("k", 1) };
            let store = RecordStore::new(&mount, &name);
            // Before anything is written anywhere.
            prop_assert!(store.path(Epoch(1)).expect("path").starts_with(mount.join(".mqaws")));
            store.prepare("k").expect("prepare");
            store.claim(&record).expect("claim");
            prop_assert_eq!(store.read().expect("read"), Some(record));
            prop_assert_eq!(files(dir.path()), files(&mount), "{}", name);
            prop_assert_eq!(files(&mount).len(), 1);
        }
    }

    /// All files below a directory.
    fn files(dir: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(dir).expect("directory").flatten() {
            match entry.file_type().expect("type").is_dir() {
                true => found.extend(files(&entry.path())),
                false => found.push(entry.path()),
            }
        }
        found
    }

    #[test]
    fn names_that_would_lead_out_have_records_of_their_own() {
        let dir = tempfile::tempdir().expect("tempdir");
        let names = [".", "..", "/ABS", "../../x", "x", "DEV.MGR", "a/b"];
        let mount = dir.path().join("a/b/mount");
        for name in names {
            let store = RecordStore::new(&mount, name);
            let path = store.path(Epoch(1)).expect("path");
            assert!(path.starts_with(mount.join(".mqaws")), "{}", path.display());
            assert_eq!(store.read().expect("read"), None, "{name}: a record of another");
            store.prepare("k").expect("prepare");
            let record = OwnerRecord {
                queue_manager: name.into(),
                ..record("k", 1)
            };
            store.claim(&record).expect("claim");
        }
        assert_eq!(files(&mount).len(), names.len());
        assert_eq!(files(dir.path()).len(), names.len());
    }
}

//! The record on the file system: the effectful edge.

use super::record::{OwnerRecord, RecordError};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Why the record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("{what} {path}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The content is not a record of this queue manager.
    #[error("read {path}")]
    Record {
        /// Which file.
        path: PathBuf,
        /// Why it is not.
        #[source]
        source: RecordError,
    },
}

/// The owner record of one queue manager on one mount.
#[derive(Debug, Clone)]
pub struct RecordStore {
    dir: PathBuf,
    queue_manager: String,
}

impl RecordStore {
    /// The record of `queue_manager` below `mount`.
    pub fn new(mount: &Path, queue_manager: &str) -> Self {
        Self {
            dir: mount.join(".mqaws").join(queue_manager),
            queue_manager: queue_manager.to_owned(),
        }
    }

    /// Where the record is.
    pub fn path(&self) -> PathBuf {
        self.dir.join("owner.json")
    }

    /// Makes the directory of the record, on stable storage.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn prepare(&self) -> Result<(), StoreError> {
        let parent = self.dir.parent().unwrap_or(&self.dir).to_owned();
        let mount = parent.parent().unwrap_or(&parent).to_owned();
        fs::create_dir_all(&self.dir).map_err(io_error("create", &self.dir))?;
        for dir in [&self.dir, &parent, &mount] {
            sync_dir(dir)?;
        }
        Ok(())
    }

    /// Reads the record; `None` when there is no file.
    ///
    /// # Errors
    /// [`StoreError`]; a file that is there but is no record is an error.
    pub fn read(&self) -> Result<Option<OwnerRecord>, StoreError> {
        let path = self.path();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        OwnerRecord::parse(&text, &self.queue_manager)
            .map(Some)
            .map_err(|source| StoreError::Record { path, source })
    }

    /// Writes the record: a reader sees the old one or the new one, also after a crash.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the old record is then still there, or the new one already is.
    pub fn write(&self, record: &OwnerRecord) -> Result<(), StoreError> {
        let new = self.dir.join(format!("owner.json.{}", record.keeper));
        let path = self.path();
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o640)
            .open(&new)
            .map_err(io_error("create", &new))?;
        file.write_all(&record.to_line()).map_err(io_error("write", &new))?;
        file.sync_all().map_err(io_error("sync", &new))?;
        fs::rename(&new, &path).map_err(io_error("replace", &path))?;
        sync_dir(&self.dir)
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
    use super::super::proof::{Proof, ProofKind};
    use super::super::record::{Epoch, SCHEMA, Writer};
    use super::*;

    #[test]
    fn a_record_survives_and_damage_is_not_absence() {
        let dir = tempfile::tempdir().expect("tempdir");
        let store = RecordStore::new(dir.path(), "QM1");
        assert!(store.read().expect("nothing yet").is_none());
        store.prepare().expect("prepare");
        store.prepare().expect("twice");
        let mut record = OwnerRecord {
            schema: SCHEMA.into(),
            queue_manager: "QM1".into(),
            epoch: Epoch(1),
            owner: Writer {
                instance: "i-1".into(),
                boot: "b".into(),
            },
            keeper: "k1".into(),
            alive: 0,
            released: false,
            proof: Proof {
                kind: ProofKind::New,
                previous: None,
            },
            at: String::new(),
            engine_version: None,
            condemned: 0,
        };
        store.write(&record).expect("write");
        record.alive = 1;
        store.write(&record).expect("again");
        assert_eq!(store.read().expect("read"), Some(record));
        assert_eq!(fs::read_dir(dir.path().join(".mqaws/QM1")).expect("dir").count(), 1);
        fs::write(store.path(), b"{\"schema\":").expect("damage");
        assert!(store.read().is_err());
    }
}

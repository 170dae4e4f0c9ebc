//! The lock in the data directory that makes the running instance the only one, and the status kept beside it.
//!
//! IBM MQ locks files named `master` and `active` there. The stand-in locks `master` and writes into it who holds it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::Path,
    time::{Duration, Instant},
};

use mqaws_files::AtomicWrite;
use serde::{Deserialize, Serialize};

use super::home::{Home, Known};
use crate::engine::ibm_mq::{QueueManagerStatus, stanza, stanza::Stanza};

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    /// The holder's host, as [`Home::host`] names it.
    pub(crate) host: String,
    /// Process that holds it.
    pub(crate) pid: u32,
    /// Whether it lets a standby wait.
    pub(crate) standby_permitted: bool,
}

/// The held lock; it is free again when this is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct Held {
    _file: File,
}

/// Why the lock was not obtained.
#[derive(Debug)]
pub(crate) enum NotHeld {
    /// Somebody has it.
    Busy(Option<Holder>),
    /// The file could not be used.
    Io(io::Error),
}

fn open(data_path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(data_path.join("master"))
}

/// Takes the lock; a reader of the status holds it for a moment only, so it is tried again for that long.
pub(crate) fn acquire(data_path: &Path, holder: &Holder, within: Duration) -> Result<Held, NotHeld> {
    let until = Instant::now() + within;
    let mut file = open(data_path).map_err(NotHeld::Io)?;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            Err(TryLockError::WouldBlock) => return Err(NotHeld::Busy(read(&mut file))),
            Err(TryLockError::Error(e)) => return Err(NotHeld::Io(e)),
        }
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(&serde_json::to_vec(holder).map_err(io::Error::other)?)
    };
    write(&mut file).map_err(NotHeld::Io)?;
    Ok(Held { _file: file })
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Who holds the lock now; `Ok(None)` when nobody does.
pub(crate) fn holder(data_path: &Path) -> io::Result<Option<Holder>> {
    let mut file = match File::open(data_path.join("master")) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        // Between taking the lock and writing its name a holder has none yet.
        Err(TryLockError::WouldBlock) => Ok(Some(read(&mut file).unwrap_or(Holder {
            host: String::new(),
            pid: 0,
            standby_permitted: false,
        }))),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Writes the status of the queue manager, as a running instance sees itself.
pub(crate) fn write_status(data_path: &Path, status: &QueueManagerStatus) -> io::Result<()> {
    let stanza = Stanza::new("QueueManagerStatus").with("Status", status.to_string());
    AtomicWrite::to(&data_path.join("qmstatus.ini"))
        .durable()
        .write(stanza::write(&[stanza]).as_bytes())
}

/// The status of a queue manager as seen from a host.
pub(crate) fn status(home: &Home, known: &Known) -> io::Result<QueueManagerStatus> {
    let written = match fs::read_to_string(known.data_path.join("qmstatus.ini")) {
        Ok(text) => stanza::parse(&text)
            .first()
            .and_then(|s| s.get("Status").map(QueueManagerStatus::parse)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(e),
    };
    Ok(match (holder(&known.data_path)?, written) {
        (Some(holder), written) if holder.host == home.host() => written
            .filter(|w| !w.is_ended())
            .unwrap_or(QueueManagerStatus::Starting),
        (Some(_), _) => QueueManagerStatus::RunningElsewhere,
        (None, None) => QueueManagerStatus::EndedImmediately,
        (None, Some(written)) if written.is_ended() => written,
        // It runs according to its own word, but nobody holds its lock: it did not end by itself.
        (None, Some(_)) => QueueManagerStatus::EndedUnexpectedly,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_follows_lock_and_word() {
        let root = tempfile::tempdir().unwrap();
        let data = tempfile::tempdir().unwrap();
        let home = Home::at(root.path());
        let known = Known {
            name: "Q".into(),
            directory: "Q".into(),
            data_path: data.path().into(),
        };
        let mine = Holder {
            host: home.host(),
            pid: 1,
            standby_permitted: false,
        };
        let status = || status(&home, &known).unwrap();
        assert_eq!(status(), QueueManagerStatus::EndedImmediately);

        let held = acquire(data.path(), &mine, Duration::ZERO).unwrap();
        assert_eq!(status(), QueueManagerStatus::Starting);
        write_status(data.path(), &QueueManagerStatus::Running).unwrap();
        assert_eq!(status(), QueueManagerStatus::Running);
        match acquire(data.path(), &mine, Duration::from_millis(20)) {
            Err(NotHeld::Busy(Some(holder))) => assert_eq!(holder, mine),
            other => panic!("{other:?}"),
        }
        drop(held);
        assert_eq!(status(), QueueManagerStatus::EndedUnexpectedly);

        let other = Holder {
            host: "/elsewhere".into(),
            ..mine
        };
        let held = acquire(data.path(), &other, Duration::ZERO).unwrap();
        assert_eq!(status(), QueueManagerStatus::RunningElsewhere);
        drop(held);
        write_status(data.path(), &QueueManagerStatus::EndedNormally).unwrap();
        assert_eq!(status(), QueueManagerStatus::EndedNormally);
    }
}

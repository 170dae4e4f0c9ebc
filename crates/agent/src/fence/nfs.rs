//! The lock on an NFSv4 file system: an open-file-description lock, proved again and again by a write that reaches the server.
//!
//! The lock belongs to the open file and not to the process, so that no other part of the process can lose it by closing
//! the same file. The server frees it once its lease ends without a sign of life of the *kernel's* NFS client. That client
//! fails all I/O on a file whose lock was lost, and only on such a file: so a write of the lock file, forced to the server,
//! is the proof that the lock is still held. Without it a kernel that cannot reach the server would let us believe it.
//!
//! On a local directory the lock works as well, but the kernel frees it at once with its process and never because of a
//! lease: the whole conformance suite, with its frozen host, runs between two kernels and a real NFS server, in `tests/hosts`.

use super::folder::Folder;
use super::lock::{Lock, LockError};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rustix::fs::{NFS_SUPER_MAGIC, fstatfs};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Length of the line in the lock file: one write of always the same bytes never grows the file.
const LINE: usize = 128;

/// A lock on the file `lock` in a queue manager's [`Folder`].
#[derive(Debug)]
pub struct NfsLock {
    folder: Folder,
    instance: String,
    token: String,
    lease: Duration,
    proofs: u64,
    /// Refuses files of every other kind of file system.
    only_nfs: bool,
    /// Open exactly while the lock is held.
    file: Option<File>,
}

impl NfsLock {
    /// A lock that is not held yet, of a queue manager below a mount point. `token` is unique for each keeper.
    pub fn new(mount: &Path, queue_manager: &str, instance: &str, token: &str, lease: Duration) -> Self {
        Self {
            folder: Folder::new(mount, queue_manager),
            instance: instance.to_owned(),
            token: token.to_owned(),
            lease,
            proofs: 0,
            only_nfs: false,
            file: None,
        }
    }

    /// The same lock, never on anything but NFS: below a mount point that nothing is mounted on lies the local disk, where
    /// every host would find the lock free.
    #[must_use]
    pub fn only_on_nfs(mut self) -> Self {
        self.only_nfs = true;
        self
    }

    fn path(&self) -> io::Result<PathBuf> {
        Ok(self.folder.path()?.join("lock"))
    }

    fn open(&self) -> io::Result<File> {
        let path = self.path()?;
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o640)
            .open(path)
    }

    /// Writes the line anew and waits until the server has it.
    fn prove(&mut self, file: &File) -> io::Result<()> {
        self.proofs += 1;
        let line = format!("{} {} {}", self.instance, self.token, self.proofs);
        let line = format!("{line:<width$.width$}\n", width = LINE - 1);
        match file.write_all_at(line.as_bytes(), 0).and_then(|()| file.sync_data()) {
            // The server looks at the state that comes with a write before it looks for room: it has accepted the lock.
            Err(error) if is_full(&error) => Ok(()),
            other => other,
        }
    }
}

/// Who wrote the line in the lock file, which is whoever proved the lock last.
fn holder(file: &File) -> String {
    let mut line = [0; LINE];
    let read = file.read_at(&mut line, 0).unwrap_or_default();
    let text = String::from_utf8_lossy(&line[..read]).into_owned();
    match text.split_whitespace().next() {
        Some(instance) => instance.to_owned(),
        None => "another keeper".to_owned(),
    }
}

/// Whether the file system refused for want of room.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What a failed proof says. The kernel answers EIO once the lock is lost, and ESTALE when the server no longer knows the file.
fn judged(error: io::Error) -> LockError {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EIO | Errno::ESTALE | Errno::EBADF | Errno::ENOLCK) => LockError::Lost(error.to_string()),
        _ => LockError::Unreachable(error),
    }
}

fn set(file: &File, kind: libc::c_int) -> Result<(), Errno> {
    let whole = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    loop {
        match fcntl(file, FcntlArg::F_OFD_SETLK(&whole)) {
            Err(Errno::EINTR) => {}
            other => return other.map(|_| ()),
        }
    }
}

impl Lock for NfsLock {
    fn acquire(&mut self) -> Result<(), LockError> {
        if self.file.is_some() {
            return self.renew();
        }
        // Opened anew at each attempt: a file that stays open would show its old content.
        let file = self.open().map_err(LockError::Unreachable)?;
        if self.only_nfs {
            let kind = fstatfs(&file).map_err(|e| LockError::Unreachable(e.into()))?.f_type;
            if i128::from(kind) != i128::from(NFS_SUPER_MAGIC) {
                return Err(LockError::Refused(format!(
                    "{} is not on an NFS file system: check that it is mounted",
                    self.folder.mount().display()
                )));
            }
        }
        match set(&file, libc::F_WRLCK) {
            Ok(()) => {}
            Err(Errno::EAGAIN | Errno::EACCES) => return Err(LockError::Busy { holder: holder(&file) }),
            Err(error) => return Err(LockError::Unreachable(error.into())),
        }
        match self.prove(&file) {
            Ok(()) => {
                self.file = Some(file);
                Ok(())
            }
            // Never held as far as anybody could tell; closing the file lets it go.
            Err(error) => Err(LockError::Unreachable(error)),
        }
    }

    fn renew(&mut self) -> Result<(), LockError> {
        let Some(file) = self.file.take() else {
            return Err(LockError::Lost("it is not held".to_owned()));
        };
        match self.prove(&file).map_err(judged) {
            // Nothing more may be written by this file; closing it frees what may be left of the lock.
            Err(error @ LockError::Lost(_)) => Err(error),
            other => {
                self.file = Some(file);
                other
            }
        }
    }

    fn release(&mut self) -> Result<(), LockError> {
        match self.file.take() {
            None => Ok(()),
            Some(file) => set(&file, libc::F_UNLCK).map_err(|e| LockError::Unreachable(e.into())),
        }
    }

    fn lease(&self) -> Duration {
        self.lease
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance::{Bench, conformance_of_living_hosts};
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Short, so that the suite's waits are.
    const LEASE: Duration = Duration::from_millis(400);

    /// A local directory: each open file stands for a host of its own.
    struct Directory(tempfile::TempDir, AtomicUsize);

    impl Bench for Directory {
        fn keeper(&self, instance: &str) -> Box<dyn Lock> {
            let token = format!("k{}", self.1.fetch_add(1, Ordering::Relaxed));
            Box::new(NfsLock::new(self.0.path(), "QM1", instance, &token, LEASE))
        }
    }

    #[test]
    fn obeys_the_rules_of_a_lock_between_living_hosts() {
        let bench = Directory(tempfile::tempdir().expect("tempdir"), AtomicUsize::new(0));
        conformance_of_living_hosts(&bench).expect("conformance");
        eprintln!(
            "skipped: the rules of a frozen host need a server with leases, which tests/hosts has and a local directory has not"
        );
    }

    #[test]
    fn the_file_tells_who_holds_the_lock_and_never_grows() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut first = NfsLock::new(dir.path(), "QM1", "i-1", &"k".repeat(200), LEASE);
        let mut second = NfsLock::new(dir.path(), "QM1", "i-2", "k2", LEASE);
        first.acquire().expect("free");
        for _ in 0..3 {
            first.renew().expect("held");
        }
        let length = |lock: &NfsLock| fs::metadata(lock.path().expect("path")).expect("file").len();
        assert_eq!(length(&first), LINE as u64);
        assert!(matches!(second.acquire(), Err(LockError::Busy { holder }) if holder == "i-1"));
        first.release().expect("release");
        second.acquire().expect("free again");
        assert!(matches!(first.acquire(), Err(LockError::Busy { holder }) if holder == "i-2"));
        assert_eq!(length(&second), LINE as u64);
    }

    #[test]
    fn the_lock_is_the_file_that_an_agent_of_the_version_before_holds() {
        for name in ["QM1", "DEV.MGR", "%_", "ORDERS/EU"] {
            let dir = tempfile::tempdir().expect("tempdir");
            // As that version made its path: of the name as it is.
            let path = dir.path().join(".mqaws").join(name).join("lock");
            fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
            fs::write(&path, "i-old token 7\n").expect("lock");
            let held = OpenOptions::new().write(true).open(&path).expect("lock");
            set(&held, libc::F_WRLCK).expect("free");
            let mut lock = NfsLock::new(dir.path(), name, "i-new", "k2", LEASE);
            let busy = lock.acquire();
            assert!(
                matches!(busy, Err(LockError::Busy { ref holder }) if holder == "i-old"),
                "{name}: {busy:?}"
            );
            drop(held);
            lock.acquire().expect("free");
        }
    }

    #[test]
    fn another_open_file_of_the_same_process_does_not_lose_the_lock() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut lock = NfsLock::new(dir.path(), "QM1", "i-1", "k1", LEASE);
        lock.acquire().expect("free");
        // What would free a lock that belongs to the process.
        drop(File::open(lock.path().expect("path")).expect("open"));
        let mut other = NfsLock::new(dir.path(), "QM1", "i-2", "k2", LEASE);
        assert!(matches!(other.acquire(), Err(LockError::Busy { .. })));
    }

    #[test]
    fn what_an_error_of_the_file_system_says_about_the_lock() {
        let lost = |errno: Errno| matches!(judged(errno.into()), LockError::Lost(_));
        for errno in [Errno::EIO, Errno::ESTALE, Errno::EBADF, Errno::ENOLCK] {
            assert!(lost(errno), "{errno}");
        }
        for errno in [Errno::ETIMEDOUT, Errno::EACCES, Errno::ENOENT, Errno::EINTR] {
            assert!(!lost(errno), "{errno}");
        }
        assert!(is_full(&Errno::ENOSPC.into()) && is_full(&Errno::EDQUOT.into()));
    }

    #[test]
    fn a_local_disk_is_refused_where_only_nfs_will_do() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut lock = NfsLock::new(dir.path(), "QM1", "i-1", "k1", LEASE).only_on_nfs();
        let why = lock.acquire().expect_err("no NFS").to_string();
        assert!(why.contains("is not on an NFS file system"), "{why}");
        assert!(matches!(lock.renew(), Err(LockError::Lost(_))), "it is not held");
    }

    #[test]
    fn a_mount_that_cannot_be_written_is_neither_busy_nor_lost() {
        let dir = tempfile::tempdir().expect("tempdir");
        fs::write(dir.path().join(".mqaws"), "a file where a directory belongs").expect("write");
        let mut lock = NfsLock::new(dir.path(), "QM1", "i-1", "k1", LEASE);
        assert!(matches!(lock.acquire(), Err(LockError::Unreachable(_))));
        assert!(matches!(lock.renew(), Err(LockError::Lost(_))));
    }
}

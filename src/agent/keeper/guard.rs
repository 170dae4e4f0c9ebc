//! The self-fence: a thread that only reads a clock decides when this host must be reset.
//!
//! It touches neither the mount nor the lock, both of which may hang in the kernel. A host is guarded from the moment it
//! obtains the lock until the data is let go, also across the death of a keeper: what the dead one's engine wrote may still
//! be in this kernel's memory, on its way to the file system. So the time of the last proof is kept in a file beside the
//! socket, on memory that a reboot empties, and the next keeper of this boot goes on from there.

use super::server::Shared;
use crate::agent::clock::since_boot;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Period of the look at the clock, shorter where T is short.
const LOOK: Duration = Duration::from_millis(250);

/// Milliseconds of the clock that counts suspended time: a host that was frozen must not believe in an old lease.
pub(super) fn boot_millis() -> u64 {
    u64::try_from(since_boot().as_millis()).unwrap_or(u64::MAX)
}

/// When the lock was last proved to be held, for as long as this host may have written under it.
#[derive(Debug)]
pub(super) struct LastProof {
    /// Milliseconds of [`boot_millis`]; 0 while nothing is guarded.
    at: AtomicU64,
    file: PathBuf,
    boot: String,
}

impl LastProof {
    /// Goes on where an earlier keeper of this boot ended, if one did without letting go.
    pub fn inherit(socket: &Path, boot: &str) -> Self {
        let file = socket.with_extension("guard");
        let inherited = fs::read_to_string(&file).ok().and_then(|text| {
            let (at, of) = text.trim().split_once(' ')?;
            (of == boot).then(|| at.parse().ok())?
        });
        if let Some(at) = inherited {
            tracing::warn!(at, "an earlier keeper ended without letting go; its guard goes on");
        }
        Self {
            at: AtomicU64::new(inherited.unwrap_or_default()),
            file,
            boot: boot.to_owned(),
        }
    }

    /// The lock was proved by a request that was sent at this time.
    pub fn proved(&self, at: u64) {
        self.at.store(at, Ordering::Release);
        if let Err(error) = self.write(at) {
            tracing::warn!(%error, file = %self.file.display(), "the guard's time was not written");
        }
    }

    fn write(&self, at: u64) -> io::Result<()> {
        let new = self.file.with_extension("guard.new");
        fs::write(&new, format!("{at} {}\n", self.boot))?;
        fs::rename(new, &self.file)
    }

    /// Everything is written back and let go: there is nothing to guard.
    pub fn let_go(&self) {
        self.at.store(0, Ordering::Release);
        let _ = fs::remove_file(&self.file);
    }

    /// How long ago that was; `None` while nothing is guarded.
    pub fn age(&self) -> Option<Duration> {
        match self.at.load(Ordering::Acquire) {
            0 => None,
            at => Some(Duration::from_millis(boot_millis().saturating_sub(at))),
        }
    }
}

impl Shared {
    /// Looks at the clock until the keeper ends.
    pub(super) fn guard_loop(&self) {
        let pause = LOOK.min(self.times.self_reset / 8);
        while !self.has_ended() {
            thread::sleep(pause);
            if let Some(age) = self.last_proof.age()
                && self.times.must_reset(age)
            {
                self.lose(&format!("the lock was not proved for {} ms", age.as_millis()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_is_inherited_within_one_boot_until_the_data_is_let_go() {
        let dir = tempfile::tempdir().expect("tempdir");
        let socket = dir.path().join("keeper.sock");
        let first = LastProof::inherit(&socket, "boot-1");
        assert_eq!(first.age(), None);
        first.proved(boot_millis());
        let next = LastProof::inherit(&socket, "boot-1");
        assert!(next.age().is_some());
        assert_eq!(LastProof::inherit(&socket, "boot-2").age(), None, "a new kernel");
        next.let_go();
        assert_eq!(LastProof::inherit(&socket, "boot-1").age(), None);
    }
}

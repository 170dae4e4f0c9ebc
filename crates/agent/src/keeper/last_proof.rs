//! When the lock was last proved to be held: kept in a file beside the socket, on memory that a reboot empties, so that the next
//! keeper of this boot goes on where a dead one ended.

use crate::agent::clock::since_boot;
use crate::fence::BootId;
use mqaws_files::AtomicWrite;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Milliseconds of the clock that counts suspended time: a host that was frozen must not believe in an old lease.
pub(super) fn boot_millis() -> u64 {
    u64::try_from(since_boot().as_millis()).unwrap_or(u64::MAX)
}

/// Where the time of the last proof is kept for as long as this boot guards anything.
pub(crate) fn guard_file(socket: &Path) -> PathBuf {
    socket.with_extension("guard")
}

/// When the lock was last proved to be held, for as long as this host may have written under it.
///
/// A guard that comes from a dead keeper stays as old as it is when the lock is obtained again: between that and the new
/// claim this host gives no sign of life, so a successor may count on T.
#[derive(Debug)]
pub(super) struct LastProof {
    /// Milliseconds of [`boot_millis`] of the last proof by this keeper; 0 before the first, and when the data was let go.
    proved: AtomicU64,
    /// The same of an earlier keeper that ended without letting go; 0 when there is none.
    inherited: AtomicU64,
    file: PathBuf,
    boot: BootId,
}

impl LastProof {
    /// Goes on where an earlier keeper of this boot ended, if one did without letting go.
    pub(super) fn inherit(socket: &Path, boot: &BootId) -> Self {
        let file = guard_file(socket);
        let inherited = fs::read_to_string(&file).ok().and_then(|text| {
            let (at, of) = text.trim().split_once(' ')?;
            (of == boot.as_str()).then(|| at.parse().ok())?
        });
        if let Some(at) = inherited {
            tracing::warn!(
                at,
                "an earlier keeper exited without releasing the lock; its guard is still running"
            );
        }
        Self {
            proved: AtomicU64::new(0),
            inherited: AtomicU64::new(inherited.unwrap_or_default()),
            file,
            boot: boot.clone(),
        }
    }

    /// The lock was proved by a request that was sent at this time.
    pub(super) fn proved(&self, at: u64) {
        self.proved.store(at, Ordering::Release);
        if self.inherited.load(Ordering::Acquire) == 0 {
            self.write(at);
        }
    }

    /// The data was claimed under the lock: from here on the sign of life speaks for this keeper.
    pub(super) fn claimed(&self) {
        if self.inherited.swap(0, Ordering::AcqRel) != 0 {
            self.write(self.proved.load(Ordering::Acquire));
        }
    }

    fn write(&self, at: u64) {
        let written = AtomicWrite::to(&self.file).write(format!("{at} {}\n", self.boot).as_bytes());
        if let Err(error) = written {
            tracing::warn!(%error, file = %self.file.display(), "the guard's time was not written");
        }
    }

    /// Everything is written back and let go: there is nothing to guard.
    pub(super) fn let_go(&self) {
        self.proved.store(0, Ordering::Release);
        self.inherited.store(0, Ordering::Release);
        let _ = fs::remove_file(&self.file);
    }

    /// How long ago this keeper proved the lock; `None` before it did.
    pub(super) fn lock_age(&self) -> Option<Duration> {
        age(&self.proved)
    }

    /// An earlier keeper's guard goes on: this one has neither claimed nor let go.
    pub(super) fn is_inherited(&self) -> bool {
        self.inherited.load(Ordering::Acquire) != 0
    }

    /// The age that T is compared with; `None` while nothing is guarded.
    pub(super) fn guard_age(&self) -> Option<Duration> {
        age(&self.inherited).or_else(|| age(&self.proved))
    }
}

fn age(at: &AtomicU64) -> Option<Duration> {
    match at.load(Ordering::Acquire) {
        0 => None,
        at => Some(Duration::from_millis(boot_millis().saturating_sub(at))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(text: &str) -> BootId {
        text.parse().expect("an id")
    }

    #[test]
    fn a_guard_is_inherited_within_one_boot_until_the_data_is_let_go() {
        let dir = tempfile::tempdir().expect("tempdir");
        let socket = dir.path().join("keeper.sock");
        let first = LastProof::inherit(&socket, &boot("boot-1"));
        assert_eq!(first.guard_age(), None);
        first.proved(boot_millis());
        let next = LastProof::inherit(&socket, &boot("boot-1"));
        assert!(next.guard_age().is_some());
        assert_eq!(next.lock_age(), None, "this keeper has proved nothing");
        assert_eq!(
            LastProof::inherit(&socket, &boot("boot-2")).guard_age(),
            None,
            "a new kernel"
        );
        next.let_go();
        assert_eq!(LastProof::inherit(&socket, &boot("boot-1")).guard_age(), None);
    }

    #[test]
    fn an_inherited_guard_stays_as_old_as_it_is_until_the_data_is_claimed_anew() {
        let dir = tempfile::tempdir().expect("tempdir");
        let socket = dir.path().join("keeper.sock");
        let hour = 3_600_000;
        fs::write(dir.path().join("keeper.guard"), "1 boot-1\n").expect("guard");
        let keeper = LastProof::inherit(&socket, &boot("boot-1"));
        keeper.proved(boot_millis() + hour);
        assert!(
            keeper.guard_age() > Some(Duration::ZERO),
            "an hour ahead is no age at all"
        );
        assert_eq!(keeper.lock_age(), Some(Duration::ZERO));
        assert!(
            LastProof::inherit(&socket, &boot("boot-1")).guard_age() > Some(Duration::ZERO),
            "for the one after it, too"
        );
        keeper.claimed();
        assert_eq!(keeper.guard_age(), Some(Duration::ZERO));
        assert_eq!(
            LastProof::inherit(&socket, &boot("boot-1")).guard_age(),
            Some(Duration::ZERO)
        );
    }
}

//! What the threads of a keeper have in common.

use super::last_proof::LastProof;
use super::protocol::{KeeperConfig, KeeperStatus, Notice, Reply, Request};
use crate::agent::ports::{HostReset, Init};
use crate::fence::{LeaseTimes, OwnerSeen};
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock};
use std::thread;
use std::time::{Duration, Instant};

/// Stack of each thread.
pub(super) const STACK: usize = 128 * 1024;

/// Longest wait for the lock's thread.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// What the thread of the lock is asked for.
pub(super) enum LockOrder {
    /// Renew now and say whether the lock is held.
    Verify(Sender<bool>),
    /// Release and say when it is done.
    Release(Sender<()>),
    /// Give back what was obtained and not used, say whether that is done, and try again after a while.
    StandBack(Sender<bool>),
}

/// A request that waits for the thread of the record.
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) reply: Sender<Reply>,
}

pub(super) struct Shared {
    pub(super) status: Mutex<KeeperStatus>,
    pub(super) watchers: Mutex<Vec<(u64, UnixStream)>>,
    pub(super) watcher_ids: AtomicU64,
    pub(super) watching: AtomicUsize,
    pub(super) alone_since: Mutex<Instant>,
    pub(super) last_proof: LastProof,
    /// The lock's lease in milliseconds, 0 until it is known.
    pub(super) lease: AtomicU64,
    pub(super) times: LeaseTimes,
    /// The lock was lost: the guard resets the host, whoever else does.
    pub(super) lost: AtomicBool,
    /// Somebody says that it was lost.
    pub(super) told: AtomicBool,
    /// When the guard last looked, milliseconds of the clock that counts suspended time.
    pub(super) looked: AtomicU64,
    /// This host says of itself that it is not ready to take over.
    pub(super) unready: AtomicBool,
    /// What this host has seen of the owner while it waits.
    pub(super) owner: Mutex<OwnerSeen>,
    pub(super) busy_since: Mutex<Option<Instant>>,
    /// The file system had no room at the last sign of life.
    pub(super) full: AtomicBool,
    pub(super) jobs: Sender<Job>,
    pub(super) orders: Sender<LockOrder>,
    pub(super) reset: Arc<dyn HostReset>,
    pub(super) init: Arc<dyn Init>,
    /// Open while commands of the engine may be run; whoever runs one holds it for reading.
    pub(super) gate: RwLock<bool>,
    /// Set once; the mutex is only what waiting for it needs.
    pub(super) ended: AtomicBool,
    pub(super) ending: Mutex<()>,
    pub(super) end: Condvar,
    pub(super) config: KeeperConfig,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

pub(super) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK)
        .spawn(body)
        .map(|_| ())
}

impl Shared {
    pub(super) fn tell(&self, notice: &Notice) {
        let Ok(mut line) = serde_json::to_vec(notice) else {
            return;
        };
        line.push(b'\n');
        locked(&self.watchers).retain_mut(|(_, stream)| stream.write_all(&line).is_ok());
    }

    pub(super) fn held(&self) -> bool {
        locked(&self.status).held
    }

    /// Whether the lock was proved so lately that a write begun now ends before anybody else may have it.
    pub(super) fn fresh(&self) -> bool {
        let half = Duration::from_millis(self.lease.load(Ordering::Acquire) / 2);
        !self.lost.load(Ordering::Acquire) && self.held() && self.last_proof.lock_age().is_some_and(|age| age < half)
    }

    pub(super) fn end(&self) {
        let ending = locked(&self.ending);
        self.ended.store(true, Ordering::Release);
        drop(ending);
        self.end.notify_all();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Waits a while; true when the keeper has ended.
    pub(super) fn ends_within(&self, wait: Duration) -> bool {
        let ending = locked(&self.ending);
        drop(self.end.wait_timeout_while(ending, wait, |()| !self.has_ended()));
        self.has_ended()
    }
}

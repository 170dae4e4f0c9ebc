//! Obtaining, renewing and losing the lock: one thread of the keeper.

use super::last_proof::boot_millis;
use super::protocol::Notice;
use super::shared::{ANSWER, LockOrder, Shared, locked};
use crate::fence::{Lock, LockError, OwnerRecord, RecordStore, STAND_BACK, StandbyNote};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

/// Wait between two attempts to obtain a lock that another holds.
const BUSY: Duration = Duration::from_millis(100);
/// The same of a host that is not ready to take over: one that is goes first.
const UNREADY: Duration = Duration::from_secs(1);
/// The same of a host that has just let go of the data by itself, beside one that waits: that one is to have its turn.
const HANDED_OVER: Duration = Duration::from_secs(5);
/// Longest wait between two renewals.
const RENEW: Duration = Duration::from_secs(5);

impl Shared {
    pub(super) fn lock_loop(&self, mut lock: Box<dyn Lock>, orders: &Receiver<LockOrder>) {
        let mut wait = self.first_wait();
        loop {
            let verify = match orders.recv_timeout(wait) {
                Ok(LockOrder::Release(done)) => {
                    if let Err(error) = lock.release() {
                        tracing::warn!(%error, "the lock was not released properly; its lease expires on its own");
                    }
                    self.last_proof.let_go();
                    locked(&self.status).held = false;
                    let _ = done.send(());
                    return;
                }
                Ok(LockOrder::StandBack(done)) => {
                    let released = lock.release();
                    if let Err(error) = &released {
                        tracing::warn!(%error, "the lock was not given back");
                    } else {
                        tracing::info!("the owner's heartbeat is recent: the owner may take the lock first");
                        self.last_proof.let_go();
                        locked(&self.status).held = false;
                        wait = STAND_BACK;
                    }
                    let _ = done.send(released.is_ok());
                    continue;
                }
                Ok(LockOrder::Verify(answer)) => Some(answer),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let proved = if self.lost.load(Ordering::Acquire) {
                // Neither renewed nor let go before the reset is done.
                Err(BUSY)
            } else if self.held() {
                self.renew(&mut *lock)
            } else {
                self.obtain(&mut *lock)
            };
            // An older proof that is still fresh is no answer to whoever asks now.
            if let Some(answer) = verify {
                let _ = answer.send(proved.is_ok() && self.fresh());
            }
            wait = match proved {
                Ok(wait) | Err(wait) => wait,
            };
            if self.has_ended() {
                return;
            }
        }
    }

    /// How long a keeper that has just begun leaves the lock alone: for the host that waits, if there is one. The host that had the lock
    /// goes on at once, unless it has let go of the data.
    fn first_wait(&self) -> Duration {
        let store = RecordStore::new(&self.config.mount, &self.config.queue_manager);
        let others = |note: &StandbyNote| note.instance != self.config.instance;
        let waits = || store.standbys().is_ok_and(|notes| notes.iter().any(others));
        if self.last_proof.is_inherited() || !waits() {
            return Duration::ZERO;
        }
        let own = |record: &OwnerRecord| record.released && record.owner.instance.id() == Some(&self.config.instance);
        match store.read() {
            Ok(Some(record)) if own(&record) => HANDED_OVER,
            _ => UNREADY,
        }
    }

    /// What a host that waits has seen of the owner, on this file system and elsewhere than here.
    pub(super) fn look_at_owner(&self, record: Option<&OwnerRecord>) {
        let file_system = &self.config.file_system;
        let other = |record: &&OwnerRecord| {
            record.owner.instance.id() != Some(&self.config.instance) && record.original(file_system).is_none()
        };
        locked(&self.owner).look(Duration::from_millis(boot_millis()), record.filter(other));
    }

    /// Whether the owner's next keeper is to have the lock that this host has obtained, and has not used.
    pub(super) fn lets_the_owner_go_first(&self, record: Option<&OwnerRecord>) -> bool {
        self.look_at_owner(record);
        let lease = Duration::from_millis(self.lease.load(Ordering::Acquire));
        !self.last_proof.is_inherited() && locked(&self.owner).goes_first(Duration::from_millis(boot_millis()), lease)
    }

    /// Gives the lock back that was obtained and not used, and leaves it alone for a while.
    pub(super) fn stand_back(&self) -> bool {
        let (done, stood_back) = mpsc::channel();
        self.orders.send(LockOrder::StandBack(done)).is_ok() && stood_back.recv_timeout(ANSWER).unwrap_or(false)
    }

    fn proved(&self, lock: &dyn Lock, at: u64) -> Duration {
        self.last_proof.proved(at);
        let lease = lock.lease();
        let millis = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        self.lease.store(millis, Ordering::Release);
        (lease / 4).min(RENEW)
    }

    /// Tries to obtain the lock; how long to wait for the renewal, or for the next attempt.
    fn obtain(&self, lock: &mut dyn Lock) -> Result<Duration, Duration> {
        // Obtaining may take longer than T, and this host has written nothing under the lock meanwhile: its guard begins with
        // a renewal of what was obtained.
        let obtained = lock.acquire().map(|()| boot_millis());
        match obtained.and_then(|asked| lock.renew().map(|()| asked)) {
            Ok(asked) => {
                let wait = self.proved(lock, asked);
                let mut status = locked(&self.status);
                status.held = true;
                status.holder = None;
                drop(status);
                tracing::info!("lock obtained");
                self.tell(&Notice::Held);
                Ok(wait)
            }
            Err(LockError::Busy { holder }) => {
                let before = locked(&self.status).holder.replace(holder.clone());
                if before.as_deref() != Some(&holder) {
                    tracing::info!(holder, "lock busy");
                    self.tell(&Notice::Busy { holder });
                }
                // The host that had the lock goes first, whatever it says of itself: it waits only until it is given back.
                Err(
                    if self.unready.load(Ordering::Acquire) && !self.last_proof.is_inherited() {
                        UNREADY
                    } else {
                        BUSY
                    },
                )
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "lock not obtained");
                Err(BUSY * 5)
            }
        }
    }

    /// Renews the lock; how long to wait for the next renewal, or for the next attempt.
    fn renew(&self, lock: &mut dyn Lock) -> Result<Duration, Duration> {
        let asked = boot_millis();
        match lock.renew() {
            Ok(()) => Ok(self.proved(lock, asked)),
            Err(LockError::Lost(why)) => {
                self.lose(&why);
                Err(Duration::ZERO)
            }
            // Says nothing about who holds it; how long that may go on is the guard's to decide.
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "lock not renewed");
                Err(BUSY)
            }
        }
    }

    /// The lock is lost: whatever can write must end now, whatever else happens. The guard resets as well from here on,
    /// should this thread come no further.
    pub(super) fn lose(&self, why: &str) {
        self.lost.store(true, Ordering::Release);
        self.reset.reset(why);
        self.after_reset(why);
    }

    /// A real reset does not return; one in a lab has ended the engine.
    pub(super) fn after_reset(&self, why: &str) {
        if self.told.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::error!(why, "lock lost, reset");
        locked(&self.status).held = false;
        self.last_proof.let_go();
        self.tell(&Notice::Lost { why: why.to_owned() });
        self.end();
    }
}

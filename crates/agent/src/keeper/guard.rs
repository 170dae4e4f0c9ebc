//! The self-fence: a thread that only reads a clock decides when this host must be reset.
//!
//! It touches neither the mount nor the lock, both of which may hang in the kernel. A host is guarded from the moment it
//! obtains the lock until the data is let go, also across the death of a keeper: what the dead one's engine wrote may still
//! be in this kernel's memory, on its way to the file system. So the time of the last proof outlives it
//! ([`LastProof`](super::last_proof::LastProof)), and the next keeper of this boot goes on from there.

use super::last_proof::boot_millis;
use super::shared::{STACK, Shared, spawn};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// Period of the look at the clock, shorter where T is short.
const LOOK: Duration = Duration::from_millis(250);

/// Period of the sign of life for the init system.
const TELL: Duration = Duration::from_secs(1);

/// Why the guard resets.
const UNPROVED: &str =
    "the lock was lost, or could not be verified for the time that this host may continue without it";

/// Uses the guard's stack once: it is locked in memory from its first use on, and a reset must not have to ask for more.
#[inline(never)]
fn use_stack() {
    let mut space = [0_u8; STACK / 4];
    std::hint::black_box(&mut space);
}

impl Shared {
    /// Looks at the clock until the keeper ends, and resets the host at every look for which that is due: before the reset
    /// there is no log, no mutex, no memory to ask for and no system call that can wait.
    pub(super) fn guard_loop(self: &Arc<Self>) {
        use_stack();
        let pause = LOOK.min(self.times.self_reset / 8);
        let mut begun = false;
        while !self.has_ended() {
            self.looked.store(boot_millis(), Ordering::Release);
            if self.reset_is_due() {
                // For a reset that takes its time: nothing that writes begins meanwhile.
                self.lost.store(true, Ordering::Release);
                self.reset.reset(UNPROVED);
                // A real reset does not return. What comes after one that does may wait, and must not hold up the next look.
                let shared = self.clone();
                begun = begun || spawn("lost", move || shared.after_reset(UNPROVED)).is_ok();
            }
            thread::sleep(pause);
        }
    }

    fn reset_is_due(&self) -> bool {
        let too_old = |age| self.times.must_reset(age);
        self.lost.load(Ordering::Acquire) || self.last_proof.guard_age().is_some_and(too_old)
    }

    /// Tells the init system for as long as the guard looks, and no longer once a reset is due: who guards the guard.
    ///
    /// A keeper that hangs is killed with its engine, and the next one of this boot inherits its guard. On a thread of its
    /// own, since an init system that hangs must not hold up the guard.
    pub(super) fn watchdog_loop(&self) {
        loop {
            let looked = Duration::from_millis(boot_millis().saturating_sub(self.looked.load(Ordering::Acquire)));
            if looked < TELL * 2 && !self.reset_is_due() {
                let guards = self.last_proof.guard_age().is_some();
                self.init.alive(if guards { "guarding" } else { "nothing to guard" });
            }
            if self.ends_within(TELL) {
                return;
            }
        }
    }
}

//! How long a previous owner has been silent.

use std::time::Duration;

/// The previous owner's sign of life, timed by this host's clock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SignOfLife {
    /// Its value.
    alive: u64,
    /// When that value was first seen, or the inquiry began.
    since: Duration,
    /// When it was last seen.
    seen: Duration,
    /// How long it must stand still.
    wait: Duration,
}

impl SignOfLife {
    /// This value, seen first now; it must stand still for longer than `wait`.
    pub(super) fn new(alive: u64, now: Duration, wait: Duration) -> Self {
        Self {
            alive,
            since: now,
            seen: now,
            wait,
        }
    }

    /// Its value.
    pub(super) fn alive(&self) -> u64 {
        self.alive
    }

    /// How long it must stand still.
    pub(super) fn wait(&self) -> Duration {
        self.wait
    }

    /// What was read between these two moments counts from the later one, and stands still until the earlier one.
    pub(super) fn look(&mut self, asked: Duration, now: Duration, alive: u64) {
        if alive == self.alive {
            self.seen = asked.max(self.seen);
        } else {
            self.alive = alive;
            self.since = now;
            self.seen = now;
        }
    }

    /// For how long it has stood still.
    pub(super) fn silent(&self) -> Duration {
        self.seen.saturating_sub(self.since)
    }

    /// Whether it has stood still for long enough.
    pub(super) fn is_over(&self) -> bool {
        self.silent() > self.wait
    }
}

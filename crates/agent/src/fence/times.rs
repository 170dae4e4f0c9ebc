//! When a host gives itself up, and how long its successor waits: one pair, so that the second is always the longer.

pub use mqaws_contract::lease::{MARGIN, SELF_RESET};
use std::time::Duration;

/// The pair: the self-reset bound T, and with it the wait of the proof `lease`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseTimes {
    /// See [`SELF_RESET`].
    pub self_reset: Duration,
    /// See [`MARGIN`].
    pub margin: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self {
            self_reset: SELF_RESET,
            margin: MARGIN,
        }
    }
}

impl LeaseTimes {
    /// How long the previous owner's sign of life must not change before that proves something, for a lock of this lease.
    ///
    /// A previous owner whose lock is proved now may go on for T; a lock that was proved now is freed after the lease.
    pub fn wait(&self, lease: Duration) -> Duration {
        lease.saturating_add(self.self_reset).saturating_add(self.margin)
    }

    /// Whether a host whose lock was last proved this long ago must reset itself.
    pub fn must_reset(&self, unproved: Duration) -> bool {
        unproved >= self.self_reset
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_successor_waits_longer_than_the_previous_owner_may_go_on(lease in 0u64..1_000_000) {
            let times = LeaseTimes::default();
            let lease = Duration::from_millis(lease);
            let wait = times.wait(lease);
            // By a clock that runs a tenth too fast, against one that runs a tenth too slow.
            let shortest = wait * 10 / 11;
            let longest = (lease + times.self_reset) * 10 / 11;
            prop_assert!(shortest > longest);
            prop_assert!(times.must_reset(times.self_reset) && !times.must_reset(times.self_reset - Duration::from_millis(1)));
        }
    }
}

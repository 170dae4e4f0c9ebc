//! When a call is worth repeating, and how long to wait first.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// How often and how fast calls are repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all.
    pub(crate) attempts: u32,
    /// Longest wait before the second attempt; doubles with each.
    pub(crate) base: Duration,
    /// No wait is longer.
    pub(crate) cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 8,
            base: Duration::from_millis(100),
            cap: Duration::from_secs(5),
        }
    }
}

impl RetryPolicy {
    /// The wait before attempt `number` (2 is the first repetition): anywhere between nothing and the bound, by `spread`
    /// in 0..=1, so that many agents do not come back at once.
    pub(crate) fn wait(&self, number: u32, spread: f64) -> Duration {
        let doublings = number.saturating_sub(2).min(16);
        let bound = self.base.saturating_mul(1 << doublings).min(self.cap);
        bound.mul_f64(spread.clamp(0.0, 1.0))
    }
}

/// A number in 0..1 that differs from call to call; needs no generator of its own.
pub(super) fn spread() -> f64 {
    let word = std::hash::RandomState::new().build_hasher().finish();
    (word >> 11) as f64 / (1u64 << 53) as f64
}

/// Whether AWS's answer says "try again".
pub(super) fn repeatable(status: u16, code: &str) -> bool {
    const CODES: [&str; 16] = [
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "BandwidthLimitExceeded",
        "SlowDown",
        "RequestTimeout",
        "RequestTimeoutException",
        "InternalError",
        "InternalFailure",
        "ServiceUnavailable",
    ];
    matches!(status, 429 | 500 | 502 | 503 | 504) || CODES.contains(&code)
}

/// Whether AWS's answer says that the credentials have ended.
pub(super) fn expired(code: &str) -> bool {
    matches!(code, "ExpiredToken" | "ExpiredTokenException" | "RequestExpired")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_repeated() {
        let cases = [
            (400, "Throttling", true),
            (400, "ThrottlingException", true),
            (503, "Unavailable", true),
            (500, "", true),
            (400, "ValidationError", false),
            (403, "AccessDenied", false),
            (400, "InvalidInstanceID.NotFound", false),
        ];
        for (status, code, expected) in cases {
            assert_eq!(repeatable(status, code), expected, "{status} {code}");
        }
    }

    proptest! {
        #[test]
        fn waits_grow_and_stay_bounded(number in 0u32..100, spread in -1.0f64..2.0) {
            let policy = RetryPolicy::default();
            let wait = policy.wait(number, spread);
            prop_assert!(wait <= policy.cap);
            prop_assert!(policy.wait(number, 1.0) >= policy.wait(number.saturating_sub(1), 1.0));
        }

        #[test]
        fn the_spread_is_a_fraction(_ in 0u8..50) {
            let s = spread();
            prop_assert!((0.0..1.0).contains(&s));
        }
    }
}

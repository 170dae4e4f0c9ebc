//! How clients come back once service is back.

/// How a client comes back: after these pauses, in milliseconds, the last of them again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// What it is.
    pub name: &'static str,
    /// The pauses.
    pub pauses_ms: &'static [u64],
}

/// Pauses of 25 ms for a second, then of 100 ms.
const OF_THE_TEST: [u64; 41] = {
    let mut pauses = [25; 41];
    pauses[40] = 100;
    pauses
};

/// The ways of clients to come back; the first is that of the failover test's own clients.
pub const RECONNECTS: [Reconnect; 3] = [
    Reconnect {
        name: "every 25 ms for 1 s, then every 100 ms: failover-test",
        pauses_ms: &OF_THE_TEST,
    },
    Reconnect {
        name: "ReconDelay=(200,100)(200,100)(500,100)",
        pauses_ms: &[300, 300, 600],
    },
    Reconnect {
        name: "doubling: 0.1, 1, 2, 4, 8, 16 s",
        pauses_ms: &[100, 1000, 2000, 4000, 8000, 16_000],
    },
];

impl Reconnect {
    /// When a client is served by a service that is back after so many seconds: its first attempt that is not before that.
    #[must_use]
    pub fn served_s(&self, back_s: f64) -> f64 {
        let last = self.pauses_ms.last().copied().unwrap_or(1).max(1);
        let back = (back_s.clamp(0.0, 1e9) * 1000.0).ceil() as u64;
        let mut at = 0;
        for pause in self.pauses_ms {
            at += pause;
            if at >= back {
                return at as f64 / 1000.0;
            }
        }
        at += (back - at).div_ceil(last) * last;
        at as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_come_back_at_their_first_attempt_that_is_not_too_early() {
        let [steady, tuned, doubling] = RECONNECTS;
        // The article's example: back at 7.2 s, seen at 15.1 s.
        for (way, back, served) in [
            (doubling, 7.2, 15.1),
            (doubling, 0.05, 0.1),
            (doubling, 31.2, 47.1),
            (tuned, 7.2, 7.2),
            (tuned, 0.31, 0.6),
            (steady, 0.33, 0.35),
            (steady, 7.25, 7.3),
        ] {
            assert!((way.served_s(back) - served).abs() < 1e-9, "{} {back}", way.name);
        }
    }
}

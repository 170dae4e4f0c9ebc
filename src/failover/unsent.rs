//! Slots that were not sent: an outage explains them, or a pause of this process. Beyond that the load was not the one that was asked for.

use super::account::Account;
use super::gap::{Outage, Worker};
use super::round::Stalled;

/// More than one slot in so many that was not sent, and that nothing explains, is another load.
const ALLOWED: u64 = 10;

/// Slots of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unsent {
    /// All that came due.
    pub slots: u64,
    /// Those without a connection, or with a full window.
    pub unsent: u64,
    /// How many of them outages and pauses of this process account for, at most.
    pub explained: u64,
}

impl Unsent {
    /// Counts the slots of a round at `rate` a second and producer.
    pub(super) fn of(account: &Account, outages: &[Outage], stalls: &[Stalled], rate: u32) -> Self {
        let stalled_ns: u64 = stalls.iter().map(|stall| stall.to_ns - stall.from_ns).sum();
        let producers = outages
            .iter()
            .filter(|outage| matches!(outage.worker, Worker::Producer(_)));
        let down_ns: u64 = producers.map(|outage| outage.total_ns.saturating_add(stalled_ns)).sum();
        let explained = u128::from(down_ns) * u128::from(rate) / 1_000_000_000;
        let (counts, apart) = (&account.persistent, &account.non_persistent);
        Self {
            slots: counts.slots + apart.slots,
            unsent: counts.not_sent + apart.not_sent,
            explained: u64::try_from(explained).unwrap_or(u64::MAX),
        }
    }

    /// Those that nothing accounts for, when they are too many.
    #[must_use]
    pub fn too_many(&self) -> Option<u64> {
        let unexplained = self.unsent.saturating_sub(self.explained);
        (unexplained.saturating_mul(ALLOWED) > self.slots).then_some(unexplained)
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::{Counts, Drain, Samples};
    use super::super::gap::{End, Then, outage};
    use super::super::ledger::Tally;
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn outages_and_pauses_explain_slots() {
        let counts = |slots, not_sent| Counts {
            slots,
            not_sent,
            ..Counts::default()
        };
        let account = |unsent| Account {
            drain: Drain::Complete,
            persistent: counts(1000, unsent),
            non_persistent: counts(200, 0),
            lost: Some(0),
            tally: Tally::default(),
            samples: Samples::default(),
        };
        // Down from 1 s to 2 s, with a slot every 10 ms.
        let times: Vec<u64> = (0..1000).chain(2000..3000).step_by(10).map(|at| at * MS).collect();
        let end = End {
            ns: 3000 * MS,
            then: Then::Idle,
        };
        let outages = [
            outage(Worker::Producer(0), &times, &[], 1000 * MS, end),
            outage(Worker::Consumer(0), &times, &[], 1000 * MS, end),
        ];
        let stall = Stalled {
            from_ns: 0,
            to_ns: 500 * MS,
        };
        for (unsent, stalls, too_many) in [
            (0, &[][..], None),
            (221, &[], None),
            (222, &[], Some(121)),
            (271, &[stall], None),
            (272, &[stall], Some(121)),
        ] {
            let got = Unsent::of(&account(unsent), &outages, stalls, 100);
            assert_eq!((got.slots, got.too_many()), (1200, too_many), "{got:?}");
        }
    }
}

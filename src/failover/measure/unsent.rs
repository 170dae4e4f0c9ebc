//! Slots that were not sent: an outage explains them, or a machine that was too slow before the fault already. Beyond that the load after the
//! fault was not the one before it, and something was the matter that no outage shows.

use super::connection::Stalled;
use super::gap::{Outage, Worker};
use super::ledger::Ledger;
use super::pack::State;

/// More than one slot in so many that was not sent after the fault, and that nothing explains, is too much.
const ALLOWED: u64 = 5;

/// Slots of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unsent {
    /// Before the fault.
    pub before: Slots,
    /// From the fault on.
    pub after: Slots,
    /// How many of those from the fault on outages and pauses of this process account for, at most.
    pub explained: u64,
}

/// Slots of a part of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slots {
    /// All that came due.
    pub due: u64,
    /// Those without a connection, or with a full window.
    pub unsent: u64,
}

impl Unsent {
    /// Counts the slots of a round at `rate` a second and producer; the outages are those from the fault on.
    pub(crate) fn of(ledger: &Ledger, producers: u32, outages: &[Outage], stalls: &[Stalled], rate: u32) -> Self {
        let mut unsent = Self::default();
        for (number, book) in ledger.books().iter().enumerate().take(producers as usize) {
            let fault = ledger.due_before_fault(number);
            for (seq, state, _) in book.ids.iter() {
                let part = if seq < fault {
                    &mut unsent.before
                } else {
                    &mut unsent.after
                };
                part.due += 1;
                part.unsent += u64::from(state == State::NotSent);
            }
        }
        let stalled_ns: u64 = stalls.iter().map(|stall| stall.to_ns - stall.from_ns).sum();
        let producers = outages
            .iter()
            .filter(|outage| matches!(outage.worker, Worker::Producer(_)));
        // On a slow machine the longest gap may be none that counts.
        let down = producers.map(|outage| outage.total_ns.max(outage.gap_ns).saturating_add(stalled_ns));
        let down_ns: u64 = down.sum();
        let explained = u128::from(down_ns) * u128::from(rate) / 1_000_000_000;
        unsent.explained = u64::try_from(explained).unwrap_or(u64::MAX);
        unsent
    }

    /// Why the load was not the one that was asked for, or not the same before and after the fault.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let Self { before, after, .. } = self;
        if before.unsent.saturating_mul(2) > before.due {
            return Some(format!(
                "{} of {} slots before the fault were not sent: the load is too high for the service or for this machine",
                before.unsent, before.due
            ));
        }
        let usual = u128::from(after.due) * u128::from(before.unsent) / u128::from(before.due.max(1));
        let usual = u64::try_from(usual).unwrap_or(u64::MAX);
        let unexplained = after.unsent.saturating_sub(self.explained).saturating_sub(usual);
        (unexplained.saturating_mul(ALLOWED) > after.due).then(|| {
            format!(
                "{unexplained} of {} slots after the fault were not sent, which no outage explains",
                after.due
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::gap::{LastPause, ObservationEnd, outage};
    use super::super::id::{MessageId, RunId};
    use super::*;

    const MS: u64 = 1_000_000;

    /// A producer with a slot every 10 ms, of which some are missed before and after the fault at 1 s; down from 1 s to 2 s.
    fn complaint(before: u64, after: u64, outage_ms: u64, stalls: &[Stalled]) -> Option<String> {
        let mut ledger = Ledger::new(RunId(1), &[true, true], 0);
        let slot = |ledger: &mut Ledger, seq, missed| {
            let id = MessageId { producer: 0, seq };
            match missed {
                true => ledger.missed(id),
                false => ledger.sent(id, 1, 0, 0),
            }
        };
        (0..100).for_each(|seq| slot(&mut ledger, seq, seq < before));
        ledger.fault_at(1000 * MS);
        (100..300).for_each(|seq| slot(&mut ledger, seq, seq < 100 + after));
        // The backlog's own book has no slots.
        ledger.sent(MessageId { producer: 1, seq: 0 }, 1, 0, 0);
        let times = (0..1000).chain(1000 + outage_ms..3000).step_by(10);
        let times: Vec<u64> = times.map(|at| at * MS).collect();
        let end = ObservationEnd {
            ns: 3000 * MS,
            last_pause: LastPause::Idle,
        };
        let outages = [Worker::Producer(0), Worker::Consumer(0)];
        let outages = outages.map(|worker| outage(worker, &times, &[], 1000 * MS, end));
        let unsent = Unsent::of(&ledger, 1, &outages, stalls, 100);
        assert_eq!((unsent.before.due, unsent.after.due), (100, 200));
        unsent.complaint()
    }

    #[test]
    fn outages_pauses_and_a_slow_machine_explain_slots() {
        let stall = Stalled {
            from_ns: 0,
            to_ns: 500 * MS,
        };
        for (name, before, after, outage_ms, stalls, bad) in [
            ("nothing", 0, 0, 0, &[][..], false),
            // The usual gap is one slot's.
            ("a few", 0, 41, 0, &[], false),
            ("too many", 0, 42, 0, &[], true),
            ("an outage", 0, 141, 1000, &[], false),
            ("more than the outage", 0, 142, 1000, &[], true),
            ("a pause", 0, 91, 0, &[stall], false),
            ("more than the pause", 0, 92, 0, &[stall], true),
            ("as before", 25, 91, 0, &[], false),
            ("more than before", 25, 92, 0, &[], true),
            ("too slow altogether", 51, 100, 0, &[], true),
        ] {
            let complaint = complaint(before, after, outage_ms, stalls);
            assert_eq!(complaint.is_some(), bad, "{name}: {complaint:?}");
        }
    }
}

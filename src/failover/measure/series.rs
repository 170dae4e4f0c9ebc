//! What each moment of a round brought, in bins: for pictures, so that a report needs no record of every message.

use super::gap::{Outage, Worker};
use super::ledger::Ledger;
use super::pack::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// No more bins than these, however long a round is.
const MOST_BINS: u64 = 240;

/// Bins are a multiple of this long.
const UNIT_NS: u64 = 100_000_000;

/// Rate and latency of a round over time, in bins of one length; only the time around the fault, of which every message is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    /// Where the first bin begins, relative to the fault.
    pub from_ns: i64,
    /// Length of a bin.
    pub bin_ns: u64,
    /// Messages acknowledged in each.
    pub acked: Vec<u64>,
    /// Different messages received in each.
    pub received: Vec<u64>,
    /// Longest latency of the slots that were due in each, in microseconds, from the due time to the acknowledgment; a slot that was missed
    /// waited as long as its producer. 0 where none is known.
    pub latency_us: Vec<u64>,
}

impl Series {
    /// The series of a round, relative to `fault_ns`; `None` when nothing was acknowledged or received.
    #[must_use]
    pub fn of(ledger: &Ledger, outages: &[Outage], fault_ns: u64) -> Option<Self> {
        let acked: Vec<(u64, u64)> = ledger
            .puts()
            .filter(|put| put.state == State::Acked)
            .map(|put| (put.done_ns, put.due_ns))
            .collect();
        let received: Vec<u64> = ledger
            .receipts()
            .filter(|receipt| receipt.first)
            .map(|receipt| receipt.at_ns)
            .collect();
        let times = || acked.iter().map(|(at, _)| *at).chain(received.iter().copied());
        let (first, last) = (times().min()?, times().max()?);
        let bin_ns = ((last - first) / MOST_BINS).div_ceil(UNIT_NS).max(1) * UNIT_NS;
        let bins = ((last - first) / bin_ns + 1) as usize;
        let bin = |at: u64| at.checked_sub(first).map(|since| (since / bin_ns) as usize);
        let mut series = Self {
            from_ns: i64::try_from(first).unwrap_or(i64::MAX) - i64::try_from(fault_ns).unwrap_or(i64::MAX),
            bin_ns,
            acked: vec![0; bins],
            received: vec![0; bins],
            latency_us: vec![0; bins],
        };
        let count = |counts: &mut Vec<u64>, at: u64| {
            if let Some(count) = bin(at).and_then(|bin| counts.get_mut(bin)) {
                *count += 1;
            }
        };
        received.iter().for_each(|at| count(&mut series.received, *at));
        for (at, due) in &acked {
            count(&mut series.acked, *at);
            let slot = bin(*due).and_then(|bin| series.latency_us.get_mut(bin));
            if let Some(longest) = slot {
                *longest = (*longest).max(at.saturating_sub(*due) / 1000);
            }
        }
        // What was due while a producer was not served waited until it was, sent or not.
        for outage in outages
            .iter()
            .filter(|outage| matches!(outage.worker, Worker::Producer(_)) && outage.counts())
        {
            let until = outage.first_ok_ns.unwrap_or(last);
            for (place, longest) in series.latency_us.iter_mut().enumerate() {
                let from = first + place as u64 * bin_ns;
                let is_within = from + bin_ns > outage.last_ok_ns && from < until;
                if is_within {
                    *longest = (*longest).max((until - from.max(outage.last_ok_ns)) / 1000);
                }
            }
        }
        Some(series)
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::{MessageId, RunId};
    use super::super::ledger::Outcome;
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn missed_slots_wait_as_long_as_their_producer() {
        let mut ledger = Ledger::new(RunId(1), &[true], u64::MAX);
        // One acknowledgment every 10 ms, none from 1 s to 3 s.
        for seq in 0..400 {
            let (id, due) = (MessageId { producer: 0, seq }, seq * 10 * MS);
            if (1000 * MS..3000 * MS).contains(&due) {
                ledger.missed(id);
                continue;
            }
            ledger.sent(id, 1, due, due);
            ledger.outcome(id, Outcome::Acked, due + MS);
        }
        let outage = Outage {
            worker: Worker::Producer(0),
            last_ok_ns: 991 * MS,
            first_ok_ns: Some(3001 * MS),
            gap_ns: 2010 * MS,
            from_fault_ns: None,
            total_ns: 0,
            gaps: 1,
            threshold_ns: 250 * MS,
            longest_ns: 2010 * MS,
            down_at_end: false,
        };
        let series = Series::of(&ledger, &[outage], 1000 * MS).unwrap();
        assert_eq!((series.from_ns, series.bin_ns), (-999 * MS as i64, 100 * MS));
        assert_eq!(series.acked.iter().sum::<u64>(), 200);
        assert_eq!((series.acked[0], series.acked[15]), (10, 0));
        assert_eq!((series.latency_us[0], series.latency_us[15]), (1000, 1_500_000));
        assert_eq!(Series::of(&Ledger::new(RunId(1), &[true], 1), &[], 0), None);
    }

    #[test]
    fn a_long_round_has_few_bins() {
        let mut ledger = Ledger::new(RunId(1), &[true], u64::MAX);
        for seq in 0..1000 {
            let id = MessageId { producer: 0, seq };
            ledger.sent(id, 1, seq * 1000 * MS, seq * 1000 * MS);
            ledger.outcome(id, Outcome::Acked, seq * 1000 * MS + MS);
        }
        let series = Series::of(&ledger, &[], 0).unwrap();
        assert!(
            (200..=MOST_BINS as usize + 1).contains(&series.acked.len()),
            "{}",
            series.acked.len()
        );
    }
}

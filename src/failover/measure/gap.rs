//! From the times of successes to outages: how long each worker went without one around the fault.

use super::latency::percentile;
use super::ledger::Ledger;
use super::pack::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// No gap shorter than this is an outage, whatever the rate.
pub const MIN_OUTAGE_NS: u64 = 250_000_000;

/// A gap counts from this many times the usual longest gap before the fault.
const TIMES_USUAL: u64 = 10;

/// Who saw the outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "role", content = "number", rename_all = "kebab-case")]
pub enum Worker {
    /// A producer; its successes are acknowledgments.
    Producer(u32),
    /// A consumer; its successes are first receipts, since a redelivery does not count as recovery.
    Consumer(u32),
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Producer(number) => write!(f, "producer {number}"),
            Self::Consumer(number) => write!(f, "consumer {number}"),
        }
    }
}

/// What one worker saw. All times are nanoseconds since the round began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outage {
    /// Who saw it.
    pub worker: Worker,
    /// Last success before the longest gap; the fault itself when there was none.
    pub last_ok_ns: u64,
    /// First success after it; absent when there was none until the observation ended.
    pub first_ok_ns: Option<u64>,
    /// Length of the longest gap, up to the end of the observation when nothing came back.
    pub gap_ns: u64,
    /// From the fault to the first success after the gap.
    pub from_fault_ns: Option<u64>,
    /// Sum of all gaps over the threshold, for a service that flaps.
    pub total_ns: u64,
    /// How many gaps were over the threshold.
    pub gaps: u32,
    /// Gaps up to this length are not distinguished from usual ones.
    pub threshold_ns: u64,
    /// Length of the longest gap, even if it is not distinguished from usual ones; absent in reports of earlier versions.
    #[serde(default)]
    pub longest_ns: u64,
    /// Whether the worker was without success when the observation ended, be it once more.
    pub down_at_end: bool,
}

impl Outage {
    /// Whether the gap is longer than what is usual without a fault.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.gap_ns > self.threshold_ns
    }

    /// Whether the worker succeeded again, and still did at the end.
    #[must_use]
    pub fn recovered(&self) -> bool {
        self.first_ok_ns.is_some() && !self.down_at_end
    }
}

/// Where and how the observation of a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObservationEnd {
    /// When.
    pub ns: u64,
    /// What to make of the pause from its last success to there.
    pub last_pause: LastPause,
}

/// What the end of an observation makes of the pause before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastPause {
    /// Nothing was due any more: no gap.
    Idle,
    /// Workers of its kind were served then: a gap that ended there, for one that was served after the fault at all.
    Served,
    /// It waited for something: a gap that is still open.
    Waiting,
}

/// The outage of one worker: the longest gap between successes that reaches into the time from the fault to the end.
///
/// An outage is open until a success after it. `successes` are sorted; `cuts` are the times at which the worker lost its connection. An
/// empty list of successes is one gap from the fault to the end. A gap in which the connection was lost needs no further sign that it
/// is no usual pause.
#[must_use]
pub fn outage(worker: Worker, successes: &[u64], cuts: &[u64], fault_ns: u64, end: ObservationEnd) -> Outage {
    let end_ns = end.ns;
    let before = successes.partition_point(|&at| at < fault_ns);
    let usual_ns = usual_gap(&successes[..before]);
    let unexplained_ns = unexplained(usual_ns);
    let limit = |from: u64, to: u64| {
        let cut = cuts.iter().any(|&at| at >= fault_ns && (from..=to).contains(&at));
        if cut { usual_ns } else { unexplained_ns }
    };
    let start = before.checked_sub(1).map_or(fault_ns, |last| successes[last]);
    let mut longest = (start, None, 0, unexplained_ns);
    let (mut total_ns, mut gaps, mut down_at_end, mut longest_ns) = (0, 0, false, 0);
    let mut last = start;
    let after = successes[before..].partition_point(|&at| at <= end_ns);
    let after = &successes[before..before + after];
    let closed = end.last_pause == LastPause::Served && !after.is_empty();
    for (from, to) in after
        .iter()
        .copied()
        .map(Some)
        .chain([closed.then_some(end_ns)])
        .map(|to| (std::mem::replace(&mut last, to.unwrap_or(end_ns)), to))
    {
        let gap = to.unwrap_or(end_ns).saturating_sub(from);
        let threshold_ns = limit(from, to.unwrap_or(end_ns));
        if to.is_some() || end.last_pause == LastPause::Waiting {
            longest_ns = longest_ns.max(gap);
        }
        if to.is_none() && (gap <= threshold_ns || end.last_pause == LastPause::Idle && longest.1.is_some()) {
            continue;
        }
        if gap > threshold_ns {
            total_ns += gap;
            gaps += 1;
            down_at_end = to.is_none();
        }
        // A gap that counts goes before a longer one that does not.
        if (gap > threshold_ns, gap) > (longest.2 > longest.3, longest.2) {
            longest = (from, to, gap, threshold_ns);
        }
    }
    let (last_ok_ns, first_ok_ns, gap_ns, threshold_ns) = longest;
    Outage {
        worker,
        last_ok_ns,
        first_ok_ns,
        gap_ns,
        from_fault_ns: first_ok_ns.map(|at| at.saturating_sub(fault_ns)),
        total_ns,
        gaps,
        threshold_ns,
        longest_ns,
        down_at_end,
    }
}

/// The 99.9th percentile of the gaps before the fault.
fn usual_gap(successes: &[u64]) -> u64 {
    let mut gaps: Vec<u64> = successes.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort_unstable();
    percentile(&gaps, 0.999).unwrap_or(0)
}

/// The outages of all workers of a round: producers by their acknowledgements, consumers by their first receipts;
/// `ends` says where each worker's observation ends, `cuts` who lost its connection when.
#[must_use]
pub fn outages(
    ledger: &Ledger,
    ends: &BTreeMap<Worker, ObservationEnd>,
    cuts: &[(Worker, u64)],
    fault_ns: u64,
) -> Vec<Outage> {
    let workers: Vec<Worker> = ends.keys().copied().collect();
    successes(ledger, &workers)
        .into_iter()
        .zip(ends.values())
        .map(|((worker, times), &end)| {
            let cuts: Vec<u64> = cuts.iter().filter(|cut| cut.0 == worker).map(|cut| cut.1).collect();
            outage(worker, &times, &cuts, fault_ns, end)
        })
        .collect()
}

/// How long each worker may go without success before that is no usual pause, by its successes before the fault.
pub(crate) fn patience(ledger: &Ledger, workers: &[Worker], fault_ns: u64) -> BTreeMap<Worker, u64> {
    let limit = |times: Vec<u64>| unexplained(usual_gap(&times[..times.partition_point(|&at| at < fault_ns)]));
    successes(ledger, workers)
        .into_iter()
        .map(|(worker, times)| (worker, limit(times)))
        .collect()
}

fn unexplained(usual_ns: u64) -> u64 {
    MIN_OUTAGE_NS.max(TIMES_USUAL.saturating_mul(usual_ns))
}

/// Sorted times of successes: acknowledgements of producers, first receipts of consumers.
fn successes(ledger: &Ledger, workers: &[Worker]) -> BTreeMap<Worker, Vec<u64>> {
    let mut successes: BTreeMap<Worker, Vec<u64>> = workers.iter().map(|worker| (*worker, Vec::new())).collect();
    let acks = ledger
        .puts()
        .filter(|put| put.state == State::Acked)
        .map(|put| (Worker::Producer(put.id.producer), put.done_ns));
    let firsts = ledger
        .receipts()
        .filter(|receipt| receipt.first)
        .map(|receipt| (Worker::Consumer(receipt.consumer), receipt.at_ns));
    for (worker, at) in acks.chain(firsts) {
        if let Some(times) = successes.get_mut(&worker) {
            times.push(at);
        }
    }
    successes.values_mut().for_each(|times| times.sort_unstable());
    successes
}

/// The outage of the service: the worst worker's, one that never came back before one that did.
#[must_use]
pub fn worst(outages: &[Outage]) -> Option<&Outage> {
    outages.iter().max_by_key(|outage| (!outage.recovered(), outage.gap_ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    fn until(ns: u64) -> ObservationEnd {
        ObservationEnd {
            ns,
            last_pause: LastPause::Waiting,
        }
    }

    fn every(step: u64, from: u64, to: u64) -> Vec<u64> {
        (0..).map(|k| from + k * step).take_while(|at| *at < to).collect()
    }

    #[test]
    fn one_gap_around_the_fault() {
        let mut times = every(5 * MS, 0, 1000 * MS);
        times.extend(every(5 * MS, 2000 * MS, 3000 * MS));
        let got = outage(Worker::Producer(0), &times, &[], 1000 * MS, until(3000 * MS));
        assert_eq!((got.last_ok_ns, got.first_ok_ns), (995 * MS, Some(2000 * MS)));
        assert_eq!(
            (got.gap_ns, got.from_fault_ns, got.gaps),
            (1005 * MS, Some(1000 * MS), 1)
        );
        assert!(got.counts() && got.recovered());
    }

    #[test]
    fn cases() {
        // (successes, fault, end) -> (gap, recovered, counts, number of gaps)
        let steady = every(5 * MS, 0, 3000 * MS);
        let mut slow = every(100 * MS, 0, 2000 * MS); // usual gap 100 ms, so 900 ms is no outage
        slow.extend(every(100 * MS, 2800 * MS, 4000 * MS));
        let mut flapping = every(5 * MS, 0, 1000 * MS);
        flapping.extend(every(5 * MS, 1500 * MS, 2000 * MS));
        flapping.extend(every(5 * MS, 2600 * MS, 3000 * MS));
        let dead = every(5 * MS, 0, 1000 * MS);
        for (name, times, fault, end, expected) in [
            ("no effect", &steady, 1000, 3000, (5, true, false, 0)),
            ("slow worker", &slow, 2000, 4000, (900, true, false, 0)),
            ("flapping", &flapping, 1000, 3000, (605, true, true, 2)),
            ("never back", &dead, 1000, 5000, (4005, false, true, 1)),
            ("never there", &Vec::new(), 1000, 5000, (4000, false, true, 1)),
        ] {
            let got = outage(Worker::Consumer(1), times, &[], fault * MS, until(end * MS));
            assert_eq!(
                (got.gap_ns / MS, got.recovered(), got.counts(), got.gaps),
                expected,
                "{name}"
            );
        }
    }

    /// On a busy machine the usual pauses are long; a lost connection tells an outage from them.
    #[test]
    fn a_gap_in_which_the_connection_was_lost_counts() {
        let mut times = every(100 * MS, 0, 1000 * MS);
        times.extend(every(100 * MS, 1200 * MS, 2000 * MS));
        let with = |cuts: &[u64]| outage(Worker::Producer(0), &times, cuts, 950 * MS, until(2000 * MS));
        assert!(!with(&[]).counts());
        assert!(!with(&[100 * MS]).counts(), "an earlier loss is another matter");
        let cut = with(&[960 * MS]);
        assert_eq!((cut.gap_ns, cut.counts(), cut.gaps), (300 * MS, true, 1));
    }

    /// A longer pause beside it that nothing tells from the usual ones is not forgotten.
    #[test]
    fn the_longest_gap_is_known_whether_it_counts_or_not() {
        let mut times = every(500 * MS, 0, 3000 * MS);
        times.extend(every(500 * MS, 4000 * MS, 5000 * MS));
        times.extend(every(500 * MS, 9000 * MS, 12_000 * MS));
        let with = |end| outage(Worker::Producer(0), &times, &[3100 * MS], 3050 * MS, end);
        let got = with(until(12_000 * MS));
        assert_eq!((got.gap_ns / MS, got.counts(), got.longest_ns / MS), (1500, true, 4500));
        let open = |last_pause| {
            with(ObservationEnd {
                ns: 8500 * MS,
                last_pause,
            })
            .longest_ns
                / MS
        };
        assert_eq!((open(LastPause::Waiting), open(LastPause::Idle)), (4000, 1500));
    }

    /// A pause up to the end is an outage while something is due, however good the service was before.
    #[test]
    fn the_last_pause_counts_only_while_somebody_waits() {
        let mut times = every(5 * MS, 0, 1000 * MS);
        times.push(2000 * MS);
        let at = |times: &[u64], last_pause| {
            let end = ObservationEnd {
                ns: 4000 * MS,
                last_pause,
            };
            let got = outage(Worker::Producer(0), times, &[], 1500 * MS, end);
            (got.gap_ns / MS, got.first_ok_ns.map(|at| at / MS), got.recovered())
        };
        assert_eq!(at(&times, LastPause::Idle), (1005, Some(2000), true));
        assert_eq!(at(&times, LastPause::Served), (2000, Some(4000), true));
        assert_eq!(at(&times, LastPause::Waiting), (2000, None, false));
        // Without a success there is nothing but the pause, and what others got does not end it.
        for last_pause in [LastPause::Idle, LastPause::Served, LastPause::Waiting] {
            assert_eq!(at(&[0], last_pause), (4000, None, false), "{last_pause:?}");
        }
    }

    proptest! {
        /// Gaps that ended before the fault are not this fault's.
        #[test]
        fn earlier_gaps_do_not_count(early in 300u64..5000, late in 300u64..5000) {
            let mut times = every(5 * MS, 0, 500 * MS);
            times.extend(every(5 * MS, (500 + early) * MS, (1500 + early) * MS));
            let fault = (1500 + early) * MS;
            times.extend(every(5 * MS, fault + late * MS, fault + (late + 500) * MS));
            let got = outage(Worker::Producer(0), &times, &[], fault, until(fault + (late + 500) * MS));
            prop_assert_eq!(got.from_fault_ns, Some(late * MS));
        }

        /// The whole: the longest gap is one of the gaps, and the sum is at least the longest that counts.
        #[test]
        fn the_longest_gap_is_the_longest(mut times in prop::collection::vec(0u64..10_000, 1..200), fault in 0u64..10_000) {
            for at in &mut times { *at *= MS; }
            times.sort_unstable();
            let (fault, end) = (fault * MS, 10_000 * MS);
            let got = outage(Worker::Producer(0), &times, &[], fault, until(end));
            let longest = times.windows(2).filter(|pair| pair[1] >= fault).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
            prop_assert!(got.gap_ns >= longest);
            if got.counts() { prop_assert!(got.total_ns >= got.gap_ns); }
            if let Some(first) = got.first_ok_ns { prop_assert_eq!(first - got.last_ok_ns, got.gap_ns); }
        }
    }

    #[test]
    fn the_worst_is_the_one_that_never_came_back() {
        let short = outage(Worker::Producer(0), &[0, 10, 3000 * MS], &[], 10, until(3000 * MS));
        let dead = outage(Worker::Producer(1), &[0, 2000 * MS], &[], 2000 * MS, until(3000 * MS));
        assert_eq!(
            worst(&[short, dead]).map(|outage| outage.worker),
            Some(Worker::Producer(1))
        );
        assert!(worst(&[]).is_none());
    }
}

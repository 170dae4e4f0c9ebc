//! Rounds counted by fault, with the limits that hold for all rounds of one together.

use super::document::{FaultSummary, Report, Response, Run};
use crate::failover::measure::limits::Limits;
use crate::failover::measure::phases::Phase;
use crate::failover::measure::spread::{RtoSpread, over_rounds};
use crate::failover::measure::verdict::Verdict;
use crate::model::Topology;
use crate::topology::{self, Fault, Restart, Stand};

impl Report {
    /// Counts the rounds by fault.
    pub(super) fn count_by_fault(&mut self) {
        let mut faults: Vec<Fault> = Vec::new();
        for run in &self.runs {
            if !faults.contains(&run.fault.name) {
                faults.push(run.fault.name);
            }
        }
        let of = (self.place.topology.as_deref())
            .and_then(Topology::of)
            .map(topology::of);
        let summary = |fault| {
            let stand = of.and_then(|topology| topology.stand(fault));
            let counted = count(fault, &self.runs, &self.limits);
            FaultSummary {
                expected: stand.map(expected),
                ..counted
            }
        };
        self.summary.faults = faults.into_iter().map(summary).collect();
        self.note_unexpected();
        self.model_by_fault();
    }

    /// Notes which ways of each fault are not as expected, also in a report of an earlier version.
    pub(super) fn note_unexpected(&mut self) {
        for fault in &mut self.summary.faults {
            let Some(expected) = &fault.expected else { continue };
            let other = fault.measured.iter().filter(|way| !is_as(expected, way));
            fault.unexpected = other.cloned().collect();
        }
    }
}

/// Whether service came back as expected, or with no client noticing what one could have.
fn is_as(expected: &Response, way: &Response) -> bool {
    let unnoticed = expected.by == Restart::WhenItEnds.words() && way.by == Restart::Unnoticed.words();
    let any = expected.proofs.is_empty();
    let proved = any || way.proofs.iter().all(|proof| expected.proofs.contains(proof));
    unnoticed || expected.by == way.by && proved
}

fn count(fault: Fault, runs: &[Run], limits: &Limits) -> FaultSummary {
    let runs: Vec<&Run> = runs.iter().filter(|run| run.fault.name == fault).collect();
    let number =
        |of: &dyn Fn(&Run) -> bool| u32::try_from(runs.iter().filter(|run| of(run)).count()).unwrap_or(u32::MAX);
    let outages: Vec<Option<u64>> = runs.iter().filter_map(|run| outage(run)).collect();
    let rto = RtoSpread::of(&outages);
    FaultSummary {
        fault,
        rounds: number(&|_| true),
        passed: number(&|run| run.verdict == Verdict::Pass),
        failed: number(&|run| run.verdict == Verdict::Fail),
        inconclusive: number(&|run| run.verdict == Verdict::Inconclusive),
        lost: runs.iter().filter_map(|run| run.ledger.lost).sum(),
        losing_rounds: number(&|run| run.ledger.lost.is_some_and(|lost| lost > 0)),
        thresholds: over_rounds(fault, rto.as_ref(), limits),
        rto,
        expected: None,
        measured: measured(&runs),
        unexpected: Vec::new(),
        phases: phases(&runs),
        modeled: Vec::new(),
        modeled_after_fault: false,
        verified: number(&|run| run.fault.verified),
    }
}

fn expected(stand: Stand) -> Response {
    Response {
        by: stand.by.words().to_owned(),
        proofs: stand.proofs.iter().map(|proof| proof.as_str().to_owned()).collect(),
    }
}

/// How service came back in these rounds, each way once, in the order of the first round; nothing of those in which it did not.
fn measured(runs: &[&Run]) -> Vec<Response> {
    let mut ways: Vec<Response> = Vec::new();
    for run in runs {
        let Some((by, proof)) = way(run) else {
            continue;
        };
        let way = Response {
            by: by.words().to_owned(),
            proofs: proof.into_iter().collect(),
        };
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    ways
}

/// How service came back in a round, and the proof if an engine was started for it; `None` when it did not.
pub(super) fn way(run: &Run) -> Option<(Restart, Option<String>)> {
    let (before, after) = (&run.served_before, run.served_after.as_ref()?);
    let by = if before.instance != after.instance {
        Restart::Elsewhere
    } else if before.epoch != after.epoch {
        Restart::InPlace
    } else if run.rto.is_some() {
        Restart::WhenItEnds
    } else {
        Restart::Unnoticed
    };
    let starts = matches!(by, Restart::InPlace | Restart::Elsewhere);
    Some((by, after.proof.clone().filter(|_| starts)))
}

/// The round with the median outage; of two in the middle, the one with the longer one.
pub(super) fn median<'a>(runs: &[&'a Run]) -> Option<&'a Run> {
    let mut outages: Vec<_> = runs
        .iter()
        .filter_map(|run| Some((run.rto.as_ref()?.ns, *run)))
        .collect();
    outages.sort_by_key(|(ns, _)| *ns);
    outages.get(outages.len() / 2).map(|(_, run)| *run)
}

/// The parts of the median outage.
fn phases(runs: &[&Run]) -> Vec<Phase> {
    let rto = median(runs).and_then(|run| run.rto.as_ref());
    rto.map(|rto| rto.phases.clone()).unwrap_or_default()
}

/// The outage of a round that proved something, `None` within when it did not end. One that this process itself prolonged, or that is not
/// told from usual pauses, is none.
pub(crate) fn outage(run: &Run) -> Option<Option<u64>> {
    let rto = run.rto.as_ref().filter(|_| run.verdict != Verdict::Inconclusive)?;
    let check = run.thresholds.iter().find(|check| check.name == "rto.max")?;
    match (check.verdict, &check.value) {
        (Verdict::Inconclusive, _) => None,
        (_, None) => Some(None),
        (_, Some(_)) => Some(Some(rto.ns)),
    }
}

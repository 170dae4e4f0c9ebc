//! Rounds counted by fault, with the limits that hold for all rounds of one together.

use super::document::{FaultSummary, Report, Run};
use crate::failover::measure::limits::Limits;
use crate::failover::measure::spread::{RtoSpread, over_rounds};
use crate::failover::measure::verdict::Verdict;
use crate::topology::Fault;

impl Report {
    /// Counts the rounds by fault.
    pub(super) fn count_by_fault(&mut self) {
        let mut faults: Vec<Fault> = Vec::new();
        for run in &self.runs {
            if !faults.contains(&run.fault.name) {
                faults.push(run.fault.name);
            }
        }
        let summary = |fault| count(fault, &self.runs, &self.limits);
        self.summary.faults = faults.into_iter().map(summary).collect();
    }
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
    }
}

/// The outage of a round that proved something, `None` within when it did not end. One that this process itself prolonged, or that is not
/// told from usual pauses, is none.
pub(super) fn outage(run: &Run) -> Option<Option<u64>> {
    let rto = run.rto.as_ref().filter(|_| run.verdict != Verdict::Inconclusive)?;
    let check = run.thresholds.iter().find(|check| check.name == "rto.max")?;
    match (check.verdict, &check.value) {
        (Verdict::Inconclusive, _) => None,
        (_, None) => Some(None),
        (_, Some(_)) => Some(Some(rto.ns)),
    }
}

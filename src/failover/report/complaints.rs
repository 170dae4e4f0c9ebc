//! What of a test did not pass.

use super::document::{Report, Run};
use crate::failover::measure::limits::Duplicates;
use crate::failover::measure::spread::Statistic;
use crate::failover::measure::verdict::{Check, Verdict};
use crate::topology::Fault;

/// Values over all rounds of a fault that did not pass.
pub(super) fn over_rounds(report: &Report) -> impl Iterator<Item = (Fault, &Check)> {
    let faults = report.summary.faults.iter();
    let checks = faults.flat_map(|entry| entry.thresholds.iter().map(move |check| (entry.fault, check)));
    checks.filter(|(_, check)| check.verdict != Verdict::Pass)
}

/// What the rounds were held against, where a limit was set: `RTO 2.000 s · RPO 0 · duplicates explained`.
pub(super) fn limits(report: &Report) -> String {
    let limits = &report.limits;
    let seconds = |ns: u64| format!("{:.3} s", ns as f64 / 1e9);
    let mut parts: Vec<String> = limits
        .max_rto_ns
        .map(|ns| format!("RTO {}", seconds(ns)))
        .into_iter()
        .collect();
    parts.extend(limits.rto.iter().map(|limit| {
        let of = match limit.of {
            Statistic::Worst => "RTO",
            Statistic::Median => "RTO median",
            Statistic::P95 => "RTO p95",
        };
        let fault = limit.fault.map(|fault| format!(" of {fault}")).unwrap_or_default();
        format!("{of}{fault} {}", seconds(limit.max_ns))
    }));
    if parts.is_empty() {
        parts.push("RTO not limited".to_owned());
    }
    parts.push(format!("RPO {}", limits.max_rpo));
    let duplicates = match limits.duplicates {
        Duplicates::Allow => "any",
        Duplicates::Explained => "explained by a lost connection",
        Duplicates::None => "none",
    };
    parts.push(format!("duplicates {duplicates}"));
    if limits.allow_reordering {
        parts.push("any order".to_owned());
    }
    parts.join(" · ")
}

/// Why a value did not pass.
pub(super) fn reason(check: &Check) -> &str {
    check.reason.as_deref().unwrap_or("limit exceeded")
}

/// What did not pass, in the order of the rounds: the verdict, what it is about, why.
#[must_use]
pub fn complaints(report: &Report) -> Vec<(Verdict, String, String)> {
    let of_round = |run: &Run| {
        let about = format!("{}, round {}", run.fault.name, run.round);
        let bad = run.thresholds.iter().filter(|check| check.verdict != Verdict::Pass);
        let said = move |check: &Check| {
            (
                check.verdict,
                format!("{about}, {}", check.name),
                reason(check).to_owned(),
            )
        };
        bad.map(said).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = report.runs.iter().flat_map(of_round).collect();
    for (fault, check) in over_rounds(report) {
        all.push((
            check.verdict,
            format!("{fault}, {}", check.name),
            reason(check).to_owned(),
        ));
    }
    if let Some(broken) = &report.broken_off {
        let done = report.runs.len();
        let why = format!("interrupted after {done} of {} rounds: {}", broken.rounds, broken.cause);
        all.push((Verdict::Inconclusive, "the test".to_owned(), why));
    }
    all
}

//! Fault by fault: what was expected and measured, in what parts, with which proof.

use super::document::{FaultSummary, Report, Response};
use super::markdown::escaped;
use super::text::{seconds, word};
use crate::failover::measure::verdict::Verdict;
use std::fmt::Write;

const MISSING: &str = "-";

/// The cells of a row.
struct Row {
    fault: String,
    rto: String,
    parts: String,
    lost: String,
    expected: String,
    measured: String,
    verdict: String,
}

fn way(response: &Response) -> String {
    match response.proofs.is_empty() {
        true => response.by.clone(),
        false => format!("{}, {}", response.by, response.proofs.join(" or ")),
    }
}

fn row(fault: &FaultSummary) -> Row {
    let long = |ns: &u64| *ns >= 5_000_000;
    let parts: Vec<String> = fault
        .phases
        .iter()
        .filter(|phase| long(&phase.ns))
        .map(|phase| format!("{} {}", phase.name, seconds(phase.ns)))
        .collect();
    let measured: Vec<String> = fault.measured.iter().map(way).collect();
    let median = fault.rto.and_then(|rto| rto.median_ns);
    let verdict = match (fault.failed, fault.inconclusive, fault.verified < fault.rounds) {
        (1.., _, _) => word(Verdict::Fail).to_owned(),
        (0, 1.., true) => format!("{}, not verified", word(Verdict::Inconclusive)),
        (0, 1.., false) => word(Verdict::Inconclusive).to_owned(),
        _ => word(Verdict::Pass).to_owned(),
    };
    let or_missing = |text: String| if text.is_empty() { MISSING.to_owned() } else { text };
    Row {
        fault: fault.fault.name().to_owned(),
        rto: median.map_or_else(|| MISSING.to_owned(), seconds),
        parts: or_missing(parts.join(" · ")),
        lost: fault.lost.to_string(),
        expected: or_missing(fault.expected.as_ref().map(way).unwrap_or_default()),
        measured: or_missing(measured.join("; ")),
        verdict,
    }
}

/// A warning for each way in which service came back that is not the expected one.
pub(crate) fn unexpected(report: &Report) -> Vec<String> {
    let of = |fault: &FaultSummary| {
        let expected = fault.expected.as_ref().map(way).unwrap_or_default();
        let (name, ways) = (fault.fault, fault.unexpected.iter().map(way));
        let lines = ways.map(|got| format!("{name}: service came back {got}; expected: {expected}"));
        lines.collect::<Vec<_>>()
    };
    report.summary.faults.iter().flat_map(of).collect()
}

/// Of a fault: its name, the expected response, the measured ones, and in how many rounds it was verified; nothing in a report of an earlier
/// version, which knows none of them.
#[must_use]
pub(crate) fn responses(fault: &FaultSummary) -> Option<Vec<String>> {
    if fault.expected.is_none() && fault.measured.is_empty() {
        return None;
    }
    let row = row(fault);
    let verified = format!("{} of {}", fault.verified, fault.rounds);
    Some(vec![row.fault, row.expected, row.measured, verified])
}

/// Whether there is more to say than of one fault.
fn is_worth_it(report: &Report) -> bool {
    report.summary.faults.len() + report.not_run.len() > 1
}

/// The matrix for people; empty for a test of one fault.
#[must_use]
pub fn text(report: &Report) -> String {
    if !is_worth_it(report) {
        return String::new();
    }
    let mut text = String::new();
    let rows: Vec<Row> = report.summary.faults.iter().map(row).collect();
    let _ = writeln!(
        text,
        "  {:<19} {:>8}  {:>5}  {:<12}  expected / measured",
        "fault", "RTO", "lost", "verdict"
    );
    for row in &rows {
        let _ = writeln!(
            text,
            "  {:<19} {:>8}  {:>5}  {:<12}  {}",
            row.fault,
            row.rto,
            row.lost,
            row.verdict,
            match row.expected == row.measured {
                true => row.measured.clone(),
                false => format!("{} / {}", row.expected, row.measured),
            }
        );
        if row.parts != MISSING {
            let _ = writeln!(text, "  {:<19} {}", "", row.parts);
        }
    }
    for one in &report.not_run {
        let _ = writeln!(text, "  {:<19} not possible here: {}", one.fault.name(), one.why);
    }
    text.trim_end().to_owned()
}

/// The matrix for a page; empty for a test of one fault.
pub(super) fn markdown(report: &Report) -> String {
    if !is_worth_it(report) {
        return String::new();
    }
    let mut text = "| Fault | RTO | Parts of the RTO | Messages lost | Expected | Measured | Verdict |\n\
        |---|--:|---|--:|---|---|---|\n"
        .to_owned();
    for row in report.summary.faults.iter().map(row) {
        let cells = [
            row.fault,
            row.rto,
            row.parts,
            row.lost,
            row.expected,
            row.measured,
            row.verdict,
        ];
        let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    for one in &report.not_run {
        let _ = writeln!(
            text,
            "| {} | | | | | | not possible here: {} |",
            one.fault,
            escaped(&one.why)
        );
    }
    text.push('\n');
    text
}

//! The beginning of a report: the verdict, why, and the figures in brief.

use super::html::Html;
use crate::failover::measure::verdict::Verdict;
use crate::failover::report::{FaultSummary, Report, complaints, matrix, text};

/// Lines about what did not pass; the report has all of them.
const TOLD: usize = 20;

/// The title of the page.
pub(super) fn title(reports: &[&Report]) -> String {
    match reports {
        [report] => format!(
            "Failover test of {}: {}",
            report.place.stack,
            text::word(report.verdict)
        ),
        reports => format!("{} failover tests", reports.len()),
    }
}

pub(super) fn write(page: &mut Html, report: &Report) {
    page.element("h1", "", &format!("Failover test of {}", report.place.stack));
    page.element("p", "soft", &subtitle(report));
    if report.place.kind != "aws" {
        page.element(
            "p",
            "lab",
            "Local cloud: these figures are of a lab on one machine, not of AWS.",
        );
    }
    verdict(page, report);
    facts(page, report);
    faults(page, report);
}

fn subtitle(report: &Report) -> String {
    let topology = report
        .place
        .topology
        .as_ref()
        .map_or_else(String::new, |name| format!("{name} · "));
    format!(
        "{topology}{} · {} · mqaws {}",
        text::place(report),
        report.started_at,
        report.mqaws_version
    )
}

/// The class of a verdict in the style sheet.
pub(super) fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "odd",
    }
}

fn verdict(page: &mut Html, report: &Report) {
    page.open("div", &format!("verdict {}", class(report.verdict)));
    page.element("b", "", text::word(report.verdict));
    page.text(&format!(" (exit {})", report.exit_code));
    let all = complaints(report);
    let lines = all.iter().take(TOLD).map(|(_, about, why)| format!("{about}: {why}"));
    let more = (all.len() > TOLD).then(|| format!("and {} more; report.json has all of them", all.len() - TOLD));
    let lines: Vec<String> = lines.chain(more).collect();
    if !lines.is_empty() {
        page.list(lines.iter().map(String::as_str));
    }
    page.close("div");
}

fn facts(page: &mut Html, report: &Report) {
    let summary = &report.summary;
    let worst = summary.faults.iter().filter_map(|fault| fault.rto.as_ref());
    let worst = worst.map(|rto| rto.worst_ns.unwrap_or(u64::MAX)).max();
    let longest = match worst {
        None => "not measured".to_owned(),
        Some(u64::MAX) => "did not come back".to_owned(),
        Some(ns) => text::seconds(ns),
    };
    let unproved = report.runs.iter().filter(|run| run.ledger.lost.is_none()).count();
    let lost = match (summary.lost, unproved) {
        (lost, 0) => lost.to_string(),
        (lost, rounds) => format!("{lost}, not proved in {rounds} rounds"),
    };
    let chance = summary
        .loss_chance_below
        .map(|bound| format!("below {:.0} %", bound * 100.0));
    page.open("div", "facts");
    let rounds = format!("{} of {}", summary.passed, summary.rounds);
    for (value, name) in [
        (Some(longest), "longest outage (RTO)"),
        (Some(lost), "acknowledged messages lost (RPO)"),
        (Some(rounds), "rounds passed"),
        (chance, "chance of a round with a loss, 95 % confidence"),
    ] {
        let Some(value) = value else { continue };
        page.open("div", "");
        page.element("b", "", &value);
        page.text(name);
        page.close("div");
    }
    page.close("div");
}

fn faults(page: &mut Html, report: &Report) {
    let row = |fault: &FaultSummary| {
        let cell = |of: fn(&crate::failover::measure::spread::RtoSpread) -> Option<u64>| match &fault.rto {
            None => "not measured".to_owned(),
            Some(rto) => of(rto).map_or_else(|| "did not come back".to_owned(), text::seconds),
        };
        let few = fault.rto.is_some_and(|rto| rto.p95_is_worst);
        let p95 = cell(|rto| rto.p95_ns);
        vec![
            fault.fault.to_string(),
            fault.rounds.to_string(),
            fault.passed.to_string(),
            fault.failed.to_string(),
            fault.inconclusive.to_string(),
            fault.lost.to_string(),
            cell(|rto| rto.median_ns),
            if few { format!("{p95}*") } else { p95 },
            cell(|rto| rto.worst_ns),
        ]
    };
    let rows: Vec<Vec<String>> = report.summary.faults.iter().map(row).collect();
    if rows.is_empty() {
        page.element("p", "", "No round was run.");
        not_run(page, report);
        return;
    }
    page.element("h2", "", "Faults");
    let head = [
        "Fault", "Rounds", "Passed", "Failed", "Open", "Lost", "Median", "p95", "Worst",
    ];
    page.table(&head, 1, &rows);
    page.element(
        "p",
        "soft",
        "Median, p95, and worst are of the outage (RTO). Open: inconclusive rounds.",
    );
    if report
        .summary
        .faults
        .iter()
        .any(|fault| fault.rto.is_some_and(|rto| rto.p95_is_worst))
    {
        page.element("p", "soft", "* So few rounds that the p95 is the worst of them.");
    }
    responses(page, report);
    not_run(page, report);
}

/// How service came back after each fault, and how the topology expects it to.
fn responses(page: &mut Html, report: &Report) {
    let rows: Vec<Vec<String>> = report.summary.faults.iter().filter_map(matrix::responses).collect();
    if rows.is_empty() {
        return;
    }
    page.element("h2", "", "How service came back");
    page.table(&["Fault", "Expected", "Measured", "Verified"], 3, &rows);
    let unexpected = matrix::unexpected(report);
    if !unexpected.is_empty() {
        page.element("p", "odd", "Warning: not as expected");
        page.list(unexpected.iter().map(String::as_str));
    }
}

/// Faults that were wanted and not injected.
fn not_run(page: &mut Html, report: &Report) {
    if report.not_run.is_empty() {
        return;
    }
    page.element("h2", "", "Not possible here");
    let lines = report.not_run.iter().map(|one| format!("{}: {}", one.fault, one.why));
    let lines: Vec<String> = lines.collect();
    page.list(lines.iter().map(String::as_str));
}

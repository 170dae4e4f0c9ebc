//! The report as Markdown, for the page of a pipeline's run.

use super::complaints::{complaints, limits};
use super::document::{FaultSummary, Report};
use super::{matrix, text};
use crate::failover::measure::verdict::Verdict;
use std::fmt::Write;

/// Lines about what did not pass; pages are bounded, and the report has all of them.
const TOLD: usize = 30;

/// The reports one below the other.
#[must_use]
pub fn markdown(reports: &[&Report]) -> String {
    reports.iter().map(|report| one(report)).collect::<Vec<_>>().join("\n")
}

fn one(report: &Report) -> String {
    let mut text = format!(
        "## Failover test of {}: {} (exit {})\n\n{}\n\n",
        escaped(&report.place.stack),
        text::word(report.verdict),
        report.exit_code,
        escaped(&text::place(report)),
    );
    if !report.summary.faults.is_empty() {
        text.push_str(
            "| Fault | Rounds | Passed | Failed | Inconclusive | Messages lost | RTO median | RTO p95 | RTO worst |\n\
             |---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        );
        report.summary.faults.iter().for_each(|fault| row(&mut text, fault));
        text.push('\n');
        if report
            .summary
            .faults
            .iter()
            .any(|fault| fault.rto.is_some_and(|rto| rto.p95_is_worst))
        {
            text.push_str("\\* With fewer than 20 rounds, the p95 is the worst round.\n\n");
        }
    }
    text.push_str(&matrix::markdown(report));
    let _ = writeln!(text, "Limits: {}\n", escaped(&limits(report)));
    for warning in matrix::unexpected(report) {
        let _ = writeln!(text, "Warning: {}\n", escaped(&warning));
    }
    let said = said(report);
    for line in said.iter().take(TOLD) {
        let _ = writeln!(text, "- {line}");
    }
    if said.len() > TOLD {
        let _ = writeln!(text, "- and {} more", said.len() - TOLD);
    }
    if !said.is_empty() {
        text.push('\n');
    }
    text.push_str("Not shown:\n\n");
    for line in &report.not_shown {
        let _ = writeln!(text, "- {}", escaped(line));
    }
    text
}

fn row(text: &mut String, fault: &FaultSummary) {
    let spread = fault.rto;
    let cell = |ns: Option<u64>| match (spread, ns) {
        (None, _) => "not measured".to_owned(),
        (_, None) => "service not restored".to_owned(),
        (_, Some(ns)) => text::seconds(ns),
    };
    let star = if spread.is_some_and(|spread| spread.p95_is_worst) {
        " \\*"
    } else {
        ""
    };
    let _ = writeln!(
        text,
        "| {} | {} | {} | {} | {} | {} | {} | {}{star} | {} |",
        fault.fault,
        fault.rounds,
        fault.passed,
        fault.failed,
        fault.inconclusive,
        fault.lost,
        cell(spread.and_then(|spread| spread.median_ns)),
        cell(spread.and_then(|spread| spread.p95_ns)),
        cell(spread.and_then(|spread| spread.worst_ns)),
    );
}

/// What did not pass, a line each.
fn said(report: &Report) -> Vec<String> {
    let complaints = complaints(report).into_iter();
    let line = |(verdict, about, reason): (Verdict, String, String)| {
        format!("**{}** {}: {}", text::word(verdict), escaped(&about), escaped(&reason))
    };
    complaints.map(line).collect()
}

/// A text that is only text: no markup, no HTML, one line.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '!' | '|' | '~' | '{' | '}' => {
                safe.push('\\');
                safe.push(c);
            }
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_page_counts_by_fault_and_marks_few_rounds() {
        let report = samples::report(&[Some(1_000_000_000), Some(3_000_000_000)]);
        let page = markdown(&[&report]);
        assert!(
            page.contains("| kill-queue-manager | 2 | 2 | 0 | 0 | 0 | 1.00 s | 3.00 s \\* | 3.00 s |"),
            "{page}"
        );
        assert!(
            page.contains("PASS (exit 0)") && page.contains("the p95 is the worst round"),
            "{page}"
        );
    }

    #[test]
    fn names_from_outside_are_no_markup() {
        let mut report = samples::report(&[Some(1)]);
        report.place.stack = "a|b<img src=x>\n# c `d` [e](f)".into();
        let page = markdown(&[&report]);
        let head = page.lines().next().unwrap();
        assert!(
            head.contains("a\\|b&lt;img src=x&gt; \\# c \\`d\\` \\[e\\]\\(f\\)"),
            "{head}"
        );
    }
}

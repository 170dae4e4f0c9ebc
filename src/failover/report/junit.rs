//! The report as JUnit XML, for programs that count tests: a suite a fault, in it a case a threshold.
//!
//! A case fails when the threshold failed in any round; when it failed in none and proved nothing in one, it is an error. It is never
//! `skipped`: pipelines pass over what was skipped, and nothing passes that proved nothing.

use super::document::{FaultSummary, Report, Run};
use super::text;
use crate::failover::measure::verdict::{Check, Verdict};
use std::fmt::Write;

/// Rounds that a case tells of; the report has all of them.
const TOLD: usize = 20;

/// One case: the same threshold of all rounds.
struct Case {
    name: String,
    verdict: Verdict,
    exit_code: u8,
    seconds: f64,
    /// A line for each round that did not pass.
    said: Vec<String>,
}

/// The reports as one JUnit document.
#[must_use]
pub fn junit(reports: &[&Report]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let mut id = 0;
    for report in reports {
        for fault in &report.summary.faults {
            suite(&mut text, id, report, Some(fault), &cases(report, fault));
            id += 1;
        }
        let whole = whole(report);
        if !whole.is_empty() {
            suite(&mut text, id, report, None, &whole);
            id += 1;
        }
    }
    text.push_str("</testsuites>\n");
    text
}

fn cases(report: &Report, fault: &FaultSummary) -> Vec<Case> {
    let runs = report.runs.iter().filter(|run| run.fault.name == fault.fault);
    let of_rounds = runs.flat_map(|run| run.thresholds.iter().map(move |check| (Some(run), check)));
    let checks = of_rounds.chain(fault.thresholds.iter().map(|check| (None, check)));
    let mut cases: Vec<Case> = Vec::new();
    for (run, check) in checks {
        match cases.iter_mut().find(|case| case.name == check.name) {
            Some(case) => case.add(run, check),
            None => {
                let mut case = Case::passed(&check.name);
                case.add(run, check);
                cases.push(case);
            }
        }
    }
    let spread = fault.rto.as_ref();
    for case in &mut cases {
        let ns = match case.name.as_str() {
            "rto.max" => spread.and_then(|spread| spread.worst_ns),
            "rto.median" => spread.and_then(|spread| spread.median_ns),
            "rto.p95" => spread.and_then(|spread| spread.p95_ns),
            _ => None,
        };
        case.seconds = ns.unwrap_or(0) as f64 / 1e9;
    }
    cases
}

/// What is wrong with the test as a whole.
fn whole(report: &Report) -> Vec<Case> {
    let unclear = |name: &str, why: String| Case {
        verdict: Verdict::Inconclusive,
        exit_code: report.exit_code,
        said: vec![why],
        ..Case::passed(name)
    };
    let broken = report.broken_off.as_ref().map(|broken| {
        let done = report.runs.len();
        format!("interrupted after {done} of {} rounds: {}", broken.rounds, broken.cause)
    });
    let none = || report.runs.is_empty().then(|| "no round was completed".to_owned());
    let complete = broken.or_else(none).map(|why| unclear("test.complete", why));
    let unwritten = report.unwritten.as_ref().map(|unwritten| {
        let why = format!(
            "the report was not written to {}: {}",
            unwritten.folder, unwritten.cause
        );
        unclear("report.written", why)
    });
    complete.into_iter().chain(unwritten).collect()
}

impl Case {
    fn passed(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            verdict: Verdict::Pass,
            exit_code: 0,
            seconds: 0.0,
            said: Vec::new(),
        }
    }

    fn add(&mut self, run: Option<&Run>, check: &Check) {
        if check.verdict == Verdict::Pass {
            return;
        }
        let reason = check.reason.as_deref().unwrap_or("limit exceeded");
        let line = match run {
            Some(run) => format!("round {}: {reason}", run.round),
            None => reason.to_owned(),
        };
        // A failure is more than an error, and its round is told first.
        if check.verdict == Verdict::Fail && self.verdict != Verdict::Fail {
            self.said.insert(0, line);
            (self.verdict, self.exit_code) = (check.verdict, check.exit_code);
            return;
        }
        if self.verdict == Verdict::Pass {
            (self.verdict, self.exit_code) = (check.verdict, check.exit_code);
        }
        self.said.push(line);
    }
}

fn suite(text: &mut String, id: usize, report: &Report, fault: Option<&FaultSummary>, cases: &[Case]) {
    let number = |verdict| cases.iter().filter(|case| case.verdict == verdict).count();
    let name = fault.map_or("failover-test", |fault| fault.fault.name());
    let seconds: f64 = cases.iter().map(|case| case.seconds).sum();
    let _ = writeln!(
        text,
        "  <testsuite id=\"{id}\" package=\"mqaws\" name=\"{}\" timestamp=\"{}\" hostname=\"localhost\" tests=\"{}\" failures=\"{}\" \
         errors=\"{}\" time=\"{seconds:.3}\">",
        escaped(name),
        escaped(&local(&report.started_at)),
        cases.len(),
        number(Verdict::Fail),
        number(Verdict::Inconclusive),
    );
    text.push_str("    <properties>\n");
    let mut properties = vec![
        ("stack", report.place.stack.clone()),
        ("queue_manager", report.engine.queue_manager.clone()),
        ("where", text::place(report)),
        ("mqaws_version", report.mqaws_version.clone()),
        ("started_at", report.started_at.clone()),
    ];
    if let Some(fault) = fault {
        properties.push(("rounds", fault.rounds.to_string()));
        properties.extend(fault.rto.as_ref().map(|spread| ("rto", text::spread(spread))));
    }
    for (name, value) in properties {
        let _ = writeln!(text, "      <property name=\"{name}\" value=\"{}\"/>", escaped(&value));
    }
    text.push_str("    </properties>\n");
    for one in cases {
        case(text, name, one);
    }
    text.push_str("    <system-out/>\n    <system-err/>\n  </testsuite>\n");
}

fn case(text: &mut String, suite: &str, case: &Case) {
    let _ = write!(
        text,
        "    <testcase name=\"{}\" classname=\"mqaws.{}\" time=\"{:.3}\"",
        escaped(&case.name),
        escaped(suite),
        case.seconds
    );
    let element = match case.verdict {
        Verdict::Pass => {
            text.push_str("/>\n");
            return;
        }
        Verdict::Fail => "failure",
        Verdict::Inconclusive => "error",
    };
    let (first, told) = (case.said.first().map_or("", String::as_str), case.said.len().min(TOLD));
    let mut body = case.said[..told].join("\n");
    if told < case.said.len() {
        let _ = write!(body, "\nand {} more", case.said.len() - told);
    }
    let _ = writeln!(
        text,
        ">\n      <{element} type=\"exit {}\" message=\"{}\">{}</{element}>\n    </testcase>",
        case.exit_code,
        escaped(first),
        escaped(&body)
    );
}

/// A time as the schemas of JUnit want it, without a fraction and a zone.
fn local(rfc3339: &str) -> String {
    rfc3339.chars().take("2026-01-01T00:00:00".len()).collect()
}

/// A text as an attribute or an element may hold it. What XML 1.0 has no way to write becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push_str("&#10;"),
            '\t' => safe.push_str("&#9;"),
            '\r' => safe.push_str("&#13;"),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests;

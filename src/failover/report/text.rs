//! The report for people: the same lines on a terminal and off one, 80 columns, no cursor movement, no colour.

use super::complaints::{limits, over_rounds, reason};
use super::document::{Entry, Report, Run};
use super::matrix;
use super::modeled::ModeledPart;
use crate::failover::measure::gap::Worker;
use crate::failover::measure::ledger::Tally;
use crate::failover::measure::spread::RtoSpread;
use crate::failover::measure::verdict::{Check, Verdict};
use crate::failover::scenario::Load;
use mqaws_contract::plain;
use std::fmt::Write;

const WIDTH: usize = 80;

const INDENT: &str = "           ";

/// Where no line is broken: within a number, and between it and its unit.
const NO_BREAK: char = '\u{a0}';

/// The line that says under which load a test runs.
#[must_use]
pub fn load(load: &Load) -> String {
    let others = match load.non_persistent_producers {
        0 => String::new(),
        n => format!(" (+ {n} non-persistent)"),
    };
    format!(
        "  load     {} producers × {} msg/s{others}, {} consumers, {} persistent, {} waiting\n",
        load.producers,
        load.rate,
        load.consumers,
        size(load.size),
        grouped(load.backlog)
    )
}

/// One round: fault, timeline, RTO, RPO, verdict.
#[must_use]
pub fn run(run: &Run) -> String {
    let mut text = String::new();
    let verified = match (run.fault.verified, run.fault.evidence.as_str()) {
        (true, "") => "verified".to_owned(),
        (true, _) => "verified".to_owned(),
        (false, _) => "not verified".to_owned(),
    };
    let head = format!("  fault {:<2} {}", run.round, run.fault.name);
    let gap = WIDTH
        .saturating_sub(head.chars().count() + verified.chars().count())
        .max(2);
    let _ = writeln!(text, "{head}{}{verified}", " ".repeat(gap));
    for entry in &run.timeline {
        let text_of = event(entry, is_close(entry, &run.timeline));
        line(&mut text, &text_of, "                             ");
    }
    line(&mut text, &rto(run), "             ");
    line(&mut text, &rpo(run), "             ");
    for warning in &run.warnings {
        line(&mut text, &format!("note: {warning}"), "             ");
    }
    let bad: Vec<&Check> = run
        .thresholds
        .iter()
        .filter(|check| check.verdict != Verdict::Pass)
        .collect();
    match run.verdict {
        Verdict::Pass => line(&mut text, "PASS", INDENT),
        verdict => {
            line(
                &mut text,
                &format!("{} (exit {})", word(verdict), run.exit_code),
                INDENT,
            );
            for check in bad {
                line(
                    &mut text,
                    &format!("{}: {}", check.name, reason(check)),
                    "             ",
                );
            }
        }
    }
    plain(&text).into_owned()
}

/// What all rounds say together, and what they do not.
#[must_use]
pub fn summary(report: &Report) -> String {
    let mut text = String::new();
    let summary = &report.summary;
    if summary.rounds > 1 {
        let _ = writeln!(
            text,
            "  rounds   {}: {} passed, {} failed, {} inconclusive",
            summary.rounds, summary.passed, summary.failed, summary.inconclusive
        );
        for entry in &summary.faults {
            let counts = format!(
                "{}: {} of {} passed, {} failed, {} inconclusive",
                entry.fault, entry.passed, entry.rounds, entry.failed, entry.inconclusive
            );
            line(&mut text, &counts, "             ");
            if let Some(rto) = &entry.rto {
                line_at(
                    &mut text,
                    "             ",
                    &format!("RTO {}", spread(rto)),
                    "               ",
                );
            }
        }
    }
    for warning in matrix::unexpected(report) {
        line_at(&mut text, "  warning  ", &warning, INDENT);
    }
    modeled(&mut text, report);
    if let Some(bound) = summary.loss_chance_below {
        line_at(
            &mut text,
            "  shown    ",
            &format!(
                "no loss in {} {}: the chance of a losing round is below {:.0} % (95 % confidence)",
                summary.rounds,
                if summary.rounds == 1 { "round" } else { "rounds" },
                bound * 100.0
            ),
            INDENT,
        );
    }
    line_at(&mut text, "  where    ", &place(report), INDENT);
    if !report.place.assumed.is_empty() {
        let delays = report.place.assumed.iter();
        let delays = delays.map(|one| format!("{} {}", one.name, seconds(one.milliseconds * 1_000_000)));
        let delays: Vec<String> = delays.collect();
        let assumed = format!("{} (AWS documents no value for these delays)", delays.join(" · "));
        line_at(&mut text, "  assumed  ", &assumed, INDENT);
    }
    line_at(&mut text, "  limits   ", &limits(report), INDENT);
    let over: Vec<String> = over_rounds(report)
        .map(|(fault, check)| format!("{fault}, {}", check.name))
        .collect();
    let over = match over.is_empty() {
        true => String::new(),
        false => format!(": {}", over.join("; ")),
    };
    let verdict = format!("{} (exit {}){over}", word(report.verdict), report.exit_code);
    line_at(&mut text, "  verdict  ", &verdict, INDENT);
    for (fault, check) in over_rounds(report) {
        let why = format!("{fault}, {}: {}", check.name, reason(check));
        line_at(&mut text, INDENT, &why, "             ");
    }
    if let Some(broken) = &report.broken_off {
        let why = format!(
            "interrupted after {} of {} rounds: {}",
            report.runs.len(),
            broken.rounds,
            broken.cause
        );
        line_at(&mut text, INDENT, &why, INDENT);
    }
    if let Some(unwritten) = &report.unwritten {
        let why = format!(
            "the report was not written to {}: {}",
            unwritten.folder, unwritten.cause
        );
        line_at(&mut text, INDENT, &why, INDENT);
    }
    plain(&text).into_owned()
}

/// What the model says of the outage of each fault, and where the median one differs. A lab with delays of its own differs in every part,
/// which the document has.
fn modeled(text: &mut String, report: &Report) {
    let is_fast = report.place.timing.as_deref() == Some("fast");
    let mut lead = "  model    ";
    for fault in &report.summary.faults {
        let Some((whole, parts)) = fault.modeled.split_last() else {
            continue;
        };
        let is_told = |part: &&ModeledPart| !is_fast && part.difference_ns.is_some_and(|ns| ns != 0);
        let off = parts.iter().filter(is_told);
        let off: Vec<String> = off.map(|part| format!("{} {}", part.name, part.difference())).collect();
        let off = match off.as_slice() {
            [] => String::new(),
            off => format!(" ({})", off.join(" · ")),
        };
        let after = match fault.modeled_after_fault {
            true => " after the fault has ended",
            false => "",
        };
        let measured = whole.measured_ns.map_or_else(String::new, seconds);
        let said = format!(
            "{}: {} modeled{after}, {measured} measured: {}{off}",
            fault.fault,
            whole.range(),
            whole.difference()
        );
        line_at(text, lead, &said, "             ");
        lead = INDENT;
    }
    if let Some(values) = report.model.as_ref().and_then(|model| model.values.as_ref())
        && lead == INDENT
    {
        line_at(text, lead, &format!("with the measured values of {values}"), INDENT);
    }
    if lead == INDENT && report.place.kind != "aws" {
        line_at(
            text,
            lead,
            "the model is of AWS; a local cloud has shorter delays of its own",
            INDENT,
        );
    }
}

/// The outages of a fault's rounds. Of few rounds, the 95th percentile is marked as what it is.
pub(super) fn spread(spread: &RtoSpread) -> String {
    let value = |ns: Option<u64>| ns.map_or_else(|| "service not restored".to_owned(), seconds);
    let worst = value(spread.worst_ns);
    let few = match (spread.rounds, spread.p95_is_worst) {
        (1, _) => return format!("{worst} (1 round)"),
        (rounds, true) => format!("{rounds} rounds, so the p95 is the worst"),
        (rounds, false) => format!("{rounds} rounds"),
    };
    format!(
        "median {} · p95 {} · worst {worst} ({few})",
        value(spread.median_ns),
        value(spread.p95_ns)
    )
}

pub(crate) fn place(report: &Report) -> String {
    let engine = report
        .engine
        .version
        .as_deref()
        .unwrap_or("an engine that does not report its product");
    let stand_in = if report.engine.stand_in && !engine.contains("stand-in") {
        ", a stand-in"
    } else {
        ""
    };
    match (&report.place.timing, &report.place.hosts) {
        (Some(timing), Some(hosts)) => {
            format!("local cloud, {hosts} hosts, {timing} timing; {engine}{stand_in}; not AWS")
        }
        (Some(timing), None) => format!("local cloud, {timing} timing; {engine}{stand_in}; not AWS"),
        (None, _) => format!(
            "{}, account {}; {engine}{stand_in}",
            report.place.region, report.place.account
        ),
    }
}

fn event(entry: &Entry, is_close: bool) -> String {
    let line = format!("{:<+9.3} {:<8} {}", entry.t_ns as f64 / 1e9, entry.source, entry.text);
    match is_close {
        true => format!("{line} (±{} ms)", entry.uncertainty_ns.div_ceil(1_000_000)),
        false => line,
    }
}

/// Whether an entry of another clock than the clients' is so near one of theirs that their order is not known.
fn is_close(entry: &Entry, all: &[Entry]) -> bool {
    let near = |other: &Entry| entry.t_ns.abs_diff(other.t_ns) <= entry.uncertainty_ns;
    let theirs = all.iter().filter(|other| other.uncertainty_ns == 0);
    entry.source != "fault" && entry.uncertainty_ns > 0 && theirs.into_iter().any(near)
}

fn rto(run: &Run) -> String {
    let Some(rto) = &run.rto else {
        return "RTO not measured".into();
    };
    let Some(worst) = run
        .outages
        .iter()
        .max_by_key(|outage| (!outage.recovered(), outage.gap_ns))
    else {
        return "RTO not measured".into();
    };
    if !worst.recovered() {
        return format!(
            "RTO      none: service was not restored for {} within {}",
            worst.worker,
            seconds(worst.gap_ns)
        );
    }
    if !rto.counts {
        return format!(
            "RTO      below {}: no gap longer than usual (longest {})",
            seconds(worst.threshold_ns),
            seconds(rto.ns)
        );
    }
    let parts: Vec<String> = rto
        .phases
        .iter()
        .filter(|phase| phase.ns >= 5_000_000)
        .map(|phase| {
            let detail = phase.detail.trim();
            let detail = if detail.is_empty() {
                String::new()
            } else {
                format!(" ({detail})")
            };
            let off = match phase.uncertainty_ns.div_ceil(1_000_000) {
                0 => String::new(),
                ms => format!(" (± {ms} ms)"),
            };
            format!("{}{detail} {:.2}{off}", phase.name, phase.ns as f64 / 1e9)
        })
        .collect();
    let slowest = |role: fn(&Worker) -> bool| {
        run.outages
            .iter()
            .filter(|outage| role(&outage.worker))
            .map(|outage| outage.gap_ns)
            .max()
            .unwrap_or(0)
    };
    format!(
        "RTO      {}   {}  (±{NO_BREAK}{}{NO_BREAK}ms); producers {}, consumers {}",
        seconds(rto.ns),
        parts.join(" · "),
        rto.uncertainty_ns.div_ceil(1_000_000),
        seconds(slowest(|worker| matches!(worker, Worker::Producer(_)))),
        seconds(slowest(|worker| matches!(worker, Worker::Consumer(_)))),
    )
}

fn rpo(run: &Run) -> String {
    let (counts, tally) = (&run.ledger.persistent, &run.ledger.tally);
    let lost = match run.ledger.lost {
        Some(lost) => format!(
            "RPO      {}   {} acknowledged, {} lost",
            grouped(lost),
            grouped(counts.acked),
            grouped(lost)
        ),
        None => format!(
            "RPO      not shown   {} acknowledged, {} missing",
            grouped(counts.acked),
            grouped(counts.missing)
        ),
    };
    let mut parts = vec![lost];
    if counts.unknown > 0 {
        parts.push(format!(
            "{} unknown: {} arrived, {} did not",
            grouped(counts.unknown),
            grouped(counts.recovered),
            grouped(counts.vanished)
        ));
    }
    if tally.sent_again > 0 {
        let twice = match tally.extra_sent_again {
            1 => "1 of them is a duplicate".to_owned(),
            some => format!("{} of them are duplicates", grouped(some)),
        };
        parts.push(format!(
            "{} sent again without a response: {twice}",
            grouped(tally.sent_again)
        ));
    }
    parts.extend(duplicates(tally));
    let unsent = counts.not_sent + run.ledger.non_persistent.not_sent;
    if unsent > 0 {
        let slots = counts.slots + run.ledger.non_persistent.slots;
        parts.push(format!("{} of {} slots not sent", grouped(unsent), grouped(slots)));
    }
    for (count, name) in [
        (tally.reordered, "out of order"),
        (
            tally.order_not_judged,
            "late in order, not judged: flagged, or after a lost connection",
        ),
        (counts.failed, "refused"),
        (tally.foreign, "foreign"),
        (tally.corrupt, "damaged"),
        (tally.unexpected, "never sent"),
        (counts.resurrected, "rejected but delivered"),
    ] {
        if count > 0 {
            parts.push(format!("{} {name}", grouped(count)));
        }
    }
    if let Some(age) = run.rpo_ns {
        parts.push(format!("the oldest lost message was {} old at the fault", seconds(age)));
    }
    let apart = &run.ledger.non_persistent;
    if apart.acked > 0 {
        parts.push(format!(
            "non-persistent, counted separately: {} of {} did not arrive",
            grouped(apart.missing),
            grouped(apart.acked)
        ));
    }
    parts.join("; ")
}

/// Messages that came more than once, and what explains them.
fn duplicates(tally: &Tally) -> Option<String> {
    let (extra, explained) = (
        tally.extra() - tally.extra_sent_again,
        tally.extra_flagged + tally.extra_unflagged,
    );
    let name = if extra == 1 { "duplicate" } else { "duplicates" };
    let flagged = match tally.extra_flagged {
        0 => String::new(),
        all if all == explained => ", flagged".into(),
        some => format!(", {} flagged", grouped(some)),
    };
    let (all, unexplained) = (grouped(extra), grouped(tally.extra_unexplained));
    match (explained, tally.extra_unexplained) {
        (0, 0) => None,
        (_, 0) => Some(format!("{all} {name} after a lost connection{flagged}")),
        (0, _) => Some(format!("{all} {name} without a lost connection")),
        (explained, _) => Some(format!(
            "{all} {name}: {} after a lost connection{flagged}; {unexplained} without one",
            grouped(explained)
        )),
    }
}

pub(crate) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "INCONCLUSIVE",
    }
}

pub(super) fn line(text: &mut String, content: &str, hang: &str) {
    line_at(text, INDENT, content, hang);
}

/// Writes a paragraph that breaks between words at the right edge, never at [`NO_BREAK`], and goes on under `hang`.
pub(crate) fn line_at(text: &mut String, lead: &str, content: &str, hang: &str) {
    let mut row = lead.to_owned();
    let mut column = lead.chars().count();
    let mut fresh = true;
    let mut blanks = String::new();
    // Foreign text may have lines of its own, which look like ours.
    for word in content.split([' ', '\n']) {
        if word.is_empty() {
            blanks.push(' ');
            continue;
        }
        let long = word.chars().count();
        if !fresh && column + 1 + blanks.len() + long > WIDTH {
            let _ = writeln!(text, "{}", row.trim_end());
            row = hang.to_owned();
            column = hang.chars().count();
            fresh = true;
            blanks.clear();
        }
        if !fresh {
            row.push(' ');
            row.push_str(&blanks);
            column += 1 + blanks.len();
        }
        blanks.clear();
        row.push_str(word);
        column += long;
        fresh = false;
    }
    let _ = writeln!(text, "{}", row.trim_end());
}

/// Seconds with the precision that is true.
pub(crate) fn seconds(ns: u64) -> String {
    let seconds = ns as f64 / 1e9;
    if seconds < 9.95 {
        format!("{seconds:.2} s")
    } else {
        format!("{seconds:.0} s")
    }
}

fn size(bytes: usize) -> String {
    if bytes >= 1024 && bytes.is_multiple_of(1024) {
        format!("{} KiB", bytes / 1024)
    } else {
        format!("{bytes} B")
    }
}

/// Thousands apart by a space that breaks no line.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(NO_BREAK);
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;

//! What became of the messages, every round in a line, and what none of it shows.

use super::html::Html;
use crate::failover::measure::account::Counts;
use crate::failover::report::{Report, Run, text};

pub(super) fn write(page: &mut Html, report: &Report) {
    messages(page, report);
    rounds(page, report);
    page.element("h2", "", "What it does not show");
    page.list(report.not_shown.iter().map(String::as_str));
    let caveat = Some(report.driver.caveat.as_str()).filter(|caveat| !caveat.is_empty());
    let assumptions: Vec<&str> = report.assumptions.iter().map(String::as_str).chain(caveat).collect();
    if !assumptions.is_empty() {
        page.element("h2", "", "Assumptions");
        page.list(assumptions);
    }
}

/// A class of messages: its name, what it means, and how many.
type Class = (&'static str, &'static str, fn(&Counts) -> u64);

const CLASSES: [Class; 12] = [
    ("slots", "came due", |counts| counts.slots),
    (
        "not sent",
        "no connection, or too many without an answer: availability, not loss",
        |counts| counts.not_sent,
    ),
    ("acknowledged", "the queue manager has accepted it", |counts| {
        counts.acked
    }),
    ("rejected", "the queue manager has refused it", |counts| counts.failed),
    ("unknown", "sent, without an answer", |counts| counts.unknown),
    ("received", "different messages that consumers got", |counts| {
        counts.received
    }),
    (
        "missing",
        "acknowledged and not received; lost once the queue is proved empty",
        |counts| counts.missing,
    ),
    ("recovered", "unknown, but received", |counts| counts.recovered),
    ("vanished", "unknown, and not received", |counts| counts.vanished),
    ("repeated", "acknowledged, and received more than once", |counts| {
        counts.duplicated_acked
    }),
    ("unknown, repeated", "unknown, and received more than once", |counts| {
        counts.duplicated_unknown
    }),
    ("resurrected", "rejected, and received anyway", |counts| {
        counts.resurrected
    }),
];

fn messages(page: &mut Html, report: &Report) {
    let of_kind =
        |class: &Class, kind: fn(&Run) -> &Counts| -> u64 { report.runs.iter().map(|run| (class.2)(kind(run))).sum() };
    let apart = report.runs.iter().any(|run| run.ledger.non_persistent.slots > 0);
    let rows: Vec<Vec<String>> = CLASSES
        .iter()
        .map(|class| {
            let mut row = vec![class.0.to_owned(), class.1.to_owned()];
            row.push(of_kind(class, |run| &run.ledger.persistent).to_string());
            if apart {
                row.push(of_kind(class, |run| &run.ledger.non_persistent).to_string());
            }
            row
        })
        .collect();
    page.element("h2", "", "Messages of all rounds");
    let head: &[&str] = match apart {
        true => &["Class", "Meaning", "Persistent", "Others"],
        false => &["Class", "Meaning", "Messages"],
    };
    page.table(head, 2, &rows);
}

fn rounds(page: &mut Html, report: &Report) {
    if report.runs.is_empty() {
        return;
    }
    let row = |run: &Run| {
        let outage = match &run.rto {
            None => "not measured".to_owned(),
            Some(rto) if !rto.counts => "none seen".to_owned(),
            Some(rto) => text::seconds(rto.ns),
        };
        let lost = run
            .ledger
            .lost
            .map_or_else(|| "not proved".to_owned(), |lost| lost.to_string());
        let after = run.served_after.as_ref().map_or("none", |host| host.zone.as_str());
        vec![
            run.round.to_string(),
            run.fault.name.to_string(),
            text::word(run.verdict).to_owned(),
            format!("{} → {after}", run.served_before.zone),
            run.started_at.clone(),
            outage,
            lost,
            run.ledger.tally.extra().to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = report.runs.iter().map(row).collect();
    page.element("h2", "", "Rounds");
    let head = [
        "Round", "Fault", "Verdict", "Zone", "Began", "Outage", "Lost", "Repeated",
    ];
    page.table(&head, 5, &rows);
}

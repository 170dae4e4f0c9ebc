//! What happened in a round, line by line: the fault, the clients, the agent's marks, the load balancer's targets.

use super::assemble::Observations;
use super::document::Entry;
use crate::failover::measure::connection::ConnectionChange;
use crate::failover::measure::gap::{Outage, Worker};
use crate::model::agent::{Mark, mark};

/// The timeline, in no order yet.
pub(super) fn timeline(observed: &Observations<'_>, outages: &[Outage]) -> Vec<Entry> {
    let fault = &observed.fault;
    let local = |t_ns: u64, source: &str, kind: &str, text: String| Entry {
        t_ns: fault.relative(t_ns),
        source: source.into(),
        kind: kind.into(),
        text,
        uncertainty_ns: 0,
    };
    let mut entries = vec![Entry {
        t_ns: 0,
        source: "fault".into(),
        kind: fault.name.name().into(),
        text: fault.evidence.clone(),
        uncertainty_ns: observed.clock.uncertainty_ns,
    }];
    let lost: Vec<(Worker, u64, &String)> = observed
        .notes
        .iter()
        .filter(|note| note.at_ns >= fault.asked_ns)
        .filter_map(|note| match &note.what {
            ConnectionChange::Lost(cause) => Some((note.worker, note.at_ns, cause)),
            _ => None,
        })
        .collect();
    if let Some((_, at, cause)) = lost.first() {
        let first_round: std::collections::BTreeSet<Worker> = lost.iter().map(|entry| entry.0).collect();
        let all = outages.len();
        entries.push(local(
            *at,
            "clients",
            "lost",
            format!("{cause} ({} of {all} connections)", first_round.len()),
        ));
    }
    for one in &observed.marks {
        let relative = fault.relative_wall(observed.clock, one.t_unix_ns);
        let words = words(one);
        if relative < 0 || words.is_empty() || one.mark == mark::FAULT {
            continue;
        }
        let source = if one.mark == mark::ENGINE_STARTED {
            "engine"
        } else {
            "agent"
        };
        entries.push(Entry {
            t_ns: relative,
            source: source.into(),
            kind: one.mark.clone(),
            text: words,
            uncertainty_ns: observed.clock.uncertainty_ns,
        });
    }
    for seen in &observed.health {
        let (at, count) = (seen.from_ns, seen.healthy);
        if at > fault.asked_ns {
            let text = if count == 0 {
                "no target is healthy".into()
            } else {
                format!("{count} healthy")
            };
            entries.push(local(at, "target", "health", text));
        }
    }
    let first = outages
        .iter()
        .filter_map(|outage| Some((outage.first_ok_ns?, outage.worker)))
        .filter(|_| !lost.is_empty());
    let of = |producer: bool| {
        first
            .clone()
            .filter(move |(_, worker)| matches!(worker, Worker::Producer(_)) == producer)
            .map(|(at, _)| at)
    };
    for (producer, one, all) in [
        (true, "first acknowledgement", "every producer served again"),
        (false, "first message received", "every consumer served again"),
    ] {
        let (Some(min), Some(max)) = (of(producer).min(), of(producer).max()) else {
            continue;
        };
        entries.push(local(
            min,
            "clients",
            if producer { "first-ack" } else { "first-receipt" },
            one.into(),
        ));
        if max > min {
            entries.push(local(
                max,
                "clients",
                if producer { "all-acks" } else { "all-receipts" },
                all.into(),
            ));
        }
    }
    entries
}

/// A mark in words for people; empty for marks that say nothing to them.
fn words(one: &Mark) -> String {
    let text = match one.mark.as_str() {
        mark::AGENT_STARTED => format!("started on {}", one.instance),
        mark::MOUNTED => "file system mounted".into(),
        mark::LOCK_OBTAINED => "lock obtained".into(),
        mark::PROOF => "may write, proof".into(),
        mark::DEATH_NOTICED => "death noticed".into(),
        mark::HANG_NOTICED => "hang noticed".into(),
        mark::RESTARTING => "restart in place".into(),
        mark::CONDEMNED => format!("{} condemned", one.instance),
        mark::DRAINING => format!("{} drains", one.instance),
        mark::STOPPED => "stopped, lock released".into(),
        mark::ENGINE_STARTED => "running".into(),
        mark::ENGINE_STARTING => "start of the queue manager".into(),
        mark::ADOPTED | mark::SERVING => String::new(),
        other => other.replace('-', " "),
    };
    match one.detail.trim() {
        "" => text,
        detail if text.is_empty() || text.contains(detail) => text,
        detail => format!("{text}: {detail}"),
    }
}

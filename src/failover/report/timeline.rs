//! What happened in a round, line by line: the fault, the clients, the agent's marks, the load balancer's targets.

use super::assemble::Observations;
use super::document::Entry;
use crate::failover::measure::connection::ConnectionChange;
use crate::failover::measure::gap::{Outage, Worker};
use crate::failover::measure::targets::changes;
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
    for look in changes(&observed.health) {
        if look.at_ns > fault.asked_ns {
            let text = match (look.targets.healthy, look.targets.registered) {
                (0, 0) => "no target is registered".into(),
                (0, _) => "no target is healthy".into(),
                (count, _) => format!("{count} healthy"),
            };
            entries.push(local(look.at_ns, "target", "health", text));
        }
    }
    let first = served_again(outages, &lost);
    let of = |producer: bool| {
        first
            .iter()
            .filter(move |(_, worker)| matches!(worker, Worker::Producer(_)) == producer)
            .map(|(at, _)| *at)
    };
    for (producer, one, all) in [
        (true, "first acknowledgement", "all producers have service"),
        (false, "first message received", "all consumers have service"),
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

/// When workers that lost their connection were served again. What was under way when the fault came, and was answered all the same,
/// is no return of service: it would stand before the engine runs.
fn served_again(outages: &[Outage], lost: &[(Worker, u64, &String)]) -> Vec<(u64, Worker)> {
    let after = |(at, worker): &(u64, Worker)| {
        let own = lost.iter().find(|(who, _, _)| who == worker);
        own.is_some_and(|(_, lost_at, _)| at > lost_at)
    };
    let first = outages
        .iter()
        .filter_map(|outage| Some((outage.first_ok_ns?, outage.worker)));
    first.filter(after).collect()
}

/// A mark in words for people; empty for marks that say nothing to them.
fn words(one: &Mark) -> String {
    let text = match one.mark.as_str() {
        mark::AGENT_STARTED => format!("started on {}", one.instance),
        mark::MOUNTED => "file system mounted".into(),
        mark::LOCK_OBTAINED => "lock obtained".into(),
        mark::PROOF => "start allowed, proof".into(),
        mark::DEATH_NOTICED => "death noticed".into(),
        mark::HANG_NOTICED => "hang noticed".into(),
        mark::RESTARTING => "restart in place".into(),
        mark::CONDEMNED => format!("{} condemned", one.instance),
        mark::DRAINING => format!("{} drains", one.instance),
        mark::STOPPED => "stopped, lock released".into(),
        mark::ENGINE_STARTED => "running".into(),
        mark::ENGINE_STARTING => "starting the queue manager".into(),
        mark::ADOPTED | mark::SERVING => String::new(),
        other => other.replace('-', " "),
    };
    match one.detail.trim() {
        "" => text,
        detail if text.is_empty() || text.contains(detail) => text,
        detail => format!("{text}: {detail}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_under_way_at_the_fault_is_no_return_of_service() {
        let outage = |worker: Worker, first_ok_ns: u64| Outage {
            worker,
            last_ok_ns: 90,
            first_ok_ns: Some(first_ok_ns),
            gap_ns: first_ok_ns - 90,
            from_fault_ns: None,
            total_ns: 0,
            gaps: 0,
            threshold_ns: 0,
            longest_ns: 0,
            down_at_end: false,
        };
        let (cut, whole) = (Worker::Producer(0), Worker::Producer(1));
        let cause = "reset".to_owned();
        let lost = [(cut, 110, &cause)];
        // Answered before its connection was lost; served again; never cut off.
        for (outages, expected) in [
            (vec![outage(cut, 107)], vec![]),
            (vec![outage(cut, 170)], vec![(170, cut)]),
            (vec![outage(whole, 107), outage(cut, 170)], vec![(170, cut)]),
        ] {
            assert_eq!(served_again(&outages, &lost), expected);
        }
    }
}

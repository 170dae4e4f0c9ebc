//! From what a round wrote down to its part of the report.

use super::account::Account;
use super::depth::AtRest;
use super::drain::Drained;
use super::gap::{self, Outage, Worker, percentile};
use super::inject::{Injected, Seen};
use super::ledger::Ledger;
use super::observed::Finish;
use super::pack::State;
use super::phases::{Clock, phases};
use super::recovery::is_connected;
use super::report::{Entry, FaultRecord, Host, Latency, Rto, Run, Stall};
use super::round::{Noticed, Round, nanos};
use super::scenario::{Fault, Limits, Load};
use super::unsent::Unsent;
use super::verdict::{Evidence, judge};
use crate::model::Topology;
use crate::model::agent::{AgentStatus, Mark, mark};
use crate::topology;
use std::time::Duration;

/// Full service wants this long of usual rate and latency.
const FULL_FOR: Duration = Duration::from_secs(5);

const SECOND: u64 = 1_000_000_000;

/// Everything that a round left behind.
pub(super) struct Remains<'a> {
    pub number: u32,
    pub topology: Topology,
    pub fault: Fault,
    pub injected: Injected,
    pub seen: Seen,
    pub before: Host,
    pub after: Option<Host>,
    pub drained: Drained,
    pub queue_manager: &'a str,
    pub endpoint: &'a str,
    pub queue: &'a str,
    /// The broker's own count once the backlog was put, and at rest after the load.
    pub after_fill: u64,
    pub at_rest: AtRest,
    /// Whether everybody was served again in time.
    pub served: bool,
    pub marks: Vec<Mark>,
    pub clock: Clock,
    pub health: Vec<(u64, usize)>,
    pub finish: Finish,
    pub workers: &'a [Worker],
    pub load: &'a Load,
    pub limits: &'a Limits,
    pub warnings: Vec<String>,
}

/// An instance with what its agent says.
pub(super) fn host(status: &AgentStatus) -> Host {
    Host {
        instance: status.instance.clone(),
        zone: status.zone.clone(),
        epoch: status.epoch,
        proof: status.proof.as_ref().map(|proof| proof.kind.clone()),
    }
}

/// Puts a round together and judges it.
pub(super) fn assemble(round: &Round, remains: Remains<'_>) -> Run {
    let Remains {
        injected, load, clock, ..
    } = &remains;
    let ends = remains.finish.ends(round);
    let ledger = round.ledger();
    let account = Account::of(&ledger, remains.drained.drain);
    let asked_ns = injected.asked_ns;
    let at_ns = injected.unix_ns.map_or(asked_ns, |unix| {
        u64::try_from(clock.round_ns(unix))
            .unwrap_or(0)
            .clamp(asked_ns, injected.answered_ns)
    });
    let fault = FaultRecord {
        name: remains.fault,
        verified: remains.seen.verified,
        evidence: remains.seen.evidence.clone(),
        asked_ns,
        at_ns,
    };
    let cuts: Vec<(Worker, u64)> = round
        .notes()
        .iter()
        .filter(|note| matches!(note.what, Noticed::Lost(_)))
        .map(|note| (note.worker, note.at_ns))
        .collect();
    let mut outages = gap::outages(&ledger, remains.workers, &cuts, asked_ns, ends);
    // A consumer that is connected and gets nothing because others take everything is not out of service.
    let others = outages
        .iter()
        .any(|outage| matches!(outage.worker, Worker::Consumer(_)) && outage.recovered());
    let starved = |outage: &Outage| {
        others
            && matches!(outage.worker, Worker::Consumer(_))
            && !outage.recovered()
            && is_connected(round, outage.worker)
    };
    let idle = outages.iter().filter(|outage| starved(outage)).map(|outage| {
        format!(
            "{} is not counted: it was connected, and others took every message",
            outage.worker
        )
    });
    let warnings: Vec<String> = remains.warnings.iter().cloned().chain(idle).collect();
    outages.retain(|outage| !starved(outage));
    let worst = gap::worst(&outages).copied();
    let first_loss = round
        .notes()
        .into_iter()
        .find(|note| note.at_ns >= asked_ns && matches!(note.what, Noticed::Lost(_)));
    let acked_last_second = ledger
        .puts()
        .filter(|put| put.state == State::Acked && (asked_ns.saturating_sub(SECOND)..asked_ns).contains(&put.done_ns))
        .count() as u64;
    let backlog_at_fault = first_loss.as_ref().map_or_else(|| round.waiting(), |note| note.waiting);
    let stalls = round.stalls();
    let stalled_ns = worst.map_or(0, |worst| {
        let end = worst.last_ok_ns + worst.gap_ns;
        stalls
            .iter()
            .map(|stall| stall.to_ns.min(end).saturating_sub(stall.from_ns.max(worst.last_ok_ns)))
            .sum()
    });
    let producers = load.producers + load.non_persistent_producers;
    let unsent = Unsent::of(&ledger, producers, &outages, &stalls, load.rate);
    let judgement = judge(
        &Evidence {
            account: &account,
            elsewhere: (remains.at_rest).elsewhere(
                remains.queue_manager,
                remains.endpoint,
                &account,
                remains.drained.depth,
            ),
            outages: &outages,
            fault_verified: fault.verified,
            disturbed: first_loss.is_some(),
            served: remains.served,
            backlog_at_fault,
            acked_last_second,
            unsent,
            stalled_ns,
        },
        remains.limits,
    )
    .with(
        remains
            .at_rest
            .check(remains.queue_manager, remains.queue, &account, round.receipts()),
    );
    let slot_ns = SECOND / u64::from(load.rate.max(1));
    let recovered_ns = worst.and_then(|worst| worst.first_ok_ns);
    let healthy_ns = worst.and_then(|worst| healthy_again(&remains.health, &worst));
    let mut timeline = timeline(round, &remains, &fault, &outages);
    timeline.sort_by_key(|entry| entry.t_ns);
    Run {
        round: remains.number,
        run_id: ledger.run().to_string(),
        started_at: rfc3339(clock.origin_unix_ns),
        rpo_ns: oldest_lost(&ledger, &account, at_ns),
        rto: worst.map(|worst| Rto {
            ns: worst.gap_ns,
            from_fault_ns: worst.first_ok_ns.map(|at| at.saturating_sub(at_ns)),
            counts: worst.counts(),
            uncertainty_ns: slot_ns.max(clock.uncertainty_ns),
            phases: worst
                .first_ok_ns
                .map(|first| {
                    phases(
                        topology::of(remains.topology).terms(),
                        &remains.marks,
                        *clock,
                        worst.last_ok_ns,
                        first,
                        healthy_ns,
                    )
                })
                .unwrap_or_default(),
        }),
        end_to_end_ns: end_to_end(&ledger, worst.as_ref(), at_ns),
        to_full_ns: to_full(&ledger, load, asked_ns, at_ns, recovered_ns, remains.finish.load_ns),
        latency: latencies(&ledger, asked_ns, recovered_ns, slot_ns),
        stalls: stalls
            .iter()
            .map(|stall| Stall {
                t_ns: fault.relative(stall.from_ns),
                ns: stall.to_ns - stall.from_ns,
            })
            .collect(),
        broker: Some(remains.at_rest.count(remains.after_fill)),
        ledger: account,
        outages,
        backlog_at_fault,
        acked_last_second,
        timeline,
        fault,
        served_before: remains.before,
        served_after: remains.after,
        warnings,
        thresholds: judgement.checks,
        verdict: judgement.verdict,
        exit_code: judgement.exit as u8,
    }
}

/// When a target was healthy again, if within the outage none was.
fn healthy_again(health: &[(u64, usize)], worst: &Outage) -> Option<u64> {
    let end = worst.first_ok_ns?;
    let down = health.iter().rposition(|&(at, count)| count == 0 && at <= end)?;
    let (at, _) = *health.get(down + 1)?;
    // Healthy only after service was back: the load balancer had not been in the way.
    (worst.last_ok_ns..=end).contains(&at).then_some(at)
}

fn oldest_lost(ledger: &Ledger, account: &Account, fault_ns: u64) -> Option<u64> {
    if account.lost.unwrap_or(0) == 0 {
        return None;
    }
    let books = ledger.books();
    ledger
        .puts()
        .filter(|put| {
            let book = &books[put.id.producer as usize];
            book.persistent && book.ids.get(put.id.seq) == (State::Acked, 0)
        })
        .map(|put| fault_ns.saturating_sub(put.sent_ns))
        .max()
}

/// From the fault to the first receipt of a message that was put after the last success.
fn end_to_end(ledger: &Ledger, worst: Option<&Outage>, fault_ns: u64) -> Option<u64> {
    let since = worst?.last_ok_ns.max(fault_ns);
    ledger
        .receipts()
        .filter(|receipt| receipt.first && receipt.sent_ns > since)
        .map(|receipt| receipt.at_ns - fault_ns)
        .min()
}

fn to_full(
    ledger: &Ledger,
    load: &Load,
    asked_ns: u64,
    fault_ns: u64,
    recovered_ns: Option<u64>,
    end_ns: u64,
) -> Option<u64> {
    let mut acks: Vec<(u64, u64)> = ledger
        .puts()
        .filter(|put| put.state == State::Acked)
        .map(|put| (put.done_ns, put.done_ns.saturating_sub(put.due_ns)))
        .collect();
    acks.sort_unstable();
    let mut before: Vec<u64> = acks.iter().filter(|ack| ack.0 < asked_ns).map(|ack| ack.1).collect();
    before.sort_unstable();
    let rate = f64::from(load.rate) * f64::from(load.producers + load.non_persistent_producers);
    let at = gap::full_service(
        &acks,
        recovered_ns?,
        end_ns,
        nanos(FULL_FOR),
        rate,
        percentile(&before, 0.99)?,
    )?;
    Some(at.saturating_sub(fault_ns))
}

/// Latency counts from the due time, so that a producer that had to wait does not hide it.
fn latencies(ledger: &Ledger, asked_ns: u64, recovered_ns: Option<u64>, slot_ns: u64) -> Vec<Latency> {
    let part_of = |at: u64| match recovered_ns {
        _ if at < asked_ns => 0,
        Some(recovered) if at > recovered => 2,
        _ => 1,
    };
    let names = ["before", "during", "after"];
    let mut parts = names.map(|_| Vec::new());
    for put in ledger.puts().filter(|put| put.state == State::Acked) {
        parts[part_of(put.done_ns)].push(put.done_ns.saturating_sub(put.due_ns).max(1) / 1000);
    }
    let _ = slot_ns;
    names
        .into_iter()
        .zip(&mut parts)
        .filter(|(_, part)| !part.is_empty())
        .map(|(name, part)| {
            part.sort_unstable();
            Latency {
                part: name.into(),
                slots: part.len() as u64,
                p50_us: percentile(part, 0.5).unwrap_or(0),
                p99_us: percentile(part, 0.99).unwrap_or(0),
                max_us: part.last().copied().unwrap_or(0),
            }
        })
        .collect()
}

fn timeline(round: &Round, remains: &Remains<'_>, fault: &FaultRecord, outages: &[Outage]) -> Vec<Entry> {
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
        uncertainty_ns: remains.clock.uncertainty_ns,
    }];
    let lost: Vec<(Worker, u64, String)> = round
        .notes()
        .into_iter()
        .filter(|note| note.at_ns >= fault.asked_ns)
        .filter_map(|note| match note.what {
            Noticed::Lost(cause) => Some((note.worker, note.at_ns, cause)),
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
    for one in &remains.marks {
        let relative = fault.relative_wall(remains.clock, one.t_unix_ns);
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
            uncertainty_ns: remains.clock.uncertainty_ns,
        });
    }
    for &(at, count) in &remains.health {
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
        // The agent does not know yet where it is.
        mark::AGENT_STARTED if one.instance.is_empty() => "started".into(),
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

/// Nanoseconds since 1970 as RFC 3339 UTC, to the millisecond.
pub(super) fn rfc3339(unix_ns: i64) -> String {
    let millis = unix_ns.div_euclid(1_000_000);
    jiff::Timestamp::from_millisecond(millis)
        .map(|at| at.to_string())
        .unwrap_or_default()
}

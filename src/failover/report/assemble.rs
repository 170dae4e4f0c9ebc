//! From what a round wrote down to its part of the report.

use super::document::{BrokerCount, FaultRecord, Host, Latency, Rto, Run, Stall};
use super::timeline::timeline;
use crate::failover::measure::account::{Account, Drain};
use crate::failover::measure::at_rest::AtRest;
use crate::failover::measure::connection::{ConnectionChange, ConnectionEvent, Stalled, is_connected};
use crate::failover::measure::gap::{self, ObservationEnd, Outage, Worker};
use crate::failover::measure::latency::{full_service, percentile};
use crate::failover::measure::ledger::Ledger;
use crate::failover::measure::limits::Limits;
use crate::failover::measure::pack::State;
use crate::failover::measure::phases::{Clock, phases};
use crate::failover::measure::series::Series;
use crate::failover::measure::targets::{Look, waited_until};
use crate::failover::measure::unsent::Unsent;
use crate::failover::measure::verdict::{Evidence, judge};
use crate::failover::scenario::Load;
use crate::model::Topology;
use crate::model::agent::{AgentStatus, Mark};
use crate::topology;
use std::collections::BTreeMap;

/// Full service wants this long of usual rate and latency.
const FULL_FOR_NS: u64 = 5 * SECOND;

const SECOND: u64 = 1_000_000_000;

/// Everything that was observed in a round.
pub(crate) struct Observations<'a> {
    pub number: u32,
    pub topology: Topology,
    pub fault: FaultRecord,
    pub before: Host,
    pub after: Option<Host>,
    pub ledger: &'a Ledger,
    /// What the workers noticed, in order of time.
    pub notes: &'a [ConnectionEvent],
    pub stalls: &'a [Stalled],
    /// Messages received, repeated and strange ones included.
    pub receipts: u64,
    /// Messages acknowledged and not received when the fault was asked for.
    pub waiting: u64,
    /// How far the queue was emptied, and the broker's own count then.
    pub drain: Drain,
    pub left: Option<u64>,
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
    pub health: Vec<Look>,
    /// When the load ended, and where the observation of each worker did.
    pub load_ns: u64,
    pub ends: BTreeMap<Worker, ObservationEnd>,
    pub load: &'a Load,
    pub limits: &'a Limits,
    pub warnings: Vec<String>,
    /// What users of such clients are told when messages were lost or came twice; may be empty.
    pub advice: &'a str,
}

/// An instance with what its agent says.
pub(crate) fn host(status: &AgentStatus) -> Host {
    Host {
        instance: status.instance.clone(),
        zone: status.zone.clone(),
        epoch: status.epoch,
        proof: status.proof.as_ref().map(|proof| proof.kind.to_string()),
    }
}

/// Puts a round together and judges it.
pub(crate) fn assemble(observed: &Observations<'_>) -> Run {
    let Observations {
        ledger,
        notes,
        stalls,
        load,
        clock,
        fault,
        ..
    } = observed;
    let account = Account::of(ledger, observed.drain);
    let (asked_ns, at_ns) = (fault.asked_ns, fault.at_ns);
    let cuts: Vec<(Worker, u64)> = notes
        .iter()
        .filter(|note| matches!(note.what, ConnectionChange::Lost(_)))
        .map(|note| (note.worker, note.at_ns))
        .collect();
    let mut outages = gap::outages(ledger, &observed.ends, &cuts, asked_ns);
    // An outage may begin between the order and its effect; what a report counts from the fault, it counts from one moment.
    for outage in &mut outages {
        outage.from_fault_ns = outage.first_ok_ns.map(|first| first.saturating_sub(at_ns));
    }
    // A consumer that is connected and gets nothing because others take everything is not out of service.
    let others = outages
        .iter()
        .any(|outage| matches!(outage.worker, Worker::Consumer(_)) && outage.recovered());
    let starved = |outage: &Outage| {
        others
            && matches!(outage.worker, Worker::Consumer(_))
            && !outage.recovered()
            && is_connected(notes, outage.worker)
    };
    let idle = outages.iter().filter(|outage| starved(outage)).map(|outage| {
        format!(
            "{} is not counted: it was connected, but others received all messages",
            outage.worker
        )
    });
    let harmed = account.lost.unwrap_or(0) > 0 || account.tally.extra() > 0;
    let advice = (harmed && !observed.advice.is_empty()).then(|| observed.advice.to_owned());
    let warnings: Vec<String> = observed.warnings.iter().cloned().chain(idle).chain(advice).collect();
    outages.retain(|outage| !starved(outage));
    let worst = gap::worst(&outages).copied();
    let first_loss = notes
        .iter()
        .find(|note| note.at_ns >= asked_ns && matches!(note.what, ConnectionChange::Lost(_)));
    let acked_last_second = ledger
        .puts()
        .filter(|put| put.state == State::Acked && (asked_ns.saturating_sub(SECOND)..asked_ns).contains(&put.done_ns))
        .count() as u64;
    let backlog_at_fault = first_loss.map_or(observed.waiting, |note| note.waiting);
    let stalled_ns = worst.map_or(0, |worst| {
        let end = worst.last_ok_ns + worst.gap_ns;
        stalls
            .iter()
            .map(|stall| stall.to_ns.min(end).saturating_sub(stall.from_ns.max(worst.last_ok_ns)))
            .sum()
    });
    let producers = load.producers + load.non_persistent_producers;
    let unsent = Unsent::of(ledger, producers, &outages, stalls, load.rate);
    let stand = topology::of(observed.topology).stand(fault.name);
    let judgement = judge(
        &Evidence {
            account: &account,
            elsewhere: (observed.at_rest).elsewhere(observed.queue_manager, observed.endpoint, &account, observed.left),
            confirms: load.confirms,
            outages: &outages,
            fault_verified: fault.verified,
            disturbed: first_loss.is_some(),
            unnoticed: stand.is_some_and(|stand| stand.by == topology::Restart::Unnoticed),
            served: observed.served,
            backlog_at_fault,
            acked_last_second,
            unsent,
            stalled_ns,
        },
        &observed.limits.of_round(fault.name),
    )
    .with(
        observed
            .at_rest
            .check(observed.queue_manager, observed.queue, &account, observed.receipts),
    );
    let slot_ns = SECOND / u64::from(load.rate.max(1));
    let recovered_ns = worst.and_then(|worst| worst.first_ok_ns);
    let target = worst.and_then(|worst| {
        // Whoever is served first shows that the load balancer lets clients through, whatever it says of its targets.
        let ended = outages.iter().filter(|outage| outage.counts());
        let served_ns = ended.filter_map(|outage| outage.first_ok_ns).min();
        waited_until(&observed.health, worst.last_ok_ns, served_ns?)
    });
    let mut timeline = timeline(observed, &outages);
    timeline.sort_by_key(|entry| entry.t_ns);
    Run {
        round: observed.number,
        run_id: ledger.run().to_string(),
        started_at: rfc3339(clock.origin_unix_ns),
        rpo_ns: oldest_lost(ledger, &account, at_ns),
        // What no client noticed was no outage of this fault's.
        rto: worst.filter(|_| first_loss.is_some()).map(|worst| Rto {
            ns: worst.gap_ns,
            from_fault_ns: worst.first_ok_ns.map(|at| at.saturating_sub(at_ns)),
            counts: worst.counts(),
            uncertainty_ns: slot_ns.max(clock.uncertainty_ns),
            phases: worst
                .first_ok_ns
                .map(|first| {
                    phases(
                        topology::of(observed.topology).terms(),
                        &observed.marks,
                        *clock,
                        worst.last_ok_ns,
                        first,
                        target,
                    )
                })
                .unwrap_or_default(),
        }),
        end_to_end_ns: end_to_end(ledger, worst.as_ref(), at_ns),
        to_full_ns: to_full(ledger, load, asked_ns, at_ns, recovered_ns, observed.load_ns),
        series: Series::of(ledger, &outages, at_ns),
        latency: latencies(ledger, asked_ns, recovered_ns, slot_ns),
        stalls: stalls
            .iter()
            .map(|stall| Stall {
                t_ns: fault.relative(stall.from_ns),
                ns: stall.to_ns - stall.from_ns,
            })
            .collect(),
        broker: Some(broker_count(observed, &account)),
        ledger: account,
        outages,
        backlog_at_fault,
        acked_last_second,
        timeline,
        fault: fault.clone(),
        served_before: observed.before.clone(),
        served_after: observed.after.clone(),
        warnings,
        thresholds: judgement.checks,
        verdict: judgement.verdict,
        exit_code: judgement.exit as u8,
    }
}

fn broker_count(observed: &Observations<'_>, account: &Account) -> BrokerCount {
    let at_rest = match &observed.at_rest {
        AtRest::Read { depth, .. } => Some(*depth),
        AtRest::Unread(_) => None,
    };
    BrokerCount {
        after_fill: observed.after_fill,
        at_rest,
        expected: observed.at_rest.range(account, observed.receipts),
    }
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
    let at = full_service(
        &acks,
        recovered_ns?,
        end_ns,
        FULL_FOR_NS,
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

/// Nanoseconds since 1970 as RFC 3339 UTC, to the millisecond.
pub(crate) fn rfc3339(unix_ns: i64) -> String {
    let millis = unix_ns.div_euclid(1_000_000);
    jiff::Timestamp::from_millisecond(millis)
        .map(|at| at.to_string())
        .unwrap_or_default()
}

//! Each ground with its code.

use super::*;
use crate::failover::measure::account::{Counts, Drain, Samples};
use crate::failover::measure::gap::{LastPause, ObservationEnd, Worker, outage};
use crate::failover::measure::ledger::Tally;
use crate::failover::measure::unsent::Slots;
use ExitKind::*;

const SECOND: u64 = 1_000_000_000;

fn account() -> Account {
    Account {
        drain: Drain::Complete,
        persistent: Counts {
            acked: 100,
            received: 100,
            ..Counts::default()
        },
        non_persistent: Counts::default(),
        lost: Some(0),
        tally: Tally::default(),
        samples: Samples::default(),
    }
}

/// A round in order, bent by `bend`, judged under limits bent by `limit`.
fn exit(bend: impl Fn(&mut Account, &mut Evidence<'_>), limit: impl Fn(&mut Limits)) -> ExitKind {
    let outages = [outage(
        Worker::Producer(0),
        &[SECOND, 3 * SECOND],
        &[],
        SECOND + 1,
        ObservationEnd {
            ns: 4 * SECOND,
            last_pause: LastPause::Idle,
        },
    )];
    let (mut bent, shown) = (account(), account());
    let mut evidence = Evidence {
        account: &shown,
        elsewhere: None,
        confirms: true,
        outages: &[],
        fault_verified: true,
        disturbed: true,
        unnoticed: false,
        served: true,
        backlog_at_fault: 10,
        acked_last_second: 10,
        unsent: Unsent::default(),
        stalled_ns: 0,
    };
    let mut closed = outages;
    closed[0].down_at_end = false;
    closed[0].first_ok_ns = Some(3 * SECOND);
    closed[0].gap_ns = 2 * SECOND;
    bend(&mut bent, &mut evidence);
    let (outages, account) = (closed, bent);
    let evidence = Evidence {
        account: &account,
        outages: if evidence.outages.is_empty() {
            &outages
        } else {
            evidence.outages
        },
        ..evidence
    };
    let mut limits = Limits::default();
    limit(&mut limits);
    judge(&evidence, &limits).exit
}

#[test]
fn each_ground_has_its_code() {
    let none = |_: &mut Limits| {};
    assert_eq!(exit(|_, _| {}, none), Success);
    assert_eq!(exit(|_, e| e.fault_verified = false, none), Inconclusive);
    assert_eq!(exit(|_, e| e.disturbed = false, none), Inconclusive);
    let unnoticed = |disturbed: bool| exit(move |_, e| (e.disturbed, e.unnoticed) = (disturbed, true), none);
    assert_eq!((unnoticed(false), unnoticed(true)), (Success, RtoExceeded));
    assert_eq!(exit(|_, e| e.served = false, none), NoRecovery);
    assert_eq!(exit(|_, e| e.backlog_at_fault = 0, none), Inconclusive);
    assert_eq!(exit(|_, e| e.acked_last_second = 0, none), Inconclusive);
    assert_eq!(exit(|_, e| e.stalled_ns = 3 * SECOND / 2, none), Inconclusive);
    assert_eq!(exit(|a, _| a.persistent.acked = 0, none), Inconclusive);
    assert_eq!(exit(|a, _| a.persistent.received = 0, none), Inconclusive);
    assert_eq!(
        exit(|a, _| (a.drain, a.lost) = (Drain::Incomplete, None), none),
        Inconclusive
    );
    let unsent = |unsent| Unsent {
        after: Slots { due: 100, unsent },
        explained: 5,
        ..Unsent::default()
    };
    assert_eq!(exit(|_, e| e.unsent = unsent(26), none), Inconclusive);
    assert_eq!(exit(|_, e| e.unsent = unsent(25), none), Success);
    assert_eq!(exit(|a, _| a.lost = Some(1), none), Lost);
    assert_eq!(exit(|a, _| a.lost = Some(1), |l| l.max_rpo = 1), Success);
    assert_eq!(exit(|_, _| {}, |l| l.max_rto_ns = Some(SECOND)), RtoExceeded);
    assert_eq!(exit(|_, _| {}, |l| l.max_rto_ns = Some(2 * SECOND)), Success);
    assert_eq!(exit(|a, _| a.tally.extra_unexplained = 1, none), Duplicates);
    assert_eq!(exit(|a, _| a.tally.extra_flagged = 1, none), Success);
    assert_eq!(
        exit(
            |a, _| a.tally.extra_flagged = 1,
            |l| l.duplicates = crate::failover::measure::limits::Duplicates::None
        ),
        Duplicates
    );
    assert_eq!(
        exit(
            |a, _| a.tally.extra_unexplained = 1,
            |l| l.duplicates = crate::failover::measure::limits::Duplicates::Allow
        ),
        Success
    );
    assert_eq!(exit(|a, _| a.tally.reordered = 1, none), Duplicates);
    assert_eq!(
        exit(|a, _| a.tally.reordered = 1, |l| l.allow_reordering = true),
        Success
    );
    assert_eq!(exit(|a, _| a.tally.order_not_judged = 1, none), Success);
    assert_eq!(exit(|a, _| a.tally.corrupt = 1, none), Duplicates);
    assert_eq!(exit(|a, _| a.persistent.resurrected = 1, none), Duplicates);
    assert_eq!(exit(|a, _| a.tally.foreign = 5, none), Success);
    assert_eq!(exit(|a, _| a.tally.not_durable = 1, none), Duplicates);
}

/// A stall makes a gap look longer: over the limit only because of it, nothing is proved.
#[test]
fn a_stall_is_no_outage() {
    let limit = |l: &mut Limits| l.max_rto_ns = Some(SECOND * 3 / 2);
    assert_eq!(exit(|_, e| e.stalled_ns = SECOND * 6 / 10, limit), Inconclusive);
    assert_eq!(exit(|_, e| e.stalled_ns = SECOND * 3 / 10, limit), RtoExceeded);
    assert_eq!(exit(|_, e| e.stalled_ns = SECOND * 3 / 10, |_| {}), Success);
}

#[test]
fn the_worst_code_wins() {
    let order = [
        Interrupted,
        Internal,
        Usage,
        Precondition,
        Remote,
        Lost,
        NoRecovery,
        Inconclusive,
        RtoExceeded,
        Duplicates,
        SloExceeded,
        Success,
    ];
    for (place, a) in order.into_iter().enumerate() {
        for b in &order[place..] {
            assert_eq!((a.worse(*b), b.worse(a)), (a, a));
        }
    }
    assert_eq!(exit(|a, e| (a.lost, e.fault_verified) = (Some(3), false), |_| {}), Lost);
}

#[test]
fn what_could_not_be_read_hides_nothing_that_was_proved() {
    let judged = |exit| Judgement {
        verdict: verdict_of(exit),
        exit,
        checks: vec![],
    };
    let ground = |value: Option<&str>| {
        let bad = Some((Inconclusive, "why".to_owned()));
        check("broker.depth", "", value.map(str::to_owned), bad)
    };
    for (before, value, after) in [
        (Success, None, Inconclusive),
        (Duplicates, None, Duplicates),
        (RtoExceeded, None, RtoExceeded),
        (Duplicates, Some("7"), Inconclusive),
        (Lost, Some("7"), Lost),
    ] {
        assert_eq!(judged(before).with(ground(value)).exit, after, "{before:?} {value:?}");
    }
}

/// Another outage that is short enough does not hide it.
#[test]
fn a_pause_over_the_limit_that_nothing_tells_from_the_usual_ones_does_not_pass() {
    let half = |from: u64, to: u64| (from..to).map(|n| n * SECOND / 2);
    let times: Vec<u64> = half(0, 7).chain(half(8, 10)).chain(half(19, 24)).collect();
    let end = ObservationEnd {
        ns: 12 * SECOND,
        last_pause: LastPause::Idle,
    };
    let seen = outage(Worker::Producer(0), &times, &[3 * SECOND + 2], 3 * SECOND + 1, end);
    assert!(
        seen.counts() && seen.recovered() && seen.gap_ns < seen.longest_ns,
        "{seen:?}"
    );
    let seen: &[Outage] = Box::leak(Box::new([seen]));
    for (limit_ns, expected) in [
        (None, Success),
        (Some(SECOND / 2), RtoExceeded),
        (Some(3 * SECOND), Inconclusive),
        (Some(5 * SECOND), Success),
    ] {
        let exit = exit(
            |_, evidence| evidence.outages = seen,
            |limits| limits.max_rto_ns = limit_ns,
        );
        assert_eq!(exit, expected, "{limit_ns:?}");
    }
}

/// Every place that shows why a round failed shows this text: terminal, JUnit, Markdown, annotation.
#[test]
fn an_outage_over_its_limit_is_told_with_the_limit_and_who_had_it() {
    let end = ObservationEnd {
        ns: 12 * SECOND,
        last_pause: LastPause::Idle,
    };
    let of = |worker, until: u64| outage(worker, &[SECOND, until], &[SECOND + 2], SECOND + 1, end);
    let outages = [
        of(Worker::Producer(0), 2 * SECOND),
        of(Worker::Producer(1), 4 * SECOND),
        of(Worker::Consumer(0), 3 * SECOND),
    ];
    let outages = outages.map(|outage| Outage {
        down_at_end: false,
        ..outage
    });
    let account = account();
    let evidence = Evidence {
        account: &account,
        elsewhere: None,
        confirms: true,
        outages: &outages,
        fault_verified: true,
        disturbed: true,
        unnoticed: false,
        served: true,
        backlog_at_fault: 10,
        acked_last_second: 10,
        unsent: Unsent::default(),
        stalled_ns: 0,
    };
    let limits = Limits {
        max_rto_ns: Some(SECOND / 20),
        ..Limits::default()
    };
    let judged = judge(&evidence, &limits);
    let rto = judged.checks.iter().find(|check| check.name == "rto.max").unwrap();
    assert_eq!(
        rto.reason.as_deref(),
        Some("RTO 3.000 s exceeds the limit of 0.050 s (producer 2 of 2)")
    );
}

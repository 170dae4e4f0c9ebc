//! An agent that comes back: what it takes up, and what it ends.

use super::host::{Host, PID, failure, record};
use super::*;
use crate::fence::{DataState, Epoch, Proof, ProofKind};

/// A keeper that holds the lock for an engine that runs.
pub(super) fn claimed() -> KeeperState {
    let proof = Proof {
        kind: ProofKind::Clean,
        previous: Some("i-old".into()),
    };
    KeeperState {
        held: true,
        claimed: Some((Epoch(7), proof)),
        controller: Some(PID),
        processes: 3,
        ..KeeperState::default()
    }
}

/// An agent begins and finds this keeper; returns the generation of its work.
pub(super) fn finds(host: &mut Host, keeper: KeeperState) -> u64 {
    host.send(Event::Begin);
    while host
        .open
        .first()
        .is_some_and(|(_, w)| *w != Work::Keeper(KeeperWork::Open))
    {
        let (generation, work) = host.open.remove(0);
        let outcome = host.answer(&work).expect("answer");
        host.send(Event::Done { generation, outcome });
    }
    let (generation, _) = host.open.remove(0);
    host.send(Event::Done {
        generation,
        outcome: Outcome::Keeper(KeeperOutcome::Opened {
            connection: 0,
            result: Ok(keeper),
        }),
    });
    generation
}

#[test]
fn an_agent_that_comes_back_finds_keeper_and_engine_and_starts_nothing() {
    let mut host = Host::new();
    finds(
        &mut host,
        KeeperState {
            served: true,
            proved_at: Some("2026-01-01T00:00:00Z".into()),
            ..claimed()
        },
    );
    host.settle();
    assert_eq!(host.state(), State::Serving);
    let fence = host.machine.fence_view();
    assert_eq!(
        (fence.epoch, fence.proved_at),
        (Some(Epoch(7)), Some("2026-01-01T00:00:00Z"))
    );
    assert_eq!(
        host.ordered(|w| matches!(w, Work::Start(_) | Work::Kill | Work::Keeper(KeeperWork::Claim(_)))),
        0
    );
}

#[test]
fn an_engine_that_serves_is_not_ended_because_a_question_about_it_failed() {
    let mut host = Host::new();
    host.adopt = Err(failure(FailureKind::Transient, "dspmqver did not end within 10 s"));
    finds(
        &mut host,
        KeeperState {
            served: true,
            ..claimed()
        },
    );
    for _ in 0..5 {
        host.settle();
        host.tick();
    }
    assert_eq!(host.state(), State::Adopting);
    let said = host.machine.view().last_error;
    assert!(
        said.is_some_and(|why| why.contains("dspmqver")),
        "it says what it waits for"
    );
    assert_eq!(
        host.ordered(|w| matches!(w, Work::Kill | Work::Start(_) | Work::ReportUnhealthy)),
        0
    );
    host.adopt = Ok(());
    host.tick();
    host.settle();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(host.machine.fence_view().epoch, Some(Epoch(7)));

    // Its end is another matter.
    host.died(false);
    host.settle();
    assert_eq!(host.ordered(|w| *w == Work::Kill), 1);
}

/// It lacks definitions, and what it listens with may be what an earlier configuration said: plain, where there is TLS now.
#[test]
fn an_engine_whose_start_nobody_finished_is_started_anew_and_never_served_as_it_is() {
    let mut host = Host::new();
    host.record = record("i-me", false, 0);
    host.data = DataState::Present;
    let generation = finds(&mut host, claimed());
    assert!(host.open.contains(&(generation, Work::Kill)));
    host.settle();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(host.ordered(|w| matches!(w, Work::Adopt(_))), 1);
    assert_eq!(host.ordered(|w| *w == Work::Define), 1);
}

#[test]
fn an_engine_without_a_fence_is_killed_even_before_the_lock_is_obtained() {
    let mut host = Host::new();
    let state = KeeperState {
        holder: Some("i-other".into()),
        processes: 2,
        controller: Some(PID),
        ..KeeperState::default()
    };
    let generation = finds(&mut host, state);
    assert!(host.open.contains(&(generation, Work::Kill)));
    // The lock comes while the kill is under way: one inspection, not two.
    host.send(told(KeeperEvent::LockHeld));
    host.settle();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(host.ordered(|w| *w == Work::Keeper(KeeperWork::Inspect)), 1);
    assert_eq!(host.ordered(|w| matches!(w, Work::Start(_))), 1);
}

//! Whole courses of events, each answered as a healthy host would, but for what a test bends.

mod certificate;
mod fencing;
mod found;
mod handing;
mod host;
mod keeper;
mod pausing;
mod properties;
mod standby;

use super::state::State;
use super::*;
use crate::agent::duty::{Action, DrainReason, Duty, Event, Ordered, Outcome, Timer, Work};
use crate::agent::keeper::{ClaimError, Claimed, KeeperEvent, KeeperOutcome, KeeperState, KeeperWork, Looked};
use crate::agent::ports::{Identity, SignalResult};
use crate::fence::{DataState, Epoch, ProofKind};
use crate::model::agent::mark;
use host::{Host, PID, failure, record, told};
use mqaws_engine::{EngineFailure, EngineInfo, FailureKind, Health};
use std::time::Duration;

#[test]
fn a_first_start_marks_every_phase_in_order() {
    let host = Host::serving();
    assert_eq!(
        host.marks(),
        [
            mark::AGENT_STARTED,
            mark::MOUNTED,
            mark::LOCK_OBTAINED,
            mark::PROOF,
            mark::ADOPTED,
            mark::ENGINE_STARTING,
            mark::ENGINE_STARTED,
            mark::SERVING
        ]
    );
    assert_eq!(host.ordered(|w| *w == Work::Signal { success: true }), 1);
    let fence = host.machine.fence_view();
    assert_eq!(
        (fence.epoch, host.machine.engine.controller, fence.held),
        (Some(Epoch(1)), Some(PID), true)
    );
}

#[test]
fn a_death_is_answered_by_a_restart_in_place_under_a_new_epoch() {
    let mut host = Host::serving();
    host.log.clear();
    host.died(false);
    host.settle();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(
        host.marks(),
        [
            mark::DEATH_NOTICED,
            mark::RESTARTING,
            mark::PROOF,
            mark::ENGINE_STARTING,
            mark::ENGINE_STARTED,
            mark::SERVING
        ],
        "the proof of this start, not of the one before"
    );
    assert_eq!(host.machine.fence_view().epoch, Some(Epoch(2)));
    let order: Vec<&Work> = host
        .log
        .iter()
        .filter_map(|a| match a {
            Action::Do { work, .. } => Some(work),
            _ => None,
        })
        .collect();
    assert!(
        matches!(
            order[..],
            [
                Work::Kill,
                Work::Keeper(KeeperWork::Claim(_)),
                Work::Start(Epoch(2)),
                Work::Accept
            ]
        ),
        "{order:?}"
    );
}

#[test]
fn the_death_of_another_process_is_nobodys_business() {
    let mut host = Host::serving();
    host.log.clear();
    host.send(Event::EngineDied {
        pid: PID + 1,
        ordered: Ordered(false),
    });
    assert!(host.log.is_empty());
}

#[test]
fn nothing_starts_beside_processes_that_do_not_die() {
    let mut host = Host::serving();
    host.log.clear();
    host.left = 2;
    host.died(false);
    host.settle();
    for _ in 0..20 {
        host.tick();
    }
    assert_eq!(
        host.ordered(|w| matches!(w, Work::Keeper(KeeperWork::Claim(_)) | Work::Start(_))),
        0
    );
    assert_eq!(host.state(), State::Restarting);
    host.left = 0;
    host.tick();
    assert_eq!(host.state(), State::Serving);
}

#[test]
fn three_failed_attempts_condemn_and_the_data_is_let_go_first() {
    let mut host = Host::serving();
    host.log.clear();
    host.start = Err(failure(FailureKind::Transient, "strmqm exit 71"));
    host.died(true);
    host.settle();
    for _ in 0..10 {
        host.tick();
    }
    assert_eq!(host.state(), State::Condemned);
    assert_eq!(host.ordered(|w| matches!(w, Work::Start(_))), 3);
    let at = |wanted: &Work| {
        host.log
            .iter()
            .position(|a| matches!(a, Action::Do { work, .. } if work == wanted))
            .expect("ordered")
    };
    assert!(at(&Work::Keeper(KeeperWork::Release { condemned: false })) < at(&Work::ReportUnhealthy));
    assert!(
        host.machine
            .condemned()
            .is_some_and(|why| why.contains("strmqm exit 71"))
    );
}

#[test]
fn deaths_without_end_trip_the_breaker_but_ordered_ones_do_not() {
    for (ordered, expected) in [(false, State::Condemned), (true, State::Serving)] {
        let mut host = Host::serving();
        for _ in 0..12 {
            host.now += Duration::from_secs(20);
            host.died(ordered);
            host.settle();
        }
        assert_eq!(host.state(), expected);
    }
    let mut host = Host::serving();
    for _ in 0..12 {
        host.now += Duration::from_secs(300);
        host.died(false);
        host.settle();
    }
    assert_eq!(host.state(), State::Serving, "rare deaths are no loop");
}

/// Which of the two is heard of first depends on the machine.
#[test]
fn a_death_by_a_lost_lock_does_not_count_even_if_it_is_noticed_before_the_loss() {
    let mut host = Host::serving();
    for _ in 0..12 {
        host.now += Duration::from_secs(20);
        host.died(false);
        host.send(told(KeeperEvent::LockLost("expired".into())));
        host.settle();
        assert_eq!(host.state(), State::Serving);
    }
    // One of the engine's own before it still does.
    for _ in 0..5 {
        host.now += Duration::from_secs(20);
        host.died(false);
        host.settle();
        host.died(true);
        host.send(told(KeeperEvent::LockLost("expired".into())));
        host.settle();
    }
    assert_eq!(host.state(), State::Serving);
    host.died(false);
    assert_eq!(host.state(), State::Condemned);
}

#[test]
fn a_start_that_cannot_succeed_tells_the_stack_and_leaves_the_rest_to_it() {
    let no_licence = failure(FailureKind::Final, "AMQ7128E: No license installed");
    for (answer, reports) in [(SignalResult::Taken, 0), (SignalResult::NotWaiting, 1)] {
        let mut host = Host::new();
        host.start = Err(no_licence.clone());
        host.signal = Ok(answer);
        host.send(Event::Begin);
        host.settle();
        assert_eq!(host.state(), State::Condemned);
        assert_eq!(host.ordered(|w| *w == Work::Signal { success: false }), 1);
        assert_eq!(host.ordered(|w| *w == Work::ReportUnhealthy), reports);
        assert_eq!(
            host.ordered(|w| *w == Work::Keeper(KeeperWork::Release { condemned: true })),
            1
        );
    }
}

#[test]
fn what_is_asked_elsewhere_is_asked_for_as_long_as_it_takes_and_nothing_is_started_meanwhile() {
    let mut host = Host::new();
    host.adopt = Err(failure(FailureKind::Unanswered, "no route to Secrets Manager"));
    host.send(Event::Begin);
    host.settle();
    for _ in 0..50 {
        host.tick();
    }
    assert_eq!(host.state(), State::Adopting);
    assert!(host.machine.view().last_error.is_some_and(|e| e.contains("no route")));
    let started = |w: &Work| {
        matches!(
            w,
            Work::Start(_) | Work::Signal { .. } | Work::Kill | Work::ReportUnhealthy
        )
    };
    assert_eq!(host.ordered(started), 0);
    host.adopt = Ok(());
    host.tick();
    assert_eq!((host.state(), host.machine.view().restarts), (State::Serving, 0));
}

#[test]
fn a_refusal_can_be_asked_about_before_the_stack_hears_of_it() {
    let refused = |w: &Work| *w == Work::Signal { success: false };
    let mut host = Host::new();
    host.adopt = Err(failure(FailureKind::Shared, "AccessDenied"));
    host.send(Event::Begin);
    host.settle();
    assert_eq!(host.ordered(refused), 0);
    while host.ordered(refused) == 0 {
        host.tick();
    }
    assert_eq!(host.now, Policy::default().last_words);
    let mut host = Host::new();
    host.adopt = Err(failure(FailureKind::Shared, "AccessDenied"));
    host.send(Event::Begin);
    host.settle();
    (host.machine.policy.refused, host.adopt) = (Duration::ZERO, Ok(()));
    host.send(Event::Timer(Timer::Retry));
    host.settle();
    for _ in 0..10 {
        host.tick();
    }
    assert_eq!(
        (host.state(), host.ordered(refused)),
        (State::Serving, 0),
        "it got over it"
    );
}

#[test]
fn what_every_instance_would_see_replaces_none_and_is_looked_at_again() {
    for (step, expected) in [
        ("adopt", State::Adopting),
        ("start", State::Starting),
        ("define", State::Starting),
    ] {
        let mut host = Host::new();
        host.data = match step {
            "adopt" => DataState::HalfCreated,
            _ => DataState::Present,
        };
        host.record = record("i-old", true, 0);
        host.signal = Ok(SignalResult::NotWaiting);
        let broken = failure(FailureKind::Shared, "half-created, exit 3, or AMQ8405I");
        match step {
            "adopt" => host.adopt = Err(broken),
            "start" => host.start = Err(broken),
            _ => host.define = Err(broken),
        }
        host.send(Event::Begin);
        host.settle();
        for _ in 0..20 {
            host.tick();
        }
        assert_eq!(host.state(), expected);
        assert_eq!(
            host.ordered(|w| matches!(w, Work::ReportUnhealthy | Work::Keeper(KeeperWork::Release { .. }))),
            0
        );
        assert_eq!(host.ordered(|w| *w == Work::Signal { success: false }), 1);
        assert_eq!(
            host.ordered(|w| matches!(w, Work::Keeper(KeeperWork::Claim(_)))),
            1,
            "no epoch is used up"
        );
        assert!(host.machine.view().alarm.is_some());
        (host.adopt, host.start, host.define) = (Ok(()), Ok(PID), Ok(()));
        host.tick();
        assert_eq!(host.state(), State::Serving);
        assert_eq!(host.machine.view().alarm, None);
    }
}

#[test]
fn instances_do_not_replace_each_other_for_ever() {
    for (before, reports) in [(2, 1), (3, 0)] {
        let mut host = Host::new();
        host.record = record("i-old", true, before);
        host.data = DataState::Present;
        host.start = Err(failure(FailureKind::Final, "broken"));
        host.signal = Ok(SignalResult::NotWaiting);
        host.send(Event::Begin);
        host.settle();
        assert_eq!(
            host.ordered(|w| *w == Work::ReportUnhealthy),
            reports,
            "{before} before"
        );
        assert_eq!(host.state(), State::Condemned);
    }
}

#[test]
fn a_hang_is_noticed_after_several_checks_and_errors_of_the_check_do_not_count() {
    let mut host = Host::serving();
    host.log.clear();
    host.health = Health::Unknown("fork failed".into());
    for _ in 0..10 {
        host.tick();
    }
    assert_eq!(host.marks(), [] as [&str; 0]);
    host.health = Health::Bad("no answer within 2 s".into());
    host.tick();
    host.tick();
    assert_eq!(host.state(), State::Serving);
    host.tick();
    assert_eq!(host.marks()[..2], [mark::HANG_NOTICED, mark::RESTARTING]);
    assert_eq!(host.state(), State::Serving, "it was restarted in place");
}

#[test]
fn stalled_storage_alone_neither_restarts_nor_condemns() {
    let mut host = Host::serving();
    host.log.clear();
    host.health = Health::Bad("no answer".into());
    host.send(told(KeeperEvent::Storage { stalled: true }));
    for _ in 0..50 {
        host.tick();
    }
    assert_eq!(host.marks(), [] as [&str; 0]);
    host.start = Err(failure(FailureKind::Transient, "strmqm timed out"));
    host.died(false);
    host.settle();
    for _ in 0..50 {
        host.tick();
    }
    assert_eq!(host.state(), State::Restarting);
    host.send(told(KeeperEvent::Storage { stalled: false }));
    host.start = Ok(PID);
    host.health = Health::Well;
    host.tick();
    host.tick();
    assert_eq!(host.state(), State::Serving);
}

#[test]
fn a_drain_stops_the_engine_releases_and_completes_the_hook_in_this_order() {
    for (reason, exits) in [(DrainReason::Lifecycle, false), (DrainReason::Signal, true)] {
        let mut host = Host::serving();
        host.log.clear();
        host.send(Event::Drain(reason));
        host.died(false);
        host.settle();
        let order: Vec<Work> = host
            .log
            .iter()
            .filter_map(|a| match a {
                Action::Do { work, .. } => Some(work.clone()),
                _ => None,
            })
            .collect();
        let stop = Policy::default().stop;
        let release = Work::Keeper(KeeperWork::Release { condemned: false });
        assert_eq!(order, [Work::End(stop), Work::Kill, release, Work::CompleteHook]);
        assert_eq!(host.marks(), [mark::DRAINING, mark::STOPPED]);
        assert_eq!(host.state(), State::Stopped);
        assert_eq!(host.log.contains(&Action::Exit), exits);
        host.send(Event::Drain(DrainReason::Signal));
        assert!(host.log.contains(&Action::Exit));
    }
}

#[test]
fn a_hook_that_does_not_wait_yet_is_completed_once_it_does_and_holds_up_no_shutdown() {
    let mut host = Host::serving();
    host.hook = Err("ValidationError: No active Lifecycle Action found".to_owned());
    host.send(Event::Drain(DrainReason::Lifecycle));
    host.died(false);
    host.settle();
    for _ in 0..3 {
        host.tick();
    }
    assert_eq!(host.state(), State::Draining);
    assert_eq!(
        host.ordered(|w| matches!(w, Work::Keeper(KeeperWork::Release { .. }))),
        1
    );
    let mut goes_down = Host::serving();
    goes_down.hook = host.hook.clone();
    goes_down.send(Event::Drain(DrainReason::Lifecycle));
    goes_down.died(false);
    goes_down.settle();
    goes_down.send(Event::Drain(DrainReason::Signal));
    assert!(goes_down.log.contains(&Action::Exit));

    host.hook = Ok(());
    host.tick();
    assert_eq!(host.state(), State::Stopped);
    assert!(host.ordered(|w| *w == Work::CompleteHook) > 2);
    assert!(!host.log.contains(&Action::Exit));
}

#[test]
fn a_notice_drains_and_asks_for_a_replacement_whose_hook_is_completed_as_well() {
    let mut host = Host::serving();
    host.log.clear();
    host.send(Event::Drain(DrainReason::Notice));
    host.settle();
    assert_eq!(host.state(), State::Stopped);
    assert_eq!(
        host.ordered(|w| matches!(w, Work::Keeper(KeeperWork::Release { condemned: false }))),
        1
    );
    assert_eq!(host.ordered(|w| *w == Work::ReportUnhealthy), 1);
    assert!(!host.log.contains(&Action::Exit), "the agent stays, and starts nothing");
    host.log.clear();
    host.send(Event::Drain(DrainReason::Lifecycle));
    host.settle();
    assert_eq!(
        host.ordered(|w| *w == Work::CompleteHook),
        1,
        "the group waits for it now"
    );
    assert_eq!(host.state(), State::Stopped);
    host.send(Event::Drain(DrainReason::Signal));
    assert!(host.log.contains(&Action::Exit));
}

#[test]
fn the_way_back_into_a_warm_pool_ends_the_agent_and_replaces_nothing() {
    let mut waiting = Host::new();
    waiting.send(Event::Begin);
    waiting.send(Event::Drain(DrainReason::Pool));
    assert_eq!(waiting.state(), State::Booting, "there is nothing to drain");
    let mut host = Host::serving();
    host.log.clear();
    host.send(Event::Drain(DrainReason::Pool));
    host.settle();
    assert_eq!(host.state(), State::Stopped);
    assert_eq!(host.ordered(|w| *w == Work::ReportUnhealthy), 0);
    assert!(host.log.contains(&Action::Exit));
}

#[test]
fn a_drain_during_a_start_kills_instead_of_waiting() {
    let mut host = Host::new();
    host.send(Event::Begin);
    while !host.open.iter().any(|(_, w)| matches!(w, Work::Start(_))) {
        let (generation, work) = host.open.remove(0);
        let outcome = host.answer(&work).expect("answer");
        host.send(Event::Done { generation, outcome });
    }
    host.log.clear();
    host.send(Event::Drain(DrainReason::Signal));
    host.settle();
    assert_eq!(host.ordered(|w| matches!(w, Work::End(_))), 0);
    assert_eq!(host.state(), State::Stopped);
    assert_eq!(
        host.machine.engine.controller, None,
        "the late success of the start is ignored"
    );
}

#[test]
fn a_lost_lock_or_keeper_ends_the_engine_and_begins_anew() {
    for event in [KeeperEvent::LockLost("expired".into()), KeeperEvent::Gone] {
        let mut host = Host::serving();
        host.log.clear();
        host.record = record("i-me", false, 0);
        host.data = DataState::Present;
        host.send(told(event.clone()));
        assert_eq!(host.state(), State::Fencing);
        assert!(!host.machine.fence_view().held);
        let reopened = event == KeeperEvent::Gone;
        let ordered: Vec<&Work> = host.open.iter().map(|(_, work)| work).collect();
        let expected: &[&Work] = if reopened {
            &[&Work::Keeper(KeeperWork::Open), &Work::Kill]
        } else {
            &[&Work::Kill]
        };
        assert_eq!(ordered, expected);
        host.settle();
        assert_eq!(host.state(), State::Serving);
        assert_eq!(host.machine.fence_view().epoch, Some(Epoch(2)));
        assert_eq!(
            host.machine.fence_view().proof.map(|p| p.kind.clone()),
            Some(ProofKind::SameHost)
        );
    }
}

#[test]
fn the_end_of_an_instance_that_gave_up_does_not_hide_why_it_did() {
    let mut host = Host::new();
    host.adopt = Err(failure(FailureKind::Shared, "the certificate is wrong"));
    host.hook = Err("No active Lifecycle Action found".into());
    host.send(Event::Begin);
    host.settle();
    host.send(Event::Drain(DrainReason::Lifecycle));
    host.settle();
    assert_eq!(host.state(), State::Draining);
    assert_eq!(
        host.machine.view().last_error.as_deref(),
        Some("the certificate is wrong")
    );
}

/// A full file system is no fault of the engine: whatever fails because of it is tried again for as long as it takes.
#[test]
fn what_fails_on_a_full_file_system_condemns_nobody_and_goes_on_once_there_is_room() {
    let mut host = Host::serving();
    let room = |full: Option<&str>| {
        told(KeeperEvent::Room {
            full: full.map(str::to_owned),
        })
    };
    host.send(room(Some("no space left")));
    assert_eq!(host.machine.view().alarm, Some("no space left"));
    host.start = Err(failure(FailureKind::Transient, "no space left for the log"));
    for _ in 0..12 {
        host.died(false);
        host.settle();
        for _ in 0..4 {
            host.tick();
        }
        assert_eq!(host.state(), State::Restarting);
    }
    assert_eq!(
        host.ordered(|w| matches!(w, Work::ReportUnhealthy | Work::Keeper(KeeperWork::Release { .. }))),
        0
    );
    host.start = Ok(PID);
    host.send(room(None));
    host.tick();
    host.settle();
    assert_eq!((host.state(), host.machine.view().alarm), (State::Serving, None));

    // A keeper that died told nobody that there is room again.
    host.send(room(Some("no space left")));
    host.send(told(KeeperEvent::Gone));
    host.settle();
    assert_eq!((host.state(), host.machine.view().alarm), (State::Serving, None));
    host.start = Err(failure(FailureKind::Transient, "something else"));
    host.died(false);
    host.settle();
    for _ in 0..4 {
        host.tick();
    }
    assert_eq!(host.state(), State::Condemned);
}

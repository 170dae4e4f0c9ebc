//! An operator's stop, which outlasts everything but its end.

use super::found::{claimed, finds};
use super::host::{Host, failure, record};
use super::*;
use crate::fence::DataState;
use crate::model::agent::{AgentState, Pause};

fn pause() -> Pause {
    Pause {
        since: "2026-01-01T00:00:00Z".into(),
        by: "ops".into(),
        why: None,
    }
}

fn starts(host: &Host) -> usize {
    host.ordered(|w| matches!(w, Work::Start(_) | Work::Adopt(_)))
}

/// The host is paused, says by whom, and has the lock.
fn is_paused(host: &Host) {
    let view = host.machine.view();
    assert_eq!((view.state, view.paused), (AgentState::Paused, Some(&pause())));
    assert!(host.machine.fence_view().held, "the lock stays");
}

#[test]
fn a_paused_agent_keeps_its_hands_off_and_looks_before_it_goes_on() {
    let mut host = Host::serving();
    host.send(Event::Pause(pause()));
    assert_eq!(host.state(), State::Serving, "a stop that is not kept yet is none");
    host.settle();
    is_paused(&host);
    host.log.clear();
    host.died(false);
    for _ in 0..5 {
        host.tick();
    }
    is_paused(&host);
    assert_eq!(host.ordered(|_| true), 0);
    host.send(Event::Resume);
    host.settle();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(host.ordered(|w| *w == Work::Find), 1);
    assert_eq!(host.machine.view().paused, None);
}

#[test]
fn a_stop_that_cannot_be_kept_stops_nothing() {
    let mut host = Host::serving();
    host.keeps = Err("no space left on device".into());
    host.send(Event::Pause(pause()));
    host.settle();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(
        host.machine.view().last_error.as_deref(),
        Some("no space left on device")
    );
    host.keeps = Ok(());
    host.send(Event::Pause(pause()));
    host.settle();
    host.keeps = Err("no space left on device".into());
    host.send(Event::Resume);
    host.settle();
    is_paused(&host);
}

#[test]
fn a_new_owner_takes_the_lock_and_starts_nothing_until_it_is_resumed() {
    for waits in [false, true] {
        let mut host = Host::new();
        if waits {
            host.machine = SingleWriter::new(Policy::default().with(Succession::Standby));
        }
        host.record = record("i-old", true, 0);
        host.data = DataState::Present;
        host.paused = Some(pause());
        host.send(Event::Begin);
        host.settle();
        for _ in 0..5 {
            host.tick();
        }
        is_paused(&host);
        assert_eq!(starts(&host), 0);
        assert_eq!(
            host.ordered(|w| *w == Work::Signal { success: true }),
            1,
            "a stack need not wait"
        );
        host.send(Event::Resume);
        host.settle();
        assert_eq!(host.state(), State::Serving);
        assert_eq!(starts(&host), 2, "made known, and started");
    }
}

#[test]
fn a_stop_outlasts_the_keeper_and_an_attempt_that_was_under_way() {
    let mut host = Host::serving();
    host.record = record("i-me", false, 0);
    host.data = DataState::Present;
    host.send(Event::Pause(pause()));
    host.settle();
    host.log.clear();
    host.send(told(KeeperEvent::Gone));
    host.settle();
    is_paused(&host);
    assert_eq!(starts(&host), 0);

    // The engine dies between the order and its being kept: the next claim finds it.
    let mut host = Host::serving();
    host.send(Event::Pause(pause()));
    host.paused = Some(pause());
    host.start = Err(failure(FailureKind::Transient, "strmqm exit 71"));
    host.log.clear();
    host.died(false);
    host.settle();
    is_paused(&host);
    assert_eq!(starts(&host), 0);
}

#[test]
fn an_agent_that_comes_back_finds_the_stop_and_starts_nothing() {
    for (served, controller) in [(true, None), (true, Some(PID)), (false, Some(PID)), (false, None)] {
        let mut host = Host::new();
        host.record = record("i-me", false, 0);
        host.data = DataState::Present;
        let keeper = KeeperState {
            paused: Some(pause()),
            proved_at: Some("2026-01-01T00:00:00Z".into()),
            served,
            controller,
            processes: controller.map_or(0, |_| 3),
            ..claimed()
        };
        host.paused = Some(pause());
        finds(&mut host, keeper);
        host.settle();
        is_paused(&host);
        let fence = host.machine.fence_view();
        assert_eq!(
            (fence.epoch, fence.proved_at),
            (Some(Epoch(7)), Some("2026-01-01T00:00:00Z"))
        );
        assert_eq!(
            host.ordered(|w| matches!(w, Work::Start(_) | Work::Kill | Work::Keeper(KeeperWork::Claim(_)))),
            0
        );
        host.send(Event::Resume);
        host.settle();
        assert_eq!(host.state(), State::Serving, "{served} {controller:?}");
        assert_eq!(
            host.ordered(|w| *w == Work::Adopt(DataState::Present)),
            1,
            "what is there is not created"
        );
    }
}

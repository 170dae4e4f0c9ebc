//! A planned move from this host to the one that waits.

use super::host::{Host, record};
use super::*;
use crate::fence::DataState;
use crate::model::agent::AgentState;

/// A host that serves, beside another one that is ready or not.
fn beside(ready: bool) -> Host {
    let mut host = Host::new();
    host.machine = SingleWriter::new(Policy::default().with(Succession::Standby));
    host.send(Event::Begin);
    host.settle();
    assert_eq!(host.state(), State::Serving);
    let ready = ready.then(|| "i-other".parse().expect("an id"));
    host.send(told(KeeperEvent::Standby { ready }));
    host.log.clear();
    host
}

fn hand_over(host: &mut Host, unready: bool) {
    host.send(Event::HandOver { unready });
    host.settle();
}

#[test]
fn the_engine_is_ended_in_order_the_data_let_go_and_the_host_waits() {
    let mut host = beside(true);
    hand_over(&mut host, false);
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
                Work::EndForMove(_),
                Work::Kill,
                Work::Keeper(KeeperWork::Release { condemned: false })
            ]
        ),
        "{order:?}"
    );
    assert_eq!(host.marks(), [mark::DRAINING, mark::STOPPED]);
    let fence = host.machine.fence_view();
    assert_eq!((fence.held, fence.epoch), (false, None));

    // The keeper ends with that, and the next one finds the lock with the other host.
    host.held = false;
    host.record = record("i-other", false, 0);
    host.data = DataState::Present;
    host.send(told(KeeperEvent::Gone));
    host.settle();
    for _ in 0..6 {
        host.tick();
    }
    let view = host.machine.view();
    assert_eq!(
        (view.state, view.last_error, view.alarm),
        (AgentState::Standby, None, None)
    );
    assert_eq!(host.ordered(|w| matches!(w, Work::Start(_))), 0);

    // And back again: whatever the other host did to the data is looked at before the start.
    host.record = record("i-other", true, 0);
    host.send(told(KeeperEvent::LockHeld));
    host.settle();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(host.ordered(|w| *w == Work::Adopt(DataState::Present)), 1);
}

#[test]
fn nothing_is_moved_without_a_host_that_is_ready_unless_that_is_known() {
    let mut host = beside(false);
    hand_over(&mut host, false);
    assert_eq!((host.state(), host.ordered(|_| true)), (State::Serving, 0));
    hand_over(&mut host, true);
    assert_eq!(host.state(), State::Fencing);
    // In a topology where nobody waits there is no other host.
    let mut host = Host::serving();
    host.log.clear();
    hand_over(&mut host, true);
    assert_eq!((host.state(), host.ordered(|_| true)), (State::Serving, 0));
}

#[test]
fn a_host_that_cannot_let_go_starts_again() {
    let mut host = beside(true);
    host.release = Err("no response".into());
    hand_over(&mut host, false);
    assert_eq!(host.state(), State::Serving);
    assert_eq!(host.ordered(|w| matches!(w, Work::Start(_))), 1);
}

#[test]
fn a_keeper_that_dies_while_the_engine_is_being_ended_is_opened_again_and_nothing_is_lost_of_the_fence() {
    let mut host = beside(true);
    host.record = record("i-me", false, 0);
    host.data = DataState::Present;
    host.send(Event::HandOver { unready: false });
    host.send(told(KeeperEvent::Gone));
    host.settle();
    assert_eq!(host.state(), State::Serving, "it has the lock, and goes on");
    assert_eq!(host.ordered(|w| matches!(w, Work::Keeper(KeeperWork::Claim(_)))), 1);
}

/// The keeper's end can be told before its answer to the release: then this host only knows that it lost the lock.
#[test]
fn who_lost_the_lock_looks_at_the_data_again_before_the_next_start() {
    let mut host = beside(true);
    host.record = record("i-other", true, 0);
    host.data = DataState::Present;
    host.send(Event::HandOver { unready: false });
    host.send(told(KeeperEvent::Gone));
    host.settle();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(host.ordered(|w| *w == Work::Adopt(DataState::Present)), 1);
}

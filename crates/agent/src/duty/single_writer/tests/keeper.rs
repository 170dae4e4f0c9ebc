//! A keeper that dies, in every state: the next one is opened at once, whatever lives on of the engine.

use super::host::{Host, failure, record};
use super::*;
use crate::fence::DataState;
use std::time::Duration;

fn opened(host: &Host) -> usize {
    host.ordered(|w| *w == Work::Keeper(KeeperWork::Open))
}

fn gone(host: &mut Host) {
    host.log.clear();
    host.send(told(KeeperEvent::Gone));
}

#[test]
fn the_next_keeper_is_opened_beside_an_engine_that_does_not_die_and_nothing_starts() {
    let mut host = Host::serving();
    host.record = record("i-old", true, 0);
    host.data = DataState::Present;
    host.left = 1;
    gone(&mut host);
    host.settle();
    assert_eq!(opened(&host), 1);
    for _ in 0..20 {
        host.tick();
        host.send(told(KeeperEvent::LockHeld));
        host.settle();
    }
    assert_eq!(
        host.ordered(|w| matches!(
            w,
            Work::Keeper(KeeperWork::Inspect) | Work::Keeper(KeeperWork::Claim(_)) | Work::Start(_)
        )),
        0,
        "nothing begins beside what is left"
    );
    host.left = 0;
    host.tick();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(host.ordered(|w| matches!(w, Work::Keeper(KeeperWork::Claim(_)))), 1);
}

#[test]
fn a_keeper_that_does_not_open_is_asked_for_beside_the_kill_until_one_does_and_an_alarm_says_why() {
    let mut host = Host::serving();
    host.left = 1;
    host.keeper = Err("the lock keeper does not answer".into());
    gone(&mut host);
    host.settle();
    for _ in 0..20 {
        host.tick();
    }
    assert!(opened(&host) > 5 && host.ordered(|w| *w == Work::Kill) > 5);
    let alarm = host.machine.view().alarm.expect("alarm").to_owned();
    assert!(alarm.contains("no lock keeper"), "{alarm}");
    host.keeper = Ok(());
    host.left = 0;
    host.tick();
    host.tick();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(host.machine.view().alarm, None);
}

#[test]
fn a_keeper_that_dies_while_draining_is_opened_again_and_lets_go() {
    let mut host = Host::serving();
    host.log.clear();
    host.send(Event::Drain(DrainReason::Lifecycle));
    gone(&mut host);
    assert_eq!(opened(&host), 1);
    host.settle();
    assert_eq!(host.state(), State::Stopped);
    assert_eq!(
        host.ordered(|w| *w == Work::Keeper(KeeperWork::Release { condemned: false })),
        1
    );
}

#[test]
fn a_keeper_that_dies_beside_a_drain_that_was_given_up_is_opened_again_and_lets_go_when_nothing_is_left() {
    let mut host = Host::serving();
    host.left = 1;
    host.send(Event::Drain(DrainReason::Notice));
    while host.state() != State::Stopped {
        host.settle();
        host.tick();
        assert!(host.now < Duration::from_secs(600), "the drain ends");
    }
    gone(&mut host);
    host.settle();
    for _ in 0..10 {
        host.tick();
    }
    assert_eq!(opened(&host), 1);
    assert_eq!(
        host.ordered(|w| matches!(w, Work::Keeper(KeeperWork::Release { .. }))),
        0,
        "not beside what is left"
    );
    host.left = 0;
    host.tick();
    assert_eq!(
        host.ordered(|w| *w == Work::Keeper(KeeperWork::Release { condemned: false })),
        1
    );
    gone(&mut host);
    assert_eq!(opened(&host), 0, "it has let go");
}

#[test]
fn a_keeper_that_dies_after_an_instance_gave_up_is_opened_again_and_counted_once() {
    let mut host = Host::new();
    host.start = Err(failure(FailureKind::Final, "no licence"));
    host.release = Err("the record could not be written".into());
    host.send(Event::Begin);
    host.settle();
    assert_eq!(host.state(), State::Condemned);
    gone(&mut host);
    assert_eq!(opened(&host), 1);
    host.release = Ok(());
    host.settle();
    host.tick();
    assert_eq!(
        host.ordered(|w| *w == Work::Keeper(KeeperWork::Release { condemned: true })),
        1
    );
    gone(&mut host);
    assert_eq!(opened(&host), 0, "it has let go");
}

#[test]
fn a_lock_that_comes_after_the_drain_is_let_go() {
    let mut host = Host::new();
    host.held = false;
    host.send(Event::Begin);
    host.settle();
    host.send(Event::Drain(DrainReason::Notice));
    host.settle();
    assert_eq!(host.state(), State::Stopped);
    host.send(told(KeeperEvent::LockHeld));
    host.settle();
    assert_eq!(
        host.ordered(|w| *w == Work::Keeper(KeeperWork::Release { condemned: false })),
        1
    );
}

//! A host that waits for the lock, and one that has it while another waits.

use super::host::{Host, failure, record, told};
use super::*;
use crate::fence::CloudState;
use crate::model::agent::AgentState;

fn said(host: &Host) -> AgentState {
    host.machine.view().state
}

fn is_of_an_engine(work: &Work) -> bool {
    use Work::{Adopt, Define, End, Start};
    matches!(
        work,
        Adopt(_) | Start(_) | Define | End(_) | Work::Keeper(KeeperWork::Claim(_))
    )
}

#[test]
fn a_host_that_waits_prepares_everything_and_starts_nothing() {
    let mut host = Host::standby();
    for _ in 0..5 {
        host.tick();
    }
    assert_eq!((host.state(), said(&host)), (State::Fencing, AgentState::Standby));
    assert_eq!(host.ordered(|w| *w == Work::Register), 1);
    assert_eq!(host.ordered(|w| *w == Work::Accounts), 1);
    assert_eq!(host.ordered(|w| *w == Work::Signal { success: true }), 1);
    assert_eq!(host.ordered(is_of_an_engine), 0);
    let view = host.machine.view();
    assert_eq!(
        (view.alarm, view.last_error, view.standby_ready),
        (None, None, Some(true))
    );
    let marks = [mark::AGENT_STARTED, mark::MOUNTED, mark::STANDBY_READY];
    assert_eq!(host.marks(), marks);
}

#[test]
fn a_topology_in_which_nobody_waits_prepares_nothing() {
    let mut host = Host::new();
    host.held = false;
    host.record = record("i-old", false, 0);
    host.data = DataState::Present;
    host.send(Event::Begin);
    host.settle();
    assert!(host.timers.is_empty());
    assert_eq!(
        (said(&host), host.machine.view().standby_ready),
        (AgentState::Fencing, None)
    );
    assert_eq!(host.ordered(|w| matches!(w, Work::Register | Work::Signal { .. })), 0);
}

#[test]
fn nobody_is_ready_beside_an_owner_whose_sign_of_life_stands_still() {
    let mut host = Host::standby();
    host.owner_lives = false;
    let since = host.now;
    while said(&host) == AgentState::Standby {
        assert!(host.now - since < Duration::from_secs(20));
        host.tick();
    }
    let view = host.machine.view();
    assert!(view.last_error.is_some_and(|why| why.contains("heartbeat")));
    assert_eq!(
        host.ordered(is_of_an_engine),
        0,
        "silence proves nothing while another has the lock"
    );
    host.owner_lives = true;
    host.tick();
    assert_eq!(said(&host), AgentState::Standby);
    assert_eq!(host.ordered(|w| *w == Work::Signal { success: true }), 1, "once");
}

#[test]
fn without_data_there_is_nothing_to_register_yet() {
    let mut host = Host::waiting();
    host.data = DataState::Absent;
    assert_eq!(host.ordered(|w| *w == Work::Register), 1, "there was data");
    let mut host = Host::new();
    host.machine = SingleWriter::new(Policy::default().with(Succession::Standby));
    host.held = false;
    host.send(Event::Begin);
    host.settle();
    for _ in 0..5 {
        host.tick();
    }
    assert_eq!(host.ordered(|w| *w == Work::Register), 0);
    assert_eq!(said(&host), AgentState::Fencing);
}

#[test]
fn what_this_image_could_not_use_is_said_before_it_is_needed() {
    let mut host = Host::waiting();
    host.version = "9.3.0.0";
    let mut record = record("i-old", false, 0);
    if let crate::fence::RecordView::Present(record) = &mut record {
        record.engine_version = Some("9.4.0.0".into());
    }
    host.record = record;
    let mut host = Host {
        machine: SingleWriter::new(
            Policy {
                order: mqaws_engine::Product::order(&mqaws_engine::ibm_mq::IbmMq),
                ..Policy::default()
            }
            .with(Succession::Standby),
        ),
        ..host
    };
    host.open.clear();
    host.timers.clear();
    host.send(Event::Begin);
    host.settle();
    for _ in 0..20 {
        host.tick();
    }
    assert_eq!(said(&host), AgentState::Fencing);
    let alarm = host.machine.view().alarm.expect("an alarm").to_owned();
    assert!(alarm.contains("older level"), "{alarm}");
    assert_eq!(host.ordered(|w| *w == Work::Signal { success: false }), 1);
}

#[test]
fn a_freed_lock_leads_to_the_proof_and_to_an_order_at_once() {
    let mut host = Host::standby();
    host.cloud = Ok(CloudState::MayRun("running".into()));
    host.log.clear();
    host.send(told(KeeperEvent::LockHeld));
    host.settle();
    assert_eq!(said(&host), AgentState::Fencing);
    assert_eq!(
        host.ordered(|w| *w == Work::Terminate("i-old".parse().expect("an id"))),
        1,
        "without patience: the successor is here"
    );
    assert_eq!(host.ordered(is_of_an_engine), 0);
    host.cloud = Ok(CloudState::Terminated);
    host.tick();
    assert_eq!(host.state(), State::Serving);
    let fence = host.machine.fence_view();
    assert_eq!(
        fence.proof.map(ToString::to_string).as_deref(),
        Some("terminated (i-old)")
    );
    assert_eq!(host.ordered(|w| matches!(w, Work::Keeper(KeeperWork::Wait { .. }))), 0);
}

#[test]
fn an_owner_that_lives_gets_the_lock_back_before_its_end_is_ordered() {
    let mut host = Host::standby();
    host.cloud = Ok(CloudState::MayRun("running".into()));
    host.stands_back = Ok(());
    host.log.clear();
    host.send(told(KeeperEvent::LockHeld));
    host.settle();
    assert_eq!(host.ordered(|w| *w == Work::Keeper(KeeperWork::StandBack)), 1);
    assert_eq!(host.ordered(|w| matches!(w, Work::Terminate(_))), 0);
    assert!(!host.machine.fence_view().held);
    assert_eq!(said(&host), AgentState::Standby);

    // It does not come.
    host.stands_back = Err("the owner does not go first".into());
    host.send(told(KeeperEvent::LockHeld));
    host.settle();
    assert_eq!(host.ordered(|w| matches!(w, Work::Terminate(_))), 1);
    host.cloud = Ok(CloudState::Terminated);
    host.tick();
    assert_eq!(host.state(), State::Serving);
}

/// A host that serves and whose engine starts no more, with or without another that is ready.
fn broken(ready: bool) -> Host {
    let mut host = Host::new();
    host.machine = SingleWriter::new(Policy::default().with(Succession::Standby));
    host.send(Event::Begin);
    host.settle();
    assert_eq!(host.machine.view().standby_ready, Some(false));
    if ready {
        let ready = Some("i-other".parse().expect("an id"));
        host.send(told(KeeperEvent::Standby { ready }));
        assert_eq!(host.machine.view().standby_ready, Some(true));
    }
    host.log.clear();
    host.start = Err(failure(FailureKind::Transient, "strmqm exit 71"));
    host.died(true);
    host.settle();
    for _ in 0..10 {
        host.tick();
    }
    host
}

#[test]
fn after_two_failed_attempts_the_data_goes_to_a_host_that_is_ready() {
    for (ready, attempts) in [(true, 2), (false, 3)] {
        let host = broken(ready);
        assert_eq!(host.state(), State::Condemned);
        assert_eq!(host.ordered(|w| matches!(w, Work::Start(_))), attempts);
        let why = host.machine.condemned().expect("why").to_owned();
        assert_eq!(why.contains("i-other is ready to take over"), ready, "{why}");
        let at = |wanted: &Work| {
            let mut log = host.log.iter();
            log.position(|a| matches!(a, Action::Do { work, .. } if work == wanted))
                .expect("ordered")
        };
        assert!(at(&Work::Keeper(KeeperWork::Release { condemned: false })) < at(&Work::ReportUnhealthy));
    }
}

#[test]
fn a_host_that_waits_ends_without_touching_the_data() {
    let mut host = Host::standby();
    host.send(Event::Drain(DrainReason::Lifecycle));
    host.settle();
    assert_eq!((host.state(), said(&host)), (State::Stopped, AgentState::Stopped));
    assert_eq!(
        host.ordered(|w| is_of_an_engine(w) || matches!(w, Work::Keeper(KeeperWork::Release { .. }))),
        0
    );
}

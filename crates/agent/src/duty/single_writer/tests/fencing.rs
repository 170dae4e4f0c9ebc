//! Proofs about a previous owner, decisions of a person, and starts that are refused.

use super::host::{Host, record};
use super::*;
use crate::fence::{
    CloudState, CreateWord, DataState, Epoch, InquiryPolicy, LeaseRule, LeaseTimes, ProofKind, RecordView, Word,
};
use crate::model::agent::mark;
use std::time::Duration;

fn lease_wait() -> Duration {
    LeaseTimes::default().wait(Duration::from_secs(90))
}

fn proof(host: &Host) -> Option<String> {
    host.machine.fence_view().proof.map(ToString::to_string)
}

fn starts(host: &Host) -> usize {
    host.ordered(|w| matches!(w, Work::Keeper(KeeperWork::Claim(_)) | Work::Start(_)))
}

#[test]
fn an_empty_file_system_whose_word_is_used_up_waits_for_a_persons_and_looks_for_the_data_meanwhile() {
    let mut host = Host::new();
    host.word = Ok(CreateWord::Used);
    host.send(Event::Begin);
    host.settle();
    let creates = |work: &Work| matches!(work, Work::Adopt(_) | Work::Keeper(KeeperWork::Claim(_)));
    assert_eq!((host.state(), host.ordered(creates)), (State::Fencing, 0));
    let alarm = host.machine.view().alarm.expect("an alarm").to_owned();
    assert!(alarm.contains("fence create"), "{alarm}");
    let inspected = host.ordered(|w| *w == Work::Keeper(KeeperWork::Inspect));
    host.tick();
    host.tick();
    assert!(host.ordered(|w| *w == Work::Keeper(KeeperWork::Inspect)) > inspected);
    assert_eq!(host.ordered(creates), 0);

    // Brought back, the data is started on, whatever was said before.
    host.record = record("i-old", true, 0);
    host.data = DataState::Present;
    while host.state() != State::Serving {
        assert!(host.now < Duration::from_secs(600), "{:?}", host.machine);
        host.tick();
    }
    assert_eq!(host.machine.view().alarm, None);
}

/// The word of a stack that was deployed before there was one is given to a file system that has data.
#[test]
fn the_word_of_data_that_serves_is_used_up_once_and_its_absence_from_the_cloud_harms_nobody() {
    let mut host = Host::new();
    host.record = record("i-old", true, 0);
    host.data = DataState::Present;
    host.word = Err("RequestTimeout".into());
    host.send(Event::Begin);
    host.settle();
    let spent = |host: &Host| host.ordered(|w| *w == Work::SpendWord);
    assert_eq!((host.state(), spent(&host)), (State::Serving, 1));
    while spent(&host) < 2 {
        assert!(host.now < Duration::from_secs(600), "{:?}", host.machine);
        host.tick();
    }
    let view = host.machine.view();
    assert_eq!(
        (host.state(), view.alarm, view.last_error),
        (State::Serving, None, None)
    );
    host.word = Ok(CreateWord::Given);
    while spent(&host) < 3 {
        assert!(host.now < Duration::from_secs(900), "{:?}", host.machine);
        host.tick();
    }
    for _ in 0..300 {
        host.tick();
    }
    assert_eq!(spent(&host), 3, "and then never again");
    assert_eq!(host.ordered(|w| *w == Work::UseWord), 0);
}

#[test]
fn a_persons_word_creates_a_queue_manager_on_the_file_system_that_it_names() {
    let mut host = Host::new();
    host.machine = SingleWriter::new(Policy {
        file_system: "fs-1".into(),
        ..Policy::default()
    });
    host.word = Ok(CreateWord::Absent);
    host.send(Event::Begin);
    host.settle();
    for (named, state) in [("fs-2", State::Fencing), ("fs-1", State::Serving)] {
        host.send(Event::Decide {
            id: named.into(),
            word: Word::Create(named.into()),
        });
        host.settle();
        assert_eq!(host.state(), state, "{named}");
    }
    assert_eq!(host.machine.view().alarm, None);
}

#[test]
fn a_previous_owner_is_outlived_or_terminated_never_ignored() {
    let mut host = Host::new();
    host.record = record("i-old", false, 0);
    host.data = DataState::Present;
    host.send(Event::Begin);
    host.settle();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(
        host.ordered(|w| *w == Work::AskCloud("i-old".parse().expect("an id"))),
        1
    );
    assert_eq!(
        host.machine.fence_view().proof.map(ToString::to_string).as_deref(),
        Some("terminated (i-old)")
    );
}

#[test]
fn data_that_nobody_owns_is_not_touched_and_replaces_nobody() {
    let mut host = Host::new();
    host.data = DataState::Present;
    host.send(Event::Begin);
    host.settle();
    for _ in 0..20 {
        host.tick();
    }
    assert_eq!(host.state(), State::Fencing);
    assert_eq!(
        host.ordered(|w| matches!(
            w,
            Work::Keeper(KeeperWork::Claim(_)) | Work::Adopt(_) | Work::Start(_) | Work::ReportUnhealthy
        )),
        0
    );
    assert_eq!(host.ordered(|w| *w == Work::Signal { success: false }), 1);
}

#[test]
fn an_owner_that_is_no_instance_is_reported_and_nobody_is_asked_about_or_terminated() {
    let mut host = Host::new();
    host.machine = SingleWriter::new(Policy {
        inquiry: InquiryPolicy {
            lease: LeaseRule::Allow,
            ..InquiryPolicy::default()
        },
        ..Policy::default()
    });
    host.record = record("of another cloud", false, 0);
    host.data = DataState::Present;
    host.send(Event::Begin);
    host.settle();
    for _ in 0..20 {
        host.now += lease_wait();
        host.tick();
    }
    assert_eq!((host.state(), starts(&host)), (State::Fencing, 0));
    assert_eq!(
        host.ordered(|w| matches!(w, Work::AskCloud(_) | Work::Terminate(_) | Work::ReportUnhealthy)),
        0
    );
    let alarm = host.machine.view().alarm.expect("alarm").to_owned();
    assert!(alarm.contains("`of another cloud`"), "{alarm}");
    host.record = record("i-old", true, 0);
    host.tick();
    assert_eq!((host.state(), host.machine.view().alarm), (State::Serving, None));
}

#[test]
fn ibm_mq_starts_on_a_lease_when_ec2_says_nothing_for_long_enough() {
    let mut host = Host::fencing(LeaseRule::Allow);
    while host.now < lease_wait() {
        assert_eq!((host.state(), starts(&host)), (State::Fencing, 0), "{:?}", host.now);
        host.tick();
    }
    while host.state() == State::Fencing && host.now < lease_wait() * 2 {
        host.tick();
    }
    assert_eq!(host.state(), State::Serving);
    assert_eq!(proof(&host).as_deref(), Some("lease (i-old)"));
    assert!(host.now < lease_wait() + Policy::default().inquiry.slowest * 2);
}

#[test]
fn ec2_may_keep_saying_running_after_the_order_to_terminate() {
    let mut host = Host::fencing(LeaseRule::Allow);
    host.cloud = Ok(CloudState::MayRun("running".into()));
    while host.state() == State::Fencing && host.now < lease_wait() * 2 {
        host.tick();
    }
    assert_eq!(proof(&host).as_deref(), Some("lease (i-old)"));
    assert_eq!(
        host.ordered(|w| *w == Work::Terminate("i-old".parse().expect("an id"))),
        1
    );
}

#[test]
fn a_previous_owner_that_lives_is_never_outwaited() {
    let mut host = Host::fencing(LeaseRule::Allow);
    while host.now < lease_wait() * 3 {
        host.alive += 1;
        host.tick();
    }
    assert_eq!((host.state(), starts(&host)), (State::Fencing, 0));
}

#[test]
fn another_engine_does_not_start_on_a_lease_but_raises_an_alarm_and_waits() {
    let mut host = Host::fencing(LeaseRule::Refuse);
    while host.now < lease_wait() * 3 {
        host.tick();
    }
    assert_eq!((host.state(), starts(&host)), (State::Fencing, 0));
    let alarm = host.machine.view().alarm.expect("alarm").to_owned();
    assert!(alarm.contains("mqaws-agent fence operator i-old"), "{alarm}");
    assert_eq!(host.marks().iter().filter(|m| **m == mark::ALARM).count(), 1, "once");
    assert_eq!(host.ordered(|w| *w == Work::ReportUnhealthy), 0);
    host.cloud = Ok(CloudState::Terminated);
    host.tick();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(host.machine.view().alarm, None);
}

#[test]
fn a_person_decides_by_naming_the_previous_owner() {
    let mut host = Host::fencing(LeaseRule::Refuse);
    let decide = |host: &mut Host, named: &str| {
        host.send(Event::Decide {
            id: "1".into(),
            word: Word::Gone(named.into()),
        });
        host.settle();
        host.machine.view().decision.expect("answered").refused.clone()
    };
    for wrong in ["i-me", "i-older", ""] {
        let refused = decide(&mut host, wrong).expect("refused");
        assert!(refused.contains("i-old"), "{refused}");
        assert_eq!(starts(&host), 0);
    }
    assert_eq!(decide(&mut host, "i-old"), None);
    assert_eq!(host.state(), State::Serving);
    assert_eq!(proof(&host).as_deref(), Some("operator (i-old)"));
    assert_eq!(starts(&host), 2, "one claim, one start");
    let refused = decide(&mut host, "i-old").expect("too late");
    assert!(refused.contains("no decision is pending"), "{refused}");
    assert_eq!(host.state(), State::Serving);
}

#[test]
fn on_a_copy_nobody_is_asked_about_or_terminated_and_a_persons_word_starts_the_engine() {
    for released in [false, true] {
        let mut host = Host::new();
        host.machine = SingleWriter::new(Policy {
            file_system: "fs-new".into(),
            inquiry: InquiryPolicy {
                lease: LeaseRule::Allow,
                ..InquiryPolicy::default()
            },
            ..Policy::default()
        });
        host.record = match record("i-old", released, 9) {
            RecordView::Present(mut record) => {
                record.file_system = Some("fs-old".into());
                RecordView::Present(record)
            }
            other => other,
        };
        host.data = DataState::Present;
        host.cloud = Ok(CloudState::MayRun("running".into()));
        host.send(Event::Begin);
        host.settle();
        for _ in 0..20 {
            host.now += lease_wait();
            host.tick();
        }
        assert_eq!((host.state(), starts(&host)), (State::Fencing, 0));
        let meddles = |w: &Work| {
            matches!(
                w,
                Work::AskCloud(_) | Work::Terminate(_) | Work::Keeper(KeeperWork::Look) | Work::Signal { .. }
            )
        };
        assert_eq!(host.ordered(meddles), 0);
        assert_eq!(host.marks().iter().filter(|m| **m == mark::ALARM).count(), 1, "once");
        let view = host.machine.view();
        let alarm = view.alarm.expect("alarm");
        assert!(alarm.contains("`mqaws-agent fence copy fs-old`"), "{alarm}");
        assert!(view.last_error.is_some_and(|error| error.contains(alarm)));
        for word in [Word::Gone("i-old".into()), Word::Copy("fs-new".into())] {
            host.send(Event::Decide { id: "1".into(), word });
            host.settle();
            assert_eq!(starts(&host), 0);
            assert!(host.machine.view().decision.is_some_and(|d| d.refused.is_some()));
        }
        host.send(Event::Decide {
            id: "2".into(),
            word: Word::Copy("fs-old".into()),
        });
        host.settle();
        assert_eq!(host.state(), State::Serving);
        assert_eq!(proof(&host).as_deref(), Some("copy (i-old)"));
        assert_eq!(
            (
                host.machine.view().alarm,
                host.ordered(|w| matches!(w, Work::Terminate(_)))
            ),
            (None, 0)
        );
    }
}

#[test]
fn a_decision_without_the_lock_counts_for_nothing() {
    let mut host = Host::fencing(LeaseRule::Refuse);
    host.left = 1;
    host.send(told(KeeperEvent::LockLost("expired".into())));
    host.send(Event::Decide {
        id: "1".into(),
        word: Word::Gone("i-old".into()),
    });
    host.settle();
    assert_eq!(starts(&host), 0);
    assert!(host.machine.view().decision.is_some_and(|d| d.refused.is_some()));
}

#[test]
fn a_record_that_is_gone_raises_an_alarm_and_stops_nothing() {
    let mut host = Host::serving();
    host.log.clear();
    for _ in 0..3 {
        let gone = Some("the owner record of epoch 1 is gone".to_owned());
        host.send(told(KeeperEvent::Record { gone }));
    }
    assert_eq!(host.marks(), [mark::ALARM], "once");
    assert!(host.machine.view().alarm.is_some_and(|why| why.contains("gone")));
    assert_eq!(host.state(), State::Serving);
    host.send(told(KeeperEvent::Record { gone: None }));
    assert_eq!(host.machine.view().alarm, None);
}

#[test]
fn a_previous_owner_that_lets_go_meanwhile_gives_a_clean_start() {
    let mut host = Host::fencing(LeaseRule::Refuse);
    while !host.open.iter().any(|(_, w)| *w == Work::Keeper(KeeperWork::Look)) {
        if let Some((generation, work)) = host.open.pop() {
            let outcome = host.answer(&work).expect("answer");
            host.send(Event::Done { generation, outcome });
        } else {
            let (timer, at) = host.timers.remove(0);
            host.now = host.now.max(at);
            host.send(Event::Timer(timer));
        }
    }
    let (generation, _) = host.open.remove(0);
    host.record = record("i-old", true, 0);
    host.send(Event::Done {
        generation,
        outcome: Outcome::Keeper(KeeperOutcome::Looked(Ok(Looked::Changed))),
    });
    host.settle();
    assert_eq!(
        host.machine.fence_view().proof.map(|p| p.kind.clone()),
        Some(ProofKind::Clean)
    );
}

fn written_by(version: &str) -> RecordView {
    match record("i-old", true, 0) {
        RecordView::Present(mut record) => {
            record.engine_version = Some(version.to_owned());
            RecordView::Present(record)
        }
        other => other,
    }
}

#[test]
fn an_older_engine_does_not_touch_newer_data_and_nobody_is_replaced_for_it() {
    let mut host = Host::new();
    host.record = written_by("IBM MQ 9.4.0.0");
    host.data = DataState::Present;
    host.version = "IBM MQ 9.3.0.0";
    host.signal = Ok(SignalResult::NotWaiting);
    host.send(Event::Begin);
    host.settle();
    for _ in 0..20 {
        host.tick();
    }
    assert_eq!(host.state(), State::Adopting);
    assert_eq!(
        host.ordered(|w| matches!(
            w,
            Work::Start(_)
                | Work::Keeper(KeeperWork::Level(_))
                | Work::ReportUnhealthy
                | Work::Keeper(KeeperWork::Release { .. })
        )),
        0
    );
    assert_eq!(
        host.ordered(|w| matches!(w, Work::Keeper(KeeperWork::Claim(_)))),
        1,
        "no epoch is used up by waiting"
    );
    assert_eq!(host.ordered(|w| *w == Work::Signal { success: false }), 1);
    let alarm = host.machine.view().alarm.expect("alarm").to_owned();
    assert!(alarm.contains("9.4.0.0") && alarm.contains("9.3.0.0"), "{alarm}");
    // The engine is upgraded in place.
    host.version = "IBM MQ 9.4.1.0";
    host.tick();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(host.machine.view().alarm, None);
}

#[test]
fn the_level_is_written_down_before_the_engine_starts() {
    for before in ["IBM MQ 9.3.0.0", "IBM MQ 9.4.0.0", "something else"] {
        let mut host = Host::new();
        host.record = written_by(before);
        host.data = DataState::Present;
        host.version = "IBM MQ 9.4.0.0";
        host.send(Event::Begin);
        host.settle();
        assert_eq!(host.state(), State::Serving, "{before}");
        let at = |wanted: &Work| {
            host.log
                .iter()
                .position(|a| matches!(a, Action::Do { work, .. } if work == wanted))
                .expect("ordered")
        };
        assert!(at(&Work::Keeper(KeeperWork::Level("IBM MQ 9.4.0.0".into()))) < at(&Work::Start(Epoch(1))));
    }
}

#[test]
fn without_the_level_on_stable_storage_nothing_starts() {
    let mut host = Host::new();
    host.send(Event::Begin);
    while !host
        .open
        .iter()
        .any(|(_, w)| matches!(w, Work::Keeper(KeeperWork::Level(_))))
    {
        let (generation, work) = host.open.remove(0);
        let outcome = host.answer(&work).expect("answer");
        host.send(Event::Done { generation, outcome });
    }
    let (generation, _) = host.open.remove(0);
    host.send(Event::Done {
        generation,
        outcome: Outcome::Keeper(KeeperOutcome::LevelWritten(Err("disk full".into()))),
    });
    assert_eq!(host.ordered(|w| matches!(w, Work::Start(_))), 0);
    host.tick();
    assert_eq!(host.state(), State::Serving);
}

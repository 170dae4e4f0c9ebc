use super::*;
use crate::fence::record::{Epoch, SCHEMA};
use proptest::prelude::*;

fn writer(instance: &str, boot: &str) -> Writer {
    Writer {
        instance: instance.into(),
        boot: boot.into(),
    }
}

fn record(owner: Writer, released: bool) -> RecordView {
    RecordView::Present(Box::new(OwnerRecord {
        schema: SCHEMA.into(),
        queue_manager: "QM1".into(),
        epoch: Epoch(4),
        owner,
        keeper: "k".into(),
        alive: 1,
        released,
        proof: Proof {
            kind: ProofKind::New,
            previous: None,
        },
        at: String::new(),
        engine_version: None,
        condemned: 0,
    }))
}

fn inquiry(record: &RecordView, data: DataState) -> Inquiry {
    Inquiry::new(InquiryPolicy::default(), &writer("i-me", "boot-1"), record, data)
}

fn proof(kind: ProofKind, previous: Option<&str>) -> Next {
    Next::Start(Proof {
        kind,
        previous: previous.map(str::to_owned),
    })
}

#[test]
fn what_the_record_alone_decides() {
    use DataState::{Absent, HalfCreated, Present};
    let me = writer("i-me", "boot-1");
    let me_before = writer("i-me", "boot-0");
    let other = writer("i-other", "boot-1");
    let unreadable = RecordView::Unreadable("damaged".into());
    let cases = [
        ("first start", RecordView::Absent, Absent, proof(ProofKind::New, None)),
        (
            "data nobody owns",
            RecordView::Absent,
            Present,
            Next::Refuse(Refusal::DataWithoutOwner),
        ),
        (
            "half of it",
            RecordView::Absent,
            HalfCreated,
            Next::Refuse(Refusal::DataWithoutOwner),
        ),
        (
            "damage, no data",
            unreadable.clone(),
            Absent,
            Next::Refuse(Refusal::Unreadable("damaged".into())),
        ),
        (
            "damage",
            unreadable,
            Present,
            Next::Refuse(Refusal::Unreadable("damaged".into())),
        ),
        (
            "released",
            record(other.clone(), true),
            Present,
            proof(ProofKind::Clean, Some("i-other")),
        ),
        (
            "released by us",
            record(me.clone(), true),
            Present,
            proof(ProofKind::Clean, Some("i-me")),
        ),
        (
            "rebooted",
            record(me_before, false),
            Present,
            proof(ProofKind::SameHost, Some("i-me")),
        ),
        ("restart", record(me, false), Present, Next::CountLocal),
        // The other host has our boot id (a cloned image): the instance decides.
        (
            "elsewhere",
            record(other, false),
            Present,
            Next::AskCloud {
                instance: "i-other".into(),
                after: Duration::ZERO,
            },
        ),
    ];
    for (name, view, data, expected) in cases {
        assert_eq!(inquiry(&view, data).first(), expected, "{name}");
    }
}

#[test]
fn own_processes_are_killed_and_counted_again() {
    let mut i = inquiry(&record(writer("i-me", "boot-1"), false), DataState::Present);
    assert_eq!(i.first(), Next::CountLocal);
    let at = Duration::ZERO;
    assert_eq!(i.step(at, &Answer::Failed), Next::CountLocal);
    assert_eq!(i.step(at, &Answer::LocalProcesses(3)), Next::KillLocal);
    assert_eq!(i.step(at, &Answer::Failed), Next::KillLocal);
    assert_eq!(i.step(at, &Answer::LocalProcesses(1)), Next::KillLocal);
    assert_eq!(
        i.step(at, &Answer::LocalProcesses(0)),
        proof(ProofKind::SameHost, Some("i-me"))
    );
}

#[test]
fn a_running_previous_owner_is_given_a_little_time_and_then_terminated() {
    let mut i = inquiry(&record(writer("i-other", "b"), false), DataState::Present);
    i.first();
    let running = Answer::Previous(CloudState::MayRun("running".into()));
    let second = Duration::from_secs;
    assert!(matches!(i.step(second(0), &running), Next::AskCloud { .. }));
    assert!(matches!(i.step(second(1), &Answer::Failed), Next::AskCloud { .. }));
    assert_eq!(
        i.step(second(3), &running),
        Next::Terminate {
            instance: "i-other".into()
        }
    );
    // A failed order is repeated after the next look, an accepted one is not.
    assert!(matches!(i.step(second(3), &Answer::Failed), Next::AskCloud { .. }));
    assert_eq!(
        i.step(second(4), &running),
        Next::Terminate {
            instance: "i-other".into()
        }
    );
    assert!(matches!(
        i.step(second(5), &Answer::TerminationOrdered),
        Next::AskCloud { .. }
    ));
    let going = Answer::Previous(CloudState::MayRun("shutting-down".into()));
    assert!(matches!(i.step(second(60), &going), Next::AskCloud { .. }));
    assert_eq!(
        i.step(second(61), &Answer::Previous(CloudState::Terminated)),
        proof(ProofKind::Terminated, Some("i-other"))
    );
}

#[test]
fn an_unknown_instance_counts_as_terminated_only_after_a_while_and_several_answers() {
    let unknown = Answer::Previous(CloudState::Unknown);
    let second = Duration::from_secs;
    let mut i = inquiry(&record(writer("i-other", "b"), false), DataState::Present);
    i.first();
    assert!(matches!(i.step(second(0), &unknown), Next::AskCloud { .. }));
    assert!(
        matches!(i.step(second(20), &unknown), Next::AskCloud { .. }),
        "two answers are not three"
    );
    assert_eq!(
        i.step(second(21), &unknown),
        proof(ProofKind::Terminated, Some("i-other"))
    );
    let mut i = inquiry(&record(writer("i-other", "b"), false), DataState::Present);
    i.first();
    for quick in 0..9 {
        assert!(matches!(i.step(second(quick), &unknown), Next::AskCloud { .. }));
    }
    i.step(second(9), &Answer::Previous(CloudState::MayRun("pending".into())));
    assert!(
        matches!(i.step(second(20), &unknown), Next::AskCloud { .. }),
        "it was seen in between"
    );
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        (0usize..3).prop_map(Answer::LocalProcesses),
        Just(Answer::Previous(CloudState::MayRun("running".into()))),
        Just(Answer::Previous(CloudState::MayRun("stopping".into()))),
        Just(Answer::TerminationOrdered),
        Just(Answer::Failed),
    ]
}

proptest! {
    #[test]
    fn never_a_proof_about_another_host_without_ec2_saying_so(
        script in proptest::collection::vec((answers(), 0u64..100_000), 1..60),
    ) {
        let mut i = inquiry(&record(writer("i-other", "b"), false), DataState::Present);
        let mut now = Duration::ZERO;
        prop_assert!(!matches!(i.first(), Next::Start(_)));
        for (answer, millis) in script {
            now += Duration::from_millis(millis);
            let next = i.step(now, &answer);
            prop_assert!(!matches!(next, Next::Start(_)), "{answer:?} gave a proof");
        }
    }

    #[test]
    fn errors_alone_decide_nothing(own in any::<bool>(), times in 1usize..200) {
        let owner = if own { writer("i-me", "boot-1") } else { writer("i-other", "b") };
        let mut i = inquiry(&record(owner, false), DataState::Present);
        i.first();
        for n in 0..times {
            let next = i.step(Duration::from_secs(n as u64), &Answer::Failed);
            let decided = matches!(next, Next::Start(_) | Next::Refuse(_) | Next::Terminate { .. } | Next::KillLocal);
            prop_assert!(!decided);
        }
    }

    #[test]
    fn waits_are_bounded(times in 1usize..100) {
        let mut i = inquiry(&record(writer("i-other", "b"), false), DataState::Present);
        i.first();
        for n in 0..times {
            if let Next::AskCloud { after, .. } = i.step(Duration::from_secs(n as u64), &Answer::Failed) {
                prop_assert!(after <= InquiryPolicy::default().slowest);
            }
        }
    }
}

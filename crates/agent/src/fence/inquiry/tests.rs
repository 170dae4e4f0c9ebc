use super::*;
use crate::fence::record::{Epoch, SCHEMA, Writer};
use proptest::prelude::*;

fn writer(instance: &str, boot: &str) -> Writer {
    Writer {
        instance: instance.into(),
        boot: boot.into(),
    }
}

fn me() -> ThisHost {
    ThisHost {
        instance: "i-me".parse().expect("an id"),
        boot: "boot-1".parse().expect("an id"),
    }
}

fn id(text: &str) -> InstanceId {
    text.parse().expect("an id")
}

fn record(owner: Writer, released: bool) -> RecordView {
    RecordView::Present(Box::new(OwnerRecord {
        schema: SCHEMA.into(),
        queue_manager: "QM1".into(),
        file_system: None,
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
        served: false,
    }))
}

/// The record of a queue manager that has served.
fn served(view: RecordView) -> RecordView {
    match view {
        RecordView::Present(record) => RecordView::Present(Box::new(OwnerRecord {
            served: true,
            ..*record
        })),
        other => other,
    }
}

/// The file system that this host mounts.
const HERE: &str = "fs-here";
const LEASE: Duration = Duration::from_secs(90);

fn inquiry_with(lease: LeaseRule, record: &RecordView, data: DataState) -> Inquiry {
    let policy = InquiryPolicy {
        lease,
        ..InquiryPolicy::default()
    };
    let found = Inspection {
        record: record.clone(),
        data,
        lease: LEASE,
    };
    Inquiry::new(policy, &me(), HERE, &found, Duration::ZERO)
}

fn inquiry(record: &RecordView, data: DataState) -> Inquiry {
    inquiry_with(LeaseRule::Refuse, record, data)
}

/// An inquiry about i-other, whose sign of life was 1.
fn about_other(lease: LeaseRule) -> Inquiry {
    let mut i = inquiry_with(lease, &record(writer("i-other", "b"), false), DataState::Present);
    i.first();
    i
}

/// EC2 fails and the sign of life is this, at this second.
fn quiet_round(i: &mut Inquiry, second: u64, alive: u64) -> Next {
    let now = Duration::from_secs(second);
    assert_eq!(i.step(now, &Answer::Failed), Next::Look);
    i.step(now, &Answer::SignOfLife(alive))
}

fn proof(kind: ProofKind, previous: Option<&str>) -> Next {
    Next::Start(Proof {
        kind,
        previous: previous.map(AsWritten::from),
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
        (
            "first start",
            RecordView::Absent,
            Absent,
            Next::UseWord { after: Duration::ZERO },
        ),
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
            "a creation that was cut off",
            record(other.clone(), true),
            Absent,
            proof(ProofKind::Clean, Some("i-other")),
        ),
        (
            "data that is gone",
            served(record(other.clone(), true)),
            Absent,
            Next::Refuse(Refusal::OwnerWithoutData),
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
                instance: id("i-other"),
                after: Duration::ZERO,
            },
        ),
    ];
    for (name, view, data, expected) in cases {
        assert_eq!(inquiry(&view, data).first(), expected, "{name}");
    }
}

/// What is gone with its record looks like what never was.
#[test]
fn nothing_is_created_without_a_word_for_it_and_a_word_is_for_one_file_system() {
    let at = Duration::from_secs(1);
    let mut given = inquiry(&RecordView::Absent, DataState::Absent);
    given.first();
    let asks = |next: &Next| matches!(next, Next::UseWord { after } if !after.is_zero());
    assert!(asks(&given.step(at, &Answer::Failed)), "an error is no word");
    assert_eq!(given.empty(), None);
    let create = proof(ProofKind::New, None);
    assert_eq!(given.step(at, &Answer::Word(CreateWord::Given)), create);
    for (word, why) in [(CreateWord::Used, "before"), (CreateWord::Absent, "not released")] {
        let mut i = inquiry(&RecordView::Absent, DataState::Absent);
        i.first();
        assert_eq!(i.step(at, &Answer::Word(word)), Next::AwaitWord);
        let alarm = i.alarm().expect("an alarm");
        for words in [why, "`mqaws-agent fence create fs-here`"] {
            assert!(alarm.contains(words), "{alarm}");
        }
        assert_eq!(i.empty(), Some(HERE));
        let refused = |word| i.decide(&word).expect_err("refused").to_string();
        assert!(refused(Word::Create("fs-else".into())).contains("fs-here, not fs-else"));
        assert_eq!(i.decide(&Word::Copy(HERE.into())), Err(DecisionRefused::NoCopy));
        assert_eq!(
            i.decide(&Word::Gone("i-old".into())),
            Err(DecisionRefused::NothingToDecide)
        );
        let decided = i.decide(&Word::Create(HERE.into())).expect("the right name");
        assert_eq!(Next::Start(decided), create);
    }
    // It is no word about data that is there.
    let i = about_other(LeaseRule::Refuse);
    assert_eq!(i.decide(&Word::Create(HERE.into())), Err(DecisionRefused::NotEmpty));
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
    let terminate = Next::Terminate {
        instance: id("i-other"),
    };
    let asks = |next| matches!(next, Next::AskCloud { .. });
    let alive = Answer::SignOfLife(1);
    assert_eq!(i.step(second(0), &running), Next::Look);
    assert!(asks(i.step(second(0), &alive)));
    assert_eq!(i.step(second(1), &Answer::Failed), Next::Look);
    assert!(asks(i.step(second(1), &Answer::Failed)));
    assert_eq!(i.step(second(3), &running), terminate);
    // A failed order is repeated after the next answer, an accepted one is not.
    assert_eq!(i.step(second(3), &Answer::Failed), Next::Look);
    assert!(asks(i.step(second(3), &alive)));
    assert_eq!(i.step(second(4), &running), terminate);
    assert_eq!(i.step(second(5), &Answer::TerminationOrdered), Next::Look);
    assert!(asks(i.step(second(5), &alive)));
    let going = Answer::Previous(CloudState::MayRun("shutting-down".into()));
    assert_eq!(i.step(second(60), &going), Next::Look);
    assert!(asks(i.step(second(60), &alive)));
    assert_eq!(
        i.step(second(61), &Answer::Previous(CloudState::Terminated)),
        proof(ProofKind::Terminated, Some("i-other"))
    );
}

/// Lease, T and margin by the defaults.
const WAIT: u64 = 90 + 30 + 15;

#[test]
fn a_sign_of_life_that_stands_still_for_longer_than_lease_t_and_margin_is_a_proof() {
    let mut i = about_other(LeaseRule::Allow);
    for second in [1, 60, WAIT] {
        assert!(
            matches!(quiet_round(&mut i, second, 1), Next::AskCloud { .. }),
            "{second}"
        );
    }
    assert_eq!(
        quiet_round(&mut i, WAIT + 1, 1),
        proof(ProofKind::Lease, Some("i-other"))
    );
}

#[test]
fn ec2_may_say_running_or_nothing_while_the_lease_is_waited_for() {
    let running = Answer::Previous(CloudState::MayRun("running".into()));
    let mut i = about_other(LeaseRule::Allow);
    let mut ordered = 0;
    for second in 1..=WAIT {
        let now = Duration::from_secs(second);
        let said = [&Answer::Failed, &running, &Answer::Previous(CloudState::Unknown)][second as usize % 3];
        if matches!(i.step(now, said), Next::Terminate { .. }) {
            ordered += 1;
            assert_eq!(i.step(now, &Answer::TerminationOrdered), Next::Look);
        }
        assert!(matches!(i.step(now, &Answer::SignOfLife(1)), Next::AskCloud { .. }));
    }
    assert_eq!(ordered, 1);
    assert_eq!(
        quiet_round(&mut i, WAIT + 1, 1),
        proof(ProofKind::Lease, Some("i-other"))
    );
}

#[test]
fn a_changed_sign_of_life_begins_the_wait_anew() {
    let mut i = about_other(LeaseRule::Allow);
    assert!(matches!(quiet_round(&mut i, 100, 2), Next::AskCloud { .. }));
    assert!(matches!(quiet_round(&mut i, 100 + WAIT, 2), Next::AskCloud { .. }));
    // Back to a value of before is a change as well.
    assert!(matches!(quiet_round(&mut i, 101 + WAIT, 1), Next::AskCloud { .. }));
    assert!(matches!(quiet_round(&mut i, 101 + 2 * WAIT, 1), Next::AskCloud { .. }));
    assert_eq!(
        quiet_round(&mut i, 102 + 2 * WAIT, 1),
        proof(ProofKind::Lease, Some("i-other"))
    );
}

#[test]
fn a_look_counts_from_when_it_was_asked_for() {
    let mut i = about_other(LeaseRule::Allow);
    let late = Duration::from_secs(10 * WAIT);
    assert_eq!(i.step(Duration::from_secs(1), &Answer::Failed), Next::Look);
    // The answer lay about for long: what it tells is as old as the question.
    assert!(matches!(i.step(late, &Answer::SignOfLife(1)), Next::AskCloud { .. }));
}

#[test]
fn an_engine_that_may_not_start_on_a_lease_waits_and_says_what_is_needed() {
    let mut i = about_other(LeaseRule::Refuse);
    assert!(!i.is_blocked());
    for second in [WAIT + 1, 100 * WAIT] {
        assert!(matches!(quiet_round(&mut i, second, 1), Next::AskCloud { .. }));
        assert!(i.is_blocked());
        let said = i.waiting_for();
        assert!(said.contains("mqaws-agent fence operator i-other"), "{said}");
    }
    i.step(Duration::from_secs(101 * WAIT), &Answer::Failed);
    i.step(Duration::from_secs(101 * WAIT), &Answer::SignOfLife(7));
    assert!(!i.is_blocked(), "it lives");
}

#[test]
fn a_person_decides_only_about_the_previous_owner_on_another_host() {
    let i = about_other(LeaseRule::Refuse);
    let gone = |named: &str| Word::Gone(named.into());
    assert_eq!(
        i.decide(&gone("i-other")).map(|p| p.to_string()),
        Ok("operator (i-other)".to_owned())
    );
    assert_eq!(i.decide(&Word::Copy("i-other".into())), Err(DecisionRefused::NoCopy));
    let wrong = i.decide(&gone("i-me")).expect_err("named another").to_string();
    assert_eq!(wrong, "the previous owner is i-other, not i-me");
    let damaged = RecordView::Unreadable("damaged".into());
    for (view, data) in [
        (record(writer("i-me", "boot-1"), false), DataState::Present),
        (record(writer("i-other", "b"), true), DataState::Present),
        (RecordView::Absent, DataState::Present),
        (damaged, DataState::Present),
    ] {
        for named in ["i-other", "i-me", ""] {
            assert_eq!(
                inquiry(&view, data).decide(&gone(named)),
                Err(DecisionRefused::NothingToDecide)
            );
        }
    }
}

#[test]
fn an_owner_that_is_no_instance_is_named_and_neither_asked_about_nor_outlived() {
    for odd in ["", "i-", "mi-0a", "i-other; i-me"] {
        let mut i = inquiry_with(LeaseRule::Allow, &record(writer(odd, "b"), false), DataState::Present);
        let refused = Next::Refuse(Refusal::NoInstance(odd.to_owned()));
        assert_eq!(i.first(), refused);
        assert!(i.waiting_for().contains(&format!("`{odd}`")));
        for answer in [Answer::Previous(CloudState::Terminated), Answer::SignOfLife(1)] {
            assert_eq!(i.step(Duration::from_secs(100 * WAIT), &answer), refused);
        }
        assert_eq!(i.decide(&Word::Gone(odd.into())), Err(DecisionRefused::NothingToDecide));
        // Whoever it was has let go.
        let released = inquiry(&record(writer(odd, "b"), true), DataState::Present).first();
        assert_eq!(released, proof(ProofKind::Clean, Some(odd)));
    }
}

#[test]
fn a_boot_that_nobody_can_tell_from_this_one_counts_as_this_one() {
    for odd in ["", "boot 1"] {
        let mut i = inquiry(&record(writer("i-me", odd), false), DataState::Present);
        assert_eq!(i.first(), Next::CountLocal, "its kernel may be this one");
    }
}

fn written_on(file_system: &str, view: RecordView) -> RecordView {
    match view {
        RecordView::Present(mut record) => {
            record.file_system = Some(file_system.to_owned());
            RecordView::Present(record)
        }
        other => other,
    }
}

#[test]
fn a_record_of_this_file_system_is_no_copy() {
    let owner = || writer("i-other", "b");
    let released = written_on(HERE, record(owner(), true));
    assert_eq!(
        inquiry(&released, DataState::Present).first(),
        proof(ProofKind::Clean, Some("i-other"))
    );
    let i = inquiry(&written_on(HERE, record(owner(), false)), DataState::Present);
    assert_eq!(
        (i.previous(), i.original(), i.alarm()),
        (Some(&id("i-other")), None, None)
    );
}

#[test]
fn on_a_copy_the_owner_of_the_original_is_left_alone_and_a_person_names_the_original() {
    // Also one that was let go, and one that says that this very host is its owner.
    let owners = [
        writer("i-other", "b"),
        writer("i-me", "boot-1"),
        writer("i-me", "boot-0"),
    ];
    for (owner, released) in owners.into_iter().flat_map(|o| [(o.clone(), false), (o, true)]) {
        let name = owner.instance.to_string();
        let copy = written_on("fs-old", record(owner, released));
        for data in [DataState::Present, DataState::Absent, DataState::HalfCreated] {
            let mut i = inquiry_with(LeaseRule::Allow, &copy, data);
            assert_eq!(i.first(), Next::AwaitWord);
            let said = i.waiting_for();
            for part in [
                "fs-here is a copy of fs-old",
                "`mqaws-agent fence copy fs-old`",
                "different points in time",
                &name,
            ] {
                assert!(said.contains(part), "{said}");
            }
            assert_eq!((i.previous(), i.original()), (None, Some(("fs-old", name.as_str()))));
            assert!(i.alarm().is_some());
            let refused = |word: Word| i.decide(&word).expect_err("refused").to_string();
            assert!(refused(Word::Gone(name.as_str().into())).contains("mqaws-agent fence copy fs-old"));
            assert!(refused(Word::Copy(HERE.into())).contains("of fs-old, not of fs-here"));
            let given = i.decide(&Word::Copy("fs-old".into())).expect("the right name");
            assert_eq!(
                (given.kind, given.previous),
                (ProofKind::Copy, Some(name.as_str().into()))
            );
        }
    }
}

/// All but what EC2 says of a host that has stopped.
fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        (0usize..3).prop_map(Answer::LocalProcesses),
        Just(Answer::Previous(CloudState::MayRun("running".into()))),
        Just(Answer::Previous(CloudState::MayRun("stopping".into()))),
        Just(Answer::Previous(CloudState::Unknown)),
        Just(Answer::TerminationOrdered),
        (0u64..3).prop_map(Answer::SignOfLife),
        Just(Answer::Failed),
    ]
}

proptest! {
    #[test]
    fn never_a_proof_about_another_host_without_ec2_saying_so(
        script in proptest::collection::vec((answers(), 0u64..100_000), 1..60),
    ) {
        let mut i = about_other(LeaseRule::Refuse);
        let mut now = Duration::ZERO;
        for (answer, millis) in script {
            now += Duration::from_millis(millis);
            let next = i.step(now, &answer);
            prop_assert!(!matches!(next, Next::Start(_)), "{answer:?} gave a proof");
        }
    }

    #[test]
    fn nothing_but_a_word_is_waited_for_on_a_copy(
        allow in any::<bool>(), script in proptest::collection::vec((answers(), 0u64..100_000), 1..60),
    ) {
        let rule = if allow { LeaseRule::Allow } else { LeaseRule::Refuse };
        let copy = written_on("fs-old", record(writer("i-other", "b"), false));
        let mut i = inquiry_with(rule, &copy, DataState::Present);
        i.first();
        let mut now = Duration::ZERO;
        let terminated = Answer::Previous(CloudState::Terminated);
        for (answer, millis) in script {
            now += Duration::from_millis(millis);
            prop_assert_eq!(i.step(now, &answer), Next::AwaitWord);
            prop_assert_eq!(i.step(now, &terminated), Next::AwaitWord);
        }
    }

    #[test]
    fn never_a_lease_within_the_wait_after_a_change(
        script in proptest::collection::vec((answers(), 0u64..60_000), 1..120),
    ) {
        let mut i = about_other(LeaseRule::Allow);
        let (mut now, mut value, mut changed) = (Duration::ZERO, 1, Duration::ZERO);
        for (answer, millis) in script {
            now += Duration::from_millis(millis);
            if let Answer::SignOfLife(seen) = answer && seen != value {
                (value, changed) = (seen, now);
            }
            if let Next::Start(given) = i.step(now, &answer) {
                prop_assert_eq!(given.kind, ProofKind::Lease);
                prop_assert!(now - changed > LeaseTimes::default().wait(LEASE));
                break;
            }
        }
    }

    #[test]
    fn errors_alone_decide_nothing(own in any::<bool>(), allow in any::<bool>(), times in 1usize..400) {
        let owner = if own { writer("i-me", "boot-1") } else { writer("i-other", "b") };
        let rule = if allow { LeaseRule::Allow } else { LeaseRule::Refuse };
        let mut i = inquiry_with(rule, &record(owner, false), DataState::Present);
        i.first();
        for n in 0..times {
            let next = i.step(Duration::from_secs(n as u64), &Answer::Failed);
            let decided = matches!(next, Next::Start(_) | Next::Refuse(_) | Next::Terminate { .. } | Next::KillLocal);
            prop_assert!(!decided);
        }
    }

    #[test]
    fn waits_are_bounded_and_both_are_asked_in_turn(times in 1usize..100) {
        let mut i = about_other(LeaseRule::Allow);
        for n in 0..times {
            let now = Duration::from_secs(n as u64);
            prop_assert_eq!(i.step(now, &Answer::Failed), Next::Look);
            match i.step(now, &Answer::Failed) {
                Next::AskCloud { after, .. } => prop_assert!(after <= InquiryPolicy::default().slowest),
                next => prop_assert!(false, "{next:?}"),
            }
        }
    }
}

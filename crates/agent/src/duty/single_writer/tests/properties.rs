//! What holds after any sequence of events.

use super::host::{Host, PID, identity, inspection, record};
use super::*;
use crate::fence::{CloudState, DataState, Epoch, LeaseRule, LeaseTimes, Proof, ProofKind, RecordView, Word};
use crate::model::agent::Pause;
use proptest::prelude::*;
use std::collections::HashSet;
use std::time::Duration;

fn word() -> impl Strategy<Value = String> {
    Just("an error".to_owned())
}

/// Any outcome at all, whatever was asked.
fn outcomes() -> impl Strategy<Value = Outcome> {
    let kind = prop_oneof![
        Just(FailureKind::Transient),
        Just(FailureKind::Final),
        Just(FailureKind::Shared),
        Just(FailureKind::Unanswered),
        Just(FailureKind::Elsewhere)
    ];
    let broken = (kind, word())
        .prop_map(|(kind, text)| EngineFailure { kind, text })
        .boxed();
    let records = prop_oneof![
        Just(RecordView::Absent),
        Just(record("i-me", false, 0)),
        Just(record("i-old", false, 0)),
        Just(record("i-old", true, 9)),
        Just(RecordView::Unreadable("damaged".into())),
    ];
    let keeper = (any::<bool>(), any::<bool>(), any::<bool>(), 0usize..2);
    let keeper = keeper.prop_map(|(held, claimed, served, processes)| KeeperState {
        held,
        served,
        claimed: claimed.then_some((
            Epoch(1),
            Proof {
                kind: ProofKind::New,
                previous: None,
            },
        )),
        controller: (processes > 0).then_some(PID),
        processes,
        ..KeeperState::default()
    });
    let data = prop_oneof![
        Just(DataState::Absent),
        Just(DataState::Present),
        Just(DataState::HalfCreated)
    ];
    let seen = (records.clone(), data.clone());
    prop_oneof![
        Just(Outcome::Identified(Ok(identity()))),
        Just(Outcome::Mounted(Ok(()))),
        keeper.prop_map(|k| Outcome::Keeper(KeeperOutcome::Opened {
            connection: 0,
            result: Ok(k)
        })),
        word().prop_map(|w| Outcome::Keeper(KeeperOutcome::Opened {
            connection: 0,
            result: Err(w)
        })),
        (records, data)
            .prop_map(|(record, data)| Outcome::Keeper(KeeperOutcome::Inspected(Ok(inspection(record, data))))),
        seen.prop_map(|(record, data)| Outcome::Keeper(KeeperOutcome::Waited(Ok(inspection(record, data))))),
        word().prop_map(|w| Outcome::Keeper(KeeperOutcome::Waited(Err(w)))),
        broken.clone().prop_map(|f| Outcome::Registered(Err(f))),
        (0u64..3).prop_map(|alive| Outcome::Keeper(KeeperOutcome::Looked(Ok(Looked::Alive(alive))))),
        Just(Outcome::Keeper(KeeperOutcome::Looked(Ok(Looked::Changed)))),
        word().prop_map(|w| Outcome::Keeper(KeeperOutcome::LevelWritten(Err(w)))),
        Just(Outcome::Keeper(KeeperOutcome::LevelWritten(Ok(())))),
        (0usize..2).prop_map(|n| Outcome::LocalProcesses(Ok(n))),
        Just(Outcome::Previous(Ok(CloudState::MayRun("running".into())))),
        Just(Outcome::Previous(Ok(CloudState::Terminated))),
        word().prop_map(|w| Outcome::Previous(Err(w))),
        Just(Outcome::TerminationOrdered(Ok(()))),
        ((2u64..9), any::<bool>()).prop_map(|(e, paused)| {
            Outcome::Keeper(KeeperOutcome::Claimed(Ok(Claimed {
                epoch: Epoch(e),
                paused: paused.then(Pause::default),
            })))
        }),
        Just(Outcome::Keeper(KeeperOutcome::Claimed(Err(ClaimError::Changed)))),
        word().prop_map(|w| Outcome::Keeper(KeeperOutcome::Claimed(Err(ClaimError::Failed(w))))),
        Just(Outcome::AccountsSet(Ok(()))),
        broken.clone().prop_map(|f| Outcome::Adopted(Err(f))),
        Just(Outcome::Started(Ok(PID))),
        broken.clone().prop_map(|f| Outcome::Started(Err(f))),
        broken.clone().prop_map(|f| Outcome::Defined(Err(f))),
        broken.prop_map(|f| Outcome::Accepting(Err(f))),
        Just(Outcome::Defined(Ok(()))),
        Just(Outcome::Checked(Health::Bad("silent".into()), Ordered(false))),
        word().prop_map(|w| Outcome::Renewed(Err(w))),
        Just(Outcome::Renewed(Ok(true))),
        Just(Outcome::Found(None)),
        Just(Outcome::Keeper(KeeperOutcome::Released(Ok(())))),
        Just(Outcome::Signalled(Ok(SignalResult::NotWaiting))),
        word().prop_map(|w| Outcome::Reported(Err(w))),
        word().prop_map(|w| Outcome::HookCompleted(Err(w))),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    /// Answer the n-th open work as a healthy host would.
    Right(usize),
    /// Answer it with an error, where there is one.
    Error(usize),
    Any(Outcome),
    Tick,
    Happen(Event),
}

fn steps() -> impl Strategy<Value = Step> {
    let events = prop_oneof![
        Just(told(KeeperEvent::LockHeld)),
        Just(told(KeeperEvent::LockLost("expired".into()))),
        Just(told(KeeperEvent::Gone)),
        Just(told(KeeperEvent::LockBusy("i-old".into()))),
        any::<bool>().prop_map(|there| {
            let ready = there.then(|| "i-other".parse().expect("an id"));
            told(KeeperEvent::Standby { ready })
        }),
        any::<bool>().prop_map(|stalled| told(KeeperEvent::Storage { stalled })),
        any::<bool>().prop_map(|full| {
            told(KeeperEvent::Room {
                full: full.then(|| "no space".to_owned()),
            })
        }),
        any::<bool>().prop_map(|gone| {
            let gone = gone.then(|| "removed".to_owned());
            told(KeeperEvent::Record { gone })
        }),
        any::<bool>().prop_map(|ordered| Event::EngineDied {
            pid: PID,
            ordered: Ordered(ordered),
        }),
        Just(Event::Pause(Pause::default())),
        Just(Event::Resume),
        any::<bool>().prop_map(|unready| Event::HandOver { unready }),
        Just(Event::Drain(DrainReason::Lifecycle)),
        Just(Event::Decide {
            id: "1".into(),
            word: Word::Gone("i-stranger".into())
        }),
        Just(Event::Decide {
            id: "2".into(),
            word: Word::Gone("i-old".into())
        }),
    ];
    prop_oneof![
        8 => (0usize..4).prop_map(Step::Right),
        1 => outcomes().prop_map(Step::Any),
        2 => Just(Step::Tick),
        2 => events.prop_map(Step::Happen),
        1 => (0usize..4).prop_map(Step::Error),
    ]
}

fn error_for(work: &Work) -> Option<Outcome> {
    let e = || "an error".to_owned();
    Some(match work {
        Work::Identify => Outcome::Identified(Err(e())),
        Work::Mount => Outcome::Mounted(Err(e())),
        Work::Keeper(KeeperWork::Open) => Outcome::Keeper(KeeperOutcome::Opened {
            connection: 0,
            result: Err(e()),
        }),
        Work::Keeper(KeeperWork::Inspect) => Outcome::Keeper(KeeperOutcome::Inspected(Err(e()))),
        Work::Keeper(KeeperWork::Wait { .. }) => Outcome::Keeper(KeeperOutcome::Waited(Err(e()))),
        Work::Keeper(KeeperWork::Look) => Outcome::Keeper(KeeperOutcome::Looked(Err(e()))),
        Work::Keeper(KeeperWork::StandBack) => Outcome::Keeper(KeeperOutcome::StoodBack(Err(e()))),
        Work::Keeper(KeeperWork::Level(_)) => Outcome::Keeper(KeeperOutcome::LevelWritten(Err(e()))),
        Work::Keeper(KeeperWork::Pause(_)) => Outcome::Keeper(KeeperOutcome::Paused(Err(e()))),
        Work::CountLocal | Work::Kill => Outcome::LocalProcesses(Err(e())),
        Work::AskCloud(_) => Outcome::Previous(Err(e())),
        Work::Terminate(_) => Outcome::TerminationOrdered(Err(e())),
        Work::UseWord => Outcome::WordUsed(Err(e())),
        Work::SpendWord => Outcome::WordSpent(Err(e())),
        Work::Keeper(KeeperWork::Claim(_)) => Outcome::Keeper(KeeperOutcome::Claimed(Err(ClaimError::Failed(e())))),
        Work::Accounts => Outcome::AccountsSet(Err(e())),
        Work::Check => Outcome::Checked(Health::Unknown(e()), Ordered(false)),
        Work::Renew => Outcome::Renewed(Err(e())),
        Work::Signal { .. } => Outcome::Signalled(Err(e())),
        Work::Keeper(KeeperWork::Release { .. }) => Outcome::Keeper(KeeperOutcome::Released(Err(e()))),
        Work::ReportUnhealthy => Outcome::Reported(Err(e())),
        Work::CompleteHook => Outcome::HookCompleted(Err(e())),
        _ => return None,
    })
}

/// What a machine did wrong, if anything: read off its actions alone.
#[derive(Default)]
struct Judge {
    /// Epochs that were claimed while no operator's stop was in force, by generation.
    claimed: HashSet<(u64, Epoch)>,
    started: HashSet<Epoch>,
    proved: bool,
}

impl Judge {
    fn event(&mut self, event: &Event) {
        if let Event::Done {
            generation,
            outcome: Outcome::Keeper(KeeperOutcome::Claimed(Ok(Claimed { epoch, paused: None }))),
        } = event
        {
            self.claimed.insert((*generation, *epoch));
        }
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Do {
                work: Work::Keeper(KeeperWork::Claim(_)),
                ..
            } => self.proved = true,
            Action::Do {
                generation,
                work: Work::Start(epoch),
            } => {
                assert!(self.proved, "a start without a proof");
                assert!(self.started.insert(*epoch), "an epoch was started twice");
                assert!(
                    self.claimed.contains(&(*generation, *epoch)),
                    "a start without a claim of its own generation, or beside an operator's stop"
                );
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn never_a_start_without_proof_and_claim(
        script in proptest::collection::vec(steps(), 1..120),
        waits in any::<bool>(),
        paused in any::<bool>(),
    ) {
        let mut host = Host::new();
        host.paused = paused.then(Pause::default);
        if waits {
            host.machine = SingleWriter::new(Policy::default().with(Succession::Standby));
            host.held = false;
        }
        host.record = record("i-old", false, 0);
        host.data = DataState::Present;
        let mut judge = Judge::default();
        let send = |host: &mut Host, judge: &mut Judge, event: Event| {
            judge.event(&event);
            let before = host.log.len();
            host.send(event);
            for action in &host.log[before..] {
                judge.action(action);
            }
        };
        send(&mut host, &mut judge, Event::Begin);
        for step in script {
            host.now += Duration::from_millis(50);
            let event = match step {
                Step::Right(n) if !host.open.is_empty() => {
                    let (generation, work) = host.open.remove(n % host.open.len());
                    host.answer(&work).map(|outcome| Event::Done { generation, outcome })
                }
                Step::Error(n) if !host.open.is_empty() => {
                    let (generation, work) = host.open.remove(n % host.open.len());
                    error_for(&work).map(|outcome| Event::Done { generation, outcome })
                }
                // Results of dropped generations, at any time.
                Step::Any(outcome) => Some(Event::Done { generation: host.machine.generation().wrapping_sub(1), outcome }),
                Step::Tick if !host.timers.is_empty() => {
                    host.timers.sort_by_key(|(_, at)| *at);
                    let (timer, at) = host.timers.remove(0);
                    host.now = host.now.max(at);
                    Some(Event::Timer(timer))
                }
                Step::Happen(event) => Some(event),
                _ => None,
            };
            if let Some(event) = event {
                send(&mut host, &mut judge, event);
            }
            let starts = host.open.iter().filter(|(g, w)| *g == host.machine.generation() && matches!(w, Work::Start(_)));
            prop_assert!(starts.count() <= 1, "two starts at once");
        }
    }

    #[test]
    fn errors_never_condemn(script in proptest::collection::vec((any::<bool>(), 0usize..4), 1..200)) {
        let mut host = Host::new();
        host.record = record("i-old", false, 0);
        host.data = DataState::Present;
        host.send(Event::Begin);
        for (error, n) in script {
            if host.open.is_empty() {
                host.timers.sort_by_key(|(_, at)| *at);
                if !host.timers.is_empty() {
                    let (timer, at) = host.timers.remove(0);
                    host.now = host.now.max(at);
                    host.send(Event::Timer(timer));
                }
                continue;
            }
            let (generation, work) = host.open.remove(n % host.open.len());
            let outcome = if error { error_for(&work).or_else(|| host.answer(&work)) } else { host.answer(&work) };
            if let Some(outcome) = outcome {
                host.send(Event::Done { generation, outcome });
            }
            prop_assert_ne!(host.state(), State::Condemned);
            prop_assert_eq!(host.ordered(|w| *w == Work::ReportUnhealthy), 0);
        }
    }

    #[test]
    fn whatever_happened_a_drain_by_signal_ends(script in proptest::collection::vec(steps(), 0..60)) {
        let mut host = Host::new();
        host.send(Event::Begin);
        for step in script {
            match step {
                Step::Right(_) => host.settle(),
                Step::Tick => host.tick(),
                Step::Happen(event) => host.send(event),
                Step::Error(_) | Step::Any(_) => {}
            }
        }
        host.left = 0;
        host.send(Event::Drain(DrainReason::Signal));
        for _ in 0..40 {
            host.settle();
            host.tick();
        }
        prop_assert!(host.log.contains(&Action::Exit), "{:?}", host.machine);
        prop_assert_eq!(host.state(), State::Stopped);
    }

    #[test]
    fn a_lease_needs_its_whole_wait_and_a_decision_the_right_name(
        script in proptest::collection::vec(rounds(), 1..150),
    ) {
        let mut host = Host::fencing(LeaseRule::Allow);
        let wait = LeaseTimes::default().wait(Duration::from_secs(90));
        let (mut changed, mut named) = (host.now, false);
        for round in script {
            match round {
                Round::Tick => host.tick(),
                Round::Wait(seconds) => host.now += Duration::from_secs(seconds),
                Round::Lives => {
                    host.alive += 1;
                    changed = host.now;
                }
                Round::Cloud(said) => host.cloud = said,
                Round::Decide(name) => {
                    named |= name == "i-old";
                    host.send(Event::Decide { id: "1".into(), word: Word::Gone(name.into()) });
                    host.settle();
                }
            }
            let claims = host.log.iter().filter_map(|a| match a {
                Action::Do { work: Work::Keeper(KeeperWork::Claim(proof)), .. } => Some(proof),
                _ => None,
            });
            for proof in claims {
                prop_assert_eq!(proof.previous.as_ref().map(|p| p.as_str()), Some("i-old"));
                match proof.kind {
                    ProofKind::Lease => prop_assert!(host.now - changed > wait, "{:?} after {:?}", host.now, changed),
                    ProofKind::Operator => prop_assert!(named),
                    ref other => prop_assert!(false, "{other:?}"),
                }
            }
            if host.state() != State::Fencing {
                break;
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Round {
    Tick,
    Wait(u64),
    /// The previous owner gives a sign of life.
    Lives,
    Cloud(Result<CloudState, String>),
    Decide(&'static str),
}

/// Courses in which EC2 never says that the previous owner has stopped.
fn rounds() -> impl Strategy<Value = Round> {
    let said = prop_oneof![
        word().prop_map(Err),
        Just(Ok(CloudState::MayRun("running".into()))),
        Just(Ok(CloudState::Unknown)),
    ];
    prop_oneof![
        20 => Just(Round::Tick),
        6 => (1u64..60).prop_map(Round::Wait),
        2 => Just(Round::Lives),
        2 => said.prop_map(Round::Cloud),
        1 => prop_oneof![8 => Just("i-stranger"), 1 => Just("i-old")].prop_map(Round::Decide),
    ]
}

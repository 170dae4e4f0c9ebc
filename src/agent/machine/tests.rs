use super::*;
use crate::fence::{CloudState, DataState, Epoch, OwnerRecord, Proof, ProofKind, RecordView, SCHEMA, Writer};
use crate::model::agent::mark;
use proptest::prelude::*;
use std::collections::HashSet;
use std::time::Duration;

const PID: i32 = 4711;

fn identity() -> Identity {
    Identity {
        instance: "i-me".into(),
        zone: "eu-west-1a".into(),
        address: [127, 0, 0, 1].into(),
        boot: "boot".into(),
        lifecycle: Some("InService".into()),
    }
}

fn record(instance: &str, released: bool, condemned: u32) -> RecordView {
    RecordView::Present(Box::new(OwnerRecord {
        schema: SCHEMA.into(),
        queue_manager: "QM1".into(),
        epoch: Epoch(1),
        owner: Writer {
            instance: instance.into(),
            boot: "boot".into(),
        },
        keeper: "k".into(),
        alive: 0,
        released,
        proof: Proof {
            kind: ProofKind::New,
            previous: None,
        },
        at: String::new(),
        engine_version: None,
        condemned,
    }))
}

fn failure(kind: FailureKind, text: &str) -> EngineFailure {
    EngineFailure {
        kind,
        text: text.into(),
    }
}

/// A host on which everything works; tests bend single answers.
struct Host {
    machine: Machine,
    now: Duration,
    log: Vec<Action>,
    /// Work ordered and not yet answered.
    open: Vec<(u64, Work)>,
    timers: Vec<(Timer, Duration)>,
    epoch: u64,
    record: RecordView,
    data: DataState,
    start: Result<i32, EngineFailure>,
    health: Health,
    signal: Result<SignalResult, String>,
    left: usize,
}

impl Host {
    fn new() -> Self {
        Self {
            machine: Machine::new(Policy::default()),
            now: Duration::ZERO,
            log: Vec::new(),
            open: Vec::new(),
            timers: Vec::new(),
            epoch: 0,
            record: RecordView::Absent,
            data: DataState::Absent,
            start: Ok(PID),
            health: Health::Well,
            signal: Ok(SignalResult::Taken),
            left: 0,
        }
    }

    fn serving() -> Self {
        let mut host = Self::new();
        host.send(Event::Begin);
        host.settle();
        assert_eq!(host.state(), State::Serving);
        host
    }

    fn state(&self) -> State {
        self.machine.view().state
    }

    fn send(&mut self, event: Event) {
        for action in self.machine.handle(self.now, event) {
            match &action {
                Action::Do { generation, work } => self.open.push((*generation, work.clone())),
                Action::Set(timer, after) => {
                    self.timers.retain(|(t, _)| t != timer);
                    self.timers.push((*timer, self.now + *after));
                }
                Action::Clear(timer) => self.timers.retain(|(t, _)| t != timer),
                _ => {}
            }
            self.log.push(action);
        }
    }

    fn answer(&mut self, work: &Work) -> Option<Outcome> {
        Some(match work {
            Work::Identify => Outcome::Identified(Ok(identity())),
            Work::Mount => Outcome::Mounted(Ok(())),
            Work::OpenKeeper => Outcome::KeeperOpen(Ok(KeeperState {
                held: true,
                ..KeeperState::default()
            })),
            Work::Inspect => Outcome::Inspected(Ok((self.record.clone(), self.data))),
            Work::CountLocal | Work::Kill => Outcome::LocalProcesses(Ok(self.left)),
            Work::AskCloud(_) => Outcome::Previous(Ok(CloudState::Terminated)),
            Work::Terminate(_) => Outcome::TerminationOrdered(Ok(())),
            Work::Claim(_) => {
                self.epoch += 1;
                Outcome::Claimed(Ok(Epoch(self.epoch)))
            }
            Work::Accounts => Outcome::AccountsSet(Ok(())),
            Work::Adopt(_) | Work::Attach => Outcome::Adopted(Ok(EngineInfo {
                version: "stand-in".into(),
                stand_in: true,
                how: "created".into(),
            })),
            Work::Start(_) => Outcome::Started(self.start.clone()),
            Work::Define => Outcome::Defined(Ok(())),
            Work::Accept => Outcome::Accepting(Ok(())),
            Work::Check => Outcome::Checked(self.health.clone()),
            Work::Find => Outcome::Found(None),
            Work::End(_) => Outcome::Ended(Ok(())),
            Work::Release { .. } => Outcome::Released(Ok(())),
            Work::Signal { .. } => Outcome::Signalled(self.signal.clone()),
            Work::ReportUnhealthy => Outcome::Reported(Ok(())),
            Work::CompleteHook => Outcome::HookCompleted(Ok(())),
        })
    }

    /// Answers all open work, without letting time pass.
    fn settle(&mut self) {
        for _ in 0..200 {
            if self.open.is_empty() {
                return;
            }
            let (generation, work) = self.open.remove(0);
            if let Some(outcome) = self.answer(&work) {
                self.send(Event::Done { generation, outcome });
            }
        }
        panic!("work without end: {:?}", self.open);
    }

    /// Lets the next timer end, then settles.
    fn tick(&mut self) {
        self.timers.sort_by_key(|(_, at)| *at);
        if !self.timers.is_empty() {
            let (timer, at) = self.timers.remove(0);
            self.now = self.now.max(at);
            self.send(Event::Timer(timer));
            self.settle();
        }
    }

    fn marks(&self) -> Vec<&'static str> {
        let marks = self.log.iter().filter_map(|a| match a {
            Action::Mark { name, .. } => Some(*name),
            _ => None,
        });
        marks.collect()
    }

    fn ordered(&self, wanted: impl Fn(&Work) -> bool) -> usize {
        let works = self
            .log
            .iter()
            .filter(|a| matches!(a, Action::Do { work, .. } if wanted(work)));
        works.count()
    }

    fn died(&mut self, ordered: bool) {
        self.send(Event::EngineDied { pid: PID, ordered });
    }
}

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
    let view = host.machine.view();
    assert_eq!(
        (view.epoch, view.controller, view.held),
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
            mark::ENGINE_STARTING,
            mark::ENGINE_STARTED,
            mark::SERVING
        ]
    );
    assert_eq!(host.machine.view().epoch, Some(Epoch(2)));
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
            [Work::Kill, Work::Claim(_), Work::Start(Epoch(2)), Work::Accept]
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
        ordered: false,
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
    assert_eq!(host.ordered(|w| matches!(w, Work::Claim(_) | Work::Start(_))), 0);
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
    assert!(at(&Work::Release { condemned: false }) < at(&Work::ReportUnhealthy));
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
        assert_eq!(host.ordered(|w| *w == Work::Release { condemned: true }), 1);
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
    host.send(Event::Keeper(KeeperEvent::Storage { stalled: true }));
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
    host.send(Event::Keeper(KeeperEvent::Storage { stalled: false }));
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
        let release = Work::Release { condemned: false };
        assert_eq!(order, [Work::End(stop), Work::Kill, release, Work::CompleteHook]);
        assert_eq!(host.marks(), [mark::DRAINING, mark::STOPPED]);
        assert_eq!(host.state(), State::Stopped);
        assert_eq!(host.log.contains(&Action::Exit), exits);
        host.send(Event::Drain(DrainReason::Signal));
        assert!(host.log.contains(&Action::Exit));
    }
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
        host.machine.view().controller,
        None,
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
        host.send(Event::Keeper(event));
        assert_eq!(host.state(), State::Fencing);
        assert!(!host.machine.view().held);
        assert_eq!(host.open, [(host.machine.generation(), Work::Kill)]);
        host.settle();
        assert_eq!(host.state(), State::Serving);
        assert_eq!(host.machine.view().epoch, Some(Epoch(2)));
        assert_eq!(
            host.machine.view().proof.map(|p| p.kind.clone()),
            Some(ProofKind::SameHost)
        );
    }
}

#[test]
fn an_agent_that_comes_back_finds_keeper_and_engine_and_starts_nothing() {
    let mut host = Host::new();
    host.send(Event::Begin);
    let proof = Proof {
        kind: ProofKind::Clean,
        previous: Some("i-old".into()),
    };
    for _ in 0..4 {
        let Some((generation, work)) = (!host.open.is_empty()).then(|| host.open.remove(0)) else {
            break;
        };
        let outcome = match work {
            Work::OpenKeeper => Outcome::KeeperOpen(Ok(KeeperState {
                held: true,
                claimed: Some((Epoch(7), proof.clone())),
                controller: Some(PID),
                processes: 3,
                ..KeeperState::default()
            })),
            other => host.answer(&other).expect("answer"),
        };
        host.send(Event::Done { generation, outcome });
    }
    host.settle();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(host.machine.view().epoch, Some(Epoch(7)));
    assert_eq!(
        host.ordered(|w| matches!(w, Work::Start(_) | Work::Kill | Work::Claim(_))),
        0
    );
}

#[test]
fn an_engine_without_a_fence_is_killed_even_before_the_lock_is_obtained() {
    let mut host = Host::new();
    host.send(Event::Begin);
    while host.open.first().is_some_and(|(_, w)| *w != Work::OpenKeeper) {
        let (generation, work) = host.open.remove(0);
        let outcome = host.answer(&work).expect("answer");
        host.send(Event::Done { generation, outcome });
    }
    let (generation, _) = host.open.remove(0);
    let state = KeeperState {
        holder: Some("i-other".into()),
        processes: 2,
        controller: Some(PID),
        ..KeeperState::default()
    };
    host.send(Event::Done {
        generation,
        outcome: Outcome::KeeperOpen(Ok(state)),
    });
    assert!(host.open.contains(&(generation, Work::Kill)));
    // The lock comes while the kill is under way: one inspection, not two.
    host.send(Event::Keeper(KeeperEvent::LockHeld));
    host.settle();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(host.ordered(|w| *w == Work::Inspect), 1);
    assert_eq!(host.ordered(|w| matches!(w, Work::Start(_))), 1);
}

#[test]
fn a_paused_agent_keeps_its_hands_off_and_looks_before_it_goes_on() {
    let mut host = Host::serving();
    host.log.clear();
    host.send(Event::Pause(true));
    assert_eq!(host.state(), State::Paused);
    host.died(false);
    for _ in 0..5 {
        host.tick();
    }
    assert_eq!(host.state(), State::Paused);
    assert_eq!(host.ordered(|_| true), 0);
    assert!(host.machine.view().held, "the lock stays");
    host.send(Event::Pause(false));
    host.settle();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(host.ordered(|w| *w == Work::Find), 1);
}

#[test]
fn a_previous_owner_is_outlived_or_terminated_never_ignored() {
    let mut host = Host::new();
    host.record = record("i-old", false, 0);
    host.data = DataState::Present;
    host.send(Event::Begin);
    host.settle();
    assert_eq!(host.state(), State::Serving);
    assert_eq!(host.ordered(|w| *w == Work::AskCloud("i-old".into())), 1);
    assert_eq!(
        host.machine.view().proof.map(ToString::to_string).as_deref(),
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
            Work::Claim(_) | Work::Adopt(_) | Work::Start(_) | Work::ReportUnhealthy
        )),
        0
    );
    assert_eq!(host.ordered(|w| *w == Work::Signal { success: false }), 1);
}

fn word() -> impl Strategy<Value = String> {
    Just("an error".to_owned())
}

/// Any outcome at all, whatever was asked.
fn outcomes() -> impl Strategy<Value = Outcome> {
    let kind = prop_oneof![
        Just(FailureKind::Transient),
        Just(FailureKind::Final),
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
    let keeper = (any::<bool>(), any::<bool>(), 0usize..2).prop_map(|(held, claimed, processes)| KeeperState {
        held,
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
    prop_oneof![
        Just(Outcome::Identified(Ok(identity()))),
        Just(Outcome::Mounted(Ok(()))),
        keeper.prop_map(|k| Outcome::KeeperOpen(Ok(k))),
        word().prop_map(|w| Outcome::KeeperOpen(Err(w))),
        (records, data).prop_map(|r| Outcome::Inspected(Ok(r))),
        (0usize..2).prop_map(|n| Outcome::LocalProcesses(Ok(n))),
        Just(Outcome::Previous(Ok(CloudState::MayRun("running".into())))),
        Just(Outcome::Previous(Ok(CloudState::Terminated))),
        word().prop_map(|w| Outcome::Previous(Err(w))),
        Just(Outcome::TerminationOrdered(Ok(()))),
        (2u64..9).prop_map(|e| Outcome::Claimed(Ok(Epoch(e)))),
        Just(Outcome::Claimed(Err(ClaimError::Changed))),
        word().prop_map(|w| Outcome::Claimed(Err(ClaimError::Failed(w)))),
        Just(Outcome::AccountsSet(Ok(()))),
        broken.clone().prop_map(|f| Outcome::Adopted(Err(f))),
        Just(Outcome::Started(Ok(PID))),
        broken.clone().prop_map(|f| Outcome::Started(Err(f))),
        broken.prop_map(|f| Outcome::Accepting(Err(f))),
        Just(Outcome::Defined(Ok(()))),
        Just(Outcome::Checked(Health::Bad("silent".into()))),
        Just(Outcome::Found(None)),
        Just(Outcome::Released(Ok(()))),
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
        Just(Event::Keeper(KeeperEvent::LockHeld)),
        Just(Event::Keeper(KeeperEvent::LockLost("expired".into()))),
        Just(Event::Keeper(KeeperEvent::Gone)),
        Just(Event::Keeper(KeeperEvent::LockBusy("i-old".into()))),
        any::<bool>().prop_map(|stalled| Event::Keeper(KeeperEvent::Storage { stalled })),
        any::<bool>().prop_map(|ordered| Event::EngineDied { pid: PID, ordered }),
        any::<bool>().prop_map(Event::Pause),
        Just(Event::Drain(DrainReason::Lifecycle)),
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
        Work::OpenKeeper => Outcome::KeeperOpen(Err(e())),
        Work::Inspect => Outcome::Inspected(Err(e())),
        Work::CountLocal | Work::Kill => Outcome::LocalProcesses(Err(e())),
        Work::AskCloud(_) => Outcome::Previous(Err(e())),
        Work::Terminate(_) => Outcome::TerminationOrdered(Err(e())),
        Work::Claim(_) => Outcome::Claimed(Err(ClaimError::Failed(e()))),
        Work::Accounts => Outcome::AccountsSet(Err(e())),
        Work::Check => Outcome::Checked(Health::Unknown(e())),
        Work::Signal { .. } => Outcome::Signalled(Err(e())),
        Work::Release { .. } => Outcome::Released(Err(e())),
        Work::ReportUnhealthy => Outcome::Reported(Err(e())),
        Work::CompleteHook => Outcome::HookCompleted(Err(e())),
        _ => return None,
    })
}

/// What a machine did wrong, if anything: read off its actions alone.
#[derive(Default)]
struct Judge {
    /// Epochs that were claimed, by generation.
    claimed: HashSet<(u64, Epoch)>,
    started: HashSet<Epoch>,
    proved: bool,
}

impl Judge {
    fn event(&mut self, event: &Event) {
        if let Event::Done {
            generation,
            outcome: Outcome::Claimed(Ok(epoch)),
        } = event
        {
            self.claimed.insert((*generation, *epoch));
        }
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Do {
                work: Work::Claim(_), ..
            } => self.proved = true,
            Action::Do {
                generation,
                work: Work::Start(epoch),
            } => {
                assert!(self.proved, "a start without a proof");
                assert!(self.started.insert(*epoch), "an epoch was started twice");
                assert!(
                    self.claimed.contains(&(*generation, *epoch)),
                    "a start without a claim of its own generation"
                );
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn never_a_start_without_proof_and_claim(script in proptest::collection::vec(steps(), 1..120)) {
        let mut host = Host::new();
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
}

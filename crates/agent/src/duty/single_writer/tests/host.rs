//! A host on which everything works; tests bend single answers.

use super::*;
use crate::fence::{
    CloudState, CreateWord, DataState, Epoch, InquiryPolicy, Inspection, LeaseRule, OwnerRecord, Proof, ProofKind,
    RecordView, SCHEMA, Writer,
};
use crate::model::agent::{AgentState, Pause};
use std::time::Duration;

pub(super) const PID: i32 = 4711;

pub(super) fn identity() -> Identity {
    Identity {
        instance: "i-me".parse().expect("an id"),
        zone: "eu-west-1a".into(),
        address: [127, 0, 0, 1].into(),
        boot: "boot".parse().expect("an id"),
        lifecycle: Some("InService".into()),
    }
}

pub(super) fn record(instance: &str, released: bool, condemned: u32) -> RecordView {
    RecordView::Present(Box::new(OwnerRecord {
        schema: SCHEMA.into(),
        queue_manager: "QM1".into(),
        file_system: None,
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
        served: false,
    }))
}

pub(super) fn inspection(record: RecordView, data: DataState) -> Inspection {
    Inspection {
        record,
        data,
        lease: Duration::from_secs(90),
    }
}

pub(super) fn failure(kind: FailureKind, text: &str) -> EngineFailure {
    EngineFailure {
        kind,
        text: text.into(),
    }
}

/// What the keeper tells on the connection of [`Host`].
pub(super) fn told(event: KeeperEvent) -> Event {
    Event::Keeper { connection: 0, event }
}

pub(super) struct Host {
    pub machine: SingleWriter,
    pub now: Duration,
    pub log: Vec<Action>,
    /// Work ordered and not yet answered.
    pub open: Vec<(u64, Work)>,
    pub timers: Vec<(Timer, Duration)>,
    pub epoch: u64,
    pub record: RecordView,
    pub data: DataState,
    pub start: Result<i32, EngineFailure>,
    pub adopt: Result<(), EngineFailure>,
    pub define: Result<(), EngineFailure>,
    pub renew: Result<bool, String>,
    pub health: Health,
    pub signal: Result<SignalResult, String>,
    pub hook: Result<(), String>,
    pub left: usize,
    /// Whether a keeper answers.
    pub keeper: Result<(), String>,
    /// Whether it holds the lock when it is opened.
    pub held: bool,
    pub release: Result<(), String>,
    /// An operator's stop, kept beside the data.
    pub paused: Option<Pause>,
    /// Whether one can be written.
    pub keeps: Result<(), String>,
    pub cloud: Result<CloudState, String>,
    /// What the file system says about a creation.
    pub word: Result<CreateWord, String>,
    pub alive: u64,
    /// Whether the owner's sign of life advances while this host waits.
    pub owner_lives: bool,
    /// Whether the keeper gives the lock back to an owner that lives.
    pub stands_back: Result<(), String>,
    pub version: &'static str,
}

/// The default, with the order of versions that the agent's own engine has.
fn policy() -> Policy {
    Policy {
        order: mqaws_engine::Product::order(&mqaws_engine::ibm_mq::IbmMq),
        ..Policy::default()
    }
}

impl Host {
    pub(super) fn new() -> Self {
        Self {
            machine: SingleWriter::new(policy()),
            now: Duration::ZERO,
            log: Vec::new(),
            open: Vec::new(),
            timers: Vec::new(),
            epoch: 0,
            record: RecordView::Absent,
            data: DataState::Absent,
            start: Ok(PID),
            adopt: Ok(()),
            define: Ok(()),
            renew: Ok(false),
            health: Health::Well,
            signal: Ok(SignalResult::Taken),
            hook: Ok(()),
            left: 0,
            keeper: Ok(()),
            held: true,
            release: Ok(()),
            paused: None,
            keeps: Ok(()),
            cloud: Ok(CloudState::Terminated),
            word: Ok(CreateWord::Given),
            alive: 0,
            owner_lives: true,
            stands_back: Err("the owner does not go first".into()),
            version: "stand-in",
        }
    }

    /// A host that may or may not start on the proof `lease`, and waits for i-old while EC2's API fails.
    pub(super) fn fencing(lease: LeaseRule) -> Self {
        let mut host = Self::new();
        host.machine = SingleWriter::new(Policy {
            inquiry: InquiryPolicy {
                lease,
                ..InquiryPolicy::default()
            },
            ..policy()
        });
        host.record = record("i-old", false, 0);
        host.data = DataState::Present;
        host.cloud = Err("RequestTimeout".into());
        host.send(Event::Begin);
        host.settle();
        assert_eq!(host.state(), State::Fencing);
        host
    }

    /// A host that found the lock busy, of a topology in which one waits.
    pub(super) fn waiting() -> Self {
        let mut host = Self::new();
        host.machine = SingleWriter::new(policy().with(Succession::Standby));
        host.held = false;
        host.record = record("i-old", false, 0);
        host.data = DataState::Present;
        host.send(Event::Begin);
        host.settle();
        host
    }

    /// One that waits and is ready.
    pub(super) fn standby() -> Self {
        let mut host = Self::waiting();
        while host.machine.view().state != AgentState::Standby {
            assert!(host.now < Duration::from_secs(60), "{:?}", host.machine);
            host.tick();
        }
        host
    }

    pub(super) fn serving() -> Self {
        let mut host = Self::new();
        host.send(Event::Begin);
        host.settle();
        assert_eq!(host.state(), State::Serving);
        host
    }

    pub(super) fn state(&self) -> State {
        self.machine.state
    }

    pub(super) fn send(&mut self, event: Event) {
        for action in self.machine.handle(event, self.now) {
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

    pub(super) fn answer(&mut self, work: &Work) -> Option<Outcome> {
        Some(match work {
            Work::Identify => Outcome::Identified(Ok(identity())),
            Work::Mount => Outcome::Mounted(Ok(())),
            Work::Keeper(KeeperWork::Open) => Outcome::Keeper(KeeperOutcome::Opened {
                connection: 0,
                result: self.keeper.clone().map(|()| KeeperState {
                    held: self.held,
                    processes: self.left,
                    ..KeeperState::default()
                }),
            }),
            Work::Keeper(KeeperWork::Inspect) => {
                Outcome::Keeper(KeeperOutcome::Inspected(Ok(inspection(self.record.clone(), self.data))))
            }
            Work::Keeper(KeeperWork::Look) => Outcome::Keeper(KeeperOutcome::Looked(Ok(Looked::Alive(self.alive)))),
            Work::Keeper(KeeperWork::StandBack) => Outcome::Keeper(KeeperOutcome::StoodBack(self.stands_back.clone())),
            Work::Keeper(KeeperWork::Level(_)) => Outcome::Keeper(KeeperOutcome::LevelWritten(Ok(()))),
            Work::CountLocal | Work::Kill => Outcome::LocalProcesses(Ok(self.left)),
            Work::AskCloud(_) => Outcome::Previous(self.cloud.clone()),
            Work::Terminate(_) => Outcome::TerminationOrdered(Ok(())),
            Work::UseWord => Outcome::WordUsed(self.word.clone()),
            Work::SpendWord => Outcome::WordSpent(self.word.clone().map(|_| ())),
            Work::Keeper(KeeperWork::Claim(_)) => {
                self.epoch += 1;
                Outcome::Keeper(KeeperOutcome::Claimed(Ok(Claimed {
                    epoch: Epoch(self.epoch),
                    paused: self.paused.clone(),
                })))
            }
            Work::Keeper(KeeperWork::Pause(pause)) => {
                let kept = self.keeps.clone().map(|()| {
                    self.paused.clone_from(pause);
                    pause.clone()
                });
                Outcome::Keeper(KeeperOutcome::Paused(kept))
            }
            Work::Keeper(KeeperWork::Wait { .. }) => {
                self.alive += u64::from(self.owner_lives);
                let mut seen = self.record.clone();
                if let RecordView::Present(record) = &mut seen {
                    record.alive = self.alive;
                }
                Outcome::Keeper(KeeperOutcome::Waited(Ok(inspection(seen, self.data))))
            }
            Work::Accounts => Outcome::AccountsSet(Ok(())),
            Work::Adopt(_) | Work::Attach => Outcome::Adopted(self.adopt.clone().map(|()| EngineInfo {
                version: self.version.into(),
                stand_in: true,
                how: "created".into(),
            })),
            Work::Register => Outcome::Registered(self.adopt.clone().map(|()| EngineInfo {
                version: self.version.into(),
                stand_in: true,
                how: "made known".into(),
            })),
            Work::Start(_) => Outcome::Started(self.start.clone()),
            Work::Define => Outcome::Defined(self.define.clone()),
            Work::Accept => Outcome::Accepting(Ok(())),
            Work::Check => Outcome::Checked(self.health.clone(), Ordered(false)),
            Work::Renew => Outcome::Renewed(self.renew.clone()),
            Work::Find => Outcome::Found(None),
            Work::End(_) | Work::EndForMove(_) => Outcome::Ended(Ok(())),
            Work::Keeper(KeeperWork::Release { .. }) => Outcome::Keeper(KeeperOutcome::Released(self.release.clone())),
            Work::Signal { .. } => Outcome::Signalled(self.signal.clone()),
            Work::ReportUnhealthy => Outcome::Reported(Ok(())),
            Work::CompleteHook => Outcome::HookCompleted(self.hook.clone()),
        })
    }

    /// Answers all open work, without letting time pass.
    pub(super) fn settle(&mut self) {
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
    pub(super) fn tick(&mut self) {
        self.timers.sort_by_key(|(_, at)| *at);
        if !self.timers.is_empty() {
            let (timer, at) = self.timers.remove(0);
            self.now = self.now.max(at);
            self.send(Event::Timer(timer));
            self.settle();
        }
    }

    pub(super) fn marks(&self) -> Vec<&'static str> {
        let marks = self.log.iter().filter_map(|a| match a {
            Action::Mark { name, .. } => Some(*name),
            _ => None,
        });
        marks.collect()
    }

    pub(super) fn ordered(&self, wanted: impl Fn(&Work) -> bool) -> usize {
        let works = self
            .log
            .iter()
            .filter(|a| matches!(a, Action::Do { work, .. } if wanted(work)));
        works.count()
    }

    pub(super) fn died(&mut self, ordered: bool) {
        self.send(Event::EngineDied {
            pid: PID,
            ordered: Ordered(ordered),
        });
    }
}

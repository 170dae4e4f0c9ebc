//! The machine: what it knows, and who handles which event.

use super::policy::{Policy, Succession};
use super::state::State;
use super::waiting::Waiting;
use crate::agent::duty::{Action, Decision, DrainReason, Duty, Event, FenceView, Outcome, Steps, Timer, View, Work};
use crate::agent::keeper::{KeeperEvent, KeeperOutcome, KeeperWork};
use crate::agent::ports::{Identity, SignalResult};
use crate::fence::{DataState, Epoch, Inquiry, Proof, RecordView};
use crate::model::InstanceId;
use crate::model::agent::{AgentConfig, AgentState, Pause, mark};
use mqaws_engine::{EngineInfo, Product};
use std::time::Duration;

/// The duty of a host on whose data one instance at a time may write: it outlives its predecessor, or waits.
#[derive(Debug, Clone)]
pub(crate) struct SingleWriter {
    pub(super) policy: Policy,
    pub(super) state: State,
    pub(super) now: Duration,
    pub(super) steps: Steps,
    pub(super) identity: Option<Identity>,
    pub(super) said: Said,
    pub(super) hold: Hold,
    pub(super) claim: Claim,
    pub(super) engine: Course,
    pub(super) storage: Storage,
    pub(super) waiting: Waiting,
    pub(super) end: End,
    /// A kill is under way or did not end all; nothing else of the fence begins before nothing is left.
    pub(super) killing: bool,
    pub(super) served: bool,
    /// The word `create` of the file system is known to be used up, or never to have been given.
    pub(super) word_spent: bool,
    /// An operator's stop on the data that this host owns: nothing starts the engine.
    pub(super) paused: Option<Pause>,
    pub(super) signalled: bool,
}

/// What people are told.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) last_error: Option<String>,
    /// Why the certificate that serves is not the one in its secret.
    pub(super) unrenewed: Option<String>,
    /// Why only a person can help, while that is so.
    pub(super) alarm: Option<String>,
}

/// The keeper, and the lock that it holds for this host.
#[derive(Debug, Clone, Default)]
pub(super) struct Hold {
    pub(super) held: bool,
    /// The keeper has answered; only then do its events count.
    pub(super) opened: bool,
    /// The keeper is being opened: until it answers, this is repeated in every state.
    pub(super) opening: bool,
    /// The connection whose events count.
    pub(super) connection: u64,
    /// Since when the keeper answers and does not have the lock.
    pub(super) without_lock: Option<Duration>,
    /// The end of the engine was reported to the keeper, which may have failed to let go.
    pub(super) released: bool,
    /// The keeper did let go.
    pub(super) let_go: bool,
    /// A host that is ready to take over, while this one has the lock.
    pub(super) standby: Option<InstanceId>,
}

/// Whose the data is.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) record: Option<RecordView>,
    pub(super) data: DataState,
    pub(super) inquiry: Option<Inquiry>,
    pub(super) proof: Option<Proof>,
    /// When, of a claim that an agent before this one made.
    pub(super) proved_at: Option<String>,
    pub(super) epoch: Option<Epoch>,
    pub(super) decision: Option<Decision>,
}

/// How far the engine is, and how it fares.
#[derive(Debug, Clone, Default)]
pub(super) struct Course {
    pub(super) info: Option<EngineInfo>,
    pub(super) controller: Option<i32>,
    /// It has served under this keeper, and an agent before this one started it.
    pub(super) whole: bool,
    /// Whether a start may be under way or done, so that an orderly stop makes sense.
    pub(super) adopted: bool,
    pub(super) defined: bool,
    /// The listeners accept; only the credentials are missing.
    pub(super) accepting: bool,
    pub(super) accounts: bool,
    pub(super) attempts: usize,
    pub(super) deaths: Vec<Duration>,
    /// Whether the death after which it is restarted is the last of them.
    pub(super) counted: bool,
    pub(super) elsewhere_since: Option<Duration>,
    pub(super) health_failures: u32,
    pub(super) restarts: u32,
}

/// The shared file system.
#[derive(Debug, Clone, Default)]
pub(super) struct Storage {
    pub(super) stalled: bool,
    pub(super) full: bool,
}

/// How this instance ends.
#[derive(Debug, Clone, Default)]
pub(super) struct End {
    pub(super) condemned: Option<String>,
    /// A replacement was asked for, or its asking has begun.
    pub(super) replacing: bool,
    pub(super) drain: Option<DrainReason>,
}

impl SingleWriter {
    /// A duty that has not begun.
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            state: State::Booting,
            now: Duration::ZERO,
            steps: Steps::new(policy.retry, policy.slowest_retry),
            policy,
            identity: None,
            said: Said::default(),
            hold: Hold::default(),
            claim: Claim {
                record: None,
                data: DataState::Absent,
                inquiry: None,
                proof: None,
                proved_at: None,
                epoch: None,
                decision: None,
            },
            engine: Course::default(),
            storage: Storage::default(),
            waiting: Waiting::default(),
            end: End::default(),
            killing: false,
            served: false,
            word_spent: false,
            paused: None,
            signalled: false,
        }
    }

    /// The duty of this configuration's host with this engine.
    pub(crate) fn of(config: &AgentConfig, product: &dyn Product, succession: Succession) -> Self {
        Self::new(Policy::default().with(succession).on(config, product))
    }

    /// Why this instance gave up, once it did.
    #[cfg(test)]
    pub(super) fn condemned(&self) -> Option<&str> {
        self.end.condemned.as_deref()
    }

    pub(super) fn fence_view(&self) -> FenceView<'_> {
        FenceView {
            epoch: self.claim.epoch,
            proof: self.claim.proof.as_ref(),
            proved_at: self.claim.proved_at.as_deref(),
            held: self.hold.held,
            inquiry: self.claim.inquiry.as_ref(),
        }
    }
}

impl Duty for SingleWriter {
    fn generation(&self) -> u64 {
        self.steps.generation()
    }

    fn view(&self) -> View<'_> {
        let attended = matches!(self.state, State::Serving | State::Paused);
        View {
            state: match self.is_standby() {
                true => AgentState::Standby,
                false => self.state.said(),
            },
            running: attended && self.engine.controller.is_some(),
            identity: self.identity.as_ref(),
            engine: self.engine.info.as_ref(),
            standby_ready: self.standby_ready(),
            paused: self.paused.as_ref(),
            restarts: self.engine.restarts,
            last_error: self.said.last_error.clone().or_else(|| self.said.unrenewed.clone()),
            alarm: self.said.alarm.as_deref(),
            decision: self.claim.decision.as_ref(),
            fence: Some(self.fence_view()),
        }
    }

    fn handle(&mut self, event: Event, now: Duration) -> Vec<Action> {
        self.now = now;
        match event {
            Event::Begin => {
                self.mark(mark::AGENT_STARTED, "");
                self.begin(Work::Identify);
            }
            Event::Done { generation, outcome } => {
                if generation == self.steps.generation() || outlives(&outcome) {
                    self.done(outcome);
                }
            }
            Event::Keeper { connection, event } if connection == self.hold.connection => self.keeper(event),
            Event::Keeper { .. } => {}
            Event::EngineDied { pid, ordered } => self.died(pid, ordered),
            Event::Drain(reason) => self.begin_drain(reason),
            Event::Decide { id, word } => self.decide(id, word),
            Event::Pause(pause) => self.pause(pause),
            Event::Resume => self.resume(),
            Event::HandOver { unready } => self.hand_over(unready),
            Event::Timer(timer) => self.timer(timer),
        }
        self.steps.take()
    }
}

impl SingleWriter {
    fn done(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Identified(result) => self.identified(result),
            Outcome::Mounted(result) => self.mounted(result),
            Outcome::Keeper(KeeperOutcome::Opened { connection, result }) => {
                self.connected(connection, &result);
                self.keeper_open(result);
            }
            Outcome::Keeper(KeeperOutcome::Inspected(result)) => self.inspected(result),
            Outcome::Keeper(KeeperOutcome::Waited(result)) => self.waited(result),
            Outcome::Keeper(KeeperOutcome::Looked(result)) => self.looked(result),
            Outcome::Keeper(KeeperOutcome::StoodBack(result)) => self.stood_back(&result),
            Outcome::LocalProcesses(result) => self.local_processes(result),
            Outcome::Previous(result) => self.previous(result),
            Outcome::TerminationOrdered(result) => self.termination_ordered(result),
            Outcome::WordUsed(result) => self.word_used(result),
            Outcome::WordSpent(result) => self.word_spent(result.is_ok()),
            Outcome::Keeper(KeeperOutcome::Claimed(result)) => self.claimed(result),
            Outcome::AccountsSet(result) => self.accounts_set(result),
            Outcome::Registered(result) => self.registered(result),
            Outcome::Adopted(result) => self.adopted(result),
            Outcome::Keeper(KeeperOutcome::Paused(result)) => self.pause_kept(result),
            Outcome::Keeper(KeeperOutcome::LevelWritten(result)) => self.level_written(result),
            Outcome::Started(result) => self.started(result),
            Outcome::Defined(result) => self.defined(result),
            Outcome::Accepting(result) => self.accepting(result),
            Outcome::Checked(health, ordered) => self.checked(health, ordered),
            Outcome::Renewed(result) => self.renewed(result),
            Outcome::Found(controller) => self.found(controller),
            Outcome::Ended(result) => self.ended(result),
            Outcome::Keeper(KeeperOutcome::Released(result)) => self.released(result),
            Outcome::Signalled(result) => self.signal_done(result),
            Outcome::Reported(result) => self.reported(result),
            Outcome::HookCompleted(result) => self.hook_completed(result),
        }
    }

    fn timer(&mut self, timer: Timer) {
        match timer {
            Timer::Retry => {
                for work in self.steps.take_due() {
                    self.begin(work);
                }
            }
            Timer::Accounts if !self.engine.accounts => self.begin(Work::Accounts),
            Timer::Health if self.state == State::Serving => self.begin(Work::Check),
            Timer::Certificate if self.state == State::Serving => self.begin(Work::Renew),
            Timer::Certificate => self.renew_later(),
            Timer::Word if self.state == State::Serving => self.spend_word(),
            Timer::Standby => self.look_at_owner(),
            Timer::Refusal => self.last_words_over(),
            Timer::Drain => self.drain_time_over(),
            Timer::Accounts | Timer::Health | Timer::Word => {}
        }
    }

    fn keeper(&mut self, event: KeeperEvent) {
        match event {
            KeeperEvent::LockHeld => {
                if let Some(since) = self.hold.without_lock.take() {
                    let took = self.now.saturating_sub(since);
                    self.steps.act(Action::Waited { what: "the lock", took });
                }
                if self.hold.opened && !self.hold.held && !self.hold.let_go {
                    self.lock_held();
                }
            }
            KeeperEvent::LockBusy(holder) => {
                if !self.hold.held {
                    self.said.last_error = Some(format!("waiting for the lock, held by {holder}"));
                }
            }
            KeeperEvent::LockLost(why) => self.lost(&format!("the lock was lost: {why}")),
            KeeperEvent::Gone => self.keeper_gone(),
            KeeperEvent::Record { gone: Some(why) } => self.raise(why),
            KeeperEvent::Record { gone: None } => self.said.alarm = None,
            KeeperEvent::Room { full: Some(why) } => {
                self.storage.full = true;
                self.raise(why);
            }
            KeeperEvent::Room { full: None } => {
                self.storage.full = false;
                self.said.alarm = None;
            }
            KeeperEvent::Standby { ready } => self.hold.standby = ready,
            KeeperEvent::Storage { stalled } => {
                self.storage.stalled = stalled;
                // What hangs is not seen to advance.
                self.waiting.ready &= !stalled;
                self.engine.health_failures = 0;
                if stalled {
                    self.said.last_error = Some("writes to the shared file system hang".to_owned());
                }
            }
        }
    }

    pub(super) fn begin(&mut self, work: impl Into<Work>) {
        let work = work.into();
        self.killing |= work == Work::Kill;
        self.hold.opening |= work == Work::Keeper(KeeperWork::Open);
        self.steps.order(work);
    }

    /// Drops whatever is under way: its results no longer count.
    pub(super) fn drop_work(&mut self) {
        self.steps.drop_work();
        self.claim.inquiry = None;
        self.killing = false;
        if self.hold.opening {
            // Whatever else is dropped: a host that may have written needs a keeper that guards it.
            self.begin(KeeperWork::Open);
        }
    }

    pub(super) fn mark(&mut self, name: &'static str, detail: impl Into<String>) {
        self.steps.act(Action::Mark {
            name,
            epoch: self.claim.epoch.map_or(0, |e| e.0),
            detail: detail.into(),
        });
    }

    /// Only a person can help: said once for each reason.
    pub(super) fn raise(&mut self, why: String) {
        if self.said.alarm.as_ref() != Some(&why) {
            self.mark(mark::ALARM, why.clone());
            self.said.alarm = Some(why);
        }
    }

    pub(super) fn enter(&mut self, state: State) {
        self.state = state;
        self.steps.went_on();
    }

    /// Repeats a step after a growing wait.
    pub(super) fn again(&mut self, work: impl Into<Work>, why: String) {
        let wait = self.steps.next_wait();
        self.said.last_error = Some(why);
        self.after(wait, work.into());
    }

    pub(super) fn after(&mut self, wait: Duration, work: Work) {
        if wait.is_zero() {
            self.begin(work);
        } else {
            self.steps.order_after(wait, work);
        }
    }
}

/// Results that count whatever has happened since they were asked for.
fn outlives(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::AccountsSet(_) | Outcome::Signalled(Ok(SignalResult::Taken | SignalResult::NotWaiting))
    )
}

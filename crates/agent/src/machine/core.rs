//! The machine: what it knows, and who handles which event.

use super::event::{
    Action, Decision, DrainReason, EngineInfo, Event, Identity, KeeperEvent, Outcome, SignalResult, State, Timer, Work,
};
use super::policy::Policy;
use crate::fence::{DataState, Epoch, Inquiry, Proof, RecordView};
use crate::model::agent::mark;
use std::time::Duration;

/// The agent's state machine.
#[derive(Debug, Clone)]
pub struct Machine {
    pub(super) policy: Policy,
    pub(super) state: State,
    pub(super) generation: u64,
    pub(super) now: Duration,
    pub(super) actions: Vec<Action>,

    pub(super) identity: Option<Identity>,
    /// What is repeated when [`Timer::Retry`] ends; each once.
    pub(super) retry: Vec<Work>,
    pub(super) retry_wait: Duration,
    pub(super) last_error: Option<String>,
    /// Why the certificate that serves is not the one in its secret.
    pub(super) unrenewed: Option<String>,

    pub(super) held: bool,
    /// The keeper has answered; only then do its events count.
    pub(super) opened: bool,
    /// The keeper is being opened: until it answers, this is repeated in every state.
    pub(super) opening: bool,
    /// A kill is under way or did not end all; nothing else of the fence begins before nothing is left.
    pub(super) killing: bool,
    pub(super) record: Option<RecordView>,
    pub(super) data: DataState,
    pub(super) inquiry: Option<Inquiry>,
    pub(super) proof: Option<Proof>,
    pub(super) epoch: Option<Epoch>,

    pub(super) engine: Option<EngineInfo>,
    pub(super) controller: Option<i32>,
    /// Whether a start may be under way or done, so that an orderly stop makes sense.
    pub(super) adopted: bool,
    pub(super) defined: bool,
    /// The listeners accept; only the credentials are missing.
    pub(super) accepting: bool,
    pub(super) accounts: bool,
    pub(super) attempts: usize,
    pub(super) deaths: Vec<Duration>,
    pub(super) elsewhere_since: Option<Duration>,
    pub(super) health_failures: u32,
    pub(super) stalled: bool,
    /// The shared file system is full.
    pub(super) full: bool,
    pub(super) restarts: u32,

    pub(super) served: bool,
    pub(super) paused: bool,
    pub(super) signalled: bool,
    pub(super) condemned: Option<String>,
    /// The end of the engine was reported to the keeper, which may have failed to let go.
    pub(super) released: bool,
    /// The keeper did let go.
    pub(super) let_go: bool,
    /// A replacement was asked for, or its asking has begun.
    pub(super) replacing: bool,
    pub(super) drain: Option<DrainReason>,
    /// Why only a person can help, while that is so.
    pub(super) alarm: Option<String>,
    pub(super) decision: Option<Decision>,
}

/// What a status tells of the machine.
#[derive(Debug, Clone, PartialEq)]
pub struct View<'a> {
    /// State.
    pub state: State,
    /// Identity, once known.
    pub identity: Option<&'a Identity>,
    /// Epoch while this instance owns the data.
    pub epoch: Option<Epoch>,
    /// Proof of the last start.
    pub proof: Option<&'a Proof>,
    /// Engine, once known.
    pub engine: Option<&'a EngineInfo>,
    /// Execution controller, while one is watched.
    pub controller: Option<i32>,
    /// Whether the lock is held.
    pub held: bool,
    /// Restarts in place.
    pub restarts: u32,
    /// The last thing that went wrong, or what is waited for.
    pub last_error: Option<String>,
    /// Why only a person can help, while that is so.
    pub alarm: Option<&'a str>,
    /// The inquiry about the previous owner, while there is one.
    pub inquiry: Option<&'a Inquiry>,
    /// The last decision of a person.
    pub decision: Option<&'a Decision>,
}

impl Machine {
    /// A machine that has not begun.
    pub fn new(policy: Policy) -> Self {
        let retry_wait = policy.retry;
        Self {
            policy,
            state: State::Booting,
            generation: 0,
            now: Duration::ZERO,
            actions: Vec::new(),
            identity: None,
            retry: Vec::new(),
            retry_wait,
            last_error: None,
            unrenewed: None,
            held: false,
            opened: false,
            opening: false,
            killing: false,
            record: None,
            data: DataState::Absent,
            inquiry: None,
            proof: None,
            epoch: None,
            engine: None,
            controller: None,
            adopted: false,
            defined: false,
            accepting: false,
            accounts: false,
            attempts: 0,
            deaths: Vec::new(),
            elsewhere_since: None,
            health_failures: 0,
            stalled: false,
            full: false,
            restarts: 0,
            served: false,
            paused: false,
            signalled: false,
            condemned: None,
            released: false,
            let_go: false,
            replacing: false,
            drain: None,
            alarm: None,
            decision: None,
        }
    }

    /// The generation of work that is not yet stale.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Why this instance gave up, once it did.
    pub fn condemned(&self) -> Option<&str> {
        self.condemned.as_deref()
    }

    /// What a status tells.
    pub fn view(&self) -> View<'_> {
        View {
            state: self.state,
            identity: self.identity.as_ref(),
            epoch: self.epoch,
            proof: self.proof.as_ref(),
            engine: self.engine.as_ref(),
            controller: self.controller,
            held: self.held,
            restarts: self.restarts,
            last_error: self.last_error.clone().or_else(|| self.unrenewed.clone()),
            alarm: self.alarm.as_deref(),
            inquiry: self.inquiry.as_ref(),
            decision: self.decision.as_ref(),
        }
    }

    /// Handles one event; `now` comes from a clock that does not go back and that counts the time for which the host is
    /// suspended.
    pub fn handle(&mut self, now: Duration, event: Event) -> Vec<Action> {
        self.now = now;
        match event {
            Event::Begin => {
                self.mark(mark::AGENT_STARTED, "");
                self.begin(Work::Identify);
            }
            Event::Done { generation, outcome } => {
                if generation == self.generation || outlives(&outcome) {
                    self.done(outcome);
                }
            }
            Event::Keeper(event) => self.keeper(event),
            Event::EngineDied { pid, ordered } => self.died(pid, ordered),
            Event::Drain(reason) => self.begin_drain(reason),
            Event::Decide { id, word } => self.decide(id, word),
            Event::Pause(pause) => self.pause(pause),
            Event::Timer(timer) => self.timer(timer),
        }
        std::mem::take(&mut self.actions)
    }

    fn done(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Identified(result) => self.identified(result),
            Outcome::Mounted(result) => self.mounted(result),
            Outcome::KeeperOpen(result) => self.keeper_open(result),
            Outcome::Inspected(result) => self.inspected(result),
            Outcome::Looked(result) => self.looked(result),
            Outcome::LocalProcesses(result) => self.local_processes(result),
            Outcome::Previous(result) => self.previous(result),
            Outcome::TerminationOrdered(result) => self.termination_ordered(result),
            Outcome::Claimed(result) => self.claimed(result),
            Outcome::AccountsSet(result) => self.accounts_set(result),
            Outcome::Adopted(result) => self.adopted(result),
            Outcome::LevelWritten(result) => self.level_written(result),
            Outcome::Started(result) => self.started(result),
            Outcome::Defined(result) => self.defined(result),
            Outcome::Accepting(result) => self.accepting(result),
            Outcome::Checked(health, ordered) => self.checked(health, ordered),
            Outcome::Renewed(result) => self.renewed(result),
            Outcome::Found(controller) => self.found(controller),
            Outcome::Ended(result) => self.ended(result),
            Outcome::Released(result) => self.released(result),
            Outcome::Signalled(result) => self.signal_done(result),
            Outcome::Reported(result) => self.reported(result),
            Outcome::HookCompleted(result) => self.hook_completed(result),
        }
    }

    fn timer(&mut self, timer: Timer) {
        match timer {
            Timer::Retry => {
                for work in std::mem::take(&mut self.retry) {
                    self.begin(work);
                }
            }
            Timer::Accounts if !self.accounts => self.begin(Work::Accounts),
            Timer::Health if self.state == State::Serving => self.begin(Work::Check),
            Timer::Certificate if self.state == State::Serving => self.begin(Work::Renew),
            Timer::Certificate => self.renew_later(),
            Timer::Refusal => self.last_words_over(),
            Timer::Drain => self.drain_time_over(),
            Timer::Accounts | Timer::Health => {}
        }
    }

    fn keeper(&mut self, event: KeeperEvent) {
        match event {
            KeeperEvent::LockHeld => {
                if self.opened && !self.held && !self.let_go {
                    self.lock_held();
                }
            }
            KeeperEvent::LockBusy(holder) => {
                if !self.held {
                    self.last_error = Some(format!("waiting for the lock, held by {holder}"));
                }
            }
            KeeperEvent::LockLost(why) => self.lost(&format!("the lock is lost: {why}")),
            KeeperEvent::Gone => self.keeper_gone(),
            KeeperEvent::Record { gone: Some(why) } => self.raise(why),
            KeeperEvent::Record { gone: None } => self.alarm = None,
            KeeperEvent::Room { full: Some(why) } => {
                self.full = true;
                self.raise(why);
            }
            KeeperEvent::Room { full: None } => {
                self.full = false;
                self.alarm = None;
            }
            KeeperEvent::Storage { stalled } => {
                self.stalled = stalled;
                self.health_failures = 0;
                if stalled {
                    self.last_error = Some("writes to the shared file system hang".to_owned());
                }
            }
        }
    }

    pub(super) fn begin(&mut self, work: Work) {
        self.killing |= work == Work::Kill;
        self.opening |= work == Work::OpenKeeper;
        self.actions.push(Action::Do {
            generation: self.generation,
            work,
        });
    }

    /// Drops whatever is under way: its results no longer count.
    pub(super) fn drop_work(&mut self) {
        self.generation += 1;
        self.retry.clear();
        self.inquiry = None;
        self.killing = false;
        self.actions.push(Action::Clear(Timer::Retry));
        self.actions.push(Action::Clear(Timer::Health));
        if self.opening {
            // Whatever else is dropped: a host that may have written needs a keeper that guards it.
            self.begin(Work::OpenKeeper);
        }
    }

    pub(super) fn mark(&mut self, name: &'static str, detail: impl Into<String>) {
        self.actions.push(Action::Mark {
            name,
            epoch: self.epoch.map_or(0, |e| e.0),
            detail: detail.into(),
        });
    }

    /// Only a person can help: said once for each reason.
    pub(super) fn raise(&mut self, why: String) {
        if self.alarm.as_ref() != Some(&why) {
            self.mark(mark::ALARM, why.clone());
            self.alarm = Some(why);
        }
    }

    pub(super) fn enter(&mut self, state: State) {
        self.state = state;
        self.retry_wait = self.policy.retry;
    }

    /// Repeats a step after a growing wait.
    pub(super) fn again(&mut self, work: Work, why: String) {
        let wait = self.retry_wait;
        self.retry_wait = (wait * 2).min(self.policy.slowest_retry);
        self.last_error = Some(why);
        self.after(wait, work);
    }

    pub(super) fn after(&mut self, wait: Duration, work: Work) {
        if wait.is_zero() {
            self.begin(work);
        } else {
            if !self.retry.contains(&work) {
                self.retry.push(work);
            }
            self.actions.push(Action::Set(Timer::Retry, wait));
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

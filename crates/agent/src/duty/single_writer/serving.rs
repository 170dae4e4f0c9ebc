//! Adopting, starting, serving, restarting in place.

use super::core::SingleWriter;
use super::policy::Succession;
use super::state::State;
use crate::agent::duty::{Action, Ordered, Timer, Work};
use crate::agent::keeper::KeeperWork;
use crate::fence::RecordView;
use crate::model::InstanceId;
use crate::model::agent::mark;
use mqaws_engine::{EngineFailure, EngineInfo, FailureKind, Health};

impl SingleWriter {
    pub(super) fn accounts_set(&mut self, result: Result<(), String>) {
        match result {
            Ok(()) => {
                self.engine.accounts = true;
                if self.state == State::Starting && self.engine.accepting {
                    self.serve();
                }
            }
            Err(why) => {
                self.said.last_error = Some(why);
                self.steps.set(Timer::Accounts, self.policy.slowest_retry);
            }
        }
    }

    pub(super) fn adopted(&mut self, result: Result<EngineInfo, EngineFailure>) {
        if self.state != State::Adopting {
            return;
        }
        match result {
            // What serves is not ended because a question about it was not answered. Its end ends it, which the watch tells.
            Err(EngineFailure {
                kind: FailureKind::Transient | FailureKind::Unanswered,
                text,
            }) if self.engine.controller.is_some() => self.again(Work::Attach, text),
            Err(failure) => self.failed(failure),
            Ok(info) if self.engine.controller.is_some() => {
                self.mark(mark::ADOPTED, format!("{}, {}", info.how, info.version));
                self.engine.info = Some(info);
                self.engine.adopted = true;
                self.enter(State::Starting);
                self.engine.defined = true;
                self.begin(Work::Accept);
            }
            Ok(info) => self.level(info),
        }
    }

    /// The data know the engine that wrote them last. An older one is not started: it could not read them, and neither could
    /// that of any other instance of the same image.
    fn level(&mut self, info: EngineInfo) {
        let version = info.version.clone();
        if let Some(why) = self
            .claim
            .record
            .as_ref()
            .and_then(|record| self.too_old(&version, record))
        {
            self.engine.info = Some(info);
            return self.refused(why, Work::Adopt(self.claim.data));
        }
        self.said.alarm = None;
        self.mark(mark::ADOPTED, format!("{}, {version}", info.how));
        self.engine.info = Some(info);
        self.begin(KeeperWork::Level(version));
    }

    /// Why an engine of this version cannot use data with this record.
    pub(super) fn too_old(&self, version: &str, record: &RecordView) -> Option<String> {
        let RecordView::Present(record) = record else {
            return None;
        };
        let last = record.engine_version.as_ref()?;
        self.policy.order.refuses(version, last)
    }

    pub(super) fn level_written(&mut self, result: Result<(), String>) {
        match (result, self.engine.info.as_ref().map(|e| e.version.clone())) {
            (Err(why), Some(version)) => self.again(KeeperWork::Level(version), why),
            _ if self.state == State::Adopting => {
                self.said.last_error = None;
                self.engine.adopted = true;
                self.start();
            }
            _ => {}
        }
    }

    pub(super) fn start(&mut self) {
        let Some(epoch) = self.claim.epoch else { return };
        if self.state != State::Restarting {
            self.enter(State::Starting);
        }
        self.engine.accepting = false;
        self.mark(mark::ENGINE_STARTING, format!("epoch {epoch}"));
        self.begin(Work::Start(epoch));
    }

    pub(super) fn watch(&mut self, pid: i32) {
        self.engine.controller = Some(pid);
        self.steps.act(Action::Watch(pid));
    }

    pub(super) fn started(&mut self, result: Result<i32, EngineFailure>) {
        match result {
            Err(failure) => self.failed(failure),
            Ok(pid) => {
                self.engine.elsewhere_since = None;
                self.said.alarm = None;
                self.watch(pid);
                self.begin(if self.engine.defined {
                    Work::Accept
                } else {
                    Work::Define
                });
            }
        }
    }

    pub(super) fn defined(&mut self, result: Result<(), EngineFailure>) {
        match result {
            Err(failure) => self.failed(failure),
            Ok(()) => {
                self.engine.defined = true;
                self.said.alarm = None;
                self.begin(Work::Accept);
            }
        }
    }

    pub(super) fn accepting(&mut self, result: Result<(), EngineFailure>) {
        match result {
            Err(failure) => self.failed(failure),
            Ok(()) => {
                self.mark(mark::ENGINE_STARTED, "");
                self.enter(State::Starting);
                self.engine.accepting = true;
                if self.engine.accounts {
                    self.serve();
                } else {
                    let why = self.said.last_error.take().unwrap_or_default();
                    self.said.last_error = Some(format!("waiting for the application user's credentials: {why}"));
                }
            }
        }
    }

    fn serve(&mut self) {
        self.enter(State::Serving);
        self.engine.accepting = false;
        self.engine.attempts = 0;
        self.engine.health_failures = 0;
        self.said.last_error = None;
        self.mark(mark::SERVING, "");
        self.served = true;
        // Each time: a keeper that was started meanwhile has not heard of it.
        self.steps.act(Action::NoteServed);
        if !self.signalled {
            self.begin(Work::Signal { success: true });
        }
        self.renew_later();
        self.spend_word();
        self.steps.set(Timer::Health, self.policy.health);
    }

    /// A stack that was deployed before there was a word `create` gives it to a file system that has data. Unused, it would create an empty
    /// queue manager once that data is gone.
    pub(super) fn spend_word(&mut self) {
        if !self.word_spent {
            self.begin(Work::SpendWord);
        }
    }

    /// Where it could not be written, service goes on all the same.
    pub(super) fn word_spent(&mut self, is_spent: bool) {
        self.word_spent |= is_spent;
        if !is_spent {
            self.steps.set(Timer::Word, self.policy.word);
        }
    }

    pub(super) fn renew_later(&mut self) {
        if let Some(period) = self.policy.certificate {
            self.steps.set(Timer::Certificate, period);
        }
    }

    /// What is wrong with a new certificate harms nobody: the old one goes on serving.
    pub(super) fn renewed(&mut self, result: Result<bool, String>) {
        self.said.unrenewed = result.err();
        self.renew_later();
    }

    pub(super) fn checked(&mut self, health: Health, ordered: Ordered) {
        if self.state != State::Serving {
            return;
        }
        let next = match health {
            Health::Well => {
                self.engine.health_failures = 0;
                self.said.last_error = None;
                self.policy.health
            }
            Health::Unknown(why) | Health::Waits(why) => {
                self.said.last_error = Some(why);
                self.policy.health
            }
            // While the storage hangs, so does everything that writes to it: that is no fault of the engine.
            Health::Bad(why) if self.storage.stalled => {
                self.said.last_error = Some(format!("{why}; writes to the shared file system hang"));
                self.policy.health
            }
            Health::Bad(why) => {
                self.engine.health_failures += 1;
                if self.engine.health_failures >= self.policy.health_failures {
                    self.mark(mark::HANG_NOTICED, why.clone());
                    return self.restart(why, ordered);
                }
                self.said.last_error = Some(why);
                self.policy.health_again
            }
        };
        self.steps.set(Timer::Health, next);
    }

    pub(super) fn died(&mut self, pid: i32, ordered: Ordered) {
        if self.engine.controller != Some(pid) {
            return;
        }
        self.engine.controller = None;
        match self.state {
            State::Serving | State::Starting | State::Restarting | State::Adopting => {
                self.mark(mark::DEATH_NOTICED, format!("process {pid}"));
                self.restart(format!("the execution controller (process {pid}) exited"), ordered);
            }
            State::Paused => self.mark(mark::DEATH_NOTICED, format!("process {pid}, paused")),
            _ => {}
        }
    }

    /// Kills what is left of the engine and starts it again, unless that has happened too often.
    pub(super) fn restart(&mut self, why: String, ordered: Ordered) {
        self.drop_work();
        self.engine.controller = None;
        self.engine.health_failures = 0;
        self.engine.counted = false;
        // What a full file system ends is no fault of the engine, and would end on every other host as well.
        if self.storage.full {
            self.said.last_error = Some(format!("{why}; the shared file system is full"));
            self.enter(State::Restarting);
            self.mark(mark::RESTARTING, "once there is room");
            return self.after(self.policy.slowest_retry, Work::Kill);
        }
        if ordered == Ordered(false) {
            let since = self.now.saturating_sub(self.policy.breaker_window);
            self.engine.deaths.retain(|at| *at >= since);
            self.engine.deaths.push(self.now);
            self.engine.counted = true;
            if self.engine.deaths.len() > self.policy.breaker_limit {
                let times = self.engine.deaths.len();
                return self.condemn(format!(
                    "the engine failed {times} times within the window of the breaker: {why}"
                ));
            }
        }
        self.said.last_error = Some(why);
        self.attempt();
    }

    /// The keeper ends the engine before it tells that the lock is lost: a death that was noticed in between is no failure of the engine.
    pub(super) fn uncount_death(&mut self) {
        if self.state == State::Restarting && self.engine.counted {
            self.engine.deaths.pop();
        }
        self.engine.counted = false;
    }

    /// The next attempt of a start in place, or the end of attempts.
    fn attempt(&mut self) {
        let (of, standby) = self.attempts();
        let ready = standby.map_or_else(String::new, |standby| format!(", and {standby} is ready to take over"));
        let wait = self.policy.attempts.get(self.engine.attempts).copied();
        let Some(wait) = wait.filter(|_| self.engine.attempts < of) else {
            let why = self.said.last_error.take().unwrap_or_default();
            return self.condemn(format!("{} start attempts failed{ready}: {why}", self.engine.attempts));
        };
        self.engine.attempts += 1;
        self.engine.restarts += 1;
        self.enter(State::Restarting);
        self.mark(mark::RESTARTING, format!("{} of {of}", self.engine.attempts));
        self.after(wait, Work::Kill);
    }

    /// How many attempts are made here, and whom this host lets go to afterwards. It is replaced then: what did not start twice is
    /// no standby to rely on.
    fn attempts(&self) -> (usize, Option<&InstanceId>) {
        let all = self.policy.attempts.len();
        match (self.policy.succession, &self.hold.standby) {
            (Succession::Standby, Some(standby)) => (all.min(self.policy.attempts_beside_standby), Some(standby)),
            (Succession::Standby, None) | (Succession::Launch, _) => (all, None),
        }
    }

    /// A step between adopting and serving failed.
    pub(super) fn failed(&mut self, failure: EngineFailure) {
        self.drop_work();
        let EngineFailure { kind, text } = failure;
        if kind == FailureKind::Shared {
            // Another instance would see the same: replacing this one helps nobody. What runs goes on running.
            let look = match (self.engine.adopted, self.engine.controller, self.claim.epoch) {
                (true, None, Some(epoch)) => Work::Start(epoch),
                (true, ..) => Work::Define,
                (false, ..) => Work::Adopt(self.claim.data),
            };
            return self.refused(text, look);
        }
        if kind == FailureKind::Unanswered {
            let step = if self.engine.adopted {
                Work::Define
            } else {
                Work::Adopt(self.claim.data)
            };
            return self.again(step, text);
        }
        self.engine.controller = None;
        match kind {
            FailureKind::Final => self.condemn(text),
            _ if self.storage.stalled => {
                // Not counted: the storage hangs, and a start needs it.
                self.enter(State::Restarting);
                self.again(Work::Kill, format!("{text}; writes to the shared file system hang"));
            }
            _ if self.storage.full => {
                self.enter(State::Restarting);
                self.said.last_error = Some(format!("{text}; the shared file system is full"));
                self.after(self.policy.slowest_retry, Work::Kill);
            }
            FailureKind::Elsewhere => {
                let since = *self.engine.elsewhere_since.get_or_insert(self.now);
                if self.now.saturating_sub(since) < self.policy.elsewhere {
                    self.enter(State::Restarting);
                    self.again(Work::Kill, text);
                } else {
                    self.engine.elsewhere_since = None;
                    self.said.last_error = Some(text);
                    self.attempt();
                }
            }
            FailureKind::Transient | FailureKind::Shared | FailureKind::Unanswered => {
                self.said.last_error = Some(text);
                self.attempt();
            }
        }
    }
}

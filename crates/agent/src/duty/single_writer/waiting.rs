//! While another host has the lock: all is prepared that needs no lock, and no engine runs.
//!
//! A host that waits has mounted, knows the queue manager, and has its accounts and certificate. It looks at the owner's sign of life,
//! and gives one of its own. What it sees so decides nothing about a start: that begins with the lock, whoever waited for it.

use super::core::SingleWriter;
use super::policy::Succession;
use super::state::State;
use crate::agent::duty::{Timer, Work};
use crate::agent::keeper::KeeperWork;
use crate::fence::{DataState, Epoch, Inspection, RecordView, SIGHTED};
use crate::model::agent::mark;
use mqaws_engine::{EngineFailure, EngineInfo, FailureKind};
use std::time::Duration;

/// How far a host is that waits.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting {
    /// The engine that this host has, once the queue manager is known to it.
    engine: Option<EngineInfo>,
    /// That is being done, or repeated after a wait.
    registering: bool,
    /// The owner's epoch and sign of life, as they were seen last.
    seen: Option<(Epoch, u64)>,
    /// When that was seen to advance.
    advanced: Option<Duration>,
    /// All is prepared, and the owner's sign of life advances.
    pub(super) ready: bool,
}

impl SingleWriter {
    /// Whether this host is ready to take over from the one that has the lock.
    pub(super) fn is_standby(&self) -> bool {
        self.state == State::Fencing && !self.hold.held && self.hold.opened && self.waiting.ready
    }

    /// Whether a host is ready to take over, as far as this one knows.
    pub(super) fn standby_ready(&self) -> Option<bool> {
        match (self.policy.succession, self.state) {
            (Succession::Standby, State::Serving | State::Paused) => Some(self.hold.standby.is_some()),
            (Succession::Standby, State::Fencing) => Some(self.is_standby()),
            (Succession::Standby | Succession::Launch, _) => None,
        }
    }

    /// Another host has the lock: what was seen of the owner before is of another time.
    pub(super) fn wait_for_owner(&mut self) {
        self.waiting = Waiting {
            engine: self.waiting.engine.take(),
            ..Waiting::default()
        };
        self.look_at_owner();
    }

    pub(super) fn look_at_owner(&mut self) {
        let waits = self.state == State::Fencing && self.hold.opened && !self.hold.held;
        if waits && self.policy.succession == Succession::Standby {
            let ready = self.waiting.ready;
            self.begin(KeeperWork::Wait { ready });
        }
    }

    pub(super) fn waited(&mut self, result: Result<Inspection, String>) {
        if self.state != State::Fencing || self.hold.held {
            return;
        }
        self.steps.set(Timer::Standby, self.policy.look);
        match result {
            Ok(found) => self.sighted(&found),
            Err(why) => self.not_ready(why),
        }
    }

    fn sighted(&mut self, found: &Inspection) {
        let owner = match &found.record {
            RecordView::Present(record) if record.original(&self.policy.file_system).is_some() => None,
            RecordView::Present(record) if !record.released => Some((record.epoch, record.alive)),
            _ => None,
        };
        if owner.is_some() && self.waiting.seen.is_some() && owner != self.waiting.seen {
            self.waiting.advanced = Some(self.now);
        }
        self.waiting.seen = owner;
        let Some(engine) = &self.waiting.engine else {
            if found.data == DataState::Present && !self.waiting.registering {
                self.waiting.registering = true;
                self.begin(Work::Register);
            }
            return;
        };
        if let Some(why) = self.too_old(&engine.version, &found.record) {
            self.waiting.ready = false;
            return self.refused_beside(why);
        }
        let silent = self.waiting.advanced.map(|at| self.now.saturating_sub(at));
        match silent {
            _ if !self.engine.accounts => {
                let why = self.said.last_error.clone().unwrap_or_default();
                self.not_ready(why);
            }
            Some(silent) if silent <= SIGHTED => self.ready(),
            _ => self.not_ready("waiting for a heartbeat from the host that has the lock".to_owned()),
        }
    }

    fn ready(&mut self) {
        self.said.last_error = None;
        self.said.alarm = None;
        if self.waiting.ready {
            return;
        }
        self.waiting.ready = true;
        self.mark(mark::STANDBY_READY, "");
        if !self.signalled {
            self.begin(Work::Signal { success: true });
        }
        // The owner reads of it at once.
        self.steps.set(Timer::Standby, Duration::ZERO);
    }

    fn not_ready(&mut self, why: String) {
        self.waiting.ready = false;
        self.said.last_error = Some(why);
    }

    /// This host could not take over, and neither could another of its image.
    fn refused_beside(&mut self, why: String) {
        self.not_ready(why.clone());
        if self.said.alarm.is_none() && !self.signalled {
            self.steps.set(Timer::Refusal, self.policy.last_words);
        }
        self.raise(why);
    }

    pub(super) fn registered(&mut self, result: Result<EngineInfo, EngineFailure>) {
        if self.state != State::Fencing || self.hold.held {
            return;
        }
        match result {
            Ok(info) => {
                self.waiting.registering = false;
                self.waiting.engine = Some(info);
                self.steps.went_on();
            }
            // Another instance would see the same.
            Err(EngineFailure {
                kind: FailureKind::Shared,
                text,
            }) => {
                self.refused_beside(text);
                self.after(self.policy.refused, Work::Register);
            }
            Err(failure) => self.again(Work::Register, failure.text),
        }
    }

    /// The lock was given back to an owner that lives, whose next keeper is the quickest way back; or it is kept, and the owner
    /// that may run is to be ended.
    pub(super) fn stood_back(&mut self, result: &Result<(), String>) {
        let Some(inquiry) = &self.claim.inquiry else { return };
        if self.state != State::Fencing {
            return;
        }
        match (result, inquiry.previous().cloned()) {
            (Ok(()), _) => {
                self.claim.inquiry = None;
                self.hold.held = false;
                self.hold.without_lock = Some(self.now);
                self.said.last_error = Some("waiting for the owner, which may take the lock first".to_owned());
                self.look_at_owner();
            }
            (Err(_), Some(instance)) => self.begin(Work::Terminate(instance)),
            (Err(_), None) => {}
        }
    }
}

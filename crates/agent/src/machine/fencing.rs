//! From the first breath to the claim: identity, mount, lock, proof.

use super::core::Machine;
use super::event::{ClaimError, Decision, DrainReason, Identity, KeeperState, Looked, State, Work};
use crate::fence::{
    Answer, CloudState, DecisionRefused, Epoch, Inquiry, Inspection, Next, Proof, ProofKind, Word, Writer,
};
use crate::model::agent::mark;

impl Machine {
    pub(super) fn identified(&mut self, result: Result<Identity, String>) {
        if self.state != State::Booting {
            return;
        }
        match result {
            Err(why) => self.again(Work::Identify, why),
            Ok(identity) => match identity.lifecycle.as_deref() {
                // A warm pool's instance touches neither mount nor engine.
                Some(state) if state.starts_with("Warmed") => {
                    self.again(
                        Work::Identify,
                        format!("waiting: the target lifecycle state is {state}"),
                    );
                }
                Some("Terminated") => {
                    self.identity = Some(identity);
                    self.begin_drain(DrainReason::Lifecycle);
                }
                _ => {
                    self.identity = Some(identity);
                    self.last_error = None;
                    self.begin(Work::Accounts);
                    self.enter(State::Mounting);
                    self.begin(Work::Mount);
                }
            },
        }
    }

    pub(super) fn mounted(&mut self, result: Result<(), String>) {
        match result {
            Err(why) => self.again(Work::Mount, why),
            Ok(()) => {
                self.mark(mark::MOUNTED, "");
                self.last_error = None;
                self.fence();
            }
        }
    }

    /// Begins at the keeper.
    pub(super) fn fence(&mut self) {
        self.enter(State::Fencing);
        self.open_keeper();
    }

    fn open_keeper(&mut self) {
        self.held = false;
        self.opened = false;
        self.epoch = None;
        if !self.opening {
            self.begin(Work::OpenKeeper);
        }
    }

    /// The lock is there for this host: to look who had the data, or to let go of what an earlier keeper guarded.
    pub(super) fn lock_held(&mut self) {
        self.held = true;
        match self.state {
            // What is left of the engine comes first.
            _ if self.killing => {}
            State::Fencing => {
                self.mark(mark::LOCK_OBTAINED, "");
                self.begin(Work::Inspect);
            }
            State::Condemned | State::Stopped => self.begin(Work::Kill),
            _ => {}
        }
    }

    pub(super) fn keeper_open(&mut self, result: Result<KeeperState, String>) {
        let keeper = match result {
            Err(why) => {
                if self.retry_wait >= self.policy.slowest_retry {
                    self.raise(format!("this host has no lock keeper: {why}"));
                }
                return self.again(Work::OpenKeeper, why);
            }
            Ok(keeper) => keeper,
        };
        self.opened = true;
        self.opening = false;
        self.alarm = None;
        // This keeper tells it anew if it is still so.
        self.full = false;
        self.retry_wait = self.policy.retry;
        match (&keeper.claimed, keeper.controller) {
            _ if self.killing || self.state != State::Fencing => {
                if keeper.held {
                    self.lock_held();
                }
            }
            (Some((epoch, proof)), Some(pid)) if keeper.held && keeper.served => {
                // The agent was restarted; keeper and engine lived on, so there is nothing to prove.
                self.held = true;
                self.epoch = Some(*epoch);
                self.proof = Some(proof.clone());
                self.watch(pid);
                self.enter(State::Adopting);
                self.begin(Work::Attach);
            }
            (claimed, _) if keeper.processes > 0 => {
                // An engine without a claim of this keeper is an unfenced writer, whoever has the lock. One whose start was never
                // finished lacks definitions, and may listen with those of another configuration.
                self.held = keeper.held;
                let what = match claimed {
                    Some(_) if keeper.held => "an engine whose start nobody finished was found and is being killed",
                    _ => "engine processes without a fence were found and are being killed",
                };
                self.last_error = Some(what.to_owned());
                self.begin(Work::Kill);
            }
            _ if keeper.held => self.lock_held(),
            _ => {
                if let Some(holder) = keeper.holder {
                    self.last_error = Some(format!("waiting for the lock, held by {holder}"));
                }
            }
        }
    }

    pub(super) fn inspected(&mut self, result: Result<Inspection, String>) {
        if self.state != State::Fencing {
            return;
        }
        let found = match result {
            Err(why) => return self.again(Work::Inspect, why),
            Ok(found) => found,
        };
        let Some(identity) = &self.identity else { return };
        let me = Writer {
            instance: identity.instance.clone(),
            boot: identity.boot.clone(),
        };
        let mut inquiry = Inquiry::new(self.policy.inquiry, &me, &self.policy.file_system, &found, self.now);
        let next = inquiry.first();
        self.inquiry = Some(inquiry);
        self.record = Some(found.record);
        self.data = found.data;
        self.follow(next);
    }

    fn follow(&mut self, next: Next) {
        if let Some(inquiry) = &self.inquiry {
            self.last_error = Some(format!("waiting for {}", inquiry.waiting_for()));
            match (inquiry.alarm(), inquiry.previous()) {
                (Some(why), _) => self.raise(why),
                (None, Some(_)) => self.alarm = None,
                (None, None) => {}
            }
        }
        match next {
            Next::Start(proof) => self.proved(proof),
            Next::Look => self.begin(Work::Look),
            Next::CountLocal => self.begin(Work::CountLocal),
            Next::KillLocal => self.begin(Work::Kill),
            Next::AskCloud { instance, after } => self.after(after, Work::AskCloud(instance)),
            Next::Terminate { instance } => self.begin(Work::Terminate(instance)),
            Next::AwaitWord => {}
            Next::Refuse(why) => {
                // Another instance would see the same data: replacing this one helps nobody.
                self.inquiry = None;
                self.refused(why.to_string(), Work::Inspect);
            }
        }
    }

    fn proved(&mut self, proof: Proof) {
        self.last_error = None;
        self.alarm = None;
        self.inquiry = None;
        self.claim(proof);
    }

    /// A person's word counts if it is about what is waited for.
    pub(super) fn decide(&mut self, id: String, word: Word) {
        let taken = match &self.inquiry {
            Some(inquiry) if self.held => inquiry.decide(&word),
            _ => Err(DecisionRefused::NothingToDecide),
        };
        let refused = taken.as_ref().err().map(ToString::to_string);
        self.decision = Some(Decision { id, word, refused });
        if let Ok(proof) = taken {
            self.drop_work();
            self.proved(proof);
        }
    }

    fn answer(&mut self, answer: &Answer) {
        let now = self.now;
        if let Some(inquiry) = self.inquiry.as_mut() {
            let next = inquiry.step(now, answer);
            self.follow(next);
        }
    }

    pub(super) fn previous(&mut self, result: Result<CloudState, String>) {
        match result {
            Ok(state) => self.answer(&Answer::Previous(state)),
            Err(why) => {
                self.answer(&Answer::Failed);
                self.last_error = Some(why);
            }
        }
    }

    pub(super) fn looked(&mut self, result: Result<Looked, String>) {
        match result {
            Ok(Looked::Alive(alive)) => self.answer(&Answer::SignOfLife(alive)),
            Ok(Looked::Changed) => {
                // Let go meanwhile, most likely.
                self.inquiry = None;
                self.begin(Work::Inspect);
            }
            Err(why) => {
                self.answer(&Answer::Failed);
                self.last_error = Some(why);
            }
        }
    }

    pub(super) fn termination_ordered(&mut self, result: Result<(), String>) {
        match result {
            Ok(()) => self.answer(&Answer::TerminationOrdered),
            Err(why) => {
                self.answer(&Answer::Failed);
                self.last_error = Some(why);
            }
        }
    }

    pub(super) fn local_processes(&mut self, result: Result<usize, String>) {
        let left = match result {
            Err(why) => return self.again(Work::Kill, why),
            Ok(left) => left,
        };
        if self.state == State::Fencing && self.inquiry.is_some() {
            self.killing = false;
            return self.answer(&Answer::LocalProcesses(left));
        }
        if left > 0 {
            // A process in an uninterruptible wait on stalled storage survives SIGKILL; nothing starts beside it.
            return self.again(Work::Kill, format!("{left} engine processes do not die"));
        }
        self.killing = false;
        match self.state {
            State::Fencing if self.held => self.lock_held(),
            State::Fencing if self.opened => {}
            State::Fencing => self.open_keeper(),
            State::Restarting => {
                let previous = self.identity.as_ref().map(|i| i.instance.clone());
                self.claim(Proof {
                    kind: ProofKind::SameHost,
                    previous,
                });
            }
            State::Draining => self.stopped_engine(),
            State::Condemned => self.condemned_engine_gone(),
            State::Stopped => self.let_go_late(),
            _ => {}
        }
    }

    fn claim(&mut self, proof: Proof) {
        self.mark(mark::PROOF, proof.to_string());
        self.proof = Some(proof.clone());
        self.begin(Work::Claim(proof));
    }

    pub(super) fn claimed(&mut self, result: Result<Epoch, ClaimError>) {
        match result {
            Ok(epoch) => {
                self.epoch = Some(epoch);
                if self.adopted {
                    self.start();
                } else {
                    self.enter(State::Adopting);
                    self.begin(Work::Adopt(self.data));
                }
            }
            Err(ClaimError::Changed) => {
                self.last_error = Some("the owner record changed under the lock".to_owned());
                self.enter(State::Fencing);
                self.epoch = None;
                self.begin(Work::Inspect);
            }
            Err(ClaimError::Failed(why)) => match self.proof.clone() {
                Some(proof) => self.again(Work::Claim(proof), why),
                None => self.begin(Work::Inspect),
            },
        }
    }

    /// The keeper's process is gone. Whatever lives on of the engine, and however long: the next keeper is opened at once,
    /// since it guards what the dead one guarded.
    pub(super) fn keeper_gone(&mut self) {
        if self.let_go || matches!(self.state, State::Booting | State::Mounting) {
            (self.held, self.opened) = (false, false);
        } else if self.released || self.state == State::Stopped {
            self.open_keeper();
        } else {
            self.opening = true;
            self.lost("the lock keeper ended");
        }
    }

    /// The lock is lost or its keeper is gone: nothing of the engine may live on.
    pub(super) fn lost(&mut self, why: &str) {
        self.held = false;
        self.opened = false;
        self.replacing = false;
        if self.released || matches!(self.state, State::Booting | State::Mounting | State::Stopped) {
            return;
        }
        self.last_error = Some(why.to_owned());
        self.drop_work();
        self.controller = None;
        self.epoch = None;
        if !matches!(self.state, State::Draining | State::Condemned) {
            self.enter(State::Fencing);
        }
        self.begin(Work::Kill);
    }
}

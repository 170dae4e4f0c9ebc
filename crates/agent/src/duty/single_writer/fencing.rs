//! From the first breath to the claim: identity, mount, lock, proof.

use super::core::SingleWriter;
use super::policy::Succession;
use super::state::State;
use crate::agent::duty::{Decision, DrainReason, Timer, Work};
use crate::agent::keeper::{ClaimError, Claimed, KeeperState, KeeperWork, Looked};
use crate::agent::ports::Identity;
use crate::fence::{
    Answer, CloudState, CreateWord, DecisionRefused, Inquiry, Inspection, Next, Proof, ProofKind, ThisHost, Word,
};
use crate::model::AsWritten;
use crate::model::agent::mark;

impl SingleWriter {
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
                    self.said.last_error = None;
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
                self.said.last_error = None;
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
        self.hold.held = false;
        self.hold.opened = false;
        self.claim.epoch = None;
        if !self.hold.opening {
            self.begin(KeeperWork::Open);
        }
    }

    /// The lock is there for this host: to look who had the data, or to let go of what an earlier keeper guarded.
    pub(super) fn lock_held(&mut self) {
        self.hold.held = true;
        match self.state {
            // What is left of the engine comes first.
            _ if self.killing => {}
            State::Fencing => {
                self.steps.clear(Timer::Standby);
                self.mark(mark::LOCK_OBTAINED, "");
                self.begin(KeeperWork::Inspect);
            }
            State::Condemned | State::Stopped => self.begin(Work::Kill),
            _ => {}
        }
    }

    /// From here on only this connection's events count.
    pub(super) fn connected(&mut self, connection: u64, result: &Result<KeeperState, String>) {
        self.hold.connection = connection;
        let held = result.as_ref().is_ok_and(|keeper| keeper.held);
        self.hold.without_lock = (!held).then_some(self.now);
    }

    pub(super) fn keeper_open(&mut self, result: Result<KeeperState, String>) {
        let keeper = match result {
            Err(why) => {
                if self.steps.is_slowest() {
                    self.raise(format!("this host has no lock keeper: {why}"));
                }
                return self.again(KeeperWork::Open, why);
            }
            Ok(keeper) => keeper,
        };
        self.hold.opened = true;
        self.hold.opening = false;
        self.hold.standby = keeper.standby.clone();
        self.said.alarm = None;
        // This keeper tells it anew if it is still so.
        self.storage.full = false;
        self.steps.went_on();
        match (&keeper.claimed, keeper.controller) {
            _ if self.killing || self.state != State::Fencing => {
                if keeper.held {
                    self.lock_held();
                }
            }
            _ if self.found_paused(&keeper) => {}
            (Some((epoch, proof)), Some(pid)) if keeper.held && keeper.served => {
                // The agent was restarted; keeper and engine lived on, so there is nothing to prove.
                self.hold.held = true;
                self.claim.epoch = Some(*epoch);
                self.claim.proof = Some(proof.clone());
                self.claim.proved_at.clone_from(&keeper.proved_at);
                self.watch(pid);
                self.enter(State::Adopting);
                self.begin(Work::Attach);
            }
            (claimed, _) if keeper.processes > 0 => {
                // An engine without a claim of this keeper is an unfenced writer, whoever has the lock. One whose start was never
                // finished lacks definitions, and may listen with those of another configuration.
                self.hold.held = keeper.held;
                let what = match claimed {
                    Some(_) if keeper.held => "an engine with an incomplete start was found and is being killed",
                    _ => "engine processes without a fence were found and are being killed",
                };
                self.said.last_error = Some(what.to_owned());
                self.begin(Work::Kill);
            }
            _ if keeper.held => self.lock_held(),
            _ => {
                if let Some(holder) = keeper.holder {
                    self.said.last_error = Some(format!("waiting for the lock, held by {holder}"));
                }
                self.wait_for_owner();
            }
        }
    }

    pub(super) fn inspected(&mut self, result: Result<Inspection, String>) {
        if self.state != State::Fencing {
            return;
        }
        let found = match result {
            Err(why) => return self.again(KeeperWork::Inspect, why),
            Ok(found) => found,
        };
        let Some(identity) = &self.identity else { return };
        let me = ThisHost {
            instance: identity.instance.clone(),
            boot: identity.boot.clone(),
        };
        let mut inquiry = Inquiry::new(self.policy.inquiry, &me, &self.policy.file_system, &found, self.now);
        let next = inquiry.first();
        self.claim.inquiry = Some(inquiry);
        self.claim.record = Some(found.record);
        self.claim.data = found.data;
        self.follow(next);
    }

    fn follow(&mut self, next: Next) {
        if let Some(inquiry) = &self.claim.inquiry {
            self.said.last_error = Some(format!("waiting for {}", inquiry.waiting_for()));
            match (inquiry.alarm(), inquiry.previous()) {
                (Some(why), _) => self.raise(why),
                (None, Some(_)) => self.said.alarm = None,
                (None, None) => {}
            }
        }
        match next {
            Next::Start(proof) => self.proved(proof),
            Next::Look => self.begin(KeeperWork::Look),
            Next::CountLocal => self.begin(Work::CountLocal),
            Next::KillLocal => self.begin(Work::Kill),
            Next::AskCloud { instance, after } => self.after(after, Work::AskCloud(instance)),
            // The keeper answers whether the owner lives and is to go first for the lock.
            Next::Terminate { .. } if self.policy.succession == Succession::Standby => {
                self.begin(KeeperWork::StandBack)
            }
            Next::Terminate { instance } => self.begin(Work::Terminate(instance)),
            Next::UseWord { after } => self.after(after, Work::UseWord),
            Next::AwaitWord => {
                // Another instance would see the same; the data may come back meanwhile.
                if let Some(why) = self.without_word() {
                    self.refused(why, Work::Keeper(KeeperWork::Inspect));
                }
            }
            Next::Refuse(why) => {
                // Another instance would see the same data: replacing this one helps nobody.
                self.claim.inquiry = None;
                self.refused(why.to_string(), Work::Keeper(KeeperWork::Inspect));
            }
        }
    }

    /// Why nothing is created on an empty file system, while that is so.
    fn without_word(&self) -> Option<String> {
        let inquiry = self.claim.inquiry.as_ref()?;
        inquiry.empty().and_then(|_| inquiry.alarm())
    }

    fn proved(&mut self, proof: Proof) {
        self.said.last_error = None;
        self.said.alarm = None;
        self.claim.inquiry = None;
        self.claim(proof);
    }

    /// A person's word counts if it is about what is waited for.
    pub(super) fn decide(&mut self, id: String, word: Word) {
        let taken = match &self.claim.inquiry {
            Some(inquiry) if self.hold.held => inquiry.decide(&word),
            _ => Err(DecisionRefused::NothingToDecide),
        };
        let refused = taken.as_ref().err().map(ToString::to_string);
        self.claim.decision = Some(Decision { id, word, refused });
        if let Ok(proof) = taken {
            self.drop_work();
            self.proved(proof);
        }
    }

    fn answer(&mut self, answer: &Answer) {
        let now = self.now;
        if let Some(inquiry) = self.claim.inquiry.as_mut() {
            let next = inquiry.step(now, answer);
            self.follow(next);
        }
    }

    pub(super) fn previous(&mut self, result: Result<CloudState, String>) {
        match result {
            Ok(state) => self.answer(&Answer::Previous(state)),
            Err(why) => {
                self.answer(&Answer::Failed);
                self.said.last_error = Some(why);
            }
        }
    }

    pub(super) fn looked(&mut self, result: Result<Looked, String>) {
        match result {
            Ok(Looked::Alive(alive)) => self.answer(&Answer::SignOfLife(alive)),
            Ok(Looked::Changed) => {
                // Let go meanwhile, most likely.
                self.claim.inquiry = None;
                self.begin(KeeperWork::Inspect);
            }
            Err(why) => {
                self.answer(&Answer::Failed);
                self.said.last_error = Some(why);
            }
        }
    }

    pub(super) fn word_used(&mut self, result: Result<CreateWord, String>) {
        match result {
            Ok(word) => self.answer(&Answer::Word(word)),
            Err(why) => {
                self.answer(&Answer::Failed);
                self.said.last_error = Some(why);
            }
        }
    }

    pub(super) fn termination_ordered(&mut self, result: Result<(), String>) {
        match result {
            Ok(()) => self.answer(&Answer::TerminationOrdered),
            Err(why) => {
                self.answer(&Answer::Failed);
                self.said.last_error = Some(why);
            }
        }
    }

    pub(super) fn local_processes(&mut self, result: Result<usize, String>) {
        let left = match result {
            Err(why) => return self.again(Work::Kill, why),
            Ok(left) => left,
        };
        if self.state == State::Fencing && self.claim.inquiry.is_some() {
            self.killing = false;
            return self.answer(&Answer::LocalProcesses(left));
        }
        if left > 0 {
            // A process in an uninterruptible wait on stalled storage survives SIGKILL; nothing starts beside it.
            return self.again(Work::Kill, format!("{left} engine processes cannot be killed"));
        }
        self.killing = false;
        match self.state {
            State::Fencing if self.hold.held => self.lock_held(),
            State::Fencing if self.hold.opened => self.wait_for_owner(),
            State::Fencing => self.open_keeper(),
            State::Restarting => {
                let previous = self.identity.as_ref().map(|i| AsWritten::Id(i.instance.clone()));
                self.claim(Proof {
                    kind: ProofKind::SameHost,
                    previous,
                });
            }
            State::Draining => self.stopped_engine(),
            State::HandingOver => self.let_go_to_other(),
            State::Condemned => self.condemned_engine_gone(),
            State::Stopped => self.let_go_late(),
            _ => {}
        }
    }

    fn claim(&mut self, proof: Proof) {
        self.mark(mark::PROOF, proof.to_string());
        self.claim.proof = Some(proof.clone());
        self.claim.proved_at = None;
        self.begin(KeeperWork::Claim(proof));
    }

    pub(super) fn claimed(&mut self, result: Result<Claimed, ClaimError>) {
        match result {
            Ok(Claimed { epoch, paused }) => {
                self.claim.epoch = Some(epoch);
                if let Some(pause) = paused {
                    self.hands_off(pause);
                } else if self.engine.adopted {
                    self.start();
                } else {
                    self.enter(State::Adopting);
                    self.begin(Work::Adopt(self.claim.data));
                }
            }
            Err(ClaimError::Changed) => {
                self.said.last_error = Some("the owner record changed under the lock".to_owned());
                self.enter(State::Fencing);
                self.claim.epoch = None;
                self.begin(KeeperWork::Inspect);
            }
            Err(ClaimError::Failed(why)) => match self.claim.proof.clone() {
                Some(proof) => self.again(KeeperWork::Claim(proof), why),
                None => self.begin(KeeperWork::Inspect),
            },
        }
    }

    /// The keeper's process is gone. Whatever lives on of the engine, and however long: the next keeper is opened at once,
    /// since it guards what the dead one guarded.
    pub(super) fn keeper_gone(&mut self) {
        if self.hold.let_go && self.state == State::Fencing {
            // It has let go for another host, and the next one waits with that.
            self.hold.let_go = false;
            self.open_keeper();
        } else if self.hold.let_go || matches!(self.state, State::Booting | State::Mounting) {
            (self.hold.held, self.hold.opened) = (false, false);
        } else if self.hold.released || self.state == State::Stopped {
            self.open_keeper();
        } else {
            self.hold.opening = true;
            self.lost("the lock keeper exited");
        }
    }

    /// The lock is lost or its keeper is gone: nothing of the engine may live on.
    pub(super) fn lost(&mut self, why: &str) {
        self.hold.held = false;
        self.hold.opened = false;
        self.end.replacing = false;
        if self.hold.released || matches!(self.state, State::Booting | State::Mounting | State::Stopped) {
            return;
        }
        self.said.last_error = Some(why.to_owned());
        self.uncount_death();
        self.drop_work();
        self.engine.controller = None;
        // Another host may own the data before this one does again, and bring them to a level of its own.
        self.engine.adopted = false;
        self.claim.epoch = None;
        // Read again with the next claim.
        self.paused = None;
        if !matches!(self.state, State::Draining | State::Condemned) {
            self.enter(State::Fencing);
        }
        self.begin(Work::Kill);
    }
}

//! An operator's stop. It is a state of the data and not of a host: it is kept beside the owner record, read with every claim, and no
//! start goes without a claim. So it outlasts this agent, its keeper, and this host.

use super::core::SingleWriter;
use super::state::State;
use crate::agent::duty::{Ordered, Timer, Work};
use crate::agent::keeper::{KeeperState, KeeperWork};
use crate::model::agent::Pause;

impl SingleWriter {
    /// Whoever asks waits until the status says so: a stop that is not on stable storage is none.
    pub(super) fn pause(&mut self, pause: Pause) {
        if self.state == State::Serving {
            self.begin(KeeperWork::Pause(Some(pause)));
        }
    }

    pub(super) fn resume(&mut self) {
        if self.state == State::Paused && self.paused.is_some() {
            self.begin(KeeperWork::Pause(None));
        }
    }

    pub(super) fn pause_kept(&mut self, result: Result<Option<Pause>, String>) {
        match (result, self.state) {
            (Err(why), State::Serving | State::Paused) => self.said.last_error = Some(why),
            (Ok(Some(pause)), State::Serving) => self.hands_off(pause),
            (Ok(None), State::Paused) => {
                self.paused = None;
                // What happened in between is unknown: look first.
                self.begin(Work::Find);
            }
            _ => {}
        }
    }

    /// From here on nothing of this agent starts, checks or ends the engine, but for what the fence demands.
    pub(super) fn hands_off(&mut self, pause: Pause) {
        self.steps.clear(Timer::Health);
        self.said.last_error = None;
        self.said.alarm = None;
        self.enter(State::Paused);
        self.paused = Some(pause);
        if !self.signalled {
            // All is done that the operator allows: a stack that waits need not wait for the operator.
            self.begin(Work::Signal { success: true });
        }
    }

    /// The agent was restarted beside a keeper that has the data, and an operator's stop is in force.
    pub(super) fn found_paused(&mut self, keeper: &KeeperState) -> bool {
        let (true, Some(claimed), Some(pause)) = (keeper.held, &keeper.claimed, &keeper.paused) else {
            return false;
        };
        self.hold.held = true;
        self.claim.epoch = Some(claimed.0);
        self.claim.proof = Some(claimed.1.clone());
        self.claim.proved_at.clone_from(&keeper.proved_at);
        self.engine.whole = keeper.served;
        if let Some(pid) = keeper.controller {
            self.watch(pid);
        }
        self.hands_off(pause.clone());
        true
    }

    pub(super) fn found(&mut self, controller: Option<i32>) {
        if self.state != State::Paused || self.paused.is_some() {
            return;
        }
        if let Some(pid) = controller
            && self.engine.controller != Some(pid)
        {
            self.watch(pid);
        }
        match controller {
            Some(_) if self.engine.adopted => {
                self.enter(State::Starting);
                self.begin(Work::Accept);
            }
            Some(_) if self.engine.whole => {
                self.enter(State::Adopting);
                self.begin(Work::Attach);
            }
            None if self.engine.adopted => self.restart(
                "the engine was stopped while the agent was paused".to_owned(),
                Ordered(true),
            ),
            // This agent never started it: from the record on, which also ends what somebody else started without its definitions.
            _ => {
                self.engine.controller = None;
                self.enter(State::Fencing);
                self.begin(Work::Kill);
            }
        }
    }
}

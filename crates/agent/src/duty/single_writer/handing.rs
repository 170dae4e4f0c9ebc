//! A planned move: the engine is ended in order, the data let go, and this host waits as the other one did.
//!
//! The other host finds the record released, which is its proof, `clean`. It goes first for the lock: the next keeper of a host that let go
//! by itself, beside one that waits, leaves the lock alone for a while ([`crate::agent::keeper`]).

use super::core::{Course, SingleWriter};
use super::policy::Succession;
use super::state::State;
use super::waiting::Waiting;
use crate::agent::duty::Work;
use crate::agent::keeper::KeeperWork;
use crate::model::agent::mark;

impl SingleWriter {
    /// Whoever asks has looked whether a host is ready; that may have changed since.
    pub(super) fn hand_over(&mut self, unready: bool) {
        let waits = self.policy.succession == Succession::Standby && (self.hold.standby.is_some() || unready);
        if self.state != State::Serving || !waits {
            return;
        }
        let to = match &self.hold.standby {
            Some(standby) => format!("{standby}, which is ready to take over"),
            None => "no host that is known to be ready".to_owned(),
        };
        self.drop_work();
        self.enter(State::HandingOver);
        self.mark(mark::DRAINING, format!("an operator moves the queue manager to {to}"));
        self.begin(Work::EndForMove(self.policy.stop));
    }

    /// Nothing of the engine is left.
    pub(super) fn let_go_to_other(&mut self) {
        self.engine.controller = None;
        if self.hold.held {
            self.begin(KeeperWork::Release { condemned: false });
        }
    }

    /// The data is let go, or could not be: then it is still this host's, which starts again.
    pub(super) fn handed_over(&mut self, result: Result<(), String>) {
        match result {
            Err(why) => {
                self.said.last_error = Some(format!("the queue manager was not moved: {why}"));
                self.enter(State::Restarting);
                self.begin(Work::Kill);
            }
            Ok(()) => {
                self.mark(mark::STOPPED, "");
                self.hold.held = false;
                self.hold.let_go = true;
                self.hold.standby = None;
                self.claim.epoch = None;
                self.claim.proof = None;
                self.claim.record = None;
                // The other host may bring the data to a level of its own: all is looked at again before the next start here.
                self.engine = Course {
                    accounts: self.engine.accounts,
                    deaths: std::mem::take(&mut self.engine.deaths),
                    restarts: self.engine.restarts,
                    ..Course::default()
                };
                self.waiting = Waiting::default();
                self.said.last_error = None;
                self.enter(State::Fencing);
            }
        }
    }
}

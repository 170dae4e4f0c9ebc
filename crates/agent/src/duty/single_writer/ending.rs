//! Giving up, draining, stopping.

use super::core::SingleWriter;
use super::state::State;
use crate::agent::duty::{Action, DrainReason, Timer, Work};
use crate::agent::keeper::KeeperWork;
use crate::agent::ports::SignalResult;
use crate::fence::RecordView;
use crate::model::agent::mark;
use std::time::Duration;

impl SingleWriter {
    /// This instance gives up: the engine is killed, the data let go, a replacement asked for.
    pub(super) fn condemn(&mut self, why: String) {
        self.drop_work();
        self.engine.controller = None;
        self.enter(State::Condemned);
        self.mark(mark::CONDEMNED, why.clone());
        self.said.last_error = Some(why.clone());
        self.end.condemned = Some(why);
        self.begin(Work::Kill);
    }

    pub(super) fn condemned_engine_gone(&mut self) {
        if self.hold.held && !self.hold.released {
            let condemned = !self.served;
            self.begin(KeeperWork::Release { condemned });
        } else if self.end.replacing {
            self.let_go_late();
        } else {
            self.ask_for_replacement();
        }
    }

    /// The keeper could not let go before, or came back after the end of the engine: nobody needs the lock here.
    pub(super) fn let_go_late(&mut self) {
        if self.hold.held && !self.hold.let_go {
            let condemned = self.state == State::Condemned && !self.served;
            self.begin(KeeperWork::Release { condemned });
        }
    }

    fn ask_for_replacement(&mut self) {
        self.end.replacing = true;
        if self.signalled {
            self.report();
        } else {
            self.begin(Work::Signal { success: false });
        }
    }

    /// Neither this nor another instance like it can start: say so to a stack that waits, and keep looking.
    pub(super) fn refused(&mut self, why: String, look: Work) {
        self.said.last_error = Some(why.clone());
        self.raise(why.clone());
        self.end.condemned = Some(why);
        self.after(self.policy.refused, look);
        if !self.signalled {
            // A stack that waits ends this instance as soon as it hears of it: whoever deploys must have heard why.
            self.steps.set(Timer::Refusal, self.policy.last_words);
        }
    }

    /// Nobody who asked can have missed why.
    pub(super) fn last_words_over(&mut self) {
        if !self.signalled && self.said.alarm.is_some() {
            self.begin(Work::Signal { success: false });
        }
    }

    pub(super) fn signal_done(&mut self, result: Result<SignalResult, String>) {
        self.signalled |= result.is_ok();
        match (result, self.state) {
            (Ok(taken), State::Condemned) => {
                // A stack that waits rolls back by itself; replacing the instance meanwhile would only hide the cause.
                if taken == SignalResult::NotWaiting {
                    self.report();
                }
            }
            (Err(why), State::Condemned) => {
                self.said.last_error = Some(why);
                self.report();
            }
            (Ok(_), _) => {}
            (Err(why), _) if self.is_standby() => self.again(Work::Signal { success: true }, why),
            (Err(why), State::Serving | State::Paused) => {
                // The engine serves whatever the stack believes; the next health check's timer is not disturbed.
                self.again(Work::Signal { success: true }, why);
            }
            (Err(why), _) => self.said.last_error = Some(why),
        }
    }

    fn report(&mut self) {
        let before = match &self.claim.record {
            // Who gave up on the original says nothing of the copy.
            Some(RecordView::Present(record)) if record.original(&self.policy.file_system).is_none() => {
                record.condemned
            }
            _ => 0,
        };
        if !self.served && before >= self.policy.replacement_limit {
            let why = self.end.condemned.clone().unwrap_or_default();
            self.said.last_error = Some(format!(
                "{before} previous instances also failed, so no further replacement is requested: {why}"
            ));
            return;
        }
        self.begin(Work::ReportUnhealthy);
    }

    pub(super) fn reported(&mut self, result: Result<(), String>) {
        if let (Err(why), State::Condemned | State::Stopped) = (result, self.state) {
            self.again(Work::ReportUnhealthy, why);
        }
    }

    pub(super) fn begin_drain(&mut self, reason: DrainReason) {
        if reason == DrainReason::Signal && self.state == State::Stopped {
            self.steps.act(Action::Exit);
            return;
        }
        if reason == DrainReason::Lifecycle && self.state == State::Stopped {
            // Drained for another reason before; now there is a hook that waits.
            self.end.drain = Some(reason);
            self.begin(Work::CompleteHook);
            return;
        }
        if reason == DrainReason::Pool && self.state == State::Booting {
            // It waits there already, and has touched nothing.
            return;
        }
        if reason == DrainReason::Signal && self.steps.is_due(&Work::CompleteHook) {
            // All else is done, and the host goes down: the group does not wait for this any more.
            self.end.drain = Some(reason);
            return self.stop();
        }
        let under_way = self.end.drain.is_some();
        if !under_way || reason == DrainReason::Signal {
            self.end.drain = Some(reason);
        }
        if under_way || self.state == State::Stopped {
            return;
        }
        let running = self.engine.controller.is_some();
        self.drop_work();
        self.paused = None;
        self.enter(State::Draining);
        let detail = match reason {
            DrainReason::Signal => "the service is being stopped",
            DrainReason::Lifecycle => "the group is terminating this instance",
            DrainReason::Notice => "EC2 has announced the termination or restart of this host",
            DrainReason::Pool => "the group is returning this instance to its warm pool",
        };
        self.mark(mark::DRAINING, detail);
        self.steps.set(Timer::Drain, self.policy.drain);
        if running {
            self.begin(Work::End(self.policy.stop));
        } else {
            self.begin(Work::Kill);
        }
    }

    pub(super) fn ended(&mut self, result: Result<(), String>) {
        if matches!(self.state, State::Draining | State::HandingOver) {
            if let Err(why) = result {
                self.said.last_error = Some(why);
            }
            // Also after an orderly end: only what is seen gone is gone.
            self.begin(Work::Kill);
        }
    }

    pub(super) fn stopped_engine(&mut self) {
        self.engine.controller = None;
        if self.hold.held && !self.hold.released {
            self.begin(KeeperWork::Release { condemned: false });
        } else {
            self.stopped();
        }
    }

    pub(super) fn released(&mut self, result: Result<(), String>) {
        if self.state == State::HandingOver {
            return self.handed_over(result);
        }
        self.hold.let_go |= result.is_ok();
        if let Err(why) = result {
            // The record stays as it is; the successor then needs another proof than `clean`.
            match self.state {
                State::Condemned | State::Stopped => self.again(Work::Kill, why),
                _ => self.said.last_error = Some(why),
            }
        }
        self.hold.released = true;
        self.hold.held &= !self.hold.let_go;
        match self.state {
            State::Draining => self.stopped(),
            State::Condemned if !self.end.replacing => self.ask_for_replacement(),
            _ => {}
        }
        // Only now: the mark of the stop still belongs to the epoch that ends with it.
        self.claim.epoch = None;
    }

    fn stopped(&mut self) {
        self.mark(mark::STOPPED, "");
        self.begin(Work::CompleteHook);
    }

    pub(super) fn hook_completed(&mut self, result: Result<(), String>) {
        match (result, self.state) {
            (Err(why), State::Draining | State::Stopped) if self.end.drain == Some(DrainReason::Lifecycle) => {
                // Whoever asks what happened wants to hear why this instance gave up, and not what its end waits for.
                let why = self.end.condemned.clone().unwrap_or(why);
                self.again(Work::CompleteHook, why);
            }
            (_, State::Draining) => self.stop(),
            _ => {}
        }
    }

    pub(super) fn drain_time_over(&mut self) {
        if self.state == State::Draining && !self.steps.is_due(&Work::CompleteHook) {
            // Something does not die or does not answer. Without a release the successor waits for EC2's word.
            self.said.last_error = Some("the drain timed out and was abandoned".to_owned());
            self.drop_work();
            self.begin(Work::CompleteHook);
            self.end.drain = Some(self.end.drain.unwrap_or(DrainReason::Lifecycle));
            self.steps.set(Timer::Drain, Duration::from_secs(30));
        }
    }

    fn stop(&mut self) {
        self.drop_work();
        self.enter(State::Stopped);
        self.steps.clear(Timer::Drain);
        if self.hold.held && !self.hold.let_go {
            self.begin(Work::Kill);
        }
        match self.end.drain {
            Some(DrainReason::Signal | DrainReason::Pool) => self.steps.act(Action::Exit),
            // The host lives on and looks healthy to the group, which would wait for its end.
            Some(DrainReason::Notice) => self.begin(Work::ReportUnhealthy),
            Some(DrainReason::Lifecycle) | None => {}
        }
    }
}

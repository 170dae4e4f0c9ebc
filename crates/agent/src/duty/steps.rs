//! What a duty has ordered, and what it orders again.

use super::event::{Action, Timer, Work};
use std::time::Duration;

/// The actions of one turn, the generation in which work is ordered, and the work that is ordered again after a wait.
#[derive(Debug, Clone)]
pub struct Steps {
    generation: u64,
    actions: Vec<Action>,
    /// What is ordered again when [`Timer::Retry`] ends; each once.
    retry: Vec<Work>,
    wait: Duration,
    quickest: Duration,
    slowest: Duration,
}

impl Steps {
    /// Nothing is ordered yet. The wait before a step is repeated begins at `quickest` and doubles up to `slowest`.
    pub fn new(quickest: Duration, slowest: Duration) -> Self {
        Self {
            generation: 0,
            actions: Vec::new(),
            retry: Vec::new(),
            wait: quickest,
            quickest,
            slowest,
        }
    }

    /// The generation of work that is not yet stale.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The actions of this turn.
    pub(crate) fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// One action more.
    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Orders a piece of work.
    pub(crate) fn order(&mut self, work: Work) {
        self.act(Action::Do {
            generation: self.generation,
            work,
        });
    }

    /// Orders it when this wait is over, with whatever else is ordered then.
    pub(crate) fn order_after(&mut self, wait: Duration, work: Work) {
        if !self.retry.contains(&work) {
            self.retry.push(work);
        }
        self.set(Timer::Retry, wait);
    }

    /// Whether this is ordered after a wait.
    pub(crate) fn is_due(&self, work: &Work) -> bool {
        self.retry.contains(work)
    }

    /// What is due, once [`Timer::Retry`] has ended.
    pub(crate) fn take_due(&mut self) -> Vec<Work> {
        std::mem::take(&mut self.retry)
    }

    /// The wait before the step that failed is repeated; the next one is longer.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let wait = self.wait;
        self.wait = (wait * 2).min(self.slowest);
        wait
    }

    /// The next wait is the shortest again.
    pub(crate) fn went_on(&mut self) {
        self.wait = self.quickest;
    }

    /// Whether waits do not become longer any more.
    pub(crate) fn is_slowest(&self) -> bool {
        self.wait >= self.slowest
    }

    /// Drops whatever is under way: its results no longer count.
    pub(crate) fn drop_work(&mut self) {
        self.generation += 1;
        self.retry.clear();
        self.clear(Timer::Retry);
        self.clear(Timer::Health);
    }

    /// Starts a timer, or starts it anew.
    pub fn set(&mut self, timer: Timer, after: Duration) {
        self.act(Action::Set(timer, after));
    }

    /// Forgets a timer.
    pub(crate) fn clear(&mut self, timer: Timer) {
        self.act(Action::Clear(timer));
    }
}

//! Watching an operation: how often to look, how long to bear failed calls, who is told, and when to stop.

use super::progress::{News, Work};
use crate::cloud::AwsError;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often to look, and how long to go on while calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Pause between two looks at a stack.
    pub poll: Duration,
    /// Pause between two readings of an agent, which cost a command each.
    pub agent: Duration,
    /// How long calls may fail in a row before the watch ends with an error.
    pub patience: Duration,
    /// How long service may take to show after the stack is there.
    pub service: Duration,
    /// How long CloudFormation may take to compute a change set.
    pub review: Duration,
    /// How long an operation on a stack, such as its deletion, is followed; `None`: to its end.
    pub operation: Option<Duration>,
}

impl Pace {
    /// For AWS: events every 2 s are what CloudFormation's rate limits bear.
    pub const AWS: Self = Self {
        poll: Duration::from_secs(2),
        agent: Duration::from_secs(10),
        patience: Duration::from_secs(120),
        service: Duration::from_secs(300),
        review: Duration::from_secs(300),
        operation: None,
    };
    /// For a cloud on this machine.
    pub const LOCAL: Self = Self {
        poll: Duration::from_millis(100),
        agent: Duration::from_millis(500),
        patience: Duration::from_secs(20),
        // With `--timing aws` a target's registration alone is assumed to take 90 s.
        service: Duration::from_secs(240),
        review: Duration::from_secs(60),
        operation: None,
    };

    /// The same pace with one limit for each of the waits: for a change set, for an operation, and for service.
    #[must_use]
    pub fn within(self, limit: Option<Duration>) -> Self {
        match limit {
            None => self,
            Some(limit) => Self {
                review: limit,
                service: limit,
                operation: Some(limit),
                ..self
            },
        }
    }
}

/// Bears failed calls for a bounded time.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Duration,
    since: Option<Instant>,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, since: None }
    }

    /// The value; `None` when the call failed in a way that may pass and the time is not yet up.
    pub(super) fn bear<T>(&mut self, result: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
        match result {
            Ok(value) => {
                self.since = None;
                Ok(Some(value))
            }
            Err(error) if error.is_transient() => {
                let since = *self.since.get_or_insert_with(Instant::now);
                if since.elapsed() < self.limit {
                    Ok(None)
                } else {
                    Err(error)
                }
            }
            Err(error) => Err(error),
        }
    }
}

/// What goes on, for those who watch.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// Something is waited for.
    Waiting(String),
    /// Something was done or found that is worth a line.
    Note(String),
    /// Work on a resource began, ended or failed; with resources done and their number.
    News {
        /// What happened.
        news: News,
        /// Resources done.
        done: usize,
        /// Resources in all.
        total: usize,
    },
    /// What is being worked on.
    Working {
        /// The resources.
        on: Vec<Work>,
        /// Resources done.
        done: usize,
        /// Resources in all.
        total: usize,
    },
}

/// Is told what goes on.
pub trait Observer {
    /// Takes one step; called often, must not block.
    fn tell(&mut self, step: Step);
}

impl<F: FnMut(Step)> Observer for F {
    fn tell(&mut self, step: Step) {
        self(step);
    }
}

/// The user's wish to stop: `true` once it is there.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Follows a channel that becomes `true` when the user wants to stop.
    pub fn new(requested: watch::Receiver<bool>) -> Self {
        Self(requested)
    }

    /// Never stops.
    pub fn never() -> Self {
        Self(watch::channel(false).1)
    }

    /// Whether to stop.
    pub fn requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Does something that may be left undone; `None` as soon as it is time to stop.
    pub(super) async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut requested = self.0.clone();
        let asked = async {
            if requested.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            done = work => Some(done),
            () = asked => None,
        }
    }

    /// Waits for a while; returns at once when it is time to stop.
    pub(super) async fn pause(&self, time: Duration) {
        let mut requested = self.0.clone();
        let asked = async {
            // Asked before: only the pause is left, or those who clean up would spin.
            if self.requested() || requested.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = asked => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Problem;

    #[test]
    fn patience_bears_what_may_pass_and_ends() {
        let mut patience = Patience::new(Duration::from_secs(60));
        assert!(matches!(
            patience.bear::<()>(Err(AwsError::test(Problem::Throttled))),
            Ok(None)
        ));
        assert!(matches!(patience.bear(Ok(1)), Ok(Some(1))));
        assert!(patience.bear::<()>(Err(AwsError::test(Problem::Expired))).is_err());
        let mut none = Patience::new(Duration::ZERO);
        assert!(none.bear::<()>(Err(AwsError::test(Problem::Throttled))).is_err());
    }
}

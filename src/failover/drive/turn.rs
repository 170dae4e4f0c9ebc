//! The mark of a test on its stack while it runs, and the end of both.

use super::error::FailoverError;
use super::journal::Journal;
use super::port::CloudError;
use super::preflight;
use super::session::Session;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How often the mark on the stack is renewed, and how often it is looked at: who takes it away takes the queues too, and every second
/// under load without them is one of a measurement that is none.
const RENEW: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_secs(5);

/// So many looks in a row that a local cloud does not answer at all, with its own route for faults, which no fault closes, and it is gone.
const GONE: u32 = 2;

/// How long the end of a test may take to clean up.
const CLEANED_UP: Duration = Duration::from_secs(120);

/// How a test was cleaned up.
pub(super) struct CleanUp {
    /// What could not be undone.
    pub(super) left: Vec<String>,
    /// Whether somebody had taken the mark away.
    pub(super) interfered: bool,
}

impl Session<'_> {
    /// Looks after the mark for as long as it is this test's; returns when it is not any more.
    pub(super) async fn keep_turn(&self) -> FailoverError {
        let mut renewed = Instant::now();
        let mut silent = 0;
        loop {
            sleep(LOOK).await;
            silent = if self.place_answers().await { 0 } else { silent + 1 };
            if silent >= GONE {
                return FailoverError::PlaceGone;
            }
            if renewed.elapsed() < RENEW {
                match self.cloud.turn(&self.target).await {
                    Ok(Some(turn)) if turn.holder == self.holder => continue,
                    Ok(_) => {}
                    // A failed call is no sign; the mark outlasts many of them.
                    Err(_) => continue,
                }
            }
            match self.is_ours().await {
                Ok(true) => renewed = Instant::now(),
                Ok(false) => return self.turn_lost(),
                Err(_) => {}
            }
        }
    }

    /// Whether the place of the test is there: a local cloud can be ended under it.
    pub(super) async fn place_answers(&self) -> bool {
        self.target.lab.is_none() || self.cloud.cloud_faults().await.is_ok()
    }

    /// Whether it is gone: one question that a busy machine does not answer is no sign.
    pub(super) async fn place_is_gone(&self) -> bool {
        for _ in 0..=GONE {
            if self.place_answers().await {
                return false;
            }
            sleep(LOOK).await;
        }
        true
    }

    pub(super) fn turn_lost(&self) -> FailoverError {
        FailoverError::TurnLost {
            stack: self.target.stack.clone(),
        }
    }

    /// Renews the mark and says whether it was there to be renewed; asked twice, since a tag may be read late.
    pub(super) async fn is_ours(&self) -> Result<bool, CloudError> {
        let keep = || self.cloud.keep_turn(&self.target, &self.holder);
        if keep().await? {
            return Ok(true);
        }
        sleep(Duration::from_secs(2)).await;
        keep().await
    }

    /// Undoes what was changed, within a bounded time.
    pub(super) async fn clean_up(&self, journal: &mut Journal) -> CleanUp {
        let mut interfered = false;
        let work = async {
            // The queues have one name for all tests: another test may be at work on them by now.
            if let Ok(false) = self.is_ours().await {
                interfered = true;
                journal.probe_queues = false;
            }
            let serving = preflight::serving(self.cloud.as_ref(), &self.target, Duration::from_secs(30))
                .await
                .ok();
            let instance = serving.as_ref().map(|(instance, _)| &instance.id);
            journal
                .undo(self.cloud.as_ref(), &self.target, instance, &self.holder)
                .await
        };
        let left = match timeout(CLEANED_UP, work).await {
            Ok(left) => left,
            Err(_) => {
                let mut left = journal.remains(&self.target);
                left.push(format!("the mark of a test on stack {}", self.target.stack));
                let last = left.len() - 1;
                left[last] += &format!(" (not cleaned up within {} s)", CLEANED_UP.as_secs());
                left
            }
        };
        CleanUp { left, interfered }
    }
}

//! Empties the queue before anything is said about loss: by the broker's depth and by the ids.

use super::port::{Probe, Target, TestBed};
use super::round::{Round, nanos};
use crate::failover::measure::account::Drain;
use crate::failover::scenario::Pace;
use crate::model::InstanceId;
use crate::remedy::chain;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How often is looked whether everything came.
const LOOK: Duration = Duration::from_millis(5);

/// What a drain came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Drained {
    pub drain: Drain,
    /// Depth as the broker said last; `None` when it never answered.
    pub depth: Option<u64>,
    /// Why the broker could not be asked, when it could not be.
    pub trouble: Option<String>,
}

/// Waits until the queue is empty; consumers must be at work.
pub(super) async fn drain(
    cloud: &dyn TestBed,
    target: &Target,
    round: &Round,
    instance: &InstanceId,
    queue: &str,
    pace: &Pace,
    every: Duration,
) -> Drained {
    let began = Instant::now();
    let began_ns = round.now_ns();
    let mut last = Drained {
        drain: Drain::Incomplete,
        depth: None,
        trouble: None,
    };
    let mut gone = 0;
    while began.elapsed() < pace.drain_timeout {
        let (seen_all, quiet) = {
            let idle_since = round.last_receipt_ns().max(began_ns);
            (
                round.waiting() == 0,
                round.now_ns().saturating_sub(idle_since) >= nanos(pace.drain_idle),
            )
        };
        // Asking costs a command on the instance, so the ids come first.
        if seen_all || quiet {
            match cloud.probe(target, instance, Probe::Depth).await {
                Ok(report) => {
                    let depth = report.queues.iter().find(|one| one.name == queue).map(|one| one.depth);
                    last.trouble = depth.is_none().then(|| format!("queue {queue} does not exist"));
                    last.depth = depth;
                    gone = if depth.is_none() { gone + 1 } else { 0 };
                }
                Err(error) => last.trouble = Some(chain(&error)),
            }
            // The broker has answered, and has no such queue: what was in it does not come any more.
            if gone > 1 && quiet {
                return Drained {
                    drain: Drain::IdleOut,
                    ..last
                };
            }
            if last.depth == Some(0) && last.trouble.is_none() {
                if all_acknowledged_received(round) {
                    return Drained {
                        drain: Drain::Complete,
                        ..last
                    };
                }
                if quiet {
                    return Drained {
                        drain: Drain::IdleOut,
                        ..last
                    };
                }
            }
        }
        // Looking at the ids costs nothing.
        sleep(if seen_all || quiet { every } else { every.min(LOOK) }).await;
    }
    last
}

/// By the ids themselves: what came without an acknowledgement must not make up for what did not come.
fn all_acknowledged_received(round: &Round) -> bool {
    let ledger = round.ledger();
    crate::failover::measure::account::Account::of(&ledger, Drain::Complete)
        .persistent
        .missing
        == 0
}

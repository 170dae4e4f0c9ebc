//! Watches the workers from the fault on: did anybody notice, and is everybody served again?

use super::inject::FaultEvidence;
use super::port::{Target, TestBed};
use super::round::Round;
use crate::failover::measure::connection::ConnectionChange;
use crate::failover::measure::gap::{self, Worker};
use crate::failover::measure::targets::Look;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// A fault that was not seen to have happened gets this long to show an effect.
const UNSEEN: Duration = Duration::from_secs(10);

/// How often the workers are looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For service, from the fault on.
    pub limit: Duration,
    /// For anybody to notice a fault that happened.
    pub unnoticed: Duration,
    /// For how long service must stay.
    pub settle: Duration,
}

/// How the wait for service ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recovery {
    /// Everybody who noticed is served again, and stayed so for the time asked for.
    Back,
    /// Somebody is not served.
    Down,
    /// Nobody noticed anything.
    NoEffect,
}

/// Waits until everybody is served again and stays so for a time, at most until a limit after the fault, or after the last time at
/// which somebody was not served any more; a service that comes and goes is not waited for for ever.
pub(super) async fn recovery(
    round: &Round,
    workers: &[Worker],
    backlog: u64,
    asked_ns: u64,
    seen: watch::Receiver<FaultEvidence>,
    waits: Patience,
) -> Recovery {
    let Patience {
        limit,
        unnoticed,
        settle,
    } = waits;
    let since = |from_ns: u64| Duration::from_nanos(round.now_ns().saturating_sub(from_ns));
    let usual = gap::patience(&round.ledger(), workers, asked_ns);
    let mut back_at: Option<u64> = None;
    let mut down_ns = asked_ns;
    loop {
        let noticed = disturbed(round, asked_ns);
        let served = !noticed.is_empty() && all_served(round, &usual, backlog, asked_ns);
        match (served, back_at) {
            (true, None) => back_at = Some(round.now_ns()),
            (true, Some(at)) if since(at) >= settle => return Recovery::Back,
            (false, Some(_)) => (back_at, down_ns) = (None, round.now_ns()),
            _ => {}
        }
        let patience = if !noticed.is_empty() {
            limit
        } else if seen.borrow().verified {
            unnoticed
        } else {
            unnoticed.min(UNSEEN)
        };
        let flaps = since(asked_ns) > (patience + settle).saturating_mul(3);
        if back_at.is_none() && (since(down_ns) > patience || flaps) {
            return if noticed.is_empty() {
                Recovery::NoEffect
            } else {
                Recovery::Down
            };
        }
        sleep(LOOK).await;
    }
}

/// Workers that lost their connection after the fault was asked for.
pub(super) fn disturbed(round: &Round, asked_ns: u64) -> Vec<Worker> {
    let mut workers: Vec<Worker> = round
        .notes()
        .iter()
        .filter(|note| note.at_ns >= asked_ns && matches!(note.what, ConnectionChange::Lost(_)))
        .map(|note| note.worker)
        .collect();
    workers.sort_unstable();
    workers.dedup();
    workers
}

/// Every producer succeeded on its present connection; every consumer has one, and succeeded unless others took all there was. And
/// nobody waits for longer than is usual since: a success is no sign of service for ever.
fn all_served(round: &Round, usual: &BTreeMap<Worker, u64>, backlog: u64, asked_ns: u64) -> bool {
    let notes = round.notes();
    let now_ns = round.now_ns();
    let present = |worker: Worker| {
        let last = notes.iter().rfind(|note| note.worker == worker)?;
        (last.what == ConnectionChange::Connected).then_some(last.at_ns.max(asked_ns))
    };
    let succeeded =
        |worker: &Worker| present(*worker).is_some_and(|since| round.last_ok_ns(*worker).is_some_and(|at| at > since));
    // Messages beyond the backlog are held back by no consumer.
    let hungry = round.waiting() > backlog;
    let fed = |worker: &Worker, usual_ns: u64| {
        !hungry || (round.last_ok_ns(*worker)).is_some_and(|at| now_ns.saturating_sub(at) <= usual_ns)
    };
    let mut consumers = usual.iter().filter(|one| matches!(one.0, Worker::Consumer(_)));
    usual.iter().all(|(worker, &usual_ns)| match worker {
        Worker::Producer(number) => {
            let waits_since = round.waits_since_ns(*number);
            succeeded(worker) && waits_since.is_none_or(|since| now_ns.saturating_sub(since) <= usual_ns)
        }
        Worker::Consumer(_) => present(*worker).is_some(),
    }) && consumers.any(|(worker, &usual_ns)| succeeded(worker) && fed(worker, usual_ns))
}

/// What the load balancer said of its targets, look by look.
pub(super) type Health = Arc<Mutex<Vec<Look>>>;

/// Looks at the load balancer's targets until it is dropped.
pub(super) async fn watch_targets(
    cloud: Arc<dyn TestBed>,
    target: Target,
    round: Arc<Round>,
    every: Duration,
    health: Health,
) {
    loop {
        // A failed call is a hole in the record, not an unhealthy target.
        match cloud.targets(&target).await {
            Ok(None) => return,
            Ok(Some(targets)) => {
                let mut seen = health.lock().unwrap_or_else(PoisonError::into_inner);
                let at_ns = round.now_ns();
                seen.push(Look { at_ns, targets });
            }
            Err(_) => {}
        }
        sleep(every).await;
    }
}

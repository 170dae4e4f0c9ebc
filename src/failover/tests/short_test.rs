//! A short test against the fakes, and what tests want to know of it.

use super::fake_cloud::FakeCloud;
use super::relay::Relay;
use crate::failover::measure::verdict::Verdict;
use crate::failover::{FailoverError, Fault, Faults, Load, Report, Scenario, Times, Watch, never, run};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A test of a few seconds with these faults, one after the other.
pub(super) fn scenario(faults: &[Fault]) -> Scenario {
    Scenario {
        faults: Faults::Named(faults.to_vec()),
        load: Load {
            producers: 2,
            rate: 100,
            consumers: 2,
            size: 128,
            backlog: 100,
            ..Load::default()
        },
        times: Times {
            baseline: Some(Duration::from_millis(1200)),
            settle: Some(Duration::from_millis(300)),
            recovery_timeout: Some(Duration::from_secs(8)),
            drain_timeout: Some(Duration::from_secs(8)),
            drain_idle: Some(Duration::from_secs(1)),
            whole: None,
        },
        ..Scenario::new("mqaws-qm1", faults[0])
    }
}

/// Runs a test on the fake cloud.
pub(super) async fn test(cloud: &Arc<FakeCloud>, scenario: &Scenario) -> Result<Report, FailoverError> {
    run(cloud.clone(), scenario, &(), never()).await
}

/// Names of the checks that did not pass, in all rounds.
pub(super) fn failing(report: &Report) -> Vec<&str> {
    let checks = report.runs.iter().flat_map(|run| &run.thresholds);
    checks
        .filter(|check| check.verdict != Verdict::Pass)
        .map(|check| check.name.as_str())
        .collect()
}

/// Does something when the test comes to this place.
pub(super) struct When<F>(pub &'static str, pub F);

impl<F: Fn() + Send + Sync> Watch for When<F> {
    fn doing(&self, what: &str) {
        if what.contains(self.0) {
            self.1();
        }
    }
}

/// A short test that kills the queue manager once.
pub(super) fn kill() -> Scenario {
    scenario(&[Fault::KillQueueManager])
}

/// A short test whose clients reach the broker through a relay.
pub(super) async fn through_relay(
    cloud: &Arc<FakeCloud>,
    relay: &Arc<Relay>,
    watch: &dyn Watch,
) -> Result<Report, FailoverError> {
    let mut scenario = kill();
    scenario.amqp = Some(relay.address.to_string().parse().unwrap());
    run(cloud.clone(), &scenario, watch, never()).await
}

/// A round in which this busy machine stood still measured nothing and says so: it is made again, twice at most.
pub(super) async fn measured(mut once: impl AsyncFnMut() -> Report) -> Report {
    for _ in 0..2 {
        let report = once().await;
        let mut checks = report.runs.iter().flat_map(|run| &run.thresholds);
        let stalled = checks.any(|check| {
            let reason = check.reason.as_deref().unwrap_or_default();
            check.verdict == Verdict::Inconclusive && (reason.contains("itself was stalled") || check.name == "traffic")
        });
        if !stalled {
            return report;
        }
    }
    once().await
}

/// Whether nothing was injected, and the mark of the test is gone.
pub(super) fn is_untouched(cloud: &FakeCloud) -> bool {
    !cloud.injected.load(Ordering::SeqCst) && cloud.turn.lock().unwrap().is_none()
}

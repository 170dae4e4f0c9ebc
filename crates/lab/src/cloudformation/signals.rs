//! SignalResource and waiting for signals.

use super::context::{Context, Failure};
use super::events;
use super::service::CloudFormation;
use super::template::invalid;
use crate::api::{ApiResult, only, text};
use serde_json::Value;
use std::time::{Duration, Instant};

/// How many signals are waited for, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExpectedSignals {
    /// Signals in all.
    pub(crate) count: u64,
    /// Share of them that must be successes, in percent.
    pub(crate) percent: u64,
    /// Limit.
    pub(crate) timeout: Duration,
}

impl ExpectedSignals {
    /// What a `CreationPolicy` asks for; `None` when it asks for no signal.
    pub(crate) fn of_creation(policy: &Value) -> Option<Self> {
        let signal = policy.get("ResourceSignal")?;
        let percent = policy
            .get("AutoScalingCreationPolicy")
            .and_then(|p| crate::api::number(p, "MinSuccessfulInstancesPercent"))
            .unwrap_or(100);
        Some(Self {
            count: crate::api::number(signal, "Count").unwrap_or(1).unsigned_abs(),
            percent: percent.unsigned_abs(),
            timeout: text(signal, "Timeout").map_or(Duration::from_secs(300), |t| duration(&t)),
        })
    }

    fn needed(self) -> u64 {
        (self.count * self.percent).div_ceil(100)
    }
}

/// An ISO 8601 duration such as `PT5M` or `PT1H30M15S`; what cannot be read is five minutes, CloudFormation's default.
pub(crate) fn duration(text: &str) -> Duration {
    let mut seconds = 0;
    let mut digits = String::new();
    for c in text.trim_start_matches('P').chars() {
        match c {
            'T' => {}
            '0'..='9' => digits.push(c),
            'H' | 'M' | 'S' => {
                let unit = match c {
                    'H' => 3600,
                    'M' => 60,
                    _ => 1,
                };
                seconds += digits.parse::<u64>().unwrap_or_default() * unit;
                digits.clear();
            }
            _ => return Duration::from_secs(300),
        }
    }
    Duration::from_secs(seconds)
}

impl CloudFormation {
    pub(super) fn signal_resource(&self, params: &Value) -> ApiResult {
        only(params, &["StackName", "LogicalResourceId", "UniqueId", "Status"])?;
        let need = |name: &str| text(params, name).ok_or_else(|| missing(name));
        let (name, logical, unique, status) = (
            need("StackName")?,
            need("LogicalResourceId")?,
            need("UniqueId")?,
            need("Status")?,
        );
        if status != "SUCCESS" && status != "FAILURE" {
            return Err(invalid(format!(
                "1 validation error detected: Value '{status}' at 'status' failed to satisfy constraint: Member must satisfy enum value \
                 set: [FAILURE, SUCCESS]"
            )));
        }
        let mut state = self.lock();
        let Some(stack) = state.stack(&name) else {
            return Err(invalid(format!("Stack [{name}] does not exist")));
        };
        let id = stack.id.clone();
        let Some(record) = stack.resources.get(&logical) else {
            return Err(invalid(format!("Resource {logical} does not exist for stack {name}")));
        };
        if !record.status.ends_with("_IN_PROGRESS") || record.status == "DELETE_IN_PROGRESS" {
            return Err(invalid(format!(
                "Resource {logical} is in {} state and cannot be signaled",
                record.status
            )));
        }
        let in_progress = record.status.clone();
        let signals = state.signals.entry((id.clone(), logical.clone())).or_default();
        // The same instance may signal twice when an answer got lost; it counts once.
        if !signals.iter().any(|(u, _)| *u == unique) {
            signals.push((unique.clone(), status == "SUCCESS"));
            let told = format!("Received {status} signal with UniqueId {unique}");
            events::set_resource(&mut state, &id, &logical, &in_progress, Some(told));
        }
        drop(state);
        self.news.notify_waiters();
        Ok(Value::Null)
    }

    /// Forgets signals of a resource, before a new round is waited for.
    pub(super) fn forget_signals(&self, stack_id: &str, logical: &str) {
        self.lock().signals.remove(&(stack_id.to_owned(), logical.to_owned()));
    }
}

/// The error for a parameter that is absent, as CloudFormation words it.
pub(crate) fn missing(name: &str) -> crate::api::ApiError {
    let mut lower = name.to_owned();
    if let Some(first) = lower.get_mut(0..1) {
        first.make_ascii_lowercase();
    }
    invalid(format!(
        "1 validation error detected: Value null at '{lower}' failed to satisfy constraint: Member must not be null"
    ))
}

/// The shortest wait for signals that fast timing makes of a longer one: above that of the proof `lease`, 48 s in a local cloud, for an
/// agent's own timers are not scaled.
const SHORTEST: Duration = Duration::from_secs(60);

/// Waits for signals of this resource.
///
/// # Errors
/// CloudFormation's words for too few successes, or a cancellation.
pub(crate) async fn wait(context: &Context, wanted: ExpectedSignals) -> Result<(), Failure> {
    wait_until(context, wanted, deadline(context, wanted.timeout)).await
}

/// When a wait that begins now ends.
pub(crate) fn deadline(context: &Context, timeout: Duration) -> Instant {
    // A wait that a template sets is scaled like its other periods, but never so far that a busy machine misses it.
    let scaled = context.cloud.site.timing.period(timeout);
    Instant::now() + scaled.max(timeout.min(SHORTEST))
}

/// [`wait`] with a deadline that began to run before.
///
/// # Errors
/// As [`wait`].
pub(crate) async fn wait_until(context: &Context, wanted: ExpectedSignals, deadline: Instant) -> Result<(), Failure> {
    let key = (context.stack_id.clone(), context.logical.clone());
    loop {
        let news = context.service.news.notified();
        tokio::pin!(news);
        // Registered before the look, so that nothing between look and wait is missed.
        news.as_mut().enable();
        let (good, bad) = {
            let state = context.service.lock();
            let all = state.signals.get(&key).map(Vec::as_slice).unwrap_or_default();
            let good = all.iter().filter(|(_, success)| *success).count() as u64;
            (good, all.len() as u64 - good)
        };
        if good >= wanted.needed() {
            return Ok(());
        }
        context.check_cancelled()?;
        if bad > wanted.count - wanted.needed() {
            return Err(Failure::new(format!(
                "Received {bad} FAILURE signal(s) out of {}.  Unable to satisfy {}% MinSuccessfulInstancesPercent requirement",
                wanted.count, wanted.percent
            )));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(too_few(good, wanted));
        }
        let _ = tokio::time::timeout(left, news).await;
    }
}

/// CloudFormation's words for a wait that ended without the signals that it was for.
pub(crate) fn too_few(good: u64, wanted: ExpectedSignals) -> Failure {
    Failure::new(format!(
        "Received {good} SUCCESS signal(s) out of {}.  Unable to satisfy {}% MinSuccessfulInstancesPercent requirement",
        wanted.count, wanted.percent
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_durations_and_policies() {
        for (text, seconds) in [("PT5M", 300), ("PT1H30M15S", 5415), ("PT0S", 0), ("soon", 300)] {
            assert_eq!(duration(text), Duration::from_secs(seconds), "{text}");
        }
        let wanted = ExpectedSignals::of_creation(&json!({"ResourceSignal": {"Count": "3", "Timeout": "PT20M"},
            "AutoScalingCreationPolicy": {"MinSuccessfulInstancesPercent": 50}}))
        .unwrap();
        assert_eq!((wanted.count, wanted.needed(), wanted.timeout.as_secs()), (3, 2, 1200));
        assert_eq!(ExpectedSignals::of_creation(&json!({})), None);
    }
}

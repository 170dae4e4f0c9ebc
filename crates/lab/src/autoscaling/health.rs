//! Health of instances: what users say, and what EC2 and the load balancer say.

use super::activities::at;
use super::group::{Group, GroupMember};
use super::state::{State, invalid};
use crate::api::{ApiResult, Cloud, flag, only, required};
use crate::timing::{ASG_GRACE_FLOOR, Timing};
use serde_json::{Value, json};
use std::time::Duration;

/// Grace period of a group as this timing runs it; zero stays zero.
pub(super) fn grace(timing: Timing, documented: Duration) -> Duration {
    if documented.is_zero() {
        return documented;
    }
    timing.period(documented).max(timing.of(&ASG_GRACE_FLOOR))
}

/// Whether a member is within its grace period, which begins when it comes into service.
pub(super) fn in_grace(group: &Group, member: &GroupMember, timing: Timing) -> bool {
    match member.in_service {
        None => true,
        Some(since) => since.elapsed() < grace(timing, group.grace),
    }
}

/// SetInstanceHealth. Within the grace period the call succeeds and changes nothing, unless told not to respect it.
pub(super) fn set(state: &mut State, cloud: &Cloud, params: &Value) -> ApiResult {
    only(params, &["InstanceId", "HealthStatus", "ShouldRespectGracePeriod"])?;
    let id = required(params, "InstanceId")?;
    let status = required(params, "HealthStatus")?;
    let healthy = match status.as_str() {
        "Healthy" => true,
        "Unhealthy" => false,
        _ => return Err(invalid("Health Status must be one of: Healthy, Unhealthy")),
    };
    let respect = flag(params, "ShouldRespectGracePeriod").unwrap_or(true);
    let timing = cloud.site.timing;
    let group = state.group_of(&id)?;
    let graced = group.members.get(&id).is_some_and(|m| in_grace(group, m, timing));
    let wake = group.wake.clone();
    if let Some(found) = group.members.get_mut(&id)
        && found.member.phase.is_active()
        && (healthy || !(respect && graced))
    {
        found.member.healthy = healthy;
        found.unhealthy_cause = (!healthy).then(|| {
            format!(
                "{}an instance was taken out of service in response to a user health-check.",
                at()
            )
        });
        wake.notify_one();
    }
    Ok(json!({}))
}

/// Notes that EC2 no longer runs an instance; the grace period does not cover that.
pub(super) fn not_running(group: &mut Group, instance: &str) {
    if group.is_suspended("HealthCheck") {
        return;
    }
    let wake = group.wake.clone();
    if let Some(found) = group.members.get_mut(instance)
        && found.member.phase.is_active()
        && found.member.healthy
    {
        found.member.healthy = false;
        found.unhealthy_cause = Some(format!(
            "{}an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.",
            at()
        ));
        wake.notify_one();
    }
}

/// Notes that the load balancer finds an instance unhealthy.
pub(super) fn load_balancer_says_unhealthy(group: &mut Group, instance: &str, timing: Timing) {
    if group.is_suspended("HealthCheck") {
        return;
    }
    let graced = group.members.get(instance).is_none_or(|m| in_grace(group, m, timing));
    let wake = group.wake.clone();
    if !graced
        && let Some(found) = group.members.get_mut(instance)
        && found.member.phase.is_active()
        && found.member.healthy
    {
        found.member.healthy = false;
        found.unhealthy_cause = Some(format!(
            "{}an instance was taken out of service in response to an ELB system health check failure.",
            at()
        ));
        wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_period_of_zero_stays_zero_and_others_are_scaled_down_to_a_floor() {
        assert_eq!(grace(Timing::Fast, Duration::ZERO), Duration::ZERO);
        assert_eq!(grace(Timing::Fast, Duration::from_secs(5)), ASG_GRACE_FLOOR.fast);
        assert_eq!(grace(Timing::Fast, Duration::from_secs(300)), Duration::from_secs(6));
        assert_eq!(grace(Timing::Aws, Duration::from_secs(300)), Duration::from_secs(300));
    }
}

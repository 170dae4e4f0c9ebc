//! Lifecycle hooks: definitions, and the actions that instances wait for.

use super::group::{Hook, HookWait};
use super::state::{State, invalid};
use crate::api::{ApiError, ApiResult, number, only, required, text};
use crate::timing::{ASG_HEARTBEAT_FLOOR, Timing};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Default of HeartbeatTimeout.
const HEARTBEAT: i64 = 3600;
/// A hook cannot wait longer than this, or a hundred heartbeats, whichever is shorter.
const LONGEST: Duration = Duration::from_secs(48 * 3600);

const MEMBERS: [&str; 8] = [
    "LifecycleHookName",
    "LifecycleTransition",
    "NotificationMetadata",
    "HeartbeatTimeout",
    "DefaultResult",
    "NotificationTargetARN",
    "RoleARN",
    "AutoScalingGroupName",
];

/// One heartbeat as this timing runs it.
pub(super) fn heartbeat_of(timing: Timing, documented: Duration) -> Duration {
    timing.period(documented).max(timing.of(&ASG_HEARTBEAT_FLOOR))
}

/// Reads a hook's definition.
///
/// # Errors
/// `ValidationError` in AWS's words.
pub(super) fn parse(value: &Value) -> Result<Hook, ApiError> {
    only(value, &MEMBERS)?;
    let name = required(value, "LifecycleHookName")?;
    let terminating = match required(value, "LifecycleTransition")?.as_str() {
        "autoscaling:EC2_INSTANCE_TERMINATING" => true,
        "autoscaling:EC2_INSTANCE_LAUNCHING" => false,
        other => return Err(invalid(format!("Invalid Lifecycle Transition: {other}"))),
    };
    let seconds = match value.get("HeartbeatTimeout") {
        None => HEARTBEAT,
        Some(_) => number(value, "HeartbeatTimeout").unwrap_or(-1),
    };
    if !(30..=7200).contains(&seconds) {
        return Err(invalid("Heartbeat Timeout must be between 30 and 7200 seconds"));
    }
    let default_continue = match text(value, "DefaultResult").as_deref() {
        None | Some("ABANDON") => false,
        Some("CONTINUE") => true,
        Some(_) => return Err(invalid("Default Result must be one of CONTINUE, ABANDON")),
    };
    let mut rest = value.as_object().cloned().unwrap_or_default();
    for known in [
        "LifecycleHookName",
        "LifecycleTransition",
        "HeartbeatTimeout",
        "DefaultResult",
        "AutoScalingGroupName",
    ] {
        rest.shift_remove(known);
    }
    Ok(Hook {
        name,
        terminating,
        heartbeat: Duration::from_secs(seconds.unsigned_abs()),
        default_continue,
        rest,
    })
}

/// A hook as answers show it.
pub(super) fn shown(group: &str, hook: &Hook) -> Value {
    let transition = match hook.terminating {
        true => "autoscaling:EC2_INSTANCE_TERMINATING",
        false => "autoscaling:EC2_INSTANCE_LAUNCHING",
    };
    let mut shown = json!({
        "LifecycleHookName": hook.name, "AutoScalingGroupName": group, "LifecycleTransition": transition,
        "HeartbeatTimeout": hook.heartbeat.as_secs(), "GlobalTimeout": (hook.heartbeat * 100).min(LONGEST).as_secs(),
        "DefaultResult": if hook.default_continue { "CONTINUE" } else { "ABANDON" },
    });
    if let Some(map) = shown.as_object_mut() {
        map.extend(hook.rest.clone());
    }
    shown
}

/// PutLifecycleHook.
pub(super) fn put(state: &mut State, params: &Value) -> ApiResult {
    let hook = parse(params)?;
    let group = state.group(&required(params, "AutoScalingGroupName")?)?;
    match group.hooks.iter_mut().find(|h| h.name == hook.name) {
        Some(existing) => *existing = hook,
        None => group.hooks.push(hook),
    }
    Ok(json!({}))
}

/// DeleteLifecycleHook.
pub(super) fn delete(state: &mut State, params: &Value) -> ApiResult {
    only(params, &["LifecycleHookName", "AutoScalingGroupName"])?;
    let name = required(params, "LifecycleHookName")?;
    let group = state.group(&required(params, "AutoScalingGroupName")?)?;
    if !group.hooks.iter().any(|h| h.name == name) {
        return Err(invalid(format!("No Lifecycle Hook found with the name: {name}")));
    }
    group.hooks.retain(|h| h.name != name);
    Ok(json!({}))
}

/// The action that a request names by instance or by token.
fn waiting<'a>(state: &'a mut State, params: &Value) -> Result<&'a mut HookWait, ApiError> {
    let hook = required(params, "LifecycleHookName")?;
    let (instance, token) = (text(params, "InstanceId"), text(params, "LifecycleActionToken"));
    if instance.is_none() && token.is_none() {
        return Err(invalid("Either Lifecycle Action Token or Instance Id must be provided"));
    }
    let group = state.group(&required(params, "AutoScalingGroupName")?)?;
    if !group.hooks.iter().any(|h| h.name == hook) {
        return Err(invalid(format!("No Lifecycle Hook found with the name: {hook}")));
    }
    let name = instance.clone().or_else(|| token.clone()).unwrap_or_default();
    group
        .members
        .iter_mut()
        .filter(|(id, _)| instance.as_ref().is_none_or(|i| i == *id))
        .filter_map(|(_, m)| m.waiting.as_mut())
        .find(|w| w.hook == hook && w.result.is_none() && token.as_ref().is_none_or(|t| *t == w.token))
        .ok_or_else(|| invalid(format!("No active Lifecycle Action found with instance ID {name}")))
}

/// CompleteLifecycleAction.
pub(super) fn complete(state: &mut State, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "LifecycleHookName",
            "AutoScalingGroupName",
            "LifecycleActionToken",
            "LifecycleActionResult",
            "InstanceId",
        ],
    )?;
    let result = match required(params, "LifecycleActionResult")?.as_str() {
        "CONTINUE" => true,
        "ABANDON" => false,
        _ => return Err(invalid("Lifecycle Action Result must be one of CONTINUE, ABANDON")),
    };
    let wait = waiting(state, params)?;
    wait.result = Some(result);
    wait.changed.notify_one();
    Ok(json!({}))
}

/// RecordLifecycleActionHeartbeat.
pub(super) fn heartbeat(state: &mut State, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "LifecycleHookName",
            "AutoScalingGroupName",
            "LifecycleActionToken",
            "InstanceId",
        ],
    )?;
    let wait = waiting(state, params)?;
    wait.deadline = (Instant::now() + wait.heartbeat).min(wait.last);
    wait.changed.notify_one();
    Ok(json!({}))
}

/// A wait that begins now.
pub(super) fn begin(hook: &Hook, timing: Timing) -> HookWait {
    let heartbeat = heartbeat_of(timing, hook.heartbeat);
    let now = Instant::now();
    HookWait {
        hook: hook.name.clone(),
        token: crate::ids::uuid(),
        deadline: now + heartbeat,
        last: now + (heartbeat * 100).min(LONGEST),
        heartbeat,
        result: None,
        changed: std::sync::Arc::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_checked() {
        let good = json!({
            "LifecycleHookName": "stop", "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "HeartbeatTimeout": "60",
            "DefaultResult": "CONTINUE",
        });
        let hook = parse(&good).expect("a hook");
        assert!(hook.terminating && hook.default_continue);
        assert_eq!(hook.heartbeat, Duration::from_secs(60));
        assert_eq!(shown("g", &hook)["GlobalTimeout"], 6000);
        for (name, value) in [
            ("LifecycleTransition", "autoscaling:TERMINATING"),
            ("HeartbeatTimeout", "10"),
            ("DefaultResult", "STOP"),
            ("Heartbeat", "60"),
        ] {
            let mut wrong = good.clone();
            wrong[name] = json!(value);
            assert!(parse(&wrong).is_err(), "{name}");
        }
    }

    #[test]
    fn a_heartbeat_is_scaled_but_never_below_the_agents_own_times() {
        assert_eq!(
            heartbeat_of(Timing::Fast, Duration::from_secs(60)),
            ASG_HEARTBEAT_FLOOR.fast
        );
        assert_eq!(
            heartbeat_of(Timing::Fast, Duration::from_secs(3600)),
            Duration::from_secs(72)
        );
        assert_eq!(
            heartbeat_of(Timing::Aws, Duration::from_secs(60)),
            Duration::from_secs(60)
        );
    }
}

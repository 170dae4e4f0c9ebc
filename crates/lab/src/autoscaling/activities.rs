//! Activities: what the group did, with causes in AWS's words.

use super::decide::Why;
use super::group::{Activity, Group};
use crate::clock::now_iso;
use crate::ids::uuid;
use serde_json::{Value, json};

/// How many activities a group remembers; AWS keeps six weeks of them.
const KEPT: usize = 200;

/// `At 2026-11-21T22:25:08Z `, as every clause of a cause begins.
pub(super) fn at() -> String {
    jiff::Timestamp::now().strftime("At %Y-%m-%dT%H:%M:%SZ ").to_string()
}

/// Cause of a launch.
pub(super) fn launch_cause(group: &Group, why: Why) -> String {
    match why {
        Why::Unhealthy => format!(
            "{}an instance was launched in response to an unhealthy instance needing to be replaced.",
            at()
        ),
        Why::TooFew(from, to) | Why::TooMany(from, to) => {
            let request = group.request.as_ref().map(|r| format!("{r}  ")).unwrap_or_default();
            format!(
                "{request}{}an instance was started in response to a difference between desired and actual capacity, increasing the capacity from {from} to {to}.",
                at()
            )
        }
    }
}

/// Cause of a termination.
pub(super) fn termination_cause(group: &Group, id: &str, why: Why) -> String {
    match why {
        Why::Unhealthy => {
            let known = group.members.get(id).and_then(|m| m.unhealthy_cause.clone());
            known.unwrap_or_else(|| {
                format!(
                    "{}an instance was taken out of service in response to a health check.",
                    at()
                )
            })
        }
        Why::TooFew(from, to) | Why::TooMany(from, to) => {
            let request = group.request.as_ref().map(|r| format!("{r}  ")).unwrap_or_default();
            format!(
                "{request}{}an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from {from} to {to}.  {}instance {id} was selected for termination.",
                at(),
                at()
            )
        }
    }
}

/// Begins an activity; returns its id.
pub(super) fn begin(group: &mut Group, description: String, cause: String, status: &'static str, zone: &str) -> String {
    let subnet = group
        .subnets
        .iter()
        .find(|(_, z)| z == zone)
        .map(|(s, _)| s.as_str())
        .unwrap_or_default();
    let details = match subnet {
        "" => json!({"Availability Zone": zone}),
        subnet => json!({"Subnet ID": subnet, "Availability Zone": zone}),
    };
    let details = details.to_string();
    let id = uuid();
    group.activities.push_front(Activity {
        id: id.clone(),
        description,
        cause,
        started: now_iso(),
        ended: None,
        status,
        message: None,
        progress: if status == "PreInService" { 30 } else { 0 },
        details,
    });
    group.activities.truncate(KEPT);
    id
}

/// Moves an activity on.
pub(super) fn progress(group: &mut Group, id: &str, status: &'static str, percent: u8) {
    if let Some(activity) = group.activity_mut(id) {
        activity.status = status;
        activity.progress = percent;
    }
}

/// Ends an activity.
pub(super) fn end(group: &mut Group, id: &str, status: &'static str, message: Option<String>) {
    if let Some(activity) = group.activity_mut(id) {
        activity.status = status;
        activity.progress = 100;
        activity.ended = Some(now_iso());
        activity.message = message;
    }
}

/// An activity as answers show it.
pub(super) fn shown(group: &str, arn: &str, activity: &Activity) -> Value {
    let mut shown = json!({
        "ActivityId": activity.id, "AutoScalingGroupName": group, "AutoScalingGroupARN": arn, "Description": activity.description,
        "Cause": activity.cause, "StartTime": activity.started, "StatusCode": activity.status, "Progress": activity.progress,
        "Details": activity.details,
    });
    if let Some(ended) = &activity.ended {
        shown["EndTime"] = json!(ended);
    }
    if let Some(message) = &activity.message {
        shown["StatusMessage"] = json!(message);
    }
    shown
}

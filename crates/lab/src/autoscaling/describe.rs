//! What Describe calls show.

use super::activities;
use super::group::{Group, GroupMember};
use super::hooks as lifecycle;
use super::state::{State, invalid};
use crate::api::{ApiError, ApiResult, flag, list, number, only, required, text, texts};
use serde_json::{Map, Value, json};

/// One page of a list by `MaxRecords` and `NextToken`.
fn page(name: &str, rows: Vec<Value>, params: &Value) -> ApiResult {
    let start = match text(params, "NextToken").filter(|t| !t.is_empty()) {
        None => 0,
        Some(token) => token
            .parse::<usize>()
            .map_err(|_| ApiError::new("InvalidNextToken", "The NextToken value is not valid."))?,
    };
    let size = number(params, "MaxRecords")
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(50)
        .clamp(1, 100);
    let next = start.saturating_add(size);
    let mut answer = Map::new();
    if next < rows.len() {
        answer.insert("NextToken".to_owned(), json!(next.to_string()));
    }
    answer.insert(name.to_owned(), rows.into_iter().skip(start).take(size).collect());
    Ok(Value::Object(answer))
}

fn template(parts: &(String, String, String)) -> Value {
    json!({"LaunchTemplateId": parts.0, "LaunchTemplateName": parts.1, "Version": parts.2})
}

fn member(found: &GroupMember) -> Value {
    json!({
        "InstanceId": found.member.id, "InstanceType": found.instance_type, "AvailabilityZone": found.member.zone,
        "LifecycleState": found.member.phase.name(), "HealthStatus": if found.member.healthy { "Healthy" } else { "Unhealthy" },
        "LaunchTemplate": template(&found.template), "ImageId": found.image, "ProtectedFromScaleIn": found.member.protected,
    })
}

fn group_shown(group: &Group, with_instances: bool) -> Value {
    let zones: Vec<&String> = {
        let mut zones: Vec<&String> = group.subnets.iter().map(|(_, z)| z).collect();
        zones.dedup();
        zones
    };
    let subnets: Vec<&str> = group
        .subnets
        .iter()
        .map(|(s, _)| s.as_str())
        .filter(|s| !s.is_empty())
        .collect();
    let suspended: Vec<Value> = group
        .suspended
        .iter()
        .map(|p| json!({"ProcessName": p, "SuspensionReason": "User suspended"}))
        .collect();
    let mut shown = json!({
        "AutoScalingGroupName": group.name, "AutoScalingGroupARN": group.arn, "LaunchTemplate": template(&group.template),
        "MinSize": group.min, "MaxSize": group.max, "DesiredCapacity": group.desired, "DefaultCooldown": 300,
        "AvailabilityZones": zones, "LoadBalancerNames": [], "TargetGroupARNs": group.target_groups,
        "HealthCheckType": group.health_check, "HealthCheckGracePeriod": group.grace.as_secs(), "CreatedTime": group.created,
        "SuspendedProcesses": suspended, "VPCZoneIdentifier": subnets.join(","),
        "EnabledMetrics": group.metrics.iter().map(|m| json!({"Metric": m, "Granularity": "1Minute"})).collect::<Vec<_>>(),
        "Tags": tags_of(group), "TerminationPolicies": ["Default"], "NewInstancesProtectedFromScaleIn": false,
        "TrafficSources": group.target_groups.iter().map(|arn| json!({"Identifier": arn, "Type": "elbv2"})).collect::<Vec<_>>(),
        "Instances": [],
    });
    if with_instances {
        shown["Instances"] = group.members.values().map(member).collect();
    }
    if let Some(map) = shown.as_object_mut() {
        map.extend(group.shown_only.clone());
        if group.deleting {
            map.insert("Status".to_owned(), json!("Delete in progress"));
        }
    }
    shown
}

fn tags_of(group: &Group) -> Vec<Value> {
    group
        .tags
        .iter()
        .map(|(key, (value, propagate))| {
            json!({"ResourceId": group.name, "ResourceType": "auto-scaling-group", "Key": key, "Value": value, "PropagateAtLaunch": propagate})
        })
        .collect()
}

fn passes(group: &Group, filters: &[Value]) -> Result<bool, ApiError> {
    for filter in filters {
        let name = text(filter, "Name").unwrap_or_default();
        let values = texts(filter, "Values");
        let has = |wanted: &dyn Fn(&str, &str) -> bool| group.tags.iter().any(|(k, (v, _))| wanted(k, v));
        let ok = match name.strip_prefix("tag:") {
            Some(key) => has(&|k, v| k == key && values.iter().any(|x| x == v)),
            None if name == "tag-key" => has(&|k, _| values.iter().any(|x| x == k)),
            None if name == "tag-value" => has(&|_, v| values.iter().any(|x| x == v)),
            None => return Err(invalid(format!("Filter type {name} is not correct."))),
        };
        if !ok {
            return Ok(false);
        }
    }
    Ok(true)
}

/// DescribeAutoScalingGroups; unknown names are left out, as in AWS.
pub(super) fn groups(state: &State, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "AutoScalingGroupNames",
            "IncludeInstances",
            "NextToken",
            "MaxRecords",
            "Filters",
        ],
    )?;
    let names = texts(params, "AutoScalingGroupNames");
    let filters = list(params, "Filters");
    let with_instances = flag(params, "IncludeInstances").unwrap_or(true);
    let mut rows = Vec::new();
    for group in state.groups.values() {
        let named = names.is_empty() || names.iter().any(|n| *n == group.name || *n == group.arn);
        if named && passes(group, &filters)? {
            rows.push(group_shown(group, with_instances));
        }
    }
    page("AutoScalingGroups", rows, params)
}

/// DescribeAutoScalingInstances.
pub(super) fn instances(state: &State, params: &Value) -> ApiResult {
    only(params, &["InstanceIds", "MaxRecords", "NextToken"])?;
    let ids = texts(params, "InstanceIds");
    let rows = state
        .groups
        .values()
        .flat_map(|g| g.members.iter().map(move |(id, m)| (g, id, m)))
        .filter(|(_, id, _)| ids.is_empty() || ids.contains(id))
        .map(|(group, _, found)| {
            let mut row = member(found);
            row["AutoScalingGroupName"] = json!(group.name);
            // This call, unlike the other, writes the status in capitals.
            row["HealthStatus"] = json!(if found.member.healthy { "HEALTHY" } else { "UNHEALTHY" });
            row
        })
        .collect();
    page("AutoScalingInstances", rows, params)
}

/// DescribeScalingActivities, newest first.
pub(super) fn activities(state: &State, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "ActivityIds",
            "AutoScalingGroupName",
            "IncludeDeletedGroups",
            "MaxRecords",
            "NextToken",
            "Filters",
        ],
    )?;
    let name = text(params, "AutoScalingGroupName");
    let ids = texts(params, "ActivityIds");
    let deleted = flag(params, "IncludeDeletedGroups") == Some(true);
    if let Some(name) = &name
        && !deleted
        && !state.groups.values().any(|g| g.name == *name || g.arn == *name)
    {
        return Err(invalid(format!(
            "AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
        )));
    }
    let living = state
        .groups
        .values()
        .flat_map(|g| g.activities.iter().map(move |a| (g.name.as_str(), g.arn.as_str(), a)));
    let past = state
        .past
        .iter()
        .filter(|_| deleted)
        .map(|(name, arn, a)| (name.as_str(), arn.as_str(), a));
    let rows = living
        .chain(past)
        .filter(|(group, arn, a)| {
            name.as_ref().is_none_or(|n| n == group || n == arn) && (ids.is_empty() || ids.contains(&a.id))
        })
        .map(|(group, arn, a)| activities::shown(group, arn, a))
        .collect();
    page("Activities", rows, params)
}

/// DescribeLoadBalancerTargetGroups.
pub(super) fn target_groups(state: &mut State, params: &Value) -> ApiResult {
    only(params, &["AutoScalingGroupName", "NextToken", "MaxRecords"])?;
    let group = state.group(&required(params, "AutoScalingGroupName")?)?;
    let rows = group
        .target_groups
        .iter()
        .map(|arn| json!({"LoadBalancerTargetGroupARN": arn, "State": "InService"}))
        .collect();
    page("LoadBalancerTargetGroups", rows, params)
}

/// DescribeLifecycleHooks.
pub(super) fn hooks(state: &mut State, params: &Value) -> ApiResult {
    only(params, &["AutoScalingGroupName", "LifecycleHookNames"])?;
    let names = texts(params, "LifecycleHookNames");
    let group = state.group(&required(params, "AutoScalingGroupName")?)?;
    if let Some(unknown) = names.iter().find(|n| !group.hooks.iter().any(|h| h.name == **n)) {
        return Err(invalid(format!("No Lifecycle Hook found with the name: {unknown}")));
    }
    let rows: Vec<Value> = group
        .hooks
        .iter()
        .filter(|h| names.is_empty() || names.contains(&h.name))
        .map(|h| lifecycle::shown(&group.name, h))
        .collect();
    Ok(json!({"LifecycleHooks": rows}))
}

/// DescribeTags.
pub(super) fn tags(state: &State, params: &Value) -> ApiResult {
    only(params, &["Filters", "NextToken", "MaxRecords"])?;
    let mut rows: Vec<Value> = state.groups.values().flat_map(tags_of).collect();
    for filter in list(params, "Filters") {
        let values = texts(&filter, "Values");
        let member = match text(&filter, "Name").as_deref() {
            Some("auto-scaling-group") => "ResourceId",
            Some("key") => "Key",
            Some("value") => "Value",
            Some("propagate-at-launch") => "PropagateAtLaunch",
            other => {
                return Err(invalid(format!(
                    "Filter type {} is not correct.",
                    other.unwrap_or_default()
                )));
            }
        };
        rows.retain(|row| text(row, member).is_some_and(|have| values.contains(&have)));
    }
    page("Tags", rows, params)
}

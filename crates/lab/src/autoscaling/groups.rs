//! Groups: create, update, delete, capacity, suspended processes, tags, metrics, target groups.

use super::activities::at;
use super::group::{Group, PROCESSES};
use super::service::Autoscaling;
use super::settings::{
    CREATION, SHOWN, WORKING, check_bounds, check_settings, grace, shown_only, size, subnets, template,
};
use super::state::{State, invalid};
use super::targets::change_targets;
use super::{control, hooks};
use crate::api::{ACCOUNT, ApiError, ApiResult, Cloud, flag, list, only, required, text, texts};
use crate::clock::now_iso;
use crate::ids::uuid;
use indexmap::IndexMap;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;

/// Group metrics.
const METRICS: [&str; 8] = [
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
];

/// CreateAutoScalingGroup.
pub(super) async fn create(service: &Arc<Autoscaling>, cloud: &Arc<Cloud>, params: &Value) -> ApiResult {
    only(params, &[&WORKING[..], &SHOWN[..], &CREATION[..]].concat())?;
    let name = required(params, "AutoScalingGroupName")?;
    if service.state().groups.contains_key(&name) {
        return Err(ApiError::new(
            "AlreadyExists",
            format!("AutoScalingGroup by this name already exists - A group with the name {name} already exists"),
        ));
    }
    check_settings(params)?;
    let min = size(params, "MinSize")?.ok_or_else(|| invalid("MinSize is required"))?;
    let max = size(params, "MaxSize")?.ok_or_else(|| invalid("MaxSize is required"))?;
    let desired = size(params, "DesiredCapacity")?.unwrap_or(min);
    check_bounds(min, max, desired)?;
    let subnets = subnets(cloud, params).await?;
    let template = match params.get("LaunchTemplate") {
        Some(given) => template(cloud, given).await?,
        None => {
            return Err(invalid(
                "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.",
            ));
        }
    };
    let hooks = list(params, "LifecycleHookSpecificationList")
        .iter()
        .map(hooks::parse)
        .collect::<Result<_, _>>()?;
    let mut group = Group {
        arn: format!(
            "arn:aws:autoscaling:{}:{ACCOUNT}:autoScalingGroup:{}:autoScalingGroupName/{name}",
            cloud.region,
            uuid()
        ),
        name: name.clone(),
        created: now_iso(),
        min,
        max,
        desired,
        subnets,
        template,
        hooks,
        target_groups: texts(params, "TargetGroupARNs"),
        tags: IndexMap::new(),
        suspended: Vec::new(),
        members: IndexMap::new(),
        launching: Vec::new(),
        activities: VecDeque::new(),
        metrics: Vec::new(),
        health_check: text(params, "HealthCheckType").unwrap_or_else(|| "EC2".to_owned()),
        grace: grace(params)?.unwrap_or_default(),
        shown_only: shown_only(params),
        deleting: false,
        skip_hooks: false,
        launches: 0,
        lost_zone: None,
        failing: IndexMap::new(),
        hold_launches: None,
        in_use_launches: 0,
        request: Some(format!(
            "{}a user request created an AutoScalingGroup changing the desired capacity from 0 to {desired}.",
            at()
        )),
        wake: Arc::default(),
    };
    set_tags(&mut group, &list(params, "Tags"))?;
    {
        let mut state = service.state();
        if state.groups.contains_key(&name) {
            return Err(ApiError::new(
                "AlreadyExists",
                format!("A group with the name {name} already exists"),
            ));
        }
        state.groups.insert(name.clone(), group);
    }
    tokio::spawn(control::run(service.clone(), cloud.clone(), name));
    Ok(json!({}))
}

/// UpdateAutoScalingGroup.
pub(super) async fn update(service: &Arc<Autoscaling>, cloud: &Arc<Cloud>, params: &Value) -> ApiResult {
    only(params, &[&WORKING[..], &SHOWN[..]].concat())?;
    let name = required(params, "AutoScalingGroupName")?;
    service.state().group(&name)?;
    check_settings(params)?;
    let new_subnets = match params
        .get("VPCZoneIdentifier")
        .or_else(|| params.get("AvailabilityZones"))
    {
        Some(_) => Some(subnets(cloud, params).await?),
        None => None,
    };
    let new_template = match params.get("LaunchTemplate") {
        Some(given) => Some(template(cloud, given).await?),
        None => None,
    };
    let mut state = service.state();
    let group = state.group(&name)?;
    if group.deleting {
        return Err(ApiError::new(
            "ScalingActivityInProgress",
            format!("AutoScalingGroup {name} is pending delete"),
        ));
    }
    let min = size(params, "MinSize")?.unwrap_or(group.min);
    let max = size(params, "MaxSize")?.unwrap_or(group.max);
    // Bounds alone pull the desired capacity along; a desired capacity that is given has to fit.
    let desired = match size(params, "DesiredCapacity")? {
        Some(desired) => desired,
        None if min <= max => group.desired.clamp(min, max),
        None => group.desired,
    };
    check_bounds(min, max, desired)?;
    if (min, max, desired) != (group.min, group.max, group.desired) {
        let change = match desired == group.desired {
            true => String::new(),
            false => format!(" changing the desired capacity from {} to {desired}", group.desired),
        };
        group.request = Some(format!(
            "{}a user request update of AutoScalingGroup constraints to min: {min}, max: {max}, desired: {desired}{change}.",
            at()
        ));
    }
    (group.min, group.max, group.desired) = (min, max, desired);
    if let Some(subnets) = new_subnets {
        group.subnets = subnets;
    }
    if let Some(template) = new_template {
        group.template = template;
    }
    if let Some(kind) = text(params, "HealthCheckType") {
        group.health_check = kind;
    }
    if let Some(grace) = grace(params)? {
        group.grace = grace;
    }
    group.shown_only.extend(shown_only(params));
    group.wake.notify_one();
    Ok(json!({}))
}

/// DeleteAutoScalingGroup; with ForceDelete its instances are terminated without hooks.
pub(super) fn delete(state: &mut State, params: &Value) -> ApiResult {
    only(params, &["AutoScalingGroupName", "ForceDelete"])?;
    let name = required(params, "AutoScalingGroupName")?;
    let force = flag(params, "ForceDelete") == Some(true);
    let group = state.group(&name)?;
    let protection = group
        .shown_only
        .get("DeletionProtection")
        .and_then(Value::as_str)
        .unwrap_or("none");
    if protection == "prevent-all-deletion" || (force && protection == "prevent-force-deletion") {
        return Err(invalid(format!(
            "AutoScalingGroup {name} has deletion protection {protection}; change DeletionProtection first"
        )));
    }
    if !force && (!group.members.is_empty() || !group.launching.is_empty()) {
        let in_use = "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.";
        return Err(ApiError::new("ResourceInUse", in_use));
    }
    group.deleting = true;
    group.skip_hooks = force;
    if force {
        for member in group.members.values_mut() {
            if let Some(wait) = member.waiting.as_mut() {
                wait.result = Some(true);
                wait.changed.notify_one();
            }
        }
    }
    if group.request.is_none() || force {
        group.request = Some(format!("{}a user request force deleted the AutoScalingGroup.", at()));
    }
    group.wake.notify_one();
    Ok(json!({}))
}

/// SetDesiredCapacity.
pub(super) fn set_desired_capacity(state: &mut State, params: &Value) -> ApiResult {
    only(params, &["AutoScalingGroupName", "DesiredCapacity", "HonorCooldown"])?;
    let group = state.group(&required(params, "AutoScalingGroupName")?)?;
    let desired = size(params, "DesiredCapacity")?.ok_or_else(|| invalid("DesiredCapacity is required"))?;
    if desired > group.max {
        return Err(invalid(format!(
            "New SetDesiredCapacity value {desired} is above max value {} for the AutoScalingGroup.",
            group.max
        )));
    }
    if desired < group.min {
        return Err(invalid(format!(
            "New SetDesiredCapacity value {desired} is below min value {} for the AutoScalingGroup.",
            group.min
        )));
    }
    if desired != group.desired {
        group.request = Some(format!(
            "{}a user request explicitly set group desired capacity changing the desired capacity from {} to {desired}.",
            at(),
            group.desired
        ));
        group.desired = desired;
    }
    group.wake.notify_one();
    Ok(json!({}))
}

/// SuspendProcesses and ResumeProcesses; none named means all.
pub(super) fn suspend(state: &mut State, params: &Value, suspend: bool) -> ApiResult {
    only(params, &["AutoScalingGroupName", "ScalingProcesses"])?;
    let group = state.group(&required(params, "AutoScalingGroupName")?)?;
    let mut processes = texts(params, "ScalingProcesses");
    if processes.is_empty() {
        processes = PROCESSES.map(str::to_owned).to_vec();
    }
    if let Some(unknown) = processes.iter().find(|p| !PROCESSES.contains(&p.as_str())) {
        return Err(invalid(format!(
            "1 validation error detected: Unknown scaling process '{unknown}'"
        )));
    }
    group.suspended.retain(|p| !processes.contains(p));
    if suspend {
        group.suspended.extend(processes);
    }
    group.wake.notify_one();
    Ok(json!({}))
}

fn set_tags(group: &mut Group, tags: &[Value]) -> Result<(), ApiError> {
    for tag in tags {
        only(
            tag,
            &["Key", "Value", "PropagateAtLaunch", "ResourceId", "ResourceType"],
        )?;
        let key = required(tag, "Key")?;
        let propagate = flag(tag, "PropagateAtLaunch").unwrap_or(false);
        group
            .tags
            .insert(key, (text(tag, "Value").unwrap_or_default(), propagate));
    }
    Ok(())
}

/// CreateOrUpdateTags and DeleteTags.
pub(super) fn tag(state: &mut State, params: &Value, set: bool) -> ApiResult {
    only(params, &["Tags"])?;
    for tag in list(params, "Tags") {
        if text(&tag, "ResourceType").is_some_and(|t| t != "auto-scaling-group") {
            return Err(invalid("ResourceType must be auto-scaling-group"));
        }
        let group = state.group(&required(&tag, "ResourceId")?)?;
        match set {
            true => set_tags(group, std::slice::from_ref(&tag))?,
            false => {
                group.tags.shift_remove(&required(&tag, "Key")?);
            }
        }
    }
    Ok(json!({}))
}

/// EnableMetricsCollection and DisableMetricsCollection; none named means all.
pub(super) fn metrics(state: &mut State, params: &Value, enable: bool) -> ApiResult {
    only(params, &["AutoScalingGroupName", "Metrics", "Granularity"])?;
    let group = state.group(&required(params, "AutoScalingGroupName")?)?;
    if enable && required(params, "Granularity")? != "1Minute" {
        return Err(invalid("Granularity must be 1Minute"));
    }
    let mut named = texts(params, "Metrics");
    if named.is_empty() {
        named = METRICS.map(str::to_owned).to_vec();
    }
    if let Some(unknown) = named.iter().find(|m| !METRICS.contains(&m.as_str())) {
        return Err(invalid(format!("Unknown metric: {unknown}")));
    }
    group.metrics.retain(|m| !named.contains(m));
    if enable {
        group.metrics.extend(named);
    }
    group.wake.notify_one();
    Ok(json!({}))
}

/// AttachLoadBalancerTargetGroups and DetachLoadBalancerTargetGroups; instances in service move along.
pub(super) async fn targets(service: &Arc<Autoscaling>, cloud: &Arc<Cloud>, params: &Value, attach: bool) -> ApiResult {
    only(params, &["AutoScalingGroupName", "TargetGroupARNs"])?;
    let name = required(params, "AutoScalingGroupName")?;
    let arns = texts(params, "TargetGroupARNs");
    let instances: Vec<String> = {
        let mut state = service.state();
        let group = state.group(&name)?;
        group.target_groups.retain(|arn| !arns.contains(arn));
        if attach {
            group.target_groups.extend(arns.iter().cloned());
        }
        let in_service = group
            .members
            .iter()
            .filter(|(_, m)| m.in_service.is_some() && m.member.phase.is_active());
        in_service.map(|(id, _)| id.clone()).collect()
    };
    for id in &instances {
        change_targets(cloud, &arns, id, attach).await;
    }
    Ok(json!({}))
}

//! Auto Scaling groups.

use super::table::chosen;
use crate::cloudformation::context::{Attributes, Context, Failure};
use crate::cloudformation::rolling;
use crate::cloudformation::state::Record;
use serde_json::{Map, Value, json};

const ASG: &str = "autoscaling";

/// Properties that go to Auto Scaling under their own names, at creation and at update.
const SAME: &[&str] = &[
    "LaunchTemplate",
    "MixedInstancesPolicy",
    "LaunchConfigurationName",
    "MinSize",
    "MaxSize",
    "DesiredCapacity",
    "AvailabilityZones",
    "HealthCheckType",
    "HealthCheckGracePeriod",
    "PlacementGroup",
    "TerminationPolicies",
    "NewInstancesProtectedFromScaleIn",
    "ServiceLinkedRoleARN",
    "MaxInstanceLifetime",
    "CapacityRebalance",
    "Context",
    "DesiredCapacityType",
    "DefaultInstanceWarmup",
    "InstanceMaintenancePolicy",
    "AvailabilityZoneDistribution",
    "AvailabilityZoneImpairmentPolicy",
    "SkipZonalShiftValidation",
    "CapacityReservationSpecification",
    "DeletionProtection",
    "InstanceLifecyclePolicy",
];

/// Properties that only the creation takes.
const CREATION: &[&str] = &[
    "InstanceId",
    "LoadBalancerNames",
    "TargetGroupARNs",
    "TrafficSources",
    "LifecycleHookSpecificationList",
];

fn common(name: &str, properties: &Value) -> Map<String, Value> {
    let mut params = chosen(properties, SAME);
    params.insert("AutoScalingGroupName".into(), name.into());
    if let Some(cooldown) = properties.get("Cooldown") {
        params.insert("DefaultCooldown".into(), cooldown.clone());
    }
    if let Some(subnets) = properties["VPCZoneIdentifier"].as_array() {
        let subnets: Vec<&str> = subnets.iter().filter_map(Value::as_str).collect();
        params.insert("VPCZoneIdentifier".into(), subnets.join(",").into());
    }
    params
}

/// Tags of the group: its own as they say, the stack's and CloudFormation's to be propagated.
fn tags(context: &Context, name: &str, properties: &Value) -> Vec<Value> {
    let own = properties["Tags"].as_array().cloned().unwrap_or_default();
    context
        .all_tags(properties.get("Tags"))
        .into_iter()
        .map(|(key, value)| {
            let propagate = own
                .iter()
                .find(|t| t["Key"] == key.as_str())
                .map_or(Value::Bool(true), |t| t["PropagateAtLaunch"].clone());
            json!({"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": key, "Value": value, "PropagateAtLaunch": propagate})
        })
        .collect()
}

async fn describe(context: &Context, name: &str) -> Result<Option<Value>, Failure> {
    let seen = context
        .call(
            ASG,
            "DescribeAutoScalingGroups",
            json!({"AutoScalingGroupNames": [name]}),
        )
        .await?;
    Ok(seen.pointer("/AutoScalingGroups/0").cloned())
}

fn count(value: &Value) -> i64 {
    crate::api::text(&json!({"n": value}), "n")
        .and_then(|t| t.parse().ok())
        .unwrap_or_default()
}

pub(super) async fn create(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    rolling::leaves_room(&context.update_policy, properties)?;
    let name = properties["AutoScalingGroupName"]
        .as_str()
        .map_or_else(|| context.name(255), str::to_owned);
    let mut params = common(&name, properties);
    params.extend(chosen(properties, CREATION));
    params.insert("Tags".into(), tags(context, &name, properties).into());
    context.call(ASG, "CreateAutoScalingGroup", params.into()).await?;
    context.created(&name);
    metrics(context, &name, &Value::Null, properties).await?;
    notifications(context, &name, properties).await?;
    // Signals, where they are asked for, say more than the group's own view.
    let group = match context.creation_policy.get("ResourceSignal") {
        Some(_) => describe(context, &name).await?.unwrap_or_default(),
        None => stable(context, &name).await?,
    };
    let mut attributes = Attributes::new();
    attributes.insert("AutoScalingGroupName".into(), name.into());
    if let Some(arn) = group.get("AutoScalingGroupARN") {
        attributes.insert("AutoScalingGroupARN".into(), arn.clone());
    }
    Ok(attributes)
}

/// Waits until as many instances are in service as the group wants.
async fn stable(context: &Context, name: &str) -> Result<Value, Failure> {
    context
        .settle(async || {
            let Some(group) = describe(context, name).await? else {
                return Err(Failure::new(format!(
                    "AutoScalingGroup {name} was deleted outside of CloudFormation"
                )));
            };
            let wanted = count(&group["DesiredCapacity"]);
            let instances = group["Instances"].as_array().cloned().unwrap_or_default();
            let serving = instances.iter().filter(|i| i["LifecycleState"] == "InService").count() as i64;
            Ok((serving >= wanted).then_some(group))
        })
        .await
}

async fn metrics(context: &Context, name: &str, old: &Value, new: &Value) -> Result<(), Failure> {
    if old.get("MetricsCollection") == new.get("MetricsCollection") {
        return Ok(());
    }
    if old.get("MetricsCollection").is_some() {
        context
            .call(ASG, "DisableMetricsCollection", json!({"AutoScalingGroupName": name}))
            .await?;
    }
    for collection in new["MetricsCollection"].as_array().into_iter().flatten() {
        let mut params = chosen(collection, &["Granularity", "Metrics"]);
        params.insert("AutoScalingGroupName".into(), name.into());
        context.call(ASG, "EnableMetricsCollection", params.into()).await?;
    }
    Ok(())
}

async fn notifications(context: &Context, name: &str, properties: &Value) -> Result<(), Failure> {
    let listed = properties["NotificationConfigurations"]
        .as_array()
        .into_iter()
        .flatten();
    for configuration in listed.chain(properties.get("NotificationConfiguration")) {
        let mut params = chosen(configuration, &["TopicARN", "NotificationTypes"]);
        params.insert("AutoScalingGroupName".into(), name.into());
        context.call(ASG, "PutNotificationConfiguration", params.into()).await?;
    }
    Ok(())
}

pub(super) async fn update(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    rolling::leaves_room(&context.update_policy, properties)?;
    let old = &old.properties;
    let relaunch = [
        "LaunchTemplate",
        "LaunchConfigurationName",
        "MixedInstancesPolicy",
        "VPCZoneIdentifier",
    ]
    .iter()
    .any(|n| old.get(n) != properties.get(n));
    let rolling = context.update_policy.get("AutoScalingRollingUpdate").cloned();
    let suspended = match &rolling {
        Some(policy) if relaunch => rolling::suspend(context, physical, policy).await?,
        _ => Vec::new(),
    };
    let outcome = change(context, physical, old, properties, rolling.filter(|_| relaunch)).await;
    rolling::resume(context, physical, &suspended).await?;
    outcome
}

async fn change(
    context: &Context,
    physical: &str,
    old: &Value,
    properties: &Value,
    rolling: Option<Value>,
) -> Result<Attributes, Failure> {
    let mut params = common(physical, properties);
    // A size that somebody changed meanwhile stays when the template says nothing new.
    if old.get("DesiredCapacity") == properties.get("DesiredCapacity") {
        params.shift_remove("DesiredCapacity");
    }
    context.call(ASG, "UpdateAutoScalingGroup", params.into()).await?;
    for (attach, detach, parameter, name) in [
        (
            "AttachLoadBalancerTargetGroups",
            "DetachLoadBalancerTargetGroups",
            "TargetGroupARNs",
            "TargetGroupARNs",
        ),
        (
            "AttachTrafficSources",
            "DetachTrafficSources",
            "TrafficSources",
            "TrafficSources",
        ),
    ] {
        let list = |value: &Value| value[name].as_array().cloned().unwrap_or_default();
        let (was, is) = (list(old), list(properties));
        let added: Vec<Value> = is.iter().filter(|v| !was.contains(v)).cloned().collect();
        let removed: Vec<Value> = was.iter().filter(|v| !is.contains(v)).cloned().collect();
        if !added.is_empty() {
            let params = json!({"AutoScalingGroupName": physical, parameter: added});
            context.call(ASG, attach, params).await?;
        }
        if !removed.is_empty() {
            let params = json!({"AutoScalingGroupName": physical, parameter: removed});
            context.call(ASG, detach, params).await?;
        }
    }
    hooks(context, physical, old, properties).await?;
    let tags = tags(context, physical, properties);
    let gone: Vec<Value> = old["Tags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|t| !tags.iter().any(|n| n["Key"] == t["Key"]))
        .map(|t| json!({"ResourceId": physical, "ResourceType": "auto-scaling-group", "Key": t["Key"]}))
        .collect();
    if !gone.is_empty() {
        context.call(ASG, "DeleteTags", json!({"Tags": gone})).await?;
    }
    context.call(ASG, "CreateOrUpdateTags", json!({"Tags": tags})).await?;
    metrics(context, physical, old, properties).await?;
    if let Some(policy) = rolling {
        rolling::replace(context, physical, &policy).await?;
    }
    Ok(Attributes::new())
}

async fn hooks(context: &Context, physical: &str, old: &Value, properties: &Value) -> Result<(), Failure> {
    let list = |value: &Value| {
        value["LifecycleHookSpecificationList"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let (was, is) = (list(old), list(properties));
    for hook in is.iter().filter(|h| !was.contains(h)) {
        let mut params = hook.clone();
        params["AutoScalingGroupName"] = physical.into();
        context.call(ASG, "PutLifecycleHook", params).await?;
    }
    let gone = was
        .iter()
        .filter(|h| !is.iter().any(|i| i["LifecycleHookName"] == h["LifecycleHookName"]));
    for hook in gone {
        let params = json!({"AutoScalingGroupName": physical, "LifecycleHookName": hook["LifecycleHookName"]});
        context.call(ASG, "DeleteLifecycleHook", params).await?;
    }
    Ok(())
}

pub(super) async fn delete(context: &Context, physical: &str, _: &Value) -> Result<(), Failure> {
    let Some(_) = describe(context, physical).await? else {
        return Ok(());
    };
    let empty = json!({"AutoScalingGroupName": physical, "MinSize": 0, "MaxSize": 0, "DesiredCapacity": 0});
    context.call(ASG, "UpdateAutoScalingGroup", empty).await?;
    context
        .settle(async || {
            let group = describe(context, physical).await?;
            let empty = group.is_none_or(|g| g["Instances"].as_array().is_none_or(Vec::is_empty));
            Ok(empty.then_some(()))
        })
        .await?;
    context
        .settle(async || {
            let asked = context
                .call(ASG, "DeleteAutoScalingGroup", json!({"AutoScalingGroupName": physical}))
                .await;
            match asked {
                Ok(_) => Ok(Some(())),
                Err(failure) if matches!(failure.code.as_str(), "ScalingActivityInProgress" | "ResourceInUse") => {
                    Ok(None)
                }
                Err(failure) => Err(failure),
            }
        })
        .await?;
    context
        .settle(async || Ok(describe(context, physical).await?.is_none().then_some(())))
        .await
}

//! What a request says of a group, checked: size, subnets, launch template, settings.

use super::state::invalid;
use crate::api::{ApiError, Caller, Cloud, list, number, only, text, texts};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Parameters that change what the group does.
pub(super) const WORKING: [&str; 11] = [
    "AutoScalingGroupName",
    "MinSize",
    "MaxSize",
    "DesiredCapacity",
    "VPCZoneIdentifier",
    "AvailabilityZones",
    "LaunchTemplate",
    "HealthCheckType",
    "HealthCheckGracePeriod",
    "DeletionProtection",
    "InstanceLifecyclePolicy",
];

/// Parameters that are checked, kept and shown, and mean nothing to a group without scaling policies.
pub(super) const SHOWN: [&str; 10] = [
    "DefaultCooldown",
    "DefaultInstanceWarmup",
    "TerminationPolicies",
    "NewInstancesProtectedFromScaleIn",
    "CapacityRebalance",
    "InstanceMaintenancePolicy",
    "AvailabilityZoneDistribution",
    "AvailabilityZoneImpairmentPolicy",
    "ServiceLinkedRoleARN",
    "DesiredCapacityType",
];

/// Parameters of a creation only.
pub(super) const CREATION: [&str; 3] = ["TargetGroupARNs", "LifecycleHookSpecificationList", "Tags"];

/// A number of instances, when it is given.
pub(super) fn size(params: &Value, name: &str) -> Result<Option<u32>, ApiError> {
    if params.get(name).is_none() {
        return Ok(None);
    }
    let value = number(params, name).and_then(|n| u32::try_from(n).ok());
    value
        .map(Some)
        .ok_or_else(|| invalid(format!("{name} must be a whole number of at least 0")))
}

/// Refuses sizes that contradict each other.
pub(super) fn check_bounds(min: u32, max: u32, desired: u32) -> Result<(), ApiError> {
    if min > max {
        return Err(invalid(format!(
            "Max bound, {max}, must be greater than or equal to min bound, {min}"
        )));
    }
    if desired < min || desired > max {
        return Err(invalid(format!(
            "Desired capacity:{desired} must be between the specified min size:{min} and max size:{max}"
        )));
    }
    Ok(())
}

/// Subnets of `VPCZoneIdentifier` with their zones, or the zones of `AvailabilityZones` alone.
pub(super) async fn subnets(cloud: &Arc<Cloud>, params: &Value) -> Result<Vec<(String, String)>, ApiError> {
    let ids: Vec<String> = match params.get("VPCZoneIdentifier") {
        Some(Value::Array(_)) => texts(params, "VPCZoneIdentifier"),
        _ => text(params, "VPCZoneIdentifier")
            .unwrap_or_default()
            .split(',')
            .map(|id| id.trim().to_owned())
            .filter(|id| !id.is_empty())
            .collect(),
    };
    let named = texts(params, "AvailabilityZones");
    if ids.is_empty() {
        return zones(cloud, named).await;
    }
    let found = cloud
        .call("ec2", "DescribeSubnets", json!({"SubnetId": ids}), Caller::Admin)
        .await;
    let found = found.map_err(|e| {
        invalid(format!(
            "The subnet ID '{}' does not exist: {}",
            ids.join(","),
            e.message
        ))
    })?;
    let zone_of = |id: &String| {
        let subnet = list(&found, "subnetSet").into_iter().find(|s| s["subnetId"] == **id);
        subnet
            .and_then(|s| s["availabilityZone"].as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    let found: Vec<(String, String)> = ids.iter().map(|id| (id.clone(), zone_of(id))).collect();
    match found
        .iter()
        .find(|(_, zone)| !named.is_empty() && !named.contains(zone))
    {
        None => Ok(found),
        Some((subnet, zone)) => Err(invalid(format!(
            "The subnet '{subnet}' is in Availability Zone {zone}, which AvailabilityZones does not contain."
        ))),
    }
}

/// Zones of a group that names no subnets.
async fn zones(cloud: &Arc<Cloud>, named: Vec<String>) -> Result<Vec<(String, String)>, ApiError> {
    if named.is_empty() {
        return Err(invalid(
            "You must specify at least one Availability Zone or VPC subnet.",
        ));
    }
    let asked = json!({"ZoneName": named});
    let found = cloud
        .call("ec2", "DescribeAvailabilityZones", asked, Caller::Admin)
        .await;
    found.map_err(|e| invalid(e.message))?;
    Ok(named.into_iter().map(|zone| (String::new(), zone)).collect())
}

/// Id, name and version of a launch template that exists.
pub(super) async fn template(cloud: &Arc<Cloud>, given: &Value) -> Result<(String, String, String), ApiError> {
    only(given, &["LaunchTemplateId", "LaunchTemplateName", "Version"])?;
    let version = text(given, "Version").unwrap_or_else(|| "$Default".to_owned());
    let mut params = json!({"LaunchTemplateVersion": [version]});
    for name in ["LaunchTemplateId", "LaunchTemplateName"] {
        if let Some(value) = text(given, name) {
            params[name] = json!(value);
        }
    }
    let found = cloud
        .call("ec2", "DescribeLaunchTemplateVersions", params, Caller::Admin)
        .await;
    let found = found.map_err(|e| {
        invalid(format!(
            "You must use a valid fully-formed launch template. {}",
            e.message
        ))
    })?;
    let row = &found["launchTemplateVersionSet"][0];
    let part = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    Ok((part("launchTemplateId"), part("launchTemplateName"), version))
}

/// Refuses settings that AWS refuses, and those that the lab cannot honour.
pub(super) fn check_settings(params: &Value) -> Result<(), ApiError> {
    let types = text(params, "HealthCheckType").unwrap_or_else(|| "EC2".to_owned());
    if let Some(wrong) = types
        .split(',')
        .find(|t| !["EC2", "ELB", "EBS", "VPC_LATTICE"].contains(&t.trim()))
    {
        return Err(invalid(format!("Invalid HealthCheckType: {wrong}")));
    }
    if let Some(protection) = text(params, "DeletionProtection")
        && !["none", "prevent-force-deletion", "prevent-all-deletion"].contains(&protection.as_str())
    {
        return Err(invalid(format!("Invalid DeletionProtection: {protection}")));
    }
    let abandon = &params["InstanceLifecyclePolicy"]["RetentionTriggers"]["TerminateHookAbandon"];
    match abandon.as_str() {
        None | Some("terminate") => {}
        Some("retain") => {
            return Err(invalid(
                "TerminateHookAbandon `retain` is not supported by the local cloud",
            ));
        }
        Some(other) => return Err(invalid(format!("Invalid TerminateHookAbandon: {other}"))),
    }
    if let Some(strategy) = params["AvailabilityZoneDistribution"]["CapacityDistributionStrategy"].as_str()
        && !["balanced-only", "balanced-best-effort"].contains(&strategy)
    {
        return Err(invalid(format!("Invalid CapacityDistributionStrategy: {strategy}")));
    }
    let policy = &params["InstanceMaintenancePolicy"];
    if policy.is_object() {
        let (least, most) = (
            number(policy, "MinHealthyPercentage"),
            number(policy, "MaxHealthyPercentage"),
        );
        let fits = match (least, most) {
            (Some(-1), Some(-1)) => true,
            (Some(least), Some(most)) => {
                (0..=100).contains(&least) && (100..=200).contains(&most) && most - least <= 100
            }
            _ => false,
        };
        if !fits {
            return Err(invalid(
                "InstanceMaintenancePolicy must have MinHealthyPercentage 0 to 100 and MaxHealthyPercentage 100 to 200, at most 100 apart",
            ));
        }
    }
    Ok(())
}

/// What is kept only to be shown.
pub(super) fn shown_only(params: &Value) -> Map<String, Value> {
    let mut kept = Map::new();
    for name in SHOWN.iter().chain(&["DeletionProtection", "InstanceLifecyclePolicy"]) {
        if let Some(value) = params.get(*name) {
            kept.insert((*name).to_owned(), value.clone());
        }
    }
    kept
}

/// The grace period of health checks, when it is given.
pub(super) fn grace(params: &Value) -> Result<Option<Duration>, ApiError> {
    Ok(size(params, "HealthCheckGracePeriod")?.map(|s| Duration::from_secs(u64::from(s))))
}

//! What a request of CloudFormation says, checked: parameters, names, capabilities, tags, roles.

use super::state::OnFailure;
use super::template::{Template, invalid};
use crate::api::{ACCOUNT, ApiError, Caller, Cloud, flag, list, only, text};
use crate::ids;
use serde_json::{Value, json};
use std::sync::Arc;

/// Parameters of requests that the lab knows but cannot honour.
const UNSUPPORTED: &[&str] = &[
    "StackPolicyBody",
    "StackPolicyURL",
    "StackPolicyDuringUpdateBody",
    "StackPolicyDuringUpdateURL",
    "TemplateURL",
    "TimeoutInMinutes",
    "DeploymentMode",
    "DeploymentConfig",
];

const COMMON: &[&str] = &[
    "StackName",
    "TemplateBody",
    "UsePreviousTemplate",
    "Parameters",
    "Capabilities",
    "Tags",
    "RoleARN",
    "NotificationARNs",
    "ResourceTypes",
    "RollbackConfiguration",
];

/// Refuses parameters that no version of the action has, and those that the lab cannot honour.
pub(super) fn check_params(params: &Value, own: &[&str]) -> Result<(), ApiError> {
    if let Some(name) = UNSUPPORTED.iter().find(|n| params.get(**n).is_some()) {
        return Err(invalid(format!("{name} is not supported by the local cloud")));
    }
    let known: Vec<&str> = COMMON.iter().chain(own).copied().collect();
    only(params, &known)
}

/// Checks a stack's name.
pub(super) fn check_name(name: &str) -> Result<(), ApiError> {
    let good = name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if good {
        Ok(())
    } else {
        Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )))
    }
}

/// A new stack's ARN.
pub(super) fn stack_arn(region: &str, name: &str) -> String {
    let partition = super::intrinsics::partition(region);
    format!(
        "arn:{partition}:cloudformation:{region}:{ACCOUNT}:stack/{name}/{}",
        ids::uuid()
    )
}

/// What a request says about failures.
pub(super) fn on_failure(params: &Value, name: &str) -> Result<Option<OnFailure>, ApiError> {
    let disabled = flag(params, "DisableRollback");
    let chosen = match text(params, name).as_deref() {
        None => None,
        Some("ROLLBACK") => Some(OnFailure::Rollback),
        Some("DO_NOTHING") => Some(OnFailure::DoNothing),
        Some("DELETE") => Some(OnFailure::Delete),
        Some(other) => {
            return Err(invalid(format!(
                "1 validation error detected: Value '{other}' at '{}' failed to satisfy constraint: Member must satisfy enum value set: \
                 [DELETE, DO_NOTHING, ROLLBACK]",
                if name == "OnFailure" {
                    "onFailure"
                } else {
                    "onStackFailure"
                }
            )));
        }
    };
    match (disabled, chosen) {
        (Some(_), Some(_)) => Err(invalid("You may not specify both DisableRollback and OnFailure")),
        (Some(true), None) => Ok(Some(OnFailure::DoNothing)),
        (_, chosen) => Ok(chosen),
    }
}

/// Refuses a template whose capabilities were not acknowledged.
pub(super) fn capable(template: &Template, given: &[String]) -> Result<(), ApiError> {
    if let Some(bad) = given
        .iter()
        .find(|c| !["", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"].contains(&c.as_str()))
    {
        return Err(invalid(format!(
            "1 validation error detected: Value '[{bad}]' at 'capabilities' failed to satisfy constraint: Member must satisfy constraint: \
             [Member must satisfy enum value set: [CAPABILITY_IAM, CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND]]"
        )));
    }
    let (needed, _) = template.capabilities();
    let named = given.iter().any(|c| c == "CAPABILITY_NAMED_IAM");
    let lacking: Vec<&str> = needed
        .into_iter()
        .filter(|n| !named && !given.iter().any(|g| g == n))
        .collect();
    if lacking.is_empty() {
        Ok(())
    } else {
        Err(ApiError::new(
            "InsufficientCapabilitiesException",
            format!("Requires capabilities : [{}]", lacking.join(", ")),
        ))
    }
}

/// The tags of a stack.
pub(super) fn tags(params: &Value) -> Result<Vec<(String, String)>, ApiError> {
    let mut out: Vec<(String, String)> = Vec::new();
    for tag in list(params, "Tags").iter().filter(|t| t.is_object()) {
        let key = text(tag, "Key").unwrap_or_default();
        let value = text(tag, "Value").unwrap_or_default();
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(format!("Tag key or value of '{key}' is too short or too long")));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid("aws: prefixed tag key names are not allowed for external use."));
        }
        if out.iter().any(|(k, _)| *k == key) {
            return Err(invalid(format!("Duplicate tag keys found: {key}")));
        }
        out.push((key, value));
    }
    if out.len() > 50 {
        return Err(invalid("The number of tags exceeds 50"));
    }
    Ok(out)
}

/// The zones of the region.
pub(super) async fn zones(cloud: &Arc<Cloud>, caller: &Caller) -> Result<Vec<String>, ApiError> {
    match cloud
        .call("ec2", "DescribeAvailabilityZones", json!({}), caller.clone())
        .await
    {
        Ok(answer) => Ok(list(&answer, "availabilityZoneInfo")
            .iter()
            .filter_map(|z| text(z, "zoneName"))
            .collect()),
        Err(error) if error.status >= 500 => Err(error),
        // Templates that ask for no zones deploy all the same.
        Err(_) => Ok(Vec::new()),
    }
}

/// Refuses a role that does not exist.
pub(super) async fn assumable(cloud: &Arc<Cloud>, caller: &Caller, role: &str) -> Result<(), ApiError> {
    let name = role.rsplit('/').next().unwrap_or_default();
    let known = role.starts_with("arn:") && role.contains(":role/");
    let found = cloud
        .call("iam", "GetRole", json!({"RoleName": name}), caller.clone())
        .await;
    if known && found.is_ok() {
        Ok(())
    } else {
        Err(invalid(format!("Role {role} is invalid or cannot be assumed")))
    }
}

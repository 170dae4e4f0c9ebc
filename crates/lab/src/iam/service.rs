//! The service: which handler answers which action.

use super::state::State;
use crate::api::{ACCOUNT, ApiError, ApiResult, Call, Cloud, Service, text, unknown_action};
use crate::cloudformation::intrinsics::partition;
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// IAM of the local cloud.
#[derive(Default)]
pub(crate) struct Iam {
    state: Mutex<State>,
}

impl Iam {
    /// IAM without roles.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Service for Iam {
    fn call(self: Arc<Self>, cloud: Arc<Cloud>, call: Call) -> Pin<Box<dyn Future<Output = ApiResult> + Send>> {
        Box::pin(async move {
            let region = cloud.region.as_str();
            let params = &call.params;
            match call.action.as_str() {
                "CreateRole" => self.create_role(region, params),
                "GetRole" => self.get_role(region, params),
                "ListRoles" => self.list_roles(region, params),
                "UpdateRole" => self.update_role(params),
                "UpdateAssumeRolePolicy" => self.update_trust(params),
                "DeleteRole" => self.delete_role(params),
                "PutRolePermissionsBoundary" => self.put_boundary(params),
                "DeleteRolePermissionsBoundary" => self.delete_boundary(params),
                "TagRole" => self.tag_role(params),
                "UntagRole" => self.untag_role(params),
                "ListRoleTags" => self.list_role_tags(params),
                "PutRolePolicy" => self.put_policy(params),
                "GetRolePolicy" => self.get_policy(params),
                "DeleteRolePolicy" => self.delete_policy(params),
                "ListRolePolicies" => self.list_policies(params),
                "AttachRolePolicy" => self.attach_policy(params),
                "DetachRolePolicy" => self.detach_policy(params),
                "ListAttachedRolePolicies" => self.list_attached(params),
                "CreatePolicy" => self.create_managed(region, params),
                "GetPolicy" => self.get_managed(params),
                "GetPolicyVersion" => self.get_managed_version(params),
                "DeletePolicy" => self.delete_managed(params),
                "CreateInstanceProfile" => self.create_profile(region, params),
                "GetInstanceProfile" => self.get_profile(region, params),
                "ListInstanceProfiles" => self.list_profiles(region, params, None),
                "ListInstanceProfilesForRole" => {
                    let role = need(params, "RoleName")?;
                    self.list_profiles(region, params, Some(&role))
                }
                "DeleteInstanceProfile" => self.delete_profile(params),
                "AddRoleToInstanceProfile" => self.add_role(params),
                "RemoveRoleFromInstanceProfile" => self.remove_role(params),
                super::evaluate::ACTION => self.evaluate(region, params),
                _ => Err(unknown_action(&call)),
            }
        })
    }
}

/// A required parameter.
pub(super) fn need(params: &Value, name: &str) -> Result<String, ApiError> {
    text(params, name).ok_or_else(|| crate::cloudformation::signals::missing(name))
}

/// A name of at most `longest` characters of IAM's alphabet.
pub(super) fn name(params: &Value, parameter: &str, longest: usize) -> Result<String, ApiError> {
    let name = need(params, parameter)?;
    let good =
        (1..=longest).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c));
    if good {
        return Ok(name);
    }
    let lower = parameter.chars().next().map(|c| c.to_ascii_lowercase()).into_iter();
    let lower: String = lower.chain(parameter.chars().skip(1)).collect();
    Err(ApiError::new(
        "ValidationError",
        format!(
            "1 validation error detected: Value '{name}' at '{lower}' failed to satisfy constraint: Member must have length between 1 and \
             {longest} and satisfy regular expression pattern: [\\w+=,.@-]+"
        ),
    ))
}

/// A path, `/` by default.
pub(super) fn path(params: &Value) -> Result<String, ApiError> {
    let path = text(params, "Path").unwrap_or_else(|| "/".to_owned());
    if path.starts_with('/') && path.ends_with('/') && path.len() <= 512 {
        Ok(path)
    } else {
        Err(ApiError::new(
            "ValidationError",
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / \
             characters.",
        ))
    }
}

pub(super) fn arn(region: &str, kind: &str, path: &str, name: &str) -> String {
    format!("arn:{}:iam::{ACCOUNT}:{kind}{path}{name}", partition(region))
}

/// The tags of a call, by IAM's rules: its letters, and no key twice, whatever its case.
pub(super) fn tags(params: &Value) -> Result<Vec<(String, String)>, ApiError> {
    let tags = crate::edge::tags(params, "Tags", "ValidationError")?;
    let taken = |text: &str| text.chars().all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c));
    for (at, (key, value)) in tags.iter().enumerate() {
        for (text, of) in [(key, "key"), (value, "value")] {
            if !taken(text) {
                let place = format!(
                    "Value '{text}' at 'tags.{}.member.{of}' failed to satisfy constraint",
                    at + 1
                );
                let rule = "Member must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+";
                let message = format!("1 validation error detected: {place}: {rule}");
                return Err(ApiError::new("ValidationError", message));
            }
        }
        if tags[..at].iter().any(|(before, _)| same_key(before, key)) {
            let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(ApiError::new("InvalidInput", message));
        }
    }
    Ok(tags)
}

/// Whether two keys of tags are one to IAM.
pub(super) fn same_key(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

pub(super) fn tag_list(tags: &[(String, String)]) -> Value {
    tags.iter()
        .map(|(k, v)| json!({"Key": k, "Value": v}))
        .collect::<Vec<_>>()
        .into()
}

pub(super) fn no_role(name: &str) -> ApiError {
    ApiError::new("NoSuchEntity", format!("The role with name {name} cannot be found.")).status(404)
}

pub(super) fn conflict(code: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(code, message).status(409)
}

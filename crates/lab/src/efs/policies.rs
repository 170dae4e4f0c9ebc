//! Policies, backup, life cycle, replication protection and tags of file systems.

use super::service::{Efs, need, one_of};
use super::state::bad;
use crate::api::{ApiError, ApiResult, Call, list, only, text, texts};
use crate::edge;
use crate::policy::{Document, Kind};
use serde_json::{Value, json};

/// Longest policy, in characters.
const POLICY_LIMIT: usize = 20_000;

const AFTER: &[&str] = &[
    "AFTER_1_DAY",
    "AFTER_7_DAYS",
    "AFTER_14_DAYS",
    "AFTER_30_DAYS",
    "AFTER_60_DAYS",
    "AFTER_90_DAYS",
    "AFTER_180_DAYS",
    "AFTER_270_DAYS",
    "AFTER_365_DAYS",
];

/// A policy that can be evaluated, as text; JSON itself is accepted too, as CloudFormation gives it.
fn policy_text(p: &Value) -> Result<String, ApiError> {
    let invalid = |message: String| ApiError::new("InvalidPolicyException", message);
    let text = match p.get("Policy") {
        Some(Value::String(text)) => text.clone(),
        Some(object @ Value::Object(_)) => object.to_string(),
        _ => return Err(bad("Policy is required")),
    };
    if text.chars().count() > POLICY_LIMIT {
        return Err(invalid(format!("the policy has more than {POLICY_LIMIT} characters")));
    }
    Document::parse(&text, Kind::Resource).map_err(|e| invalid(e.0))?;
    Ok(text)
}

fn lifecycle(p: &Value) -> Result<Value, ApiError> {
    let policies = list(p, "LifecyclePolicies");
    if policies.len() > 3 {
        return Err(bad("there are at most 3 LifecyclePolicies"));
    }
    for policy in &policies {
        only(
            policy,
            &[
                "TransitionToIA",
                "TransitionToArchive",
                "TransitionToPrimaryStorageClass",
            ],
        )?;
        if policy.as_object().map(|o| o.len()) != Some(1) {
            return Err(bad("a life cycle policy has exactly one transition"));
        }
        for name in ["TransitionToIA", "TransitionToArchive"] {
            if let Some(value) = text(policy, name) {
                one_of(name, value, AFTER)?;
            }
        }
        if let Some(value) = text(policy, "TransitionToPrimaryStorageClass") {
            one_of("TransitionToPrimaryStorageClass", value, &["AFTER_1_ACCESS"])?;
        }
    }
    Ok(json!(policies))
}

impl Efs {
    pub(super) fn policy_action(&self, call: &Call) -> ApiResult {
        let p = &call.params;
        if let "TagResource" | "UntagResource" | "ListTagsForResource" | "CreateTags" | "DeleteTags" | "DescribeTags" =
            call.action.as_str()
        {
            return self.tag_action(&call.action, p);
        }
        let id = need(p, "FileSystemId")?;
        let missing = |what: &str| {
            ApiError::new(
                "PolicyNotFound",
                format!("{what} does not exist for file system '{id}'"),
            )
            .status(404)
        };
        if !call.action.starts_with("Describe") {
            self.settled(&id)?;
        }
        self.with(|s, _| {
            let found = s.file_system(&id)?;
            match call.action.as_str() {
                "PutFileSystemPolicy" => {
                    let policy = policy_text(p)?;
                    found.policy = Some(policy.clone());
                    Ok(json!({ "FileSystemId": found.id, "Policy": policy }))
                }
                "DescribeFileSystemPolicy" => {
                    let policy = found.policy.as_ref().ok_or_else(|| missing("a policy"))?;
                    Ok(json!({ "FileSystemId": found.id, "Policy": policy }))
                }
                "DeleteFileSystemPolicy" => {
                    found.policy = None;
                    Ok(json!({}))
                }
                "PutBackupPolicy" => {
                    let policy = p.get("BackupPolicy").ok_or_else(|| bad("BackupPolicy is required"))?;
                    only(policy, &["Status"])?;
                    let status = one_of("status", need(policy, "Status")?, &["ENABLED", "DISABLED"])?;
                    found.backup = status == "ENABLED";
                    Ok(json!({ "BackupPolicy": { "Status": status } }))
                }
                "DescribeBackupPolicy" => {
                    let status = if found.backup { "ENABLED" } else { "DISABLED" };
                    Ok(json!({ "BackupPolicy": { "Status": status } }))
                }
                "PutLifecycleConfiguration" => {
                    found.lifecycle = lifecycle(p)?;
                    Ok(json!({ "LifecyclePolicies": found.lifecycle }))
                }
                "DescribeLifecycleConfiguration" => Ok(json!({ "LifecyclePolicies": found.lifecycle })),
                "UpdateFileSystemProtection" => {
                    if let Some(value) = text(p, "ReplicationOverwriteProtection") {
                        let name = "replicationOverwriteProtection";
                        found.overwrite_protection = one_of(name, value, &["ENABLED", "DISABLED"])?;
                    }
                    Ok(json!({ "ReplicationOverwriteProtection": found.overwrite_protection }))
                }
                _ => Err(crate::api::unknown_action(call).status(404)),
            }
        })
    }

    fn tag_action(&self, action: &str, p: &Value) -> ApiResult {
        let id = match text(p, "ResourceId") {
            Some(id) => id,
            None => need(p, "FileSystemId")?,
        };
        let tags = super::state::tags(p)?;
        let gone = texts(p, "TagKeys");
        self.with(|s, _| {
            let found = s.file_system(&id)?;
            match action {
                "TagResource" | "CreateTags" => edge::put_tags(&mut found.tags, tags),
                "UntagResource" | "DeleteTags" => found.tags.retain(|(k, _)| !gone.contains(k)),
                _ => return Ok(json!({ "Tags": edge::tag_list(&found.tags) })),
            }
            Ok(json!({}))
        })
    }
}

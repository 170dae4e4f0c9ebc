//! The service and what it remembers.

use super::password;
use crate::api::{
    ACCOUNT, ApiError, ApiResult, Call, Cloud, Service, flag, list, number, only, text, texts, unknown_action,
};
use crate::cloudformation::intrinsics::partition;
use crate::{clock, ids};
use indexmap::IndexMap;
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Map, Value, json};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Secrets Manager of the local cloud; secrets live in memory only.
#[derive(Default)]
pub(crate) struct SecretsManager {
    /// Secrets by ARN.
    secrets: Mutex<IndexMap<String, Secret>>,
}

#[derive(Clone)]
struct Secret {
    arn: String,
    name: String,
    description: Option<String>,
    key: Option<String>,
    tags: Vec<(String, String)>,
    created: f64,
    changed: f64,
    deleted: Option<f64>,
    /// Current and previous version: id, member of the value, value.
    versions: Vec<(String, &'static str, String)>,
}

fn error(code: &str, message: &str) -> ApiError {
    ApiError::new(code, message)
}

fn value(params: &Value) -> Result<Option<(&'static str, String)>, ApiError> {
    match (text(params, "SecretString"), text(params, "SecretBinary")) {
        (Some(_), Some(_)) => Err(error(
            "InvalidParameterException",
            "You can't specify both SecretString and SecretBinary.",
        )),
        (Some(text), None) => Ok(Some(("SecretString", text))),
        (None, Some(binary)) => Ok(Some(("SecretBinary", binary))),
        (None, None) => Ok(None),
    }
}

impl Secret {
    fn put(&mut self, token: Option<String>, value: (&'static str, String)) -> String {
        let id = token.unwrap_or_else(ids::uuid);
        self.versions.insert(0, (id.clone(), value.0, value.1));
        self.versions.truncate(2);
        self.changed = clock::now_seconds();
        id
    }

    fn stages(at: usize) -> &'static str {
        if at == 0 { "AWSCURRENT" } else { "AWSPREVIOUS" }
    }

    fn shown(&self, versions: &str) -> Value {
        let stages: Map<String, Value> = self
            .versions
            .iter()
            .enumerate()
            .map(|(i, v)| (v.0.clone(), json!([Self::stages(i)])))
            .collect();
        let tags: Vec<Value> = self.tags.iter().map(|(k, v)| json!({"Key": k, "Value": v})).collect();
        json!({
            "ARN": self.arn,
            "Name": self.name,
            "Description": self.description,
            "KmsKeyId": self.key,
            "CreatedDate": self.created,
            "LastChangedDate": self.changed,
            "DeletedDate": self.deleted,
            "Tags": tags,
            versions: stages,
        })
    }
}

impl SecretsManager {
    /// Secrets Manager without secrets.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, IndexMap<String, Secret>> {
        self.secrets.lock()
    }

    fn change<T>(
        &self,
        params: &Value,
        deleted: bool,
        run: impl FnOnce(&mut Secret) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let id = text(params, "SecretId")
            .ok_or_else(|| error("ValidationException", "Value null at 'secretId' must not be null"))?;
        let mut secrets = self.lock();
        let found = secrets
            .values_mut()
            .find(|s| s.arn == id || s.name == id || s.arn.rsplit_once('-').is_some_and(|(partial, _)| partial == id));
        let Some(secret) = found else {
            return Err(error(
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret.",
            ));
        };
        if secret.deleted.is_some() && !deleted {
            return Err(error(
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.",
            ));
        }
        run(secret)
    }

    fn create(&self, region: &str, params: &Value) -> ApiResult {
        only(
            params,
            &[
                "Name",
                "ClientRequestToken",
                "Description",
                "KmsKeyId",
                "SecretBinary",
                "SecretString",
                "Tags",
            ],
        )?;
        let name = text(params, "Name").unwrap_or_default();
        if name.is_empty()
            || name.len() > 512
            || !name.chars().all(|c| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c))
        {
            return Err(error(
                "ValidationException",
                "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
            ));
        }
        let value = value(params)?;
        let mut secrets = self.lock();
        if let Some(existing) = secrets.values().find(|s| s.name == name) {
            return Err(match existing.deleted {
                Some(_) => error(
                    "InvalidRequestException",
                    "You can't create this secret because a secret with this name is already scheduled for deletion.",
                ),
                None => error(
                    "ResourceExistsException",
                    &format!("The operation failed because the secret {name} already exists."),
                ),
            });
        }
        let arn = format!(
            "arn:{}:secretsmanager:{region}:{ACCOUNT}:secret:{name}-{}",
            partition(region),
            ids::alphanumeric(6)
        );
        let now = clock::now_seconds();
        let mut secret = Secret {
            arn: arn.clone(),
            name: name.clone(),
            description: text(params, "Description"),
            key: text(params, "KmsKeyId"),
            tags: tags(params),
            created: now,
            changed: now,
            deleted: None,
            versions: Vec::new(),
        };
        let version = value.map(|v| secret.put(text(params, "ClientRequestToken"), v));
        secrets.insert(arn.clone(), secret);
        Ok(json!({"ARN": arn, "Name": name, "VersionId": version}))
    }

    fn update(&self, params: &Value) -> ApiResult {
        only(
            params,
            &[
                "SecretId",
                "ClientRequestToken",
                "Description",
                "KmsKeyId",
                "SecretBinary",
                "SecretString",
            ],
        )?;
        let value = value(params)?;
        self.change(params, false, |secret| {
            if let Some(text) = text(params, "Description") {
                secret.description = Some(text);
            }
            if let Some(key) = text(params, "KmsKeyId") {
                secret.key = Some(key);
            }
            let version = value.map(|v| secret.put(text(params, "ClientRequestToken"), v));
            Ok(json!({"ARN": secret.arn, "Name": secret.name, "VersionId": version}))
        })
    }

    fn put_value(&self, params: &Value) -> ApiResult {
        only(
            params,
            &["SecretId", "ClientRequestToken", "SecretBinary", "SecretString"],
        )?;
        let Some(value) = value(params)? else {
            return Err(error(
                "InvalidRequestException",
                "You must provide either SecretString or SecretBinary.",
            ));
        };
        self.change(params, false, |secret| {
            let version = secret.put(text(params, "ClientRequestToken"), value);
            Ok(json!({"ARN": secret.arn, "Name": secret.name, "VersionId": version, "VersionStages": ["AWSCURRENT"]}))
        })
    }

    fn get_value(&self, params: &Value) -> ApiResult {
        only(params, &["SecretId", "VersionId", "VersionStage"])?;
        let (version, stage) = (text(params, "VersionId"), text(params, "VersionStage"));
        self.change(params, false, |secret| {
            let found = secret
                .versions
                .iter()
                .enumerate()
                .find(|(i, v)| match (&version, &stage) {
                    (Some(id), _) => v.0 == *id,
                    (None, Some(stage)) => Secret::stages(*i) == stage,
                    (None, None) => *i == 0,
                });
            let Some((at, (id, member, value))) = found else {
                let wanted = stage.as_deref().unwrap_or("AWSCURRENT");
                return Err(error(
                    "ResourceNotFoundException",
                    &format!("Secrets Manager can't find the specified secret value for staging label: {wanted}"),
                ));
            };
            Ok(json!({
                "ARN": secret.arn,
                "Name": secret.name,
                "VersionId": id,
                *member: value,
                "VersionStages": [Secret::stages(at)],
                "CreatedDate": secret.changed,
            }))
        })
    }

    fn delete(&self, params: &Value) -> ApiResult {
        only(
            params,
            &["SecretId", "RecoveryWindowInDays", "ForceDeleteWithoutRecovery"],
        )?;
        let force = flag(params, "ForceDeleteWithoutRecovery").unwrap_or_default();
        let days = number(params, "RecoveryWindowInDays");
        if force && days.is_some() {
            return Err(error(
                "InvalidParameterException",
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
            ));
        }
        let days = days.unwrap_or(30);
        if !force && !(7..=30).contains(&days) {
            return Err(error(
                "InvalidParameterException",
                "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
            ));
        }
        let until = clock::now_seconds() + if force { 0.0 } else { days as f64 * 86_400.0 };
        let (arn, answer) = self.change(params, force, |secret| {
            secret.deleted = Some(until);
            let answer = json!({"ARN": secret.arn, "Name": secret.name, "DeletionDate": until});
            Ok((secret.arn.clone(), answer))
        })?;
        if force {
            self.lock().shift_remove(&arn);
        }
        Ok(answer)
    }

    fn restore(&self, params: &Value) -> ApiResult {
        only(params, &["SecretId"])?;
        self.change(params, true, |secret| {
            secret.deleted = None;
            Ok(json!({"ARN": secret.arn, "Name": secret.name}))
        })
    }

    fn list(&self, params: &Value) -> ApiResult {
        only(
            params,
            &[
                "IncludePlannedDeletion",
                "MaxResults",
                "NextToken",
                "Filters",
                "SortOrder",
                "SortBy",
            ],
        )?;
        let all = flag(params, "IncludePlannedDeletion").unwrap_or_default();
        let filters: Vec<(String, Vec<String>)> = list(params, "Filters")
            .iter()
            .map(|f| (text(f, "Key").unwrap_or_default(), texts(f, "Values")))
            .collect();
        let fits = |secret: &Secret| {
            filters.iter().all(|(key, values)| {
                let hit = |candidates: Vec<&str>| {
                    values
                        .iter()
                        .any(|v| candidates.iter().any(|c| c.starts_with(v.as_str())))
                };
                match key.as_str() {
                    "name" => hit(vec![secret.name.as_str()]),
                    "description" => hit(vec![secret.description.as_deref().unwrap_or_default()]),
                    "tag-key" => hit(secret.tags.iter().map(|t| t.0.as_str()).collect()),
                    "tag-value" => hit(secret.tags.iter().map(|t| t.1.as_str()).collect()),
                    _ => true,
                }
            })
        };
        let secrets = self.lock();
        let shown: Vec<Value> = secrets
            .values()
            .filter(|s| (all || s.deleted.is_none()) && fits(s))
            .map(|s| s.shown("SecretVersionsToStages"))
            .collect();
        Ok(json!({"SecretList": shown}))
    }
}

fn tags(params: &Value) -> Vec<(String, String)> {
    list(params, "Tags")
        .iter()
        .filter_map(|t| Some((text(t, "Key")?, text(t, "Value").unwrap_or_default())))
        .collect()
}

impl Service for SecretsManager {
    fn call(self: Arc<Self>, cloud: Arc<Cloud>, call: Call) -> Pin<Box<dyn Future<Output = ApiResult> + Send>> {
        Box::pin(async move {
            let params = &call.params;
            match call.action.as_str() {
                "CreateSecret" => self.create(&cloud.region, params),
                "UpdateSecret" => self.update(params),
                "PutSecretValue" => self.put_value(params),
                "GetSecretValue" => self.get_value(params),
                "DescribeSecret" => {
                    only(params, &["SecretId"])?;
                    self.change(params, true, |s| Ok(s.shown("VersionIdsToStages")))
                }
                "DeleteSecret" => self.delete(params),
                "RestoreSecret" => self.restore(params),
                "ListSecrets" => self.list(params),
                "GetRandomPassword" => password::random(params),
                "TagResource" => {
                    only(params, &["SecretId", "Tags"])?;
                    self.change(params, false, |secret| {
                        for (key, value) in tags(params) {
                            secret.tags.retain(|(k, _)| *k != key);
                            secret.tags.push((key, value));
                        }
                        Ok(Value::Null)
                    })
                }
                "UntagResource" => {
                    only(params, &["SecretId", "TagKeys"])?;
                    let gone = texts(params, "TagKeys");
                    self.change(params, false, |secret| {
                        secret.tags.retain(|(k, _)| !gone.contains(k));
                        Ok(Value::Null)
                    })
                }
                _ => Err(unknown_action(&call)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Caller;
    use crate::cloudformation::testing::block_on;

    #[test]
    fn a_secret_has_versions_and_an_end() {
        let cloud = Cloud::new("eu-west-1");
        cloud.add("secretsmanager", Arc::new(SecretsManager::new()));
        let call =
            |action: &'static str, params: Value| block_on(cloud.call("secretsmanager", action, params, Caller::Admin));
        let made = call("CreateSecret", json!({"Name": "a/b", "SecretString": "one"})).unwrap();
        let arn = made["ARN"].as_str().unwrap();
        assert!(arn.starts_with("arn:aws:secretsmanager:eu-west-1:000000000000:secret:a/b-"));
        assert_eq!(
            call("CreateSecret", json!({"Name": "a/b"})).unwrap_err().code,
            "ResourceExistsException"
        );
        call("PutSecretValue", json!({"SecretId": "a/b", "SecretString": "two"})).unwrap();
        for (params, value) in [
            (json!({"SecretId": arn}), "two"),
            (json!({"SecretId": "a/b"}), "two"),
            (json!({"SecretId": arn.rsplit_once('-').unwrap().0}), "two"),
            (json!({"SecretId": arn, "VersionStage": "AWSPREVIOUS"}), "one"),
            (json!({"SecretId": arn, "VersionId": made["VersionId"]}), "one"),
        ] {
            assert_eq!(
                call("GetSecretValue", params.clone()).unwrap()["SecretString"],
                value,
                "{params}"
            );
        }
        let shown = call("DescribeSecret", json!({"SecretId": arn})).unwrap();
        assert!(!shown.to_string().contains("two"));
        call("DeleteSecret", json!({"SecretId": arn})).unwrap();
        assert_eq!(
            call("GetSecretValue", json!({"SecretId": arn})).unwrap_err().code,
            "InvalidRequestException"
        );
        call("RestoreSecret", json!({"SecretId": arn})).unwrap();
        call(
            "DeleteSecret",
            json!({"SecretId": arn, "ForceDeleteWithoutRecovery": true}),
        )
        .unwrap();
        assert_eq!(
            call("GetSecretValue", json!({"SecretId": arn})).unwrap_err().code,
            "ResourceNotFoundException"
        );
    }
}

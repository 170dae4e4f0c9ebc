//! Roles.

use super::managed;
use super::policies::{policy, size};
use super::service::{Iam, arn, conflict, name, need, no_role, path, same_key, tag_list, tags};
use super::state::{Role, State};
use crate::api::{ApiError, ApiResult, number, only, text, texts};
use crate::policy::Kind;
use crate::wire::percent::escape;
use crate::{clock, ids};
use serde_json::{Value, json};

/// Characters of all inline policies of a role together.
const INLINE_LIMIT: usize = 10_240;

pub(super) fn shown(region: &str, role: &Role) -> Value {
    let boundary = role
        .boundary
        .as_ref()
        .map(|arn| json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}));
    json!({
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": arn(region, "role", &role.path, &role.name),
        "CreateDate": role.created,
        "AssumeRolePolicyDocument": escape(&role.trust, false),
        "Description": role.description,
        "MaxSessionDuration": role.session_seconds,
        "PermissionsBoundary": boundary,
        "Tags": tag_list(&role.tags),
    })
}

fn role_of<'a>(state: &'a mut State, params: &Value) -> Result<&'a mut Role, ApiError> {
    let name = need(params, "RoleName")?;
    state.roles.get_mut(&name).ok_or_else(|| no_role(&name))
}

impl Iam {
    pub(super) fn create_role(&self, region: &str, params: &Value) -> ApiResult {
        only(
            params,
            &[
                "RoleName",
                "Path",
                "AssumeRolePolicyDocument",
                "Description",
                "MaxSessionDuration",
                "PermissionsBoundary",
                "Tags",
            ],
        )?;
        let name = name(params, "RoleName", 64)?;
        let trust = need(params, "AssumeRolePolicyDocument")?;
        policy(&trust, Kind::Trust)?;
        let boundary = text(params, "PermissionsBoundary");
        let mut state = self.lock();
        managed::must_exist_as_boundary(&state, boundary.as_deref())?;
        let role = Role {
            id: format!("AROA{}", ids::upper(17)),
            path: path(params)?,
            created: clock::now_iso(),
            trust,
            description: text(params, "Description"),
            session_seconds: number(params, "MaxSessionDuration").unwrap_or(3600),
            boundary,
            tags: tags(params)?,
            inline: Default::default(),
            attached: Vec::new(),
            name: name.clone(),
        };
        if state.roles.contains_key(&name) {
            return Err(conflict(
                "EntityAlreadyExists",
                format!("Role with name {name} already exists."),
            ));
        }
        let answer = json!({"Role": shown(region, &role)});
        state.roles.insert(name, role);
        Ok(answer)
    }

    pub(super) fn get_role(&self, region: &str, params: &Value) -> ApiResult {
        only(params, &["RoleName"])?;
        let mut state = self.lock();
        let role = role_of(&mut state, params)?;
        Ok(json!({"Role": shown(region, role)}))
    }

    pub(super) fn list_roles(&self, region: &str, params: &Value) -> ApiResult {
        only(params, &["PathPrefix", "Marker", "MaxItems"])?;
        let prefix = text(params, "PathPrefix").unwrap_or_else(|| "/".to_owned());
        let state = self.lock();
        let roles: Vec<Value> = state
            .roles
            .values()
            .filter(|r| r.path.starts_with(&prefix))
            .map(|r| shown(region, r))
            .collect();
        Ok(json!({"Roles": roles, "IsTruncated": false}))
    }

    pub(super) fn update_role(&self, params: &Value) -> ApiResult {
        only(params, &["RoleName", "Description", "MaxSessionDuration"])?;
        let mut state = self.lock();
        let role = role_of(&mut state, params)?;
        role.description = text(params, "Description");
        role.session_seconds = number(params, "MaxSessionDuration").unwrap_or(3600);
        Ok(json!({}))
    }

    pub(super) fn update_trust(&self, params: &Value) -> ApiResult {
        only(params, &["RoleName", "PolicyDocument"])?;
        let document = need(params, "PolicyDocument")?;
        policy(&document, Kind::Trust)?;
        role_of(&mut self.lock(), params)?.trust = document;
        Ok(Value::Null)
    }

    pub(super) fn delete_role(&self, params: &Value) -> ApiResult {
        only(params, &["RoleName"])?;
        let mut state = self.lock();
        let role = role_of(&mut state, params)?.clone();
        if state.profiles.values().any(|p| p.roles.contains(&role.name)) {
            return Err(conflict(
                "DeleteConflict",
                "Cannot delete entity, must remove roles from instance profile first.",
            ));
        }
        if !role.inline.is_empty() {
            return Err(conflict(
                "DeleteConflict",
                "Cannot delete entity, must delete policies first.",
            ));
        }
        if !role.attached.is_empty() {
            return Err(conflict(
                "DeleteConflict",
                "Cannot delete entity, must detach all policies first.",
            ));
        }
        state.roles.shift_remove(&role.name);
        Ok(Value::Null)
    }

    pub(super) fn put_boundary(&self, params: &Value) -> ApiResult {
        only(params, &["RoleName", "PermissionsBoundary"])?;
        let boundary = need(params, "PermissionsBoundary")?;
        let mut state = self.lock();
        managed::must_exist_as_boundary(&state, Some(&boundary))?;
        role_of(&mut state, params)?.boundary = Some(boundary);
        Ok(Value::Null)
    }

    pub(super) fn delete_boundary(&self, params: &Value) -> ApiResult {
        only(params, &["RoleName"])?;
        role_of(&mut self.lock(), params)?.boundary = None;
        Ok(Value::Null)
    }

    pub(super) fn tag_role(&self, params: &Value) -> ApiResult {
        only(params, &["RoleName", "Tags"])?;
        let mut state = self.lock();
        let role = role_of(&mut state, params)?;
        for (key, value) in tags(params)? {
            role.tags.retain(|(k, _)| !same_key(k, &key));
            role.tags.push((key, value));
        }
        Ok(Value::Null)
    }

    pub(super) fn untag_role(&self, params: &Value) -> ApiResult {
        only(params, &["RoleName", "TagKeys"])?;
        let gone = texts(params, "TagKeys");
        role_of(&mut self.lock(), params)?
            .tags
            .retain(|(k, _)| !gone.contains(k));
        Ok(Value::Null)
    }

    pub(super) fn list_role_tags(&self, params: &Value) -> ApiResult {
        only(params, &["RoleName", "Marker", "MaxItems"])?;
        let mut state = self.lock();
        let role = role_of(&mut state, params)?;
        Ok(json!({"Tags": tag_list(&role.tags), "IsTruncated": false}))
    }

    pub(super) fn put_policy(&self, params: &Value) -> ApiResult {
        only(params, &["RoleName", "PolicyName", "PolicyDocument"])?;
        let name = name(params, "PolicyName", 128)?;
        let put = policy(&need(params, "PolicyDocument")?, Kind::Identity)?;
        let mut state = self.lock();
        let role = role_of(&mut state, params)?;
        let others = role.inline.iter().filter(|(n, _)| **n != name);
        let sum: usize = others.map(|(_, p)| size(&p.text)).sum();
        if sum + size(&put.text) > INLINE_LIMIT {
            return Err(conflict(
                "LimitExceeded",
                format!(
                    "Maximum policy size of {INLINE_LIMIT} bytes exceeded for role {}",
                    role.name
                ),
            ));
        }
        role.inline.insert(name, put);
        Ok(Value::Null)
    }

    pub(super) fn get_policy(&self, params: &Value) -> ApiResult {
        only(params, &["RoleName", "PolicyName"])?;
        let policy = need(params, "PolicyName")?;
        let mut state = self.lock();
        let role = role_of(&mut state, params)?;
        let found = role.inline.get(&policy).ok_or_else(|| no_policy(&policy))?;
        Ok(json!({"RoleName": role.name, "PolicyName": policy, "PolicyDocument": escape(&found.text, false)}))
    }

    pub(super) fn delete_policy(&self, params: &Value) -> ApiResult {
        only(params, &["RoleName", "PolicyName"])?;
        let policy = need(params, "PolicyName")?;
        let mut state = self.lock();
        let role = role_of(&mut state, params)?;
        role.inline
            .shift_remove(&policy)
            .map(|_| Value::Null)
            .ok_or_else(|| no_policy(&policy))
    }

    pub(super) fn list_policies(&self, params: &Value) -> ApiResult {
        only(params, &["RoleName", "Marker", "MaxItems"])?;
        let mut state = self.lock();
        let role = role_of(&mut state, params)?;
        let names: Vec<&String> = role.inline.keys().collect();
        Ok(json!({"PolicyNames": names, "IsTruncated": false}))
    }

    pub(super) fn attach_policy(&self, params: &Value) -> ApiResult {
        only(params, &["RoleName", "PolicyArn"])?;
        let policy = need(params, "PolicyArn")?;
        let mut state = self.lock();
        if managed::content(&state, &policy).is_none() {
            return Err(ApiError::new(
                "NoSuchEntity",
                format!("Policy {policy} does not exist or is not attachable."),
            )
            .status(404));
        }
        let role = role_of(&mut state, params)?;
        if !role.attached.contains(&policy) {
            role.attached.push(policy);
        }
        Ok(Value::Null)
    }

    pub(super) fn detach_policy(&self, params: &Value) -> ApiResult {
        only(params, &["RoleName", "PolicyArn"])?;
        let policy = need(params, "PolicyArn")?;
        let mut state = self.lock();
        let role = role_of(&mut state, params)?;
        let Some(at) = role.attached.iter().position(|a| *a == policy) else {
            return Err(ApiError::new("NoSuchEntity", format!("Policy {policy} was not found.")).status(404));
        };
        role.attached.remove(at);
        Ok(Value::Null)
    }

    pub(super) fn list_attached(&self, params: &Value) -> ApiResult {
        only(params, &["RoleName", "PathPrefix", "Marker", "MaxItems"])?;
        let mut state = self.lock();
        let role = role_of(&mut state, params)?;
        let attached: Vec<Value> = role
            .attached
            .iter()
            .map(|arn| json!({"PolicyArn": arn, "PolicyName": arn.rsplit('/').next()}))
            .collect();
        Ok(json!({"AttachedPolicies": attached, "IsTruncated": false}))
    }
}

fn no_policy(name: &str) -> ApiError {
    ApiError::new(
        "NoSuchEntity",
        format!("The role policy with name {name} cannot be found."),
    )
    .status(404)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

    #[test]
    fn tags_are_taken_by_iams_rules() {
        let iam = Iam::new();
        let tagged = |name: &str, keys: &[&str]| {
            let tags: Vec<Value> = keys.iter().map(|key| json!({"Key": key, "Value": "v"})).collect();
            let params = json!({"RoleName": name, "AssumeRolePolicyDocument": TRUST, "Tags": tags});
            iam.create_role("eu-west-1", &params).map_err(|error| error.code)
        };
        for (keys, code) in [
            (&["a*b"][..], "ValidationError"),
            (&["a,b"], "ValidationError"),
            (&["AWS:x"], "ValidationError"),
            (&["Cost", "cost"], "InvalidInput"),
        ] {
            assert_eq!(tagged("r", keys), Err(code.to_owned()), "{keys:?}");
        }
        tagged("r", &["Cost", "a b/c"]).expect("a role");
        let again = json!({"RoleName": "r", "Tags": [{"Key": "COST", "Value": "w"}]});
        iam.tag_role(&again).expect("tagged");
        let tags = iam.list_role_tags(&json!({"RoleName": "r"})).expect("its tags");
        assert_eq!(
            tags["Tags"],
            json!([{"Key": "a b/c", "Value": "v"}, {"Key": "COST", "Value": "w"}])
        );
    }
}

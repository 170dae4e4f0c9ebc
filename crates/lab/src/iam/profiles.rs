//! Instance profiles.

use super::roles::shown as shown_role;
use super::service::{Iam, arn, conflict, name, need, no_role, path, tag_list, tags};
use super::state::{Profile, State};
use crate::api::{ApiError, ApiResult, only};
use crate::{clock, ids};
use serde_json::{Value, json};

fn shown(region: &str, state: &State, profile: &Profile) -> Value {
    let roles: Vec<Value> = profile
        .roles
        .iter()
        .filter_map(|r| state.roles.get(r))
        .map(|r| shown_role(region, r))
        .collect();
    json!({
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.id,
        "Arn": arn(region, "instance-profile", &profile.path, &profile.name),
        "CreateDate": profile.created,
        "Roles": roles,
        "Tags": tag_list(&profile.tags),
    })
}

fn none(name: &str) -> ApiError {
    ApiError::new("NoSuchEntity", format!("Instance Profile {name} cannot be found.")).status(404)
}

impl Iam {
    pub(super) fn create_profile(&self, region: &str, params: &Value) -> ApiResult {
        only(params, &["InstanceProfileName", "Path", "Tags"])?;
        let name = name(params, "InstanceProfileName", 128)?;
        let profile = Profile {
            id: format!("AIPA{}", ids::upper(17)),
            path: path(params)?,
            created: clock::now_iso(),
            roles: Vec::new(),
            tags: tags(params)?,
            name: name.clone(),
        };
        let mut state = self.lock();
        if state.profiles.contains_key(&name) {
            return Err(conflict(
                "EntityAlreadyExists",
                format!("Instance Profile {name} already exists."),
            ));
        }
        let answer = json!({"InstanceProfile": shown(region, &state, &profile)});
        state.profiles.insert(name, profile);
        Ok(answer)
    }

    pub(super) fn get_profile(&self, region: &str, params: &Value) -> ApiResult {
        only(params, &["InstanceProfileName"])?;
        let name = need(params, "InstanceProfileName")?;
        let state = self.lock();
        let profile = state.profiles.get(&name).ok_or_else(|| none(&name))?;
        Ok(json!({"InstanceProfile": shown(region, &state, profile)}))
    }

    pub(super) fn list_profiles(&self, region: &str, params: &Value, role: Option<&str>) -> ApiResult {
        only(params, &["RoleName", "PathPrefix", "Marker", "MaxItems"])?;
        let state = self.lock();
        if let Some(role) = role
            && !state.roles.contains_key(role)
        {
            return Err(no_role(role));
        }
        let profiles: Vec<Value> = state
            .profiles
            .values()
            .filter(|p| role.is_none_or(|role| p.roles.iter().any(|r| r == role)))
            .map(|p| shown(region, &state, p))
            .collect();
        Ok(json!({"InstanceProfiles": profiles, "IsTruncated": false}))
    }

    pub(super) fn delete_profile(&self, params: &Value) -> ApiResult {
        only(params, &["InstanceProfileName"])?;
        let name = need(params, "InstanceProfileName")?;
        let mut state = self.lock();
        let profile = state.profiles.get(&name).ok_or_else(|| none(&name))?;
        if !profile.roles.is_empty() {
            return Err(conflict(
                "DeleteConflict",
                "Cannot delete entity, must remove roles from instance profile first.",
            ));
        }
        state.profiles.shift_remove(&name);
        Ok(Value::Null)
    }

    pub(super) fn add_role(&self, params: &Value) -> ApiResult {
        only(params, &["InstanceProfileName", "RoleName"])?;
        let (name, role) = (need(params, "InstanceProfileName")?, need(params, "RoleName")?);
        let mut state = self.lock();
        if !state.roles.contains_key(&role) {
            return Err(no_role(&role));
        }
        let profile = state.profiles.get_mut(&name).ok_or_else(|| none(&name))?;
        if !profile.roles.is_empty() {
            return Err(conflict(
                "LimitExceeded",
                "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
            ));
        }
        profile.roles.push(role);
        Ok(Value::Null)
    }

    pub(super) fn remove_role(&self, params: &Value) -> ApiResult {
        only(params, &["InstanceProfileName", "RoleName"])?;
        let (name, role) = (need(params, "InstanceProfileName")?, need(params, "RoleName")?);
        let mut state = self.lock();
        let profile = state.profiles.get_mut(&name).ok_or_else(|| none(&name))?;
        let Some(at) = profile.roles.iter().position(|r| *r == role) else {
            return Err(no_role(&role));
        };
        profile.roles.remove(at);
        Ok(Value::Null)
    }
}

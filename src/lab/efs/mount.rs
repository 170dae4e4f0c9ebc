//! The double of `mount.efs`: which directory an instance gets, and where its locks are leased.

use super::service::{Efs, instance_of};
use super::state::bad;
use crate::lab::api::{ApiError, ApiResult, Caller, Cloud};
use crate::lab::edge;
use crate::lab::server::Routes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// Name of the action in the lab's call interface; AWS has no such action.
pub(super) const ACTION: &str = "mqaws:Mount";

/// What an instance asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MountRequest {
    /// File system id.
    pub file_system: String,
    /// Availability zone of the mount target; the instance's own when absent, as the name of an EFS file system
    /// resolves only to the mount target of the client's zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount_target_az: Option<String>,
}

/// Adds `POST /_mqaws/mount`, which a host's mount helper calls with its metadata token as `x-mqaws-instance-token`.
pub fn add_routes(routes: &mut Routes) {
    routes.on("POST", "/_mqaws/mount", |cloud, request| async move {
        by_token(&cloud, request.raw.header("x-mqaws-instance-token"), request.body).await
    });
}

/// Finds the instance by its metadata token and mounts.
///
/// # Errors
/// `AccessDenied` for an unknown token; else see [`Efs::mount`].
pub(super) async fn by_token(cloud: &Arc<Cloud>, token: Option<&str>, body: Value) -> ApiResult {
    let Some(instance) = token.and_then(|t| cloud.instance_of_token(t)) else {
        let message = "x-mqaws-instance-token is no metadata token of an instance";
        return Err(ApiError::new("AccessDenied", message).status(403));
    };
    let caller = Caller::Instance {
        instance,
        role: String::new(),
    };
    cloud.call("elasticfilesystem", ACTION, body, caller).await
}

impl Efs {
    /// Mounts for an instance: `{"path","lease_address","lease_ms"}`.
    ///
    /// # Errors
    /// `FileSystemNotFound`, `IncorrectFileSystemLifeCycleState`, `MountTargetNotFound` when the zone has no available
    /// mount target in the instance's VPC, and what EC2 says about the instance.
    pub async fn mount(&self, cloud: &Arc<Cloud>, instance: &str, request: &MountRequest) -> ApiResult {
        let facts = edge::instance(cloud, instance).await?;
        let (id, directory) = self.available(&request.file_system)?;
        let zone = request.mount_target_az.as_ref().unwrap_or(&facts.zone);
        self.with(|s, now| {
            let usable = s
                .targets_of(&id)
                .into_iter()
                .any(|m| m.zone == *zone && m.vpc == facts.vpc && m.state(now, &self.timing) == "available");
            if usable {
                return Ok(());
            }
            let message = format!(
                "Failed to resolve \"{id}.efs.{}.amazonaws.com\": file system '{id}' has no available mount target in {zone} \
                 of {}",
                cloud.region, facts.vpc
            );
            Err(ApiError::new("MountTargetNotFound", message).status(404))
        })?;
        tracing::info!(instance, file_system = %id, %zone, "mounted");
        Ok(json!({
            "path": directory,
            "lease_address": self.lease.address().to_string(),
            "lease_ms": self.lease.lease().as_millis() as u64,
        }))
    }

    pub(super) async fn mount_action(&self, cloud: &Arc<Cloud>, p: &Value, caller: &Caller) -> ApiResult {
        let request: MountRequest = serde_json::from_value(p.clone()).map_err(|e| bad(e.to_string()))?;
        let Some(instance) = instance_of(caller) else {
            return Err(ApiError::new("AccessDenied", "only an instance can mount").status(403));
        };
        self.mount(cloud, instance, &request).await
    }
}

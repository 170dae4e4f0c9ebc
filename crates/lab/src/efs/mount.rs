//! The double of `mount.efs`: who may mount, which directory an instance gets, and where its locks are leased.
//!
//! Without a file system policy everybody may, as on EFS. With one, its statements and the policies of the instance's role
//! decide, at the mount and not afterwards. On EFS a client without `ClientWrite` or `ClientRootAccess` mounts and fails
//! at its first write, or as root; a directory has no such half access, so here the mount is refused.

use super::service::{Efs, instance_of};
use super::state::bad;
use crate::api::{ApiError, ApiResult, Caller, Cloud};
use crate::edge;
use crate::iam::{self, Answer, Question};
use crate::policy::Context;
use crate::server::Routes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// Name of the action in the lab's call interface; AWS has no such action.
pub(super) const ACTION: &str = "mqaws:Mount";

/// What an instance asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MountRequest {
    /// File system id.
    pub(crate) file_system: String,
    /// Availability zone of the mount target; the instance's own when absent, as the name of an EFS file system
    /// resolves only to the mount target of the client's zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mount_target_az: Option<String>,
    /// How it mounts; without options, as a plain NFS client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) options: Vec<MountOption>,
}

/// Options of `mount.efs` that a file system policy sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MountOption {
    /// NFS within TLS. The data plane of the lab has no network to encrypt: the option is taken at its word.
    Tls,
    /// With the credentials of the instance's role; needs `tls`.
    Iam,
}

/// What a client needs that writes as root, as an engine's set-up does.
const ACCESS: [&str; 3] = [
    "elasticfilesystem:ClientMount",
    "elasticfilesystem:ClientWrite",
    "elasticfilesystem:ClientRootAccess",
];

/// Path of the call that mounts.
pub(crate) const MOUNT: &str = "/_mqaws/mount";

/// Adds `POST /_mqaws/mount`, which a host's mount helper calls with its metadata token as `x-mqaws-instance-token`.
pub(crate) fn add_routes(routes: &mut Routes) {
    routes.on("POST", MOUNT, |cloud, request| async move {
        by_token(&cloud, request.raw.header("x-mqaws-instance-token"), request.body).await
    });
}

/// Finds the instance by its metadata token and mounts.
///
/// # Errors
/// `AccessDenied` for an unknown token; else see [`Efs::mount`].
pub(super) async fn by_token(cloud: &Arc<Cloud>, token: Option<&str>, body: Value) -> ApiResult {
    let Some(instance) = token.and_then(|t| cloud.instance_of_token(t)) else {
        let message = "x-mqaws-instance-token is not a metadata token of an instance";
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
    /// mount target in the instance's VPC, `AccessDenied` when the policies do not allow it, and what EC2 says about the
    /// instance.
    pub(crate) async fn mount(&self, cloud: &Arc<Cloud>, instance: &str, request: &MountRequest) -> ApiResult {
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
        self.may_mount(cloud, instance, &id, &request.options).await?;
        tracing::info!(instance, file_system = %id, %zone, "mounted");
        Ok(json!({
            "path": directory,
            "lease_address": self.lease.address().to_string(),
            "lease_ms": self.lease.lease().as_millis() as u64,
        }))
    }

    /// Asks the policies, when the file system has one.
    async fn may_mount(
        &self,
        cloud: &Arc<Cloud>,
        instance: &str,
        id: &str,
        options: &[MountOption],
    ) -> Result<(), ApiError> {
        let (tls, iam) = (options.contains(&MountOption::Tls), options.contains(&MountOption::Iam));
        if iam && !tls {
            return Err(bad("option `iam` requires option `tls`"));
        }
        let found = self.with(|s, _| s.file_system(id).map(|f| (f.arn(), f.policy.clone())))?;
        let (arn, Some(policy)) = found else { return Ok(()) };
        let denied = |why: String| {
            let message = format!("mount.nfs4: access denied by server while mounting {id}: {why}");
            ApiError::new("AccessDenied", message).status(403)
        };
        let who = match iam {
            false => None,
            true => match iam::role_of(cloud, instance).await? {
                Some(role) => Some((role, instance.to_owned())),
                None => return Err(denied(format!("{instance} has no role, and therefore no credentials"))),
            },
        };
        for action in ACCESS {
            let question = Question {
                who: who.clone(),
                action: action.to_owned(),
                resource: arn.clone(),
                context: Context::new()
                    .with("aws:SecureTransport", tls.to_string())
                    .with("elasticfilesystem:AccessedViaMountTarget", "true"),
                resource_policy: Some(policy.clone()),
            };
            if let Answer::Denied(why) = question.ask(cloud).await? {
                return Err(denied(match &who {
                    Some(who) => iam::message(cloud, who, action, &arn, &why),
                    None => {
                        format!("an anonymous client is not authorized to perform: {action} on resource: {arn} {why}")
                    }
                }));
            }
        }
        Ok(())
    }

    pub(super) async fn mount_action(&self, cloud: &Arc<Cloud>, p: &Value, caller: &Caller) -> ApiResult {
        let request: MountRequest = serde_json::from_value(p.clone()).map_err(|e| bad(e.to_string()))?;
        let Some(instance) = instance_of(caller) else {
            return Err(ApiError::new("AccessDenied", "only an instance can mount").status(403));
        };
        self.mount(cloud, instance, &request).await
    }
}

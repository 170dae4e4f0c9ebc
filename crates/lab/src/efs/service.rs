//! The service: state, clock, directories, lease server, and the table of actions.

use super::state::State;
use crate::api::{ApiError, ApiResult, Call, Caller, Cloud, Service, only, unknown_action};
use crate::edge;
use crate::lease::{Hosts, LeaseServer};
use crate::timing::{self, Timing};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::future::Future;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How long things take; a deletion takes as long as the creation did (assumed).
#[derive(Debug, Clone, Copy)]
pub(super) struct EfsTiming {
    /// `creating` to `available` of a file system.
    pub(crate) file_system: Duration,
    /// `deleting` to gone of a file system.
    pub(crate) file_system_deletion: Duration,
    /// `creating` to `available` of a mount target.
    pub(crate) mount_target: Duration,
    /// `deleting` to gone of a mount target.
    pub(crate) mount_target_deletion: Duration,
    /// Lease of locks; EFS documents none.
    pub(crate) lease: Duration,
}

impl From<Timing> for EfsTiming {
    fn from(timing: Timing) -> Self {
        let (file_system, mount_target) = (timing.of(&timing::EFS_CREATING), timing.of(&timing::EFS_MOUNT_TARGET));
        Self {
            file_system,
            file_system_deletion: file_system,
            mount_target,
            mount_target_deletion: mount_target,
            lease: timing.of(&timing::EFS_LEASE),
        }
    }
}

/// EFS of the local cloud.
pub(crate) struct Efs {
    pub(super) directory: PathBuf,
    pub(super) timing: EfsTiming,
    pub(super) lease: LeaseServer,
    state: Mutex<State>,
}

/// Asks EC2 whether an instance runs.
struct Ec2Hosts(Weak<Cloud>);

impl Hosts for Ec2Hosts {
    fn runs(&self, instance: String) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            let Some(cloud) = self.0.upgrade() else { return false };
            match edge::instance(&cloud, &instance).await {
                Ok(facts) => facts.state == "running",
                // an error is not a verdict: the lock stays until its lease ends
                Err(_) => false,
            }
        })
    }
}

impl Efs {
    /// Starts the service with its lease server; file systems are directories below `fs` in the lab's directory.
    ///
    /// # Errors
    /// When the directory cannot be made or the address cannot be bound.
    pub(crate) async fn start(cloud: &Arc<Cloud>) -> std::io::Result<Arc<Self>> {
        let site = &cloud.site;
        let address = Ipv4Addr::new(127, site.octet, 0, 1);
        Self::start_at(cloud, site.dir.join("fs"), address, site.timing.into()).await
    }

    /// Starts the service elsewhere.
    pub(super) async fn start_at(
        cloud: &Arc<Cloud>,
        directory: PathBuf,
        address: Ipv4Addr,
        timing: EfsTiming,
    ) -> std::io::Result<Arc<Self>> {
        tokio::fs::create_dir_all(&directory).await?;
        let hosts = Arc::new(Ec2Hosts(Arc::downgrade(cloud)));
        let listener = cloud.network.listen((address, 0).into()).await?;
        let lease = LeaseServer::serve(listener, cloud.network.peers(), timing.lease, hosts)?;
        Ok(Arc::new(Self {
            directory,
            timing,
            lease,
            state: Mutex::default(),
        }))
    }

    /// Who leases the locks.
    pub(crate) fn lease(&self) -> &LeaseServer {
        &self.lease
    }

    /// Uses the state with the clock, after dropping what is deleted by now.
    pub(super) fn with<T>(&self, use_state: impl FnOnce(&mut State, Instant) -> T) -> T {
        let mut state = self.state.lock();
        let now = Instant::now();
        state.settle(now, &self.timing);
        use_state(&mut state, now)
    }

    /// Identifiers and directories of the file systems that exist.
    #[cfg(test)]
    pub(crate) fn file_systems(&self) -> Vec<(String, PathBuf)> {
        self.with(|s, _| {
            s.file_systems
                .values()
                .map(|f| (f.id.clone(), f.directory.clone()))
                .collect()
        })
    }

    async fn act(&self, cloud: &Arc<Cloud>, call: Call) -> ApiResult {
        let p = &call.params;
        let known: &[&str] = match call.action.as_str() {
            "CreateFileSystem" => &[
                "CreationToken",
                "PerformanceMode",
                "Encrypted",
                "KmsKeyId",
                "ThroughputMode",
                "ProvisionedThroughputInMibps",
                "AvailabilityZoneName",
                "Backup",
                "Tags",
            ],
            "DescribeFileSystems" => &["MaxItems", "Marker", "CreationToken", "FileSystemId"],
            "UpdateFileSystem" => &["FileSystemId", "ThroughputMode", "ProvisionedThroughputInMibps"],
            "DeleteFileSystem"
            | "DescribeFileSystemPolicy"
            | "DeleteFileSystemPolicy"
            | "DescribeBackupPolicy"
            | "DescribeLifecycleConfiguration" => &["FileSystemId"],
            "PutFileSystemPolicy" => &["FileSystemId", "Policy", "BypassPolicyLockoutSafetyCheck"],
            "PutBackupPolicy" => &["FileSystemId", "BackupPolicy"],
            "PutLifecycleConfiguration" => &["FileSystemId", "LifecyclePolicies"],
            "UpdateFileSystemProtection" => &["FileSystemId", "ReplicationOverwriteProtection"],
            "CreateMountTarget" => &[
                "FileSystemId",
                "SubnetId",
                "IpAddress",
                "IpAddressType",
                "SecurityGroups",
            ],
            "DescribeMountTargets" => &["MaxItems", "Marker", "FileSystemId", "MountTargetId", "AccessPointId"],
            "DeleteMountTarget" | "DescribeMountTargetSecurityGroups" => &["MountTargetId"],
            "ModifyMountTargetSecurityGroups" => &["MountTargetId", "SecurityGroups"],
            "TagResource" => &["ResourceId", "Tags"],
            "UntagResource" => &["ResourceId", "TagKeys"],
            "CreateTags" => &["FileSystemId", "Tags"],
            "DeleteTags" => &["FileSystemId", "TagKeys"],
            "DescribeTags" => &["FileSystemId", "MaxItems", "Marker"],
            "ListTagsForResource" => &["ResourceId", "MaxResults", "NextToken"],
            super::mount::ACTION => &["file_system", "mount_target_az", "options"],
            _ => return Err(unknown_action(&call).status(404)),
        };
        only(p, known)?;
        match call.action.as_str() {
            "CreateFileSystem" => self.create_file_system(cloud, p).await,
            "DescribeFileSystems" => self.describe_file_systems(p).await,
            "UpdateFileSystem" => self.update_file_system(p).await,
            "DeleteFileSystem" => self.delete_file_system(p).await,
            "CreateMountTarget" => self.create_mount_target(cloud, p).await,
            "DescribeMountTargets" => self.describe_mount_targets(p),
            "DeleteMountTarget" => self.delete_mount_target(p),
            "DescribeMountTargetSecurityGroups" => self.describe_mount_target_groups(p),
            "ModifyMountTargetSecurityGroups" => self.modify_mount_target_groups(cloud, p).await,
            super::mount::ACTION => self.mount_action(cloud, p, &call.caller).await,
            _ => self.policy_action(&call),
        }
    }
}

impl Service for Efs {
    fn call(self: Arc<Self>, cloud: Arc<Cloud>, call: Call) -> Pin<Box<dyn Future<Output = ApiResult> + Send>> {
        Box::pin(async move { self.act(&cloud, call).await })
    }
}

/// The one page of a list: `MaxItems` entries after `Marker`, and `NextMarker` when there are more.
pub(super) fn page(p: &Value, name: &str, items: Vec<(String, Value)>) -> Result<Value, ApiError> {
    let limit = match crate::api::text(p, "MaxItems") {
        None => 100,
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|n| *n > 0)
            .ok_or_else(|| super::state::bad("MaxItems must be a number of at least 1"))?,
    };
    let after = crate::api::text(p, "Marker");
    let mut rest = items
        .into_iter()
        .skip_while(|(id, _)| after.as_ref().is_some_and(|marker| id <= marker));
    let mut taken: Vec<(String, Value)> = rest.by_ref().take(limit).collect();
    let next = rest.next().and_then(|_| taken.last().map(|(id, _)| id.clone()));
    let mut answer = json!({ name: taken.iter_mut().map(|(_, v)| v.take()).collect::<Vec<_>>() });
    if let Some(next) = next {
        answer["NextMarker"] = json!(next);
    }
    if let Some(after) = after {
        answer["Marker"] = json!(after);
    }
    Ok(answer)
}

/// Refuses a value that is not in the list.
pub(super) fn one_of(name: &str, value: String, allowed: &[&str]) -> Result<String, ApiError> {
    if allowed.contains(&value.as_str()) {
        return Ok(value);
    }
    Err(super::state::bad(format!(
        "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: \
         Member must satisfy enum value set: [{}]",
        allowed.join(", ")
    )))
}

/// A required parameter, with the error code of EFS.
pub(super) fn need(p: &Value, name: &str) -> Result<String, ApiError> {
    crate::api::text(p, name).ok_or_else(|| super::state::bad(format!("{name} is required")))
}

/// The instance that calls.
pub(super) fn instance_of(caller: &Caller) -> Option<&str> {
    match caller {
        Caller::Instance { instance, .. } => Some(instance),
        Caller::Admin | Caller::Session { .. } => None,
    }
}

//! File systems and mount targets as data; life cycle states are functions of the clock.

use super::service::EfsTiming;
use crate::api::{ACCOUNT, ApiError};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A file system.
#[derive(Debug, Clone)]
pub(super) struct FileSystem {
    pub(crate) id: String,
    pub(crate) region: String,
    pub(crate) token: String,
    pub(crate) created: f64,
    pub(crate) since: Instant,
    pub(crate) deleting: Option<Instant>,
    pub(crate) performance: String,
    pub(crate) throughput: String,
    pub(crate) provisioned: Option<f64>,
    pub(crate) kms_key: Option<String>,
    pub(crate) zone: Option<String>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) policy: Option<String>,
    pub(crate) backup: bool,
    pub(crate) lifecycle: Value,
    pub(crate) overwrite_protection: String,
    pub(crate) directory: PathBuf,
}

/// A mount target.
#[derive(Debug, Clone)]
pub(super) struct MountTarget {
    pub(crate) id: String,
    pub(crate) file_system: String,
    pub(crate) subnet: String,
    pub(crate) zone: String,
    pub(crate) zone_id: String,
    pub(crate) vpc: String,
    pub(crate) address: String,
    pub(crate) interface: String,
    pub(crate) groups: Vec<String>,
    pub(crate) since: Instant,
    pub(crate) deleting: Option<Instant>,
}

/// Everything that the service knows.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(crate) file_systems: BTreeMap<String, FileSystem>,
    pub(crate) mount_targets: BTreeMap<String, MountTarget>,
}

fn phase(
    since: Instant,
    deleting: Option<Instant>,
    creating: Duration,
    deleted: Duration,
    now: Instant,
) -> &'static str {
    match deleting {
        Some(at) if now.duration_since(at) >= deleted => "deleted",
        Some(_) => "deleting",
        None if now.duration_since(since) >= creating => "available",
        None => "creating",
    }
}

impl FileSystem {
    /// `creating available deleting deleted`.
    pub(super) fn state(&self, now: Instant, timing: &EfsTiming) -> &'static str {
        phase(
            self.since,
            self.deleting,
            timing.file_system,
            timing.file_system_deletion,
            now,
        )
    }

    pub(super) fn arn(&self) -> String {
        format!(
            "arn:aws:elasticfilesystem:{}:{ACCOUNT}:file-system/{}",
            self.region, self.id
        )
    }

    /// The wire shape `FileSystemDescription`.
    pub(super) fn describe(&self, now: Instant, timing: &EfsTiming, mount_targets: usize, size: u64) -> Value {
        let mut value = json!({
            "OwnerId": ACCOUNT,
            "CreationToken": self.token,
            "FileSystemId": self.id,
            "FileSystemArn": self.arn(),
            "CreationTime": self.created,
            "LifeCycleState": self.state(now, timing),
            "NumberOfMountTargets": mount_targets,
            "SizeInBytes": { "Value": size, "ValueInIA": 0, "ValueInStandard": size, "ValueInArchive": 0 },
            "PerformanceMode": self.performance,
            "Encrypted": self.kms_key.is_some(),
            "ThroughputMode": self.throughput,
            "Tags": crate::edge::tag_list(&self.tags),
            "FileSystemProtection": { "ReplicationOverwriteProtection": self.overwrite_protection },
        });
        let name = self.tags.iter().find(|(k, _)| k == "Name").map(|(_, v)| json!(v));
        let optional = [
            ("Name", name),
            ("KmsKeyId", self.kms_key.as_ref().map(|k| json!(k))),
            ("ProvisionedThroughputInMibps", self.provisioned.map(|m| json!(m))),
            ("AvailabilityZoneName", self.zone.as_ref().map(|z| json!(z))),
        ];
        for (key, present) in optional {
            if let Some(present) = present {
                value[key] = present;
            }
        }
        value
    }
}

impl MountTarget {
    /// `creating available deleting deleted`.
    pub(super) fn state(&self, now: Instant, timing: &EfsTiming) -> &'static str {
        phase(
            self.since,
            self.deleting,
            timing.mount_target,
            timing.mount_target_deletion,
            now,
        )
    }

    /// The wire shape `MountTargetDescription`.
    pub(super) fn describe(&self, now: Instant, timing: &EfsTiming) -> Value {
        json!({
            "OwnerId": ACCOUNT,
            "MountTargetId": self.id,
            "FileSystemId": self.file_system,
            "SubnetId": self.subnet,
            "LifeCycleState": self.state(now, timing),
            "IpAddress": self.address,
            "NetworkInterfaceId": self.interface,
            "AvailabilityZoneId": self.zone_id,
            "AvailabilityZoneName": self.zone,
            "VpcId": self.vpc,
        })
    }
}

impl State {
    /// Drops what is deleted by now.
    pub(super) fn settle(&mut self, now: Instant, timing: &EfsTiming) {
        self.mount_targets.retain(|_, m| m.state(now, timing) != "deleted");
        self.file_systems.retain(|_, f| f.state(now, timing) != "deleted");
    }

    /// A file system by id or ARN.
    pub(super) fn file_system(&mut self, id: &str) -> Result<&mut FileSystem, ApiError> {
        let bare = id.rsplit('/').next().unwrap_or(id);
        self.file_systems.get_mut(bare).ok_or_else(|| no_file_system(id))
    }

    /// A mount target by id.
    pub(super) fn mount_target(&mut self, id: &str) -> Result<&mut MountTarget, ApiError> {
        self.mount_targets.get_mut(id).ok_or_else(|| {
            ApiError::new("MountTargetNotFound", format!("Mount target '{id}' does not exist.")).status(404)
        })
    }

    /// Mount targets of a file system that are not yet deleted.
    pub(super) fn targets_of(&self, file_system: &str) -> Vec<&MountTarget> {
        self.mount_targets
            .values()
            .filter(|m| m.file_system == file_system)
            .collect()
    }
}

/// The error for a file system that is not there.
pub(super) fn no_file_system(id: &str) -> ApiError {
    ApiError::new("FileSystemNotFound", format!("File system '{id}' does not exist.")).status(404)
}

/// A client error of EFS.
pub(super) fn bad(message: impl Into<String>) -> ApiError {
    ApiError::new("BadRequest", message)
}

/// The tags of a call, with the letters that EFS takes: fewer than other services do.
pub(super) fn tags(params: &Value) -> Result<Vec<(String, String)>, ApiError> {
    let tags = crate::edge::tags(params, "Tags", "BadRequest")?;
    let taken = |text: &str| text.chars().all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c));
    match tags.iter().find(|(key, value)| !taken(key) || !taken(value)) {
        None => Ok(tags),
        Some((key, value)) => Err(bad(format!(
            "1 validation error detected: tag '{key}' or its value '{value}' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: ^([\\p{{L}}\\p{{Z}}\\p{{N}}_.:/=+\\-@]*)$"
        ))),
    }
}

/// Refuses a file system that is not `available`.
pub(super) fn must_be_available(id: &str, state: &str) -> Result<(), ApiError> {
    if state == "available" {
        return Ok(());
    }
    Err(ApiError::new(
        "IncorrectFileSystemLifeCycleState",
        format!("None of the file system operations are allowed while file system '{id}' is {state}."),
    )
    .status(409))
}

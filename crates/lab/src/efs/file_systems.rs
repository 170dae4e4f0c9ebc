//! Actions on file systems.

use super::service::{Efs, need, one_of, page};
use super::state::{FileSystem, bad, must_be_available};
use crate::api::{ACCOUNT, ApiError, ApiResult, Cloud, flag, text};
use crate::{clock, ids};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Metered size of an empty file system, in bytes.
const EMPTY: u64 = 6144;

fn throughput(p: &Value, have: &str, provisioned: Option<f64>) -> Result<(String, Option<f64>), ApiError> {
    let mode = match text(p, "ThroughputMode") {
        Some(mode) => one_of("throughputMode", mode, &["bursting", "provisioned", "elastic"])?,
        None => have.to_owned(),
    };
    let rate = match text(p, "ProvisionedThroughputInMibps") {
        None => provisioned,
        Some(rate) => {
            let rate: f64 = rate
                .parse()
                .map_err(|_| bad("ProvisionedThroughputInMibps must be a number"))?;
            if !(1.0..=3414.0).contains(&rate) {
                return Err(bad("ProvisionedThroughputInMibps must be between 1 and 3414"));
            }
            if mode != "provisioned" {
                return Err(bad("ProvisionedThroughputInMibps needs ThroughputMode provisioned"));
            }
            Some(rate)
        }
    };
    match (mode.as_str(), rate) {
        ("provisioned", None) => Err(bad("ThroughputMode provisioned needs ProvisionedThroughputInMibps")),
        ("provisioned", rate) => Ok((mode, rate)),
        _ => Ok((mode, None)),
    }
}

impl Efs {
    pub(super) async fn create_file_system(&self, cloud: &Arc<Cloud>, p: &Value) -> ApiResult {
        let token = need(p, "CreationToken")?;
        if token.is_empty() || token.chars().count() > 64 {
            return Err(bad("CreationToken must have 1 to 64 characters"));
        }
        let performance = one_of(
            "performanceMode",
            text(p, "PerformanceMode").unwrap_or_else(|| "generalPurpose".into()),
            &["generalPurpose", "maxIO"],
        )?;
        let (throughput, provisioned) = throughput(p, "bursting", None)?;
        let zone = text(p, "AvailabilityZoneName");
        if performance == "maxIO" && (throughput == "elastic" || zone.is_some()) {
            return Err(bad(
                "PerformanceMode maxIO goes neither with elastic throughput nor with One Zone",
            ));
        }
        let encrypted = flag(p, "Encrypted").unwrap_or(false);
        let key = text(p, "KmsKeyId");
        if key.is_some() && !encrypted {
            return Err(bad("KmsKeyId needs Encrypted true"));
        }
        let kms_key = encrypted.then(|| {
            key.unwrap_or_else(|| {
                format!(
                    "arn:aws:kms:{}:{ACCOUNT}:key/00000000-0000-4000-8000-0000000000ef",
                    cloud.region
                )
            })
        });
        let tags = super::state::tags(p)?;
        let id = format!("fs-{}", ids::hex(17));
        let directory = self.directory.join(&id);
        let made = self.with(|s, now| {
            if let Some(have) = s.file_systems.values().find(|f| f.token == token) {
                let message = format!("File system '{}' already exists with creation token '{token}'", have.id);
                return Err(ApiError::new("FileSystemAlreadyExists", message).status(409));
            }
            let made = FileSystem {
                id: id.clone(),
                region: cloud.region.clone(),
                token,
                created: clock::now_seconds(),
                since: now,
                deleting: None,
                performance,
                throughput,
                provisioned,
                kms_key,
                // Backup defaults to on for One Zone and off for Regional file systems
                backup: flag(p, "Backup").unwrap_or(zone.is_some()),
                zone,
                tags,
                policy: None,
                lifecycle: json!([]),
                overwrite_protection: "ENABLED".into(),
                directory: directory.clone(),
            };
            let description = made.describe(now, &self.timing, 0, 0);
            s.file_systems.insert(id.clone(), made);
            Ok(description)
        })?;
        if let Err(error) = tokio::fs::create_dir_all(&directory).await {
            self.with(|s, _| s.file_systems.remove(&id));
            return Err(internal(&directory, &error));
        }
        Ok(made)
    }

    pub(super) async fn describe_file_systems(&self, p: &Value) -> ApiResult {
        let (id, token) = (text(p, "FileSystemId"), text(p, "CreationToken"));
        if id.is_some() && token.is_some() {
            return Err(bad("FileSystemId and CreationToken cannot be given together"));
        }
        let chosen = self.with(|s, _| match &id {
            Some(id) => s.file_system(id).map(|f| vec![f.id.clone()]),
            None => Ok(s
                .file_systems
                .values()
                .filter(|f| token.as_ref().is_none_or(|t| f.token == *t))
                .map(|f| f.id.clone())
                .collect()),
        })?;
        let mut items = Vec::new();
        for id in chosen {
            if let Some(description) = self.description(&id).await {
                items.push((id, description));
            }
        }
        page(p, "FileSystems", items)
    }

    async fn description(&self, id: &str) -> Option<Value> {
        let directory = self.with(|s, _| s.file_systems.get(id).map(|f| f.directory.clone()))?;
        let used = tokio::task::spawn_blocking(move || size(&directory)).await.unwrap_or(0);
        self.with(|s, now| {
            let targets = s.targets_of(id).len();
            let found = s.file_systems.get(id)?;
            Some(found.describe(now, &self.timing, targets, EMPTY + used))
        })
    }

    pub(super) async fn update_file_system(&self, p: &Value) -> ApiResult {
        let id = need(p, "FileSystemId")?;
        let id = self.with(|s, now| {
            let found = s.file_system(&id)?;
            must_be_available(&found.id, found.state(now, &self.timing))?;
            let (mode, rate) = throughput(p, &found.throughput, found.provisioned)?;
            (found.throughput, found.provisioned) = (mode, rate);
            Ok::<_, ApiError>(found.id.clone())
        })?;
        self.description(&id)
            .await
            .ok_or_else(|| super::state::no_file_system(&id))
    }

    pub(super) async fn delete_file_system(&self, p: &Value) -> ApiResult {
        let id = need(p, "FileSystemId")?;
        let (id, directory) = self.with(|s, now| {
            let bare = s.file_system(&id)?.id.clone();
            let targets = s.targets_of(&bare).len();
            if targets > 0 {
                let message = format!("File system '{bare}' has {targets} mount targets; delete them first.");
                return Err(ApiError::new("FileSystemInUse", message).status(409));
            }
            let found = s.file_system(&bare)?;
            found.deleting = found.deleting.or(Some(now));
            Ok((bare, found.directory.clone()))
        })?;
        self.lease.forget(&id);
        match tokio::fs::remove_dir_all(&directory).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(internal(&directory, &error)),
            _ => Ok(json!({})),
        }
    }

    /// State of a file system, when there is one.
    pub(super) fn available(&self, id: &str) -> Result<(String, PathBuf), ApiError> {
        self.with(|s, now: Instant| {
            let found = s.file_system(id)?;
            must_be_available(&found.id, found.state(now, &self.timing))?;
            Ok((found.id.clone(), found.directory.clone()))
        })
    }
}

fn internal(path: &Path, error: &std::io::Error) -> ApiError {
    ApiError::new("InternalServerError", format!("{}: {error}", path.display())).status(500)
}

/// Bytes of all regular files below a directory; what cannot be read counts nothing.
fn size(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => size(&entry.path()),
            Ok(meta) if meta.is_file() => meta.len(),
            _ => 0,
        })
        .sum()
}

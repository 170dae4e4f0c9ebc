//! File systems and mount targets.

use super::retag::{FILE_SYSTEM, retag};
use super::table::{answer, chosen, document};
use crate::cloudformation::context::{Attributes, Context, Failure};
use crate::cloudformation::state::Record;
use serde_json::{Value, json};

const EFS: &str = "elasticfilesystem";

pub(super) async fn create(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let mut params = chosen(
        properties,
        &[
            "PerformanceMode",
            "Encrypted",
            "KmsKeyId",
            "ThroughputMode",
            "ProvisionedThroughputInMibps",
            "AvailabilityZoneName",
        ],
    );
    params.insert("CreationToken".into(), crate::ids::uuid().into());
    params.insert("Tags".into(), context.tag_list(properties.get("FileSystemTags")));
    let made = context.call(EFS, "CreateFileSystem", params.into()).await?;
    let id = answer(&made, "/FileSystemId")?;
    context.created(&id);
    let attributes = read(context, &id).await?;
    settings(context, &id, &Value::Null, properties).await?;
    Ok(attributes)
}

/// What a file system tells of itself, once it is available.
pub(super) async fn read(context: &Context, id: &str) -> Result<Attributes, Failure> {
    let ready = available(context, id).await?;
    let mut attributes = Attributes::new();
    attributes.insert("FileSystemId".into(), id.into());
    attributes.insert("Arn".into(), answer(&ready, "/FileSystemArn")?.into());
    Ok(attributes)
}

async fn available(context: &Context, id: &str) -> Result<Value, Failure> {
    context
        .settle(async || {
            let seen = context
                .call(EFS, "DescribeFileSystems", json!({"FileSystemId": id}))
                .await?;
            let one = seen["FileSystems"][0].clone();
            match one["LifeCycleState"].as_str() {
                Some("available") => Ok(Some(one)),
                Some("error" | "deleting" | "deleted") => {
                    Err(Failure::new(format!("File system {id} is {}", one["LifeCycleState"])))
                }
                _ => Ok(None),
            }
        })
        .await
}

/// What EFS sets by calls of their own, as far as it changed.
async fn settings(context: &Context, id: &str, old: &Value, new: &Value) -> Result<(), Failure> {
    let changed = |name: &str| new.get(name) != old.get(name);
    if changed("FileSystemPolicy") {
        match new.get("FileSystemPolicy") {
            Some(policy) => {
                let mut params = json!({"FileSystemId": id, "Policy": document(policy)});
                if let Some(bypass) = new.get("BypassPolicyLockoutSafetyCheck") {
                    params["BypassPolicyLockoutSafetyCheck"] = bypass.clone();
                }
                context.call(EFS, "PutFileSystemPolicy", params).await?;
            }
            None => {
                context
                    .call(EFS, "DeleteFileSystemPolicy", json!({"FileSystemId": id}))
                    .await?;
            }
        }
    }
    if changed("BackupPolicy") {
        let policy = new
            .get("BackupPolicy")
            .cloned()
            .unwrap_or_else(|| json!({"Status": "DISABLED"}));
        context
            .call(
                EFS,
                "PutBackupPolicy",
                json!({"FileSystemId": id, "BackupPolicy": policy}),
            )
            .await?;
    }
    if changed("LifecyclePolicies") {
        let policies = new.get("LifecyclePolicies").cloned().unwrap_or_else(|| json!([]));
        context
            .call(
                EFS,
                "PutLifecycleConfiguration",
                json!({"FileSystemId": id, "LifecyclePolicies": policies}),
            )
            .await?;
    }
    if changed("FileSystemProtection")
        && let Some(protection) = new.get("FileSystemProtection")
    {
        let mut params = protection.clone();
        params["FileSystemId"] = id.into();
        context.call(EFS, "UpdateFileSystemProtection", params).await?;
    }
    Ok(())
}

pub(super) async fn update(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    let names = ["ThroughputMode", "ProvisionedThroughputInMibps"];
    if names.iter().any(|n| old.properties.get(n) != properties.get(n)) {
        let mut params = chosen(properties, &names);
        params.insert("FileSystemId".into(), physical.into());
        context.call(EFS, "UpdateFileSystem", params.into()).await?;
        available(context, physical).await?;
    }
    settings(context, physical, &old.properties, properties).await?;
    retag(&FILE_SYSTEM, context, physical, old, properties).await?;
    Ok(Attributes::new())
}

pub(super) async fn delete(context: &Context, physical: &str, _: &Value) -> Result<(), Failure> {
    context
        .call(EFS, "DeleteFileSystem", json!({"FileSystemId": physical}))
        .await?;
    gone(context, "DescribeFileSystems", "FileSystemId", "FileSystems", physical).await
}

async fn gone(context: &Context, action: &str, parameter: &str, list: &str, id: &str) -> Result<(), Failure> {
    context
        .settle(async || match context.call(EFS, action, json!({parameter: id})).await {
            Err(failure) if failure.not_found() => Ok(Some(())),
            Err(failure) => Err(failure),
            Ok(seen) => {
                let left = seen[list].as_array().cloned().unwrap_or_default();
                Ok(left.iter().all(|f| f["LifeCycleState"] == "deleted").then_some(()))
            }
        })
        .await
}

pub(super) async fn create_mount_target(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let params = chosen(
        properties,
        &[
            "FileSystemId",
            "SubnetId",
            "SecurityGroups",
            "IpAddress",
            "IpAddressType",
            "Ipv6Address",
        ],
    );
    let made = context.call(EFS, "CreateMountTarget", params.into()).await?;
    let id = answer(&made, "/MountTargetId")?;
    context.created(&id);
    let ready = context
        .settle(async || {
            let seen = context
                .call(EFS, "DescribeMountTargets", json!({"MountTargetId": id}))
                .await?;
            let one = seen["MountTargets"][0].clone();
            match one["LifeCycleState"].as_str() {
                Some("available") => Ok(Some(one)),
                Some("error" | "deleting" | "deleted") => {
                    Err(Failure::new(format!("Mount target {id} is {}", one["LifeCycleState"])))
                }
                _ => Ok(None),
            }
        })
        .await?;
    let mut attributes = Attributes::new();
    attributes.insert("Id".into(), id.into());
    if let Some(address) = ready.get("IpAddress") {
        attributes.insert("IpAddress".into(), address.clone());
    }
    Ok(attributes)
}

pub(super) async fn update_mount_target(
    context: &Context,
    physical: &str,
    _: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    let groups = properties["SecurityGroups"].clone();
    context
        .call(
            EFS,
            "ModifyMountTargetSecurityGroups",
            json!({"MountTargetId": physical, "SecurityGroups": groups}),
        )
        .await?;
    Ok(Attributes::new())
}

pub(super) async fn delete_mount_target(context: &Context, physical: &str, _: &Value) -> Result<(), Failure> {
    context
        .call(EFS, "DeleteMountTarget", json!({"MountTargetId": physical}))
        .await?;
    gone(
        context,
        "DescribeMountTargets",
        "MountTargetId",
        "MountTargets",
        physical,
    )
    .await
}

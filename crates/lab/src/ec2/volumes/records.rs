//! CreateVolume, ModifyVolume, DeleteVolume.

use super::disk::Disk;
use super::settings::Settings;
use crate::api::{ACCOUNT, ApiError, ApiResult, Cloud, flag, only, required, text};
use crate::cloudformation::intrinsics::partition;
use crate::ec2::catalog::{object, simple};
use crate::ec2::instances::now;
use crate::ec2::objects::{Facts, Kind, specified_tags};
use crate::ec2::service::Ec2;
use crate::ec2::state::State;
use crate::ids::resource_id;
use crate::timing::{EC2_VOLUME_CREATING, EC2_VOLUME_DELETING};
use serde_json::{Value, json};
use std::sync::Arc;

/// How volumes look on the wire.
pub(in crate::ec2) static FACTS: Facts = simple(
    "volumeSet",
    "volumeId",
    "VolumeId",
    "volume",
    "InvalidVolume.NotFound",
    &[
        ("volume-id", "volumeId"),
        ("status", "status"),
        ("size", "size"),
        ("volume-type", "volumeType"),
        ("encrypted", "encrypted"),
        ("availability-zone", "availabilityZone"),
        ("availability-zone-id", "availabilityZoneId"),
        ("attachment.instance-id", "attachmentSet.instanceId"),
        ("attachment.device", "attachmentSet.device"),
        ("attachment.status", "attachmentSet.status"),
        ("attachment.delete-on-termination", "attachmentSet.deleteOnTermination"),
        ("create-time", "createTime"),
    ],
    &["IncludeManagedResources"],
);

/// Member of a record that holds the client token of its creation.
const TOKEN: &str = ".clientToken";

fn unsupported(message: &str) -> ApiError {
    ApiError::new("UnsupportedOperation", message)
}

/// Name and id of the zone that a request names.
fn zone(state: &State, params: &Value) -> Result<(String, String), ApiError> {
    let (name, id) = (text(params, "AvailabilityZone"), text(params, "AvailabilityZoneId"));
    if name.is_none() && id.is_none() {
        let message = "The request must contain the parameter AvailabilityZone or AvailabilityZoneId";
        return Err(ApiError::new("MissingParameter", message));
    }
    let fits = |given: &Option<String>, have: &str| given.as_ref().is_none_or(|given| given == have);
    let found = state
        .objects
        .of_kind(Kind::AvailabilityZone)
        .find(|(_, o)| fits(&name, o.text("zoneName")) && fits(&id, o.text("zoneId")));
    match found {
        Some((_, o)) => Ok((o.text("zoneName").to_owned(), o.text("zoneId").to_owned())),
        None => Err(ApiError::new(
            "InvalidZone.NotFound",
            format!("The zone '{}' does not exist.", name.or(id).unwrap_or_default()),
        )),
    }
}

/// CreateVolume.
pub(in crate::ec2) fn create(ec2: &Arc<Ec2>, cloud: &Arc<Cloud>, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "AvailabilityZone",
            "AvailabilityZoneId",
            "ClientToken",
            "DryRun",
            "Encrypted",
            "Iops",
            "KmsKeyId",
            "MultiAttachEnabled",
            "Size",
            "SnapshotId",
            "TagSpecification",
            "Throughput",
            "VolumeType",
        ],
    )?;
    if let Some(snapshot) = text(params, "SnapshotId") {
        let message = format!("The snapshot '{snapshot}' does not exist.");
        return Err(ApiError::new("InvalidSnapshot.NotFound", message));
    }
    if flag(params, "MultiAttachEnabled") == Some(true) {
        return Err(unsupported(
            "the local cloud attaches a volume to one instance only: Multi-Attach is not supported",
        ));
    }
    let encrypted = flag(params, "Encrypted").unwrap_or(false);
    let key = text(params, "KmsKeyId");
    if key.is_some() && !encrypted {
        let message = "The parameter KmsKeyId requires the parameter Encrypted to be set.";
        return Err(ApiError::new("InvalidParameterDependency", message));
    }
    let settings = Settings::of(params, None)?;
    let mut state = ec2.state();
    let token = text(params, "ClientToken");
    let before = |token: &String| {
        let mut volumes = state.objects.of_kind(Kind::Volume);
        volumes.find(|(_, o)| o.text(TOKEN) == token).map(|(_, o)| o.shown())
    };
    if let Some(shown) = token.as_ref().and_then(before) {
        return Ok(shown);
    }
    let (zone, zone_id) = zone(&state, params)?;
    let id = resource_id("vol");
    let arn = format!(
        "arn:{}:ec2:{}:{ACCOUNT}:volume/{id}",
        partition(&state.region),
        state.region
    );
    let mut volume = object(
        Kind::Volume,
        json!({
            "volumeId": id, "volumeArn": arn, "ownerId": ACCOUNT, "snapshotId": "", "availabilityZone": zone, "availabilityZoneId": zone_id,
            "status": "creating", "createTime": now(), "encrypted": encrypted, "multiAttachEnabled": false, "attachmentSet": [],
        }),
    );
    settings.write(&mut volume.body);
    if encrypted {
        // As an account without a key of its own for EBS has it.
        let own = || {
            format!(
                "arn:{}:kms:{}:{ACCOUNT}:alias/aws/ebs",
                partition(&state.region),
                state.region
            )
        };
        volume
            .body
            .insert("kmsKeyId".to_owned(), json!(key.unwrap_or_else(own)));
        volume.body.insert("sseType".to_owned(), json!("sse-kms"));
    }
    if let Some(token) = token {
        volume.body.insert(TOKEN.to_owned(), json!(token));
    }
    volume.tags = specified_tags(params, &["volume"], "volume")?;
    Disk::of(&cloud.site, &id).create(settings.size)?;
    let shown = volume.shown();
    state.objects.insert(&id, volume);
    let (ec2, delay) = (ec2.clone(), cloud.site.timing.of(&EC2_VOLUME_CREATING));
    tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        if let Ok(volume) = ec2.state().objects.get_mut(Kind::Volume, &id)
            && volume.text("status") == "creating"
        {
            volume.body.insert("status".to_owned(), json!("available"));
        }
    });
    Ok(shown)
}

/// ModifyVolume: type, IOPS, throughput, and a larger size, all at once.
pub(in crate::ec2) fn modify(ec2: &Ec2, cloud: &Cloud, params: &Value) -> ApiResult {
    only(
        params,
        &["VolumeId", "Size", "VolumeType", "Iops", "Throughput", "DryRun"],
    )?;
    let id = required(params, "VolumeId")?;
    let mut state = ec2.state();
    let volume = state.objects.get_mut(Kind::Volume, &id)?;
    if !["available", "in-use"].contains(&volume.text("status")) {
        let message = format!("The volume '{id}' is {}", volume.text("status"));
        return Err(ApiError::new("IncorrectState", message));
    }
    let have = Settings::read(&volume.body);
    let new = Settings::of(params, have.as_ref())?;
    Disk::of(&cloud.site, &id).grow(new.size)?;
    new.write(&mut volume.body);
    let time = now();
    let mut answer = json!({
        "volumeId": id, "modificationState": "completed", "progress": 100, "startTime": time, "endTime": time,
        "targetMultiAttachEnabled": false, "originalMultiAttachEnabled": false,
    });
    for (word, settings) in [("target", Some(&new)), ("original", have.as_ref())] {
        let Some(settings) = settings else { continue };
        answer[format!("{word}Size")] = json!(settings.size);
        answer[format!("{word}VolumeType")] = json!(settings.kind);
        for (name, value) in [("Iops", settings.iops), ("Throughput", settings.throughput)] {
            if let Some(value) = value {
                answer[format!("{word}{name}")] = json!(value);
            }
        }
    }
    Ok(json!({"volumeModification": answer}))
}

/// DeleteVolume: one that nothing has attached.
pub(in crate::ec2) fn delete(ec2: &Arc<Ec2>, cloud: &Arc<Cloud>, params: &Value) -> ApiResult {
    only(params, &["VolumeId", "DryRun"])?;
    let id = required(params, "VolumeId")?;
    let mut state = ec2.state();
    let volume = state.objects.get_mut(Kind::Volume, &id)?;
    match volume.text("status") {
        "available" => {}
        "in-use" => {
            let instance = volume.body["attachmentSet"][0]["instanceId"]
                .as_str()
                .unwrap_or_default();
            let message = format!("Volume {id} is currently attached to {instance}");
            return Err(ApiError::new("VolumeInUse", message));
        }
        other => {
            let message = format!("The volume '{id}' is {other}");
            return Err(ApiError::new("IncorrectState", message));
        }
    }
    volume.body.insert("status".to_owned(), json!("deleting"));
    let (ec2, cloud) = (ec2.clone(), cloud.clone());
    tokio::spawn(async move {
        tokio::time::sleep(cloud.site.timing.of(&EC2_VOLUME_DELETING)).await;
        if let Err(error) = Disk::of(&cloud.site, &id).remove() {
            tracing::warn!(volume = %id, %error, "the folder of a deleted volume remains");
        }
        ec2.state().objects.remove(&id);
    });
    Ok(json!({"return": true}))
}

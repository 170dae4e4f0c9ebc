//! Volumes. The schema lists nothing that replaces one: what cannot change in place is an update that fails, as CloudFormation's guide says.

use super::retag::{EC2, retag};
use super::table::{answer, chosen};
use crate::cloudformation::context::{Attributes, Context, Failure};
use crate::cloudformation::state::Record;
use serde_json::{Value, json};

/// What a volume has from its creation.
const FIXED: &[&str] = &[
    "AvailabilityZone",
    "AvailabilityZoneId",
    "Encrypted",
    "KmsKeyId",
    "MultiAttachEnabled",
    "OutpostArn",
    "SnapshotId",
    "SourceVolumeId",
    "VolumeInitializationRate",
];

/// What can change while it is in use.
const MODIFIED: &[&str] = &["Size", "VolumeType", "Iops", "Throughput"];

/// A volume that is potentially inconsistent loses its I/O until somebody looks, which the lab has no call to change.
fn keeps_io_off(properties: &Value) -> Result<(), Failure> {
    match properties["AutoEnableIO"] == true {
        true => Err(Failure::new("AutoEnableIO is not supported in the local cloud")),
        false => Ok(()),
    }
}

pub(super) async fn create(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    keeps_io_off(properties)?;
    let mut params = chosen(properties, FIXED);
    params.extend(chosen(properties, MODIFIED));
    params.insert(
        "TagSpecification".into(),
        context.tag_specification("volume", properties.get("Tags")),
    );
    let made = context.call("ec2", "CreateVolume", params.into()).await?;
    let id = answer(&made, "/volumeId")?;
    context.created(&id);
    read(context, &id).await
}

async fn describe(context: &Context, id: &str) -> Result<Value, Failure> {
    let asked = json!({"VolumeId": [id]});
    let seen = context.call("ec2", "DescribeVolumes", asked).await?;
    Ok(seen["volumeSet"][0].clone())
}

/// What a volume tells of itself, once it was created.
pub(super) async fn read(context: &Context, id: &str) -> Result<Attributes, Failure> {
    context
        .settle(async || {
            let volume = describe(context, id).await?;
            match volume["status"].as_str() {
                Some("available" | "in-use") => Ok(Some(())),
                Some("creating") => Ok(None),
                _ => Err(Failure::new(format!("Volume {id} is {}", volume["status"]))),
            }
        })
        .await?;
    let mut attributes = Attributes::new();
    attributes.insert("VolumeId".into(), id.into());
    Ok(attributes)
}

/// Whether a volume is as a property of its creation says, or as it is by default.
fn holds(name: &str, wanted: Option<&Value>, volume: &Value) -> bool {
    let member = name[..1].to_ascii_lowercase() + &name[1..];
    let (have, otherwise) = (&volume[member], json!(false));
    match (name, wanted) {
        ("Encrypted" | "MultiAttachEnabled", wanted) => have == wanted.unwrap_or(&otherwise),
        // The zone has two names, of which the other one is then the property.
        ("AvailabilityZone" | "AvailabilityZoneId", None) => true,
        ("KmsKeyId", None) => have.as_str().is_none_or(|key| key.ends_with(":alias/aws/ebs")),
        (_, Some(wanted)) => have == wanted,
        (_, None) => true,
    }
}

pub(super) async fn update(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    keeps_io_off(properties)?;
    let changed = |name: &&&str| old.properties.get(**name) != properties.get(**name);
    let fixed: Vec<_> = FIXED.iter().filter(changed).collect();
    if !fixed.is_empty() {
        // A rollback goes back to what the volume still is.
        let volume = describe(context, physical).await?;
        if let Some(name) = fixed.iter().find(|name| !holds(name, properties.get(***name), &volume)) {
            return Err(Failure::new(format!("Updates of {name} are not supported")));
        }
    }
    if MODIFIED.iter().any(|name| changed(&name)) {
        let mut params = chosen(properties, MODIFIED);
        params.insert("VolumeId".into(), physical.into());
        context.call("ec2", "ModifyVolume", params.into()).await?;
    }
    retag(&EC2, context, physical, old, properties).await?;
    Ok(Attributes::new())
}

/// Deletes a volume. One whose instance was terminated is waited for; one that an instance has is left alone, and the deletion fails.
pub(super) async fn delete(context: &Context, physical: &str, _: &Value) -> Result<(), Failure> {
    context
        .settle(async || {
            let failure = match context.call("ec2", "DeleteVolume", json!({"VolumeId": physical})).await {
                Ok(_) => return Ok(Some(())),
                Err(failure) => failure,
            };
            let volume = describe(context, physical).await?;
            match volume["attachmentSet"][0]["status"] == "detaching" || volume["status"] == "available" {
                true => Ok(None),
                false => Err(failure),
            }
        })
        .await?;
    context
        .settle(async || match describe(context, physical).await {
            Err(failure) if failure.not_found() => Ok(Some(())),
            Err(failure) => Err(failure),
            Ok(_) => Ok(None),
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_volume_is_by_default_or_by_another_name_holds() {
        let volume = json!({"availabilityZone": "eu-west-1a", "encrypted": true, "kmsKeyId": "arn:aws:kms:eu-west-1:0:alias/aws/ebs",
            "multiAttachEnabled": false});
        for (name, wanted, expected) in [
            ("AvailabilityZone", Some(json!("eu-west-1a")), true),
            ("AvailabilityZone", Some(json!("eu-west-1b")), false),
            ("AvailabilityZone", None, true),
            ("Encrypted", Some(json!(true)), true),
            ("Encrypted", None, false),
            ("MultiAttachEnabled", None, true),
            ("KmsKeyId", None, true),
            ("KmsKeyId", Some(json!("own")), false),
            ("SnapshotId", Some(json!("snap-1")), false),
            ("SnapshotId", None, true),
        ] {
            assert_eq!(holds(name, wanted.as_ref(), &volume), expected, "{name} {wanted:?}");
        }
    }
}

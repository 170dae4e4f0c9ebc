//! AttachVolume, DetachVolume, and what becomes of attachments when an instance ends.

use super::disk::Disk;
use crate::api::{ApiError, ApiResult, Cloud, flag, only, required, text};
use crate::ec2::instances::{InstanceState, now};
use crate::ec2::objects::{Kind, Object};
use crate::ec2::service::Ec2;
use crate::ec2::state::State;
use crate::hosts::Hosts;
use crate::timing::{EC2_VOLUME_ATTACHING, EC2_VOLUME_DETACHING, EC2_VOLUME_RELEASE};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How often a detachment that is `busy` looks whether the volume is still mounted.
const LOOK: Duration = Duration::from_millis(10);

fn incorrect(message: String) -> ApiError {
    ApiError::new("IncorrectState", message)
}

/// The one attachment of a volume.
fn attachment(volume: &Object) -> &Value {
    &volume.body["attachmentSet"][0]
}

fn holder(volume: &Object) -> &str {
    attachment(volume)["instanceId"].as_str().unwrap_or_default()
}

fn enter(volume: &mut Object, status: &str) {
    volume.body["attachmentSet"][0]["status"] = json!(status);
}

fn set_free(volume: &mut Object) {
    volume.body.insert("attachmentSet".to_owned(), json!([]));
    volume.body.insert("status".to_owned(), json!("available"));
}

/// Refuses a name that is none of a device, or that the instance has in use.
fn device(state: &State, instance: &str, name: &str) -> Result<(), ApiError> {
    let invalid = |message: String| ApiError::new("InvalidParameterValue", message);
    let letters = name.strip_prefix("/dev/sd").or_else(|| name.strip_prefix("/dev/xvd"));
    let is_device = letters.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric()));
    if !is_device {
        return Err(invalid(format!(
            "Value ({name}) for parameter device is invalid. {name} is not a valid EBS device name."
        )));
    }
    let taken = |(_, volume): (&String, &Object)| holder(volume) == instance && attachment(volume)["device"] == name;
    if name == "/dev/xvda" || state.objects.of_kind(Kind::Volume).any(taken) {
        return Err(invalid(format!(
            "Invalid value '{name}' for unixDevice. Attachment point {name} is already in use"
        )));
    }
    Ok(())
}

/// AttachVolume: an `available` volume to a running or stopped instance of its zone.
pub(in crate::ec2) fn attach(ec2: &Arc<Ec2>, cloud: &Arc<Cloud>, params: &Value) -> ApiResult {
    only(params, &["VolumeId", "InstanceId", "Device", "DryRun"])?;
    let (id, instance) = (required(params, "VolumeId")?, required(params, "InstanceId")?);
    let name = required(params, "Device")?;
    if cloud.hosts() == Hosts::Guest {
        let message = "the local cloud attaches volumes to process hosts and namespaces, not to virtual machines";
        return Err(ApiError::new("UnsupportedOperation", message));
    }
    let mut state = ec2.state();
    let volume = state.objects.get(Kind::Volume, &id)?;
    match volume.text("status") {
        "available" => {}
        "in-use" => {
            let message = format!("{id} is already attached to an instance");
            return Err(ApiError::new("VolumeInUse", message));
        }
        _ => return Err(incorrect(format!("{id} is not 'available'."))),
    }
    let found = state.instance(&instance)?;
    if !matches!(found.state, InstanceState::Running | InstanceState::Stopped) {
        return Err(incorrect(format!("Instance '{instance}' is not 'running'.")));
    }
    if found.zone != volume.text("availabilityZone") {
        return Err(ApiError::new(
            "InvalidVolume.ZoneMismatch",
            format!("The volume '{id}' is not in the same availability zone as instance '{instance}'"),
        ));
    }
    device(&state, &instance, &name)?;
    let made = json!({
        "volumeId": id, "instanceId": instance, "device": name, "status": "attaching", "attachTime": now(),
        "deleteOnTermination": false,
    });
    let volume = state.objects.get_mut(Kind::Volume, &id)?;
    volume.body.insert("attachmentSet".to_owned(), json!([made]));
    volume.body.insert("status".to_owned(), json!("in-use"));
    let (ec2, cloud) = (ec2.clone(), cloud.clone());
    tokio::spawn(async move {
        tokio::time::sleep(cloud.site.timing.of(&EC2_VOLUME_ATTACHING)).await;
        let mut state = ec2.state();
        // The end of the instance may have overtaken it.
        if let Ok(volume) = state.objects.get_mut(Kind::Volume, &id)
            && holder(volume) == instance
            && attachment(volume)["status"] == "attaching"
        {
            match Disk::of(&cloud.site, &id).plug(&instance) {
                Ok(()) => enter(volume, "attached"),
                Err(error) => {
                    tracing::error!(volume = %id, instance, %error, "the volume cannot be attached");
                    set_free(volume);
                }
            }
        }
    });
    Ok(made)
}

/// DetachVolume: asked for again, it answers where the detachment is.
pub(in crate::ec2) fn detach(ec2: &Arc<Ec2>, cloud: &Arc<Cloud>, params: &Value) -> ApiResult {
    only(params, &["VolumeId", "InstanceId", "Device", "Force", "DryRun"])?;
    let id = required(params, "VolumeId")?;
    if flag(params, "Force") == Some(true) {
        // No condition key of IAM tells it from the rest, so a policy cannot keep it away.
        return Err(ApiError::new(
            "UnsupportedOperation",
            "the local cloud does not detach by force: the instance may still write to the volume afterwards, so that an attachment no longer \
             proves that no other instance has it; terminate the instance instead",
        ));
    }
    let mut state = ec2.state();
    state.objects.get(Kind::Volume, &id)?;
    if let Some(instance) = text(params, "InstanceId") {
        state.instance(&instance)?;
    }
    let volume = state.objects.get_mut(Kind::Volume, &id)?;
    if volume.text("status") != "in-use" {
        let message = format!("Volume '{id}' is in the '{}' state.", volume.text("status"));
        return Err(incorrect(message));
    }
    let have = attachment(volume).clone();
    let differs = |parameter: &str, member: &str| text(params, parameter).is_some_and(|given| have[member] != given);
    if differs("InstanceId", "instanceId") || differs("Device", "device") {
        let instance = text(params, "InstanceId").unwrap_or_else(|| holder(volume).to_owned());
        let device = text(params, "Device")
            .map(|d| format!(" as device '{d}'"))
            .unwrap_or_default();
        return Err(ApiError::new(
            "InvalidAttachment.NotFound",
            format!("The volume '{id}' is not attached to instance '{instance}'{device}."),
        ));
    }
    match have["status"].as_str() {
        Some("attached") => enter(volume, "detaching"),
        Some("attaching") => {
            let message = format!("Volume '{id}' is in the 'attaching' state.");
            return Err(incorrect(message));
        }
        _ => return Ok(have),
    }
    let answer = attachment(volume).clone();
    let (ec2, cloud) = (ec2.clone(), cloud.clone());
    tokio::spawn(async move {
        tokio::time::sleep(cloud.site.timing.of(&EC2_VOLUME_DETACHING)).await;
        while !detached(&ec2, &cloud, &id, &have["instanceId"]) {
            tokio::time::sleep(LOOK).await;
        }
    });
    Ok(answer)
}

/// One look of a detachment; true when there is nothing left to do.
fn detached(ec2: &Ec2, cloud: &Cloud, id: &str, instance: &Value) -> bool {
    let mut state = ec2.state();
    let ended = instance
        .as_str()
        .is_none_or(|i| state.instance(i).is_ok_and(|i| i.is_terminated()));
    let Ok(volume) = state.objects.get_mut(Kind::Volume, id) else {
        return true;
    };
    // The end of the instance does the rest.
    if ended || attachment(volume)["instanceId"] != *instance {
        return true;
    }
    let disk = Disk::of(&cloud.site, id);
    if disk.is_mounted() {
        enter(volume, "busy");
        return false;
    }
    if let Err(error) = disk.unplug(holder(volume)) {
        tracing::warn!(volume = id, %error, "the volume cannot be detached yet");
        return false;
    }
    set_free(volume);
    true
}

/// Forgets what an instance had mounted: its power is gone.
pub(in crate::ec2) fn power_is_off(state: &State, cloud: &Cloud, instance: &str) {
    for (id, _) in state
        .objects
        .of_kind(Kind::Volume)
        .filter(|(_, v)| holder(v) == instance)
    {
        if let Err(error) = Disk::of(&cloud.site, id).forget_mount() {
            tracing::warn!(volume = %id, %error, "the volume of a host that is off still counts as mounted");
        }
    }
}

fn held(state: &State, instance: &str) -> Vec<String> {
    let volumes = state.objects.of_kind(Kind::Volume);
    let own = volumes.filter(|(_, volume)| holder(volume) == instance);
    own.map(|(id, _)| id.clone()).collect()
}

/// Begins to detach what an instance had that is terminated at this moment; [`release`] ends it.
pub(in crate::ec2) fn let_go(state: &mut State, instance: &str) {
    for id in held(state, instance) {
        if let Ok(volume) = state.objects.get_mut(Kind::Volume, &id) {
            enter(volume, "detaching");
        }
    }
}

/// Detaches what a terminated instance had, after the time that EC2 takes for it.
pub(in crate::ec2) async fn release(ec2: Arc<Ec2>, cloud: Arc<Cloud>, instance: String) {
    tokio::time::sleep(cloud.site.timing.of(&EC2_VOLUME_RELEASE)).await;
    let mut state = ec2.state();
    for id in held(&state, &instance) {
        if let Err(error) = Disk::of(&cloud.site, &id).unplug(&instance) {
            tracing::warn!(volume = %id, %error, "a host that is gone still sees its volume");
        }
        if let Ok(volume) = state.objects.get_mut(Kind::Volume, &id) {
            set_free(volume);
        }
    }
}

//! RunInstances: launch template and request merged, checked, and turned into instances that come to life.

use super::catalog::{has, is_instance_type};
use super::instances::{Instance, InstanceState, next_address, now, reservations, zone_index};
use super::interfaces;
use super::life::live;
use super::objects::{Kind, Objects, specified_tags};
use super::service::Ec2;
use super::state::State;
use super::templates;
use super::wire::only_nested;
use crate::api::{ApiError, ApiResult, Caller, Cloud, InstanceEvent, flag, list, number, only, text, texts};
use crate::ids::resource_id;
use crate::instance::Facts;
use indexmap::IndexMap;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;

const PARAMETERS: [&str; 21] = [
    "BlockDeviceMapping",
    "ClientToken",
    "CreditSpecification",
    "DisableApiTermination",
    "DryRun",
    "EbsOptimized",
    "IamInstanceProfile",
    "ImageId",
    "InstanceInitiatedShutdownBehavior",
    "InstanceType",
    "KeyName",
    "LaunchTemplate",
    "MaxCount",
    "MetadataOptions",
    "MinCount",
    "Monitoring",
    "NetworkInterface",
    "Placement",
    "SecurityGroupId",
    "SubnetId",
    "UserData",
];

fn missing(name: &str) -> ApiError {
    ApiError::new(
        "MissingParameter",
        format!("The request must contain the parameter {name}"),
    )
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterValue", message)
}

/// The request over its launch template: what the request names wins.
fn merged(state: &State, params: &Value) -> Result<Value, ApiError> {
    let mut known: Vec<&str> = PARAMETERS.to_vec();
    known.push("TagSpecification");
    only(params, &known)?;
    let mut merged = Map::new();
    let mut template_tags = Vec::new();
    if let Some(reference) = params.get("LaunchTemplate") {
        only_nested(
            reference,
            "LaunchTemplate",
            &["LaunchTemplateId", "LaunchTemplateName", "Version"],
        )?;
        let id = templates::find(state, reference)?;
        let wanted = text(reference, "Version").unwrap_or_default();
        let version = templates::version(state, &id, &wanted)?;
        if let Value::Object(data) = &version.data {
            merged.extend(data.clone());
        }
        template_tags = list(&version.data, "TagSpecification");
        merged.insert(
            ".template".to_owned(),
            json!([
                ["aws:ec2launchtemplate:id", id],
                ["aws:ec2launchtemplate:version", version.number.to_string()]
            ]),
        );
    }
    for (name, value) in params.as_object().into_iter().flatten() {
        if name != "TagSpecification" {
            merged.insert(name.clone(), value.clone());
        }
    }
    template_tags.extend(list(params, "TagSpecification"));
    merged.insert("TagSpecification".to_owned(), Value::Array(template_tags));
    Ok(Value::Object(merged))
}

/// Where an instance comes to be.
struct Placed {
    subnet: String,
    groups: Vec<String>,
    /// A network interface that exists, and its address.
    interface: Option<(String, Ipv4Addr)>,
}

/// Subnet and groups, which may be given flat or in the first network interface, or are those of one that exists.
fn placement(all: &Objects, wanted: &Value) -> Result<Placed, ApiError> {
    let interface = list(wanted, "NetworkInterface")
        .into_iter()
        .next()
        .unwrap_or(Value::Null);
    if let Some(kept) = interfaces::named(all, wanted, &interface)? {
        return Ok(Placed {
            subnet: kept.subnet,
            groups: kept.groups,
            interface: Some((kept.id, kept.address)),
        });
    }
    let subnet = match text(wanted, "SubnetId").or_else(|| text(&interface, "SubnetId")) {
        Some(subnet) => subnet,
        None => default_subnet(all, wanted)?,
    };
    let vpc = all.get(Kind::Subnet, &subnet)?.text("vpcId").to_owned();
    let mut groups = texts(wanted, "SecurityGroupId");
    groups.extend(texts(&interface, "SecurityGroupId"));
    groups.extend(texts(&interface, "Groups"));
    for group in &groups {
        if all.get(Kind::SecurityGroup, group)?.text("vpcId") != vpc {
            return Err(ApiError::new(
                "InvalidParameter",
                format!("Security group {group} and subnet {subnet} belong to different networks."),
            ));
        }
    }
    if groups.is_empty() {
        let default = all
            .of_kind(Kind::SecurityGroup)
            .find(|(_, o)| o.text("vpcId") == vpc && o.text("groupName") == "default");
        groups.extend(default.map(|(id, _)| id.clone()));
    }
    Ok(Placed {
        subnet,
        groups,
        interface: None,
    })
}

fn default_subnet(all: &Objects, wanted: &Value) -> Result<String, ApiError> {
    let zone = wanted["Placement"]["AvailabilityZone"].as_str();
    all.of_kind(Kind::Subnet)
        .find(|(_, o)| o.body["defaultForAz"] == true && zone.is_none_or(|z| z == o.text("availabilityZone")))
        .map(|(id, _)| id.clone())
        .ok_or_else(|| ApiError::new("MissingInput", "No subnets found for the default VPC"))
}

async fn role(cloud: &Arc<Cloud>, wanted: &Value) -> Result<Option<(String, String)>, ApiError> {
    let profile = &wanted["IamInstanceProfile"];
    if profile.is_null() {
        return Ok(None);
    }
    let arn = text(profile, "Arn");
    let name = match (&arn, text(profile, "Name")) {
        (_, Some(name)) => name,
        (Some(arn), None) => arn.rsplit('/').next().unwrap_or_default().to_owned(),
        (None, None) => return Err(missing("IamInstanceProfile.Name")),
    };
    let params = json!({"InstanceProfileName": name});
    let found = cloud.call("iam", "GetInstanceProfile", params, Caller::Admin).await;
    let found = found.map_err(|_| {
        invalid(format!(
            "Value ({name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
        ))
    })?;
    let profile = &found["InstanceProfile"];
    let arn = profile["Arn"].as_str().map(str::to_owned).or(arn).unwrap_or_default();
    let role = profile["Roles"][0]["RoleName"].as_str().unwrap_or_default().to_owned();
    if role.is_empty() {
        return Err(invalid(format!(
            "Value ({name}) for parameter iamInstanceProfile.name is invalid. The instance profile has no role"
        )));
    }
    Ok(Some((arn, role)))
}

fn check(all: &Objects, wanted: &Value) -> Result<(), ApiError> {
    let image = text(wanted, "ImageId").ok_or_else(|| missing("ImageId"))?;
    if !image.starts_with("ami-") {
        return Err(ApiError::new(
            "InvalidAMIID.Malformed",
            format!("Invalid id: \"{image}\" (expecting \"ami-...\")"),
        ));
    }
    if all.get(Kind::Image, &image).is_err() {
        return Err(ApiError::new(
            "InvalidAMIID.NotFound",
            format!("The image id '[{image}]' does not exist"),
        ));
    }
    let instance_type = text(wanted, "InstanceType").unwrap_or_else(|| "m1.small".to_owned());
    if !is_instance_type(&instance_type) {
        return Err(invalid(format!("Invalid value '{instance_type}' for InstanceType.")));
    }
    if let Some(key) = text(wanted, "KeyName").filter(|k| !k.is_empty()) {
        all.get(Kind::KeyPair, &key).map_err(|_| {
            ApiError::new(
                "InvalidKeyPair.NotFound",
                format!("The key pair '{key}' does not exist"),
            )
        })?;
    }
    Ok(())
}

/// RunInstances.
pub(super) async fn run_instances(ec2: Arc<Ec2>, cloud: Arc<Cloud>, params: &Value) -> ApiResult {
    let wanted = merged(&ec2.state(), params)?;
    let count = number(&wanted, "MaxCount").ok_or_else(|| missing("MaxCount"))?;
    let least = number(&wanted, "MinCount").ok_or_else(|| missing("MinCount"))?;
    if least < 1 || count < least || count > 20 {
        return Err(invalid(format!(
            "Invalid value for MinCount ({least}) or MaxCount ({count})."
        )));
    }
    if let Some(token) = text(&wanted, "ClientToken")
        && let Some(answer) = launched_before(&ec2.state(), &token)
    {
        return Ok(answer);
    }
    check(&ec2.state().objects, &wanted)?;
    let role = role(&cloud, &wanted).await?;
    let reservation = resource_id("r");
    let mut made = Vec::new();
    {
        let mut state = ec2.state();
        for _ in 0..count {
            let instance = instance(&mut state, &cloud, &wanted, &reservation, role.clone())?;
            made.push(instance.id.clone());
            state.instances.insert(instance.id.clone(), instance);
        }
    }
    for id in &made {
        cloud.announce(InstanceEvent {
            instance: id.clone(),
            state: InstanceState::Pending.name().to_owned(),
        });
        tokio::spawn(live(ec2.clone(), cloud.clone(), id.clone()));
    }
    Ok(answer(&ec2.state(), &made))
}

fn launched_before(state: &State, token: &str) -> Option<Value> {
    let ids: Vec<String> = state
        .instances
        .values()
        .filter(|i| i.client_token.as_deref() == Some(token))
        .map(|i| i.id.clone())
        .collect();
    (!ids.is_empty()).then(|| answer(state, &ids))
}

fn answer(state: &State, ids: &[String]) -> Value {
    let shown = ids
        .iter()
        .filter_map(|id| state.instances.get(id))
        .map(|i| {
            i.shown(|id| {
                let group = state.objects.get(Kind::SecurityGroup, id);
                group.map(|o| o.text("groupName").to_owned()).unwrap_or_default()
            })
        })
        .collect();
    reservations(shown)[0].clone()
}

fn instance(
    state: &mut State,
    cloud: &Cloud,
    wanted: &Value,
    reservation: &str,
    role: Option<(String, String)>,
) -> Result<Instance, ApiError> {
    let Placed {
        subnet,
        groups,
        interface,
    } = placement(&state.objects, wanted)?;
    let shown = state.objects.get(Kind::Subnet, &subnet)?;
    let (zone, vpc) = (
        shown.text("availabilityZone").to_owned(),
        shown.text("vpcId").to_owned(),
    );
    let instance_type = text(wanted, "InstanceType").unwrap_or_else(|| "m1.small".to_owned());
    if !has(&zone, &instance_type) {
        return Err(ApiError::new(
            "Unsupported",
            format!(
                "Your requested instance type ({instance_type}) is not supported in your requested Availability Zone ({zone})."
            ),
        ));
    }
    let interface_is_kept = interface.is_some();
    let (interface, address) = match interface {
        Some(kept) => kept,
        None => {
            let address = next_address(state, cloud.site.octet, zone_index(&zone))?;
            (resource_id("eni"), address)
        }
    };
    let id = resource_id("i");
    let mac = interfaces::mac(address);
    let taggable = ["instance", "volume", "network-interface", "spot-instances-request"];
    let mut tags: IndexMap<String, String> = specified_tags(wanted, &taggable, "instance")?;
    for pair in list(wanted, ".template") {
        tags.insert(
            pair[0].as_str().unwrap_or_default().to_owned(),
            pair[1].as_str().unwrap_or_default().to_owned(),
        );
    }
    let options = &wanted["MetadataOptions"];
    let tags_in_metadata = options["InstanceMetadataTags"] == "enabled";
    let launched = now();
    if interface_is_kept {
        interfaces::take(&mut state.objects, &interface, &id, &launched);
    }
    let image = text(wanted, "ImageId").unwrap_or_default();
    let facts = Facts {
        instance: id.clone(),
        region: state.region.clone(),
        zone: zone.clone(),
        address: Some(address),
        instance_type: instance_type.clone(),
        image: image.clone(),
        mac: mac.clone(),
        subnet: subnet.clone(),
        vpc: vpc.clone(),
        reservation: reservation.to_owned(),
        groups: groups.clone(),
        role: role.clone(),
        tags: tags_in_metadata.then(|| tags.clone()),
        target_lifecycle_state: None,
        launched: launched.clone(),
        user_data: text(wanted, "UserData"),
    };
    Ok(Instance {
        id,
        state: InstanceState::Pending,
        reason: None,
        transition: String::new(),
        reservation: reservation.to_owned(),
        image,
        instance_type,
        key: text(wanted, "KeyName").filter(|k| !k.is_empty()),
        subnet,
        vpc,
        zone,
        address,
        interface,
        interface_is_kept,
        mac,
        groups,
        profile: role.map(|(arn, _)| arn),
        user_data: text(wanted, "UserData"),
        launched,
        tags,
        tags_in_metadata,
        http_tokens: options["HttpTokens"].as_str().unwrap_or("optional").to_owned(),
        termination_protected: flag(wanted, "DisableApiTermination") == Some(true),
        client_token: text(wanted, "ClientToken"),
        volume: resource_id("vol"),
        facts: Arc::new(Mutex::new(facts)),
        host: None,
        metadata: None,
    })
}

//! Network interfaces that exist without an instance: an address that stays, for one instance after the other.
//!
//! The address is one of the lab's, 127.L.(10+zone).n, since a subnet's range is only a record here. An instance gets such an interface at its
//! launch, as the primary one, gives it back when it is terminated, and does not delete it. It cannot be attached to an instance that runs.

use super::catalog::{ZONES, object, simple};
use super::instances::{group_name, has_address, next_address, zone_index};
use super::network::done;
use super::objects::{self, Facts, Kind, Object, Objects, specified_tags};
use super::state::State;
use super::wire::only_nested;
use crate::api::{ACCOUNT, ApiError, ApiResult, flag, only, required, text, texts};
use crate::ids::resource_id;
use serde_json::{Value, json};
use std::net::Ipv4Addr;

/// How interfaces look on the wire.
pub(super) static FACTS: Facts = simple(
    "networkInterfaceSet",
    "networkInterfaceId",
    "NetworkInterfaceId",
    "network-interface",
    "InvalidNetworkInterfaceID.NotFound",
    &[
        ("network-interface-id", "networkInterfaceId"),
        ("group-id", "groupSet.groupId"),
        ("subnet-id", "subnetId"),
        ("vpc-id", "vpcId"),
        ("status", "status"),
        ("availability-zone", "availabilityZone"),
        ("description", "description"),
        ("private-ip-address", "privateIpAddress"),
        ("addresses.private-ip-address", "privateIpAddressesSet.privateIpAddress"),
        ("attachment.instance-id", "attachment.instanceId"),
        ("attachment.status", "attachment.status"),
    ],
    &["IncludeManagedResources"],
);

/// Numbers of addresses that a zone has for instances.
const NUMBERS: std::ops::RangeInclusive<u8> = 4..=249;

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterValue", message)
}

/// The hardware address that goes with an address.
pub(super) fn mac(address: Ipv4Addr) -> String {
    let [_, l, third, n] = address.octets();
    format!("02:7f:{l:02x}:{third:02x}:00:{n:02x}")
}

/// The zone of an address that instances of a lab may have.
pub(crate) fn zone_of(region: &str, octet: u8, address: Ipv4Addr) -> Option<String> {
    zone_of_address(octet, address).map(|zone| format!("{region}{}", ZONES[zone].0))
}

fn zone_of_address(octet: u8, address: Ipv4Addr) -> Option<usize> {
    let [first, l, third, n] = address.octets();
    let zone = usize::from(third.checked_sub(10)?);
    ((first, l) == (127, octet) && zone < ZONES.len() && NUMBERS.contains(&n)).then_some(zone)
}

fn address(state: &mut State, octet: u8, zone: usize, params: &Value) -> Result<Ipv4Addr, ApiError> {
    let Some(given) = text(params, "PrivateIpAddress") else {
        return next_address(state, octet, zone);
    };
    let address = given.parse().ok().filter(|a| zone_of_address(octet, *a) == Some(zone));
    let Some(address) = address else {
        return Err(invalid(format!(
            "Address {given} does not fall within the subnet's address range, which in the local cloud is 127.{octet}.{}.{} to .{}",
            10 + zone,
            NUMBERS.start(),
            NUMBERS.end()
        )));
    };
    match has_address(state, address) {
        true => Err(ApiError::new(
            "InvalidIPAddress.InUse",
            format!("Address {address} is in use."),
        )),
        false => Ok(address),
    }
}

/// The groups of a request, each of the VPC; its default group when none is named.
fn groups(state: &State, vpc: &str, params: &Value) -> Result<Vec<String>, ApiError> {
    let mut groups = texts(params, "SecurityGroupId");
    groups.extend(texts(params, "Groups"));
    for group in &groups {
        if state.objects.get(Kind::SecurityGroup, group)?.text("vpcId") != vpc {
            let message = format!("You have specified two resources that belong to different networks: {group}, {vpc}");
            return Err(ApiError::new("InvalidGroup.NotFound", message));
        }
    }
    if groups.is_empty() {
        let of_vpc = |o: &Object| o.text("vpcId") == vpc && o.text("groupName") == "default";
        let default = state.objects.of_kind(Kind::SecurityGroup).find(|(_, o)| of_vpc(o));
        groups.extend(default.map(|(id, _)| id.clone()));
    }
    Ok(groups)
}

fn group_set(state: &State, groups: &[String]) -> Value {
    let group = |id: &String| json!({"groupId": id, "groupName": group_name(state, id)});
    groups.iter().map(group).collect()
}

/// CreateNetworkInterface.
pub(super) fn create(state: &mut State, octet: u8, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "SubnetId",
            "Description",
            "PrivateIpAddress",
            "SecurityGroupId",
            "Groups",
            "InterfaceType",
            "TagSpecification",
            "ClientToken",
            "DryRun",
        ],
    )?;
    let subnet = required(params, "SubnetId")?;
    let kind = text(params, "InterfaceType").unwrap_or_else(|| "interface".to_owned());
    if kind != "interface" {
        let message = format!("the local cloud has no network interfaces of type {kind}");
        return Err(ApiError::new("UnsupportedOperation", message));
    }
    let token = text(params, "ClientToken").unwrap_or_default();
    let mut kept = state.objects.of_kind(Kind::NetworkInterface);
    if let Some((_, before)) = kept.find(|(_, o)| !token.is_empty() && o.text(".clientToken") == token) {
        return Ok(json!({"networkInterface": before.shown(), "clientToken": token}));
    }
    drop(kept);
    let tags = specified_tags(params, &["network-interface"], "network-interface")?;
    let place = state.objects.get(Kind::Subnet, &subnet)?;
    let (vpc, zone, zone_id) = (
        place.text("vpcId").to_owned(),
        place.text("availabilityZone").to_owned(),
        place.text("availabilityZoneId").to_owned(),
    );
    let groups = groups(state, &vpc, params)?;
    let address = address(state, octet, zone_index(&zone), params)?;
    let id = resource_id("eni");
    let mut made = object(
        Kind::NetworkInterface,
        json!({
            "networkInterfaceId": id, "subnetId": subnet, "vpcId": vpc, "availabilityZone": zone, "availabilityZoneId": zone_id,
            "description": text(params, "Description").unwrap_or_default(), "ownerId": ACCOUNT, "requesterManaged": false,
            "status": "available", "macAddress": mac(address), "privateIpAddress": address.to_string(), "sourceDestCheck": true,
            "groupSet": group_set(state, &groups), "interfaceType": "interface", "ipv6AddressesSet": [],
            "privateIpAddressesSet": [{"privateIpAddress": address.to_string(), "primary": true}], ".clientToken": token,
        }),
    );
    made.tags = tags;
    let shown = made.shown();
    state.objects.insert(&id, made);
    let mut answer = json!({"networkInterface": shown});
    if !token.is_empty() {
        answer["clientToken"] = json!(token);
    }
    Ok(answer)
}

/// DeleteNetworkInterface.
pub(super) fn delete(all: &mut Objects, params: &Value) -> ApiResult {
    only(params, &["NetworkInterfaceId", "DryRun"])?;
    let id = required(params, "NetworkInterfaceId")?;
    if all.get(Kind::NetworkInterface, &id)?.text("status") != "available" {
        return Err(invalid(format!("Network interface '{id}' is currently in use.")));
    }
    all.remove(&id);
    done()
}

/// ModifyNetworkInterfaceAttribute: groups, description or the check of source and destination, one at a time.
pub(super) fn modify(state: &mut State, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "NetworkInterfaceId",
            "SecurityGroupId",
            "Groups",
            "Description",
            "SourceDestCheck",
            "DryRun",
        ],
    )?;
    let id = required(params, "NetworkInterfaceId")?;
    let vpc = state.objects.get(Kind::NetworkInterface, &id)?.text("vpcId").to_owned();
    let mut changes = Vec::new();
    if params.get("SecurityGroupId").or_else(|| params.get("Groups")).is_some() {
        let groups = groups(state, &vpc, params)?;
        changes.push(("groupSet", group_set(state, &groups)));
        let holder = state
            .instances
            .values_mut()
            .find(|i| i.interface == id && !i.is_terminated());
        if let Some(holder) = holder {
            holder.groups = groups;
        }
    }
    for (parameter, member) in [("Description", "description"), ("SourceDestCheck", "sourceDestCheck")] {
        let Some(given) = params.get(parameter) else { continue };
        only_nested(given, parameter, &["Value"])?;
        changes.push(match parameter {
            "Description" => (member, json!(text(given, "Value").unwrap_or_default())),
            _ => (member, json!(flag(given, "Value").unwrap_or(true))),
        });
    }
    if changes.len() != 1 {
        let message = "The request must contain exactly one attribute of the network interface";
        return Err(ApiError::new("InvalidParameterCombination", message));
    }
    let interface = state.objects.get_mut(Kind::NetworkInterface, &id)?;
    for (member, value) in changes {
        interface.body.insert(member.to_owned(), value);
    }
    done()
}

/// DescribeNetworkInterfaces: those that exist by themselves, and those that instances brought with them.
pub(super) fn describe(state: &State, params: &Value) -> ApiResult {
    let mut all = state.shown(Kind::NetworkInterface);
    for instance in state.instances.values().filter(|i| !i.interface_is_kept) {
        let shown = instance.shown(|id| group_name(state, id));
        for interface in shown["networkInterfaceSet"].as_array().into_iter().flatten() {
            let mut interface = interface.clone();
            interface["attachment"]["instanceId"] = json!(instance.id);
            interface["availabilityZone"] = json!(instance.zone);
            all.push(interface);
        }
    }
    objects::describe(Kind::NetworkInterface, params, all)
}

/// Subnet and groups of every interface.
pub(super) fn places(state: &State) -> Vec<(String, Vec<String>)> {
    let living = state.instances.values().filter(|i| !i.is_terminated());
    let of_instances = living.map(|i| (i.subnet.clone(), i.groups.clone()));
    let kept = state.objects.of_kind(Kind::NetworkInterface);
    let of_kept = kept.map(|(_, o)| {
        let groups = o.body["groupSet"].as_array().into_iter().flatten();
        let groups = groups.filter_map(|g| g["groupId"].as_str().map(str::to_owned));
        (o.text("subnetId").to_owned(), groups.collect())
    });
    of_instances.chain(of_kept).collect()
}

/// What a launch says of an interface that exists.
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) subnet: String,
    pub(super) groups: Vec<String>,
    pub(super) address: Ipv4Addr,
}

/// The interface that a launch names, when it names one that exists; `wanted` is the whole request, `interface` the part that names it.
///
/// # Errors
/// `InvalidParameterCombination` for what cannot be said beside it, `InvalidNetworkInterface.InUse` while another instance has it.
pub(super) fn named(all: &Objects, wanted: &Value, interface: &Value) -> Result<Option<Kept>, ApiError> {
    let Some(id) = text(interface, "NetworkInterfaceId") else {
        return Ok(None);
    };
    let refused = |message: &str| Err(ApiError::new("InvalidParameterCombination", message));
    let together = |what: &str| {
        refused(&format!(
            "Network interfaces and an instance-level {what} may not be specified on the same request"
        ))
    };
    if wanted.get("SubnetId").is_some_and(|s| !s.is_null()) {
        return together("subnet ID");
    }
    if !texts(wanted, "SecurityGroupId").is_empty() {
        return together("security groups");
    }
    for name in [
        "SubnetId",
        "SecurityGroupId",
        "Groups",
        "PrivateIpAddress",
        "Description",
    ] {
        if interface.get(name).is_some() {
            return refused(&format!(
                "A network interface may not specify both a network interface ID and {name}"
            ));
        }
    }
    if flag(interface, "DeleteOnTermination") == Some(true) {
        return refused("DeleteOnTermination can be true for a new network interface only");
    }
    if text(interface, "DeviceIndex").as_deref() != Some("0") {
        return Err(invalid(
            "A network interface that exists is the primary one of an instance in the local cloud: DeviceIndex must be 0",
        ));
    }
    if text(wanted, "MaxCount").is_some_and(|count| count != "1") {
        return refused("Only one instance can be launched with a network interface that exists");
    }
    let found = all.get(Kind::NetworkInterface, &id)?;
    let zone = wanted["Placement"]["AvailabilityZone"].as_str();
    if zone.is_some_and(|zone| zone != found.text("availabilityZone")) {
        return Err(invalid(format!(
            "The network interface '{id}' is in Availability Zone {}, not in {}",
            found.text("availabilityZone"),
            zone.unwrap_or_default()
        )));
    }
    if found.text("status") != "available" {
        return Err(ApiError::new(
            "InvalidNetworkInterface.InUse",
            format!("Interface: [{id}] in use."),
        ));
    }
    let groups = found.body["groupSet"].as_array().into_iter().flatten();
    let groups = groups.filter_map(|g| g["groupId"].as_str().map(str::to_owned));
    let address = found.text("privateIpAddress").parse();
    Ok(Some(Kept {
        subnet: found.text("subnetId").to_owned(),
        groups: groups.collect(),
        address: address.map_err(|_| ApiError::new("InternalError", "the interface has no address").status(500))?,
        id,
    }))
}

/// Gives an interface to an instance.
pub(super) fn take(all: &mut Objects, interface: &str, instance: &str, time: &str) {
    if let Some(found) = all.any_mut(interface) {
        found.body.insert("status".to_owned(), json!("in-use"));
        let attachment = json!({
            "attachmentId": resource_id("eni-attach"), "instanceId": instance, "instanceOwnerId": ACCOUNT, "deviceIndex": 0,
            "status": "attached", "attachTime": time, "deleteOnTermination": false,
        });
        found.body.insert("attachment".to_owned(), attachment);
    }
}

/// Takes the interface of an instance back that is gone.
pub(super) fn release(state: &mut State, instance: &str) {
    let held = |o: &Object| o.body.get("attachment").is_some_and(|a| a["instanceId"] == *instance);
    let found = state.objects.of_kind(Kind::NetworkInterface).find(|(_, o)| held(o));
    let Some(id) = found.map(|(id, _)| id.clone()) else {
        return;
    };
    if let Some(found) = state.objects.any_mut(&id) {
        found.body.shift_remove("attachment");
        found.body.insert("status".to_owned(), json!("available"));
    }
}

#[cfg(test)]
mod tests;

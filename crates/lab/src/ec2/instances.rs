//! Instances: their record, their states over time, and what Describe calls show of them.

use super::catalog::ZONES;
use super::objects::{Kind, describe, page};
use super::state::State;
use super::wire::tag_set;
use crate::api::{ACCOUNT, ApiError, ApiResult, flag, only, required, texts};
use crate::instance::{Facts, Host};
use indexmap::IndexMap;
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// States of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(super) enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    /// AWS's word.
    pub(super) fn name(self) -> &'static str {
        match self {
            InstanceState::Pending => "pending",
            InstanceState::Running => "running",
            InstanceState::ShuttingDown => "shutting-down",
            InstanceState::Terminated => "terminated",
            InstanceState::Stopping => "stopping",
            InstanceState::Stopped => "stopped",
        }
    }

    fn code(self) -> u8 {
        match self {
            InstanceState::Pending => 0,
            InstanceState::Running => 16,
            InstanceState::ShuttingDown => 32,
            InstanceState::Terminated => 48,
            InstanceState::Stopping => 64,
            InstanceState::Stopped => 80,
        }
    }

    pub(super) fn shown(self) -> Value {
        json!({"code": self.code(), "name": self.name()})
    }
}

/// One instance.
pub(super) struct Instance {
    /// Id.
    pub(crate) id: String,
    /// State.
    pub(crate) state: InstanceState,
    /// Why it entered its state: code and message.
    pub(crate) reason: Option<(String, String)>,
    /// Text of the last transition, `User initiated (… GMT)`.
    pub(crate) transition: String,
    /// Reservation.
    pub(crate) reservation: String,
    /// Image.
    pub(crate) image: String,
    /// Instance type.
    pub(crate) instance_type: String,
    /// Key pair.
    pub(crate) key: Option<String>,
    /// Subnet.
    pub(crate) subnet: String,
    /// VPC.
    pub(crate) vpc: String,
    /// Zone.
    pub(crate) zone: String,
    /// Address.
    pub(crate) address: Ipv4Addr,
    /// Network interface.
    pub(crate) interface: String,
    /// Whether the network interface was there before the instance, and outlives it.
    pub(crate) interface_is_kept: bool,
    /// MAC address.
    pub(crate) mac: String,
    /// Security groups with their names.
    pub(crate) groups: Vec<String>,
    /// Instance profile ARN.
    pub(crate) profile: Option<String>,
    /// User data in base64.
    pub(crate) user_data: Option<String>,
    /// When it was launched, RFC 3339 with milliseconds.
    pub(crate) launched: String,
    /// Tags.
    pub(crate) tags: IndexMap<String, String>,
    /// Whether its metadata shows its tags.
    pub(crate) tags_in_metadata: bool,
    /// HttpTokens of the metadata options; the lab serves version 2 only in either case.
    pub(crate) http_tokens: String,
    /// Whether TerminateInstances is refused.
    pub(crate) termination_protected: bool,
    /// Client token of the launch.
    pub(crate) client_token: Option<String>,
    /// Root device volume.
    pub(crate) volume: String,
    /// What its metadata says.
    pub(crate) facts: Arc<Mutex<Facts>>,
    /// Its processes.
    pub(crate) host: Option<Arc<Host>>,
    /// Its metadata service.
    pub(crate) metadata: Option<JoinHandle<()>>,
}

impl Instance {
    /// Whether it is in the state `running`.
    pub(super) fn is_running(&self) -> bool {
        self.state == InstanceState::Running
    }

    /// Whether it is in the state `terminated`.
    pub(super) fn is_terminated(&self) -> bool {
        self.state == InstanceState::Terminated
    }

    /// What its metadata says, to be changed.
    pub(super) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock()
    }

    /// Carries the tags to the metadata, where the launch allowed it.
    pub(super) fn publish_tags(&self) {
        self.facts().tags = self.tags_in_metadata.then(|| self.tags.clone());
    }

    /// The instance as answers show it.
    pub(super) fn shown(&self, group_names: impl Fn(&str) -> String) -> Value {
        let groups: Vec<Value> = self
            .groups
            .iter()
            .map(|id| json!({"groupId": id, "groupName": group_names(id)}))
            .collect();
        let mut shown = json!({
            "reservationId": self.reservation, "instanceId": self.id, "imageId": self.image, "instanceState": self.state.shown(),
            "privateDnsName": "", "dnsName": "", "reason": self.transition, "amiLaunchIndex": 0, "productCodes": [],
            "instanceType": self.instance_type, "launchTime": self.launched,
            "placement": {"availabilityZone": self.zone, "groupName": "", "tenancy": "default"}, "monitoring": {"state": "disabled"},
            "architecture": "x86_64", "rootDeviceType": "ebs", "rootDeviceName": "/dev/xvda", "blockDeviceMapping": [],
            "virtualizationType": "hvm", "hypervisor": "xen", "ebsOptimized": false, "enaSupport": true, "sourceDestCheck": true,
            "tagSet": tag_set(&self.tags), "networkInterfaceSet": [], "groupSet": [],
            "metadataOptions": {
                "state": "applied", "httpTokens": self.http_tokens, "httpPutResponseHopLimit": 2, "httpEndpoint": "enabled",
                "httpProtocolIpv6": "disabled", "instanceMetadataTags": if self.tags_in_metadata { "enabled" } else { "disabled" },
            },
        });
        if let Some(key) = &self.key {
            shown["keyName"] = json!(key);
        }
        if let Some(token) = &self.client_token {
            shown["clientToken"] = json!(token);
        }
        if let Some((code, message)) = &self.reason {
            shown["stateReason"] = json!({"code": code, "message": message});
        }
        if self.is_terminated() {
            return shown;
        }
        // A terminated instance has lost its network, its volumes and its role.
        shown["subnetId"] = json!(self.subnet);
        shown["vpcId"] = json!(self.vpc);
        shown["privateIpAddress"] = json!(self.address.to_string());
        shown["groupSet"] = json!(groups);
        shown["networkInterfaceSet"] = json!([{
            "networkInterfaceId": self.interface, "subnetId": self.subnet, "vpcId": self.vpc, "ownerId": ACCOUNT, "status": "in-use",
            "macAddress": self.mac, "privateIpAddress": self.address.to_string(), "sourceDestCheck": true, "groupSet": groups,
            "interfaceType": "interface", "attachment": {"deviceIndex": 0, "status": "attached", "deleteOnTermination": !self.interface_is_kept},
            "privateIpAddressesSet": [{"privateIpAddress": self.address.to_string(), "primary": true}],
        }]);
        shown["blockDeviceMapping"] = json!([{
            "deviceName": "/dev/xvda", "ebs": {"volumeId": self.volume, "status": "attached", "deleteOnTermination": true},
        }]);
        if let Some(profile) = &self.profile {
            shown["iamInstanceProfile"] = json!({"arn": profile, "id": "AIPALAB"});
        }
        shown
    }
}

/// Address of the next instance in a zone: 127.L.(10+zone).n, no number twice while its last holder lives.
///
/// # Errors
/// `InsufficientFreeAddressesInSubnet` when a zone has more than 246 living instances.
pub(super) fn next_address(state: &mut State, octet: u8, zone: usize) -> Result<Ipv4Addr, ApiError> {
    let third = 10 + u8::try_from(zone).unwrap_or(0);
    for _ in 0..=u8::MAX {
        let number = match state.last_number[zone] {
            n if n >= 249 => 4,
            n => n + 1,
        };
        state.last_number[zone] = number;
        let address = Ipv4Addr::new(127, octet, third, number);
        if !has_address(state, address) {
            return Ok(address);
        }
    }
    Err(ApiError::new(
        "InsufficientFreeAddressesInSubnet",
        "There are not enough free addresses in the subnet",
    ))
}

/// Whether an instance or a network interface has an address.
pub(super) fn has_address(state: &State, address: Ipv4Addr) -> bool {
    let text = address.to_string();
    let mut living = state.instances.values().filter(|i| !i.is_terminated());
    let mut kept = state.objects.of_kind(Kind::NetworkInterface);
    living.any(|i| i.address == address) || kept.any(|(_, o)| o.text("privateIpAddress") == text)
}

/// Index of a zone by its name's last letter.
pub(super) fn zone_index(zone: &str) -> usize {
    ZONES
        .iter()
        .find(|(letter, _)| zone.ends_with(*letter))
        .map_or(0, |(_, index)| usize::from(*index))
}

pub(super) fn group_name(state: &State, id: &str) -> String {
    state
        .objects
        .get(Kind::SecurityGroup, id)
        .map(|o| o.text("groupName").to_owned())
        .unwrap_or_default()
}

/// DescribeInstances.
pub(super) fn describe_instances(state: &State, params: &Value) -> ApiResult {
    let shown = state
        .instances
        .values()
        .map(|i| i.shown(|id| group_name(state, id)))
        .collect();
    let mut answer = describe(Kind::Instance, params, shown)?;
    let found = answer["reservationSet"].as_array().cloned().unwrap_or_default();
    answer["reservationSet"] = reservations(found);
    Ok(answer)
}

/// Instances grouped as they were launched.
pub(super) fn reservations(instances: Vec<Value>) -> Value {
    let mut grouped: IndexMap<String, Vec<Value>> = IndexMap::new();
    for mut instance in instances {
        let reservation = instance["reservationId"].as_str().unwrap_or_default().to_owned();
        if let Some(map) = instance.as_object_mut() {
            map.shift_remove("reservationId");
        }
        grouped.entry(reservation).or_default().push(instance);
    }
    grouped
        .into_iter()
        .map(|(id, instances)| json!({"reservationId": id, "ownerId": ACCOUNT, "groupSet": [], "instancesSet": instances}))
        .collect()
}

/// DescribeInstanceStatus: running instances unless all are asked for.
pub(super) fn describe_status(state: &State, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "InstanceId",
            "IncludeAllInstances",
            "MaxResults",
            "NextToken",
            "Filter",
            "DryRun",
            "IncludeManagedResources",
        ],
    )?;
    let ids = texts(params, "InstanceId");
    for id in &ids {
        state.instance(id)?;
    }
    let known = [
        ("instance-state-name", "instanceState.name"),
        ("instance-state-code", "instanceState.code"),
        ("availability-zone", "availabilityZone"),
        ("instance-status.status", "instanceStatus.status"),
        ("system-status.status", "systemStatus.status"),
    ];
    let filters = super::filters::filters(params, &known)?;
    let all = flag(params, "IncludeAllInstances") == Some(true);
    let rows = state
        .instances
        .values()
        .filter(|i| (all || i.is_running()) && (ids.is_empty() || ids.contains(&i.id)))
        .map(|i| {
            let status = if i.is_running() { "ok" } else { "not-applicable" };
            let check = json!({"status": status, "details": [{"name": "reachability", "status": if i.is_running() { "passed" } else { "failed" }}]});
            json!({
                "instanceId": i.id, "availabilityZone": i.zone, "instanceState": i.state.shown(), "instanceStatus": check,
                "systemStatus": check, "eventsSet": [],
            })
        })
        .filter(|row| super::filters::passes(row, &filters, &known))
        .collect();
    let (rows, next) = page(rows, params)?;
    let mut answer = json!({"instanceStatusSet": rows});
    if let Some(next) = next {
        answer["nextToken"] = json!(next);
    }
    Ok(answer)
}

/// GetConsoleOutput: the boot log.
pub(super) fn console_output(state: &State, params: &Value) -> ApiResult {
    use base64::Engine;
    only(params, &["InstanceId", "Latest", "DryRun"])?;
    let id = required(params, "InstanceId")?;
    let text = state
        .instance(&id)?
        .host
        .as_ref()
        .map(|h| h.console().text())
        .unwrap_or_default();
    Ok(json!({
        "instanceId": id, "timestamp": now(), "output": base64::engine::general_purpose::STANDARD.encode(text),
    }))
}

/// The present time as EC2 writes it.
pub(super) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

//! Instances: their record, their states over time, and what Describe calls show of them.

use super::catalog::ZONES;
use super::objects::{Kind, describe, page};
use super::service::{Ec2, State};
use super::wire::tag_set;
use crate::lab::api::{ACCOUNT, ApiError, ApiResult, Cloud, InstanceEvent, flag, only, required, texts};
use crate::lab::instance::{Ended, Facts, Host, HostSpec, serve_metadata};
use crate::lab::timing::{EC2_BOOT, EC2_PENDING, EC2_TERMINATED, EC2_VISIBLE};
use indexmap::IndexMap;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::task::JoinHandle;

/// States of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    /// AWS's word.
    pub fn name(self) -> &'static str {
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

    fn shown(self) -> Value {
        json!({"code": self.code(), "name": self.name()})
    }
}

/// One instance.
pub struct Instance {
    /// Id.
    pub id: String,
    /// State.
    pub state: InstanceState,
    /// Why it entered its state: code and message.
    pub reason: Option<(String, String)>,
    /// Text of the last transition, `User initiated (… GMT)`.
    pub transition: String,
    /// Reservation.
    pub reservation: String,
    /// Image.
    pub image: String,
    /// Instance type.
    pub instance_type: String,
    /// Key pair.
    pub key: Option<String>,
    /// Subnet.
    pub subnet: String,
    /// VPC.
    pub vpc: String,
    /// Zone.
    pub zone: String,
    /// Address.
    pub address: Ipv4Addr,
    /// Network interface.
    pub interface: String,
    /// MAC address.
    pub mac: String,
    /// Security groups with their names.
    pub groups: Vec<String>,
    /// Instance profile ARN.
    pub profile: Option<String>,
    /// User data in base64.
    pub user_data: Option<String>,
    /// When it was launched, RFC 3339 with milliseconds.
    pub launched: String,
    /// Tags.
    pub tags: IndexMap<String, String>,
    /// Whether its metadata shows its tags.
    pub tags_in_metadata: bool,
    /// HttpTokens of the metadata options; the lab serves version 2 only in either case.
    pub http_tokens: String,
    /// Whether TerminateInstances is refused.
    pub termination_protected: bool,
    /// Client token of the launch.
    pub client_token: Option<String>,
    /// Root device volume.
    pub volume: String,
    /// What its metadata says.
    pub facts: Arc<Mutex<Facts>>,
    /// Its processes.
    pub host: Option<Arc<Host>>,
    /// Its metadata service.
    pub metadata: Option<JoinHandle<()>>,
}

impl Instance {
    /// Whether it is in the state `running`.
    pub fn is_running(&self) -> bool {
        self.state == InstanceState::Running
    }

    /// Whether it is in the state `terminated`.
    pub fn is_terminated(&self) -> bool {
        self.state == InstanceState::Terminated
    }

    /// What its metadata says, to be changed.
    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Carries the tags to the metadata, where the launch allowed it.
    pub fn publish_tags(&self) {
        self.facts().tags = self.tags_in_metadata.then(|| self.tags.clone());
    }

    /// The instance as answers show it.
    pub fn shown(&self, group_names: impl Fn(&str) -> String) -> Value {
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
            "interfaceType": "interface", "attachment": {"deviceIndex": 0, "status": "attached", "deleteOnTermination": true},
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
pub fn next_address(state: &mut State, octet: u8, zone: usize) -> Result<Ipv4Addr, ApiError> {
    let third = 10 + u8::try_from(zone).unwrap_or(0);
    for _ in 0..=u8::MAX {
        let number = match state.last_number[zone] {
            n if n >= 249 => 4,
            n => n + 1,
        };
        state.last_number[zone] = number;
        let address = Ipv4Addr::new(127, octet, third, number);
        if !state
            .instances
            .values()
            .any(|i| !i.is_terminated() && i.address == address)
        {
            return Ok(address);
        }
    }
    Err(ApiError::new(
        "InsufficientFreeAddressesInSubnet",
        "There are not enough free addresses in the subnet",
    ))
}

/// Index of a zone by its name's last letter.
pub fn zone_index(zone: &str) -> usize {
    ZONES
        .iter()
        .find(|(letter, _)| zone.ends_with(*letter))
        .map_or(0, |(_, index)| usize::from(*index))
}

fn group_name(state: &State, id: &str) -> String {
    state
        .objects
        .get(Kind::SecurityGroup, id)
        .map(|o| o.text("groupName").to_owned())
        .unwrap_or_default()
}

/// DescribeInstances.
pub fn describe_instances(state: &State, params: &Value) -> ApiResult {
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
pub fn reservations(instances: Vec<Value>) -> Value {
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
pub fn describe_status(state: &State, params: &Value) -> ApiResult {
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
pub fn console_output(state: &State, params: &Value) -> ApiResult {
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
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn user_initiated() -> String {
    jiff::Timestamp::now()
        .strftime("User initiated (%Y-%m-%d %H:%M:%S GMT)")
        .to_string()
}

fn enter(cloud: &Cloud, instance: &mut Instance, state: InstanceState) {
    instance.state = state;
    cloud.announce(InstanceEvent {
        instance: instance.id.clone(),
        state: state.name().to_owned(),
    });
}

/// Carries a launched instance from `pending` through its boot, and stays with it until its host stops.
pub async fn live(ec2: Arc<Ec2>, cloud: Arc<Cloud>, id: String) {
    let timing = cloud.site.timing;
    tokio::time::sleep(timing.of(&EC2_PENDING)).await;
    let Some((zone, address, mac)) = ec2
        .state()
        .instances
        .get(&id)
        .map(|i| (i.zone.clone(), i.address, i.mac.clone()))
    else {
        return;
    };
    let interface = match cloud.network.plug_in(&zone, address, &mac).await {
        Ok(interface) => interface,
        Err(e) => return fail(&ec2, &cloud, &id, &super::with_cause(&e)),
    };
    let Some((spec, facts)) = ec2.state().instances.get(&id).map(|i| {
        let spec = HostSpec {
            instance: i.id.clone(),
            zone,
            address,
            interface,
            software: i.image != super::BARE_IMAGE,
        };
        (spec, i.facts.clone())
    }) else {
        return;
    };
    let metadata = match serve_metadata(&cloud, facts, &spec.interface).await {
        Ok(metadata) => metadata,
        Err(e) => {
            return fail(
                &ec2,
                &cloud,
                &id,
                &format!("the metadata service cannot listen on {}: {e}", spec.address),
            );
        }
    };
    let host = match Host::create(&cloud.site, &spec) {
        Ok(host) => host,
        Err(e) => {
            metadata.abort();
            return fail(&ec2, &cloud, &id, &super::with_cause(&e));
        }
    };
    let Some(user_data) = enter_running(&ec2, &cloud, &id, &host, metadata) else {
        return host.remove().await;
    };
    tokio::time::sleep(timing.of(&EC2_BOOT)).await;
    if !host.is_stopping() {
        // The console has the reason; the instance stays up as a real one does whose cloud-init failed.
        if let Ok(Ended::ByItself) = host.boot(user_data.as_deref()).await {
            tracing::warn!(instance = id, "its power went off by itself");
            begin_end(
                &ec2,
                &cloud,
                &id,
                InstanceState::Stopping,
                true,
                "Client.InstanceInitiatedShutdown",
            );
        }
    }
}

/// `running`, with a host and its metadata; none when it was terminated before. Returns the user data.
fn enter_running(
    ec2: &Ec2,
    cloud: &Cloud,
    id: &str,
    host: &Arc<Host>,
    metadata: JoinHandle<()>,
) -> Option<Option<String>> {
    let mut state = ec2.state();
    let Some(instance) = state
        .instances
        .get_mut(id)
        .filter(|i| i.state == InstanceState::Pending)
    else {
        metadata.abort();
        return None;
    };
    instance.host = Some(host.clone());
    instance.metadata = Some(metadata);
    enter(cloud, instance, InstanceState::Running);
    Some(instance.user_data.clone())
}

fn fail(ec2: &Arc<Ec2>, cloud: &Arc<Cloud>, id: &str, message: &str) {
    let mut state = ec2.state();
    if let Some(instance) = state.instances.get_mut(id) {
        instance.reason = Some((
            "Server.InternalError".to_owned(),
            format!("Server.InternalError: {message}"),
        ));
        enter(cloud, instance, InstanceState::Terminated);
    }
}

/// TerminateInstances: a graceful shutdown, or none with `SkipOsShutdown`; may be repeated to cut a slow one short.
pub fn terminate(ec2: Arc<Ec2>, cloud: Arc<Cloud>, params: &Value) -> ApiResult {
    only(params, &["InstanceId", "SkipOsShutdown", "Force", "DryRun"])?;
    let ids = instance_ids(&ec2, params)?;
    let protected = |id: &String| ec2.state().instances.get(id).is_some_and(|i| i.termination_protected);
    if let Some(id) = ids.iter().find(|id| protected(id)) {
        return Err(ApiError::new(
            "OperationNotPermitted",
            format!(
                "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again."
            ),
        ));
    }
    let skip = flag(params, "SkipOsShutdown") == Some(true);
    let rows: Vec<Value> = ids
        .iter()
        .map(|id| begin_end(&ec2, &cloud, id, InstanceState::ShuttingDown, skip, USER))
        .collect();
    Ok(json!({"instancesSet": rows}))
}

/// StopInstances.
pub fn stop(ec2: Arc<Ec2>, cloud: Arc<Cloud>, params: &Value) -> ApiResult {
    only(params, &["InstanceId", "SkipOsShutdown", "Force", "DryRun"])?;
    let ids = instance_ids(&ec2, params)?;
    for id in &ids {
        let state = ec2.state().instance(id)?.state;
        if !matches!(
            state,
            InstanceState::Running | InstanceState::Stopping | InstanceState::Stopped
        ) {
            return Err(ApiError::new(
                "IncorrectInstanceState",
                format!("This instance '{id}' is not in a state from which it can be stopped."),
            ));
        }
    }
    let skip = flag(params, "SkipOsShutdown") == Some(true);
    let rows: Vec<Value> = ids
        .iter()
        .map(|id| begin_end(&ec2, &cloud, id, InstanceState::Stopping, skip, USER))
        .collect();
    Ok(json!({"instancesSet": rows}))
}

fn instance_ids(ec2: &Ec2, params: &Value) -> Result<Vec<String>, ApiError> {
    let ids = texts(params, "InstanceId");
    if ids.is_empty() {
        return Err(ApiError::new(
            "MissingParameter",
            "The request must contain the parameter InstanceId",
        ));
    }
    let state = ec2.state();
    for id in &ids {
        state.instance(id)?;
    }
    Ok(ids)
}

/// Reason code of an end that somebody called for.
const USER: &str = "Client.UserInitiatedShutdown";

/// Begins a shutdown, or cuts one short that is under way; returns the row of the answer.
fn begin_end(ec2: &Arc<Ec2>, cloud: &Arc<Cloud>, id: &str, through: InstanceState, skip: bool, code: &str) -> Value {
    let mut guard = ec2.state();
    let Some(instance) = guard.instances.get_mut(id) else {
        return Value::Null;
    };
    let before = instance.state;
    let ending = matches!(before, InstanceState::ShuttingDown | InstanceState::Terminated)
        || (before == through)
        || (before == InstanceState::Stopped && through == InstanceState::Stopping);
    if !ending {
        // The state changes before the first process ends, so that whoever sees a connection close can tell why.
        let who = if code == USER { "User" } else { "Instance" };
        instance.transition = user_initiated();
        instance.reason = Some((code.to_owned(), format!("{code}: {who} initiated shutdown")));
        enter(cloud, instance, through);
        let (ec2, cloud, id, host) = (ec2.clone(), cloud.clone(), id.to_owned(), instance.host.clone());
        tokio::spawn(async move { end(ec2, cloud, id, host, through, skip).await });
    } else if skip
        && !matches!(before, InstanceState::Terminated | InstanceState::Stopped)
        && let Some(host) = instance.host.clone()
    {
        tokio::spawn(async move { host.cut().await });
    }
    json!({"instanceId": id, "currentState": instance.state.shown(), "previousState": before.shown()})
}

async fn end(
    ec2: Arc<Ec2>,
    cloud: Arc<Cloud>,
    id: String,
    host: Option<Arc<Host>>,
    through: InstanceState,
    skip: bool,
) {
    let timing = cloud.site.timing;
    if let Some(host) = &host {
        match skip {
            true => host.cut().await,
            false => host.shut_down().await,
        }
    }
    tokio::time::sleep(timing.of(&EC2_TERMINATED)).await;
    let terminated = through == InstanceState::ShuttingDown;
    {
        let mut state = ec2.state();
        let Some(instance) = state.instances.get_mut(&id) else {
            return;
        };
        if let Some(metadata) = instance.metadata.take() {
            metadata.abort();
        }
        // A termination that began while it was stopping has the last word.
        if instance.state == through {
            let last = if terminated {
                InstanceState::Terminated
            } else {
                InstanceState::Stopped
            };
            enter(&cloud, instance, last);
        }
    }
    cloud.forget_instance(&id);
    if !terminated {
        return;
    }
    if let Some(host) = host {
        host.remove().await;
    }
    tokio::time::sleep(timing.of(&EC2_VISIBLE)).await;
    ec2.state().instances.shift_remove(&id);
}

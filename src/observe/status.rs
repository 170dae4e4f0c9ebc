//! Everything about one deployment, read at once.

use super::agents::{ANSWER, ask, speaks};
use super::ports::{Alarm, FileSystem, Group, GroupInstance, LoadBalancer, ReadError, Readings, Stack, Target};
use super::state::{Blocker, Facts, state};
use crate::cloud::AwsError;
use crate::model::InstanceId;
use crate::model::agent::{AgentStatus, ProofKind, ProofReport};
use crate::remedy::chain;
use crate::stack::{Endpoint, OWN_TARGETS, Parts, Protocol, TOPOLOGY_TAG, Way};
use crate::topology::{self, Role};
use mqaws_contract::verb::Class;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// What `mqaws status` knows. A part that could not be read is absent, and `unread` says why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// `mqaws.status/1`.
    pub schema: &'static str,
    /// Queue manager.
    pub queue_manager: String,
    /// In one word, as [`state`] decides it.
    pub state: String,
    /// Name of the stack.
    pub stack: String,
    /// How the queue manager is made highly available, in the stack's own word.
    #[serde(skip)]
    pub topology: String,
    /// Status of the stack.
    pub stack_status: String,
    /// Region.
    pub region: String,
    /// Whether this is a local cloud of mqaws.
    pub local: bool,
    /// When the agent entered its state, RFC 3339 UTC.
    pub since: Option<String>,
    /// Engine and version.
    pub engine: Option<String>,
    /// Whether the engine is a stand-in.
    pub stand_in: bool,
    /// Instances of the groups.
    pub instances: Option<Vec<GroupInstance>>,
    /// What the members do, by instance, where there is more than one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<InstanceId, Role>,
    /// Who writes, and why that is safe.
    pub writer: Option<Writer>,
    /// The file system.
    pub storage: Option<FileSystem>,
    /// 99th percentile of write and fsync on the file system, in milliseconds.
    pub fsync_millis: Option<f64>,
    /// The load balancer.
    pub load_balancer: Option<LoadBalancer>,
    /// Targets by output of the stack.
    pub targets: Option<BTreeMap<String, Vec<Target>>>,
    /// Whether AZRebalance is suspended, as it must be.
    pub rebalance_suspended: Option<bool>,
    /// What somebody ordered and no waiting ends.
    pub blockers: Vec<Blocker>,
    /// Alarms of the stack.
    pub alarms: Option<Vec<Alarm>>,
    /// How clients connect.
    pub clients: Option<Clients>,
    /// What the agent said last about something that went wrong.
    pub last_error: Option<String>,
    /// The agent in full.
    pub agent: Option<AgentStatus>,
    /// Why parts are absent.
    pub unread: BTreeMap<String, String>,
}

/// Who writes, and why that is safe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Writer {
    /// Instance.
    pub instance: String,
    /// Epoch of the owner record.
    pub epoch: u64,
    /// The proof.
    pub proof: Option<ProofReport>,
}

/// How clients connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clients {
    /// Addresses by what is spoken there, under the keys that their clients know; one that is switched off has none.
    #[serde(flatten, serialize_with = "as_keys")]
    pub endpoints: Vec<(Protocol, Option<Endpoint>)>,
    /// Whether they must speak TLS.
    pub tls: bool,
    /// Secret with user and password.
    pub secret: Option<String>,
}

type Endpoints = [(Protocol, Option<Endpoint>)];

fn as_keys<S: Serializer>(endpoints: &Endpoints, serializer: S) -> Result<S::Ok, S::Error> {
    let text = |endpoint: &Option<Endpoint>| endpoint.as_ref().map(|endpoint| endpoint.text.clone());
    serializer.collect_map(
        endpoints
            .iter()
            .map(|(protocol, found)| (protocol.notation.key, text(found))),
    )
}

impl Report {
    /// The targets of the queue manager's own protocol: healthy ones, and all.
    pub fn healthy(&self) -> Option<(usize, usize)> {
        let targets = self.targets.as_ref()?.get(OWN_TARGETS)?;
        Some((targets.iter().filter(|t| t.is_healthy()).count(), targets.len()))
    }

    /// Whether the writer's start was from a copy of another file system.
    pub fn started_from_copy(&self) -> bool {
        let proof = self.writer.as_ref().and_then(|writer| writer.proof.as_ref());
        proof.is_some_and(|proof| proof.kind == ProofKind::Copy)
    }

    /// Alarms that fire.
    pub fn firing(&self) -> impl Iterator<Item = &Alarm> {
        self.alarms.iter().flatten().filter(|a| a.is_firing())
    }
}

/// Reads everything about a stack; `None` when there is none. Only the stack itself must be readable.
///
/// # Errors
/// A [`ReadError`] of reading the stack, also of one without the documents with which its agents are asked.
pub async fn gather<C: Readings>(
    cloud: &C,
    name: &str,
    region: &str,
    local: bool,
) -> Result<Option<Report>, ReadError> {
    let Some(stack) = cloud.stack(name).await?.filter(|s| !s.status.is_deleted()) else {
        return Ok(None);
    };
    let mut unread = BTreeMap::new();
    let parts = Parts::read(&stack.name, &stack.outputs, &stack.tags);
    let parts = keep("outputs", parts, &mut unread).unwrap_or_default();
    // One that was never complete has no agents to ask either.
    if !parts.members.is_empty() {
        parts.documents.of(Class::Read)?;
    }
    let topology = topology::of(parts.topology);

    let (groups, storage, load_balancer, found, alarms) = tokio::join!(
        groups(cloud, &parts),
        maybe(parts.storage.clone(), async |n: String| cloud.file_system(&n).await),
        maybe(parts.load_balancer.clone(), async |n: String| cloud
            .load_balancer(&n)
            .await),
        async {
            let mut found = Vec::new();
            for targets in parts.endpoints.iter().filter_map(|endpoint| endpoint.targets.as_ref()) {
                found.push((targets, cloud.targets(&targets.arn).await));
            }
            found
        },
        alarms(cloud, &stack, topology.alarms()),
    );
    let groups = keep("instances", groups, &mut unread).filter(|groups| !groups.is_empty());
    let storage = keep("storage", storage, &mut unread).flatten();
    let load_balancer = keep("load_balancer", load_balancer, &mut unread).flatten();
    let (alarms, alarm) = keep("alarms", alarms, &mut unread).unzip();
    let mut targets = BTreeMap::new();
    let mut behind = Vec::new();
    for (group, found) in found {
        let found = keep("targets", found, &mut unread);
        targets.extend(found.map(|found| (group.output.clone(), found)));
        behind.push(group.output.as_str());
    }

    let in_service = |group: &Group| {
        group
            .members
            .iter()
            .find(|m| m.is_in_service())
            .map(|m| m.instance.clone())
    };
    let hosts: Vec<Option<InstanceId>> = groups.iter().flatten().map(in_service).collect();
    let asked: Vec<&InstanceId> = hosts.iter().flatten().collect();
    let mut answers = ask(cloud, &parts.documents, &asked, ANSWER).await.into_iter();
    let several = topology.facts().members.len() > 1;
    let mut agents = Vec::new();
    let mut roles = BTreeMap::new();
    let mut members = Vec::new();
    let mut blockers = Vec::new();
    for (group, host) in groups.iter().flatten().zip(&hosts) {
        let Some((instance, answer)) = host.as_ref().and_then(|host| Some((host, answers.next()?))) else {
            members.push(Role::Unknown);
            blockers.extend(Blocker::of_member(group, None));
            continue;
        };
        let part = match several {
            true => format!("agent of {instance}"),
            false => "agent".to_owned(),
        };
        let status = keep(&part, answer, &mut unread);
        let role = status.as_ref().map_or(Role::Unknown, |status| topology.role(status));
        members.push(role);
        roles.insert(instance.clone(), role);
        let asked = status.as_ref().map(|status| (instance, status));
        blockers.extend(Blocker::of_member(group, asked));
        agents.extend(status.map(|status| (role, status)));
    }
    if groups.is_some() && roles.is_empty() {
        unread.insert("agent".into(), "no instance is in service".into());
    }
    if !several {
        roles.clear();
    }
    let speaks = speaks(agents.iter().map(|(role, status)| (*role, Some(status))));
    let agent = speaks
        .and_then(|index| agents.into_iter().nth(index))
        .map(|(_, status)| status);
    let facts = Facts {
        stack: &stack.status,
        topology,
        groups: groups.as_deref(),
        targets: &behind
            .iter()
            .map(|name| targets.get(*name).map(Vec::as_slice))
            .collect::<Vec<_>>(),
        alarm: alarm.unwrap_or(false),
        roles: &members,
        agent: agent.as_ref(),
    };
    // A deletion that failed may have left the endpoint's address in the outputs, and nothing behind it.
    let has_balancer = load_balancer.is_some() || parts.load_balancer.is_none() || unread.contains_key("load_balancer");

    Ok(Some(Report {
        schema: "mqaws.status/1",
        queue_manager: parts.queue_manager.clone().unwrap_or_default(),
        state: state(&facts),
        stack: stack.name.clone(),
        topology: match stack.tags.get(TOPOLOGY_TAG) {
            Some(word) => word.clone(),
            None => parts.topology.as_str().to_owned(),
        },
        stack_status: stack.status.0.clone(),
        region: region.to_owned(),
        local,
        since: agent.as_ref().map(|a| a.since.clone()),
        engine: agent.as_ref().and_then(|a| a.engine_version.clone()),
        stand_in: agent.as_ref().is_some_and(|a| a.stand_in),
        writer: agent.as_ref().and_then(writer),
        fsync_millis: agent.as_ref().and_then(|a| a.fsync_millis),
        rebalance_suspended: groups.as_ref().map(|groups| {
            let suspended = |g: &Group| g.suspended.iter().any(|p| p == super::ports::REBALANCE);
            groups.iter().all(suspended)
        }),
        instances: groups.map(|groups| groups.into_iter().flat_map(|g| g.members).collect()),
        roles,
        storage,
        load_balancer,
        targets: (!targets.is_empty()).then_some(targets),
        blockers,
        alarms,
        clients: (has_balancer && !parts.endpoints.is_empty()).then(|| Clients {
            endpoints: Way::all(parts.engine)
                .map(|way| (*way.protocol(), parts.endpoint(way.protocol()).cloned()))
                .collect(),
            tls: parts.certificate.is_some(),
            secret: parts.secret.clone(),
        }),
        last_error: agent.as_ref().and_then(|a| a.last_error.clone()),
        agent,
        unread,
    }))
}

fn writer(agent: &AgentStatus) -> Option<Writer> {
    Some(Writer {
        instance: agent.instance.clone(),
        epoch: agent.epoch?,
        proof: agent.proof.clone(),
    })
}

/// The groups that there are, in the order of the members.
async fn groups<C: Readings>(cloud: &C, parts: &Parts) -> Result<Vec<Group>, AwsError> {
    let mut groups = Vec::new();
    for member in &parts.members {
        groups.extend(cloud.group(&member.group).await?);
    }
    Ok(groups)
}

/// The alarms of a stack, and whether one of those fires that are of its service, by logical id.
async fn alarms<C: Readings>(cloud: &C, stack: &Stack, service: &[&str]) -> Result<(Vec<Alarm>, bool), AwsError> {
    let resources = cloud.resources(&stack.id).await?;
    let resources = resources.into_iter().filter(|r| r.kind == "AWS::CloudWatch::Alarm");
    let named: Vec<(String, String)> = resources.filter_map(|r| Some((r.physical?, r.logical))).collect();
    let names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
    let alarms = cloud.alarms(&names).await?;
    let of_service = |alarm: &Alarm| {
        let mut named = named.iter();
        named.any(|(name, logical)| *name == alarm.name && service.contains(&logical.as_str()))
    };
    let fires = alarms.iter().any(|alarm| alarm.is_firing() && of_service(alarm));
    Ok((alarms, fires))
}

/// Reads a thing whose name the stack may not tell.
async fn maybe<T>(
    name: Option<String>,
    read: impl AsyncFnOnce(String) -> Result<Option<T>, AwsError>,
) -> Result<Option<T>, AwsError> {
    match name {
        Some(name) => read(name).await,
        None => Ok(None),
    }
}

/// A part, or the reason why it is absent.
fn keep<T, E: std::error::Error>(part: &str, result: Result<T, E>, unread: &mut BTreeMap<String, String>) -> Option<T> {
    result
        .map_err(|error| unread.insert(part.to_owned(), chain(&error)))
        .ok()
}

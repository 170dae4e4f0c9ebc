//! Whole flows against a cloud that plays a script.

mod adopt;
mod destruction;
mod execute;
mod moving;
mod plans;
mod serving;
mod stake;
mod topology;
mod way_back;
mod whose;

use super::cause::tests::{STACK, event};
use super::finding::Finding;
use super::ports::{
    Blueprint, Change, ChangeSet, ChangeSetIds, Event, GroupUsers, Launch, Listed, Made, SetKind, Stacks, Storage,
    Termination,
};
use super::*;
use crate::cloud::{AwsError, Problem};
use crate::model::agent::AgentStatus;
use crate::model::{Engine, FileSystemId, InstanceId, StackId, Topology};
use crate::observe::ports::*;
use crate::remedy::{ExitKind, Remedy};
use crate::stack::{Documents, STACK_TAG, TOPOLOGY_TAG};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PACE: Pace = Pace {
    poll: Duration::ZERO,
    agent: Duration::ZERO,
    patience: Duration::from_secs(60),
    service: Duration::from_millis(50),
    review: Duration::from_secs(60),
    operation: None,
};

/// What the stack looks like at one moment; `None` for a stack that is not there.
type Frame = (Option<&'static str>, Vec<Event>);

/// A cloud that shows one frame after the other: the first before anything is executed or deleted, the next ones with
/// each look after that. Calls fail first as `failures` says.
#[derive(Default)]
struct Script {
    frames: Mutex<VecDeque<Frame>>,
    moving: Mutex<bool>,
    seen: Mutex<Vec<Event>>,
    set: Option<ChangeSet>,
    failures: Mutex<VecDeque<(&'static str, Problem)>>,
    calls: Mutex<Vec<String>>,
    resources: Vec<Resource>,
    /// Change sets besides the one that is made.
    sets: Mutex<Vec<Listed>>,
    storage: Vec<Storage>,
    /// Zones in which the file systems have mount targets.
    mount_targets: Vec<&'static str>,
    /// Stacks besides the one that the frames show, by name or ARN.
    others: BTreeMap<String, Stack>,
    /// Resources of those.
    resources_of: BTreeMap<String, Vec<Resource>>,
    launches: Vec<Launch>,
    users: GroupUsers,
    terminations: Vec<Termination>,
    findings: Vec<Finding>,
    /// Status that the stack turns out to be in when its deletion is refused.
    undeletable: Option<&'static str>,
    group: Option<Group>,
    /// Those of a stack with several members, by name.
    groups: BTreeMap<String, Group>,
    topology: Topology,
    targets: Vec<Target>,
    agent: Option<AgentStatus>,
    /// Those of several members, by instance.
    agents: BTreeMap<String, AgentStatus>,
    /// The agent of this instance never answers.
    silent: Option<&'static str>,
    /// Agents answer only once so many are asked.
    together: Option<Arc<tokio::sync::Barrier>>,
    agent_problem: Option<Problem>,
    foreign: bool,
    protected: bool,
    /// The queue manager in the stack's outputs.
    deployed: Option<String>,
    parameters: BTreeMap<String, String>,
    /// Code and words that cancelling an update is refused with.
    uncancellable: Option<(&'static str, &'static str)>,
}

impl Script {
    fn new(frames: impl IntoIterator<Item = Frame>) -> Self {
        Self {
            frames: Mutex::new(frames.into_iter().collect()),
            deployed: Some("QM1".into()),
            ..Self::default()
        }
    }

    fn with_changes(mut self, changes: Vec<Change>) -> Self {
        let created = Some(Timestamp::from_second(1_700_000_000).expect("in range"));
        self.set = Some(ChangeSet {
            status: "CREATE_COMPLETE".into(),
            reason: None,
            created,
            changes,
        });
        self
    }

    fn failing(self, calls: impl IntoIterator<Item = (&'static str, Problem)>) -> Self {
        *self.failures.lock().unwrap() = calls.into_iter().collect();
        self
    }

    fn called(&self, call: &str) -> Result<(), AwsError> {
        self.calls.lock().unwrap().push(call.to_owned());
        let mut failures = self.failures.lock().unwrap();
        match failures.front() {
            Some((name, _)) if *name == call => Err(AwsError::test(failures.pop_front().expect("looked at").1)),
            _ => Ok(()),
        }
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    fn advance(&self) {
        let mut frames = self.frames.lock().unwrap();
        if *self.moving.lock().unwrap() && frames.len() > 1 {
            frames.pop_front();
        }
        if let Some((_, events)) = frames.front_mut() {
            self.seen.lock().unwrap().append(events);
        }
    }

    fn shown(&self) -> Option<Stack> {
        let status = self.frames.lock().unwrap().front()?.0?;
        let mut tags: BTreeMap<String, String> = if self.foreign {
            BTreeMap::new()
        } else {
            [(STACK_TAG.into(), "mqaws-qm1".into())].into()
        };
        if self.topology != Topology::default() {
            tags.insert(TOPOLOGY_TAG.into(), self.topology.as_str().into());
        }
        let names: Vec<&str> = self.groups.keys().map(String::as_str).collect();
        let group = if names.is_empty() {
            "g".to_owned()
        } else {
            names.join(",")
        };
        Some(Stack {
            name: "mqaws-qm1".into(),
            id: STACK.into(),
            status: StackStatus(status.into()),
            reason: None,
            created: Timestamp::UNIX_EPOCH,
            outputs: [
                ("GroupName", group.as_str()),
                ("Endpoint", "lb"),
                ("MqEndpoint", "lb(1414)"),
                ("TargetGroupArn", "t"),
                ("ReadDocument", "d"),
            ]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into_iter()
            .chain(
                self.deployed
                    .iter()
                    .map(|name| ("QueueManagerName".to_owned(), name.clone())),
            )
            .collect(),
            parameters: self.parameters.clone(),
            tags,
            protected: self.protected,
        })
    }
}

impl Readings for Script {
    async fn stack(&self, name: &str) -> Result<Option<Stack>, AwsError> {
        self.called("stack")?;
        if ![STACK, "mqaws-qm1"].contains(&name) {
            return Ok(self.others.get(name).cloned());
        }
        self.advance();
        Ok(self.shown())
    }
    async fn resources(&self, stack: &str) -> Result<Vec<Resource>, AwsError> {
        self.called("resources")?;
        if let Some(of) = self.resources_of.get(stack) {
            return Ok(of.clone());
        }
        Ok(self.resources.clone())
    }
    async fn group(&self, name: &str) -> Result<Option<Group>, AwsError> {
        self.called("group")?;
        if !self.groups.is_empty() {
            return Ok(self.groups.get(name).cloned());
        }
        Ok(self.group.clone())
    }
    async fn targets(&self, _arn: &str) -> Result<Vec<Target>, AwsError> {
        self.called("targets")?;
        Ok(self.targets.clone())
    }
    async fn load_balancer(&self, _arn: &str) -> Result<Option<LoadBalancer>, AwsError> {
        Ok(None)
    }
    async fn file_system(&self, id: &str) -> Result<Option<FileSystem>, AwsError> {
        let targets = self.mount_targets.iter();
        Ok(self.storage.iter().find(|one| one.id == id).map(|one| FileSystem {
            id: one.id.clone(),
            state: one.state.clone(),
            bytes: one.bytes,
            throughput: one.made.throughput.clone(),
            encrypted: one.made.encrypted,
            mount_targets: targets
                .map(|zone| ((*zone).to_owned(), "available".to_owned()))
                .collect(),
        }))
    }
    async fn alarms(&self, _names: &[String]) -> Result<Vec<Alarm>, AwsError> {
        Ok(Vec::new())
    }
    async fn agent_status(&self, _: &Documents, instance: &InstanceId) -> Result<AgentStatus, ReadError> {
        if let Some(together) = &self.together {
            together.wait().await;
        }
        if self.silent == Some(instance.as_str()) {
            std::future::pending::<()>().await;
        }
        if let Some(agent) = self.agents.get(instance.as_str()) {
            return Ok(agent.clone());
        }
        match (&self.agent, &self.agent_problem) {
            (Some(agent), _) => Ok(agent.clone()),
            (None, Some(problem)) => Err(AwsError::test(problem.clone()).into()),
            (None, None) => Err(AwsError::test(Problem::NotFound).into()),
        }
    }
}

impl Stacks for Script {
    async fn create_change_set(&self, _: &Blueprint, _: &str, kind: SetKind) -> Result<ChangeSetIds, AwsError> {
        self.called(match kind {
            SetKind::Create => "create-set",
            SetKind::Update => "update-set",
            SetKind::Import => "import-set",
        })?;
        let mut frames = self.frames.lock().unwrap();
        // A change set that creates a stack makes it, in review.
        let makes = frames.front().is_some_and(|f| f.0.is_none());
        if makes && frames.get(1).is_some_and(|f| f.0 == Some("REVIEW_IN_PROGRESS")) {
            frames.pop_front();
        }
        Ok(ChangeSetIds {
            change_set: "cs".into(),
            stack: STACK.into(),
        })
    }
    async fn change_set(&self, _id: &str) -> Result<ChangeSet, AwsError> {
        self.called("change-set")?;
        Ok(self.set.clone().expect("the test has a change set"))
    }
    async fn change_sets(&self, _stack: &str) -> Result<Vec<Listed>, AwsError> {
        self.called("change-sets")?;
        Ok(self.sets.lock().unwrap().clone())
    }
    async fn findings(&self, _change_set: &str) -> Result<Vec<Finding>, AwsError> {
        self.called("findings")?;
        Ok(self.findings.clone())
    }
    async fn execute(&self, _change_set: &str, _token: &str) -> Result<(), AwsError> {
        self.called("execute")?;
        *self.moving.lock().unwrap() = true;
        Ok(())
    }
    async fn delete_change_set(&self, _change_set: &str) -> Result<(), AwsError> {
        self.called("delete-set")
    }
    async fn delete_stack(&self, _stack: &StackId, _role: Option<&str>, _token: &str) -> Result<(), AwsError> {
        self.called("delete-stack")?;
        if let Some(status) = self.undeletable {
            *self.frames.lock().unwrap() = [(Some(status), vec![])].into();
            let message = format!("Stack [mqaws-qm1] cannot be deleted while in status {status}");
            return Err(AwsError::test_answer(
                "cloudformation:DeleteStack",
                "ValidationError",
                &message,
            ));
        }
        *self.moving.lock().unwrap() = true;
        Ok(())
    }
    async fn cancel_update(&self, _stack: &str) -> Result<(), AwsError> {
        self.called("cancel")?;
        match self.uncancellable {
            None => Ok(()),
            Some((code, message)) => Err(AwsError::test_answer("cloudformation:CancelUpdateStack", code, message)),
        }
    }
    async fn events(&self, _stack: &str, from: Timestamp) -> Result<Vec<Event>, AwsError> {
        self.called("events")?;
        Ok(self
            .seen
            .lock()
            .unwrap()
            .iter()
            .filter(|e| e.at >= from)
            .cloned()
            .collect())
    }
    async fn protect(&self, _stack: &str, on: bool) -> Result<(), AwsError> {
        self.called(if on { "protect" } else { "unprotect" })
    }
    async fn file_systems(&self) -> Result<Vec<Storage>, AwsError> {
        self.called("file-systems")?;
        Ok(self.storage.clone())
    }
    async fn holder(&self, id: &FileSystemId) -> Result<Option<String>, AwsError> {
        self.called("holder")?;
        let has = |of: &[Resource]| {
            let mut of = of.iter().filter(|r| !r.status.starts_with("DELETE_"));
            of.any(|r| r.physical.as_deref() == Some(id.as_str()))
        };
        let other = self.resources_of.iter().find(|(_, of)| has(of));
        let other = other.map(|(stack, _)| stack.clone());
        Ok(other.or_else(|| has(&self.resources).then(|| "mqaws-qm1".to_owned())))
    }
    async fn delete_file_system(&self, _id: &FileSystemId) -> Result<(), AwsError> {
        self.called("delete-file-system")
    }
    async fn users_of_group(&self, _group: &str) -> Result<GroupUsers, AwsError> {
        self.called("users-of-group")?;
        Ok(self.users.clone())
    }
    async fn launches(&self, _group: &str, from: Timestamp) -> Result<Vec<Launch>, AwsError> {
        self.called("launches")?;
        Ok(self.launches.iter().filter(|l| l.at >= from).cloned().collect())
    }
    async fn terminations(&self, _group: &str, from: Timestamp) -> Result<Vec<Termination>, AwsError> {
        self.called("terminations")?;
        Ok(self.terminations.iter().filter(|t| t.at >= from).cloned().collect())
    }
    async fn suspend(&self, _group: &str, _processes: &[&str]) -> Result<(), AwsError> {
        self.called("suspend")
    }
}

fn blueprint() -> Blueprint {
    Blueprint {
        stack: "mqaws-qm1".into(),
        queue_manager: "QM1".into(),
        topology: Topology::default(),
        engine: Engine::default(),
        template: "{}".into(),
        parameters: BTreeMap::new(),
        tags: BTreeMap::new(),
        role: None,
        protect: false,
        adopts: None,
        renewal: None,
        engine_version: None,
    }
}

fn add(logical: &str, kind: &str) -> Change {
    Change {
        logical: logical.into(),
        physical: None,
        kind: kind.into(),
        action: "Add".into(),
        replacement: None,
        policy: None,
        details: Vec::new(),
    }
}

fn changes() -> Vec<Change> {
    vec![
        add("FileSystem", "AWS::EFS::FileSystem"),
        add("Group", "AWS::AutoScaling::AutoScalingGroup"),
    ]
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

fn planned(cloud: &Script) -> Result<Plan, DeployError> {
    planned_with(
        cloud,
        Consent {
            new_storage: false,
            clear: true,
        },
    )
}

fn planned_with(cloud: &Script, consent: Consent) -> Result<Plan, DeployError> {
    planned_at(cloud, consent, PACE)
}

fn planned_at(cloud: &Script, consent: Consent, pace: Pace) -> Result<Plan, DeployError> {
    wait(plan(
        cloud,
        &blueprint(),
        consent,
        pace,
        &Stop::never(),
        &mut |_: Step| {},
    ))
}

fn carried_out(cloud: &Script, stop: &Stop) -> (Result<Settled, DeployError>, Vec<Step>) {
    let mut steps = Vec::new();
    let plan = planned(cloud).expect("planned");
    let result = wait(execute(cloud, &plan, PACE, stop, &mut |step| steps.push(step)));
    (result, steps)
}

fn created() -> Vec<Frame> {
    vec![
        (None, vec![]),
        (
            Some("REVIEW_IN_PROGRESS"),
            vec![event(0, "mqaws-qm1", "REVIEW_IN_PROGRESS", "User Initiated")],
        ),
        (
            Some("CREATE_IN_PROGRESS"),
            vec![
                event(1, "mqaws-qm1", "CREATE_IN_PROGRESS", "User Initiated"),
                event(2, "FileSystem", "CREATE_IN_PROGRESS", ""),
                event(3, "FileSystem", "CREATE_COMPLETE", ""),
            ],
        ),
        (
            Some("CREATE_COMPLETE"),
            vec![
                event(4, "Group", "CREATE_IN_PROGRESS", ""),
                event(
                    8,
                    "Group",
                    "CREATE_IN_PROGRESS",
                    "Received SUCCESS signal with UniqueId i-1",
                ),
                event(9, "Group", "CREATE_COMPLETE", ""),
                event(9, "mqaws-qm1", "CREATE_COMPLETE", ""),
            ],
        ),
    ]
}

fn resource(logical: &str, kind: &str, status: &str) -> Resource {
    Resource {
        logical: logical.into(),
        physical: Some(format!("{logical}-1")),
        kind: kind.into(),
        status: status.into(),
    }
}

fn group(lifecycle: &str, suspended: &[&str]) -> Group {
    let member = GroupInstance {
        instance: InstanceId::new("i-1").unwrap(),
        zone: "eu-west-1a".into(),
        lifecycle: lifecycle.into(),
        health: "Healthy".into(),
    };
    let suspended = suspended.iter().map(|s| (*s).to_owned()).collect();
    Group {
        name: "g".into(),
        desired: 1,
        members: vec![member],
        suspended,
    }
}

fn agent(state: &str, last_error: Option<&str>) -> AgentStatus {
    let status = serde_json::json!({
        "schema": "mqaws.agent-status/1", "agent_version": "0.1.0", "instance": "i-1", "zone": "eu-west-1a",
        "queue_manager": "QM1", "state": state, "since": "2026-11-18T03:12:09Z", "last_error": last_error,
    });
    serde_json::from_value(status).expect("a status")
}

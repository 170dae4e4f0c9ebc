//! A stack of the version of commit 29030b5 is found, gone on with, upgraded and tested.
//!
//! Its template is that version's own, carried out as CloudFormation would; its owner record is brought to that version's
//! shape while nobody holds the lock. The agents are of this version: the one that takes over stands for a new image. Until then the
//! stack has no documents, and its agents are asked as that version asked them.

mod agents;

use crate::support::{Client, Lab, Put, STACK, call, failing, forced, json_call, until, wait};
use mqaws::aws::Clients;
use mqaws::deploy::ports::Stacks;
use mqaws::failover::port::{Probe, TestBed};
use mqaws::model::InstanceId;
use mqaws::model::agent::{AgentState, AgentStatus, FaultReport, Mark, ProbeReport, mark};
use mqaws::stack::AMQP;
use mqaws_lab::home::LabRecord;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

const BEFORE: &str = include_str!("../fixtures/29030b5/single.yaml");
const RECORD_BEFORE: &str = include_str!("../fixtures/29030b5/owner-1.json");

struct Site {
    lab: Lab,
    record: LabRecord,
    clients: Clients,
}

impl Site {
    fn deployed() -> Self {
        let lab = Lab::deployed(&[]);
        let (record, clients) = (lab.record(), lab.clients());
        Self { lab, record, clients }
    }

    /// The one that serves, and is not `other`.
    fn serving(&self, other: Option<&str>) -> AgentStatus {
        let target = wait(self.clients.target(STACK)).expect("a stack");
        until("an instance serves", || {
            let instances = wait(self.clients.instances(&target)).ok()?;
            let one = instances.iter().find(|i| Some(i.id.as_str()) != other)?;
            let status: AgentStatus = self.asked_as_before(one.id.as_str(), "mqaws-agent status --json")?;
            (status.state == AgentState::Serving && status.lock_held).then_some(status)
        })
    }

    /// What an agent answers to a command line, as JSON.
    fn asked_as_before<T: DeserializeOwned>(&self, instance: &str, line: &str) -> Option<T> {
        serde_json::from_str(&asked_as_before(&self.record, instance, line)?).ok()
    }

    /// A verb that has to ask an agent is refused, and says what to do first.
    fn is_to_be_deployed_first(&self, verb: &[&str]) {
        let refused = self.lab.json(&[verb, &["--local", "--stack", STACK]].concat(), 3);
        let hint = refused["hint"].as_str().unwrap_or_default();
        let wanted = format!("to add it, run `mqaws deploy --stack {STACK} --local`");
        assert_eq!(hint, wanted, "{refused}");
    }

    /// A client of the stack's endpoint, once one is let in.
    fn client(&self) -> Client {
        let target = wait(self.clients.target(STACK)).expect("a stack");
        let user = wait(self.clients.credentials(&target)).expect("a user");
        let endpoint = target.parts.endpoint(&AMQP).expect("AMQP is on");
        let address = endpoint.address.host.parse().expect("an address");
        let password = user.password.expose_secret();
        until("a client is let in", || {
            Client::connect(address, &user.username, password, "upgrade").ok()
        })
    }

    fn launches(&self, verb: &str) {
        let target = wait(self.clients.target(STACK)).expect("a stack");
        let params = [
            ("Action", verb),
            ("AutoScalingGroupName", target.parts.members[0].group.as_str()),
            ("ScalingProcesses.member.1", "Launch"),
        ];
        call(&self.record, "autoscaling", "2011-01-01", &params);
    }

    fn json(&self, args: &[&str]) -> Value {
        let example = Lab::example();
        self.lab
            .json(&[args, &["--local", "--yes", "--config", &example]].concat(), 0)
    }

    /// Ids of the file systems, and whether each tells its queue manager.
    fn file_systems(&self) -> Vec<(String, bool)> {
        let all = wait(self.clients.file_systems()).expect("file systems");
        let tagged = all
            .into_iter()
            .map(|fs| (fs.id, fs.tags.contains_key("mqaws:queue-manager")));
        tagged.collect()
    }

    /// Where an instance puts its metrics.
    fn namespace(&self, instance: &str) -> String {
        let config = read(&self.lab.instance(instance).join("etc/mqaws/agent.json"));
        config["metrics_namespace"].as_str().expect("a namespace").to_owned()
    }

    fn owner(&self, file_system: &str, epoch: u64) -> PathBuf {
        let below = format!("fs/{file_system}/.mqaws/QM1/owner-{epoch}.json");
        self.lab.dir().join(below)
    }
}

/// What an agent answers to a command line, sent as the version before sent it; `None` when it does not succeed.
fn asked_as_before(record: &LabRecord, instance: &str, line: &str) -> Option<String> {
    let ask = |action: &str, body: &Value| json_call(record, "ssm", &format!("AmazonSSM.{action}"), body);
    let body =
        json!({"DocumentName": "AWS-RunShellScript", "InstanceIds": [instance], "Parameters": {"commands": [line]}});
    let sent = ask("SendCommand", &body).ok()?;
    let body = json!({"CommandId": sent["Command"]["CommandId"], "InstanceId": instance});
    let ended = until("the command ends", || {
        let found = ask("GetCommandInvocation", &body).ok()?;
        let over = !["Pending", "InProgress"].contains(&found["Status"].as_str()?);
        over.then_some(found)
    });
    let said = ended["StandardOutputContent"]
        .as_str()
        .filter(|_| ended["Status"] == "Success");
    said.map(str::to_owned)
}

fn read(path: &Path) -> Map<String, Value> {
    let text = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).expect("a record")
}

/// The agent's state of a file system as the version before would have left it.
fn as_before(record: &mut Map<String, Value>) {
    assert!(record.contains_key("file_system"), "{record:?}");
    record.retain(|field, _| !["file_system", "served"].contains(&field.as_str()));
    let before: Map<String, Value> = serde_json::from_str(RECORD_BEFORE).expect("a record");
    let fields = |of: &Map<String, Value>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(record), fields(&before), "it wrote these fields");
    assert_eq!(record["schema"], before["schema"]);
}

#[test]
fn stack_of_the_version_before_is_gone_on_with_and_upgraded_and_tested() {
    let site = Site::deployed();
    let (status, _) = forced(&site.clients, BEFORE, &[]);
    assert_eq!(status, "UPDATE_COMPLETE");
    let [(file_system, false)] = &site.file_systems()[..] else {
        panic!("{:?}", site.file_systems());
    };
    let first = site.serving(None);
    assert_eq!(first.epoch, Some(2), "{first:?}");

    let id = |text: &str| InstanceId::new(text).expect("an instance id");
    let defined: ProbeReport = site
        .asked_as_before(&first.instance, "mqaws-agent probe define")
        .expect("its queues");
    let queue = defined.queues[0].name.clone();
    site.is_to_be_deployed_first(&["status"]);
    site.is_to_be_deployed_first(&["failover-test"]);
    let ids: Vec<String> = (0..100).map(|n| format!("before-{n}")).collect();
    let puts: Vec<Put> = ids.iter().map(|id| Put::persistent(id)).collect();
    assert_eq!(site.client().put(&queue, &puts).expect("put"), ids);

    site.launches("SuspendProcesses");
    wait(site.clients.terminate(&id(&first.instance))).expect("terminated");
    let root = site.lab.instance(&first.instance);
    until("its host is gone", || (!root.exists()).then_some(()));
    let path = site.owner(file_system, 2);
    let mut record = read(&path);
    as_before(&mut record);
    std::fs::write(&path, serde_json::to_vec(&record).expect("json")).expect("written");

    // Found: what stands there is told, and that an upgrade would replace the instance, for its metrics get a namespace of the
    // stack's own; no data is touched.
    let plan = site.json(&["plan"]);
    let lines = plan["changes"]["lines"].as_array().expect("lines");
    let line = |logical: &str| lines.iter().find(|l| l["logical"] == logical).expect("a line");
    assert!(lines.iter().all(|l| l["data"] == false), "{plan}");
    assert_eq!(line("FileSystem")["effect"], "change", "{plan}");
    let told = line("Group")["text"].as_str().unwrap_or_default();
    assert!(told.contains("replaces its instance: one planned outage"), "{plan}");

    // Gone on with: the record of the version before names the owner, whose end is proved.
    site.launches("ResumeProcesses");
    let second = site.serving(Some(&first.instance));
    let proof = second.proof.as_ref().expect("a proof");
    let of_it = (second.epoch, proof.previous.as_deref());
    assert_eq!(of_it, (Some(3), Some(first.instance.as_str())), "{second:?}");
    assert!(["clean", "terminated"].contains(&proof.kind.as_str()), "{second:?}");
    assert_eq!(read(&site.owner(file_system, 3))["file_system"], file_system.as_str());

    assert_eq!(site.namespace(&second.instance), "mqaws");

    // Upgraded, in that one replacement.
    let deployed = site.json(&["deploy"]);
    assert_eq!(
        (&deployed["changed"], &deployed["outputs"]["FileSystemId"]),
        (&json!(true), &json!(file_system)),
        "{deployed}"
    );
    assert_eq!(site.file_systems(), [(file_system.clone(), true)]);
    let third = site.serving(Some(&second.instance));
    assert_eq!(third.epoch, Some(4), "{third:?}");
    assert_eq!(site.namespace(&third.instance), format!("mqaws/{STACK}"));
    let target = wait(site.clients.target(STACK)).expect("a stack");
    let depths = wait(site.clients.probe(&target, &id(&third.instance), Probe::Depth)).expect("its queues");
    let depth = depths.queues.iter().find(|q| q.name == queue).map(|q| q.depth);
    assert_eq!(depth, Some(100), "{depths:?}");
    let got = site.client().get(&queue, 100).expect("got");
    assert_eq!(got.into_iter().map(|m| m.id).collect::<Vec<_>>(), ids);

    // Tested.
    let report = site.lab.failover(&["--fault", "kill-queue-manager"], 0);
    assert_eq!(failing(&report), Vec::<String>::new(), "{report}");
    let serves = site.serving(None);
    assert_eq!(
        (&serves.instance, serves.epoch),
        (&third.instance, Some(5)),
        "{serves:?}"
    );
    let status = site.json(&["status", "--wait", "serving"]);
    assert_eq!(
        (&status["state"], &status["storage"]["id"]),
        (&json!("serving"), &json!(file_system)),
        "{status}"
    );
    assert!(
        site.json(&["plan"])["changes"]["lines"]
            .as_array()
            .is_some_and(Vec::is_empty)
    );
}

/// What an agent of the version before prints, as it printed it in a local cloud: as long as no new image is in use, it answers.
#[test]
fn an_agent_of_the_version_before_is_understood() {
    let status: AgentStatus =
        serde_json::from_str(include_str!("../fixtures/29030b5/agent-status.json")).expect("a status");
    let proof = status.proof.as_ref().expect("a proof");
    assert_eq!(
        (status.state.as_str(), status.epoch, proof.kind.as_str()),
        ("serving", Some(2), "same-host")
    );
    assert!(status.lock_held && status.stand_in);
    let probe: ProbeReport =
        serde_json::from_str(include_str!("../fixtures/29030b5/probe.json")).expect("a probe's answer");
    assert_eq!(
        (probe.queues[0].name.as_str(), probe.queues[0].depth),
        ("MQAWS.PROBE.TEST", 0)
    );
    let fault: FaultReport =
        serde_json::from_str(include_str!("../fixtures/29030b5/fault.json")).expect("a fault's answer");
    assert!(fault.verified);
    let marks: Vec<Mark> = include_str!("../fixtures/29030b5/marks.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a mark"))
        .collect();
    for mark in [
        mark::AGENT_STARTED,
        mark::PROOF,
        mark::ENGINE_STARTED,
        mark::DEATH_NOTICED,
    ] {
        assert!(marks.iter().any(|one| one.mark == mark), "{mark}");
    }
}

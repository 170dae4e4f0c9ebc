//! A stack in a lab of its own, and the life of its instances as the agent lives it: its ports against the lab's endpoint,
//! with the credentials of the instance's role. The image holds no agent, so that nobody but the test makes calls.

mod template;

pub(super) use template::{rendered, statements, without};

use crate::support::{Lab, STACK, all, between, call, request, run_command, until};
use mqaws::lab_agent::{LabMount, mount_options};
use mqaws::model::Topology;
use mqaws::model::agent::AgentConfig;
use mqaws::topology;
use mqaws_agent::cloud::{Aws, InstanceMetadata};
use mqaws_agent::ports::{CertificateError, Cloud, HookError, Metadata, Mounter};
use mqaws_agent::signed::{Client, Datum, Endpoints, HttpTransport, Imds, ImdsCredentials};
use mqaws_contract::InstanceId;
use mqaws_lab::home::LabRecord;
use mqaws_lab::instance::METADATA_PORT;
use mqaws_lab::wire::percent::unescape;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

const IAM: &str = "2010-05-08";

/// What an instance does, or has done to it, that a statement must allow or refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// The first instance mounts as its deployment says: with TLS and its role, unless with plain NFS.
    Mount,
    /// It looks for mount targets in other zones.
    FindMountTargets,
    /// A mount without TLS is refused, even if somebody lets everybody in.
    RefuseMountWithoutTls,
    /// It uses up the word for a new queue manager.
    UseWord,
    /// It reads the application's user.
    ReadCredentials,
    /// It reads its certificate, which a key of the customer's encrypts.
    ReadCertificate,
    /// It tells the stack that it serves.
    Signal,
    /// It sends metrics.
    PutMetrics,
    /// An operator runs a command on it.
    RunCommand,
    /// It gives itself up.
    ReportUnhealthy,
    /// Its successor looks whether it still runs.
    SeePrevious,
    /// It completes the lifecycle hook.
    CompleteHook,
    /// Its successor ends it.
    EndPrevious,
}

/// A whole life, in order.
pub(super) const LIFE: [Step; 13] = [
    Step::Mount,
    Step::FindMountTargets,
    Step::RefuseMountWithoutTls,
    Step::UseWord,
    Step::ReadCredentials,
    Step::ReadCertificate,
    Step::Signal,
    Step::PutMetrics,
    Step::RunCommand,
    Step::ReportUnhealthy,
    Step::SeePrevious,
    Step::CompleteHook,
    Step::EndPrevious,
];

/// Where a policy is kept.
enum Place {
    Role(String),
    FileSystem,
}

/// A stack in a private lab.
pub(super) struct Stack {
    lab: Lab,
    record: LabRecord,
    role: String,
    first: Host,
}

impl Stack {
    /// Creates the stack in a new lab and waits for its first instance.
    pub(super) fn create(template: &Value) -> Self {
        let lab = Lab::up(&[]);
        let record = lab.record();
        template::create(&record, template);
        let first = until("the first instance boots", || hosts(&record).into_iter().next());
        let asked = [
            ("Action", "DescribeStackResource"),
            ("StackName", STACK),
            ("LogicalResourceId", "Role"),
        ];
        let role = between(
            &call(&record, "cloudformation", "2010-05-15", &asked),
            "PhysicalResourceId",
        );
        Self {
            lab,
            record,
            role,
            first,
        }
    }

    /// Lives a whole life; `before` may try each step first. What a step was refused is returned, and done by the
    /// administrator where the life could not go on without it.
    pub(super) fn live(&self, mut before: impl FnMut(&Self, Step)) -> BTreeMap<Step, String> {
        let mut refused = BTreeMap::new();
        for step in LIFE {
            before(self, step);
            if let Err(why) = self.take(step) {
                self.instead(step);
                refused.insert(step, why);
            }
            if step == Step::Signal {
                until("the stack is complete", || {
                    let asked = [("Action", "DescribeStacks"), ("StackName", STACK)];
                    let answer = call(&self.record, "cloudformation", "2010-05-15", &asked);
                    (between(&answer, "StackStatus") == "CREATE_COMPLETE").then_some(())
                });
            }
        }
        refused
    }

    /// Takes one step.
    ///
    /// # Errors
    /// Why it is refused.
    pub(super) fn take(&self, step: Step) -> Result<(), String> {
        let (first, me) = (&self.first, &self.first.id);
        let cloud = first.cloud(&self.record);
        match step {
            Step::Mount => self.mount(mount_options(&first.config.storage).map_err(|e| e.to_string())?),
            Step::FindMountTargets => {
                let found = first
                    .client(&self.record)
                    .mount_targets(&first.config.storage.file_system);
                let found = found.map_err(|e| e.line())?;
                assert_eq!(found.len(), 2, "{found:?}");
                Ok(())
            }
            Step::RefuseMountWithoutTls => self.refuse_mount_without_tls(),
            Step::UseWord => cloud.use_create_word(me).map(drop),
            Step::ReadCredentials => cloud.credentials().map(drop),
            Step::ReadCertificate => cloud.certificate().map(drop).map_err(|error| match error {
                CertificateError::Unusable(why) => why,
                CertificateError::Unanswered(why) => panic!("Secrets Manager did not answer: {why}"),
            }),
            Step::Signal => cloud.signal(me, true).map(drop),
            Step::PutMetrics => {
                let datum = Datum {
                    name: "QmgrUp",
                    value: 1.0,
                    unit: "Count",
                };
                cloud.put_metrics(&[datum])
            }
            Step::RunCommand => run_command(&self.record, me.as_str(), &["true"]),
            Step::ReportUnhealthy => cloud.report_unhealthy(me),
            Step::CompleteHook => {
                let metadata = InstanceMetadata::new(first.imds());
                until("the first instance is told to end", || {
                    (metadata.lifecycle() == Ok(Some("Terminated".to_owned()))).then_some(())
                });
                // It waits only once the load balancer has let the instance go; the agent asks again until then.
                until("the hook waits or refuses", || match cloud.complete_hook(me) {
                    Err(HookError::NotWaiting(_)) => None,
                    answer => Some(answer.map_err(|e| e.to_string())),
                })
            }
            Step::SeePrevious => {
                let second = self.second();
                second.cloud(&self.record).state_of(me, &second.id).map(drop)
            }
            Step::EndPrevious => self.second().cloud(&self.record).terminate(me),
        }
    }

    /// Sends metrics to a namespace, with the keys of the role.
    ///
    /// # Errors
    /// Why it is refused.
    pub(super) fn measure(&self, namespace: &str) -> Result<(), String> {
        let datum = Datum {
            name: "EngineRunning",
            value: -1.0,
            unit: "Count",
        };
        let client = self.first.client(&self.record);
        let sent = client.put_metrics(namespace, &self.first.config.stack, &[datum]);
        sent.map_err(|e| e.line())
    }

    /// Tries a step without one action of the policies: the refusal.
    ///
    /// # Errors
    /// When it is not refused.
    pub(super) fn take_without(&self, action: &str, step: Step) -> Result<String, String> {
        let mut changed = Vec::new();
        for place in self.places() {
            let policy = self.policy(&place);
            let less = template::without_action(&policy, action);
            if less != template::without_action(&policy, "") {
                self.put(&place, &less);
                changed.push((place, policy));
            }
        }
        assert!(!changed.is_empty(), "a policy has {action}");
        let outcome = self.take(step);
        for (place, policy) in changed {
            self.put(&place, &policy);
        }
        outcome.err().ok_or_else(|| format!("{step:?} needs no {action}"))
    }

    /// What the administrator does in place of an instance that may not.
    fn instead(&self, step: Step) {
        match step {
            Step::Signal => {
                let params = [
                    ("Action", "SignalResource"),
                    ("StackName", STACK),
                    (
                        "LogicalResourceId",
                        topology::of(Topology::default()).facts().members[0].group,
                    ),
                    ("UniqueId", self.first.id.as_str()),
                    ("Status", "SUCCESS"),
                ];
                call(&self.record, "cloudformation", "2010-05-15", &params);
            }
            Step::ReportUnhealthy => {
                let params = [
                    ("Action", "SetInstanceHealth"),
                    ("InstanceId", self.first.id.as_str()),
                    ("HealthStatus", "Unhealthy"),
                    ("ShouldRespectGracePeriod", "false"),
                ];
                call(&self.record, "autoscaling", "2011-01-01", &params);
            }
            _ => {}
        }
    }

    /// The replacement, once it has booted.
    fn second(&self) -> Host {
        until("a replacement boots", || {
            hosts(&self.record).into_iter().find(|h| h.id != self.first.id)
        })
    }

    fn mount(&self, options: Vec<&'static str>) -> Result<(), String> {
        let mount = LabMount {
            endpoint: self.record.endpoint.clone(),
            file_system: self.first.config.storage.file_system.clone(),
            options,
            point: self.lab.path("mnt"),
            imds: self.first.imds(),
        };
        mount.mount().map(drop)
    }

    fn refuse_mount_without_tls(&self) -> Result<(), String> {
        let policy = self.policy(&Place::FileSystem);
        let mut open: Value = serde_json::from_str(&policy).expect("a policy");
        let everybody = json!({"Effect": "Allow", "Principal": "*", "Action": "elasticfilesystem:Client*"});
        open["Statement"].as_array_mut().expect("statements").push(everybody);
        self.put(&Place::FileSystem, &open.to_string());
        let outcome = self.mount(Vec::new());
        self.put(&Place::FileSystem, &policy);
        match outcome {
            Ok(()) => Err("a mount without TLS was admitted".to_owned()),
            Err(why) if why.contains("with an explicit deny in a resource-based policy") => Ok(()),
            Err(why) => Err(why),
        }
    }

    fn places(&self) -> Vec<Place> {
        let asked = [("Action", "ListRolePolicies"), ("RoleName", self.role.as_str())];
        let names = all(&call(&self.record, "iam", IAM, &asked), "member");
        names.into_iter().map(Place::Role).chain([Place::FileSystem]).collect()
    }

    fn file_system_policy(&self, method: &str, body: &Value) -> Value {
        let path = format!(
            "/2015-02-01/file-systems/{}/policy",
            self.first.config.storage.file_system
        );
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let json = [("content-type", "application/json")];
        let answer = request(&self.record, "elasticfilesystem", (method, &path), &json, body);
        serde_json::from_str(&answer.expect("an answer")).expect("JSON")
    }

    fn policy(&self, place: &Place) -> String {
        match place {
            Place::Role(name) => {
                let asked = [
                    ("Action", "GetRolePolicy"),
                    ("RoleName", self.role.as_str()),
                    ("PolicyName", name.as_str()),
                ];
                unescape(&between(&call(&self.record, "iam", IAM, &asked), "PolicyDocument"))
            }
            Place::FileSystem => {
                let answer = self.file_system_policy("GET", &Value::Null);
                answer["Policy"].as_str().expect("a policy").to_owned()
            }
        }
    }

    fn put(&self, place: &Place, document: &str) {
        match place {
            // A policy must have a statement.
            Place::Role(name) if document.contains(r#""Statement":[]"#) => {
                let params = [
                    ("Action", "DeleteRolePolicy"),
                    ("RoleName", self.role.as_str()),
                    ("PolicyName", name.as_str()),
                ];
                call(&self.record, "iam", IAM, &params);
            }
            Place::Role(name) => {
                let params = [
                    ("Action", "PutRolePolicy"),
                    ("RoleName", self.role.as_str()),
                    ("PolicyName", name.as_str()),
                    ("PolicyDocument", document),
                ];
                call(&self.record, "iam", IAM, &params);
            }
            Place::FileSystem => drop(self.file_system_policy("PUT", &json!({"Policy": document}))),
        }
    }
}

/// An instance as its agent knows it.
struct Host {
    id: InstanceId,
    address: String,
    config: AgentConfig,
}

/// The instances that have booted: those whose user data has written the agent's configuration.
fn hosts(record: &LabRecord) -> Vec<Host> {
    let found = mqaws_lab::client::own_call(record, "instances").expect("the lab answers");
    let rows = found["instances"].as_array().expect("rows").iter();
    rows.filter_map(|row| {
        let id = row["id"].as_str()?;
        let root: PathBuf = record.dir.join("i").join(id);
        let config = std::fs::read_to_string(root.join("etc/mqaws/agent.json")).ok()?;
        Some(Host {
            id: id.parse().ok()?,
            address: row["address"].as_str()?.to_owned(),
            config: serde_json::from_str(&config).ok()?,
        })
    })
    .collect()
}

impl Host {
    fn imds(&self) -> Imds {
        let base = format!("http://{}:{METADATA_PORT}", self.address);
        Imds::new(Some(&base), Arc::new(HttpTransport::new()))
    }

    fn client(&self, record: &LabRecord) -> Client {
        let endpoints = Endpoints::new(&record.region, Some(&record.endpoint));
        let credentials = Arc::new(ImdsCredentials::new(self.imds()));
        Client::new(endpoints, credentials, Arc::new(HttpTransport::new()))
    }

    /// The agent's port to AWS, with nothing kept from an earlier step.
    fn cloud(&self, record: &LabRecord) -> Aws {
        Aws::new(self.client(record), self.config.clone(), "any".to_owned())
    }
}

//! The failover test's cloud over the SDK.

use super::clients::Clients;
use super::command::{self, CommandOutput};
use super::sdk_error::wrap;
use crate::cloud::AwsError;
use crate::deploy::{self, Moves, Pace, Stop};
use crate::failover::Fault;
use crate::failover::measure::targets::Targets;
use crate::failover::port::{Answer, CloudError, Credentials, Instance, Lab, Probe, Target, TestBed, Turn};
use crate::failover::report::AssumedDelay;
use crate::model::InstanceId;
use crate::model::agent::{AgentStatus, ConnectionsReport, FaultReport, Mark, ProbeReport};
use crate::observe::ports::Readings;
use crate::observe::state::Blocker;
use crate::remedy::Remedy;
use crate::stack::{ALLOW_FAULTS_TAG, AMQP, Output, Parts};
use crate::topology;
use aws_sdk_autoscaling as autoscaling;
use aws_sdk_ec2 as ec2;
use aws_sdk_secretsmanager as secretsmanager;
use mqaws_contract::FaultOrder;
use mqaws_contract::verb::{Request, Verb};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::{Duration, Instant};

/// How long a planned move may take to begin.
const BEGINS: Duration = Duration::from_secs(120);

impl Clients {
    async fn line(&self, target: &Target, instance: &InstanceId, request: &Request) -> Result<String, CloudError> {
        let document = target.parts.documents.of(request.class())?;
        let older = |what: &str, first: &str| {
            let cause = format!("the {what} is of a version without this command");
            let hint = format!("{first}run `mqaws deploy --stack {}`", target.stack);
            Err(CloudError::precondition(running(request, instance), cause, hint))
        };
        match command::ask(self, document, instance, request).await {
            Err(error) if command::is_refused_verb(&error) => older("stack's document", "to update it, "),
            Ok(output) if output.is_unknown_verb() => {
                older("agent", "build an image of this version with `mqaws ami build`, then ")
            }
            asked => {
                let output = asked.map_err(|error| failed(running(request, instance), error))?;
                succeeded(output, request, instance)
            }
        }
    }

    async fn json<T: DeserializeOwned>(
        &self,
        target: &Target,
        instance: &InstanceId,
        request: Request,
    ) -> Result<T, CloudError> {
        let text = self.line(target, instance, &request).await?;
        read(text.trim(), instance, &request)
    }

    /// What the local cloud says of itself; `None` when this is none, or when it does not say.
    async fn lab(&self) -> Option<Lab> {
        #[derive(Deserialize)]
        struct Health {
            timing: String,
            hosts: String,
        }
        #[derive(Deserialize)]
        struct Timing {
            delays: Vec<Delay>,
        }
        #[derive(Deserialize)]
        struct Delay {
            assumed: bool,
            #[serde(flatten)]
            delay: AssumedDelay,
        }
        let endpoint = self.endpoint()?.to_owned();
        let asked = tokio::task::spawn_blocking(move || {
            let agent: ureq::Agent = ureq::Agent::config_builder()
                .timeout_global(Some(Duration::from_secs(5)))
                .proxy(None)
                .build()
                .into();
            let get = |path: &str| {
                let mut answer = agent.get(format!("{endpoint}/_mqaws/{path}")).call().ok()?;
                answer.body_mut().read_to_string().ok()
            };
            let Health { timing, hosts } = serde_json::from_str(&get("health")?).ok()?;
            let Timing { delays } = serde_json::from_str(&get("timing")?).ok()?;
            let delays = delays
                .into_iter()
                .filter(|one| one.assumed && one.delay.milliseconds > 0);
            let mut assumed: Vec<AssumedDelay> = delays.map(|one| one.delay).collect();
            assumed.sort_by_key(|one| std::cmp::Reverse(one.milliseconds));
            Some(Lab { timing, hosts, assumed })
        });
        asked.await.ok().flatten()
    }
}

/// How often to look, by where the cloud is.
fn pace(clients: &Clients) -> Pace {
    if clients.is_local() { Pace::LOCAL } else { Pace::AWS }
}

fn running(request: &Request, instance: &InstanceId) -> String {
    format!("run `{request}` on {instance}")
}

/// What a command printed that succeeded.
fn succeeded(output: CommandOutput, request: &Request, instance: &InstanceId) -> Result<String, CloudError> {
    if output.status == "Success" {
        return Ok(output.stdout);
    }
    let words = [output.stderr.trim(), output.stdout.trim()]
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or("no output");
    let cause = format!("{}: {words}", output.status);
    Err(CloudError::remote(running(request, instance), cause))
}

fn read<T: DeserializeOwned>(text: &str, instance: &InstanceId, request: &Request) -> Result<T, CloudError> {
    serde_json::from_str(text)
        .map_err(|error| CloudError::remote(format!("read the answer of `{request}` on {instance}"), error))
}

fn failed(attempted: String, error: AwsError) -> CloudError {
    let (hint, exit) = (error.hint(), error.exit());
    CloudError {
        attempted,
        cause: error.into(),
        hint,
        exit,
    }
}

fn lacks(attempted: String, output: Output, status: &str) -> CloudError {
    CloudError::precondition(
        attempted,
        format!(
            "output {} not found; the status of the stack is {status}",
            output.name()
        ),
        "the stack may be incomplete, or not created by mqaws; check `mqaws status`",
    )
}

/// The group that carries the mark of a test on the whole stack: the first member's.
fn marked(target: &Target) -> Result<&str, CloudError> {
    let first = target.parts.members.first().map(|member| member.group.as_str());
    first.ok_or_else(|| lacks(format!("read stack {}", target.stack), Output::GroupName, "known"))
}

impl TestBed for Clients {
    fn target<'a>(&'a self, stack: &'a str) -> Answer<'a, Target> {
        Box::pin(async move {
            let attempted = || format!("read stack {stack}");
            let found = Readings::stack(self, stack)
                .await
                .map_err(|error| failed(attempted(), error))?;
            let found = found.ok_or_else(|| {
                let place = if self.is_local() {
                    "the local cloud"
                } else {
                    self.region()
                };
                CloudError::precondition(
                    attempted(),
                    format!("the stack does not exist in {place}"),
                    format!("deploy it (`mqaws deploy --stack {stack}`), or specify a different stack with --stack"),
                )
            })?;
            let parts = Parts::read(&found.name, &found.outputs, &found.tags).map_err(|unreadable| {
                let hint = unreadable.hint();
                CloudError::precondition(attempted(), unreadable, hint)
            })?;
            let complete = [
                (Output::QueueManagerName, parts.queue_manager.is_some()),
                (Output::GroupName, !parts.members.is_empty()),
                (Output::CredentialsSecret, parts.secret.is_some()),
            ];
            if let Some((output, _)) = complete.into_iter().find(|(_, there)| !there) {
                return Err(lacks(attempted(), output, &found.status.0));
            }
            let identity = self
                .identity()
                .await
                .map_err(|error| failed("get the caller identity".into(), error))?;
            let lab = match self.is_local() {
                true => Some(self.lab().await.unwrap_or_else(|| Lab {
                    timing: "unknown".into(),
                    hosts: "unknown".into(),
                    assumed: Vec::new(),
                })),
                false => None,
            };
            Ok(Target {
                stack: found.name.clone(),
                region: self.region().to_owned(),
                account: identity.account,
                status: found.status.clone(),
                queue_manager: parts.queue_manager.clone().unwrap_or_default(),
                parts,
                allow_faults: found.tags.get(ALLOW_FAULTS_TAG).is_some_and(|value| value == "true"),
                lab,
            })
        })
    }

    fn instances<'a>(&'a self, target: &'a Target) -> Answer<'a, Vec<Instance>> {
        Box::pin(async move {
            let mut instances = Vec::new();
            for member in &target.parts.members {
                let attempted = format!("read group {}", member.group);
                let group = Readings::group(self, &member.group)
                    .await
                    .map_err(|error| failed(attempted, error))?;
                let instance = |member: crate::observe::GroupInstance| Instance {
                    id: member.instance,
                    zone: member.zone,
                    lifecycle: member.lifecycle,
                    health: member.health,
                };
                instances.extend(group.into_iter().flat_map(|group| group.members).map(instance));
            }
            Ok(instances)
        })
    }

    fn credentials<'a>(&'a self, target: &'a Target) -> Answer<'a, Credentials> {
        #[derive(Deserialize)]
        struct User {
            username: String,
            password: String,
        }
        Box::pin(async move {
            let secret = target.parts.secret.as_deref();
            let secret = secret.ok_or_else(|| {
                let attempted = format!("read the secret of stack {}", target.stack);
                lacks(attempted, Output::CredentialsSecret, "known")
            })?;
            let attempted = || format!("read secret {secret}");
            let call = secretsmanager::Client::new(self.config())
                .get_secret_value()
                .secret_id(secret);
            let answer =
                wrap("secretsmanager:GetSecretValue", call.send().await).map_err(|error| failed(attempted(), error))?;
            // A parser's complaint could quote the secret.
            let user: User = serde_json::from_str(answer.secret_string().unwrap_or_default())
                .map_err(|_| CloudError::remote(attempted(), "it is not JSON with \"username\" and \"password\""))?;
            Ok(Credentials {
                username: user.username,
                password: user.password.into(),
            })
        })
    }

    fn alarms<'a>(&'a self, target: &'a Target) -> Answer<'a, Vec<String>> {
        Box::pin(async move {
            let of_service = topology::of(target.parts.topology).alarms();
            let attempted = || format!("read the alarms of stack {}", target.stack);
            let resources = Readings::resources(self, &target.stack)
                .await
                .map_err(|error| failed(attempted(), error))?;
            let names: Vec<String> = resources
                .into_iter()
                .filter(|resource| of_service.contains(&resource.logical.as_str()))
                .filter_map(|resource| resource.physical)
                .collect();
            let alarms = Readings::alarms(self, &names)
                .await
                .map_err(|error| failed(attempted(), error))?;
            Ok(alarms
                .into_iter()
                .filter(|alarm| alarm.is_firing())
                .map(|alarm| alarm.name)
                .collect())
        })
    }

    fn targets<'a>(&'a self, target: &'a Target) -> Answer<'a, Option<Targets>> {
        Box::pin(async move {
            let amqp = target.parts.endpoint(&AMQP);
            let Some(group) = amqp.and_then(|endpoint| endpoint.targets.as_ref()) else {
                return Ok(None);
            };
            let attempted = format!("read the health of {}", group.arn);
            let targets = Readings::targets(self, &group.arn)
                .await
                .map_err(|error| failed(attempted, error))?;
            Ok(Some(Targets {
                healthy: targets.iter().filter(|target| target.is_healthy()).count(),
                registered: targets.iter().filter(|target| target.is_registered()).count(),
            }))
        })
    }

    fn agent_status<'a>(&'a self, target: &'a Target, instance: &'a InstanceId) -> Answer<'a, AgentStatus> {
        Box::pin(self.json(target, instance, Request::new(Verb::Status)))
    }

    fn marks<'a>(&'a self, target: &'a Target, instance: &'a InstanceId, since_unix_ns: i64) -> Answer<'a, Vec<Mark>> {
        Box::pin(async move {
            let request = Request::marks(since_unix_ns);
            let text = self.line(target, instance, &request).await?;
            let lines = text.lines().filter(|line| !line.is_empty());
            lines.map(|line| read(line, instance, &request)).collect()
        })
    }

    fn order<'a>(&'a self, target: &'a Target, instance: &'a InstanceId, order: FaultOrder) -> Answer<'a, FaultReport> {
        Box::pin(async move {
            let attempted = || format!("tell the agent on {instance}: fault {order}");
            let request = Request::fault(&order.to_string()).map_err(|error| CloudError::remote(attempted(), error))?;
            self.json(target, instance, request).await
        })
    }

    fn power_off<'a>(&'a self, instance: &'a InstanceId) -> Answer<'a, ()> {
        Box::pin(async move {
            let call = ec2::Client::new(self.config())
                .terminate_instances()
                .instance_ids(instance.as_str())
                .skip_os_shutdown(true);
            wrap("ec2:TerminateInstances", call.send().await)
                .map_err(|error| failed(format!("terminate {instance} without a shutdown"), error))?;
            Ok(())
        })
    }

    fn break_cloud<'a>(&'a self, fault: Fault, instance: &'a InstanceId, time: Duration) -> Answer<'a, FaultReport> {
        Box::pin(self.inject_locally(fault, instance, time))
    }

    fn cloud_faults(&self) -> Answer<'_, Vec<FaultReport>> {
        Box::pin(self.local_faults())
    }

    fn heal_cloud(&self) -> Answer<'_, ()> {
        Box::pin(self.heal_locally())
    }

    fn probe<'a>(&'a self, target: &'a Target, instance: &'a InstanceId, probe: Probe) -> Answer<'a, ProbeReport> {
        Box::pin(self.json(target, instance, Request::new(probe.verb())))
    }

    fn connections<'a>(
        &'a self,
        target: &'a Target,
        instance: &'a InstanceId,
    ) -> Answer<'a, Option<ConnectionsReport>> {
        Box::pin(async move {
            let request = Request::new(Verb::Connections);
            let document = target.parts.documents.of(request.class())?;
            let output = match command::ask(self, document, instance, &request).await {
                Err(error) if command::is_refused_verb(&error) => return Ok(None),
                asked => asked.map_err(|error| failed(running(&request, instance), error))?,
            };
            if output.is_unknown_verb() {
                return Ok(None);
            }
            let text = succeeded(output, &request, instance)?;
            read(text.trim(), instance, &request).map(Some)
        })
    }

    fn begin_move<'a>(&'a self, target: &'a Target, instance: &'a InstanceId) -> Answer<'a, ()> {
        Box::pin(async move {
            let attempted = format!("move the queue manager away from {instance}");
            // The test itself ends this by leaving it, and its journal knows what to restore.
            let until = Instant::now() + BEGINS;
            let begun = deploy::begin_move(
                self,
                &target.parts,
                instance,
                false,
                pace(self),
                (until, &Stop::never()),
            )
            .await;
            begun.map_err(|error| CloudError {
                attempted,
                hint: error.hint(),
                exit: error.exit(),
                cause: error.into(),
            })
        })
    }

    fn blockers<'a>(&'a self, target: &'a Target) -> Answer<'a, Vec<Blocker>> {
        Box::pin(async move {
            let mut found = Vec::new();
            for member in &target.parts.members {
                let attempted = format!("read group {}", member.group);
                let group = Readings::group(self, &member.group).await;
                let group = group.map_err(|error| failed(attempted, error))?;
                found.extend(group.iter().flat_map(|group| Blocker::of_member(group, None)));
            }
            Ok(found)
        })
    }

    fn restore_capacity<'a>(&'a self, target: &'a Target) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut errors = Vec::new();
            // Each of them: what keeps one group from its instance is no reason to leave another one without.
            for member in &target.parts.members {
                let attempted = format!("restore the capacity of group {}", member.group);
                if let Err(error) = Moves::set_capacity(self, &member.group, 1).await {
                    errors.push(failed(attempted, error));
                }
            }
            CloudError::all(errors)
        })
    }

    fn terminate<'a>(&'a self, instance: &'a InstanceId) -> Answer<'a, ()> {
        Box::pin(async move {
            let call = ec2::Client::new(self.config())
                .terminate_instances()
                .instance_ids(instance.as_str());
            wrap("ec2:TerminateInstances", call.send().await)
                .map_err(|error| failed(format!("terminate {instance}"), error))?;
            Ok(())
        })
    }

    fn mark_unhealthy<'a>(&'a self, instance: &'a InstanceId) -> Answer<'a, ()> {
        Box::pin(async move {
            let call = autoscaling::Client::new(self.config())
                .set_instance_health()
                .instance_id(instance.as_str())
                .health_status("Unhealthy")
                .should_respect_grace_period(false);
            wrap("autoscaling:SetInstanceHealth", call.send().await)
                .map_err(|error| failed(format!("mark {instance} unhealthy"), error))?;
            Ok(())
        })
    }

    fn instance_state<'a>(&'a self, instance: &'a InstanceId) -> Answer<'a, Option<String>> {
        Box::pin(async move {
            let call = ec2::Client::new(self.config())
                .describe_instances()
                .instance_ids(instance.as_str());
            let answer = match wrap("ec2:DescribeInstances", call.send().await) {
                Err(error) if error.is_not_found() => return Ok(None),
                other => other.map_err(|error| failed(format!("read instance {instance}"), error))?,
            };
            let found = answer.reservations().iter().flat_map(|one| one.instances()).next();
            Ok(found
                .and_then(|one| one.state())
                .and_then(|state| state.name())
                .map(|name| name.as_str().to_owned()))
        })
    }

    fn turn<'a>(&'a self, target: &'a Target) -> Answer<'a, Option<Turn>> {
        Box::pin(async move {
            let group = marked(target)?;
            let attempted = format!("read the mark of a test on group {group}");
            self.turn_of(group).await.map_err(|error| failed(attempted, error))
        })
    }

    fn turn_on<'a>(&'a self, stack: &'a str) -> Answer<'a, Option<Turn>> {
        Box::pin(async move {
            let attempted = || format!("read whether stack {stack} is under test");
            let found = Readings::stack(self, stack).await;
            let found = found.map_err(|error| failed(attempted(), error))?;
            // A stack without readable outputs has had no test, and what is wrong with it is said elsewhere.
            let parts = found.and_then(|found| Parts::read(&found.name, &found.outputs, &found.tags).ok());
            let first = parts.and_then(|parts| parts.members.into_iter().next());
            match first {
                None => Ok(None),
                Some(member) => match self.turn_of(&member.group).await {
                    // An endpoint without Auto Scaling runs no test.
                    Err(error) if error.is_unknown_action() => Ok(None),
                    read => read.map_err(|error| failed(attempted(), error)),
                },
            }
        })
    }

    fn take_turn<'a>(&'a self, target: &'a Target, holder: &'a str) -> Answer<'a, Option<Turn>> {
        Box::pin(async move {
            let now = jiff::Timestamp::now();
            let others = |turn: Option<Turn>| turn.filter(|turn| turn.holder != holder && !turn.is_over(now));
            if let Some(other) = others(TestBed::turn(self, target).await?) {
                return Ok(Some(other));
            }
            let group = marked(target)?;
            let attempted = format!("mark group {group} as under test");
            self.mark_turn(group, holder)
                .await
                .map_err(|error| failed(attempted, error))?;
            // Tags know no compare-and-set; whoever wrote last has the turn.
            Ok(others(TestBed::turn(self, target).await?))
        })
    }

    fn keep_turn<'a>(&'a self, target: &'a Target, holder: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            let there = TestBed::turn(self, target).await?;
            if there.is_none_or(|turn| turn.holder != holder) {
                return Ok(false);
            }
            let group = marked(target)?;
            let attempted = format!("renew the mark of the test on group {group}");
            self.mark_turn(group, holder)
                .await
                .map_err(|error| failed(attempted, error))?;
            Ok(true)
        })
    }

    fn end_turn<'a>(&'a self, target: &'a Target, holder: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            // Another's turn is not ours to end.
            if TestBed::turn(self, target)
                .await?
                .is_some_and(|turn| turn.holder == holder)
            {
                let group = marked(target)?;
                let attempted = format!("remove the mark of the test from group {group}");
                self.unmark_turn(group)
                    .await
                    .map_err(|error| failed(attempted, error))?;
            }
            Ok(())
        })
    }
}

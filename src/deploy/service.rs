//! After the stack: what CloudFormation cannot express, and whether service is given.

use super::error::DeployError;
use super::execute::Settled;
use super::ports::Stacks;
use super::watch::{Observer, Pace, Patience, Step, Stop};
use crate::cloud::AwsError;
use crate::model::InstanceId;
use crate::model::agent::AgentStatus;
use crate::model::agent::Ports;
use crate::observe::agents::{ANSWER, ask, speaks};
use crate::observe::ports::{Group, ReadError, Readings, Stack};
use crate::observe::state::Blocker;
use crate::stack::{Documents, Parts, Protocol, Way};
use crate::topology::{self, Arbiter, Role, Topology};
use serde::{Serialize, Serializer};
use std::future::Future;
use std::time::{Duration, Instant};

pub use crate::observe::ports::REBALANCE;

/// Opens a connection, to show that an endpoint can be reached from here.
pub trait Dial: Sync {
    /// Connects and closes.
    fn dial(&self, host: &str, port: u16) -> impl Future<Output = std::io::Result<()>> + Send;
}

/// Connects with TCP, for at most three seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Dial for Tcp {
    async fn dial(&self, host: &str, port: u16) -> std::io::Result<()> {
        let connecting = tokio::net::TcpStream::connect((host, port));
        match tokio::time::timeout(Duration::from_secs(3), connecting).await {
            Ok(connected) => connected.map(drop),
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        }
    }
}

/// The evidence that comes with the operation itself.
const SIGNAL: &str = "signal";

/// One piece of evidence that service is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// `signal`, `targets`, `agent`, `endpoint`.
    pub of: &'static str,
    /// Whether it was shown.
    pub shown: bool,
    /// What was seen, or why nothing was.
    pub text: String,
}

/// What was shown of the service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Service {
    /// Name of the queue manager.
    pub queue_manager: String,
    /// DNS name of the load balancer.
    pub endpoint: String,
    /// Ports by what is spoken there, `mq_port` and the like; one that is switched off has none.
    #[serde(flatten, serialize_with = "as_keys")]
    pub ports: Vec<(Protocol, Option<u16>)>,
    /// The pieces of evidence.
    pub evidence: Vec<Evidence>,
    /// What somebody ordered and no waiting ends, though service is given.
    pub blockers: Vec<Blocker>,
    /// What the agent of the member that serves says of itself, when it could be read.
    pub agent: Option<AgentStatus>,
    /// Whether an owner record tells who writes.
    #[serde(skip)]
    pub owned: bool,
}

fn as_keys<S: Serializer>(ports: &[(Protocol, Option<u16>)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(ports.iter().map(|(protocol, port)| (Ports::key(protocol), port)))
}

/// Switches termination protection on.
///
/// # Errors
/// [`DeployError::Unfinished`].
pub async fn protect<C: Stacks>(cloud: &C, stack: &Stack) -> Result<(), DeployError> {
    let unfinished = unfinished(stack, "switching termination protection on");
    cloud.protect(&stack.id, true).await.map_err(unfinished)
}

/// Suspends AZRebalance, which no template can express, and reads back that it is suspended.
///
/// # Errors
/// [`DeployError::Unfinished`], [`DeployError::NotSuspended`], [`DeployError::Output`].
pub async fn suspend_rebalance<C: Readings + Stacks>(cloud: &C, stack: &Stack, pace: Pace) -> Result<(), DeployError> {
    for member in parts(stack)?.members {
        suspend_rebalance_of(cloud, stack, &member.group, pace).await?;
    }
    Ok(())
}

/// What the stack says that it consists of.
fn parts(stack: &Stack) -> Result<Parts, DeployError> {
    Parts::read(&stack.name, &stack.outputs, &stack.tags).map_err(DeployError::Output)
}

async fn suspend_rebalance_of<C: Readings + Stacks>(
    cloud: &C,
    stack: &Stack,
    name: &str,
    pace: Pace,
) -> Result<(), DeployError> {
    let suspended = |group: &Group| group.suspended.iter().any(|p| p == REBALANCE);
    let mut patience = Patience::new(pace.patience);
    // The second look may be ahead of the change.
    for _ in 0..5 {
        let unfinished = || unfinished(stack, "suspending AZRebalance");
        if let Some(group) = patience.bear(cloud.group(name).await).map_err(unfinished())? {
            if group.as_ref().is_some_and(suspended) {
                return Ok(());
            }
            patience
                .bear(cloud.suspend(name, &[REBALANCE]).await)
                .map_err(unfinished())?;
        }
        tokio::time::sleep(pace.poll).await;
    }
    Err(DeployError::NotSuspended { group: name.to_owned() })
}

fn unfinished(stack: &Stack, what: &'static str) -> impl Fn(AwsError) -> DeployError {
    let stack = stack.name.clone();
    move |source| DeployError::Unfinished {
        stack: stack.clone(),
        what,
        source,
    }
}

/// Waits until service is shown: targets healthy, agent serving, and the endpoint when it can be reached from here.
///
/// An agent that cannot be asked for lack of a permission is reported as not shown and does not fail the deployment; the
/// health of the targets must be shown. What no waiting ends is not waited for.
///
/// # Errors
/// [`DeployError::Blocked`], [`DeployError::NotServing`], [`DeployError::LostSight`], [`DeployError::Interrupted`], [`DeployError::Output`].
pub async fn await_service<C: Readings + Stacks, D: Dial>(
    cloud: &C,
    dial: &D,
    settled: &Settled,
    pace: Pace,
    stop: &Stop,
    observer: &mut impl Observer,
) -> Result<Service, DeployError> {
    let stack = &settled.stack;
    let parts = parts(stack)?;
    let began = Instant::now();
    let mut patience = Patience::new(pace.patience);
    let mut settled_at = None;
    let lost = |source| DeployError::LostSight {
        stack: stack.name.clone(),
        source,
    };
    loop {
        let look = Look::new(cloud, dial, settled, &parts, &mut patience)
            .await
            .map_err(lost)?;
        if look.is_given() {
            // From outside the VPC an internal load balancer never answers; it gets a moment, not the whole wait.
            let since = *settled_at.get_or_insert_with(Instant::now);
            if look.reached() || since.elapsed() > pace.poll * 3 {
                return Ok(look.service);
            }
        } else if let Some(blocker) = &look.prevented {
            return Err(DeployError::Blocked {
                stack: stack.name.clone(),
                blocker: blocker.clone(),
            });
        }
        observer.tell(Step::Waiting(look.waits_for()));
        if stop.requested() {
            return Err(DeployError::Interrupted {
                left: Some(format!(
                    "stack {} in {}; mqaws did not wait for service",
                    stack.name, stack.status
                )),
                hint: None,
            });
        }
        if began.elapsed() > pace.service {
            let missing = look.missing();
            return Err(DeployError::NotServing {
                stack: stack.name.clone(),
                waited: format!("{} s", pace.service.as_secs_f64()),
                missing: missing.map(|e| format!("{}: {}", e.of, e.text)).collect(),
                agent: look.service.agent.as_ref().and_then(|a| a.last_error.clone()),
            });
        }
        stop.pause(pace.poll).await;
    }
}

/// One look at everything.
struct Look {
    service: Service,
    agent_given: bool,
    /// What keeps service from coming until a person acts.
    prevented: Option<Blocker>,
}

impl Look {
    async fn new<C: Readings + Stacks, D: Dial>(
        cloud: &C,
        dial: &D,
        settled: &Settled,
        parts: &Parts,
        patience: &mut Patience,
    ) -> Result<Self, AwsError> {
        let port = |protocol: &Protocol| parts.endpoint(protocol).map(|endpoint| endpoint.address.port);
        let protocols = Way::all(parts.engine).map(|way| way.protocol());
        let ports: Vec<_> = protocols.map(|protocol| (*protocol, port(protocol))).collect();
        let endpoint = parts.dns_name.clone().unwrap_or_default();
        let mut evidence = vec![match &settled.signal {
            Some(words) => Evidence {
                of: SIGNAL,
                shown: true,
                text: format!("CloudFormation waited for the agent: {words}"),
            },
            None => Evidence {
                of: SIGNAL,
                shown: false,
                text: "the agent's signal is not part of this change".to_owned(),
            },
        }];

        let mut targets = Vec::new();
        for group in parts.endpoints.iter().filter_map(|endpoint| endpoint.targets.as_ref()) {
            targets.push(patience.bear(cloud.targets(&group.arn).await)?);
        }
        let healthy = |t: &Option<Vec<_>>| t.iter().flatten().any(crate::observe::ports::Target::is_healthy);
        let shown = !targets.is_empty() && targets.iter().all(healthy);
        let states = targets.iter().flatten().flatten();
        let states: Vec<String> = states
            .map(|t| match &t.reason {
                Some(reason) if !t.is_healthy() => format!("{}:{} {} ({reason})", t.id, t.port, t.state),
                _ => format!("{}:{} {}", t.id, t.port, t.state),
            })
            .collect();
        let text = if states.is_empty() {
            "no target registered yet".to_owned()
        } else {
            states.join(", ")
        };
        evidence.push(Evidence {
            of: "targets",
            shown,
            text,
        });

        let topology = topology::of(parts.topology);
        let mut groups = Vec::new();
        for member in &parts.members {
            groups.push(patience.bear(cloud.group(&member.group).await)?.flatten());
        }
        let heard = hear(cloud, topology, &parts.documents, &groups).await;
        let mut blockers = Vec::new();
        let mut held_up = 0;
        for (group, one) in groups.iter().zip(&heard) {
            if let Some(group) = group {
                let found = Blocker::of_member(group, one.instance.as_ref().zip(one.agent.as_ref()));
                held_up += usize::from(found.iter().any(Blocker::holds_up_member));
                blockers.extend(found);
            }
        }
        let ends_service = blockers.iter().find(|blocker| blocker.holds_up_service());
        let prevented = match (ends_service, topology.can_serve_without(held_up)) {
            (Some(blocker), _) => Some(blocker.clone()),
            (None, true) => None,
            (None, false) => blockers.iter().find(|blocker| blocker.holds_up_member()).cloned(),
        };
        let roles: Vec<Role> = heard.iter().map(|one| one.role).collect();
        let shown = topology.is_service(&roles);
        // What may not be asked does not stand in the way.
        let agent_given = shown || heard.iter().any(|one| one.denied);
        let words: Vec<&str> = heard.iter().map(|one| one.word.as_str()).collect();
        evidence.push(Evidence {
            of: "agent",
            shown,
            text: if words.is_empty() {
                NOBODY.to_owned()
            } else {
                words.join(", ")
            },
        });
        let speaks = speaks(heard.iter().map(|one| (one.role, one.agent.as_ref())));
        let agent = speaks
            .and_then(|index| heard.into_iter().nth(index))
            .and_then(|one| one.agent);

        let mut unreached = Vec::new();
        for port in ports.iter().filter_map(|(_, port)| *port) {
            if let Err(error) = dial.dial(&endpoint, port).await {
                unreached.push(format!(
                    "{endpoint} port {port} is not reachable from this machine: {error}"
                ));
            }
        }
        let shown = unreached.is_empty();
        let text = if shown {
            format!("{endpoint} accepts connections")
        } else {
            unreached.join(", ")
        };
        evidence.push(Evidence {
            of: "endpoint",
            shown,
            text,
        });

        let queue_manager = parts.queue_manager.clone().unwrap_or_default();
        Ok(Self {
            service: Service {
                queue_manager,
                endpoint,
                ports,
                evidence,
                blockers,
                agent,
                owned: topology.facts().arbiter == Arbiter::OwnerRecord,
            },
            agent_given,
            prevented,
        })
    }

    fn shown(&self, of: &str) -> bool {
        self.service.evidence.iter().any(|e| e.of == of && e.shown)
    }

    fn is_given(&self) -> bool {
        self.shown("targets") && self.agent_given
    }

    fn reached(&self) -> bool {
        self.shown("endpoint")
    }

    /// What may still come. A signal comes during an operation or not at all.
    fn missing(&self) -> impl Iterator<Item = &Evidence> {
        self.service.evidence.iter().filter(|e| !e.shown && e.of != SIGNAL)
    }

    fn waits_for(&self) -> String {
        self.missing()
            .next()
            .map_or_else(String::new, |e| format!("{}: {}", e.of, e.text))
    }
}

const NOBODY: &str = "no instance in service yet";

/// What was heard of a member.
struct Heard {
    instance: Option<InstanceId>,
    agent: Option<AgentStatus>,
    role: Role,
    word: String,
    /// Whether the caller may not ask.
    denied: bool,
}

/// What the agents of the groups' instances in service say, in the order of the groups.
async fn hear<C: Readings>(
    cloud: &C,
    topology: &dyn Topology,
    documents: &Documents,
    groups: &[Option<Group>],
) -> Vec<Heard> {
    let in_service = |group: &Option<Group>| {
        let member = group.as_ref()?.members.iter().find(|m| m.is_in_service())?;
        Some(member.instance.clone())
    };
    let hosts: Vec<Option<InstanceId>> = groups.iter().map(in_service).collect();
    let asked: Vec<&InstanceId> = hosts.iter().flatten().collect();
    let mut answers = ask(cloud, documents, &asked, ANSWER).await.into_iter();
    let heard = hosts.iter().map(|host| {
        let answer = host.as_ref().and_then(|host| Some((host, answers.next()?)));
        answer.map_or_else(
            || Heard::nothing(NOBODY.into(), false),
            |(host, answer)| Heard::of(topology, host, answer),
        )
    });
    heard.collect()
}

impl Heard {
    fn nothing(word: String, denied: bool) -> Self {
        Self {
            instance: None,
            agent: None,
            role: Role::Unknown,
            word,
            denied,
        }
    }

    fn of(topology: &dyn Topology, instance: &InstanceId, answer: Result<AgentStatus, ReadError>) -> Self {
        match answer {
            Ok(status) => Self {
                word: format!("{} is {} in {}", status.instance, status.current_state(), status.zone),
                role: topology.role(&status),
                instance: Some(instance.clone()),
                agent: Some(status),
                denied: false,
            },
            Err(error) => {
                let denied =
                    matches!(&error, ReadError::Aws(e) if matches!(e.problem, crate::cloud::Problem::Denied(_)));
                Self::nothing(format!("could not be read: {error}"), denied)
            }
        }
    }
}

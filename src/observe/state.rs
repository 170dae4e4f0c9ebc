//! The state of a deployment in one word, and what keeps it from service that no waiting ends: pure.

use super::ports::{Group, REBALANCE, StackStatus, Target};
use crate::model::InstanceId;
use crate::model::agent::{AgentState, AgentStatus, Pause};
use crate::topology::{PlannedMove, Role, Topology};
use serde::Serialize;
use std::fmt;

/// Clients are served, and nothing says otherwise.
pub const SERVING: &str = AgentState::Serving.as_str();
/// Clients are served, but a member, an endpoint or an alarm is not as it should be.
pub const DEGRADED: &str = "degraded";
/// The load balancer has no healthy target, so nobody can connect.
pub const UNAVAILABLE: &str = "unavailable";
/// An operator has stopped the queue manager with `mqaws-agent pause`.
pub const PAUSED: &str = AgentState::Paused.as_str();
/// No instance is wanted: the desired capacity is 0.
pub const STOPPED: &str = AgentState::Stopped.as_str();
/// What decides it could not be read, or is too old.
pub const UNKNOWN: &str = AgentState::Unknown.as_str();
/// The instance gave up and asked to be replaced.
pub const CONDEMNED: &str = AgentState::Condemned.as_str();

/// The states that can be waited for.
pub const STATES: [&str; 6] = [SERVING, DEGRADED, UNAVAILABLE, PAUSED, STOPPED, UNKNOWN];

/// What the state is decided by.
pub struct Facts<'a> {
    /// Status of the stack.
    pub stack: &'a StackStatus,
    /// Who says what the roles of the members come to.
    pub topology: &'a dyn Topology,
    /// The Auto Scaling groups, when they could be read.
    pub groups: Option<&'a [Group]>,
    /// The targets of each endpoint; `None` for one whose targets could not be read. The queue manager's own comes first.
    pub targets: &'a [Option<&'a [Target]>],
    /// Whether an alarm of the service fires.
    pub alarm: bool,
    /// Role of each member, [`Role::Unknown`] for one that could not be asked.
    pub roles: &'a [Role],
    /// What the agent says whose word counts, as [`super::agents::speaks`] finds it.
    pub agent: Option<&'a AgentStatus>,
}

/// The state: a word of [`STATES`], the agent's own word for a start or a stop, or the stack's status.
pub fn state(facts: &Facts<'_>) -> String {
    let word = facts.agent.map(AgentStatus::current_state);
    let healthy = |targets: &&[Target]| targets.iter().any(Target::is_healthy);
    let given = facts.topology.is_service(facts.roles);
    let served = facts.topology.is_served(facts.roles);
    let main = facts.targets.first().copied();
    if !served {
        let unreachable = main.flatten().is_some_and(|targets| !healthy(&targets));
        return match word {
            Some(word) if *word != AgentState::Unknown => word.to_string(),
            _ if !facts.stack.is_good() => facts.stack.0.to_lowercase().replace('_', "-"),
            _ if facts.groups.is_some_and(is_empty_on_purpose) => STOPPED.to_owned(),
            _ if unreachable => UNAVAILABLE.to_owned(),
            _ => UNKNOWN.to_owned(),
        };
    }
    let all = || facts.targets.iter().flatten();
    match main {
        // Whether anybody can connect is not known.
        Some(None) => UNKNOWN,
        Some(Some(targets)) if !healthy(&targets) => UNAVAILABLE,
        _ if facts.alarm || !given || !all().all(healthy) => DEGRADED,
        _ => SERVING,
    }
    .to_owned()
}

/// Whether no group wants an instance.
fn is_empty_on_purpose(groups: &[Group]) -> bool {
    !groups.is_empty() && groups.iter().all(|group| group.desired == 0)
}

/// Something that somebody ordered and that no waiting ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Blocker {
    /// The group wants no instance.
    NoCapacity {
        /// Name of the group.
        group: String,
    },
    /// Processes of the group are suspended, AZRebalance aside.
    Suspended {
        /// Name of the group.
        group: String,
        /// The processes.
        processes: Vec<String>,
        /// Whether the group lacks an instance and may not start one.
        lacking: bool,
    },
    /// An operator has paused the queue manager.
    Paused {
        /// Instance that has the data.
        instance: InstanceId,
        /// Since when and by whom, where the agent says that.
        #[serde(flatten)]
        pause: Option<Pause>,
    },
}

impl Blocker {
    /// Those of a member: of its group, and of its instance with the agent that could be asked.
    pub fn of_member(group: &Group, asked: Option<(&InstanceId, &AgentStatus)>) -> Vec<Self> {
        let mut found = Vec::new();
        if group.desired == 0 {
            found.push(Self::NoCapacity {
                group: group.name.clone(),
            });
        }
        let suspended = group.suspended.iter().filter(|process| *process != REBALANCE);
        let processes: Vec<String> = suspended.cloned().collect();
        if !processes.is_empty() {
            let lacking = group.members.is_empty() && processes.iter().any(|process| process == "Launch");
            found.push(Self::Suspended {
                group: group.name.clone(),
                processes,
                lacking,
            });
        }
        let paused = asked.filter(|(_, agent)| *agent.current_state() == AgentState::Paused);
        found.extend(paused.map(|(instance, agent)| Self::Paused {
            instance: instance.clone(),
            pause: agent.paused.clone(),
        }));
        found
    }

    /// Whether its member cannot do its part while it lasts; what that means for service, the topology says.
    pub fn holds_up_member(&self) -> bool {
        match self {
            Self::NoCapacity { .. } | Self::Paused { .. } => true,
            Self::Suspended { lacking, .. } => *lacking,
        }
    }

    /// Whether no member can serve while it lasts, whatever the topology: it is about the data.
    pub fn holds_up_service(&self) -> bool {
        matches!(self, Self::Paused { .. })
    }

    /// Whether a planned move would end the instance and launch no other one while it lasts.
    pub fn holds_up_move(&self, how: PlannedMove) -> bool {
        how == PlannedMove::Relaunch && matches!(self, Self::Suspended { .. })
    }

    /// What ends it.
    pub fn remedy(&self) -> String {
        match self {
            Self::NoCapacity { group } => {
                format!("`aws autoscaling set-desired-capacity --auto-scaling-group-name {group} --desired-capacity 1`")
            }
            Self::Suspended { group, processes, .. } => format!(
                "`aws autoscaling resume-processes --auto-scaling-group-name {group} --scaling-processes {}`",
                processes.join(" ")
            ),
            Self::Paused { instance, .. } => {
                format!("`mqaws-agent resume` on the instance (`aws ssm start-session --target {instance}`)")
            }
        }
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCapacity { group } => write!(
                f,
                "the desired capacity of Auto Scaling group {group} is 0, so it does not launch an instance"
            ),
            Self::Suspended { group, processes, .. } => {
                let processes = processes.join(", ");
                write!(f, "Auto Scaling group {group} has suspended processes: {processes}")
            }
            Self::Paused { instance, pause } => {
                write!(f, "the queue manager is paused on {instance}")?;
                match pause {
                    Some(pause) => write!(f, " {pause}"),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model;
    use crate::observe::ports::GroupInstance;
    use crate::topology::{self, tests::agent};

    fn group(desired: u32, suspended: &[&str]) -> Group {
        let member = GroupInstance {
            instance: InstanceId::new("i-1").unwrap(),
            zone: "eu-west-1a".into(),
            lifecycle: "InService".into(),
            health: "Healthy".into(),
        };
        Group {
            name: "g".into(),
            desired,
            members: (0..desired).map(|_| member.clone()).collect(),
            suspended: suspended.iter().map(|process| (*process).to_owned()).collect(),
        }
    }

    fn target(state: &str) -> Target {
        Target {
            id: "i-1".into(),
            port: 1414,
            state: state.into(),
            reason: None,
            code: None,
        }
    }

    #[test]
    fn a_target_is_registered_once_its_checks_begin() {
        for (state, code, registered) in [
            ("initial", Some("Elb.RegistrationInProgress"), false),
            ("initial", Some("Elb.InitialHealthChecking"), true),
            ("healthy", None, true),
            ("unhealthy", Some("Target.FailedHealthChecks"), true),
            ("unhealthy.draining", Some("Target.FailedHealthChecks"), true),
            ("draining", Some("Target.DeregistrationInProgress"), false),
            ("unused", Some("Target.NotInUse"), false),
        ] {
            let mut one = target(state);
            one.code = code.map(str::to_owned);
            assert_eq!(one.is_registered(), registered, "{state} {code:?}");
        }
    }

    fn stale(mut agent: AgentStatus) -> AgentStatus {
        agent.age_seconds = Some(65);
        agent
    }

    #[test]
    fn serving_needs_the_word_of_all_who_know() {
        let (good, bad) = (vec![target("healthy")], vec![target("unhealthy")]);
        let (good, bad) = (Some(good.as_slice()), Some(bad.as_slice()));
        let serving = || Some(agent("i-1", "serving"));
        let one = || group(1, &[]);
        let complete = "UPDATE_COMPLETE";
        for (agent, targets, alarm, group, stack, expected) in [
            (serving(), vec![good, good], false, one(), complete, SERVING),
            (serving(), vec![], false, one(), complete, SERVING),
            (serving(), vec![bad, good], false, one(), complete, UNAVAILABLE),
            (serving(), vec![Some(&[][..])], false, one(), complete, UNAVAILABLE),
            (serving(), vec![bad], true, one(), complete, UNAVAILABLE),
            (serving(), vec![good, bad], false, one(), complete, DEGRADED),
            (serving(), vec![good], true, one(), complete, DEGRADED),
            (serving(), vec![None], false, one(), complete, UNKNOWN),
            (serving().map(stale), vec![good], false, one(), complete, UNKNOWN),
            (serving().map(stale), vec![bad], false, one(), complete, UNAVAILABLE),
            (None, vec![good], false, one(), complete, UNKNOWN),
            (None, vec![bad], true, one(), complete, UNAVAILABLE),
            (None, vec![bad], true, group(0, &[]), complete, STOPPED),
            (None, vec![None], false, one(), "DELETE_FAILED", "delete-failed"),
            (Some(agent("i-1", "paused")), vec![bad], true, one(), complete, PAUSED),
            (
                Some(agent("i-1", "fencing")),
                vec![bad],
                false,
                one(),
                complete,
                "fencing",
            ),
        ] {
            let topology = topology::of(model::Topology::default());
            let facts = Facts {
                stack: &StackStatus(stack.into()),
                topology,
                groups: Some(&[group]),
                targets: &targets,
                alarm,
                roles: &[agent.as_ref().map_or(Role::Unknown, |agent| topology.role(agent))],
                agent: agent.as_ref(),
            };
            assert_eq!(state(&facts), expected, "{agent:?} {targets:?} {alarm} {stack}");
        }
    }

    #[test]
    fn the_topology_says_what_the_roles_come_to() {
        let topology = topology::of(model::Topology::TOY);
        let serving = agent("i-1", "serving");
        for (roles, expected) in [
            ([Role::Active, Role::Standby], SERVING),
            ([Role::Active, Role::Unknown], DEGRADED),
        ] {
            let facts = Facts {
                stack: &StackStatus("CREATE_COMPLETE".into()),
                topology,
                groups: None,
                targets: &[],
                alarm: false,
                roles: &roles,
                agent: Some(&serving),
            };
            assert_eq!(state(&facts), expected, "{roles:?}");
        }
    }

    #[test]
    fn what_no_waiting_ends_is_named_with_its_remedy() {
        let found = |group: Group, state: &str| {
            Blocker::of_member(&group, Some((&InstanceId::new("i-1").unwrap(), &agent("i-1", state))))
        };
        assert_eq!(found(group(1, &["AZRebalance"]), "serving"), []);
        for (blockers, words, remedy, prevents) in [
            (
                found(group(0, &[]), "serving"),
                "capacity of Auto Scaling group g is 0",
                "--desired-capacity 1",
                true,
            ),
            (
                found(group(1, &[]), "paused"),
                "paused on i-1",
                "mqaws-agent resume",
                true,
            ),
            (
                found(group(1, &["Launch", "AZRebalance", "HealthCheck"]), "serving"),
                "suspended processes: Launch, HealthCheck",
                "--scaling-processes Launch HealthCheck`",
                false,
            ),
        ] {
            let [blocker] = blockers.as_slice() else {
                panic!("{blockers:?}")
            };
            assert!(blocker.to_string().contains(words), "{blocker}");
            assert!(blocker.remedy().contains(remedy), "{}", blocker.remedy());
            assert_eq!(blocker.holds_up_member(), prevents, "{blocker}");
        }
        let mut empty = group(1, &["Launch"]);
        empty.members.clear();
        assert!(Blocker::of_member(&empty, None).iter().all(Blocker::holds_up_member));
    }
}

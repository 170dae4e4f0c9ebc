//! What a group is made of.

use super::decide::{Member, Phase, View};
use indexmap::IndexMap;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Processes that can be suspended.
pub(super) const PROCESSES: [&str; 9] = [
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
];

/// One activity.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Activity {
    /// Id.
    pub(crate) id: String,
    /// What is done.
    pub(crate) description: String,
    /// Why, in AWS's words.
    pub(crate) cause: String,
    /// When it began.
    pub(crate) started: String,
    /// When it ended.
    pub(crate) ended: Option<String>,
    /// Status code.
    pub(crate) status: &'static str,
    /// What went wrong.
    pub(crate) message: Option<String>,
    /// Progress in percent.
    pub(crate) progress: u8,
    /// Zone and subnet as AWS writes them, JSON in text.
    pub(crate) details: String,
}

/// One lifecycle hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hook {
    /// Name.
    pub(crate) name: String,
    /// True for the terminating transition.
    pub(crate) terminating: bool,
    /// HeartbeatTimeout as documented, before scaling.
    pub(crate) heartbeat: Duration,
    /// True for CONTINUE.
    pub(crate) default_continue: bool,
    /// The rest of what was given.
    pub(crate) rest: Map<String, Value>,
}

/// A hook that an instance waits for.
#[derive(Debug)]
pub(super) struct HookWait {
    /// Name of the hook.
    pub(crate) hook: String,
    /// Token of this action.
    pub(crate) token: String,
    /// When the heartbeat runs out.
    pub(crate) deadline: Instant,
    /// After which no heartbeat helps.
    pub(crate) last: Instant,
    /// Length of one heartbeat.
    pub(crate) heartbeat: Duration,
    /// True for CONTINUE, once told.
    pub(crate) result: Option<bool>,
    /// Woken when the deadline or the result changes.
    pub(crate) changed: Arc<Notify>,
}

/// One instance of the group.
#[derive(Debug)]
pub(super) struct GroupMember {
    /// What the decision sees.
    pub(crate) member: Member,
    /// Instance type.
    pub(crate) instance_type: String,
    /// Image.
    pub(crate) image: String,
    /// Launch template id, name and version.
    pub(crate) template: (String, String, String),
    /// When it came into service.
    pub(crate) in_service: Option<Instant>,
    /// Why it is unhealthy, in AWS's words.
    pub(crate) unhealthy_cause: Option<String>,
    /// Hook it waits for.
    pub(crate) waiting: Option<HookWait>,
}

/// A group.
pub(super) struct Group {
    /// Name.
    pub name: String,
    /// ARN.
    pub(crate) arn: String,
    /// When it was created.
    pub(crate) created: String,
    /// MinSize.
    pub(crate) min: u32,
    /// MaxSize.
    pub(crate) max: u32,
    /// DesiredCapacity.
    pub(crate) desired: u32,
    /// Subnets with their zones, in the order given; a zone without a subnet has an empty one.
    pub(crate) subnets: Vec<(String, String)>,
    /// Launch template as given: id, name, version.
    pub(crate) template: (String, String, String),
    /// Hooks.
    pub(crate) hooks: Vec<Hook>,
    /// Target group ARNs.
    pub(crate) target_groups: Vec<String>,
    /// Tags: key, value, propagate at launch.
    pub(crate) tags: IndexMap<String, (String, bool)>,
    /// Suspended processes.
    pub(crate) suspended: Vec<String>,
    /// Instances by id.
    pub(crate) members: IndexMap<String, GroupMember>,
    /// Launches that have no instance yet.
    pub(crate) launching: Vec<Member>,
    /// Activities, newest first.
    pub(crate) activities: VecDeque<Activity>,
    /// Names of collected metrics.
    pub(crate) metrics: Vec<String>,
    /// HealthCheckType.
    pub(crate) health_check: String,
    /// HealthCheckGracePeriod as documented, before scaling.
    pub(crate) grace: Duration,
    /// Everything else that was given and is only shown.
    pub(crate) shown_only: Map<String, Value>,
    /// Whether it is being deleted.
    pub(crate) deleting: bool,
    /// Whether hooks are skipped, by a forced deletion.
    pub(crate) skip_hooks: bool,
    /// Count of launches.
    pub(crate) launches: u64,
    /// Zone of the instance that was lost last.
    pub(crate) lost_zone: Option<String>,
    /// Zones in which a launch failed, and until when they are avoided.
    pub(crate) failing: IndexMap<String, Instant>,
    /// No launch before this moment.
    pub(crate) hold_launches: Option<Instant>,
    /// Launches in a row that failed since the network interface was in use.
    pub(crate) in_use_launches: u32,
    /// What changed the desired capacity last, in AWS's words.
    pub(crate) request: Option<String>,
    /// Wakes the control loop.
    pub(crate) wake: Arc<Notify>,
}

impl Group {
    /// What the decision sees.
    pub(super) fn view(&self, now: Instant) -> View {
        // A deletion does not ask what was suspended.
        let mut suspended = if self.deleting {
            Vec::new()
        } else {
            self.suspended.clone()
        };
        if self.hold_launches.is_some_and(|until| until > now) {
            suspended.push("Launch".to_owned());
        }
        let mut zones: Vec<String> = Vec::new();
        for (_, zone) in &self.subnets {
            if !zones.contains(zone) {
                zones.push(zone.clone());
            }
        }
        View {
            min: if self.deleting { 0 } else { self.min },
            max: self.max,
            desired: if self.deleting { 0 } else { self.desired },
            zones,
            members: self
                .members
                .values()
                .map(|m| m.member.clone())
                .chain(self.launching.iter().cloned())
                .collect(),
            suspended,
            lost_zone: self.lost_zone.clone(),
            failing_zones: self
                .failing
                .iter()
                .filter(|(_, until)| **until > now)
                .map(|(zone, _)| zone.clone())
                .collect(),
        }
    }

    /// Whether a process is suspended.
    pub(super) fn is_suspended(&self, process: &str) -> bool {
        self.suspended.iter().any(|p| p == process)
    }

    /// How many instances count towards the capacity.
    pub(super) fn active(&self) -> usize {
        self.members.values().filter(|m| m.member.phase.is_active()).count() + self.launching.len()
    }

    /// The activity with this id.
    pub(super) fn activity_mut(&mut self, id: &str) -> Option<&mut Activity> {
        self.activities.iter_mut().find(|a| a.id == id)
    }

    /// Values of the group metrics now, by AWS's names.
    pub(super) fn metric_values(&self) -> Vec<(&'static str, usize)> {
        let count = |wanted: &[Phase]| {
            self.members
                .values()
                .filter(|m| wanted.contains(&m.member.phase))
                .count()
        };
        let pending = count(&[Phase::Pending, Phase::PendingWait, Phase::PendingProceed]);
        let in_service = count(&[Phase::InService]);
        let terminating = count(&[Phase::Terminating, Phase::TerminatingWait, Phase::TerminatingProceed]);
        vec![
            ("GroupMinSize", self.min as usize),
            ("GroupMaxSize", self.max as usize),
            ("GroupDesiredCapacity", self.desired as usize),
            ("GroupInServiceInstances", in_service),
            ("GroupPendingInstances", pending),
            ("GroupStandbyInstances", 0),
            ("GroupTerminatingInstances", terminating),
            ("GroupTotalInstances", pending + in_service + terminating),
        ]
    }
}

//! What can go wrong with a deployment; `remedy` says what it leaves, and what to do.

mod remedy;

use super::adopt::AdoptError;
use super::doomed::Doom;
use super::finding::Finding;
use super::stake::StakeError;
use crate::cloud::AwsError;
use crate::model::agent::place_definitions;
use crate::model::{Engine, InstanceId, Topology};
use crate::observe::ports::StackBusy;
use crate::observe::state::Blocker;
use crate::remedy::Besides;
use crate::render::RenderError;
use std::time::Duration;

/// A deployment or a removal that did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeployError {
    /// A call did not succeed before anything was changed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The stack is there, but something that CloudFormation cannot express was not done.
    #[error("stack {stack} is deployed, but {what} did not succeed")]
    Unfinished {
        /// Name of the stack.
        stack: String,
        /// What was attempted.
        what: &'static str,
        /// Why not.
        #[source]
        source: AwsError,
    },
    /// A change set that is not used was not removed.
    #[error("the unused change set of stack {stack} was not deleted")]
    NotAbandoned {
        /// Name of the stack.
        stack: String,
        /// Why not.
        #[source]
        source: AwsError,
    },
    /// The deployment could not be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A call did not succeed while something was going on.
    #[error("cannot follow the operation on stack {stack}")]
    LostSight {
        /// Name of the stack.
        stack: String,
        /// Why.
        #[source]
        source: AwsError,
    },
    /// There is no default VPC, or it has too few zones.
    #[error("no network to deploy into: {why}")]
    NoNetwork {
        /// What is missing.
        why: String,
    },
    /// Both subnets are in one zone.
    #[error("both subnets are in one availability zone, {zone}")]
    OneZone {
        /// The zone.
        zone: String,
        /// A subnet of the same VPC in another zone, with its zone.
        other: Option<(String, String)>,
    },
    /// EC2 does not offer the instance type in a zone of the deployment.
    #[error("instance type {instance_type} is not offered in {}", missing.join(" and "))]
    NotOffered {
        /// The instance type.
        instance_type: String,
        /// Zones of the deployment that do not have it.
        missing: Vec<String>,
        /// Zones of the region that have it.
        offered: Vec<String>,
    },
    /// No image is named and none was built.
    #[error("no image for the instance")]
    NoImage,
    /// The stack says something of itself that cannot be read.
    #[error(transparent)]
    Output(#[from] crate::stack::Unreadable),
    /// Another operation is going on.
    #[error(transparent)]
    Busy(#[from] StackBusy),
    /// The stack's state allows no deployment.
    #[error("stack {stack} is in {status} and cannot be deployed to")]
    Stuck {
        /// Name of the stack.
        stack: String,
        /// Its status.
        status: String,
        /// Why, in CloudFormation's words.
        reason: Option<String>,
        /// Whether mqaws made it.
        ours: bool,
    },
    /// A failed deployment left a stack without a resource, which was not to be removed.
    #[error("stack {stack} is left over from a failed deployment ({status}) and has no resources")]
    Dead {
        /// Name of the stack.
        stack: String,
        /// Its status.
        status: String,
    },
    /// What was to be removed is something else by now.
    #[error("the status of stack {stack} changed from {before} to {after}")]
    Changed {
        /// Name of the stack.
        stack: String,
        /// Status when it was found.
        before: String,
        /// Status now.
        after: String,
    },
    /// Data are at stake that nobody named.
    #[error(transparent)]
    Stake(#[from] StakeError),
    /// The file system cannot be adopted.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    /// The stack was made by something else.
    #[error("stack {stack} was not created by mqaws")]
    Foreign {
        /// Name of the stack.
        stack: String,
    },
    /// The stack is in review and holds no change set, by which it could be known.
    #[error("stack {stack} is in REVIEW_IN_PROGRESS and has no change set; its owner cannot be determined")]
    Unclaimed {
        /// Name of the stack.
        stack: String,
        /// Its ARN.
        id: String,
    },
    /// CloudFormation refused the change set.
    #[error("CloudFormation rejected the change set for {stack}: {reason}")]
    Refused {
        /// Name of the stack.
        stack: String,
        /// Why, in CloudFormation's words.
        reason: String,
        /// Why what it points to could not be read.
        #[source]
        unread: Option<AwsError>,
    },
    /// CloudFormation found values that it does not take, before anything was made.
    #[error("CloudFormation rejected {} of stack {stack}", if .findings.len() == 1 { "a property value" } else { "some property values" })]
    Invalid {
        /// Name of the stack.
        stack: String,
        /// How its queue manager is made highly available.
        topology: Topology,
        /// What it found.
        findings: Vec<Finding>,
    },
    /// The stack was deployed with another topology, whose data the new one would not find.
    #[error("stack {stack} has topology `{}`, which cannot be changed to `{}`", deployed.as_str(), wanted.as_str())]
    OtherTopology {
        /// Name of the stack.
        stack: String,
        /// The one that is deployed.
        deployed: Topology,
        /// The one that is configured.
        wanted: Topology,
    },
    /// The stack was deployed with another engine, which cannot read the data of this one.
    #[error("stack {stack} has engine `{}`, which cannot be changed to `{}`", deployed.as_str(), wanted.as_str())]
    OtherEngine {
        /// Name of the stack.
        stack: String,
        /// The one that is deployed.
        deployed: Engine,
        /// The one that is configured.
        wanted: Engine,
    },
    /// The queue manager moved since the plan was made, whose order of replacements is therefore wrong.
    #[error("the queue manager of stack {stack} moved from {from} to {to} after the plan was made")]
    Moved {
        /// Name of the stack.
        stack: String,
        /// Where it was.
        from: InstanceId,
        /// Where it is.
        to: InstanceId,
    },
    /// Something that the configuration names is not there.
    #[error("{what} {id} does not exist in this region")]
    Unknown {
        /// Key of the configuration that names it.
        key: &'static str,
        /// What it is, `subnet`.
        what: &'static str,
        /// Its id.
        id: String,
        /// AWS's answer.
        #[source]
        source: Option<AwsError>,
    },
    /// The change would replace or delete a file system.
    #[error("this change would {} `{}`", if *.replaced { "replace" } else { "remove" }, logical.join("`, `"))]
    DataAtStake {
        /// Logical ids.
        logical: Vec<String>,
        /// Replaced, or removed.
        replaced: bool,
    },
    /// AWS would refuse the change while it is carried out.
    #[error("this change of stack {stack} would fail")]
    Doomed {
        /// Name of the stack.
        stack: String,
        /// What would fail.
        dooms: Vec<Doom>,
    },
    /// The operation failed and was undone.
    #[error("stack {stack} {}", if *.undone { "was rolled back" } else { "failed and is not rolled back" })]
    RolledBack {
        /// Name of the stack.
        stack: String,
        /// Its status now.
        status: String,
        /// The root cause: resource, time, AWS's words.
        cause: Option<String>,
        /// The agent's last words, with instance and time.
        agent: Option<String>,
        /// Whether the undoing succeeded.
        undone: bool,
        /// What exists.
        left: String,
        /// What to do.
        hint: String,
    },
    /// Somebody else deleted the stack while it was deployed.
    #[error("stack {stack} {} by another principal during the deployment", if *.gone { "was deleted" } else { "was being deleted" })]
    Deleted {
        /// Name of the stack.
        stack: String,
        /// Whether the deletion succeeded.
        gone: bool,
        /// What exists.
        left: Option<String>,
    },
    /// The stack is there, and somebody ordered that service is not given.
    #[error("stack {stack} is deployed, but cannot provide service: {blocker}")]
    Blocked {
        /// Name of the stack.
        stack: String,
        /// What was ordered.
        blocker: Blocker,
    },
    /// The stack is there, the service was not shown in time.
    #[error("stack {stack} is deployed, but service was not verified within {waited}")]
    NotServing {
        /// Name of the stack.
        stack: String,
        /// How long was waited.
        waited: String,
        /// What is missing.
        missing: Vec<String>,
        /// The agent's last words.
        agent: Option<String>,
    },
    /// AZRebalance runs again after it was suspended.
    #[error("AZRebalance of group {group} is not suspended")]
    NotSuspended {
        /// Name of the group.
        group: String,
    },
    /// Termination protection is on.
    #[error("stack {stack} is protected against deletion")]
    Protected {
        /// Name of the stack.
        stack: String,
    },
    /// The deletion failed.
    #[error("stack {stack} was not deleted")]
    NotDeleted {
        /// Name of the stack.
        stack: String,
        /// The root cause: resource, time, AWS's words.
        cause: Option<String>,
        /// What to do about what is in the way, when it is known.
        in_the_way: Option<String>,
        /// What exists.
        left: String,
    },
    /// The deletion goes on after the time to follow it.
    #[error("stack {stack} was not deleted within {} s", .waited.as_secs_f64())]
    StillDeleting {
        /// Name of the stack.
        stack: String,
        /// How long was waited.
        waited: Duration,
        /// What is being deleted now.
        on: Vec<String>,
        /// What exists.
        left: String,
    },
    /// The operation goes on after the time to follow it.
    #[error("the operation on stack {stack} was not complete within {} s", .waited.as_secs_f64())]
    StillWorking {
        /// Name of the stack.
        stack: String,
        /// How long was waited.
        waited: Duration,
        /// What is being worked on now.
        on: Vec<String>,
    },
    /// CloudFormation did not compute the change set in time.
    #[error("the change set of stack {stack} was not ready within {} s", .waited.as_secs_f64())]
    NotReviewed {
        /// Name of the stack.
        stack: String,
        /// How long was waited.
        waited: Duration,
    },
    /// It came after something else had been changed.
    #[error(transparent)]
    Besides(Besides<DeployError>),
    /// The user interrupted.
    #[error("interrupted")]
    Interrupted {
        /// What exists.
        left: Option<String>,
        /// What to do about it, when there is anything.
        hint: Option<String>,
    },
}

impl DeployError {
    /// The same error, after something else had been changed: `done` says what, as a clause.
    pub(super) fn besides(self, done: impl Into<String>) -> Self {
        Self::Besides(Besides {
            done: done.into(),
            error: Box::new(self),
        })
    }

    /// The same error, in which the agent's words name the user's own file of definitions.
    #[must_use]
    pub fn with_definitions(mut self, file: Option<&str>) -> Self {
        if let (Self::RolledBack { agent: Some(words), .. } | Self::NotServing { agent: Some(words), .. }, Some(file)) =
            (&mut self, file)
        {
            *words = place_definitions(words, file);
        }
        self
    }

    /// The key of the configuration that the error is about, and a few words for the place where it stands.
    pub fn key(&self) -> Option<(&'static str, String)> {
        match self {
            Self::OneZone { zone, .. } => Some(("network.subnets", format!("both in {zone}"))),
            Self::NotOffered { missing, .. } => {
                Some(("instance.type", format!("not offered in {}", missing.join(" and "))))
            }
            Self::Unknown { key, id, .. } => Some((*key, format!("{id} does not exist"))),
            Self::OtherTopology { deployed, .. } => {
                Some(("topology", format!("the stack has `{}`", deployed.as_str())))
            }
            Self::OtherEngine { deployed, .. } => Some(("engine", format!("the stack has `{}`", deployed.as_str()))),
            Self::Invalid { topology, findings, .. } => {
                let named = findings.iter().find_map(|f| Some((f.key(*topology)?, f)));
                named.map(|(key, finding)| (key, finding.words.clone()))
            }
            Self::Adopt(error) => Some(error.key()),
            Self::Doomed { dooms, .. } => dooms.iter().find_map(|doom| Some((doom.key?, doom.label.clone()))),
            Self::Besides(besides) => besides.error.key(),
            _ => None,
        }
    }
}

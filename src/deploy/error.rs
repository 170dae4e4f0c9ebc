//! What can go wrong with a deployment, what it leaves, and what to do.

use super::doomed::Doom;
use super::finding::Finding;
use super::kept;
use super::stake::StakeError;
use crate::cloud::AwsError;
use crate::model::Topology;
use crate::remedy::{Besides, ExitKind, Remedy};
use crate::render::RenderError;

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
    #[error("the change set of stack {stack}, which is not used, was not removed")]
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
    #[error("lost sight of stack {stack}")]
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
    /// No image is named and none was built.
    #[error("no image for the instance")]
    NoImage,
    /// The stack says something of itself that cannot be read.
    #[error(transparent)]
    Output(#[from] crate::stack::Unreadable),
    /// Another operation is going on.
    #[error("stack {stack} is busy: {status}")]
    Busy {
        /// Name of the stack.
        stack: String,
        /// Its status.
        status: String,
    },
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
    #[error("stack {stack} is what a failed deployment left ({status}), without a resource")]
    Dead {
        /// Name of the stack.
        stack: String,
        /// Its status.
        status: String,
    },
    /// What was to be removed is something else by now.
    #[error("stack {stack} was in {before} and is in {after} now")]
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
    /// The stack was made by something else.
    #[error("stack {stack} was not made by mqaws")]
    Foreign {
        /// Name of the stack.
        stack: String,
    },
    /// The stack is in review and holds no change set, by which it could be known.
    #[error("stack {stack} is in review without a change set, so nothing tells who made it")]
    Unclaimed {
        /// Name of the stack.
        stack: String,
        /// Its ARN.
        id: String,
    },
    /// CloudFormation refused the change set.
    #[error("CloudFormation refused the change set for {stack}: {reason}")]
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
    #[error("CloudFormation does not take {} of {stack}", if .findings.len() == 1 { "a value" } else { "some values" })]
    Invalid {
        /// Name of the stack.
        stack: String,
        /// How its queue manager is made highly available.
        topology: Topology,
        /// What it found.
        findings: Vec<Finding>,
    },
    /// The stack was deployed with another topology, whose data the new one would not find.
    #[error("stack {stack} has topology `{}`; a stack keeps its topology, so it cannot become `{}`", deployed.as_str(), wanted.as_str())]
    OtherTopology {
        /// Name of the stack.
        stack: String,
        /// The one that is deployed.
        deployed: Topology,
        /// The one that is configured.
        wanted: Topology,
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
    #[error("stack {stack} {} by somebody else while it was deployed", if *.gone { "was deleted" } else { "was being deleted" })]
    Deleted {
        /// Name of the stack.
        stack: String,
        /// Whether the deletion succeeded.
        gone: bool,
        /// What exists.
        left: Option<String>,
    },
    /// The stack is there, the service was not shown in time.
    #[error("stack {stack} is deployed, but service was not shown within {waited}")]
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
        /// What exists.
        left: String,
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

    /// The key of the configuration that the error is about, and a few words for the place where it stands.
    pub fn key(&self) -> Option<(&'static str, String)> {
        match self {
            Self::OneZone { zone, .. } => Some(("network.subnets", format!("both in {zone}"))),
            Self::Unknown { key, id, .. } => Some((*key, format!("{id} does not exist"))),
            Self::OtherTopology { deployed, .. } => {
                Some(("topology", format!("the stack has `{}`", deployed.as_str())))
            }
            Self::Invalid { topology, findings, .. } => {
                let named = findings.iter().find_map(|f| Some((f.key(*topology)?, f)));
                named.map(|(key, finding)| (key, finding.words.clone()))
            }
            Self::Doomed { dooms, .. } => dooms.iter().find_map(|doom| Some((doom.key?, doom.label.clone()))),
            Self::Besides(besides) => besides.error.key(),
            _ => None,
        }
    }
}

impl Remedy for DeployError {
    fn exit(&self) -> ExitKind {
        match self {
            Self::Aws(error)
            | Self::LostSight { source: error, .. }
            | Self::Unfinished { source: error, .. }
            | Self::NotAbandoned { source: error, .. } => error.exit(),
            Self::Render(error) => error.exit(),
            Self::Stake(error) => error.exit(),
            Self::Besides(besides) => besides.exit(),
            Self::NoNetwork { .. }
            | Self::OneZone { .. }
            | Self::Invalid { .. }
            | Self::OtherTopology { .. }
            | Self::Unknown { .. }
            | Self::NoImage
            | Self::Output(_)
            | Self::Busy { .. }
            | Self::Stuck { .. }
            | Self::Foreign { .. }
            | Self::Unclaimed { .. }
            | Self::Dead { .. }
            | Self::Changed { .. }
            | Self::DataAtStake { .. }
            | Self::Doomed { .. }
            | Self::Protected { .. } => ExitKind::Precondition,
            Self::Refused { .. }
            | Self::RolledBack { .. }
            | Self::Deleted { .. }
            | Self::NotServing { .. }
            | Self::NotSuspended { .. }
            | Self::NotDeleted { .. } => ExitKind::Remote,
            Self::Interrupted { .. } => ExitKind::Interrupted,
        }
    }

    fn details(&self) -> Vec<(String, String)> {
        let mut details = Vec::new();
        let mut add = |label: &str, text: &Option<String>| {
            details.extend(text.iter().map(|text| (label.to_owned(), text.clone())));
        };
        match self {
            Self::RolledBack { cause, agent, .. } => {
                add("cause", cause);
                add("agent", agent);
            }
            Self::NotServing { missing, agent, .. } => {
                add("lacks", &(!missing.is_empty()).then(|| missing.join("\n")));
                add("agent", agent);
            }
            Self::NotDeleted { cause, .. } => add("cause", cause),
            Self::Stuck { reason, .. } => add("cause", reason),
            Self::Stake(error) => return error.details(),
            Self::Besides(besides) => return besides.details(),
            Self::Invalid { findings, .. } => {
                let all: Vec<String> = findings.iter().map(ToString::to_string).collect();
                add("cause", &Some(all.join("\n")));
            }
            Self::Doomed { dooms, .. } => {
                let all: Vec<&str> = dooms.iter().flat_map(|d| &d.why).map(String::as_str).collect();
                add("cause", &Some(all.join("\n")));
            }
            _ => {}
        }
        details
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Aws(error) => return error.hint(),
            Self::Render(error) => return error.hint(),
            Self::Stake(error) => return error.hint(),
            Self::Besides(besides) => return besides.hint(),
            Self::Dead { stack, .. } => {
                format!("`mqaws deploy --stack {stack}` removes it and begins anew; `mqaws destroy --stack {stack}` only removes it")
            }
            Self::Changed { stack, .. } => {
                format!("somebody else works on it: see `mqaws status --stack {stack}`, then decide again")
            }
            Self::Unfinished { source, .. } => {
                let again = "run `mqaws deploy` again: it does only what is missing";
                source
                    .hint()
                    .map_or(again.to_owned(), |hint| format!("{hint}; {again}"))
            }
            Self::NotAbandoned { stack, .. } => {
                format!(
                    "`mqaws destroy --stack {stack}` removes it while the stack is empty; else the next deploy does"
                )
            }
            Self::LostSight { stack, source } => {
                let then =
                    format!("the operation goes on without us: `mqaws status --stack {stack}` shows how it ends");
                source.hint().map_or(then.clone(), |hint| format!("{hint}; {then}"))
            }
            Self::NoNetwork { .. } => {
                "name two subnets in different zones under `network.subnets`, or let mqaws make a network with \
                 `network.cidr`"
                    .into()
            }
            Self::OneZone { other, .. } => {
                let other = other.as_ref().map(|(subnet, zone)| format!("; {zone} has {subnet}"));
                format!(
                    "EFS needs a mount target in each of two zones{}",
                    other.unwrap_or_default()
                )
            }
            Self::NoImage => {
                "build one with `mqaws ami build`, name one that holds IBM MQ and mqaws-agent under `instance.ami`, or see it \
                 work without one: `mqaws deploy --local`"
                    .into()
            }
            Self::Output(unreadable) => unreadable.hint(),
            Self::Busy { stack, .. } => {
                format!("wait until it is done (`mqaws status --stack {stack}`), then try again")
            }
            Self::Stuck {
                stack, status, ours, ..
            } => match (status.as_str(), ours) {
                ("UPDATE_ROLLBACK_FAILED", _) => format!(
                    "solve the cause, then `aws cloudformation continue-update-rollback --stack-name {stack}`, then \
                     deploy again"
                ),
                (_, true) => format!(
                    "remove it with `mqaws destroy --stack {stack}` (the file system is kept), then deploy again"
                ),
                (_, false) => {
                    "choose another name with --stack, or remove that stack with the tool that made it".into()
                }
            },
            Self::Foreign { .. } => "choose another name with --stack or `stack:`".into(),
            Self::Unclaimed { id, .. } => format!(
                "it holds no resource; when nobody is about to use it, `{}`, then try again; or choose another name with \
                 --stack or `stack:`",
                kept::deletion_of_stack(id)
            ),
            Self::Refused { reason, .. } if reason.contains("Template error") || reason.contains("Template format") => {
                "this is a bug, or a CloudFormation that lacks something: please report it with the output of `mqaws render`".into()
            }
            Self::Refused {
                unread: Some(error), ..
            } if error.hint().is_some() => {
                let hint = error.hint().unwrap_or_default();
                format!("to see which value it is: {hint}")
            }
            Self::Refused { .. } => "check the ids in the configuration against the account and region".into(),
            Self::Invalid { topology, findings, .. } => {
                let mut keys: Vec<&str> = findings.iter().filter_map(|f| f.key(*topology)).collect();
                keys.dedup();
                match keys.as_slice() {
                    [] => "check the values that the paths name against the account and region".into(),
                    keys => format!("change `{}`", keys.join("`, `")),
                }
            }
            Self::OtherTopology { deployed, .. } => format!(
                "set `topology: {}` again, or deploy another stack (--stack NAME), which starts on storage of its own",
                deployed.as_str()
            ),
            Self::Unknown { key, what, .. } => match *what {
                "image" => format!("name an image of this region under `{key}`; it must be shared with this account"),
                _ => format!("name what there is in this region under `{key}`; `mqaws init` lists it"),
            },
            Self::DataAtStake {
                logical,
                replaced: true,
            } => format!(
                "take back the storage setting that the review shows, or name it: --allow-replace {} (the old one is \
                 kept, and no message moves)",
                logical.join(" --allow-replace ")
            ),
            Self::DataAtStake { logical, .. } => {
                format!(
                    "name it: --allow-replace {} (back it up before)",
                    logical.join(" --allow-replace ")
                )
            }
            Self::Doomed { dooms, .. } => {
                let all: Vec<&str> = dooms.iter().map(|doom| doom.instead.as_str()).collect();
                all.join("; ")
            }
            Self::RolledBack { hint, .. } => hint.clone(),
            Self::Deleted { stack, gone, .. } => {
                let first = if *gone { String::new() } else { format!(", `mqaws destroy --stack {stack}`") };
                format!("find out who (CloudTrail has the `DeleteStack`){first}, then deploy again")
            }
            Self::NotServing { stack, .. } => {
                format!("`mqaws status --stack {stack}` shows every part; a first start on AWS can take some minutes")
            }
            Self::NotSuspended { group } => format!(
                "something switches it on again; without it a healthy instance may be replaced: `aws autoscaling \
                 suspend-processes --auto-scaling-group-name {group} --scaling-processes AZRebalance`"
            ),
            Self::Protected { stack } => format!("if you mean it: `mqaws destroy --stack {stack} --unprotect`"),
            Self::NotDeleted { stack, .. } => {
                format!("remove what the cause names, then `mqaws destroy --stack {stack}` again")
            }
            Self::Interrupted { hint, .. } => return hint.clone(),
        })
    }

    fn left(&self) -> Option<String> {
        match self {
            Self::RolledBack { left, .. } | Self::NotDeleted { left, .. } => Some(left.clone()),
            Self::Deleted { left, .. } => Some(left.clone().unwrap_or_else(|| "nothing".into())),
            Self::LostSight { stack, .. } => Some(format!("stack {stack}, in whatever state it reaches")),
            Self::NotServing { stack, .. } => Some(format!("stack {stack} with its instance and its data")),
            Self::Unfinished { stack, .. } => Some(format!("stack {stack}, which may well serve")),
            Self::NotAbandoned { stack, .. } => Some(format!("a change set of stack {stack}, no resource")),
            Self::NotSuspended { .. } => Some("the stack, which serves".into()),
            Self::Besides(besides) => besides.left(),
            Self::Interrupted { left, .. } => left.clone().or_else(|| Some("nothing was changed".into())),
            _ => Some("nothing was changed".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_well() {
        let replaced = DeployError::DataAtStake {
            logical: vec!["FileSystem".into()],
            replaced: true,
        };
        assert_eq!(replaced.to_string(), "this change would replace `FileSystem`");
        assert!(
            replaced
                .hint()
                .is_some_and(|h| h.contains("--allow-replace FileSystem"))
        );
        let zone = DeployError::OneZone {
            zone: "eu-west-1a".into(),
            other: Some(("subnet-0cc3".into(), "eu-west-1b".into())),
        };
        assert_eq!(
            zone.hint().as_deref(),
            Some("EFS needs a mount target in each of two zones; eu-west-1b has subnet-0cc3")
        );
    }
}

//! What a deployment that did not succeed leaves, and what to do: exit code, details, hint.

use super::DeployError;
use crate::deploy::kept;
use crate::remedy::{ExitKind, Remedy};

impl Remedy for DeployError {
    fn exit(&self) -> ExitKind {
        match self {
            Self::Aws(error)
            | Self::LostSight { source: error, .. }
            | Self::Unfinished { source: error, .. }
            | Self::NotAbandoned { source: error, .. } => error.exit(),
            Self::Render(error) => error.exit(),
            Self::Busy(error) => error.exit(),
            Self::Stake(error) => error.exit(),
            Self::Adopt(error) => error.exit(),
            Self::Besides(besides) => besides.exit(),
            Self::NoNetwork { .. }
            | Self::OneZone { .. }
            | Self::NotOffered { .. }
            | Self::Invalid { .. }
            | Self::OtherTopology { .. }
            | Self::OtherEngine { .. }
            | Self::Moved { .. }
            | Self::Unknown { .. }
            | Self::NoImage
            | Self::Output(_)
            | Self::Stuck { .. }
            | Self::Foreign { .. }
            | Self::Unclaimed { .. }
            | Self::Dead { .. }
            | Self::Changed { .. }
            | Self::DataAtStake { .. }
            | Self::Doomed { .. }
            | Self::Blocked { .. }
            | Self::Protected { .. } => ExitKind::Precondition,
            Self::Refused { .. }
            | Self::RolledBack { .. }
            | Self::Deleted { .. }
            | Self::NotServing { .. }
            | Self::NotSuspended { .. }
            | Self::NotDeleted { .. }
            | Self::StillDeleting { .. }
            | Self::StillWorking { .. }
            | Self::NotReviewed { .. } => ExitKind::Remote,
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
            Self::StillDeleting { on, .. } | Self::StillWorking { on, .. } => {
                add("waits for", &(!on.is_empty()).then(|| on.join(", ")))
            }
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
            Self::Adopt(error) => return error.hint(),
            Self::Besides(besides) => return besides.hint(),
            Self::Dead { stack, .. } => {
                format!("to remove it and deploy again, run `mqaws deploy --stack {stack}`; to only remove it, run `mqaws destroy --stack {stack}`")
            }
            Self::Changed { stack, .. } => {
                format!("another principal is changing it: check `mqaws status --stack {stack}`, then decide how to continue")
            }
            Self::Unfinished { source, .. } => {
                let again = "run `mqaws deploy` again; it performs only the missing steps";
                source
                    .hint()
                    .map_or(again.to_owned(), |hint| format!("{hint}; {again}"))
            }
            Self::NotAbandoned { stack, .. } => {
                format!(
                    "if the stack is empty, remove it with `mqaws destroy --stack {stack}`; otherwise, the next deployment removes the change set"
                )
            }
            Self::LostSight { stack, source } => {
                let then =
                    format!("the operation continues in CloudFormation; to see its result, run `mqaws status --stack {stack}`");
                source.hint().map_or(then.clone(), |hint| format!("{hint}; {then}"))
            }
            Self::NoNetwork { .. } => {
                "set `network.subnets` to two subnets in different zones, or let mqaws create a network with \
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
            Self::NotOffered { offered, .. } if offered.is_empty() => {
                "EC2 does not offer it in this region; choose a different `instance.type`".into()
            }
            Self::NotOffered { offered, .. } => format!(
                "each zone must offer the instance type; choose a different `instance.type`, or two zones of {}, \
                 with `network.subnets` or, for a new network, `network.zones`",
                offered.join(", ")
            ),
            Self::NoImage => {
                "build one with `mqaws ami build`, set `instance.ami` to an image that contains IBM MQ and mqaws-agent, or try it \
                 without one: `mqaws deploy --local`"
                    .into()
            }
            Self::Output(unreadable) => unreadable.hint(),
            Self::Busy(error) => return error.hint(),
            Self::Stuck {
                stack, status, ours, ..
            } => match (status.as_str(), ours) {
                ("UPDATE_ROLLBACK_FAILED", _) => format!(
                    "resolve the cause, run `aws cloudformation continue-update-rollback --stack-name {stack}`, then \
                     deploy again"
                ),
                (_, true) => format!(
                    "remove it with `mqaws destroy --stack {stack}` (the file system is kept), then deploy again"
                ),
                (_, false) => {
                    "choose a different name with --stack, or remove that stack with the tool that created it".into()
                }
            },
            Self::Foreign { .. } => "choose a different name with --stack or `stack:`".into(),
            Self::Unclaimed { id, .. } => format!(
                "it has no resources; if it is not in use, run `{}`, then try again; or choose a different name with \
                 --stack or `stack:`",
                kept::deletion_of_stack(id)
            ),
            Self::Refused { reason, .. } if reason.contains("Template error") || reason.contains("Template format") => {
                "this is a bug in mqaws, or the endpoint does not support a feature: report it with the output of `mqaws render`".into()
            }
            Self::Refused {
                unread: Some(error), ..
            } if error.hint().is_some() => {
                let hint = error.hint().unwrap_or_default();
                format!("to identify the value: {hint}")
            }
            Self::Refused { reason, .. } if reason.contains("] already exists") || reason.contains("_IN_PROGRESS state") => {
                "another deployment of this stack is in progress: wait until it is complete, then run `mqaws deploy` again".into()
            }
            Self::Refused { .. } => "check the IDs in the configuration against the account and region".into(),
            Self::Invalid { topology, findings, .. } => {
                let mut keys: Vec<&str> = findings.iter().filter_map(|f| f.key(*topology)).collect();
                keys.dedup();
                match keys.as_slice() {
                    [] => "check the values at these paths against the account and region".into(),
                    keys => format!("change `{}`", keys.join("`, `")),
                }
            }
            Self::OtherTopology { deployed, .. } => format!(
                "set `topology: {}` again, or deploy a separate stack (--stack NAME), which starts on its own storage",
                deployed.as_str()
            ),
            Self::OtherEngine { deployed, .. } => format!(
                "set `engine: {}` again, or deploy a separate stack (--stack NAME), which starts on its own storage",
                deployed.as_str()
            ),
            Self::Moved { stack, .. } => {
                format!("to replace the instances in the current order, run `mqaws deploy --stack {stack}` again")
            }
            Self::Unknown { key, what, .. } => match *what {
                "file system" => format!("set `{key}` to a kept file system of this region; to list them, run `mqaws storage list`"),
                "image" => format!("set `{key}` to an image of this region; it must be shared with this account"),
                _ => format!("set `{key}` to one that exists in this region; to list them, run `mqaws init -`"),
            },
            Self::DataAtStake {
                logical,
                replaced: true,
            } => format!(
                "revert the storage setting that the review shows, or allow the replacement: --allow-replace {} (the old one is \
                 kept, and no message moves)",
                logical.join(" --allow-replace ")
            ),
            Self::DataAtStake { logical, .. } => {
                format!(
                    "to allow it, add --allow-replace {} (back it up first)",
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
                format!("find out who deleted it (a second `mqaws destroy`, or in CloudTrail, the event `DeleteStack`){first}, then deploy again")
            }
            Self::Blocked { blocker, .. } => format!("to resolve this: {}, then deploy again", blocker.remedy()),
            Self::NotServing { stack, .. } => {
                format!("for the state of each part, run `mqaws status --stack {stack}`; a first start on AWS can take several minutes: to wait longer, use a longer --timeout")
            }
            Self::NotSuspended { group } => format!(
                "another tool resumes it; while it runs, a healthy instance may be replaced. To suspend it, run `aws autoscaling \
                 suspend-processes --auto-scaling-group-name {group} --scaling-processes AZRebalance`"
            ),
            Self::Protected { stack } => format!("to delete it anyway, run `mqaws destroy --stack {stack} --unprotect`"),
            Self::NotDeleted {
                stack,
                in_the_way: Some(what),
                ..
            } => format!("{what}; then `mqaws destroy --stack {stack}` again"),
            Self::NotDeleted { stack, .. } => {
                format!("remove the resource named in the cause, then run `mqaws destroy --stack {stack}` again")
            }
            Self::StillDeleting { stack, .. } => {
                format!("CloudFormation continues; to follow the deletion, run `mqaws destroy --stack {stack}` again")
            }
            Self::StillWorking { stack, .. } => format!(
                "CloudFormation continues; to follow it, run `mqaws status --stack {stack} --wait serving`; to wait longer, use a longer --timeout"
            ),
            Self::NotReviewed { .. } => "check the status of CloudFormation in the region; to wait longer, use a longer --timeout".into(),
            Self::Interrupted { hint, .. } => return hint.clone(),
        })
    }

    fn left(&self) -> Option<String> {
        match self {
            Self::RolledBack { left, .. } | Self::NotDeleted { left, .. } | Self::StillDeleting { left, .. } => {
                Some(left.clone())
            }
            Self::Deleted { left, .. } => Some(left.clone().unwrap_or_else(|| "nothing".into())),
            Self::StillWorking { stack, .. } => Some(format!("stack {stack}; its operation continues")),
            Self::LostSight { stack, .. } => Some(format!("stack {stack}, in the state that the operation results in")),
            Self::NotServing { stack, .. } | Self::Blocked { stack, .. } => {
                Some(format!("stack {stack} with its data"))
            }
            Self::Unfinished { stack, .. } => Some(format!("stack {stack}, which may be in service")),
            Self::NotAbandoned { stack, .. } => Some(format!("a change set of stack {stack}, no resources")),
            Self::NotSuspended { .. } => Some("the stack, which is in service".into()),
            Self::Besides(besides) => besides.left(),
            Self::Busy(error) => error.left(),
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

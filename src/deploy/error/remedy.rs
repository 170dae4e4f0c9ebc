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
            Self::Stake(error) => error.exit(),
            Self::Adopt(error) => error.exit(),
            Self::Besides(besides) => besides.exit(),
            Self::NoNetwork { .. }
            | Self::OneZone { .. }
            | Self::NotOffered { .. }
            | Self::Invalid { .. }
            | Self::OtherTopology { .. }
            | Self::OtherEngine { .. }
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
            | Self::Blocked { .. }
            | Self::Protected { .. } => ExitKind::Precondition,
            Self::Refused { .. }
            | Self::RolledBack { .. }
            | Self::Deleted { .. }
            | Self::NotServing { .. }
            | Self::NotSuspended { .. }
            | Self::NotDeleted { .. }
            | Self::StillDeleting { .. } => ExitKind::Remote,
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
            Self::StillDeleting { on, .. } => add("waits for", &(!on.is_empty()).then(|| on.join(", "))),
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
            Self::NotOffered { offered, .. } if offered.is_empty() => {
                "EC2 offers it nowhere in this region; choose another under `instance.type`".into()
            }
            Self::NotOffered { offered, .. } => format!(
                "each zone must be able to run the instance; choose another type under `instance.type`, or two zones out of {}, \
                 with `network.subnets` or, for a new network, `network.zones`",
                offered.join(", ")
            ),
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
            Self::Refused { reason, .. } if reason.contains("] already exists") || reason.contains("_IN_PROGRESS state") => {
                "somebody else deploys it at the same moment: wait until that is done, then run `mqaws deploy` again".into()
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
            Self::OtherEngine { deployed, .. } => format!(
                "set `engine: {}` again, or deploy another stack (--stack NAME), which starts on storage of its own",
                deployed.as_str()
            ),
            Self::Unknown { key, what, .. } => match *what {
                "image" => format!("name an image of this region under `{key}`; it must be shared with this account"),
                _ => format!("name what there is in this region under `{key}`; `mqaws init -` lists it"),
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
            Self::Blocked { blocker, .. } => format!("to end this: {}, then deploy again", blocker.remedy()),
            Self::NotServing { stack, .. } => {
                format!("`mqaws status --stack {stack}` shows every part; a first start on AWS can take some minutes, for which --timeout waits longer")
            }
            Self::NotSuspended { group } => format!(
                "something switches it on again; without it a healthy instance may be replaced: `aws autoscaling \
                 suspend-processes --auto-scaling-group-name {group} --scaling-processes AZRebalance`"
            ),
            Self::Protected { stack } => format!("if you mean it: `mqaws destroy --stack {stack} --unprotect`"),
            Self::NotDeleted {
                stack,
                in_the_way: Some(what),
                ..
            } => format!("{what}; then `mqaws destroy --stack {stack}` again"),
            Self::NotDeleted { stack, .. } => {
                format!("remove what the cause names, then `mqaws destroy --stack {stack}` again")
            }
            Self::StillDeleting { stack, .. } => {
                format!("CloudFormation goes on; `mqaws destroy --stack {stack}` follows it again")
            }
            Self::Interrupted { hint, .. } => return hint.clone(),
        })
    }

    fn left(&self) -> Option<String> {
        match self {
            Self::RolledBack { left, .. } | Self::NotDeleted { left, .. } | Self::StillDeleting { left, .. } => {
                Some(left.clone())
            }
            Self::Deleted { left, .. } => Some(left.clone().unwrap_or_else(|| "nothing".into())),
            Self::LostSight { stack, .. } => Some(format!("stack {stack}, in whatever state it reaches")),
            Self::NotServing { stack, .. } | Self::Blocked { stack, .. } => {
                Some(format!("stack {stack} with its data"))
            }
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

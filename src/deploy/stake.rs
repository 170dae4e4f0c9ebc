//! Data that a deployment would put out of reach, or start beside, without anybody having said so.

use super::error::DeployError;
use super::ports::Blueprint;
use super::standing::is_ours;
use crate::model::{QueueManagerName, StackName};
use crate::observe::ports::{Readings, Stack};
use crate::remedy::{ExitKind, Remedy};
use crate::stack::{Output, QUEUE_MANAGER_PARAMETER};
use serde::Serialize;

pub use super::storage::KeptStorage;

/// Names that are tried for a stack of its own.
const MOST_NAMES: usize = 9;

/// Another queue manager in the place of the one that a stack holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rename {
    /// The one that is deployed.
    pub from: String,
    /// The one that would take its place.
    pub to: String,
    /// Name of a stack that may hold the other one.
    pub other_stack: String,
}

/// Data at stake that nobody named.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StakeError {
    /// Another queue manager would start on the stack; the data of the one before are out of its reach.
    #[error("this change replaces queue manager {} of stack {stack} with {}", rename.from, rename.to)]
    OtherQueueManager {
        /// Name of the stack.
        stack: String,
        /// Which, and where the other one may go.
        rename: Rename,
    },
    /// The stack's name was made of a queue manager's, and the stack holds another one's data.
    #[error("stack {stack} contains queue manager {holds}, not {meant}")]
    NotOf {
        /// Name of the stack.
        stack: String,
        /// The queue manager that is deployed.
        holds: String,
        /// The one that is configured.
        meant: String,
        /// The verb, `mqaws destroy`.
        command: String,
    },
    /// The stack does not tell which queue manager it holds.
    #[error(
        "cannot determine the queue manager of stack {stack}: it has neither an output nor a parameter {QUEUE_MANAGER_PARAMETER}"
    )]
    UnknownQueueManager {
        /// Name of the stack.
        stack: String,
    },
    /// A new file system would be made although one of before is kept.
    #[error(
        "queue manager {queue_manager} would start on a new, empty file system, but {} kept",
        if kept.len() == 1 { "a previous one is".to_owned() } else { format!("{} previous ones are", kept.len()) }
    )]
    KeptStorage {
        /// Name of the queue manager.
        queue_manager: String,
        /// What is kept, the newest first.
        kept: Vec<KeptStorage>,
    },
}

impl Remedy for StakeError {
    fn exit(&self) -> ExitKind {
        ExitKind::Precondition
    }

    fn details(&self) -> Vec<(String, String)> {
        match self {
            Self::KeptStorage { kept, .. } => {
                let kept: Vec<String> = kept.iter().map(ToString::to_string).collect();
                vec![("kept".to_owned(), kept.join("\n"))]
            }
            Self::OtherQueueManager { .. } | Self::NotOf { .. } | Self::UnknownQueueManager { .. } => Vec::new(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::OtherQueueManager { stack, rename } => {
                let Rename { from, to, other_stack } = rename;
                format!(
                    "to deploy {to} as a separate stack: `mqaws deploy --stack {other_stack} --queue-manager {to}`\n\
                     to keep {from}: `mqaws deploy --stack {stack} --queue-manager {from}`\n\
                     to replace {from} anyway: `mqaws deploy --stack {stack} --queue-manager {to} --allow-replace \
                     {QUEUE_MANAGER_PARAMETER}` (its data remains on the file system)"
                )
            }
            Self::NotOf {
                stack,
                holds,
                meant,
                command,
            } => format!("for {meant}, specify its own stack with --stack\nfor {holds}: `{command} --stack {stack}`"),
            Self::UnknownQueueManager { stack } => format!(
                "choose a different name with --stack, or inspect the stack: `aws cloudformation describe-stacks --stack-name \
                 {stack}`"
            ),
            Self::KeptStorage { queue_manager, kept } => {
                let own = kept
                    .iter()
                    .find(|one| one.queue_manager.as_ref().is_none_or(|of| of == queue_manager));
                let adopt = own.map(|one| {
                    format!(
                        "to continue with its messages: `mqaws deploy --adopt-file-system {}`\n",
                        one.id
                    )
                });
                adopt.unwrap_or_default()
                    + "to start empty anyway: `mqaws deploy --new-storage` (the kept file systems and their messages are not \
                       changed)"
            }
        })
    }

    fn left(&self) -> Option<String> {
        Some("nothing was changed".into())
    }
}

/// The queue manager that a stack was deployed with.
pub(super) fn deployed(stack: &Stack) -> Option<&str> {
    // What is deployed is in the outputs; one that failed before it had any still has its parameters.
    let found = stack
        .outputs
        .get(Output::QueueManagerName.name())
        .or_else(|| stack.parameters.get(QUEUE_MANAGER_PARAMETER));
    found.map(String::as_str)
}

/// Refuses a stack that holds another queue manager than the one that its name was made of: names that differ only in case
/// or in `.`, `_`, `/` make the same. `command` is the verb, `mqaws destroy`. No stack is fine.
///
/// # Errors
/// [`StakeError::NotOf`], [`StakeError::UnknownQueueManager`], [`DeployError::Aws`].
pub async fn same_queue_manager<C: Readings>(
    cloud: &C,
    stack: &str,
    queue_manager: &str,
    command: &str,
) -> Result<(), DeployError> {
    let found = cloud.stack(stack).await?;
    // A stack in review holds nothing yet; somebody else's is refused for that.
    let Some(found) = found.filter(|s| !s.status.is_deleted() && !s.status.is_review() && is_ours(s)) else {
        return Ok(());
    };
    match deployed(&found) {
        Some(holds) if holds == queue_manager => Ok(()),
        Some(holds) => Err(StakeError::NotOf {
            stack: found.name.clone(),
            holds: holds.to_owned(),
            meant: queue_manager.to_owned(),
            command: command.to_owned(),
        }
        .into()),
        None => Err(StakeError::UnknownQueueManager { stack: found.name }.into()),
    }
}

/// Whether a blueprint would put another queue manager in the place of the one that the stack holds.
pub(super) async fn rename<C: Readings>(
    cloud: &C,
    stack: &Stack,
    blueprint: &Blueprint,
) -> Result<Option<Rename>, StakeError> {
    let from = deployed(stack).ok_or_else(|| StakeError::UnknownQueueManager {
        stack: stack.name.clone(),
    })?;
    if from == blueprint.queue_manager {
        return Ok(None);
    }
    Ok(Some(Rename {
        from: from.to_owned(),
        to: blueprint.queue_manager.clone(),
        other_stack: other_stack(cloud, blueprint).await,
    }))
}

/// A name for the stack of the other queue manager: the one that has it already, or else one that nobody has.
async fn other_stack<C: Readings>(cloud: &C, blueprint: &Blueprint) -> String {
    let own = match QueueManagerName::new(&blueprint.queue_manager) {
        Ok(name) => StackName::default_of(&name).to_string(),
        Err(_) => blueprint.stack.clone(),
    };
    let numbered = (2..=MOST_NAMES).map(|n| format!("{own}-{n}"));
    let mut names: Vec<String> = std::iter::once(own.clone()).chain(numbered).collect();
    names.retain(|name| *name != blueprint.stack);
    for name in &names {
        let fits = match cloud.stack(name).await {
            Ok(Some(stack)) if !stack.status.is_deleted() => {
                is_ours(&stack) && deployed(&stack) == Some(&blueprint.queue_manager)
            }
            // What cannot be read now is found out by whoever takes the name.
            Ok(_) | Err(_) => true,
        };
        if fits {
            return name.clone();
        }
    }
    names.pop().unwrap_or(own)
}

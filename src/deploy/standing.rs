//! What stands under a stack's name, and whose it is.

use super::error::DeployError;
use super::ports::{Listed, Stacks};
use crate::observe::ports::{Readings, Stack};
use crate::stack::{ADOPTED_BY_TAG, Output, STACK_TAG};
use std::collections::BTreeMap;

/// What a deployment finds under the stack's name.
#[derive(Debug)]
pub(super) enum Standing {
    /// Nothing, or what was deleted.
    Nothing,
    /// Only change sets of mqaws; somebody may still decide about them.
    Review,
    /// A stack of mqaws without a resource, which a failed deployment left.
    Dead(Stack),
    /// A stack of mqaws that can be updated.
    Living(Stack),
}

/// Whether a stack is one of ours: tagged by mqaws, or made from its template by other means.
pub(super) fn is_ours(stack: &Stack) -> bool {
    is_tagged(&stack.tags, &stack.name)
        || [Output::QueueManagerName, Output::FileSystemId]
            .iter()
            .all(|output| stack.outputs.contains_key(output.name()))
}

/// Whether tags are those that mqaws gives to a stack of that name.
fn is_tagged(tags: &BTreeMap<String, String>, name: &str) -> bool {
    [STACK_TAG, ADOPTED_BY_TAG]
        .iter()
        .any(|tag| tags.get(*tag).is_some_and(|of| of == name))
}

/// Refuses a stack in review that holds change sets of others, or none.
///
/// Such a stack has no tags yet: the change sets do. Without any it may be anybody's, who is about to add one.
///
/// # Errors
/// [`DeployError::Foreign`], [`DeployError::Unclaimed`], [`DeployError::Aws`].
pub(super) async fn own_review<C: Stacks>(cloud: &C, stack: &Stack) -> Result<(), DeployError> {
    if is_ours(stack) {
        return Ok(());
    }
    let sets = cloud.change_sets(&stack.id).await?;
    let ours = |set: &Listed| is_tagged(&set.tags, &stack.name);
    let name = stack.name.clone();
    match sets.iter().all(ours) {
        true if sets.is_empty() => Err(DeployError::Unclaimed {
            id: stack.id.clone(),
            stack: name,
        }),
        true => Ok(()),
        false => Err(DeployError::Foreign { stack: name }),
    }
}

/// What stands there, when a deployment may go on from it.
///
/// # Errors
/// [`DeployError::Busy`], [`DeployError::Stuck`], [`DeployError::Foreign`], [`DeployError::Unclaimed`],
/// [`DeployError::Aws`].
pub(super) async fn standing<C: Readings + Stacks>(cloud: &C, found: Option<Stack>) -> Result<Standing, DeployError> {
    let Some(stack) = found.filter(|s| !s.status.is_deleted()) else {
        return Ok(Standing::Nothing);
    };
    if stack.status.is_review() {
        return own_review(cloud, &stack).await.map(|()| Standing::Review);
    }
    stack.status.at_rest(&stack.name)?;
    let ours = is_ours(&stack);
    let stuck = |stack: Stack| DeployError::Stuck {
        stack: stack.name,
        status: stack.status.0,
        reason: stack.reason,
        ours,
    };
    // What an import that failed leaves: a new stack holds nothing then, another one what it had.
    let import_failed = stack.status.0 == "IMPORT_ROLLBACK_COMPLETE";
    if stack.status.is_dead() || import_failed {
        let resources = cloud.resources(&stack.id).await?;
        let empty = resources
            .iter()
            .all(|r| matches!(r.status.as_str(), "DELETE_COMPLETE" | "DELETE_SKIPPED"));
        match ours && empty {
            true => return Ok(Standing::Dead(stack)),
            false if !import_failed => return Err(stuck(stack)),
            false => {}
        }
    }
    if matches!(
        stack.status.0.as_str(),
        "UPDATE_ROLLBACK_FAILED" | "DELETE_FAILED" | "UPDATE_FAILED"
    ) {
        return Err(stuck(stack));
    }
    if ours {
        Ok(Standing::Living(stack))
    } else {
        Err(DeployError::Foreign { stack: stack.name })
    }
}

//! Removing a stack; its data stay.

use super::cause;
use super::error::DeployError;
use super::execute::{tell, token};
use super::kept::kept;
use super::plan::is_ours;
use super::ports::Stacks;
use super::progress::Tracker;
use super::watch::{Observer, Pace, Patience, Stop};
use crate::observe::ports::{Readings, Stack};

/// A stack that may be removed.
#[derive(Debug, Clone)]
pub struct Removal {
    /// The stack as it was found.
    pub stack: Stack,
    /// How many resources it has.
    pub resources: usize,
}

/// Finds the stack; `None` when there is none.
///
/// # Errors
/// [`DeployError::Foreign`], [`DeployError::Protected`], [`DeployError::Aws`].
pub async fn find<C: Readings>(cloud: &C, name: &str, unprotect: bool) -> Result<Option<Removal>, DeployError> {
    let Some(stack) = cloud.stack(name).await? else {
        return Ok(None);
    };
    if stack.status.is_deleted() {
        return Ok(None);
    }
    // A stack that was only reviewed, or whose creation failed, has no outputs; its tags tell.
    if !is_ours(&stack) && !stack.status.is_review() {
        return Err(DeployError::Foreign { stack: stack.name });
    }
    if stack.protected && !unprotect {
        return Err(DeployError::Protected { stack: stack.name });
    }
    let resources = cloud.resources(&stack.id).await?.len();
    Ok(Some(Removal { stack, resources }))
}

/// Deletes the stack, follows it, and returns what CloudFormation kept, e.g. `file system fs-…`.
///
/// Stopping does not undo a deletion; it ends the watch.
///
/// # Errors
/// [`DeployError::NotDeleted`], [`DeployError::LostSight`], [`DeployError::Interrupted`].
pub async fn destroy<C: Readings + Stacks>(
    cloud: &C,
    removal: &Removal,
    role: Option<&str>,
    pace: Pace,
    stop: &Stop,
    observer: &mut impl Observer,
) -> Result<Vec<String>, DeployError> {
    let stack = &removal.stack;
    let mut tracker = Tracker::new(&stack.id, removal.resources);
    // Old events are known beforehand, so that clocks need not agree on when the deletion began.
    let _ = tracker.feed(cloud.events(&stack.id, stack.created).await?);
    let before = tracker.events().len();
    tracker.begin();
    if stack.protected {
        cloud.protect(&stack.id, false).await?;
    }
    cloud.delete_stack(&stack.id, role, &token("destroy")).await?;
    let mut patience = Patience::new(pace.patience);
    let lost = |source| DeployError::LostSight {
        stack: stack.name.clone(),
        source,
    };
    let ended = loop {
        let found = patience.bear(cloud.stack(&stack.id).await).map_err(lost)?;
        match cloud.events(&stack.id, stack.created).await {
            Ok(events) => tell(&mut tracker, events, observer),
            Err(error) if error.is_not_found() => {}
            Err(error) => drop(patience.bear::<()>(Err(error)).map_err(lost)?),
        }
        match found {
            Some(None) => break None,
            Some(Some(found)) if found.status.is_deleted() => break None,
            Some(Some(found)) if found.status.0 == "DELETE_FAILED" => break Some(found),
            _ => {}
        }
        if stop.requested() {
            return Err(DeployError::Interrupted {
                left: Some(format!("stack {}, whose deletion goes on", stack.name)),
                hint: None,
            });
        }
        stop.pause(pace.poll).await;
    };
    let events = &tracker.events()[before..];
    let kept = kept(events).iter().map(ToString::to_string).collect();
    match ended {
        None => Ok(kept),
        Some(found) => Err(DeployError::NotDeleted {
            stack: stack.name.clone(),
            cause: cause::root_cause(events, &stack.id)
                .map(cause::describe)
                .or(found.reason),
            left: format!("stack {} with what is left of it", stack.name),
        }),
    }
}

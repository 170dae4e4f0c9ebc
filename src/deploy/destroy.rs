//! Removing a stack; its data stay.

use super::blocked;
use super::cause;
use super::error::DeployError;
use super::execute::tell;
use super::kept::{Kept, kept};
use super::ports::{Event, Stacks};
use super::progress::Tracker;
use super::stake::{self, StakeError};
use super::standing::{is_ours, own_review};
use super::undo::delete_stack;
use super::watch::{Observer, Pace, Patience, Stop};
use crate::cloud::AwsError;
use crate::observe::ports::{Readings, Resource, Stack, StackBusy};
use crate::topology::{FILE_SYSTEM, GROUP};
use std::time::Instant;

/// A stack that may be removed.
#[derive(Debug, Clone)]
pub struct Removal {
    /// The stack as it was found.
    pub stack: Stack,
    /// How many resources go.
    pub resources: usize,
    /// How many instances the groups have; `None` when one of them could not be read.
    pub instances: Option<usize>,
    /// Ids of the file systems that stay.
    pub kept: Vec<String>,
}

/// Finds the stack; `None` when there is none.
///
/// # Errors
/// [`DeployError::Foreign`], [`DeployError::Unclaimed`], [`DeployError::Busy`], [`DeployError::Protected`], [`DeployError::Aws`].
pub async fn find<C: Readings + Stacks>(
    cloud: &C,
    name: &str,
    unprotect: bool,
) -> Result<Option<Removal>, DeployError> {
    let Some(stack) = cloud.stack(name).await? else {
        return Ok(None);
    };
    if stack.status.is_deleted() {
        return Ok(None);
    }
    // A stack whose creation failed has no outputs; its tags tell. One in review has no tags; its change sets tell.
    if stack.status.is_review() {
        own_review(cloud, &stack).await?;
    } else if !is_ours(&stack) {
        return Err(DeployError::Foreign { stack: stack.name });
    } else if stake::deployed(&stack).is_none() {
        // A tag is copied easily; whatever mqaws made says which queue manager it is for.
        return Err(StakeError::UnknownQueueManager { stack: stack.name }.into());
    }
    if stack.protected && !unprotect {
        return Err(DeployError::Protected { stack: stack.name });
    }
    // A creation and its way back can be cut short by a deletion, an update cannot.
    let may = ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"];
    if stack.status.is_busy() && !may.contains(&stack.status.0.as_str()) {
        return Err(busy(stack));
    }
    let resources = cloud.resources(&stack.id).await?;
    let there = resources.into_iter().filter(|r| r.status != "DELETE_COMPLETE");
    let (kept, gone): (Vec<Resource>, Vec<Resource>) = there.partition(|r| r.kind == FILE_SYSTEM);
    let mut instances = Some(0);
    for group in gone
        .iter()
        .filter(|r| r.kind == GROUP)
        .filter_map(|r| r.physical.as_deref())
    {
        let members = cloud
            .group(group)
            .await
            .map(|group| group.map_or(0, |group| group.members.len()));
        instances = instances.zip(members.ok()).map(|(sum, members)| sum + members);
    }
    Ok(Some(Removal {
        stack,
        instances,
        resources: gone.len(),
        kept: kept.into_iter().filter_map(|r| r.physical).collect(),
    }))
}

fn busy(stack: Stack) -> DeployError {
    let (stack, status) = (stack.name, stack.status.0);
    StackBusy { stack, status }.into()
}

/// Whether what was to be removed still holds nothing but change sets of mqaws: by now somebody may have executed one.
async fn still_in_review<C: Readings + Stacks>(cloud: &C, stack: &Stack) -> Result<(), DeployError> {
    let Some(now) = cloud.stack(&stack.id).await? else {
        return Ok(());
    };
    if !now.status.is_review() && !now.status.is_deleted() {
        return Err(DeployError::Changed {
            stack: now.name,
            before: stack.status.0.clone(),
            after: now.status.0,
        });
    }
    match now.status.is_deleted() {
        true => Ok(()),
        false => own_review(cloud, &now).await,
    }
}

/// Asks for the deletion, without protection.
async fn begin<C: Readings + Stacks>(
    cloud: &C,
    stack: &Stack,
    role: Option<&str>,
    lost: &impl Fn(AwsError) -> DeployError,
) -> Result<(), DeployError> {
    if stack.protected {
        cloud.protect(&stack.id, false).await?;
    }
    let Err(error) = delete_stack(cloud, &stack.id, role, "destroy").await else {
        return Ok(());
    };
    // An answer that got lost says nothing; a refusal says that nothing began.
    if error.is_transient() {
        return Err(lost(error));
    }
    // Somebody began an update since the stack was found.
    let found = match error.is_wrong_status() {
        true => cloud.stack(&stack.id).await.ok().flatten(),
        false => None,
    };
    Err(found.map_or_else(|| error.into(), busy))
}

fn unprotected(stack: &Stack) -> String {
    format!("stack {} is no longer protected against deletion", stack.name)
}

/// What earlier operations on the stack kept and is still there; EFS is asked only about file systems.
async fn still_kept<C: Stacks>(cloud: &C, earlier: &[Event]) -> Vec<Kept> {
    let mut earlier = kept(earlier);
    // Where EFS does not answer, CloudFormation's word stands: better one name too many than data that nobody knows of.
    if earlier.iter().any(Kept::is_file_system)
        && let Ok(there) = cloud.file_systems().await
    {
        earlier.retain(|one| !one.is_file_system() || there.iter().any(|s| s.id == one.id && !s.goes()));
    }
    earlier
}

/// Deletes the stack, follows it, and returns what CloudFormation kept of it, e.g. `file system fs-…`; what an earlier
/// operation kept, such as a destruction that nobody followed to its end, is named as long as it is there.
///
/// Stopping does not undo a deletion; it ends the watch.
///
/// # Errors
/// [`DeployError::NotDeleted`], [`DeployError::StillDeleting`], [`DeployError::Busy`], [`DeployError::Changed`], [`DeployError::Foreign`],
/// [`DeployError::Unclaimed`], [`DeployError::LostSight`], [`DeployError::Interrupted`]; [`DeployError::Besides`] when protection stays off.
pub async fn destroy<C: Readings + Stacks>(
    cloud: &C,
    removal: &Removal,
    role: Option<&str>,
    pace: Pace,
    stop: &Stop,
    observer: &mut impl Observer,
) -> Result<Vec<String>, DeployError> {
    let stack = &removal.stack;
    let mut tracker = Tracker::new(&stack.id, removal.resources + removal.kept.len());
    // Old events are known beforehand, so that clocks need not agree on when the deletion began.
    let _ = tracker.feed(cloud.events(&stack.id, stack.created).await?);
    let before = tracker.events().len();
    tracker.begin();
    if stack.status.is_review() {
        still_in_review(cloud, stack).await?;
    }
    let lost = |source| DeployError::LostSight {
        stack: stack.name.clone(),
        source,
    };
    if let Err(error) = begin(cloud, stack, role, &lost).await {
        // Without a deletion the stack is to stand as it stood; where one began after all, AWS refuses this.
        let off = stack.protected && cloud.protect(&stack.id, true).await.is_err();
        return Err(if off { error.besides(unprotected(stack)) } else { error });
    }
    let mut patience = Patience::new(pace.patience);
    let began = Instant::now();
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
        let late = pace.operation.filter(|limit| began.elapsed() >= *limit);
        if stop.requested() || late.is_some() {
            let going = format!("stack {}; its deletion continues", stack.name);
            let staying = removal.kept.iter().map(|id| format!("file system {id} (kept)"));
            let earlier = still_kept(cloud, &tracker.events()[..before]).await;
            let earlier = earlier.iter().map(|one| format!("{one} (kept)"));
            let mut left = vec![going];
            for one in staying.chain(earlier) {
                if !left.contains(&one) {
                    left.push(one);
                }
            }
            let left = left.join("; ");
            return Err(match late {
                Some(waited) => DeployError::StillDeleting {
                    stack: stack.name.clone(),
                    waited,
                    on: tracker.in_work().map(|work| work.logical.clone()).collect(),
                    left,
                },
                None => DeployError::Interrupted {
                    left: Some(left),
                    hint: None,
                },
            });
        }
        stop.pause(pace.poll).await;
    };
    let (earlier, events) = tracker.events().split_at(before);
    let mut all = kept(events);
    let before = still_kept(cloud, earlier).await;
    all.extend(before.into_iter().filter(|one| !kept(events).contains(one)));
    match ended {
        None => Ok(all.iter().map(ToString::to_string).collect()),
        Some(found) => Err(DeployError::NotDeleted {
            stack: stack.name.clone(),
            in_the_way: match cause::root_cause(events, &stack.id) {
                Some(event) => blocked::users(cloud, event, tracker.events()).await,
                None => None,
            },
            cause: cause::root_cause(events, &stack.id)
                .map(cause::describe)
                .or(found.reason),
            left: [format!("stack {} with its remaining resources", stack.name)]
                .into_iter()
                .chain(all.iter().map(|one| format!("{one} (kept)")))
                .chain(stack.protected.then(|| unprotected(stack)))
                .collect::<Vec<_>>()
                .join("; "),
        }),
    }
}

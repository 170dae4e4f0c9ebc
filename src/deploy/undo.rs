//! What a wish to stop comes to: a creation is deleted, an update goes back, or neither can be done.
//!
//! A deleted stack leaves its file system. Whoever stops the creation of a stack wants no file system, but wants no message
//! lost either. So it is deleted only when no client can have stored a message in it: the stack, and with it the file
//! system, was made by the operation that is being undone; no instance signalled service, which an agent does as soon as
//! its queue manager answers; and no target group had a healthy target when the deletion began, without which the load
//! balancer lets nobody through. Whatever of this cannot be read counts as not so.

use super::cause;
use super::execute::token;
use super::kept::{Kept, kept};
use super::plan::Plan;
use super::ports::{Event, Stacks};
use super::watch::{Observer, Pace, Step};
use crate::cloud::AwsError;
use crate::model::{FileSystemId, StackId};
use crate::observe::ports::{Readings, Target};
use crate::remedy::Remedy;

const TARGET_GROUP: &str = "AWS::ElasticLoadBalancingV2::TargetGroup";

/// Attempts to delete a file system whose mount targets are on their way out.
const ATTEMPTS: usize = 30;

/// What was done about a wish to stop.
#[derive(Debug, Clone)]
pub(super) enum Undo {
    /// The stack that the operation creates is being deleted; whether it had no healthy target until then.
    Deleting {
        /// No client can have come through the load balancer.
        unreached: bool,
    },
    /// The update is being rolled back.
    GoingBack,
    /// The stack is past the point where its update can be cancelled: done, or going back by itself.
    TooLate,
    /// A file system is being adopted, which takes seconds and has no way back.
    Adopting,
    /// CloudFormation did not take the wish; the operation goes on.
    Refused(AwsError),
}

impl std::fmt::Display for Undo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Deleting { .. } => f.write_str("deleting the resources created so far"),
            Self::GoingBack => f.write_str("rolling back the update"),
            Self::TooLate => f.write_str("too late to cancel: the update has completed, or is already rolling back"),
            Self::Adopting => f.write_str("too late to cancel: an import is followed to its end"),
            Self::Refused(error) => write!(f, "not canceled, the operation continues: {}", error.told()),
        }
    }
}

impl Undo {
    /// What to do about a wish that was not taken.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(error) => error.hint(),
            Self::Deleting { .. } | Self::GoingBack | Self::TooLate | Self::Adopting => None,
        }
    }

    /// Whether no client can have stored a message in what the deletion kept.
    pub(super) fn may_clear(&self, events: &[Event]) -> bool {
        matches!(self, Self::Deleting { unreached: true }) && cause::signal(events).is_none()
    }
}

/// Undoes an operation under way; `None` when the call failed in a way that may pass. `events` are those since its beginning.
pub(super) async fn begin<C: Readings + Stacks>(
    cloud: &C,
    plan: &Plan,
    stack_id: &str,
    events: &[Event],
) -> Option<Undo> {
    if plan.adopts.is_some() {
        return Some(Undo::Adopting);
    }
    if is_overtaken(events, plan, stack_id) {
        return Some(Undo::TooLate);
    }
    let (done, asked) = if plan.fresh {
        let unreached = unreached(cloud, stack_id).await;
        let asked = delete_stack(cloud, stack_id, plan.role.as_deref(), "undo").await;
        (Undo::Deleting { unreached }, asked)
    } else {
        (Undo::GoingBack, cloud.cancel_update(stack_id).await)
    };
    match asked {
        Ok(()) => Some(done),
        Err(error) if error.is_transient() => None,
        Err(error) if error.is_wrong_status() => Some(Undo::TooLate),
        Err(error) => Some(Undo::Refused(error)),
    }
}

/// Asks for the deletion of a stack by its own id, and of nothing that has no such id.
pub(super) async fn delete_stack<C: Stacks>(
    cloud: &C,
    id: &str,
    role: Option<&str>,
    reason: &str,
) -> Result<(), AwsError> {
    let id = StackId::new(id).map_err(|invalid| AwsError::no_id("cloudformation:DeleteStack", &invalid))?;
    cloud.delete_stack(&id, role, &token(reason)).await
}

/// Whether ours is over and what goes on is another's operation, which is not ours to stop.
fn is_overtaken(events: &[Event], plan: &Plan, stack_id: &str) -> bool {
    let updates = events
        .iter()
        .filter(|e| e.is_of_stack(stack_id) && e.status == "UPDATE_IN_PROGRESS");
    updates.count() > usize::from(!plan.fresh)
}

async fn unreached<C: Readings>(cloud: &C, stack_id: &str) -> bool {
    let Ok(resources) = cloud.resources(stack_id).await else {
        return false;
    };
    let groups = resources.iter().filter(|r| r.kind == TARGET_GROUP);
    for arn in groups.filter_map(|r| r.physical.as_deref()) {
        match cloud.targets(arn).await {
            Ok(targets) if !targets.iter().any(Target::is_healthy) => {}
            _ => return false,
        }
    }
    true
}

/// Deletes the file systems among what was kept that the operation itself made; returns those that are deleted.
pub(super) async fn clear<C: Stacks>(
    cloud: &C,
    events: &[Event],
    pace: Pace,
    observer: &mut impl Observer,
) -> Vec<Kept> {
    let made = |one: &Kept| {
        let mut of_it = events.iter().filter(|e| e.physical.as_deref() == Some(&one.id));
        of_it.any(|e| e.status.starts_with("CREATE_"))
    };
    let mut cleared = Vec::new();
    for one in kept(events).iter().filter(|k| k.is_file_system() && made(k)) {
        match delete(cloud, &one.id, pace).await {
            Ok(()) => {
                observer.tell(Step::Note(format!(
                    "{one} deleted: no client could have connected to it"
                )));
                cleared.push(one.clone());
            }
            Err(error) => observer.tell(Step::Note(format!("{one} not deleted: {}", error.told()))),
        }
    }
    cleared
}

async fn delete<C: Stacks>(cloud: &C, id: &str, pace: Pace) -> Result<(), AwsError> {
    let id =
        FileSystemId::new(id).map_err(|invalid| AwsError::no_id("elasticfilesystem:DeleteFileSystem", &invalid))?;
    let mut attempt = 1;
    loop {
        match cloud.delete_file_system(&id).await {
            // A mount target may be seen for a moment after it was deleted.
            Err(error) if attempt < ATTEMPTS && (error.is_transient() || error.is_in_use()) => {
                attempt += 1;
                tokio::time::sleep(pace.poll).await;
            }
            done => return done,
        }
    }
}

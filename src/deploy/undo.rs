//! What a wish to stop comes to: a creation is deleted, an update goes back, or neither can be done.

use super::execute::token;
use super::plan::Plan;
use super::ports::Stacks;
use crate::aws::AwsError;
use crate::remedy::Remedy;

/// What was done about a wish to stop.
#[derive(Debug, Clone)]
pub(super) enum Undo {
    /// The stack that the operation creates is being deleted.
    Deleting,
    /// The update is being rolled back.
    GoingBack,
    /// The stack is past the point where its update can be cancelled: done, or going back by itself.
    TooLate,
    /// CloudFormation did not take the wish; the operation goes on.
    Refused(AwsError),
}

impl std::fmt::Display for Undo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Deleting => f.write_str("deleting what was created so far"),
            Self::GoingBack => f.write_str("rolling the update back"),
            Self::TooLate => f.write_str("too late to cancel: the update is over, or goes back already"),
            Self::Refused(error) => write!(f, "not stopped, the operation goes on: {}", error.told()),
        }
    }
}

impl Undo {
    /// What to do about a wish that was not taken.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(error) => error.hint(),
            Self::Deleting | Self::GoingBack | Self::TooLate => None,
        }
    }
}

/// Undoes an operation under way; `None` when the call failed in a way that may pass.
pub(super) async fn undo<C: Stacks>(cloud: &C, plan: &Plan, stack_id: &str) -> Option<Undo> {
    let (done, asked) = if plan.fresh {
        let asked = cloud.delete_stack(stack_id, plan.role.as_deref(), &token("undo")).await;
        (Undo::Deleting, asked)
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

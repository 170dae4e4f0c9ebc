//! Why a queue manager was not moved, what that leaves, and what to do.

use crate::cloud::AwsError;
use crate::observe::ports::{ReadError, StackBusy};
use crate::observe::state::Blocker;
use crate::remedy::{ExitKind, NOTHING, Remedy};
use std::time::Duration;

/// Why the queue manager was not moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// AWS or an agent did not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A call to AWS failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// An operation on the stack is going on, which a move would disturb.
    #[error(transparent)]
    Busy(#[from] StackBusy),
    /// An operator keeps it from serving.
    #[error("stack {stack} cannot be moved: {blocker}")]
    Blocked {
        /// Stack.
        stack: String,
        /// What somebody ordered.
        blocker: Blocker,
    },
    /// It does not serve, so that there is nothing to move.
    #[error("stack {stack} is `{state}`, not `serving`, so its queue manager cannot be moved")]
    NotServing {
        /// Stack.
        stack: String,
        /// Its state.
        state: String,
    },
    /// No host is ready to take over.
    #[error("no standby of stack {stack} is ready to take over")]
    NoStandby {
        /// Stack.
        stack: String,
    },
    /// The group was asked for no instance, and may still want none.
    #[error("the capacity of group {group} could not be restored")]
    NoCapacity {
        /// Name of the group.
        group: String,
        /// Why.
        source: AwsError,
    },
    /// It does not serve again in time.
    #[error("the queue manager of stack {stack} was not in service within {limit:?}: {seen}")]
    Late {
        /// Stack.
        stack: String,
        /// How long was waited.
        limit: Duration,
        /// What was seen last.
        seen: String,
    },
    /// The user wants to stop; what was begun goes on.
    #[error("interrupted")]
    Interrupted {
        /// Stack.
        stack: String,
    },
}

impl Remedy for MoveError {
    fn exit(&self) -> ExitKind {
        match self {
            Self::Read(error) => error.exit(),
            Self::Aws(error) => error.exit(),
            Self::Busy(error) => error.exit(),
            Self::NoCapacity { .. } => ExitKind::Remote,
            Self::Blocked { .. } | Self::NotServing { .. } | Self::NoStandby { .. } => ExitKind::Precondition,
            Self::Late { .. } => ExitKind::NoRecovery,
            Self::Interrupted { .. } => ExitKind::Interrupted,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Read(error) => error.hint(),
            Self::Aws(error) => error.hint(),
            Self::Busy(error) => error.hint(),
            Self::NoCapacity { group, source } => Some(format!(
                "to restore it, run {}{}",
                Blocker::NoCapacity { group: group.clone() }.remedy(),
                source.hint().map(|hint| format!("; {hint}")).unwrap_or_default()
            )),
            Self::Blocked { blocker, .. } => Some(format!("to resolve this: {}", blocker.remedy())),
            Self::NotServing { stack, .. } | Self::Late { stack, .. } | Self::Interrupted { stack } => {
                Some(format!("check `mqaws status --stack {stack}`"))
            }
            Self::NoStandby { stack } => Some(format!(
                "wait until `mqaws status --stack {stack}` shows a standby; to end the queue manager anyway, which is an outage until a host \
                 can start it, add --without-standby"
            )),
        }
    }

    fn left(&self) -> Option<String> {
        match self {
            Self::Blocked { .. } | Self::NotServing { .. } | Self::NoStandby { .. } => Some(NOTHING.into()),
            Self::Busy(error) => error.left(),
            Self::Late { stack, .. } | Self::Interrupted { stack } => Some(under_way(stack)),
            Self::NoCapacity { group, .. } => Some(format!("group {group}, which may want no instance")),
            Self::Read(_) | Self::Aws(_) => None,
        }
    }
}

/// What a move leaves that is not followed to its end.
pub(super) fn under_way(stack: &str) -> String {
    format!("the move of stack {stack}, which may continue without mqaws")
}

//! The local cloud of `--local`.

use super::{CliError, Context, Failure};
use crate::aws::LocalCloud;

/// Whether a verb starts a local cloud that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It does: `deploy`, `plan`.
    IfNeeded,
    /// It does not.
    Never,
}

/// The running local cloud of this user.
///
/// # Errors
/// [`CliError::Precondition`] when none runs and none is to be started.
pub async fn cloud(_context: &Context, _start: Start) -> Result<LocalCloud, Failure> {
    Err(none_runs().into())
}

fn none_runs() -> CliError {
    CliError::Precondition {
        message: "no local cloud is running".into(),
        hint: Some("start one with `mqaws lab up`, or let `mqaws deploy --local` start it".into()),
    }
}

//! The local cloud of `--local`.

use super::words::row;
use super::{CliError, Context, Failure, timed};
use crate::aws::LocalCloud;
use crate::lab::client::{self, ClientError, Options};
use crate::lab::home::LabRecord;
use std::time::Instant;

/// Whether a verb starts a local cloud that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It does: `deploy`.
    IfNeeded,
    /// It does not.
    Never,
}

/// The local cloud of this user.
///
/// # Errors
/// [`CliError::Precondition`] when none runs and none is to be started; [`ClientError`] when it does not start.
pub async fn cloud(context: &Context, start: Start) -> Result<LocalCloud, Failure> {
    let began = Instant::now();
    if let Some(record) = client::find() {
        return Ok(access(&record));
    }
    if start == Start::Never {
        return Err(none_runs().into());
    }
    let lab = blocking(|| client::start(&Options::default())).await?;
    let line = row("cloud", format!("{} (local, started)", lab.record.endpoint));
    context.progress().line(timed(&line, began.elapsed()));
    Ok(access(&lab.record))
}

/// How to reach a local cloud.
pub(super) fn access(record: &LabRecord) -> LocalCloud {
    LocalCloud {
        endpoint: record.endpoint.clone(),
        region: record.region.clone(),
        access_key_id: record.access_key_id.clone(),
        secret_access_key: record.secret_access_key.clone(),
    }
}

/// Starting and ending a local cloud waits for processes.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ClientError> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(CliError::Runtime(std::io::Error::other(error)).into()),
    }
}

fn none_runs() -> CliError {
    CliError::Precondition {
        message: "no local cloud is running".into(),
        hint: Some("start one with `mqaws lab up`, or let `mqaws deploy --local` start it".into()),
    }
}

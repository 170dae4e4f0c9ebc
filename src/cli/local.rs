//! The local cloud of `--local`.

use super::words::row;
use super::{CliError, Context, Failure, timed};
use crate::aws::LocalCloud;
use crate::lab::client::{self, ClientError, Options};
use crate::lab::home::LabRecord;
use crate::lab::timing::Timing;
use std::time::Instant;

/// Whether a verb starts a local cloud that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It does: `deploy`; one that runs must have the timing, when one is named.
    IfNeeded(Option<Timing>),
    /// It does not.
    Never,
}

/// The local cloud of this user.
///
/// # Errors
/// [`CliError::Precondition`] when none runs and none is to be started, or one with another timing runs; [`ClientError`] when it does not start.
pub async fn cloud(context: &Context, start: Start) -> Result<LocalCloud, Failure> {
    let began = Instant::now();
    let wanted = match start {
        Start::IfNeeded(timing) => timing,
        Start::Never => None,
    };
    // It may also be somebody else's that was started at this moment.
    let fits = |record: LabRecord| match wanted {
        Some(timing) if timing != record.timing => Err(runs_already(record.timing).into()),
        _ => Ok(access(&record)),
    };
    if let Some(record) = client::find() {
        return fits(record);
    }
    if start == Start::Never {
        return Err(none_runs().into());
    }
    let options = Options {
        timing: wanted.unwrap_or_default(),
        ..Options::default()
    };
    let lab = blocking(move || client::start(&options)).await?;
    let line = row("cloud", format!("{} (local, started)", lab.record.endpoint));
    context.progress().line(timed(&line, began.elapsed()));
    fits(lab.record.clone())
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

/// The error for a local cloud that runs at another speed than the one that is asked for.
pub(super) fn runs_already(runs: Timing) -> CliError {
    CliError::Precondition {
        message: format!(
            "a local cloud runs already, with {} timing and its own options",
            runs.name()
        ),
        hint: Some("`mqaws lab down` ends it; then start it as you want it".into()),
    }
}

fn none_runs() -> CliError {
    CliError::Precondition {
        message: "no local cloud is running".into(),
        hint: Some("start one with `mqaws lab up`, or let `mqaws deploy --local` start it".into()),
    }
}

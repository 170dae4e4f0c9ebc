//! The local cloud of `--local`.

mod software;

use super::lab::LabError;
use super::words::row;
use super::{CliError, Context, Failure, timed};
use crate::aws::LocalCloud;
use crate::model::Engine;
use mqaws_lab::client::{self, ClientError, Options, Stopped};
use mqaws_lab::home::LabRecord;
use mqaws_lab::hosts::Hosts;
use mqaws_lab::timing::Timing;
use std::time::Instant;

pub(super) use software::{SOFTWARE, has, software};

/// What a verb asks of the local cloud that it starts or finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LabOptions {
    /// Speed.
    pub timing: Option<Timing>,
    /// What instances are made of.
    pub hosts: Option<Hosts>,
}

impl LabOptions {
    fn fits(self, record: &LabRecord) -> bool {
        self.timing.is_none_or(|timing| timing == record.timing) && self.hosts.is_none_or(|hosts| hosts == record.hosts)
    }
}

/// Whether a verb starts a local cloud that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It does: `deploy`; one that runs must have what is named.
    IfNeeded(LabOptions),
    /// It does not.
    Never,
}

/// The local cloud of this user.
///
/// # Errors
/// [`CliError::Precondition`] when none runs and none is to be started, another kind of one runs, or its hosts would not have the engine
/// that is deployed; [`LabError`] when it does not start.
pub async fn cloud(context: &Context, start: Start, engine: Engine) -> Result<LocalCloud, Failure> {
    let began = Instant::now();
    let wanted = match start {
        Start::IfNeeded(wanted) => wanted,
        Start::Never => LabOptions::default(),
    };
    // It may also be somebody else's that was started at this moment.
    let fits = |record: LabRecord| match wanted.fits(&record) {
        true => Ok(access(&record)),
        false => Err(runs_already(&record).into()),
    };
    if let Some(record) = client::find() {
        if start != Start::Never {
            software::has(engine, &record.software)?;
        }
        return fits(record);
    }
    if start == Start::Never {
        return Err(none_runs().into());
    }
    let software = software();
    software::has(engine, &software)?;
    let options = Options {
        timing: wanted.timing.unwrap_or_default(),
        hosts: wanted.hosts.unwrap_or_default(),
        software,
        ..Options::default()
    };
    let lab = blocking(move || client::start(&options)).await?;
    if let Some(cleared) = cleared(&lab) {
        context.output().note(cleared);
    }
    let line = row("cloud", format!("{} (local, started)", lab.record.endpoint));
    context.progress().line(timed(&line, began.elapsed()));
    fits(lab.record.clone())
}

/// What an earlier local cloud had left in the same place, file systems and volumes above all, and is gone now.
pub(super) fn cleared(lab: &client::Lab) -> Option<String> {
    let cleared = lab.cleared.as_ref()?;
    let anything = cleared.killed > 0 || !cleared.file_systems.is_empty() || !cleared.volumes.is_empty();
    anything.then(|| row("cleared", what_is_gone("an earlier local cloud", cleared)))
}

/// What goes with a local cloud.
pub(super) fn what_is_gone(what: &str, stopped: &Stopped) -> String {
    let mut text = what.to_owned();
    for (kind, ids) in [("file systems", &stopped.file_systems), ("volumes", &stopped.volumes)] {
        if !ids.is_empty() {
            text.push_str(&format!(", its {kind} {}", ids.join(", ")));
        }
    }
    if stopped.killed > 0 {
        text.push_str(&format!(", {} leftover processes", stopped.killed));
    }
    text
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
        Ok(done) => Ok(done.map_err(LabError)?),
        Err(error) => Err(CliError::Runtime(std::io::Error::other(error)).into()),
    }
}

/// The error for a local cloud that runs and is not what is asked for.
pub(super) fn runs_already(runs: &LabRecord) -> CliError {
    CliError::Precondition {
        message: format!(
            "a local cloud with different options is already running: {} hosts, {} timing",
            runs.hosts.name(),
            runs.timing.name()
        ),
        hint: Some("stop it with `mqaws lab down`, then start it with the options that you want".into()),
    }
}

fn none_runs() -> CliError {
    CliError::Precondition {
        message: "no local cloud is running".into(),
        hint: Some("start one with `mqaws lab up`, or let `mqaws deploy --local` start it".into()),
    }
}

//! What comes after a test: undoing what one left, counting its ledger again, showing its report again, comparing two.

use super::{heal_command, journals, stack};
use crate::cli::local::Start;
use crate::cli::pipeline::Published;
use crate::cli::reports::read;
use crate::cli::rto_values::RtoValues;
use crate::cli::words::row;
use crate::cli::{CliError, Context, Outcome, settings};
use crate::failover::archive::recount;
use crate::failover::port::TestBed;
use crate::failover::report::compare::{compare as compared, comparison, differences, shared_rounds};
use crate::failover::{self, FailoverError, Report, text};
use crate::remedy::ExitKind;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Undoes what a broken-off test left.
pub(super) fn heal(context: &Context, stack_name: Option<String>, force: bool, timeout: Duration) -> Outcome {
    let (loaded, name) = stack(context, stack_name)?;
    let interrupt = context.interrupt()?;
    context.block_on(async {
        let clients = context.clients(&loaded.deployment, Start::Never).await?;
        interrupt
            .or(settings::same_queue_manager(&clients, &loaded, "failover-test heal"))
            .await?;
        if !clients.is_local() {
            clients.target(&name).await.map_err(FailoverError::from)?;
            context.confirm_name(
                "Ending the faults of a test, deleting its queues, and removing its mark",
                &name,
            )?;
        }
        // A test in a local cloud has no journal: what lies there is of another place.
        let journals = journals().filter(|_| !clients.is_local());
        let command = heal_command(context, &name);
        interrupt.remains(format!(
            "possibly a fault, queues MQAWS.PROBE.*, and the mark of a test on {name}; to clean up, run `{command}`"
        ));
        let shown = context.progress().wait(row("", format!("healing {name}")));
        let left = failover::heal(
            &clients,
            &name,
            journals.as_deref(),
            force,
            &command,
            timeout,
            interrupt.receiver(),
        )
        .await;
        drop(shown);
        let left = left?;
        let output = context.output();
        if output.is_json() {
            output.document(&json!({ "schema": "mqaws.heal/1", "stack": name, "left": left }));
        }
        if left.is_empty() {
            output.data(row(
                "healed",
                format!("{name}: no faults, queues, or mark of a test remain"),
            ));
            return Ok(ExitKind::Success);
        }
        output.data(row("left", left.join("; ")));
        Ok(ExitKind::Remote)
    })
}

/// Counts a ledger file again.
pub(super) fn verify(context: &Context, file: &Path) -> Outcome {
    let rounds = recount(file).map_err(|error| CliError::Precondition {
        message: format!("cannot recount `{}`: {error}", file.display()),
        hint: Some("specify a ledger.bin file that a failover test wrote".into()),
    })?;
    let output = context.output();
    let mut exit = ExitKind::Success;
    for round in &rounds {
        let counts = &round.account.persistent;
        let lost = round
            .account
            .lost
            .map_or_else(|| "the drain did not complete".into(), |lost| format!("{lost} lost"));
        output.data(row(
            "round",
            format!(
                "{}: {} acknowledged, {lost}, {} missing",
                round.run_id, counts.acked, counts.missing
            ),
        ));
        let this = match round.account.lost {
            Some(0) => ExitKind::Success,
            Some(_) => ExitKind::Lost,
            None => ExitKind::Inconclusive,
        };
        exit = exit.worse(this);
    }
    if output.is_json() {
        let rounds: Vec<_> = rounds
            .iter()
            .map(|round| json!({ "run_id": round.run_id, "ledger": round.account }))
            .collect();
        output.document(&json!({ "schema": "mqaws.recount/1", "rounds": rounds }));
    }
    Ok(if rounds.is_empty() {
        ExitKind::Inconclusive
    } else {
        exit
    })
}

/// Shows reports again, and writes their files for a pipeline.
pub(super) fn report(
    context: &Context,
    paths: &[PathBuf],
    values: Option<&Path>,
    files: impl FnOnce() -> Result<Published, CliError>,
) -> Outcome {
    let mut reports = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    if let Some(values) = values.map(RtoValues::read).transpose()? {
        for report in &mut reports {
            let parameters = report.model.clone().unwrap_or_default().parameters;
            report.set_model(RtoValues::model(Some(&values), parameters)?);
        }
    }
    let files = files()?;
    let output = context.output();
    for (path, report) in paths.iter().zip(&reports) {
        output.data(row("report", path.display().to_string()));
        output.data(text::load(&report.load));
        for run in &report.runs {
            output.data(text::run(run));
        }
        output.data(text::summary(report));
    }
    let all: Vec<&Report> = reports.iter().collect();
    let published = files.publish(context, &all);
    if output.is_json() {
        output.document(&json!({ "schema": "mqaws.reports/1", "reports": reports }));
    }
    let worst = reports
        .iter()
        .map(Report::exit)
        .fold(ExitKind::Success, ExitKind::worse);
    Ok(match worst {
        ExitKind::Success => published,
        worst => worst,
    })
}

/// Says whether it got worse from one test to another.
pub(super) fn compare(context: &Context, paths: [&Path; 2], tolerance: Duration, allow_different: bool) -> Outcome {
    let [a, b] = [read(paths[0])?, read(paths[1])?];
    let shared = shared_rounds(&a, &b);
    if shared > 0 {
        return Err(CliError::Precondition {
            message: format!("both reports contain the same rounds ({shared})"),
            hint: Some("specify the reports of two tests".into()),
        }
        .into());
    }
    let different = differences(&a, &b);
    if !different.is_empty() && !allow_different {
        return Err(CliError::Precondition {
            message: format!("the tests are of different kinds: {}", different.join("; ")),
            hint: Some("compare tests that differ only in what was changed, or add --allow-different".into()),
        }
        .into());
    }
    let tolerated_ns = i64::try_from(tolerance.as_nanos()).unwrap_or(i64::MAX);
    let compared = compared(&a, &b, tolerated_ns);
    let output = context.output();
    for (side, path) in ["A", "B"].into_iter().zip(paths) {
        output.data(row(side, path.display().to_string()));
    }
    if !tolerance.is_zero() {
        output.data(row(
            "ignored",
            format!("increases up to {:.3} s", tolerance.as_secs_f64()),
        ));
    }
    output.data(comparison(&compared));
    if output.is_json() {
        output.document(&compared);
    }
    Ok(compared.outcome.exit())
}

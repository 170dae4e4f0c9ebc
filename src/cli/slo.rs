//! The verb `slo`: whether an objective of availability is met, from the reports of failover tests.

use super::reports::read;
use super::{CliError, Context, Outcome};
use crate::failover::slo::{DEFAULT_OBJECTIVE, Inputs, NoAnswer, Rate, Source, Swaps, answer, text};
use crate::remedy::ExitKind;
use std::path::PathBuf;

/// Arguments of `slo`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws slo report.json\n  mqaws slo report.json report-2.json --swaps 12 --faults 2/year --objective 99.99\n  mqaws slo report.json --faults kill-queue-manager=2/year --faults terminate-instance=1/2years\n  mqaws slo report.json --faults-seen 0/3months --require-slo\n\nWithout --require-slo, the answer does not change the exit code."
)]
pub struct Args {
    /// Reports that tests wrote
    #[arg(value_name = "REPORT", required = true)]
    pub reports: Vec<PathBuf>,
    /// Availability objective, in percent of a year
    #[arg(long, value_name = "PERCENT", default_value_t = DEFAULT_OBJECTIVE, value_parser = percent)]
    pub objective: f64,
    /// Planned swaps of the instance per year [default: 26, one every two weeks]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=100_000))]
    pub swaps: Option<u32>,
    /// Assumed faults, such as 2/year; repeatable with a rate for each fault, such as kill-queue-manager=2/year [default: 2/year]
    #[arg(long, value_name = "[FAULT=]N/TIME")]
    pub faults: Vec<Rate>,
    /// Faults observed in operation, such as 0/3months; a longer record makes the rate more certain
    #[arg(long, value_name = "[FAULT=]N/TIME")]
    pub faults_seen: Vec<Rate>,
    /// Number of years to simulate
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1000..=1_000_000))]
    pub draws: u32,
    /// Seed of the simulation; the same seed gives the same answer
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Exit with 14 if the objective is not met, or with 20 if there are too few rounds to determine it
    #[arg(long)]
    pub require_slo: bool,
}

/// Answers from reports.
///
/// # Errors
/// A report that cannot be read; reports that give no answer together.
pub fn run(context: &Context, args: Args) -> Outcome {
    let inputs = inputs(&args)?;
    let reports = args
        .reports
        .iter()
        .map(|path| read(path))
        .collect::<Result<Vec<_>, _>>()?;
    let all: Vec<_> = reports.iter().collect();
    let answer = answer(&all, &inputs).map_err(|error| CliError::Precondition {
        message: format!("cannot answer from these reports: {error}"),
        hint: Some(hint(&error)),
    })?;
    let output = context.output();
    output.data(text(&answer));
    if output.is_json() {
        output.document(&answer);
    }
    Ok(match args.require_slo {
        true => answer.fit.exit(),
        false => ExitKind::Success,
    })
}

fn hint(error: &NoAnswer) -> String {
    match error {
        NoAnswer::NothingMeasured => "to measure outages, run `mqaws failover-test --rounds 10`".to_owned(),
        NoAnswer::SharedRounds(_) => "specify each test once".to_owned(),
        NoAnswer::Different { .. } => "specify the reports of one kind".to_owned(),
        NoAnswer::NotMeasured(fault) => {
            format!("to measure it, add --fault {fault} to `mqaws failover-test --rounds 10`; or leave its rate out")
        }
    }
}

fn inputs(args: &Args) -> Result<Inputs, CliError> {
    let assumed = args.faults.iter().map(|rate| rate.from(Source::Assumed));
    let seen = args.faults_seen.iter().map(|rate| rate.from(Source::Seen));
    let faults: Vec<Rate> = assumed.chain(seen).collect();
    for (at, rate) in faults.iter().enumerate() {
        let usage = |message: String, hint: &str| CliError::Usage {
            message,
            hint: Some(hint.to_owned()),
        };
        if faults[..at].iter().any(|other| other.fault == rate.fault) {
            let whom = rate.fault.map_or("faults of any kind", |fault| fault.name());
            return Err(usage(
                format!("the rate of {whom} is specified twice"),
                "specify it once, with --faults or with --faults-seen",
            ));
        }
        if rate.fault.is_none() && faults.len() > 1 {
            return Err(usage(
                "a rate of faults of any kind cannot be combined with those of single faults".to_owned(),
                "specify one rate without a fault, or one for each fault",
            ));
        }
    }
    let swaps = args.swaps.map(|per_year| Swaps {
        per_year,
        source: Source::Assumed,
    });
    Ok(Inputs {
        objective: args.objective,
        swaps: swaps.unwrap_or_default(),
        faults: if faults.is_empty() {
            vec![Rate::default()]
        } else {
            faults
        },
        draws: args.draws as usize,
        seed: args.seed,
    })
}

fn percent(text: &str) -> Result<f64, String> {
    let value = text.trim_end_matches('%').trim().parse().ok();
    let valid = value.filter(|value: &f64| (1.0..100.0).contains(value));
    valid.ok_or_else(|| "must be a percentage from 1 to below 100, such as 99.99".to_owned())
}

#[cfg(test)]
mod tests {
    use crate::failover::slo::{DEFAULT_FAULTS, DEFAULT_SWAPS};

    #[test]
    fn the_help_names_the_defaults() {
        let help = crate::cli::command()
            .find_subcommand_mut("slo")
            .unwrap()
            .render_long_help()
            .to_string();
        assert!(help.contains(&format!("[default: {DEFAULT_SWAPS}, one")), "{help}");
        assert!(help.contains(&format!("[default: {DEFAULT_FAULTS}]")), "{help}");
    }
}

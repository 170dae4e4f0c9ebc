//! The verb `failover-test`.

mod afterwards;
mod beside;
mod limits;
mod show;
mod test;
mod times;

pub(super) use show::Show;
pub use test::Test;
pub(super) use times::{at_least, time};

use super::pipeline::{Files, Published};
use super::settings::{self, Settings};
use super::{Context, Failure, Outcome};
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `failover-test`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws failover-test --local\n  mqaws failover-test --region eu-west-1 --fault terminate-instance --max-rto 3m\n  mqaws failover-test --rounds 60 --fault kill-queue-manager\n  mqaws failover-test --local --faults all\n  mqaws failover-test --faults all --dry-run\n  mqaws failover-test --fault kill-queue-manager --max-rto kill-queue-manager=2s --junit junit.xml\n  mqaws failover-test heal --stack mqaws-qm1"
)]
pub struct Args {
    /// Action other than a test
    #[command(subcommand)]
    pub action: Option<Action>,
    /// The test.
    #[command(flatten)]
    pub test: Test,
}

/// Action other than a test.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Clean up after an interrupted test: end its faults, and delete its queues and its mark on the stack
    #[command(
        after_help = "Examples:\n  mqaws failover-test heal --stack mqaws-qm1\n\nmqaws refuses while the test is, or may be, running. On this machine, it checks the process of the test; a test on another machine renews its mark every minute, and the mark is valid for 15 minutes."
    )]
    Heal {
        /// Name of the stack [default: as configured, `mqaws-qm1`]
        #[arg(long, value_name = "NAME")]
        stack: Option<String>,
        /// Proceed even if the test is, or may be, running; this invalidates its measurement
        #[arg(long)]
        force: bool,
        /// Maximum time to wait for a queue manager or an instance that cannot be cleaned up yet
        #[arg(long, value_name = "TIME", value_parser = time, default_value = "2m")]
        timeout: Duration,
    },
    /// Recount the messages of a ledger file
    #[command(after_help = "Examples:\n  mqaws failover-test verify ledger.bin")]
    Verify {
        /// Ledger that a test wrote next to its report
        #[arg(value_name = "FILE", default_value = "ledger.bin")]
        file: PathBuf,
    },
    /// Show existing reports, and write the files for a pipeline
    #[command(
        after_help = "Examples:\n  mqaws failover-test report report.json\n  mqaws failover-test report --junit junit.xml report.json report-2.json\n  mqaws failover-test report --html report.html report.json\n\nThe exit code is that of the worst test."
    )]
    Report {
        /// Reports that tests wrote
        #[arg(value_name = "REPORT", required = true)]
        reports: Vec<PathBuf>,
        /// File with measured values of parameters of the model of an outage, such as ec2.launch: 41.5
        #[arg(long, value_name = "FILE")]
        rto_values: Option<PathBuf>,
        /// Files beside the report
        #[command(flatten)]
        files: Files,
    },
    /// Compare two tests: whether outages or losses got worse, with confidence intervals
    #[command(
        after_help = "Examples:\n  mqaws failover-test compare before.json after.json\n  mqaws failover-test compare --tolerance 100ms before.json after.json\n\nExits with 12 if outages got longer, with 10 if more rounds lose messages, and with 20 if there are too few rounds (each test requires at least 4)."
    )]
    Compare {
        /// Report of the earlier test
        #[arg(value_name = "A")]
        a: PathBuf,
        /// Report of the later test
        #[arg(value_name = "B")]
        b: PathBuf,
        /// Ignore increases up to this duration
        #[arg(long, value_name = "TIME", value_parser = time, default_value = "0s")]
        tolerance: Duration,
        /// Allow tests that differ in faults, load, timing, topology, or place (local cloud or AWS)
        #[arg(long)]
        allow_different: bool,
    },
}

/// Runs a test, or undoes one that was broken off.
///
/// # Errors
/// Those of [`crate::failover::run`] and [`crate::failover::heal`]; a report that cannot be written.
pub fn run(context: &Context, args: Args) -> Outcome {
    match args.action {
        Some(Action::Heal { stack, force, timeout }) => afterwards::heal(context, stack, force, timeout),
        Some(Action::Verify { file }) => afterwards::verify(context, &file),
        Some(Action::Report {
            reports,
            rto_values,
            files,
        }) => {
            // A report that cannot be read is found out before a file is tried.
            afterwards::report(context, &reports, rto_values.as_deref(), || Published::prepare(files))
        }
        Some(Action::Compare {
            a,
            b,
            tolerance,
            allow_different,
        }) => afterwards::compare(context, [&a, &b], tolerance, allow_different),
        None => test::run(context, args.test),
    }
}

fn stack(context: &Context, stack: Option<String>) -> Result<(crate::model::config::Loaded, String), Failure> {
    let loaded = settings::load(context, &Settings::of_stack(stack))?;
    let name = loaded.deployment.stack.to_string();
    Ok((loaded, name))
}

/// The command that undoes what a test left on this stack.
pub(super) fn heal_command(context: &Context, stack: &str) -> String {
    let command = format!("mqaws failover-test heal --stack {stack}");
    context.output().suggestions().command(&command)
}

/// Folder in which the changes of tests are written down, so that `heal` finds them.
fn journals() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    Some(state.join("mqaws"))
}

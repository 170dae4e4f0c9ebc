//! The verb `failover-test`.

use super::{CliError, Context, Outcome};

/// Arguments of `failover-test`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  mqaws failover-test")]
pub struct Args {}

/// Runs the verb.
///
/// # Errors
/// Always, until the verb exists.
pub fn run(_context: &Context, _args: Args) -> Outcome {
    Err(CliError::Precondition {
        message: "`failover-test` is not in this build".into(),
        hint: None,
    }
    .into())
}

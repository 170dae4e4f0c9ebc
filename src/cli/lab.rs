//! The verb `lab`.

use super::{CliError, Context, Outcome};

/// Arguments of `lab`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  mqaws lab")]
pub struct Args {}

/// Runs the verb.
///
/// # Errors
/// Always, until the verb exists.
pub fn run(_context: &Context, _args: Args) -> Outcome {
    Err(CliError::Precondition {
        message: "`lab` is not in this build".into(),
        hint: None,
    }
    .into())
}

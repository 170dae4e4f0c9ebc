//! The verb `validate`.

use super::{CliError, Context, Outcome};

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  mqaws validate")]
pub struct Args {}

/// Runs the verb.
///
/// # Errors
/// Always, until the verb exists.
pub fn run(_context: &Context, _args: Args) -> Outcome {
    Err(CliError::Precondition {
        message: "`validate` is not in this build".into(),
        hint: None,
    }
    .into())
}

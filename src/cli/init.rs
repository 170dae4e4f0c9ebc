//! The verb `init`.

use super::{CliError, Context, Outcome};

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  mqaws init")]
pub struct Args {}

/// Runs the verb.
///
/// # Errors
/// Always, until the verb exists.
pub fn run(_context: &Context, _args: Args) -> Outcome {
    Err(CliError::Precondition {
        message: "`init` is not in this build".into(),
        hint: None,
    }
    .into())
}

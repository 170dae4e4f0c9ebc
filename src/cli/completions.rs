//! The verb `completions`.

use super::{Context, Outcome, command};
use crate::remedy::ExitKind;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  mqaws completions bash > ~/.local/share/bash-completion/completions/mqaws")]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Prints the completion script of a shell.
///
/// # Errors
/// None.
pub fn run(context: &Context, args: Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "mqaws", &mut script);
    context.output().raw(&String::from_utf8_lossy(&script));
    Ok(ExitKind::Success)
}

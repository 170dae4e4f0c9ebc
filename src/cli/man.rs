//! The verb `man`.

use super::{CliError, Context, Failure, Outcome, command};
use crate::remedy::ExitKind;

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  mqaws man | man -l -\n  mqaws man deploy > mqaws-deploy.1")]
pub struct Args {
    /// The verb; without one, the page of mqaws itself
    #[arg(value_name = "VERB")]
    pub verb: Option<String>,
}

/// Prints a manual page in roff.
///
/// # Errors
/// [`CliError::Usage`] for a verb that does not exist.
pub fn run(context: &Context, args: Args) -> Outcome {
    let mut tree = command();
    tree.build();
    let page = match &args.verb {
        None => tree,
        Some(verb) => tree.find_subcommand(verb).cloned().ok_or_else(|| CliError::Usage {
            message: format!("no verb `{verb}`"),
            hint: Some("`mqaws --help` lists them".into()),
        })?,
    };
    let mut roff = Vec::new();
    clap_mangen::Man::new(page).render(&mut roff).map_err(|source| {
        Failure::from(CliError::File {
            action: "write",
            path: "the page".into(),
            source,
        })
    })?;
    context.output().raw(&String::from_utf8_lossy(&roff));
    Ok(ExitKind::Success)
}

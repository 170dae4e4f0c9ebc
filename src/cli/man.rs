//! The verb `man`.

use super::{CliError, Context, Failure, Outcome, command};
use crate::remedy::ExitKind;
use std::path::{Path, PathBuf};

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws man | man -l -\n  mqaws man lab up > mqaws-lab-up.1\n  mqaws man --write ~/.local/share/man/man1"
)]
pub struct Args {
    /// The verb; without one, the page of mqaws itself
    #[arg(value_name = "VERB")]
    pub verb: Vec<String>,
    /// Write the pages of every verb into this directory instead
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "verb")]
    pub write: Option<PathBuf>,
}

/// Prints a manual page in roff, or writes all of them.
///
/// # Errors
/// [`CliError::Usage`] for a verb that does not exist, [`CliError::File`].
pub fn run(context: &Context, args: Args) -> Outcome {
    let mut tree = without_help(command());
    tree.build();
    if let Some(directory) = &args.write {
        std::fs::create_dir_all(directory).map_err(|source| file("create", directory, source))?;
        clap_mangen::generate_to(tree, directory).map_err(|source| file("write the pages into", directory, source))?;
        return Ok(ExitKind::Success);
    }
    let mut page = tree;
    for (depth, verb) in args.verb.iter().enumerate() {
        page = page.find_subcommand(verb).cloned().ok_or_else(|| CliError::Usage {
            message: format!("no verb `{}`", args.verb[..=depth].join(" ")),
            hint: Some("`mqaws --help` lists them".into()),
        })?;
    }
    let mut roff = Vec::new();
    clap_mangen::Man::new(page)
        .render(&mut roff)
        .map_err(|source| file("write", Path::new("the page"), source))?;
    context.output().raw(&String::from_utf8_lossy(&roff));
    Ok(ExitKind::Success)
}

/// The pages of `help deploy` and its like say what those of `deploy` say.
fn without_help(command: clap::Command) -> clap::Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

fn file(action: &'static str, path: &Path, source: std::io::Error) -> Failure {
    CliError::File {
        action,
        path: path.to_owned(),
        source,
    }
    .into()
}

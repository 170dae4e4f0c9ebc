//! The verb `man`.

use super::written::{self, NewFile};
use super::{CliError, Context, Outcome, command};
use crate::remedy::ExitKind;
use std::path::PathBuf;

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
/// [`CliError::Usage`] for a verb that does not exist, [`CliError::Write`].
pub fn run(context: &Context, args: Args) -> Outcome {
    let mut tree = without_help(command());
    tree.build();
    if let Some(directory) = &args.write {
        let mut pages = Vec::new();
        collect(&tree, &mut pages)?;
        let files: Vec<NewFile<'_>> = pages
            .iter()
            .map(|(name, page)| NewFile {
                path: directory.join(name),
                content: page,
                mode: None,
                replaces: true,
            })
            .collect();
        written::write_with_folders(&files)?;
        return Ok(ExitKind::Success);
    }
    let mut page = tree;
    for (depth, verb) in args.verb.iter().enumerate() {
        page = page.find_subcommand(verb).cloned().ok_or_else(|| CliError::Usage {
            message: format!("no verb `{}`", args.verb[..=depth].join(" ")),
            hint: Some("`mqaws --help` lists them".into()),
        })?;
    }
    context.output().raw(&String::from_utf8_lossy(&roff(page)?));
    Ok(ExitKind::Success)
}

/// The page of a verb.
fn roff(verb: clap::Command) -> Result<Vec<u8>, CliError> {
    let mut roff = Vec::new();
    clap_mangen::Man::new(verb)
        .render(&mut roff)
        .map_err(|source| CliError::File {
            action: "write",
            path: "the page".into(),
            source,
        })?;
    Ok(roff)
}

/// The pages of a verb and of those below it, with their files' names.
fn collect(verb: &clap::Command, pages: &mut Vec<(String, Vec<u8>)>) -> Result<(), CliError> {
    for below in verb.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        collect(below, pages)?;
    }
    let name = clap_mangen::Man::new(verb.clone()).get_filename();
    pages.push((name, roff(verb.clone())?));
    Ok(())
}

/// The pages of `help deploy` and its like say what those of `deploy` say.
fn without_help(command: clap::Command) -> clap::Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

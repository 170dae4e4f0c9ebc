//! The verb `man`.

use super::reference::Reference;
use super::written::{self, NewFile};
use super::{CliError, Context, Outcome, command};
use crate::remedy::ExitKind;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use jiff::Timestamp;
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws man | man -l -\n  mqaws man lab up > mqaws-lab-up.1\n  mqaws man --write ~/.local/share/man/man1"
)]
pub struct Args {
    /// Verb [default: the page of mqaws itself]
    #[arg(value_name = "VERB")]
    pub verb: Vec<String>,
    /// Write the pages of all verbs to this folder instead
    #[arg(long, value_name = "FOLDER", conflicts_with = "verb")]
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
        written::write_into(directory, &files)?;
        return Ok(ExitKind::Success);
    }
    let mut page = tree;
    for (depth, verb) in args.verb.iter().enumerate() {
        page = page.find_subcommand(verb).cloned().ok_or_else(|| CliError::Usage {
            message: format!("unknown verb `{}`", args.verb[..=depth].join(" ")),
            hint: Some("to list all verbs, run `mqaws --help`".into()),
        })?;
    }
    context.output().raw(&String::from_utf8_lossy(&roff(page)?));
    Ok(ExitKind::Success)
}

/// The page of a verb.
fn roff(verb: clap::Command) -> Result<Vec<u8>, CliError> {
    let name = verb.get_display_name().unwrap_or_else(|| verb.get_name()).to_owned();
    let words = verb
        .get_bin_name()
        .and_then(|name| name.split_once(' '))
        .map_or("", |(_, words)| words)
        .to_owned();
    let mut page = String::new();
    let man = Man::new(verb.clone())
        .title(name.clone())
        .date(date())
        .source(concat!("mqaws ", env!("CARGO_PKG_VERSION")))
        .manual("mqaws manual");
    render(&man, &verb, &mut page).map_err(|source| CliError::File {
        action: "write",
        path: "the page".into(),
        source,
    })?;
    let reference = Reference::of(&words, &verb, words.is_empty());
    let mut rest = Roff::new();
    for (title, rows) in [
        ("EXIT STATUS", &reference.exits),
        ("ENVIRONMENT", &reference.environment),
        ("FILES", &reference.files),
    ] {
        if !rows.is_empty() {
            rest.control("SH", [title]);
        }
        for (name, text) in rows {
            rest.control("TP", []).text([bold(name)]).text([roman(text)]);
        }
    }
    examples(&verb, &mut rest);
    rest.control("SH", ["SEE ALSO"]);
    rest.text([roman(related(&verb, &name).join(", "))]);
    page.push_str(&rest.to_roff());
    Ok(page.into_bytes())
}

/// The sections that follow from the options. Each comes with the preamble, which a page needs once.
fn render(man: &Man, verb: &clap::Command, page: &mut String) -> std::io::Result<()> {
    let mut section = |of: &dyn Fn(&mut dyn Write) -> std::io::Result<()>| {
        let mut bytes = Vec::new();
        of(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        match text.find(".SH ") {
            Some(at) if !page.is_empty() => page.push_str(&text[at..]),
            _ => page.push_str(&text),
        }
        Ok::<(), std::io::Error>(())
    };
    section(&|to| man.render_title(to))?;
    section(&|to| man.render_name_section(to))?;
    section(&|to| man.render_synopsis_section(to))?;
    section(&|to| man.render_description_section(to))?;
    section(&|to| man.render_options_section(to))?;
    if verb.has_subcommands() {
        section(&|to| man.render_subcommands_section(to))?;
    }
    Ok(())
}

/// The examples as they stand, line by line, and what is said below them.
fn examples(verb: &clap::Command, page: &mut Roff) {
    let after = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (examples, notes) = after.split_once("\n\n").unwrap_or((&after, ""));
    if let Some(lines) = examples.strip_prefix("Examples:\n") {
        page.control("SH", ["EXAMPLES"]).control("nf", []);
        for line in lines.lines() {
            page.text([roman(line.trim())]);
        }
        page.control("fi", []);
    }
    if !notes.is_empty() {
        page.control("SH", ["NOTES"]);
        for line in notes.lines() {
            page.text([roman(line)]);
        }
    }
}

/// The pages above a verb, and those below it.
fn related(verb: &clap::Command, name: &str) -> Vec<String> {
    let above = name.rmatch_indices('-').map(|(at, _)| &name[..at]);
    let tree = command();
    let is_page = |page: &&str| {
        let words = page.strip_prefix("mqaws").unwrap_or_default().trim_start_matches('-');
        words.is_empty() || tree.find_subcommand(words).is_some()
    };
    let above = above.filter(is_page).map(str::to_owned);
    let below = verb.get_subcommands().filter(|verb| !verb.is_hide_set());
    let below = below.map(|below| format!("{name}-{}", below.get_name()));
    let pages: Vec<String> = above.chain(below).map(|page| format!("{page}(1)")).collect();
    match pages.is_empty() {
        true => vec!["mqaws(1)".to_owned()],
        false => pages,
    }
}

/// The day of the release: that of its commit, which the release's build is given.
fn date() -> String {
    let seconds = option_env!("SOURCE_DATE_EPOCH").and_then(|seconds| seconds.parse().ok());
    let day = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    day.map_or_else(|| "unreleased".to_owned(), |day| day.strftime("%Y-%m-%d").to_string())
}

/// The pages of a verb and of those below it, with their files' names.
fn collect(verb: &clap::Command, pages: &mut Vec<(String, Vec<u8>)>) -> Result<(), CliError> {
    for below in verb.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        collect(below, pages)?;
    }
    let name = Man::new(verb.clone()).get_filename();
    pages.push((name, roff(verb.clone())?));
    Ok(())
}

/// The pages of `help deploy` and its like say what those of `deploy` say.
fn without_help(command: clap::Command) -> clap::Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

//! What the manual page and `--help` say of a verb beside its options: exit status, environment, files. One table feeds both.

use super::local::SOFTWARE;
use crate::model::keys;
use crate::remedy::ExitKind::{
    self, Duplicates, Inconclusive, Internal, Interrupted, Lost, NoRecovery, Precondition, Remote, RtoExceeded,
    SloExceeded, Success, Usage,
};
use clap::Command;

/// A name, and what it is.
type Told = (String, String);

/// What a verb uses, which decides how it can end and what it reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// The command line alone.
    Nothing,
    /// The configuration.
    Configuration,
    /// AWS, or what stands for it.
    Cloud,
    /// The local cloud itself.
    Lab,
    /// A service that can fail to come.
    Service,
    /// Messages that can be missing.
    Messages,
    /// A failover test and its report.
    Test,
    /// A comparison of two reports.
    Comparison,
    /// An objective.
    Objective,
    /// A pipeline that is told.
    Pipeline,
    /// Packer.
    Packer,
}

/// The verbs, each with what it uses. What has verbs below it, uses what they use.
const VERBS: &[(&str, &[Use])] = &[
    ("demo", &[Use::Lab, Use::Test, Use::Messages, Use::Service]),
    ("init", &[Use::Configuration, Use::Cloud]),
    ("render", &[Use::Configuration]),
    ("validate", &[Use::Configuration]),
    ("plan", &[Use::Configuration, Use::Cloud]),
    ("deploy", &[Use::Configuration, Use::Cloud]),
    ("status", &[Use::Configuration, Use::Cloud, Use::Service]),
    ("failover", &[Use::Configuration, Use::Cloud, Use::Service]),
    (
        "failover-test",
        &[
            Use::Configuration,
            Use::Cloud,
            Use::Test,
            Use::Messages,
            Use::Service,
            Use::Pipeline,
        ],
    ),
    ("failover-test heal", &[Use::Configuration, Use::Cloud]),
    ("failover-test verify", &[Use::Messages]),
    (
        "failover-test report",
        &[Use::Test, Use::Messages, Use::Service, Use::Pipeline],
    ),
    ("failover-test compare", &[Use::Comparison]),
    ("slo", &[Use::Objective]),
    ("destroy", &[Use::Configuration, Use::Cloud]),
    ("storage list", &[Use::Configuration, Use::Cloud]),
    ("storage delete", &[Use::Configuration, Use::Cloud]),
    ("ami manifest", &[Use::Configuration]),
    ("ami build", &[Use::Configuration, Use::Cloud, Use::Packer]),
    ("ami list", &[Use::Configuration, Use::Cloud]),
    ("ami prune", &[Use::Configuration, Use::Cloud]),
    ("lab up", &[Use::Lab]),
    ("lab down", &[Use::Lab]),
    ("lab status", &[Use::Lab]),
    ("lab logs", &[Use::Lab]),
    ("lab env", &[Use::Lab]),
    ("completions", &[Use::Nothing]),
    ("man", &[Use::Nothing]),
];

impl Use {
    const fn exits(self) -> &'static [ExitKind] {
        match self {
            Self::Nothing | Self::Configuration | Self::Pipeline | Self::Packer => &[],
            Self::Cloud | Self::Lab => &[Remote, Interrupted],
            Self::Service => &[NoRecovery],
            Self::Messages => &[Lost, Inconclusive],
            Self::Test => &[RtoExceeded, Duplicates],
            Self::Comparison => &[Lost, RtoExceeded, Inconclusive],
            Self::Objective => &[SloExceeded, Inconclusive],
        }
    }

    /// Variables that no option has.
    const fn variables(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Cloud => &[
                LAB_DIR,
                LAB_SOFTWARE,
                ("AWS_*", "Credentials, profile, and region, as for the AWS CLI."),
            ],
            Self::Lab => &[LAB_DIR, LAB_SOFTWARE],
            Self::Pipeline => &[
                (
                    "GITHUB_ACTIONS",
                    "If true, errors and findings are also written as annotations of the workflow.",
                ),
                (
                    "GITHUB_STEP_SUMMARY",
                    "File that the summary of --markdown is also appended to.",
                ),
            ],
            _ => &[],
        }
    }

    const fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Configuration => &[("mqaws.yaml", "Configuration file; --config specifies a different one.")],
            Self::Cloud => &[
                (
                    "~/.aws/config, ~/.aws/credentials",
                    "Profiles, regions, and credentials of the AWS CLI.",
                ),
                LAB_FILES,
            ],
            Self::Lab => &[LAB_FILES],
            Self::Test => &[
                ("report.json", "Report of a failover test, in the folder of --out."),
                ("ledger.bin", "Outcome of every message, next to the report."),
            ],
            Self::Packer => &[(
                "mqaws-ami-RUN.log",
                "Output of Packer; --log specifies a different file.",
            )],
            Self::Nothing | Self::Service | Self::Messages | Self::Comparison | Self::Objective | Self::Pipeline => &[],
        }
    }
}

/// Where the local cloud is.
const LAB_DIR: (&str, &str) = ("MQAWS_LAB_DIR", "Directory of the local cloud.");
const LAB_SOFTWARE: (&str, &str) = (
    SOFTWARE,
    "Folder that engines of the local cloud were unpacked into, instead of /.",
);
const LAB_FILES: (&str, &str) = (
    "$XDG_RUNTIME_DIR/mqaws",
    "State of the local cloud, unless MQAWS_LAB_DIR is set.",
);

/// Variables that every verb reads and no option has.
const ALWAYS: &[(&str, &str)] = &[
    ("MQAWS_LOG", "Log filter, such as mqaws=debug,hyper=warn."),
    ("NO_COLOR", "If set, disables color; --color takes precedence."),
];

/// What is said of one verb.
#[derive(Debug)]
pub(super) struct Reference {
    /// Codes that it ends with, by number.
    pub exits: Vec<Told>,
    /// Variables that it reads.
    pub environment: Vec<Told>,
    /// Files that it reads or writes.
    pub files: Vec<Told>,
}

impl Reference {
    /// That of a verb by its words, `lab up`; of mqaws itself without any. `every_key` lists each key's variable.
    pub(super) fn of(words: &str, verb: &Command, every_key: bool) -> Self {
        let below = |path: &str| words.is_empty() || path == words || path.starts_with(&format!("{words} "));
        let rows = VERBS.iter().filter(|(path, _)| below(path));
        let uses: Vec<Use> = rows.flat_map(|(_, uses)| *uses).copied().collect();
        let mut exits = vec![Success, Internal, Usage, Precondition];
        exits.extend(uses.iter().flat_map(|used| used.exits()));
        exits.sort_by_key(|kind| *kind as u8);
        exits.dedup();
        let mut environment = of_options(verb);
        if uses.contains(&Use::Configuration) {
            environment.extend(of_keys(every_key));
        }
        environment.extend(ALWAYS.iter().map(told));
        environment.extend(uses.iter().flat_map(|used| used.variables()).map(told));
        Self {
            exits: exits
                .into_iter()
                .map(|kind| ((kind as u8).to_string(), sentence(kind.meaning())))
                .collect(),
            environment: once(environment),
            files: once(uses.iter().flat_map(|used| used.files()).map(told).collect()),
        }
    }

    /// As the sections at the end of `--help`.
    fn help(&self) -> String {
        let section = |(title, rows): (&str, &[Told])| {
            let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
            let rows = rows.iter().map(|(name, text)| format!("\n  {name:width$}  {text}"));
            format!("\n\n{title}:{}", rows.collect::<String>())
        };
        let sections = [
            ("Environment", &*self.environment),
            ("Files", &*self.files),
            ("Exit status", &*self.exits),
        ];
        sections
            .into_iter()
            .filter(|(_, rows)| !rows.is_empty())
            .map(section)
            .collect()
    }
}

/// The variables of a verb's options. The names come first, since many options have one.
fn of_options(verb: &Command) -> Vec<Told> {
    let options = verb.get_arguments();
    options
        .filter_map(|option| {
            let name = option.get_env()?.to_str()?.to_owned();
            Some((name, format!("Same as --{}.", option.get_long()?)))
        })
        .collect()
}

/// The variables of keys: each, or how they are called.
fn of_keys(every: bool) -> Vec<Told> {
    match every {
        true => keys::keys()
            .map(|key| (keys::variable(key.path), format!("Same as the key {}.", key.path)))
            .collect(),
        false => vec![(
            "MQAWS_KEY".to_owned(),
            "Same as a key of the configuration: MQAWS_NETWORK_VPC is network.vpc.".to_owned(),
        )],
    }
}

fn told((name, text): &(&str, &str)) -> Told {
    ((*name).to_owned(), (*text).to_owned())
}

/// The rows without those whose name another had before.
fn once(rows: Vec<Told>) -> Vec<Told> {
    let mut kept: Vec<Told> = Vec::new();
    for row in rows {
        if kept.iter().all(|(name, _)| *name != row.0) {
            kept.push(row);
        }
    }
    kept
}

fn sentence(text: &str) -> String {
    let mut letters = text.replace('`', "").chars().collect::<Vec<_>>();
    if let Some(first) = letters.first_mut() {
        *first = first.to_ascii_uppercase();
    }
    letters.into_iter().chain(['.']).collect()
}

/// The command tree whose `--help` ends with the reference of each verb. `-h` stays short.
pub(super) fn in_help(mut tree: Command) -> Command {
    let options: Vec<clap::Arg> = tree
        .get_arguments()
        .filter(|arg| arg.is_global_set())
        .cloned()
        .collect();
    let help = help_of(&tree, "", &options);
    tree = tree.after_long_help(help);
    tree.mut_subcommands(|verb| below(verb, "", &options))
}

fn below(verb: Command, above: &str, options: &[clap::Arg]) -> Command {
    let words = format!("{above} {}", verb.get_name()).trim_start().to_owned();
    let help = help_of(&verb, &words, options);
    verb.after_long_help(help)
        .mut_subcommands(|verb| below(verb, &words, options))
}

/// The examples of a verb and its reference. The global options reach the verbs only when clap builds the tree.
fn help_of(verb: &Command, words: &str, options: &[clap::Arg]) -> String {
    let examples = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
    let with_options = Command::new("verb").args(options);
    let help = Reference::of(words, &with_options, false).help();
    format!("{examples}{help}").trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command;

    fn leaves(verb: &Command, above: &str, found: &mut Vec<String>) {
        for below in verb.get_subcommands() {
            let words = format!("{above} {}", below.get_name()).trim_start().to_owned();
            if !below.has_subcommands() || words == "failover-test" {
                found.push(words.clone());
            }
            leaves(below, &words, found);
        }
    }

    #[test]
    fn the_table_has_every_verb_and_no_other() {
        let mut verbs = Vec::new();
        leaves(&command(), "", &mut verbs);
        verbs.sort();
        let mut rows: Vec<String> = VERBS.iter().map(|(path, _)| (*path).to_owned()).collect();
        rows.sort();
        assert_eq!(rows, verbs);
    }

    #[test]
    fn mqaws_itself_tells_every_variable_and_every_code_that_a_verb_ends_with() {
        let all = Reference::of("", &command(), true);
        let names: Vec<&str> = all.environment.iter().map(|(name, _)| name.as_str()).collect();
        for name in crate::cli::environment::for_users() {
            assert!(names.contains(&name), "{name}");
        }
        for key in keys::keys() {
            assert!(names.contains(&keys::variable(key.path).as_str()), "{}", key.path);
        }
        for kind in ExitKind::ALL {
            let code = (*kind as u8).to_string();
            assert!(all.exits.iter().any(|(told, _)| *told == code), "{code}");
        }
    }

    #[test]
    fn a_verb_tells_only_what_it_uses() {
        let of = |words| Reference::of(words, &Command::new("verb"), false);
        let codes = |words| of(words).exits.into_iter().map(|(code, _)| code).collect::<Vec<_>>();
        assert_eq!(codes("validate"), ["0", "1", "2", "3"]);
        assert_eq!(codes("status"), ["0", "1", "2", "3", "4", "11", "130"]);
        assert!(of("man").files.is_empty());
        assert!(of("ami").files.iter().any(|(name, _)| name == "mqaws.yaml"));
    }
}

//! Commands that a message suggests: what they need of this call, to mean the same thing, is added to them.
//!
//! A suggestion stands between backticks and begins with `mqaws` or `aws`, so that whoever has an error need not know how
//! the program was called; everything that is printed for people passes through here.

use crate::model::keys::{self, Key};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;
use std::sync::OnceLock;

/// Global options that choose the configuration and the place.
const PLACE: [&str; 5] = ["config", "region", "profile", "endpoint-url", "local"];

/// Of those, the options that choose an account rather than the local cloud.
const ACCOUNT: [&str; 3] = ["region", "profile", "endpoint-url"];

/// Options that consent to something: whoever pastes a command gives them anew.
const CONSENTS: [&str; 7] = [
    "yes",
    "account",
    "accept-licence",
    "allow-foreign-connections",
    "allow-replace",
    "force",
    "new-storage",
];

/// Options that only choose how a call speaks.
const SPEECH: [&str; 5] = ["output", "color", "no-progress", "verbose", "quiet"];

/// A limit of one call: after it, one that is to wait again must not end at the same moment.
const ONCE: &str = "timeout";

/// Verbs that look at neither a configuration nor a place.
const PLACELESS: [&str; 4] = ["completions", "demo", "lab", "man"];

/// Commands of the AWS CLI that call no service of a region.
const LOCAL_OF_AWS: [&str; 3] = ["configure", "login", "sso"];

/// What the commands that a message suggests take over from this call.
#[derive(Debug, Default)]
pub(super) struct Suggestions {
    program: Command,
    /// Names of the verb and of its own verb.
    verb: Vec<String>,
    given: Vec<Given>,
    endpoint: OnceLock<Endpoint>,
}

/// An option of this call.
#[derive(Debug)]
struct Given {
    option: String,
    value: Option<String>,
    /// Whether it means the same thing for another verb.
    everywhere: bool,
}

/// Where this call's requests go.
#[derive(Debug)]
struct Endpoint {
    region: String,
    url: Option<String>,
    profile: Option<String>,
}

impl Suggestions {
    /// Takes over the options that a call was given: those of the place and of the configuration.
    pub(super) fn new(mut program: Command, matches: &ArgMatches) -> Self {
        program.build();
        let (mut verb, mut matches, mut names) = (&program, matches, Vec::new());
        while let Some((name, below)) = matches.subcommand() {
            let Some(found) = verb.find_subcommand(name) else {
                break;
            };
            (verb, matches) = (found, below);
            names.push(name.to_owned());
        }
        // What `init` was given stands in the file that it wrote, where it may be edited.
        let stands_in_file = |given: &Given| names == ["init"] && given.option != "endpoint-url";
        let given = verb.get_arguments().flat_map(|arg| of_call(arg, matches));
        let given = given.filter(|given| !stands_in_file(given)).collect();
        Self {
            program,
            verb: names,
            given,
            endpoint: OnceLock::new(),
        }
    }

    /// Says where the requests of this call go, for the commands of the AWS CLI.
    pub(super) fn at(&self, region: &str, url: Option<&str>, profile: Option<&str>) {
        // The first place is the place of the call.
        let _ = self.endpoint.set(Endpoint {
            region: region.to_owned(),
            url: url.map(str::to_owned),
            profile: profile.map(str::to_owned),
        });
    }

    /// The text with every suggested command made complete.
    pub(super) fn complete(&self, text: &str) -> String {
        let part = |(at, part): (usize, &str)| match at % 2 {
            1 => self.command(part),
            _ => part.to_owned(),
        };
        text.split('`').enumerate().map(part).collect::<Vec<_>>().join("`")
    }

    /// The same for each text in the document of an error. Other documents hold data, which stays as it is.
    pub(super) fn complete_all(&self, document: &mut Value) {
        match document {
            Value::String(text) if text.contains('`') => *text = self.complete(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.complete_all(value)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.complete_all(value)),
            _ => {}
        }
    }

    /// One command with the options that it lacks; anything else as it is.
    pub(super) fn command(&self, command: &str) -> String {
        let Some(words) = shlex::split(command) else {
            return command.to_owned();
        };
        let lacking = match words.first().map(String::as_str) {
            Some("mqaws") => self.of_mqaws(&words),
            Some("aws") => self.of_aws(&words),
            _ => Vec::new(),
        };
        lacking.iter().fold(command.to_owned(), |mut command, given| {
            command += &format!(" --{}", given.option);
            if let Some(value) = &given.value {
                command += &format!(" {}", quoted(value));
            }
            command
        })
    }

    fn of_mqaws(&self, words: &[String]) -> Vec<Given> {
        let (mut verb, mut names) = (&self.program, Vec::new());
        for word in &words[1..] {
            let Some(found) = verb.find_subcommand(word) else {
                break;
            };
            verb = found;
            names.push(word.clone());
        }
        let path: Vec<&str> = names.iter().map(String::as_str).collect();
        let reads = |option: &str| match path.as_slice() {
            [] => false,
            ["init", ..] => ACCOUNT.contains(&option),
            // An image is made in an account.
            ["ami", "build" | "prune", ..] => option != "local",
            [verb, ..] => !PLACELESS.contains(verb),
        };
        let has = |option: &str| named(words, option);
        let accepts = |option: &str| verb.get_arguments().any(|arg| arg.get_long() == Some(option));
        let elsewhere = |option: &str| match option {
            "local" => ACCOUNT.iter().any(|option| has(option)),
            option => ACCOUNT.contains(&option) && has("local"),
        };
        let lacks = |given: &&Given| {
            let key = given.key();
            let said = |key: &Key| key.flag.is_some_and(|flag| has(flag.name)) || sets(words, key);
            (names == self.verb || given.everywhere && reads(&given.option))
                && accepts(&given.option)
                && !elsewhere(&given.option)
                && !key.map_or_else(|| has(&given.option), said)
        };
        self.given.iter().filter(lacks).map(Given::again).collect()
    }

    fn of_aws(&self, words: &[String]) -> Vec<Given> {
        let calls = words.get(1).is_some_and(|word| !LOCAL_OF_AWS.contains(&word.as_str()));
        let Some(Endpoint { region, url, profile }) = self.endpoint.get().filter(|_| calls) else {
            return Vec::new();
        };
        let all = [
            ("region", Some(region)),
            ("endpoint-url", url.as_ref()),
            ("profile", profile.as_ref()),
        ];
        let lacking = all.into_iter().filter(|(option, _)| !named(words, option));
        let given = |(option, value): (&str, Option<&String>)| {
            Some(Given {
                option: option.to_owned(),
                value: Some(value?.clone()),
                everywhere: true,
            })
        };
        lacking.filter_map(given).collect()
    }
}

impl Given {
    /// The configuration key that the option sets, when it sets one.
    fn key(&self) -> Option<&'static Key> {
        let with_flag = || keys::keys().find(|key| key.flag.is_some_and(|flag| flag.name == self.option));
        match (self.option.as_str(), &self.value) {
            ("set", Some(value)) => keys::find(value.split('=').next()?),
            _ => with_flag(),
        }
    }

    fn again(&self) -> Self {
        Self {
            option: self.option.clone(),
            value: self.value.clone(),
            everywhere: self.everywhere,
        }
    }
}

/// What a call was given for an option that another call may take over.
fn of_call(arg: &Arg, matches: &ArgMatches) -> Vec<Given> {
    let id = arg.get_id().as_str();
    let taken = |option: &&str| !CONSENTS.contains(option) && !SPEECH.contains(option) && *option != ONCE;
    let Some(option) = arg.get_long().filter(taken) else {
        return Vec::new();
    };
    if matches!(matches.value_source(id), None | Some(ValueSource::DefaultValue)) {
        return Vec::new();
    }
    let of_key = keys::keys().any(|key| key.flag.is_some_and(|flag| flag.name == option));
    let given = |value: Option<String>| Given {
        option: option.to_owned(),
        value,
        everywhere: of_key || option == "set" || PLACE.contains(&option),
    };
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        return matches.get_flag(id).then(|| given(None)).into_iter().collect();
    }
    let values = matches.try_get_raw(id).ok().flatten().into_iter().flatten();
    let values = values.map(|value| value.to_string_lossy().into_owned());
    // An empty variable counts as absent.
    let values = values.filter(|value| !value.trim().is_empty());
    values.map(|value| given(Some(value))).collect()
}

/// Whether a command has an option, with its value behind it or in one word.
fn named(words: &[String], option: &str) -> bool {
    let flag = |word: &String| {
        word.strip_prefix("--")
            .map(|word| word.split('=').next() == Some(option))
    };
    words.iter().any(|word| flag(word) == Some(true))
}

/// Whether a command sets a key with `--set`.
fn sets(words: &[String], key: &Key) -> bool {
    let pairs = words.iter().zip(words.iter().skip(1));
    pairs.into_iter().any(|(option, value)| {
        option == "--set"
            && value
                .split('=')
                .next()
                .and_then(keys::find)
                .is_some_and(|set| set.path == key.path)
    })
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    // Only a word with a NUL cannot be quoted, and no argument has one.
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), |word| word.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command;
    use clap::error::ErrorKind;
    use std::path::{Path, PathBuf};

    fn of(call: &str) -> Suggestions {
        let words = shlex::split(call).unwrap();
        Suggestions::new(command(), &command().try_get_matches_from(words).expect(call))
    }

    #[test]
    fn a_suggested_command_means_what_the_call_meant() {
        for (call, text, complete) in [
            (
                "mqaws status --local --stack c1",
                "see `mqaws status`, then `mqaws deploy --stack s`",
                "see `mqaws status --local --stack c1`, then `mqaws deploy --stack s --local`",
            ),
            (
                "mqaws deploy -c 'my file.yaml' --allow-faults --set tags=a=b --queue-manager BAD --yes --allow-replace X",
                "`mqaws deploy --stack s --queue-manager QM1` or `mqaws status --stack s`",
                "`mqaws deploy --stack s --queue-manager QM1 --config 'my file.yaml' --allow-faults --set tags=a=b` or \
                 `mqaws status --stack s --config 'my file.yaml'`",
            ),
            // A key that the command sets, by its flag or by `--set`, is set once.
            (
                "mqaws deploy --set stack=a --set storage.backup=true --queue-manager B",
                "`mqaws deploy --stack s` `mqaws plan --set queue_manager.name=QM1 --set storage.backup=false`",
                "`mqaws deploy --stack s --queue-manager B --set storage.backup=true` \
                 `mqaws plan --set queue_manager.name=QM1 --set storage.backup=false --set stack=a`",
            ),
            // Another place than that of the call is kept.
            (
                "mqaws deploy --region eu-west-1 --profile p --ami ami-0123456789abcdef0",
                "without one: `mqaws deploy --local`",
                "without one: `mqaws deploy --local --ami ami-0123456789abcdef0`",
            ),
            (
                "mqaws plan --local",
                "`mqaws plan --region us-east-1`, `mqaws ami list`, `mqaws ami build`",
                "`mqaws plan --region us-east-1`, `mqaws ami list --local`, `mqaws ami build`",
            ),
            // The same verb again has all of its options, but not what was consented to.
            (
                "mqaws ami prune --keep 3 --yes --region eu-west-1",
                "run `mqaws ami prune` again",
                "run `mqaws ami prune --region eu-west-1 --keep 3` again",
            ),
            // A limit that was too short is not set again.
            (
                "mqaws destroy --stack s --timeout 1ms",
                "run `mqaws destroy --stack s` again or `mqaws status --stack s --wait serving`",
                "run `mqaws destroy --stack s` again or `mqaws status --stack s --wait serving`",
            ),
            (
                "mqaws failover-test --fault mark-unhealthy --fault hang-queue-manager --quiet",
                "`mqaws failover-test --rounds 60`, `mqaws status`",
                "`mqaws failover-test --rounds 60 --fault mark-unhealthy --fault hang-queue-manager`, `mqaws status`",
            ),
            (
                "mqaws status --local",
                "mqaws status, `mqaws`, `mqaws unknown`, `mqaws-agent resume`, `it is 'open`, `mqaws lab up`",
                "mqaws status, `mqaws`, `mqaws unknown`, `mqaws-agent resume`, `it is 'open`, `mqaws lab up`",
            ),
            (
                "mqaws init --region eu-west-1 --queue-manager ORDERS",
                "`mqaws validate` and `mqaws plan`",
                "`mqaws validate` and `mqaws plan`",
            ),
            (
                "mqaws plan -c f.yaml --region eu-west-1",
                "`mqaws init -`",
                "`mqaws init - --region eu-west-1`",
            ),
        ] {
            let suggestions = of(call);
            let once = suggestions.complete(text);
            let sorted = |text: &str| {
                let part = |part: &str| {
                    let mut words = shlex::split(part).unwrap_or_default();
                    words.sort();
                    words
                };
                text.split('`').map(part).collect::<Vec<_>>()
            };
            assert_eq!(sorted(&once), sorted(complete), "{once}");
            assert_eq!(suggestions.complete(&once), once, "completed once, it is complete");
        }
    }

    #[test]
    fn commands_of_the_aws_cli_go_to_the_same_endpoint() {
        let command = "`aws efs delete-file-system --file-system-id fs-1`";
        let suggestions = of("mqaws destroy");
        assert_eq!(suggestions.complete(command), command, "no place is known yet");
        suggestions.at("eu-west-1", Some("http://127.0.0.1:4566"), Some("my profile"));
        assert_eq!(
            suggestions.complete(command),
            "`aws efs delete-file-system --file-system-id fs-1 --region eu-west-1 --endpoint-url http://127.0.0.1:4566 \
             --profile 'my profile'`"
        );
        let login = "`aws sso login`";
        assert_eq!(suggestions.complete(login), login);
        let elsewhere = suggestions.complete("`aws ec2 describe-vpcs --region us-east-1`");
        assert!(!elsewhere.contains("eu-west-1"), "{elsewhere}");
    }

    #[test]
    fn texts_of_a_document_are_completed_too() {
        let mut document = serde_json::json!({"hint": "`mqaws status`", "all": [{"more": "`mqaws plan`"}], "n": 1});
        of("mqaws deploy --local").complete_all(&mut document);
        assert_eq!(
            document,
            serde_json::json!({"hint": "`mqaws status --local`", "all": [{"more": "`mqaws plan --local`"}], "n": 1})
        );
    }

    /// The commands in backticks of a source file's texts, a placeholder for each value.
    fn suggested(source: &str) -> Vec<String> {
        let code: Vec<&str> = source
            .split("#[cfg(test)]")
            .next()
            .unwrap_or_default()
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        let mut text = String::new();
        for line in code {
            match line.strip_suffix('\\') {
                // A text that goes on in the next line.
                Some(begun) => text += begun.trim_start(),
                None => text += &format!("{}\n", line.trim_start()),
            }
        }
        let parts = text.split('`').skip(1);
        let commands = parts.filter(|part| part.starts_with("mqaws ") && !part.contains('\n'));
        commands
            .map(|command| {
                let mut plain = String::new();
                for (at, part) in command.split('{').enumerate() {
                    plain += if at == 0 { part } else { "1" };
                    plain += part.split_once('}').filter(|_| at > 0).map_or("", |(_, rest)| rest);
                }
                plain
            })
            .collect()
    }

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let below = entries.flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        });
        below
            .filter(|path| path.extension().is_some_and(|e| e == "rs"))
            .collect()
    }

    #[test]
    fn every_command_that_a_text_suggests_is_one() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = 0;
        let is_test = |path: &Path| path.iter().any(|part| part == "tests" || part == "tests.rs");
        for path in [sources(&root.join("src")), sources(&root.join("crates"))].concat() {
            if is_test(path.strip_prefix(root).unwrap()) {
                continue;
            }
            for line in suggested(&std::fs::read_to_string(&path).unwrap()) {
                // Only an error of `ami prune` suggests it, and has what it was called with.
                let complete = of("mqaws ami prune --keep 1").command(&line);
                let parsed = command().try_get_matches_from(shlex::split(&complete).unwrap());
                // A verb that has verbs of its own answers with help, which is what it should print; a placeholder is none of a
                // few words.
                if let Err(error) = parsed.as_ref()
                    && error.use_stderr()
                    && !matches!(
                        error.kind(),
                        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::InvalidValue
                    )
                {
                    panic!("{}: `{line}` cannot be pasted: {error}", path.display());
                }
                found += 1;
            }
        }
        assert!(found > 40, "only {found} commands were found");
    }
}

//! Parse, run, report, exit.

use super::args::{Cli, Color, Command, Format};
use super::environment::{Environment, without_empty};
use super::reference;
use super::suggestions::Suggestions;
use super::{CliError, Context, Failure, Outcome, Output, Progress};
use super::{
    ami, completions, demo, deploy, destroy, failover, failover_test, init, lab, man, plan, render, slo, status,
    storage, validate,
};
use crate::remedy::ExitKind;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches};
use mqaws_lab::REGION;
use serde_json::json;
use std::ffi::OsString;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// The whole program: parse, run, report, exit.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let parsed = parse(&args);
    let environment = match (&parsed, Environment::read()) {
        // Help and the version are for those whose environment is wrong too.
        (Err(error), _) if !error.use_stderr() => return usage(error, &args),
        (_, Ok(environment)) => environment,
        // In our own words, with the variable's name: clap has only the flag's.
        (_, Err(error)) => {
            let failure = Failure::from(error);
            failure.report(&early_output(&args));
            return ExitCode::from(failure.exit() as u8);
        }
    };
    let (cli, suggestions) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return usage(&error, &args),
    };
    let verbose = cli.global.verbose;
    let context = Context::new(cli.global, suggestions);
    for (warning, hint) in environment.unknown() {
        context.output().note(format!("warning: {warning}"));
        context.output().note(format!("hint:    {hint}"));
    }
    let exit = log(verbose, &environment)
        .and_then(|()| check(&context))
        .and_then(|()| run(&context, cli.command));
    let exit = exit.unwrap_or_else(|failure| {
        failure.report(context.output());
        failure.exit()
    });
    // What was asked for did not arrive, on a full disk for example: that is not done.
    let exit = match exit {
        ExitKind::Success if context.output().is_torn() => ExitKind::Precondition,
        exit => exit,
    };
    ExitCode::from(exit as u8)
}

/// Reads a command line.
fn parse(args: &[OsString]) -> Result<(Cli, Suggestions), clap::Error> {
    let program = command().mut_args(without_empty);
    let matches = program.clone().try_get_matches_from(args)?;
    beside_action(&program, &matches)?;
    Ok((Cli::from_arg_matches(&matches)?, Suggestions::new(program, &matches)))
}

/// Options of a verb that is itself an action say nothing to another action of it. clap would refuse the options of every verb too.
fn beside_action(program: &clap::Command, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
    let Some((name, verb)) = matches.subcommand() else {
        return Ok(());
    };
    let (Some(command), Some(action)) = (program.find_subcommand(name), verb.subcommand_name()) else {
        return Ok(());
    };
    let given = |arg: &&clap::Arg| {
        !arg.is_global_set() && verb.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    match command.get_arguments().find(given) {
        None => Ok(()),
        Some(arg) => Err(program.clone().error(
            ErrorKind::ArgumentConflict,
            format!(
                "the argument '--{}' cannot be used with '{name} {action}'",
                arg.get_long().unwrap_or_default()
            ),
        )),
    }
}

/// The command tree, for completions and the manual.
pub fn command() -> clap::Command {
    reference::in_help(Cli::command())
}

fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Demo(args) => demo::run(context, args),
        Command::Init(args) => init::run(context, args),
        Command::Render(args) => render::run(context, args),
        Command::Validate(args) => validate::run(context, args),
        Command::Plan(args) => plan::run(context, args),
        Command::Deploy(args) => deploy::run(context, args),
        Command::Status(args) => status::run(context, args),
        Command::Destroy(args) => destroy::run(context, args),
        Command::Failover(args) => failover::run(context, args),
        Command::FailoverTest(args) => failover_test::run(context, *args),
        Command::Slo(args) => slo::run(context, args),
        Command::Storage(args) => storage::run(context, args),
        Command::Ami(args) => ami::run(context, args),
        Command::Lab(args) => lab::run(context, args),
        Command::Completions(args) => completions::run(context, args),
        Command::Man(args) => man::run(context, args),
    }
}

/// Options that do not go together whatever the verb.
fn check(context: &Context) -> Result<(), Failure> {
    let global = context.global();
    let elsewhere = global.region.as_deref().is_some_and(|region| region != REGION);
    if global.local && elsewhere {
        return Err(CliError::Usage {
            message: format!("--local cannot be combined with a region other than {REGION}"),
            hint: Some(format!(
                "the local cloud is in {REGION}; remove --region (or unset the variable MQAWS_REGION)"
            )),
        }
        .into());
    }
    let beside = [
        ("--profile", "MQAWS_PROFILE", global.profile.is_some()),
        ("--endpoint-url", "MQAWS_ENDPOINT_URL", global.endpoint_url.is_some()),
    ];
    match beside.into_iter().find(|(_, _, given)| global.local && *given) {
        None => Ok(()),
        Some((flag, variable, _)) => Err(CliError::Usage {
            message: format!("--local cannot be combined with {flag}"),
            hint: Some(format!(
                "--local always uses the local cloud; remove {flag} (or unset the variable {variable})"
            )),
        }
        .into()),
    }
}

/// Logs to standard error; `MQAWS_LOG` takes a filter, `-v` a level.
fn log(verbose: u8, environment: &Environment) -> Result<(), Failure> {
    let filter = match (environment.log_filter()?, verbose) {
        (Some(filter), _) => filter,
        (None, 0) => return Ok(()),
        (None, 1) => EnvFilter::new("mqaws=info"),
        (None, 2) => EnvFilter::new("mqaws=debug"),
        (None, _) => EnvFilter::new("debug"),
    };
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
    Ok(())
}

/// A wrong command line, help or the version: in clap's words, or as JSON when the arguments ask for it.
fn usage(error: &clap::Error, args: &[OsString]) -> ExitCode {
    let is_error = error.use_stderr();
    if is_error && wants_json(args) {
        let text = error.to_string();
        let lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
        // What is missing or possible stands in the lines below the first.
        let said = lines.clone().take_while(|line| {
            !["tip: ", "Usage: ", "For more "]
                .iter()
                .any(|after| line.starts_with(after))
        });
        let message = said
            .collect::<Vec<_>>()
            .join(" ")
            .trim_start_matches("error: ")
            .to_owned();
        let hint: Vec<&str> = lines.filter_map(|l| l.strip_prefix("tip: ")).collect();
        let document = json!({
            "schema": "mqaws.error/1",
            "error": message,
            "causes": [],
            "details": {},
            "place": null,
            "left": "nothing was changed",
            "hint": (!hint.is_empty()).then(|| hint.join("; ")),
            "exit": { "code": ExitKind::Usage as u8, "name": "usage" },
        });
        early_output(args).document(&document);
    } else if is_error {
        let _ = error.print();
    } else {
        // Help and the version are what was asked for: their loss is an error, as that of any other output.
        let output = early_output(args);
        output.raw(&error.render().ansi().to_string());
        if output.is_torn() {
            return ExitCode::from(ExitKind::Precondition as u8);
        }
    }
    ExitCode::from(if is_error { ExitKind::Usage } else { ExitKind::Success } as u8)
}

/// Where errors go that come before there is a context.
fn early_output(args: &[OsString]) -> Output {
    let (format, color) = match wants_json(args) {
        true => (Format::Json, Color::Never),
        false => (Format::Text, Color::Auto),
    };
    Output::new(format, color, true, Progress::silent(), Suggestions::default())
}

/// Whether a command line that does not parse asks for JSON.
fn wants_json(args: &[OsString]) -> bool {
    let flag = args
        .iter()
        .zip(args.iter().skip(1).chain(args.last()))
        .any(|(arg, next)| arg == "--output=json" || (arg == "--output" && next == "json"));
    flag || std::env::var_os("MQAWS_OUTPUT").is_some_and(|v| v == "json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_tree_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn options_of_every_verb_may_stand_before_an_action_and_those_of_a_test_may_not() {
        let read = |line: &str| {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            parse(&args)
                .map(|(cli, _)| cli.global.local)
                .map_err(|error| error.to_string())
        };
        for line in [
            "mqaws --local failover-test heal",
            "mqaws failover-test --local heal",
            "mqaws failover-test heal --local",
        ] {
            assert_eq!(read(line), Ok(true), "{line}");
        }
        assert_eq!(read("mqaws failover-test --rounds 3"), Ok(false));
        let refused = read("mqaws failover-test --rounds 3 heal").unwrap_err();
        assert!(
            refused.contains("--rounds") && refused.contains("failover-test heal"),
            "{refused}"
        );
    }

    #[test]
    fn every_verb_has_an_example() {
        for verb in command().get_subcommands() {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("mqaws "), "{} has no example", verb.get_name());
        }
    }

    #[test]
    fn every_verb_that_waits_has_a_timeout_that_says_for_what() {
        for verb in [
            "plan",
            "deploy",
            "status",
            "destroy",
            "failover-test",
            "demo",
            "ami build",
            "lab up",
        ] {
            let find = |above: &clap::Command, word: &str| above.find_subcommand(word).cloned().expect("a verb");
            let found = verb.split(' ').fold(command(), |above, word| find(&above, word));
            let timeout = found.get_arguments().find(|arg| arg.get_long() == Some("timeout"));
            let help = timeout.and_then(clap::Arg::get_help).map(ToString::to_string);
            let help = help.unwrap_or_else(|| panic!("{verb} has no --timeout"));
            assert!(help.starts_with("Maximum time "), "{verb}: {help}");
        }
    }

    #[test]
    fn help_begins_with_the_options_of_the_verb_and_ends_with_those_of_all() {
        for verb in [
            "deploy",
            "plan",
            "render",
            "validate",
            "ami build",
            "ami manifest",
            "failover-test",
        ] {
            let words = ["mqaws"].into_iter().chain(verb.split(' ')).chain(["-h"]);
            let help = command().try_get_matches_from(words).unwrap_err().to_string();
            let at = |text: &str| help.find(text).unwrap_or_else(|| panic!("{verb} lacks {text}: {help}"));
            assert!(at("\nOptions:") < at("\nGlobal options:"), "{help}");
            let (own, rest) = help.split_at(at("\nGlobal options:"));
            assert!(
                !own.contains("--endpoint-url") && rest.contains("--endpoint-url"),
                "{help}"
            );
            if let Some((own, configuration)) = own.split_once("\nConfiguration:") {
                let of_verb = [
                    "--timeout",
                    "--until",
                    "--format",
                    "--schema",
                    "--accept-licence",
                    "--write",
                ];
                assert!(of_verb.iter().any(|option| own.contains(option)), "{help}");
                assert!(of_verb.iter().all(|option| !configuration.contains(option)), "{help}");
            }
        }
    }

    #[test]
    fn json_is_found_in_a_wrong_command_line() {
        let args = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(wants_json(&args("mqaws plan --output json --wrong")));
        assert!(wants_json(&args("mqaws --output=json")));
        assert!(!wants_json(&args("mqaws plan --output text")));
    }
}

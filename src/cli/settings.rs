//! The configuration of verbs that have one: file, variables, flags.

use super::context::{DEFAULT_FILE, STANDARD_INPUT};
use super::environment::Environment;
use super::{CliError, Context, Failure};
use crate::aws::Clients;
use crate::deploy::{DeployError, stake};
use crate::model::config::{self, ConfigError, Loaded, Overrides, Place, Source};
use crate::model::keys::{self, Flag, Key, Kind, keys};
use crate::model::{Definitions, Deployment};
use crate::remedy::{ExitKind, Remedy};
use clap::{Arg, ArgAction, ArgMatches, Command};
use mqaws_contract::clipped;
use mqaws_files::{TextError, read_text};
use std::io;
use std::path::Path;

/// What a configuration file is called by who knows the other ending: read by nothing, and so refused.
const OTHER_ENDING: &str = "mqaws.yml";

/// Most bytes of a configuration file.
const LARGEST: u64 = 1 << 20;

/// Flags that take precedence over the configuration file: those of the keys that have one, and `--set` for any other.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Keys whose flags were given, with their values.
    pub(super) given: Vec<(&'static Key, String)>,
    /// `KEY=VALUE` for any key.
    pub set: Vec<String>,
}

/// The keys with a flag of these verbs, in the order of the help.
fn flags() -> Vec<(&'static Key, Flag)> {
    let all = keys().filter_map(|key| Some((key, key.flag?)));
    let mut flags: Vec<_> = all.filter(|(_, flag)| !flag.global).collect();
    let sections: Vec<&str> = flags.iter().map(|(key, _)| key.split().0).collect();
    let section = |key: &Key| sections.iter().position(|section| *section == key.split().0);
    flags.sort_by_key(|(key, flag)| (section(key), !flag.first));
    flags
}

impl clap::Args for Settings {
    fn augment_args(command: Command) -> Command {
        let of_key = |(key, flag): (&'static Key, Flag)| {
            let arg = Arg::new(flag.name).long(flag.name).help(key.flag_text(&flag));
            match key.kind {
                Kind::Boolean => arg.action(ArgAction::SetTrue),
                _ => arg.value_name(flag.value),
            }
        };
        let set = Arg::new("set")
            .long("set")
            .value_name("KEY=VALUE")
            .action(ArgAction::Append)
            .help("Any key of the configuration file, such as storage.backup=false");
        // Of each one, and not of what follows: what the verb declares after these is its own.
        let args = flags().into_iter().map(of_key).chain([set]);
        command.args(args.map(|arg| arg.help_heading("Configuration")))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |(key, flag): (&'static Key, Flag)| match key.kind {
            Kind::Boolean => matches.get_flag(flag.name).then(|| (key, "true".to_owned())),
            _ => Some((key, matches.get_one::<String>(flag.name)?.clone())),
        };
        Ok(Self {
            given: flags().into_iter().filter_map(given).collect(),
            set: matches.get_many("set").unwrap_or_default().cloned().collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// A global flag: with what the key's row says of it, when it stands for one.
pub(super) fn declared(arg: Arg) -> Arg {
    let global = |(_, flag): &(&Key, Flag)| flag.global && arg.get_long() == Some(flag.name);
    match keys().filter_map(|key| Some((key, key.flag?))).find(global) {
        Some((key, flag)) => arg.value_name(flag.value).help(key.flag_text(&flag)),
        None => arg,
    }
}

impl Settings {
    /// Those of a verb that has only `--stack`.
    pub(super) fn of_stack(stack: Option<String>) -> Self {
        let key = keys::find("stack").zip(stack);
        Self {
            given: key.into_iter().collect(),
            set: Vec::new(),
        }
    }

    /// Variables and flags as overrides of the file.
    fn overrides(&self, context: &Context) -> Result<Overrides, CliError> {
        let global = context.global();
        let environment = Environment::read()?;
        let variables = environment.variables();
        // clap has already merged these two with their variables; only what differs was given as a flag.
        let beside = |name: &str, value: &Option<String>| {
            value
                .clone()
                .filter(|value| !variables.iter().any(|(known, given)| known == name && given == value))
        };
        let (region, profile) = (
            beside("MQAWS_REGION", &global.region),
            beside("MQAWS_PROFILE", &global.profile),
        );
        let mut overrides = Overrides::none()
            .variables(variables.iter().cloned())
            .optional_flag("region", "--region", region)
            .optional_flag("profile", "--profile", profile);
        for (key, value) in &self.given {
            let flag = key.flag.map(|flag| flag.name).unwrap_or_default();
            overrides = overrides.flag(key.path, &format!("--{flag}"), value);
        }
        for entry in &self.set {
            let (key, value) = entry
                .split_once('=')
                .filter(|(key, _)| !key.trim().is_empty())
                .ok_or_else(|| CliError::Usage {
                    message: format!("invalid value `{}` for --set: must be KEY=VALUE", clipped(entry)),
                    hint: Some("example: --set storage.backup=false".into()),
                })?;
            overrides = overrides.flag(key.trim(), &format!("--set {}", clipped(key)), value);
        }
        Ok(overrides)
    }
}

/// Reads the configuration: `--config` or `mqaws.yaml`, when there is one, then variables, then flags.
///
/// # Errors
/// [`CliError::Text`] for a file that cannot be read, [`ConfigError`] with every violation.
pub fn load(context: &Context, settings: &Settings) -> Result<Loaded, Failure> {
    let mut loaded = judge(context, settings)??;
    // A local cloud is there to be broken; who says otherwise is obeyed.
    if context.global().local && loaded.place("security.allow_faults") == Place::Default {
        loaded.deployment.security.allow_faults = true;
    }
    let region = loaded.place("region");
    if context.global().local && matches!(region, Place::File { .. }) {
        let place = region.short().map(|place| format!("{place}: ")).unwrap_or_default();
        context
            .output()
            .note(format!("warning: {place}`region` has no effect with --local"));
    }
    for warning in &loaded.warnings {
        let place = warning
            .place
            .short()
            .map(|place| format!("{place}: "))
            .unwrap_or_default();
        context.output().note(format!("warning: {place}{}", warning.message));
        if let Some(hint) = &warning.hint {
            context.output().note(format!("hint:    {hint}"));
        }
    }
    Ok(loaded)
}

/// Refuses a stack that holds another queue manager than the configured one, unless the stack was named; `verb` is for the
/// command in the hint.
///
/// # Errors
/// Those of [`stake::same_queue_manager`].
pub(super) async fn same_queue_manager(clients: &Clients, loaded: &Loaded, verb: &str) -> Result<(), DeployError> {
    if loaded.place("stack") != Place::Default {
        return Ok(());
    }
    let Deployment {
        stack, queue_manager, ..
    } = &loaded.deployment;
    let command = format!("mqaws {verb}");
    stake::same_queue_manager(clients, stack.as_str(), queue_manager.name.as_str(), &command).await
}

/// As [`load`], with the violations apart from what hindered reading, and without printing warnings.
///
/// # Errors
/// [`CliError::Text`] for a file that cannot be read, [`CliError::Usage`] for `--set` without a value.
pub fn judge(context: &Context, settings: &Settings) -> Result<Result<Loaded, ConfigError>, CliError> {
    let path = context.config_path();
    if path.is_none() && Path::new(OTHER_ENDING).exists() {
        return Err(CliError::Precondition {
            message: format!("found {OTHER_ENDING}; the configuration file is called {DEFAULT_FILE}"),
            hint: Some(format!(
                "rename it with `mv {OTHER_ENDING} {DEFAULT_FILE}`, or specify it with --config {OTHER_ENDING}"
            )),
        });
    }
    let text = match path.as_deref() {
        Some(path) if path == Path::new(STANDARD_INPUT) => Some(context.standard_input(LARGEST)?),
        path => path.map(read).transpose()?,
    };
    let name = context.config_name().unwrap_or_default();
    let source = text.as_deref().map(|text| Source { name: &name, text });
    let folder = path
        .as_deref()
        .and_then(Path::parent)
        .map(Path::to_owned)
        .unwrap_or_default();
    let loaded = config::read(source, &settings.overrides(context)?).and_then(|loaded| {
        loaded.with_definitions(|file, beside| {
            let path = if beside { folder.join(file) } else { file.into() };
            if beside {
                inside(&folder, &path)?;
            }
            read_text(&path, Definitions::LIMIT as u64).map_err(|error| match error {
                TextError::Read(error) => error,
                error => io::Error::other(format!("{error}; {}", error.hint())),
            })
        })
    });
    Ok(loaded)
}

/// As [`judge`], without any file: only variables and flags.
///
/// # Errors
/// [`CliError::Usage`] for `--set` without a value.
pub fn judge_beside(context: &Context, settings: &Settings) -> Result<Result<Loaded, ConfigError>, CliError> {
    Ok(config::read(None, &settings.overrides(context)?))
}

fn read(path: &Path) -> Result<String, CliError> {
    read_text(path, LARGEST).map_err(|source| CliError::Text {
        path: path.to_owned(),
        source,
    })
}

/// Refuses a file that a configuration names outside its own folder: what it holds goes into the template, and whoever wrote the
/// configuration need not be who reads that.
fn inside(folder: &Path, path: &Path) -> io::Result<()> {
    let folder = match folder == Path::new("") {
        true => Path::new("."),
        false => folder,
    };
    match path.canonicalize()?.starts_with(folder.canonicalize()?) {
        true => Ok(()),
        false => Err(io::Error::other(
            "it is outside the folder of the configuration file; only a flag or an environment variable may refer to such a file",
        )),
    }
}

/// An error of a deployment, shown at the place in the file that it is about.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Placed {
    #[source]
    error: DeployError,
    place: Option<String>,
}

impl Placed {
    /// Finds the place, when the file has one for this error.
    pub fn new(loaded: &Loaded, error: DeployError) -> Self {
        Self {
            place: error.key().and_then(|(key, label)| loaded.place(key).long(&label)),
            error,
        }
    }
}

impl Remedy for Placed {
    fn exit(&self) -> ExitKind {
        self.error.exit()
    }

    fn hint(&self) -> Option<String> {
        self.error.hint()
    }

    fn left(&self) -> Option<String> {
        self.error.left()
    }

    fn details(&self) -> Vec<(String, String)> {
        self.error.details()
    }

    fn place(&self) -> Option<String> {
        self.place.clone().or_else(|| self.error.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_subnets_in_one_zone_are_shown_where_they_stand() {
        let text = "region: eu-west-1\nnetwork:\n  subnets: [subnet-0000aaaa, subnet-0000bbbb]\n";
        let loaded = config::read(
            Some(Source {
                name: "mqaws.yaml",
                text,
            }),
            &Overrides::none(),
        )
        .unwrap();
        let other = Some(("subnet-0000cccc".to_owned(), "eu-west-1b".to_owned()));
        let failure = Failure::from(Placed::new(
            &loaded,
            DeployError::OneZone {
                zone: "eu-west-1a".into(),
                other,
            },
        ));
        assert_eq!(
            anstream::adapter::strip_str(&failure.text()).to_string(),
            "error: both subnets are in one availability zone, eu-west-1a
   ╭─ mqaws.yaml:3:12
 3 │   subnets: [subnet-0000aaaa, subnet-0000bbbb]
   ·            ──────────────────────────────────  both in eu-west-1a
hint:  EFS needs a mount target in each of two zones; eu-west-1b has subnet-0000cccc
nothing was changed
"
        );
        let placed = Placed::new(&loaded, DeployError::NoImage);
        assert_eq!(placed.place(), None);
        let unknown = DeployError::Unknown {
            key: "network.subnets",
            what: "subnet",
            id: "subnet-0000bbbb".into(),
            source: None,
        };
        let place = Placed::new(&loaded, unknown).place().unwrap_or_default();
        assert!(
            place.contains("mqaws.yaml:3:12") && place.contains("subnet-0000bbbb does not exist"),
            "{place}"
        );
    }

    #[test]
    fn every_flag_of_a_key_is_an_option_with_its_words() {
        let command = crate::cli::app::command();
        let validate = command.find_subcommand("validate").unwrap();
        for (key, flag) in keys().filter_map(|key| Some((key, key.flag?))) {
            let of = if flag.global { &command } else { validate };
            let arg = of
                .get_arguments()
                .find(|arg| arg.get_long() == Some(flag.name))
                .unwrap();
            assert_eq!(arg.get_help().unwrap().to_string(), key.flag_text(&flag));
            if let Some(variable) = arg.get_env() {
                assert_eq!(variable.to_str(), Some(config::variable(key.path).as_str()));
            }
            let names = arg.get_value_names().unwrap_or_default();
            match key.kind {
                Kind::Boolean => assert!(!arg.get_action().takes_values()),
                _ => assert_eq!(names, [flag.value]),
            }
        }
    }

    #[test]
    fn a_key_of_the_tests_has_a_flag() {
        let command = <Settings as clap::Args>::augment_args(Command::new("mqaws"));
        let matches = command.try_get_matches_from(["mqaws", "--toy-seconds", "9", "--allow-faults", "--set", "a=b"]);
        let settings: Settings = clap::FromArgMatches::from_arg_matches(&matches.unwrap()).unwrap();
        let given: Vec<_> = settings
            .given
            .iter()
            .map(|(key, value)| (key.path, value.as_str()))
            .collect();
        assert_eq!(
            given,
            [("endpoint.toy_seconds", "9"), ("security.allow_faults", "true")]
        );
        assert_eq!(settings.set, ["a=b"]);
    }
}

//! The configuration of verbs that have one: file, variables, flags.

use super::{CliError, Context, Failure};
use crate::aws::Clients;
use crate::deploy::{DeployError, stake};
use crate::model::Deployment;
use crate::model::config::{self, ConfigError, Loaded, Overrides, Place, Source};
use crate::remedy::{ExitKind, Remedy};
use std::path::Path;

/// Flags that outweigh the configuration file; any other key can be given with `--set`.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Configuration")]
pub struct Settings {
    /// Name of the stack [default: mqaws- and the queue manager's name]
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Name of the queue manager [default: QM1]
    #[arg(long, value_name = "NAME")]
    pub queue_manager: Option<String>,
    /// VPC to deploy into [default: that of the subnets, or the account's default VPC]
    #[arg(long, value_name = "ID")]
    pub vpc: Option<String>,
    /// Two subnets in different availability zones [default: chosen]
    #[arg(long, value_name = "ID,ID")]
    pub subnets: Option<String>,
    /// Ranges from which clients may connect [default: the private ranges]
    #[arg(long, value_name = "CIDR,…")]
    pub clients: Option<String>,
    /// Image with IBM MQ and the agent [default: the one that was built]
    #[arg(long, value_name = "ID")]
    pub ami: Option<String>,
    /// EC2 instance type [default: m6i.large]
    #[arg(long, value_name = "TYPE")]
    pub instance_type: Option<String>,
    /// EC2 key pair for ssh [default: none]
    #[arg(long, value_name = "NAME")]
    pub key_name: Option<String>,
    /// Let failover tests inject faults
    #[arg(long)]
    pub allow_faults: bool,
    /// Any key of the configuration file, such as storage.backup=false
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Variables that are no keys of the file: those of the global flags, and those between the parts of mqaws.
const OTHER_VARIABLES: &[&str] = &[
    "MQAWS_CONFIG",
    "MQAWS_ENDPOINT_URL",
    "MQAWS_LOCAL",
    "MQAWS_OUTPUT",
    "MQAWS_COLOR",
    "MQAWS_NO_PROGRESS",
    "MQAWS_YES",
    "MQAWS_VERBOSE",
    "MQAWS_QUIET",
    "MQAWS_LOG",
    "MQAWS_LAB_DIR",
    "MQAWS_LAB",
    "MQAWS_LAB_ROOT",
];

impl Settings {
    /// Variables and flags as overrides of the file.
    fn overrides(&self, context: &Context) -> Result<Overrides, CliError> {
        let global = context.global();
        let variables: Vec<(String, String)> = std::env::vars()
            .filter(|(name, _)| name.starts_with("MQAWS_"))
            .collect();
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
            .variables(variables)
            .optional_flag("region", "--region", region)
            .optional_flag("profile", "--profile", profile)
            .optional_flag("stack", "--stack", self.stack.as_ref())
            .optional_flag("queue_manager.name", "--queue-manager", self.queue_manager.as_ref())
            .optional_flag("network.vpc", "--vpc", self.vpc.as_ref())
            .optional_flag("network.subnets", "--subnets", self.subnets.as_ref())
            .optional_flag("network.clients", "--clients", self.clients.as_ref())
            .optional_flag("instance.ami", "--ami", self.ami.as_ref())
            .optional_flag("instance.type", "--instance-type", self.instance_type.as_ref())
            .optional_flag("instance.key_name", "--key-name", self.key_name.as_ref())
            .optional_flag(
                "security.allow_faults",
                "--allow-faults",
                self.allow_faults.then_some("true"),
            );
        for entry in &self.set {
            let (key, value) = entry.split_once('=').ok_or_else(|| CliError::Usage {
                message: format!("--set wants KEY=VALUE, found `{entry}`"),
                hint: Some("such as --set storage.backup=false".into()),
            })?;
            overrides = overrides.flag(key.trim(), &format!("--set {key}"), value);
        }
        Ok(overrides)
    }
}

/// Reads the configuration: `--config` or `mqaws.yaml`, when there is one, then variables, then flags.
///
/// # Errors
/// [`CliError::File`] for a file that cannot be read, [`ConfigError`] with every violation.
pub fn load(context: &Context, settings: &Settings) -> Result<Loaded, Failure> {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if let Some(meant) = config::meant_variable(&name, OTHER_VARIABLES) {
            let output = context.output();
            output.note(format!(
                "warning: the variable {name} is none of mqaws, so it has no effect"
            ));
            output.note(format!("hint:    did you mean {meant}?"));
        }
    }
    let loaded = judge(context, settings)??;
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
pub(super) async fn same_queue_manager(
    context: &Context,
    clients: &Clients,
    loaded: &Loaded,
    verb: &str,
) -> Result<(), DeployError> {
    if loaded.place("stack") != Place::Default {
        return Ok(());
    }
    let Deployment {
        stack, queue_manager, ..
    } = &loaded.deployment;
    let command = format!("mqaws {verb}{}", context.place());
    stake::same_queue_manager(clients, stack.as_str(), queue_manager.name.as_str(), &command).await
}

/// As [`load`], with the violations apart from what hindered reading, and without printing warnings.
///
/// # Errors
/// [`CliError::File`] for a file that cannot be read, [`CliError::Usage`] for `--set` without a value.
pub fn judge(context: &Context, settings: &Settings) -> Result<Result<Loaded, ConfigError>, CliError> {
    let path = context.config_path();
    let text = path.as_deref().map(read).transpose()?;
    let name = path
        .as_deref()
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    let source = text.as_deref().map(|text| Source { name: &name, text });
    let folder = path
        .as_deref()
        .and_then(Path::parent)
        .map(Path::to_owned)
        .unwrap_or_default();
    let loaded = config::read(source, &settings.overrides(context)?).and_then(|loaded| {
        loaded.with_definitions(|file, beside| {
            let path = if beside { folder.join(file) } else { file.into() };
            std::fs::read_to_string(path)
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
    std::fs::read_to_string(path).map_err(|source| CliError::File {
        action: "read",
        path: path.to_owned(),
        source,
    })
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
            anstream::adapter::strip_str(&failure.text(str::to_owned)).to_string(),
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
}

//! The verb `lab`: start, end and look at the local cloud of this user.

mod env;

use super::failover_test::time;
use super::local::{cleared, runs_already, software, what_is_gone};
use super::words::{duration, row, table};
use super::{CliError, Context, Outcome};
use crate::remedy::{ExitKind, Remedy};
use clap::{Subcommand, ValueEnum};
use mqaws_lab::client::{self, ClientError, Options, Stopped};
use mqaws_lab::home::{self, LabRecord};
use mqaws_lab::hosts::Hosts;
use mqaws_lab::timing::Timing;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

/// Why a local cloud was not started, reached or ended. The lab knows what to do, and nothing of this program's exit codes.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct LabError(pub ClientError);

impl Remedy for LabError {
    fn exit(&self) -> ExitKind {
        match self.0.is_precondition() {
            true => ExitKind::Precondition,
            false => ExitKind::Remote,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(self.0.hint())
    }

    fn left(&self) -> Option<String> {
        self.0.left()
    }
}

/// Arguments of `lab`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws lab up                        start it; any verb with `--local` then uses it\n  mqaws lab up --timing aws           with the delays that AWS documents or that are assumed\n  mqaws lab up --hosts namespace      with network links that can be cut\n  mqaws lab status\n  mqaws lab logs i-0c1f9a37b2e4d5f60  console of an instance\n  eval \"$(mqaws lab env)\"             the AWS CLI and the SDKs then use it too\n  mqaws lab down                      stop it and delete its file systems and volumes"
)]
pub struct Args {
    #[command(subcommand)]
    verb: LabVerb,
}

#[derive(Debug, Subcommand)]
enum LabVerb {
    /// Start the local cloud, unless it is already running
    Up(Up),
    /// Stop the local cloud and delete its file systems and volumes; also cleans up after one that was killed
    Down,
    /// Show the state of the local cloud
    Status,
    /// Print the log of the local cloud, or the console of an instance
    Logs(Logs),
    /// Print shell commands that point the AWS CLI and the SDKs to the local cloud
    Env,
}

#[derive(Debug, clap::Args)]
struct Up {
    /// Timing of the cloud's control loops
    #[arg(long, value_enum, default_value_t = Speed::Fast, value_name = "TIMING")]
    timing: Speed,
    /// Type of the hosts that stand in for instances
    #[arg(long, value_enum, default_value_t = Kind::Process, value_name = "KIND")]
    hosts: Kind,
    /// Port of the API [default: 4566]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Defect of the stand-in queue managers, to verify that the failover test detects it
    #[arg(long, value_enum, value_name = "DEFECT")]
    standin_defect: Option<Defect>,
    /// Fraction of API calls that fail deliberately, such as 0.3
    #[arg(long, value_name = "RATE", default_value_t = 0.0, value_parser = rate)]
    api_faults: f64,
    /// Maximum time to wait for the local cloud
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "20s")]
    timeout: Duration,
}

/// Speed of the local cloud, as the command line names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Speed {
    /// As fast as the machine allows
    Fast,
    /// AWS delays; assumed values are listed in reports
    Aws,
}

impl From<Speed> for Timing {
    fn from(speed: Speed) -> Self {
        match speed {
            Speed::Fast => Self::Fast,
            Speed::Aws => Self::Aws,
        }
    }
}

/// Kind of the local cloud's hosts, as the command line names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Processes, each with its own loopback address
    Process,
    /// Network namespaces: a lost host is silent, and links can be cut
    Namespace,
}

impl From<Kind> for Hosts {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Process => Self::Process,
            Kind::Namespace => Self::Namespace,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Defect {
    /// Acknowledge messages that are still in memory
    AckEarly,
    /// Lose messages
    Lose,
    /// Deliver messages twice
    Duplicate,
    /// Deliver messages out of order
    Reorder,
}

#[derive(Debug, clap::Args)]
struct Logs {
    /// Instance ID [default: the log of the local cloud]
    #[arg(value_name = "INSTANCE")]
    instance: Option<String>,
    /// Number of lines from the end
    #[arg(long, short = 'n', default_value_t = 200, value_name = "COUNT")]
    lines: usize,
}

fn rate(text: &str) -> Result<f64, String> {
    let refused = || "must be a number from 0 to less than 1".to_owned();
    text.parse::<f64>()
        .ok()
        .filter(|r| (0.0..1.0).contains(r))
        .ok_or_else(refused)
}

/// Runs the verb.
///
/// # Errors
/// Those of [`client::start`] and [`client::stop`]; [`CliError::Precondition`] when no local cloud runs.
pub fn run(context: &Context, args: Args) -> Outcome {
    match args.verb {
        LabVerb::Up(up) => start(context, &up),
        LabVerb::Down => down(context),
        LabVerb::Status => status(context),
        LabVerb::Logs(logs) => print_logs(context, &logs),
        LabVerb::Env => env::run(context),
    }
}

fn start(context: &Context, up: &Up) -> Outcome {
    let began = Instant::now();
    let before = client::find();
    let options = Options {
        timing: up.timing.into(),
        hosts: up.hosts.into(),
        port: up.port,
        standin_defect: up
            .standin_defect
            .and_then(|d| d.to_possible_value())
            .map(|d| d.get_name().to_owned()),
        api_faults: up.api_faults,
        ready: up.timeout,
        software: software(),
        ..Options::default()
    };
    let fits = |record: &LabRecord| match record.timing != options.timing
        || record.hosts != options.hosts
        || up.standin_defect.is_some()
        || up.api_faults > 0.0
        || up.port.is_some()
    {
        true => Err(runs_already(record)),
        false => Ok(()),
    };
    if let Some(record) = &before {
        fits(record)?;
    }
    let lab = client::start(&options).map_err(LabError)?;
    // Somebody else may have started it at the same moment, with options of their own.
    if !lab.is_new() {
        fits(&lab.record)?;
    }
    let output = context.output();
    if let Some(cleared) = cleared(&lab) {
        output.say(cleared);
    }
    let record = &lab.record;
    let mut document = shown(record);
    document["schema"] = json!("mqaws.lab-up/1");
    document["started"] = json!(lab.is_new());
    if output.is_json() {
        output.document(&document);
    }
    let verb = if lab.is_new() { "started" } else { "already running" };
    output.data(row(
        "cloud",
        format!("{}, {verb} in {}", record.endpoint, duration(began.elapsed())),
    ));
    output.data(row("timing", record.timing.name()));
    output.data(row("hosts", record.hosts.name()));
    output.data(row("keys", format!("in {}/lab.json", record.dir.display())));
    output.say(format!(
        "\n{}",
        context.next(&["mqaws deploy --local", "mqaws lab status", "mqaws lab down"])
    ));
    Ok(ExitKind::Success)
}

fn shown(record: &LabRecord) -> Value {
    json!({
        "endpoint": record.endpoint, "id": record.id, "region": record.region, "account": record.account, "pid": record.pid,
        "timing": record.timing.name(), "hosts": record.hosts.name(), "dir": record.dir,
    })
}

fn down(context: &Context) -> Outcome {
    let dir = home::shared_dir();
    let existed = home::read_mark(&dir).is_some();
    let wait = context.progress().wait("ending the local cloud");
    let stopped = client::stop(&dir).map_err(LabError)?;
    let orphans = client::stop_orphans().map_err(LabError)?;
    drop(wait);
    let output = context.output();
    if output.is_json() {
        let one = |s: &Stopped| json!({"dir": s.dir, "file_systems": s.file_systems, "volumes": s.volumes, "killed": s.killed});
        output.document(&json!({
            "schema": "mqaws.lab-down/1", "existed": existed, "removed": existed.then(|| one(&stopped)),
            "orphans": orphans.iter().map(one).collect::<Vec<_>>(),
        }));
    }
    if existed {
        output.data(row("removed", what_is_gone("local cloud", &stopped)));
    }
    for orphan in &orphans {
        output.data(row(
            "removed",
            what_is_gone(&format!("remains in {}", orphan.dir.display()), orphan),
        ));
    }
    if !existed && orphans.is_empty() {
        output.data("no local cloud; nothing to do");
    }
    Ok(ExitKind::Success)
}

fn running() -> Result<LabRecord, CliError> {
    client::find().ok_or_else(|| {
        let left = home::read_mark(&home::shared_dir()).is_some();
        CliError::Precondition {
            message: match left {
                true => "the local cloud was killed and was not cleaned up".into(),
                false => "no local cloud is running".into(),
            },
            hint: Some(match left {
                true => "clean up with `mqaws lab down`".into(),
                false => "start one with `mqaws lab up`, or let `mqaws deploy --local` start it".into(),
            }),
        }
    })
}

fn status(context: &Context) -> Outcome {
    let record = running()?;
    let health = client::health(&record).map_err(LabError)?;
    let uptime = Duration::from_millis(health["uptime_ms"].as_u64().unwrap_or_default());
    let file_systems = home::file_systems(&record.dir);
    let volumes = home::volumes(&record.dir);
    let instances = instances(&record)?;
    let output = context.output();
    if output.is_json() {
        let mut document = shown(&record);
        document["schema"] = json!("mqaws.lab-status/1");
        document["uptime_ms"] = health["uptime_ms"].clone();
        document["file_systems"] = json!(file_systems);
        document["volumes"] = json!(volumes);
        document["instances"] = json!(instances);
        output.document(&document);
        return Ok(ExitKind::Success);
    }
    let timing = record.timing.name();
    output.data(row(
        "cloud",
        format!("{}, {timing} timing, up {}", record.endpoint, duration(uptime)),
    ));
    output.data(row("region", format!("{}, account {}", record.region, record.account)));
    output.data(row("hosts", record.hosts.caveat()));
    // Those that are gone are in the JSON document and in the logs.
    let living = instances.iter().filter(|i| i["state"] != "terminated");
    let cells = |instance: &Value| {
        ["id", "state", "zone", "address"].map(|name| instance[name].as_str().unwrap_or_default().to_owned())
    };
    let living = table(&living.map(cells).collect::<Vec<_>>());
    for (n, line) in living.lines().enumerate() {
        output.data(row(if n == 0 { "instance" } else { "" }, line.trim_start()));
    }
    output.data(row(
        "storage",
        match [file_systems, volumes].concat() {
            none if none.is_empty() => "no file system or volume".to_owned(),
            all => all.join(", "),
        },
    ));
    output.data(row("files", record.dir.display().to_string()));
    Ok(ExitKind::Success)
}

fn instances(record: &LabRecord) -> Result<Vec<Value>, LabError> {
    let answer = client::own_call(record, "instances").map_err(LabError)?;
    Ok(answer["instances"].as_array().cloned().unwrap_or_default())
}

fn print_logs(context: &Context, logs: &Logs) -> Outcome {
    let dir = home::shared_dir();
    if home::read_mark(&dir).is_none() {
        running()?;
    }
    let text = match &logs.instance {
        None => client::log_tail(&dir, 4 * 1024 * 1024),
        Some(wanted) => {
            let consoles = client::consoles(&dir);
            let found = consoles.iter().find(|(id, _)| id.starts_with(wanted.as_str()));
            let Some((_, path)) = found else {
                let known: Vec<&str> = consoles.iter().map(|(id, _)| id.as_str()).collect();
                return Err(CliError::Precondition {
                    message: format!("instance `{wanted}` does not exist in the local cloud"),
                    hint: Some(match known.is_empty() {
                        true => "it has no instances; create one with `mqaws deploy --local`".into(),
                        false => format!("available instances: {}", known.join(", ")),
                    }),
                }
                .into());
            };
            fs::read_to_string(path).unwrap_or_default()
        }
    };
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(logs.lines)..];
    let output = context.output();
    if output.is_json() {
        output.document(&json!({"schema": "mqaws.lab-logs/1", "instance": logs.instance, "lines": last}));
    } else if !last.is_empty() {
        output.raw(&last.join("\n"));
    }
    Ok(ExitKind::Success)
}

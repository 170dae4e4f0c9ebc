//! A test: its options, and how it is run.

use super::limits::{self, FaultTime};
use super::times::at_least;
use super::{Show, beside, heal_command, journals, stack};
use crate::cli::local::Start;
use crate::cli::pipeline::{Files, Published, annotate};
use crate::cli::reports::{keep, place, prepare_folder, remove_empty};
use crate::cli::rto_values::RtoValues;
use crate::cli::words::row;
use crate::cli::{CliError, Context, Outcome, settings};
use crate::failover::endpoint::{AmqpEndpoint, InvalidEndpoint};
use crate::failover::{
    self, Consent, DriverName, Duplicates, Fault, Faults, Limits, Load, Scenario, Times, Trust, matrix, text,
};
use crate::remedy::ExitKind;
use crate::topology::bound::parameters;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A test.
#[derive(Debug, clap::Args)]
pub struct Test {
    /// Name of the stack [default: as configured, `mqaws-qm1`]
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Faults, one each.
    #[arg(long, value_name = "FAULT", default_value = Fault::KillQueueManager.name(), help = format!("Fault to inject, repeatable: {}", Fault::names()))]
    pub fault: Vec<Fault>,
    /// Inject every fault that the topology and the place support, instead of --fault; the report lists the others
    #[arg(long, value_name = "WHICH", conflicts_with = "fault", value_parser = ["all"])]
    pub faults: Option<String>,
    /// Show the calls and the resources of the test without changing anything
    #[arg(long)]
    pub dry_run: bool,
    /// Number of rounds for each fault
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Number of producers of persistent messages
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Load")]
    pub producers: u32,
    /// Number of additional producers of non-persistent messages, which are counted separately
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100), help_heading = "Load")]
    pub non_persistent: u32,
    /// Messages per second of each producer
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = "Load")]
    pub rate: u32,
    /// Number of consumers
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Load")]
    pub consumers: u32,
    /// Size of each message in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(40..=1_000_000), help_heading = "Load")]
    pub size: u32,
    /// Maximum number of unacknowledged messages of each producer
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = "Load")]
    pub window: u32,
    /// Number of messages in the queue when the fault is injected
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Load")]
    pub backlog: u64,
    /// Whether producers wait for the broker's confirms; without them, a sent message counts as acknowledged (RabbitMQ only)
    #[arg(long, value_enum, value_name = "SWITCH", default_value_t = Confirms::On, help_heading = "Load")]
    pub confirms: Confirms,
    /// Protocol of the clients: amqp091 (RabbitMQ), or amqp10 (IBM MQ, RabbitMQ 4.0 or later) [default: amqp10 for IBM MQ, amqp091 for RabbitMQ]
    #[arg(long, value_name = "NAME", help_heading = "Load")]
    pub driver: Option<DriverName>,
    /// Maximum RTO of each round, such as 30s, or kill-queue-manager=2s for one fault [default: --recovery-timeout]
    #[arg(long, value_name = "[FAULT=]TIME", value_parser = limits::read, help_heading = "Limits")]
    pub max_rto: Vec<FaultTime>,
    /// Maximum median RTO of the rounds of each fault
    #[arg(long, value_name = "[FAULT=]TIME", value_parser = limits::read, help_heading = "Limits")]
    pub max_rto_median: Vec<FaultTime>,
    /// Maximum 95th percentile of the RTO of each fault; with fewer than 20 rounds, this is the longest RTO
    #[arg(long, value_name = "[FAULT=]TIME", value_parser = limits::read, help_heading = "Limits")]
    pub max_rto_p95: Vec<FaultTime>,
    /// Maximum number of acknowledged messages that may be lost
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Limits")]
    pub max_rpo: u64,
    /// Duplicates that the test accepts: allow, explained (by a lost connection that had the message), or none
    #[arg(long, value_name = "POLICY", default_value = "explained", help_heading = "Limits")]
    pub duplicates: Duplicates,
    /// Allow messages of one producer to arrive out of order
    #[arg(long, help_heading = "Limits")]
    pub allow_reordering: bool,
    /// Duration of load before the fault [default: 10s; 2s in a fast local cloud]
    #[arg(long, value_name = "TIME", value_parser = at_least("1s"), help_heading = "Times")]
    pub baseline: Option<Duration>,
    /// Duration of load after service is restored [default: 10s; 2s in a fast local cloud]
    #[arg(long, value_name = "TIME", value_parser = at_least("1s"), help_heading = "Times")]
    pub settle: Option<Duration>,
    /// Time within which service must be restored [default: 10m; 60s in a fast local cloud]
    #[arg(long, value_name = "TIME", value_parser = at_least("100ms"), help_heading = "Times")]
    pub recovery_timeout: Option<Duration>,
    /// Time within which the queue must be empty [default: 5m; 60s in a fast local cloud]
    #[arg(long, value_name = "TIME", value_parser = at_least("1s"), help_heading = "Times")]
    pub drain_timeout: Option<Duration>,
    /// Time after the queue is empty until missing messages count as lost [default: 30s; 5s in a fast local cloud]
    #[arg(long, value_name = "TIME", value_parser = at_least("1s"), help_heading = "Times")]
    pub drain_idle: Option<Duration>,
    /// Maximum time for the whole test, which then cleans up [default: until it ends]
    #[arg(long, value_name = "TIME", value_parser = at_least("1s"), help_heading = "Times")]
    pub timeout: Option<Duration>,
    /// File with measured values of parameters of the model of an outage, such as ec2.launch: 41.5
    #[arg(long, value_name = "FILE")]
    pub rto_values: Option<PathBuf>,
    /// URL of the AMQP service, instead of the stack's own endpoint; amqps:// for TLS
    #[arg(long, value_name = "URL")]
    pub amqp_url: Option<String>,
    /// PEM file with the CA certificates that the queue manager's certificate is verified against [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Name in the queue manager's certificate [default: `tls.server_name`, else the endpoint's host]
    #[arg(long, value_name = "NAME")]
    pub tls_server_name: Option<String>,
    /// ID of the account that --yes applies to; required without a terminal
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Continue even if other clients are connected to the queue manager
    #[arg(long)]
    pub allow_foreign_connections: bool,
    /// Folder for report.json; existing files are not overwritten
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub out: PathBuf,
    /// Files beside the report
    #[command(flatten)]
    pub files: Files,
}

/// Whether producers wait for confirms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Confirms {
    /// They do
    On,
    /// They do not
    Off,
}

/// Runs a test.
pub(super) fn run(context: &Context, args: Test) -> Outcome {
    let output = context.output();
    let (loaded, name) = stack(context, args.stack.clone())?;
    let limits = limits::of(&args)?;
    let values = args.rto_values.as_deref().map(RtoValues::read).transpose()?;
    let model = RtoValues::model(values.as_ref(), parameters(&loaded.deployment))?;
    let made = prepare_folder(&args.out)?;
    let files = Published::prepare(args.files.clone()).inspect_err(|_| remove_empty(&made))?;
    let interrupt = context.interrupt()?;
    let tested = context.block_on(async {
        let clients = context.clients(&loaded.deployment, Start::Never).await?;
        interrupt
            .or(settings::same_queue_manager(&clients, &loaded, "failover-test"))
            .await?;
        let mut scenario = scenario(&args, &name, limits)?;
        scenario.heal = heal_command(context, &name);
        let own_name = loaded.deployment.tls.server_name.as_ref().map(ToString::to_string);
        scenario.trust.server_name = args.tls_server_name.clone().or(own_name);
        scenario.consent.account = args.account.clone();
        if args.dry_run {
            let plan = failover::plan(&clients, &scenario).await?;
            output.data(plan.to_string());
            if clients.is_local() {
                beside::say(context, &plan.not_run, None);
            }
            if output.is_json() {
                output.document(&plan);
            }
            return Ok(ExitKind::Success);
        }
        if !clients.is_local() {
            if !context.global().yes {
                // First what can be read, then the question: nobody types a name to hear that nothing can be tested.
                let plan = failover::plan(&clients, &scenario).await?;
                let faults: Vec<&str> = plan.faults.iter().map(|planned| planned.fault.name()).collect();
                context.confirm_name(&format!("Injecting {} into a real stack", faults.join(", ")), &name)?;
                scenario.consent.typed = Some(name.clone());
            }
            scenario.journals = journals();
        }
        output.say(format!("mqaws failover-test: {name}\n"));
        interrupt.remains(format!(
            "possibly a fault, queues MQAWS.PROBE.*, and the mark of a test on {name}; to clean up, run `{}`",
            scenario.heal
        ));
        let show = Show::writing_into(context, &args.out).publishing(&files);
        let is_local = clients.is_local();
        let cloud = Arc::new(clients);
        let mut report = failover::run(cloud, &scenario, &show, interrupt.receiver()).await?;
        drop(show);
        interrupt.remains(None);
        report.set_model(model);
        let kept = keep(context, &mut report, &args.out);
        let matrix = matrix::text(&report);
        if !matrix.is_empty() {
            output.data(format!("{matrix}\n"));
            if is_local {
                beside::say(context, &report.not_run, report.place.timing.as_deref());
            }
        }
        output.data(text::summary(&report));
        output.data(row("report", place(kept.as_deref())));
        let published = files.publish(context, &[&report]);
        annotate(output, &report);
        if output.is_json() {
            output.document(&report);
        }
        // Who passed is not done without the files that were asked for.
        match report.exit() {
            ExitKind::Success => Ok(published),
            exit => Ok(exit),
        }
    });
    if tested.is_err() {
        remove_empty(&made);
    }
    tested
}

fn scenario(args: &Test, stack: &str, limits: Limits) -> Result<Scenario, CliError> {
    if let (Some(idle), Some(limit)) = (args.drain_idle, args.drain_timeout)
        && idle > limit
    {
        return Err(CliError::Usage {
            message:
                "--drain-idle must not be longer than --drain-timeout: the queue could not be confirmed empty in time"
                    .to_owned(),
            hint: None,
        });
    }
    let amqp = args.amqp_url.as_deref().map(endpoint).transpose()?;
    Ok(Scenario {
        faults: wanted(args),
        rounds: args.rounds,
        load: Load {
            producers: args.producers,
            non_persistent_producers: args.non_persistent,
            rate: args.rate,
            consumers: args.consumers,
            size: args.size as usize,
            window: args.window as usize,
            backlog: args.backlog,
            confirms: args.confirms == Confirms::On,
        },
        limits,
        times: Times {
            baseline: args.baseline,
            settle: args.settle,
            recovery_timeout: args.recovery_timeout,
            drain_timeout: args.drain_timeout,
            drain_idle: args.drain_idle,
            whole: args.timeout,
        },
        amqp,
        driver: args.driver,
        trust: Trust {
            ca_file: args.ca_file.clone(),
            server_name: None,
        },
        tls_options: [
            ("--ca-file", args.ca_file.is_some()),
            ("--tls-server-name", args.tls_server_name.is_some()),
        ]
        .into_iter()
        .filter(|(_, given)| *given)
        .map(|(option, _)| option)
        .collect(),
        consent: Consent {
            foreign_connections: args.allow_foreign_connections,
            ..Consent::default()
        },
        ..Scenario::new(stack, Fault::KillQueueManager)
    })
}

/// The faults that the user wants.
fn wanted(args: &Test) -> Faults {
    match args.faults {
        Some(_) => Faults::All,
        None => Faults::Named(args.fault.clone()),
    }
}

fn endpoint(url: &str) -> Result<AmqpEndpoint, CliError> {
    url.parse().map_err(|hint: InvalidEndpoint| CliError::Usage {
        message: format!("invalid value `{url}` for --amqp-url: must be amqp://host:port or amqps://host:port"),
        hint: Some(hint.to_string()),
    })
}

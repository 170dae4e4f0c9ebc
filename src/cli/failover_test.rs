//! The verb `failover-test`.

use super::local::Start;
use super::reports::{keep, place, prepare_folder, remove_empty};
use super::settings::{self, Settings};
use super::words::row;
use super::{CliError, Context, Failure, Outcome, Wait};
use crate::failover::archive::recount;
use crate::failover::endpoint::{AmqpEndpoint, InvalidEndpoint};
use crate::failover::report::Run;
use crate::failover::{self, Consent, Duplicates, Fault, Limits, Load, Report, Scenario, Times, Trust, text};
use crate::remedy::ExitKind;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Arguments of `failover-test`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  mqaws failover-test --local\n  mqaws failover-test --region eu-west-1 --fault terminate-instance --max-rto 3m\n  mqaws failover-test --rounds 60 --fault kill-queue-manager\n  mqaws failover-test heal --stack mqaws-qm1"
)]
pub struct Args {
    /// What else to do
    #[command(subcommand)]
    pub action: Option<Action>,
    /// The test.
    #[command(flatten)]
    pub test: Test,
}

/// What else to do.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Undo what a broken-off test left: its queues and its mark on the stack
    #[command(
        after_help = "Examples:\n  mqaws failover-test heal --stack mqaws-qm1\n\nRefused while the test goes on, or may: on this machine its process is looked at; a test elsewhere\nrenews its mark every minute, and the mark is good for 15 minutes."
    )]
    Heal {
        /// Name of the stack [default: as configured, `mqaws-qm1`]
        #[arg(long, value_name = "NAME")]
        stack: Option<String>,
        /// Also while the test goes on, or may: its measurement is ruined
        #[arg(long)]
        force: bool,
    },
    /// Count a ledger file again, from nothing but its bits
    #[command(after_help = "Examples:\n  mqaws failover-test verify ledger.bin")]
    Verify {
        /// The file that a test wrote beside its report
        #[arg(value_name = "FILE", default_value = "ledger.bin")]
        file: PathBuf,
    },
}

/// A test.
#[derive(Debug, clap::Args)]
pub struct Test {
    /// Name of the stack [default: as configured, `mqaws-qm1`]
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Faults, one each.
    #[arg(long, value_name = "FAULT", default_value = Fault::KillQueueManager.name(), help = format!("Fault, may be given several times: {}", Fault::names()))]
    pub fault: Vec<Fault>,
    /// Rounds of each fault
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Producers of persistent messages
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Load")]
    pub producers: u32,
    /// Producers of non-persistent messages beside them, accounted apart
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100), help_heading = "Load")]
    pub non_persistent: u32,
    /// Messages per second of each producer
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = "Load")]
    pub rate: u32,
    /// Consumers
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Load")]
    pub consumers: u32,
    /// Bytes of a message
    #[arg(long, value_name = "BYTES", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(40..=1_000_000), help_heading = "Load")]
    pub size: u32,
    /// Messages without an answer that a producer may have
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = "Load")]
    pub window: u32,
    /// Messages that wait in the queue when the fault comes
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Load")]
    pub backlog: u64,
    /// Longest outage that passes, such as 30s [default: any that ends in time]
    #[arg(long, value_name = "TIME", value_parser = at_least("1ms"), help_heading = "Limits")]
    pub max_rto: Option<Duration>,
    /// Most acknowledged messages that may be lost
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Limits")]
    pub max_rpo: u64,
    /// Which duplicates pass: allow, explained (by a lost connection that had the message), none
    #[arg(long, value_name = "POLICY", default_value = "explained", help_heading = "Limits")]
    pub duplicates: Duplicates,
    /// Messages of one producer may overtake each other
    #[arg(long, help_heading = "Limits")]
    pub allow_reordering: bool,
    /// Load before the fault [default: 10s; 2s in a fast local cloud]
    #[arg(long, value_name = "TIME", value_parser = at_least("1s"), help_heading = "Times")]
    pub baseline: Option<Duration>,
    /// Load after service is back [default: 10s; 2s in a fast local cloud]
    #[arg(long, value_name = "TIME", value_parser = at_least("1s"), help_heading = "Times")]
    pub settle: Option<Duration>,
    /// Service must be back within this time [default: 10m; 60s in a fast local cloud]
    #[arg(long, value_name = "TIME", value_parser = at_least("100ms"), help_heading = "Times")]
    pub recovery_timeout: Option<Duration>,
    /// The queue must be empty within this time [default: 5m; 60s in a fast local cloud]
    #[arg(long, value_name = "TIME", value_parser = at_least("1s"), help_heading = "Times")]
    pub drain_timeout: Option<Duration>,
    /// With an empty queue, what did not come within this time is lost [default: 30s; 5s in a fast local cloud]
    #[arg(long, value_name = "TIME", value_parser = at_least("1s"), help_heading = "Times")]
    pub drain_idle: Option<Duration>,
    /// Where the AMQP service answers, instead of the stack's own endpoint; amqps:// for TLS
    #[arg(long, value_name = "URL")]
    pub amqp_url: Option<String>,
    /// Certificates of the authority that vouches for the queue manager, PEM [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Name in the queue manager's certificate [default: `tls.server_name`, else the endpoint's host]
    #[arg(long, value_name = "NAME")]
    pub tls_server_name: Option<String>,
    /// Account id that --yes is meant for; needed off a terminal
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Go on although others are connected to the queue manager
    #[arg(long)]
    pub allow_foreign_connections: bool,
    /// Folder for report.json; nothing there is overwritten
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub out: PathBuf,
}

/// Runs a test, or undoes one that was broken off.
///
/// # Errors
/// Those of [`failover::run`] and [`failover::heal`]; a report that cannot be written.
pub fn run(context: &Context, args: Args) -> Outcome {
    match args.action {
        Some(Action::Heal { stack, force }) => heal(context, stack, force),
        Some(Action::Verify { file }) => verify(context, &file),
        None => test(context, args.test),
    }
}

fn test(context: &Context, args: Test) -> Outcome {
    let output = context.output();
    let (loaded, name) = stack(context, args.stack.clone())?;
    let made = prepare_folder(&args.out)?;
    let interrupt = context.interrupt()?;
    let tested = context.block_on(async {
        let clients = context.clients(&loaded.deployment, Start::Never).await?;
        interrupt
            .or(settings::same_queue_manager(&clients, &loaded, "failover-test"))
            .await?;
        let mut scenario = scenario(&args, &name)?;
        scenario.heal = heal_command(context, &name);
        let own_name = loaded.deployment.tls.server_name.as_ref().map(ToString::to_string);
        scenario.trust.server_name = args.tls_server_name.clone().or(own_name);
        if !clients.is_local() {
            if context.global().yes {
                scenario.consent.account = args.account.clone();
            } else {
                let faults: Vec<&str> = args.fault.iter().map(|fault| fault.name()).collect();
                context.confirm_name(&format!("This injects {} into a real stack", faults.join(", ")), &name)?;
                scenario.consent.typed = Some(name.clone());
            }
            scenario.journals = journals();
        }
        output.say(format!("mqaws failover-test: {name}\n"));
        interrupt.remains(format!(
            "perhaps queues MQAWS.PROBE.* and the mark of a test on {name}: `{}` takes them away",
            scenario.heal
        ));
        let show = Show::writing_into(context, &args.out);
        let cloud = Arc::new(clients);
        let mut report = failover::run(cloud, &scenario, &show, interrupt.receiver()).await?;
        drop(show);
        interrupt.remains(None);
        let kept = keep(context, &mut report, &args.out);
        output.data(text::summary(&report));
        output.data(row("report", place(kept.as_deref())));
        if output.is_json() {
            output.document(&report);
        }
        Ok(report.exit())
    });
    if tested.is_err() {
        remove_empty(&made);
    }
    tested
}

fn heal(context: &Context, stack_name: Option<String>, force: bool) -> Outcome {
    let (loaded, name) = stack(context, stack_name)?;
    context.block_on(async {
        let clients = context.clients(&loaded.deployment, Start::Never).await?;
        settings::same_queue_manager(&clients, &loaded, "failover-test heal").await?;
        if !clients.is_local() {
            context.confirm_name("This deletes the queues of a test and takes its mark away", &name)?;
        }
        // A test in a local cloud has no journal: what lies there is of another place.
        let journals = journals().filter(|_| !clients.is_local());
        let left = failover::heal(
            &clients,
            &name,
            journals.as_deref(),
            force,
            &heal_command(context, &name),
        )
        .await?;
        let output = context.output();
        if output.is_json() {
            output.document(&json!({ "schema": "mqaws.heal/1", "stack": name, "left": left }));
        }
        if left.is_empty() {
            output.data(row("healed", format!("{name}: no queue and no mark of a test is left")));
            return Ok(ExitKind::Success);
        }
        output.data(row("left", left.join("; ")));
        Ok(ExitKind::Remote)
    })
}

/// The command that undoes what a test left on this stack.
fn heal_command(context: &Context, stack: &str) -> String {
    let command = format!("mqaws failover-test heal --stack {stack}");
    context.output().suggestions().command(&command)
}

fn verify(context: &Context, file: &Path) -> Outcome {
    let rounds = recount(file).map_err(|error| CliError::Precondition {
        message: format!("cannot count `{}`: {error}", file.display()),
        hint: Some("name a ledger.bin that a failover test wrote".into()),
    })?;
    let output = context.output();
    let mut exit = ExitKind::Success;
    for round in &rounds {
        let counts = &round.account.persistent;
        let lost = round
            .account
            .lost
            .map_or_else(|| "the drain was not complete".into(), |lost| format!("{lost} lost"));
        output.data(row(
            "round",
            format!(
                "{}: {} acknowledged, {lost}, {} missing",
                round.run_id, counts.acked, counts.missing
            ),
        ));
        let this = match round.account.lost {
            Some(0) => ExitKind::Success,
            Some(_) => ExitKind::Lost,
            None => ExitKind::Inconclusive,
        };
        exit = exit.worse(this);
    }
    if output.is_json() {
        let rounds: Vec<_> = rounds
            .iter()
            .map(|round| json!({ "run_id": round.run_id, "ledger": round.account }))
            .collect();
        output.document(&json!({ "schema": "mqaws.recount/1", "rounds": rounds }));
    }
    Ok(if rounds.is_empty() {
        ExitKind::Inconclusive
    } else {
        exit
    })
}

fn stack(context: &Context, stack: Option<String>) -> Result<(crate::model::config::Loaded, String), Failure> {
    let loaded = settings::load(context, &Settings::of_stack(stack))?;
    let name = loaded.deployment.stack.to_string();
    Ok((loaded, name))
}

fn scenario(args: &Test, stack: &str) -> Result<Scenario, CliError> {
    if let (Some(idle), Some(limit)) = (args.drain_idle, args.drain_timeout)
        && idle > limit
    {
        return Err(CliError::Usage {
            message: "--drain-idle is longer than --drain-timeout: no queue could be found empty in time".to_owned(),
            hint: None,
        });
    }
    let amqp = args.amqp_url.as_deref().map(endpoint).transpose()?;
    Ok(Scenario {
        faults: args.fault.clone(),
        rounds: args.rounds,
        load: Load {
            producers: args.producers,
            non_persistent_producers: args.non_persistent,
            rate: args.rate,
            consumers: args.consumers,
            size: args.size as usize,
            window: args.window as usize,
            backlog: args.backlog,
        },
        limits: Limits {
            max_rto_ns: args
                .max_rto
                .map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
            max_rpo: args.max_rpo,
            duplicates: args.duplicates,
            allow_reordering: args.allow_reordering,
        },
        times: Times {
            baseline: args.baseline,
            settle: args.settle,
            recovery_timeout: args.recovery_timeout,
            drain_timeout: args.drain_timeout,
            drain_idle: args.drain_idle,
        },
        amqp,
        trust: Trust {
            ca_file: args.ca_file.clone(),
            server_name: None,
        },
        consent: Consent {
            foreign_connections: args.allow_foreign_connections,
            ..Consent::default()
        },
        ..Scenario::new(stack, Fault::KillQueueManager)
    })
}

fn endpoint(url: &str) -> Result<AmqpEndpoint, CliError> {
    url.parse().map_err(|hint: InvalidEndpoint| CliError::Usage {
        message: format!("--amqp-url wants amqp://host:port or amqps://host:port, found `{url}`"),
        hint: Some(hint.to_string()),
    })
}

/// Longest time that any part of a test may be given.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads a time within bounds: with less, a test measures nothing, or finds lost what it did not wait for.
fn at_least(least: &'static str) -> impl Fn(&str) -> Result<Duration, String> + Clone {
    move |text| {
        let time = time(text)?;
        match time >= self::time(least)? && time <= LONGEST {
            true => Ok(time),
            false => Err(format!("write a time from {least} to 24h")),
        }
    }
}

/// `30s`, `1.5m`, `200ms`, `2h`, or a number of seconds.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let split = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len();
    let (number, unit) = text.split_at(split);
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("`{unit}` is no unit: write ms, s, m or h")),
    };
    let number: f64 = number
        .trim()
        .parse()
        .map_err(|_| "write a time such as 30s or 2m".to_owned())?;
    Duration::try_from_secs_f64(number * scale).map_err(|_| "write a time such as 30s or 2m".to_owned())
}

/// Folder in which the changes of tests are written down, so that `heal` finds them.
fn journals() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    Some(state.join("mqaws"))
}

/// Shows a test as it goes.
pub(super) struct Show<'a> {
    context: &'a Context,
    out: Option<&'a Path>,
    wait: Wait,
}

impl<'a> Show<'a> {
    /// Begins with a moving line; a report of a broken-off test is written nowhere.
    pub(super) fn new(context: &'a Context) -> Self {
        let wait = context.progress().wait(row("", "reading the stack"));
        Self {
            context,
            out: None,
            wait,
        }
    }

    /// As [`Show::new`], and the rounds of a broken-off test are written into `out`.
    pub(super) fn writing_into(context: &'a Context, out: &'a Path) -> Self {
        Self {
            out: Some(out),
            ..Self::new(context)
        }
    }
}

impl failover::Watch for Show<'_> {
    fn doing(&self, what: &str) {
        self.wait.update(row("", what));
    }

    fn began(&self, report: &Report) {
        self.context.output().data(text::load(&report.load));
    }

    fn round(&self, run: &Run) {
        self.context.output().data(format!("\n{}", text::run(run)));
    }

    fn broken_off(&self, report: &Report) {
        let (output, Some(out)) = (self.context.output(), self.out) else {
            return;
        };
        let kept = keep(self.context, &mut report.clone(), out);
        output.note(row(
            "report",
            format!("{}, with the rounds that were done", place(kept.as_deref())),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, millis) in [
            ("30s", 30_000),
            ("1.5m", 90_000),
            ("200ms", 200),
            ("2h", 7_200_000),
            ("7", 7000),
        ] {
            assert_eq!(time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "3 days", "-1s", "1e400", "1e300h", "nan", "infs"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_that_measure_nothing_are_refused() {
        let baseline = at_least("1s");
        assert_eq!(baseline("1s"), Ok(Duration::from_secs(1)));
        for text in ["0", "0s", "999ms", "25h", "1e300s"] {
            assert!(baseline(text).is_err(), "{text}");
        }
        assert_eq!(baseline("0s").unwrap_err(), "write a time from 1s to 24h");
        let test = |words: &[&str]| {
            use clap::Parser;
            let words = [&["mqaws", "failover-test"], words].concat();
            crate::cli::args::Cli::try_parse_from(words)
                .map(drop)
                .map_err(|e| e.to_string())
        };
        for flag in [
            "--baseline",
            "--settle",
            "--recovery-timeout",
            "--drain-timeout",
            "--drain-idle",
            "--max-rto",
        ] {
            let refused = test(&[flag, "0s"]).unwrap_err();
            assert!(
                refused.contains(flag) && refused.contains("write a time from"),
                "{refused}"
            );
        }
        assert_eq!(test(&["--recovery-timeout", "200ms", "--max-rto", "1500ms"]), Ok(()));
    }
}

//! The verb `status`.

use super::choose::pace;
use super::deploy::no_stack;
use super::failover_test::time;
use super::local::Start;
use super::settings::{self, Settings};
use super::words::{duration, row, table};
use super::{Context, Failure, Outcome};
use crate::aws::Clients;
use crate::cloud::{AwsError, Problem};
use crate::model::agent::{AgentStatus, MEASURED_STALE_SECONDS};
use crate::observe::megabytes;
use crate::observe::ports::GroupInstance;
use crate::observe::state::{CONDEMNED, SERVING, STATES, UNAVAILABLE, UNKNOWN};
use crate::observe::status::{Report, gather};
use crate::remedy::ExitKind;
use anstyle::{AnsiColor, Style};
use clap::builder::PossibleValuesParser;
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws status --region eu-west-1\n  mqaws status --local --output json\n  mqaws status --stack mqaws-orders\n  mqaws status --check\n  mqaws status --wait serving --timeout 10m"
)]
pub struct Args {
    /// Name of the stack [default: as configured, `mqaws-qm1`]
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Exit with 0 if the state is `serving`, 11 if it is not, or 4 if it cannot be determined
    #[arg(long, conflicts_with = "wait")]
    pub check: bool,
    /// Wait for this state; exit with 11 if it is not reached within --timeout
    #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(STATES))]
    pub wait: Option<String>,
    /// Maximum time to wait for the state
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "5m", requires = "wait")]
    pub timeout: Duration,
}

/// Shows what is there; with `--check` or `--wait`, the exit code says whether a state holds.
///
/// # Errors
/// No such stack; the stack cannot be read. Parts that cannot be read are named in the output and are no error.
pub fn run(context: &Context, args: Args) -> Outcome {
    let loaded = settings::load(context, &Settings::of_stack(args.stack))?;
    let name = loaded.deployment.stack.to_string();
    context.block_on(async {
        let until = Instant::now() + args.timeout;
        let clients = context.clients(&loaded.deployment, Start::Never).await?;
        let wanted = args.wait.as_deref();
        {
            let _shown = context.progress().wait(row("", format!("reading {name}")));
            match wanted {
                Some(_) => within(until, "sts:GetCallerIdentity", &clients, clients.identity()).await?,
                None => clients.identity().await?,
            };
        }
        let report = match wanted {
            Some(state) => wait(context, &clients, &name, state, until).await?,
            None => {
                let _shown = context.progress().wait(row("", format!("reading {name}")));
                read(&clients, &name).await?
            }
        };
        if context.output().is_json() {
            context.output().document(&report);
        }
        context.output().data(text(&report, Timestamp::now()));
        let Some(wanted) = wanted.or(args.check.then_some(SERVING)) else {
            return Ok(ExitKind::Success);
        };
        let exit = judge(&report, wanted);
        if exit != ExitKind::Success {
            context
                .output()
                .note(format!("the state is `{}`, not `{wanted}`", report.state));
        }
        Ok(exit)
    })
}

/// Whether a state holds, as an exit code. A state that cannot be determined is no state that does not hold.
fn judge(report: &Report, wanted: &str) -> ExitKind {
    match report.state.as_str() {
        state if state == wanted => ExitKind::Success,
        UNKNOWN => ExitKind::Remote,
        _ => ExitKind::NoRecovery,
    }
}

async fn read(clients: &Clients, name: &str) -> Result<Report, Failure> {
    let found = gather(clients, name, clients.region(), clients.is_local()).await?;
    Ok(found.ok_or_else(|| no_stack(name, clients))?)
}

/// Reads again and again until the state holds or the time is up, and returns the last report.
async fn wait(
    context: &Context,
    clients: &Clients,
    name: &str,
    wanted: &str,
    until: Instant,
) -> Result<Report, Failure> {
    let mut now = "not read yet".to_owned();
    let mut last: Option<Report> = None;
    loop {
        let _shown = context
            .progress()
            .wait(row("", format!("waiting for {name} to be `{wanted}`: {now}")));
        let read = gather(clients, name, clients.region(), clients.is_local());
        let error = match within(until, "read the state", clients, read).await {
            Ok(None) => return Err(no_stack(name, clients).into()),
            Ok(Some(report)) if report.state == wanted => return Ok(report),
            Ok(Some(report)) => {
                now.clone_from(&report.state);
                last = Some(report);
                None
            }
            Err(error) if !error.is_transient() => return Err(error.into()),
            Err(error) => {
                now = error.to_string();
                Some(error)
            }
        };
        let left = until.saturating_duration_since(Instant::now());
        match (left.is_zero(), last.take(), error) {
            (true, Some(report), _) => return Ok(report),
            (true, None, Some(error)) => return Err(error.into()),
            (_, before, _) => last = before,
        }
        tokio::time::sleep(pace(clients).agent.min(left)).await;
    }
}

/// What is read before the time is up, or an error that it did not come: whoever gives `--timeout` waits no longer.
async fn within<T, E: From<AwsError>>(
    until: Instant,
    action: &str,
    clients: &Clients,
    read: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    // With no time at all, one quick look is still meant.
    let left = until.saturating_duration_since(Instant::now()).max(SHORTEST);
    let answer = tokio::time::timeout(left, read).await;
    answer.unwrap_or_else(|_| {
        let mut error = AwsError::local(action, Problem::TimedOut, None);
        error.place = clients.endpoint().map(str::to_owned);
        Err(error.into())
    })
}

/// Shortest time for a read.
const SHORTEST: Duration = Duration::from_millis(500);

/// The report for people.
fn text(report: &Report, now: Timestamp) -> String {
    let mut lines = vec![headline(report, now)];
    let mut add = |label: &str, text: String| lines.push(row_wide(label, &text));
    match &report.instances {
        Some(members) if members.is_empty() => add("instance", "none".into()),
        Some(members) => {
            let cells = |member: &GroupInstance| {
                let agent = report.agent.as_ref().filter(|a| a.instance == member.instance.as_str());
                let agent = agent.map(|a| format!("agent {}", a.agent_version)).unwrap_or_default();
                let role = report.roles.get(&member.instance);
                let role = role.map(ToString::to_string).unwrap_or_default();
                let place = format!("{} {}", member.instance, member.zone);
                [place, member.lifecycle.clone(), role, agent]
            };
            let rows: Vec<[String; 4]> = members.iter().map(cells).collect();
            for line in table(&rows).lines() {
                add("instance", line.trim_start().to_owned());
            }
        }
        None => {}
    }
    if let Some(writer) = &report.writer {
        let proof = writer.proof.as_ref().map(|proof| {
            let previous = proof.previous.as_ref().map(|p| format!(" ({p})")).unwrap_or_default();
            format!(", proof: {}{previous}, {}", proof.kind, readable(&proof.at))
        });
        add(
            "writer",
            format!(
                "{} epoch {}{}",
                writer.instance,
                writer.epoch,
                proof.unwrap_or_default()
            ),
        );
    }
    if report.started_from_copy() {
        add(
            "warning",
            "the queue manager started from a copy of another file system. According to AWS, a backup of a file system in use may contain \
             duplicated, skewed, or excluded data: compare the queues with the records of your applications"
                .into(),
        );
    }
    if let Some(storage) = &report.storage {
        let fsync = report
            .fsync_millis
            .map(|ms| format!(", fsync p99 {ms:.1} ms"))
            .unwrap_or_default();
        let encrypted = if storage.encrypted {
            "encrypted"
        } else {
            "NOT encrypted"
        };
        let state = if storage.state == "available" {
            String::new()
        } else {
            format!(", {}", storage.state)
        };
        let size = megabytes(storage.bytes);
        add(
            "storage",
            format!(
                "{} {}, {size}{fsync}, {encrypted}{state}",
                storage.id, storage.throughput
            ),
        );
    }
    if let Some(line) = endpoint(report) {
        add("endpoint", line);
    }
    if let Some(line) = report.agent.as_ref().and_then(connections) {
        add("connections", line);
    }
    for blocker in &report.blockers {
        add("warning", format!("{blocker}; to resolve this: {}", blocker.remedy()));
    }
    if report.rebalance_suspended == Some(false) {
        add(
            "warning",
            "AZRebalance is not suspended: a healthy instance may be replaced; to suspend it, run `mqaws deploy`"
                .into(),
        );
    }
    if let Some(alarms) = &report.alarms {
        let firing: Vec<String> = report.firing().map(|a| format!("{}: {}", a.name, a.reason)).collect();
        let none = if alarms.is_empty() { "none defined" } else { "none" };
        add(
            "alarms",
            if firing.is_empty() {
                none.into()
            } else {
                firing.join("; ")
            },
        );
    }
    if let Some(error) = &report.last_error {
        add("error", error.clone());
    }
    let alarm = report.agent.as_ref().and_then(|agent| agent.alarm.as_ref());
    let said = |alarm: &&String| {
        report
            .last_error
            .as_ref()
            .is_some_and(|error| error.contains(alarm.as_str()))
    };
    if let Some(alarm) = alarm.filter(|alarm| !said(alarm)) {
        add("agent", alarm.clone());
    }
    if let Some(clients) = &report.clients {
        let mut label = "clients";
        let mut cipher = String::new();
        let found = clients
            .endpoints
            .iter()
            .filter_map(|(protocol, found)| Some((protocol.notation, found.as_ref()?)));
        for (notation, endpoint) in found {
            let (before, after) = if clients.tls { notation.tls } else { notation.plain };
            add(std::mem::take(&mut label), format!("{before}{}{after}", endpoint.text));
            if !notation.channel.is_empty() {
                add("", format!("channel: {}", notation.channel));
            }
            if !notation.reconnect.is_empty() {
                add("", format!("reconnect: {}", notation.reconnect));
            }
            if !notation.cipher.is_empty() {
                cipher = format!(": {}", notation.cipher);
            }
        }
        if clients.tls {
            let days = report.agent.as_ref().and_then(|agent| agent.certificate_days);
            let until = days.map(certificate).unwrap_or_default();
            add("", format!("TLS 1.2 or later{cipher}{until}"));
        }
        if let Some(secret) = &clients.secret {
            add("", format!("user and password: secret {secret}"));
        }
    }
    for (part, why) in &report.unread {
        add("unread", format!("{part}: {why}"));
    }
    lines.join("\n")
}

/// What clients have to know of the certificate's end.
fn certificate(days: f64) -> String {
    if days <= 0.0 {
        ", certificate EXPIRED: clients reject it".to_owned()
    } else {
        format!(", certificate expires in {days:.0} d")
    }
}

fn headline(report: &Report, now: Timestamp) -> String {
    let style = match report.state.as_str() {
        SERVING => AnsiColor::Green.on_default(),
        UNKNOWN | UNAVAILABLE | CONDEMNED => AnsiColor::Red.on_default(),
        _ => AnsiColor::Yellow.on_default(),
    };
    let bold = Style::new().bold();
    let place = if report.local {
        format!("{} (local cloud)", report.region)
    } else {
        report.region.clone()
    };
    let engine = report.engine.as_ref().map(|e| format!(" · {e}")).unwrap_or_default();
    let since = report.since.as_deref().and_then(|s| s.parse::<Timestamp>().ok());
    let since = since
        .map(|s| format!("   for {}", duration(now.duration_since(s).unsigned_abs())))
        .unwrap_or_default();
    let name = if report.queue_manager.is_empty() {
        &report.stack
    } else {
        &report.queue_manager
    };
    format!(
        "{bold}{name}{bold:#}  {style}{}{style:#}   {} · {} · {place}{engine}{since}",
        report.state, report.stack, report.topology
    )
}

/// How many connections there are, and how old that is when it may not be so any more.
fn connections(agent: &AgentStatus) -> Option<String> {
    let count = agent.connections?;
    Some(match agent.measured_seconds {
        Some(seconds) if seconds <= MEASURED_STALE_SECONDS => count.to_string(),
        Some(seconds) => format!("{count}, measured {seconds} s ago"),
        None => format!("{count}, measured at an unknown time"),
    })
}

fn endpoint(report: &Report) -> Option<String> {
    let balancer = report.load_balancer.as_ref()?;
    let health = report
        .healthy()
        .map(|(healthy, all)| format!(", {healthy} of {all} target{} healthy", if all == 1 { "" } else { "s" }));
    let ports: String = (report.clients.iter())
        .flat_map(|clients| &clients.endpoints)
        .filter_map(|(protocol, found)| Some(format!(", {} {}", protocol.name, found.as_ref()?.address.port)))
        .collect();
    let state = if balancer.state == "active" {
        String::new()
    } else {
        format!(", {}", balancer.state)
    };
    let scheme = &balancer.scheme;
    Some(format!("{scheme} NLB{}{}{state}", health.unwrap_or_default(), ports))
}

/// An instant as people read it: to the second, in UTC.
fn readable(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => time.strftime("%F %T UTC").to_string(),
        Err(_) => time.to_owned(),
    }
}

fn row_wide(label: &str, text: &str) -> String {
    format!("  {label:<11} {text}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_of_connections_tells_its_age() {
        for (count, seconds, expected) in [
            (Some(6), Some(5), Some("6")),
            (Some(6), Some(59), Some("6, measured 59 s ago")),
            (Some(0), None, Some("0, measured at an unknown time")),
            (None, Some(2), None),
        ] {
            let mut agent = crate::topology::tests::agent("i-1", "serving");
            (agent.connections, agent.measured_seconds) = (count, seconds);
            assert_eq!(connections(&agent).as_deref(), expected);
        }
    }
}

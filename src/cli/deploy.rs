//! The verb `deploy`.

use super::choose::pace;
use super::failover_test::{heal_command, time};
use super::lab::{Kind, Speed};
use super::local::{LabOptions, Start};
use super::plan::{self, PlannedDeployment};
use super::settings::{self, Settings};
use super::view::{View, timed};
use super::words::row;
use super::{CliError, Context, Failure, Outcome};
use crate::aws::Clients;
use crate::deploy::stake::KeptStorage;
use crate::deploy::{self, Adoption, Consent, DeployError, News, Observer, Pace, Service, Step, Stop, Tcp, Verb};
use crate::failover;
use crate::observe::Stack;
use crate::remedy::ExitKind;
use crate::topology::FILE_SYSTEM;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Arguments of `deploy`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws deploy --region eu-west-1\n  mqaws deploy --local --yes\n  mqaws deploy --local --timing aws --yes\n  mqaws deploy --config orders.yaml --allow-faults --until stack"
)]
pub struct Args {
    /// Values that override the file
    #[command(flatten)]
    pub settings: Settings,
    /// Allow this replacement: the logical ID of a file system, or QueueManagerName
    #[arg(long, value_name = "LOGICAL_ID")]
    pub allow_replace: Vec<String>,
    /// Start on a new, empty file system although a previous one is kept
    #[arg(long)]
    pub new_storage: bool,
    /// What to wait for: a verified service, or only the complete stack
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub until: Until,
    /// Maximum time for each wait: change set, stack, and service [default: 5m, no limit, 5m; in the local cloud: 60s, no limit, 4m]
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "dry_run")]
    pub timeout: Option<Duration>,
    /// Protect the stack against deletion
    #[arg(long)]
    pub protect: bool,
    /// Only show what would change, like `plan`
    #[arg(long)]
    pub dry_run: bool,
    /// Timing of the local cloud that --local starts [default: fast]
    #[arg(long, value_enum, value_name = "TIMING", conflicts_with = "dry_run")]
    timing: Option<Speed>,
    /// Type of hosts in the local cloud that --local starts [default: process]
    #[arg(long, value_enum, value_name = "KIND", conflicts_with = "dry_run")]
    hosts: Option<Kind>,
}

/// Where a deployment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Until {
    /// When service is verified
    #[default]
    Service,
    /// When the stack is complete
    Stack,
}

/// Deploys, and shows that service is given.
///
/// # Errors
/// Those of [`deploy`].
pub fn run(context: &Context, args: Args) -> Outcome {
    let given = [("--timing", args.timing.is_some()), ("--hosts", args.hosts.is_some())];
    if let Some((option, _)) = given.iter().find(|(_, given)| *given)
        && !context.global().local
    {
        return Err(CliError::Usage {
            message: format!("{option} applies to the local cloud only"),
            hint: Some("add --local, or remove the option".into()),
        }
        .into());
    }
    let wanted = LabOptions {
        timing: args.timing.map(Into::into),
        hosts: args.hosts.map(Into::into),
    };
    if args.dry_run {
        return plan::run(
            context,
            plan::Args {
                settings: args.settings,
                allow_replace: args.allow_replace,
                new_storage: args.new_storage,
                timeout: None,
                rto: false,
                rto_values: None,
            },
        );
    }
    let loaded = settings::load(context, &args.settings)?.deployable()?;
    plan::replaceable(&args.allow_replace, &loaded.deployment)?;
    let interrupt = context.interrupt()?;
    let stop = Stop::new(interrupt.receiver());
    context.block_on(async {
        let began = Instant::now();
        let clients = context.clients(&loaded.deployment, Start::IfNeeded(wanted)).await?;
        let consent = Consent {
            new_storage: args.new_storage,
            clear: true,
        };
        let pace = pace(&clients).within(args.timeout);
        let made = plan::make(context, &clients, &loaded, args.protect, (consent, pace), &interrupt).await?;
        let heal = heal_command(context, &made.plan.stack);
        let untested = || interrupt.or(failover::untested(&clients, &made.plan.stack, &heal));
        let reviewed = async {
            untested().await?;
            review(context, &clients, &made, &args.allow_replace)?;
            // Once more: a test may have begun while a user was asked.
            untested().await
        };
        if let Err(error) = reviewed.await {
            let abandoned = deploy::abandon(&clients, &made.plan, pace).await;
            let error = abandoned.err().map_or(error, Failure::from);
            return Err(match made.plan.cleared {
                true => error.besides(deploy::CLEARED),
                false => error,
            });
        }
        let stack = format!(
            "stack {} in {}, account {}",
            made.plan.stack,
            clients.region(),
            made.identity.account
        );
        interrupt.remains(stack.clone());
        // A deleted stack leaves its file system, so whoever leaves at once has to know it.
        let on_file_system = |id: &str| interrupt.remains(format!("{stack}, and its file system {id}"));
        let deployed = carry_out(context, &clients, &made, (args.until, pace), &stop, on_file_system).await?;
        let document = Document::new(&made, &clients, &deployed, began);
        let next = next(context, &deployed.stack.name);
        if context.output().is_json() {
            context.output().document(&document);
        }
        context.output().data(deployed.text(&next, began));
        if stop.requested() {
            context
                .output()
                .note("interrupt received after completion; nothing was rolled back");
        }
        Ok(ExitKind::Success)
    })
}

/// What to do next with a stack, in commands that lead to it and to no other.
fn next(context: &Context, stack: &str) -> String {
    let usual = settings::load(context, &Settings::default()).ok();
    let usual = usual.is_some_and(|usual| usual.deployment.stack.as_ref() == stack);
    let named = if usual {
        String::new()
    } else {
        format!(" --stack {stack}")
    };
    context.next(&[
        &format!("mqaws status{named}"),
        &format!("mqaws failover-test{named}"),
        &format!("mqaws destroy{named}"),
    ])
}

/// What a deployment came to.
pub(super) struct Deployed {
    pub changed: bool,
    pub stack: Stack,
    /// What the stack no longer has, but was kept.
    pub kept: Vec<String>,
    pub service: Option<Service>,
}

/// Shows the review and asks, unless the answer is known.
fn review(
    context: &Context,
    clients: &Clients,
    made: &PlannedDeployment,
    allow_replace: &[String],
) -> Result<(), Failure> {
    let output = context.output();
    let plan = &made.plan;
    output.say(format!(
        "mqaws deploy: {}, {}\n",
        plan.stack,
        plan::place(clients, &made.identity)
    ));
    for chosen in &made.chosen {
        output.say(row("chosen", chosen));
    }
    made.kept()
        .chain(made.order())
        .chain(made.warnings())
        .for_each(|line| output.note(line));
    made.adopts().for_each(|line| output.note(line));
    if plan.is_empty() {
        output.say(row("plan", "no change"));
    } else {
        output.say(row("plan", plan.review.summary()));
    }
    if !plan.fresh {
        output.say(made.lines().trim_end());
    }
    plan.check(allow_replace)?;
    if plan.is_empty() {
        return Ok(());
    }
    if clients.is_local() {
        // Nothing here costs anything, and everything is thrown away.
        return Ok(());
    }
    context.confirm("Continue?")
}

/// The file system that was just made.
fn new_file_system(step: &Step) -> Option<&str> {
    match step {
        Step::News {
            news:
                News::Ended {
                    kind,
                    physical,
                    verb: Verb::Create,
                    ..
                },
            ..
        } if kind == FILE_SYSTEM => physical.as_deref(),
        _ => None,
    }
}

/// Executes a plan, suspends what CloudFormation cannot, and waits for service; `on_file_system` hears of a new one.
pub(super) async fn carry_out(
    context: &Context,
    clients: &Clients,
    made: &PlannedDeployment,
    (until, pace): (Until, Pace),
    stop: &Stop,
    on_file_system: impl Fn(&str),
) -> Result<Deployed, Failure> {
    let changed = !made.plan.is_empty();
    let placed = |error: DeployError| error.with_definitions(made.definitions.as_deref());
    let began = Instant::now();
    let mut view = View::new(context.progress(), "stack", &made.plan.stack);
    let settled = {
        let mut watch = |step: Step| {
            if let Some(id) = new_file_system(&step) {
                on_file_system(id);
            }
            view.tell(step);
        };
        let executed = deploy::carry_out(clients, &made.blueprint, &made.plan, pace, stop, &mut watch).await;
        executed.map_err(placed)?
    };
    let stack = &settled.stack;
    view.rest();
    if changed {
        context.progress().line(timed(
            &row("stack", format!("{} {}", stack.name, stack.status)),
            began.elapsed(),
        ));
    }
    if made.blueprint.protect && !stack.protected {
        deploy::protect(clients, stack).await?;
    }
    match deploy::suspend_rebalance(clients, stack, pace).await {
        // an endpoint that is not AWS can still hold a stack, and the stack is all that was asked for
        Err(DeployError::Unfinished { source, .. }) if until == Until::Stack && source.is_unknown_action() => {
            context
                .progress()
                .line(row("not done", format!("AZRebalance is not suspended: {source}")));
        }
        done => done?,
    }
    let service = match until {
        Until::Stack => None,
        Until::Service => {
            let mut view = View::new(context.progress(), "service", "");
            let shown = deploy::await_service(clients, &Tcp, &settled, pace, stop, &mut view).await;
            Some(shown.map_err(placed)?)
        }
    };
    Ok(Deployed {
        changed,
        stack: settled.stack,
        kept: settled.kept,
        service,
    })
}

impl Deployed {
    /// What now exists, what was shown of it, and the next sensible command.
    fn text(&self, next: &str, began: Instant) -> String {
        let mut lines = vec![match &self.service {
            None => row(
                "stack",
                format!("{} is complete; service was not verified", self.stack.name),
            ),
            Some(service) => timed(&service_line(service), began.elapsed()),
        }];
        for kept in &self.kept {
            let data = if kept.starts_with("file system") {
                "with the existing messages"
            } else {
                ""
            };
            lines.push(row("kept", format!("{kept}{data}")));
        }
        if let Some(service) = &self.service {
            lines.extend(writer_line(service));
            let of = |shown| {
                let found = service.evidence.iter().filter(|e| e.shown == shown).map(|e| e.of);
                found.collect::<Vec<_>>().join(", ")
            };
            lines.push(row("", format!("verified: {}", of(true))));
            lines.extend(
                service
                    .evidence
                    .iter()
                    .filter(|e| !e.shown)
                    .map(|e| row("", format!("not verified: {}", e.text))),
            );
            let warned = service.blockers.iter();
            lines.extend(warned.map(|one| row("warning", format!("{one}; to resolve this: {}", one.remedy()))));
        }
        lines.push(format!("\n{next}"));
        lines.join("\n")
    }
}

/// `service  QM1 answers on 127.77.1.1, MQ 1414, AMQP 5672`
pub(super) fn service_line(service: &Service) -> String {
    let open = service
        .ports
        .iter()
        .filter_map(|(protocol, port)| Some((protocol.name, (*port)?)));
    let ports: String = open.map(|(name, port)| format!(", {name} {port}")).collect();
    let name = &service.queue_manager;
    row("service", format!("{name} answers on {}{ports}", service.endpoint))
}

/// `written by i-… in eu-west-1a, epoch 1, proof: clean`
pub(super) fn writer_line(service: &Service) -> Option<String> {
    let agent = service.agent.as_ref().filter(|_| service.owned)?;
    let proof = agent.proof.as_ref().map_or("none", |p| p.kind.as_str());
    let epoch = agent.epoch.map_or_else(|| "none".to_owned(), |e| e.to_string());
    Some(row(
        "",
        format!(
            "written by {} in {}, epoch {epoch}, proof: {proof}",
            agent.instance, agent.zone
        ),
    ))
}

/// The result as JSON.
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    stack: &'a str,
    stack_id: &'a str,
    status: &'a str,
    region: &'a str,
    account: &'a str,
    local: bool,
    changed: bool,
    changes: serde_json::Value,
    chosen: &'a [String],
    kept_storage: &'a [KeptStorage],
    adopted: &'a Option<Adoption>,
    outputs: &'a BTreeMap<String, String>,
    kept: &'a [String],
    service: &'a Option<Service>,
    seconds: f64,
}

impl<'a> Document<'a> {
    fn new(made: &'a PlannedDeployment, clients: &'a Clients, deployed: &'a Deployed, began: Instant) -> Self {
        let review = &made.plan.review;
        Self {
            schema: "mqaws.deploy/1",
            stack: &deployed.stack.name,
            stack_id: &deployed.stack.id,
            status: &deployed.stack.status.0,
            region: clients.region(),
            account: &made.identity.account,
            local: clients.is_local(),
            changed: deployed.changed,
            changes: json!({
                "add": review.count(deploy::Effect::Add),
                "change": review.count(deploy::Effect::Change),
                "replace": review.count(deploy::Effect::Replace),
                "remove": review.count(deploy::Effect::Remove),
            }),
            chosen: &made.chosen,
            kept_storage: &made.plan.kept,
            adopted: &made.plan.adopts,
            outputs: &deployed.stack.outputs,
            kept: &deployed.kept,
            service: &deployed.service,
            seconds: (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        }
    }
}

/// The error for a stack that is not there.
pub(super) fn no_stack(stack: &str, clients: &Clients) -> CliError {
    let (place, others) = match clients.is_local() {
        true => ("the local cloud", "--stack"),
        false => (clients.region(), "--stack, --region or --profile"),
    };
    CliError::Precondition {
        message: format!("stack {stack} does not exist in {place}"),
        hint: Some(format!(
            "deploy it with `mqaws deploy --stack {stack}`, or specify a different one with {others}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_file_system_is_remembered() {
        let ended = |kind: &str, verb| Step::News {
            news: News::Ended {
                logical: "FileSystem".into(),
                physical: Some("fs-1".into()),
                kind: kind.into(),
                took: Duration::ZERO,
                verb,
            },
            done: 1,
            total: 2,
        };
        assert_eq!(
            new_file_system(&ended("AWS::EFS::FileSystem", Verb::Create)),
            Some("fs-1")
        );
        assert_eq!(new_file_system(&ended("AWS::EFS::FileSystem", Verb::Keep)), None);
        assert_eq!(new_file_system(&ended("AWS::EFS::MountTarget", Verb::Create)), None);
        assert_eq!(new_file_system(&Step::Note("x".into())), None);
    }
}

//! The verb `demo`: the whole of it on this machine, from nothing to a report and back to nothing.

use super::choose::pace;
use super::deploy::{Until, carry_out, service_line, writer_line};
use super::failover_test::{Show, at_least};
use super::local::{access, blocking, has, software};
use super::pipeline::{open_page, page_beside};
use super::reports::{keep, place, prepare_folder};
use super::words::{duration, row};
use super::{CliError, Context, Failure, Interrupt, Outcome, plan, timed};
use crate::aws::Clients;
use crate::deploy::{Consent, Stop};
use crate::failover::report::Run;
use crate::failover::{self, Fault, Faults, Report, Scenario, text};
use crate::model::Deployment;
use crate::model::config::{self, Overrides, Source};
use mqaws_contract::engine::Local;
use mqaws_lab::client::{self, Lab, Options, Stopped};
use serde_json::json;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the demo deploys: the first of the examples, as checked in.
const EXAMPLE: Source<'static> = Source {
    name: "examples/single.yaml",
    text: include_str!("../../examples/single.yaml"),
};

/// What is left of a demo whose cloud could not be ended.
const CLOUD: &str = "the demo's local cloud, if it was started; it ends on its own";

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws demo\n  mqaws demo --topology standby\n  mqaws demo --engine rabbitmq\n  mqaws demo --out reports --output json\n\nRequires no AWS account, no root privileges, and no containers. Leaves only the report and its HTML page."
)]
pub struct Args {
    /// Folder for report.json; existing files are not overwritten
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub out: PathBuf,

    /// Topology to deploy [default: single]
    #[arg(long, value_name = "NAME")]
    pub topology: Option<String>,

    /// Engine to deploy [default: ibm-mq]
    #[arg(long, value_name = "NAME")]
    pub engine: Option<String>,

    /// Open the HTML page in the browser of the desktop
    #[arg(long)]
    pub open: bool,

    /// Maximum time for the whole demo; then everything is removed [default: until it ends]
    #[arg(long, value_name = "TIME", value_parser = at_least("1s"))]
    pub timeout: Option<Duration>,
}

/// Deploys into a private local cloud, fails it over twice under load, writes a report, removes everything.
///
/// # Errors
/// Those of the parts; whatever happens, the local cloud is ended.
pub fn run(context: &Context, args: Args) -> Outcome {
    refuse_places(context)?;
    prepare_folder(&args.out)?;
    let began = Instant::now();
    let deployment = deployment(&args)?;
    let output = context.output();
    let software = software();
    has(deployment.engine, &software)?;
    let runs = match deployment.engine.facts().local {
        Local::StandIn => "stand-in queue manager".to_owned(),
        Local::Package { name, .. } => format!("{} from package {name}", deployment.engine.facts().name),
    };
    output.data(format!(
        "mqaws demo: local cloud (process hosts, fast timing), {runs}\n"
    ));
    let interrupt = context.interrupt()?;
    context.block_on(async {
        interrupt.remains(CLOUD.to_owned());
        let options = Options {
            private: true,
            software,
            ..Options::default()
        };
        let lab = blocking(move || client::start(&options)).await?;
        context
            .progress()
            .line(timed(&row("cloud", &lab.record.endpoint), began.elapsed()));

        let shown = match interrupt.requested() {
            true => Some(Err(CliError::Interrupted { left: None }.into())),
            false => {
                let shown = interrupt.or(show(context, &lab, &deployment, &args.out, &interrupt));
                within(args.timeout, shown).await
            }
        };
        let stopped = blocking(move || lab.stop()).await;
        interrupt.remains(None);
        let shown = shown.unwrap_or_else(|| {
            Err(CliError::Late {
                what: "the demo".to_owned(),
                waited: args.timeout.unwrap_or_default(),
                left: stopped.is_err().then(|| CLOUD.to_owned()),
            }
            .into())
        });
        let (report, kept) = match (shown, &stopped) {
            (Ok(shown), _) => shown,
            (Err(failure), Ok(_)) => {
                output.say(row("removed", "local cloud with everything in it"));
                return Err(failure);
            }
            (Err(failure), Err(_)) => return Err(failure),
        };
        let stopped = stopped?;
        let page = kept.as_deref().and_then(|kept| page_beside(output, &report, kept));
        if let Some(page) = page.as_deref().filter(|_| args.open) {
            open_page(output, page);
        }
        if output.is_json() {
            output.document(&json!({
                "schema": "mqaws.demo/1",
                "report_file": kept,
                "page_file": page,
                "removed": { "file_systems": stopped.file_systems, "volumes": stopped.volumes },
                "seconds": began.elapsed().as_secs_f64(),
                "report": report,
            }));
        }
        output.data(ending(&report, [kept.as_deref(), page.as_deref()], &stopped, began));
        Ok(report.exit())
    })
}

/// What the demo shows; `None` when its time is up.
async fn within<T>(limit: Option<Duration>, shown: impl Future<Output = T>) -> Option<T> {
    match limit {
        None => Some(shown.await),
        Some(limit) => tokio::time::timeout(limit, shown).await.ok(),
    }
}

/// The demo is always local.
fn refuse_places(context: &Context) -> Result<(), Failure> {
    let global = context.global();
    // A variable that is set for other verbs is no wish about the demo.
    let flag = |value: &Option<String>, variable: &str| {
        value
            .as_ref()
            .is_some_and(|value| std::env::var(variable).as_ref() != Ok(value))
    };
    let config = global.config.as_ref().map(|path| path.display().to_string());
    let given = [
        ("--profile", flag(&global.profile, "MQAWS_PROFILE")),
        ("--endpoint-url", flag(&global.endpoint_url, "MQAWS_ENDPOINT_URL")),
        ("--config", flag(&config, "MQAWS_CONFIG")),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((flag, _)) => Err(CliError::Usage {
            message: format!("the demo does not accept {flag}"),
            hint: Some("it runs examples/single.yaml in a temporary local cloud; for your own configuration, use `mqaws deploy`".into()),
        }
        .into()),
    }
}

/// The example, of the topology that was asked for.
fn deployment(args: &Args) -> Result<Deployment, Failure> {
    let given = [
        ("topology", "--topology", &args.topology),
        ("engine", "--engine", &args.engine),
    ];
    let overrides = given
        .into_iter()
        .filter_map(|(key, flag, name)| Some((key, flag, name.as_ref()?)))
        .fold(Overrides::none(), |all, (key, flag, name)| {
            all.flag(key, flag, name.as_str())
        });
    let mut deployment = config::read(Some(EXAMPLE), &overrides)?.deployment;
    deployment.security.allow_faults = true;
    Ok(deployment)
}

/// Deploys and fails over.
async fn show(
    context: &Context,
    lab: &Lab,
    deployment: &Deployment,
    out: &Path,
    interrupt: &Interrupt,
) -> Result<(Report, Option<PathBuf>), Failure> {
    let output = context.output();
    let clients = Clients::local(&access(&lab.record));
    let began = Instant::now();
    let made = plan::make(
        context,
        &clients,
        &deployment.clone().into(),
        false,
        (Consent::default(), pace(&clients)),
        interrupt,
    )
    .await?;
    output.say(row("plan", made.plan.review.summary()));
    // Ctrl-C drops this whole work and ends the cloud under it; nothing has to be rolled back.
    let deployed = carry_out(
        context,
        &clients,
        &made,
        (Until::Service, pace(&clients)),
        &Stop::never(),
        |_| {},
    )
    .await?;
    if let Some(service) = &deployed.service {
        output.data(timed(&service_line(service), began.elapsed()));
        output.data(writer_line(service).unwrap_or_default());
    }

    let cloud = Arc::new(clients);
    let name = deployment.stack.to_string();
    let scenario = Scenario {
        faults: Faults::Named(vec![Fault::KillQueueManager, Fault::TerminateInstance]),
        ..Scenario::new(name, Fault::KillQueueManager)
    };
    let show = DemoShow {
        show: Show::writing_into(context, out),
        context,
    };
    let mut report = failover::run(cloud, &scenario, &show, failover::never()).await?;
    drop(show);
    let kept = keep(context, &mut report, out);
    output.data(format!("\n{}", text::summary(&report)));
    Ok((report, kept))
}

/// A test as `failover-test` shows it, with what its checks have just proved.
struct DemoShow<'a> {
    show: Show<'a>,
    context: &'a Context,
}

impl failover::Watch for DemoShow<'_> {
    fn doing(&self, what: &str) {
        self.show.doing(what);
    }

    fn began(&self, report: &Report) {
        // The test begins by putting and getting messages, and refuses to go on when they do not come back.
        self.context
            .output()
            .data(row("", "messages put through the load balancer were read back\n"));
        self.show.began(report);
    }

    fn round(&self, run: &Run) {
        self.show.round(run);
    }

    fn broken_off(&self, report: &Report) {
        self.show.broken_off(report);
    }
}

fn ending(report: &Report, [kept, page]: [Option<&Path>; 2], stopped: &Stopped, began: Instant) -> String {
    let systems = match stopped.file_systems.as_slice() {
        [] => String::new(),
        ids => format!(", file system {} (lab)", ids.join(", ")),
    };
    let removed = format!("stack mqaws-qm1{systems}, local cloud");
    let rounds = report.runs.len();
    let page = page.map_or_else(|| "not written".to_owned(), |page| page.display().to_string());
    [
        row("report", place(kept)),
        row("page", page),
        row("removed", removed),
        row("took", duration(began.elapsed())),
        String::new(),
        match report.engine.stand_in {
            true => "These are lab times: no EC2 launch, no NLB registration delay, a stand-in\ninstead of IBM MQ.",
            false => "These are lab times: no EC2 launch, no NLB registration delay.",
        }
        .to_owned(),
        format!(
            "{rounds} rounds show that failover works, not how reliably: `mqaws failover-test --rounds 60`\nbounds the probability of loss to 5 %."
        ),
        "Next: mqaws init · mqaws deploy --region eu-west-1 · docs/tour.md".to_owned(),
    ]
    .join("\n")
}

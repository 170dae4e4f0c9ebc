//! The verb `ami build`: looks at everything that goes in, runs Packer, publishes the image.

mod source;
mod view;

use super::super::failover_test::time;
use super::super::local::Start;
use super::super::plan::place;
use super::super::words::row;
use super::super::{CliError, Context, Failure, Interrupt, Outcome, timed};
use super::{ImageSettings, configuration, contents, document};
use crate::aws::{Clients, Identity};
use crate::image::{
    Agent, Bench, Built, ImageError, Killer, Log, Order, Pace, Packer, build, find_session_plugin, left, verify,
};
use crate::model::config::Loaded;
use crate::model::{Connect, Package};
use crate::observe::megabytes;
use crate::remedy::ExitKind;
use crate::render::packer::Rendering;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use view::{Timed, View};

/// Arguments of `ami build`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws ami build --accept-licence --region eu-west-1\n  mqaws ami build --engine rabbitmq\n  mqaws ami build --accept-licence --set image.package=mq.tar.gz --packer ~/bin/packer\n\nLaunches an EC2 instance, which incurs a small charge; on Ctrl-C, Packer removes it. The keys of `image` in mqaws.yaml define the image; see docs/image.md."
)]
pub(super) struct Args {
    /// Configuration beside the file.
    #[command(flatten)]
    settings: ImageSettings,
    /// Accept the license of IBM MQ's package; there is no other way to accept it
    #[arg(long)]
    accept_licence: bool,
    /// Executable mqaws-agent to install in the image [default: the one next to mqaws]
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,
    /// Packer executable [default: the first packer on PATH]
    #[arg(long, value_name = "FILE")]
    packer: Option<PathBuf>,
    /// File for the complete output of Packer [default: mqaws-ami-RUN.log in this folder]
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Maximum time for the build by Packer, which is then interrupted [default: 2h]
    #[arg(long, value_name = "TIME", value_parser = time)]
    timeout: Option<Duration>,
    /// Keep the instance when a stage fails or on Ctrl-C; its ID is printed, and it incurs charges until it is terminated
    #[arg(long)]
    keep_on_failure: bool,
}

/// Builds an image, and publishes it to the parameter that `deploy` reads.
///
/// # Errors
/// Those of the configuration; [`ImageError`].
pub(super) fn run(context: &Context, args: Args) -> Outcome {
    if context.global().local {
        return Err(CliError::Usage {
            message: "cannot build an image in the local cloud: it has no machine for Packer".into(),
            hint: Some(
                "remove --local: building an image requires EC2. Local instances start from a built-in image, with the \
                 stand-in instead of the engine"
                    .into(),
            ),
        }
        .into());
    }
    let mut loaded = configuration(context, &args.settings)?;
    let missing = loaded.deployment.image_missing();
    if !missing.is_empty() {
        return Err(ImageError::Incomplete { missing }.into());
    }
    if loaded.deployment.image.engine.is_licensed() && !args.accept_licence {
        return Err(ImageError::Licence.into());
    }
    let agent = Agent::look(&args.agent.clone().unwrap_or_else(beside_us))?;
    let inputs = inputs(context, &loaded)?;
    let interrupt = context.interrupt()?;
    context.block_on(async {
        let began = Instant::now();
        let packer = interrupt.or(Packer::find(args.packer.as_deref())).await?;
        if loaded.deployment.image.connect == Connect::SessionManager {
            find_session_plugin()?;
        }
        let clients = context.clients(&loaded.deployment, Start::Never).await?;
        let identity = interrupt.or(clients.identity()).await?;
        let rendering = packer.version.rendering();
        interrupt.or(source::settle(&clients, &mut loaded, rendering)).await?;
        let order = order(context, &args, &loaded, &clients, &agent, rendering)?;
        let log = args.log.clone().unwrap_or_else(|| format!("mqaws-ami-{}.log", order.run).into());
        let work = Work {
            context,
            interrupt: &interrupt,
            clients: &clients,
            identity: &identity,
            packer: &packer,
            order: &order,
            pace: Pace {
                build: args.timeout.unwrap_or(Pace::AWS.build),
                ..Pace::AWS
            },
            sha1_only: rendering == Rendering::Packer16 && std::env::var_os("PKR_VAR_ssh_keypair_name").is_none(),
            open: {
                let image = &loaded.deployment.image;
                image.connect == Connect::Ssh && image.ssh_from.is_none()
            },
        };
        work.introduce(&agent, &inputs, rendering);
        let (built, stages, log) = work.carry_out(&log).await?;
        if context.output().is_json() {
            context.output().document(&json!({
                "schema": "mqaws.ami-build/1", "region": clients.region(), "account": identity.account, "run": order.run,
                "image": document(&built.image), "parameter": built.parameter, "log": log,
                "packer": {"path": packer.path, "version": packer.version.to_string(), "template": rendering.as_str()},
                "agent": {"path": agent.path, "version": agent.version}, "stages": stages,
                "seconds": (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
            }));
        }
        context.output().data(success(&built, &loaded, began));
        Ok(ExitKind::Success)
    })
}

/// The agent that comes with this program.
fn beside_us() -> PathBuf {
    let us = std::env::current_exe().unwrap_or_default();
    us.with_file_name("mqaws-agent")
}

/// Compares the packages of this machine with their checksums; returns a line about each.
fn inputs(context: &Context, loaded: &Loaded) -> Result<Vec<String>, Failure> {
    let image = &loaded.deployment.image;
    let mut lines = Vec::new();
    let mut check = |path: &Path, sum: &str| -> Result<(), Failure> {
        let wait = context
            .progress()
            .wait(row("package", format!("reading {}", path.display())));
        let size = verify(path, sum)?;
        drop(wait);
        lines.push(format!("{}, {}, checksum matches", path.display(), megabytes(size)));
        Ok(())
    };
    if let (Some(Package::File(path)), Some(sum)) = (&image.package, &image.package_sha256) {
        check(Path::new(path), sum.as_str())?;
    }
    if let (Some(path), Some(sum)) = (&image.efs_utils_package, &image.efs_utils_sha256) {
        check(Path::new(path), sum.as_str())?;
    }
    if let Some(Package::S3(address)) = &image.package {
        lines.push(format!("{address}; the instance verifies its checksum"));
    }
    Ok(lines)
}

/// Everything that the build is made from.
fn order(
    context: &Context,
    args: &Args,
    loaded: &Loaded,
    clients: &Clients,
    agent: &Agent,
    rendering: Rendering,
) -> Result<Order, Failure> {
    let engine = loaded.deployment.image.engine;
    let template = super::manifest::render(loaded, rendering)?;
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    let mut set = |name: &str, value: &str| drop(variables.insert(name.to_owned(), value.to_owned()));
    set("region", clients.region());
    set("agent", &agent.path.display().to_string());
    set("agent_version", &agent.version);
    if engine.is_licensed() && args.accept_licence {
        set("accept_licence", "yes");
    }
    let endpoint = clients.endpoint_of("EC2");
    if let Some(endpoint) = &endpoint {
        set("endpoint_ec2", endpoint);
    }
    let mut environment = vec![
        ("AWS_REGION".to_owned(), clients.region().to_owned()),
        // The older plugin reads the configuration file, with SSO and roles in it, only when told.
        ("AWS_SDK_LOAD_CONFIG".to_owned(), "1".to_owned()),
    ];
    let profile = loaded.deployment.profile.as_ref().map(ToString::to_string);
    if let Some(profile) = context.global().profile.clone().or(profile) {
        environment.push(("AWS_PROFILE".to_owned(), profile));
    }
    Ok(Order {
        run: run_id(),
        region: clients.region().to_owned(),
        engine: engine.as_str().to_owned(),
        parameter: crate::stack::image_parameter(engine),
        template: template.to_json(),
        variables,
        environment,
        keep_on_failure: args.keep_on_failure,
    })
}

/// An id that says when, and is another for two builds at the same moment: `20261118t031209-4f2a`.
fn run_id() -> String {
    let now = jiff::Timestamp::now();
    let unique = (now.subsec_nanosecond() as u32 / 1000) ^ std::process::id().rotate_left(12);
    format!("{}-{:05x}", now.strftime("%Y%m%dt%H%M%S"), unique & 0xf_ffff)
}

struct Work<'a> {
    context: &'a Context,
    interrupt: &'a Interrupt,
    clients: &'a Clients,
    identity: &'a Identity,
    packer: &'a Packer,
    order: &'a Order,
    pace: Pace,
    /// Whether Packer can log in only with a signature that current systems refuse.
    sha1_only: bool,
    /// Whether the building machine takes ssh from everybody.
    open: bool,
}

impl Work<'_> {
    /// What goes in, before anything is launched.
    fn introduce(&self, agent: &Agent, inputs: &[String], rendering: Rendering) {
        let output = self.context.output();
        output.say(format!(
            "mqaws ami build: {}, {}\n",
            self.order.engine,
            place(self.clients, self.identity)
        ));
        for line in inputs {
            output.say(row("package", line));
        }
        if self.sha1_only {
            output.note(
                "warning: Packer 1.6 signs with RSA and SHA-1, which RHEL 9 rejects according to its documentation",
            );
            output.note(
                "hint:    use a current version of Packer, or an EC2 key pair that is not RSA: PKR_VAR_ssh_keypair_name and \
                 PKR_VAR_ssh_private_key_file",
            );
        }
        if self.open {
            output.note("warning: during the build, the instance accepts SSH from all addresses");
            output.note("hint:    set image.ssh_from to your own range, or set image.connect: session-manager");
        }
        output.say(row(
            "agent",
            format!("{}, version {}", agent.path.display(), agent.version),
        ));
        let version = self.packer.version;
        output.say(row(
            "packer",
            format!(
                "{}, version {version}, template for {}",
                self.packer.path.display(),
                rendering.as_str()
            ),
        ));
    }

    /// Runs Packer and publishes; returns the image, the stages and the log.
    async fn carry_out(&self, log: &Path) -> Result<(Built, Vec<Timed>, PathBuf), Failure> {
        let mut log = Log::begin(log)?;
        let path = log.path().to_owned();
        self.context.output().say(row("log", path.display().to_string()));
        let killer = Killer::default();
        let last = killer.clone();
        self.interrupt.before_leaving(move || last.kill());
        self.interrupt.remains("nothing yet".to_owned());
        let mut view = View::new(self.context.progress(), &self.order.run);
        let bench = Bench {
            cloud: self.clients,
            packer: self.packer,
            killer: &killer,
            pace: self.pace,
            stop: self.interrupt.receiver(),
        };
        let region = &self.order.region;
        let built = build(&bench, self.order, &mut log, |step| {
            if let build::Step::Made(temporary) = &step {
                let remains = left::told(temporary, "mqaws exited immediately");
                let hint = remains.hint(region).map(|hint| format!("\n{hint}")).unwrap_or_default();
                self.interrupt.remains(format!("{}{hint}", remains.words()));
            }
            view.tell(step);
        });
        let built = built.await?;
        Ok((built, view.end(), path))
    }
}

/// What now exists, and the next sensible command.
fn success(built: &Built, loaded: &Loaded, began: Instant) -> String {
    let image = &built.image;
    let tags: Vec<String> = image.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut lines = vec![
        timed(
            &row("image", format!("{}  {}", image.id, contents(image))),
            began.elapsed(),
        ),
        row("", &image.name),
    ];
    lines.extend(tags.iter().map(|tag| row("", tag)));
    lines.push(row("named by", &built.parameter));
    // Only an image of the engine that is deployed is one to deploy with.
    let of_the_deployment = loaded.deployment.image.engine == loaded.deployment.engine;
    let next = match of_the_deployment {
        true if loaded.deployment.instance.ami.is_none() => "mqaws deploy · mqaws ami list".to_owned(),
        true => format!(
            "mqaws deploy --ami {} (`instance.ami` specifies a different image) · mqaws ami list",
            image.id
        ),
        false => "mqaws ami list".to_owned(),
    };
    lines.push(format!("\nNext: {next}"));
    lines.join("\n")
}

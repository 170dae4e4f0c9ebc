//! What the agent is wired to: a real host here, or what its caller brings.
//!
//! The local cloud wires the same agent to doubles of its own, which this package does not know. The two differ in their ports,
//! and in who starts the engine: on a real host the keeper does. The real reset of a machine is not in this library at all but
//! in the `main` of the shipped agent.

pub(crate) mod host;

use super::cloud::{Aws, InstanceMetadata};
use super::commands::{self, Guard};
use super::duty::{self, Duties};
use super::keeper::protocol::KeeperConfig;
use super::keeper::{self, KeeperPorts};
use super::layout::Layout;
use super::only::OnlyAgent;
use super::ports::{Accounts, HostReset, Init, KeeperSpawner, Mounter};
use super::run;
use super::waits;
use super::work::Ports;
use crate::fence::{LeaseTimes, Lock};
use crate::model::agent::AgentConfig;
use crate::model::{InstanceId, PathComponent};
use crate::remedy::Remedy;
use crate::signed::{Client, Endpoints, HttpTransport, Imds, ImdsCredentials, Transport};
use mqaws_engine::processes::Processes;
use mqaws_engine::{Engine, Host, Product, Products, Runner};
use std::ffi::OsString;
use std::io::{self, Read};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What differs between a lab and a real host.
pub struct Wiring {
    /// Where things are on this host.
    pub layout: Layout,
    /// The engines that it can run.
    pub engines: Products,
    /// What it can do, by topology.
    pub duties: Duties,
    /// A variable that the engine's processes carry.
    pub mark: Option<(String, String)>,
    /// Who may inject faults.
    pub guard: Guard,
    /// Who runs the engine's commands.
    pub runner: fn(&Layout, &'static dyn Product) -> Arc<dyn Runner>,
    /// User and group id of the engine's commands, or why there is none; root in a lab is the caller itself.
    pub run_as: fn(&dyn Product) -> Result<(u32, u32), String>,
    /// This program, and the arguments that lead to the agent's verbs.
    pub own: Vec<OsString>,
    /// The lock that the keeper holds; its second argument is a word that no other keeper has.
    pub lock: fn(&KeeperConfig, &str) -> io::Result<Box<dyn Lock>>,
}

impl Wiring {
    fn processes(&self, product: &'static dyn Product, queue_manager: &str) -> Processes {
        let mark = self.mark.as_ref().map(|(name, value)| (name.as_str(), value.as_str()));
        Processes::new(product, queue_manager, mark)
    }

    fn engine(&self, product: &'static dyn Product, config: &AgentConfig) -> Arc<dyn Engine> {
        // Commands that only look need no user; whatever writes is refused without it.
        let host = Host {
            root: self.layout.root().clone(),
            runner: (self.runner)(&self.layout, product),
            processes: self.processes(product, &config.queue_manager),
            run_as: (self.run_as)(product).ok(),
            own: self.own.clone(),
            waited: |what, took| waits::ended(|| what, took),
        };
        product.engine(config, host)
    }

    fn client(&self, config: &AgentConfig) -> Client {
        client(&config.region)
    }

    /// Runs the agent until it was stopped: with the duty that its topology has, on the ports that every agent has and on those
    /// that differ.
    ///
    /// # Errors
    /// In words, when the topology has no duty or the system gives no threads.
    pub fn run(
        &self,
        config: AgentConfig,
        product: &'static dyn Product,
        mounter: Arc<dyn Mounter>,
        accounts: Arc<dyn Accounts>,
        spawner: Arc<dyn KeeperSpawner>,
        init: Arc<dyn Init>,
    ) -> Result<(), String> {
        let client = self.client(&config);
        let label = product.certificate_label(&config.queue_manager);
        let duty = duty::find(self.duties, &config.topology).map_err(|e| format!("topology: {e}"))?;
        let duty = (duty.begin)(&config, product);
        let ports = Ports {
            engine: self.engine(product, &config),
            cloud: Arc::new(Aws::new(client, config.clone(), label)),
            metadata: Arc::new(InstanceMetadata::new(imds())),
            mounter,
            accounts,
            spawner,
            init,
        };
        run::run(config, self.layout.clone(), ports, duty).map_err(|e| e.to_string())
    }
}

/// The metadata service of this host. It answers from the host itself: what takes longer than three seconds will not come.
pub fn imds() -> Imds {
    Imds::from_env(Arc::new(HttpTransport::with_deadline(Duration::from_secs(3))))
}

fn client(region: &str) -> Client {
    let credentials = Arc::new(ImdsCredentials::new(imds()));
    let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new());
    Client::new(Endpoints::from_env(region), credentials, transport)
}

/// A client where there is no configuration yet: in the region that `AWS_REGION` names, else that of the instance.
fn client_without_config() -> Result<Client, String> {
    let named = std::env::var("AWS_REGION").ok().filter(|r| !r.is_empty());
    let region = named.map_or_else(|| imds().need("placement/region"), Ok);
    Ok(client(&region.map_err(|e| crate::remedy::chain(&e))?))
}

/// Runs a keeper on the configuration that its standard input holds.
pub fn run_keeper(
    wiring: &Wiring,
    init: Arc<dyn Init>,
    reset: impl FnOnce(Processes) -> Arc<dyn HostReset>,
) -> ExitCode {
    super::logs::start("mqaws-keeper");
    match keeper_from_stdin(wiring, init, reset) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            tracing::info!("another keeper runs on this host");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(%error, "the lock keeper cannot run");
            ExitCode::FAILURE
        }
    }
}

fn keeper_from_stdin(
    wiring: &Wiring,
    init: Arc<dyn Init>,
    reset: impl FnOnce(Processes) -> Arc<dyn HostReset>,
) -> io::Result<bool> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let config: KeeperConfig = serde_json::from_str(&text)?;
    let token = token(&config.instance)?;
    let lock = (wiring.lock)(&config, &token)?;
    let product = mqaws_engine::find(wiring.engines, &config.engine).map_err(io::Error::other)?;
    let engine = wiring.processes(product, &config.queue_manager);
    let terminate = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, terminate.clone())?;
    }
    let ports = KeeperPorts {
        lock,
        reset: reset(engine.clone()),
        engine,
        times: LeaseTimes::default(),
        init,
        terminate,
    };
    keeper::run(config, token, ports)
}

/// The name of this executable; without its name nothing that needs it is run.
pub fn executable() -> Vec<OsString> {
    std::env::current_exe().map(OsString::from).into_iter().collect()
}

/// A word that no other keeper has: instance, process and the kernel's randomness. It becomes part of files' names.
fn token(instance: &InstanceId) -> io::Result<String> {
    let random = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    let token = PathComponent::new(format!("{instance}-{}", random.trim()));
    token.map(String::from).map_err(io::Error::other)
}

/// Runs the agent's command line, or the agent itself.
pub fn run_command(
    wiring: &Wiring,
    args: &[std::ffi::OsString],
    agent: impl FnOnce(AgentConfig, &'static dyn Product) -> Result<(), String>,
) -> ExitCode {
    let words: Vec<String> = args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["run"] => {
            super::logs::start("mqaws-agent");
            let (config, product) = match commands::product(&wiring.layout, wiring.engines, wiring.duties) {
                Ok(configured) => configured,
                Err(why) => {
                    tracing::error!(why, "no configuration");
                    return ExitCode::from(3);
                }
            };
            let _only = match OnlyAgent::take(&wiring.layout) {
                Ok(only) => only,
                Err(error) => {
                    eprintln!("error: {}", crate::remedy::chain(&error));
                    if let Some(hint) = error.hint() {
                        eprintln!("hint: {hint}");
                    }
                    return ExitCode::from(3);
                }
            };
            match agent(config, product) {
                Ok(()) => ExitCode::SUCCESS,
                Err(why) => {
                    tracing::error!(why, "the agent cannot run");
                    ExitCode::from(3)
                }
            }
        }
        words => commands::run(
            words,
            &commands::Place {
                layout: &wiring.layout,
                guard: &wiring.guard,
                engines: wiring.engines,
                duties: wiring.duties,
                own: &wiring.own,
            },
            |product, config| wiring.engine(product, config),
            client_without_config,
        ),
    }
}

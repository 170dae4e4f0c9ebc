//! The port [`Engine`] for RabbitMQ: what to write and run when, and what its answers mean for the next attempt.

use super::amqp::{AmqpError, Client};
use super::definitions::{self, Account};
use super::management::{self, Overview};
use super::places::{self, Places};
use super::product::RabbitMq;
use super::settings::{self, Settings};
use super::version::Version;
use crate::certificate::Certificate;
use crate::processes::{Processes, signal, wait_for_end};
use crate::product::Product;
use crate::service::{DataState, Engine, EngineFailure, EngineInfo, FailureKind, Health, Host, Measures};
use crate::{Command, Output, Runner};
use jiff::Timestamp;
use mqaws_contract::agent::{AgentConfig, ProbeReport};
use mqaws_contract::engine::{self, rabbitmq};
use mqaws_contract::periods;
use mqaws_contract::remedy::chain;
use rustix::process::Signal;
use secrecy::SecretString;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the node's process may take to be there once the start command ended.
const APPEAR: Duration = Duration::from_secs(10);
/// How long a node may replay its queues before it answers; while its process lives, nothing is gained by another attempt.
const REPLAY: Duration = Duration::from_secs(900);
/// Deadline of one question in AMQP.
const ANSWER: Duration = Duration::from_secs(5);
// With these, the deploying side reckons how long an outage by a hung node takes.
const _: () = assert!(engine::RABBITMQ.silent.as_secs() == ANSWER.as_secs() * periods::HEALTH_FAILURES as u64);
/// Between two questions to a node that does not answer yet.
const AGAIN: Duration = Duration::from_millis(20);
/// Deadline of a command, which takes a second or two on a busy host.
const COMMAND: Duration = Duration::from_secs(30);

/// RabbitMQ on this host.
pub(super) struct Service {
    places: Places,
    runner: Arc<dyn Runner>,
    processes: Processes,
    run_as: Option<(u32, u32)>,
    waited: fn(String, Duration),
    queue_manager: String,
    mount: PathBuf,
    /// Whether the mount point is a link, as in the local cloud.
    linked: bool,
    amqp_port: u16,
    management_port: Option<u16>,
    /// Whether clients get in by TLS alone.
    tls: bool,
    state: Mutex<State>,
}

/// What is known of the broker's users, and where it answers.
#[derive(Default)]
struct State {
    /// The application's user, once its password is known.
    account: Option<Account>,
    /// Whether the broker has it.
    known: bool,
    /// Whether the broker answered at its last start.
    accepts: bool,
    /// Where it was last asked.
    address: Option<IpAddr>,
    /// When the certificate is over.
    until: Option<Timestamp>,
    /// A certificate came that the broker has not read.
    renewed: bool,
}

impl Service {
    /// The queue manager of this configuration on this host.
    pub(super) fn new(config: &AgentConfig, host: Host) -> Self {
        let facts = &engine::RABBITMQ;
        Self {
            places: Places::new(&host.root, &config.engine.bin_dir, facts.definitions),
            linked: host.root.as_path() != Path::new("/"),
            mount: host.root.path(&config.storage.mount),
            runner: host.runner,
            processes: host.processes,
            run_as: host.run_as,
            waited: host.waited,
            queue_manager: config.queue_manager.clone(),
            // The agent refuses a configuration without it.
            amqp_port: config.ports.of(&engine::AMQP).unwrap_or(facts.endpoints[0].port),
            management_port: config.ports.of(&rabbitmq::MANAGEMENT),
            tls: !config.certificate.is_empty(),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node's directory, by a name that is the same on every instance; that of a lab instance is a link below its own root.
    fn base(&self) -> PathBuf {
        let link = if self.linked {
            fs::read_link(&self.mount).ok()
        } else {
            None
        };
        places::base(&link.unwrap_or_else(|| self.mount.clone()), &self.queue_manager)
    }

    fn run(&self, command: &Command) -> Result<Output, EngineFailure> {
        tracing::debug!(%command, "run");
        let mut command = command.clone();
        command.run_as = self.run_as;
        let ran = self.runner.run(&command);
        if let Ok(output) = &ran {
            (self.waited)(command.to_string(), output.elapsed);
        }
        ran.map_err(|error| EngineFailure::transient(&error))
    }

    /// Runs a command of the node that runs; `rabbitmqctl` says with another code than 0 what went wrong.
    fn control(&self, words: &[&str], stdin: Option<String>) -> Result<String, String> {
        let command = settings::control(&self.places, words).deadline(COMMAND);
        let command = match stdin {
            Some(text) => command.stdin(text),
            None => command,
        };
        let output = self.run(&command).map_err(|failure| failure.text)?;
        match output.code {
            0 => Ok(output.text),
            code => Err(format!("`{command}` exit {code}: {}", first_line(&output.text))),
        }
    }

    fn version(&self) -> Result<Version, EngineFailure> {
        // The package's directory says it, which is no command of a second.
        let real = fs::canonicalize(self.places.commands.join(settings::SERVER));
        let named = real.ok().and_then(|path| {
            let parts = path.components().filter_map(|part| part.as_os_str().to_str());
            let mut named = parts.filter_map(|part| Version::parse(part.strip_prefix("rabbitmq_server-")?));
            named.next()
        });
        if let Some(version) = named {
            return Ok(version);
        }
        let output = self.run(&settings::control(&self.places, &["version"]).deadline(COMMAND))?;
        output
            .text
            .split_whitespace()
            .find_map(Version::parse)
            .ok_or_else(|| EngineFailure {
                kind: FailureKind::Transient,
                text: format!("`rabbitmqctl version` names no version: {}", first_line(&output.text)),
            })
    }

    fn supported(&self) -> Result<Version, EngineFailure> {
        let version = self.version()?;
        match version.series() {
            Some(_) => Ok(version),
            None => Err(EngineFailure {
                kind: FailureKind::Final,
                text: format!(
                    "RabbitMQ {version} is not supported; supported: {}",
                    Version::supported()
                ),
            }),
        }
    }

    /// The password of the agent's own user: an agent that comes after this one beside the same node asks as well.
    fn password_file(&self) -> PathBuf {
        self.places.setting("agent.password")
    }

    /// How its node is set up at this address.
    pub(super) fn settings_at(&self, address: IpAddr) -> Settings<'_> {
        Settings {
            places: &self.places,
            base: self.base(),
            queue_manager: &self.queue_manager,
            address,
            amqp_port: self.amqp_port,
            management_port: self.management_port,
            tls: self.tls,
        }
    }

    /// A connection as the agent's own user.
    pub(super) fn ask(&self, address: IpAddr) -> Result<Client, AmqpError> {
        let password: SecretString = fs::read_to_string(self.password_file())?.into();
        let to = self.settings_at(address).plain_amqp();
        Client::open(to, rabbitmq::AGENT_USER, &password, ANSWER)
    }

    /// Asks for the queue that shows service: a port that is open shows nothing, and no queue is there before its definitions are.
    fn serves(&self, address: IpAddr) -> Result<(), AmqpError> {
        self.state().address = Some(address);
        let mut client = self.ask(address)?;
        client.queue(&definitions::ready_queue())?;
        client.close();
        Ok(())
    }

    /// Where the broker was last asked, which the agent's commands of their own must look up.
    pub(super) fn address(&self) -> Result<IpAddr, String> {
        if let Some(address) = self.state().address {
            return Ok(address);
        }
        let text = fs::read_to_string(self.places.setting("rabbitmq.conf")).map_err(|error| chain(&error))?;
        let line = text.lines().find_map(|line| line.strip_prefix("listeners.tcp.1 = "));
        let bound: Option<SocketAddr> = line.and_then(|text| text.parse().ok());
        Ok(bound.ok_or("the settings of the node name no address")?.ip())
    }

    /// Gives the broker the application's user, when it came after the start. That takes seconds, in which health is asked for.
    fn add_account(&self) -> Result<(), String> {
        let account = {
            let state = self.state();
            let unknown = state.account.as_ref().filter(|_| state.accepts && !state.known);
            unknown.cloned()
        };
        let Some(account) = account else {
            return Ok(());
        };
        self.control(&["import_definitions"], Some(account.alone()))?;
        let mut state = self.state();
        // Another one may have come meanwhile.
        if state.account.as_ref() == Some(&account) {
            state.known = true;
        }
        Ok(())
    }

    /// What the management plugin counts, where there is one that answers.
    fn overview(&self) -> Option<Overview> {
        let to = self.settings_at(self.address().ok()?).plain_management()?;
        let password: SecretString = fs::read_to_string(self.password_file()).ok()?.into();
        let asked = management::overview(to, rabbitmq::AGENT_USER, &password, ANSWER);
        asked
            .inspect_err(|error| tracing::debug!(%error, "the management plugin"))
            .ok()
    }
}

fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default()
}

fn transient(text: String) -> EngineFailure {
    EngineFailure {
        kind: FailureKind::Transient,
        text,
    }
}

fn shared(text: String) -> EngineFailure {
    EngineFailure {
        kind: FailureKind::Shared,
        text,
    }
}

impl Engine for Service {
    fn product(&self) -> &'static dyn Product {
        &RabbitMq
    }

    fn info(&self) -> Result<EngineInfo, EngineFailure> {
        Ok(EngineInfo {
            version: self.supported()?.told(),
            stand_in: false,
            how: "running".to_owned(),
        })
    }

    fn adopt(&self, data: DataState) -> Result<EngineInfo, EngineFailure> {
        let mut info = self.info()?;
        info.how = match data {
            DataState::Present => "made known".to_owned(),
            DataState::Absent => "created".to_owned(),
            DataState::HalfCreated => {
                return Err(shared(format!(
                    "the creation of {} was interrupted and left a directory without a database in {}: delete it and it is created again",
                    self.queue_manager,
                    self.base().display()
                )));
            }
        };
        Ok(info)
    }

    fn install(&self, certificate: &Certificate) -> Result<bool, EngineFailure> {
        self.install_certificate(certificate)
    }

    fn account(&self, user: &str, password: &SecretString) -> Option<Result<(), String>> {
        let taken = Account::new(user, password)
            .map_err(|error| chain(&error))
            .and_then(|account| {
                let mut state = self.state();
                state.account = Some(account);
                state.known = false;
                drop(state);
                self.add_account()
            });
        Some(taken)
    }

    fn start(&self, _epoch: u64, address: IpAddr) -> Result<i32, EngineFailure> {
        self.start_node(address)
    }

    /// All of it is in the broker from its start on, but a certificate that is renewed.
    fn define(&self, _address: IpAddr) -> Result<(), EngineFailure> {
        self.show_certificate()
    }

    fn accept(&self, address: IpAddr, stale: &dyn Fn() -> bool) -> Result<(), EngineFailure> {
        let began = Instant::now();
        let accepted = loop {
            let error = match self.serves(address) {
                Ok(()) => break Ok(()),
                Err(error) => error,
            };
            match self.controller() {
                Ok(None) => break Err(self.ended()),
                Ok(Some(_)) if !stale() && began.elapsed() < REPLAY => std::thread::sleep(AGAIN),
                Ok(Some(_)) => {
                    break Err(transient(format!(
                        "the node runs and does not serve: {}",
                        chain(&error)
                    )));
                }
                Err(error) => break Err(EngineFailure::transient(&error)),
            }
        };
        (self.waited)(format!("queue {}", definitions::ready_queue()), began.elapsed());
        accepted?;
        self.state().accepts = true;
        self.add_account().map_err(transient)
    }

    fn check(&self, address: IpAddr) -> Health {
        match self.serves(address) {
            Ok(()) => Health::Well,
            // It answers, and somebody changed what is the agent's.
            Err(error) if error.is_refused() || error.is_not_found() => Health::Unknown(chain(&error)),
            Err(error) => Health::Bad(chain(&error)),
        }
    }

    fn end(&self, target: Duration) -> Result<(), String> {
        let Some(pid) = self.controller().map_err(|error| chain(&error))? else {
            return Ok(());
        };
        signal(pid, Signal::TERM);
        match wait_for_end(pid, Some(target)).map_err(|error| chain(&error))? {
            true => Ok(()),
            false => Err(format!(
                "the node did not exit within {} s of SIGTERM",
                target.as_secs()
            )),
        }
    }

    fn end_immediately(&self) -> Result<&'static str, String> {
        self.control(&["shutdown"], None).map(|_| "rabbitmqctl shutdown")
    }

    fn probe_define(&self) -> Result<ProbeReport, String> {
        self.define_probes()
    }

    fn probe_depth(&self) -> Result<ProbeReport, String> {
        self.probe_depths()
    }

    fn probe_delete(&self) -> Result<ProbeReport, String> {
        self.delete_probes()
    }

    fn host(&self) -> &Processes {
        &self.processes
    }

    fn owner(&self) -> Option<(u32, u32)> {
        self.run_as
    }

    fn measure(&self) -> Measures {
        let status = self.controller().ok().flatten().map(|_| "RUNNING".to_owned());
        let overview = self.overview();
        Measures {
            status,
            connections: overview.and_then(|overview| overview.connections),
            depth: overview.and_then(|overview| overview.messages),
            certificate_days: self.certificate_days(),
        }
    }
}

mod boot;
mod members;
mod probe;
mod tls;

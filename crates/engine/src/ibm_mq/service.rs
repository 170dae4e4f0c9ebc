//! The port [`Engine`] for IBM MQ: which commands to run when, and what their answers mean for the next attempt.
//!
//! Its parts: `boot` makes the queue manager known, `definitions` applies the user's own, `tls` keeps the
//! certificate, `probe` serves the failover test.

use super::definitions::Definitions;
use super::places::{self, DataDirs};
use super::product::IbmMq;
use super::tune;
use super::{Driver, DriverError, EndExit, EndOptions, ObjectName, StartExit, StartOptions};
use crate::certificate::Certificate;
use crate::processes::Processes;
use crate::product::Product;
use crate::service::{DataState, Engine, EngineFailure, EngineInfo, FailureKind, Health, Host, Measures};
use crate::{Command, Output, RunError, Runner};
use mqaws_contract::agent::{AgentConfig, ConnectionsReport, ProbeReport};
use mqaws_contract::engine;
use mqaws_contract::periods;
use mqaws_contract::remedy::chain;
use std::error::Error;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longest wait for listeners to accept after the start command succeeded.
const ACCEPT: Duration = Duration::from_secs(30);
/// Deadline of the first health check's command, and of each connection.
const CHECK: Duration = Duration::from_secs(2);
/// How often the deadline of a health check's command doubles while no check ends: on a host that is only slow, the third
/// has four times as long as the first.
const DOUBLINGS: u32 = 2;
// With these, the deploying side reckons how long an outage by a hung engine takes.
const _: () = assert!(
    periods::HEALTH_FAILURES == DOUBLINGS + 1
        && engine::IBM_MQ.silent.as_secs() == CHECK.as_secs() * ((1 << periods::HEALTH_FAILURES) - 1)
);

/// Asks for all connections, with their channels. `CONNS` of `DISPLAY QMSTATUS` counts the queue manager's own processes too; and a filter
/// on the channel would answer that nothing was found when no client is connected, where this shows `runmqsc` itself.
const CONNECTIONS: &str = "DISPLAY CONN(*) TYPE(CONN) CHANNEL";

/// IBM MQ on this host, or the lab's stand-in for it.
pub(super) struct Service {
    driver: Driver,
    run_as: Option<(u32, u32)>,
    own: Vec<OsString>,
    /// Health checks in a row whose command did not end in time.
    silent: AtomicU32,
    /// How many commands hang in the kernel.
    left_behind: fn() -> usize,
    runner: Arc<dyn Runner>,
    processes: Processes,
    queue_manager: String,
    mount: PathBuf,
    linked: bool,
    prefix: PathBuf,
    licence: PathBuf,
    waited: fn(String, Duration),
    definitions: PathBuf,
    user: String,
    /// Whether channels speak TLS.
    tls: bool,
    key_repository: PathBuf,
    certificate: Mutex<Option<tls::Installed>>,
    mq_port: u16,
    amqp_port: Option<u16>,
}

impl Service {
    /// The queue manager of this configuration on this host.
    pub(super) fn new(config: &AgentConfig, host: Host) -> Self {
        let Host {
            root,
            runner,
            processes,
            run_as,
            own,
            waited,
        } = host;
        let driver = Driver::new(root.path(&config.engine.bin_dir));
        Self {
            driver: match run_as {
                Some((user, group)) => driver.run_as(user, group),
                None => driver,
            },
            run_as,
            own,
            silent: AtomicU32::new(0),
            left_behind: crate::runner::left_behind,
            runner,
            processes,
            waited,
            queue_manager: config.queue_manager.clone(),
            mount: root.path(&config.storage.mount),
            linked: root.as_path() != Path::new("/"),
            prefix: places::prefix(&root),
            licence: places::licence(&root),
            definitions: root.path(engine::IBM_MQ.definitions),
            user: config.user.clone(),
            tls: !config.certificate.is_empty(),
            key_repository: places::key_repository(&root, &config.queue_manager),
            certificate: Mutex::default(),
            // The agent refuses a configuration without it.
            mq_port: config.ports.of(&engine::MQ).unwrap_or(engine::IBM_MQ.endpoints[0].port),
            amqp_port: config.ports.of(&engine::AMQP),
        }
    }

    /// Where the data is, by a name that is the same on every instance: the engine writes it into its own files.
    ///
    /// On a real host that is the mount point, which nothing looks at. A lab instance's is a link below its own root.
    fn dirs(&self) -> DataDirs {
        let link = if self.linked {
            std::fs::read_link(&self.mount).ok()
        } else {
            None
        };
        DataDirs::new(&link.unwrap_or_else(|| self.mount.clone()), &self.queue_manager)
    }

    fn run(&self, command: &Command) -> Result<Output, EngineFailure> {
        tracing::debug!(%command, "run");
        let ran = self.runner.run(command);
        // Its own run alone: the way to the keeper and back, and the agent's own editor of `qm.ini`, are the agent's.
        if let (Ok(output), false) = (&ran, tune::is_tuning(command)) {
            (self.waited)(command.to_string(), output.elapsed);
        }
        ran.map_err(|error| transient(&error))
    }

    fn ensure(&self, command: &Command, good: &[i32]) -> Result<(), EngineFailure> {
        let output = self.run(command)?;
        if good.contains(&output.code) {
            return Ok(());
        }
        let said = output.text.lines().next().unwrap_or_default();
        Err(EngineFailure {
            kind: FailureKind::Transient,
            text: format!("`{command}` exit {}: {said}", output.code),
        })
    }

    /// Why nothing more of the engine is asked for now: each further command would hang as well, and none ends of a signal.
    fn hangs(&self) -> Option<String> {
        match (self.left_behind)() {
            0 => None,
            n => Some(format!(
                "{n} commands of the engine hang in the kernel: the shared file system is stalled"
            )),
        }
    }

    fn mqsc(&self, text: &str) -> Result<crate::ibm_mq::mqsc::Report, EngineFailure> {
        let output = self.run(&self.driver.mqsc(&self.queue_manager, text))?;
        Driver::processed(&output).map_err(|error| transient(&error))
    }

    fn end_with(&self, options: EndOptions) -> Result<(), String> {
        let output = self
            .run(&self.driver.end(&self.queue_manager, options))
            .map_err(|f| f.text)?;
        match EndExit::from_code(output.code) {
            exit if exit.is_down() => Ok(()),
            exit => Err(DriverError::failed("endmqm", exit, &output).to_string()),
        }
    }

    fn ports(&self) -> impl Iterator<Item = u16> {
        std::iter::once(self.mq_port).chain(self.amqp_port)
    }
}

impl Engine for Service {
    fn product(&self) -> &'static dyn Product {
        &IbmMq
    }

    fn info(&self) -> Result<EngineInfo, EngineFailure> {
        let output = self.run(&self.driver.version())?;
        let version = Driver::versioned(&output).map_err(|error| transient(&error))?;
        Ok(EngineInfo {
            version: version.to_string(),
            stand_in: version.is_stand_in(),
            how: "running".to_owned(),
        })
    }

    fn adopt(&self, data: DataState) -> Result<EngineInfo, EngineFailure> {
        self.make_known(data)
    }

    fn register(&self) -> Result<EngineInfo, EngineFailure> {
        self.register_here()
    }

    fn install(&self, certificate: &Certificate) -> Result<bool, EngineFailure> {
        self.install_certificate(certificate)
    }

    fn start(&self, epoch: u64, _address: IpAddr) -> Result<i32, EngineFailure> {
        let driver = self.driver.clone().env("MQAWS_EPOCH", epoch.to_string());
        let output = self.run(&driver.start(&self.queue_manager, StartOptions::default()))?;
        let exit = StartExit::from_code(output.code);
        if !exit.is_success() && exit != StartExit::AlreadyRunning {
            return Err(start_failure(exit, &output));
        }
        match self.controller() {
            Ok(Some(pid)) => Ok(pid),
            Ok(None) => Err(EngineFailure {
                kind: FailureKind::Transient,
                text: format!("strmqm {exit}, but there is no execution controller"),
            }),
            Err(error) => Err(transient(&error)),
        }
    }

    fn define(&self, address: IpAddr) -> Result<(), EngineFailure> {
        let Some(user) = ObjectName::new(&self.user) else {
            return Err(EngineFailure {
                kind: FailureKind::Shared,
                text: format!("`{}` is not a valid user name", self.user),
            });
        };
        let mut definitions = Definitions::new(Some(address), self.mq_port, self.amqp_port, user);
        if self.tls {
            self.define_certificate()?;
            definitions.tls = true;
        }
        self.mqsc(&definitions.mqsc())?;
        self.certificate_is_defined();
        self.define_own().map(|_| ())
    }

    fn accept(&self, address: IpAddr, stale: &dyn Fn() -> bool) -> Result<(), EngineFailure> {
        let deadline = Instant::now() + ACCEPT;
        for port in self.ports() {
            let target = SocketAddr::new(address, port);
            let accepts = || {
                loop {
                    let error = match TcpStream::connect_timeout(&target, CHECK) {
                        Ok(_) => return Ok(()),
                        Err(error) => error,
                    };
                    if stale() || Instant::now() > deadline {
                        return Err(EngineFailure {
                            kind: FailureKind::Transient,
                            text: format!("the engine started, but does not accept connections on {target}: {error}"),
                        });
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
            };
            let began = Instant::now();
            let accepted = accepts();
            (self.waited)(format!("listener {target}"), began.elapsed());
            accepted?;
        }
        Ok(())
    }

    fn check(&self, address: IpAddr) -> Health {
        if let Some(hangs) = self.hangs() {
            return Health::Unknown(hangs);
        }
        let silent = self.silent.load(Ordering::Acquire);
        let deadline = CHECK * 2_u32.pow(silent.min(DOUBLINGS));
        let checked = self
            .runner
            .run(&self.driver.ping(&self.queue_manager).deadline(deadline));
        let timed_out = matches!(checked, Err(RunError::TimedOut { .. }));
        self.silent
            .store(if timed_out { silent + 1 } else { 0 }, Ordering::Release);
        let output = match checked {
            Ok(output) => output,
            // What SIGKILL does not end hangs in the kernel, on storage: that is no fault of the engine.
            Err(error @ RunError::TimedOut { reaped: false, .. }) => return Health::Unknown(chain(&error)),
            Err(error @ RunError::TimedOut { .. }) => return Health::Bad(chain(&error)),
            Err(error) => return Health::Unknown(chain(&error)),
        };
        if let Err(error) = Driver::processed(&output) {
            return Health::Bad(format!("PING QMGR: {error}"));
        }
        for port in self.ports() {
            let target = SocketAddr::new(address, port);
            if let Err(error) = TcpStream::connect_timeout(&target, CHECK) {
                return Health::Bad(format!("{target} does not accept connections: {error}"));
            }
        }
        Health::Well
    }

    fn end(&self, target: Duration) -> Result<(), String> {
        self.end_with(EndOptions::orderly(target))
    }

    fn end_for_move(&self, target: Duration) -> Result<(), String> {
        self.end_with(EndOptions::moving(target))
    }

    fn end_immediately(&self) -> Result<&'static str, String> {
        self.end_with(EndOptions::immediate()).map(|()| "endmqm -i")
    }

    fn probe_define(&self) -> Result<ProbeReport, String> {
        self.define_probe()
    }

    fn probe_depth(&self) -> Result<ProbeReport, String> {
        self.probe_depths()
    }

    fn probe_delete(&self) -> Result<ProbeReport, String> {
        self.delete_probes()
    }

    fn connections(&self) -> Result<ConnectionsReport, String> {
        let report = self.mqsc(CONNECTIONS).map_err(|failure| failure.text)?;
        let connections = report.clients();
        Ok(ConnectionsReport { connections })
    }

    fn host(&self) -> &Processes {
        &self.processes
    }

    fn owner(&self) -> Option<(u32, u32)> {
        self.run_as
    }

    fn measure(&self) -> Measures {
        let certificate_days = self.certificate_days();
        if self.hangs().is_some() {
            return Measures {
                certificate_days,
                ..Measures::default()
            };
        }
        let report = self.mqsc(&format!("DISPLAY QMSTATUS STATUS\n{CONNECTIONS}")).ok();
        let shown = |key: &str| report.as_ref()?.objects().find_map(|o| o.get(key).map(str::to_owned));
        let depths = self.mqsc("DISPLAY QLOCAL(*) CURDEPTH").ok().map(|r| r.depths());
        Measures {
            status: shown("STATUS"),
            connections: report.as_ref().and_then(crate::ibm_mq::mqsc::Report::clients),
            depth: depths.map(|d| {
                let own = d.into_iter().filter(|(name, _)| !name.starts_with("SYSTEM."));
                own.map(|(_, depth)| depth).sum()
            }),
            certificate_days,
        }
    }
}

/// What a failed start means for the next attempt.
fn start_failure(exit: StartExit, output: &Output) -> EngineFailure {
    let error = DriverError::failed("strmqm", exit, output);
    let kind = match exit {
        // Nobody else creates it behind this fence: a creation was cut off, and what it left is on the shared file system.
        StartExit::BeingCreated => FailureKind::Shared,
        StartExit::DoesNotExist
        | StartExit::InvalidParameter
        | StartExit::InconsistentInstallation
        | StartExit::OtherInstallation
        | StartExit::NameError
        | StartExit::CommandLevelOutOfRange
        | StartExit::CommandLevelTooHigh => FailureKind::Final,
        StartExit::Unexpected if output.text.contains("AMQ7128E") => FailureKind::Final,
        exit if exit.is_active_elsewhere() => FailureKind::Elsewhere,
        _ => FailureKind::Transient,
    };
    let text = match mqaws_contract::remedy::Remedy::hint(&error) {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    };
    EngineFailure { kind, text }
}

fn transient(error: &dyn Error) -> EngineFailure {
    EngineFailure::transient(error)
}

mod boot;
mod definitions;
mod probe;
mod tls;

#[cfg(test)]
mod tests;

//! The port [`Engine`] for IBM MQ: which commands to run when, and what their answers mean for the next attempt.

use super::layout::{DataDirs, Layout};
use super::machine::{EngineFailure, EngineInfo, FailureKind, Health};
use super::ports::{Engine, Measures};
use super::processes::Processes;
use super::tuning;
use crate::engine::ibm_mq::{
    CreateExit, CreateQueueManager, Definitions, Driver, DriverError, EndExit, EndOptions, ObjectName,
    ProbeQueueDefinition, QueueManagerInfo, Show, StartExit, StartOptions, data_path, definitions::PROBE_PREFIX,
    directory_name,
};
use crate::engine::{Command, Output, RunError, Runner};
use crate::fence::DataState;
use crate::model::agent::{AgentConfig, ProbeQueue, ProbeReport};
use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest wait for listeners to accept after the start command succeeded.
const ACCEPT: Duration = Duration::from_secs(30);
/// Deadline of one health check's command, and of its connection.
const CHECK: Duration = Duration::from_secs(2);
/// How long processes may take to die of SIGKILL before that is reported.
const KILL: Duration = Duration::from_secs(5);
/// The application user's name in definitions, when the secret has not been read yet.
pub const DEFAULT_USER: &str = "mqapp";
/// The failover test's queue.
const PROBE_QUEUE: &str = "TEST";

/// IBM MQ on this host, or the lab's stand-in for it.
pub struct IbmMq {
    driver: Driver,
    run_as: Option<(u32, u32)>,
    own: Vec<OsString>,
    /// How many commands hang in the kernel.
    left_behind: fn() -> usize,
    runner: Arc<dyn Runner>,
    processes: Processes,
    queue_manager: String,
    mount: PathBuf,
    linked: bool,
    prefix: PathBuf,
    licence: PathBuf,
    definitions: PathBuf,
    mq_port: u16,
    amqp_port: Option<u16>,
}

impl IbmMq {
    /// The engine of this configuration on a host of this layout.
    pub fn new(config: &AgentConfig, layout: &Layout, runner: Arc<dyn Runner>, processes: Processes) -> Self {
        Self {
            driver: Driver::new(layout.engine_bin(config)),
            run_as: None,
            own: Vec::new(),
            left_behind: crate::engine::runner::left_behind,
            runner,
            processes,
            queue_manager: config.queue_manager.clone(),
            mount: layout.mount(config),
            linked: layout.root() != Path::new("/"),
            prefix: layout.engine_prefix(),
            licence: layout.licence(),
            definitions: layout.definitions(),
            mq_port: config.mq_port,
            amqp_port: config.amqp_port,
        }
    }

    /// Runs its commands as this user and group, to whom its data then belongs.
    #[must_use]
    pub fn run_as(mut self, user_and_group: Option<(u32, u32)>) -> Self {
        self.run_as = user_and_group;
        if let Some((user, group)) = user_and_group {
            self.driver = self.driver.run_as(user, group);
        }
        self
    }

    /// Tunes `qm.ini` by this program and the arguments that lead to the agent's verbs; without one it is left alone.
    #[must_use]
    pub fn tuned_by(mut self, own: Vec<OsString>) -> Self {
        self.own = own;
        self
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
        self.runner.run(command).map_err(|error| transient(&error))
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

    fn create(&self) -> Result<String, EngineFailure> {
        let dirs = self.dirs();
        let what = CreateQueueManager::new(&self.queue_manager, dirs.data, dirs.log);
        let output = self.run(&self.driver.create(&what))?;
        match CreateExit::from_code(output.code) {
            CreateExit::Created => Ok("created".to_owned()),
            // An earlier attempt of this very claim got that far; `strmqm` says whether it is whole.
            CreateExit::AlreadyExists => Ok("created before".to_owned()),
            exit => Err(transient(&DriverError::failed("crtmqm", exit, &output))),
        }
    }

    /// Why nothing more of the engine is asked for now: each further command would hang as well, and none ends of a signal.
    fn hangs(&self) -> Option<String> {
        match (self.left_behind)() {
            0 => None,
            n => Some(format!(
                "{n} commands of the engine hang in the kernel: the shared file system stalls"
            )),
        }
    }

    /// Checks `qm.ini`. Without its value a stall of 20 s ends the queue manager; that is no reason not to start it.
    fn tune(&self) {
        if self.own.is_empty() {
            return;
        }
        let path = data_path(&self.dirs().data, &self.queue_manager).join("qm.ini");
        let mut command = tuning::command(&self.own, &self.queue_manager, &path);
        command.run_as = self.run_as;
        match self.run(&command) {
            Ok(output) if output.code == 0 => tracing::info!(result = output.text.trim(), "qm.ini"),
            Ok(output) => tracing::warn!(error = output.text.trim(), "qm.ini is not tuned for EFS"),
            Err(failure) => tracing::warn!(error = failure.text, "qm.ini is not tuned for EFS"),
        }
    }

    fn mqsc(&self, text: &str) -> Result<crate::engine::ibm_mq::mqsc::Report, EngineFailure> {
        let output = self.run(&self.driver.mqsc(&self.queue_manager, text))?;
        Driver::processed(&output).map_err(|error| transient(&error))
    }

    /// Defines the failover test's queue and says how deep it is.
    ///
    /// # Errors
    /// In the engine's words.
    pub fn probe_define(&self) -> Result<ProbeReport, String> {
        let queue = ProbeQueueDefinition::new(PROBE_QUEUE).ok_or("the name of the probe queue is not valid")?;
        self.mqsc(&queue.define()).map_err(|f| f.text)?;
        self.probe_depth()
    }

    /// Says how deep the failover test's queues are.
    ///
    /// # Errors
    /// In the engine's words.
    pub fn probe_depth(&self) -> Result<ProbeReport, String> {
        let display = format!("DISPLAY QLOCAL('{PROBE_PREFIX}*') CURDEPTH");
        let output = self
            .run(&self.driver.mqsc(&self.queue_manager, &display))
            .map_err(|f| f.text)?;
        let report = crate::engine::ibm_mq::mqsc::Report::parse(&output.text);
        // `not found` is the answer when there are none: everything else that fails is a failure.
        let none = report
            .commands
            .iter()
            .any(|c| c.failure().is_some_and(|m| m.number == 8147));
        if !none {
            report.check(output.code).map_err(|error| error.to_string())?;
        }
        let queues = report
            .depths()
            .into_iter()
            .map(|(name, depth)| ProbeQueue { name, depth });
        Ok(ProbeReport {
            queues: queues.collect(),
        })
    }

    /// Deletes the failover test's queues with their messages.
    ///
    /// # Errors
    /// In the engine's words.
    pub fn probe_delete(&self) -> Result<ProbeReport, String> {
        for queue in self.probe_depth()?.queues {
            if let Some(queue) = ProbeQueueDefinition::named(&queue.name) {
                self.mqsc(&queue.delete()).map_err(|f| f.text)?;
            }
        }
        self.probe_depth()
    }

    /// Stops the queue manager at once, as an operator would.
    ///
    /// # Errors
    /// In the engine's words.
    pub fn end_immediately(&self) -> Result<(), String> {
        self.end_with(EndOptions::immediate())
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

    /// Its status in its own words.
    ///
    /// # Errors
    /// When the engine gave no status.
    pub fn status(&self) -> Result<String, String> {
        let command = self.driver.display(Some(&self.queue_manager), Show::Status, false);
        let output = self.run(&command).map_err(|f| f.text)?;
        let shown = Driver::displayed(&output, &self.queue_manager).map_err(|error| error.to_string())?;
        let status = shown.and_then(|q| q.fields.get("STATUS").map(str::to_owned));
        status.ok_or_else(|| "this host does not know the queue manager".to_owned())
    }

    fn ports(&self) -> impl Iterator<Item = u16> {
        std::iter::once(self.mq_port).chain(self.amqp_port)
    }
}

impl Engine for IbmMq {
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
        if data == DataState::HalfCreated {
            return Err(EngineFailure {
                kind: FailureKind::Final,
                text: format!(
                    "the creation of {} was cut off and left a directory without qm.ini in {}: delete it, then start again",
                    self.queue_manager,
                    self.dirs().data.display()
                ),
            });
        }
        let mut info = self.info()?;
        // 10 is a warning. It must come before `dspmqinf`, which otherwise leaves a failure report behind.
        self.ensure(&self.driver.create_directories(), &[0, 10])?;
        if self.licence.exists() {
            self.ensure(&self.driver.accept_licence(&self.licence), &[0])?;
        }
        let known = self.run(&self.driver.display_info(&self.queue_manager))?.code == 0;
        info.how = match (known, data) {
            (true, DataState::Present) => "known".to_owned(),
            (_, DataState::Absent) => self.create()?,
            _ => {
                let entry = QueueManagerInfo {
                    name: self.queue_manager.clone(),
                    directory: directory_name(&self.queue_manager),
                    prefix: self.prefix.clone(),
                    data_path: data_path(&self.dirs().data, &self.queue_manager),
                };
                self.ensure(&self.driver.add_info(&entry), &[0])?;
                "made known".to_owned()
            }
        };
        self.tune();
        Ok(info)
    }

    fn start(&self, epoch: u64) -> Result<i32, EngineFailure> {
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
        let Some(user) = ObjectName::new(DEFAULT_USER) else {
            return Err(EngineFailure {
                kind: FailureKind::Final,
                text: format!("{DEFAULT_USER} is not a valid user name"),
            });
        };
        let definitions = Definitions::new(Some(address), self.mq_port, self.amqp_port, user);
        self.mqsc(&definitions.mqsc())?;
        self.define_own().map(|_| ())
    }

    fn accept(&self, address: IpAddr, stale: &dyn Fn() -> bool) -> Result<(), EngineFailure> {
        let deadline = Instant::now() + ACCEPT;
        for port in self.ports() {
            let target = SocketAddr::new(address, port);
            loop {
                let error = match TcpStream::connect_timeout(&target, CHECK) {
                    Ok(_) => break,
                    Err(error) => error,
                };
                if stale() || Instant::now() > deadline {
                    return Err(EngineFailure {
                        kind: FailureKind::Transient,
                        text: format!("the engine started, but nothing accepts on {target}: {error}"),
                    });
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }

    fn check(&self, address: IpAddr) -> Health {
        if let Some(hangs) = self.hangs() {
            return Health::Unknown(hangs);
        }
        let output = match self.runner.run(&self.driver.ping(&self.queue_manager).deadline(CHECK)) {
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
                return Health::Bad(format!("{target} does not accept: {error}"));
            }
        }
        Health::Well
    }

    fn end(&self, target: Duration) -> Result<(), String> {
        self.end_with(EndOptions::orderly(target))
    }

    fn controller(&self) -> io::Result<Option<i32>> {
        self.processes.controller()
    }

    fn processes(&self) -> io::Result<usize> {
        self.processes.list().map(|p| p.len())
    }

    fn kill(&self) -> io::Result<usize> {
        self.processes.kill(KILL)
    }

    fn owner(&self) -> Option<(u32, u32)> {
        self.run_as
    }

    fn measure(&self) -> Measures {
        if self.hangs().is_some() {
            return Measures::default();
        }
        let report = self.mqsc("DISPLAY QMSTATUS CONNS STATUS").ok();
        let shown = |key: &str| report.as_ref()?.objects().find_map(|o| o.get(key).map(str::to_owned));
        let depths = self.mqsc("DISPLAY QLOCAL(*) CURDEPTH").ok().map(|r| r.depths());
        Measures {
            status: shown("STATUS"),
            connections: shown("CONNS").and_then(|c| c.parse().ok()),
            depth: depths.map(|d| {
                let own = d.into_iter().filter(|(name, _)| !name.starts_with("SYSTEM."));
                own.map(|(_, depth)| depth).sum()
            }),
        }
    }
}

/// What a failed start means for the next attempt.
fn start_failure(exit: StartExit, output: &Output) -> EngineFailure {
    let error = DriverError::failed("strmqm", exit, output);
    let kind = match exit {
        StartExit::BeingCreated
        | StartExit::DoesNotExist
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
    let text = match crate::remedy::Remedy::hint(&error) {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    };
    EngineFailure { kind, text }
}

fn transient(error: &dyn Error) -> EngineFailure {
    EngineFailure {
        kind: FailureKind::Transient,
        text: chain(error),
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

mod definitions;

#[cfg(test)]
mod tests;

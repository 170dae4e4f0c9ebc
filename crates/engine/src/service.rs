//! The engine of one queue manager on one host: what the agent asks of it, and what it needs of the host.

use crate::certificate::Certificate;
use crate::cluster::Cluster;
use crate::processes::Processes;
use crate::product::Product;
use crate::{Root, Runner};
use mqaws_contract::agent::{ConnectionsReport, ProbeReport};
use mqaws_contract::remedy::chain;
use secrecy::SecretString;
use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long processes may take to die of SIGKILL before that is reported.
const KILL: Duration = Duration::from_secs(5);

/// The engine of one queue manager, on this host. All calls block and have deadlines of their own.
pub trait Engine: Send + Sync {
    /// What it is one of.
    fn product(&self) -> &'static dyn Product;

    /// Creates the queue manager, or makes it known to this host.
    ///
    /// # Errors
    /// [`EngineFailure`].
    fn adopt(&self, data: DataState) -> Result<EngineInfo, EngineFailure>;

    /// Makes a queue manager known to this host while another host has its data: nothing is created, and nothing of the data is
    /// written. An engine that a host need not be told of has nothing to do.
    ///
    /// # Errors
    /// [`EngineFailure`].
    fn register(&self) -> Result<EngineInfo, EngineFailure> {
        self.info()
    }

    /// Product and version.
    ///
    /// # Errors
    /// [`EngineFailure`].
    fn info(&self) -> Result<EngineInfo, EngineFailure>;

    /// Takes a certificate, for what is started and defined next; must come before [`Engine::adopt`] where there is one. Says
    /// whether it is another than the one that was there.
    ///
    /// # Errors
    /// [`EngineFailure`]; then the one that was there stays.
    fn install(&self, _certificate: &Certificate) -> Result<bool, EngineFailure> {
        Ok(false)
    }

    /// Takes the application's user and password, where the engine keeps its users itself; absent where they are accounts of the
    /// operating system. It may come at any time, also before the engine runs, and then holds from its start on.
    fn account(&self, _user: &str, _password: &SecretString) -> Option<Result<(), String>> {
        None
    }

    /// Starts it and returns its execution controller's process id; replaying its log belongs to this, or to [`Engine::accept`].
    /// `address` is what listeners bind to that are there from the start.
    ///
    /// # Errors
    /// [`EngineFailure`].
    fn start(&self, epoch: u64, address: IpAddr) -> Result<i32, EngineFailure>;

    /// Applies the definitions and checks the result; `address` is what listeners bind to.
    ///
    /// # Errors
    /// [`EngineFailure`].
    fn define(&self, address: IpAddr) -> Result<(), EngineFailure>;

    /// Waits until the listeners accept; gives up when `stale` says so.
    ///
    /// # Errors
    /// [`EngineFailure`].
    fn accept(&self, address: IpAddr, stale: &dyn Fn() -> bool) -> Result<(), EngineFailure>;

    /// Checks health at the level of the protocol.
    fn check(&self, address: IpAddr) -> Health;

    /// Stops it in order within a target time.
    ///
    /// # Errors
    /// What the engine said, for people.
    fn end(&self, target: Duration) -> Result<(), String>;

    /// Stops it within a target time so that another host can start it: whoever is connected is told to connect again, and nobody is
    /// waited for who has nothing under way.
    ///
    /// # Errors
    /// What the engine said, for people.
    fn end_for_move(&self, target: Duration) -> Result<(), String> {
        self.end(target)
    }

    /// Stops it at once, as an operator would behind the agent's back; says by which command.
    ///
    /// # Errors
    /// What the engine said, for people.
    fn end_immediately(&self) -> Result<&'static str, String>;

    /// Defines the failover test's queue and says how deep its queues are.
    ///
    /// # Errors
    /// What the engine said, for people.
    fn probe_define(&self) -> Result<ProbeReport, String>;

    /// Says how deep the failover test's queues are.
    ///
    /// # Errors
    /// What the engine said, for people.
    fn probe_depth(&self) -> Result<ProbeReport, String>;

    /// Deletes the failover test's queues with their messages.
    ///
    /// # Errors
    /// What the engine said, for people.
    fn probe_delete(&self) -> Result<ProbeReport, String>;

    /// Says how many connections it has at this moment.
    ///
    /// # Errors
    /// What the engine said, for people.
    fn connections(&self) -> Result<ConnectionsReport, String> {
        let connections = self.measure().connections;
        Ok(ConnectionsReport { connections })
    }

    /// Its processes on this host.
    fn host(&self) -> &Processes;

    /// Its execution controller, when it lives.
    ///
    /// # Errors
    /// When that cannot be learned.
    fn controller(&self) -> io::Result<Option<i32>> {
        self.host().controller()
    }

    /// How many of its processes live, commands that write included.
    ///
    /// # Errors
    /// When that cannot be learned.
    fn processes(&self) -> io::Result<usize> {
        self.host().list().map(|p| p.len())
    }

    /// The execution controller and how many processes live, by one look.
    ///
    /// # Errors
    /// When that cannot be learned.
    fn found(&self) -> io::Result<(Option<i32>, usize)> {
        let all = self.host().list()?;
        Ok((all.iter().find(|p| p.controller).map(|p| p.pid), all.len()))
    }

    /// Kills them all; says how many are left.
    ///
    /// # Errors
    /// When that cannot be learned.
    fn kill(&self) -> io::Result<usize> {
        self.host().kill(KILL)
    }

    /// What it is asked where its members each keep a copy of the data; absent where it knows of no others.
    fn cluster(&self) -> Option<&dyn Cluster> {
        None
    }

    /// What is measured of it.
    fn measure(&self) -> Measures;

    /// User and group id that its data on the shared file system belongs to; the keeper's own when there is none.
    fn owner(&self) -> Option<(u32, u32)> {
        None
    }
}

/// What an engine needs of its host.
pub struct Host {
    /// The root that all paths are below.
    pub root: Root,
    /// Who runs its commands.
    pub runner: Arc<dyn Runner>,
    /// Its processes.
    pub processes: Processes,
    /// User and group id that its commands run as; the agent's own when there is none.
    pub run_as: Option<(u32, u32)>,
    /// The agent's own executable, and the arguments that lead to its verbs.
    pub own: Vec<OsString>,
    /// Is told what was waited for that is not the agent, and for how long.
    pub waited: fn(String, Duration),
}

/// What is in a queue manager's data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataState {
    /// Nothing.
    Absent,
    /// A queue manager's data.
    Present,
    /// A creation that was cut off.
    HalfCreated,
}

/// The engine on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// Product and version in the engine's words.
    pub version: String,
    /// Whether it is the lab's test double.
    pub stand_in: bool,
    /// What was done: `created`, `made known`, `known`.
    pub how: String,
}

/// What the engine's failure means for the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Another attempt may succeed.
    Transient,
    /// No attempt on this host can succeed: no licence, a wrong name.
    Final,
    /// No attempt on any host can succeed: what is wrong is in what all of them share, as half-created data or definitions
    /// that the engine refuses. It is tried again from time to time, for a person may have put it right.
    Shared,
    /// Something outside this host does not answer. The step is tried again for as long as it takes, and no attempt is counted.
    Unanswered,
    /// The engine says that it is active elsewhere: its own lock has not ended yet.
    Elsewhere,
}

/// A step of the engine failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineFailure {
    /// What it means.
    pub kind: FailureKind,
    /// What happened, in the engine's words.
    pub text: String,
}

impl EngineFailure {
    /// Another attempt may succeed.
    pub fn transient(error: &dyn Error) -> Self {
        Self {
            kind: FailureKind::Transient,
            text: chain(error),
        }
    }
}

/// Result of a health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// The engine answers and its listener accepts.
    Well,
    /// It does not answer.
    Bad(String),
    /// It runs, and waits for a majority of the cluster's members: no restart of it brings one.
    Waits(String),
    /// The check itself failed. Says nothing about the engine.
    Unknown(String),
}

/// What is measured of a running engine; absent is what it did not tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measures {
    /// Its status in its own words.
    pub status: Option<String>,
    /// Client connections.
    pub connections: Option<u64>,
    /// Messages on all application queues.
    pub depth: Option<u64>,
    /// Days until the certificate is over; negative afterwards.
    pub certificate_days: Option<f64>,
}

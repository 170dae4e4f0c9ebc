//! Carries out a duty's work: each piece on a thread of its own, since each may take long or hang.
//!
//! Its parts: `certificate` brings the engine its certificate, `keeper` finds or starts the lock keeper.

use super::duty::{Event, Ordered, Outcome, Work};
use super::keeper::{Keeper, KeeperWork};
use super::layout::Layout;
use super::ports::{Accounts, Cloud, Engine, Identity, Init, KeeperSpawner, LockPlace, Metadata, Mounter};
use super::status::WriteTimes;
use super::waits;
use crate::model::InstanceId;
use crate::model::agent::{AgentConfig, Wait};
use mqaws_engine::{Certificate, EngineFailure, FailureKind, Health};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a kill may wait for the engine command that it killed to be noticed.
const KILL: Duration = Duration::from_secs(10);

/// The world, as the agent was wired to it.
#[derive(Clone)]
pub struct Ports {
    /// The engine.
    pub(crate) engine: Arc<dyn Engine>,
    /// AWS.
    pub(crate) cloud: Arc<dyn Cloud>,
    /// The metadata service.
    pub(crate) metadata: Arc<dyn Metadata>,
    /// The shared file system.
    pub(crate) mounter: Arc<dyn Mounter>,
    /// Accounts.
    pub(crate) accounts: Arc<dyn Accounts>,
    /// The keeper's process.
    pub(crate) spawner: Arc<dyn KeeperSpawner>,
    /// The init system.
    pub(crate) init: Arc<dyn Init>,
}

/// What comes back to the main loop.
#[derive(Debug)]
pub enum Message {
    /// For the duty.
    Event(Event),
    /// How long the keeper's writes take.
    Written(WriteTimes),
    /// What the work on the way to service waited for.
    Waited(Vec<Wait>),
    /// What was measured of the engine, and since when in nanoseconds since 1970, unless it was not asked.
    Measured(super::ports::Measures, Option<i64>),
}

/// Carries out work.
#[derive(Clone)]
pub(crate) struct Worker {
    /// The configuration.
    pub(crate) config: AgentConfig,
    /// Paths.
    pub(crate) layout: Layout,
    /// The world.
    pub(crate) ports: Ports,
    /// Where results go.
    pub(crate) out: Sender<Message>,
    /// The generation whose work is not stale.
    pub(crate) generation: Arc<AtomicU64>,
    identity: Arc<Mutex<Option<Identity>>>,
    lock: Arc<Mutex<Option<LockPlace>>>,
    /// Held by whoever runs a command of the engine that changes it. A kill takes it before it says that nothing is left,
    /// so that no command of a dropped generation begins afterwards.
    engine_busy: Arc<Mutex<()>>,
    /// The certificate that was read last.
    certificate: Arc<Mutex<Option<Certificate>>>,
    /// Whether the engine still shows another one: then nothing that listens is service yet.
    undefined: Arc<AtomicBool>,
    connections: Arc<AtomicU64>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

/// Whether a fault has announced that it would injure this process.
pub(crate) fn was_ordered(layout: &Layout, pid: i32) -> bool {
    let list = std::fs::read_to_string(layout.ordered_deaths()).unwrap_or_default();
    list.lines().any(|line| line.trim() == pid.to_string())
}

fn text(error: io::Error) -> String {
    error.to_string()
}

/// Starts a named thread with a small stack.
///
/// # Errors
/// When the system has no thread left.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // Enough for a TLS handshake; only touched pages count.
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(512 * 1024)
        .spawn(body)
        .map(|_| ())
}

/// What is waited for by work that is one question as a whole.
fn whole_wait(work: &Work) -> Option<&'static str> {
    match work {
        Work::Identify => Some("the metadata service"),
        Work::Keeper(work) => keeper::whole_wait(work),
        Work::AskCloud(_) => Some("ec2:DescribeInstances"),
        Work::Terminate(_) => Some("ec2:TerminateInstances"),
        Work::UseWord | Work::SpendWord => Some("the tags of the file system"),
        _ => None,
    }
}

/// Work that no step of the way to service waits for: its waits do not make that way longer.
fn runs_beside(work: &Work) -> bool {
    use Work::{Accounts, Check, CompleteHook, Find, Keeper, Register, Renew, ReportUnhealthy, Signal, SpendWord};
    matches!(
        work,
        Accounts
            | Check
            | Find
            | Register
            | Renew
            | Signal { .. }
            | SpendWord
            | ReportUnhealthy
            | CompleteHook
            | Keeper(KeeperWork::Wait { .. })
    )
}

impl Worker {
    /// A worker that sends its results to `out`.
    pub(crate) fn new(config: AgentConfig, layout: Layout, ports: Ports, out: Sender<Message>) -> Self {
        Self {
            config,
            layout,
            ports,
            out,
            generation: Arc::default(),
            identity: Arc::default(),
            lock: Arc::default(),
            engine_busy: Arc::default(),
            certificate: Arc::default(),
            undefined: Arc::default(),
            connections: Arc::default(),
        }
    }

    /// The keeper on this host.
    pub(crate) fn keeper(&self) -> Keeper {
        Keeper::new(&self.layout.keeper_socket())
    }

    /// Begins a piece of work.
    pub(crate) fn begin(&self, generation: u64, work: Work) {
        let worker = self.clone();
        let begun = spawn("work", move || worker.run(generation, work));
        if let Err(error) = begun {
            // Nothing comes back: the duty's other timers and events go on, and a status shows where it waits.
            tracing::error!(%error, "no thread for work");
        }
    }

    fn stale(&self, generation: u64) -> bool {
        self.generation.load(Ordering::Acquire) != generation
    }

    fn me(&self) -> Result<InstanceId, String> {
        let identity = locked(&self.identity);
        let known = identity.as_ref().map(|i| i.instance.clone());
        known.ok_or_else(|| "this host is not identified yet".to_owned())
    }

    fn address(&self) -> IpAddr {
        let identity = locked(&self.identity);
        identity.as_ref().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |i| i.address)
    }

    fn run(&self, generation: u64, work: Work) {
        tracing::debug!(?work, generation, "work");
        if work == Work::Keeper(KeeperWork::Open) {
            return self.open_keeper(generation);
        }
        let whole = whole_wait(&work);
        let measured = !runs_beside(&work);
        let (outcome, waits) = waits::of(|| match whole {
            Some(what) => waits::on(|| what.to_owned(), || self.outcome(generation, work)),
            None => self.outcome(generation, work),
        });
        let Some(outcome) = outcome else { return };
        if measured {
            self.waited(waits);
        }
        // The main loop is gone only when the process ends.
        let _ = self.out.send(Message::Event(Event::Done { generation, outcome }));
    }

    fn waited(&self, waits: Vec<Wait>) {
        if !waits.is_empty() {
            let _ = self.out.send(Message::Waited(waits));
        }
    }

    /// `None` when the work was dropped before it began.
    fn outcome(&self, generation: u64, work: Work) -> Option<Outcome> {
        let Ports { cloud, metadata, .. } = &self.ports;
        Some(match work {
            Work::Identify => {
                self.guard_goes_on();
                Outcome::Identified(metadata.identity().inspect(|identity| {
                    *locked(&self.identity) = Some(identity.clone());
                }))
            }
            Work::Mount => {
                self.guard_goes_on();
                Outcome::Mounted(self.ports.mounter.mount().map(|place| {
                    *locked(&self.lock) = Some(place);
                }))
            }
            Work::CountLocal => Outcome::LocalProcesses(self.ports.engine.processes().map_err(text)),
            Work::Kill => Outcome::LocalProcesses(self.kill()),
            Work::AskCloud(instance) => Outcome::Previous(self.me().and_then(|me| cloud.state_of(&instance, &me))),
            Work::Terminate(instance) => Outcome::TerminationOrdered(cloud.terminate(&instance)),
            Work::UseWord => Outcome::WordUsed(self.me().and_then(|me| cloud.use_create_word(&me))),
            Work::SpendWord => Outcome::WordSpent(self.me().and_then(|me| cloud.spend_create_word(&me))),
            Work::Accounts => Outcome::AccountsSet(self.set_account()),
            Work::Check => self.check(),
            Work::Find => Outcome::Found(self.ports.engine.controller().unwrap_or_default()),
            Work::Signal { success } => Outcome::Signalled(self.me().and_then(|me| cloud.signal(&me, success))),
            Work::ReportUnhealthy => Outcome::Reported(self.me().and_then(|me| cloud.report_unhealthy(&me))),
            Work::CompleteHook => Outcome::HookCompleted(self.complete_hook()),
            Work::Register
            | Work::Adopt(_)
            | Work::Attach
            | Work::Start(_)
            | Work::Define
            | Work::Accept
            | Work::End(_)
            | Work::EndForMove(_) => {
                let busy = locked(&self.engine_busy);
                if self.stale(generation) {
                    return None;
                }
                let outcome = self.run_engine(generation, work);
                drop(busy);
                outcome
            }
            Work::Renew => {
                // Asked for before the engine is anybody's: a call that takes long must hold up neither a kill nor a stop.
                let read = self.fetch();
                let busy = locked(&self.engine_busy);
                if self.stale(generation) {
                    return None;
                }
                let renewed = self.renew(read);
                drop(busy);
                Outcome::Renewed(renewed)
            }
            Work::Keeper(work) => self.ask_keeper(work)?.into(),
        })
    }

    fn run_engine(&self, generation: u64, work: Work) -> Outcome {
        let engine = &self.ports.engine;
        match work {
            Work::Adopt(data) => Outcome::Adopted(self.install().and_then(|_| engine.adopt(data))),
            Work::Register => Outcome::Registered(self.install().and_then(|_| engine.register())),
            Work::Attach => Outcome::Adopted(engine.info()),
            Work::Start(epoch) => Outcome::Started(engine.start(epoch.0, self.address())),
            Work::Define => Outcome::Defined(self.define()),
            Work::Accept => {
                let due = if self.undefined.load(Ordering::Acquire) {
                    self.define()
                } else {
                    Ok(())
                };
                Outcome::Accepting(due.and_then(|()| engine.accept(self.address(), &|| self.stale(generation))))
            }
            Work::End(target) => Outcome::Ended(engine.end(target)),
            Work::EndForMove(target) => Outcome::Ended(engine.end_for_move(target)),
            other => Outcome::Accepting(Err(EngineFailure {
                kind: FailureKind::Transient,
                text: format!("{other:?} is not a task of the engine"),
            })),
        }
    }

    fn kill(&self) -> Result<usize, String> {
        let deadline = Instant::now() + KILL;
        loop {
            let left = self.ports.engine.kill().map_err(text)?;
            if left > 0 {
                return Ok(left);
            }
            match self.engine_busy.try_lock() {
                // Whoever ran a command has seen it end; after this only current work begins another.
                Ok(_busy) => return self.ports.engine.processes().map_err(text),
                Err(TryLockError::Poisoned(_)) => return self.ports.engine.processes().map_err(text),
                Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                    return Err("a command of the engine does not exit".to_owned());
                }
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn check(&self) -> Outcome {
        let health = self.ports.engine.check(self.address());
        let controller = match health {
            Health::Bad(_) => self.ports.engine.controller().ok().flatten(),
            _ => None,
        };
        let ordered = controller.is_some_and(|pid| was_ordered(&self.layout, pid));
        Outcome::Checked(health, Ordered(ordered))
    }

    fn set_account(&self) -> Result<(), String> {
        let (user, password) = self.ports.cloud.credentials()?;
        if user != self.config.user {
            return Err(format!(
                "the secret's username is `{user}`, but the definitions only contain `{}`",
                self.config.user
            ));
        }
        match self.ports.engine.account(&user, &password) {
            Some(taken) => taken,
            None => self.ports.accounts.set(&user, &password),
        }
    }

    /// Only an instance that the group is terminating has a hook to complete.
    fn complete_hook(&self) -> Result<(), String> {
        match self.ports.metadata.lifecycle()?.as_deref() {
            Some("Terminated") => self.ports.cloud.complete_hook(&self.me()?).map_err(|e| e.to_string()),
            _ => Ok(()),
        }
    }
}

mod certificate;
mod keeper;

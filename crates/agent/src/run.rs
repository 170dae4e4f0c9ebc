//! The agent's main loop: events to the duty, its actions to the world.

use super::clock::{since_boot, since_main, since_start};
use super::commands::{DecisionFile, OperatorOrder};
use super::duty::{Action, DrainReason, Duty, Event, Ordered, Timer};
use super::layout::Layout;
use super::marks::{Marks, unix_nanos};
use super::metrics;
use super::notices;
use super::status::{self, Extra};
use super::target_check;
use super::waits;
use super::work::{Message, Ports, Worker, spawn, was_ordered};
use crate::model::agent::{AgentConfig, AgentState, AgentStatus, Mark, Wait, mark};
use mqaws_contract::engine::{CHECK_PORT, EngineFacts};
use mqaws_engine::processes;
use std::collections::HashMap;
use std::fs;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longest turn of the main loop, and period of the look for an operator's orders.
const TICK: Duration = Duration::from_secs(1);
/// The status file is written at least this often, so that a reader sees whether the agent lives.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Waits that are kept for the next mark: a step that is repeated for ever must not fill the memory.
const WAITS: usize = 40;

/// The running agent.
struct Agent {
    duty: Box<dyn Duty>,
    worker: Worker,
    layout: Layout,
    marks: Marks,
    timers: HashMap<Timer, Instant>,
    extra: Extra,
    state: Option<AgentState>,
    written: Option<(AgentStatus, Instant)>,
    snapshot: Arc<Mutex<Option<AgentStatus>>>,
    measure: Sender<()>,
    exit: bool,
    /// Whether health checks are answered, or need not be.
    answering: bool,
    /// What was waited for since the last mark.
    waits: Vec<Wait>,
}

/// Runs the agent with this duty until it was stopped.
///
/// # Errors
/// When the system gives no threads or signals at the start.
pub fn run(config: AgentConfig, layout: Layout, ports: Ports, duty: Box<dyn Duty>) -> std::io::Result<()> {
    let (out, inbox) = mpsc::channel();
    listen_for_signals(out.clone())?;
    run_with(config, layout, ports, duty, out, &inbox)
}

/// [`run`] without the signals: what `out` sends arrives at `inbox`.
fn run_with(
    config: AgentConfig,
    layout: Layout,
    ports: Ports,
    duty: Box<dyn Duty>,
    out: Sender<Message>,
    inbox: &Receiver<Message>,
) -> std::io::Result<()> {
    let snapshot = Arc::default();
    let measure = metrics::start(&ports, out.clone(), Arc::clone(&snapshot))?;
    notices::watch(ports.metadata.clone(), out.clone())?;
    fs::create_dir_all(layout.run())?;
    let mut agent = Agent {
        duty,
        marks: Marks::new(layout.marks()),
        worker: Worker::new(config, layout.clone(), ports, out),
        layout,
        timers: HashMap::new(),
        extra: Extra::default(),
        state: None,
        written: None,
        snapshot,
        measure,
        exit: false,
        answering: false,
        waits: Vec::new(),
    };
    agent.event(Event::Begin);
    agent.main_loop(inbox);
    Ok(())
}

fn listen_for_signals(out: Sender<Message>) -> std::io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT])?;
    spawn("signals", move || {
        for _ in signals.forever() {
            if out.send(Message::Event(Event::Drain(DrainReason::Signal))).is_err() {
                return;
            }
        }
    })
}

impl Agent {
    fn main_loop(&mut self, inbox: &Receiver<Message>) {
        let mut looked = Instant::now();
        while !self.exit {
            let due = self.timers.values().min().copied();
            let wait = due.map_or(TICK, |at| at.saturating_duration_since(Instant::now()).min(TICK));
            match inbox.recv_timeout(wait) {
                Ok(message) => self.message(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            let over: Vec<Timer> = self
                .timers
                .iter()
                .filter(|(_, at)| **at <= now)
                .map(|(t, _)| *t)
                .collect();
            for timer in over {
                self.timers.remove(&timer);
                self.event(Event::Timer(timer));
            }
            if looked.elapsed() >= TICK {
                looked = now;
                if let Some(order) = OperatorOrder::take(&self.layout) {
                    tracing::warn!(?order, "an operator orders");
                    self.event(order.into());
                }
                if let Some((id, word)) = DecisionFile::take(&self.layout).and_then(DecisionFile::word) {
                    tracing::warn!(id, ?word, "an operator decides");
                    self.event(Event::Decide { id, word });
                }
            }
            self.answer_checks();
            self.publish();
            self.worker.ports.init.alive(self.duty.view().state.as_str());
        }
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Event(event) => self.event(event),
            Message::Waited(waits) => self.waited(waits),
            Message::Measured(measures, began) => {
                self.extra.measures = measures;
                self.extra.measured_unix_ns = began;
            }
            Message::Written(times) => self.extra.writes = times,
        }
    }

    fn event(&mut self, event: Event) {
        tracing::debug!(?event, "event");
        let actions = self.duty.handle(event, since_boot());
        // Before any new work begins: what is stale must know it.
        self.worker.generation.store(self.duty.generation(), Ordering::Release);
        for action in actions {
            self.action(action);
        }
        let state = self.duty.view().state;
        if self.state.as_ref() != Some(&state) {
            tracing::info!(state = state.as_str(), why = self.duty.view().last_error, "state");
            self.extra.since = jiff::Timestamp::now().to_string();
            let settled = matches!(state, AgentState::Serving | AgentState::Standby);
            self.state = Some(state);
            if settled {
                // The measuring thread is gone only when the process ends.
                let _ = self.measure.send(());
            }
        }
    }

    fn action(&mut self, action: Action) {
        match action {
            Action::Do { generation, work } => self.worker.begin(generation, work),
            Action::Mark { name, epoch, detail } => self.mark(name, epoch, detail),
            Action::Set(timer, after) => {
                self.timers.insert(timer, Instant::now() + after);
            }
            Action::Clear(timer) => {
                self.timers.remove(&timer);
            }
            Action::Watch(pid) => self.watch(pid),
            Action::Waited { what, took } => {
                let ((), waits) = waits::of(|| waits::ended(|| what.to_owned(), took));
                self.waited(waits);
            }
            Action::NoteServed => self.worker.note_served(),
            Action::Exit => self.exit = true,
        }
    }

    fn mark(&mut self, name: &'static str, epoch: u64, detail: String) {
        let view = self.duty.view();
        let detail = match (name, since_main(), since_start()) {
            (mark::AGENT_STARTED, Some(own), Some(age)) => {
                format!(
                    "{} ms of its own, {} ms after its process",
                    own.as_millis(),
                    age.as_millis()
                )
            }
            _ => detail,
        };
        let mark = Mark {
            t_unix_ns: unix_nanos(),
            instance: view.identity.map(|i| i.instance.to_string()).unwrap_or_default(),
            epoch,
            mark: name.to_owned(),
            detail,
            waits: std::mem::take(&mut self.waits),
        };
        if name == mark::PROOF {
            self.extra.proof_at = jiff::Timestamp::now().to_string();
        }
        tracing::info!(mark = name, epoch, detail = mark.detail, "mark");
        if let Err(error) = self.marks.append(&mark) {
            tracing::warn!(%error, "mark not written");
        }
    }

    fn waited(&mut self, waits: Vec<Wait>) {
        self.waits.extend(waits);
        let over = self.waits.len().saturating_sub(WAITS);
        self.waits.drain(..over);
    }

    /// Begins to answer health checks once this host's address is known, where the engine's endpoints are checked so.
    fn answer_checks(&mut self) {
        if self.answering {
            return;
        }
        let facts = self.worker.config.engine.kind.facts();
        if !facts.is_some_and(EngineFacts::is_checked_by_agent) {
            self.answering = true;
            return;
        }
        let Some(address) = self.duty.view().identity.map(|identity| identity.address) else {
            return;
        };
        let engine = Arc::clone(&self.worker.ports.engine);
        match target_check::listen((address, CHECK_PORT).into(), move || engine.check(address)) {
            Ok(_) => {
                self.answering = true;
                self.extra.unanswered = None;
            }
            Err(error) => {
                let why = format!("health checks on port {CHECK_PORT} are not answered: {error}");
                // It is tried again at every turn.
                if self.extra.unanswered.as_ref() != Some(&why) {
                    tracing::error!(why, "clients are not routed here");
                    self.extra.unanswered = Some(why);
                }
            }
        }
    }

    fn watch(&self, pid: i32) {
        let out = self.worker.out.clone();
        let layout = self.layout.clone();
        let begun = spawn("death", move || {
            while let Err(error) = processes::wait_for_end(pid, None) {
                // Without the kernel's word: look often.
                tracing::warn!(%error, pid, "cannot watch the process");
                std::thread::sleep(Duration::from_millis(200));
                if matches!(processes::state(pid), None | Some('Z')) {
                    break;
                }
            }
            let ordered = Ordered(was_ordered(&layout, pid));
            let _ = out.send(Message::Event(Event::EngineDied { pid, ordered }));
        });
        if let Err(error) = begun {
            tracing::error!(%error, "no thread to watch the engine; the health check remains");
        }
    }

    fn publish(&mut self) {
        let status = status::assemble(&self.worker.config, &self.duty.view(), &self.extra);
        let fresh = self
            .written
            .as_ref()
            .is_some_and(|(old, at)| *old == status && at.elapsed() < HEARTBEAT);
        if fresh {
            return;
        }
        let measured = self.extra.measured_unix_ns.filter(|_| self.duty.view().running);
        if let Err(error) = status::write(&self.layout, &status, measured) {
            tracing::warn!(%error, "status not written");
        }
        *self.snapshot.lock().unwrap_or_else(|e| e.into_inner()) = Some(status.clone());
        self.written = Some((status, Instant::now()));
    }
}

#[cfg(test)]
mod tests;

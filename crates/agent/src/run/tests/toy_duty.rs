//! A duty of one file, which only this test knows: without lock and fence, of two states. It is all that the main loop is told.

use super::*;
use crate::agent::duty::{Duties, DutyOf, Outcome, Steps, View, Work, find};
use crate::agent::ports::{Engine, Identity};
use crate::fence::{DataState, Epoch};
use mqaws_engine::{EngineFailure, EngineInfo};

/// The one row.
const TOYS: Duties = &[DutyOf {
    topology: "toy",
    begin: |_, _| Box::new(Toy::new()),
}];

const WAIT: Duration = Duration::from_millis(10);

/// Starts the engine, and starts it again when it dies; ends it when the agent is to end.
#[derive(Debug)]
struct Toy {
    steps: Steps,
    state: AgentState,
    identity: Option<Identity>,
    engine: Option<EngineInfo>,
    controller: Option<i32>,
    restarts: u32,
    last_error: Option<String>,
}

impl Toy {
    fn new() -> Self {
        Self {
            steps: Steps::new(WAIT, WAIT),
            state: AgentState::Starting,
            identity: None,
            engine: None,
            controller: None,
            restarts: 0,
            last_error: None,
        }
    }

    fn mark(&mut self, name: &'static str) {
        let (epoch, detail) = (0, String::new());
        self.steps.act(Action::Mark { name, epoch, detail });
    }

    fn start(&mut self) {
        self.state = AgentState::Starting;
        self.steps.order(Work::Start(Epoch::default()));
    }

    fn again(&mut self, work: Work, why: String) {
        self.last_error = Some(why);
        let wait = self.steps.next_wait();
        self.steps.order_after(wait, work);
    }

    fn done(&mut self, outcome: Outcome) {
        let failed = |failure: EngineFailure| failure.text;
        match outcome {
            Outcome::Identified(Ok(identity)) => {
                self.identity = Some(identity);
                self.steps.order(Work::Adopt(DataState::Absent));
            }
            Outcome::Identified(Err(why)) => self.again(Work::Identify, why),
            Outcome::Adopted(Ok(engine)) => {
                self.engine = Some(engine);
                self.start();
            }
            Outcome::Adopted(Err(failure)) => self.again(Work::Adopt(DataState::Absent), failed(failure)),
            Outcome::Started(Ok(pid)) => {
                self.controller = Some(pid);
                self.steps.act(Action::Watch(pid));
                self.steps.order(Work::Accept);
            }
            Outcome::Started(Err(failure)) => self.again(Work::Start(Epoch::default()), failed(failure)),
            Outcome::Accepting(Ok(())) => {
                (self.state, self.last_error) = (AgentState::Serving, None);
                self.mark(mark::SERVING);
            }
            Outcome::Accepting(Err(failure)) => self.again(Work::Accept, failed(failure)),
            Outcome::Ended(_) => {
                self.mark(mark::STOPPED);
                self.steps.act(Action::Exit);
            }
            _ => {}
        }
    }
}

impl Duty for Toy {
    fn handle(&mut self, event: Event, _now: Duration) -> Vec<Action> {
        match event {
            Event::Begin => self.steps.order(Work::Identify),
            Event::Done { generation, outcome } if generation == self.steps.generation() => self.done(outcome),
            Event::EngineDied { pid, .. } if self.controller == Some(pid) => {
                self.steps.drop_work();
                self.controller = None;
                self.restarts += 1;
                self.start();
            }
            Event::Drain(_) => {
                self.steps.drop_work();
                (self.state, self.controller) = (AgentState::Starting, None);
                self.steps.order(Work::End(PATIENCE));
            }
            Event::Timer(Timer::Retry) => {
                for work in self.steps.take_due() {
                    self.steps.order(work);
                }
            }
            _ => {}
        }
        self.steps.take()
    }

    fn generation(&self) -> u64 {
        self.steps.generation()
    }

    fn view(&self) -> View<'_> {
        View {
            state: self.state.clone(),
            running: self.state == AgentState::Serving,
            identity: self.identity.as_ref(),
            engine: self.engine.as_ref(),
            restarts: self.restarts,
            last_error: self.last_error.clone(),
            ..View::default()
        }
    }
}

#[test]
fn a_duty_without_lock_and_fence_is_run_by_the_same_loop_from_its_start_to_its_end() {
    let unknown = find(TOYS, &config().topology).expect_err("not in this table");
    assert!(unknown.to_string().contains("supported values: `toy`"), "{unknown}");
    let config = AgentConfig {
        topology: "toy".into(),
        ..config()
    };
    let site = site();
    let engine = Arc::new(Sleeper::default());
    engine.failures.store(1, Ordering::SeqCst);
    let Unstarted { host, inbox } = Host::prepare(site.dir.path(), &site.shared, &site.server, "i-1", engine);
    let duty = find(TOYS, &config.topology).expect("the row");
    let (ports, duty) = (host.ports(), (duty.begin)(&config, host.engine.product()));
    host.start_duty(inbox, config, ports, duty);

    let status = host.until("serving", |s| s.state == AgentState::Serving);
    let first = host.engine.pid().expect("runs");
    assert_eq!(status.engine_version.as_deref(), Some("sleeper 1"));
    assert_eq!((status.instance.as_str(), status.last_error), ("i-1", None));
    assert_eq!((status.epoch, status.proof, status.lock_held), (None, None, false));

    processes::signal(first, rustix::process::Signal::KILL);
    let status = host.until("serving again", |s| s.state == AgentState::Serving && s.restarts == 1);
    assert_eq!((status.previous, status.original, status.alarm), (None, None, None));
    assert_ne!(host.engine.pid(), Some(first));

    host.stop();
    assert_eq!(host.engine.pid(), None);
    assert_eq!(host.marks(), [mark::SERVING, mark::SERVING, mark::STOPPED]);
    assert_eq!(host.calls(), [] as [&str; 0], "nobody was asked, told or terminated");
    assert_eq!(host.keepers.started.load(Ordering::SeqCst), 0, "no keeper");
    assert!(site.server.lock().expect("server").is_none(), "no lock");
    let store = RecordStore::new(&site.shared, "QM1");
    assert_eq!(store.read().expect("read"), None, "no record");
}

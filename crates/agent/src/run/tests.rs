//! Whole agents on doubles of the world: real keepers on threads, real files, real processes whose death the kernel tells.

mod certificate;
mod doubles;
mod fencing;
mod pausing;
mod toy_duty;

use super::*;
use crate::agent::duty::single_writer::{Policy, SingleWriter};
use crate::agent::keeper::protocol::KeeperConfig;
use crate::agent::keeper::{Keeper, guard_file};
use crate::agent::ports::LockPlace;
use crate::fence::{CloudState, RecordStore};
use crate::model::agent::ProofKind;
use doubles::{Keepers, PATIENCE, Server, Sleeper, World};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize};

/// One host with its agent.
struct Host {
    layout: Layout,
    engine: Arc<Sleeper>,
    world: Arc<World>,
    keepers: Arc<Keepers>,
    out: Sender<Message>,
    ended: Arc<AtomicBool>,
}

/// The configuration of all tests.
fn config() -> AgentConfig {
    serde_json::from_str(include_str!("../../../../tests/fixtures/agent.json")).expect("a configuration")
}

impl Host {
    /// Boots a host below `dir` whose mount is `shared`.
    fn boot(dir: &Path, shared: &Path, server: &Server, instance: &str) -> Self {
        Self::boot_with(dir, shared, server, instance, Arc::new(Sleeper::default()))
    }

    fn boot_with(dir: &Path, shared: &Path, server: &Server, instance: &str, engine: Arc<Sleeper>) -> Self {
        Self::prepare(dir, shared, server, instance, engine).started(Policy::default())
    }

    /// A host whose agent has not begun.
    fn prepare(dir: &Path, shared: &Path, server: &Server, instance: &str, engine: Arc<Sleeper>) -> Unstarted {
        let layout = Layout::new(dir.join(instance));
        fs::create_dir_all(layout.host("mnt")).expect("mnt");
        let _ = std::os::unix::fs::symlink(shared, layout.mount(&config()));
        let world = Arc::new(World {
            instance: instance.parse().expect("an id"),
            lifecycle: Mutex::new("InService".into()),
            previous: Mutex::new(CloudState::MayRun("running".into())),
            silent: AtomicBool::new(false),
            nameless: AtomicBool::new(false),
            calls: Mutex::default(),
            certificate: Mutex::default(),
        });
        let keepers = Arc::new(Keepers {
            server: server.clone(),
            engine: engine.clone(),
            started: AtomicUsize::new(0),
            terminate: Arc::default(),
        });
        let (out, inbox) = mpsc::channel();
        let host = Self {
            layout,
            engine,
            world,
            keepers,
            out,
            ended: Arc::default(),
        };
        Unstarted { host, inbox }
    }

    fn ports(&self) -> Ports {
        Ports {
            engine: self.engine.clone(),
            cloud: self.world.clone(),
            metadata: self.world.clone(),
            mounter: self.world.clone(),
            accounts: self.world.clone(),
            spawner: self.keepers.clone(),
            init: self.world.clone(),
        }
    }

    fn start_agent(&self, inbox: Receiver<Message>, policy: Policy) {
        let ports = self.ports();
        let config = AgentConfig {
            certificate: policy.certificate.map(|_| "arn".to_owned()).unwrap_or_default(),
            ..config()
        };
        let duty = SingleWriter::new(policy.on(&config, ports.engine.product()));
        self.start_duty(inbox, config, ports, Box::new(duty));
    }

    fn start_duty(&self, inbox: Receiver<Message>, config: AgentConfig, ports: Ports, duty: Box<dyn Duty>) {
        let (layout, out, ended) = (self.layout.clone(), self.out.clone(), self.ended.clone());
        spawn("test-agent", move || {
            run_with(config, layout, ports, duty, out, &inbox).expect("agent");
            ended.store(true, Ordering::SeqCst);
        })
        .expect("thread");
    }

    fn until(&self, what: &str, wanted: impl Fn(&AgentStatus) -> bool) -> AgentStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = status::read(&self.layout.status()).map(|f| f.status);
            match status {
                Ok(status) if wanted(&status) => return status,
                other => assert!(Instant::now() < deadline, "{what}: {other:?}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn serves(&self, epoch: u64) -> AgentStatus {
        self.until("serving", |s| s.state == AgentState::Serving && s.epoch == Some(epoch))
    }

    fn marks(&self) -> Vec<String> {
        let marks = Marks::new(self.layout.marks()).since(0).expect("marks");
        marks.into_iter().map(|m| m.mark).collect()
    }

    fn calls(&self) -> Vec<String> {
        self.world.calls.lock().expect("calls").clone()
    }

    fn stop(&self) {
        let _ = self.out.send(Message::Event(Event::Drain(DrainReason::Signal)));
        let deadline = Instant::now() + PATIENCE;
        while !self.ended.load(Ordering::SeqCst) {
            assert!(Instant::now() < deadline, "the agent does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

struct Unstarted {
    host: Host,
    inbox: Receiver<Message>,
}

impl Unstarted {
    fn started(self, policy: Policy) -> Host {
        self.host.start_agent(self.inbox, policy);
        self.host
    }
}

struct Site {
    dir: tempfile::TempDir,
    shared: PathBuf,
    server: Server,
}

fn site() -> Site {
    let dir = tempfile::tempdir().expect("tempdir");
    let shared = dir.path().join("shared");
    fs::create_dir_all(&shared).expect("shared");
    Site {
        dir,
        shared,
        server: Server::default(),
    }
}

impl Site {
    fn boot(&self, instance: &str) -> Host {
        Host::boot(self.dir.path(), &self.shared, &self.server, instance)
    }
}

#[test]
fn a_death_is_noticed_and_answered_and_everything_ends_in_order() {
    let site = site();
    let host = site.boot("i-1");
    let status = host.serves(1);
    assert_eq!(status.proof.map(|p| p.kind), Some(ProofKind::New));
    assert!(status.lock_held);
    let first = host.engine.pid().expect("runs");
    processes::signal(first, rustix::process::Signal::KILL);
    let status = host.serves(2);
    assert_eq!(
        (status.restarts, status.proof.map(|p| p.kind)),
        (1, Some(ProofKind::SameHost))
    );
    assert_ne!(host.engine.pid(), Some(first));
    let marks = host.marks();
    let at = |name: &str| {
        marks
            .iter()
            .position(|m| m == name)
            .unwrap_or_else(|| panic!("{name} in {marks:?}"))
    };
    assert!(at(mark::SERVING) < at(mark::DEATH_NOTICED) && at(mark::DEATH_NOTICED) < at(mark::RESTARTING));
    let record = || {
        RecordStore::new(&site.shared, "QM1")
            .read()
            .expect("read")
            .expect("record")
    };
    let deadline = Instant::now() + PATIENCE;
    while record().engine_version.is_none() {
        assert!(Instant::now() < deadline, "the engine's version is not noted");
        std::thread::sleep(Duration::from_millis(20));
    }
    host.stop();
    assert_eq!(host.engine.pid(), None);
    assert!(site.server.lock().expect("server").is_none(), "the lock is free");
    let record = RecordStore::new(&site.shared, "QM1")
        .read()
        .expect("read")
        .expect("record");
    assert!(record.released);
    assert_eq!(record.engine_version.as_deref(), Some("sleeper 1"));
    assert_eq!(host.calls(), ["account mqapp", "signal true"]);
    assert_eq!(host.marks().last().map(String::as_str), Some(mark::STOPPED));
}

#[test]
fn a_replacement_waits_for_the_drain_and_starts_on_a_clean_release() {
    let site = site();
    let old = site.boot("i-old");
    old.serves(1);
    fs::create_dir_all(site.shared.join("QM1/data/QM1")).expect("data");
    fs::write(site.shared.join("QM1/data/QM1/qm.ini"), "").expect("qm.ini");
    let new = site.boot("i-new");
    let waiting = new.until("waiting", |s| {
        s.last_error.as_deref().is_some_and(|e| e.contains("held by i-old"))
    });
    assert_eq!((waiting.state.as_str(), waiting.lock_held), ("fencing", false));
    assert!(new.engine.pid().is_none());
    *old.world.lifecycle.lock().expect("lifecycle") = "Terminated".into();
    let status = new.serves(2);
    let proof = status.proof.expect("proof");
    assert_eq!(
        (proof.kind.as_str(), proof.previous.as_deref()),
        ("clean", Some("i-old"))
    );
    old.until("stopped", |s| s.state == AgentState::Stopped);
    assert!(old.engine.pid().is_none());
    assert_eq!(old.calls().last().map(String::as_str), Some("hook"));
    assert!(
        !new.calls().iter().any(|c| c.starts_with("describe")),
        "nobody had to be asked"
    );
    new.stop();
    old.stop();
}

#[test]
fn a_lost_lock_kills_the_engine_and_the_successor_fences_the_previous_owner() {
    let site = site();
    let old = site.boot("i-old");
    old.serves(1);
    let pid = old.engine.pid().expect("runs");
    // The server gives the lock to a stranger, as after a lease that ran out.
    *site.server.lock().expect("server") = Some(("stranger".into(), "i-stranger".into()));
    old.until("lost", |s| s.state == AgentState::Fencing && !s.lock_held);
    assert!(
        processes::wait_for_end(pid, Some(PATIENCE)).expect("watch"),
        "the engine is dead"
    );
    let new = site.boot("i-new");
    new.until("waiting", |s| {
        s.last_error.as_deref().is_some_and(|e| e.contains("i-stranger"))
    });
    // Whoever gets the lock now must prove something about i-old, or be it.
    *site.server.lock().expect("server") = None;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let states = [&old, &new].map(|h| status::read(&h.layout.status()).expect("status").status);
        let serving: Vec<_> = states.iter().filter(|s| s.state == AgentState::Serving).collect();
        assert!(serving.len() < 2, "two writers");
        if let Some(status) = serving.first() {
            let proof = status.proof.clone().expect("proof");
            let expected = if status.instance == "i-old" {
                "same-host"
            } else {
                "terminated"
            };
            assert_eq!(
                (proof.kind.as_str(), proof.previous.as_deref()),
                (expected, Some("i-old"))
            );
            if status.instance == "i-new" {
                let fenced = new.calls().iter().position(|c| c == "terminate i-old");
                assert!(fenced.is_some(), "{:?}", new.calls());
            }
            assert_eq!(status.epoch, Some(2));
            break;
        }
        assert!(Instant::now() < deadline, "nobody serves: {states:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    old.stop();
    new.stop();
}

#[test]
fn an_agent_that_is_started_again_finds_its_keeper_and_leaves_the_engine_alone() {
    let site = site();
    let host = site.boot("i-1");
    host.serves(1);
    let pid = host.engine.pid();
    // The first agent's thread hears nothing any more, as if it were killed: its inbox is gone with the second's start.
    let (out, inbox) = mpsc::channel();
    let second = Host {
        layout: host.layout.clone(),
        engine: host.engine.clone(),
        world: host.world.clone(),
        keepers: host.keepers.clone(),
        out,
        ended: Arc::default(),
    };
    let before = host.marks().iter().filter(|m| *m == mark::SERVING).count();
    second.start_agent(inbox, Policy::default());
    let deadline = Instant::now() + PATIENCE;
    while host.marks().iter().filter(|m| *m == mark::SERVING).count() == before {
        assert!(Instant::now() < deadline, "{:?}", host.marks());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(host.engine.pid(), pid, "the same process");
    assert_eq!(host.keepers.started.load(Ordering::SeqCst), 1, "the same keeper");
    assert_eq!(second.serves(1).restarts, 0);
    second.stop();
    host.stop();
}

#[test]
fn a_start_that_fails_at_first_is_tried_again_in_place() {
    let site = site();
    let engine = Arc::new(Sleeper::default());
    engine.failures.store(2, Ordering::SeqCst);
    let host = Host::boot_with(site.dir.path(), &site.shared, &site.server, "i-1", engine);
    let status = host.until("serving", |s| s.state == AgentState::Serving);
    assert_eq!(status.restarts, 2);
    assert!(!host.calls().contains(&"unhealthy".to_owned()));
    host.stop();
}

#[test]
fn a_start_that_never_succeeds_lets_go_and_asks_for_a_replacement() {
    let site = site();
    let engine = Arc::new(Sleeper::default());
    engine.failures.store(99, Ordering::SeqCst);
    let host = Host::boot_with(site.dir.path(), &site.shared, &site.server, "i-1", engine);
    host.until("condemned", |s| s.state == AgentState::Condemned);
    let deadline = Instant::now() + PATIENCE;
    while !host.calls().contains(&"unhealthy".to_owned()) {
        assert!(Instant::now() < deadline, "{:?}", host.calls());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(
        site.server.lock().expect("server").is_none(),
        "the successor finds the lock free"
    );
    let record = RecordStore::new(&site.shared, "QM1")
        .read()
        .expect("read")
        .expect("record");
    assert_eq!((record.released, record.condemned), (true, 1));
    host.stop();
}

#[test]
fn an_instance_in_a_warm_pool_touches_nothing_until_it_is_taken_and_lets_go_when_it_is_put_back() {
    let site = site();
    let engine = Arc::new(Sleeper::default());
    let unstarted = Host::prepare(site.dir.path(), &site.shared, &site.server, "i-warm", engine);
    *unstarted.host.world.lifecycle.lock().expect("lifecycle") = "Warmed:Running".into();
    let host = unstarted.started(Policy::default());
    host.until("waiting", |s| {
        s.last_error.as_deref().is_some_and(|e| e.contains("Warmed:Running"))
    });
    assert_eq!(host.marks(), [mark::AGENT_STARTED]);
    assert_eq!(host.keepers.started.load(Ordering::SeqCst), 0);
    assert!(host.calls().is_empty(), "not even an account");
    *host.world.lifecycle.lock().expect("lifecycle") = "InService".into();
    host.serves(1);
    let deadline = Instant::now() + PATIENCE;
    *host.world.lifecycle.lock().expect("lifecycle") = "Warmed:Stopped".into();
    while !host.ended.load(Ordering::SeqCst) {
        assert!(Instant::now() < deadline, "the agent does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(host.engine.pid(), None);
    assert!(site.server.lock().expect("server").is_none(), "the lock is free");
    assert!(!host.calls().contains(&"unhealthy".to_owned()) && !host.calls().contains(&"hook".to_owned()));
}

#[test]
fn a_guard_that_nobody_keeps_is_taken_up_before_the_host_is_known_to_itself() {
    let site = site();
    let engine = Arc::new(Sleeper::default());
    let unstarted = Host::prepare(site.dir.path(), &site.shared, &site.server, "i-1", engine);
    let layout = unstarted.host.layout.clone();
    fs::create_dir_all(layout.run()).expect("run");
    let config = KeeperConfig {
        socket: layout.keeper_socket(),
        mount: site.shared.clone(),
        queue_manager: "QM1".into(),
        engine: mqaws_contract::EngineKind::default(),
        file_system: "fs-1".into(),
        instance: "i-1".parse().expect("an id"),
        boot: "boot".parse().expect("an id"),
        lock: LockPlace::Nfs { lease_ms: 60_000 },
        owner: None,
    };
    fs::write(layout.keeper_config(), serde_json::to_string(&config).expect("text")).expect("configuration");
    let proved = u64::try_from(since_boot().as_millis()).expect("millis");
    fs::write(guard_file(&layout.keeper_socket()), format!("{proved} boot\n")).expect("guard");
    unstarted.host.world.nameless.store(true, Ordering::SeqCst);
    let host = unstarted.started(Policy::default());
    let deadline = Instant::now() + PATIENCE;
    let keeper = Keeper::new(&layout.keeper_socket());
    while keeper.status().map_or(true, |s| s.guard_millis.is_none()) {
        assert!(Instant::now() < deadline, "nobody guards");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(host.marks(), [mark::AGENT_STARTED]);
    host.world.nameless.store(false, Ordering::SeqCst);
    host.serves(1);
    assert_eq!(host.keepers.started.load(Ordering::SeqCst), 1, "one keeper is enough");
    host.stop();
}

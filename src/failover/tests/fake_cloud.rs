//! A test double of the cloud, in memory: its queue manager is the [`FakeBroker`].

use super::fake_broker::{BrokerDefect, FakeBroker};
use crate::failover::Fault;
use crate::failover::drive::port::{Answer, CloudError, Credentials, Instance, Lab, Probe, Target, TestBed, Turn};
use crate::failover::measure::targets::Targets;
use crate::model::InstanceId;
use crate::model::agent::{AgentStatus, ConnectionsReport, FaultReport, Mark, ProbeQueue, ProbeReport, mark};
use crate::observe::ports::StackStatus;
use crate::observe::state::Blocker;
use crate::stack::{Output, Parts};
use mqaws_contract::FaultOrder;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// The queue of the test.
pub(super) const QUEUE: &str = "MQAWS.PROBE.1";

/// What the cloud in memory does otherwise than a good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloudDefect {
    None,
    /// The fault is reported as not seen, and nothing happens.
    FaultWithoutEffect,
    /// The fault happens, and nobody can tell.
    FaultUnseen,
    /// The queue manager does not come back.
    NoRestart,
    /// The depth of the queue cannot be read once the fault was asked for.
    NoDepth,
    /// The agent's commands fail.
    FaultRefused,
    /// Every third call fails.
    Throttled,
}

pub(super) struct FakeCloud {
    pub broker: Arc<FakeBroker>,
    pub target: Target,
    pub cloud_defect: CloudDefect,
    pub marks: Arc<Mutex<Vec<Mark>>>,
    pub serving: Arc<AtomicBool>,
    pub instance: Arc<Mutex<(String, bool)>>,
    pub turn: Mutex<Option<String>>,
    /// Until when its mark is valid.
    pub until: Option<jiff::Timestamp>,
    pub alarms: Vec<String>,
    /// How many connections there are at this moment.
    pub connections: Option<u64>,
    /// What the status tells of them: how many there were, and how many seconds ago.
    pub measured: Option<(u64, Option<u64>)>,
    /// Whether the agent can be asked for how many there are.
    pub counts: bool,
    pub deleted: AtomicBool,
    /// Whether the group may launch no instance.
    pub suspended: bool,
    /// Whether an order to end the cloud's own faults is never answered.
    pub stuck: bool,
    /// Every group was told to want its instance.
    pub restored: AtomicBool,
    /// How many such orders fail before one does not.
    pub unrestored: Mutex<u32>,
    /// It ended, and answers nothing.
    pub gone: AtomicBool,
    pub injected: AtomicBool,
    /// The last fault of the cloud itself.
    pub broken: Mutex<Option<Fault>>,
    /// How often anything was healed.
    pub healed: Mutex<u32>,
    pub calls: Mutex<u64>,
    /// The fastest write in milliseconds as the agent says it, one a question; the last one again and again.
    pub writes: Mutex<VecDeque<f64>>,
}

fn report(fault: &str, verified: bool) -> FaultReport {
    FaultReport {
        fault: fault.into(),
        verified,
        evidence: "process gone".into(),
        t_unix_ns: unix_ns(),
    }
}

fn unix_ns() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_nanos() as i64
}

impl FakeCloud {
    pub(super) fn new(defect: BrokerDefect, cloud_defect: CloudDefect) -> Self {
        let broker = FakeBroker::start(defect);
        let target = Target {
            stack: "mqaws-qm1".into(),
            region: "eu-west-1".into(),
            account: "000000000000".into(),
            status: StackStatus("UPDATE_COMPLETE".into()),
            queue_manager: "QM1".into(),
            parts: Parts::read(
                "mqaws-qm1",
                &[
                    ("AmqpEndpoint".to_owned(), broker.address().to_string()),
                    (Output::GroupName.name().to_owned(), "g".to_owned()),
                    (Output::CredentialsSecret.name().to_owned(), "s".to_owned()),
                    (Output::ReadDocument.name().to_owned(), "r".to_owned()),
                    (Output::TestDocument.name().to_owned(), "t".to_owned()),
                ]
                .into(),
                &BTreeMap::new(),
            )
            .unwrap(),
            allow_faults: false,
            lab: Some(Lab {
                timing: "fast".into(),
                hosts: "process".into(),
                assumed: Vec::new(),
            }),
        };
        Self {
            broker,
            target,
            cloud_defect,
            marks: Arc::default(),
            serving: Arc::new(AtomicBool::new(true)),
            instance: Arc::new(Mutex::new(("i-1".into(), true))),
            turn: Mutex::new(None),
            until: None,
            alarms: vec![],
            connections: Some(0),
            measured: None,
            counts: true,
            deleted: AtomicBool::new(false),
            suspended: false,
            stuck: false,
            restored: AtomicBool::new(false),
            unrestored: Mutex::new(0),
            gone: AtomicBool::new(false),
            injected: AtomicBool::new(false),
            broken: Mutex::default(),
            healed: Mutex::default(),
            calls: Mutex::new(0),
            writes: Mutex::default(),
        }
    }

    /// Whether a fault can be seen.
    fn shows(&self) -> bool {
        !matches!(
            self.cloud_defect,
            CloudDefect::FaultWithoutEffect | CloudDefect::FaultUnseen
        )
    }

    fn answer<T: Send + 'static>(&self, answer: impl FnOnce() -> T) -> Answer<'_, T> {
        let answer = match self.gone.load(Ordering::SeqCst) {
            true => Err(CloudError::remote("ask", "connection refused")),
            false => Ok(answer()),
        };
        Box::pin(async move { answer })
    }

    /// Kills the broker, and has it back 400 ms later as `successor`, with the marks of an agent.
    async fn kill(&self, successor: &str) {
        let say = |marks: &Mutex<Vec<Mark>>, instance: &str, name: &str, detail: &str| {
            let mark = Mark {
                t_unix_ns: unix_ns(),
                instance: instance.into(),
                epoch: 1,
                mark: name.into(),
                detail: detail.into(),
                waits: Vec::new(),
            };
            marks.lock().unwrap().push(mark);
        };
        // Waits for threads of the broker's own, so not on one of the test's.
        let broker = self.broker.clone();
        let _ = tokio::task::spawn_blocking(move || broker.kill()).await;
        self.serving.store(false, Ordering::SeqCst);
        say(&self.marks, "i-1", mark::DEATH_NOTICED, "");
        if self.cloud_defect == CloudDefect::NoRestart {
            return;
        }
        let (broker, marks, serving) = (self.broker.clone(), self.marks.clone(), self.serving.clone());
        let (instance, successor) = (self.instance.clone(), successor.to_owned());
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            *instance.lock().unwrap() = (successor.clone(), true);
            say(&marks, &successor, mark::PROOF, "same-host");
            std::thread::sleep(Duration::from_millis(200));
            broker.boot();
            say(&marks, &successor, mark::ENGINE_STARTED, "");
            serving.store(true, Ordering::SeqCst);
        });
    }
}

impl TestBed for FakeCloud {
    fn target<'a>(&'a self, _: &'a str) -> Answer<'a, Target> {
        self.answer(|| self.target.clone())
    }

    fn instances<'a>(&'a self, _: &'a Target) -> Answer<'a, Vec<Instance>> {
        let mut calls = self.calls.lock().unwrap();
        *calls += 1;
        if self.cloud_defect == CloudDefect::Throttled && calls.is_multiple_of(3) {
            return Box::pin(async { Err(CloudError::remote("describe the group", "Rate exceeded")) });
        }
        let (id, healthy) = self.instance.lock().unwrap().clone();
        let health = if healthy { "Healthy" } else { "Unhealthy" };
        self.answer(|| {
            vec![Instance {
                id: InstanceId::new(id).unwrap(),
                zone: "eu-west-1a".into(),
                lifecycle: "InService".into(),
                health: health.into(),
            }]
        })
    }

    fn credentials<'a>(&'a self, _: &'a Target) -> Answer<'a, Credentials> {
        self.answer(|| Credentials {
            username: "app".into(),
            password: "secret".to_owned().into(),
        })
    }

    fn alarms<'a>(&'a self, _: &'a Target) -> Answer<'a, Vec<String>> {
        self.answer(|| self.alarms.clone())
    }

    fn targets<'a>(&'a self, _: &'a Target) -> Answer<'a, Option<Targets>> {
        self.answer(|| {
            Some(Targets {
                healthy: usize::from(self.serving.load(Ordering::SeqCst)),
                registered: 1,
            })
        })
    }

    fn agent_status<'a>(&'a self, _: &'a Target, instance: &'a InstanceId) -> Answer<'a, AgentStatus> {
        let state = if self.serving.load(Ordering::SeqCst) {
            "serving"
        } else {
            "restarting"
        };
        let fastest = {
            let mut writes = self.writes.lock().unwrap();
            if writes.len() > 1 {
                writes.pop_front()
            } else {
                writes.front().copied()
            }
        };
        let status = serde_json::json!({
            "schema": "mqaws.agent-status/1", "agent_version": "0.1.0", "instance": instance, "zone": "eu-west-1a",
            "queue_manager": "QM1", "state": state, "since": "2026-01-01T00:00:00Z", "stand_in": true,
            "connections": self.measured.map(|(count, _)| count),
            "measured_seconds": self.measured.and_then(|(_, seconds)| seconds), "engine_version": "fake broker",
            "fsync_fastest_millis": fastest,
        });
        self.answer(|| serde_json::from_value(status).unwrap())
    }

    fn marks<'a>(&'a self, _: &'a Target, instance: &'a InstanceId, since: i64) -> Answer<'a, Vec<Mark>> {
        let marks = self.marks.lock().unwrap();
        let own = marks
            .iter()
            .filter(|mark| mark.instance == instance.as_str() && mark.t_unix_ns >= since)
            .cloned()
            .collect();
        self.answer(|| own)
    }

    fn order<'a>(&'a self, _: &'a Target, _: &'a InstanceId, order: FaultOrder) -> Answer<'a, FaultReport> {
        if self.cloud_defect == CloudDefect::FaultRefused {
            return Box::pin(async { Err(CloudError::remote("inject the fault", "the command timed out")) });
        }
        if order == FaultOrder::Heal {
            *self.healed.lock().unwrap() += 1;
            return self.answer(|| report("heal", true));
        }
        self.injected.store(true, Ordering::SeqCst);
        Box::pin(async move {
            if self.cloud_defect != CloudDefect::FaultWithoutEffect {
                self.kill("i-1").await;
            }
            Ok(report(&order.to_string(), self.shows()))
        })
    }

    fn power_off<'a>(&'a self, instance: &'a InstanceId) -> Answer<'a, ()> {
        self.terminate(instance)
    }

    fn break_cloud<'a>(&'a self, fault: Fault, _: &'a InstanceId, _: Duration) -> Answer<'a, FaultReport> {
        self.injected.store(true, Ordering::SeqCst);
        *self.broken.lock().unwrap() = Some(fault);
        Box::pin(async move {
            if self.cloud_defect != CloudDefect::FaultWithoutEffect {
                self.kill("i-1").await;
            }
            // What is seen of it shows later.
            Ok(report(fault.name(), false))
        })
    }

    fn cloud_faults(&self) -> Answer<'_, Vec<FaultReport>> {
        let broken = *self.broken.lock().unwrap();
        let all = broken
            .map(|fault| report(fault.name(), self.shows()))
            .into_iter()
            .collect();
        self.answer(|| all)
    }

    fn heal_cloud(&self) -> Answer<'_, ()> {
        if self.stuck {
            return Box::pin(std::future::pending());
        }
        *self.healed.lock().unwrap() += 1;
        self.answer(|| ())
    }

    fn probe<'a>(&'a self, _: &'a Target, _: &'a InstanceId, probe: Probe) -> Answer<'a, ProbeReport> {
        if probe == Probe::Depth && self.cloud_defect == CloudDefect::NoDepth && self.injected.load(Ordering::SeqCst) {
            return Box::pin(async { Err(CloudError::remote("read the depth", "no answer")) });
        }
        self.deleted.store(probe == Probe::Delete, Ordering::SeqCst);
        let depth = if probe == Probe::Define {
            0
        } else {
            self.broker.depth(QUEUE)
        };
        self.answer(|| ProbeReport {
            queues: vec![ProbeQueue {
                name: QUEUE.into(),
                depth,
            }],
        })
    }

    fn connections<'a>(&'a self, _: &'a Target, _: &'a InstanceId) -> Answer<'a, Option<ConnectionsReport>> {
        let connections = self.connections;
        self.answer(|| self.counts.then_some(ConnectionsReport { connections }))
    }

    fn begin_move<'a>(&'a self, _: &'a Target, instance: &'a InstanceId) -> Answer<'a, ()> {
        self.terminate(instance)
    }

    fn blockers<'a>(&'a self, _: &'a Target) -> Answer<'a, Vec<Blocker>> {
        let suspended = self.suspended.then(|| Blocker::Suspended {
            group: "g".into(),
            processes: vec!["Launch".into()],
            lacking: false,
        });
        self.answer(|| suspended.into_iter().collect())
    }

    fn restore_capacity<'a>(&'a self, _: &'a Target) -> Answer<'a, ()> {
        let mut fails = self.unrestored.lock().unwrap();
        if *fails > 0 {
            *fails -= 1;
            let error = CloudError::remote("restore the capacity of group g", "throttled");
            return Box::pin(async { Err(error) });
        }
        self.restored.store(true, Ordering::SeqCst);
        self.answer(|| ())
    }

    fn terminate<'a>(&'a self, _: &'a InstanceId) -> Answer<'a, ()> {
        Box::pin(async {
            // A call that is accepted and does nothing.
            if self.cloud_defect != CloudDefect::FaultWithoutEffect {
                self.kill("i-2").await;
            }
            Ok(())
        })
    }

    fn mark_unhealthy<'a>(&'a self, _: &'a InstanceId) -> Answer<'a, ()> {
        self.instance.lock().unwrap().1 = false;
        Box::pin(async {
            self.kill("i-2").await;
            Ok(())
        })
    }

    fn instance_state<'a>(&'a self, instance: &'a InstanceId) -> Answer<'a, Option<String>> {
        let current = self.instance.lock().unwrap().0 == instance.as_str();
        self.answer(|| Some(if current { "running" } else { "terminated" }.into()))
    }

    fn turn<'a>(&'a self, _: &'a Target) -> Answer<'a, Option<Turn>> {
        let turn = self.turn.lock().unwrap().clone();
        self.answer(|| {
            turn.map(|holder| Turn {
                holder,
                until: self.until,
            })
        })
    }

    fn turn_on<'a>(&'a self, _: &'a str) -> Answer<'a, Option<Turn>> {
        self.turn(&self.target)
    }

    fn take_turn<'a>(&'a self, target: &'a Target, holder: &'a str) -> Answer<'a, Option<Turn>> {
        let mut turn = self.turn.lock().unwrap();
        if turn.is_some() {
            drop(turn);
            return self.turn(target);
        }
        *turn = Some(holder.to_owned());
        self.answer(|| None)
    }

    fn keep_turn<'a>(&'a self, _: &'a Target, holder: &'a str) -> Answer<'a, bool> {
        let ours = self.turn.lock().unwrap().as_deref() == Some(holder);
        self.answer(|| ours)
    }

    fn end_turn<'a>(&'a self, _: &'a Target, holder: &'a str) -> Answer<'a, ()> {
        self.turn.lock().unwrap().take_if(|there| there == holder);
        self.answer(|| ())
    }
}

//! Tests of whole rounds: a cloud in memory, the toy broker on a real socket, and every way in which a round may prove nothing.

use super::account::Drain;
use super::port::{Answer, Cloud, CloudError, Credentials, Instance, Lab, Probe, Target};
use super::report::Report;
use super::run::{Watch, never, run};
use super::toy::{Defect, Toy};
use super::verdict::Verdict;
use super::{Consent, FailoverError, Fault, Load, Scenario, Times};
use crate::model::agent::{AgentStatus, FaultReport, Mark, ProbeQueue, ProbeReport, mark};
use crate::remedy::{ExitKind, Remedy};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

const QUEUE: &str = "MQAWS.PROBE.1";

/// What the cloud in memory does otherwise than a good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Twist {
    None,
    /// The fault is reported as not seen, and nothing happens.
    FaultWithoutEffect,
    /// The fault happens, and nobody can tell.
    FaultUnseen,
    /// The queue manager does not come back.
    NoRestart,
    /// The depth of the queue cannot be read.
    NoDepth,
    /// The agent's commands fail.
    FaultRefused,
    /// Every third call fails.
    Throttled,
}

struct Sky {
    toy: Arc<Toy>,
    target: Target,
    twist: Twist,
    marks: Arc<Mutex<Vec<Mark>>>,
    serving: Arc<AtomicBool>,
    instance: Arc<Mutex<(String, bool)>>,
    turn: Mutex<Option<String>>,
    alarms: Vec<String>,
    connections: Option<u64>,
    deleted: AtomicBool,
    calls: Mutex<u64>,
}

fn unix_ns() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_nanos() as i64
}

impl Sky {
    fn new(defect: Defect, twist: Twist) -> Self {
        let toy = Toy::start(defect);
        let target = Target {
            stack: "mqaws-qm1".into(),
            region: "eu-west-1".into(),
            account: "000000000000".into(),
            queue_manager: "QM1".into(),
            amqp: Some(toy.address().to_string()),
            group: "g".into(),
            target_group: None,
            secret: "s".into(),
            allow_faults: false,
            lab: Some(Lab { timing: "fast".into() }),
        };
        Self {
            toy,
            target,
            twist,
            marks: Arc::default(),
            serving: Arc::new(AtomicBool::new(true)),
            instance: Arc::new(Mutex::new(("i-1".into(), true))),
            turn: Mutex::new(None),
            alarms: vec![],
            connections: None,
            deleted: AtomicBool::new(false),
            calls: Mutex::new(0),
        }
    }

    fn answer<T: Send + 'static>(&self, answer: impl FnOnce() -> T) -> Answer<'_, T> {
        let answer = answer();
        Box::pin(async move { Ok(answer) })
    }

    /// Kills the broker, and has it back 400 ms later as `successor`, with the marks of an agent.
    fn kill(&self, successor: &str) {
        let say = |marks: &Mutex<Vec<Mark>>, instance: &str, name: &str, detail: &str| {
            let mark = Mark {
                t_unix_ns: unix_ns(),
                instance: instance.into(),
                epoch: 1,
                mark: name.into(),
                detail: detail.into(),
            };
            marks.lock().unwrap().push(mark);
        };
        self.toy.kill();
        self.serving.store(false, Ordering::SeqCst);
        say(&self.marks, "i-1", mark::DEATH_NOTICED, "");
        if self.twist == Twist::NoRestart {
            return;
        }
        let (toy, marks, serving) = (self.toy.clone(), self.marks.clone(), self.serving.clone());
        let (instance, successor) = (self.instance.clone(), successor.to_owned());
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            *instance.lock().unwrap() = (successor.clone(), true);
            say(&marks, &successor, mark::PROOF, "same-host");
            std::thread::sleep(Duration::from_millis(200));
            toy.boot();
            say(&marks, &successor, mark::ENGINE_STARTED, "");
            serving.store(true, Ordering::SeqCst);
        });
    }
}

impl Cloud for Sky {
    fn target<'a>(&'a self, _: &'a str) -> Answer<'a, Target> {
        self.answer(|| self.target.clone())
    }

    fn instances<'a>(&'a self, _: &'a Target) -> Answer<'a, Vec<Instance>> {
        let mut calls = self.calls.lock().unwrap();
        *calls += 1;
        if self.twist == Twist::Throttled && calls.is_multiple_of(3) {
            return Box::pin(async { Err(CloudError::remote("describe the group", "Rate exceeded")) });
        }
        let (id, healthy) = self.instance.lock().unwrap().clone();
        let health = if healthy { "Healthy" } else { "Unhealthy" };
        self.answer(|| {
            vec![Instance {
                id,
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

    fn healthy_targets<'a>(&'a self, _: &'a Target) -> Answer<'a, Option<usize>> {
        self.answer(|| Some(usize::from(self.serving.load(Ordering::SeqCst))))
    }

    fn agent_status<'a>(&'a self, instance: &'a str) -> Answer<'a, AgentStatus> {
        let state = if self.serving.load(Ordering::SeqCst) {
            "serving"
        } else {
            "restarting"
        };
        let status = serde_json::json!({
            "schema": "mqaws.agent-status/1", "agent_version": "0.1.0", "instance": instance, "zone": "eu-west-1a",
            "queue_manager": "QM1", "state": state, "since": "2026-01-01T00:00:00Z", "stand_in": true,
            "connections": self.connections, "engine_version": "toy",
        });
        self.answer(|| serde_json::from_value(status).unwrap())
    }

    fn marks<'a>(&'a self, instance: &'a str, since: i64) -> Answer<'a, Vec<Mark>> {
        let marks = self.marks.lock().unwrap();
        let own = marks
            .iter()
            .filter(|mark| mark.instance == instance && mark.t_unix_ns >= since)
            .cloned()
            .collect();
        self.answer(|| own)
    }

    fn inject<'a>(&'a self, _: &'a str, fault: Fault) -> Answer<'a, FaultReport> {
        if self.twist == Twist::FaultRefused {
            return Box::pin(async { Err(CloudError::remote("inject the fault", "the command timed out")) });
        }
        let verified = !matches!(self.twist, Twist::FaultWithoutEffect | Twist::FaultUnseen);
        let t_unix_ns = unix_ns();
        if self.twist != Twist::FaultWithoutEffect {
            self.kill("i-1");
        }
        self.answer(|| FaultReport {
            fault: fault.name().into(),
            verified,
            evidence: "process gone".into(),
            t_unix_ns,
        })
    }

    fn probe<'a>(&'a self, _: &'a str, probe: Probe) -> Answer<'a, ProbeReport> {
        if probe == Probe::Depth && self.twist == Twist::NoDepth {
            return Box::pin(async { Err(CloudError::remote("read the depth", "no answer")) });
        }
        self.deleted.store(probe == Probe::Delete, Ordering::SeqCst);
        let depth = if probe == Probe::Define {
            0
        } else {
            self.toy.depth(QUEUE)
        };
        self.answer(|| ProbeReport {
            queues: vec![ProbeQueue {
                name: QUEUE.into(),
                depth,
            }],
        })
    }

    fn terminate<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
        self.kill("i-2");
        self.answer(|| ())
    }

    fn mark_unhealthy<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
        self.instance.lock().unwrap().1 = false;
        self.kill("i-2");
        self.answer(|| ())
    }

    fn instance_state<'a>(&'a self, instance: &'a str) -> Answer<'a, Option<String>> {
        let current = self.instance.lock().unwrap().0 == instance;
        self.answer(|| Some(if current { "running" } else { "terminated" }.into()))
    }

    fn take_turn<'a>(&'a self, _: &'a Target, holder: &'a str) -> Answer<'a, Option<String>> {
        let mut turn = self.turn.lock().unwrap();
        let other = turn.clone();
        if other.is_none() {
            *turn = Some(holder.to_owned());
        }
        self.answer(|| other)
    }

    fn end_turn<'a>(&'a self, _: &'a Target, _: &'a str) -> Answer<'a, ()> {
        *self.turn.lock().unwrap() = None;
        self.answer(|| ())
    }
}

fn scenario(faults: &[Fault]) -> Scenario {
    Scenario {
        faults: faults.to_vec(),
        load: Load {
            producers: 2,
            rate: 100,
            consumers: 2,
            size: 128,
            backlog: 100,
            ..Load::default()
        },
        times: Times {
            baseline: Some(Duration::from_millis(1200)),
            settle: Some(Duration::from_millis(300)),
            recovery_timeout: Some(Duration::from_secs(8)),
            drain_timeout: Some(Duration::from_secs(8)),
            drain_idle: Some(Duration::from_secs(1)),
        },
        ..Scenario::new("mqaws-qm1", faults[0])
    }
}

async fn test(sky: &Arc<Sky>, scenario: &Scenario) -> Result<Report, FailoverError> {
    run(sky.clone(), scenario, &(), never()).await
}

fn failing<'a>(report: &'a Report) -> Vec<&'a str> {
    let checks = report.runs.iter().flat_map(|run| &run.thresholds);
    checks
        .filter(|check| check.verdict != Verdict::Pass)
        .map(|check| check.name.as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_service_passes_every_fault() {
    let sky = Arc::new(Sky::new(Defect::None, Twist::Throttled));
    let journal = tempfile::tempdir().unwrap();
    let mut scenario = scenario(&[Fault::KillQueueManager, Fault::TerminateInstance, Fault::MarkUnhealthy]);
    scenario.journal = Some(journal.path().join("journal.json"));
    let report = test(&sky, &scenario).await.unwrap();
    assert_eq!(
        (report.verdict, report.exit()),
        (Verdict::Pass, ExitKind::Success),
        "{:?}",
        failing(&report)
    );
    assert_eq!(report.runs.len(), 3);
    for run in &report.runs {
        assert_eq!(run.ledger.lost, Some(0));
        assert!(run.backlog_at_fault >= 90, "{}", run.backlog_at_fault);
        let rto = run.rto.as_ref().unwrap();
        assert!(rto.ns >= 300_000_000, "{rto:?}");
        assert_eq!(rto.phases.iter().map(|phase| phase.ns).sum::<u64>(), rto.ns);
        assert!(
            rto.phases
                .iter()
                .any(|phase| phase.name == "engine" && phase.ns >= 150_000_000),
            "{rto:?}"
        );
        let text = super::text::run(run);
        assert!(
            text.contains("PASS") && text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }
    assert_eq!(report.runs[1].served_after.as_ref().unwrap().instance, "i-2");
    assert_eq!(report.summary.passed, 3);
    assert!(
        report
            .summary
            .loss_chance_below
            .is_some_and(|bound| (0.63..0.64).contains(&bound))
    );
    assert!(
        sky.turn.lock().unwrap().is_none() && sky.deleted.load(Ordering::SeqCst),
        "cleaned up"
    );
    assert_eq!(
        std::fs::read_dir(journal.path()).unwrap().count(),
        0,
        "nothing is left to undo"
    );
    let json = serde_json::to_string(&report).unwrap();
    assert!(!json.contains("secret"));
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

/// Negative controls: each must be found, and nothing of it may pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_bad_passes() {
    let mut all = tokio::task::JoinSet::new();
    for (defect, twist, exit, failed) in [
        (Defect::AckEarly, Twist::None, ExitKind::Lost, "rpo.lost"),
        (Defect::Lose, Twist::None, ExitKind::Lost, "rpo.lost"),
        (Defect::Duplicate, Twist::None, ExitKind::Duplicates, "duplicates"),
        (Defect::Reorder, Twist::None, ExitKind::Duplicates, "order"),
        (
            Defect::None,
            Twist::FaultUnseen,
            ExitKind::Inconclusive,
            "fault.verified",
        ),
        (Defect::None, Twist::NoDepth, ExitKind::Inconclusive, "drain.complete"),
        (
            Defect::AckEarly,
            Twist::NoDepth,
            ExitKind::Inconclusive,
            "drain.complete",
        ),
        (Defect::None, Twist::NoRestart, ExitKind::NoRecovery, "rto.max"),
    ] {
        all.spawn(async move {
            let sky = Arc::new(Sky::new(defect, twist));
            let mut scenario = scenario(&[Fault::KillQueueManager]);
            if twist != Twist::None {
                scenario.times.drain_timeout = Some(Duration::from_secs(3));
                scenario.times.recovery_timeout = Some(Duration::from_secs(4));
            }
            let report = test(&sky, &scenario)
                .await
                .unwrap_or_else(|error| panic!("{defect:?} {twist:?}: {error}"));
            assert_eq!(
                report.exit(),
                exit,
                "{defect:?} {twist:?}: {:?}",
                report.runs[0].thresholds
            );
            assert!(
                failing(&report).contains(&failed),
                "{defect:?} {twist:?}: {:?}",
                failing(&report)
            );
            assert_ne!(report.verdict, Verdict::Pass);
            if twist == Twist::NoDepth {
                assert_eq!(
                    (report.runs[0].ledger.lost, report.runs[0].ledger.drain),
                    (None, Drain::Incomplete)
                );
            }
        });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
}

/// A fault that nobody saw and nobody noticed ends the wait early and proves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_without_effect_is_inconclusive() {
    let sky = Arc::new(Sky::new(Defect::None, Twist::FaultWithoutEffect));
    let report = test(&sky, &scenario(&[Fault::HangQueueManager])).await.unwrap();
    assert_eq!(
        (report.verdict, report.exit()),
        (Verdict::Inconclusive, ExitKind::Inconclusive)
    );
    assert!(failing(&report).contains(&"fault.effect") && failing(&report).contains(&"fault.verified"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_failed_is_an_error_and_no_verdict() {
    let sky = Arc::new(Sky::new(Defect::None, Twist::FaultRefused));
    let error = test(&sky, &scenario(&[Fault::KillQueueManager])).await.unwrap_err();
    assert_eq!(error.exit(), ExitKind::Remote);
    assert!(
        sky.turn.lock().unwrap().is_none() && sky.deleted.load(Ordering::SeqCst),
        "cleaned up"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_cleans_up() {
    struct StopThen(tokio::sync::watch::Sender<bool>);
    impl Watch for StopThen {
        fn doing(&self, what: &str) {
            if what.contains("load before") {
                self.0.send_replace(true);
            }
        }
    }
    let sky = Arc::new(Sky::new(Defect::None, Twist::None));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let error = run(
        sky.clone(),
        &scenario(&[Fault::KillQueueManager]),
        &StopThen(stop),
        stopped,
    )
    .await
    .unwrap_err();
    assert_eq!(
        (error.exit(), error.left()),
        (ExitKind::Interrupted, Some("nothing".into()))
    );
    assert!(
        sky.turn.lock().unwrap().is_none() && sky.deleted.load(Ordering::SeqCst),
        "cleaned up"
    );
    assert!(sky.serving.load(Ordering::SeqCst), "nothing was injected");
}

/// On a real account nothing happens without a tag, a name and calm.
#[tokio::test]
async fn real_accounts_are_guarded() {
    let real = |allow_faults: bool| {
        let mut sky = Sky::new(Defect::None, Twist::None);
        sky.target.lab = None;
        sky.target.allow_faults = allow_faults;
        sky
    };
    let named = Consent {
        typed: Some("mqaws-qm1".into()),
        ..Consent::default()
    };
    let by_account = Consent {
        account: Some("000000000000".into()),
        ..Consent::default()
    };
    let wrong = Consent {
        typed: Some("mqaws-qm2".into()),
        account: Some("111111111111".into()),
        ..Consent::default()
    };
    let refused = async |sky: Sky, consent: &Consent| {
        let (sky, mut scenario) = (Arc::new(sky), scenario(&[Fault::TerminateInstance]));
        scenario.consent = consent.clone();
        // Stops right after the guards, should they let it through.
        scenario.amqp = Some("127.0.0.1:1".into());
        let error = test(&sky, &scenario).await.unwrap_err();
        assert_eq!(error.exit(), ExitKind::Precondition);
        assert!(error.hint().is_some());
        assert!(sky.serving.load(Ordering::SeqCst), "nothing was injected");
        error
    };
    assert!(matches!(
        refused(real(false), &named).await,
        FailoverError::NotAllowed { .. }
    ));
    assert!(matches!(
        refused(real(true), &Consent::default()).await,
        FailoverError::NoConsent { .. }
    ));
    assert!(matches!(
        refused(real(true), &wrong).await,
        FailoverError::NoConsent { .. }
    ));
    let mut alarmed = real(true);
    alarmed.alarms = vec!["OutageAlarm".into()];
    assert!(matches!(refused(alarmed, &named).await, FailoverError::Alarm { .. }));
    let mut busy = real(true);
    busy.turn = Mutex::new(Some("somebody".into()));
    assert!(matches!(refused(busy, &named).await, FailoverError::Busy { .. }));
    let mut used = real(true);
    used.connections = Some(3);
    assert!(matches!(
        refused(used, &named).await,
        FailoverError::ForeignConnections { count: 3, .. }
    ));
    for consent in [&named, &by_account] {
        assert!(matches!(
            refused(real(true), consent).await,
            FailoverError::Endpoint { .. }
        ));
    }
}

#[tokio::test]
async fn a_stack_that_cannot_be_tested_says_why() {
    let mut off = Sky::new(Defect::None, Twist::None);
    off.target.amqp = None;
    let error = test(&Arc::new(off), &scenario(&[Fault::KillQueueManager]))
        .await
        .unwrap_err();
    assert!(matches!(error, FailoverError::NoAmqp { .. }) && error.hint().unwrap().contains("--amqp-url"));

    let away = Arc::new(Sky::new(Defect::None, Twist::None));
    away.toy.kill();
    let error = test(&away, &scenario(&[Fault::KillQueueManager])).await.unwrap_err();
    assert!(matches!(error, FailoverError::Endpoint { .. }) && error.hint().unwrap().contains("forward a port"));
    assert!(away.turn.lock().unwrap().is_none());

    let idle = Arc::new(Sky::new(Defect::None, Twist::None));
    idle.serving.store(false, Ordering::SeqCst);
    let error = test(&idle, &scenario(&[Fault::KillQueueManager])).await.unwrap_err();
    assert!(matches!(error, FailoverError::NotServing { .. }), "{error}");
}

//! Tests of whole rounds: the fake cloud, the fake broker on a real socket, and every way in which a round may prove nothing.

use super::fake_broker::BrokerDefect;
use super::fake_cloud::{CloudDefect, FakeCloud};
use super::short_test::{failing, kill, measured, scenario, test};
use crate::failover::drive::run::{Watch, run};
use crate::failover::measure::account::Drain;
use crate::failover::measure::verdict::Verdict;
use crate::failover::report::{AssumedDelay, Report};
use crate::failover::{Consent, FailoverError, Fault, plan};
use crate::remedy::{ExitKind, Remedy};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A load too slow to use up what many consumers may be sent ahead is compared with the broker's count all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_load_comes_to_rest() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
    let mut scenario = scenario(&[Fault::KillQueueManager]);
    (scenario.load.producers, scenario.load.rate, scenario.load.consumers) = (1, 20, 8);
    let report = test(&cloud, &scenario).await.unwrap();
    let check = report.runs[0]
        .thresholds
        .iter()
        .find(|check| check.name == "broker.depth");
    assert_eq!(check.unwrap().verdict, Verdict::Pass, "{check:?}");
}

/// What a local cloud replays and AWS does not document is named, and the absence of what it replays is not claimed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn assumed_delays_are_named() {
    let mut cloud = FakeCloud::new(BrokerDefect::None, CloudDefect::None);
    let report = test(&Arc::new(cloud), &kill()).await.unwrap();
    let absent = |report: &Report| report.not_shown.iter().any(|text| text.contains("no EC2 launch"));
    assert!(
        report.place.assumed.is_empty() && absent(&report),
        "{:?}",
        report.not_shown
    );
    cloud = FakeCloud::new(BrokerDefect::None, CloudDefect::None);
    if let Some(lab) = &mut cloud.target.lab {
        lab.timing = "aws".into();
        lab.assumed = vec![AssumedDelay {
            name: "ec2.boot".into(),
            milliseconds: 30_000,
        }];
    }
    let report = test(&Arc::new(cloud), &kill()).await.unwrap();
    assert!(!absent(&report), "{:?}", report.not_shown);
    let told = report.assumptions.iter().any(|text| text.contains("`place.assumed`"));
    let text = crate::failover::report::text::summary(&report);
    assert!(told && text.contains("  assumed  ec2.boot 30 s"), "{text}");
    let document = serde_json::to_value(&report).unwrap();
    assert_eq!(document["place"]["assumed"][0]["milliseconds"], 30_000);
}

/// How often a test is made that this machine paused.
const TRIES: u32 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_service_passes_every_fault() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::Throttled));
    let journal = tempfile::tempdir().unwrap();
    let mut scenario = scenario(&[Fault::KillQueueManager, Fault::TerminateInstance, Fault::MarkUnhealthy]);
    scenario.journals = Some(journal.path().to_owned());
    let report = measured(async || test(&cloud, &scenario).await.unwrap()).await;
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
        let text = crate::failover::report::text::run(run);
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
        cloud.turn.lock().unwrap().is_none() && cloud.deleted.load(Ordering::SeqCst),
        "cleaned up"
    );
    assert_eq!(
        std::fs::read_dir(journal.path()).unwrap().count(),
        0,
        "nothing is left to undo"
    );
    let json = serde_json::to_string(&report).unwrap();
    assert!(!json.contains("secret"));
    let read: Report = serde_json::from_str(&json).unwrap();
    assert_eq!(
        Report {
            ledgers: report.ledgers.clone(),
            ..read
        },
        report
    );
    report.write(journal.path()).unwrap();
    let again = crate::failover::report::archive::recount(&journal.path().join("ledger.bin")).unwrap();
    assert!(
        again
            .iter()
            .map(|round| &round.account)
            .eq(report.runs.iter().map(|run| &run.ledger))
    );
}

/// Negative controls: each must be found, and nothing of it may pass. A machine that paused the test measured something else as
/// well; then it is made again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_bad_passes() {
    let mut all = tokio::task::JoinSet::new();
    for (defect, cloud_defect, exit, failed) in [
        (BrokerDefect::AckEarly, CloudDefect::None, ExitKind::Lost, "rpo.lost"),
        (BrokerDefect::Lose, CloudDefect::None, ExitKind::Lost, "rpo.lost"),
        (
            BrokerDefect::Duplicate,
            CloudDefect::None,
            ExitKind::Duplicates,
            "duplicates",
        ),
        (BrokerDefect::Reorder, CloudDefect::None, ExitKind::Duplicates, "order"),
        (
            BrokerDefect::None,
            CloudDefect::FaultUnseen,
            ExitKind::Inconclusive,
            "fault.verified",
        ),
        (
            BrokerDefect::None,
            CloudDefect::NoDepth,
            ExitKind::Inconclusive,
            "drain.complete",
        ),
        (
            BrokerDefect::AckEarly,
            CloudDefect::NoDepth,
            ExitKind::Inconclusive,
            "drain.complete",
        ),
        (
            BrokerDefect::None,
            CloudDefect::NoRestart,
            ExitKind::NoRecovery,
            "rto.max",
        ),
    ] {
        all.spawn(async move {
            let mut scenario = scenario(&[Fault::KillQueueManager]);
            if cloud_defect != CloudDefect::None {
                scenario.times.drain_timeout = Some(Duration::from_secs(3));
                scenario.times.recovery_timeout = Some(Duration::from_secs(4));
            }
            for left in (0..TRIES).rev() {
                let cloud = Arc::new(FakeCloud::new(defect, cloud_defect));
                let report = test(&cloud, &scenario)
                    .await
                    .unwrap_or_else(|error| panic!("{defect:?} {cloud_defect:?}: {error}"));
                let found = failing(&report);
                assert_ne!(report.verdict, Verdict::Pass, "{defect:?} {cloud_defect:?}");
                if (report.exit(), found.contains(&failed)) == (exit, true) {
                    if cloud_defect == CloudDefect::NoDepth {
                        let ledger = &report.runs[0].ledger;
                        assert_eq!((ledger.lost, ledger.drain), (None, Drain::Incomplete));
                    }
                    return;
                }
                let run = &report.runs[0];
                let paused = !run.stalls.is_empty() && left > 0;
                assert!(paused, "{defect:?} {cloud_defect:?}: {:?}", run.thresholds);
                println!("once more: this machine paused the test of {defect:?} {cloud_defect:?}: {found:?}");
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
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::FaultWithoutEffect));
    let report = test(&cloud, &scenario(&[Fault::HangQueueManager])).await.unwrap();
    assert_eq!(
        (report.verdict, report.exit()),
        (Verdict::Inconclusive, ExitKind::Inconclusive)
    );
    assert!(failing(&report).contains(&"fault.effect") && failing(&report).contains(&"fault.verified"));
    // No outage is told of beside the words that no client noticed the fault.
    let text = crate::failover::report::text::run(&report.runs[0]);
    assert!(
        report.runs[0].rto.is_none() && text.contains("RTO not measured"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_failed_is_an_error_and_no_verdict() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::FaultRefused));
    let error = test(&cloud, &scenario(&[Fault::KillQueueManager])).await.unwrap_err();
    assert_eq!(error.exit(), ExitKind::Remote);
    assert!(
        cloud.turn.lock().unwrap().is_none() && cloud.deleted.load(Ordering::SeqCst),
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
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let error = run(
        cloud.clone(),
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
        cloud.turn.lock().unwrap().is_none() && cloud.deleted.load(Ordering::SeqCst),
        "cleaned up"
    );
    assert!(cloud.serving.load(Ordering::SeqCst), "nothing was injected");
}

/// On a real account nothing happens without a tag, a name and calm.
#[tokio::test]
async fn real_accounts_are_guarded() {
    let real = |allow_faults: bool| {
        let mut cloud = FakeCloud::new(BrokerDefect::None, CloudDefect::None);
        cloud.target.lab = None;
        cloud.target.allow_faults = allow_faults;
        cloud
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
    let refused = async |cloud: FakeCloud, consent: &Consent| {
        let (cloud, mut scenario) = (Arc::new(cloud), scenario(&[Fault::TerminateInstance]));
        scenario.consent = consent.clone();
        // Stops right after the guards, should they let it through.
        scenario.amqp = Some("127.0.0.1:1".parse().unwrap());
        let error = test(&cloud, &scenario).await.unwrap_err();
        assert_eq!(error.exit(), ExitKind::Precondition);
        assert!(error.hint().is_some());
        assert!(cloud.serving.load(Ordering::SeqCst), "nothing was injected");
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
        FailoverError::OtherAccount { .. }
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
    // Those who have gone are not in the way, however many a status of a minute ago counted.
    let mut gone = real(true);
    (gone.connections, gone.measured) = (Some(0), Some((6, Some(59))));
    assert!(matches!(refused(gone, &named).await, FailoverError::Endpoint { .. }));
    // An agent of an earlier version cannot be asked: its status counts while it is fresh.
    for (measured, expected) in [
        ((6, Some(3)), "6 other connections to QM1"),
        (
            (6, Some(40)),
            "the count of connections to QM1 is out of date: 6, measured 40 s ago",
        ),
        (
            (0, None),
            "the count of connections to QM1 is out of date: 0, measured at an unknown time",
        ),
        ((0, Some(3)), "127.0.0.1:1"),
    ] {
        let mut earlier = real(true);
        (earlier.connections, earlier.measured, earlier.counts) = (Some(7), Some(measured), false);
        let said = refused(earlier, &named).await.to_string();
        assert!(said.contains(expected), "{measured:?}: {said}");
    }
    // No count is no count of none, whichever agent gives none.
    for (counts, allowed) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut silent = real(true);
        (silent.connections, silent.measured, silent.counts) = (None, None, counts);
        let consent = Consent {
            foreign_connections: allowed,
            ..named.clone()
        };
        let said = refused(silent, &consent).await;
        let unknown = matches!(said, FailoverError::ConnectionsUnknown { .. });
        assert_eq!(unknown, !allowed, "{said}");
    }
    // A lab may always be tested, and an account that is not its own is not passed over.
    let lab = FakeCloud::new(BrokerDefect::None, CloudDefect::None);
    assert!(matches!(refused(lab, &wrong).await, FailoverError::OtherAccount { .. }));
    for consent in [&named, &by_account] {
        assert!(matches!(
            refused(real(true), consent).await,
            FailoverError::Endpoint { .. }
        ));
    }
}

#[tokio::test]
async fn what_only_tls_obeys_is_refused_without_it() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
    let mut scenario = scenario(&[Fault::KillQueueManager]);
    scenario.tls_options = vec!["--ca-file", "--tls-server-name"];
    let error = test(&cloud, &scenario).await.unwrap_err();
    assert!(matches!(error, FailoverError::Plain { .. }), "{error:?}");
    assert!(error.to_string().contains("--ca-file and --tls-server-name"), "{error}");
}

/// Whoever is to type a stack's name is asked only when nothing else is in the way.
#[tokio::test]
async fn what_keeps_a_test_from_beginning_is_found_before_consent_is_asked_for() {
    let mut cloud = FakeCloud::new(BrokerDefect::None, CloudDefect::None);
    cloud.target.lab = None;
    let refused = plan(&cloud, &scenario(&[Fault::KillQueueManager])).await.unwrap_err();
    assert!(matches!(refused, FailoverError::NotAllowed { .. }), "{refused:?}");
    cloud.target.allow_faults = true;
    let mut scenario = scenario(&[Fault::KillQueueManager]);
    assert!(plan(&cloud, &scenario).await.is_ok());
    scenario.amqp = Some("amqps://127.0.0.1:1".parse().unwrap());
    scenario.trust.ca_file = Some("/nonexistent".into());
    let refused = plan(&cloud, &scenario).await.unwrap_err();
    assert!(matches!(refused, FailoverError::Driver(_)), "{refused:?}");
}

#[tokio::test]
async fn a_stack_that_cannot_be_tested_says_why() {
    let mut off = FakeCloud::new(BrokerDefect::None, CloudDefect::None);
    off.target.parts.endpoints.clear();
    let error = test(&Arc::new(off), &scenario(&[Fault::KillQueueManager]))
        .await
        .unwrap_err();
    assert!(matches!(error, FailoverError::NoAmqp { .. }) && error.hint().unwrap().contains("--amqp-url"));

    let away = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
    away.broker.kill();
    let error = test(&away, &scenario(&[Fault::KillQueueManager])).await.unwrap_err();
    assert!(matches!(error, FailoverError::Endpoint { .. }) && error.hint().unwrap().contains("forward a port"));
    assert!(away.turn.lock().unwrap().is_none());

    let idle = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
    idle.serving.store(false, Ordering::SeqCst);
    let error = test(&idle, &scenario(&[Fault::KillQueueManager])).await.unwrap_err();
    assert!(matches!(error, FailoverError::NotServing { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_whose_time_is_up_cleans_up_and_has_no_verdict() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
    let mut scenario = scenario(&[Fault::KillQueueManager]);
    // The load before the fault alone takes longer.
    scenario.times.baseline = Some(Duration::from_secs(60));
    scenario.times.whole = Some(Duration::from_secs(1));
    let error = test(&cloud, &scenario).await.unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.exit(), error.left().as_deref()),
        (
            "the test was not complete within 1 s",
            ExitKind::Inconclusive,
            Some("nothing")
        )
    );
    assert!(cloud.turn.lock().unwrap().is_none(), "cleaned up");
    assert!(cloud.serving.load(Ordering::SeqCst), "nothing was injected");
}

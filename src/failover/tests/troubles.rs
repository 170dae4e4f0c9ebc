//! Which broker was it, and what does it do before the fault? Lies and troubles beside the fault itself.

use super::fake_broker::{BrokerDefect, FakeBroker};
use super::fake_cloud::{CloudDefect, FakeCloud};
use super::relay::Relay;
use super::short_test::{When, failing, is_untouched, kill, measured, test, through_relay};
use crate::failover::FailoverError;
use crate::failover::drive::run::{Watch, heal, never, run};
use crate::failover::measure::verdict::Check;
use crate::remedy::{ExitKind, Remedy};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Another broker with the same credentials: found in every run, before anything is broken, and nothing is left there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_led_elsewhere_are_found_before_the_fault() {
    for _ in 0..5 {
        let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
        let other = FakeBroker::start(BrokerDefect::None);
        let error = through_relay(&cloud, &Relay::to(other.address()), &())
            .await
            .unwrap_err();
        assert!(matches!(error, FailoverError::Elsewhere { there: 0, .. }), "{error}");
        assert_eq!(error.exit(), ExitKind::Inconclusive);
        assert!(error.hint().unwrap().contains("--amqp-url"));
        assert_eq!(error.left().as_deref(), Some("nothing was changed"));
        assert!(is_untouched(&cloud));
        assert_eq!(other.depth("MQAWS.PROBE.1"), 0);
    }
}

/// Led elsewhere only after the check: found once the backlog is put, still before the fault; what stays there is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_led_elsewhere_after_the_check_are_found_before_the_fault() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
    let other = FakeBroker::start(BrokerDefect::None);
    let relay = Relay::to(cloud.broker.address());
    let (way, to) = (relay.clone(), other.address());
    let watch = When("of backlog", move || way.lead(Some(to)));
    let error = through_relay(&cloud, &relay, &watch).await.unwrap_err();
    assert!(matches!(error, FailoverError::Elsewhere { there: 100, .. }), "{error}");
    assert_eq!(error.exit(), ExitKind::Inconclusive);
    assert!(error.left().unwrap().contains("100 messages of this test"));
    assert!(is_untouched(&cloud));
}

/// Led elsewhere by the fault itself: every client is served again, and not by the queue manager under test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_led_elsewhere_by_the_fault_prove_nothing() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
    let other = FakeBroker::start(BrokerDefect::None);
    let relay = Relay::to(cloud.broker.address());
    let (way, to) = (relay.clone(), other.address());
    let watch = When("injecting", move || way.lead(Some(to)));
    let report = through_relay(&cloud, &relay, &watch).await.unwrap();
    assert_eq!(report.exit(), ExitKind::Inconclusive, "{:?}", report.runs[0].thresholds);
    // When all that waits is on the queue manager under test, its count at rest is right, and it keeps what no consumer gets.
    let checks = &report.runs[0].thresholds;
    let named = |check: &&Check| {
        check
            .reason
            .as_deref()
            .unwrap_or_default()
            .contains("a different queue manager")
    };
    let naming: Vec<&str> = checks.iter().filter(named).map(|check| check.name.as_str()).collect();
    assert!(
        naming.contains(&"broker.depth") || naming.contains(&"rpo.lost"),
        "{:?}",
        checks
    );
    let text = crate::failover::report::text::run(&report.runs[0]);
    assert!(text.contains("QM1 itself"), "{text}");
}

/// As before any fault: what is lost in the check may lie elsewhere, unless the queue manager counted all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_in_the_check_names_an_elsewhere() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::Swallow, CloudDefect::None));
    let error = test(&cloud, &kill()).await.unwrap_err();
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("does not store") && hint.contains("a different queue manager"),
        "{hint}"
    );
}

/// Who acknowledges before it writes is doubted, when that can be seen again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledgements_before_any_write_are_doubted() {
    let warnings = async |writes: &[f64]| {
        let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
        *cloud.writes.lock().unwrap() = writes.iter().copied().collect();
        let report = test(&cloud, &kill()).await.unwrap();
        report.runs[0].warnings.join("\n")
    };
    // The fake broker writes nothing.
    let doubted = warnings(&[20_000.0]).await;
    assert!(doubted.contains("may not be on disk when acknowledged"), "{doubted}");
    // A busy machine lengthened all writes for a time; the first answer is read before the check.
    let busy = warnings(&[20_000.0, 20_000.0, 0.001]).await;
    assert!(!busy.contains("may not be on disk when acknowledged"), "{busy}");
}

/// The comparison holds where it should: a good round says what the broker counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_round_tells_what_the_broker_counted() {
    let mut scenario = kill();
    scenario.load.non_persistent_producers = 1;
    let report = measured(async || {
        let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
        test(&cloud, &scenario).await.unwrap()
    })
    .await;
    assert_eq!(report.exit(), ExitKind::Success, "{:?}", report.runs[0].thresholds);
    let broker = report.runs[0].broker.clone().unwrap();
    let (least, most) = broker.expected.unwrap();
    assert_eq!(broker.after_fill, 100);
    assert!(
        least > 0 && (least..=most).contains(&broker.at_rest.unwrap()),
        "{broker:?}"
    );
}

/// A broker that loses messages before anything is broken loses messages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_in_the_check_is_a_loss() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::Swallow, CloudDefect::None));
    let error = test(&cloud, &kill()).await.unwrap_err();
    assert!(
        matches!(
            error,
            FailoverError::Lost {
                acknowledged: 20,
                lost: 2,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.exit(), ExitKind::Lost);
    assert_ne!(error.left().as_deref(), Some("nothing was changed"));
    assert!(is_untouched(&cloud));
}

/// The queue is not seen empty: that is no loss.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_cannot_be_judged_is_no_loss() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::Swallow, CloudDefect::None));
    cloud.injected.store(true, Ordering::SeqCst);
    let cloud = Arc::new(FakeCloud {
        cloud_defect: CloudDefect::NoDepth,
        ..Arc::into_inner(cloud).unwrap()
    });
    let error = test(&cloud, &kill()).await.unwrap_err();
    assert_eq!(error.exit(), ExitKind::Remote, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_come_back_weaker_fail() {
    let report = measured(async || {
        let cloud = Arc::new(FakeCloud::new(BrokerDefect::Weaken, CloudDefect::None));
        test(&cloud, &kill()).await.unwrap()
    })
    .await;
    assert_eq!(report.exit(), ExitKind::Duplicates, "{:?}", report.runs[0].thresholds);
    assert_eq!(failing(&report), ["durable"]);
}

/// One connection that breaks while the backlog is put, or during the check, is made anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_before_the_fault_is_got_over() {
    for (place, bytes) in [("of backlog", 8000), ("of backlog", 1), ("checking", 4000)] {
        let report = measured(async || {
            let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
            let relay = Relay::to(cloud.broker.address());
            let way = relay.clone();
            let watch = When(place, move || way.cut_after(bytes));
            let report = through_relay(&cloud, &relay, &watch).await.unwrap();
            assert_eq!(relay.cuts(), 1, "{place}");
            report
        })
        .await;
        assert_eq!(
            report.exit(),
            ExitKind::Success,
            "{place}: {:?}",
            report.runs[0].thresholds
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_that_cannot_be_put_names_the_true_cause() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
    let relay = Relay::to(cloud.broker.address());
    let way = relay.clone();
    let watch = When("of backlog", move || way.end_after(8000));
    let error = through_relay(&cloud, &relay, &watch).await.unwrap_err();
    assert!(
        matches!(&error, FailoverError::NoBacklog { cause: Some(cause), .. } if cause.to_string().contains("could not connect")),
        "{error}"
    );
    assert!(!error.hint().unwrap().contains("storage"));
    assert!(is_untouched(&cloud));
}

/// Whoever heals a stack whose test goes on is told so, and the test does not notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_living_test_is_not_healed() {
    struct Healer(Arc<FakeCloud>, Mutex<Vec<Result<Vec<String>, FailoverError>>>);
    impl Watch for Healer {
        fn doing(&self, what: &str) {
            if what.contains("load before") {
                let healed = tokio::task::block_in_place(|| {
                    tokio::runtime::Handle::current().block_on(heal(
                        self.0.as_ref(),
                        "mqaws-qm1",
                        None,
                        false,
                        "heal",
                        Duration::ZERO,
                        never(),
                    ))
                });
                self.1.lock().unwrap().push(healed);
            }
        }
    }
    let refused = Mutex::new(None);
    let report = measured(async || {
        let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
        let healer = Healer(cloud.clone(), Mutex::default());
        let report = run(cloud.clone(), &kill(), &healer, never()).await.unwrap();
        *refused.lock().unwrap() = healer.1.into_inner().unwrap().pop();
        report
    })
    .await;
    assert_eq!(report.exit(), ExitKind::Success, "{:?}", report.runs[0].thresholds);
    let healed = refused.into_inner().unwrap().unwrap().unwrap_err();
    assert!(matches!(healed, FailoverError::StillRuns { .. }), "{healed}");
    assert_eq!(healed.exit(), ExitKind::Precondition);
    assert!(healed.hint().unwrap().contains("--force"));
    assert!(healed.to_string().contains(&std::process::id().to_string()), "{healed}");
}

/// A mark that somebody took away, and the queues with it: what the test then misses was not lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_whose_mark_was_taken_away_proves_nothing() {
    for other in [None, Some("somebody else")] {
        let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
        let taken = cloud.clone();
        let watch = When("injecting", move || {
            *taken.turn.lock().unwrap() = other.map(str::to_owned);
        });
        let error = run(cloud.clone(), &kill(), &watch, never()).await.unwrap_err();
        assert_eq!(error.exit(), ExitKind::Inconclusive, "{error}");
        assert!(error.to_string().contains("was removed during the test"), "{error}");
        assert!(
            error.left().unwrap().contains("kill-queue-manager"),
            "{:?}",
            error.left()
        );
        // The queues are another test's by now.
        assert!(!cloud.deleted.load(Ordering::SeqCst));
        assert_eq!(cloud.turn.lock().unwrap().as_deref(), other);
    }
}

/// Whoever insists heals a test that goes on: it sees that soon, and breaks nothing any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_that_is_healed_by_force_ends_while_it_works() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
    let mut scenario = kill();
    scenario.times.baseline = Some(Duration::from_secs(40));
    let stack = cloud.clone();
    let watch = When("load before", move || {
        let healed = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(heal(
                stack.as_ref(),
                "mqaws-qm1",
                None,
                true,
                "heal",
                Duration::ZERO,
                never(),
            ))
        });
        assert_eq!(healed.unwrap(), Vec::<String>::new());
    });
    let error = run(cloud.clone(), &scenario, &watch, never()).await.unwrap_err();
    assert!(matches!(error, FailoverError::TurnLost { .. }), "{error}");
    assert!(is_untouched(&cloud), "it went on to the fault");
}

/// The queue is deleted under a test that has not begun to measure: the cause is who did it, and not the endpoint.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_that_somebody_else_made_is_named() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
    let relay = Relay::to(cloud.broker.address());
    let (way, taken) = (relay.clone(), cloud.clone());
    let watch = When("of backlog", move || {
        *taken.turn.lock().unwrap() = None;
        way.lead(None);
    });
    let error = through_relay(&cloud, &relay, &watch).await.unwrap_err();
    assert!(error.to_string().contains("was removed during the test"), "{error}");
    assert_eq!(error.exit(), ExitKind::Inconclusive);
}

/// After a fault nobody is told that nothing was changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_after_a_fault_says_what_was_done() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
    let folder = tempfile::tempdir().unwrap();
    let mut scenario = kill();
    scenario.rounds = 2;
    scenario.journals = Some(folder.path().join("j"));
    let gone = folder.path().join("j");
    // The journal cannot be written when the second fault is due.
    let watch = When("stable", move || {
        std::fs::remove_dir_all(&gone).unwrap();
        std::fs::write(&gone, "").unwrap();
    });
    let error = run(cloud.clone(), &scenario, &watch, never()).await.unwrap_err();
    assert_eq!(error.exit(), ExitKind::Precondition);
    let left = error.left().unwrap();
    assert!(
        left.contains("kill-queue-manager on i-1") && !left.contains("nothing was changed"),
        "{left}"
    );
}

/// The local cloud is ended under a test that waits for service: nobody knows what would have become of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_whose_place_went_away_has_no_result() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::NoRestart));
    let ended = cloud.clone();
    let watch = When("waiting for service", move || ended.gone.store(true, Ordering::SeqCst));
    let mut scenario = kill();
    scenario.times.recovery_timeout = Some(Duration::from_secs(3));
    let error = run(cloud.clone(), &scenario, &watch, never()).await.unwrap_err();
    assert!(matches!(error, FailoverError::PlaceGone), "{error}");
    assert_eq!(error.exit(), ExitKind::Inconclusive);
    assert!(error.left().unwrap().starts_with("nothing"));

    // It is seen while the test waits for longer than that.
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::NoRestart));
    let ended = cloud.clone();
    let watch = When("waiting for service", move || ended.gone.store(true, Ordering::SeqCst));
    scenario.times.recovery_timeout = Some(Duration::from_secs(300));
    let error = run(cloud, &scenario, &watch, never()).await.unwrap_err();
    assert!(matches!(error, FailoverError::PlaceGone), "{error}");
}

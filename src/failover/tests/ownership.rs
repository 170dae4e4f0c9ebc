//! Whose mark it is, and whose journal: a test takes away what it made itself, and nothing of another's.

use super::fake_broker::BrokerDefect;
use super::fake_cloud::{CloudDefect, FakeCloud};
use super::short_test::kill;
use crate::failover::drive::error::FailoverError;
use crate::failover::drive::journal::Journal;
use crate::failover::drive::run::{Watch, heal, never, plan, run, untested};
use crate::failover::{Fault, Faults, Scenario};
use crate::observe::ports::StackStatus;
use crate::remedy::{ExitKind, Remedy};
use crate::stack::Parts;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn cloud() -> Arc<FakeCloud> {
    Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None))
}

#[tokio::test]
async fn refused_test_leaves_mark_and_journal_of_the_one_that_has_the_turn() {
    let (cloud, folder) = (cloud(), tempfile::tempdir().unwrap());
    *cloud.turn.lock().unwrap() = Some("ann process 1".into());
    let path = Journal::place(folder.path(), &cloud.target).unwrap();
    Journal::begin(Some(&path), "mqaws-qm1", "ann process 1")
        .unwrap()
        .defining_queues()
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    let mut scenario = Scenario {
        journals: Some(folder.path().to_owned()),
        ..Scenario::new("mqaws-qm1", Fault::KillQueueManager)
    };
    scenario.heal.push_str(" --region eu-west-1");
    let refused = run(cloud.clone(), &scenario, &(), never()).await.unwrap_err();
    assert!(matches!(refused, FailoverError::Busy { over: false, .. }), "{refused}");
    assert!(
        refused.to_string().contains("is already under test by ann process 1"),
        "{refused}"
    );
    let paste = "`mqaws failover-test heal --stack mqaws-qm1 --region eu-west-1`";
    assert!(
        refused.hint().is_some_and(|hint| hint.contains(paste)),
        "{:?}",
        refused.hint()
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(cloud.turn.lock().unwrap().as_deref(), Some("ann process 1"));
}

#[tokio::test]
async fn test_that_cannot_write_its_journal_leaves_no_mark() {
    let (cloud, file) = (cloud(), tempfile::NamedTempFile::new().unwrap());
    let scenario = Scenario {
        // A file is no folder.
        journals: Some(file.path().to_owned()),
        ..Scenario::new("mqaws-qm1", Fault::KillQueueManager)
    };
    let error = run(cloud.clone(), &scenario, &(), never()).await.unwrap_err();
    assert!(matches!(error, FailoverError::Journal { .. }), "{error}");
    assert_eq!(*cloud.turn.lock().unwrap(), None);
    assert_eq!(error.left().as_deref(), Some("nothing was changed"));
}

/// Marks the stack as another's between two rounds, and begins the other's journal in the place of this one's.
struct Another(Arc<FakeCloud>, PathBuf);

impl Watch for Another {
    fn doing(&self, what: &str) {
        if what.starts_with("waiting until the stack") {
            *self.0.turn.lock().unwrap() = Some("bob process 2".into());
            Journal::begin(Some(&self.1), "mqaws-qm1", "bob process 2")
                .unwrap()
                .defining_queues()
                .unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mark_and_journal_of_another_living_test_stay_when_this_one_ends() {
    let (cloud, folder) = (cloud(), tempfile::tempdir().unwrap());
    let path = Journal::place(folder.path(), &cloud.target).unwrap();
    let scenario = Scenario {
        rounds: 2,
        journals: Some(folder.path().to_owned()),
        ..kill()
    };
    let error = run(cloud.clone(), &scenario, &Another(cloud.clone(), path.clone()), never())
        .await
        .unwrap_err();
    assert_eq!(error.exit(), ExitKind::Inconclusive, "{error}");
    assert_ne!(
        error.left().as_deref(),
        Some("nothing was changed"),
        "a fault was injected"
    );
    assert_eq!(cloud.turn.lock().unwrap().as_deref(), Some("bob process 2"));
    assert!(!cloud.deleted.load(Ordering::SeqCst), "the queues are bob's by now");
    let there = Journal::read(&path).unwrap().expect("bob's journal");
    assert_eq!((there.holder.as_str(), there.probe_queues), ("bob process 2", true));
    assert!(there.faults.len() <= 1, "{:?}", there.faults);
}

/// A journal that a test with this mark left, written by a version that named it so.
fn left_behind(folder: &Path, name: &str, holder: &str) -> PathBuf {
    let path = folder.join(name);
    Journal::begin(Some(&path), "mqaws-qm1", holder)
        .unwrap()
        .defining_queues()
        .unwrap();
    path
}

/// Stacks of one name in two accounts or regions have a journal each.
#[tokio::test]
async fn healing_one_stack_leaves_the_journal_of_its_namesake() {
    let folder = tempfile::tempdir().unwrap();
    let at = |account: &str, region: &str| {
        let mut target = cloud().target.clone();
        (target.account, target.region) = (account.into(), region.into());
        Journal::place(folder.path(), &target).unwrap()
    };
    let places = [
        at("000000000000", "eu-west-1"),
        at("111111111111", "eu-west-1"),
        at("000000000000", "eu-west-2"),
    ];
    for path in &places {
        left_behind(
            folder.path(),
            path.file_name().unwrap().to_str().unwrap(),
            "ann process 1",
        );
    }
    let cloud = cloud();
    *cloud.turn.lock().unwrap() = Some("ann process 1".into());
    let left = heal(
        cloud.as_ref(),
        "mqaws-qm1",
        Some(folder.path()),
        true,
        "heal",
        Duration::ZERO,
        never(),
    )
    .await
    .unwrap();
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(places.map(|path| path.exists()), [false, true, true]);
}

/// The name that an earlier version gave a journal said nothing of account and region: its mark does.
#[tokio::test]
async fn journal_of_the_version_before_is_healed_by_its_mark() {
    for (marked, gone) in [
        (Some("ann process 1"), true),
        (Some("bob process 2"), false),
        (None, false),
    ] {
        let (cloud, folder) = (cloud(), tempfile::tempdir().unwrap());
        *cloud.turn.lock().unwrap() = marked.map(str::to_owned);
        let path = left_behind(folder.path(), "failover-mqaws-qm1.json", "ann process 1");
        let left = heal(
            cloud.as_ref(),
            "mqaws-qm1",
            Some(folder.path()),
            true,
            "heal",
            Duration::ZERO,
            never(),
        )
        .await
        .unwrap();
        assert_eq!(left, Vec::<String>::new());
        assert_eq!(path.exists(), !gone, "{marked:?}");
        assert!(cloud.deleted.load(Ordering::SeqCst) && cloud.turn.lock().unwrap().is_none());
    }
}

/// A killed test leaves its journal: what lasts is ended, and what cannot be is named until its own timer has ended it.
#[tokio::test]
async fn heal_ends_what_the_journal_says_lasts_and_names_what_it_cannot_end() {
    for (defect, until, lives, named) in [
        (CloudDefect::None, i64::from(u32::MAX), true, false),
        (CloudDefect::FaultRefused, i64::from(u32::MAX), true, true),
        (CloudDefect::FaultRefused, 1, true, false),
        // EC2 has ended it, and the fault with it.
        (CloudDefect::FaultRefused, i64::from(u32::MAX), false, false),
    ] {
        let (cloud, folder) = (FakeCloud::new(BrokerDefect::None, defect), tempfile::tempdir().unwrap());
        if lives {
            cloud.instance.lock().unwrap().0 = "i-0123456789abcdef0".into();
        }
        let path = Journal::place(folder.path(), &cloud.target).unwrap();
        Journal::begin(Some(&path), "mqaws-qm1", "ann process 1").unwrap();
        let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let lasting = serde_json::json!({
            "fault": "hang-host", "instance": "i-0123456789abcdef0", "healer": "agent", "until_unix_s": until,
        });
        text["lasting"] = serde_json::json!([lasting]);
        std::fs::write(&path, text.to_string()).unwrap();
        let left = heal(
            &cloud,
            "mqaws-qm1",
            Some(folder.path()),
            true,
            "heal",
            Duration::ZERO,
            never(),
        )
        .await
        .unwrap();
        let names = left
            .iter()
            .any(|one| one.starts_with("hang-host on i-0123456789abcdef0"));
        assert_eq!(names, named, "{left:?}");
        assert_eq!(*cloud.healed.lock().unwrap() > 1, defect == CloudDefect::None);
        // The other instance takes no order either, and lives.
        assert_eq!(path.exists(), named, "{left:?}");
    }
}

/// A stack that takes no faults has had no test, and then there is nothing to heal; but what tells of one is believed.
#[tokio::test]
async fn a_stack_that_takes_no_faults_has_none_to_heal() {
    let mut cloud = Arc::into_inner(cloud()).unwrap();
    cloud.cloud_defect = CloudDefect::FaultRefused;
    let outputs = [("ReadDocument".to_owned(), "r".to_owned())].into();
    cloud.target.parts.documents = Parts::read("mqaws-qm1", &outputs, &BTreeMap::new()).unwrap().documents;
    let left = heal(&cloud, "mqaws-qm1", None, false, "heal", Duration::ZERO, never()).await;
    assert_eq!(left.unwrap(), Vec::<String>::new());
    assert!(!cloud.deleted.load(Ordering::SeqCst), "there are no queues");
    // What an operator ordered is not taken for what a test left.
    assert!(!cloud.restored.load(Ordering::SeqCst));
    *cloud.turn.lock().unwrap() = Some("ann process 1".into());
    let left = heal(&cloud, "mqaws-qm1", None, true, "heal", Duration::ZERO, never()).await;
    assert!(left.unwrap().iter().any(|one| one.contains("a fault on i-1")));
    assert!(
        cloud.restored.load(Ordering::SeqCst),
        "its move may have been cut short"
    );
}

/// Right after a killed test the queue manager is on its way: that is waited for.
#[tokio::test]
async fn what_cannot_be_healed_yet_is_tried_again() {
    let cloud = cloud();
    cloud.serving.store(false, Ordering::SeqCst);
    let left = heal(
        cloud.as_ref(),
        "mqaws-qm1",
        None,
        false,
        "heal",
        Duration::ZERO,
        never(),
    )
    .await;
    assert!(left.unwrap().iter().any(|one| one.contains("MQAWS.PROBE")));
    let (stack, serving) = (cloud.clone(), cloud.serving.clone());
    let back = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        serving.store(true, Ordering::SeqCst);
    };
    let patience = Duration::from_secs(30);
    let (left, ()) = tokio::join!(
        heal(stack.as_ref(), "mqaws-qm1", None, false, "heal", patience, never()),
        back
    );
    assert_eq!(left.unwrap(), Vec::<String>::new());
    assert!(cloud.deleted.load(Ordering::SeqCst));
}

/// What comes from outside leads nowhere else.
#[test]
fn no_name_leads_a_journal_out_of_its_folder() {
    let mut target = cloud().target.clone();
    for bad in ["../../x", "/x", "a/b"] {
        target.stack = bad.into();
        assert!(Journal::place(Path::new("/j"), &target).is_err(), "{bad}");
    }
}

/// A planned move of an operator's is refused in the words in which a test is.
#[tokio::test]
async fn a_stack_under_test_is_refused_to_others_with_who_tests_it() {
    let cloud = cloud();
    untested(cloud.as_ref(), "mqaws-qm1", "heal").await.unwrap();
    *cloud.turn.lock().unwrap() = Some("ann process 1".into());
    let refused = untested(cloud.as_ref(), "mqaws-qm1", "mqaws failover-test heal").await;
    let refused = refused.unwrap_err();
    let test = run(cloud.clone(), &kill(), &(), never()).await.unwrap_err();
    assert_eq!(refused.to_string(), test.to_string());
    assert_eq!((refused.exit(), refused.left()), (ExitKind::Precondition, test.left()));
    // A deployment and a deletion ask before the stack is complete, or is there.
    assert_eq!(
        refused.hint(),
        test.hint().map(|hint| hint.replace(" --stack mqaws-qm1", ""))
    );
    // Also when that test has left it without service.
    cloud.serving.store(false, Ordering::SeqCst);
    let down = run(cloud.clone(), &kill(), &(), never()).await.unwrap_err();
    assert_eq!(refused.to_string(), down.to_string());
    assert!(
        refused
            .hint()
            .is_some_and(|hint| hint.contains("`mqaws failover-test heal`"))
    );
}

/// An update replaces instances; the test would take that for the work of its faults.
#[tokio::test]
async fn a_stack_on_which_an_operation_is_going_on_is_not_tested() {
    let mut cloud = FakeCloud::new(BrokerDefect::None, CloudDefect::None);
    cloud.target.status = StackStatus("UPDATE_IN_PROGRESS".into());
    let cloud = Arc::new(cloud);
    let busy = cloud.target.status.at_rest("mqaws-qm1").unwrap_err();
    let words = |error: &dyn Remedy| (error.to_string(), error.exit(), error.hint(), error.left());
    assert_eq!(busy.to_string(), "stack mqaws-qm1 is busy: UPDATE_IN_PROGRESS");
    let planned = plan(cloud.as_ref(), &kill()).await.unwrap_err();
    assert_eq!(words(&planned), words(&busy));
    // It began while the user was asked.
    let tested = run(cloud.clone(), &kill(), &(), never()).await.unwrap_err();
    assert_eq!(words(&tested), words(&busy));
    assert_eq!(*cloud.turn.lock().unwrap(), None);
}

/// A call that fails is no reason to leave a group without its instance.
#[tokio::test]
async fn healing_restores_the_capacity_again_until_it_succeeds() {
    for (failures, patience, left) in [(1, 30, 0), (1000, 0, 1)] {
        let cloud = cloud();
        *cloud.turn.lock().unwrap() = Some("ann process 1".into());
        *cloud.unrestored.lock().unwrap() = failures;
        let patience = Duration::from_secs(patience);
        let healed = heal(cloud.as_ref(), "mqaws-qm1", None, true, "heal", patience, never()).await;
        let said = healed.unwrap();
        assert_eq!(said.len(), left, "{said:?}");
        assert_eq!(cloud.restored.load(Ordering::SeqCst), left == 0);
    }
}

/// A group that may not launch would end its instance and start no other one.
#[tokio::test]
async fn a_move_is_refused_where_no_other_instance_would_be_launched() {
    let mut cloud = FakeCloud::new(BrokerDefect::None, CloudDefect::None);
    let scenario = |faults| Scenario {
        faults,
        ..Scenario::new("mqaws-qm1", Fault::Move)
    };
    let (named, all) = (scenario(Faults::Named(vec![Fault::Move])), scenario(Faults::All));
    let moves = |plan: &crate::failover::Plan| plan.faults.iter().any(|one| one.fault == Fault::Move);
    assert!(moves(&plan(&cloud, &named).await.unwrap()) && moves(&plan(&cloud, &all).await.unwrap()));
    cloud.suspended = true;
    let refused = plan(&cloud, &named).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "stack mqaws-qm1 cannot be moved: Auto Scaling group g has suspended processes: Launch"
    );
    assert_eq!(refused.exit(), ExitKind::Precondition);
    assert!(
        refused
            .hint()
            .is_some_and(|hint| hint.contains("aws autoscaling resume-processes"))
    );
    assert!(!moves(&plan(&cloud, &all).await.unwrap()));
    let others = scenario(Faults::Named(vec![Fault::KillQueueManager]));
    plan(&cloud, &others).await.unwrap();
}

/// Who does not want to wait for the clean-up hears what of it is left.
#[tokio::test]
async fn healing_ends_when_the_user_wants_to_stop_and_says_what_is_left() {
    let mut cloud = FakeCloud::new(BrokerDefect::None, CloudDefect::None);
    cloud.stuck = true;
    *cloud.turn.lock().unwrap() = Some("ann process 1".into());
    let (ask, stop) = tokio::sync::watch::channel(false);
    let patience = Duration::from_secs(600);
    let healing = heal(&cloud, "mqaws-qm1", None, true, "heal", patience, stop);
    let (left, _) = tokio::join!(healing, async { ask.send(true) });
    let error = left.unwrap_err();
    assert_eq!(error.exit(), ExitKind::Interrupted);
    assert_eq!(
        error.left().as_deref(),
        Some("queues MQAWS.PROBE.* on QM1; the mark of a test on stack mqaws-qm1")
    );
}

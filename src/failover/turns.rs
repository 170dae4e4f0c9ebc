//! Whose mark it is, and whose journal: a test takes away what it made itself, and nothing of another's.

use super::error::FailoverError;
use super::journal::Journal;
use super::run::{Watch, never, run};
use super::scenario::{Fault, Scenario};
use super::sky::{Sky, Twist};
use super::toy::Defect;
use super::{Load, Times};
use crate::remedy::{ExitKind, Remedy};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn sky() -> Arc<Sky> {
    Arc::new(Sky::new(Defect::None, Twist::None))
}

#[tokio::test]
async fn refused_test_leaves_mark_and_journal_of_the_one_that_has_the_turn() {
    let (sky, folder) = (sky(), tempfile::tempdir().unwrap());
    *sky.turn.lock().unwrap() = Some("ann process 1".into());
    let path = folder.path().join("journal.json");
    Journal::begin(Some(&path), "mqaws-qm1", "ann process 1")
        .unwrap()
        .defining_queues()
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    let mut scenario = Scenario {
        journal: Some(path.clone()),
        ..Scenario::new("mqaws-qm1", Fault::KillQueueManager)
    };
    scenario.heal.push_str(" --region eu-west-1");
    let refused = run(sky.clone(), &scenario, &(), never()).await.unwrap_err();
    assert!(matches!(refused, FailoverError::Busy { over: false, .. }), "{refused}");
    assert!(
        refused.to_string().contains("is under test already, by ann process 1"),
        "{refused}"
    );
    let paste = "`mqaws failover-test heal --stack mqaws-qm1 --region eu-west-1`";
    assert!(
        refused.hint().is_some_and(|hint| hint.contains(paste)),
        "{:?}",
        refused.hint()
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(sky.turn.lock().unwrap().as_deref(), Some("ann process 1"));
}

#[tokio::test]
async fn test_that_cannot_write_its_journal_leaves_no_mark() {
    let (sky, folder) = (sky(), tempfile::tempdir().unwrap());
    let scenario = Scenario {
        // A folder cannot be written as a file.
        journal: Some(folder.path().to_owned()),
        ..Scenario::new("mqaws-qm1", Fault::KillQueueManager)
    };
    let error = run(sky.clone(), &scenario, &(), never()).await.unwrap_err();
    assert!(matches!(error, FailoverError::Journal { .. }), "{error}");
    assert_eq!(*sky.turn.lock().unwrap(), None);
    assert_eq!(error.left().as_deref(), Some("nothing was changed"));
}

/// Marks the stack as another's between two rounds, and begins the other's journal in the place of this one's.
struct Another(Arc<Sky>, PathBuf);

impl Watch for Another {
    fn doing(&self, what: &str) {
        if what.starts_with("waiting for the stack") {
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
    let (sky, folder) = (sky(), tempfile::tempdir().unwrap());
    let path = folder.path().join("journal.json");
    let scenario = Scenario {
        rounds: 2,
        load: Load {
            producers: 1,
            rate: 50,
            consumers: 1,
            size: 128,
            backlog: 10,
            ..Load::default()
        },
        times: Times {
            baseline: Some(Duration::from_millis(1200)),
            settle: Some(Duration::from_millis(300)),
            recovery_timeout: Some(Duration::from_secs(8)),
            drain_timeout: Some(Duration::from_secs(8)),
            drain_idle: Some(Duration::from_secs(1)),
        },
        journal: Some(path.clone()),
        ..Scenario::new("mqaws-qm1", Fault::KillQueueManager)
    };
    let error = run(sky.clone(), &scenario, &Another(sky.clone(), path.clone()), never())
        .await
        .unwrap_err();
    assert_eq!(error.exit(), ExitKind::Inconclusive, "{error}");
    assert_ne!(
        error.left().as_deref(),
        Some("nothing was changed"),
        "a fault was injected"
    );
    assert_eq!(sky.turn.lock().unwrap().as_deref(), Some("bob process 2"));
    assert!(!sky.deleted.load(Ordering::SeqCst), "the queues are bob's by now");
    let there = Journal::read(&path).unwrap().expect("bob's journal");
    assert_eq!((there.holder.as_str(), there.probe_queues), ("bob process 2", true));
    assert!(there.faults.len() <= 1, "{:?}", there.faults);
}

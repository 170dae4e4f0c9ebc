//! A stack of another topology, of tests alone: what it asks for is what a test goes by.

use super::fake_broker::BrokerDefect;
use super::fake_cloud::{CloudDefect, FakeCloud};
use super::short_test::{scenario, test};
use crate::failover::drive::preflight;
use crate::failover::{FailoverError, Fault};
use crate::model::Topology;
use crate::remedy::{ExitKind, Remedy};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn other() -> FakeCloud {
    let mut cloud = FakeCloud::new(BrokerDefect::None, CloudDefect::None);
    cloud.target.parts.topology = Topology::TOY;
    cloud
}

#[tokio::test]
async fn topology_decides_whether_there_is_something_to_test() {
    let error = preflight::serving(&other(), &other().target, Duration::ZERO)
        .await
        .unwrap_err();
    assert!(
        error.to_string().ends_with("both members are wanted (i-1 InService)"),
        "{error}"
    );
}

#[tokio::test]
async fn fault_that_the_topology_does_not_stand_is_refused_before_anything_is_changed() {
    let cloud = Arc::new(other());
    let faults = [Fault::KillQueueManager, Fault::TerminateInstance];
    let error = test(&cloud, &scenario(&faults)).await.unwrap_err();
    assert!(
        matches!(
            error,
            FailoverError::NotStood {
                fault: Fault::TerminateInstance,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.exit(), ExitKind::Precondition);
    assert!(error.hint().is_some_and(|hint| hint.ends_with("kill-queue-manager")));
    assert!(!cloud.injected.load(Ordering::SeqCst) && cloud.turn.lock().unwrap().is_none());
}

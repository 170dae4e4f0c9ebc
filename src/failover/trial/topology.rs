//! A stack of another topology, of tests alone: what it asks for is what a test goes by.

use super::*;
use crate::failover::drive::preflight;
use crate::model::Topology;

fn other() -> Sky {
    let mut sky = Sky::new(Defect::None, Twist::None);
    sky.target.parts.topology = Topology::TOY;
    sky
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
    let sky = Arc::new(other());
    let faults = [Fault::KillQueueManager, Fault::TerminateInstance];
    let error = test(&sky, &scenario(&faults)).await.unwrap_err();
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
    assert!(!sky.injected.load(Ordering::SeqCst) && sky.turn.lock().unwrap().is_none());
}

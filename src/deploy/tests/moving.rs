//! A planned move that takes the capacity away leaves none behind, and says so where it cannot give it back.

use super::*;
use crate::deploy::moving::{Move, MoveError, Moved, Moves, begin_move, carry_out_move, prepare_move};
use crate::stack::{Member, Parts};
use std::time::Instant;

impl Moves for Script {
    async fn hand_over(&self, _: &Documents, instance: &InstanceId, _: bool) -> Result<AgentStatus, ReadError> {
        if self.silent == Some(instance.as_str()) {
            std::future::pending::<()>().await;
        }
        Err(AwsError::test(Problem::NotFound).into())
    }
    async fn set_capacity(&self, _: &str, desired: u32) -> Result<(), AwsError> {
        self.called(match desired {
            0 => "take-capacity",
            _ => "give-capacity",
        })
    }
}

fn in_an_hour() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

/// A stack that serves, and what is planned for it.
async fn serving(frames: &[&'static str]) -> (Script, Result<Option<Move>, MoveError>) {
    let cloud = Script {
        group: Some(group("InService", &[])),
        agent: Some(agent("serving", None)),
        ..Script::new(frames.iter().map(|status| (Some(*status), vec![])))
    };
    let planned = prepare_move(&cloud, "mqaws-qm1", "eu-west-1", true, false).await;
    (cloud, planned)
}

async fn carried_out(cloud: &Script, planned: &Move, limit: Duration, stop: &Stop) -> Result<Moved, MoveError> {
    carry_out_move(cloud, planned, limit, PACE, stop, &mut |_: Step| {}).await
}

#[tokio::test]
async fn a_stack_on_which_an_operation_is_going_on_is_not_moved() {
    let (_, refused) = serving(&["UPDATE_IN_PROGRESS"]).await;
    let busy = StackBusy {
        stack: "mqaws-qm1".into(),
        status: "UPDATE_IN_PROGRESS".into(),
    };
    let refused = refused.unwrap_err();
    let words = |error: &dyn Remedy| (error.to_string(), error.exit(), error.hint(), error.left());
    assert_eq!(words(&refused), words(&busy));

    // It began while the user was asked.
    let (cloud, planned) = serving(&["UPDATE_COMPLETE", "UPDATE_IN_PROGRESS"]).await;
    *cloud.moving.lock().unwrap() = true;
    let planned = planned.unwrap().unwrap();
    let refused = carried_out(&cloud, &planned, Duration::from_secs(60), &Stop::never()).await;
    assert_eq!(words(&refused.unwrap_err()), words(&busy));
    assert!(!cloud.calls().iter().any(|call| call.contains("capacity")));
}

#[tokio::test]
async fn a_beginning_ends_with_the_time_or_the_users_patience_and_gives_the_capacity_back() {
    let capacity = |cloud: &Script| -> Vec<String> {
        let calls = cloud.calls().into_iter();
        calls.filter(|call| call.contains("capacity")).collect()
    };
    // The instance never leaves.
    let (cloud, planned) = serving(&["UPDATE_COMPLETE"]).await;
    let planned = planned.unwrap().unwrap();
    assert!(
        planned.remains().contains("--desired-capacity 1"),
        "{}",
        planned.remains()
    );
    let late = carried_out(&cloud, &planned, Duration::from_millis(20), &Stop::never()).await;
    let late = late.unwrap_err();
    assert!(matches!(late, MoveError::Late { .. }), "{late}");
    assert_eq!(late.exit(), ExitKind::NoRecovery);
    assert!(
        late.left()
            .is_some_and(|left| left.contains("the move of stack mqaws-qm1"))
    );
    assert_eq!(capacity(&cloud), ["take-capacity", "give-capacity"]);

    let (ask, asked) = tokio::sync::watch::channel(false);
    let stop = Stop::new(asked);
    let (cloud, planned) = serving(&["UPDATE_COMPLETE"]).await;
    let planned = planned.unwrap().unwrap();
    let moving = carried_out(&cloud, &planned, Duration::from_secs(3600), &stop);
    let (ended, _) = tokio::join!(moving, async { ask.send(true) });
    let ended = ended.unwrap_err();
    assert!(matches!(ended, MoveError::Interrupted { .. }), "{ended}");
    assert_eq!(capacity(&cloud), ["take-capacity", "give-capacity"]);

    // An order that is never answered.
    let cloud = Script {
        silent: Some("i-1"),
        ..Script::new([])
    };
    let parts = Parts {
        topology: Topology::TOY,
        ..Parts::default()
    };
    let from = InstanceId::new("i-1").unwrap();
    begin_move(&cloud, &parts, &from, false, PACE, (in_an_hour(), &stop))
        .await
        .unwrap();
    begin_move(&cloud, &parts, &from, false, PACE, (Instant::now(), &Stop::never()))
        .await
        .unwrap();
}

/// Begins a move of a stack of one member, whose instance goes at once; which calls about its capacity were made, and how it ended.
async fn moved(failures: &[(&'static str, Problem)]) -> (Vec<String>, Result<(), MoveError>) {
    let cloud = Script::new([]).failing(failures.iter().cloned());
    let parts = Parts {
        members: vec![Member { group: "g".into() }],
        ..Parts::default()
    };
    let mut gone = group("InService", &[]);
    gone.members.clear();
    let cloud = Script {
        group: Some(gone),
        ..cloud
    };
    let from = InstanceId::new("i-1").unwrap();
    let ended = begin_move(&cloud, &parts, &from, false, PACE, (in_an_hour(), &Stop::never())).await;
    let calls = cloud.calls().into_iter().filter(|call| call.contains("capacity"));
    (calls.collect(), ended)
}

#[tokio::test]
async fn a_capacity_that_was_taken_is_given_back_or_named_with_the_command_that_does() {
    let (calls, ended) = moved(&[]).await;
    assert_eq!(calls, ["take-capacity", "give-capacity"]);
    assert!(ended.is_ok(), "{ended:?}");

    // Refused at once: nothing began. An answer that got lost may have begun it.
    let (calls, ended) = moved(&[("take-capacity", Problem::Refused)]).await;
    assert_eq!(calls, ["take-capacity"]);
    assert!(matches!(ended, Err(MoveError::Aws(_))), "{ended:?}");
    let (calls, ended) = moved(&[("take-capacity", Problem::Unreachable)]).await;
    assert_eq!(calls, ["take-capacity", "give-capacity"]);
    assert!(matches!(ended, Err(MoveError::Aws(_))), "{ended:?}");

    let (calls, ended) = moved(&[("give-capacity", Problem::Unreachable)]).await;
    assert_eq!(calls, ["take-capacity", "give-capacity", "give-capacity"]);
    assert!(ended.is_ok(), "{ended:?}");
    let (_, ended) = moved(&[("give-capacity", Problem::Refused)]).await;
    let error = ended.unwrap_err();
    assert!(error.left().is_some_and(|left| left.contains("group g")), "{error}");
    let command = "`aws autoscaling set-desired-capacity --auto-scaling-group-name g --desired-capacity 1`";
    assert!(error.hint().is_some_and(|hint| hint.contains(command)), "{error}");
    assert_eq!(error.exit(), ExitKind::Remote);
}

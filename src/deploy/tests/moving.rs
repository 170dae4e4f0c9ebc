//! A planned move that takes the capacity away leaves none behind, and says so where it cannot give it back.

use super::*;
use crate::deploy::moving::{MoveError, Moves, begin_move};
use crate::stack::{Member, Parts};

impl Moves for Script {
    async fn hand_over(&self, _: &Documents, _: &InstanceId, _: bool) -> Result<AgentStatus, ReadError> {
        Err(AwsError::test(Problem::NotFound).into())
    }
    async fn set_capacity(&self, _: &str, desired: u32) -> Result<(), AwsError> {
        self.called(match desired {
            0 => "take-capacity",
            _ => "give-capacity",
        })
    }
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
    let ended = begin_move(&cloud, &parts, &from, false, PACE).await;
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

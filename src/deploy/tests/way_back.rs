//! What an update that went back says of the instance.

use super::*;

#[test]
fn way_back_tells_what_became_of_the_instance() {
    let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).expect("in range");
    let signalled = "Received SUCCESS signal with UniqueId i-2";
    let frames = vec![
        (Some("CREATE_COMPLETE"), vec![]),
        (
            Some("UPDATE_IN_PROGRESS"),
            vec![event(1, "mqaws-qm1", "UPDATE_IN_PROGRESS", "User Initiated")],
        ),
        (
            Some("UPDATE_ROLLBACK_COMPLETE"),
            vec![
                event(
                    5,
                    "MountTarget1",
                    "UPDATE_FAILED",
                    "mount target already exists in this AZ",
                ),
                event(6, "mqaws-qm1", "UPDATE_ROLLBACK_IN_PROGRESS", ""),
                event(70, "Group", "UPDATE_IN_PROGRESS", signalled),
                event(71, "mqaws-qm1", "UPDATE_ROLLBACK_COMPLETE", ""),
            ],
        ),
    ];
    let termination = |second| Termination {
        at: at(second),
        instance: InstanceId::new("i-1").unwrap(),
    };
    for (terminations, denied, expected) in [
        (vec![], false, "the stack in its previous state"),
        // Somebody else's, before the update began.
        (vec![termination(-9)], false, "the stack in its previous state"),
        (
            vec![termination(10)],
            false,
            "the stack, restored to its previous settings; its instance was replaced: i-1 was terminated at 22:13:30, i-2 reported service at \
             22:14:30, about 60 s without service",
        ),
        (
            vec![termination(10)],
            true,
            "the stack, restored to its previous settings; could not determine whether its instance was replaced (",
        ),
    ] {
        let mut cloud = Script::new(frames.clone()).with_changes(changes());
        cloud.resources = vec![resource(
            "Group",
            "AWS::AutoScaling::AutoScalingGroup",
            "UPDATE_COMPLETE",
        )];
        cloud.terminations = terminations;
        if denied {
            let denied = Problem::Denied("autoscaling:DescribeScalingActivities".into());
            cloud = cloud.failing([("terminations", denied)]);
        }
        let (result, _) = carried_out(&cloud, &Stop::never());
        let left = result.expect_err("rolled back").left().expect("left");
        assert!(left.starts_with(expected), "{left}");
    }
}

//! The end of a stack, and what is kept.

use super::super::stake::StakeError;
use super::*;

#[test]
fn destruction_tells_what_is_kept() {
    let frames = vec![
        (
            Some("CREATE_COMPLETE"),
            vec![event(1, "FileSystem", "CREATE_COMPLETE", "")],
        ),
        (
            Some("DELETE_IN_PROGRESS"),
            vec![event(5, "Group", "DELETE_COMPLETE", "")],
        ),
        (
            None,
            vec![
                event(6, "FileSystem", "DELETE_SKIPPED", ""),
                event(7, "mqaws-qm1", "DELETE_COMPLETE", ""),
            ],
        ),
    ];
    let cloud = Script::new(frames).failing([("events", Problem::Throttled)]);
    let removal = wait(find(&cloud, "mqaws-qm1", false)).expect("found").expect("there");
    // The first reading of events is before anything is changed, so its failure ends the verb.
    assert!(wait(destroy(&cloud, &removal, None, PACE, &Stop::never(), &mut |_: Step| {})).is_err());
    assert!(!cloud.calls().contains(&"delete-stack".to_owned()));
    let kept = wait(destroy(&cloud, &removal, None, PACE, &Stop::never(), &mut |_: Step| {})).expect("destroyed");
    assert_eq!(kept, ["file system fs-physical"]);
}

fn stored(id: &str) -> Storage {
    Storage {
        id: id.into(),
        state: "available".into(),
        bytes: 6144,
        created: None,
        tags: [(STACK_TAG.to_owned(), "mqaws-qm1".to_owned())].into(),
        made: Made::default(),
    }
}

#[test]
fn storage_that_an_earlier_operation_kept_is_told_as_long_as_it_is_there() {
    let skipped = || event(2, "FileSystem", "DELETE_SKIPPED", "");
    for before in [
        // A destruction that was killed, one that failed, and a creation that went back.
        (
            "DELETE_IN_PROGRESS",
            event(1, "mqaws-qm1", "DELETE_IN_PROGRESS", "User Initiated"),
        ),
        ("DELETE_FAILED", event(3, "mqaws-qm1", "DELETE_FAILED", "")),
        ("ROLLBACK_COMPLETE", event(3, "mqaws-qm1", "ROLLBACK_COMPLETE", "")),
    ] {
        for (there, told) in [(Some("available"), true), (Some("deleting"), false), (None, false)] {
            let mut cloud = Script::new([
                (Some(before.0), vec![before.1.clone(), skipped()]),
                (None, vec![event(7, "mqaws-qm1", "DELETE_COMPLETE", "")]),
            ]);
            cloud.storage = there
                .map(|state| Storage {
                    state: state.into(),
                    ..stored("fs-physical")
                })
                .into_iter()
                .collect();
            let removal = wait(find(&cloud, "mqaws-qm1", false)).expect("found").expect("there");
            let kept =
                wait(destroy(&cloud, &removal, None, PACE, &Stop::never(), &mut |_: Step| {})).expect("destroyed");
            let wanted: &[&str] = if told { &["file system fs-physical"] } else { &[] };
            assert_eq!(kept, wanted, "{} {there:?}", before.0);
        }
    }
    // CloudFormation's word stands where EFS does not answer.
    let cloud = Script::new([(Some("DELETE_IN_PROGRESS"), vec![skipped()]), (None, vec![])]).failing([(
        "file-systems",
        Problem::Denied("elasticfilesystem:DescribeFileSystems".into()),
    )]);
    let removal = wait(find(&cloud, "mqaws-qm1", false)).expect("found").expect("there");
    let kept = wait(destroy(&cloud, &removal, None, PACE, &Stop::never(), &mut |_: Step| {})).expect("destroyed");
    assert_eq!(kept, ["file system fs-physical"]);
}

#[test]
fn failed_destruction_tells_what_is_kept() {
    let cloud = Script::new([
        (Some("CREATE_COMPLETE"), vec![]),
        (
            Some("DELETE_FAILED"),
            vec![event(5, "FileSystem", "DELETE_SKIPPED", "")],
        ),
    ]);
    let removal = wait(find(&cloud, "mqaws-qm1", false)).expect("found").expect("there");
    let error = wait(destroy(&cloud, &removal, None, PACE, &Stop::never(), &mut |_: Step| {})).expect_err("failed");
    let left = error.left().expect("something");
    assert!(
        left.contains("its remaining resources; file system fs-physical (kept)"),
        "{left}"
    );
}

#[test]
fn what_a_stack_left_is_told_when_the_stack_is_gone() {
    let mut cloud = Script::new([(None, vec![])]);
    let mut other = stored("fs-2");
    other.tags = [(STACK_TAG.to_owned(), "mqaws-qm2".to_owned())].into();
    cloud.storage = vec![stored("fs-1"), other];
    assert!(wait(find(&cloud, "mqaws-qm1", false)).expect("read").is_none());
    let left = wait(kept_of(&cloud, "mqaws-qm1")).expect("read");
    let ids: Vec<&str> = left.iter().map(|kept| kept.id.as_str()).collect();
    assert_eq!(ids, ["fs-1"]);
}

#[test]
fn failed_destruction_tells_why() {
    let frames = vec![
        (Some("CREATE_COMPLETE"), vec![]),
        (
            Some("DELETE_FAILED"),
            vec![event(
                5,
                "FileSystemSecurityGroup",
                "DELETE_FAILED",
                "has a dependent object",
            )],
        ),
    ];
    let cloud = Script::new(frames);
    let removal = wait(find(&cloud, "mqaws-qm1", false)).expect("found").expect("there");
    let error = wait(destroy(&cloud, &removal, None, PACE, &Stop::never(), &mut |_: Step| {})).expect_err("failed");
    assert!(
        error.details()[0].1.contains("has a dependent object"),
        "{:?}",
        error.details()
    );
}

/// AWS's words name the stack's own group; to delete that is what it failed to do.
#[test]
fn whoever_uses_a_security_group_is_named_and_the_stacks_own_group_is_not_blamed() {
    let mut blocked = event(
        5,
        "InstanceSecurityGroup",
        "DELETE_FAILED",
        "resource sg-1 has a dependent object (Service: Ec2, Status Code: 400)",
    );
    blocked.kind = "AWS::EC2::SecurityGroup".into();
    blocked.physical = Some("sg-1".into());
    let mut own = event(4, "FileSystemSecurityGroup", "DELETE_COMPLETE", "");
    own.physical = Some("sg-2".into());
    let mut cloud = Script::new(vec![
        (Some("CREATE_COMPLETE"), vec![]),
        (Some("DELETE_FAILED"), vec![own, blocked]),
    ]);
    cloud.users = GroupUsers {
        groups: vec!["sg-2".into(), "sg-foreign".into()],
        interfaces: vec!["eni-1".into()],
    };
    let removal = wait(find(&cloud, "mqaws-qm1", false)).expect("found").expect("there");
    let error = wait(destroy(&cloud, &removal, None, PACE, &Stop::never(), &mut |_: Step| {})).expect_err("failed");
    let hint = error.hint().expect("a hint");
    assert!(
        hint.contains("the rule of security group sg-foreign that refers to sg-1"),
        "{hint}"
    );
    assert!(hint.contains("eni-1") && !hint.contains("sg-2"), "{hint}");
}

#[test]
fn protected_and_foreign_stacks_are_not_removed() {
    for (foreign, protected, unprotect, expected) in [
        (true, false, false, Some("was not created by mqaws")),
        (false, true, false, Some("protected")),
        (false, true, true, None),
        (false, false, false, None),
    ] {
        let mut cloud = Script::new([(Some("CREATE_COMPLETE"), vec![])]);
        (cloud.foreign, cloud.protected) = (foreign, protected);
        let found = wait(find(&cloud, "mqaws-qm1", unprotect));
        match expected {
            Some(words) => assert!(found.expect_err(words).to_string().contains(words)),
            None => assert!(found.is_ok_and(|f| f.is_some())),
        }
    }
}

#[test]
fn stack_under_way_is_not_removed() {
    for (status, busy) in [
        ("UPDATE_IN_PROGRESS", true),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", true),
        ("UPDATE_ROLLBACK_IN_PROGRESS", true),
        ("CREATE_IN_PROGRESS", false),
        ("ROLLBACK_IN_PROGRESS", false),
        ("DELETE_IN_PROGRESS", false),
    ] {
        let cloud = Script::new([(Some(status), vec![])]);
        let found = wait(find(&cloud, "mqaws-qm1", false));
        assert_eq!(
            matches!(found, Err(DeployError::Busy { .. })),
            busy,
            "{status}: {found:?}"
        );
    }
    // An update that began after the stack was found.
    let mut cloud = Script::new([(Some("CREATE_COMPLETE"), vec![])]);
    cloud.undeletable = Some("UPDATE_IN_PROGRESS");
    let removal = wait(find(&cloud, "mqaws-qm1", false)).expect("found").expect("there");
    let error = wait(destroy(&cloud, &removal, None, PACE, &Stop::never(), &mut |_: Step| {})).expect_err("busy");
    assert_eq!(error.to_string(), "stack mqaws-qm1 is busy: UPDATE_IN_PROGRESS");
    assert_eq!(error.exit(), ExitKind::Precondition);
}

#[test]
fn what_is_kept_is_not_counted_among_what_goes() {
    let mut cloud = Script::new([(Some("CREATE_COMPLETE"), vec![])]);
    cloud.resources = vec![
        resource("FileSystem", "AWS::EFS::FileSystem", "CREATE_COMPLETE"),
        resource("Group", "AWS::AutoScaling::AutoScalingGroup", "CREATE_COMPLETE"),
        resource("Role", "AWS::IAM::Role", "UPDATE_COMPLETE"),
        resource("Listener", "AWS::ElasticLoadBalancingV2::Listener", "DELETE_COMPLETE"),
    ];
    let removal = wait(find(&cloud, "mqaws-qm1", false)).expect("found").expect("there");
    assert_eq!(
        (removal.resources, removal.instances),
        (2, Some(0)),
        "its instance is gone"
    );
    assert_eq!(removal.kept, ["FileSystem-1"]);
    cloud.group = Some(group("InService", &[]));
    let removal = wait(find(&cloud, "mqaws-qm1", false)).expect("found").expect("there");
    assert_eq!(removal.instances, Some(1));
}

#[test]
fn whoever_stops_watching_a_deletion_learns_what_stays() {
    let mut cloud = Script::new([(Some("CREATE_COMPLETE"), vec![]), (Some("DELETE_IN_PROGRESS"), vec![])]);
    cloud.resources = vec![resource("FileSystem", "AWS::EFS::FileSystem", "CREATE_COMPLETE")];
    let removal = wait(find(&cloud, "mqaws-qm1", false)).expect("found").expect("there");
    let stop = Stop::new(tokio::sync::watch::channel(true).1);
    let error = wait(destroy(&cloud, &removal, None, PACE, &stop, &mut |_: Step| {})).expect_err("stopped");
    assert_eq!(
        error.left().as_deref(),
        Some("stack mqaws-qm1; its deletion continues; file system FileSystem-1 (kept)")
    );
    let pace = Pace {
        operation: Some(Duration::ZERO),
        ..PACE
    };
    let late = wait(destroy(&cloud, &removal, None, pace, &Stop::never(), &mut |_: Step| {})).expect_err("late");
    assert!(matches!(late, DeployError::StillDeleting { .. }), "{late}");
    assert_eq!((late.left(), late.exit()), (error.left(), ExitKind::Remote));
}

/// Removes a protected stack of a cloud that does not let it go.
fn unprotected(cloud: &Script) -> DeployError {
    let removal = wait(find(cloud, "mqaws-qm1", true)).expect("found").expect("there");
    wait(destroy(cloud, &removal, None, PACE, &Stop::never(), &mut |_: Step| {})).expect_err("fails")
}

fn protected(frames: impl IntoIterator<Item = Frame>) -> Script {
    let mut cloud = Script::new(frames);
    cloud.protected = true;
    cloud
}

#[test]
fn protection_is_put_back_when_nothing_is_deleted() {
    let denied = || Problem::Denied("cloudformation:DeleteStack".into());
    let there = || protected([(Some("CREATE_COMPLETE"), vec![])]);
    let mut busy = there();
    busy.undeletable = Some("UPDATE_IN_PROGRESS");
    for cloud in [there().failing([("delete-stack", denied())]), busy] {
        let error = unprotected(&cloud);
        let calls = cloud.calls();
        let last = calls.iter().rfind(|call| call.contains("protect"));
        assert_eq!(last.map(String::as_str), Some("protect"), "{calls:?}");
        assert_eq!(error.left().as_deref(), Some("nothing was changed"), "{error}");
    }
}

#[test]
fn protection_that_stays_off_is_told() {
    const OFF: &str = "stack mqaws-qm1 is no longer protected against deletion";
    let denied = || Problem::Denied("cloudformation:DeleteStack".into());
    let there = || protected([(Some("CREATE_COMPLETE"), vec![])]);
    let cloud = there().failing([("delete-stack", denied()), ("protect", denied())]);
    let error = unprotected(&cloud);
    assert_eq!(
        error.left(),
        Some(format!("{OFF}; nothing else was changed")),
        "{error}"
    );
    // An answer that got lost: the deletion may have begun.
    let cloud = there().failing([("delete-stack", Problem::TimedOut), ("protect", denied())]);
    let left = unprotected(&cloud).left().expect("something");
    assert!(
        left.contains("in the state that the operation results in") && left.contains(OFF),
        "{left}"
    );
    // The switch itself: an answer that got lost says nothing.
    let cloud = there().failing([("unprotect", Problem::TimedOut), ("protect", denied())]);
    let left = unprotected(&cloud).left().expect("something");
    assert!(left.contains(OFF), "{left}");
    // A deletion that began and failed.
    let cloud = protected([(Some("CREATE_COMPLETE"), vec![]), (Some("DELETE_FAILED"), vec![])]);
    let left = unprotected(&cloud).left().expect("something");
    assert!(left.contains("its remaining resources") && left.contains(OFF), "{left}");
}

#[test]
fn what_is_not_deleted_after_all_stays_protected() {
    let mut cloud = protected([(Some("REVIEW_IN_PROGRESS"), vec![])]);
    let removal = wait(find(&cloud, "mqaws-qm1", true)).expect("found").expect("there");
    cloud.frames = Mutex::new([(Some("CREATE_COMPLETE"), vec![])].into());
    let error = wait(destroy(&cloud, &removal, None, PACE, &Stop::never(), &mut |_: Step| {})).expect_err("changed");
    assert!(matches!(error, DeployError::Changed { .. }), "{error}");
    assert!(!cloud.calls().contains(&"unprotect".to_owned()), "{:?}", cloud.calls());
}

#[test]
fn a_stack_that_only_bears_our_tag_is_not_removed() {
    let mut cloud = Script::new([(Some("CREATE_COMPLETE"), vec![])]);
    cloud.deployed = None;
    let error = wait(find(&cloud, "mqaws-qm1", false)).expect_err("somebody else's");
    assert!(
        matches!(error, DeployError::Stake(StakeError::UnknownQueueManager { .. })),
        "{error}"
    );
    // A creation that failed has no outputs yet.
    cloud.parameters = [("QueueManagerName".to_owned(), "QM1".to_owned())].into();
    assert!(wait(find(&cloud, "mqaws-qm1", false)).expect("ours").is_some());
}

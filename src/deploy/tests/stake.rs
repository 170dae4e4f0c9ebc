//! Data at stake: another queue manager on a stack, and a start beside what is kept.

use super::super::stake::{KeptStorage, StakeError};
use super::*;
use crate::stack::STACK_TAG;

const NAMED: Consent = Consent {
    new_storage: true,
    clear: true,
};

/// A living stack of ours that holds a queue manager.
fn stack(name: &str, queue_manager: &str) -> Stack {
    Stack {
        name: name.into(),
        id: format!("arn:{name}"),
        status: StackStatus("CREATE_COMPLETE".into()),
        reason: None,
        created: Timestamp::UNIX_EPOCH,
        outputs: [("QueueManagerName".to_owned(), queue_manager.to_owned())].into(),
        parameters: BTreeMap::new(),
        tags: [(STACK_TAG.to_owned(), name.to_owned())].into(),
        protected: false,
    }
}

fn living(deployed: &str) -> Script {
    let mut cloud = Script::new([(Some("UPDATE_COMPLETE"), vec![])]).with_changes(vec![]);
    cloud.deployed = Some(deployed.to_owned());
    cloud
}

fn plan_for(cloud: &Script, queue_manager: &str) -> Result<Plan, DeployError> {
    let blueprint = Blueprint {
        queue_manager: queue_manager.into(),
        ..blueprint()
    };
    wait(plan(
        cloud,
        &blueprint,
        Consent::default(),
        PACE,
        &Stop::never(),
        &mut |_: Step| {},
    ))
}

#[test]
fn another_queue_manager_on_a_stack_stops_unless_it_is_named() {
    for (deployed, wanted, other) in [
        ("QM1", "QM2", "mqaws-qm2"),
        // These share their default stack with what is deployed there.
        ("qm1", "QM1", "mqaws-qm1-2"),
        ("Q_", "Q.", "mqaws-q-"),
    ] {
        let cloud = living(deployed);
        let plan = plan_for(&cloud, wanted).expect("planned");
        for allowed in [&[][..], &["FileSystem".to_owned()]] {
            let error = plan.check(allowed).expect_err("stops");
            assert_eq!(
                error.to_string(),
                format!("this change replaces queue manager {deployed} of stack mqaws-qm1 with {wanted}")
            );
            let hint = error.hint().expect("a hint");
            let own = format!("`mqaws deploy --stack {other} --queue-manager {wanted}`");
            assert!(hint.contains(&own), "{hint}");
            let meant = format!("`mqaws deploy --stack mqaws-qm1 --queue-manager {deployed}`");
            assert!(hint.contains(&meant), "{hint}");
            assert!(hint.contains("--allow-replace QueueManagerName`"), "{hint}");
            assert_eq!(error.exit(), ExitKind::Precondition);
            assert_eq!(error.left().as_deref(), Some("nothing was changed"));
        }
        assert!(plan.check(&["QueueManagerName".into()]).is_ok());
    }
    let same = plan_for(&living("QM1"), "QM1").expect("planned");
    assert_eq!((&same.rename, same.check(&[]).is_ok()), (&None, true));
}

#[test]
fn change_that_also_replaces_a_file_system_has_to_name_both() {
    let mut change = add("FileSystem", "AWS::EFS::FileSystem");
    (change.action, change.replacement) = ("Modify".into(), Some("True".into()));
    let plan = plan_for(&living("QM1").with_changes(vec![change]), "QM2").expect("planned");
    let names = ["QueueManagerName".to_owned(), "FileSystem".to_owned()];
    assert!(plan.check(&names[..1]).is_err());
    assert!(plan.check(&names[1..]).is_err());
    assert!(plan.check(&names).is_ok());
}

#[test]
fn suggested_stack_is_free_or_holds_that_queue_manager() {
    let mut foreign = stack("mqaws-qm2", "QM2");
    foreign.tags.clear();
    for (others, expected) in [
        (vec![], "mqaws-qm2"),
        (vec![stack("mqaws-qm2", "QM2")], "mqaws-qm2"),
        (vec![stack("mqaws-qm2", "qm2")], "mqaws-qm2-2"),
        (vec![foreign], "mqaws-qm2-2"),
        (
            vec![stack("mqaws-qm2", "qm2"), stack("mqaws-qm2-2", "Qm2")],
            "mqaws-qm2-3",
        ),
    ] {
        let mut cloud = living("QM1");
        cloud.others = others.into_iter().map(|s| (s.name.clone(), s)).collect();
        let plan = plan_for(&cloud, "QM2").expect("planned");
        assert_eq!(plan.rename.expect("another").other_stack, expected);
    }
}

#[test]
fn parameter_tells_where_there_is_no_output_and_nothing_is_no_answer() {
    let mut cloud = living("QM1");
    cloud.deployed = None;
    let error = plan_for(&cloud, "QM1").expect_err("unknown");
    assert!(
        matches!(error, DeployError::Stake(StakeError::UnknownQueueManager { .. })),
        "{error}"
    );
    assert!(!cloud.calls().contains(&"update-set".to_owned()), "{:?}", cloud.calls());
    cloud.parameters = [("QueueManagerName".to_owned(), "QM1".to_owned())].into();
    assert_eq!(plan_for(&cloud, "QM1").expect("planned").rename, None);
    assert!(plan_for(&cloud, "QM2").expect("planned").rename.is_some());
}

/// A file system of a stack that CloudFormation made, as it is tagged today.
fn storage(id: &str, of_stack: &str, queue_manager: Option<&str>) -> Storage {
    let mut tags: BTreeMap<String, String> = [
        ("Name", of_stack),
        (STACK_TAG, of_stack),
        ("aws:cloudformation:stack-id", &format!("arn:old-{of_stack}")),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    tags.extend(queue_manager.map(|name| ("mqaws:queue-manager".to_owned(), name.to_owned())));
    Storage {
        id: id.into(),
        state: "available".into(),
        bytes: 18_200_000,
        created: Some(Timestamp::from_second(1_700_000_000).expect("in range")),
        tags,
        made: Made::default(),
    }
}

fn fresh(storage: Vec<Storage>) -> Script {
    let mut cloud = Script::new([(None, vec![])]).with_changes(changes());
    cloud.storage = storage;
    cloud
}

fn ids(kept: &[KeptStorage]) -> Vec<&str> {
    kept.iter().map(|k| k.id.as_str()).collect()
}

#[test]
fn start_beside_kept_data_of_the_stack_stops_and_lists_all_of_them() {
    let newer = Storage {
        created: Some(Timestamp::from_second(1_700_000_009).expect("in range")),
        ..storage("fs-2", "mqaws-qm1", Some("QM9"))
    };
    let cloud = fresh(vec![
        storage("fs-1", "mqaws-qm1", Some("QM1")),
        newer,
        storage("fs-3", "mqaws-other", Some("QM1")),
    ]);
    let error = planned(&cloud).expect_err("stops");
    assert_eq!(
        error.to_string(),
        "queue manager QM1 would start on a new, empty file system, but 2 previous ones are kept"
    );
    assert_eq!(
        error.details(),
        [(
            "kept".to_owned(),
            "file system fs-2, 18 MB, queue manager QM9, of stack mqaws-qm1, created 2023-11-14 22:13:29 UTC\n\
             file system fs-1, 18 MB, queue manager QM1, of stack mqaws-qm1, created 2023-11-14 22:13:20 UTC"
                .to_owned()
        )]
    );
    assert!(error.hint().is_some_and(|h| h.contains("--new-storage")));
    assert_eq!(error.left().as_deref(), Some("nothing was changed"));
    assert_eq!(error.exit(), ExitKind::Precondition);
    assert!(!cloud.calls().iter().any(|c| c.contains("set")), "{:?}", cloud.calls());
    let plan = planned_with(&cloud, NAMED).expect("goes on");
    assert_eq!(ids(&plan.kept), ["fs-2", "fs-1", "fs-3"]);
}

#[test]
fn kept_data_of_the_queue_manager_on_another_stack_are_told_and_stop_nothing() {
    // Each run of a pipeline has a stack of its own, and QM1 on all of them.
    let cloud = fresh(vec![
        storage("fs-1", "run-1", Some("QM1")),
        storage("fs-2", "run-2", Some("QM2")),
    ]);
    let plan = planned(&cloud).expect("goes on");
    assert_eq!(ids(&plan.kept), ["fs-1"]);
}

#[test]
fn file_system_without_our_tag_is_known_by_the_stack_that_made_it() {
    let arn = |name: &str| format!("arn:aws:cloudformation:eu-west-1:000000000000:stack/{name}/0-1");
    let made = |id: &str, name: &str| {
        let mut storage = storage(id, name, None);
        storage.tags = [("aws:cloudformation:stack-id".to_owned(), arn(name))].into();
        storage
    };
    let gone = |name: &str, ours: bool| {
        let mut stack = stack(name, "QM1");
        (stack.status, stack.tags) = (StackStatus("DELETE_COMPLETE".into()), BTreeMap::new());
        if ours {
            stack.outputs.insert("FileSystemId".into(), "fs".into());
        }
        (arn(name), stack)
    };
    for (ours, stops) in [(true, true), (false, false)] {
        let mut cloud = fresh(vec![made("fs-1", "mqaws-qm1"), made("fs-2", "unknown")]);
        cloud.others = [gone("mqaws-qm1", ours)].into();
        assert_eq!(planned(&cloud).is_err(), stops);
        let kept = planned_with(&cloud, NAMED).expect("planned").kept;
        assert_eq!(ids(&kept), if ours { vec!["fs-1"] } else { vec![] });
    }
}

#[test]
fn only_what_no_living_stack_has_is_kept() {
    let of = |id: &str, status: &str| {
        let mut one = resource("FileSystem", "AWS::EFS::FileSystem", status);
        one.physical = Some(id.into());
        one
    };
    let mut no_stack_id = storage("fs-restored", "mqaws-qm1", Some("QM1"));
    no_stack_id.tags.remove("aws:cloudformation:stack-id");
    let mut untagged = storage("fs-foreign", "mqaws-qm1", Some("QM1"));
    untagged.tags.clear();
    let mut deleting = storage("fs-gone", "mqaws-qm1", Some("QM1"));
    deleting.state = "deleting".into();
    let mut cloud = fresh(vec![
        storage("fs-mine", "mqaws-qm1", Some("QM1")),
        storage("fs-of-another-before", "mqaws-qm1", Some("QM9")),
        storage("fs-living", "mqaws-dev", Some("QM1")),
        storage("fs-replaced", "mqaws-dev", Some("QM1")),
        storage("fs-skipped", "mqaws-dev", Some("QM1")),
        storage("fs-other", "mqaws-qm2", Some("QM2")),
        // Of the version before, without the queue manager's tag; its stack tells.
        storage("fs-old-mine", "mqaws-old", None),
        storage("fs-old-other", "mqaws-old-2", None),
        storage("fs-old-unknown", "mqaws-old-3", None),
        no_stack_id,
        untagged,
        deleting,
    ]);
    let gone = |queue_manager: &str| Stack {
        status: StackStatus("DELETE_COMPLETE".into()),
        ..stack("old", queue_manager)
    };
    cloud.others = [
        ("arn:old-mqaws-dev", stack("mqaws-dev", "QM1")),
        ("arn:old-mqaws-old", gone("QM1")),
        ("arn:old-mqaws-old-2", gone("QM2")),
    ]
    .map(|(name, stack)| (name.to_owned(), stack))
    .into();
    let resources = vec![of("fs-living", "UPDATE_COMPLETE"), of("fs-skipped", "DELETE_SKIPPED")];
    cloud.resources_of = [("arn:mqaws-dev".to_owned(), resources)].into();
    let mut kept: Vec<(String, Option<String>)> = planned_with(&cloud, NAMED)
        .expect("planned")
        .kept
        .into_iter()
        .map(|k| (k.id, k.queue_manager))
        .collect();
    kept.sort();
    let expected = [
        ("fs-mine", "QM1"),
        ("fs-of-another-before", "QM9"),
        ("fs-old-mine", "QM1"),
        ("fs-replaced", "QM1"),
        ("fs-restored", "QM1"),
        ("fs-skipped", "QM1"),
    ]
    .map(|(id, name)| (id.to_owned(), Some(name.to_owned())));
    assert_eq!(kept, expected);
}

#[test]
fn names_that_efs_takes_in_no_tag_are_found_again() {
    let cloud = fresh(vec![storage("fs-1", "mqaws-other", Some("A:/_."))]);
    let kept = plan_for(&cloud, "A%/_.").expect("planned").kept;
    assert!(kept[0].to_string().contains("queue manager A%/_.,"), "{kept:?}");
    assert_eq!(plan_for(&cloud, "A/_.").expect("planned").kept, []);
}

#[test]
fn what_cannot_be_read_is_no_sign_that_nothing_is_kept() {
    for call in ["file-systems", "stack", "holder"] {
        let mut cloud = fresh(vec![storage("fs-1", "mqaws-dev", Some("QM1"))]);
        cloud.others = [("arn:old-mqaws-dev".to_owned(), stack("mqaws-dev", "QM1"))].into();
        let denied = Problem::Denied("elasticfilesystem:DescribeFileSystems".into());
        let failures = match call {
            // The first look is at the stack itself.
            "stack" => vec![("file-systems", Problem::Throttled), ("stack", denied)],
            call => vec![(call, denied)],
        };
        let first = failures.len() == 2;
        let cloud = cloud.failing(failures);
        if first {
            assert!(planned(&cloud).is_err());
            cloud.calls.lock().unwrap().clear();
        }
        let error = planned_with(&cloud, NAMED).expect_err("not read");
        assert!(matches!(error, DeployError::Aws(_)), "{call}: {error}");
        assert!(!cloud.calls().contains(&"create-set".to_owned()), "{call}");
    }
}

#[test]
fn update_of_a_stack_that_lives_looks_for_nothing_kept() {
    let mut cloud = living("QM1");
    cloud.storage = vec![storage("fs-1", "mqaws-qm1", Some("QM1"))];
    assert_eq!(plan_for(&cloud, "QM1").expect("planned").kept, []);
    assert!(!cloud.calls().contains(&"file-systems".to_owned()));
}

#[test]
fn dead_stack_stays_as_long_as_the_start_is_not_decided() {
    let mut cloud =
        Script::new([(Some("ROLLBACK_COMPLETE"), vec![]), (Some("DELETE_COMPLETE"), vec![])]).with_changes(changes());
    let mut skipped = resource("FileSystem", "AWS::EFS::FileSystem", "DELETE_SKIPPED");
    skipped.physical = Some("fs-1".into());
    cloud.resources = vec![skipped];
    cloud.storage = vec![storage("fs-1", "mqaws-qm1", Some("QM1"))];
    assert!(matches!(
        planned(&cloud),
        Err(DeployError::Stake(StakeError::KeptStorage { .. }))
    ));
    let only_new = Consent {
        new_storage: true,
        clear: false,
    };
    let error = planned_with(&cloud, only_new).expect_err("not cleared");
    assert!(matches!(error, DeployError::Dead { .. }), "{error}");
    assert!(!cloud.calls().contains(&"delete-stack".to_owned()));
    assert!(planned_with(&cloud, NAMED).is_ok());
    assert!(cloud.calls().contains(&"delete-stack".to_owned()));
}

/// The empty stack of a failed creation, which goes when it is deleted.
fn dead() -> Script {
    Script::new([(Some("ROLLBACK_COMPLETE"), vec![]), (Some("DELETE_COMPLETE"), vec![])]).with_changes(changes())
}

#[test]
fn error_after_the_empty_stack_was_removed_says_so() {
    const LEFT: &str = "the previous, empty stack was removed; nothing else was changed";
    let denied = || Problem::Denied("cloudformation:CreateChangeSet".into());
    let refused = |reason: &str| {
        let mut cloud = dead();
        cloud.set = Some(ChangeSet {
            status: "FAILED".into(),
            reason: Some(reason.into()),
            created: None,
            changes: vec![],
        });
        cloud
    };
    let mut invalid = refused("see DescribeEvents");
    invalid.findings = vec![Finding {
        path: "/Resources/LaunchTemplate/Properties/InstanceType".into(),
        words: "is none".into(),
    }];
    for cloud in [
        dead().failing([("create-set", denied())]),
        dead().failing([("create-set", Problem::Refused)]),
        dead().failing([("change-set", denied())]),
        refused("no such image"),
        invalid,
    ] {
        let error = planned(&cloud).expect_err("fails");
        assert!(cloud.calls().contains(&"delete-stack".to_owned()));
        assert_eq!(error.left().as_deref(), Some(LEFT), "{error}");
    }
    let cloud = dead().failing([("execute", denied())]);
    let error = carried_out(&cloud, &Stop::never()).0.expect_err("denied");
    assert_eq!(error.left().as_deref(), Some(LEFT), "{error}");

    // Nothing was removed, and nothing is said.
    let cloud = dead().failing([("delete-stack", denied())]);
    let error = planned(&cloud).expect_err("denied");
    assert_eq!(error.left().as_deref(), Some("nothing was changed"), "{error}");
    // Its deletion was begun, and how it ends was not seen.
    let cloud = dead().failing([("delete-stack", Problem::TimedOut)]);
    let error = planned(&cloud).expect_err("not known");
    assert!(matches!(error, DeployError::LostSight { .. }), "{error}");
}

#[test]
fn command_for_a_stack_names_it() {
    let stack = "mqaws-run-7".to_owned();
    let source = || AwsError::test(Problem::Server);
    let (before, after) = ("REVIEW_IN_PROGRESS".to_owned(), "CREATE_COMPLETE".to_owned());
    let status = "ROLLBACK_COMPLETE".to_owned();
    for error in [
        DeployError::Dead {
            stack: stack.clone(),
            status: status.clone(),
        },
        DeployError::Changed {
            stack: stack.clone(),
            before,
            after,
        },
        DeployError::Busy(StackBusy {
            stack: stack.clone(),
            status,
        }),
        DeployError::Protected { stack: stack.clone() },
        DeployError::NotAbandoned {
            stack: stack.clone(),
            source: source(),
        },
    ] {
        let hint = error.hint().expect("a hint");
        let commands: Vec<&str> = hint.split('`').skip(1).step_by(2).collect();
        assert!(!commands.is_empty(), "{hint}");
        for command in commands {
            assert!(command.contains("--stack mqaws-run-7"), "{hint}");
        }
    }
}

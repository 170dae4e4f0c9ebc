//! What belongs to somebody else stays: stacks in review, change sets, operations, file systems.

use super::*;
use crate::stack::STACK_TAG;

fn listed(of: Option<&str>) -> Listed {
    Listed {
        change_set: "theirs".into(),
        tags: of
            .map(|stack| (STACK_TAG.to_owned(), stack.to_owned()))
            .into_iter()
            .collect(),
    }
}

/// A stack in review, which has no tags, with change sets of others in it.
fn in_review(sets: Vec<Listed>) -> Script {
    let mut cloud =
        Script::new([(Some("REVIEW_IN_PROGRESS"), vec![]), (Some("DELETE_COMPLETE"), vec![])]).with_changes(changes());
    cloud.foreign = true;
    cloud.sets = Mutex::new(sets);
    cloud
}

fn deleted(cloud: &Script) -> bool {
    cloud.calls().contains(&"delete-stack".to_owned())
}

#[test]
fn abandoned_plan_leaves_a_review_that_was_there_before() {
    // Of another run of mqaws, which may come back to it.
    let cloud = in_review(vec![listed(Some("mqaws-qm1"))]);
    let plan = planned(&cloud).expect("planned");
    wait(abandon(&cloud, &plan, PACE)).expect("abandoned");
    assert!(
        cloud.calls().contains(&"delete-set".to_owned()),
        "its own change set goes"
    );
    assert!(!deleted(&cloud), "{:?}", cloud.calls());
}

#[test]
fn review_without_a_change_set_is_nobodys_and_stays() {
    let cloud = in_review(vec![]);
    for error in [
        planned(&cloud).expect_err("not known whose"),
        wait(find(&cloud, "mqaws-qm1", true)).expect_err("not known whose"),
    ] {
        assert!(
            error
                .to_string()
                .contains("is in REVIEW_IN_PROGRESS and has no change set"),
            "{error}"
        );
        let paste = format!("`aws cloudformation delete-stack --stack-name {STACK} --region eu-west-1`");
        assert!(
            error.hint().is_some_and(|hint| hint.contains(&paste)),
            "{:?}",
            error.hint()
        );
        assert_eq!(
            (error.exit(), error.left().as_deref()),
            (ExitKind::Precondition, Some("nothing was changed"))
        );
    }
    // Its change sets went while the question stood.
    let cloud = in_review(vec![listed(Some("mqaws-qm1"))]);
    let removal = wait(find(&cloud, "mqaws-qm1", false)).expect("found").expect("there");
    cloud.sets.lock().unwrap().clear();
    let done = wait(destroy(&cloud, &removal, None, PACE, &Stop::never(), &mut |_: Step| {}));
    assert!(matches!(done, Err(DeployError::Unclaimed { .. })), "{done:?}");
    for call in ["create-set", "delete-stack"] {
        assert!(!cloud.calls().contains(&call.to_owned()), "{:?}", cloud.calls());
    }
}

#[test]
fn abandoned_plan_never_leaves_a_review_without_its_change_set() {
    let denied = || Problem::Denied("cloudformation:DeleteStack".into());
    let review = || {
        Script::new([
            (None, vec![]),
            (Some("REVIEW_IN_PROGRESS"), vec![]),
            (Some("DELETE_COMPLETE"), vec![]),
        ])
    };
    for (failures, removed) in [(vec![], true), (vec![("delete-stack", denied())], false)] {
        let cloud = review().with_changes(changes()).failing(failures);
        let plan = planned(&cloud).expect("planned");
        let done = wait(abandon(&cloud, &plan, PACE));
        assert_eq!(done.is_ok(), removed, "{done:?}");
        assert!(
            removed || matches!(done, Err(DeployError::NotAbandoned { .. })),
            "{done:?}"
        );
        assert!(!cloud.calls().contains(&"delete-set".to_owned()), "{:?}", cloud.calls());
    }
}

#[test]
fn abandoned_plan_leaves_a_review_that_somebody_added_a_change_set_to() {
    for (theirs, goes) in [
        (vec![], true),
        (vec![listed(Some("mqaws-qm1"))], false),
        (vec![listed(None)], false),
    ] {
        let frames = [
            (None, vec![]),
            (Some("REVIEW_IN_PROGRESS"), vec![]),
            (Some("DELETE_COMPLETE"), vec![]),
        ];
        let cloud = Script::new(frames).with_changes(changes());
        let plan = planned(&cloud).expect("planned");
        let count = theirs.len();
        *cloud.sets.lock().unwrap() = theirs;
        wait(abandon(&cloud, &plan, PACE)).expect("abandoned");
        assert_eq!(deleted(&cloud), goes, "{count} of others");
    }
}

#[test]
fn review_whose_change_sets_cannot_be_listed_stays_and_is_told() {
    let frames = [(None, vec![]), (Some("REVIEW_IN_PROGRESS"), vec![])];
    let denied = Problem::Denied("cloudformation:ListChangeSets".into());
    let cloud = Script::new(frames)
        .with_changes(changes())
        .failing([("change-sets", denied)]);
    let plan = planned(&cloud).expect("planned");
    let error = wait(abandon(&cloud, &plan, PACE)).expect_err("not known");
    assert!(matches!(error, DeployError::NotAbandoned { .. }), "{error}");
    assert!(!deleted(&cloud));
}

#[test]
fn review_with_change_sets_of_others_is_neither_deployed_to_nor_destroyed() {
    for sets in [
        vec![listed(None)],
        vec![listed(Some("mqaws-qm1")), listed(None)],
        vec![listed(Some("mqaws-qm2"))],
    ] {
        let cloud = in_review(sets.clone());
        let error = planned(&cloud).expect_err("foreign");
        assert_eq!(error.to_string(), "stack mqaws-qm1 was not created by mqaws");
        assert!(!cloud.calls().contains(&"create-set".to_owned()));
        let error = wait(find(&cloud, "mqaws-qm1", true)).expect_err("foreign");
        assert!(matches!(error, DeployError::Foreign { .. }), "{error}");
    }
    let ours = in_review(vec![listed(Some("mqaws-qm1"))]);
    assert!(wait(find(&ours, "mqaws-qm1", false)).is_ok_and(|found| found.is_some()));
    let denied = Problem::Denied("cloudformation:ListChangeSets".into());
    let cloud = in_review(vec![]).failing([("change-sets", denied)]);
    assert!(
        wait(find(&cloud, "mqaws-qm1", false)).is_err(),
        "an error is no sign that it is ours"
    );
}

#[test]
fn review_that_became_something_else_while_the_question_stood_is_not_removed() {
    let removed = |change: &dyn Fn(&Script)| {
        let cloud = in_review(vec![listed(Some("mqaws-qm1"))]);
        let removal = wait(find(&cloud, "mqaws-qm1", false)).expect("found").expect("there");
        change(&cloud);
        let done = wait(destroy(&cloud, &removal, None, PACE, &Stop::never(), &mut |_: Step| {}));
        (done, deleted(&cloud))
    };
    let (done, deleted) = removed(&|_| {});
    assert!(done.is_ok() && deleted, "{done:?}");
    for status in ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"] {
        let (done, deleted) = removed(&|cloud| {
            *cloud.frames.lock().unwrap() = [(Some(status), vec![])].into();
        });
        let error = done.expect_err("executed meanwhile");
        assert_eq!(
            error.to_string(),
            format!("the status of stack mqaws-qm1 changed from REVIEW_IN_PROGRESS to {status}")
        );
        assert!(!deleted, "{status}");
    }
    let (done, deleted) = removed(&|cloud| cloud.sets.lock().unwrap().push(listed(None)));
    assert!(matches!(done, Err(DeployError::Foreign { .. })) && !deleted, "{done:?}");
}

/// Follows a plan with a wish to stop from the beginning.
fn stopped(cloud: &Script) -> Result<Settled, DeployError> {
    let (ask, wish) = tokio::sync::watch::channel(true);
    let done = carried_out(cloud, &Stop::new(wish)).0;
    drop(ask);
    done
}

#[test]
fn update_of_somebody_else_is_not_cancelled() {
    for (theirs, cancelled) in [(false, true), (true, false)] {
        let update = |second| event(second, "mqaws-qm1", "UPDATE_IN_PROGRESS", "User Initiated");
        let mut seen = vec![update(1)];
        if theirs {
            // Ours ended, and another began, while nothing could be seen.
            seen.extend([event(2, "mqaws-qm1", "UPDATE_COMPLETE", ""), update(3)]);
        }
        let cloud = Script::new([
            (Some("CREATE_COMPLETE"), vec![]),
            (Some("UPDATE_IN_PROGRESS"), seen),
            (
                Some("UPDATE_COMPLETE"),
                vec![event(9, "mqaws-qm1", "UPDATE_COMPLETE", "")],
            ),
        ])
        .with_changes(changes());
        assert!(stopped(&cloud).is_err());
        assert_eq!(
            cloud.calls().contains(&"cancel".to_owned()),
            cancelled,
            "{:?}",
            cloud.calls()
        );
    }
}

#[test]
fn stack_that_somebody_else_updates_by_now_is_not_deleted() {
    let cloud = Script::new([
        (None, vec![]),
        (
            Some("UPDATE_IN_PROGRESS"),
            vec![
                event(1, "mqaws-qm1", "CREATE_IN_PROGRESS", "User Initiated"),
                event(2, "mqaws-qm1", "CREATE_COMPLETE", ""),
                event(3, "mqaws-qm1", "UPDATE_IN_PROGRESS", "User Initiated"),
            ],
        ),
        (
            Some("UPDATE_COMPLETE"),
            vec![event(9, "mqaws-qm1", "UPDATE_COMPLETE", "")],
        ),
    ])
    .with_changes(changes());
    assert!(stopped(&cloud).is_err());
    assert!(!deleted(&cloud), "{:?}", cloud.calls());
}

#[test]
fn interrupted_creation_deletes_only_a_file_system_that_it_made() {
    for (made, cleared) in [(true, true), (false, false)] {
        let mut ours = vec![event(1, "mqaws-qm1", "CREATE_IN_PROGRESS", "User Initiated")];
        if made {
            ours.push(event(2, "FileSystem", "CREATE_COMPLETE", ""));
        }
        let cloud = Script::new([
            (None, vec![]),
            (Some("CREATE_IN_PROGRESS"), ours),
            (
                Some("DELETE_COMPLETE"),
                vec![
                    event(5, "FileSystem", "DELETE_SKIPPED", ""),
                    event(6, "mqaws-qm1", "DELETE_COMPLETE", ""),
                ],
            ),
        ])
        .with_changes(changes());
        let error = stopped(&cloud).expect_err("interrupted");
        assert_eq!(cloud.calls().contains(&"delete-file-system".to_owned()), cleared);
        let left = error.left().unwrap_or_default();
        assert_eq!(left.contains("file system fs-physical (kept)"), !cleared, "{left}");
    }
}

//! What a plan may do, and what stops it.

use super::*;

#[test]
fn no_change_is_success() {
    for reason in [
        "The submitted information didn't contain changes. Submit different information to create a change set.",
        "No updates are to be performed.",
    ] {
        let mut cloud = Script::new([(Some("CREATE_COMPLETE"), vec![])]).with_changes(vec![]);
        cloud.set = Some(ChangeSet {
            status: "FAILED".into(),
            reason: Some(reason.into()),
            created: None,
            changes: vec![],
        });
        let plan = planned(&cloud).expect("planned");
        assert!(plan.is_empty());
        assert!(
            cloud.calls().contains(&"delete-set".to_owned()),
            "the failed change set is removed"
        );
        assert!(!cloud.calls().contains(&"delete-stack".to_owned()));
        assert!(wait(execute(&cloud, &plan, PACE, &Stop::never(), &mut |_: Step| {})).is_ok());
    }
}

#[test]
fn refused_change_set_leaves_no_stack_behind() {
    let frames = [
        (None, vec![]),
        (Some("REVIEW_IN_PROGRESS"), vec![]),
        (Some("DELETE_COMPLETE"), vec![]),
    ];
    let mut cloud = Script::new(frames);
    let reason = Some("Parameter validation failed".into());
    cloud.set = Some(ChangeSet {
        status: "FAILED".into(),
        reason,
        created: None,
        changes: vec![],
    });
    let error = planned(&cloud).expect_err("refused");
    assert!(error.to_string().contains("Parameter validation failed"));
    assert_eq!(error.left().as_deref(), Some("nothing was changed"));
    let calls = cloud.calls();
    let at = |call: &str| calls.iter().position(|c| c == call).expect("called");
    // The change set goes with it.
    assert!(at("change-sets") < at("delete-stack"), "{calls:?}");
}

#[test]
fn values_that_early_validation_refuses_are_told_with_their_keys() {
    let reason = "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]. To troubleshoot \
                  Early Validation errors, use the DescribeEvents API for detailed failure information.";
    let finding = Finding {
        path: "/Resources/LaunchTemplate/Properties/LaunchTemplateData/InstanceType".into(),
        words: "zz.large is not a valid value".into(),
    };
    let denied = Problem::Denied("cloudformation:DescribeEvents".into());
    for (findings, failing, exit, cause, hint) in [
        (
            vec![finding.clone()],
            None,
            ExitKind::Precondition,
            "LaunchTemplateData/InstanceType: zz.large is not a valid value",
            "change `instance.type`",
        ),
        (
            vec![finding],
            Some(denied),
            ExitKind::Remote,
            "",
            "to identify the value: grant `cloudformation:DescribeEvents`",
        ),
        (vec![], None, ExitKind::Remote, "", "check the IDs"),
    ] {
        let frames = [(Some("REVIEW_IN_PROGRESS"), vec![]), (Some("DELETE_COMPLETE"), vec![])];
        let mut cloud = Script::new(frames).failing(failing.map(|problem| ("findings", problem)));
        cloud.set = Some(ChangeSet {
            status: "FAILED".into(),
            reason: Some(reason.into()),
            created: None,
            changes: vec![],
        });
        cloud.findings = findings;
        let error = planned(&cloud).expect_err("refused");
        assert_eq!(error.exit(), exit, "{error}");
        let details = format!("{:?}", error.details());
        assert!(details.contains(cause), "{details}");
        assert!(error.hint().is_some_and(|h| h.starts_with(hint)), "{:?}", error.hint());
        let calls = cloud.calls();
        let at = |call: &str| calls.iter().position(|c| c == call).expect("called");
        assert!(
            at("findings") < at("delete-set"),
            "the findings go with the change set: {calls:?}"
        );
    }
}

#[test]
fn state_of_the_stack_decides_what_a_plan_may_do() {
    for (status, foreign, resources, expected) in [
        ("REVIEW_IN_PROGRESS", false, "", Ok("create-set")),
        ("CREATE_COMPLETE", false, "", Ok("update-set")),
        ("UPDATE_ROLLBACK_COMPLETE", false, "", Ok("update-set")),
        ("ROLLBACK_COMPLETE", false, "DELETE_COMPLETE", Ok("delete-stack")),
        ("ROLLBACK_COMPLETE", false, "DELETE_SKIPPED", Ok("delete-stack")),
        (
            "ROLLBACK_COMPLETE",
            false,
            "DELETE_FAILED",
            Err("cannot be deployed to"),
        ),
        (
            "ROLLBACK_COMPLETE",
            true,
            "DELETE_COMPLETE",
            Err("cannot be deployed to"),
        ),
        ("ROLLBACK_FAILED", false, "DELETE_FAILED", Err("cannot be deployed to")),
        ("UPDATE_ROLLBACK_FAILED", false, "", Err("cannot be deployed to")),
        ("DELETE_FAILED", false, "", Err("cannot be deployed to")),
        ("UPDATE_IN_PROGRESS", false, "", Err("is busy")),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", false, "", Err("is busy")),
        ("CREATE_COMPLETE", true, "", Err("was not created by mqaws")),
    ] {
        let mut cloud =
            Script::new([(Some(status), vec![]), (Some("DELETE_COMPLETE"), vec![])]).with_changes(changes());
        cloud.foreign = foreign;
        cloud.resources = vec![resource("FileSystem", "AWS::EFS::FileSystem", resources)];
        match (planned(&cloud), expected) {
            (Ok(_), Ok(call)) => assert!(
                cloud.calls().contains(&call.to_owned()),
                "{status}: {:?}",
                cloud.calls()
            ),
            (Err(error), Err(words)) => {
                assert!(error.to_string().contains(words), "{status}: {error}");
                assert!(error.hint().is_some(), "{status}: {error}");
                assert!(
                    !cloud.calls().iter().any(|c| c.contains("set") || c.contains("delete")),
                    "{status}"
                );
            }
            (found, _) => panic!("{status}: {found:?}"),
        }
    }
}

#[test]
fn abandoned_plan_removes_only_a_stack_without_resources() {
    for (status, removed) in [("REVIEW_IN_PROGRESS", true), ("CREATE_IN_PROGRESS", false)] {
        let frames = [
            (None, vec![]),
            (Some(status), vec![]),
            (Some("DELETE_COMPLETE"), vec![]),
        ];
        let cloud = Script::new(frames).with_changes(changes());
        let plan = planned(&cloud).expect("planned");
        cloud.frames.lock().unwrap().retain(|f| f.0.is_some());
        wait(abandon(&cloud, &plan, PACE)).expect("abandoned");
        assert_eq!(cloud.calls().contains(&"delete-stack".to_owned()), removed, "{status}");
    }
}

#[test]
fn replacing_a_file_system_stops() {
    let mut change = add("FileSystem", "AWS::EFS::FileSystem");
    change.action = "Modify".into();
    change.replacement = Some("True".into());
    let cloud = Script::new([(Some("CREATE_COMPLETE"), vec![])]).with_changes(vec![change]);
    let plan = planned(&cloud).expect("planned");
    assert!(matches!(
        plan.check(&[]),
        Err(DeployError::DataAtStake { replaced: true, .. })
    ));
    assert!(plan.check(&["Other".into()]).is_err());
    assert!(plan.check(&["FileSystem".into()]).is_ok());
}

#[test]
fn a_change_set_that_takes_too_long_is_abandoned() {
    let frames = [
        (None, vec![]),
        (Some("REVIEW_IN_PROGRESS"), vec![]),
        (Some("DELETE_COMPLETE"), vec![]),
    ];
    let mut cloud = Script::new(frames);
    cloud.set = Some(ChangeSet {
        status: "CREATE_IN_PROGRESS".into(),
        reason: None,
        created: None,
        changes: vec![],
    });
    let pace = PACE.within(Some(Duration::ZERO));
    let late = planned_at(&cloud, Consent::default(), pace).expect_err("late");
    assert_eq!(
        (late.to_string().as_str(), late.exit(), late.left().as_deref()),
        (
            "the change set of stack mqaws-qm1 was not ready within 0 s",
            ExitKind::Remote,
            Some("nothing was changed")
        )
    );
    assert!(
        cloud.calls().contains(&"delete-stack".to_owned()),
        "{:?}",
        cloud.calls()
    );
}

//! From a plan to a stack, and what goes wrong on the way.

use super::*;

#[test]
fn creation_is_followed_to_its_end() {
    let cloud = Script::new(created()).with_changes(changes());
    let (result, steps) = carried_out(&cloud, &Stop::never());
    let settled = result.expect("created");
    assert_eq!(settled.stack.status.0, "CREATE_COMPLETE");
    assert_eq!(
        settled.signal.as_deref(),
        Some("Received SUCCESS signal with UniqueId i-1")
    );
    assert_eq!(settled.kept, Vec::<String>::new());
    let ended: Vec<_> = steps
        .iter()
        .filter_map(|s| match s {
            Step::News {
                news: News::Ended { logical, .. },
                done,
                total,
            } => Some((logical.as_str(), *done, *total)),
            _ => None,
        })
        .collect();
    assert_eq!(ended.iter().map(|e| e.0).collect::<Vec<_>>(), ["FileSystem", "Group"]);
    assert_eq!(ended.last().map(|e| (e.1, e.2)), Some((2, 2)));
    assert!(cloud.calls().contains(&"create-set".to_owned()));
}

#[test]
fn failed_polls_are_no_verdict() {
    let polls = [
        ("events", Problem::Throttled),
        ("stack", Problem::Server),
        ("events", Problem::Unreachable),
        ("stack", Problem::TimedOut),
    ];
    // The plan itself reads the stack without failure first.
    let cloud = Script::new(created()).with_changes(changes()).failing(polls);
    let (result, _) = carried_out(&cloud, &Stop::never());
    assert!(result.is_ok(), "{result:?}");
    assert!(cloud.failures.lock().unwrap().is_empty(), "every failure was met");
}

#[test]
fn expired_credentials_end_the_watch_and_say_what_goes_on() {
    let cloud = Script::new(created())
        .with_changes(changes())
        .failing([("events", Problem::Expired)]);
    let (result, _) = carried_out(&cloud, &Stop::never());
    let error = result.expect_err("lost sight");
    assert!(matches!(error, DeployError::LostSight { .. }), "{error:?}");
    assert_eq!(error.exit(), ExitKind::Precondition);
    assert!(error.left().is_some_and(|l| l.contains("mqaws-qm1")));
}

#[test]
fn rollback_tells_root_cause_agent_and_what_is_left() {
    let frames = vec![
        (None, vec![]),
        (
            Some("CREATE_IN_PROGRESS"),
            vec![event(1, "mqaws-qm1", "CREATE_IN_PROGRESS", "")],
        ),
        (
            Some("ROLLBACK_IN_PROGRESS"),
            vec![
                event(5, "Listener", "CREATE_FAILED", "Resource creation cancelled"),
                event(5, "Group", "CREATE_FAILED", "Received 0 SUCCESS signal(s) out of 1"),
                event(6, "mqaws-qm1", "ROLLBACK_IN_PROGRESS", "failed"),
                event(7, "FileSystem", "DELETE_SKIPPED", ""),
            ],
        ),
        // More looks, so that the agent is read meanwhile.
        (Some("ROLLBACK_IN_PROGRESS"), vec![]),
        (Some("ROLLBACK_IN_PROGRESS"), vec![]),
        (Some("ROLLBACK_IN_PROGRESS"), vec![]),
        (
            Some("ROLLBACK_COMPLETE"),
            vec![event(8, "mqaws-qm1", "ROLLBACK_COMPLETE", "")],
        ),
    ];
    let mut cloud = Script::new(frames).with_changes(changes());
    cloud.resources = vec![resource(
        "Group",
        "AWS::AutoScaling::AutoScalingGroup",
        "CREATE_IN_PROGRESS",
    )];
    cloud.group = Some(group("InService", &[]));
    cloud.agent = Some(agent(
        "starting",
        Some("strmqm exit 71, AMQ7128E: No license installed"),
    ));
    let (result, steps) = carried_out(&cloud, &Stop::never());
    let error = result.expect_err("rolled back");
    let details: BTreeMap<_, _> = error.details().into_iter().collect();
    assert_eq!(error.to_string(), "stack mqaws-qm1 was rolled back");
    assert!(
        details["cause"].starts_with("`Group` AWS::AutoScaling::AutoScalingGroup, "),
        "{details:?}"
    );
    assert!(details["cause"].ends_with("Received 0 SUCCESS signal(s) out of 1"));
    assert!(
        details["agent"].starts_with("i-1 at ") && details["agent"].contains("AMQ7128E"),
        "{details:?}"
    );
    let left = error.left().expect("left");
    assert_eq!(
        left,
        "file system fs-physical (kept), the empty stack, which the next deployment removes"
    );
    assert!(error.hint().is_some_and(|h| h.contains("licence")));
    assert!(steps.iter().any(|s| matches!(
        s,
        Step::News {
            news: News::RollingBack { .. },
            ..
        }
    )));
}

#[test]
fn update_is_not_over_while_the_stack_still_shows_its_last_state() {
    let replaced = Event {
        physical: Some("fs-old".into()),
        ..event(2, "FileSystem", "DELETE_SKIPPED", "")
    };
    let frames = vec![
        (
            Some("UPDATE_COMPLETE"),
            vec![
                event(
                    -60,
                    "Group",
                    "UPDATE_IN_PROGRESS",
                    "Received SUCCESS signal with UniqueId i-0",
                ),
                event(-50, "mqaws-qm1", "UPDATE_COMPLETE", ""),
            ],
        ),
        (Some("UPDATE_COMPLETE"), vec![]),
        (
            Some("UPDATE_IN_PROGRESS"),
            vec![event(1, "mqaws-qm1", "UPDATE_IN_PROGRESS", "")],
        ),
        (
            Some("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
            vec![event(2, "Group", "UPDATE_COMPLETE", ""), replaced],
        ),
        (
            Some("UPDATE_COMPLETE"),
            vec![event(3, "mqaws-qm1", "UPDATE_COMPLETE", "")],
        ),
    ];
    let cloud = Script::new(frames).with_changes(changes());
    let (result, steps) = carried_out(&cloud, &Stop::never());
    let settled = result.expect("updated");
    assert_eq!(
        settled.signal, None,
        "the signals of earlier operations are none of this one"
    );
    assert_eq!(settled.kept, ["file system fs-old"]);
    assert!(steps.iter().any(|s| matches!(
        s,
        Step::News {
            news: News::Ended { verb: Verb::Update, .. },
            ..
        }
    )));
    assert!(cloud.calls().contains(&"update-set".to_owned()));
}

/// A creation that is deleted again; its file system was there already.
fn undone(more: Vec<Event>) -> Vec<Frame> {
    let mut frames = created();
    frames.truncate(3);
    frames[2].1.extend(more);
    frames.push((
        Some("DELETE_COMPLETE"),
        vec![
            event(5, "mqaws-qm1", "DELETE_IN_PROGRESS", ""),
            event(6, "FileSystem", "DELETE_SKIPPED", ""),
            event(7, "mqaws-qm1", "DELETE_COMPLETE", ""),
        ],
    ));
    frames
}

fn target_groups(cloud: &mut Script, state: &str) {
    const KIND: &str = "AWS::ElasticLoadBalancingV2::TargetGroup";
    cloud.resources = vec![resource("TargetGroup", KIND, "CREATE_COMPLETE")];
    cloud.targets = vec![Target {
        id: "i-1".into(),
        port: 1414,
        state: state.into(),
        reason: None,
        code: None,
    }];
}

#[test]
fn interrupted_creation_leaves_nothing_when_nobody_was_served() {
    let mut cloud = Script::new(undone(vec![])).with_changes(changes());
    target_groups(&mut cloud, "initial");
    // Mount targets are seen for a moment after they are gone.
    cloud.failures = Mutex::new([("delete-file-system", Problem::Throttled)].into());
    let (error, steps) = interrupted(&cloud);
    assert_eq!(error.exit(), ExitKind::Interrupted);
    assert_eq!(
        notes(&steps),
        "deleting the resources created so far\nfile system fs-physical deleted: no client could have connected to it"
    );
    let calls = cloud.calls();
    let at = |call: &str| calls.iter().rposition(|c| c == call).expect("called");
    assert!(at("targets") < at("delete-stack") && at("delete-stack") < at("delete-file-system"));
    assert_eq!(error.left().as_deref(), Some("nothing was changed"));
    assert_eq!(error.hint(), None);
}

#[test]
fn interrupted_creation_keeps_a_file_system_that_may_hold_messages() {
    let signal = event(
        4,
        "Group",
        "CREATE_IN_PROGRESS",
        "Received SUCCESS signal with UniqueId i-1",
    );
    for (what, events, state, failing) in [
        ("an instance served", vec![signal], "initial", None),
        ("a client could come in", vec![], "healthy", None),
        ("nobody knows", vec![], "initial", Some(("targets", Problem::Throttled))),
        (
            "it is not allowed",
            vec![],
            "initial",
            Some(("delete-file-system", Problem::Denied("x:Y".into()))),
        ),
    ] {
        let mut cloud = Script::new(undone(events)).with_changes(changes());
        target_groups(&mut cloud, state);
        let denied = matches!(failing, Some(("delete-file-system", _)));
        cloud.failures = Mutex::new(failing.into_iter().collect());
        let (error, _) = interrupted(&cloud);
        assert_eq!(
            cloud.calls().contains(&"delete-file-system".to_owned()),
            denied,
            "{what}"
        );
        assert_eq!(
            error.left().as_deref(),
            Some("file system fs-physical (kept)"),
            "{what}"
        );
        assert!(
            error.hint().is_some_and(
                |h| h.contains("`aws efs delete-file-system --file-system-id fs-physical --region eu-west-1`")
            ),
            "{what}: {:?}",
            error.hint()
        );
    }
}

#[test]
fn deletion_by_somebody_else_is_no_rollback() {
    for (end, gone) in [("DELETE_COMPLETE", true), ("DELETE_FAILED", false)] {
        let mut frames = created();
        frames.truncate(3);
        frames.push((
            Some("DELETE_IN_PROGRESS"),
            vec![event(5, "mqaws-qm1", "DELETE_IN_PROGRESS", "User Initiated")],
        ));
        frames.push((
            Some(end),
            vec![
                event(6, "FileSystem", "DELETE_SKIPPED", ""),
                event(7, "mqaws-qm1", end, ""),
            ],
        ));
        let cloud = Script::new(frames).with_changes(changes());
        let (result, steps) = carried_out(&cloud, &Stop::never());
        let error = result.expect_err("deleted");
        assert_eq!(
            error.to_string(),
            match gone {
                true => "stack mqaws-qm1 was deleted by another principal during the deployment",
                false => "stack mqaws-qm1 was being deleted by another principal during the deployment",
            }
        );
        assert_eq!(notes(&steps), "another principal is deleting the stack");
        let left = error.left().expect("left");
        assert!(left.starts_with("file system fs-physical (kept)"), "{left}");
        assert_eq!(left.contains("stack mqaws-qm1 in DELETE_FAILED"), !gone, "{left}");
        assert!(!cloud.calls().contains(&"delete-file-system".to_owned()));
    }
}

/// An update that ends in a status.
fn updating(end: &'static str) -> Vec<Frame> {
    vec![
        (Some("CREATE_COMPLETE"), vec![]),
        (
            Some("UPDATE_IN_PROGRESS"),
            vec![event(1, "mqaws-qm1", "UPDATE_IN_PROGRESS", "User Initiated")],
        ),
        (Some("UPDATE_IN_PROGRESS"), vec![]),
        (Some(end), vec![event(5, "mqaws-qm1", end, "")]),
    ]
}

fn interrupted(cloud: &Script) -> (DeployError, Vec<Step>) {
    let (send, receive) = tokio::sync::watch::channel(false);
    send.send(true).expect("somebody listens");
    // The wish to stop is there once the change set has been read.
    let plan = planned(cloud).expect("planned");
    let mut steps = Vec::new();
    let result = wait(execute(cloud, &plan, PACE, &Stop::new(receive), &mut |s| steps.push(s)));
    (result.expect_err("interrupted"), steps)
}

fn notes(steps: &[Step]) -> String {
    let notes = steps.iter().filter_map(|s| match s {
        Step::Note(text) => Some(text.as_str()),
        _ => None,
    });
    notes.collect::<Vec<_>>().join("\n")
}

#[test]
fn interrupted_update_goes_back_or_says_why_not() {
    const TOO_LATE: &str = "CancelUpdateStack cannot be called from current stack status";
    for (refusal, end, note, left, hint) in [
        (
            None,
            "UPDATE_ROLLBACK_COMPLETE",
            "rolling back the update",
            "the stack in its previous state",
            false,
        ),
        (
            Some(("ValidationError", TOO_LATE)),
            "UPDATE_COMPLETE",
            "too late to cancel",
            "stack mqaws-qm1 with the change, which is live",
            false,
        ),
        // Not every refusal is one for the status.
        (
            Some(("InvalidAction", "The action CancelUpdateStack is not valid")),
            "UPDATE_COMPLETE",
            "(InvalidAction): The action CancelUpdateStack is not valid",
            "stack mqaws-qm1 with the change, which is live",
            false,
        ),
        (
            Some((
                "AccessDenied",
                "User is not authorized to perform: cloudformation:CancelUpdateStack",
            )),
            "UPDATE_ROLLBACK_COMPLETE",
            "not canceled, the operation continues: cloudformation:CancelUpdateStack: permission missing (AccessDenied)",
            "the stack in its previous state",
            true,
        ),
    ] {
        let mut cloud = Script::new(updating(end)).with_changes(changes());
        cloud.uncancellable = refusal;
        let (error, steps) = interrupted(&cloud);
        assert_eq!(error.exit(), ExitKind::Interrupted);
        assert!(notes(&steps).contains(note), "{note}: {}", notes(&steps));
        assert_eq!(error.left().as_deref(), Some(left), "{refusal:?}");
        assert_eq!(error.hint().is_some(), hint, "{refusal:?}");
        assert_eq!(cloud.calls().iter().filter(|c| *c == "cancel").count(), 1);
    }
}

#[test]
fn wish_to_stop_survives_a_call_that_failed() {
    let cloud = Script::new(updating("UPDATE_ROLLBACK_COMPLETE"))
        .with_changes(changes())
        .failing([("cancel", Problem::Throttled)]);
    let (error, steps) = interrupted(&cloud);
    assert_eq!(error.exit(), ExitKind::Interrupted);
    assert_eq!(cloud.calls().iter().filter(|c| *c == "cancel").count(), 2);
    assert_eq!(notes(&steps), "rolling back the update");
}

#[test]
fn launch_that_failed_is_the_cause_and_chooses_the_hint() {
    let frames = vec![
        (None, vec![]),
        (
            Some("CREATE_IN_PROGRESS"),
            vec![
                event(1, "mqaws-qm1", "CREATE_IN_PROGRESS", ""),
                event(2, "Group", "CREATE_IN_PROGRESS", "Resource creation Initiated"),
            ],
        ),
        // More looks, so that the group is looked at meanwhile.
        (Some("CREATE_IN_PROGRESS"), vec![]),
        (Some("CREATE_IN_PROGRESS"), vec![]),
        (Some("CREATE_IN_PROGRESS"), vec![]),
        (
            Some("ROLLBACK_COMPLETE"),
            vec![
                event(9, "Group", "CREATE_FAILED", "Received 0 SUCCESS signal(s) out of 1"),
                event(9, "mqaws-qm1", "ROLLBACK_COMPLETE", ""),
            ],
        ),
    ];
    let launch = |second: i64, instance: Option<&str>| Launch {
        at: Timestamp::from_second(1_700_000_000 + second).expect("in range"),
        instance: instance.map(|id| InstanceId::new(id).unwrap()),
        status: if instance.is_some() { "Successful" } else { "Failed" }.into(),
        words: Some("The key pair 'x' does not exist. Launching EC2 instance failed.".into()),
    };
    for (launches, launched) in [
        // The first is of an operation before.
        (vec![launch(-9, Some("i-0")), launch(3, None), launch(6, None)], false),
        (vec![launch(3, None), launch(6, Some("i-1"))], true),
    ] {
        let mut cloud = Script::new(frames.clone()).with_changes(changes());
        cloud.resources = vec![resource(
            "Group",
            "AWS::AutoScaling::AutoScalingGroup",
            "CREATE_IN_PROGRESS",
        )];
        cloud.launches = launches;
        let (result, steps) = carried_out(&cloud, &Stop::never());
        let error = result.expect_err("rolled back");
        let details: BTreeMap<_, _> = error.details().into_iter().collect();
        let hint = error.hint().expect("a hint");
        assert_eq!(
            notes(&steps),
            "launch failed: The key pair 'x' does not exist. Launching EC2 instance failed.",
            "told once"
        );
        assert!(details["cause"].contains("Received 0 SUCCESS"), "{details:?}");
        if launched {
            assert!(details["cause"].starts_with("`Group`"), "{details:?}");
            assert!(hint.contains("console output"), "{hint}");
        } else {
            assert!(
                details["cause"]
                    .starts_with("no instance could be launched, 22:13:26: The key pair 'x' does not exist."),
                "{details:?}"
            );
            assert!(
                hint.contains("`instance.key_name`") && !hint.contains("image"),
                "{hint}"
            );
        }
    }
}

#[test]
fn an_operation_that_takes_too_long_says_what_it_waits_for() {
    let begun = || {
        vec![
            event(1, "mqaws-qm1", "CREATE_IN_PROGRESS", ""),
            event(2, "FileSystem", "CREATE_IN_PROGRESS", ""),
        ]
    };
    let frames = vec![(None, vec![]), (Some("CREATE_IN_PROGRESS"), begun())];
    let cloud = Script::new(frames).with_changes(changes());
    let plan = planned(&cloud).expect("planned");
    let pace = PACE.within(Some(Duration::ZERO));
    let late = wait(execute(&cloud, &plan, pace, &Stop::never(), &mut |_: Step| {})).expect_err("late");
    assert!(matches!(late, DeployError::StillWorking { .. }), "{late}");
    assert_eq!(
        late.to_string(),
        "the operation on stack mqaws-qm1 was not complete within 0 s"
    );
    assert_eq!(late.exit(), ExitKind::Remote);
    assert_eq!(late.details(), [("waits for".to_owned(), "FileSystem".to_owned())]);
    assert_eq!(late.left().as_deref(), Some("stack mqaws-qm1; its operation continues"));
    assert!(
        late.hint().is_some_and(|hint| hint.contains("--wait serving")),
        "{late:?}"
    );
}

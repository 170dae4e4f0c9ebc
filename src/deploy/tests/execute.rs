//! From a plan to a stack, and what goes wrong on the way.

use super::*;

#[test]
fn creation_is_followed_to_its_end() {
    let cloud = Script::new(created()).with_changes(changes());
    let (result, steps) = carried_out(&cloud, &Stop::never());
    assert_eq!(result.expect("created").status.0, "CREATE_COMPLETE");
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
        "file system FileSystem-physical (kept), the empty stack, which the next deploy removes"
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
    let frames = vec![
        (
            Some("UPDATE_COMPLETE"),
            vec![event(-50, "mqaws-qm1", "UPDATE_COMPLETE", "")],
        ),
        (Some("UPDATE_COMPLETE"), vec![]),
        (
            Some("UPDATE_IN_PROGRESS"),
            vec![event(1, "mqaws-qm1", "UPDATE_IN_PROGRESS", "")],
        ),
        (
            Some("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
            vec![event(2, "Group", "UPDATE_COMPLETE", "")],
        ),
        (
            Some("UPDATE_COMPLETE"),
            vec![event(3, "mqaws-qm1", "UPDATE_COMPLETE", "")],
        ),
    ];
    let cloud = Script::new(frames).with_changes(changes());
    let (result, steps) = carried_out(&cloud, &Stop::never());
    assert!(result.is_ok(), "{result:?}");
    assert!(steps.iter().any(|s| matches!(
        s,
        Step::News {
            news: News::Ended { verb: Verb::Update, .. },
            ..
        }
    )));
    assert!(cloud.calls().contains(&"update-set".to_owned()));
}

#[test]
fn interrupted_creation_is_deleted() {
    let mut frames = created();
    frames.truncate(3);
    frames.push((
        Some("DELETE_IN_PROGRESS"),
        vec![event(5, "mqaws-qm1", "DELETE_IN_PROGRESS", "")],
    ));
    frames.push((
        Some("DELETE_COMPLETE"),
        vec![event(6, "mqaws-qm1", "DELETE_COMPLETE", "")],
    ));
    let cloud = Script::new(frames).with_changes(changes());
    let plan = planned(&cloud).expect("planned");
    let (send, receive) = tokio::sync::watch::channel(false);
    send.send(true).expect("somebody listens");
    let error = wait(execute(&cloud, &plan, PACE, &Stop::new(receive), &mut |_: Step| {})).expect_err("interrupted");
    assert_eq!(error.exit(), ExitKind::Interrupted);
    assert!(cloud.calls().contains(&"delete-stack".to_owned()));
}

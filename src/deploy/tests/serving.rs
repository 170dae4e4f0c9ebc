//! After the stack: service, and what CloudFormation cannot express.

use super::*;

pub(super) struct Line(pub bool);

impl Dial for Line {
    async fn dial(&self, _host: &str, _port: u16) -> std::io::Result<()> {
        if self.0 {
            Ok(())
        } else {
            Err(std::io::ErrorKind::TimedOut.into())
        }
    }
}

pub(super) fn settled(cloud: &Script, signal: Option<&str>) -> Settled {
    Settled {
        stack: cloud.shown().expect("there"),
        signal: signal.map(Into::into),
        kept: Vec::new(),
    }
}

#[test]
fn signal_is_evidence_only_of_the_operation_that_waited_for_it() {
    let mut cloud = Script::new([(Some("UPDATE_COMPLETE"), vec![])]);
    cloud.group = Some(group("InService", &["AZRebalance"]));
    let look = |cloud: &Script| {
        let mut waits = Vec::new();
        let mut observer = |step| match step {
            Step::Waiting(what) => waits.push(what),
            other => panic!("{other:?}"),
        };
        let settled = settled(cloud, None);
        let result = wait(await_service(
            cloud,
            &Line(true),
            &settled,
            PACE,
            &Stop::never(),
            &mut observer,
        ));
        (result, waits)
    };
    let (result, waits) = look(&cloud);
    let details = format!("{:?}", result.expect_err("no target is healthy").details());
    assert!(
        details.contains("targets: ") && !details.contains("signal"),
        "{details}"
    );
    assert!(waits.iter().all(|w| w.starts_with("targets: ")), "{waits:?}");

    cloud.agent = Some(agent("serving", None));
    cloud.targets = vec![Target {
        id: "i-1".into(),
        port: 1414,
        state: "healthy".into(),
        reason: None,
        code: None,
    }];
    let service = look(&cloud).0.expect("service is shown without a signal");
    let signal = service.evidence.iter().find(|e| e.of == "signal").expect("looked at");
    assert!(
        !signal.shown && signal.text.contains("not part of this change"),
        "{signal:?}"
    );
}

#[test]
fn service_is_shown_or_it_is_said_what_is_missing() {
    let serving = || Some(agent("serving", None));
    for (healthy, agent, problem, line, expected) in [
        (
            true,
            serving(),
            None,
            true,
            Ok(vec!["signal", "targets", "agent", "endpoint"]),
        ),
        // An internal load balancer is not reached from outside.
        (true, serving(), None, false, Ok(vec!["signal", "targets", "agent"])),
        // A missing permission hides the agent, it does not make it bad.
        (
            true,
            None,
            Some(Problem::Denied("ssm:SendCommand".into())),
            true,
            Ok(vec!["signal", "targets", "endpoint"]),
        ),
        (
            true,
            None,
            Some(Problem::Throttled),
            true,
            Err("agent: could not be read"),
        ),
        (false, serving(), None, true, Err("targets: i-1:1414 unhealthy")),
        (
            true,
            Some(agent("starting", Some("crtmqm exit 72"))),
            None,
            true,
            Err("agent: i-1 is starting"),
        ),
    ] {
        let mut cloud = Script::new([(Some("CREATE_COMPLETE"), vec![])]);
        cloud.group = Some(group("InService", &["AZRebalance"]));
        let state = if healthy { "healthy" } else { "unhealthy" };
        cloud.targets = vec![Target {
            id: "i-1".into(),
            port: 1414,
            state: state.into(),
            reason: None,
            code: None,
        }];
        (cloud.agent, cloud.agent_problem) = (agent, problem);
        let result = wait(await_service(
            &cloud,
            &Line(line),
            &settled(&cloud, Some("Received SUCCESS signal with UniqueId i-1")),
            PACE,
            &Stop::never(),
            &mut |_: Step| {},
        ));
        match (result, expected) {
            (Ok(service), Ok(shown)) => {
                let found: Vec<_> = service.evidence.iter().filter(|e| e.shown).map(|e| e.of).collect();
                assert_eq!(found, shown);
            }
            (Err(error), Err(words)) => {
                let details = format!("{:?}", error.details());
                assert!(details.contains(words), "{words}: {details}");
            }
            (found, _) => panic!("{found:?}"),
        }
    }
}

#[test]
fn rebalancing_is_suspended_and_looked_at_again() {
    let mut cloud = Script::new([(Some("CREATE_COMPLETE"), vec![])]);
    cloud.group = Some(group("InService", &["AZRebalance"]));
    let stack = cloud.shown().expect("there");
    wait(suspend_rebalance(&cloud, &stack, PACE)).expect("is suspended");
    assert!(!cloud.calls().contains(&"suspend".to_owned()));
    // A group that never shows it: said, not believed.
    cloud.group = Some(group("InService", &[]));
    let error = wait(suspend_rebalance(&cloud, &stack, PACE)).expect_err("never suspended");
    assert!(matches!(error, DeployError::NotSuspended { .. }));
    assert!(cloud.calls().contains(&"suspend".to_owned()));
}

#[test]
fn what_no_waiting_ends_is_an_error_at_once_with_its_remedy() {
    for (desired, state, words, remedy) in [
        (
            0,
            None,
            "desired capacity of Auto Scaling group g is 0",
            "set-desired-capacity",
        ),
        (1, Some("paused"), "paused on i-1", "mqaws-agent resume"),
    ] {
        let mut cloud = Script::new([(Some("UPDATE_COMPLETE"), vec![])]);
        let mut group = group("InService", &["AZRebalance"]);
        group.desired = desired;
        group.members.truncate(desired as usize);
        cloud.group = Some(group);
        cloud.agent = state.map(|state| agent(state, None));
        let mut waits = 0;
        let result = wait(await_service(
            &cloud,
            &Line(true),
            &settled(&cloud, None),
            PACE,
            &Stop::never(),
            &mut |_: Step| waits += 1,
        ));
        let error = result.expect_err("no service will come");
        assert!(error.to_string().contains(words), "{error}");
        assert!(
            error.hint().is_some_and(|hint| hint.contains(remedy)),
            "{:?}",
            error.hint()
        );
        assert_eq!((error.exit(), waits), (ExitKind::Precondition, 0));
    }
}

#[test]
fn a_suspended_process_is_named_and_keeps_nobody_from_serving() {
    let mut cloud = Script::new([(Some("UPDATE_COMPLETE"), vec![])]);
    cloud.group = Some(group("InService", &["AZRebalance", "HealthCheck"]));
    cloud.agent = Some(agent("serving", None));
    cloud.targets = vec![Target {
        id: "i-1".into(),
        port: 1414,
        state: "healthy".into(),
        reason: None,
        code: None,
    }];
    let settled = settled(&cloud, None);
    let result = wait(await_service(
        &cloud,
        &Line(true),
        &settled,
        PACE,
        &Stop::never(),
        &mut |_: Step| {},
    ));
    let [blocker] = &result.expect("it serves").blockers[..] else {
        panic!("one process");
    };
    assert!(
        blocker.to_string().ends_with("suspended processes: HealthCheck"),
        "{blocker}"
    );
}

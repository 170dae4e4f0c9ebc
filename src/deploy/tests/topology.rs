//! What another topology answers is what deploying and observing go by: here one of two members, of tests alone.

use super::super::doomed::{Circumstances, dooms};
use super::super::instances;
use super::super::witness::Witness;
use super::serving::{Line, settled};
use super::*;
use crate::observe::agents::ask;
use crate::observe::status::gather;
use crate::topology::Role;

/// A stack of two members, on `i-1` and `i-2`, whose agents are in these states.
fn pair(states: [&str; 2]) -> Script {
    let mut cloud = Script::new([(Some("CREATE_COMPLETE"), vec![])]);
    cloud.topology = Topology::TOY;
    for ((name, instance), state) in [("GroupA", "i-1"), ("GroupB", "i-2")].into_iter().zip(states) {
        let mut one = group("InService", &["AZRebalance"]);
        one.members[0].instance = InstanceId::new(instance).unwrap();
        cloud.groups.insert(name.into(), one);
        let mut status = agent(state, None);
        status.instance = instance.into();
        cloud.agents.insert(instance.into(), status);
    }
    cloud.targets = vec![Target {
        id: "i-2".into(),
        port: 1414,
        state: "healthy".into(),
        reason: None,
        code: None,
    }];
    cloud
}

#[test]
fn topology_decides_what_shows_service() {
    for (states, expected) in [
        (["waiting", "serving"], Ok("i-2")),
        (["serving", "waiting"], Ok("i-1")),
        (
            ["serving", "booting"],
            Err("agent: i-1 is serving in eu-west-1a, i-2 is booting"),
        ),
        (["waiting", "waiting"], Err("agent: i-1 is waiting")),
    ] {
        let cloud = pair(states);
        let result = wait(await_service(
            &cloud,
            &Line(true),
            &settled(&cloud, None),
            PACE,
            &Stop::never(),
            &mut |_: Step| {},
        ));
        match (result, expected) {
            (Ok(service), Ok(active)) => assert_eq!(service.agent.expect("read").instance, active),
            (Err(error), Err(words)) => {
                let details = format!("{:?}", error.details());
                assert!(details.contains(words), "{words}: {details}");
            }
            (found, _) => panic!("{states:?}: {found:?}"),
        }
    }
}

#[test]
fn status_names_topology_and_roles() {
    let cloud = pair(["waiting", "serving"]);
    let report = wait(gather(&cloud, "mqaws-qm1", "eu-west-1", false))
        .expect("read")
        .expect("a stack");
    assert_eq!((report.topology.as_str(), report.state.as_str()), ("toy", "serving"));
    let roles: Vec<(&str, Role)> = report.roles.iter().map(|(id, role)| (id.as_str(), *role)).collect();
    assert_eq!(roles, [("i-1", Role::Standby), ("i-2", Role::Active)]);
    assert_eq!(report.instances.map(|all| all.len()), Some(2));
    assert_eq!(report.agent.map(|agent| agent.instance), Some("i-2".into()));

    let mut first = Script::new([(Some("CREATE_COMPLETE"), vec![])]);
    first.group = Some(group("InService", &["AZRebalance"]));
    first.agent = Some(agent("serving", None));
    let report = wait(gather(&first, "mqaws-qm1", "eu-west-1", false))
        .expect("read")
        .expect("a stack");
    assert_eq!(report.topology, Topology::default().as_str());
    let document = serde_json::to_value(&report).expect("JSON");
    assert!(document.get("roles").is_none() && document.get("topology").is_none());
}

#[test]
fn rebalancing_is_suspended_in_every_group() {
    let mut cloud = pair(["serving", "waiting"]);
    let stack = cloud.shown().expect("there");
    wait(suspend_rebalance(&cloud, &stack, PACE)).expect("both are");
    cloud.groups.get_mut("GroupB").expect("there").suspended.clear();
    let error = wait(suspend_rebalance(&cloud, &stack, PACE)).expect_err("one is not");
    assert!(matches!(error, DeployError::NotSuspended { group } if group == "GroupB"));
}

#[test]
fn topology_says_what_a_change_means() {
    let mut change = add("GroupA", "AWS::AutoScaling::AutoScalingGroup");
    change.action = "Modify".into();
    let text = |topology| {
        Review::of(topology, std::slice::from_ref(&change)).lines[0]
            .text
            .clone()
    };
    assert_eq!(text(Topology::TOY), "the members are renewed in turn: no outage");
    assert_eq!(text(Topology::default()), "");
    let finding = Finding {
        path: "/Resources/GroupATemplate/Properties/X".into(),
        words: String::new(),
    };
    assert_eq!(finding.key(Topology::TOY), Some("instance.type"));
    assert_eq!(finding.key(Topology::default()), None);
}

#[test]
fn what_cannot_move_is_named_as_the_topology_names_it() {
    let parameters = |vpc: &str| {
        let all = [
            ("VPC", vpc),
            ("Subnet1", "a"),
            ("AvailabilityZone1", "z-a"),
            ("Subnet2", "b"),
            ("AvailabilityZone2", "z-b"),
        ];
        all.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    };
    let circumstances = Circumstances {
        topology: Topology::TOY,
        engine: Engine::default(),
        network_key: None,
        gone: &[],
    };
    let found = dooms(&parameters("vpc-1"), &parameters("vpc-2"), circumstances);
    let [doom] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(doom.why.len(), 1, "it has no mount targets: {:?}", doom.why);
    assert!(doom.why[0].starts_with("`Balancer`: "), "{:?}", doom.why);
}

#[test]
fn members_that_do_not_serve_alone_end_without_an_outage() {
    let mut cloud = pair(["serving", "waiting"]);
    let kind = "AWS::AutoScaling::AutoScalingGroup";
    cloud.resources = vec![resource("GroupA", kind, "UPDATE_COMPLETE")];
    cloud.terminations = vec![Termination {
        at: Timestamp::from_second(1_700_000_010).expect("in range"),
        instance: InstanceId::new("i-0").unwrap(),
    }];
    let mut signal = event(
        20,
        "GroupA",
        "UPDATE_IN_PROGRESS",
        "Received SUCCESS signal with UniqueId i-1",
    );
    signal.kind = kind.into();
    // Of another member, which says nothing about this one.
    let mut other = event(
        12,
        "GroupB",
        "UPDATE_IN_PROGRESS",
        "Received SUCCESS signal with UniqueId i-2",
    );
    other.kind = kind.into();
    let from = Timestamp::UNIX_EPOCH;
    let told =
        |cloud: &Script, events: &[Event]| wait(instances::read(cloud, STACK, Topology::TOY, events, from)).to_string();
    let words = told(&cloud, &[other.clone(), signal]);
    assert!(
        words.ends_with("i-1 reported service at 22:13:40, about 10 s without it"),
        "{words}"
    );
    let missing = told(&cloud, &[other]);
    assert!(
        missing.starts_with("its instance is MISSING: i-0 was terminated"),
        "{missing}"
    );
    cloud.resources.push(resource("GroupB", kind, "UPDATE_COMPLETE"));
    let both = told(&cloud, &[]);
    assert!(both.starts_with("GroupA: ") && both.contains("; GroupB: "), "{both}");
}

#[test]
fn stack_keeps_its_engine() {
    let mut cloud = pair(["serving", "waiting"]);
    cloud.topology = Topology::default();
    let other = Engine::all().find(|engine| *engine != Engine::default()).unwrap();
    let mut blueprint = blueprint();
    blueprint.engine = other;
    let consent = Consent::default();
    let error = wait(plan(
        &cloud,
        &blueprint,
        consent,
        PACE,
        &Stop::never(),
        &mut |_: Step| {},
    ))
    .expect_err("another engine");
    assert!(
        matches!(error, DeployError::OtherEngine { wanted, .. } if wanted == other),
        "{error}"
    );
    assert_eq!(error.key().map(|(key, _)| key), Some("engine"));
    assert!(error.hint().is_some_and(|hint| hint.contains("--stack")));
    let calls = cloud.calls();
    assert!(!calls.iter().any(|call| call.ends_with("-set")), "{calls:?}");
}

#[test]
fn stack_keeps_its_topology() {
    let cloud = pair(["serving", "waiting"]);
    let error = planned(&cloud).expect_err("another topology");
    assert!(
        matches!(
            error,
            DeployError::OtherTopology {
                deployed: Topology::TOY,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.key().map(|(key, _)| key), Some("topology"));
    assert!(error.hint().is_some_and(|hint| hint.contains("--stack")));
    let calls = cloud.calls();
    assert!(!calls.iter().any(|call| call.ends_with("-set")), "{calls:?}");
}

/// A pause is about the data: with it, no member serves, however many the topology can do without.
#[test]
fn a_pause_holds_up_service_whichever_member_is_listed_first() {
    for states in [["waiting", "paused"], ["paused", "waiting"]] {
        let mut cloud = pair(states);
        cloud.targets[0].state = "unhealthy".into();
        let result = wait(await_service(
            &cloud,
            &Line(true),
            &settled(&cloud, None),
            PACE,
            &Stop::never(),
            &mut |_: Step| panic!("it waits"),
        ));
        let error = result.expect_err("no service will come");
        assert!(error.to_string().contains("is paused on i-"), "{error}");
        let report = wait(gather(&cloud, "mqaws-qm1", "eu-west-1", false));
        let report = report.expect("read").expect("a stack");
        assert_eq!(
            (report.state.as_str(), report.blockers.len()),
            ("paused", 1),
            "{states:?}"
        );
    }
}

#[test]
fn agents_are_asked_at_once_and_one_that_hangs_holds_up_none_of_the_others() {
    let mut cloud = pair(["serving", "waiting"]);
    cloud.together = Some(Arc::new(tokio::sync::Barrier::new(2)));
    cloud.silent = Some("i-1");
    let ids = ["i-1", "i-2"].map(|id| InstanceId::new(id).unwrap());
    let asked: Vec<&InstanceId> = ids.iter().collect();
    let answers = wait(ask(&cloud, &Documents::default(), &asked, Duration::from_millis(300)));
    let [silent, well] = &answers[..] else {
        panic!("{answers:?}")
    };
    let why = silent.as_ref().expect_err("it hangs").to_string();
    assert!(why.contains("i-1 did not respond"), "{why}");
    assert_eq!(well.as_ref().expect("an answer").instance, "i-2");
}

/// A plan that replaces the instances of both members, of which that on `i-2` is active.
fn renewing_both(cloud: &Script, engine_version: Option<&str>) -> Plan {
    let blueprint = Blueprint {
        topology: Topology::TOY,
        renewal: Some(Renewal {
            last: "GroupB",
            instance: InstanceId::new("i-2").unwrap(),
        }),
        engine_version: engine_version.map(str::to_owned),
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
    .expect("planned")
}

fn both_groups() -> Vec<Change> {
    let kind = "AWS::AutoScaling::AutoScalingGroup";
    let mut both = ["GroupA", "GroupB"].map(|name| add(name, kind));
    both.iter_mut().for_each(|change| change.action = "Modify".into());
    both.to_vec()
}

#[test]
fn a_plan_is_not_executed_once_another_member_is_active() {
    let at_once = Pace {
        operation: Some(Duration::ZERO),
        ..PACE
    };
    for (states, executed) in [
        (["waiting", "serving"], true),
        (["serving", "waiting"], false),
        // Nobody can be told to be active: no order is better than another.
        (["waiting", "waiting"], true),
    ] {
        let mut cloud = pair(["waiting", "serving"]).with_changes(both_groups());
        let plan = renewing_both(&cloud, None);
        assert_eq!(plan.renewal.as_ref().map(|renewal| renewal.last), Some("GroupB"));
        for (instance, state) in ["i-1", "i-2"].into_iter().zip(states) {
            let mut status = agent(state, None);
            status.instance = instance.into();
            cloud.agents.insert(instance.into(), status);
        }
        let ended = wait(execute(&cloud, &plan, at_once, &Stop::never(), &mut |_: Step| {}));
        let calls = cloud.calls();
        assert_eq!(calls.contains(&"execute".to_owned()), executed, "{states:?}");
        if !executed {
            let error = ended.expect_err("its order is of before");
            assert!(error.to_string().contains("moved from i-2 to i-1"), "{error}");
            assert_eq!(
                (error.exit(), error.left().as_deref()),
                (ExitKind::Precondition, Some("nothing was changed"))
            );
            assert!(calls.contains(&"delete-set".to_owned()), "{calls:?}");
        }
    }
}

#[test]
fn why_a_plan_is_not_executed_is_said_also_when_its_change_set_stays() {
    let mut cloud = pair(["waiting", "serving"]).with_changes(both_groups());
    let plan = renewing_both(&cloud, None);
    for (instance, state) in [("i-1", "serving"), ("i-2", "waiting")] {
        let mut status = agent(state, None);
        status.instance = instance.into();
        cloud.agents.insert(instance.into(), status);
    }
    let denied = Problem::Denied("cloudformation:DeleteChangeSet".into());
    let cloud = cloud.failing([("delete-set", denied)]);
    let ended = wait(execute(&cloud, &plan, PACE, &Stop::never(), &mut |_: Step| {}));
    let error = ended.expect_err("its order is of before");
    assert!(error.to_string().contains("moved from i-2 to i-1"), "{error}");
    assert_eq!(error.exit(), ExitKind::Precondition);
    let left = error.left().unwrap_or_default();
    assert!(
        left.contains("a change set of stack") && left.contains("permission missing"),
        "{left}"
    );
}

#[test]
fn a_plan_says_that_there_is_no_way_back_from_a_higher_level_of_the_engine() {
    for (has, image, expected) in [
        (Some("IBM MQ 9.3.0.0"), Some("9.4.0.11"), true),
        (Some("IBM MQ 9.3.0.0"), Some("9.3.0.25"), false),
        (Some("IBM MQ 9.4.0.0"), Some("9.3.0.25"), false),
        // What is not known is not said.
        (None, Some("9.4.0.11"), false),
        (Some("IBM MQ 9.3.0.0"), None, false),
        (Some("IBM MQ 9.3.0.0"), Some("newest"), false),
    ] {
        let mut cloud = pair(["waiting", "serving"]).with_changes(both_groups());
        let active = cloud.agents.get_mut("i-2").expect("there");
        active.engine_version = has.map(str::to_owned);
        let plan = renewing_both(&cloud, image);
        assert_eq!(plan.no_way_back.is_some(), expected, "{has:?} {image:?}");
        let older = has == Some("IBM MQ 9.4.0.0");
        assert_eq!(plan.unusable.is_some(), older, "{has:?} {image:?}");
        if let Some(told) = plan.unusable {
            let words = told.to_string();
            assert!(
                words.contains("will not start") && words.contains("last written by IBM MQ 9.4.0.0"),
                "{words}"
            );
        }
        if let Some(told) = plan.no_way_back {
            assert_eq!((Some(told.from.as_str()), Some(told.to.as_str())), (has, image));
            let words = told.to_string();
            assert!(
                words.contains("no way back") && words.contains("IBM MQ 9.3.0.0"),
                "{words}"
            );
        }
    }
}

/// One that hangs must not keep the others' last words from being heard, which do not outlive a failed operation.
#[test]
fn last_words_are_asked_for_at_once() {
    let mut cloud = pair(["serving", "waiting"]);
    let kind = "AWS::AutoScaling::AutoScalingGroup";
    cloud.resources = ["GroupA", "GroupB"]
        .map(|name| {
            let mut group = resource(name, kind, "UPDATE_COMPLETE");
            group.physical = Some(name.into());
            group
        })
        .to_vec();
    for status in cloud.agents.values_mut() {
        status.last_error = Some("AMQ8405I".into());
    }
    cloud.together = Some(Arc::new(tokio::sync::Barrier::new(2)));
    let witness = Witness::default();
    wait(async {
        let both = async {
            while ["i-1", "i-2"].iter().any(|instance| witness.agent(instance).is_none()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            never = witness.listen(&cloud, "mqaws-qm1", Timestamp::UNIX_EPOCH, PACE) => match never {},
            heard = tokio::time::timeout(Duration::from_secs(5), both) => heard.expect("both were heard"),
        }
    });
}

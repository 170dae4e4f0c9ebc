//! A target that is registered only after its queue manager serves, as on AWS, where that takes a minute or more.

use crate::support::{Lab, STACK, all, call, runs, until, wait};
use mqaws::failover::port::TestBed;
use mqaws::stack::AMQP;
use serde_json::Value;

#[test]
fn a_registration_that_clients_waited_for_is_no_reconnect() {
    let lab = Lab::deployed(&[]);
    let (clients, record) = (lab.clients(), lab.record());
    let target = wait(clients.target(STACK)).expect("a stack");
    let endpoint = target.parts.endpoint(&AMQP).expect("AMQP is on");
    let targets = endpoint.targets.as_ref().expect("targets").arn.clone();
    let balancing = |params: &[(&str, &str)]| call(&record, "elasticloadbalancing", "2015-12-01", params);
    let balancer = all(&balancing(&[("Action", "DescribeLoadBalancers")]), "LoadBalancerArn").remove(0);
    let launches = |verb: &str| {
        let params = [
            ("Action", verb),
            ("AutoScalingGroupName", target.parts.members[0].group.as_str()),
            ("ScalingProcesses.member.1", "Launch"),
        ];
        call(&record, "autoscaling", "2011-01-01", &params);
    };
    let report = lab.failover_while(&["--fault", "terminate-instance"], 0, |_| {
        let instances = || wait(clients.instances(&target)).ok();
        let first = until("an instance", || Some(instances()?.first()?.id.clone()));
        launches("SuspendProcesses");
        until("its host is gone", || {
            (!lab.instance(first.as_str()).exists()).then_some(())
        });
        // A group that no load balancer uses has no target that is registered.
        let listeners = balancing(&[("Action", "DescribeListeners"), ("LoadBalancerArn", &balancer)]);
        let (arns, ports) = (all(&listeners, "ListenerArn"), all(&listeners, "Port"));
        let (arn, port) = arns
            .iter()
            .zip(&ports)
            .find(|(_, port)| *port == "5672")
            .expect("AMQP's");
        balancing(&[("Action", "DeleteListener"), ("ListenerArn", arn)]);
        launches("ResumeProcesses");
        until("its successor serves", || {
            let second = instances()?.into_iter().find(|one| one.id != first)?.id;
            let status = lab.instance(second.as_str()).join("run/mqaws/status.json");
            let file: Value = serde_json::from_slice(&std::fs::read(status).ok()?).ok()?;
            (file["status"]["state"] == "serving").then_some(())
        });
        balancing(&[
            ("Action", "CreateListener"),
            ("LoadBalancerArn", &balancer),
            ("Protocol", "TCP"),
            ("Port", port),
            ("DefaultActions.member.1.Type", "forward"),
            ("DefaultActions.member.1.TargetGroupArn", &targets),
        ]);
    });
    let run = &runs(&report)[0];
    let parts = run["rto"]["phases"].as_array().expect("parts");
    let names: Vec<&str> = parts.iter().filter_map(|part| part["name"].as_str()).collect();
    assert_eq!(names[names.len() - 3..], ["engine", "target", "reconnect"], "{run}");
    let part = &parts[parts.len() - 2];
    assert!(
        part["ns"].as_u64() > Some(0) && part["uncertainty_ns"].as_u64() > Some(0),
        "{part}"
    );
    let told = |words: &str| {
        run["timeline"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["text"] == words))
    };
    assert!(told("no target is registered"), "{run}");
}

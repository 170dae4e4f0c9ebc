//! A change that renews both hosts: the active one comes last, wherever it is, and service moves once.

use super::{Members, agent, client, deployed, members, most_engines};
use crate::support::{Lab, Put, until, wait};
use mqaws::failover::port::{Probe, TestBed};
use mqaws::model::InstanceId;
use serde_json::Value;

fn epoch(lab: &Lab, members: &Members) -> u64 {
    agent(lab, &members.active)["epoch"]
        .as_u64()
        .expect("the active one knows its epoch")
}

#[test]
fn a_change_renews_the_active_host_last_and_service_moves_once() {
    let lab = Lab::up(&[]);
    let mut before = deployed(&lab);
    let example = Lab::example();
    let clients = lab.clients();
    let target = wait(clients.target("mqaws-qm1")).expect("a stack");
    let instance = InstanceId::new(&before.active).expect("an id");
    let probe = wait(clients.probe(&target, &instance, Probe::Define)).expect("its queues");
    let queue = &probe.queues[0].name;
    let mut lasts = Vec::new();
    // First with the one active whose group CloudFormation comes to first, then with the other.
    for kind in ["m6i.xlarge", "m6i.2xlarge"] {
        let from = epoch(&lab, &before);
        let put = client(&lab).put(queue, &[Put::persistent(kind)]);
        assert_eq!(put.expect("put").len(), 1);
        let change = format!("instance.type={kind}");
        let args = [
            "--local",
            "--config",
            &example,
            "--topology",
            "standby",
            "--set",
            &change,
        ];
        let plan = lab.run(&[&["plan", "--output", "json"][..], &args[..]].concat(), 0);
        let plan: Value = serde_json::from_str(&plan.out).unwrap();
        assert_eq!(plan["renewal"]["instance"], before.active.as_str(), "{plan}");
        lasts.push(plan["renewal"]["last"].as_str().unwrap().to_owned());
        let (told, most) = most_engines(&lab, || lab.run(&[&["deploy", "--yes"][..], &args[..]].concat(), 0));
        assert!(
            told.err.contains("last, where") && told.err.contains("one short outage"),
            "{told}"
        );
        assert_eq!(most, 1, "never two engines at a time");
        let after = until("both members", || members(&lab));
        assert!(
            after.active != before.active && after.standby != before.standby,
            "{after:?}"
        );
        assert_ne!(
            after.active, before.standby,
            "the host that waited was renewed before it took over"
        );
        assert_eq!(epoch(&lab, &after), from + 1, "service moved once: {told}");
        let got = client(&lab).get(queue, 1).expect("got");
        assert_eq!(got[0].id, kind);
        // The order alone is no change.
        let again = lab.run(&[&["plan", "--output", "json"][..], &args[..]].concat(), 0);
        let again: Value = serde_json::from_str(&again.out).unwrap();
        assert_eq!(again["summary"], "0 to add, 0 to change, 0 to replace", "{again}");
        assert_eq!(again["renewal"], Value::Null, "{again}");
        before = after;
    }
    assert_eq!(lasts, ["GroupA", "GroupB"]);
}

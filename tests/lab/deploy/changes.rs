//! Changes of a deployed stack: what was chosen stays, what must fail is refused, and what a failure leaves is told.

use crate::support::{Lab, STACK, between, call, forced, own_call};
use mqaws::aws::Clients;
use mqaws::deploy::ports::Event;
use mqaws_lab::home::LabRecord;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A VPC of the user, outside of any stack.
struct UserVpc {
    record: LabRecord,
    id: String,
}

impl UserVpc {
    fn new(lab: &Lab, range: &str) -> Self {
        let record = lab.record();
        let made = call(
            &record,
            "ec2",
            "2016-11-15",
            &[("Action", "CreateVpc"), ("CidrBlock", range)],
        );
        Self {
            record,
            id: between(&made, "vpcId"),
        }
    }

    /// A subnet in one of the region's zones, `a` to `c`.
    fn subnet(&self, range: &str, letter: char) -> String {
        let zone = format!("{}{letter}", self.record.region);
        let params = [
            ("Action", "CreateSubnet"),
            ("VpcId", self.id.as_str()),
            ("CidrBlock", range),
            ("AvailabilityZone", zone.as_str()),
        ];
        between(&call(&self.record, "ec2", "2016-11-15", &params), "subnetId")
    }
}

/// What a plan would do, `LOGICAL EFFECT`.
fn planned(lab: &Lab, options: &[&str]) -> Vec<String> {
    let plan = lab.json(&[&["plan", "--local"], options].concat(), 0);
    let lines = plan["changes"]["lines"].as_array().expect("lines").iter();
    let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    let mut lines: Vec<String> = lines
        .map(|line| format!("{} {}", text(line, "logical"), text(line, "effect")))
        .collect();
    lines.sort();
    lines
}

fn nothing() -> Vec<String> {
    Vec::new()
}

/// Id of the one instance that the group has, once it is in service.
fn instance(lab: &Lab) -> String {
    let status = lab.json(&["status", "--local"], 0);
    let all = status["instances"].as_array().expect("instances");
    assert_eq!(all.len(), 1, "{status}");
    all[0]["instance"].as_str().expect("an id").to_owned()
}

/// Resources whose creation or update failed for reasons of their own, with the reason.
fn failures(events: &[Event]) -> BTreeMap<&str, &str> {
    let failed = events
        .iter()
        .filter(|e| matches!(e.status.as_str(), "UPDATE_FAILED" | "CREATE_FAILED"));
    let own = failed.filter_map(|e| Some((e.logical.as_str(), e.reason.as_deref()?)));
    own.filter(|(_, reason)| !reason.contains("ancelled")).collect()
}

/// The template that a configuration is rendered to.
fn rendered(lab: &Lab, options: &[&str]) -> String {
    lab.run(&[&["render"], options].concat(), 0).out
}

#[test]
fn what_was_chosen_stays_whatever_the_vpc_gets() {
    let lab = Lab::up(&[]);
    let vpc = UserVpc::new(&lab, "10.9.0.0/16");
    let b = vpc.subnet("10.9.1.0/24", 'b');
    let c = vpc.subnet("10.9.2.0/24", 'c');
    let by_vpc = ["--vpc", vpc.id.as_str()];
    let clients = ["--set", "network.clients=10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"];
    let deployed = lab.json(&[&["deploy", "--local", "--yes"], &by_vpc[..], &clients].concat(), 0);
    assert_eq!(deployed["changed"], true);
    assert_eq!(planned(&lab, &by_vpc), nothing());

    // A zone that sorts before those of the stack, and more subnets of theirs.
    let a = vpc.subnet("10.9.3.0/24", 'a');
    let others: Vec<String> = (10..22).map(|n| vpc.subnet(&format!("10.9.{n}.0/24"), 'b')).collect();
    let plan = lab.json(&[&["plan", "--local"], &by_vpc[..]].concat(), 0);
    assert_eq!(plan["changes"]["lines"], serde_json::json!([]), "{plan}");
    assert!(plan["chosen"].to_string().contains(&format!("{b} in")), "{plan}");
    assert!(plan["chosen"].to_string().contains(", as deployed"), "{plan}");
    let again = lab.json(&[&["deploy", "--local", "--yes"], &by_vpc[..]].concat(), 0);
    assert_eq!(
        (&again["changed"], &again["outputs"]),
        (&false.into(), &deployed["outputs"])
    );
    // Nobody names a network any more: that is no wish to leave.
    assert_eq!(planned(&lab, &[]), nothing());

    // What has no order.
    let pair = |first: &str, second: &str| format!("{first},{second}");
    assert_eq!(planned(&lab, &["--subnets", &pair(&b, &c)]), nothing());
    assert_eq!(planned(&lab, &["--subnets", &pair(&c, &b)]), nothing());
    let shuffled = ["--set", "network.clients=192.168.0.0/16,10.0.0.0/8,172.16.0.0/12"];
    assert_eq!(planned(&lab, &[&by_vpc[..], &shuffled].concat()), nothing());

    // What is named wins: another zone, in the place of the one that is left, whatever the order.
    let moved = planned(&lab, &["--subnets", &pair(&c, &a)]);
    assert!(moved.contains(&"MountTarget1 replace".to_owned()), "{moved:?}");
    assert!(!moved.iter().any(|line| line.starts_with("MountTarget2")), "{moved:?}");
    assert!(moved.contains(&"Group change".to_owned()), "{moved:?}");
    let review = lab.run(&["plan", "--local", "--subnets", &pair(&c, &a)], 0).out;
    assert!(review.contains("replaces its instance: one planned outage"), "{review}");
    let went = lab.json(&["deploy", "--local", "--yes", "--subnets", &pair(&c, &a)], 0);
    assert_eq!(went["outputs"]["FileSystemId"], deployed["outputs"]["FileSystemId"]);
    assert_eq!(went["service"]["agent"]["proof"]["kind"], "clean", "{went}");
    assert_eq!(planned(&lab, &by_vpc), nothing(), "the new choice is now what stays");

    // Another subnet of a zone in which the stack is.
    let swapped = pair(&a, &vpc.subnet("10.9.4.0/24", 'c'));
    for verb in ["plan", "deploy"] {
        let refused = lab.json(&[verb, "--local", "--subnets", &swapped], 3);
        assert_eq!(refused["error"], format!("this change of stack {STACK} would fail"));
        assert_eq!(refused["left"], "nothing was changed");
        let cause = refused["details"]["cause"].as_str().expect("a cause");
        assert!(
            cause.contains("`LoadBalancer`: in ") && cause.contains("`MountTarget2`: "),
            "{cause}"
        );
        assert!(
            refused["hint"].as_str().is_some_and(|h| h.contains("third zone")),
            "{refused}"
        );
        assert!(
            refused["place"].as_str().is_some_and(|p| p.contains("--subnets")),
            "{refused}"
        );
    }
    assert_eq!(others.len(), 12);
    lab.end();
}

#[test]
fn changes_that_must_fail_are_refused_and_fail_when_they_are_forced() {
    let lab = Lab::up(&[]);
    let vpc = UserVpc::new(&lab, "10.9.0.0/16");
    let a = vpc.subnet("10.9.1.0/24", 'a');
    let b = vpc.subnet("10.9.2.0/24", 'b');
    let other = UserVpc::new(&lab, "10.8.0.0/16");
    let (other_a, other_b) = (other.subnet("10.8.1.0/24", 'a'), other.subnet("10.8.2.0/24", 'b'));
    let zone = |letter: char| format!("{}{letter}", vpc.record.region);
    let by_vpc = ["--vpc", vpc.id.as_str()];
    // An endpoint on the internet wants to know them.
    let ranges = ["--set", "network.clients=10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"];
    lab.json(&[&["deploy", "--local", "--yes"], &by_vpc[..], &ranges].concat(), 0);
    let b2 = vpc.subnet("10.9.3.0/24", 'b');
    let clients = lab.clients();
    let template = rendered(&lab, &by_vpc);

    let subnets = |first: &str, second: &str| vec!["--subnets".to_owned(), format!("{first},{second}")];
    let set = |key_value: &str| vec!["--set".to_owned(), key_value.to_owned()];
    let elsewhere = [
        ("VPC", other.id.as_str()),
        ("Subnet1", other_a.as_str()),
        ("Subnet2", other_b.as_str()),
    ];
    let own = rendered(&lab, &["--set", "network.cidr=10.7.0.0/16"]);
    let (zone_a, zone_b) = (zone('a'), zone('b'));
    let made = [
        ("VpcCidr", "10.7.0.0/16"),
        ("Subnet1Cidr", "10.7.0.0/18"),
        ("Subnet2Cidr", "10.7.64.0/18"),
        ("AvailabilityZone1", zone_a.as_str()),
        ("AvailabilityZone2", zone_b.as_str()),
    ];
    for (asked, template, change) in [
        (subnets(&other_b, &other_a), &template, &elsewhere[..]),
        (vec!["--vpc".to_owned(), other.id.clone()], &template, &elsewhere),
        (subnets(&b2, &a), &template, &[("Subnet2", b2.as_str())]),
        (set("network.cidr=10.7.0.0/16"), &own, &made),
        (
            [&by_vpc[..], &ranges]
                .concat()
                .into_iter()
                .map(str::to_owned)
                .chain(set("endpoint.internal=false"))
                .collect(),
            &template,
            &[("Scheme", "internet-facing")],
        ),
    ] {
        let cause = refused(&lab, &asked);
        fails(&clients, template, change, &cause);
    }
    assert_eq!(
        planned(&lab, &by_vpc),
        nothing(),
        "after every way back the stack is as it was"
    );
    assert_eq!(planned(&lab, &["--subnets", &format!("{b},{a}")]), nothing());
    lab.end();
}

/// Demands that `plan` and `deploy` refuse what is asked for; returns why.
fn refused(lab: &Lab, asked: &[String]) -> String {
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let causes = [&["plan", "--local"][..], &["deploy", "--local", "--yes"]].map(|verb| {
        let refused = lab.json(&[verb, &asked].concat(), 3);
        assert_eq!(
            refused["error"],
            format!("this change of stack {STACK} would fail"),
            "{refused}"
        );
        assert!(refused["hint"].as_str().is_some_and(|h| !h.is_empty()), "{refused}");
        assert_eq!(refused["left"], "nothing was changed");
        refused["details"]["cause"].as_str().expect("a cause").to_owned()
    });
    assert_eq!(causes[0], causes[1]);
    causes[0].clone()
}

/// Demands that a change fails in the local cloud, at a resource that the refusal named.
fn fails(clients: &Clients, template: &str, change: &[(&str, &str)], cause: &str) {
    let (status, events) = forced(clients, template, change);
    assert_eq!(status, "UPDATE_ROLLBACK_COMPLETE", "{change:?}");
    let failures = failures(&events);
    assert!(
        failures.keys().any(|logical| cause.contains(&format!("`{logical}`"))),
        "{change:?}: {failures:?}, but {cause}"
    );
}

#[test]
fn own_network_stays_where_it_is() {
    let lab = Lab::up(&[]);
    let record = lab.record();
    let zone = |letter: char| format!("{}{letter}", record.region);
    let zones = |first: char, second: char| format!("network.zones={},{}", zone(first), zone(second));
    let range = ["--set", "network.cidr=10.7.0.0/16"];
    let with = |more: &str| {
        [&range[..], &["--set", more]]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    lab.json(
        &[
            &["deploy", "--local", "--yes"],
            &range[..],
            &["--set", &zones('c', 'b')],
        ]
        .concat(),
        0,
    );
    assert_eq!(planned(&lab, &range), nothing(), "zones that nobody names any more");
    assert_eq!(
        planned(&lab, &[&range[..], &["--set", &zones('b', 'c')]].concat()),
        nothing()
    );

    let clients = lab.clients();
    let template = rendered(&lab, &range);
    let zone_a = zone('a');
    let cause = refused(&lab, &with(&zones('c', 'a')));
    fails(&clients, &template, &[("AvailabilityZone2", &zone_a)], &cause);
    let cause = refused(&lab, &["--set", "network.cidr=10.6.0.0/16"].map(str::to_owned));
    let moved = [
        ("VpcCidr", "10.6.0.0/16"),
        ("Subnet1Cidr", "10.6.0.0/18"),
        ("Subnet2Cidr", "10.6.64.0/18"),
    ];
    fails(&clients, &template, &moved, &cause);
    assert!(refused(&lab, &[]).contains("`Vpc`"), "another network than its own");
    assert_eq!(planned(&lab, &range), nothing());
    lab.end();
}

#[test]
fn failed_update_tells_that_the_instance_was_replaced() {
    let lab = Lab::up(&[]);
    lab.json(&["deploy", "--local"], 0);
    let before = instance(&lab);
    let error = lab.json(&["deploy", "--local", "--yes", "--key-name", "nosuch"], 4);
    assert_eq!(error["error"], format!("stack {STACK} was rolled back"));
    let after = instance(&lab);
    assert_ne!(before, after, "the way back replaced it");
    let left = error["left"].as_str().expect("left");
    let outage = left.strip_prefix("the stack, restored to its previous settings; ");
    let outage = outage.unwrap_or_else(|| panic!("{left}"));
    // A signal that the old instance sent again may end CloudFormation's wait before the new one serves.
    if outage.starts_with(&format!("OUT OF SERVICE: {before} was terminated at ")) {
        assert!(outage.contains(&format!("and the group has {after} (")), "{left}");
        let hint = error["hint"].as_str().expect("hint");
        assert!(hint.contains("--wait serving"), "{hint}");
    } else {
        assert!(
            outage.starts_with(&format!("its instance was replaced: {before} was terminated at ")),
            "{left}"
        );
        assert!(outage.contains(&format!(", {after} reported service at ")), "{left}");
        let without = outage
            .rsplit_once("about ")
            .and_then(|(_, rest)| rest.strip_suffix(" s without service"));
        let seconds: f64 = without
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| panic!("{left}"));
        assert!(seconds > 0.0, "{left}");
    }
    lab.end();
}

/// Data that a higher level of the engine has opened is not given back to the one before, so that whoever agrees must know it.
#[test]
fn a_plan_for_an_image_with_a_higher_engine_level_says_that_there_is_no_way_back() {
    let lab = Lab::deployed(&[]);
    let status = lab.json(&["status", "--local"], 0);
    let has = status["engine"].as_str().expect("a version").to_owned();
    for (id, version, no_way_back) in [
        ("ami-0123456789abcdef0", "99.0.0.0", true),
        ("ami-0123456789abcdef1", "9.0.0.0", false),
    ] {
        let image =
            json!({"image": id, "name": version, "tags": {"mqaws:image": "ibm-mq", "mqaws:engine-version": version}});
        own_call(&lab.record(), "images", &image).expect("registered");
        let set = format!("instance.ami={id}");
        let example = Lab::example();
        let plan = ["plan", "--local", "--config", &example, "--set", &set];
        let document = lab.json(&plan, 0);
        let expected = match no_way_back {
            true => json!({"from": has, "to": version}),
            false => Value::Null,
        };
        assert_eq!(document["no_way_back"], expected, "{document}");
        let text = lab.run(&plan, 0).out;
        assert_eq!(text.contains("there is no way back"), no_way_back, "{text}");
        // The agent of an older level would refuse the data, so that the deployment would fail.
        assert_eq!(document["unusable"].is_null(), no_way_back, "{document}");
        assert_eq!(
            text.contains("will not start the queue manager"),
            !no_way_back,
            "{text}"
        );
    }
}

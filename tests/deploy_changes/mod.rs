//! Changes of a deployed stack: what was chosen stays, and what a failure leaves is told.

use super::Lab;
use super::lab_calls::{between, call};
use mqaws::lab::home::LabRecord;
use serde_json::Value;

const STACK: &str = "mqaws-qm1";

/// A VPC of the user, outside of any stack.
struct UserVpc {
    record: LabRecord,
    id: String,
}

impl UserVpc {
    fn new(lab: &Lab, range: &str) -> Self {
        let record: LabRecord = serde_json::from_value(lab.record()).expect("a record");
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

#[test]
fn what_was_chosen_stays_whatever_the_vpc_gets() {
    let lab = Lab::start(&[]);
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
    let (review, _) = lab.run(&["plan", "--local", "--subnets", &pair(&c, &a)], 0);
    assert!(review.contains("replaces its instance: one planned outage"), "{review}");
    let went = lab.json(&["deploy", "--local", "--yes", "--subnets", &pair(&c, &a)], 0);
    assert_eq!(went["outputs"]["FileSystemId"], deployed["outputs"]["FileSystemId"]);
    assert_eq!(went["service"]["agent"]["proof"]["kind"], "clean", "{went}");
    assert_eq!(planned(&lab, &by_vpc), nothing(), "the new choice is now what stays");
    assert_eq!(others.len(), 12);
    lab.end();
}

#[test]
fn failed_update_tells_that_the_instance_was_replaced() {
    let lab = Lab::start(&[]);
    lab.json(&["deploy", "--local"], 0);
    let before = instance(&lab);
    let error = lab.json(&["deploy", "--local", "--yes", "--key-name", "nosuch"], 4);
    assert_eq!(error["error"], format!("stack {STACK} was rolled back"));
    let after = instance(&lab);
    assert_ne!(before, after, "the way back replaced it");
    let left = error["left"].as_str().expect("left");
    assert!(
        left.starts_with(&format!(
            "the stack with its settings of before; its instance was replaced: {before} was ended at "
        )),
        "{left}"
    );
    assert!(left.contains(&format!(", {after} reported service at ")), "{left}");
    let without = left
        .rsplit_once("about ")
        .and_then(|(_, rest)| rest.strip_suffix(" s without service"));
    let seconds: f64 = without
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("{left}"));
    assert!(seconds > 0.0, "{left}");
    lab.end();
}

//! Changes of a deployed stack: what a failure leaves is told.

use super::Lab;

const STACK: &str = "mqaws-qm1";

/// Id of the one instance that the group has, once it is in service.
fn instance(lab: &Lab) -> String {
    let status = lab.json(&["status", "--local"], 0);
    let all = status["instances"].as_array().expect("instances");
    assert_eq!(all.len(), 1, "{status}");
    all[0]["instance"].as_str().expect("an id").to_owned()
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

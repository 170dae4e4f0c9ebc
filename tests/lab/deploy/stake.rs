//! Data at stake, and what belongs to somebody else, in a local cloud.

use crate::support::{Lab, said};
use mqaws::deploy::Blueprint;
use mqaws::deploy::ports::{ChangeSetIds, SetKind, Stacks};
use mqaws::model::{Engine, Topology};
use mqaws::observe::Readings;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn json_of(lab: &Lab, verb: &str, more: &[&str], exit: i32) -> Value {
    lab.json(&[&[verb, "--local", "--yes"], more].concat(), exit)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

/// The commands between backticks.
fn commands(hint: &str) -> Vec<&str> {
    hint.split('`').skip(1).step_by(2).collect()
}

#[test]
fn another_queue_manager_does_not_take_a_stack_over() {
    let lab = Lab::up(&[]);
    for (first, second, named) in [
        ("ORDERS", "orders", &[][..]),
        ("DEV.MGR", "DEV_MGR", &[]),
        ("QM1", "QM2", &["--stack", "mqaws-qm1"]),
    ] {
        let deployed = json_of(&lab, "deploy", &["--until", "stack", "--queue-manager", first], 0);
        let other = [&["--queue-manager", second][..], named].concat();
        for verb in ["plan", "deploy"] {
            let error = json_of(&lab, verb, &other, 3);
            let stack = text(&deployed, "/stack");
            assert_eq!(
                text(&error, "/error"),
                format!("this change replaces queue manager {first} of stack {stack} with {second}")
            );
            assert_eq!(text(&error, "/left"), "nothing was changed");
            assert!(
                text(&error, "/hint").contains("--allow-replace QueueManagerName"),
                "{error}"
            );
        }
        let again = json_of(&lab, "deploy", &["--until", "stack", "--queue-manager", first], 0);
        assert_eq!(
            (&again["changed"], &again["outputs"]),
            (&json!(false), &deployed["outputs"])
        );
    }

    let other = ["--stack", "mqaws-qm1", "--queue-manager", "QM2"];
    let review = lab
        .run(
            &[&["plan", "--local", "--allow-replace", "QueueManagerName"], &other[..]].concat(),
            0,
        )
        .out;
    assert!(
        review.contains("! replace  queue manager             QM1 → QM2: MAKES THE DATA OF QM1 INACCESSIBLE"),
        "{review}"
    );
    let plan = json_of(
        &lab,
        "plan",
        &[&["--allow-replace", "QueueManagerName"], &other[..]].concat(),
        0,
    );
    assert_eq!(
        plan["rename"],
        json!({ "from": "QM1", "to": "QM2", "other_stack": "mqaws-qm2" })
    );
    let planned = lab.run(&[&["plan", "--local"], &other[..]].concat(), 3);
    assert!(
        planned.out.contains("MAKES THE DATA OF QM1 INACCESSIBLE"),
        "the plan is shown before it stops: {planned}"
    );
    assert!(planned.err.contains("nothing was changed"), "{planned}");

    // The commands of the hint, pasted as they are: a stack of its own, the one that was meant, and QM1 put aside.
    let error = json_of(&lab, "deploy", &other, 3);
    let suggested = commands(text(&error, "/hint"));
    assert_eq!(suggested.len(), 3, "{error}");
    for (command, queue_manager) in suggested.into_iter().zip(["QM2", "QM1", "QM2"]) {
        let words: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(words.first(), Some(&"mqaws"), "{command}");
        let deployed = lab.json(&words[1..], 0);
        assert_eq!(text(&deployed, "/outputs/QueueManagerName"), queue_manager);
        assert_eq!(text(&deployed, "/service/queue_manager"), queue_manager);
    }

    json_of(&lab, "deploy", &["--stack", "mqaws-qm1"], 3);
    lab.end();
}

#[test]
fn nobody_starts_empty_beside_kept_data_without_a_word() {
    let lab = Lab::up(&[]);
    let short = ["--until", "stack"];
    let deployed = json_of(&lab, "deploy", &short, 0);
    let first = text(&deployed, "/outputs/FileSystemId").to_owned();
    json_of(&lab, "destroy", &[], 0);
    let systems = || lab.json(&["lab", "status"], 0)["file_systems"].clone();
    let stops = |verb: &str, more: &[&str], expected: &[&str]| {
        let error = json_of(&lab, verb, more, 3);
        assert!(text(&error, "/error").starts_with("queue manager QM1 would start on a new, empty file system"));
        let kept: Vec<&str> = text(&error, "/details/kept").lines().collect();
        assert_eq!(kept.len(), expected.len(), "{error}");
        for id in expected {
            let line = kept
                .iter()
                .find(|line| line.contains(id))
                .unwrap_or_else(|| panic!("{id} in {error}"));
            assert!(
                line.contains(" MB, queue manager QM1, of stack mqaws-qm1, created 20"),
                "{line}"
            );
        }
        let hint = text(&error, "/hint");
        assert!(
            hint.starts_with("to continue with its messages: `mqaws deploy --adopt-file-system fs-"),
            "{error}"
        );
        assert!(hint.contains("--new-storage"), "{error}");
        assert_eq!(text(&error, "/left"), "nothing was changed");
    };
    stops("plan", &[], &[&first]);
    stops("deploy", &[], &[&first]);
    assert_eq!(systems(), json!([first]), "nothing was made");
    assert_eq!(
        json_of(&lab, "status", &[], 3)["error"],
        "stack mqaws-qm1 does not exist in the local cloud"
    );

    json_of(&lab, "plan", &["--stack", "mqaws-qm2", "--queue-manager", "QM2"], 0);
    let plan = json_of(&lab, "plan", &["--new-storage"], 0);
    assert_eq!(text(&plan, "/kept_storage/0/id"), first);
    assert_eq!(text(&plan, "/kept_storage/0/queue_manager"), "QM1");
    let again = json_of(&lab, "deploy", &[&["--new-storage"], &short[..]].concat(), 0);
    let second = text(&again, "/outputs/FileSystemId").to_owned();
    assert_ne!(first, second);
    let unchanged = json_of(&lab, "deploy", &short, 0);
    assert_eq!(
        unchanged["changed"], false,
        "a stack that lives has its storage: nothing is asked"
    );

    // On a stack of another name the same queue manager is told of them, and goes on: each run of a pipeline has a name.
    // The one that the living stack has is not kept; the other one is.
    let elsewhere = ["--stack", "elsewhere"];
    let told = |document: &Value| {
        let kept = document["kept_storage"].as_array().expect("a list");
        let ids: Vec<&str> = kept.iter().map(|k| text(k, "/id")).collect();
        assert_eq!(ids, [first.as_str()], "{document}");
        assert_eq!(text(document, "/kept_storage/0/stack"), "mqaws-qm1");
    };
    told(&json_of(&lab, "plan", &elsewhere, 0));
    let said = lab.run(&[&["plan", "--local"], &elsewhere[..]].concat(), 0).out;
    assert!(said.contains(&format!("kept     file system {first}, ")), "{said}");
    told(&json_of(&lab, "deploy", &[&elsewhere[..], &short].concat(), 0));
    json_of(&lab, "destroy", &elsewhere, 0);
    let another_run = json_of(&lab, "deploy", &[&["--stack", "run-2"], &short[..]].concat(), 0);
    assert_eq!(another_run["changed"], true);
    json_of(&lab, "destroy", &["--stack", "run-2"], 0);
    json_of(&lab, "destroy", &[], 0);
    stops("deploy", &[], &[&first, &second]);

    // EFS takes no `%` in the value of a tag.
    let odd = ["--queue-manager", "A%B/_."];
    json_of(&lab, "deploy", &[&odd[..], &short].concat(), 0);
    json_of(&lab, "destroy", &["--stack", "mqaws-a-b---"], 0);
    let error = json_of(&lab, "deploy", &odd, 3);
    assert!(
        text(&error, "/details/kept").contains("queue manager A%B/_., of stack mqaws-a-b---"),
        "{error}"
    );
    lab.end();
}

#[test]
fn name_made_of_the_queue_managers_reaches_no_stack_of_another() {
    let lab = Lab::up(&[]);
    let short = ["--until", "stack", "--queue-manager", "ORDERS"];
    json_of(&lab, "deploy", &short, 0);
    let configure = |text: &str| std::fs::write(lab.path("mqaws.yaml"), text).expect("written");
    let verbs = [&["destroy"][..], &["failover-test"], &["failover-test", "heal"]];
    for (name, file) in [
        ("orders", "queue_manager:\n  name: orders\n"),
        ("Orders", "queue_manager:\n  name: Orders\n"),
    ] {
        configure(file);
        for verb in verbs {
            let error = lab.json(&[verb, &["--local", "--yes"]].concat(), 3);
            assert_eq!(
                text(&error, "/error"),
                format!("stack mqaws-orders contains queue manager ORDERS, not {name}"),
                "{verb:?}"
            );
            assert_eq!(text(&error, "/left"), "nothing was changed");
            let suggested = commands(text(&error, "/hint"));
            let meant = format!("mqaws {} --stack mqaws-orders --local", verb.join(" "));
            assert_eq!(suggested, [meant], "{error}");
        }
    }
    assert_eq!(
        json_of(&lab, "deploy", &[&["--config", "/dev/null"], &short[..]].concat(), 0)["changed"],
        false
    );
    // Whoever names the stack means it: by the file, by a flag.
    configure("stack: mqaws-orders\nqueue_manager:\n  name: orders\n");
    let healed = said(&mut lab.command(&["failover-test", "heal", "--local", "--yes"])).text();
    assert!(!healed.contains("contains queue manager"), "{healed}");
    configure("queue_manager:\n  name: orders\n");
    json_of(&lab, "destroy", &["--stack", "mqaws-orders"], 0);
    // Nothing stands there: nothing is in the way.
    assert_eq!(json_of(&lab, "destroy", &[], 0)["existed"], false);
    lab.end();
}

/// A change set of somebody else, for a stack that is not there yet.
async fn their_change_set(cloud: &impl Stacks, stack: &str, name: &str, tags: &[(&str, &str)]) -> ChangeSetIds {
    let template = json!({ "Resources": { "Group": {
        "Type": "AWS::EC2::SecurityGroup", "Properties": { "GroupDescription": "theirs" },
    } } });
    let blueprint = Blueprint {
        stack: stack.into(),
        queue_manager: "QM1".into(),
        topology: Topology::default(),
        engine: Engine::default(),
        template: template.to_string(),
        parameters: BTreeMap::new(),
        tags: tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        role: None,
        protect: false,
        adopts: None,
        renewal: None,
        engine_version: None,
    };
    cloud
        .create_change_set(&blueprint, name, SetKind::Create)
        .await
        .expect("a change set")
}

#[test]
fn review_of_somebody_else_stays() {
    let lab = Lab::up(&[]);
    let cloud = lab.clients();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let stands = |ids: &ChangeSetIds| {
        let stack = runtime.block_on(cloud.stack(&ids.stack)).expect("read").expect("there");
        let sets = runtime.block_on(cloud.change_sets(&ids.stack)).expect("listed");
        let listed = sets.iter().any(|set| set.change_set == ids.change_set);
        assert!(stack.status.is_review() && listed, "{stack:?} {sets:?}");
    };

    let foreign = runtime.block_on(their_change_set(&cloud, "mqaws-qm1", "mqaws-like", &[]));
    for verb in ["plan", "deploy", "destroy"] {
        let error = json_of(&lab, verb, &[], 3);
        assert_eq!(text(&error, "/error"), "stack mqaws-qm1 was not created by mqaws");
        stands(&foreign);
    }
    // Whoever made it took the change set away, to add another one.
    runtime
        .block_on(cloud.delete_change_set(&foreign.change_set))
        .expect("deleted");
    for verb in ["plan", "deploy", "destroy"] {
        let error = json_of(&lab, verb, &[], 3);
        assert!(
            text(&error, "/error").contains("is in REVIEW_IN_PROGRESS and has no change set"),
            "{error}"
        );
        let stack = runtime
            .block_on(cloud.stack(&foreign.stack))
            .expect("read")
            .expect("there");
        let sets = runtime.block_on(cloud.change_sets(&foreign.stack)).expect("listed");
        assert!(stack.status.is_review() && sets.is_empty(), "{stack:?} {sets:?}");
    }

    // Of another run of mqaws, which may be waiting for an answer.
    let tag = [("mqaws:stack", "mqaws-qm2")];
    let waiting = runtime.block_on(their_change_set(&cloud, "mqaws-qm2", "mqaws-1", &tag));
    json_of(&lab, "plan", &["--queue-manager", "QM2"], 0);
    stands(&waiting);
    assert_eq!(
        runtime
            .block_on(cloud.change_sets(&waiting.stack))
            .expect("listed")
            .len(),
        1,
        "its own change set is gone"
    );
    // Named by the user, and made by mqaws.
    json_of(&lab, "destroy", &["--stack", "mqaws-qm2"], 0);
    assert!(runtime.block_on(cloud.stack("mqaws-qm2")).expect("read").is_none());
    lab.end();
}

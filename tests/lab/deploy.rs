//! `deploy`, `plan`, `status` and `destroy` from end to end, each test in a local cloud of its own.

mod adopt;
mod blocked;
mod changes;
mod stake;

use crate::support::{Lab, Running};
use mqaws::failover::port::TestBed;
use rustix::process::Signal;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The evidence that was shown, by name.
fn shown(deployed: &Value) -> Vec<&str> {
    let evidence = deployed["service"]["evidence"].as_array().expect("evidence").iter();
    evidence
        .filter(|e| e["shown"] == true)
        .filter_map(|e| e["of"].as_str())
        .collect()
}

/// Where a text stands that must stand nowhere: in files below a directory.
fn files_with(secret: &str, dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_with(secret, &path, found),
            Ok(kind) if kind.is_file() => {
                let bytes = std::fs::read(&path).unwrap_or_default();
                if bytes.windows(secret.len()).any(|w| w == secret.as_bytes()) {
                    found.push(path);
                }
            }
            _ => {}
        }
    }
}

#[test]
fn deployment_lives_and_goes_and_its_data_stay() {
    let lab = Lab::up(&[]);
    let deployed = lab.json(&["deploy", "--local"], 0);
    assert_eq!(deployed["schema"], "mqaws.deploy/1");
    assert_eq!(
        (&deployed["status"], &deployed["changed"]),
        (&"CREATE_COMPLETE".into(), &true.into())
    );
    assert_eq!(shown(&deployed), ["signal", "targets", "agent", "endpoint"]);
    assert_eq!(deployed["service"]["agent"]["proof"]["kind"], "new");
    let file_system = deployed["outputs"]["FileSystemId"]
        .as_str()
        .expect("an output")
        .to_owned();

    let again = lab.json(&["deploy", "--local"], 0);
    assert_eq!(again["changed"], false, "no change is success");
    assert_eq!(again["outputs"], deployed["outputs"]);
    assert_eq!(
        shown(&again),
        ["targets", "agent", "endpoint"],
        "nothing was signalled this time"
    );

    // An alarm that fired while the queue manager started ends some seconds later.
    let status = lab.json(&["status", "--local", "--wait", "serving"], 0);
    assert_eq!(status["schema"], "mqaws.status/1");
    assert_eq!(
        (&status["state"], &status["stand_in"]),
        (&"serving".into(), &true.into()),
        "{status}"
    );
    assert_eq!(
        (&status["writer"]["epoch"], &status["rebalance_suspended"]),
        (&1.into(), &true.into())
    );
    assert_eq!(status["storage"]["id"], file_system.as_str());
    assert_eq!(status["unread"], serde_json::json!({}));

    let other = [
        "--set",
        "storage.performance_mode=maxIO",
        "--set",
        "storage.throughput=bursting",
    ];
    for verb in [&["plan", "--local"][..], &["deploy", "--local", "--yes"]] {
        let error = lab.json(&[verb, &other].concat(), 3);
        assert_eq!(error["error"], "this change would replace `FileSystem`");
        assert_eq!(error["left"], "nothing was changed");
    }
    what_is_not_there_is_shown_where_it_was_asked_for(&lab);
    let review = lab
        .run(&["plan", "--local", "--set", "endpoint.idle_timeout_seconds=600"], 0)
        .out;
    assert!(review.contains("~ change   Listener"), "{review}");
    let review = lab
        .run(&["plan", "--local", "--set", "security.allow_faults=false"], 0)
        .out;
    assert!(
        review.contains("may replace its instance") && !review.contains("; replaces its instance"),
        "a tag is no outage: {review}"
    );
    assert!(review.contains(" more "), "consequences are folded: {review}");
    let review = lab.run(&["plan", "--local", "--instance-type", "m6i.xlarge"], 0).out;
    assert!(
        review.contains("; replaces its instance: one planned outage"),
        "{review}"
    );
    let tagged = [
        "plan",
        "--local",
        "--set",
        "tags=team=x",
        "--instance-type",
        "m6i.xlarge",
    ];
    let review = lab.run(&tagged, 0).out;
    for words in [
        "InstanceType m6i.large → m6i.xlarge",
        "; replaces its instance: one planned outage",
    ] {
        assert!(review.contains(words), "beside a tag: {review}");
    }
    let unknown = lab.json(&["plan", "--local", "--allow-replace", "Foo"], 2);
    assert_eq!(
        unknown["hint"], "to allow a replacement, specify FileSystem or QueueManagerName",
        "{unknown}"
    );
    let review = lab.run(&["plan", "--local"], 0).out;
    assert!(review.ends_with("\n\n  no changes\n"), "{review:?}");
    assert_eq!(
        lab.json(&["deploy", "--local"], 0)["changed"],
        false,
        "plans left nothing behind"
    );

    no_secret_is_told(&lab, "mqaws-qm1");

    let replaced = lab.json(
        &[
            &["deploy", "--local", "--yes", "--allow-replace", "FileSystem"],
            &other[..],
        ]
        .concat(),
        0,
    );
    assert_eq!(
        replaced["kept"],
        serde_json::json!([format!("file system {file_system}")])
    );
    assert!(shown(&replaced).contains(&"signal"), "{replaced}");
    let old = file_system;
    let file_system = replaced["outputs"]["FileSystemId"]
        .as_str()
        .expect("an output")
        .to_owned();
    assert_ne!(file_system, old);

    let log = std::fs::read_to_string(lab.dir().join("log/server.log")).expect("a log");
    assert!(
        !log.contains("is not authorized to perform"),
        "the agent was refused a call:\n{log}"
    );

    assert!(!lab.of_instances().is_empty(), "an instance is processes");
    let destroyed = lab.json(&["destroy", "--local", "--yes"], 0);
    // The one that it kept, and the one that the replacement kept.
    let kept = serde_json::json!([format!("file system {file_system}"), format!("file system {old}")]);
    assert_eq!(destroyed["kept"], kept);
    assert_eq!(
        lab.of_instances(),
        Vec::<String>::new(),
        "no process of the stack is left"
    );
    // As after one that was killed before it could say so.
    let again = lab.json(&["destroy", "--local", "--yes"], 0);
    assert_eq!((&again["existed"], &again["kept"]), (&false.into(), &kept));
    assert_eq!(
        lab.json(&["status", "--local"], 3)["error"],
        "stack mqaws-qm1 does not exist in the local cloud"
    );
    let status = lab.json(&["lab", "status"], 0).to_string();
    for data in [&old, &file_system] {
        assert!(status.contains(data), "the data of {data} are still there: {status}");
    }
    lab.end();
}

/// What only the cloud can tell to be wrong is an error of the configuration, with its place and a way out.
fn what_is_not_there_is_shown_where_it_was_asked_for(lab: &Lab) {
    for (flag, value, error, hint) in [
        (
            "--instance-type",
            "z9.large",
            "CloudFormation rejected a property value of stack mqaws-qm1",
            "change `instance.type`",
        ),
        (
            "--instance-type",
            "zz.large",
            "instance type zz.large is not offered in eu-west-1a and eu-west-1b",
            "does not offer it in this region",
        ),
        (
            "--instance-type",
            "m8i.large",
            "instance type m8i.large is not offered in eu-west-1b",
            "two zones of eu-west-1a, eu-west-1c",
        ),
        (
            "--ami",
            "ami-0abcdef1234567890",
            "image ami-0abcdef1234567890 does not exist in this region",
            "`instance.ami`",
        ),
        (
            "--subnets",
            "subnet-0abcdef1234567890,subnet-0abcdef1234567891",
            "subnet subnet-0abcdef1234567890 does not exist in this region",
            "`network.subnets`",
        ),
    ] {
        let found = lab.json(&["deploy", "--local", "--yes", flag, value], 3);
        assert_eq!(found["error"], error);
        assert!(found["hint"].as_str().is_some_and(|h| h.contains(hint)), "{found}");
        assert!(
            found["place"]
                .as_str()
                .is_some_and(|p| p.contains(&format!("flag {flag}"))),
            "{found}"
        );
        assert_eq!(found["left"], "nothing was changed");
    }
    let found = lab.json(&["deploy", "--local", "--instance-type", "z9.large"], 3);
    let cause = found["details"]["cause"].as_str().unwrap_or_default();
    assert!(cause.contains("InstanceType") && cause.contains("z9.large"), "{found}");

    let found = lab.json(&["deploy", "--local", "--timing", "aws"], 3);
    assert_eq!(
        found["error"],
        "a local cloud with different options is already running: process hosts, fast timing"
    );
}

fn no_secret_is_told(lab: &Lab, stack: &str) {
    let clients = lab.clients();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let password = runtime.block_on(async {
        let target = clients.target(stack).await.expect("a target");
        clients.credentials(&target).await.expect("credentials").password
    });
    let password = password.expose_secret();
    assert!(password.len() >= 16, "a password was generated");
    assert!(!lab.has_told(password), "a verb printed the password");
    let mut found = Vec::new();
    files_with(password, &lab.dir().join("log"), &mut found);
    for instance in std::fs::read_dir(lab.dir().join("i")).expect("instances").flatten() {
        files_with(password, &instance.path().join("etc"), &mut found);
        files_with(password, &instance.path().join("var/log"), &mut found);
    }
    assert_eq!(found, Vec::<PathBuf>::new(), "files with the password");
    let lines = lab.processes();
    assert!(lines.len() > 2, "{lines:?}");
    assert!(
        lines.iter().all(|line| !line.contains(password)),
        "arguments with the password"
    );
}

/// An image of the local cloud without agent and queue manager.
const BARE: &str = mqaws_lab::ec2::BARE_IMAGE;

#[test]
fn dead_image_fails_the_deployment_and_the_next_one_cleans_up() {
    let lab = Lab::up(&[]);
    let error = lab.json(&["deploy", "--local", "--ami", BARE], 4);
    assert_eq!(error["error"], "stack mqaws-qm1 was rolled back");
    let cause = error["details"]["cause"].as_str().expect("a cause");
    assert!(
        cause.starts_with("`Group` AWS::AutoScaling::AutoScalingGroup, "),
        "{cause}"
    );
    assert!(cause.contains("Received 0 SUCCESS signal(s) out of 1"), "{cause}");
    assert_eq!(error["left"], "the empty stack, which the next deployment removes");
    assert!(error["hint"].as_str().is_some_and(|h| h.contains("image")), "{error}");
    assert_eq!(lab.of_instances(), Vec::<String>::new());

    let planned = lab.json(&["plan", "--local"], 3);
    assert_eq!(
        planned["error"],
        "stack mqaws-qm1 is left over from a failed deployment (ROLLBACK_COMPLETE) and has no resources"
    );
    assert_eq!(planned["left"], "nothing was changed");
    let progress = lab.run(&["deploy", "--local", "--until", "stack"], 0).err;
    assert!(progress.contains("removing the empty stack"), "{progress}");
    lab.end();
}

/// Starts a deployment whose instance never signals, and waits until it waits for that.
fn waiting_for_a_signal(lab: &Lab) -> Running {
    let mut running = lab.spawn(&["deploy", "--local", "--ami", BARE]);
    running.until_err("waiting for the agent's signal");
    running
}

/// What it still says, when it ends with the exit code.
fn rest(running: Running, exit: i32) -> String {
    let said = running.wait();
    assert_eq!(said.code, Some(exit), "{said}");
    let (_, rest) = said
        .err
        .split_once("waiting for the agent's signal")
        .expect("it waited");
    rest.to_owned()
}

#[test]
fn interrupted_deployment_is_undone() {
    let lab = Lab::up(&[]);
    let running = waiting_for_a_signal(&lab);
    running.signal(Signal::INT);
    let said = rest(running, 130);
    assert!(said.contains("deleting the resources created so far"), "{said}");
    assert!(said.contains("deleted: no client could have connected to it"), "{said}");
    assert_eq!(
        lab.json(&["status", "--local"], 3)["error"],
        "stack mqaws-qm1 does not exist in the local cloud"
    );
    assert_eq!(lab.of_instances(), Vec::<String>::new());
    let file_systems = std::fs::read_dir(lab.dir().join("fs")).map_or(0, Iterator::count);
    assert_eq!(file_systems, 0, "no file system is left");

    let running = waiting_for_a_signal(&lab);
    lab.run(&["destroy", "--local", "--yes"], 0);
    let said = rest(running, 4);
    assert!(said.contains("another principal is deleting the stack"), "{said}");
    assert!(
        said.contains("stack mqaws-qm1 was deleted by another principal during the deployment"),
        "{said}"
    );
    assert!(!said.contains("rolled back"), "{said}");

    let deployed = lab.json(&["deploy", "--local", "--new-storage"], 0);
    let running = waiting_for_a_signal(&lab);
    let busy = lab.json(&["destroy", "--local", "--yes"], 3);
    assert_eq!(busy["error"], "stack mqaws-qm1 is busy: UPDATE_IN_PROGRESS");
    running.signal(Signal::INT);
    let said = rest(running, 130);
    assert!(said.contains("rolling back the update"), "{said}");
    let replaced = "left:  the stack, restored to its previous settings; its instance was replaced: i-";
    assert!(said.contains(replaced), "{said}");
    let again = lab.json(&["deploy", "--local"], 0);
    assert_eq!(
        (&again["status"], &again["changed"], &again["outputs"]),
        (&"UPDATE_ROLLBACK_COMPLETE".into(), &false.into(), &deployed["outputs"]),
        "its settings are those of before, and it serves"
    );
    lab.end();
}

#[test]
fn instance_that_cannot_be_launched_is_told_in_ec2s_words() {
    let lab = Lab::up(&[]);
    lab.json(&["deploy", "--local"], 0);
    let said = lab.run(&["deploy", "--local", "--yes", "--key-name", "nosuch"], 4).err;
    assert!(
        said.contains("launch failed: The key pair 'nosuch' does not exist"),
        "{said}"
    );
    assert!(said.contains("error: stack mqaws-qm1 was rolled back"), "{said}");
    assert!(said.contains("cause: no instance could be launched, "), "{said}");
    assert!(
        said.contains("`instance.key_name`") && !said.contains("console output"),
        "{said}"
    );
    lab.end();
}

#[test]
fn deployment_bears_calls_that_fail() {
    let lab = Lab::up(&["--api-faults", "0.3"]);
    let deployed = lab.json(&["deploy", "--local"], 0);
    assert_eq!(deployed["status"], "CREATE_COMPLETE");
    assert!(shown(&deployed).contains(&"targets"), "{deployed}");
    let status = lab.json(&["status", "--local", "--wait", "serving"], 0);
    assert_eq!(status["state"], "serving", "{status}");
    assert_eq!(
        status["instances"].as_array().map(Vec::len),
        Some(1),
        "no healthy instance was replaced: {status}"
    );
    lab.json(&["destroy", "--local", "--yes"], 0);
    lab.end();
}

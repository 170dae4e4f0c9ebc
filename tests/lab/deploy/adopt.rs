//! Kept data comes back: from put to get, across the end of a stack and the beginning of the next one.

use crate::support::{Client, Lab, Put, all, call, until, wait};
use mqaws::failover::port::{Probe, TestBed};
use mqaws::model::InstanceId;
use mqaws::stack::AMQP;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::path::PathBuf;

fn json_of(lab: &Lab, verb: &str, more: &[&str], exit: i32) -> Value {
    lab.json(&[&[verb, "--local", "--yes"], more].concat(), exit)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

/// A client of a stack's endpoint, once one is let in.
fn client(lab: &Lab, stack: &str) -> Client {
    let clients = lab.clients();
    let target = wait(clients.target(stack)).expect("a stack");
    let user = wait(clients.credentials(&target)).expect("a user");
    let endpoint = target.parts.endpoint(&AMQP).expect("AMQP is on");
    let address = endpoint.address.host.parse().expect("an address");
    until("a client is let in", || {
        Client::connect(address, &user.username, user.password.expose_secret(), "adopt").ok()
    })
}

#[test]
fn messages_of_a_destroyed_stack_are_got_from_the_one_that_adopts_its_file_system() {
    let lab = Lab::up(&[]);
    let example = Lab::example();
    let config = ["--config", example.as_str(), "--allow-faults"];
    let deployed = json_of(&lab, "deploy", &config, 0);
    let id = text(&deployed, "/outputs/FileSystemId").to_owned();
    let instance = InstanceId::new(text(&deployed, "/service/agent/instance")).expect("an instance");
    let clients = lab.clients();
    let target = wait(clients.target(text(&deployed, "/stack"))).expect("a stack");
    let probe = wait(clients.probe(&target, &instance, Probe::Define)).expect("its queues");
    let queue = &probe.queues[0].name;
    let puts: Vec<Put> = (0..5).map(|n| Put::persistent(&format!("m-{n}"))).collect();
    let put = client(&lab, text(&deployed, "/stack")).put(queue, &puts).expect("put");
    assert_eq!(put.len(), 5);
    json_of(&lab, "destroy", &[], 0);

    // To the same name, then to another one, whose role mounts by a tag of its own.
    let epoch = |of: &Value| {
        of.pointer("/service/agent/epoch")
            .and_then(Value::as_u64)
            .expect("an epoch")
    };
    let mut before = epoch(&deployed);
    for stack in ["mqaws-qm1", "elsewhere"] {
        let adopt = [&config[..], &["--stack", stack, "--adopt-file-system", &id]].concat();
        let planned = json_of(&lab, "plan", &adopt, 0);
        assert_eq!(text(&planned, "/adopts/id"), id);
        assert_eq!(planned["summary"], "1 to adopt, 0 to add, 0 to change, 0 to replace");
        assert!(text(&planned, "/adopts/proof").starts_with("`clean` if"), "{planned}");
        let adopted = json_of(&lab, "deploy", &adopt, 0);
        assert_eq!(text(&adopted, "/outputs/FileSystemId"), id, "{adopted}");
        assert_eq!(text(&adopted, "/service/agent/proof/kind"), "clean");
        assert_eq!(text(&adopted, "/adopted/id"), id);
        assert!(epoch(&adopted) > before, "{adopted}");
        before = epoch(&adopted);
        let status = json_of(&lab, "status", &["--stack", stack], 0);
        assert_eq!(text(&status, "/state"), "serving");
        // The same command again, and without the option: the stack has it.
        assert_eq!(json_of(&lab, "deploy", &adopt, 0)["changed"], false);
        let plain = [&config[..], &["--stack", stack]].concat();
        assert_eq!(json_of(&lab, "deploy", &plain, 0)["changed"], false);
        // The stack lives under its own name, and what it adopted is no kept one beside it.
        let beside = json_of(&lab, "plan", &[&config[..], &["--stack", "third"]].concat(), 0);
        assert_eq!(beside["kept_storage"], json!([]), "{beside}");
        if stack == "mqaws-qm1" {
            json_of(&lab, "destroy", &[], 0);
        }
    }
    let got = client(&lab, "elsewhere").get(queue, 5).expect("got");
    assert_eq!(got.into_iter().map(|got| got.id).collect::<Vec<_>>(), put);
    lab.end();
}

/// Deploys, puts five messages, and destroys the stack after its host lost power and was not replaced, so that nothing was let go.
/// Returns the file system, the owner, the queue, and the messages.
fn left_uncleanly(lab: &Lab, config: &[&str]) -> (String, String, String, Vec<String>) {
    let deployed = json_of(lab, "deploy", config, 0);
    let id = text(&deployed, "/outputs/FileSystemId").to_owned();
    let owner = text(&deployed, "/service/agent/instance").to_owned();
    let clients = lab.clients();
    let target = wait(clients.target("mqaws-qm1")).expect("a stack");
    let instance = InstanceId::new(&owner).expect("an instance");
    let probe = wait(clients.probe(&target, &instance, Probe::Define)).expect("its queues");
    let queue = probe.queues[0].name.clone();
    let puts: Vec<Put> = (0..5).map(|n| Put::persistent(&format!("m-{n}"))).collect();
    let put = client(lab, "mqaws-qm1").put(&queue, &puts).expect("put");
    let record = lab.record();
    let scaling = |params: &[(&str, &str)]| call(&record, "autoscaling", "2011-01-01", params);
    let groups = all(
        &scaling(&[("Action", "DescribeAutoScalingGroups")]),
        "AutoScalingGroupName",
    );
    scaling(&[
        ("Action", "SuspendProcesses"),
        ("AutoScalingGroupName", &groups[0]),
        ("ScalingProcesses.member.1", "Launch"),
    ]);
    let params = [
        ("Action", "TerminateInstances"),
        ("SkipOsShutdown", "true"),
        ("InstanceId.1", &owner),
    ];
    call(&record, "ec2", "2016-11-15", &params);
    until("its host is gone", || (!lab.instance(&owner).exists()).then_some(()));
    json_of(lab, "destroy", &[], 0);
    let left = owner_record(lab, &id, 1);
    assert_eq!(
        (&left["owner"]["instance"], left.get("released")),
        (&json!(owner), Some(&json!(false))),
        "{left}"
    );
    (id, owner, queue, put)
}

fn owner_path(lab: &Lab, file_system: &str, epoch: u32) -> PathBuf {
    lab.dir()
        .join("fs")
        .join(file_system)
        .join(format!(".mqaws/QM1/owner-{epoch}.json"))
}

fn owner_record(lab: &Lab, file_system: &str, epoch: u32) -> Value {
    let text = std::fs::read(owner_path(lab, file_system, epoch)).expect("a record");
    serde_json::from_slice(&text).expect("JSON")
}

/// Adopts it, with the announced proof and the proof that it then has.
fn adopts_after_an_unclean_end(lab: &Lab, left: &(String, String, String, Vec<String>), proof: &str) {
    let (id, _, queue, put) = left;
    let example = Lab::example();
    let adopt = [
        "--config",
        &example,
        "--allow-faults",
        "--stack",
        "again",
        "--adopt-file-system",
        id,
    ];
    let announced = json_of(lab, "plan", &adopt, 0);
    let announced = text(&announced, "/adopts/proof");
    assert!(
        announced.starts_with("`clean` if stack mqaws-qm1, ")
            && announced.contains(
                "otherwise `terminated` if EC2 still lists the owner, or `lease`, for which a start waits 135 s"
            ),
        "{announced}"
    );
    let adopted = json_of(lab, "deploy", &adopt, 0);
    assert_eq!(text(&adopted, "/service/agent/proof/kind"), proof, "{adopted}");
    assert_eq!(adopted["service"]["agent"]["epoch"], 2, "{adopted}");
    let got = client(lab, "again").get(queue, 5).expect("got");
    assert_eq!(&got.into_iter().map(|got| got.id).collect::<Vec<_>>(), put);
}

#[test]
fn what_an_owner_that_ended_uncleanly_left_is_adopted_once_ec2_says_that_it_is_terminated() {
    let lab = Lab::up(&[]);
    let example = Lab::example();
    let left = left_uncleanly(&lab, &["--config", &example, "--allow-faults"]);
    adopts_after_an_unclean_end(&lab, &left, "terminated");
    lab.end();
}

#[test]
fn what_an_owner_that_ec2_has_forgotten_left_is_adopted_by_the_lease() {
    let lab = Lab::up(&[]);
    let example = Lab::example();
    let left = left_uncleanly(&lab, &["--config", &example, "--allow-faults"]);
    // An hour later EC2 knows nothing of the owner; this id it never knew.
    let mut record = owner_record(&lab, &left.0, 1);
    record["owner"]["instance"] = json!("i-0123456789abcdef0");
    std::fs::write(owner_path(&lab, &left.0, 1), record.to_string()).expect("written");
    adopts_after_an_unclean_end(&lab, &left, "lease");
    lab.end();
}

#[test]
fn what_cannot_be_adopted_or_deleted_is_refused_and_what_failed_half_way_goes_on() {
    let lab = Lab::up(&[]);
    let short = ["--until", "stack"];
    let deployed = json_of(&lab, "deploy", &short, 0);
    let id = text(&deployed, "/outputs/FileSystemId").to_owned();
    let adopt = ["--adopt-file-system", id.as_str()];
    let elsewhere = [&["--stack", "elsewhere"], &adopt[..]].concat();
    let delete = |exit| lab.json(&["storage", "delete", &id, "--local", "--yes"], exit);

    // A living stack has it, and that one has no other.
    assert_eq!(
        text(&json_of(&lab, "deploy", &elsewhere, 3), "/error"),
        format!("file system {id} belongs to stack mqaws-qm1")
    );
    assert_eq!(
        text(&delete(3), "/error"),
        format!("file system {id} belongs to stack mqaws-qm1")
    );
    let other = ["--adopt-file-system", "fs-0123456789abcdef0"];
    let error = json_of(&lab, "deploy", &other, 3);
    assert!(
        text(&error, "/error").starts_with("stack mqaws-qm1 already exists and has file system"),
        "{error}"
    );
    assert_eq!(lab.json(&["storage", "list", "--local"], 0)["file_systems"], json!([]));

    json_of(&lab, "destroy", &[], 0);
    let kept = lab.json(&["storage", "list", "--local"], 0);
    assert_eq!(text(&kept, "/file_systems/0/id"), id);
    assert_eq!(text(&kept, "/file_systems/0/queue_manager"), "QM1");
    let said = lab.run(&["storage", "list", "--local"], 0).out;
    let cells = |line: &str| -> Vec<String> {
        let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        cells.map(str::to_owned).collect()
    };
    let rows: Vec<_> = said.lines().map(cells).collect();
    let head = rows
        .iter()
        .position(|row| *row == ["file system", "queue manager", "stack", "size", "age"]);
    let row = &rows[head.unwrap_or_else(|| panic!("{said}")) + 1];
    assert_eq!(row[..3], [id.as_str(), "QM1", "mqaws-qm1"], "{said}");

    let hint = text(&json_of(&lab, "deploy", &[], 3), "/hint").to_owned();
    assert!(
        hint.contains(&format!("`mqaws deploy --adopt-file-system {id} ")),
        "{hint}"
    );
    let error = json_of(
        &lab,
        "deploy",
        &[&["--queue-manager", "QM2"], &elsewhere[..]].concat(),
        3,
    );
    assert_eq!(
        text(&error, "/error"),
        format!("file system {id} contains the data of queue manager QM1, not of QM2")
    );
    let max_io = [
        "--set",
        "storage.performance_mode=maxIO",
        "--set",
        "storage.throughput=bursting",
    ];
    let error = json_of(&lab, "deploy", &[&elsewhere[..], &max_io].concat(), 3);
    assert!(
        text(&error, "/hint").contains("storage.performance_mode: generalPurpose"),
        "{error}"
    );
    let error = json_of(&lab, "deploy", &[&other[..], &["--stack", "elsewhere"]].concat(), 3);
    assert_eq!(
        text(&error, "/error"),
        "file system fs-0123456789abcdef0 does not exist in this region"
    );
    assert_eq!(
        json_of(&lab, "status", &["--stack", "elsewhere"], 3)["error"],
        "stack elsewhere does not exist in the local cloud"
    );

    // Everything around it fails: the stack stands with the file system alone, and the same command goes on.
    std::fs::write(lab.path("bad.mqsc"), "ALTER QLOCAL(NOT.THERE) DESCR('x')\n").expect("written");
    let bad = ["--set", "queue_manager.definitions=bad.mqsc"];
    let error = json_of(&lab, "deploy", &[&elsewhere[..], &bad].concat(), 4);
    assert!(
        text(&error, "/left").contains(&format!(
            "stack elsewhere has file system {id}; to continue, run the same command"
        )),
        "{error}"
    );
    assert_eq!(
        text(&delete(3), "/error"),
        format!("file system {id} belongs to stack elsewhere")
    );
    let status = json_of(&lab, "status", &["--stack", "elsewhere"], 0);
    assert_eq!(text(&status, "/state"), "update-rollback-complete", "{status}");
    let adopted = json_of(&lab, "deploy", &elsewhere, 0);
    assert_eq!(text(&adopted, "/outputs/FileSystemId"), id);
    assert_eq!(text(&adopted, "/service/queue_manager"), "QM1");

    json_of(&lab, "destroy", &["--stack", "elsewhere"], 0);
    assert_eq!(
        text(&lab.json(&["storage", "list", "--local"], 0), "/file_systems/0/stack"),
        "elsewhere"
    );
    assert_eq!(text(&delete(0), "/deleted/id"), id);
    assert_eq!(lab.json(&["storage", "list", "--local"], 0)["file_systems"], json!([]));
    assert_eq!(
        text(&delete(3), "/error"),
        format!("file system {id} does not exist in this region")
    );
    lab.end();
}

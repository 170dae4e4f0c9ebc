//! The life of a lab as its user sees it: up, instances that are processes, down, and nothing left after any end.

mod at_once;
mod namespaces;
mod strangers;

use crate::support::{Lab, between, call, listening, run_command, told_of, until};
use mqaws_lab::home::{self, LabRecord};
use mqaws_lab::process::{self, LAB_MARK, Process};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

const EC2: &str = "2016-11-15";

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

/// An instance profile whose role lets Systems Manager reach an instance.
fn profile(record: &LabRecord) {
    let core = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";
    let iam = |params: &[(&str, &str)]| call(record, "iam", "2010-05-08", params);
    iam(&[
        ("Action", "CreateRole"),
        ("RoleName", "r"),
        ("AssumeRolePolicyDocument", TRUST),
    ]);
    iam(&[("Action", "AttachRolePolicy"), ("RoleName", "r"), ("PolicyArn", core)]);
    iam(&[("Action", "CreateInstanceProfile"), ("InstanceProfileName", "p")]);
    iam(&[
        ("Action", "AddRoleToInstanceProfile"),
        ("InstanceProfileName", "p"),
        ("RoleName", "r"),
    ]);
}

/// Launches the first instance that Systems Manager reaches; returns its id once it runs.
fn launch(record: &LabRecord) -> String {
    profile(record);
    launch_another(record)
}

fn launch_another(record: &LabRecord) -> String {
    use base64::Engine;
    let user_data = "#cloud-config\nwrite_files:\n- {path: /etc/mqaws/agent.json, content: '{}'}\nruncmd:\n- [systemctl, enable, --now, mqaws-agent.service]\n";
    let user_data = base64::engine::general_purpose::STANDARD.encode(user_data);
    let answer = call(
        record,
        "ec2",
        EC2,
        &[
            ("Action", "RunInstances"),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("ImageId", "ami-0aa55ed1ab0000001"),
            ("InstanceType", "m6i.large"),
            ("IamInstanceProfile.Name", "p"),
            ("UserData", &user_data),
        ],
    );
    let id = between(&answer, "instanceId");
    until("the instance runs", || {
        let shown = call(
            record,
            "ec2",
            EC2,
            &[("Action", "DescribeInstances"), ("InstanceId.1", &id)],
        );
        shown.contains("<name>running</name>").then_some(())
    });
    id
}

/// Starts daemons on an instance, in sessions of their own, through Systems Manager.
fn start_daemons(record: &LabRecord, instance: &str) {
    let daemons = [
        "setsid sleep 600 >/dev/null 2>&1 &",
        "setsid sh -c 'sleep 600 & sleep 600' >/dev/null 2>&1 &",
    ];
    run_command(record, instance, &daemons).expect("sent");
    until("the daemons run", || (others(record).len() >= 4).then_some(()));
}

/// Processes of a lab but its server.
fn others(record: &LabRecord) -> Vec<Process> {
    let mut found = process::marked(LAB_MARK, &record.id);
    found.retain(|p| p.pid != record.pid);
    found
}

/// Asserts that nothing of a lab exists: process, socket, directory.
fn assert_gone(record: &LabRecord, instance_address: Option<&str>) {
    assert!(!process::is_alive(record.server()), "the server lives");
    assert_eq!(process::marked(LAB_MARK, &record.id), Vec::new());
    assert!(!record.dir.exists(), "{} exists", record.dir.display());
    let address = record.endpoint.trim_start_matches("http://");
    match TcpListener::bind(address) {
        // The API's address is the lock on all addresses of a lab: while it is held, no other lab can have the rest.
        Ok(_lock) => {
            if let Some(address) = instance_address {
                assert!(
                    TcpListener::bind((address, 8169)).is_ok(),
                    "{address}:8169 is still taken"
                );
            }
        }
        // Another test's lab has taken the addresses meanwhile; what answers must then be another.
        Err(_) => assert!(mqaws_lab::client::health(record).is_err(), "{address} still answers"),
    }
}

fn address_of(record: &LabRecord, instance: &str) -> String {
    let shown = call(
        record,
        "ec2",
        EC2,
        &[("Action", "DescribeInstances"), ("InstanceId.1", instance)],
    );
    between(&shown, "privateIpAddress")
}

#[test]
fn a_lab_goes_up_once_shows_its_instance_and_goes_down() {
    let lab = Lab::up(&[]);
    let record = lab.record();
    lab.run(&["lab", "up"], 0);
    assert_eq!(lab.record(), record, "a second `up` finds the first");
    let instance = launch(&record);
    start_daemons(&record, &instance);
    let status = lab.json(&["lab", "status"], 0);
    assert_eq!(status["instances"][0]["id"], *instance);
    assert_eq!(status["instances"][0]["state"], "running");
    let by_instance = [
        ("Action", "DescribeNetworkInterfaces"),
        ("Filter.1.Name", "attachment.instance-id"),
        ("Filter.1.Value.1", instance.as_str()),
    ];
    let interface = call(&record, "ec2", EC2, &by_instance);
    assert!(
        between(&interface, "networkInterfaceId").starts_with("eni-"),
        "{interface}"
    );
    let by_group = [
        ("Action", "DescribeNetworkInterfaces"),
        ("Filter.1.Name", "group-id"),
        ("Filter.1.Value.1", "sg-0123456789abcdef0"),
    ];
    assert!(!call(&record, "ec2", EC2, &by_group).contains("eni-"));
    // The image that deployments start is shown.
    let images = lab.json(&["ami", "list", "--local"], 0);
    assert_eq!(images["images"][0]["id"], "ami-0aa55ed1ab0000001", "{images}");
    assert_eq!(images["images"][0]["parameters"][0], "/mqaws/ami/ibm-mq", "{images}");
    let console = until("the console shows the boot", || {
        let logs = lab.json(&["lab", "logs", &instance], 0);
        let text = logs["lines"].to_string();
        text.contains("unit: mqaws-agent").then_some(text)
    });
    assert!(console.contains("wrote /etc/mqaws/agent.json"), "{console}");
    let down = lab.json(&["lab", "down"], 0);
    assert_eq!(down["existed"], true);
    assert_eq!(down["removed"]["killed"], 0, "an orderly end leaves nothing to kill");
    assert_gone(&record, None);
    assert_eq!(lab.json(&["lab", "down"], 0)["existed"], false);
}

#[test]
fn a_lab_that_was_killed_leaves_nothing_after_lab_down() {
    let lab = Lab::up(&[]);
    let record = lab.record();
    let instance = launch(&record);
    start_daemons(&record, &instance);
    let address = address_of(&record, &instance);
    assert!(process::signal(record.server(), Signal::KILL));
    until("the server is gone", || {
        (!process::is_alive(record.server())).then_some(())
    });
    assert!(others(&record).len() >= 3, "the hosts outlive their cloud");
    let status = lab.run(&["lab", "status"], 3);
    assert!(status.err.contains("mqaws lab down"), "{status}");
    let down = lab.json(&["lab", "down"], 0);
    assert!(down["removed"]["killed"].as_u64() >= Some(3), "{down}");
    assert_gone(&record, Some(&address));
}

#[test]
fn a_terminated_instance_takes_its_daemons_along_and_a_new_lab_clears_a_killed_one() {
    let lab = Lab::up(&[]);
    let record = lab.record();
    let instance = launch(&record);
    start_daemons(&record, &instance);
    let terminate = [
        ("Action", "TerminateInstances"),
        ("InstanceId.1", instance.as_str()),
        ("SkipOsShutdown", "true"),
    ];
    call(&record, "ec2", EC2, &terminate);
    until("all processes of the instance are gone", || {
        others(&record).is_empty().then_some(())
    });
    assert!(process::signal(record.server(), Signal::KILL));
    until("the server is gone", || {
        (!process::is_alive(record.server())).then_some(())
    });
    lab.run(&["lab", "up"], 0);
    let next = lab.record();
    assert_ne!(next.id, record.id);
    lab.run(&["lab", "down"], 0);
    assert_gone(&next, None);
}

#[test]
fn a_host_whose_agent_and_keeper_stand_still_is_ended_as_by_its_watchdogs() {
    let lab = Lab::deployed(&[]);
    let record = lab.record();
    let first = lab.json(&["status", "--local", "--wait", "serving"], 0)["writer"]["instance"].clone();
    for process in others(&record) {
        assert!(process::signal(process, Signal::STOP), "{process:?}");
    }
    let console = lab
        .dir()
        .join(format!("log/{}.console", first.as_str().expect("an instance")));
    until("nothing is heard of the units", || {
        std::fs::read_to_string(&console)
            .ok()?
            .contains("watchdog: ")
            .then_some(())
    });
    let again = lab.json(&["status", "--local", "--wait", "serving"], 0);
    assert_eq!(again["writer"]["instance"], first, "on the same host: {again}");
    lab.end();
}

#[test]
fn what_a_killed_lab_held_is_told_by_whoever_clears_it() {
    let lab = Lab::deployed(&[]);
    let held = lab.json(&["lab", "status"], 0)["file_systems"][0].clone();
    let record = lab.record();
    // A volume of the user's own, as a host would write to it.
    let volume = "vol-0123456789abcdef0";
    std::fs::create_dir_all(lab.dir().join("vol").join(volume)).expect("a volume");
    assert_eq!(lab.json(&["lab", "status"], 0)["volumes"], serde_json::json!([volume]));
    assert!(process::signal(record.server(), Signal::KILL));
    until("the server is gone", || {
        (!process::is_alive(record.server())).then_some(())
    });
    let again = lab.run(&["deploy", "--local", "--yes", "--quiet", "--until", "stack"], 0);
    let told = format!(
        "an earlier local cloud, its file systems {}, its volumes {volume}",
        held.as_str().expect("an id")
    );
    assert!(again.err.contains(&told), "{again}");
    lab.end();
}

/// Starts a private lab as a program would, holding its standard input.
fn private(lab: &Lab) -> (std::process::Child, LabRecord) {
    let dir = lab.path(format!("mqaws-lab-{:08x}", std::process::id()));
    let id = format!("test-{}", dir.display());
    let mut child = lab
        .command(&["__lab", "--id", &id, "--until-stdin-closes", "--dir"])
        .arg(&dir)
        .env(LAB_MARK, &id)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a server");
    let record = until("the lab is ready", || {
        assert!(child.try_wait().expect("a child").is_none(), "the server ended early");
        home::read_record(&dir)
    });
    (child, record)
}

#[test]
fn a_private_lab_ends_with_the_program_that_started_it() {
    let lab = Lab::new();
    let (mut child, record) = private(&lab);
    let instance = launch(&record);
    start_daemons(&record, &instance);
    drop(child.stdin.take());
    until("the server ends", || child.try_wait().expect("a child"));
    assert_gone(&record, None);
}

#[test]
fn a_private_lab_killed_together_with_its_starter_is_found_by_lab_down() {
    let lab = Lab::new();
    let (mut child, record) = private(&lab);
    let instance = launch(&record);
    start_daemons(&record, &instance);
    child.kill().expect("killed");
    child.wait().expect("reaped");
    let down = lab.json(&["lab", "down"], 0);
    assert_eq!(down["existed"], false);
    assert!(down["orphans"][0]["killed"].as_u64() >= Some(3), "{down}");
    assert_gone(&record, None);
}

#[test]
fn a_lab_listens_on_loopback_only() {
    let lab = Lab::up(&[]);
    let record = lab.record();
    launch(&record);
    let listeners = until("API and metadata listen", || {
        let found = listening(record.pid);
        (found.len() >= 2).then_some(found)
    });
    for listener in &listeners {
        // 127.x.y.z, least significant byte first.
        let address = listener.strip_prefix("tcp ").and_then(|a| a.split(':').next());
        assert!(
            address.is_some_and(|a| a.ends_with("7F")),
            "{listener} is not on loopback"
        );
    }
    lab.run(&["lab", "down"], 0);
    assert_gone(&record, None);
}

/// Ctrl-C in a demo under way, early and late, to the program alone and, as a terminal does it, to its whole group.
#[test]
fn a_demo_that_is_interrupted_leaves_nothing() {
    for (sign, group) in [("cloud", true), ("load", false), ("fault 1", true)] {
        let lab = Lab::new();
        let mut command = lab.command(&["demo"]);
        command.process_group(0);
        let mut demo = lab.started(command);
        until(sign, || {
            let read = |path| fs::read_to_string(path).expect("what it said");
            let said = read(&demo.out) + &read(&demo.err);
            assert!(!demo.is_over(), "{said}");
            said.lines()
                .any(|line| line.trim_start().starts_with(sign))
                .then_some(())
        });
        assert!(!told_of(lab.home()).is_empty());
        match group {
            true => kill_process_group(Pid::from_child(&demo.child), Signal::INT).expect("the demo lives"),
            false => demo.signal(Signal::INT),
        }
        let (out, err) = (demo.out.clone(), demo.err.clone());
        let said = demo.wait();
        assert_eq!(said.code, Some(130), "{sign}: {said}");
        let text = said.text();
        assert!(
            text.contains("removed") && text.contains("local cloud"),
            "{sign}: {said}"
        );
        assert_eq!(told_of(lab.home()), Vec::<String>::new(), "{sign}");
        for file in [out, err] {
            fs::remove_file(file).expect("removed");
        }
        let left: Vec<_> = fs::read_dir(lab.home()).expect("a directory").flatten().collect();
        assert!(left.is_empty(), "{sign}: {left:?}");
    }
}

/// The address of a Unix socket has 108 bytes at most, the path of a directory 4,096.
#[test]
fn a_lab_directory_may_have_a_long_path() {
    let lab = Lab::deep(150);
    assert_eq!(lab.dir().as_os_str().len(), 150);
    lab.run(&["lab", "up"], 0);
    lab.run(&["deploy", "--local", "--yes", "--config", &Lab::example()], 0);
    let status = lab.json(&["status", "--local", "--wait", "serving", "--timeout", "60s"], 0);
    let instance = status["writer"]["instance"].as_str().expect("a writer");
    assert_eq!(status["agent"]["lock_held"], true, "{status}");
    // The supervisor hears the units: without a word from them it would print that there is no watchdog.
    let console = fs::read_to_string(lab.dir().join("log").join(format!("{instance}.console"))).expect("a console");
    assert!(!console.contains("no watchdog"), "{console}");
    assert!(lab.instance(instance).join("run/mqaws/notify").exists());
    lab.end();
}

//! Hosts as network namespaces: what an instance has of its own, cables that are cut, hosts that are lost, and what stays.
//!
//! Where the system refuses namespaces each test prints `SKIPPED namespaces` and why, or fails under `MQAWS_REQUIRE_HOSTS=1`.

use super::{EC2, address_of, assert_gone, launch, launch_another, others, start_daemons};
use crate::support::judge::{HOSTS, skip};
use crate::support::{Lab, Said, call, listening, own_call, run_command, said, until};
use mqaws_lab::home::LabRecord;
use mqaws_lab::process::{self, Process};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

/// An account that owns nothing, for the tests of an ordinary user.
const NOBODY: u32 = 65_534;

/// Starts a lab whose hosts are namespaces; none where the system refuses them.
fn up(test: &str, lab: &Lab) -> Option<LabRecord> {
    let said = lab.spawn(&["lab", "up", "--hosts", "namespace"]).wait();
    started(test, &said).then(|| lab.record())
}

/// Whether a lab has started; where namespaces are refused, says so and why.
fn started(test: &str, said: &Said) -> bool {
    if said.code == Some(0) {
        return true;
    }
    assert_eq!(said.code, Some(3), "{said}");
    let why = said.err.lines().next().unwrap_or_default();
    skip(HOSTS, &format!("namespaces: {test}"), why);
    false
}

fn root_of(record: &LabRecord, instance: &str) -> PathBuf {
    record.dir.join("i").join(instance)
}

/// Runs shell commands on an instance, and returns what they left in a file there.
fn ask(record: &LabRecord, instance: &str, commands: &str) -> String {
    let commands = format!("{{ {commands}; }} >said.new 2>&1; mv said.new said");
    run_command(record, instance, &[&commands]).expect("sent");
    let said = root_of(record, instance).join("said");
    let text = until(&commands, || fs::read_to_string(&said).ok());
    fs::remove_file(said).expect("read once");
    text
}

fn namespace(kind: &str) -> String {
    let link = fs::read_link(format!("/proc/self/ns/{kind}")).expect("a namespace");
    link.to_string_lossy().into_owned()
}

/// The user namespace of a lab's server. Holding it keeps the kernel from giving its number to another.
struct UserNamespace(fs::File);

impl UserNamespace {
    fn of(record: &LabRecord) -> Self {
        Self(fs::File::open(format!("/proc/{}/ns/user", record.pid)).expect("the server runs"))
    }

    /// Living processes in it.
    fn processes(&self) -> Vec<i32> {
        let number = |meta: fs::Metadata| (meta.dev(), meta.ino());
        let own = number(self.0.metadata().expect("a namespace"));
        let inside = |pid: &i32| fs::metadata(format!("/proc/{pid}/ns/user")).is_ok_and(|meta| number(meta) == own);
        let alive = |pid: &i32| {
            process::start_time(*pid).is_some_and(|start_time| process::is_alive(Process { pid: *pid, start_time }))
        };
        let processes = fs::read_dir("/proc").expect("a process table").flatten();
        let pids = processes.filter_map(|p| p.file_name().to_str()?.parse().ok());
        pids.filter(|pid| inside(pid) && alive(pid)).collect()
    }
}

#[test]
fn an_instance_in_a_namespace_has_its_own_network_and_no_right_over_the_machine() {
    let lab = Lab::new();
    let Some(record) = up("own network", &lab) else {
        return;
    };
    let instance = launch(&record);
    let other = launch_another(&record);
    let links = "readlink /proc/self/ns/net /proc/self/ns/user";
    let (first, second) = (ask(&record, &instance, links), ask(&record, &other, links));
    let first: Vec<&str> = first.lines().collect();
    let second: Vec<&str> = second.lines().collect();
    assert!(
        first[0] != second[0] && first[0] != namespace("net"),
        "{first:?} {second:?}"
    );
    // reboot(2) asks for a right in the machine's own user namespace.
    assert!(
        first[1] == second[1] && first[1] != namespace("user"),
        "{first:?} {second:?}"
    );
    fs::write(
        root_of(&record, &instance).join("m.py"),
        include_str!("namespaces/metadata.py"),
    )
    .expect("written");
    assert_eq!(ask(&record, &instance, "python3 m.py").trim(), instance);
    assert_eq!(lab.json(&["lab", "status"], 0)["hosts"], "namespace");
    for listener in listening(record.pid) {
        let address = listener.strip_prefix("tcp ").and_then(|a| a.split(':').next());
        assert!(
            address.is_some_and(|a| a.ends_with("7F")),
            "{listener} is not on loopback"
        );
    }
    let user_namespace = UserNamespace::of(&record);
    assert!(user_namespace.processes().contains(&record.pid));
    lab.run(&["lab", "down"], 0);
    assert_gone(&record, None);
    assert!(user_namespace.processes().is_empty());
}

#[test]
fn a_cut_cable_and_a_lost_host_are_silent_and_a_mended_cable_delivers() {
    let lab = Lab::new();
    let Some(record) = up("cables", &lab) else { return };
    let (server, client) = (launch(&record), launch_another(&record));
    let start = |instance: &str, name: &str, text: &str, arguments: &str| {
        fs::write(root_of(&record, instance).join(name), text).expect("written");
        let command = format!("setsid python3 {name} {arguments} >{name}.log 2>&1 &");
        run_command(&record, instance, &[&command]).expect("sent");
    };
    start(&server, "server.py", include_str!("namespaces/server.py"), "");
    let listening = root_of(&record, &server).join("listening");
    until("the server listens", || listening.exists().then_some(()));
    let address = address_of(&record, &server);
    start(&client, "client.py", include_str!("namespaces/client.py"), &address);
    let said = |name: &str| {
        let path = root_of(&record, &client).join(name);
        until(name, || fs::read_to_string(&path).ok())
    };
    let tell = |name: &str| fs::write(root_of(&record, &client).join(name), "").expect("written");
    assert_eq!(said("before"), "answer");

    let body = json!({"instance": server});
    own_call(&record, "cut", &body).expect("cut");
    tell("cut");
    assert_eq!(said("during"), "silence");
    own_call(&record, "mend", &body).expect("mended");
    tell("mended");
    assert_eq!(said("after"), "answer");

    let terminate = [
        ("Action", "TerminateInstances"),
        ("InstanceId.1", server.as_str()),
        ("SkipOsShutdown", "true"),
    ];
    call(&record, "ec2", EC2, &terminate);
    let root = root_of(&record, &server);
    until("the server's host is gone", || (!root.exists()).then_some(()));
    tell("off");
    assert_eq!(said("lost"), "silence");
    let refused = own_call(&record, "cut", &body).expect_err("it does not run");
    assert!(refused.contains("IncorrectInstanceState"), "{refused}");
    let url = format!("{}/_mqaws/cut", record.endpoint);
    let unsigned = ureq::post(&url).send(body.to_string().as_bytes());
    assert!(matches!(unsigned, Err(ureq::Error::StatusCode(403))), "{unsigned:?}");
    lab.run(&["lab", "down"], 0);
    assert_gone(&record, None);
}

#[test]
fn instances_that_are_processes_have_no_cable() {
    let lab = Lab::up(&[]);
    let record = lab.record();
    let instance = launch(&record);
    let refused = own_call(&record, "cut", &json!({"instance": instance})).expect_err("no cable");
    assert!(refused.contains("--hosts namespace"), "{refused}");
    lab.run(&["lab", "down"], 0);
}

#[test]
fn the_example_survives_a_lost_host_and_a_cut_cable() {
    let lab = Lab::new();
    let Some(record) = up("the example", &lab) else {
        return;
    };
    lab.run(&["deploy", "--local", "--yes", "--config", &Lab::example()], 0);
    let report = lab.json(&["failover-test", "--local", "--fault", "terminate-instance"], 0);
    assert_eq!(report["place"]["hosts"], "namespace");
    assert_eq!(report["runs"][0]["ledger"]["lost"], 0);

    let writer = |status: Value| (status["state"] == "serving").then(|| status["writer"].clone());
    let before = until("it serves", || writer(lab.json(&["status", "--local"], 0)));
    let instance = before["instance"].as_str().expect("an instance").to_owned();
    let body = json!({"instance": instance});
    own_call(&record, "cut", &body).expect("cut");
    let console = record.dir.join(format!("log/{instance}.console"));
    until("the host fences itself", || {
        let text = fs::read_to_string(&console).ok()?;
        text.contains("engine killed in place of a host reset").then_some(())
    });
    // Nothing on it answers, through Systems Manager either.
    let cut = lab.json(&["status", "--local", "--check"], 11);
    assert_eq!(
        (&cut["state"], &cut["agent"]),
        (&json!("unavailable"), &Value::Null),
        "{cut}"
    );
    assert!(cut["unread"]["agent"].to_string().contains("did not respond"), "{cut}");
    own_call(&record, "mend", &body).expect("mended");
    let after = until("it serves again", || {
        writer(lab.json(&["status", "--local"], 0)).filter(|w| w["epoch"].as_u64() > before["epoch"].as_u64())
    });
    assert_eq!(
        (&after["instance"], &after["proof"]["kind"]),
        (&json!(instance), &json!("same-host"))
    );
    lab.run(&["lab", "down"], 0);
    assert_gone(&record, None);
}

#[test]
fn a_killed_lab_with_namespaces_leaves_nothing_after_lab_down() {
    let lab = Lab::new();
    let Some(record) = up("killed", &lab) else { return };
    let instance = launch(&record);
    start_daemons(&record, &instance);
    let user_namespace = UserNamespace::of(&record);
    assert!(process::signal(record.server(), Signal::KILL));
    until("the server is gone", || {
        (!process::is_alive(record.server())).then_some(())
    });
    assert!(others(&record).len() >= 3, "the hosts outlive their cloud");
    let down = lab.json(&["lab", "down"], 0);
    assert!(down["removed"]["killed"].as_u64() >= Some(3), "{down}");
    assert_gone(&record, None);
    assert!(user_namespace.processes().is_empty());
}

#[test]
fn an_ordinary_user_has_namespaces_as_well() {
    if !rustix::process::geteuid().is_root() {
        // Then every other test here is this one.
        return;
    }
    let lab = Lab::new();
    // Where an ordinary user can run and write.
    let (program, home) = (lab.path("mqaws"), lab.path("h"));
    fs::set_permissions(lab.home(), fs::Permissions::from_mode(0o755)).expect("changed");
    fs::copy(env!("CARGO_BIN_EXE_mqaws"), &program).expect("copied");
    fs::create_dir(&home).expect("made");
    chown(&home, Some(NOBODY), Some(NOBODY)).expect("given away");
    let dir = home.join("l");
    let run = |args: &[&str]| {
        let user = NOBODY.to_string();
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", &user, "--regid", &user, "--clear-groups"])
            .arg(&program)
            .args(args)
            .env("MQAWS_LAB_DIR", &dir)
            .env("TMPDIR", &home)
            .env("HOME", &home)
            .current_dir(&home);
        said(&mut command)
    };
    if !started("an ordinary user", &run(&["lab", "up", "--hosts", "namespace"])) {
        return;
    }
    // The lab ends whatever happens here.
    let looked = std::panic::catch_unwind(|| {
        let text = fs::read(dir.join("lab.json")).expect("a record of a running lab");
        let record: LabRecord = serde_json::from_slice(&text).expect("a record");
        let instance = launch(&record);
        let user = ask(&record, &instance, "id -u");
        assert_eq!(user.trim(), "0", "root, in the lab's own user namespace");
        (UserNamespace::of(&record), record)
    });
    let down = run(&["lab", "down"]);
    let (user_namespace, record) = looked.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    assert_eq!(down.code, Some(0), "{down}");
    assert!(!process::is_alive(record.server()) && !dir.exists());
    assert!(user_namespace.processes().is_empty());
}

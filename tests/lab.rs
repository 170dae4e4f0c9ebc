//! The life of a lab as its user sees it: up, instances that are processes, down, and nothing left after any end.
#![cfg(feature = "cli")]

mod lab_at_once;
mod lab_calls;
mod lab_namespaces;

use lab_calls::{between, call, run_command};
use mqaws_lab::home::{self, LabRecord};
use mqaws_lab::process::{self, LAB_MARK, Process};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn mqaws() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqaws"));
    command
        .env_remove("MQAWS_LOCAL")
        .env_remove("MQAWS_OUTPUT")
        .stdin(Stdio::null());
    command
}

/// A directory for one lab, short enough for sockets below it, and a temporary directory of its own beside it.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::Builder::new()
            .prefix("mqt")
            .rand_bytes(6)
            .tempdir_in("/tmp")
            .expect("a directory");
        Self { root }
    }

    fn lab(&self) -> PathBuf {
        self.root.path().join("l")
    }

    fn run(&self, args: &[&str]) -> Output {
        let output = mqaws()
            .args(args)
            .env("MQAWS_LAB_DIR", self.lab())
            .env("TMPDIR", self.root.path())
            .output()
            .expect("mqaws runs");
        assert!(
            output.status.success(),
            "{args:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--output", "json"]].concat());
        serde_json::from_slice(&output.stdout).expect("one JSON document")
    }

    fn up(&self) -> LabRecord {
        self.run(&["lab", "up"]);
        home::read_record(&self.lab()).expect("a record of a running lab")
    }
}

impl Drop for Place {
    /// A test that failed leaves no lab either.
    fn drop(&mut self) {
        let _ = mqaws_down(&self.lab(), self.root.path());
    }
}

fn mqaws_down(dir: &Path, tmp: &Path) -> std::io::Result<Output> {
    mqaws()
        .args(["lab", "down"])
        .env("MQAWS_LAB_DIR", dir)
        .env("TMPDIR", tmp)
        .output()
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

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
    let place = Place::new();
    let record = place.up();
    assert_eq!(place.up(), record, "a second `up` finds the first");
    let instance = launch(&record);
    start_daemons(&record, &instance);
    let status = place.json(&["lab", "status"]);
    assert_eq!(status["instances"][0]["id"], *instance);
    assert_eq!(status["instances"][0]["state"], "running");
    let console = until("the console shows the boot", || {
        let logs = place.json(&["lab", "logs", &instance]);
        let text = logs["lines"].to_string();
        text.contains("unit: mqaws-agent").then_some(text)
    });
    assert!(console.contains("wrote /etc/mqaws/agent.json"), "{console}");
    let down = place.json(&["lab", "down"]);
    assert_eq!(down["existed"], true);
    assert_eq!(down["removed"]["killed"], 0, "an orderly end leaves nothing to kill");
    assert_gone(&record, None);
    assert_eq!(place.json(&["lab", "down"])["existed"], false);
}

#[test]
fn a_lab_that_was_killed_leaves_nothing_after_lab_down() {
    let place = Place::new();
    let record = place.up();
    let instance = launch(&record);
    start_daemons(&record, &instance);
    let address = address_of(&record, &instance);
    assert!(process::signal(record.server(), rustix::process::Signal::KILL));
    until("the server is gone", || {
        (!process::is_alive(record.server())).then_some(())
    });
    assert!(others(&record).len() >= 3, "the hosts outlive their cloud");
    let output = mqaws()
        .args(["lab", "status"])
        .env("MQAWS_LAB_DIR", place.lab())
        .output()
        .expect("mqaws runs");
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("mqaws lab down"));
    let down = place.json(&["lab", "down"]);
    assert!(down["removed"]["killed"].as_u64() >= Some(3), "{down}");
    assert_gone(&record, Some(&address));
}

#[test]
fn a_terminated_instance_takes_its_daemons_along_and_a_new_lab_clears_a_killed_one() {
    let place = Place::new();
    let record = place.up();
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
    assert!(process::signal(record.server(), rustix::process::Signal::KILL));
    until("the server is gone", || {
        (!process::is_alive(record.server())).then_some(())
    });
    let next = place.up();
    assert_ne!(next.id, record.id);
    place.run(&["lab", "down"]);
    assert_gone(&next, None);
}

/// Starts a private lab as a program would, holding its standard input.
fn private(place: &Place) -> (std::process::Child, LabRecord) {
    let dir = place.root.path().join(format!("mqaws-lab-{:08x}", std::process::id()));
    let id = format!("test-{}", dir.display());
    let mut child = mqaws()
        .arg("__lab")
        .arg("--dir")
        .arg(&dir)
        .args(["--id", &id, "--until-stdin-closes"])
        .env(LAB_MARK, &id)
        .env("TMPDIR", place.root.path())
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
    let place = Place::new();
    let (mut child, record) = private(&place);
    let instance = launch(&record);
    start_daemons(&record, &instance);
    drop(child.stdin.take());
    until("the server ends", || child.try_wait().expect("a child"));
    assert_gone(&record, None);
}

#[test]
fn a_private_lab_killed_together_with_its_starter_is_found_by_lab_down() {
    let place = Place::new();
    let (mut child, record) = private(&place);
    let instance = launch(&record);
    start_daemons(&record, &instance);
    child.kill().expect("killed");
    child.wait().expect("reaped");
    let down = place.json(&["lab", "down"]);
    assert_eq!(down["existed"], false);
    assert!(down["orphans"][0]["killed"].as_u64() >= Some(3), "{down}");
    assert_gone(&record, None);
}

/// Local addresses of the listening TCP sockets of a process, as the kernel prints them.
fn listening(pid: i32) -> Vec<String> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|fd| fs::read_link(fd.path()).ok()?.to_str().map(str::to_owned))
        .filter_map(|target| Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields.get(3) == Some(&"0A") && fields.get(9).is_some_and(|inode| sockets.iter().any(|s| s == inode)) {
                found.push(format!("{table} {}", fields[1]));
            }
        }
    }
    found
}

#[test]
fn a_lab_listens_on_loopback_only() {
    let place = Place::new();
    let record = place.up();
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
    place.run(&["lab", "down"]);
    assert_gone(&record, None);
}

/// Command lines of processes that were told of this directory by their environment.
fn told_of(dir: &Path) -> Vec<String> {
    let needle = dir.to_str().expect("text").as_bytes().to_owned();
    let processes = fs::read_dir("/proc").expect("a process table").flatten();
    let told = |path: PathBuf| {
        let environment = fs::read(path.join("environ")).ok()?;
        environment.windows(needle.len()).find(|w| *w == needle)?;
        let line = fs::read(path.join("cmdline")).ok().filter(|line| !line.is_empty())?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    };
    processes.filter_map(|p| told(p.path())).collect()
}

/// Ctrl-C in a demo under way, early and late, to the program alone and, as a terminal does it, to its whole group.
#[test]
fn a_demo_that_is_interrupted_leaves_nothing() {
    use rustix::process::{Pid, Signal, kill_process, kill_process_group};
    use std::os::unix::process::CommandExt;
    for (sign, group) in [("cloud", true), ("load", false), ("fault 1", true)] {
        let place = Place::new();
        let said = |name: &str| place.root.path().join(name);
        let file = |name: &str| fs::File::create(said(name)).expect("a file");
        let mut child = mqaws()
            .arg("demo")
            .env("TMPDIR", place.root.path())
            .current_dir(place.root.path())
            .stdout(file("out"))
            .stderr(file("err"))
            .process_group(0)
            .spawn()
            .expect("mqaws runs");
        let text = || {
            let read = |name: &str| fs::read_to_string(said(name)).expect("what it said");
            read("out") + &read("err")
        };
        until(sign, || {
            assert!(child.try_wait().expect("a child").is_none(), "{}", text());
            text()
                .lines()
                .any(|line| line.trim_start().starts_with(sign))
                .then_some(())
        });
        assert!(!told_of(place.root.path()).is_empty());
        let pid = Pid::from_child(&child);
        let sent = if group {
            kill_process_group(pid, Signal::INT)
        } else {
            kill_process(pid, Signal::INT)
        };
        sent.expect("the demo lives");
        let status = until("the demo ends", || child.try_wait().expect("a child"));
        assert_eq!(status.code(), Some(130), "{sign}: {}", text());
        assert!(
            text().contains("removed") && text().contains("local cloud"),
            "{sign}: {}",
            text()
        );
        assert_eq!(told_of(place.root.path()), Vec::<String>::new(), "{sign}");
        for name in ["out", "err"] {
            fs::remove_file(said(name)).expect("removed");
        }
        let left: Vec<_> = fs::read_dir(place.root.path())
            .expect("a directory")
            .flatten()
            .collect();
        assert!(left.is_empty(), "{sign}: {left:?}");
    }
}

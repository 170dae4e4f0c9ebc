//! The fence in the local cloud, from end to end: a lost zone that EC2 never confirms, which takes the whole wait of the proof
//! `lease`; queue managers whose names look like paths; a second agent on a host; and a copy of a file system.
#![cfg(feature = "cli")]

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use mqaws_agent::fence::LeaseTimes;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// The wait of the proof is 48 s in a lab; the rest is for a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// A lab of its own, which ends with the test.
struct Lab(tempfile::TempDir);

impl Lab {
    fn dir(&self) -> PathBuf {
        self.0.path().join("l")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mqaws"));
        command
            .args(args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.0.path())
            .env("MQAWS_LAB_DIR", self.dir())
            .env("MQAWS_NO_PROGRESS", "1")
            .current_dir(self.0.path())
            .stdin(Stdio::null());
        command
    }

    fn mqaws(&self, args: &[&str]) -> bool {
        let status = self.command(args).stdout(Stdio::null()).status();
        status.expect("run mqaws").success()
    }

    /// Waits until `mqaws status` of a stack says this.
    fn until_status_says(&self, stack: &str, wanted: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self
                .command(&["status", "--local", "--stack", stack])
                .output()
                .expect("status");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            if wanted.iter().all(|words| text.contains(words)) {
                return;
            }
            assert!(Instant::now() < deadline, "{wanted:?}: {text}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The root of an instance.
    fn root(&self, agent: &Value) -> PathBuf {
        self.dir().join("i").join(agent["instance"].as_str().expect("its id"))
    }

    /// The directory of the file system that an instance mounts; its name is the file system's id.
    fn file_system(&self, agent: &Value) -> PathBuf {
        std::fs::read_link(self.root(agent).join("mnt/mqaws")).expect("its mount")
    }

    /// Deploys a queue manager as a stack of its own.
    fn deploy(&self, stack: &str, queue_manager: &str) {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/single.yaml");
        let config = example.to_str().expect("path");
        let named = ["--stack", stack, "--queue-manager", queue_manager];
        let deployed = self.mqaws(&[&["deploy", "--local", "--yes", "--config", config][..], &named].concat());
        assert!(deployed, "{queue_manager}: {:#?}", self.agents());
    }

    /// What is in the root of each file system, and in the folder of locks and owner records, by its name.
    fn on_file_systems(&self) -> Vec<Vec<String>> {
        let file_systems = std::fs::read_dir(self.dir().join("fs"))
            .expect("file systems")
            .flatten();
        file_systems
            .map(|file_system| {
                let mut found = names_in(&file_system.path());
                found.retain(|name| name != ".mqaws");
                let folders = names_in(&file_system.path().join(".mqaws"));
                found.extend(folders.iter().map(|name| format!(".mqaws/{name}")));
                found
            })
            .collect()
    }

    /// A call that succeeds.
    fn call(&self, service: &str, path: &str, body: &str) -> String {
        let (status, text) = self.ask(service, path, body);
        assert_eq!(status, 200, "{text}");
        text
    }

    /// A signed call of the lab's administrator; the answer's HTTP status and body.
    fn ask(&self, service: &str, path: &str, body: &str) -> (u16, String) {
        let lab: Value =
            serde_json::from_slice(&std::fs::read(self.dir().join("lab.json")).expect("lab.json")).expect("json");
        let text = |key: &str| lab[key].as_str().expect("text").to_owned();
        let url = format!("{}{path}", text("endpoint"));
        let host = text("endpoint").replace("http://", "");
        let identity = Credentials::new(text("access_key_id"), text("secret_access_key"), None, None, "test").into();
        let params = aws_sigv4::sign::v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-west-1")
            .name(service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .expect("parameters")
            .into();
        let form = "application/x-www-form-urlencoded";
        let headers = [("host", host.as_str()), ("content-type", form)];
        let request = SignableRequest::new("POST", &url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()));
        let (signature, _) = sign(request.expect("request"), &params)
            .expect("signature")
            .into_parts();
        let mut request = http::Request::post(&url).header("content-type", form);
        for (name, value) in signature.headers() {
            request = request.header(name, value);
        }
        let request = request.body(body.as_bytes().to_vec()).expect("request");
        let transport = mqaws_agent::signed::HttpTransport::new();
        let answer = mqaws_agent::signed::Transport::send(&transport, request).expect("an answer");
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        (answer.status().as_u16(), text)
    }

    /// The status of every agent of the lab that has written one.
    fn agents(&self) -> Vec<Value> {
        let mut found = Vec::new();
        statuses(&self.dir().join("i"), 0, &mut found);
        found
    }

    fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let agents = self.agents();
            if let Some(agent) = agents.iter().find(|a| wanted(a)) {
                return agent.clone();
            }
            assert!(Instant::now() < deadline, "{what}: {agents:#?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let ended = self.mqaws(&["lab", "down"]);
        assert!(ended || std::thread::panicking(), "the lab does not end");
    }
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

fn statuses(dir: &Path, depth: usize, found: &mut Vec<Value>) {
    let status = dir.join("run/mqaws/status.json");
    if let Ok(text) = std::fs::read(status) {
        let file: Value = serde_json::from_slice(&text).unwrap_or_default();
        found.push(file["status"].clone());
        return;
    }
    if depth < 4 {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                statuses(&entry.path(), depth + 1, found);
            }
        }
    }
}

#[test]
fn a_lost_owner_that_ec2_never_confirms_is_outwaited() {
    let lab = Lab(tempfile::Builder::new().prefix("mq").tempdir().expect("tempdir"));
    assert!(lab.mqaws(&["lab", "up"]));
    lab.deploy("mqaws-qm1", "QM1");
    let owner = lab.until("the first owner", |a| a["state"] == "serving");
    let owner = owner["instance"].as_str().expect("its id").to_owned();

    // From now on EC2 answers no question about instances; what it is told to do, it does.
    let silence = json!({"service": "ec2", "action": "DescribeInstances", "error": "InternalError"});
    lab.call("mqaws", "/_mqaws/inject", &silence.to_string());
    let lost = format!("Action=TerminateInstances&Version=2016-11-15&SkipOsShutdown=true&InstanceId.1={owner}");
    lab.call("ec2", "/", &lost);

    let waits = lab.until("a replacement that waits", |a| {
        a["previous"]["instance"] == owner.as_str()
    });
    let begin = Instant::now();
    assert_eq!((&waits["state"], &waits["epoch"]), (&json!("fencing"), &Value::Null));
    let serves = lab.until("the replacement", |a| {
        a["state"] == "serving" && a["instance"] != owner.as_str()
    });
    assert_eq!(serves["proof"]["kind"], "lease", "{serves}");
    assert_eq!(serves["proof"]["previous"], owner.as_str());
    assert_eq!(serves["epoch"], 2);
    let wait = LeaseTimes::default().wait(Duration::from_secs(3));
    println!(
        "served {:.1} s after it began to wait; the proof's wait is {wait:?}",
        begin.elapsed().as_secs_f64()
    );
}

#[test]
fn a_queue_manager_that_is_named_like_a_path_stays_on_its_own_file_system() {
    let lab = Lab(tempfile::Builder::new().prefix("mq").tempdir().expect("tempdir"));
    assert!(lab.mqaws(&["lab", "up"]));
    // A place of the machine itself, where only this test would find what was written.
    let outside = lab.0.path().join("ABS").display().to_string();
    let names = [".", "..", "../../x", outside.as_str()];
    for (number, name) in names.iter().enumerate() {
        lab.deploy(&format!("s{number}"), name);
        let serves = lab.until("it serves", |a| a["state"] == "serving" && a["queue_manager"] == *name);
        assert_eq!(
            (&serves["epoch"], &serves["proof"]["kind"]),
            (&json!(1), &json!("new")),
            "{serves}"
        );
    }
    let mut found = lab.on_file_systems();
    found.sort();
    let mut expected: Vec<Vec<String>> = names
        .iter()
        .map(|name| {
            let directory = name.replace('.', "!").replace('/', "&");
            vec![directory.clone(), format!(".mqaws/{directory}")]
        })
        .collect();
    expected.sort();
    assert_eq!(found, expected);
    let mut left = names_in(lab.0.path());
    left.retain(|name| !name.starts_with('.') && name != "l");
    assert_eq!(left, Vec::<String>::new());
}

/// The environment of a process.
fn environment(pid: u64) -> Vec<(String, String)> {
    let text = std::fs::read(format!("/proc/{pid}/environ")).expect("its environment");
    let entries = text.split(|b| *b == 0).map(String::from_utf8_lossy);
    entries
        .filter_map(|entry| entry.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())))
        .collect()
}

/// The end of a process, which is killed if it does not come.
fn end(mut child: std::process::Child) -> std::process::Output {
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().expect("wait").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("kill");
            panic!("it does not end: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().expect("its output")
}

#[test]
fn a_second_agent_on_a_host_touches_nothing_and_the_next_one_is_never_taken_for_one() {
    let lab = Lab(tempfile::Builder::new().prefix("mq").tempdir().expect("tempdir"));
    assert!(lab.mqaws(&["lab", "up"]));
    lab.deploy("mqaws-qm1", "QM1");
    let serves = lab.until("it serves", |a| a["state"] == "serving");
    let instance = serves["instance"].as_str().expect("its id");
    let root = lab.root(&serves);
    let file = || -> Value {
        let text = std::fs::read(root.join("run/mqaws/status.json")).expect("a status");
        serde_json::from_slice(&text).expect("json")
    };
    let agent = |file: &Value| file["pid"].as_u64().expect("its pid");
    let starts = || {
        let marks = std::fs::read_to_string(root.join("var/lib/mqaws/marks.jsonl")).expect("marks");
        marks.matches("\"agent-started\"").count()
    };
    let first = agent(&file());
    for _ in 0..2 {
        let second = Command::new(root.join("opt/mqm/bin/mqaws-agent"))
            .arg("run")
            .env_clear()
            .envs(environment(first))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a second agent");
        let ended = end(second);
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(3), "{said}");
        assert!(
            said.contains(&format!("process {first};")) && said.contains("hint:"),
            "{said}"
        );
        assert_eq!((agent(&file()), starts()), (first, 1));
    }
    // Killed, and started again at once by its unit: twice, since the second one finds what the first has left.
    for number in 1..=2 {
        let before = agent(&file());
        let pid = rustix::process::Pid::from_raw(i32::try_from(before).expect("a pid")).expect("a pid");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("kill");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = file();
            if starts() > number && agent(&now) != before && now["status"]["state"] == "serving" {
                break;
            }
            assert!(Instant::now() < deadline, "{now}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let again = file();
    assert_eq!(
        (&again["status"]["epoch"], &again["status"]["restarts"]),
        (&json!(1), &json!(0)),
        "{again}"
    );
    let console = std::fs::read_to_string(lab.dir().join(format!("log/{instance}.console"))).expect("console");
    assert!(
        !console.contains("runs on this host already") && !console.contains("is locked by somebody"),
        "{console}"
    );
}

/// Runs a command of an instance's agent, as a person on the instance does; its output, when it succeeds.
fn on_instance(root: &Path, words: &[&str]) -> Result<String, String> {
    let output = Command::new(root.join("opt/mqm/bin/mqaws-agent"))
        .args(words)
        .env_clear()
        .env("MQAWS_LAB_ROOT", root)
        .stdin(Stdio::null())
        .output()
        .expect("the agent's command");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

#[test]
fn a_queue_manager_on_a_copy_leaves_the_original_alone_and_starts_when_a_person_names_it() {
    let lab = Lab(tempfile::Builder::new().prefix("mq").tempdir().expect("tempdir"));
    assert!(lab.mqaws(&["lab", "up"]));
    lab.deploy("original", "QM1");
    let owner = lab.until("the original", |a| a["state"] == "serving");
    lab.deploy("copied", "QM1");
    let emptied = lab.until("the other", |a| {
        a["state"] == "serving" && a["instance"] != owner["instance"]
    });
    let (original, copy) = (lab.file_system(&owner), lab.file_system(&emptied));

    // No instance of the other stack lives while its file system becomes a copy of one that is in use.
    let groups = lab.call(
        "autoscaling",
        "/",
        "Action=DescribeAutoScalingGroups&Version=2011-01-01",
    );
    let names = groups.split("<AutoScalingGroupName>").skip(1);
    let mut names = names.filter_map(|rest| rest.split('<').next());
    let group = names.find(|name| name.starts_with("copied-")).expect("its group");
    let launch = |verb: &str| {
        let of = format!("AutoScalingGroupName={group}&ScalingProcesses.member.1=Launch");
        lab.call("autoscaling", "/", &format!("Action={verb}&Version=2011-01-01&{of}"));
    };
    launch("SuspendProcesses");
    let gone = format!(
        "Action=TerminateInstances&Version=2016-11-15&SkipOsShutdown=true&InstanceId.1={}",
        emptied["instance"].as_str().expect("its id")
    );
    lab.call("ec2", "/", &gone);
    let deadline = Instant::now() + PATIENCE;
    while lab.root(&emptied).exists() {
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::fs::remove_dir_all(&copy).expect("emptied");
    let copied = Command::new("cp").arg("-a").args([&original, &copy]).status();
    assert!(copied.expect("cp").success());
    launch("ResumeProcesses");

    let id = |path: &Path| path.file_name().expect("an id").to_string_lossy().into_owned();
    let waits = lab.until("one that waits on the copy", |a| {
        a["original"]["file_system"] == id(&original).as_str()
    });
    assert_eq!(
        (&waits["state"], &waits["lock_held"]),
        (&json!("fencing"), &json!(true)),
        "{waits}"
    );
    assert_eq!(waits["original"]["owner"], owner["instance"]);
    let alarm = waits["alarm"].as_str().expect("an alarm");
    let root = lab.root(&waits);
    // The command as the alarm gives it.
    let pasted = alarm.split('`').nth(1).expect("a command");
    let words: Vec<&str> = pasted.split(' ').collect();
    assert_eq!(words, ["mqaws-agent", "fence", "copy", id(&original).as_str()]);
    let said = on_instance(&root, &["fence"]).expect("what it waits for");
    assert!(said.contains("copy of         fs-") && said.contains(pasted), "{said}");
    lab.until_status_says("copied", &["fencing", "skewed data", pasted]);
    for wrong in [
        ["fence", "copy", id(&copy).as_str()],
        ["fence", "operator", owner["instance"].as_str().expect("id")],
    ] {
        let refused = on_instance(&root, &wrong).expect_err("refused");
        assert!(
            refused.contains(&id(&original)) && refused.contains("nothing was decided"),
            "{refused}"
        );
    }
    on_instance(&root, &words[1..]).expect("the decision");

    let serves = lab.until("the copy", |a| {
        a["state"] == "serving" && a["instance"] == waits["instance"]
    });
    let proof = &serves["proof"];
    assert_eq!(
        (&proof["kind"], &proof["previous"]),
        (&json!("copy"), &owner["instance"]),
        "{serves}"
    );
    assert_eq!(serves["epoch"], 2);
    lab.until_status_says("copied", &["proof: copy", "duplicated, skewed or excluded data"]);
    let record = |of: &Path, epoch: u64| -> Value {
        let path = of.join(format!(".mqaws/QM1/owner-{epoch}.json"));
        serde_json::from_slice(&std::fs::read(path).expect("a record")).expect("json")
    };
    assert_eq!(record(&copy, 2)["file_system"], id(&copy).as_str());
    assert_eq!(record(&original, 1)["file_system"], id(&original).as_str());
    let still = lab.until("the original", |a| {
        a["instance"] == owner["instance"] && a["state"] == "serving"
    });
    assert_eq!((&still["epoch"], &still["restarts"]), (&json!(1), &json!(0)));
}

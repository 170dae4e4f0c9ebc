//! `deploy`, `plan`, `status` and `destroy` from end to end, each test in a local cloud of its own.

#![cfg(feature = "cli")]

use mqaws::aws::{Clients, LocalCloud};
use mqaws::failover::port::Cloud;
use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A local cloud in a directory of its own, and a user who has nothing else.
struct Lab {
    home: tempfile::TempDir,
    said: std::cell::RefCell<String>,
}

impl Lab {
    fn start(options: &[&str]) -> Self {
        let lab = Self {
            home: tempfile::Builder::new().prefix("mqd").tempdir().expect("a directory"),
            said: Default::default(),
        };
        lab.run(&[&["lab", "up"], options].concat(), 0);
        lab
    }

    fn dir(&self) -> PathBuf {
        self.home.path().join("lab")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mqaws"));
        command
            .args(args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.home.path())
            .env("MQAWS_LAB_DIR", self.dir())
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a verb and demands its exit code; returns its standard output and standard error.
    fn run(&self, args: &[&str], exit: i32) -> (String, String) {
        let output = self.command(args).output().expect("runs");
        let (out, err) = text(&output);
        assert_eq!(
            output.status.code(),
            Some(exit),
            "mqaws {}\n{out}\n{err}",
            args.join(" ")
        );
        self.said.borrow_mut().push_str(&format!("{out}{err}"));
        (out, err)
    }

    fn json(&self, args: &[&str], exit: i32) -> Value {
        let args = [args, &["--output", "json"]].concat();
        let (out, err) = self.run(&args, exit);
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}\n{out}\n{err}"))
    }

    fn record(&self) -> Value {
        let text = std::fs::read_to_string(self.dir().join("lab.json")).expect("the lab runs");
        serde_json::from_str(&text).expect("a record")
    }

    fn clients(&self) -> Clients {
        let record = self.record();
        let field = |name: &str| record[name].as_str().expect(name).to_owned();
        Clients::local(&LocalCloud {
            endpoint: field("endpoint"),
            region: field("region"),
            access_key_id: field("access_key_id"),
            secret_access_key: field("secret_access_key"),
        })
    }

    /// Processes of the lab's instances.
    fn of_instances(&self) -> Vec<String> {
        marked(&format!("MQAWS_LAB_ROOT={}", self.dir().display()))
    }

    /// Ends the lab and demands that nothing of it is left.
    fn end(self) {
        let down = self.json(&["lab", "down"], 0);
        assert_eq!(down["removed"]["killed"], 0, "the lab ends in order: {down}");
        assert!(!self.dir().exists());
        assert_eq!(self.of_instances(), Vec::<String>::new());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Also after a test that failed; a second time does nothing.
        let _ = self.command(&["lab", "down"]).output();
    }
}

fn text(output: &Output) -> (String, String) {
    let read = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (read(&output.stdout), read(&output.stderr))
}

/// Command lines of processes whose environment has an entry that begins so.
fn marked(entry: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").expect("a process table").flatten();
    let of = |path: PathBuf| {
        let environment = std::fs::read(path.join("environ")).ok()?;
        let mut entries = environment.split(|b| *b == 0);
        entries.find(|e| e.starts_with(entry.as_bytes()))?;
        let line = std::fs::read(path.join("cmdline"))
            .ok()
            .filter(|line| !line.is_empty())?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    };
    processes.filter_map(|p| of(p.path())).collect()
}

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
    let lab = Lab::start(&[]);
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

    let status = lab.json(&["status", "--local"], 0);
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
    let (review, _) = lab.run(&["plan", "--local", "--set", "endpoint.idle_timeout_seconds=600"], 0);
    assert!(review.contains("~ change   Listener"), "{review}");
    assert_eq!(
        lab.json(&["deploy", "--local"], 0)["changed"],
        false,
        "plans left nothing behind"
    );

    no_secret_is_told(&lab, "mqaws-qm1");

    let log = std::fs::read_to_string(lab.dir().join("log/server.log")).expect("a log");
    assert!(
        !log.contains("is not authorized to perform"),
        "the agent was refused a call:\n{log}"
    );

    assert!(!lab.of_instances().is_empty(), "an instance is processes");
    let destroyed = lab.json(&["destroy", "--local", "--yes"], 0);
    assert_eq!(
        destroyed["kept"],
        serde_json::json!([format!("file system {file_system}")])
    );
    assert_eq!(
        lab.of_instances(),
        Vec::<String>::new(),
        "no process of the stack is left"
    );
    assert_eq!(lab.json(&["destroy", "--local", "--yes"], 0)["existed"], false);
    assert_eq!(
        lab.json(&["status", "--local"], 3)["error"],
        "no stack mqaws-qm1 in the local cloud"
    );
    assert!(
        lab.json(&["lab", "status"], 0).to_string().contains(&file_system),
        "the data are still there"
    );
    lab.end();
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
    assert!(!lab.said.borrow().contains(password), "a verb printed the password");
    let mut found = Vec::new();
    files_with(password, &lab.dir().join("log"), &mut found);
    for instance in std::fs::read_dir(lab.dir().join("i")).expect("instances").flatten() {
        files_with(password, &instance.path().join("etc"), &mut found);
        files_with(password, &instance.path().join("var/log"), &mut found);
    }
    assert_eq!(found, Vec::<PathBuf>::new(), "files with the password");
    let lines = marked(&format!("MQAWS_LAB={}", lab.record()["id"].as_str().expect("an id")));
    assert!(lines.len() > 2, "{lines:?}");
    assert!(
        lines.iter().all(|line| !line.contains(password)),
        "arguments with the password"
    );
}

/// An image of the local cloud without agent and queue manager.
const BARE: &str = mqaws::lab::ec2::BARE_IMAGE;

#[test]
fn dead_image_fails_the_deployment_and_the_next_one_cleans_up() {
    let lab = Lab::start(&[]);
    let error = lab.json(&["deploy", "--local", "--ami", BARE], 4);
    assert_eq!(error["error"], "stack mqaws-qm1 was rolled back");
    let cause = error["details"]["cause"].as_str().expect("a cause");
    assert!(
        cause.starts_with("`Group` AWS::AutoScaling::AutoScalingGroup, "),
        "{cause}"
    );
    assert!(cause.contains("Received 0 SUCCESS signal(s) out of 1"), "{cause}");
    assert_eq!(error["left"], "the empty stack, which the next deploy removes");
    assert!(error["hint"].as_str().is_some_and(|h| h.contains("image")), "{error}");
    assert_eq!(lab.of_instances(), Vec::<String>::new());

    let (_, progress) = lab.run(&["deploy", "--local", "--until", "stack"], 0);
    assert!(progress.contains("removing the empty stack"), "{progress}");
    lab.end();
}

#[test]
fn interrupted_deployment_is_undone() {
    let lab = Lab::start(&[]);
    let mut child = lab
        .command(&["deploy", "--local", "--ami", BARE])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid")).expect("a pid");
    let mut lines = BufReader::new(child.stderr.take().expect("piped"))
        .lines()
        .map_while(Result::ok);
    let waiting = lines.find(|line| line.contains("waiting for the agent's signal"));
    assert!(waiting.is_some(), "the deployment waits for a signal that never comes");
    kill_process(pid, Signal::INT).expect("interrupts");
    let rest: Vec<String> = lines.collect();
    let ended = wait_for_end(&mut child, Duration::from_secs(120));
    assert_eq!(ended, Some(130), "{rest:#?}");
    assert!(
        rest.iter().any(|l| l.contains("deleting what was created so far")),
        "{rest:#?}"
    );
    assert_eq!(
        lab.json(&["status", "--local"], 3)["error"],
        "no stack mqaws-qm1 in the local cloud"
    );
    assert_eq!(lab.of_instances(), Vec::<String>::new());
    lab.end();
}

fn wait_for_end(child: &mut std::process::Child, limit: Duration) -> Option<i32> {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    None
}

#[test]
fn deployment_bears_calls_that_fail() {
    let lab = Lab::start(&["--api-faults", "0.3"]);
    let deployed = lab.json(&["deploy", "--local"], 0);
    assert_eq!(deployed["status"], "CREATE_COMPLETE");
    assert!(shown(&deployed).contains(&"targets"), "{deployed}");
    let status = lab.json(&["status", "--local"], 0);
    assert_eq!(status["state"], "serving", "{status}");
    assert_eq!(
        status["instances"].as_array().map(Vec::len),
        Some(1),
        "no healthy instance was replaced: {status}"
    );
    lab.json(&["destroy", "--local", "--yes"], 0);
    lab.end();
}

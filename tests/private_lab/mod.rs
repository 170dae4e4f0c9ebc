//! A private lab with a stack in it, for tests of the command line that inject faults.

#![allow(dead_code)] // Not every test that uses it needs all of it.

use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// No command of these tests takes longer on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(300);

/// A lab of its own with a stack in it; both end with it.
pub struct Lab {
    pub dir: tempfile::TempDir,
}

impl Lab {
    /// Starts a lab and deploys the example.
    pub fn deployed(options: &[&str]) -> Self {
        let lab = Self {
            dir: tempfile::Builder::new().prefix("mq").tempdir().unwrap(),
        };
        let up: Vec<&str> = ["lab", "up"].iter().chain(options).copied().collect();
        lab.run(&up, 0);
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/single.yaml");
        lab.run(
            &["deploy", "--local", "--yes", "--config", example.to_str().unwrap()],
            0,
        );
        lab
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mqaws"));
        command
            .args(args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.dir.path())
            .env("MQAWS_LAB_DIR", self.dir.path().join("l"))
            .env("MQAWS_NO_PROGRESS", "1")
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// Starts a command whose output goes to files, so that no pipe can fill up.
    pub fn spawn(&self, args: &[&str]) -> Running {
        self.started(self.command(args))
    }

    /// As [`Lab::spawn`], of a command that is there already.
    pub fn started(&self, mut command: Command) -> Running {
        let path = |end: &str| self.dir.path().join(format!("{:x}.{end}", rand_name()));
        let (out, err) = (path("out"), path("err"));
        let child = command
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        Running { child, out, err }
    }

    /// Runs a command and wants this exit code.
    #[track_caller]
    pub fn run(&self, args: &[&str], code: i32) -> Output {
        let output = self.spawn(args).wait();
        self.check(args, &output, code);
        output
    }

    #[track_caller]
    fn check(&self, args: &[&str], output: &Output, code: i32) {
        assert_eq!(
            output.status.code(),
            Some(code),
            "mqaws {}\nstdout: {}\nstderr: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Runs a failover test and wants this exit code; returns its report.
    ///
    /// A run during which this busy machine paused the test itself measured nothing and says so: it is made again, twice at most.
    #[track_caller]
    pub fn failover(&self, args: &[&str], code: i32) -> Value {
        self.failover_while(args, code, |_| ())
    }

    /// The same, and something is done while it runs.
    #[track_caller]
    pub fn failover_while(&self, args: &[&str], code: i32, during: impl Fn(&mut Running)) -> Value {
        let all: Vec<&str> = ["failover-test", "--local", "--output", "json"]
            .iter()
            .chain(args)
            .copied()
            .collect();
        let once = || {
            let mut running = self.spawn(&all);
            during(&mut running);
            running.wait()
        };
        for _ in 0..2 {
            let output = once();
            let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            let paused = output.status.code() == Some(20) && code != 20 && stood_still(&report);
            if !paused {
                return self.wanted(&all, output, code);
            }
            println!("once more: this machine paused the run {}", all.join(" "));
        }
        self.wanted(&all, once(), code)
    }

    #[track_caller]
    fn wanted(&self, args: &[&str], output: Output, code: i32) -> Value {
        self.check(args, &output, code);
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let ended = self.spawn(&["lab", "down"]).wait();
        if !std::thread::panicking() {
            assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        }
    }
}

/// A command that runs.
pub struct Running {
    pub child: Child,
    pub out: PathBuf,
    pub err: PathBuf,
}

impl Running {
    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Output {
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                panic!(
                    "not done within {LIMIT:?}: {}",
                    std::fs::read_to_string(&self.err).unwrap()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let read = |path: &Path| std::fs::read(path).unwrap();
        Output {
            status,
            stdout: read(&self.out),
            stderr: read(&self.err),
        }
    }
}

pub fn rand_name() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}

/// The rounds of a report.
pub fn runs(report: &Value) -> &Vec<Value> {
    report["runs"].as_array().unwrap()
}

/// Whether a run is inconclusive because its own process or the lab did not get to run.
fn stood_still(report: &Value) -> bool {
    let checks = report["runs"].as_array().into_iter().flatten();
    let mut checks = checks.flat_map(|run| run["thresholds"].as_array().into_iter().flatten());
    checks.any(|check| {
        let machine = |why: &str| why.contains("stood still") || why.contains("were not sent");
        check["verdict"] == "inconclusive" && check["reason"].as_str().is_some_and(machine)
    })
}

/// Names of the checks that did not pass, of all rounds.
pub fn failing(report: &Value) -> Vec<String> {
    runs(report)
        .iter()
        .flat_map(|run| run["thresholds"].as_array().unwrap())
        .filter(|check| check["verdict"] != "pass")
        .map(|check| check["name"].as_str().unwrap().to_owned())
        .collect()
}

//! A zone is lost and EC2 never confirms it: the replacement in the local cloud starts on the proof `lease`, which takes the
//! whole wait.
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

    fn mqaws(&self, args: &[&str]) -> bool {
        let status = Command::new(env!("CARGO_BIN_EXE_mqaws"))
            .args(args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.0.path())
            .env("MQAWS_LAB_DIR", self.dir())
            .env("MQAWS_NO_PROGRESS", "1")
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        status.expect("run mqaws").success()
    }

    /// A signed call of the lab's administrator; the answer's HTTP status.
    fn call(&self, service: &str, path: &str, body: &str) -> u16 {
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
        answer.status().as_u16()
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
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/single.yaml");
    assert!(lab.mqaws(&[
        "deploy",
        "--local",
        "--yes",
        "--config",
        example.to_str().expect("path")
    ]));
    let owner = lab.until("the first owner", |a| a["state"] == "serving");
    let owner = owner["instance"].as_str().expect("its id").to_owned();

    // From now on EC2 answers no question about instances; what it is told to do, it does.
    let silence = json!({"service": "ec2", "action": "DescribeInstances", "error": "InternalError"});
    assert_eq!(lab.call("mqaws", "/_mqaws/inject", &silence.to_string()), 200);
    let lost = format!("Action=TerminateInstances&Version=2016-11-15&SkipOsShutdown=true&InstanceId.1={owner}");
    assert_eq!(lab.call("ec2", "/", &lost), 200);

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

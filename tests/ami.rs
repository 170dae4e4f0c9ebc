//! `mqaws ami build`, `list` and `prune` with the real Packer against moto's EC2.
//!
//! Packer comes from Debian, moto from the Python environment `MQAWS_TEST_VENV`; `scripts/test` installs both. The instance
//! that Packer provisions is a double: an sshd on loopback that records scripts and uploads, and runs nothing. What the
//! scripts do is shown elsewhere, on a real host.
#![cfg(feature = "cli")]

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const REGION: &str = "eu-west-1";
/// What stands for IBM MQ's package; nothing here opens it.
const PACKAGE: &str = "a package\n";
const STEPS: [&str; 6] = [
    "10-accounts",
    "20-storage",
    "30-engine",
    "40-kernel",
    "50-agent",
    "60-finish",
];

/// The Python environment with moto, and Packer; `None` after a visible line when either is missing.
fn tools(test: &str) -> Option<PathBuf> {
    let packer = Path::new("/usr/bin/packer").exists();
    let why = match (std::env::var_os("MQAWS_TEST_VENV"), packer) {
        (Some(venv), true) => return Some(PathBuf::from(venv)),
        (None, _) => "MQAWS_TEST_VENV is not set; scripts/test makes the environment",
        (_, false) => "there is no /usr/bin/packer; scripts/test installs it",
    };
    assert_ne!(
        std::env::var("MQAWS_REQUIRE_TOOLS").as_deref(),
        Ok("1"),
        "{test}: {why}"
    );
    // not through the macros, which the test harness captures
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
    None
}

fn judge(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges").join(name)
}

/// A process of the test; ends with it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A user with a home of his own, moto as his AWS, and the double of the instance.
struct Site {
    home: tempfile::TempDir,
    venv: PathBuf,
    moto: String,
    ssh_port: String,
    more: RefCell<Vec<(String, String)>>,
    _running: Vec<Running>,
}

impl Site {
    fn new(venv: PathBuf) -> Self {
        let home = tempfile::Builder::new().prefix("mqi").tempdir().expect("a directory");
        for folder in ["tmp", "work", "instance"] {
            fs::create_dir(home.path().join(folder)).expect("a directory");
        }
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        let port = free.expect("a free port").port();
        let log = fs::File::create(home.path().join("moto.log")).expect("a log");
        let moto = Command::new(venv.join("bin/moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("moto starts");
        let moto = Running(moto);
        let mut sshd = Command::new(venv.join("bin/python"))
            .arg(judge("instance_sshd.py"))
            .arg(home.path().join("instance"))
            .arg(home.path().join("record"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the double starts");
        let mut ssh_port = String::new();
        let stdout = sshd.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut ssh_port).expect("its port");
        let sshd = Running(sshd);
        let ssh_port = ssh_port.trim().to_owned();
        assert!(
            ssh_port.parse::<u16>().is_ok(),
            "asyncssh is missing from the Python environment"
        );
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < PATIENCE, "moto does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        let site = Self {
            moto: format!("http://127.0.0.1:{port}"),
            home,
            venv,
            ssh_port,
            more: RefCell::default(),
            _running: vec![moto, sshd],
        };
        site.write("mq.tar.gz", PACKAGE);
        site.configure("");
        site.agent();
        site
    }

    /// Writes into the folder that `mqaws` runs in.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.work().join(name);
        fs::write(&path, text).expect("written");
        path
    }

    fn work(&self) -> PathBuf {
        self.home.path().join("work")
    }

    /// moto knows Amazon's images, none of Red Hat's.
    fn configure(&self, more: &str) {
        let sum = sha256(PACKAGE);
        self.write(
            "mqaws.yaml",
            &format!(
                "region: {REGION}\ntags: {{team: payments}}\nstorage: {{mount: nfs}}\nimage:\n  source: \
                 filter:amazon/amzn2-ami-hvm-2.0.*-x86_64-gp2\n  package: mq.tar.gz\n  package_sha256: {sum}\n  \
                 engine_version: 9.4.0.11\n{more}"
            ),
        );
    }

    /// An executable that looks as the shipped agent does from outside, and is quick to upload.
    fn agent(&self) {
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0".to_vec();
        bytes.extend_from_slice(b"mqaws-agent for hosts 0.1.0\n");
        fs::write(self.work().join("mqaws-agent"), bytes).expect("written");
    }

    fn set(&self, name: &str, value: &str) {
        self.more.borrow_mut().push((name.to_owned(), value.to_owned()));
    }

    /// The environment of a user who has moto, and nothing of the machine's.
    fn clean(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.home.path())
            .env("TMPDIR", self.home.path().join("tmp"))
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("MQAWS_LAB_DIR", self.home.path().join("lab"))
            .env("PKR_VAR_ssh_host", "127.0.0.1")
            .env("PKR_VAR_ssh_port", &self.ssh_port)
            .current_dir(self.work())
            .stdin(Stdio::null());
        command.envs(self.more.borrow().iter().cloned());
        command
    }

    fn mqaws(&self, args: &[&str]) -> Command {
        let mut command = self.clean(env!("CARGO_BIN_EXE_mqaws"));
        command.args(args);
        command
    }

    /// `mqaws ami build` against moto.
    fn build(&self, more: &[&str]) -> Command {
        let agent: &[&str] = if more.contains(&"--agent") {
            &[]
        } else {
            &["--agent", "mqaws-agent"]
        };
        let common = ["ami", "build", "--endpoint-url", &self.moto];
        self.mqaws(&[&common, agent, more].concat())
    }

    /// Asks moto, by boto3.
    fn moto(&self, what: &str) -> Value {
        let mut command = self.clean(self.venv.join("bin/python"));
        let output = command
            .arg(judge("ami_moto.py"))
            .args([&self.moto, REGION, what])
            .output()
            .expect("runs");
        assert!(output.status.success(), "{}", text(&output));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// What the double was told to run, by name.
    fn scripts(&self) -> Vec<Value> {
        let record = fs::read_to_string(self.home.path().join("record")).unwrap_or_default();
        let entries = record
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a record"));
        entries.filter(|entry| entry["script"].is_string()).collect()
    }

    fn behave(&self, how: Value) {
        fs::write(self.home.path().join("instance/behave.json"), how.to_string()).expect("written");
    }

    /// Nothing but the log, and in moto nothing but what is listed.
    fn left_nothing(&self, images: usize) {
        let there: Vec<_> = fs::read_dir(self.home.path().join("tmp"))
            .expect("a folder")
            .flatten()
            .collect();
        assert!(there.is_empty(), "in the temporary directory: {there:?}");
        let home = format!("HOME={}", self.home.path().display());
        let of_us: Vec<String> = processes(&home)
            .into_iter()
            .filter(|line| !line.contains("lab"))
            .collect();
        assert_eq!(of_us, Vec::<String>::new(), "no process is left");
        let moto = self.moto("show");
        let empty = ["instances", "volumes", "key_pairs", "security_groups"];
        for kind in empty {
            assert!(moto[kind].as_object().is_none_or(|m| m.is_empty()), "{kind}: {moto}");
            assert!(moto[kind].as_array().is_none_or(Vec::is_empty), "{kind}: {moto}");
        }
        assert_eq!(moto["images"].as_object().map(|m| m.len()), Some(images), "{moto}");
    }

    fn logs(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.work()).expect("a folder").flatten().map(|f| f.path());
        files.filter(|f| f.extension().is_some_and(|e| e == "log")).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if self.home.path().join("lab").exists() {
            let _ = self.mqaws(&["lab", "down"]).output();
        }
    }
}

fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(output: &Output) -> String {
    let read = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}\n{}", output.status, read(&output.stdout), read(&output.stderr))
}

/// Runs a command and demands its exit code; returns what it printed.
fn run(command: &mut Command, exit: i32) -> String {
    let output = command.output().expect("runs");
    let said = text(&output);
    assert_eq!(output.status.code(), Some(exit), "{said}");
    said
}

fn json_of(command: &mut Command, exit: i32) -> Value {
    let output = command.args(["--output", "json"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(exit), "{}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&output)))
}

/// Command lines of processes whose environment has this entry; this test's own are none of them.
fn processes(entry: &str) -> Vec<String> {
    let of = |path: PathBuf| {
        let environment = fs::read(path.join("environ")).ok()?;
        environment.split(|b| *b == 0).find(|e| *e == entry.as_bytes())?;
        let line = fs::read(path.join("cmdline")).ok().filter(|line| !line.is_empty())?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    };
    let all = fs::read_dir("/proc").expect("a process table").flatten();
    all.filter_map(|p| of(p.path())).collect()
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A build that is under way.
struct UnderWay {
    child: Child,
    errors: PathBuf,
}

impl UnderWay {
    fn start(site: &Site, mut command: Command) -> Self {
        let errors = site.home.path().join("errors");
        let file = fs::File::create(&errors).expect("a file");
        let child = command.stdout(Stdio::null()).stderr(file).spawn().expect("starts");
        Self { child, errors }
    }

    fn interrupt(&self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, Signal::INT).expect("signalled");
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.errors).unwrap_or_default()
    }

    fn end(mut self, exit: i32) -> String {
        let status = until("it ends", || self.child.try_wait().expect("a status"));
        assert_eq!(status.code(), Some(exit), "{}", self.said());
        self.said()
    }
}

#[test]
fn a_build_ends_with_an_image_its_tags_and_the_parameter() {
    let Some(venv) = tools("a_build_ends_with_an_image_its_tags_and_the_parameter") else {
        return;
    };
    let site = Site::new(venv);
    let built = json_of(&mut site.build(&["--accept-licence"]), 0);
    assert_eq!(
        (&built["schema"], &built["packer"]["template"]),
        (&json!("mqaws.ami-build/1"), &json!("packer-1.6"))
    );
    let (id, run_id) = (built["image"]["id"].as_str().unwrap(), built["run"].as_str().unwrap());
    let name = built["image"]["name"].as_str().unwrap();
    assert!(name.starts_with("mqaws-ibm-mq-9.4.0.11-0.1.0-"), "{name}");

    let moto = site.moto("show");
    let expected = json!({
        "Name": name, "mqaws:image": "ibm-mq", "mqaws:agent-version": "0.1.0", "mqaws:engine-version": "9.4.0.11",
        "mqaws:build": run_id, "team": "payments",
    });
    let mut tags = moto["images"][id]["tags"].clone();
    tags.as_object_mut().unwrap().sort_keys();
    let mut wanted = expected.clone();
    wanted.as_object_mut().unwrap().sort_keys();
    assert_eq!(tags, wanted);
    for snapshot in moto["tagged_snapshots"].as_object().unwrap().values() {
        assert_eq!(snapshot["mqaws:build"], run_id);
    }
    let parameter = json!({"value": id, "type": "String", "data_type": "aws:ec2:image"});
    assert_eq!(moto["parameters"]["/mqaws/ami/ibm-mq"], parameter);
    site.left_nothing(1);

    // the scripts came in order, with what they need; nothing of it ran anywhere
    let ran = site.scripts();
    let named: Vec<&str> = ran
        .iter()
        .filter_map(|s| s["script"].as_str())
        .filter(|s| *s != "inline")
        .collect();
    assert_eq!(named, STEPS);
    let environment = &ran.iter().find(|s| s["script"] == "30-engine").unwrap()["environment"];
    assert_eq!(environment["MQAWS_ACCEPT_LICENCE"], "yes");
    assert_eq!(environment["MQAWS_PACKAGE_SHA256"], sha256(PACKAGE).as_str());
    let uploads = site.home.path().join("instance/tmp/mqaws-provision");
    assert_eq!(fs::read_to_string(uploads.join("mq.tar.gz")).unwrap(), PACKAGE);
    assert!(uploads.join("mqaws-agent").is_file() && uploads.join("units/mqaws-agent.service").is_file());

    let stages: Vec<&str> = built["stages"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|s| s["stage"].as_str())
        .collect();
    let known = [
        "source",
        "instance",
        "connection",
        "upload",
        "30-engine",
        "image",
        "tags",
        "clean-up",
    ];
    assert!(known.iter().all(|stage| stages.contains(stage)), "{stages:?}");
    let log = PathBuf::from(built["log"].as_str().unwrap());
    let words = fs::read_to_string(&log).unwrap();
    assert!(
        words.contains("Provisioning with shell script") && words.contains("30-engine: recorded, not run"),
        "{words}"
    );
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);

    // a second build takes the parameter over; off a terminal every stage is one line
    let said = run(&mut site.build(&["--accept-licence"]), 0);
    for part in [
        "✔ 30-engine",
        "✔ image",
        "checksum matches",
        "Next: mqaws deploy",
        "named by /mqaws/ami/ibm-mq",
    ] {
        assert!(said.contains(part), "{part} is missing from {said}");
    }
    assert!(!said.contains('\u{1b}'), "no cursor moves: {said}");
    let second = site.moto("show")["parameters"]["/mqaws/ami/ibm-mq"]["value"].clone();
    assert_ne!(second, id);
    let listed = json_of(&mut site.mqaws(&["ami", "list", "--endpoint-url", &site.moto]), 0);
    let ids: Vec<&Value> = listed["images"].as_array().unwrap().iter().map(|i| &i["id"]).collect();
    assert_eq!(ids.len(), 2);
    let current = listed["images"]
        .as_array()
        .unwrap()
        .iter()
        .find(|i| i["id"] == second)
        .unwrap();
    assert_eq!(current["parameters"], json!(["/mqaws/ami/ibm-mq"]));
}

#[test]
fn deploy_in_the_local_cloud_picks_the_built_image_up() {
    let Some(venv) = tools("deploy_in_the_local_cloud_picks_the_built_image_up") else {
        return;
    };
    let site = Site::new(venv);
    run(&mut site.mqaws(&["lab", "up"]), 0);
    let record: Value = serde_json::from_slice(&fs::read(site.home.path().join("lab/lab.json")).unwrap()).unwrap();
    let field = |name: &str| record[name].as_str().unwrap().to_owned();
    // EC2 is moto, which takes any key; Systems Manager is the local cloud's
    for service in ["EC2", "STS"] {
        site.set(&format!("AWS_ENDPOINT_URL_{service}"), &site.moto);
    }
    site.set("AWS_ENDPOINT_URL_SSM", &field("endpoint"));
    site.set("AWS_ACCESS_KEY_ID", &field("access_key_id"));
    site.set("AWS_SECRET_ACCESS_KEY", &field("secret_access_key"));
    let build = ["ami", "build", "--agent", "mqaws-agent", "--accept-licence"];
    let built = json_of(&mut site.mqaws(&build), 0);
    let id = built["image"]["id"].as_str().unwrap();
    assert_eq!(
        site.moto("show")["parameters"],
        json!({}),
        "it went to the local cloud alone"
    );
    site.left_nothing(1);

    // the local cloud's EC2 has to know an image that was built elsewhere
    let plan = run(&mut site.mqaws(&["plan", "--local"]), 3);
    assert!(
        plan.contains(id),
        "the parameter is read, the image is not there: {plan}"
    );
    let known = json!({"image": id, "name": built["image"]["name"], "tags": built["image"]["tags"]});
    let url = format!("{}/_mqaws/images", field("endpoint"));
    let unsigned = ureq::post(&url).send(known.to_string().as_bytes());
    assert!(matches!(unsigned, Err(ureq::Error::StatusCode(403))), "{unsigned:?}");
    let user = format!("{}:{}", field("access_key_id"), field("secret_access_key"));
    sign_and_post(&url, &user, &known);

    let deployed = json_of(&mut site.mqaws(&["deploy", "--local"]), 0);
    let chosen = format!("image {id} (parameter /mqaws/ami/ibm-mq)");
    assert!(
        deployed["chosen"].as_array().unwrap().contains(&json!(chosen)),
        "{deployed}"
    );
    assert_eq!(deployed["status"], "CREATE_COMPLETE");
    let listed = json_of(&mut site.mqaws(&["ami", "list", "--local"]), 0);
    assert_eq!(listed["images"][0]["id"], id);
    run(&mut site.mqaws(&["destroy", "--local", "--yes"]), 0);
}

/// One of the lab's own calls, by its administrator.
fn sign_and_post(url: &str, user: &str, body: &Value) {
    use aws_credential_types::Credentials;
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    let (key, secret) = user.split_once(':').unwrap();
    let identity = Credentials::new(key, secret, None, None, "test").into();
    let params = aws_sigv4::sign::v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("mqaws")
        .time(std::time::SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let host = url.trim_start_matches("http://").split('/').next().unwrap();
    let body = body.to_string();
    let headers = [("host", host), ("content-type", "application/json")];
    let request = SignableRequest::new("POST", url, headers.into_iter(), SignableBody::Bytes(body.as_bytes())).unwrap();
    let (signature, _) = sign(request, &params).unwrap().into_parts();
    let mut request = ureq::post(url).header("content-type", "application/json");
    for (name, value) in signature.headers() {
        request = request.header(name, value);
    }
    request.send(body.as_bytes()).expect("the image is known");
}

#[test]
fn a_script_that_fails_is_named_and_nothing_is_left() {
    let Some(venv) = tools("a_script_that_fails_is_named_and_nothing_is_left") else {
        return;
    };
    let site = Site::new(venv);
    site.behave(json!({"fail": "30-engine"}));
    let said = run(&mut site.build(&["--accept-licence"]), 4);
    for part in [
        "✘ 30-engine",
        "error: the image was not built: `30-engine` failed after",
        "cause: Script exited with non-zero exit status: 1",
        "said:  mqaws: 30-engine: recorded, not run",
        "error: the double was told to fail here, with a comma",
        "left:  nothing",
        "hint:  let it succeed",
        "log:   ",
    ] {
        assert!(said.contains(part), "{part} is missing from {said}");
    }
    assert_eq!(site.logs().len(), 1);
    site.left_nothing(0);
    assert_eq!(site.moto("show")["parameters"], json!({}));

    let error = json_of(&mut site.build(&["--accept-licence", "--keep-on-failure"]), 4);
    let left = error["left"].as_str().unwrap();
    assert!(
        left.contains("instance i-") && left.contains("key pair packer_") && left.contains("security group sg-"),
        "{left}"
    );
    let instance = left
        .split_whitespace()
        .find(|w| w.starts_with("i-"))
        .unwrap()
        .trim_end_matches(',');
    assert!(error["hint"].as_str().unwrap().contains(&format!(
        "terminate-instances --region {REGION} --instance-ids {instance}"
    )));
    assert!(
        site.moto("show")["instances"][instance].is_object(),
        "it is kept, as was asked for"
    );
}

#[test]
fn a_build_that_cannot_begin_says_why_and_launches_nothing() {
    let Some(venv) = tools("a_build_that_cannot_begin_says_why_and_launches_nothing") else {
        return;
    };
    let site = Site::new(venv);
    let refused = |command: &mut Command, parts: &[&str]| {
        let said = run(command, 3);
        for part in [parts, &["nothing was changed"]].concat() {
            assert!(said.contains(part), "{part} is missing from {said}");
        }
    };
    refused(
        &mut site.build(&[]),
        &["IBM MQ's licence was not accepted", "--accept-licence"],
    );
    let mut accepted_elsewhere = site.build(&[]);
    accepted_elsewhere
        .env("MQAWS_ACCEPT_LICENCE", "yes")
        .env("PKR_VAR_accept_licence", "yes");
    refused(&mut accepted_elsewhere, &["licence was not accepted"]);

    let licensed = |more: &[&str]| site.build(&[&["--accept-licence"], more].concat());
    let mut without = licensed(&[]);
    without.env("PATH", site.home.path());
    refused(
        &mut without,
        &[
            "Packer is not installed",
            "apt install packer",
            "developer.hashicorp.com",
        ],
    );
    refused(
        &mut licensed(&["--packer", "/nonexistent/packer"]),
        &["`/nonexistent/packer` is no program"],
    );
    refused(
        &mut licensed(&["--packer", "/bin/true"]),
        &["`/bin/true` is not HashiCorp's Packer"],
    );
    refused(
        &mut licensed(&["--agent", "mq.tar.gz"]),
        &["cannot be the agent of an image", "no executable"],
    );
    refused(
        &mut licensed(&["--agent", env!("CARGO_BIN_EXE_mqaws")]),
        &["it is another program"],
    );
    site.write("mq.tar.gz", "another package\n");
    let given = sha256(PACKAGE);
    let found = sha256("another package\n");
    refused(
        &mut licensed(&[]),
        &[
            "not the one that its checksum names",
            &format!("given: {given}"),
            &format!("found: {found}"),
        ],
    );
    fs::remove_file(site.work().join("mq.tar.gz")).unwrap();
    refused(&mut licensed(&[]), &["cannot read the package", "No such file"]);
    let mut without_credentials = licensed(&[
        "--set",
        "image.package=s3://bucket/mq.tar.gz",
        "--set",
        "image.instance_profile=builder",
    ]);
    without_credentials
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    refused(&mut without_credentials, &["no credentials"]);
    assert!(site.logs().is_empty(), "Packer never ran");
    assert!(site.scripts().is_empty());
    site.left_nothing(0);
}

#[test]
fn ctrl_c_lets_packer_clean_up() {
    let Some(venv) = tools("ctrl_c_lets_packer_clean_up") else {
        return;
    };
    let site = Site::new(venv);
    site.behave(json!({"hang": "20-storage"}));
    let build = UnderWay::start(&site, site.build(&["--accept-licence"]));
    until("the script runs", || {
        site.scripts().iter().any(|s| s["script"] == "20-storage").then_some(())
    });
    assert!(!site.moto("show")["instances"].as_object().unwrap().is_empty());
    build.interrupt();
    let said = build.end(130);
    for part in [
        "interrupted: cleaning up",
        "error: interrupted",
        "during: 20-storage",
        "left:  nothing",
        "log:",
    ] {
        assert!(said.contains(part), "{part} is missing from {said}");
    }
    assert!(!said.contains('✘'), "what was cut short did not fail: {said}");
    site.left_nothing(0);
    assert_eq!(site.moto("show")["parameters"], json!({}));
}

/// A double of Packer that hears no signal.
const DEAF: &str = "#!/bin/bash
case $1 in
version) echo 'Packer v1.6.6' ;;
validate) exit 0 ;;
build)
  trap '' INT TERM
  echo '1,,ui,say,==> amazon-ebs.mqaws: Launching a source AWS instance...'
  echo '1,,ui,message,    amazon-ebs.mqaws: Instance ID: i-0123456789abcdef0'
  sleep 300 & wait
  sleep 300 ;;
esac
";

#[test]
fn a_second_ctrl_c_leaves_at_once_and_says_what_may_be_left() {
    let Some(venv) = tools("a_second_ctrl_c_leaves_at_once_and_says_what_may_be_left") else {
        return;
    };
    let site = Site::new(venv);
    let packer = site.write("deaf", DEAF);
    fs::set_permissions(&packer, fs::Permissions::from_mode(0o755)).unwrap();
    let build = UnderWay::start(&site, site.build(&["--accept-licence", "--packer", "deaf"]));
    let log = || {
        site.logs()
            .first()
            .and_then(|log| fs::read_to_string(log).ok())
            .unwrap_or_default()
    };
    until("the instance is known", || log().contains("Instance ID").then_some(()));
    build.interrupt();
    until("it cleans up", || log().contains("interrupting Packer").then_some(()));
    build.interrupt();
    let said = build.end(130);
    assert!(said.contains("left:  perhaps instance i-0123456789abcdef0"), "{said}");
    assert!(
        said.contains("aws ec2 terminate-instances --region eu-west-1 --instance-ids i-0123456789abcdef0"),
        "{said}"
    );
    site.left_nothing(0);
}

#[test]
fn old_images_go_and_what_is_used_stays() {
    let Some(venv) = tools("old_images_go_and_what_is_used_stays") else {
        return;
    };
    let site = Site::new(venv);
    let made = site.moto("images");
    let id = |word: &str| made[word].as_str().unwrap().to_owned();
    let prune = |keep: &str, more: &[&str]| {
        let common = ["ami", "prune", "--keep", keep, "--endpoint-url", &site.moto];
        site.mqaws(&[&common[..], more].concat())
    };
    let before = site.moto("show");
    let said = run(&mut prune("0", &[]), 2);
    assert!(
        said.contains("was not asked, since this is no terminal") && said.contains("--yes"),
        "{said}"
    );
    assert!(said.contains(&format!("removes  {}", id("idle"))), "{said}");
    assert_eq!(site.moto("show"), before, "nothing goes without a yes");

    let kept = json_of(&mut prune("9", &["--yes"]), 0);
    assert_eq!(kept["removed"], json!([]));

    let pruned = json_of(&mut prune("0", &["--yes"]), 0);
    let removed: Vec<&str> = pruned["removed"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|r| r["id"].as_str())
        .collect();
    let (idle, rabbitmq) = (id("idle"), id("rabbitmq"));
    assert_eq!(removed.len(), 2, "{pruned}");
    assert!(
        removed.contains(&idle.as_str()) && removed.contains(&rabbitmq.as_str()),
        "{pruned}"
    );
    let why = |word: &str| {
        let kept = pruned["kept"].as_array().unwrap();
        let found = kept
            .iter()
            .find(|k| k["id"] == id(word))
            .unwrap_or_else(|| panic!("{word} in {pruned}"));
        found["why"].as_str().unwrap().to_owned()
    };
    for (word, by) in [
        ("instance", "in use: instance i-"),
        ("stopped", "in use: instance i-"),
        ("template", "version 1"),
        ("configuration", "in use: launch configuration c"),
        ("parameter", "in use: parameter /mqaws/ami/ibm-mq"),
        ("shared", "in use: shared with account 111122223333"),
    ] {
        assert!(why(word).contains(by), "{word}: {}", why(word));
    }
    let after = site.moto("show");
    let there = |word: &str| after["images"][id(word)].is_object();
    assert!(!there("idle") && !there("rabbitmq"));
    assert!(
        [
            "foreign",
            "instance",
            "stopped",
            "template",
            "configuration",
            "parameter",
            "shared"
        ]
        .into_iter()
        .all(there)
    );
    let gone = |document: &Value| document["snapshots"].as_array().unwrap().len();
    assert_eq!(
        gone(&before) - gone(&after),
        2,
        "their snapshots went with them, and no other"
    );
}

//! A user with a home of his own, moto as his AWS, and a double of the instance that Packer provisions.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);
pub const REGION: &str = "eu-west-1";
/// What stands for IBM MQ's package; nothing here opens it.
pub const PACKAGE: &str = "a package\n";

/// The Python environment with moto, and Packer; `None` after a visible line when either is missing.
pub fn tools(test: &str) -> Option<PathBuf> {
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
pub struct Site {
    pub home: tempfile::TempDir,
    venv: PathBuf,
    pub moto: String,
    ssh_port: String,
    more: RefCell<Vec<(String, String)>>,
    _running: Vec<Running>,
}

impl Site {
    pub fn new(venv: PathBuf) -> Self {
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
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.work().join(name);
        fs::write(&path, text).expect("written");
        path
    }

    pub fn work(&self) -> PathBuf {
        self.home.path().join("work")
    }

    /// moto knows Amazon's images, none of Red Hat's.
    fn configure(&self, more: &str) {
        let sum = sha256(PACKAGE);
        self.write(
            "mqaws.yaml",
            &format!(
                "region: {REGION}\ntags: {{team: payments}}\nstorage: {{mount: nfs}}\nimage:\n  source: \
                 filter:amazon/amzn2-ami-hvm-2.0.*-x86_64-gp2\n  root_device: /dev/xvda\n  package: mq.tar.gz\n  package_sha256: {sum}\n  \
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

    pub fn set(&self, name: &str, value: &str) {
        self.more.borrow_mut().push((name.to_owned(), value.to_owned()));
    }

    /// The environment of a user who has moto, and nothing of the machine's.
    pub fn clean(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
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

    pub fn mqaws(&self, args: &[&str]) -> Command {
        let mut command = self.clean(env!("CARGO_BIN_EXE_mqaws"));
        command.args(args);
        command
    }

    /// `mqaws ami build` against moto.
    pub fn build(&self, more: &[&str]) -> Command {
        let agent: &[&str] = if more.contains(&"--agent") {
            &[]
        } else {
            &["--agent", "mqaws-agent"]
        };
        let common = ["ami", "build", "--endpoint-url", &self.moto];
        self.mqaws(&[&common, agent, more].concat())
    }

    /// Asks moto, by boto3.
    pub fn moto(&self, what: &str) -> Value {
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
    pub fn scripts(&self) -> Vec<Value> {
        let record = fs::read_to_string(self.home.path().join("record")).unwrap_or_default();
        let entries = record
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a record"));
        entries.filter(|entry| entry["script"].is_string()).collect()
    }

    pub fn behave(&self, how: Value) {
        fs::write(self.home.path().join("instance/behave.json"), how.to_string()).expect("written");
    }

    /// Nothing but the log, and in moto nothing but what is listed.
    pub fn left_nothing(&self, images: usize) {
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

    pub fn logs(&self) -> Vec<PathBuf> {
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

pub fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(output: &Output) -> String {
    let read = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}\n{}", output.status, read(&output.stdout), read(&output.stderr))
}

/// Runs a command and demands its exit code; returns what it printed.
pub fn run(command: &mut Command, exit: i32) -> String {
    let output = command.output().expect("runs");
    let said = text(&output);
    assert_eq!(output.status.code(), Some(exit), "{said}");
    said
}

pub fn json_of(command: &mut Command, exit: i32) -> Value {
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

pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
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
pub struct UnderWay {
    child: Child,
    errors: PathBuf,
}

impl UnderWay {
    pub fn start(site: &Site, mut command: Command) -> Self {
        let errors = site.home.path().join("errors");
        let file = fs::File::create(&errors).expect("a file");
        let child = command.stdout(Stdio::null()).stderr(file).spawn().expect("starts");
        Self { child, errors }
    }

    pub fn interrupt(&self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, Signal::INT).expect("signalled");
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.errors).unwrap_or_default()
    }

    pub fn end(mut self, exit: i32) -> String {
        let status = until("it ends", || self.child.try_wait().expect("a status"));
        assert_eq!(status.code(), Some(exit), "{}", self.said());
        self.said()
    }
}

/// One of the lab's own calls, by its administrator.
pub fn sign_and_post(url: &str, user: &str, body: &Value) {
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

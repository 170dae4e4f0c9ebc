//! A user with a home of his own, moto as his AWS, and a double of the instance that Packer provisions.

use crate::support::judge::{self, script};
use crate::support::{marked, said, until};
use serde_json::Value;
use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub(super) const REGION: &str = "eu-west-1";
/// What stands for IBM MQ's package; nothing here opens it.
pub(super) const PACKAGE: &str = "a package\n";

/// The Python environment with moto, and Packer; `None` after a visible line when either is missing.
pub(super) fn tools(test: &str) -> Option<PathBuf> {
    let venv = judge::venv(test)?;
    if !Path::new("/usr/bin/packer").exists() {
        judge::skip(
            judge::TOOLS,
            test,
            "there is no /usr/bin/packer; scripts/test installs it",
        );
        return None;
    }
    Some(venv)
}

/// A process of the test; ends with it.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A user with a home of his own, moto as his AWS, and the double of the instance.
pub(super) struct Site {
    pub home: tempfile::TempDir,
    venv: PathBuf,
    pub moto: String,
    ssh_port: String,
    more: RefCell<Vec<(String, String)>>,
    _servers: Vec<Server>,
}

impl Site {
    pub(super) fn new(venv: PathBuf) -> Self {
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
        let moto = Server(moto);
        let mut sshd = Command::new(venv.join("bin/python"))
            .arg(script("instance_sshd.py"))
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
        let sshd = Server(sshd);
        let ssh_port = ssh_port.trim().to_owned();
        assert!(
            ssh_port.parse::<u16>().is_ok(),
            "asyncssh is missing from the Python environment"
        );
        until("moto listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        let site = Self {
            moto: format!("http://127.0.0.1:{port}"),
            home,
            venv,
            ssh_port,
            more: RefCell::default(),
            _servers: vec![moto, sshd],
        };
        site.write("mq.tar.gz", PACKAGE);
        site.configure("");
        site.agent();
        site
    }

    /// Writes into the folder that `mqaws` runs in.
    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.work().join(name);
        fs::write(&path, text).expect("written");
        path
    }

    pub(super) fn work(&self) -> PathBuf {
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

    pub(super) fn set(&self, name: &str, value: &str) {
        self.more.borrow_mut().push((name.to_owned(), value.to_owned()));
    }

    /// The environment of a user who has moto, and nothing of the machine's.
    pub(super) fn clean(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = judge::clean(program, self.home.path());
        command
            .env("PATH", "/usr/bin:/bin")
            .env("TMPDIR", self.home.path().join("tmp"))
            .env("MQAWS_LAB_DIR", self.home.path().join("lab"))
            .env("PKR_VAR_ssh_host", "127.0.0.1")
            .env("PKR_VAR_ssh_port", &self.ssh_port)
            .current_dir(self.work());
        command.envs(self.more.borrow().iter().cloned());
        command
    }

    pub(super) fn mqaws(&self, args: &[&str]) -> Command {
        let mut command = self.clean(env!("CARGO_BIN_EXE_mqaws"));
        command.args(args);
        command
    }

    /// `mqaws ami build` against moto.
    pub(super) fn build(&self, more: &[&str]) -> Command {
        let agent: &[&str] = if more.contains(&"--agent") {
            &[]
        } else {
            &["--agent", "mqaws-agent"]
        };
        let common = ["ami", "build", "--endpoint-url", &self.moto];
        self.mqaws(&[&common, agent, more].concat())
    }

    /// Asks moto, by boto3.
    pub(super) fn moto(&self, what: &str) -> Value {
        let mut command = self.clean(self.venv.join("bin/python"));
        let told = said(command.arg(script("ami_moto.py")).args([&self.moto, REGION, what]));
        assert_eq!(told.code, Some(0), "{told}");
        told.json()
    }

    /// What the double was told to run, by name.
    pub(super) fn scripts(&self) -> Vec<Value> {
        let record = fs::read_to_string(self.home.path().join("record")).unwrap_or_default();
        let entries = record
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a record"));
        entries.filter(|entry| entry["script"].is_string()).collect()
    }

    pub(super) fn behave(&self, how: Value) {
        fs::write(self.home.path().join("instance/behave.json"), how.to_string()).expect("written");
    }

    /// Nothing but the log, and in moto nothing but what is listed.
    pub(super) fn left_nothing(&self, images: usize) {
        let there: Vec<_> = fs::read_dir(self.home.path().join("tmp"))
            .expect("a folder")
            .flatten()
            .collect();
        assert!(there.is_empty(), "in the temporary directory: {there:?}");
        let home = format!("HOME={}", self.home.path().display());
        let of_us: Vec<String> = marked(&home).into_iter().filter(|line| !line.contains("lab")).collect();
        assert_eq!(of_us, Vec::<String>::new(), "no process is left");
        let moto = self.moto("show");
        let empty = ["instances", "volumes", "key_pairs", "security_groups"];
        for kind in empty {
            assert!(moto[kind].as_object().is_none_or(|m| m.is_empty()), "{kind}: {moto}");
            assert!(moto[kind].as_array().is_none_or(Vec::is_empty), "{kind}: {moto}");
        }
        assert_eq!(moto["images"].as_object().map(|m| m.len()), Some(images), "{moto}");
    }

    pub(super) fn logs(&self) -> Vec<PathBuf> {
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

pub(super) fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(text))
}

/// Runs a command and demands its exit code; returns what it printed.
pub(super) fn run(command: &mut Command, exit: i32) -> String {
    let said = said(command);
    assert_eq!(said.code, Some(exit), "{said}");
    said.text()
}

pub(super) fn json_of(command: &mut Command, exit: i32) -> Value {
    let said = said(command.args(["--output", "json"]));
    assert_eq!(said.code, Some(exit), "{said}");
    said.json()
}

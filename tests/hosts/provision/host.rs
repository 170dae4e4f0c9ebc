//! A lab host in place of a building machine, and the stand-in packed as IBM packs IBM MQ.

use crate::rig;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything on a host may take that takes seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What these tests need beside what the rig does.
pub(super) fn missing() -> Option<String> {
    let programs = [
        ("packer", "packer"),
        ("ssh-keygen", "openssh-client"),
        ("dpkg-deb", "dpkg"),
        ("strip", "binutils"),
    ];
    programs
        .into_iter()
        .find_map(|(program, package)| rig::lacks(program, package))
}

/// The directory of the host's scripts.
fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts/provision")
}

/// What a script said.
pub(super) struct Said {
    pub text: String,
}

/// Runs a command that must end well.
pub(super) fn must(command: &mut Command) {
    let done = command.output().unwrap();
    assert!(
        done.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// A lab host: a disk, and while it serves ssh, its processes.
pub(super) struct LabHost {
    dir: tempfile::TempDir,
    root: PathBuf,
    process: Option<Child>,
}

impl LabHost {
    /// A host that has the base of the guests' root as its disk. Nothing runs on it.
    pub(super) fn new(root: &Path) -> Self {
        Self {
            dir: tempfile::Builder::new().prefix("mqp").tempdir_in("/tmp").unwrap(),
            root: root.to_owned(),
            process: None,
        }
    }

    /// A directory for the test's own files.
    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What was written to the host's disk.
    pub(super) fn disk(&self) -> PathBuf {
        self.dir().join("upper")
    }

    /// The key that opens the host to the user `admin`.
    pub(super) fn key(&self) -> PathBuf {
        self.dir().join("key")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(scripts().join("host.sh"));
        command.arg(self.dir()).arg(&self.root).stdin(Stdio::null());
        command
    }

    /// Starts its sshd.
    pub(super) fn serve(&mut self) {
        for name in ["key", "host_key"] {
            must(
                Command::new("ssh-keygen")
                    .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                    .arg(self.dir().join(name)),
            );
        }
        let log = self.dir().join("sshd.log");
        let process = self.command().arg("sshd").stderr(File::create(&log).unwrap()).spawn();
        self.process = Some(process.unwrap());
        let deadline = Instant::now() + PATIENCE;
        while !fs::read_to_string(&log).unwrap().contains("Server listening") {
            assert!(
                Instant::now() < deadline,
                "no sshd: {}",
                fs::read_to_string(&log).unwrap()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A command of this machine in the host's network, where the host is 127.0.0.1; killed after 200 s.
    pub(super) fn beside(&self, program: &str) -> Command {
        let process = self.process.as_ref().expect("the host serves");
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", process.id()));
        command
            .args(["timeout", "-k", "5", "200", program])
            .stdin(Stdio::null());
        command
    }

    /// Ends everything that runs on it.
    pub(super) fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            // The host's first process ends with this one, and everything else on the host with that.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Runs a script as root, as the only thing on the host.
    pub(super) fn run(&mut self, script: &str) -> Said {
        self.end();
        let done = self
            .command()
            .args(["timeout", "-k", "5", "100", "/bin/bash", "-c", script])
            .output()
            .unwrap();
        Said {
            text: String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr),
        }
    }

    /// Puts a file on the host's disk, from outside.
    pub(super) fn put(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.disk().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

impl Drop for LabHost {
    fn drop(&mut self) {
        self.end();
    }
}

/// An archive in place of IBM's.
pub(super) struct Mq {
    pub file: PathBuf,
    pub sha256: String,
}

impl Mq {
    /// The stand-in, packed, without these parts.
    pub(super) fn packed(dir: &Path, without: &[&str]) -> Self {
        let mut command = Command::new(scripts().join("package.sh"));
        command
            .arg(dir)
            .arg(env!("CARGO_BIN_EXE_mqaws"))
            .arg(mqaws_standin::VERSION);
        must(&mut command);
        let file = dir.join("mq.tar");
        for part in without {
            let member = format!("MQServer/ibmmq-{part}_{}_amd64.deb", mqaws_standin::VERSION);
            must(Command::new("tar").arg("--delete").arg("-f").arg(&file).arg(member));
        }
        Self::of(file)
    }

    /// RabbitMQ with Erlang, from the archive of the guests' root, in one archive of packages.
    pub(super) fn rabbitmq(dir: &Path, root: &Path) -> Self {
        let archive = root.join("archive");
        let names = fs::read_dir(&archive)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names = names.filter(|name| name.starts_with("rabbitmq-server_") || name.starts_with("erlang-"));
        let file = dir.join("rabbitmq.tar.gz");
        must(
            Command::new("tar")
                .arg("-czf")
                .arg(&file)
                .arg("-C")
                .arg(&archive)
                .args(names),
        );
        Self::of(file)
    }

    /// Any file, with its right checksum.
    pub(super) fn of(file: PathBuf) -> Self {
        let sha256 = sha256(&fs::read(&file).unwrap());
        Self { file, sha256 }
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Everything below a directory: kind, mode, owner and content of each path.
pub(super) fn tree(top: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![top.to_owned()];
    while let Some(path) = open.pop() {
        let meta = path.symlink_metadata().unwrap();
        let content = match meta.file_type() {
            kind if kind.is_dir() => {
                open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                String::new()
            }
            kind if kind.is_symlink() => fs::read_link(&path).unwrap().display().to_string(),
            kind if kind.is_file() => sha256(&fs::read(&path).unwrap()),
            _ => "device".to_owned(),
        };
        let name = path.strip_prefix(top).unwrap().display().to_string();
        found.insert(
            name,
            format!("{:o} {}:{} {content}", meta.mode(), meta.uid(), meta.gid()),
        );
    }
    found
}

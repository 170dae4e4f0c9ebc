//! A build: the rendered template with Packer's `null` builder in place of `amazon-ebs`, and the real Packer.

use super::host::{LabHost, Mq};
use crate::support::shipped_agent;
use mqaws::model::config::{Overrides, read};
use mqaws::render::packer::{PROVISION, Rendering, template};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What is given to a template.
#[derive(Clone)]
pub(super) struct Build {
    engine: &'static str,
    variables: Vec<(&'static str, String)>,
}

/// How a build went.
pub(super) struct Built {
    pub ended_well: bool,
    pub text: String,
    pub seconds: f64,
}

impl Build {
    /// IBM MQ from this archive; the licence is not accepted.
    pub(super) fn ibm_mq(mq: &Mq) -> Self {
        Self {
            engine: "ibm-mq",
            variables: vec![
                ("package", mq.file.display().to_string()),
                ("package_sha256", mq.sha256.clone()),
                ("engine_version", mqaws_standin::VERSION.to_owned()),
                ("agent", shipped_agent().to_owned()),
                ("mount", "nfs".to_owned()),
            ],
        }
    }

    /// RabbitMQ of the distribution, with efs-utils from a package of the user's own: a double.
    pub(super) fn rabbitmq(dir: &Path) -> Self {
        let package = efs_utils(dir);
        Self {
            engine: "rabbitmq",
            variables: vec![
                ("agent", shipped_agent().to_owned()),
                ("engine_version", "3.10".to_owned()),
                ("mount", "efs-utils".to_owned()),
                ("efs_utils_package", package.file.display().to_string()),
                ("efs_utils_sha256", package.sha256),
            ],
        }
    }

    /// With another value of a variable.
    pub(super) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut changed = self.clone();
        changed.variables.retain(|(key, _)| *key != name);
        changed.variables.push((name, value.to_owned()));
        changed
    }

    /// With the licence of the stand-in accepted.
    pub(super) fn accepting_the_licence(&self) -> Self {
        self.with("accept_licence", "yes")
    }

    /// Runs it on a host that serves.
    pub(super) fn run(&self, host: &LabHost) -> Built {
        let began = Instant::now();
        let dir = host.dir().join("build");
        let file = self.written(&dir, host);
        let mut packer = host.beside("packer");
        packer.args(["build", "-color=false", "-var", "region=eu-west-1"]);
        for (name, value) in &self.variables {
            packer.args(["-var", &format!("{name}={value}")]);
        }
        // Nothing of the user's own, and no question to its makers whether there is a later one.
        packer
            .env("HOME", &dir)
            .env("CHECKPOINT_DISABLE", "1")
            .env("PACKER_CONFIG_DIR", &dir);
        let done = packer.arg(file).current_dir(&dir).output().unwrap();
        Built {
            ended_well: done.status.success(),
            text: String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr),
            seconds: began.elapsed().as_secs_f64(),
        }
    }

    /// Writes template and scripts as `mqaws ami manifest --write` does.
    fn written(&self, dir: &Path, host: &LabHost) -> PathBuf {
        for file in PROVISION {
            let path = dir.join("provision").join(file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, file.text).unwrap();
            let mode = if file.executable { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let overrides = Overrides::none().flag("image.engine", "--set", self.engine).flag(
            "image.source",
            "--set",
            "ami-0123456789abcdef0",
        );
        let deployment = read(None, &overrides).unwrap().deployment;
        let rendered = template(&deployment, Rendering::Packer16).unwrap().to_json();
        let mut json: Value = serde_json::from_str(&rendered).unwrap();
        json["source"] = json!({"null": {"mqaws": {
            "communicator": "ssh", "ssh_host": "127.0.0.1", "ssh_port": 22, "ssh_username": "admin",
            "ssh_private_key_file": host.key(), "ssh_timeout": "20s", "ssh_handshake_attempts": 3,
        }}});
        json["build"][0]["sources"] = json!(["source.null.mqaws"]);
        let path = dir.join("image.pkr.json");
        fs::write(&path, json.to_string()).unwrap();
        path
    }
}

/// A package in place of efs-utils, which is built from source where there is none: all that is in it is a `mount.efs`.
fn efs_utils(dir: &Path) -> Mq {
    let tree = dir.join("efs-utils");
    fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    fs::create_dir_all(tree.join("usr/sbin")).unwrap();
    let control =
        "Package: amazon-efs-utils\nVersion: 2.0\nArchitecture: all\nMaintainer: mqaws tests\nDescription: a double\n";
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    let helper = tree.join("usr/sbin/mount.efs");
    fs::write(&helper, "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let file = dir.join("efs utils.deb");
    super::host::must(
        std::process::Command::new("dpkg-deb")
            .args(["--root-owner-group", "-b"])
            .arg(&tree)
            .arg(&file),
    );
    Mq::of(file)
}

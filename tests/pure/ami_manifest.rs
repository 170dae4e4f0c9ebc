//! `mqaws ami manifest` as a user runs it.

use crate::judge::root;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use mqaws::render::packer::PROVISION;
use serde_json::Value;
use snapbox::cmd::Command;
use snapbox::str;

fn mqaws(folder: &Path) -> Command {
    Command::new(snapbox::cmd::cargo_bin!("mqaws"))
        .current_dir(folder)
        .env_clear()
        .args(["ami", "manifest"])
}

fn stored(name: &str) -> String {
    std::fs::read_to_string(root().join("packer").join(name)).unwrap()
}

#[test]
fn it_prints_the_checked_in_templates() {
    let folder = tempfile::tempdir().unwrap();
    for (args, name) in [
        (&[][..], "ibm-mq.pkr.json"),
        (&["--for", "packer-1.6"], "ibm-mq-packer-1.6.pkr.json"),
        (&["--engine", "rabbitmq"], "rabbitmq.pkr.json"),
        (
            &["--engine", "rabbitmq", "--for", "packer-1.6"],
            "rabbitmq-packer-1.6.pkr.json",
        ),
    ] {
        let output = mqaws(folder.path()).args(args).output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap() == stored(name), "{name}");
    }
}

#[test]
fn it_writes_what_can_be_used_without_mqaws_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let write = || mqaws(folder.path()).args(["--write", "out", "--engine", "rabbitmq", "--quiet"]);
    for _ in 0..2 {
        write().assert().success().stderr_eq("").stdout_eq(str![[r#"
written: out/rabbitmq.pkr.json
  and [..] files in out/provision
next: packer init out/rabbitmq.pkr.json && packer build -var region=… -var agent=… -var engine_version=… out/rabbitmq.pkr.json

"#]]);
    }
    let out = folder.path().join("out");
    assert_eq!(
        std::fs::read_to_string(out.join("rabbitmq.pkr.json")).unwrap(),
        stored("rabbitmq.pkr.json")
    );
    for file in PROVISION {
        let path = out.join("provision").join(file.path);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), file.text);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(
            mode & 0o777,
            if file.executable { 0o755 } else { 0o644 },
            "{}",
            file.path
        );
    }
    let changed = out.join("provision/units/mqaws-agent.service");
    std::fs::write(&changed, "my own\n").unwrap();
    std::fs::remove_file(out.join("rabbitmq.pkr.json")).unwrap();
    write().assert().code(3).stdout_eq("").stderr_eq(str![[r#"
error: `out/provision/units/mqaws-agent.service` already exists with different content
hint:  specify a different folder, or remove the files in this one
nothing was changed

"#]]);
    assert!(!out.join("rabbitmq.pkr.json").exists(), "nothing was changed");
    assert_eq!(std::fs::read_to_string(changed).unwrap(), "my own\n");
}

#[test]
fn a_package_lies_beside_the_file_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let digest = "0a".repeat(32);
    std::fs::create_dir(folder.path().join("conf")).unwrap();
    std::fs::write(
        folder.path().join("conf/mqaws.yaml"),
        format!("image: {{package: mq.tar.gz, package_sha256: {digest}, engine_version: 9.4.0.0}}\nstorage: {{mount: nfs}}\n"),
    )
    .unwrap();
    let output = mqaws(folder.path())
        .args([
            "--config",
            "conf/mqaws.yaml",
            "--output",
            "json",
            "--region",
            "eu-west-1",
        ])
        .output()
        .unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["schema"], "mqaws.ami-manifest/1");
    assert_eq!((&told["engine"], &told["for"]), (&"ibm-mq".into(), &"current".into()));
    assert_eq!(told["required"], serde_json::json!(["agent"]));
    assert_eq!(told["missing"], serde_json::json!([]));
    assert_eq!(told["written"], Value::Null);
    let package = &told["template"]["variable"]["package"]["default"];
    let there = folder.path().canonicalize().unwrap().join("conf/mq.tar.gz");
    assert_eq!(Path::new(package.as_str().unwrap()).file_name(), there.file_name());
    let parent = Path::new(package.as_str().unwrap()).parent().unwrap();
    assert_eq!(parent.canonicalize().unwrap(), there.parent().unwrap());
}

#[test]
fn what_a_build_still_needs_is_said_beside_the_template() {
    let folder = tempfile::tempdir().unwrap();
    mqaws(folder.path()).assert().success().stderr_eq(str![[r#"
required for a build: image.package: specify the package of IBM MQ, a local tarball or s3://BUCKET/KEY
required for a build: image.package_sha256: specify the package's SHA-256, as printed by `sha256sum`
required for a build: image.engine_version: specify the package's version, such as 9.4.0.0
required for a build: image.efs_utils_package: RHEL does not provide efs-utils: specify its package, or set `storage.mount: nfs`

"#]]);
}

//! The verbs that need no account, as a user runs them; and the page about the configuration.

use crate::judge::root;
use std::path::Path;

use mqaws::model::config::keys;
use snapbox::cmd::Command;
use snapbox::str;

fn mqaws(folder: &Path) -> Command {
    Command::new(snapbox::cmd::cargo_bin!("mqaws"))
        .current_dir(folder)
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
}

fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    if !text.is_empty() {
        std::fs::write(folder.path().join("mqaws.yaml"), text).unwrap();
    }
    folder
}

#[test]
fn validate_tells_every_mistake_with_its_place() {
    let folder = folder("stack: mqaws-qm1\nnetwrok:\n  vpc: x\nstorage:\n  backup: maybe\n");
    mqaws(folder.path())
        .arg("validate")
        .assert()
        .code(3)
        .stdout_eq("")
        .stderr_eq(str![[r#"
error: 2 errors in the configuration
1. unsupported key `netwrok` in the configuration
   ╭─ mqaws.yaml:2:1
 2 │ netwrok:
   · ───────  unknown
   hint: did you mean `network`?
2. `storage.backup` must be true or false, found `maybe`
   ╭─ mqaws.yaml:5:11
 5 │   backup: maybe
   ·           ─────
hint:  correct them, then check the file with `mqaws validate`
nothing was changed

"#]]);
    let output = mqaws(folder.path())
        .args(["validate", "--output", "json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["schema"], "mqaws.validate/1");
    assert_eq!(told["violations"][1]["key"], "storage.backup");
    assert_eq!(
        (&told["violations"][1]["line"], &told["violations"][1]["column"]),
        (&5.into(), &11.into())
    );
}

#[test]
fn validate_says_what_it_checked_and_what_not() {
    let folder = folder("queue_manager: {name: ON}\n");
    mqaws(folder.path())
        .args(["validate", "--stack", "orders"])
        .env("MQAWS_REGION", "eu-west-1")
        .assert()
        .success()
        .stderr_eq("")
        .stdout_eq(str![[r#"
valid: mqaws.yaml
  stack    orders in eu-west-1
  manager  ON
  network  two subnets of the default VPC, chosen at deployment
  TLS      none: client connections are not encrypted
  template [..] of 51200 bytes
not checked: values that depend on the account; to check them, run `mqaws plan --stack orders --region eu-west-1`

"#]]);
}

#[test]
fn a_missing_file_and_a_wrong_variable_are_preconditions() {
    let folder = folder("");
    mqaws(folder.path())
        .args(["validate", "--config", "gone.yaml"])
        .assert()
        .code(3)
        .stderr_eq(str![[r#"
error: cannot read `gone.yaml`
cause: No such file or directory (os error 2)
hint:  check the path and its permissions
nothing was changed

"#]]);
    mqaws(folder.path())
        .arg("render")
        .env("MQAWS_NETWORK_VPC", "vpc")
        .assert()
        .code(3)
        .stdout_eq("")
        .stderr_eq(str![[r#"
error: invalid VPC ID `vpc`: must be `vpc-` followed by 8 or 17 hexadecimal characters
   ╭─ variable MQAWS_NETWORK_VPC
hint:  Example: vpc-0123456789abcdef0
nothing was changed

"#]]);
    mqaws(folder.path()).args(["render", "--set", "tags"]).assert().code(2);
}

#[test]
fn render_prints_the_checked_in_template() {
    let folder = folder("");
    let stored = std::fs::read_to_string(root().join("templates/single.yaml")).unwrap();
    let output = mqaws(folder.path()).arg("render").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(String::from_utf8(output.stdout).unwrap() == stored);

    let output = mqaws(folder.path())
        .args(["render", "--output", "json", "--ami", "ami-12345678"])
        .output()
        .unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["schema"], "mqaws.render/1");
    assert_eq!(told["parameters"]["AMI"], "ami-12345678");
    let output = mqaws(folder.path())
        .args(["render", "--format", "json"])
        .output()
        .unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["AWSTemplateFormatVersion"], "2010-09-09");
}

#[test]
fn what_a_user_defines_is_data_and_no_suggestion() {
    let folder = folder("queue_manager: {definitions: own.mqsc}\n");
    let own = "DEFINE QLOCAL(A) DESCR('see `mqaws status`') REPLACE\n";
    std::fs::write(folder.path().join("own.mqsc"), own).unwrap();
    for form in [&["--output", "json"][..], &["--format", "json"]] {
        let output = mqaws(folder.path())
            .args(["render", "--config", "mqaws.yaml"])
            .args(form)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{form:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("see `mqaws status`"), "{form:?}");
    }
}

#[test]
fn init_writes_a_valid_file_once() {
    let folder = folder("");
    mqaws(folder.path())
        .args(["init", "--offline", "--queue-manager", "NO"])
        .assert()
        .success()
        .stdout_eq(str![[r#"
written: mqaws.yaml
  no AWS account was accessed (--offline); the file contains default values
next: edit it, then `mqaws validate` and `mqaws plan`

"#]]);
    mqaws(folder.path())
        .args(["init", "--offline"])
        .assert()
        .code(3)
        .stderr_eq(str![[r#"
error: `mqaws.yaml` exists
hint:  specify a different file, or replace this one with --force
nothing was changed

"#]]);
    let output = mqaws(folder.path())
        .args(["validate", "--output", "json"])
        .output()
        .unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["deployment"]["queue_manager"]["name"], "NO");
    assert_eq!(told["deployment"]["stack"], "mqaws-no");
    mqaws(folder.path())
        .args(["init", "--offline", "--force"])
        .assert()
        .success();
}

/// A deployment by the defaults, since the file has another ending, is not what its author wanted.
#[test]
fn a_file_with_the_other_ending_is_refused_and_not_passed_over() {
    let folder = folder("");
    std::fs::rename(folder.path().join("mqaws.yaml"), folder.path().join("mqaws.yml")).ok();
    std::fs::write(folder.path().join("mqaws.yml"), "stack: own\n").unwrap();
    mqaws(folder.path())
        .arg("validate")
        .assert()
        .code(3)
        .stderr_eq(str![[r#"
error: found mqaws.yml; the configuration file is called mqaws.yaml
hint:  rename it with `mv mqaws.yml mqaws.yaml`, or specify it with --config mqaws.yml
nothing was changed

"#]]);
    mqaws(folder.path())
        .args(["validate", "--config", "mqaws.yml"])
        .assert()
        .success();
}

#[test]
fn a_region_in_the_file_has_no_effect_in_the_local_cloud_and_that_is_said() {
    let folder = folder("region: us-east-1\n");
    mqaws(folder.path())
        .args(["validate", "--local"])
        .assert()
        .success()
        .stderr_eq(str![[r#"
warning: mqaws.yaml:1:9: `region` has no effect with --local

"#]]);
}

#[test]
fn init_without_credentials_says_so_and_writes_the_defaults() {
    let folder = folder("");
    mqaws(folder.path())
        .args(["init", "--region", "eu-west-1"])
        .assert()
        .success()
        .stdout_eq(str![[r#"
written: mqaws.yaml
  the AWS account could not be accessed (ec2:DescribeVpcs: no credentials); the file contains default values
next: edit it, then `mqaws validate` and `mqaws plan`

"#]]);
}

#[test]
fn the_schema_is_the_checked_in_one() {
    let folder = folder("");
    let stored = std::fs::read_to_string(root().join("schema/mqaws.schema.json")).unwrap();
    let output = mqaws(folder.path()).args(["validate", "--schema"]).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap() == stored);
}

#[test]
fn the_page_describes_every_key() {
    const MARKERS: [&str; 2] = ["<!-- keys: generated -->\n", "<!-- keys: end -->\n"];
    let path = root().join("docs/configuration.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(MARKERS[0]).unwrap();
    let (_, after) = rest.split_once(MARKERS[1]).unwrap();
    let rows: String = keys().map(|key| format!("{}\n", key.row())).collect();
    let table = format!("| key | variable | default | what it is |\n|---|---|---|---|\n{rows}");
    let current = format!("{before}{}\n{table}\n{}{after}", MARKERS[0], MARKERS[1]);
    if std::env::var_os("MQAWS_UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, &current).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap();
    assert!(
        stored == current,
        "docs/configuration.md is not current; run the tests with MQAWS_UPDATE=1 and review it"
    );
}

/// Whether a literal of the source is an action of IAM, `service:Action`.
fn is_action(literal: &str) -> bool {
    literal.split_once(':').is_some_and(|(service, action)| {
        service.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
            && action.starts_with(|c: char| c.is_ascii_uppercase())
            && action.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

/// The hint about a missing permission sends people to that page.
#[test]
fn the_page_lists_every_action_that_the_command_line_calls() {
    let root = root();
    let page = std::fs::read_to_string(root.join("docs/troubleshooting.md")).unwrap();
    let mut actions = std::collections::BTreeSet::new();
    // What the agent calls, in `signed/`, is in the instance's role.
    for file in std::fs::read_dir(root.join("src/aws")).unwrap().flatten() {
        if file.path().is_file() {
            let text = std::fs::read_to_string(file.path()).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            actions.extend(code.split('"').filter(|literal| is_action(literal)).map(str::to_owned));
        }
    }
    assert!(actions.len() > 20, "{actions:?}");
    let missing: Vec<_> = actions.iter().filter(|a| !page.contains(&format!("`{a}`"))).collect();
    assert!(missing.is_empty(), "not in docs/troubleshooting.md: {missing:?}");
}

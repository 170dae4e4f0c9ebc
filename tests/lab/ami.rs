//! `mqaws ami build`, `list` and `prune` with the real Packer against moto's EC2.
//!
//! Packer comes from Debian, moto from the Python environment `MQAWS_TEST_VENV`; `scripts/test` installs both. The instance
//! that Packer provisions is a double: an sshd on loopback that records scripts and uploads, and runs nothing. What the
//! scripts do is shown elsewhere, on a real host.

mod site;

use crate::support::{Running, own_call, shipped_agent, until};
use mqaws::image::Agent;
use mqaws_lab::home;
use rustix::process::Signal;
use serde_json::{Value, json};
use site::{PACKAGE, REGION, Site, json_of, run, sha256, tools};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const STEPS: [&str; 6] = [
    "10-accounts",
    "20-storage",
    "30-engine",
    "40-kernel",
    "50-agent",
    "60-finish",
];

#[test]
fn the_shipped_agent_is_known_by_its_file() {
    match Agent::look(Path::new(shipped_agent())) {
        Ok(agent) => assert_eq!(agent.version, env!("CARGO_PKG_VERSION")),
        // built on a system that is newer than the images
        Err(error) => assert!(error.to_string().contains("of the GNU C library"), "{error}"),
    }
    let error = Agent::look(Path::new(env!("CARGO_BIN_EXE_mqaws"))).unwrap_err();
    assert!(error.to_string().contains("it is a different program"), "{error}");
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
    let record = home::read_record(&site.home.path().join("lab")).unwrap();
    // EC2 is moto, which takes any key; Systems Manager is the local cloud's
    for service in ["EC2", "STS"] {
        site.set(&format!("AWS_ENDPOINT_URL_{service}"), &site.moto);
    }
    site.set("AWS_ENDPOINT_URL_SSM", &record.endpoint);
    site.set("AWS_ACCESS_KEY_ID", &record.access_key_id);
    site.set("AWS_SECRET_ACCESS_KEY", &record.secret_access_key);
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
    let url = format!("{}/_mqaws/images", record.endpoint);
    let unsigned = ureq::post(&url).send(known.to_string().as_bytes());
    assert!(matches!(unsigned, Err(ureq::Error::StatusCode(403))), "{unsigned:?}");
    own_call(&record, "images", &known).unwrap();

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
        // A script's two outputs come in either order.
        "said:  ",
        "mqaws: 30-engine: recorded, not run",
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
    let said = error["details"]["said"].as_str().unwrap();
    assert!(said.contains("the double was told to fail here"), "{said}");
    assert!(
        error["hint"].as_str().unwrap().starts_with("let it succeed\n"),
        "{error}"
    );
    let left = error["left"].as_str().unwrap();
    assert!(
        left.contains("instance i-") && left.contains("key pair packer_") && left.contains("security group sg-"),
        "{left}"
    );
    assert!(!left.contains("volume"), "it goes with the instance: {left}");
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
        &["the license of IBM MQ was not accepted", "--accept-licence"],
    );
    let mut accepted_elsewhere = site.build(&[]);
    accepted_elsewhere
        .env("MQAWS_ACCEPT_LICENCE", "yes")
        .env("PKR_VAR_accept_licence", "yes");
    refused(&mut accepted_elsewhere, &["license of IBM MQ was not accepted"]);

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
        &["`/nonexistent/packer` is not an executable"],
    );
    refused(
        &mut licensed(&["--packer", "/bin/true"]),
        &["`/bin/true` does not respond like HashiCorp's Packer"],
    );
    refused(
        &mut licensed(&["--agent", "mq.tar.gz"]),
        &["cannot be used as the agent of an image", "not an executable"],
    );
    refused(
        &mut licensed(&["--agent", env!("CARGO_BIN_EXE_mqaws")]),
        &["it is a different program"],
    );
    refused(
        &mut licensed(&["--set", "image.root_device=/dev/sda1"]),
        &[
            "the root device of the source image ami-",
            "is /dev/xvda, not /dev/sda1",
            "set `image.root_device: /dev/xvda`",
        ],
    );
    refused(
        &mut licensed(&["--set", "image.source=filter:amazon/nobody-called-it-so-*"]),
        &["no image in", "matches filter:amazon/nobody-called-it-so-*"],
    );
    let by_session = [
        "--set",
        "image.connect=session-manager",
        "--set",
        "image.instance_profile=builder",
    ];
    refused(
        &mut licensed(&by_session),
        &["requires `session-manager-plugin` on PATH", "image.connect: ssh"],
    );
    site.write("mq.tar.gz", "another package\n");
    let given = sha256(PACKAGE);
    let found = sha256("another package\n");
    refused(
        &mut licensed(&[]),
        &[
            "does not match its checksum",
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

/// What a build said, when it ends with this exit code.
fn ended(build: Running, exit: i32) -> String {
    let said = build.wait();
    assert_eq!(said.code, Some(exit), "{said}");
    said.err
}

#[test]
fn ctrl_c_lets_packer_clean_up() {
    let Some(venv) = tools("ctrl_c_lets_packer_clean_up") else {
        return;
    };
    let site = Site::new(venv);
    site.behave(json!({"hang": "20-storage"}));
    let build = Running::start(site.build(&["--accept-licence"]), site.home.path());
    until("the script runs", || {
        site.scripts().iter().any(|s| s["script"] == "20-storage").then_some(())
    });
    assert!(!site.moto("show")["instances"].as_object().unwrap().is_empty());
    build.signal(Signal::INT);
    let said = ended(build, 130);
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
    let build = Running::start(site.build(&["--accept-licence", "--packer", "deaf"]), site.home.path());
    let log = || {
        site.logs()
            .first()
            .and_then(|log| fs::read_to_string(log).ok())
            .unwrap_or_default()
    };
    until("the instance is known", || log().contains("Instance ID").then_some(()));
    build.signal(Signal::INT);
    until("it cleans up", || log().contains("interrupting Packer").then_some(()));
    build.signal(Signal::INT);
    let said = ended(build, 130);
    assert!(said.contains("left:  possibly instance i-0123456789abcdef0"), "{said}");
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
        said.contains("standard input is not a terminal") && said.contains("--yes"),
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
    let gone = ["idle", "rabbitmq", "theirs"].map(id);
    assert_eq!(removed.len(), 3, "{pruned}");
    assert!(gone.iter().all(|id| removed.contains(&id.as_str())), "{pruned}");
    let theirs = id("their_snapshot");
    let kept: Vec<&Value> = pruned["removed"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|r| r["snapshots_kept"].as_array().unwrap())
        .collect();
    assert_eq!(kept, [&json!(theirs)], "a snapshot without the tag is somebody else's");
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
    assert!(!there("idle") && !there("rabbitmq") && !there("theirs"));
    assert!(after["snapshots"].as_array().unwrap().contains(&json!(theirs)));
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

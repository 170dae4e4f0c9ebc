//! The Packer templates: checked in, alike but for what a Packer does not know, sound, and valid for the Packer that
//! Debian ships.
//!
//! `packer` 1.6 is the judge of what is rendered for it. Without it those tests say that they were skipped; with
//! `MQAWS_REQUIRE_TOOLS=1` they fail instead. There is no judge of what is rendered for a current Packer: it has not been
//! run with one. `MQAWS_UPDATE=1` writes the checked-in files anew.

use crate::judge::{self, root};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mqaws::model::config::{Overrides, read};
use mqaws::model::{Deployment, Engine};
use mqaws::remedy::Remedy;
use mqaws::render::packer::{PROVISION, Rendering, STEPS, file_name, template};
use serde_json::Value;

const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn deployment(keys: &[(&str, &str)]) -> Deployment {
    // Of a key that is listed twice, the last value is meant.
    let last: BTreeMap<&str, &str> = keys.iter().copied().collect();
    let overrides = last
        .into_iter()
        .fold(Overrides::none(), |all, (key, value)| all.flag(key, "--set", value));
    read(None, &overrides).unwrap().deployment
}

fn json(deployment: &Deployment, rendering: Rendering) -> Value {
    serde_json::from_str(&template(deployment, rendering).unwrap().to_json()).unwrap()
}

/// Configurations that between them have every form of a template.
fn variants() -> Vec<(String, Deployment)> {
    let source = [
        &[][..],
        &[("image.source", "ami-0123456789abcdef0")],
        &[("image.source", "filter:self/golden base?-*")],
    ];
    let network = [
        &[][..],
        &[("image.subnet", "subnet-0123456789abcdef0")],
        &[
            ("image.vpc", "vpc-0123456789abcdef0"),
            ("image.subnet", "subnet-0123456789abcdef0"),
            ("image.kms_key", "alias/images"),
            ("image.ssh_from", "192.0.2.0/24"),
            ("tags", "cost-centre=messaging,owner=a/b @c"),
        ],
    ];
    let connect = [
        &[][..],
        &[
            ("image.connect", "session-manager"),
            ("image.instance_profile", "builder"),
        ],
    ];
    let contents = [
        &[("image.engine", "rabbitmq"), ("image.engine_version", "3.13")][..],
        &[
            ("image.engine", "rabbitmq"),
            ("image.engine_version", "3.13"),
            ("image.efs_utils_package", "efs.rpm"),
            ("image.efs_utils_sha256", DIGEST),
        ],
        &[
            ("image.engine", "rabbitmq"),
            ("image.engine_version", "4.3"),
            ("image.package", "rabbitmq.tar.gz"),
            ("image.package_sha256", DIGEST),
        ],
        &[
            ("image.package", "my mq.tar.gz"),
            ("image.package_sha256", DIGEST),
            ("image.engine_version", "9.4.0.0"),
            ("image.efs_utils_package", "efs.rpm"),
            ("image.efs_utils_sha256", DIGEST),
        ],
        &[
            ("image.package", "s3://bucket/mq/9.4.tar.gz"),
            ("image.package_sha256", DIGEST),
            ("image.engine_version", "9.4.0.0"),
            ("image.mount", "nfs"),
            ("image.instance_profile", "builder"),
        ],
    ];
    let mut all = Vec::new();
    for (shift, contents) in contents.into_iter().enumerate() {
        for connect in connect {
            // Each source with another network each time: between them, every pair.
            for (index, source) in source.into_iter().enumerate() {
                let network = network[(index + shift) % network.len()];
                let mut keys: Vec<(&str, &str)> = [contents, connect, source, network].concat();
                if !connect.is_empty() {
                    keys.retain(|(key, _)| *key != "image.ssh_from");
                }
                let name: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                all.push((name.join(" "), deployment(&keys)));
            }
        }
    }
    all
}

#[test]
fn the_checked_in_templates_are_current() {
    let update = std::env::var_os("MQAWS_UPDATE").is_some_and(|value| value == "1");
    for engine in Engine::all() {
        for rendering in Rendering::ALL {
            let text = template(&deployment(&[("image.engine", engine.as_str())]), rendering)
                .unwrap()
                .to_json();
            let path = root().join("packer").join(file_name(engine, rendering));
            if update {
                std::fs::write(&path, &text).unwrap();
            }
            assert!(
                std::fs::read_to_string(&path).unwrap_or_default() == text,
                "{} is not current; run the tests with MQAWS_UPDATE=1 and review it",
                path.display()
            );
        }
    }
}

/// Paths at which two documents differ.
fn differences(path: &str, one: &Value, other: &Value, found: &mut BTreeSet<String>) {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys()) {
                let at = format!("{path}/{key}");
                match (a.get(key), b.get(key)) {
                    (Some(one), Some(other)) => differences(&at, one, other, found),
                    _ => drop(found.insert(at)),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (one, other)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}/{index}"), one, other, found);
            }
        }
        _ if one == other => {}
        _ => drop(found.insert(path.to_owned())),
    }
}

/// What Packer 1.6 does not know or does not do, and the line that says which Packer it is for; nothing else may differ.
const ALLOWED: [&str; 5] = [
    "/packer",
    "/source/amazon-ebs/mqaws/imds_support",
    "/source/amazon-ebs/mqaws/metadata_options",
    "/source/amazon-ebs/mqaws/temporary_key_pair_type",
    "///",
];

#[test]
fn the_two_renderings_differ_only_in_what_packer_1_6_does_not_know() {
    for (name, deployment) in variants() {
        let [current, old] = Rendering::ALL.map(|rendering| json(&deployment, rendering));
        let mut found = BTreeSet::new();
        differences("", &current, &old, &mut found);
        assert_eq!(found, ALLOWED.map(str::to_owned).into(), "{name}");
        // The comparison above would see a difference anywhere.
        let mut changed = old;
        changed["build"][0]["provisioner"][3]["shell"]["environment_vars"][1] = "MQAWS_ENGINE=other".into();
        differences("", &current, &changed, &mut found);
        assert_eq!(found.len(), ALLOWED.len() + 1, "{name}");
    }
}

#[test]
fn current_packer_asks_for_session_tokens_and_names_its_plugin() {
    let template = json(&Deployment::default(), Rendering::Current);
    let source = &template["source"]["amazon-ebs"]["mqaws"];
    assert_eq!(source["imds_support"], "v2.0");
    assert_eq!(source["metadata_options"]["http_tokens"], "required");
    assert_eq!(
        template["packer"]["required_plugins"]["amazon"]["source"],
        "github.com/hashicorp/amazon"
    );
}

/// Names after `prefix.` in any text of a document.
fn used(prefix: &str, document: &Value, found: &mut BTreeSet<String>) {
    match document {
        Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            used(prefix, &Value::from(key.as_str()), found);
            used(prefix, value, found);
        }),
        Value::Array(entries) => entries.iter().for_each(|value| used(prefix, value, found)),
        Value::String(text) => {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let start = format!("{prefix}.");
            for (at, _) in text.match_indices(&start) {
                if !text[..at].ends_with(word) {
                    found.insert(text[at + start.len()..].chars().take_while(|c| word(*c)).collect());
                }
            }
        }
        _ => {}
    }
}

#[test]
fn what_is_declared_is_used_and_what_is_used_is_declared() {
    let mut all = variants();
    let parameter = deployment(&[("image.source", "ssm:/aws/service/x")]);
    all.push(("parameter".into(), parameter));
    for (name, deployment) in all {
        for rendering in Rendering::ALL {
            let Ok(template) = template(&deployment, rendering) else {
                assert_eq!((name.as_str(), rendering), ("parameter", Rendering::Packer16));
                continue;
            };
            let document: Value = serde_json::from_str(&template.to_json()).unwrap();
            let keys = |section: &Value| -> BTreeSet<String> {
                section
                    .as_object()
                    .map(|map| map.keys().cloned().collect())
                    .unwrap_or_default()
            };
            for (prefix, section) in [
                ("var", &document["variable"]),
                ("local", &document["locals"]),
                ("data.amazon-parameterstore", &document["data"]["amazon-parameterstore"]),
            ] {
                let mut found = BTreeSet::new();
                // Descriptions are words, not expressions.
                let mut spoken = document.clone();
                spoken.as_object_mut().unwrap().remove("variable");
                used(prefix, &spoken, &mut found);
                assert_eq!(found, keys(section), "{name}, {rendering:?}, {prefix}");
            }
        }
    }
}

#[test]
fn packer_1_6_is_not_given_a_source_that_it_cannot_look_up() {
    let deployment = deployment(&[("image.source", "ssm:/aws/service/x")]);
    let error = template(&deployment, Rendering::Packer16).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Packer 1.6 cannot look up the source image `ssm:/aws/service/x`"
    );
    let hint = error.hint().unwrap();
    assert!(hint.contains("aws ssm get-parameter --name /aws/service/x"), "{hint}");
    let current = json(&deployment, Rendering::Current);
    assert_eq!(
        current["data"]["amazon-parameterstore"]["source"]["name"],
        "/aws/service/x"
    );
    assert!(current["source"]["amazon-ebs"]["mqaws"].get("dynamic").is_none());
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn every_file_of_the_folder_is_embedded() {
    let folder = root().join("packer/provision");
    let mut paths = Vec::new();
    below(&folder, &mut paths);
    paths.sort();
    let there: Vec<(String, bool)> = paths
        .iter()
        .map(|path| {
            let mode = std::fs::metadata(path).unwrap().permissions().mode();
            let path = path.strip_prefix(&folder).unwrap().display().to_string();
            (path, mode & 0o100 != 0)
        })
        .collect();
    let embedded: Vec<(String, bool)> = PROVISION
        .iter()
        .map(|file| (file.path.to_owned(), file.executable))
        .collect();
    assert_eq!(embedded, there, "path, and whether it is a program");
    for step in STEPS {
        assert!(embedded.contains(&(step.to_owned(), true)), "{step} is a program");
    }
}

/// Debian's `packer`, or the reason why this test proves nothing here.
fn packer(test: &str) -> Option<()> {
    let version = Command::new("packer")
        .arg("version")
        .env("CHECKPOINT_DISABLE", "1")
        .stdin(Stdio::null())
        .output();
    let reason = match version {
        Err(error) => format!("packer does not run: {error}"),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let version = text.lines().next().unwrap_or_default().to_owned();
            if version.starts_with("Packer v1.6.") {
                return Some(());
            }
            format!("it is `{version}`, and the judge is 1.6")
        }
    };
    judge::skip(judge::TOOLS, test, &reason);
    None
}

/// A folder with what a template needs beside it: scripts, agent, packages.
fn bench() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in PROVISION {
        let path = folder.path().join("provision").join(file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file.text).unwrap();
    }
    for name in ["mqaws-agent", "my mq.tar.gz", "efs.rpm", "rabbitmq.tar.gz"] {
        std::fs::write(folder.path().join(name), "a file for Packer to find\n").unwrap();
    }
    folder
}

/// What full validation says: nothing when it is content. It cannot reach anything: the endpoint is a closed port.
fn validate(folder: &Path, template: &str, variables: &[&str]) -> Result<(), String> {
    std::fs::write(folder.join("mqaws.pkr.json"), template).unwrap();
    let output = Command::new("packer")
        .arg("validate")
        .args(variables.iter().flat_map(|variable| ["-var", variable]))
        .arg("mqaws.pkr.json")
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .env("CHECKPOINT_DISABLE", "1")
        .env("PACKER_NO_COLOR", "1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// What everybody has to give.
const GIVEN: [&str; 4] = [
    "region=eu-west-1",
    "agent=mqaws-agent",
    "run=r1",
    "endpoint_ec2=http://127.0.0.1:9",
];

#[test]
fn packer_1_6_accepts_every_rendering_meant_for_it() {
    let Some(()) = packer("packer_1_6_accepts_every_rendering_meant_for_it") else {
        return;
    };
    let folder = bench();
    let variants = variants();
    assert_eq!(variants.len(), 30);
    for (name, deployment) in variants {
        let text = template(&deployment, Rendering::Packer16).unwrap().to_json();
        validate(folder.path(), &text, &GIVEN).unwrap_or_else(|told| panic!("{name}:\n{told}"));
    }
}

#[test]
fn packer_1_6_accepts_the_checked_in_templates_with_every_variable_set() {
    let Some(()) = packer("packer_1_6_accepts_the_checked_in_templates_with_every_variable_set") else {
        return;
    };
    let folder = bench();
    let package = ["package=my mq.tar.gz", "package_sha256=x", "engine_version=9.4.0.0"];
    let remote = ["package=s3://bucket/key", "package_sha256=x", "engine_version=9.4.0.0"];
    let all = [
        "vpc_id=vpc-0123456789abcdef0",
        "subnet_id=subnet-0123456789abcdef0",
        "instance_type=c7i.large",
        "source_ami=ami-0123456789abcdef0",
        "root_device=/dev/xvda",
        "kms_key_id=alias/images",
        "instance_profile=builder",
        "ssh_interface=session_manager",
        "ssh_from=127.0.0.1/32",
        "ssh_username=admin",
        "ssh_host=127.0.0.1",
        "ssh_port=2222",
        "ssh_keypair_name=k",
        "ssh_private_key_file=key",
        "agent_version=1.2.3",
        "mount=efs-utils",
        "efs_utils_package=efs.rpm",
        "efs_utils_sha256=x",
        "manifest=m.json",
        "provision=provision",
    ];
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f", "key"])
        .current_dir(folder.path())
        .status();
    assert!(made.unwrap().success(), "a key that opens nothing, which Packer reads");
    for (engine, contents) in [
        (Engine::default(), &package[..]),
        (Engine::default(), &remote),
        (Engine::of("rabbitmq").unwrap(), &["engine_version=3.13"]),
        (Engine::of("rabbitmq").unwrap(), &package),
        (Engine::of("rabbitmq").unwrap(), &remote),
    ] {
        let path = root().join("packer").join(file_name(engine, Rendering::Packer16));
        let text = std::fs::read_to_string(path).unwrap();
        for more in [&[][..], &all] {
            let variables = [&GIVEN, contents, more].concat();
            validate(folder.path(), &text, &variables).unwrap_or_else(|told| panic!("{variables:?}:\n{told}"));
        }
    }
}

#[test]
fn packer_1_6_would_have_found_a_mistake() {
    let Some(()) = packer("packer_1_6_would_have_found_a_mistake") else {
        return;
    };
    let folder = bench();
    let rabbit = deployment(&[("image.engine", "rabbitmq"), ("image.engine_version", "3.13")]);
    let text = template(&rabbit, Rendering::Packer16).unwrap().to_json();
    let told = |text: &str, variables: &[&str]| validate(folder.path(), text, variables).unwrap_err();
    // The files are looked for, variables must be given, words must be known.
    assert!(told(&text, &[&GIVEN[..], &["agent=gone"]].concat()).contains("gone"));
    assert!(told(&text, &["region=eu-west-1"]).contains("agent"));
    assert!(told(&text.replace("\"encrypt_boot\"", "\"encrypt_boots\""), &GIVEN).contains("encrypt_boots"));
    // What is left out of its rendering is what it refuses.
    let current = template(&rabbit, Rendering::Current).unwrap().to_json();
    let mut one: Value = serde_json::from_str(&current).unwrap();
    let told_of_plugins = told(&one.to_string(), &GIVEN);
    assert!(told_of_plugins.contains("required_plugins"), "{told_of_plugins}");
    one.as_object_mut().unwrap().remove("packer");
    let told_of_metadata = told(&one.to_string(), &GIVEN);
    let source = one["source"]["amazon-ebs"]["mqaws"].as_object_mut().unwrap();
    assert!(told_of_metadata.contains("imds_support") || told_of_metadata.contains("metadata_options"));
    source.remove("imds_support");
    assert!(told(&one.to_string(), &GIVEN).contains("metadata_options"));
    one["source"]["amazon-ebs"]["mqaws"]
        .as_object_mut()
        .unwrap()
        .remove("metadata_options");
    validate(folder.path(), &one.to_string(), &GIVEN).unwrap();
}

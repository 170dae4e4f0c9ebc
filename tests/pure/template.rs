//! The rendered templates: checked in, within limits, and read alike by everybody who reads them.
//!
//! Foreign judges are Python tools of the environment that `MQAWS_TEST_VENV` names. Without it their tests say that they
//! were skipped; with `MQAWS_REQUIRE_TOOLS=1` they fail instead. `MQAWS_UPDATE=1` writes the checked-in files anew.

use crate::judge::{root, tool};
use std::path::Path;
use std::process::Command;

use mqaws::model::config::{Overrides, Source, read};
use mqaws::model::{Deployment, QueueManagerName, json_schema};
use mqaws::render;
use mqaws::template::{Parameter, Template};

/// Compares a text with its checked-in file.
fn golden(path: &str, text: &str) {
    let path = root().join(path);
    if std::env::var_os("MQAWS_UPDATE").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == text,
        "{} is not current; run the tests with MQAWS_UPDATE=1 and review it",
        path.display()
    );
}

fn deployment(keys: &[(&str, &str)]) -> Deployment {
    let overrides = keys
        .iter()
        .fold(Overrides::none(), |all, (key, value)| all.flag(key, "--set", *value));
    read(None, &overrides).unwrap().deployment
}

fn standby() -> Deployment {
    deployment(&[("topology", "standby")])
}

/// A broker of the second engine, with every other value at its default.
fn rabbitmq() -> Deployment {
    deployment(&[("engine", "rabbitmq")])
}

/// Templates that between them hold every resource and every form of it.
pub(crate) fn variants() -> Vec<(&'static str, Deployment)> {
    let full = [
        ("queue_manager.name", "ON"),
        ("region", "eu-west-1"),
        ("network.vpc", "vpc-0123456789abcdef0"),
        ("network.subnets", "subnet-0123456789abcdef0,subnet-0123456789abcdef1"),
        ("network.clients", "10.0.0.0/8,192.0.2.0/24"),
        ("endpoint.internal", "false"),
        ("endpoint.amqp", "false"),
        ("instance.ami", "ami-0123456789abcdef0"),
        ("instance.key_name", "my key"),
        ("storage.throughput", "provisioned"),
        ("storage.provisioned_mibps", "64"),
        ("storage.kms_key", "alias/mq"),
        (
            "security.permissions_boundary",
            "arn:aws:iam::123456789012:policy/boundary",
        ),
        (
            "credentials.kms_key",
            "arn:aws:kms:eu-west-1:123456789012:key/5678abcd-12ab-34cd-56ef-1234567890ab",
        ),
        (
            "tls.certificate",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mq-AbCdEf",
        ),
        (
            "tls.kms_key",
            "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        ),
        ("security.allow_faults", "true"),
        ("alarms.topic", "arn:aws:sns:eu-west-1:123456789012:operations"),
    ];
    let outside = [
        ("network.cidr", "10.20.0.0/16"),
        ("endpoint.internal", "false"),
        ("network.clients", "192.0.2.0/24"),
    ];
    vec![
        ("single", Deployment::default()),
        ("standby", standby()),
        ("rabbitmq-single", rabbitmq()),
        (
            "new-network-standby",
            deployment(&[("topology", "standby"), ("network.cidr", "10.20.0.0/16")]),
        ),
        ("full", deployment(&full)),
        ("new-network", deployment(&[("network.cidr", "10.20.0.0/16")])),
        ("new-network-outside", deployment(&outside)),
        ("other-engine", deployment(&[("engine", "rabbitmq")])),
    ]
}

/// The texts of all of them, and of each topology of several members the one that renews another member last.
pub(crate) fn bodies() -> Vec<(String, String)> {
    let mut bodies = Vec::new();
    for (name, deployment) in variants() {
        bodies.push((name.to_owned(), render::body(&deployment).unwrap()));
        let members = mqaws::topology::of(deployment.topology).facts().members;
        for member in members.iter().rev().skip(1) {
            let body = render::body_renewing_last(&deployment, member.group).unwrap();
            bodies.push((format!("{name}-{}-last", member.group), body));
        }
    }
    bodies
}

#[test]
fn the_checked_in_template_is_current() {
    golden("templates/single.yaml", &render::body(&Deployment::default()).unwrap());
    golden("templates/standby.yaml", &render::body(&standby()).unwrap());
    golden("templates/rabbitmq-single.yaml", &render::body(&rabbitmq()).unwrap());
}

#[test]
fn the_checked_in_schema_is_current() {
    golden("schema/mqaws.schema.json", &format!("{:#}\n", json_schema()));
}

#[test]
fn every_variant_is_within_cloudformations_limit() {
    for (name, body) in bodies() {
        let bytes = body.len();
        assert!(bytes < mqaws::stack::MOST_TEMPLATE_BYTES, "{name}: {bytes}");
    }
}

#[test]
fn every_example_is_valid_and_renders() {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let source = Source {
                name: &path.display().to_string(),
                text: &text,
            };
            let loaded =
                read(Some(source), &Overrides::none()).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
            assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
            render::body(&loaded.deployment).unwrap();
            names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
            if path.ends_with("single.yaml") {
                assert_eq!(
                    loaded.deployment.instance.ami, None,
                    "the example works in the local cloud without an image"
                );
            }
        }
    }
    assert!(
        names.len() >= 2 && names.contains(&"single.yaml".to_owned()),
        "{names:?}"
    );
}

const READERS: &str = r#"
import json, sys, yaml
from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode as S12, SequenceNode as L12

def long(tag, value):
    name = tag if tag in ("Ref", "Condition") else "Fn::" + tag
    return {name: value.split(".", 1) if tag == "GetAtt" and isinstance(value, str) else value}

class One(yaml.SafeLoader):
    pass

def one(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return long(suffix, loader.construct_scalar(node))
    if isinstance(node, yaml.SequenceNode):
        return long(suffix, loader.construct_sequence(node, deep=True))
    return long(suffix, loader.construct_mapping(node, deep=True))

One.add_multi_constructor("!", one)

two = YAML(typ="safe", pure=True)
two.version = (1, 2)

def other(constructor, suffix, node):
    if isinstance(node, S12):
        return long(suffix, constructor.construct_scalar(node))
    if isinstance(node, L12):
        return long(suffix, constructor.construct_sequence(node, deep=True))
    return long(suffix, constructor.construct_mapping(node, deep=True))

two.constructor.add_multi_constructor("!", other)
text = open(sys.argv[1], encoding="utf-8").read()
print(json.dumps([yaml.load(text, Loader=One), two.load(text)]))
"#;

/// What a YAML 1.1 reader and a YAML 1.2 reader make of a text, in the long form.
fn foreign_readers(python: &Path, text: &str) -> [Template; 2] {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let output = Command::new(python)
        .args(["-I", "-c", READERS])
        .arg(file.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let both: [serde_json::Value; 2] = serde_json::from_slice(&output.stdout).unwrap();
    both.map(|value| Template::from_json(&value.to_string()).unwrap())
}

#[test]
fn readers_of_yaml_1_1_and_1_2_read_the_same_document() {
    let Some(python) = tool("python") else { return };
    let mut templates: Vec<Template> = variants()
        .iter()
        .map(|(_, deployment)| render::template(deployment).unwrap())
        .collect();
    for name in ["NO", "1E3", "0755", "yes", "1_000", "0x1F", "."] {
        let mut deployment = Deployment::default();
        deployment.queue_manager.name = QueueManagerName::new(name).unwrap();
        templates.push(render::template(&deployment).unwrap());
    }
    let mut odd = Template {
        description: Some("2010-09-09".into()),
        ..Template::default()
    };
    for (index, text) in [
        "on",
        "ON",
        "NO",
        "y",
        "1E3",
        "1e3",
        "12:30:45",
        "190:20:30",
        "2010-09-09",
        "2010-09-09 10:00:00",
        "0o17",
        "017",
        "0b1",
        "1_000",
        ".inf",
        ".NaN",
        "~",
        "null",
        "Null",
        "=",
        "<<",
        "",
        " a",
        "a ",
        "- a",
        "a: b",
        "a #b",
        "#",
        "!x",
        "a\tb",
        "a\nb\n",
        "\u{e9}\u{2028}",
        "'\"",
        "%a",
        "@a",
        "`a",
    ]
    .iter()
    .enumerate()
    {
        odd.parameters
            .insert(format!("P{index}"), Parameter::new("String", text).default_to(*text));
    }
    templates.push(odd);
    for template in templates {
        let text = template.to_yaml().unwrap();
        for (version, read) in ["1.1", "1.2"].iter().zip(foreign_readers(&python, &text)) {
            assert_eq!(read, template, "YAML {version} reads something else of\n{text}");
        }
    }
}

#[test]
fn cfn_lint_has_no_finding() {
    let Some(lint) = tool("cfn-lint") else { return };
    let folder = tempfile::tempdir().unwrap();
    for (name, body) in bodies() {
        let file = folder.path().join(format!("{name}.yaml"));
        std::fs::write(&file, body).unwrap();
        // A new network cannot be made in China yet: its endpoints have other names there.
        let regions: &[&str] = if name.starts_with("new") {
            &["eu-west-1", "us-east-1"]
        } else {
            &["eu-west-1", "us-east-1", "cn-north-1"]
        };
        let output = Command::new(&lint)
            .args(["--include-checks", "I"])
            .arg("--regions")
            .args(regions)
            .arg("--template")
            .arg(&file)
            .env("PATH", "/usr/bin:/bin")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && told.trim().is_empty(),
            "{name}:\n{told}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn cfn_lint_would_have_found_a_mistake() {
    let Some(lint) = tool("cfn-lint") else { return };
    let text = render::body(&Deployment::default())
        .unwrap()
        .replace("HealthCheckIntervalSeconds: 5", "HealthCheckIntervalSeconds: 4");
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let output = Command::new(lint)
        .args(["--regions", "eu-west-1", "--template"])
        .arg(file.path())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("E3034"), "{output:?}");
}

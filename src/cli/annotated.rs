//! The annotated configuration file that `init` writes.

use crate::aws::{Vpc, VpcSubnet};
use crate::model::keys::{Key, Shape, keys};
use crate::model::{Deployment, Placement, Topology};
use crate::topology;
use serde_json::Value;
use std::fmt::Write;

/// What was read of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Region that was read.
    pub region: String,
    /// Its VPCs.
    pub vpcs: Vec<Vpc>,
}

/// A subnet in each of two zones of a VPC, the first two by name.
fn pair(vpc: &Vpc) -> Option<[&VpcSubnet; 2]> {
    let mut subnets: Vec<&VpcSubnet> = vpc.subnets.iter().collect();
    subnets.sort_by(|a, b| (&a.zone, &a.id).cmp(&(&b.zone, &b.id)));
    let first = subnets.first()?;
    let second = subnets.iter().find(|subnet| subnet.zone != first.zone)?;
    Some([first, second])
}

/// More than this many VPCs or subnets of one VPC are only counted.
const SHOWN: usize = 12;

/// Names in an account are other people's words: on one line, and short.
fn tidy(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(60).collect()
}

fn networks(account: &Account) -> String {
    let mut out = format!("  # Networks in {}:\n", account.region);
    if account.vpcs.is_empty() {
        out.push_str("  #   none; to create one, set `cidr` below\n");
    }
    for vpc in account.vpcs.iter().take(SHOWN) {
        let default = if vpc.default { " (default)" } else { "" };
        let _ = writeln!(
            out,
            "{}",
            format!("  #   {} {} {}{default}", vpc.id, vpc.cidr, tidy(&vpc.name)).trim_end()
        );
        for subnet in vpc.subnets.iter().take(SHOWN) {
            let line = format!(
                "  #     {} {} {} {}",
                subnet.id,
                subnet.zone,
                subnet.cidr,
                tidy(&subnet.name)
            );
            let _ = writeln!(out, "{}", line.trim_end());
        }
        if vpc.subnets.len() > SHOWN {
            let _ = writeln!(out, "  #     and {} more", vpc.subnets.len() - SHOWN);
        }
    }
    if account.vpcs.len() > SHOWN {
        let _ = writeln!(out, "  #   and {} more", account.vpcs.len() - SHOWN);
    }
    out
}

/// What stands above a section.
const INTROS: &[(&str, &str)] = &[
    (
        "network",
        "# Network: an existing VPC and two of its subnets, in different availability zones (EFS needs a mount\n\
         # target in each). Default: the account's default VPC and two of its zones.\n",
    ),
    (
        "storage",
        "# The encrypted file system that stores the messages. It is kept when the stack is deleted.\n",
    ),
    (
        "credentials",
        "# The application's user; its password is generated and stored in Secrets Manager.\n",
    ),
    (
        "tls",
        "# TLS for clients, with your own certificate; without one, connections are not encrypted.\n",
    ),
    (
        "image",
        "# The image that instances start from, for `mqaws ami`: see docs/image.md.\n",
    ),
];

/// A text that every YAML reader takes for text.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The values to write down: the deployment's, and the account's region and network where it leaves them open.
fn values(deployment: &Deployment, account: Option<&Account>) -> Value {
    let mut values = serde_json::to_value(deployment).unwrap_or_default();
    let Some(account) = account else {
        return values;
    };
    if deployment.region.is_none() {
        values["region"] = account.region.as_str().into();
    }
    let usable = account.vpcs.iter().filter_map(|vpc| Some((vpc, pair(vpc)?)));
    if deployment.network.placement == (Placement::Choose { vpc: None })
        && let Some((vpc, pair)) = usable.max_by_key(|(vpc, _)| vpc.default)
    {
        values["network"]["vpc"] = vpc.id.as_str().into();
        values["network"]["subnets"] = pair.map(|subnet| subnet.id.as_str()).to_vec().into();
    }
    values
}

/// A value as it stands in the file.
fn shown(key: &Key, value: &Value) -> String {
    let text = |value: &Value| match value.as_str() {
        Some(text) if key.line.quoted => quoted(text),
        Some(text) => text.to_owned(),
        None => value.to_string(),
    };
    match value.as_array() {
        Some(values) => format!("[{}]", values.iter().map(text).collect::<Vec<_>>().join(", ")),
        None => text(value),
    }
}

/// The comment above a key; each topology says itself what it is.
fn comment(key: &Key) -> String {
    if key.path != "topology" {
        return key.comment_text();
    }
    let all = Topology::all().map(|name| format!("`{}`: {}.", name.as_str(), topology::of(name).facts().summary));
    all.collect::<Vec<_>>().join("\n")
}

/// One key: what it is for, then its line, commented out while it only says the default.
fn line(out: &mut String, key: &Key, value: Option<&Value>, default: Option<&Value>) {
    let (section, name) = key.split();
    let indent = if section.is_empty() { "" } else { "  " };
    for line in comment(key).lines() {
        let _ = writeln!(out, "{indent}# {line}");
    }
    if key.kind.shape() == Shape::Map {
        let _ = writeln!(out, "{indent}{name}:");
        let entries = value.and_then(Value::as_object);
        if entries.is_none_or(|entries| entries.is_empty()) {
            let _ = writeln!(out, "{indent}  # {}", key.example_text());
        }
        for (name, value) in entries.into_iter().flatten() {
            let value = quoted(value.as_str().unwrap_or_default());
            let _ = writeln!(out, "{indent}  {}: {value}", quoted(name));
        }
        return;
    }
    let _ = match value.filter(|value| key.line.always || Some(*value) != default) {
        Some(value) => writeln!(out, "{indent}{name}: {}", shown(key, value)),
        None => writeln!(out, "{indent}# {name}: {}", key.example_text()),
    };
}

/// The file for a deployment, with the account's networks when they were read.
pub fn annotated(deployment: &Deployment, account: Option<&Account>) -> String {
    let mut out = String::from(
        "# yaml-language-server: $schema=mqaws.schema.json\n\
         # The line above is for editors; the file that it names contains the output of `mqaws validate --schema`.\n\
         #\n\
         # mqaws.yaml: a highly available queue manager on AWS.\n\
         # Every key is optional; a commented-out line shows the default or an example. Check the file with\n\
         # `mqaws validate`, preview its changes with `mqaws plan`. docs/configuration.md describes every key.\n\
         # Variables (MQAWS_STACK, MQAWS_NETWORK_VPC, …) override this file; flags override both.\n",
    );
    let defaults = serde_json::to_value(Deployment::default()).unwrap_or_default();
    let values = values(deployment, account);
    let mut before = "";
    for key in keys().filter(|key| key.topologies.include(deployment.topology)) {
        let (section, _) = key.split();
        if section != before && !section.is_empty() {
            let intro = INTROS.iter().find(|(of, _)| *of == section);
            let intro = intro.map(|(_, intro)| *intro).unwrap_or_default();
            let _ = write!(out, "\n{intro}{section}:\n");
            if section == "network" {
                out.push_str(&account.map(networks).unwrap_or_default());
            }
        }
        before = section;
        // At the top of the file, keys stand apart, but for those that one comment is about.
        if section.is_empty() && !comment(key).is_empty() {
            out.push('\n');
        }
        line(&mut out, key, key.of(&values), key.of(&defaults));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::{Loaded, Overrides, Source, read};

    fn load(text: &str) -> Loaded {
        read(
            Some(Source {
                name: "mqaws.yaml",
                text,
            }),
            &Overrides::none(),
        )
        .unwrap()
    }

    fn account() -> Account {
        let subnet = |id: &str, zone: &str| VpcSubnet {
            id: id.into(),
            name: "a\nb: c".into(),
            zone: zone.into(),
            cidr: "10.0.0.0/24".into(),
        };
        let vpc = |id: &str, default, subnets| Vpc {
            id: id.into(),
            name: "it".into(),
            cidr: "10.0.0.0/16".into(),
            default,
            subnets,
        };
        Account {
            region: "eu-west-1".into(),
            vpcs: vec![
                vpc(
                    "vpc-00000001",
                    false,
                    vec![
                        subnet("subnet-00000001", "eu-west-1a"),
                        subnet("subnet-00000002", "eu-west-1b"),
                    ],
                ),
                vpc(
                    "vpc-00000002",
                    true,
                    vec![
                        subnet("subnet-00000003", "eu-west-1c"),
                        subnet("subnet-00000004", "eu-west-1c"),
                        subnet("subnet-00000005", "eu-west-1b"),
                    ],
                ),
                vpc("vpc-00000003", false, vec![subnet("subnet-00000006", "eu-west-1a")]),
            ],
        }
    }

    #[test]
    fn without_an_account_it_means_the_defaults() {
        assert_eq!(
            load(&annotated(&Deployment::default(), None)).deployment,
            Deployment::default()
        );
    }

    #[test]
    fn with_an_account_it_names_two_subnets_of_the_default_vpc_in_two_zones() {
        let text = annotated(&Deployment::default(), Some(&account()));
        assert!(text.contains("subnets: [subnet-00000005, subnet-00000003]"), "{text}");
        let loaded = load(&text).deployment;
        assert_eq!(loaded.region.unwrap().as_str(), "eu-west-1");
        assert!(
            matches!(loaded.network.placement, Placement::Existing { vpc: Some(vpc), .. } if vpc.as_str() == "vpc-00000002")
        );
    }

    #[test]
    fn what_was_given_is_written_down() {
        let digest = "01".repeat(32);
        let flags = [
            ("queue_manager.name", "ON"),
            ("queue_manager.definitions", "own: 1.mqsc"),
            ("network.cidr", "10.9.0.0/16"),
            ("network.clients", "10.0.0.0/8"),
            ("endpoint.amqp", "false"),
            ("endpoint.idle_timeout_seconds", "350"),
            ("instance.type", "c7g.xlarge"),
            ("instance.key_name", "my key"),
            ("storage.throughput", "provisioned"),
            ("storage.provisioned_mibps", "64"),
            ("storage.performance_mode", "maxIO"),
            ("storage.backup", "false"),
            ("storage.mount", "nfs"),
            ("storage.lease_seconds", "10"),
            ("storage.start_on_lease", "false"),
            ("credentials.kms_key", "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"),
            (
                "tls.certificate",
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mq-AbCdEf",
            ),
            ("tls.kms_key", "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"),
            ("tls.server_name", "mq.example.com"),
            ("security.allow_faults", "true"),
            ("profile", "dev: x"),
            ("image.engine", "ibm-mq"),
            ("image.source", "filter:self/(a) *"),
            ("image.vpc", "vpc-00000001"),
            ("image.subnet", "subnet-00000001"),
            ("image.instance_type", "c7i.large"),
            ("image.connect", "session-manager"),
            ("image.ssh_username", "admin"),
            ("image.instance_profile", "on"),
            ("image.package", "s3://bucket/a: b"),
            ("image.package_sha256", &digest),
            ("image.engine_version", "1e3"),
            ("image.mount", "efs-utils"),
            ("image.efs_utils_package", "a: b.rpm"),
            ("image.efs_utils_sha256", &digest),
            ("image.kms_key", "alias/images"),
            ("image.root_device", "/dev/xvda"),
            ("tags", "at=12:30:45,on=off"),
        ];
        let overrides = flags
            .into_iter()
            .fold(Overrides::none(), |all, (key, value)| all.flag(key, "--set", value));
        let deployment = read(None, &overrides).unwrap().deployment;
        assert_eq!(load(&annotated(&deployment, None)).deployment, deployment);
    }

    #[test]
    fn every_key_is_mentioned_and_every_commented_line_is_valid() {
        let text = annotated(&Deployment::default(), None);
        for key in keys().filter(|key| key.topologies.include(Topology::default())) {
            let name = key.path.rsplit('.').next().unwrap();
            assert!(text.contains(&format!("{name}:")), "{}", key.path);
        }
        // A new network excludes an existing one, and only provisioned throughput has a size.
        let live: Vec<String> = text
            .lines()
            .filter(|line| {
                !["cidr:", "zones:", "provisioned_mibps:"]
                    .iter()
                    .any(|key| line.contains(key))
            })
            .map(|line| match line.trim_start().strip_prefix("# ") {
                Some(rest)
                    if rest.split_once(": ").is_some_and(|(key, _)| !key.contains(' ')) && line.starts_with("  ") =>
                {
                    format!("  {rest}")
                }
                _ => line.to_owned(),
            })
            .collect();
        let live = live
            .join("\n")
            .replace("  false: internet-facing", "  # false: internet-facing");
        load(&live);
    }

    #[test]
    fn a_key_of_the_tests_has_a_line_where_its_topology_is() {
        let line = "  # For how long the toy plays, 3 to 33 s.\n";
        let mut deployment = Deployment::default();
        assert!(!annotated(&deployment, None).contains("toy"));
        deployment.topology = Topology::TOY;
        let text = annotated(&deployment, None);
        assert!(text.contains(&format!("{line}  # toy_seconds: 7\n")), "{text}");
        deployment.endpoint.toy_seconds = 9;
        let text = annotated(&deployment, None);
        assert!(text.contains(&format!("{line}  toy_seconds: 9\n")), "{text}");
        assert_eq!(load(&text).deployment, deployment);
    }
}

//! The annotated configuration file that `init` writes.

mod image;

use crate::aws::{Vpc, VpcSubnet};
use crate::model::{Deployment, Placement, Topology};
use crate::topology;
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
        out.push_str("  #   none; let one be made with `cidr` below\n");
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

fn network(deployment: &Deployment, account: Option<&Account>) -> String {
    let mut out = String::from(
        "\n# Where it lives: an existing VPC and two of its subnets, in different availability zones (EFS needs a mount\n\
         # target in each). Without them, the account's default VPC and two of its zones are used.\nnetwork:\n",
    );
    out.push_str(&account.map(networks).unwrap_or_default());
    let found = account.and_then(|account| {
        let usable = |vpc: &&Vpc| pair(vpc).is_some();
        account.vpcs.iter().filter(usable).max_by_key(|vpc| vpc.default)
    });
    let (vpc, subnets) = match (&deployment.network.placement, found) {
        (Placement::Existing { vpc, subnets }, _) => (
            vpc.as_ref().map(ToString::to_string),
            Some(subnets.clone().map(|subnet| subnet.to_string())),
        ),
        (Placement::Choose { vpc: Some(vpc) }, _) => (Some(vpc.to_string()), None),
        (Placement::Choose { vpc: None }, Some(vpc)) => (
            Some(vpc.id.clone()),
            pair(vpc).map(|pair| pair.map(|subnet| subnet.id.clone())),
        ),
        _ => (None, None),
    };
    out.push_str(&match vpc {
        Some(vpc) => format!("  vpc: {vpc}\n"),
        None => "  # vpc: vpc-0123456789abcdef0\n".to_owned(),
    });
    out.push_str(&match subnets {
        Some([first, second]) => format!("  subnets: [{first}, {second}]\n"),
        None => "  # subnets: [subnet-0123456789abcdef0, subnet-0fedcba9876543210]\n".to_owned(),
    });
    out.push_str("  # Or a new VPC of this range (prefix 16 to 24), with the endpoints that the instance needs:\n");
    out.push_str(&match &deployment.network.placement {
        Placement::New { cidr, .. } => format!("  cidr: {cidr}\n"),
        _ => "  # cidr: 10.20.0.0/16\n".to_owned(),
    });
    out.push_str(&match &deployment.network.placement {
        Placement::New {
            zones: Some([first, second]),
            ..
        } => format!("  zones: [{first}, {second}]\n"),
        _ => "  # zones: [eu-west-1a, eu-west-1b]\n".to_owned(),
    });
    out.push_str("  # Ranges from which clients may connect:\n");
    let default = Deployment::default().network.clients;
    let clients: Vec<String> = deployment.network.clients.iter().map(ToString::to_string).collect();
    let off = if deployment.network.clients == default {
        "# "
    } else {
        ""
    };
    let _ = writeln!(out, "  {off}clients: [{}]", clients.join(", "));
    out
}

/// One key: what it is for, then its line, commented out while it only says the default.
fn key(out: &mut String, words: &str, name: &str, value: Option<String>, otherwise: &str) {
    for line in words.lines() {
        let _ = writeln!(out, "  # {line}");
    }
    let _ = match value {
        Some(value) => writeln!(out, "  {name}: {value}"),
        None => writeln!(out, "  # {name}: {otherwise}"),
    };
}

fn other<T: PartialEq + ToString>(value: &T, default: &T) -> Option<String> {
    (value != default).then(|| value.to_string())
}

/// A text that every YAML reader takes for text.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The file for a deployment, with the account's networks when they were read.
pub fn annotated(deployment: &Deployment, account: Option<&Account>) -> String {
    let default = Deployment::default();
    let mut out = String::from(
        "# mqaws.yaml: a highly available queue manager on AWS.\n\
         # Every key is optional; a line that is commented out shows the default or an example. Check the file with\n\
         # `mqaws validate`, look at what it would change with `mqaws plan`. docs/configuration.md describes every key.\n\
         # Variables (MQAWS_STACK, MQAWS_NETWORK_VPC, …) outweigh this file, flags outweigh both.\n\n",
    );
    let _ = writeln!(
        out,
        "# Name of the CloudFormation stack.\nstack: {}\n",
        deployment.stack
    );
    out.push_str("# AWS region and profile; without them, those of your AWS configuration.\n");
    let region = deployment.region.as_ref().map(ToString::to_string);
    out.push_str(
        &match region.or_else(|| account.map(|account| account.region.clone())) {
            Some(region) => format!("region: {region}\n"),
            None => "# region: eu-west-1\n".to_owned(),
        },
    );
    out.push_str(&match &deployment.profile {
        Some(profile) => format!("profile: {}\n", quoted(profile.as_str())),
        None => "# profile: default\n".to_owned(),
    });
    out.push('\n');
    for name in Topology::all() {
        let _ = writeln!(out, "# `{}`: {}.", name.as_str(), topology::of(name).facts().summary);
    }
    let _ = writeln!(out, "topology: {}", deployment.topology.as_str());
    let name = quoted(deployment.queue_manager.name.as_str());
    let _ = writeln!(
        out,
        "\nqueue_manager:\n  # 1 to 48 of A-Z a-z 0-9 . / _ %\n  name: {name}"
    );
    let definitions = deployment.queue_manager.definitions.as_ref().map(|d| quoted(&d.file));
    key(
        &mut out,
        "File with your own MQSC commands, applied once per change",
        "definitions",
        definitions,
        "own.mqsc",
    );
    out.push_str(&network(deployment, account));

    out.push_str("\nendpoint:\n");
    let (own, usual) = (&deployment.endpoint, &default.endpoint);
    key(
        &mut out,
        "false: reachable from the internet; then list the clients above",
        "internal",
        other(&own.internal, &usual.internal),
        "true",
    );
    key(
        &mut out,
        "AMQP 1.0 on port 5672, beside MQ on 1414",
        "amqp",
        other(&own.amqp, &usual.amqp),
        "true",
    );
    key(
        &mut out,
        "Idle connections are forgotten after this many seconds, 60 to 6000",
        "idle_timeout_seconds",
        other(&own.idle_timeout_seconds, &usual.idle_timeout_seconds),
        "6000",
    );

    out.push_str("\ninstance:\n");
    let (own, usual) = (&deployment.instance, &default.instance);
    key(
        &mut out,
        "EC2 instance type",
        "type",
        other(&own.kind, &usual.kind),
        "m6i.large",
    );
    let ami = own.ami.as_ref().map(ToString::to_string);
    key(
        &mut out,
        "Image with IBM MQ and mqaws-agent; default: the one that `mqaws ami build` made",
        "ami",
        ami,
        "ami-0123456789abcdef0",
    );
    let key_name = own.key_name.as_ref().map(|name| quoted(name.as_str()));
    key(
        &mut out,
        "Key pair for ssh; default: none, Session Manager is the way in",
        "key_name",
        key_name,
        "my-key",
    );
    key(
        &mut out,
        "Size of the encrypted root volume, 10 to 1024",
        "root_volume_gib",
        other(&own.root_volume_gib, &usual.root_volume_gib),
        "20",
    );

    out.push_str(
        "\n# The encrypted file system that holds the messages. It is kept when the stack is deleted.\nstorage:\n",
    );
    let (own, usual) = (&deployment.storage, &default.storage);
    let throughput = (own.throughput != usual.throughput).then(|| own.throughput.as_str().to_owned());
    key(
        &mut out,
        "elastic, bursting or provisioned",
        "throughput",
        throughput,
        "elastic",
    );
    let mibps = own.provisioned_mibps.map(|number| number.to_string());
    key(
        &mut out,
        "MiB/s for `throughput: provisioned`",
        "provisioned_mibps",
        mibps,
        "10",
    );
    let mode = (own.performance_mode != usual.performance_mode).then(|| own.performance_mode.as_str().to_owned());
    key(
        &mut out,
        "generalPurpose or maxIO; a change REPLACES the file system",
        "performance_mode",
        mode,
        "generalPurpose",
    );
    key(
        &mut out,
        "Daily copies by AWS Backup",
        "backup",
        other(&own.backup, &usual.backup),
        "true",
    );
    let kms = own.kms_key.as_ref().map(ToString::to_string);
    key(
        &mut out,
        "Key that encrypts it; default: the account's own for EFS; a change REPLACES the file system",
        "kms_key",
        kms,
        "alias/mq",
    );
    let mount = (own.mount != usual.mount).then(|| own.mount.as_str().to_owned());
    key(
        &mut out,
        "efs-utils (TLS and IAM) or nfs (neither)",
        "mount",
        mount,
        "efs-utils",
    );
    let lease = own.lease_seconds.map(|number| number.to_string());
    key(
        &mut out,
        "What the NFS lease of its server is taken to be, seconds",
        "lease_seconds",
        lease,
        "90",
    );
    let start = own.start_on_lease.map(|flag| flag.to_string());
    key(
        &mut out,
        "Start when the last owner's lease has run out and EC2 says nothing; default: IBM MQ may",
        "start_on_lease",
        start,
        "true",
    );

    out.push_str("\n# The application's user; its password is generated and stays in Secrets Manager.\ncredentials:\n");
    let user = other(&deployment.credentials.username, &default.credentials.username);
    key(&mut out, "", "username", user, "mqapp");

    out.push_str("\n# TLS towards clients, with your own certificate; without one, connections are plain.\ntls:\n");
    let own = &deployment.tls;
    let certificate = own.certificate.as_ref().map(ToString::to_string);
    key(
        &mut out,
        "Secret with the certificate and its key: docs/hosts.md has the commands that make it",
        "certificate",
        certificate,
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mq-certificate-AbCdEf",
    );
    let kms = own.kms_key.as_ref().map(ToString::to_string);
    key(
        &mut out,
        "KMS key of yours that encrypts that secret",
        "kms_key",
        kms,
        "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    );
    let name = own.server_name.as_ref().map(ToString::to_string);
    key(
        &mut out,
        "Name in the certificate, for the failover test's clients",
        "server_name",
        name,
        "mq.example.com",
    );

    out.push_str("\nsecurity:\n");
    let own = &deployment.security;
    let boundary = own.permissions_boundary.as_ref().map(ToString::to_string);
    key(
        &mut out,
        "Policy that bounds the instance's role",
        "permissions_boundary",
        boundary,
        "arn:aws:iam::123456789012:policy/boundary",
    );
    let role = own.cloudformation_role.as_ref().map(ToString::to_string);
    key(
        &mut out,
        "Role that CloudFormation assumes",
        "cloudformation_role",
        role,
        "arn:aws:iam::123456789012:role/cloudformation",
    );
    key(
        &mut out,
        "Whether `mqaws failover-test` may inject faults",
        "allow_faults",
        other(&own.allow_faults, &false),
        "false",
    );

    out.push_str("\nalarms:\n");
    let topic = deployment.alarms.topic.as_ref().map(ToString::to_string);
    key(
        &mut out,
        "SNS topic that alarms go to",
        "topic",
        topic,
        "arn:aws:sns:eu-west-1:123456789012:operations",
    );

    out.push_str(&image::section(&deployment.image));

    out.push_str("\n# Tags of everything that is made.\ntags:\n");
    if deployment.tags.is_empty() {
        out.push_str("  # cost-centre: messaging\n");
    }
    for (key, value) in &deployment.tags {
        let _ = writeln!(out, "  {}: {}", quoted(key.as_str()), quoted(value.as_str()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::{KEYS, Loaded, Overrides, Source, read};

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
        for key in KEYS {
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
        let live = live.join("\n").replace("  false: reachable", "  # false: reachable");
        load(&live);
    }
}

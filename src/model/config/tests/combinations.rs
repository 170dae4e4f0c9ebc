//! Values beside the others.

use super::*;
use crate::model::Engine;
use mqaws_contract::engine::{ENGINES, EngineFacts};

#[test]
fn combinations_that_do_not_go_together_are_refused() {
    for (text, message) in [
        (
            "network: {cidr: 10.20.0.0/16, vpc: vpc-0123456789abcdef0}",
            "`network.vpc` cannot be combined with `network.cidr`, which creates a new network",
        ),
        (
            "network: {zones: [eu-west-1a, eu-west-1b]}",
            "`network.zones` requires a new network (`network.cidr`)",
        ),
        (
            "network: {cidr: 10.0.0.0/8}",
            "the range of a new network must have a prefix from 16 to 24, found 10.0.0.0/8",
        ),
        (
            "region: eu-west-2\nnetwork: {cidr: 10.0.0.0/16, zones: [eu-west-1a, eu-west-2a]}",
            "zone eu-west-1a is not in region eu-west-2",
        ),
        (
            "region: cn-north-1\nnetwork: {cidr: 10.0.0.0/16}",
            "cannot create a new network in partition aws-cn: its endpoint names are not supported yet",
        ),
        (
            "endpoint: {internal: false}",
            "an internet-facing endpoint requires `network.clients`",
        ),
        (
            "storage: {throughput: provisioned}",
            "`throughput: provisioned` requires `storage.provisioned_mibps`",
        ),
        (
            "storage: {provisioned_mibps: 5}",
            "`storage.provisioned_mibps` cannot be combined with throughput `elastic`",
        ),
        (
            "network: {clients: []}",
            "`network.clients` must contain 1 to 20 ranges, found 0",
        ),
        ("topology: native-ha", "topology `native-ha` is not available yet"),
        ("topology: double", "unknown topology `double`"),
        (
            "credentials: {username: mqm}",
            "invalid user name `mqm`: must be a lower-case letter followed by up to 11 lower-case letters, digits, _ and -, and neither mqm nor root",
        ),
    ] {
        let refused = refused(text);
        assert_eq!(
            refused.iter().map(|(_, words)| words.as_str()).collect::<Vec<_>>(),
            [message],
            "{text}"
        );
    }
}

#[test]
fn an_open_door_is_a_warning() {
    let loaded = load("endpoint: {internal: false}\nnetwork: {clients: [0.0.0.0/0]}").unwrap();
    let found: Vec<&str> = loaded.warnings.iter().map(|w| w.key.as_str()).collect();
    assert_eq!(
        found,
        ["network.clients", "endpoint.internal"],
        "everybody, and in clear text"
    );
}

/// An ARN of another region or partition than the deployment's is told with its place.
#[test]
fn what_an_arn_names_lies_where_the_deployment_does() {
    let boundary = "security: {permissions_boundary: 'arn:aws:iam::aws:policy/p'}";
    for (text, message) in [
        (
            "alarms: {topic: 'arn:aws:sns:eu-west-2:123456789012:t'}",
            Some("`alarms.topic` is not in the deployment's region"),
        ),
        (
            "storage: {kms_key: 'arn:aws:kms:us-east-1:123456789012:key/0a'}",
            Some("`storage.kms_key` is not in the deployment's region"),
        ),
        ("alarms: {topic: 'arn:aws:sns:eu-west-1:123456789012:t'}", None),
        ("storage: {kms_key: alias/mq}", None),
        (boundary, None),
    ] {
        let text = format!("region: eu-west-1\n{text}");
        match message {
            Some(message) => {
                let [(place, words)] = &refused(&text)[..] else {
                    panic!("{text}: one mistake")
                };
                assert!(place.starts_with("mqaws.yaml:2:"), "{place}");
                assert_eq!(words, message);
            }
            None => assert!(load(&text).is_ok(), "{text}"),
        }
    }
    let refused = refused(&format!("region: eusc-de-east-1\n{boundary}"));
    assert_eq!(
        refused[0].1,
        "`security.permissions_boundary` is in partition aws, but eusc-de-east-1 is not"
    );
}

#[test]
fn a_certificate_is_a_secret_of_the_deployments_region_and_the_rest_belongs_to_it() {
    let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mq/certificate-AbCdEf";
    let text = format!("region: eu-west-1\ntls: {{certificate: '{secret}', server_name: 10.0.0.7}}");
    assert_eq!(
        load(&text).unwrap().deployment.tls.certificate.unwrap().as_str(),
        secret
    );
    for (text, message) in [
        (
            "tls: {server_name: mq.example.com}".to_owned(),
            "`tls.server_name` requires `tls.certificate`".to_owned(),
        ),
        (
            format!("region: eu-west-2\ntls: {{certificate: '{secret}'}}"),
            "`tls.certificate` is not in the deployment's region".to_owned(),
        ),
        (
            "tls: {certificate: mq-certificate}".to_owned(),
            format!("invalid secret ARN `mq-certificate`: must be {}", SecretArn::RULE),
        ),
        (
            format!("tls: {{certificate: '{secret}', kms_key: alias/mq}}"),
            format!("invalid KMS key ARN `alias/mq`: must be {}", KeyArn::RULE),
        ),
        (
            format!("tls: {{certificate: '{secret}', server_name: a b}}"),
            format!("invalid server name `a b`: must be {}", ServerName::RULE),
        ),
    ] {
        let refused = refused(&text);
        let words: Vec<&str> = refused.iter().map(|(_, words)| words.as_str()).collect();
        assert_eq!(words, [message.as_str()], "{text}");
    }
}

#[test]
fn an_image_is_read_and_what_does_not_go_together_is_told() {
    let digest = "ab".repeat(32);
    let text = format!(
        "storage: {{mount: nfs}}\nimage:\n  source: filter:self/base-*\n  connect: session-manager\n  instance_profile: builder\n  package: s3://bucket/mq.tar.gz\n  package_sha256: {digest}\n  mount: efs-utils\n"
    );
    let deployment = load(&text).unwrap().deployment;
    assert_eq!(deployment.image.source().to_string(), "filter:self/base-*");
    assert_eq!(deployment.image_mount().as_str(), "efs-utils");

    let place = |line: &str| format!("mqaws.yaml:{line}");
    let told = |text: &str| -> Vec<(String, String)> { refused(&format!("image:\n{text}")) };
    for (text, at, message) in [
        (
            "  source: RHEL-9\n",
            "2:11",
            "invalid source image `RHEL-9`: must be an AMI ID, ssm:/NAME of a parameter, or filter:OWNER/NAME with * and ? in the name",
        ),
        ("  vpc: vpc-12345678\n", "2:8", "`image.vpc` requires `image.subnet`"),
        (
            "  connect: session-manager\n",
            "2:12",
            "`image.connect: session-manager` requires `image.instance_profile`",
        ),
        (
            "  connect: session-manager\n  instance_profile: b\n  ssh_from: 10.0.0.0/8\n",
            "4:13",
            "`image.ssh_from` cannot be combined with `image.connect: session-manager`, which opens no port",
        ),
        (
            &format!("  package: s3://bucket/key\n  package_sha256: {digest}\n"),
            "2:12",
            "a package in S3 requires `image.instance_profile`",
        ),
        (
            "  package: a.tar.gz\n",
            "2:12",
            "`image.package` requires `image.package_sha256`",
        ),
        (
            &format!("  package_sha256: {digest}\n"),
            "2:19",
            "`image.package_sha256` requires `image.package`",
        ),
        (
            "  engine: rabbitmq\n  package: a.tar.gz\n",
            "3:12",
            "`image.package` requires `image.package_sha256`",
        ),
        (
            &format!("  mount: nfs\n  efs_utils_package: a.rpm\n  efs_utils_sha256: {digest}\n"),
            "3:22",
            "`image.efs_utils_package` cannot be combined with `image.mount: nfs`, which does not use efs-utils",
        ),
        (
            "  efs_utils_package: s3://bucket/key\n",
            "2:22",
            "`image.efs_utils_package` must be the path of a file, found `s3://bucket/key`",
        ),
    ] {
        let found = told(text);
        assert!(found.contains(&(place(at), message.to_owned())), "{text}: {found:?}");
    }
}

const WITHOUT_A_DRIVER: EngineFacts = EngineFacts {
    word: "none",
    runs: false,
    ..*ENGINES[0]
};

#[test]
fn an_engine_that_cannot_be_deployed_yet_is_refused_where_it_stands_and_only_there() {
    let deployable = |text: &str| {
        let error = load(text).unwrap().deployable().err()?;
        let [one] = error.violations() else { panic!("{error:?}") };
        Some((one.place.short()?, one.message.clone(), one.hint.clone()?))
    };
    assert_eq!(deployable(""), None);
    assert_eq!(deployable("engine: ibm-mq\nimage: {engine: ibm-mq}\n"), None);
    assert_eq!(deployable("engine: rabbitmq\n"), None);
    let mut loaded = load("\nengine: rabbitmq\n").unwrap();
    loaded.deployment.engine = Engine::toy(&WITHOUT_A_DRIVER);
    let error = loaded.deployable().unwrap_err();
    let [one] = error.violations() else { panic!("{error:?}") };
    assert_eq!(one.place.short().unwrap(), "mqaws.yaml:2:9");
    assert_eq!(
        one.message,
        "engine `none` cannot be deployed yet: this version has no driver for it"
    );
    assert_eq!(one.hint.as_deref(), Some("use `ibm-mq` or `rabbitmq`"));
    let (place, message, hint) = deployable("image:\n  engine: rabbitmq\n").unwrap();
    assert_eq!(place, "mqaws.yaml:2:11");
    assert_eq!(message, "`image.engine` is `rabbitmq`, but `engine` is `ibm-mq`");
    assert!(hint.contains("`mqaws ami build --engine rabbitmq`"), "{hint}");
    let expected = "`endpoint.amqp` cannot be combined with engine `rabbitmq`".to_owned();
    assert_eq!(
        refused("engine: rabbitmq\nendpoint: {amqp: false}\n"),
        [("mqaws.yaml:2:18".to_owned(), expected)]
    );
    assert!(load("engine: rabbitmq\nendpoint: {amqp: true}\n").is_ok());
}

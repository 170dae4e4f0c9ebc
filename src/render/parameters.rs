//! Parameters, rules and conditions of the template, and their values for one deployment.

use indexmap::IndexMap;
use std::collections::BTreeMap;

use super::entry::RenderError;
use crate::model::{
    AmiId, Cidr, Deployment, KeyArn, Placement, QueueManagerName, SecretArn, SubnetId, UserName, VpcId, ZoneName,
};
use crate::stack::QUEUE_MANAGER_PARAMETER;
use crate::template::{Assertion, Function, Parameter, Rule, Template, Value, list, object, reference};

/// What only an account can tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    /// The VPC; not used with a new network.
    pub vpc: Option<VpcId>,
    /// The two subnets, in the order of `zones`; not used with a new network.
    pub subnets: Option<[SubnetId; 2]>,
    /// The two availability zones.
    pub zones: Option<[ZoneName; 2]>,
    /// The machine image.
    pub ami: Option<AmiId>,
    /// Device name of the image's root volume, such as `/dev/sda1`; `/dev/xvda` when absent.
    pub root_device: Option<String>,
}

/// The parameter with the secret that holds the certificate; empty without TLS.
pub(crate) const CERTIFICATE: &str = "Certificate";

const ROOT_DEVICE: &str = "/dev/xvda";

/// Name of the parameter of the `index`-th client range.
pub(crate) fn client_parameter(index: usize) -> String {
    match index {
        0 => "ClientCidr".to_owned(),
        index => format!("ClientCidr{}", index + 1),
    }
}

/// The client ranges among the parameters of a stack, in the template's order.
pub fn client_ranges(parameters: &BTreeMap<String, String>) -> Vec<&str> {
    let ranges = (0..).map_while(|index| parameters.get(&client_parameter(index)));
    ranges.map(String::as_str).collect()
}

/// Ranges of the two subnets of a new network: its first two quarters, which leaves room for as much again.
pub(super) fn subnet_ranges(cidr: Cidr) -> [Option<Cidr>; 2] {
    [0, 1].map(|index| cidr.part(cidr.prefix() + 2, index))
}

fn switch(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// Every parameter with its definition and its value, when it is known; the one list that both sides use.
fn all(deployment: &Deployment, resolved: &Resolved) -> Vec<(String, Parameter, Option<String>)> {
    let mut out: Vec<(String, Parameter, Option<String>)> = Vec::new();
    let mut add =
        |name: &str, parameter: Parameter, value: Option<String>| out.push((name.to_owned(), parameter, value));
    let Deployment {
        network,
        endpoint,
        instance,
        storage,
        security,
        tls,
        ..
    } = deployment;

    let [mut zone1, mut zone2] = resolved.zones.clone().map_or([None, None], |zones| zones.map(Some));
    match &network.placement {
        Placement::Existing { .. } | Placement::Choose { .. } => {
            let (own_vpc, own_subnets) = match &network.placement {
                Placement::Existing { vpc, subnets } => (vpc.clone(), Some(subnets.clone())),
                Placement::Choose { vpc } => (vpc.clone(), None),
                Placement::New { .. } => (None, None),
            };
            let vpc = resolved.vpc.clone().or(own_vpc);
            let [subnet1, subnet2] = resolved
                .subnets
                .clone()
                .or(own_subnets)
                .map_or([None, None], |both| both.map(Some));
            add(
                "VPC",
                Parameter::new("AWS::EC2::VPC::Id", "VPC of the queue manager"),
                vpc.map(Into::into),
            );
            add(
                "Subnet1",
                Parameter::new("AWS::EC2::Subnet::Id", "Subnet in the first zone"),
                subnet1.map(Into::into),
            );
            add(
                "Subnet2",
                Parameter::new("AWS::EC2::Subnet::Id", "Subnet in the second zone"),
                subnet2.map(Into::into),
            );
        }
        Placement::New { cidr, zones } => {
            if let Some([first, second]) = zones {
                zone1 = zone1.or_else(|| Some(first.clone()));
                zone2 = zone2.or_else(|| Some(second.clone()));
            }
            let range =
                |words| Parameter::new("String", words).matching(Cidr::PATTERN, "an address range such as 10.0.0.0/16");
            let [subnet1, subnet2] = subnet_ranges(*cidr);
            add("VpcCidr", range("Range of the new VPC"), Some(cidr.to_string()));
            add(
                "Subnet1Cidr",
                range("Range of the subnet in the first zone"),
                subnet1.map(Into::into),
            );
            add(
                "Subnet2Cidr",
                range("Range of the subnet in the second zone"),
                subnet2.map(Into::into),
            );
        }
    }
    let zone = |words| Parameter::new("AWS::EC2::AvailabilityZone::Name", words);
    add("AvailabilityZone1", zone("The first zone"), zone1.map(Into::into));
    add(
        "AvailabilityZone2",
        zone("The second zone, another than the first"),
        zone2.map(Into::into),
    );
    add(
        QUEUE_MANAGER_PARAMETER,
        Parameter::new("String", "Name of the queue manager")
            .matching(QueueManagerName::PATTERN, QueueManagerName::RULE),
        Some(deployment.queue_manager.name.to_string()),
    );
    add(
        "AMI",
        Parameter::new(
            "AWS::EC2::Image::Id",
            "Image with the queue manager's software and the agent",
        ),
        resolved.ami.as_ref().or(instance.ami.as_ref()).map(ToString::to_string),
    );
    add(
        "KeyName",
        Parameter::new("String", "EC2 key pair for ssh; empty for none"),
        Some(instance.key_name.as_ref().map(ToString::to_string).unwrap_or_default()),
    );
    add(
        "InstanceType",
        Parameter::new("String", "EC2 instance type"),
        Some(instance.kind.to_string()),
    );
    add(
        "RootVolumeSize",
        Parameter::new("Number", "Size of the root volume in GiB").between(10, 1024),
        Some(instance.root_volume_gib.to_string()),
    );
    add(
        "RootDeviceName",
        Parameter::new("String", "Device name of the image's root volume"),
        Some(resolved.root_device.clone().unwrap_or_else(|| ROOT_DEVICE.to_owned())),
    );
    for (index, cidr) in network.clients.iter().enumerate() {
        add(
            &client_parameter(index),
            Parameter::new("String", "Range from which clients may connect")
                .matching(Cidr::PATTERN, "an address range such as 10.0.0.0/8"),
            Some(cidr.to_string()),
        );
    }
    let (internal, facing) = ("internal", "internet-facing");
    // A new network gets its internet gateway only when it was rendered for one.
    let schemes: &[&str] = match (&network.placement, endpoint.internal) {
        (Placement::New { .. }, true) => &[internal],
        _ => &[internal, facing],
    };
    add(
        "Scheme",
        Parameter::new("String", "Whether the load balancer is reachable from the internet").one_of(schemes),
        Some(if endpoint.internal { internal } else { facing }.to_owned()),
    );
    let amqp_port = deployment.engine().facts().amqp_port;
    add(
        "Amqp",
        Parameter::new("String", &format!("Whether AMQP 1.0 is served on port {amqp_port}")).one_of(&["true", "false"]),
        Some(switch(endpoint.amqp).to_owned()),
    );
    add(
        "IdleTimeout",
        Parameter::new("Number", "Seconds after which idle connections are forgotten").between(60, 6000),
        Some(endpoint.idle_timeout_seconds.to_string()),
    );
    add(
        "ThroughputMode",
        Parameter::new("String", "EFS throughput mode").one_of(&["elastic", "bursting", "provisioned"]),
        Some(storage.throughput.as_str().to_owned()),
    );
    add(
        "ProvisionedThroughput",
        Parameter::new("Number", "MiB/s for ThroughputMode provisioned").between(1, 3414),
        Some(storage.provisioned_mibps.unwrap_or(1).to_string()),
    );
    add(
        "PerformanceMode",
        Parameter::new("String", "EFS performance mode; a change REPLACES the file system")
            .one_of(&["generalPurpose", "maxIO"]),
        Some(storage.performance_mode.as_str().to_owned()),
    );
    add(
        "Backup",
        Parameter::new("String", "Whether AWS Backup copies the file system daily").one_of(&["ENABLED", "DISABLED"]),
        Some(if storage.backup { "ENABLED" } else { "DISABLED" }.to_owned()),
    );
    add(
        "KmsKey",
        Parameter::new(
            "String",
            "Key that encrypts the file system; empty for the account's own; a change REPLACES it",
        ),
        Some(storage.kms_key.as_ref().map(ToString::to_string).unwrap_or_default()),
    );
    add(
        "UserName",
        Parameter::new("String", "Name of the application's user").matching("^[a-z][a-z0-9_-]{0,11}$", UserName::RULE),
        Some(deployment.credentials.username.to_string()),
    );
    add(
        CERTIFICATE,
        Parameter::new(
            "String",
            "ARN of the secret with the certificate that clients see; empty for plain connections",
        )
        .matching(&format!("^$|{}", SecretArn::PATTERN), SecretArn::RULE),
        Some(tls.certificate.as_ref().map(ToString::to_string).unwrap_or_default()),
    );
    add(
        "CertificateKey",
        Parameter::new(
            "String",
            "ARN of your own KMS key that encrypts that secret; empty for the account's own",
        )
        .matching(&format!("^$|{}", KeyArn::PATTERN), KeyArn::RULE),
        Some(tls.kms_key.as_ref().map(ToString::to_string).unwrap_or_default()),
    );
    add(
        "PermissionsBoundary",
        Parameter::new(
            "String",
            "ARN of the policy that bounds the instance's role; empty for none",
        ),
        Some(
            security
                .permissions_boundary
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
    );
    add(
        "AlarmTopic",
        Parameter::new("String", "ARN of the SNS topic that alarms go to; empty for none"),
        Some(
            deployment
                .alarms
                .topic
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
    );
    add(
        "AllowFaults",
        Parameter::new("String", "Whether failover tests may inject faults").one_of(&["false", "true"]),
        Some(switch(security.allow_faults).to_owned()),
    );
    out
}

/// Adds parameters, rules and conditions.
pub(super) fn declare(template: &mut Template, deployment: &Deployment) {
    for (name, mut parameter, value) in all(deployment, &Resolved::default()) {
        parameter.default = value.map(|text| match (parameter.kind.as_str(), text.parse::<i64>()) {
            ("Number", Ok(number)) => Value::Int(number),
            _ => Value::Str(text),
        });
        template.parameters.insert(name, parameter);
    }
    rules(template, deployment);
    let set = |name: &str| Value::call(Function::Not, list![equals(name, "")]);
    for (name, condition) in [
        ("HasKeyName", set("KeyName")),
        ("HasKmsKey", set("KmsKey")),
        ("HasPermissionsBoundary", set("PermissionsBoundary")),
        ("HasAlarmTopic", set("AlarmTopic")),
        ("HasCertificate", set(CERTIFICATE)),
        ("HasCertificateKey", set("CertificateKey")),
        ("HasProvisionedThroughput", equals("ThroughputMode", "provisioned")),
        ("HasAmqp", equals("Amqp", "true")),
        ("HasFaultsAllowed", equals("AllowFaults", "true")),
    ] {
        template.conditions.insert(name.to_owned(), condition);
    }
}

fn equals(parameter: &str, value: &str) -> Value {
    Value::call(Function::Equals, list![reference(parameter), value])
}

fn rules(template: &mut Template, deployment: &Deployment) {
    let same = |left: Value, right: &str| Value::call(Function::Equals, list![left, reference(right)]);
    let rule = |assertions: Vec<(Value, &str)>| Rule {
        condition: None,
        assertions: assertions
            .into_iter()
            .map(|(assert, words)| Assertion {
                assert,
                description: Some(words.to_owned()),
            })
            .collect(),
    };
    let differ = Value::call(
        Function::Not,
        list![same(reference("AvailabilityZone1"), "AvailabilityZone2")],
    );
    template.rules.insert(
        "ZonesDiffer".to_owned(),
        rule(vec![(
            differ,
            "AvailabilityZone1 and AvailabilityZone2 must be two different zones",
        )]),
    );
    if !matches!(deployment.network.placement, Placement::New { .. }) {
        let of_all = |attribute: &str| Value::call(Function::ValueOfAll, list!["AWS::EC2::Subnet::Id", attribute]);
        let zones = list![reference("AvailabilityZone1"), reference("AvailabilityZone2")];
        let in_zones = Value::call(Function::EachMemberIn, list![zones, of_all("AvailabilityZone")]);
        let in_vpc = Value::call(Function::EachMemberEquals, list![of_all("VpcId"), reference("VPC")]);
        template.rules.insert(
            "SubnetsFit".to_owned(),
            rule(vec![
                (
                    in_zones,
                    "Subnet1 and Subnet2 must be in AvailabilityZone1 and AvailabilityZone2",
                ),
                (in_vpc, "Subnet1 and Subnet2 must be in VPC"),
            ]),
        );
    }
    let combination = Value::call(Function::Not, list![equals("PerformanceMode", "maxIO")]);
    template.rules.insert(
        "ModesFit".to_owned(),
        Rule {
            condition: Some(equals("ThroughputMode", "elastic")),
            ..rule(vec![(
                combination,
                "PerformanceMode maxIO does not go with ThroughputMode elastic",
            )])
        },
    );
}

/// The value of every parameter of the deployment's template, in the template's order.
///
/// # Errors
/// [`RenderError::Unresolved`] names the first parameter for which neither the deployment nor `resolved` has a value.
pub fn parameters(deployment: &Deployment, resolved: &Resolved) -> Result<IndexMap<String, String>, RenderError> {
    const NEEDED: [&str; 6] = [
        "VPC",
        "Subnet1",
        "Subnet2",
        "AvailabilityZone1",
        "AvailabilityZone2",
        "AMI",
    ];
    all(deployment, resolved)
        .into_iter()
        .map(|(name, _, value)| match value {
            Some(value) => Ok((name, value)),
            None => {
                let parameter = NEEDED.into_iter().find(|needed| *needed == name).unwrap_or("VpcCidr");
                Err(RenderError::Unresolved { parameter })
            }
        })
        .collect()
}

/// The parameters that have a value by now, in the template's order.
pub fn known_parameters(deployment: &Deployment, resolved: &Resolved) -> IndexMap<String, String> {
    all(deployment, resolved)
        .into_iter()
        .filter_map(|(name, _, value)| Some((name, value?)))
        .collect()
}

/// A value that is there only when `condition` holds.
pub(crate) fn only_if(condition: &str, value: impl Into<Value>) -> Value {
    crate::template::if_(condition, value, Value::no_value())
}

/// One port of one neighbour, for an inline rule of a security group.
pub(crate) fn tcp(port: u16, neighbour: (&str, Value), words: &str) -> Value {
    object! {
        "Description" => words,
        "IpProtocol" => "tcp",
        "FromPort" => port,
        "ToPort" => port,
        neighbour.0 => neighbour.1,
    }
}

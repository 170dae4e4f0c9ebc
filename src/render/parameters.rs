//! Parameters, rules and conditions of the template, and their values for one deployment.

use indexmap::IndexMap;
use std::collections::BTreeMap;

use super::error::RenderError;
use crate::model::keys::{self, Key, Kind, Otherwise, Pattern};
use crate::model::{AmiId, Cidr, Deployment, Placement, SubnetId, VpcId, ZoneName};
use crate::stack::{AMQP_PARAMETER, HAS_AMQP, Way};
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

/// Templates have always had their parameters in this order, which is not the file's: those of a key or of a section, before the
/// ones of the root device and the clients and after them. What is not listed is at the end.
const BEFORE: &[&str] = &["queue_manager", "instance.ami", "instance.key_name", "instance"];
const AFTER: &[&str] = &[
    "endpoint",
    "storage",
    "credentials",
    "tls",
    "security.permissions_boundary",
    "alarms",
    "",
];

/// A parameter's name, its definition, and its value when it is known.
type Declared = (String, Parameter, Option<String>);

/// The parameter of a key as its row says it, and its value.
fn of_key(key: &Key, row: &keys::Parameter, value: Option<&serde_json::Value>) -> Declared {
    let help = key.parameter_text().unwrap_or_default();
    let (on, off) = row.switch;
    let parameter = match (key.kind, row.of) {
        (_, Some(of)) => Parameter::new(of, &help),
        (Kind::Integer { min, max }, None) => Parameter::new("Number", &help).between(min.into(), max.into()),
        (Kind::Boolean, None) if key.default == Otherwise::Value("true") => {
            Parameter::new("String", &help).one_of(&[on, off])
        }
        (Kind::Boolean, None) => Parameter::new("String", &help).one_of(&[off, on]),
        (Kind::Word(words), None) => Parameter::new("String", &help).one_of(&words()),
        _ => Parameter::new("String", &help),
    };
    let parameter = match (row.pattern, key.kind.rule()) {
        (Pattern::OfRule, Some(rule)) if matches!(key.default, Otherwise::Value(_)) => {
            parameter.matching(rule.pattern, rule.words)
        }
        (Pattern::OfRule, Some(rule)) => parameter.matching(&format!("^$|{}", rule.pattern), rule.words),
        (Pattern::Own(pattern), Some(rule)) => parameter.matching(pattern, rule.words),
        _ => parameter,
    };
    let value = match value {
        Some(serde_json::Value::Bool(true)) => Some(on.to_owned()),
        Some(serde_json::Value::Bool(false)) => Some(off.to_owned()),
        Some(serde_json::Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
        None => row.of.is_none().then(|| row.absent.to_owned()),
    };
    (row.name.to_owned(), parameter, value)
}

/// The parameters of the network.
fn network(deployment: &Deployment, resolved: &Resolved) -> Vec<Declared> {
    let mut out = Vec::new();
    let mut add =
        |name: &str, parameter: Parameter, value: Option<String>| out.push((name.to_owned(), parameter, value));
    let network = &deployment.network;
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
        zone("The second zone, different from the first"),
        zone2.map(Into::into),
    );
    out
}

/// Every parameter with its definition and its value, when it is known; the one list that both sides use.
fn all(deployment: &Deployment, resolved: &Resolved) -> Vec<Declared> {
    let values = serde_json::to_value(deployment).unwrap_or_default();
    let has_amqp = switches_amqp(deployment);
    let mut left: Vec<&Key> = keys::keys()
        .filter(|key| key.topologies.include(deployment.topology))
        .filter(|key| has_amqp || key.parameter.is_none_or(|row| row.name != AMQP_PARAMETER))
        .collect();
    let mut of_keys = |out: &mut Vec<Declared>, places: &[&str]| {
        for place in places {
            let here = |key: &mut &Key| place.is_empty() || key.path == *place || key.split().0 == *place;
            for key in left.extract_if(.., here) {
                out.extend(key.parameter.map(|row| of_key(key, &row, key.of(&values))));
            }
        }
    };
    let mut out = network(deployment, resolved);
    of_keys(&mut out, BEFORE);
    let device = resolved.root_device.clone().unwrap_or_else(|| ROOT_DEVICE.to_owned());
    out.push((
        "RootDeviceName".to_owned(),
        Parameter::new("String", "Device name of the image's root volume"),
        Some(device),
    ));
    for (index, cidr) in deployment.network.clients.iter().enumerate() {
        out.push((
            client_parameter(index),
            Parameter::new("String", "Range from which clients may connect")
                .matching(Cidr::PATTERN, "an address range such as 10.0.0.0/8"),
            Some(cidr.to_string()),
        ));
    }
    of_keys(&mut out, AFTER);
    for (name, parameter, value) in &mut out {
        match (name.as_str(), &deployment.network.placement) {
            // A new network gets its internet gateway only when it was rendered for one.
            ("Scheme", Placement::New { .. }) if deployment.endpoint.internal => {
                parameter.allowed_values.truncate(1);
            }
            ("AMI", _) => {
                let ami = resolved.ami.as_ref().map(ToString::to_string);
                *value = ami.or_else(|| value.take());
            }
            _ => {}
        }
    }
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
    let amqp = switches_amqp(deployment).then(|| (HAS_AMQP, equals(AMQP_PARAMETER, "true")));
    let conditions = [
        ("HasKeyName", set("KeyName")),
        ("HasKmsKey", set("KmsKey")),
        ("HasPermissionsBoundary", set("PermissionsBoundary")),
        ("HasAlarmTopic", set("AlarmTopic")),
        ("HasCertificate", set(CERTIFICATE)),
        ("HasCredentialsKey", set("CredentialsKey")),
        ("HasCertificateKey", set("CertificateKey")),
        ("HasProvisionedThroughput", equals("ThroughputMode", "provisioned")),
    ];
    let faults = ("HasFaultsAllowed", equals("AllowFaults", "true"));
    for (name, condition) in conditions.into_iter().chain(amqp).chain([faults]) {
        template.conditions.insert(name.to_owned(), condition);
    }
}

/// Whether the engine leaves AMQP to the configuration.
fn switches_amqp(deployment: &Deployment) -> bool {
    Way::all(deployment.engine).any(|way| way.parameter() == Some(AMQP_PARAMETER))
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
                "PerformanceMode maxIO cannot be combined with ThroughputMode elastic",
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
pub(crate) fn tcp(port: impl Into<Value>, neighbour: (&str, Value), words: &str) -> Value {
    let port = port.into();
    tcp_ports(port.clone(), port, neighbour, words)
}

/// The same for all ports from one to another.
pub(crate) fn tcp_ports(from: impl Into<Value>, to: impl Into<Value>, neighbour: (&str, Value), words: &str) -> Value {
    let (from, to): (Value, Value) = (from.into(), to.into());
    object! {
        "Description" => words,
        "IpProtocol" => "tcp",
        "FromPort" => from,
        "ToPort" => to,
        neighbour.0 => neighbour.1,
    }
}

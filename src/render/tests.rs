use std::collections::BTreeMap;

use proptest::prelude::*;

use super::user_data::agent_config;
use super::*;
use crate::model::agent::AgentConfig;
use crate::model::*;
use crate::stack::MOST_TEMPLATE_BYTES;
use crate::template::{Function, Template, Value};
use crate::topology::{self, Member};

fn resolved() -> Resolved {
    Resolved {
        vpc: Some(VpcId::new("vpc-0123456789abcdef0").unwrap()),
        subnets: Some(["subnet-00000001", "subnet-00000002"].map(|id| SubnetId::new(id).unwrap())),
        zones: Some(["eu-west-1a", "eu-west-1b"].map(|zone| ZoneName::new(zone).unwrap())),
        ami: Some(AmiId::new("ami-0123456789abcdef0").unwrap()),
        root_device: Some("/dev/sda1".into()),
    }
}

fn new_network(internal: bool) -> Deployment {
    let mut deployment = Deployment::default();
    deployment.network.placement = Placement::New {
        cidr: Cidr::new("10.20.0.0/16").unwrap(),
        zones: None,
    };
    deployment.endpoint.internal = internal;
    deployment
}

#[test]
fn the_command_of_the_proof_of_concept_gives_every_parameter_that_must_be_given() {
    let template = template(&Deployment::default()).unwrap();
    let command = "KeyName VPC Subnet1 Subnet2 QueueManagerName AMI AvailabilityZone1 AvailabilityZone2";
    let given: Vec<&str> = command.split(' ').collect();
    for name in &given {
        assert!(template.parameters.contains_key(*name), "{name}");
    }
    for (name, parameter) in &template.parameters {
        assert!(
            parameter.default.is_some() || given.contains(&name.as_str()),
            "{name} must be given"
        );
    }
    assert_eq!(template.parameters["KeyName"].default, Some("".into()));
}

#[test]
fn nothing_has_a_name_that_needs_a_stronger_capability_or_collides() {
    let template = template(&Deployment::default()).unwrap();
    for (name, resource) in &template.resources {
        for key in [
            "RoleName",
            "InstanceProfileName",
            "AutoScalingGroupName",
            "Name",
            "GroupName",
            "LaunchTemplateName",
            "AlarmName",
        ] {
            assert!(!resource.properties.contains_key(key), "{name}.{key}");
        }
    }
}

/// Looks at a value and at all in it.
pub(crate) fn walk(value: &Value, look: &mut impl FnMut(&Value)) {
    look(value);
    match value {
        Value::List(entries) => entries.iter().for_each(|entry| walk(entry, look)),
        Value::Map(entries) => entries.values().for_each(|entry| walk(entry, look)),
        Value::Call(_, argument) => walk(argument, look),
        _ => {}
    }
}

/// What CloudFormation makes of the user data.
fn filled(template: &Template, amqp: bool) -> String {
    let data = &template.resources["LaunchTemplate"].properties["LaunchTemplateData"];
    let Some(Value::Call(Function::Base64, inner)) = data.get("UserData") else {
        panic!("no Base64")
    };
    let Value::Call(Function::Sub, argument) = &**inner else {
        panic!("no Sub")
    };
    let text = argument.as_list().unwrap()[0].as_str().unwrap();
    let values = [
        ("AWS::StackName", "mqaws-qm1"),
        ("AWS::Region", "eu-west-1"),
        ("QueueManagerName", "A./_%z"),
        ("FileSystem", "fs-0123456789abcdef0"),
        ("UserName", "payroll"),
        (
            "Credentials",
            "arn:aws:secretsmanager:eu-west-1:000000000000:secret:Credentials-AbCdEf",
        ),
        (
            "Certificate",
            "arn:aws:secretsmanager:eu-west-1:000000000000:secret:mq-AbCdEf",
        ),
        ("AmqpPort", if amqp { "5672" } else { "null" }),
    ];
    let text = values.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("${{{name}}}"), value)
    });
    assert!(!text.contains("${"), "{text}");
    text
}

#[test]
fn user_data_writes_the_agents_configuration_and_starts_its_unit() {
    let template = template(&Deployment::default()).unwrap();
    for amqp in [true, false] {
        let text = filled(&template, amqp);
        assert!(text.starts_with("#cloud-config\n"));
        let document: BTreeMap<String, serde_json::Value> = serde_saphyr::from_str(&text).unwrap();
        let keys: Vec<&str> = document.keys().map(String::as_str).collect();
        assert_eq!(keys, ["runcmd", "write_files"]);
        assert_eq!(
            document["runcmd"],
            serde_json::json!([["systemctl", "enable", "--now", "mqaws-agent.service"]])
        );
        let files = document["write_files"].as_array().unwrap();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0]["path"], "/etc/mqaws/agent.json");
        assert_eq!(files[0]["permissions"], "0600");
        let config: AgentConfig = serde_json::from_str(files[0]["content"].as_str().unwrap()).unwrap();
        assert_eq!(config.queue_manager, "A./_%z");
        assert_eq!(config.storage.file_system, "fs-0123456789abcdef0");
        assert_eq!(config.ports.of(&crate::stack::AMQP), amqp.then_some(5672));
        assert_eq!(config.group, member().group);
        assert_eq!(config.user, "payroll");
        assert!(config.certificate.ends_with(":secret:mq-AbCdEf"));
        assert_eq!(config.hook, launch_template::TERMINATING_HOOK);
    }
}

fn member() -> &'static Member {
    &topology::of(Topology::default()).facts().members[0]
}

#[test]
fn how_to_mount_is_told_to_the_agent() {
    let mut deployment = Deployment::default();
    let config = agent_config(&deployment, member());
    assert_eq!(
        (config.storage.mount_with.as_str(), config.storage.lease_seconds),
        ("efs-utils", None)
    );

    deployment.storage.mount = Mount::Nfs;
    deployment.storage.lease_seconds = Some(10);
    let text = filled(&template(&deployment).unwrap(), true);
    let document: BTreeMap<String, serde_json::Value> = serde_saphyr::from_str(&text).unwrap();
    let config: AgentConfig = serde_json::from_str(document["write_files"][0]["content"].as_str().unwrap()).unwrap();
    assert_eq!(
        (config.storage.mount_with.as_str(), config.storage.lease_seconds),
        ("nfs", Some(10))
    );
}

#[test]
fn the_users_definitions_arrive_as_they_are() {
    let text =
        "* \"quoted\", ${AWS::Region}, back\\slash\n\n  DEFINE QLOCAL('APP.Ä') +\n\tDESCR('# ${!x} | : -')\r\nEND";
    let mut deployment = Deployment::default();
    let definitions = Definitions::named("own.mqsc").with_text(text.to_owned()).unwrap();
    deployment.queue_manager.definitions = Some(definitions);
    let template = Template::from_yaml(&body(&deployment).unwrap()).unwrap();
    let data = &template.resources["LaunchTemplate"].properties["LaunchTemplateData"];
    let Some(Value::Call(Function::Base64, inner)) = data.get("UserData") else {
        panic!("no Base64")
    };
    let Value::Call(Function::Sub, argument) = &**inner else {
        panic!("no Sub")
    };
    let given = argument.as_list().unwrap()[0].as_str().unwrap();
    // As CloudFormation does: `${!` is a literal `${`, everything else in braces a placeholder.
    let filled = given
        .split("${!")
        .map(|part| part.replace("${AmqpPort}", "1").replace("${", "PLACEHOLDER"));
    let filled = filled.collect::<Vec<_>>().join("${");
    let document: BTreeMap<String, serde_json::Value> = serde_saphyr::from_str(&filled).unwrap();
    let files = document["write_files"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    assert_eq!(
        (files[1]["path"].as_str(), files[1]["permissions"].as_str()),
        (Some("/etc/mqaws/definitions.mqsc"), Some("0600"))
    );
    assert_eq!(files[1]["content"], text);
}

#[test]
fn no_secret_stands_in_template_or_user_data() {
    let text = body(&Deployment::default()).unwrap();
    // The word stands where the secret is generated, and nowhere else.
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.to_lowercase().contains("password"))
        .map(str::trim)
        .collect();
    assert_eq!(lines, ["GenerateStringKey: password", "PasswordLength: 32"]);
}

#[test]
fn a_new_network_has_every_endpoint_that_the_instance_calls() {
    for internal in [true, false] {
        let template = template(&new_network(internal)).unwrap();
        let text = template.to_yaml().unwrap();
        for service in
            "ec2 autoscaling cloudformation monitoring secretsmanager ssm ssmmessages elasticfilesystem logs s3"
                .split(' ')
        {
            assert!(
                text.contains(&format!("com.amazonaws.${{AWS::Region}}.{service}\n")),
                "{service}"
            );
        }
        assert_eq!(template.resources.contains_key("InternetGateway"), !internal);
        assert!(!template.parameters.contains_key("VPC"));
        let waits = &template.resources["Group"].depends_on;
        for (name, resource) in &template.resources {
            let needed = matches!(resource.kind.as_str(), "AWS::EC2::VPCEndpoint" | "AWS::EC2::Route");
            assert!(!needed || waits.contains(name), "{name}");
        }
        assert!(text.len() < MOST_TEMPLATE_BYTES);
    }
}

#[test]
fn what_is_too_large_as_yaml_is_sent_as_short_json_and_what_is_too_large_as_that_is_refused() {
    let all = Cidr::new("10.0.0.0/8").unwrap();
    let with = |clients: u32| {
        let mut deployment = Deployment::default();
        deployment.network.clients = (0..clients).filter_map(|index| all.part(16, index)).collect();
        deployment
    };
    let (mut yaml, mut json) = (0, 0);
    for clients in 0..=256 {
        let deployment = with(clients);
        let rendered = template(&deployment).unwrap();
        let as_yaml = rendered.to_yaml().unwrap();
        match body(&deployment) {
            Ok(text) if as_yaml.len() <= MOST_TEMPLATE_BYTES => {
                yaml += 1;
                assert_eq!(text, as_yaml);
            }
            Ok(text) => {
                json += 1;
                assert!(
                    text.len() <= MOST_TEMPLATE_BYTES && text.starts_with('{'),
                    "{}",
                    text.len()
                );
                assert_eq!(Template::from_json(&text).unwrap(), rendered);
                assert_eq!(Template::from_yaml(&text).unwrap(), rendered);
            }
            Err(RenderError::TooLarge { bytes }) => {
                assert_eq!(bytes, rendered.to_short_json().unwrap().len());
                assert!(bytes > MOST_TEMPLATE_BYTES);
                assert!(
                    yaml > 0 && json > 0,
                    "{yaml} as YAML, {json} as JSON before {clients} clients"
                );
                return;
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("nothing was refused: {yaml} as YAML, {json} as JSON");
}

#[test]
fn what_is_not_known_yet_is_named() {
    let deployment = Deployment::default();
    let error = parameters(&deployment, &Resolved::default()).unwrap_err();
    assert_eq!(error.to_string(), "the parameter `VPC` has no value");
    let error = parameters(
        &deployment,
        &Resolved {
            ami: None,
            ..resolved()
        },
    )
    .unwrap_err();
    assert_eq!(error.to_string(), "the parameter `AMI` has no value");
    assert!(crate::remedy::Remedy::hint(&error).unwrap().contains("instance.ami"));
    assert!(!known_parameters(&deployment, &Resolved::default()).contains_key("VPC"));
}

#[test]
fn tags_of_the_stack_carry_its_name_and_the_users() {
    let mut deployment = Deployment::default();
    deployment
        .tags
        .insert(TagKey::new("cost-centre").unwrap(), TagValue::new("12:30:45").unwrap());
    let tags = |deployment: &Deployment| {
        stack_tags(deployment)
            .into_iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(tags(&deployment), ["mqaws:stack=mqaws-qm1", "cost-centre=12:30:45"]);
    deployment.security.allow_faults = true;
    assert_eq!(
        tags(&deployment),
        [
            "mqaws:stack=mqaws-qm1",
            "mqaws:allow-faults=true",
            "cost-centre=12:30:45"
        ]
    );
}

fn deployments() -> impl Strategy<Value = Deployment> {
    let placement = prop_oneof![
        Just(Placement::Choose { vpc: None }),
        Just(Placement::Choose { vpc: resolved().vpc }),
        Just(Placement::Existing {
            vpc: None,
            subnets: resolved().subnets.unwrap()
        }),
        (16..=24_u8, any::<bool>()).prop_map(|(prefix, named)| Placement::New {
            cidr: Cidr::new(&format!("10.0.0.0/{prefix}")).unwrap(),
            zones: named.then(|| resolved().zones.unwrap()),
        }),
    ];
    let name = prop_oneof![
        "[A-Za-z0-9./_%]{1,48}",
        prop::sample::select(vec!["ON", "NO", "1E3", "null", "0755", "~", "."]).prop_map(String::from),
    ]
    .prop_filter_map("a name", |name| QueueManagerName::new(name).ok());
    let switches = prop::array::uniform5(any::<bool>());
    let clients = 1..20_usize;
    (placement, name, switches, clients, 60..6000_u32, 1..3414_u32).prop_map(
        |(placement, name, [internal, amqp, backup, faults, extras], clients, idle, mibps)| {
            let mut deployment = Deployment {
                stack: StackName::default_of(&name),
                ..Deployment::default()
            };
            deployment.queue_manager.name = name;
            let all = Cidr::new("10.0.0.0/8").unwrap();
            deployment.network = Network {
                placement,
                clients: (0..u32::try_from(clients).unwrap())
                    .filter_map(|index| all.part(16, index))
                    .collect(),
            };
            deployment.endpoint = Endpoint {
                internal,
                amqp,
                idle_timeout_seconds: idle,
                ..Endpoint::default()
            };
            deployment.storage.backup = backup;
            deployment.security.allow_faults = faults;
            if extras {
                deployment.storage.throughput = Throughput::Provisioned;
                deployment.storage.provisioned_mibps = Some(mibps);
                deployment.storage.performance_mode = PerformanceMode::MaxIo;
                deployment.storage.mount = Mount::Nfs;
                deployment.storage.kms_key = Some(KmsKey::new("alias/mq").unwrap());
                deployment.instance.key_name = Some(KeyPairName::new("a key").unwrap());
                let boundary = "arn:aws:iam::123456789012:policy/boundary";
                deployment.security.permissions_boundary = Some(PolicyArn::new(boundary).unwrap());
                let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mq-AbCdEf";
                deployment.tls.certificate = Some(SecretArn::new(secret).unwrap());
                deployment.credentials.kms_key = KeyArn::new("arn:aws:kms:eu-west-1:123456789012:key/5678abcd").ok();
                deployment.tls.kms_key = Some(KeyArn::new("arn:aws:kms:eu-west-1:123456789012:key/1234abcd").unwrap());
                deployment.alarms.topic = Some(TopicArn::new("arn:aws:sns:eu-west-1:123456789012:ops").unwrap());
            }
            deployment
        },
    )
}

proptest! {
    #![proptest_config(match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(32),
    })]

    #[test]
    fn every_deployment_renders_without_a_dangling_reference(deployment in deployments()) {
        let rendered = template(&deployment).unwrap();
        let text = body(&deployment).unwrap();
        prop_assert_eq!(&text, &body(&deployment).unwrap(), "rendering is deterministic");
        prop_assert_eq!(&Template::from_yaml(&text).unwrap(), &rendered);

        let values = parameters(&deployment, &resolved()).unwrap();
        let declared: Vec<&String> = rendered.parameters.keys().collect();
        prop_assert_eq!(values.keys().collect::<Vec<_>>(), declared);
        for (name, value) in &values {
            let parameter = &rendered.parameters[name];
            prop_assert!(
                parameter.allowed_values.is_empty() || parameter.allowed_values.contains(&Value::Str(value.clone())),
                "{} {}", name, value
            );
        }
    }
}

#[test]
fn a_key_of_the_tests_is_a_parameter_where_its_topology_is() {
    let mut deployment = Deployment::default();
    let single = super::template(&deployment).unwrap().parameters;
    assert!(!single.contains_key("ToySeconds"));
    deployment.topology = Topology::TOY;
    deployment.endpoint.toy_seconds = 9;
    let parameter = &super::template(&deployment).unwrap().parameters["ToySeconds"];
    assert_eq!(parameter.kind.as_str(), "Number");
    assert_eq!((parameter.min_value, parameter.max_value), (Some(3), Some(33)));
    assert_eq!(parameter.default, Some(Value::Int(9)));
    assert_eq!(
        parameter.description.as_deref(),
        Some("Seconds for which the toy plays")
    );
    let values = super::known_parameters(&deployment, &super::Resolved::default());
    assert_eq!(values["ToySeconds"], "9");
}

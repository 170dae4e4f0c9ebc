//! The whole template.

use crate::model::{Deployment, Engine};
use crate::render::template;
use crate::stack::{AMQP, HAS_AMQP, HAS_CERTIFICATE, Parts, Protocol};
use crate::template::{Function, Template, Value};
use mqaws_contract::engine::{CHECK_PORT, Check, ENGINES, Endpoint, EngineFacts, Switch};
use std::collections::BTreeMap;

const fn spoken(word: &'static str, part: &'static str) -> Protocol {
    Protocol { word, part, ..AMQP }
}

/// An engine of three endpoints, one of which can be switched off.
const THREE: EngineFacts = EngineFacts {
    word: "three",
    endpoints: &[
        Endpoint {
            protocol: spoken("one", "One"),
            port: 1001,
            tls_port: None,
            when: None,
            check: Check::Connection,
        },
        Endpoint {
            protocol: spoken("two", "Two"),
            port: 1002,
            tls_port: None,
            when: Some(Switch::Amqp),
            check: Check::Connection,
        },
        Endpoint {
            protocol: spoken("three", "Three"),
            port: 1003,
            tls_port: None,
            when: None,
            check: Check::Connection,
        },
    ],
    ..*ENGINES[0]
};

/// A port without a certificate and with one, and the condition under which it is there.
type Port = ([i64; 2], Option<String>);

/// The port of a value, without a certificate and with one.
fn port(value: &Value) -> [i64; 2] {
    match value {
        Value::Int(port) => [*port; 2],
        Value::Call(Function::If, parts) => match parts.as_list().unwrap() {
            [Value::Str(when), Value::Int(tls), Value::Int(plain)] if when == HAS_CERTIFICATE => [*plain, *tls],
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// The ports of the listeners, or of other resources of one type.
fn ports(template: &Template, kind: &str) -> Vec<Port> {
    let each = template.resources.values();
    each.filter(|one| one.kind == format!("AWS::ElasticLoadBalancingV2::{kind}"))
        .map(|one| (port(&one.properties["Port"]), one.condition.clone()))
        .collect()
}

/// The ports of all rules of all security groups, but for that of NFS.
fn rules(template: &Template) -> Vec<Port> {
    let each = template.resources.values();
    let groups = each.filter(|one| one.kind == "AWS::EC2::SecurityGroup");
    let lists =
        groups.flat_map(|one| ["SecurityGroupIngress", "SecurityGroupEgress"].map(|key| one.properties.get(key)));
    let rules = lists.flatten().flat_map(|list| list.as_list().unwrap());
    let rules = rules.map(|rule| match rule {
        Value::Call(Function::If, parts) => match parts.as_list().unwrap() {
            [Value::Str(condition), rule, _] => (rule, Some(condition.clone())),
            other => panic!("{other:?}"),
        },
        rule => (rule, None),
    });
    rules
        .filter_map(|(rule, condition)| match (rule.get("FromPort")?, rule.get("ToPort")?) {
            (Value::Int(2049), _) => None,
            (Value::Int(tls), Value::Int(plain)) if tls != plain => Some(([*plain, *tls], condition)),
            (from, to) => Some((port(from), condition)).filter(|_| to == from),
        })
        .collect()
}

#[test]
fn every_endpoint_of_an_engine_has_one_listener_and_one_rule_of_each_neighbour() {
    let engines = Engine::all().chain([Engine::toy(&THREE)]);
    for engine in engines {
        let deployment = Deployment {
            engine,
            ..Deployment::default()
        };
        let template = template(&deployment).unwrap();
        let endpoints = engine.facts().endpoints.iter();
        let expected: Vec<Port> = endpoints
            .map(|one| {
                let ports = [one.port, one.tls_port.unwrap_or(one.port)].map(i64::from);
                (ports, one.when.map(|Switch::Amqp| HAS_AMQP.to_owned()))
            })
            .collect();
        for kind in ["Listener", "TargetGroup"] {
            assert_eq!(ports(&template, kind), expected, "{engine:?}: {kind}");
        }
        // From each range of clients, from the load balancer to the instance, and to the targets.
        let clients = vec![expected.clone(); deployment.network.clients.len()].concat();
        let mut inside = expected.clone();
        if engine.facts().is_checked_by_agent() {
            inside.push(([i64::from(CHECK_PORT); 2], None));
        }
        assert_eq!(
            rules(&template),
            [clients, inside.clone(), inside].concat(),
            "{engine:?}"
        );
        let attached = template.resources["Group"].properties["TargetGroupARNs"].as_list();
        assert_eq!(attached.map(<[Value]>::len), Some(expected.len()), "{engine:?}");

        // What its outputs say is read again as its endpoints.
        let addresses = engine.facts().endpoints.iter().map(|one| {
            let (before, after) = one.protocol.notation.port;
            (
                format!("{}Endpoint", one.protocol.part),
                format!("lb{before}{}{after}", one.port),
            )
        });
        let addresses: BTreeMap<String, String> = addresses.collect();
        for name in addresses.keys() {
            assert!(template.outputs.contains_key(name), "{engine:?}: {name}");
        }
        if Engine::of(engine.as_str()).is_some() {
            let tags = crate::render::stack_tags(&deployment).into_iter().collect();
            let parts = Parts::read("s", &addresses, &tags).unwrap();
            let read: Vec<u16> = parts.endpoints.iter().map(|endpoint| endpoint.address.port).collect();
            let ports: Vec<u16> = engine.facts().endpoints.iter().map(|one| one.port).collect();
            assert_eq!((parts.engine, read), (engine, ports));
        }
    }
}

#[test]
fn logical_ids_stay_what_they_are_in_deployed_stacks() {
    let template = template(&Deployment::default()).unwrap();
    let ids: Vec<&str> = template.resources.keys().map(String::as_str).collect();
    let expected = "LoadBalancerSecurityGroup InstanceSecurityGroup FileSystemSecurityGroup FileSystem MountTarget1 MountTarget2 \
         Credentials Role InstanceProfile LoadBalancer TargetGroup Listener AmqpTargetGroup AmqpListener LaunchTemplate Group \
         OutageAlarm OverlapAlarm TwoEnginesAlarm FenceAlarm CertificateAlarm ReadDocument TestDocument OperateDocument FenceDocument";
    assert_eq!(ids, expected.split_whitespace().collect::<Vec<_>>());
}

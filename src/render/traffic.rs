//! The load balancer, its listeners and target groups, and what the stack tells of them.

use super::entry::{names, tags};
use super::network;
use crate::model::{Deployment, EngineFacts};
use crate::stack::{Output as Name, QUEUE_MANAGER_PARAMETER};
use crate::template::{Output, Resource, Template, Value, get_att, list, object, reference, sub};

fn attribute(key: &str, value: impl Into<Value>) -> Value {
    object! { "Key" => key, "Value" => value.into() }
}

/// Adds the load balancer and both ways through it.
pub(super) fn add(template: &mut Template, deployment: &Deployment) {
    let balancer = object! {
        "Type" => "network",
        "Scheme" => reference("Scheme"),
        "Subnets" => list![reference("Subnet1"), reference("Subnet2")],
        // A load balancer that was made without a security group can never get one.
        "SecurityGroups" => list![get_att("LoadBalancerSecurityGroup", "GroupId")],
        "LoadBalancerAttributes" => list![
            // With one target, the zone without it would otherwise leave the DNS.
            attribute("load_balancing.cross_zone.enabled", "true"),
        ],
        "Tags" => tags(),
    };
    let mut balancer = Resource::new("AWS::ElasticLoadBalancingV2::LoadBalancer", balancer);
    if network::prerequisites(deployment).contains(&"DefaultRoute") {
        balancer = balancer.after(&["DefaultRoute"]);
    }
    template.resources.insert(names::LOAD_BALANCER.to_owned(), balancer);

    let engine = deployment.engine().facts();
    for (group, listener, port, condition) in [
        (names::TARGET_GROUP, "Listener", engine.port, None),
        ("AmqpTargetGroup", "AmqpListener", engine.amqp_port, Some("HasAmqp")),
    ] {
        let target_group = object! {
            "Protocol" => "TCP",
            "Port" => port,
            "TargetType" => "instance",
            "VpcId" => network::vpc(deployment),
            "HealthCheckProtocol" => "TCP",
            "HealthCheckPort" => "traffic-port",
            // The fastest that AWS allows: it only routes, so a wrong alarm costs nothing but a reconnection.
            "HealthCheckIntervalSeconds" => 5,
            "HealthCheckTimeoutSeconds" => 2,
            "HealthyThresholdCount" => 2,
            "UnhealthyThresholdCount" => 2,
            "TargetGroupAttributes" => list![
                // Auto Scaling waits this long before it ends an instance whose clients must move on anyway.
                attribute("deregistration_delay.timeout_seconds", "5"),
                attribute("deregistration_delay.connection_termination.enabled", "true"),
                attribute("target_health_state.unhealthy.connection_termination.enabled", "true"),
                attribute("preserve_client_ip.enabled", "true"),
            ],
            "Tags" => tags(),
        };
        let listens = object! {
            "LoadBalancerArn" => reference(names::LOAD_BALANCER),
            "Protocol" => "TCP",
            "Port" => port,
            "DefaultActions" => list![object! { "Type" => "forward", "TargetGroupArn" => reference(group) }],
            "ListenerAttributes" => list![attribute("tcp.idle_timeout.seconds", reference("IdleTimeout"))],
        };
        for (name, kind, properties) in [(group, "TargetGroup", target_group), (listener, "Listener", listens)] {
            let mut resource = Resource::new(&format!("AWS::ElasticLoadBalancingV2::{kind}"), properties);
            resource.condition = condition.map(ToOwned::to_owned);
            template.resources.insert(name.to_owned(), resource);
        }
    }
    outputs(template, engine);
}

fn outputs(template: &mut Template, engine: &EngineFacts) {
    let (port, amqp_port) = (engine.port, engine.amqp_port);
    let dns_name = || get_att(names::LOAD_BALANCER, "DNSName");
    for (name, output) in [
        (Name::Endpoint, Output::new("DNS name of the load balancer", dns_name())),
        (
            Name::MqEndpoint,
            Output::new(
                "CONNAME of MQ clients",
                sub(format!("${{LoadBalancer.DNSName}}({port})")),
            ),
        ),
        (
            Name::AmqpEndpoint,
            Output::new(
                "Address of AMQP clients",
                sub(format!("${{LoadBalancer.DNSName}}:{amqp_port}")),
            )
            .when("HasAmqp"),
        ),
        (
            Name::FileSystemId,
            Output::new("File system with the data", reference(names::FILE_SYSTEM)),
        ),
        (
            Name::GroupName,
            Output::new("Auto Scaling group", reference(names::GROUP)),
        ),
        (
            Name::LoadBalancerArn,
            Output::new("Load balancer", reference(names::LOAD_BALANCER)),
        ),
        (
            Name::TargetGroupArn,
            Output::new(&format!("Targets of port {port}"), reference(names::TARGET_GROUP)),
        ),
        (
            Name::AmqpTargetGroupArn,
            Output::new(&format!("Targets of port {amqp_port}"), reference("AmqpTargetGroup")).when("HasAmqp"),
        ),
        (
            Name::CredentialsSecret,
            Output::new("Secret with the application's user", reference(names::CREDENTIALS)),
        ),
        (
            Name::CertificateSecret,
            Output::new("Secret with the certificate", reference(names::CERTIFICATE)).when("HasCertificate"),
        ),
        (
            Name::QueueManagerName,
            Output::new("Queue manager", reference(QUEUE_MANAGER_PARAMETER)),
        ),
    ] {
        template.outputs.insert(name.name().to_owned(), output);
    }
}

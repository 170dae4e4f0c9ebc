//! One way through a network load balancer: a target group and its listener.

use super::network;
use super::tags::tags;
use crate::model::{Deployment, EngineFacts};
use crate::template::{Resource, Template, Value, list, object, reference};

/// A port that clients connect to, and what is behind it.
pub(crate) struct Way {
    /// Logical id of the target group.
    pub group: &'static str,
    /// Logical id of the listener.
    pub listener: &'static str,
    /// TCP port of the engine.
    pub port: fn(&EngineFacts) -> u16,
    /// A condition of the template without which there is no such way.
    pub when: Option<&'static str>,
}

/// An attribute of a load balancer, a listener or a target group.
pub(crate) fn attribute(key: &str, value: impl Into<Value>) -> Value {
    object! { "Key" => key, "Value" => value.into() }
}

impl Way {
    /// TCP port in a deployment.
    pub(crate) fn port_of(&self, deployment: &Deployment) -> u16 {
        (self.port)(deployment.engine().facts())
    }

    /// Adds the target group, whose targets are instances, and the listener on `balancer`.
    pub(crate) fn add(&self, template: &mut Template, deployment: &Deployment, balancer: &str) {
        let target_group = object! {
            "Protocol" => "TCP",
            "Port" => self.port_of(deployment),
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
        let group = self.group;
        let listens = object! {
            "LoadBalancerArn" => reference(balancer),
            "Protocol" => "TCP",
            "Port" => self.port_of(deployment),
            "DefaultActions" => list![object! { "Type" => "forward", "TargetGroupArn" => reference(group) }],
            "ListenerAttributes" => list![attribute("tcp.idle_timeout.seconds", reference("IdleTimeout"))],
        };
        for (name, kind, properties) in [
            (group, "TargetGroup", target_group),
            (self.listener, "Listener", listens),
        ] {
            let mut resource = Resource::new(&format!("AWS::ElasticLoadBalancingV2::{kind}"), properties);
            resource.condition = self.when.map(ToOwned::to_owned);
            template.resources.insert(name.to_owned(), resource);
        }
    }
}

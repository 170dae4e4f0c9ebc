//! One way through a network load balancer: a target group and its listener.

use super::network;
use super::only_if;
use super::tags::tags;
use crate::model::Deployment;
use crate::stack::Way;
use crate::template::{Resource, Template, Value, list, object, reference};

/// Seconds between two health checks of a target: the fastest that AWS allows. It only routes, so a wrong alarm costs nothing but a reconnection.
pub(crate) const CHECK_INTERVAL_S: u8 = 5;

/// Seconds after which a health check without an answer has failed.
pub(crate) const CHECK_TIMEOUT_S: u8 = 2;

/// Health checks in a row that make a target healthy.
pub(crate) const HEALTHY_CHECKS: u8 = 2;

/// An attribute of a load balancer, a listener or a target group.
pub(crate) fn attribute(key: &str, value: impl Into<Value>) -> Value {
    object! { "Key" => key, "Value" => value.into() }
}

impl Way {
    /// A value that is there where the way is.
    pub(crate) fn only(self, value: Value) -> Value {
        match self.condition() {
            Some(condition) => only_if(condition, value),
            None => value,
        }
    }

    /// Adds the target group, whose targets are instances, and the listener on `balancer`.
    pub(crate) fn add(self, template: &mut Template, deployment: &Deployment, balancer: &str) {
        let target_group = object! {
            "Protocol" => "TCP",
            "Port" => self.port(),
            "TargetType" => "instance",
            "VpcId" => network::vpc(deployment),
            "HealthCheckProtocol" => "TCP",
            "HealthCheckPort" => "traffic-port",
            "HealthCheckIntervalSeconds" => i64::from(CHECK_INTERVAL_S),
            "HealthCheckTimeoutSeconds" => i64::from(CHECK_TIMEOUT_S),
            "HealthyThresholdCount" => i64::from(HEALTHY_CHECKS),
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
        let group = self.group();
        let listens = object! {
            "LoadBalancerArn" => reference(balancer),
            "Protocol" => "TCP",
            "Port" => self.port(),
            "DefaultActions" => list![object! { "Type" => "forward", "TargetGroupArn" => reference(&group) }],
            "ListenerAttributes" => list![attribute("tcp.idle_timeout.seconds", reference("IdleTimeout"))],
        };
        for (name, kind, properties) in [
            (group, "TargetGroup", target_group),
            (self.listener(), "Listener", listens),
        ] {
            let mut resource = Resource::new(&format!("AWS::ElasticLoadBalancingV2::{kind}"), properties);
            resource.condition = self.condition().map(ToOwned::to_owned);
            template.resources.insert(name, resource);
        }
    }
}

//! One way through a network load balancer: a target group and its listener.

use super::network;
use super::only_if;
use super::tags::tags;
use crate::model::Deployment;
use crate::stack::{HAS_CERTIFICATE, Way};
use crate::template::{Resource, Template, Value, if_, list, object, reference};
use mqaws_contract::engine::{CHECK_PATH, CHECK_PORT, Check};

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

    /// The port, which a certificate may change.
    pub(crate) fn port_value(self) -> Value {
        match self.tls_port() {
            Some(tls) => if_(HAS_CERTIFICATE, tls, self.port()),
            None => self.port().into(),
        }
    }

    /// What of a target is checked.
    fn check(self) -> Vec<(&'static str, Value)> {
        let over = |protocol: &str, port: String| {
            vec![
                ("HealthCheckProtocol", protocol.into()),
                ("HealthCheckPort", port.into()),
            ]
        };
        let traffic = || "traffic-port".to_owned();
        let (mut check, path) = match self.health_check() {
            Check::Connection => return over("TCP", traffic()),
            // A health check of a port with TLS would have to speak it.
            Check::Http(path) if self.tls_port().is_some() => {
                return vec![
                    ("HealthCheckProtocol", if_(HAS_CERTIFICATE, "TCP", "HTTP")),
                    ("HealthCheckPort", traffic().into()),
                    ("HealthCheckPath", if_(HAS_CERTIFICATE, Value::no_value(), path)),
                    (
                        "Matcher",
                        if_(HAS_CERTIFICATE, Value::no_value(), object! { "HttpCode" => "200" }),
                    ),
                ];
            }
            Check::Http(path) => (over("HTTP", traffic()), path),
            Check::Agent => (over("HTTP", CHECK_PORT.to_string()), CHECK_PATH),
        };
        check.extend([
            ("HealthCheckPath", path.into()),
            ("Matcher", object! { "HttpCode" => "200" }),
        ]);
        check
    }

    /// Adds the target group, whose targets are instances, and the listener on `balancer`.
    pub(crate) fn add(self, template: &mut Template, deployment: &Deployment, balancer: &str) {
        let mut target_group = vec![
            ("Protocol", "TCP".into()),
            ("Port", self.port_value()),
            ("TargetType", "instance".into()),
            ("VpcId", network::vpc(deployment)),
        ];
        target_group.extend(self.check());
        target_group.extend([
            ("HealthCheckIntervalSeconds", i64::from(CHECK_INTERVAL_S).into()),
            ("HealthCheckTimeoutSeconds", i64::from(CHECK_TIMEOUT_S).into()),
            ("HealthyThresholdCount", i64::from(HEALTHY_CHECKS).into()),
            ("UnhealthyThresholdCount", 2.into()),
            (
                "TargetGroupAttributes",
                list![
                    // Auto Scaling waits this long before it ends an instance whose clients must move on anyway.
                    attribute("deregistration_delay.timeout_seconds", "5"),
                    attribute("deregistration_delay.connection_termination.enabled", "true"),
                    attribute("target_health_state.unhealthy.connection_termination.enabled", "true"),
                    attribute("preserve_client_ip.enabled", "true"),
                ],
            ),
            ("Tags", tags()),
        ]);
        let target_group = target_group.into_iter().map(|(key, value)| (key.to_owned(), value));
        let target_group = Value::Map(target_group.collect());
        let group = self.group();
        let listens = object! {
            "LoadBalancerArn" => reference(balancer),
            "Protocol" => "TCP",
            "Port" => self.port_value(),
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

//! What the template calls an endpoint of the engine, and what is made for it.

use crate::model::Engine;
use mqaws_contract::engine::{Check, Endpoint, Protocol, Switch};

/// The condition of the template under which AMQP is on, where an engine leaves that to the configuration.
pub const HAS_AMQP: &str = "HasAmqp";

/// The condition of the template under which the queue manager has a certificate.
pub const HAS_CERTIFICATE: &str = "HasCertificate";

/// The parameter of the template behind [`HAS_AMQP`].
pub const AMQP_PARAMETER: &str = "Amqp";

/// Logical id of the target group of the first way of any engine.
pub const OWN_GROUP: &str = "TargetGroup";

/// Output with the ARN of the target group of the first way of any engine.
pub const OWN_TARGETS: &str = "TargetGroupArn";

/// A way to the queue manager: an endpoint of its engine, and the names in the template of what is made for it. Those of the first
/// one's resources say nothing of what is spoken there.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    endpoint: &'static Endpoint,
    part: &'static str,
}

impl Way {
    /// Those of an engine, in its order.
    pub fn all(engine: Engine) -> impl Iterator<Item = Self> {
        let each = engine.facts().endpoints.iter().enumerate();
        each.map(|(index, endpoint)| Self {
            endpoint,
            part: if index == 0 { "" } else { endpoint.protocol.part },
        })
    }

    /// What is spoken there.
    pub fn protocol(self) -> &'static Protocol {
        &self.endpoint.protocol
    }

    /// How a load balancer learns whether a target serves.
    pub fn health_check(self) -> Check {
        self.endpoint.check
    }

    /// TCP port of a queue manager with a certificate, where that is another.
    pub fn tls_port(self) -> Option<u16> {
        self.endpoint.tls_port
    }

    /// TCP port.
    pub fn port(self) -> u16 {
        self.endpoint.port
    }

    /// The condition of the template without which there is no such way.
    pub fn condition(self) -> Option<&'static str> {
        self.endpoint.when.map(|Switch::Amqp| HAS_AMQP)
    }

    /// The parameter of the template that must be `true` for there to be such a way.
    pub fn parameter(self) -> Option<&'static str> {
        self.endpoint.when.map(|Switch::Amqp| AMQP_PARAMETER)
    }

    /// Logical id of the target group.
    pub fn group(self) -> String {
        format!("{}{OWN_GROUP}", self.part)
    }

    /// Logical id of the listener.
    pub fn listener(self) -> String {
        format!("{}Listener", self.part)
    }

    /// Output with the address as its clients write it.
    pub fn address(self) -> String {
        format!("{}Endpoint", self.protocol().part)
    }

    /// Output with the ARN of the target group.
    pub fn targets(self) -> String {
        format!("{}{OWN_TARGETS}", self.part)
    }
}

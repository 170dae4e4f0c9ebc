//! Where the load's clients connect, and whether they speak TLS there.

use crate::model::Engine;
use crate::stack::{AMQP, Address, Endpoint, Parts};
use mqaws_contract::engine::DriverFacts;

/// Where an AMQP service answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmqpEndpoint {
    /// Host and port.
    pub address: Address,
    /// Whether clients speak TLS; absent when nothing was said of it, and then they do as with the stack's own.
    pub tls: Option<bool>,
    /// Whether the port was named; else it is what the scheme usually has, and the stack's own outweighs it.
    named_port: bool,
    /// What speaks to the engine that answers there.
    driver: &'static DriverFacts,
}

/// A text that names no AMQP service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// It holds a user, or even a password.
    #[error("remove the user: it is read from the stack's secret")]
    User,
    /// It holds something else than scheme, host and port.
    #[error("example: amqp://127.0.0.1:5672")]
    Malformed,
}

impl AmqpEndpoint {
    /// The stack's own; `None` when the service is off.
    #[must_use]
    pub fn of(parts: &Parts) -> Option<Self> {
        let Endpoint { address, .. } = parts.endpoint(&AMQP)?;
        Some(Self {
            address: address.clone(),
            tls: Some(parts.certificate.is_some()),
            named_port: true,
            driver: own(parts.engine),
        })
    }

    /// The same, where this engine answers: every engine has its own driver.
    #[must_use]
    pub fn of_engine(self, engine: Engine) -> Self {
        self.spoken_to_by(own(engine))
    }

    /// The same, with another driver of the engine.
    #[must_use]
    pub(crate) fn spoken_to_by(mut self, driver: &'static DriverFacts) -> Self {
        self.driver = driver;
        self
    }

    /// The driver that speaks to it.
    pub(super) fn driver(&self) -> &'static DriverFacts {
        self.driver
    }

    /// This one; where nothing was said of TLS, or no port was named, it is as with the stack's own.
    #[must_use]
    pub fn like(mut self, own: Option<&Self>) -> Self {
        self.tls = self.tls.or_else(|| own.and_then(|own| own.tls));
        if let (false, Some(own)) = (self.named_port, own) {
            self.address.port = own.address.port;
        }
        self
    }
}

/// The driver that a test takes by itself.
fn own(engine: Engine) -> &'static DriverFacts {
    &engine.facts().drivers[0]
}

/// Reads `amqp://host:port`, `amqps://host:port` or `host:port`; the port may be left out.
impl std::str::FromStr for AmqpEndpoint {
    type Err = InvalidEndpoint;

    fn from_str(url: &str) -> Result<Self, InvalidEndpoint> {
        // The ports are IANA's for the schemes.
        let schemes = [
            ("amqp://", Some(false), 5672),
            ("amqps://", Some(true), 5671),
            ("", None, 5672),
        ];
        let known = schemes
            .into_iter()
            .find_map(|(scheme, tls, port)| Some((tls, port, url.strip_prefix(scheme)?)));
        let (tls, port, rest) = known.ok_or(InvalidEndpoint::Malformed)?;
        let place = rest.strip_suffix('/').unwrap_or(rest);
        if place.contains('@') {
            return Err(InvalidEndpoint::User);
        }
        let (address, named_port) = match Address::parse(place) {
            Ok(address) => (Ok(address), true),
            Err(_) => (Address::parse(&format!("{place}:{port}")), false),
        };
        Ok(Self {
            address: address.map_err(|_| InvalidEndpoint::Malformed)?,
            tls,
            named_port,
            driver: own(Engine::default()),
        })
    }
}

/// `host:port`, with `amqps://` before it where there is TLS.
impl std::fmt::Display for AmqpEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.tls {
            Some(true) => write!(f, "amqps://{}", self.address),
            _ => self.address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read() {
        for (url, expected, tls) in [
            ("amqp://10.0.0.1:5672", "10.0.0.1:5672", Some(false)),
            ("amqp://broker/", "broker:5672", Some(false)),
            ("amqps://broker:5671", "amqps://broker:5671", Some(true)),
            ("amqps://broker", "amqps://broker:5671", Some(true)),
            ("broker", "broker:5672", None),
            ("127.0.0.1:15672", "127.0.0.1:15672", None),
            ("[::1]", "[::1]:5672", None),
            ("amqps://[::1]:5671", "amqps://[::1]:5671", Some(true)),
        ] {
            let endpoint: AmqpEndpoint = url.parse().unwrap();
            assert_eq!((endpoint.to_string().as_str(), endpoint.tls), (expected, tls), "{url}");
        }
        let user = "amqp://user:word@broker".parse::<AmqpEndpoint>();
        assert_eq!(user, Err(InvalidEndpoint::User));
        // A port that is none is not another one.
        for url in [
            "",
            "amqp://",
            "amqps://",
            "http://broker",
            "amqp://a/b",
            "broker:0",
            "broker:99999",
            "broker:56x",
            "broker:",
            "a b",
        ] {
            assert_eq!(url.parse::<AmqpEndpoint>(), Err(InvalidEndpoint::Malformed), "{url}");
        }
    }

    #[test]
    fn nothing_said_of_tls_means_as_the_stack() {
        let read = |url: &str| url.parse::<AmqpEndpoint>().unwrap();
        let (with, without) = (read("amqps://own"), read("amqp://own"));
        for (named, own, expected) in [
            ("a", Some(&with), "amqps://a:5671"),
            ("a", Some(&without), "a:5672"),
            ("a", None, "a:5672"),
            ("amqp://a", Some(&with), "a:5671"),
            ("amqps://a", Some(&without), "amqps://a:5672"),
            ("amqps://a", None, "amqps://a:5671"),
            ("amqps://a:1", Some(&without), "amqps://a:1"),
        ] {
            assert_eq!(read(named).like(own).to_string(), expected);
        }
    }
}

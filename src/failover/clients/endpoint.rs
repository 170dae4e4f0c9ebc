//! Where the load's clients connect, and whether they speak TLS there.

use crate::model::Engine;
use crate::stack::{Address, Endpoint, Parts, Protocol};

/// Where an AMQP service answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmqpEndpoint {
    /// Host and port.
    pub address: Address,
    /// Whether clients speak TLS; absent when nothing was said of it, and then they do as with the stack's own.
    pub tls: Option<bool>,
}

/// A text that names no AMQP service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// It holds a user, or even a password.
    #[error("leave the user out: it comes from the stack's secret")]
    User,
    /// It holds something else than scheme, host and port.
    #[error("such as amqp://127.0.0.1:5672")]
    Malformed,
}

impl AmqpEndpoint {
    /// The stack's own; `None` when the service is off.
    #[must_use]
    pub fn of(parts: &Parts) -> Option<Self> {
        let Endpoint { address, .. } = parts.endpoint(Protocol::Amqp)?;
        Some(Self {
            address: address.clone(),
            tls: Some(parts.certificate.is_some()),
        })
    }

    /// This one; where nothing was said of TLS, it is as with the stack's own.
    #[must_use]
    pub fn like(self, own: Option<&Self>) -> Self {
        let tls = self.tls.or_else(|| own.and_then(|own| own.tls));
        Self { tls, ..self }
    }
}

/// Reads `amqp://host:port`, `amqps://host:port` or `host:port`; the port may be left out.
impl std::str::FromStr for AmqpEndpoint {
    type Err = InvalidEndpoint;

    fn from_str(url: &str) -> Result<Self, InvalidEndpoint> {
        let schemes = [("amqp://", false), ("amqps://", true)];
        let known = schemes
            .into_iter()
            .find_map(|(scheme, tls)| Some((Some(tls), url.strip_prefix(scheme)?)));
        let (tls, rest) = known.unwrap_or((None, url));
        let place = rest.strip_suffix('/').unwrap_or(rest);
        if place.contains('@') {
            return Err(InvalidEndpoint::User);
        }
        // The stack's listener has the same with TLS.
        let with_port = || Address::parse(&format!("{place}:{}", Engine::default().facts().amqp_port));
        let address = Address::parse(place).or_else(|_| with_port());
        let address = address.map_err(|_| InvalidEndpoint::Malformed)?;
        Ok(Self { address, tls })
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
            ("a", Some(&with), "amqps://a:5672"),
            ("a", Some(&without), "a:5672"),
            ("a", None, "a:5672"),
            ("amqp://a", Some(&with), "a:5672"),
            ("amqps://a", Some(&without), "amqps://a:5672"),
        ] {
            assert_eq!(read(named).like(own).to_string(), expected);
        }
    }
}

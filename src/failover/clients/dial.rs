//! Which driver speaks to an endpoint: the one place that names all of them.

use super::amqp::{Amqp10, AmqpTimes};
use super::amqp091::{Amqp091, Amqp091Times};
use super::client::BrokerDriver;
use super::endpoint::AmqpEndpoint;
use super::tls::{Trust, TrustError};
use secrecy::SecretString;
use std::sync::Arc;

/// Why there is no driver for an endpoint.
#[derive(Debug, thiserror::Error)]
pub enum NoDriver {
    /// It speaks TLS, and what to trust cannot be read.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Its protocol has no messages that are sent and not answered.
    #[error("driver {0} cannot send without waiting for the broker's answer")]
    Confirms(&'static str),
    /// This version has no driver of that name.
    #[error("this version of mqaws has no driver {0}")]
    Unknown(&'static str),
}

/// A driver, by the name that a person asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriverName {
    /// AMQP 0-9-1.
    Amqp091,
    /// AMQP 1.0.
    Amqp10,
}

/// A name that no driver has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be amqp091 or amqp10")]
pub struct UnknownDriver;

impl DriverName {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Amqp091, Self::Amqp10];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Amqp091 => "amqp091",
            Self::Amqp10 => "amqp10",
        }
    }
}

impl std::str::FromStr for DriverName {
    type Err = UnknownDriver;

    fn from_str(word: &str) -> Result<Self, UnknownDriver> {
        let found = Self::ALL.into_iter().find(|name| name.as_str() == word);
        found.ok_or(UnknownDriver)
    }
}

/// The driver for an endpoint, with its user, whose producers wait for confirms or do not; it has not connected yet.
///
/// # Errors
/// [`NoDriver`].
pub(crate) fn driver(
    endpoint: &AmqpEndpoint,
    user: &str,
    password: &SecretString,
    trust: &Trust,
    confirms: bool,
) -> Result<Arc<dyn BrokerDriver>, NoDriver> {
    let address = &endpoint.address;
    let (host, port, password) = (address.host.clone(), address.port, password.clone());
    let tls = endpoint.tls == Some(true);
    let facts = endpoint.driver();
    Ok(match facts.name {
        name @ "amqp10" if !confirms => return Err(NoDriver::Confirms(name)),
        "amqp10" => {
            let client = Amqp10::new(host, port, user, password, AmqpTimes::default()).of(facts);
            Arc::new(match tls {
                true => client.with_tls(trust.towards(&address.host)?),
                false => client,
            })
        }
        "amqp091" => {
            let client = Amqp091::new(host, port, user, password, Amqp091Times::default());
            let client = match tls {
                true => client.with_tls(trust.towards(&address.host)?),
                false => client,
            };
            Arc::new(match confirms {
                true => client,
                false => client.without_confirms(),
            })
        }
        other => return Err(NoDriver::Unknown(other)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Engine;

    #[test]
    fn every_engine_has_the_drivers_that_it_names_and_the_first_by_itself_with_tls_or_without() {
        let addresses = ["lb:5672", "amqps://lb:5671"];
        for (engine, address) in Engine::all().flat_map(|engine| addresses.map(|address| (engine, address))) {
            let named: AmqpEndpoint = address.parse().unwrap();
            let endpoint = named.of_engine(engine);
            let made = |endpoint: &AmqpEndpoint| {
                let made = driver(endpoint, "app", &"secret".into(), &Trust::default(), true);
                made.unwrap().name()
            };
            assert_eq!(made(&endpoint), engine.facts().drivers[0].name);
            for facts in engine.facts().drivers {
                assert_eq!(made(&endpoint.clone().spoken_to_by(facts)), facts.name);
                assert!(DriverName::ALL.iter().any(|name| name.as_str() == facts.name));
            }
        }
        assert!("amqp".parse::<DriverName>().is_err());
    }
}

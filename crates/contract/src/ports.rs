//! The ports of an engine in the agent's configuration, `mq_port` and the like.

use crate::engine::{EngineFacts, Protocol};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// What a key of the agent's configuration ends with that holds a port.
const KEY: &str = "_port";

/// The TCP ports that an engine listens on, by what is spoken there; one that is switched off is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ports(BTreeMap<String, u16>);

impl Ports {
    /// The key of a protocol's port: `amqp_port`.
    pub fn key(protocol: &Protocol) -> String {
        format!("{}{KEY}", protocol.word)
    }

    /// The port of a protocol.
    pub fn of(&self, protocol: &Protocol) -> Option<u16> {
        self.0.get(protocol.word).copied()
    }

    /// All ports, in the order of the words of what is spoken there.
    pub fn all(&self) -> impl Iterator<Item = u16> {
        self.0.values().copied()
    }

    /// Gives a protocol a port.
    pub fn set(&mut self, protocol: &Protocol, port: u16) {
        self.0.insert(protocol.word.to_owned(), port);
    }

    /// The key of a port that an engine always has, and that is not here.
    pub fn missing(&self, engine: &EngineFacts) -> Option<String> {
        let mut always = engine.endpoints.iter().filter(|endpoint| endpoint.when.is_none());
        let missing = always.find(|endpoint| self.of(&endpoint.protocol).is_none());
        missing.map(|endpoint| Self::key(&endpoint.protocol))
    }
}

impl Serialize for Ports {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(word, port)| (format!("{word}{KEY}"), port)))
    }
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Read)
    }
}

/// Reads the ports among whatever else there is: readers pass over what they do not know.
struct Read;

impl<'de> Visitor<'de> for Read {
    type Value = Ports;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ports")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Ports, M::Error> {
        let mut ports = Ports::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.strip_suffix(KEY) {
                Some(word) => {
                    let port: Option<u16> = map.next_value()?;
                    ports.0.extend(port.map(|port| (word.to_owned(), port)));
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(ports)
    }
}

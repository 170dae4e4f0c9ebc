//! The engines by one list, and what both sides of a deployment must know of each alike.

mod driver;
mod facts;
mod ibm_mq;
pub mod rabbitmq;
mod version;

pub use driver::DriverFacts;
pub use facts::{AMQP, CHECK_PATH, CHECK_PORT, Check, Endpoint, EngineFacts, Local, Notation, Protocol, Switch};
pub use ibm_mq::{IBM_MQ, MQ};
pub use rabbitmq::RABBITMQ;
pub use version::Order;

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// The engines of this version, the default one first: the one table.
pub const ENGINES: &[&EngineFacts] = &[&IBM_MQ, &RABBITMQ];

/// The word of an engine, which this version need not know. The default is that of the engine that there was before there were several.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EngineKind(Cow<'static, str>);

impl EngineKind {
    /// That of an engine.
    pub const fn of(engine: &'static EngineFacts) -> Self {
        Self(Cow::Borrowed(engine.word))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is known of an engine that this version knows.
    pub fn facts(&self) -> Option<&'static EngineFacts> {
        ENGINES.iter().copied().find(|facts| facts.word == self.0)
    }
}

impl Default for EngineKind {
    fn default() -> Self {
        Self::of(ENGINES[0])
    }
}

impl From<&str> for EngineKind {
    fn from(word: &str) -> Self {
        Self(Cow::Owned(word.to_owned()))
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_engine_is_read_from_its_word_and_has_facts_and_no_other_word_is_one() {
        for facts in ENGINES {
            let kind = EngineKind::from(facts.word);
            assert_eq!((kind.clone(), kind.as_str()), (EngineKind::of(facts), facts.word));
            assert_eq!(kind.facts().map(|found| found.word), Some(facts.word));
        }
        for word in ["", "ibm", "IBM-MQ", "activemq"] {
            let kind = EngineKind::from(word);
            assert_eq!((kind.as_str(), kind.facts().is_none()), (word, true));
        }
    }

    #[test]
    fn no_two_endpoints_of_an_engine_have_a_port_or_a_name_in_common() {
        for engine in ENGINES {
            let each = engine.endpoints;
            assert!(each.first().is_some_and(|own| own.when.is_none()), "{}", engine.word);
            let ports: BTreeSet<u16> = each.iter().map(|endpoint| endpoint.port).collect();
            let words: BTreeSet<&str> = each.iter().map(|endpoint| endpoint.protocol.word).collect();
            let parts: BTreeSet<&str> = each.iter().map(|endpoint| endpoint.protocol.part).collect();
            let keys: BTreeSet<&str> = each.iter().map(|endpoint| endpoint.protocol.notation.key).collect();
            let lengths = [ports.len(), words.len(), parts.len(), keys.len()];
            assert_eq!(lengths, [each.len(); 4], "{}", engine.word);
            // A rule of a security group is for both.
            for one in each {
                let apart = one.tls_port.map_or(0, |tls| tls.abs_diff(one.port));
                assert!(apart <= 1, "{}: {}", engine.word, one.port);
            }
        }
    }
}

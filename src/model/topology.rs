//! The name of a way to make a queue manager highly available.

use super::agent;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::sync::OnceLock;

/// Names of this version's topologies, and the line of each in the schema; the first is the default.
const NAMES: &[(&str, &str)] = &[
    ("single", "One instance, replaced in either zone, on the same data."),
    (
        "standby",
        "Two instances in two zones on the same data: one is active, the other is ready to take over.",
    ),
];

static BROUGHT: OnceLock<&'static str> = OnceLock::new();

/// The name of a topology that this program has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topology(&'static str);

impl Topology {
    /// That of unit tests, which no user can configure.
    #[cfg(test)]
    pub(crate) const TOY: Self = Self("toy");

    /// Every topology that can be configured.
    pub fn all() -> impl Iterator<Item = Self> {
        let own = NAMES.iter().map(|(name, _)| *name);
        own.chain(BROUGHT.get().copied()).map(Self)
    }

    /// The topology that a word names.
    pub fn of(word: &str) -> Option<Self> {
        #[cfg(test)]
        if word == Self::TOY.0 {
            return Some(Self::TOY);
        }
        Self::all().find(|topology| topology.0 == word)
    }

    /// The word that the file, the agent and people use.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Adds a name to those of this version, once in a program's life; whether it could be.
    pub(crate) fn bring(name: &'static str) -> bool {
        Self::of(name).is_none() && BROUGHT.set(name).is_ok()
    }
}

impl Default for Topology {
    fn default() -> Self {
        Self(NAMES[0].0)
    }
}

impl From<Topology> for agent::Topology {
    fn from(topology: Topology) -> Self {
        topology.0.into()
    }
}

impl Serialize for Topology {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Topology {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Self::of(&word).ok_or_else(|| de::Error::custom(format!("unknown topology `{word}`")))
    }
}

impl JsonSchema for Topology {
    fn schema_name() -> Cow<'static, str> {
        "Topology".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let each: Vec<_> = NAMES
            .iter()
            .map(|(name, line)| serde_json::json!({"type": "string", "const": name, "description": line}))
            .collect();
        json_schema!({"oneOf": each, "description": "Topology that makes the queue manager highly available."})
    }
}

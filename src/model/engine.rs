//! An engine: what a queue manager is made of, and an image holds.

use mqaws_contract::engine::{ENGINES, EngineFacts, EngineKind};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

static BROUGHT: OnceLock<&'static EngineFacts> = OnceLock::new();

/// An engine that this program knows.
#[derive(Clone, Copy)]
pub struct Engine(&'static EngineFacts);

impl Engine {
    /// Every engine that can be configured.
    pub fn all() -> impl Iterator<Item = Self> {
        ENGINES.iter().chain(BROUGHT.get()).copied().map(Self)
    }

    /// The engine that a word names.
    pub fn of(word: &str) -> Option<Self> {
        Self::all().find(|engine| engine.as_str() == word)
    }

    /// Adds an engine to those of this version, for the rest of the program's life.
    ///
    /// For programs that embed the library: what they deploy, observe and test may then be made of it. The agent on the instance must
    /// know it too.
    ///
    /// # Errors
    /// The engine, when there is one of its word or another one was added before.
    pub fn bring(facts: &'static EngineFacts) -> Result<(), &'static EngineFacts> {
        match Self::of(facts.word) {
            Some(_) => Err(facts),
            None => BROUGHT.set(facts),
        }
    }

    /// One of unit tests, which no user can configure.
    #[cfg(test)]
    pub(crate) const fn toy(facts: &'static EngineFacts) -> Self {
        Self(facts)
    }

    /// The word that the file, the tags and the scripts use.
    pub const fn as_str(self) -> &'static str {
        self.0.word
    }

    /// Whether it comes as a package that the user has, with a licence to accept; else the distribution has it.
    pub const fn is_licensed(self) -> bool {
        self.0.licence.is_some()
    }

    /// It, as the agent's configuration names it.
    pub const fn kind(self) -> EngineKind {
        EngineKind::of(self.0)
    }

    /// What both sides of a deployment know of it.
    pub const fn facts(self) -> &'static EngineFacts {
        self.0
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self(ENGINES[0])
    }
}

impl PartialEq for Engine {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Engine {}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Engine").field(&self.as_str()).finish()
    }
}

impl Serialize for Engine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Engine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Self::of(&word).ok_or_else(|| de::Error::custom(format!("unknown engine `{word}`")))
    }
}

impl JsonSchema for Engine {
    fn schema_name() -> Cow<'static, str> {
        "Engine".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let each: Vec<_> = ENGINES
            .iter()
            .map(|facts| serde_json::json!({"type": "string", "const": facts.word, "description": facts.line}))
            .collect();
        json_schema!({"oneOf": each, "description": "Engine of a queue manager or an image."})
    }
}

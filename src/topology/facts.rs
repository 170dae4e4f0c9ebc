//! What a topology is made of.

use crate::model::Engine;

/// What a topology is made of.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The word of the configuration, the stack's tag and the agent.
    pub name: &'static str,
    /// One line for whoever writes a configuration.
    pub summary: &'static str,
    /// One line for whoever reads the template.
    pub description: &'static str,
    /// The members, in the order of their zones.
    pub members: &'static [Member],
    /// Who decides which member may write.
    pub arbiter: Arbiter,
    /// The engines that it takes.
    pub engines: Engines,
    /// Whether nobody serves while a member is without an instance that does.
    pub alone: bool,
}

/// A place that at most one instance at a time sits on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Logical id of its Auto Scaling group.
    pub group: &'static str,
}

/// The engines that a topology takes.
#[derive(Debug, Clone, Copy)]
pub enum Engines {
    /// Any engine.
    Any,
    /// These alone, by their words.
    Only(&'static [&'static str]),
}

impl Engines {
    /// Whether it takes this one.
    pub fn take(self, engine: Engine) -> bool {
        match self {
            Self::Any => true,
            Self::Only(words) => words.contains(&engine.as_str()),
        }
    }
}

/// Who decides which member may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arbiter {
    /// The owner record on the shared file system: see the agent's module `fence`.
    OwnerRecord,
}

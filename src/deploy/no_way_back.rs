//! Whether a change takes the data to an engine level from which the engine that has them now cannot come back to them, or to one that
//! cannot use them.

use crate::model::agent::AgentStatus;
use crate::model::{Engine, InstanceId, Topology};
use crate::topology::{self, Role};
use serde::Serialize;
use std::fmt;

/// A change to a higher level of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoWayBack {
    /// The engine that has the data now, as its agent names it.
    pub from: String,
    /// Version of the engine in the new image.
    pub to: String,
}

impl NoWayBack {
    /// What an image with this version of the engine does to data that the other version has.
    pub(super) fn of(engine: Engine, from: &str, to: &str) -> Option<Self> {
        let (order, from, to) = (engine.facts().order, from.to_owned(), to.to_owned());
        (order.is_older)(&from, &to).then_some(Self { from, to })
    }
}

/// A change to a level of the engine with which the agent will not start the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unusable {
    /// The engine that has the data now, as its agent names it.
    pub from: String,
    /// Version of the engine in the new image.
    pub to: String,
    /// The agent's own words.
    pub why: String,
}

impl Unusable {
    /// What the agent of an image with this version of the engine says about data that the other version has.
    pub(super) fn of(engine: Engine, from: &str, to: &str) -> Option<Self> {
        let why = engine.facts().order.refuses(to, from)?;
        let (from, to) = (from.to_owned(), to.to_owned());
        Some(Self { from, to, why })
    }
}

/// The version of the engine that has the data: that of the active agent; `None` where it is unknown.
pub(super) fn active_version(topology: Topology, agents: &[(InstanceId, AgentStatus)]) -> Option<&str> {
    let topology = topology::of(topology);
    let mut active = agents.iter().filter(|(_, agent)| topology.role(agent) == Role::Active);
    active.next()?.1.engine_version.as_deref()
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the agent of the new image will not start the queue manager: {}",
            self.why
        )
    }
}

impl fmt::Display for NoWayBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(
            f,
            "there is no way back from the higher engine level {to}: once the queue manager has run on it, an image with {from} cannot use the data"
        )
    }
}

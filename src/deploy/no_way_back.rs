//! Whether a change takes the data to an engine level from which the engine that has them now cannot come back to them.

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
    /// What an image with this version of the engine does to data that these agents' engines have; `None` also where either version is
    /// unknown.
    pub(super) fn of(
        topology: Topology,
        engine: Engine,
        agents: &[(InstanceId, AgentStatus)],
        to: Option<&str>,
    ) -> Option<Self> {
        let topology = topology::of(topology);
        let mut active = agents.iter().filter(|(_, agent)| topology.role(agent) == Role::Active);
        let (from, to) = (active.next()?.1.engine_version.clone()?, to?.to_owned());
        (engine.facts().is_older)(&from, &to).then_some(Self { from, to })
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

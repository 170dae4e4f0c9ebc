//! Ways to make a queue manager highly available, one folder each; pure.
//!
//! A topology answers three questions: where the data is, who decides which member may write, and how clients find it. Its folder
//! owns all that follows from the answers; [`Topology`] is what others may ask, and [`of`] the one table from the
//! configuration's word to who answers.

pub mod bound;
mod change;
mod facts;
mod fault;
mod injection;
mod questions;
mod role;
mod shared_data;
mod single;
mod standby;
#[cfg(test)]
mod toy;

pub use change::{Anchored, Change, Detail, Effect, FILE_SYSTEM, GROUP, Meaning};
pub use facts::{Arbiter, Engines, Facts, Member};
pub use fault::{Cut, Fault, NOTICED, Restart, Stand, Term, UnknownFault};
pub use injection::{FaultFacts, Injector, Lasts, Site};
pub use questions::{Builder, PlannedMove, Topology};
pub use role::{Role, Seen};

use crate::model;
use std::sync::OnceLock;

/// The topologies of this version: the one table.
const TOPOLOGIES: &[&dyn Topology] = &[
    &single::Single,
    &standby::Standby,
    #[cfg(test)]
    &toy::Toy,
];

static BROUGHT: OnceLock<&'static dyn Topology> = OnceLock::new();

/// Adds a topology to those of this version, for the rest of the program's life.
///
/// For programs that embed the library: what they deploy, observe and test may then be of it. The agent on the instance must know
/// the name too.
///
/// # Errors
/// The topology, when there is one of its name or another one was added before.
pub fn bring(topology: &'static dyn Topology) -> Result<(), &'static dyn Topology> {
    match model::Topology::bring(topology.facts().name) {
        true => BROUGHT.set(topology),
        false => Err(topology),
    }
}

/// The topology of a name.
pub fn of(name: model::Topology) -> &'static dyn Topology {
    let all = TOPOLOGIES.iter().chain(BROUGHT.get()).copied();
    let mut named = all.filter(|topology| topology.facts().name == name.as_str());
    named.next().expect("every name that there is has a row")
}

#[cfg(test)]
pub(crate) mod tests;

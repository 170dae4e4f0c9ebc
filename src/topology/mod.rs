//! Ways to make a queue manager highly available, one folder each; pure.
//!
//! A topology answers three questions: where the data is, who decides which member may write, and how clients find it. Its folder
//! owns all that follows from the answers; [`Topology`] is what others may ask, and [`of`] the one table from the
//! configuration's word to who answers.

mod change;
mod facts;
mod fault;
mod questions;
mod role;
mod single;
#[cfg(test)]
mod toy;

pub use change::{Anchored, Change, Detail, Effect, FILE_SYSTEM, GROUP, Meaning};
pub use facts::{Arbiter, Facts, Member, Storage};
pub use fault::{Cut, Fault, Loss, NOTICED, Restart, Stand, Term, UnknownFault};
pub use questions::{Builder, Topology};
pub use role::{Role, Seen};

use crate::model;

/// The topology of a name: the one table.
pub fn of(name: model::Topology) -> &'static dyn Topology {
    match name {
        model::Topology::Single => &single::Single,
        #[cfg(test)]
        model::Topology::Toy => &toy::Toy,
    }
}

#[cfg(test)]
pub(crate) mod tests;

//! A model of an outage, term by term: what its parts take at least, and what they may take by their defaults. No measurement.
//!
//! A term of a topology consists of parameters ([`parameters`]), each with its source: a key of the configuration, the agent, the template, an
//! assumption where no documentation has a value, or a user's file of measured values ([`replace`]). Which of them a term consists of
//! depends on the course that the outage takes ([`Course`]), the proof among it: what is released needs no lease to end. A poll with
//! interval *I* that needs *N* results notices after (*N* - 1) *I* at least, and after *N* *I* and its own timeout at most.

mod course;
mod outage;
mod parameters;
mod range;
mod reconnect;
mod values;

pub use course::{Course, usual};
pub use outage::{Bound, ModeledTerm, bound};
pub use parameters::{Parameter, parameters};
pub use range::Range;
pub use reconnect::{RECONNECTS, Reconnect};
pub use values::{InvalidValue, Measured, replace};

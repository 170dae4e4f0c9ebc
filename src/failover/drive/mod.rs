//! Doing a test: everything with an effect.
//!
//! Reading order: [`run()`] is a whole test from the first question to the last clean-up, `session` its rounds, [`load`] the workers of a
//! round and [`round`] what they share. [`port`] is what all this needs of the cloud, [`error`] what can keep a test from running.

mod check;
mod depth;
mod drain;
pub mod error;
mod fill;
mod holder;
mod inject;
pub mod journal;
pub mod load;
pub mod plan;
pub mod port;
mod preface;
pub(crate) mod preflight;
mod recovery;
pub mod round;
pub(crate) mod run;
mod session;
mod turn;

pub use plan::Plan;
pub use run::{Stop, Watch, heal, never, plan, run, untested};

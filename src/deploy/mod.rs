//! Plan, change set, review, execute, settle; destroy.
//!
//! A plan is so specific that executing it needs no more choices: [`ports::Blueprint`] holds the template's text and every
//! parameter. What a change set would do is a [`Review`]; what it does is followed by a [`Tracker`]; why it failed is
//! found by [`cause::root_cause`]. These are pure; the calls are behind [`ports`].

mod adopt;
mod blocked;
mod blueprint;
pub mod cause;
mod deletion;
mod destroy;
mod doomed;
mod error;
mod execute;
pub mod finding;
mod instances;
mod kept;
mod left;
mod moving;
mod network;
mod no_way_back;
mod plan;
pub mod ports;
pub mod progress;
mod renewal;
mod resolve;
pub mod review;
mod service;
pub mod stake;
mod standing;
mod storage;
mod undo;
mod watch;
mod witness;

#[cfg(test)]
mod tests;

pub use adopt::{AdoptError, Adoption, Adopts, carry_out};
pub use blueprint::blueprint;
pub use deletion::{StorageError, deletable, delete_kept};
pub use destroy::{Removal, destroy, find};
pub use doomed::Doom;
pub use error::DeployError;
pub use execute::{Settled, execute};
pub use moving::{Move, MoveError, Moved, Moves, begin_move, carry_out_move, prepare_move};
pub use no_way_back::{NoWayBack, Unusable};
pub use plan::{CLEARED, Consent, Plan, abandon, plan};
pub use ports::Blueprint;
pub use progress::{News, Tracker, Verb, Work};
pub use renewal::Renewal;
pub use review::{Effect, Review};
pub use service::{Dial, Evidence, REBALANCE, Service, Tcp, await_service, protect, suspend_rebalance};
pub use storage::{kept_everywhere, kept_of};
pub use watch::{Observer, Pace, Step, Stop};

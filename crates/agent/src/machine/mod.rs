//! The agent's state machine: event in, actions out. Pure: no clock, no file, no process.
//!
//! [`Machine::handle`] takes an [`Event`] and the time and returns [`Action`]s. Work that takes time is an action too
//! ([`Action::Do`]) and comes back as exactly one [`Event::Done`]. Each piece of work carries the *generation* in which it
//! was ordered; whenever the machine drops what it was doing (death, drain, lost lock), the generation rises, and late
//! results of the old one are ignored.

mod core;
mod ending;
mod event;
mod fencing;
mod policy;
mod serving;
#[cfg(test)]
mod tests;

pub use core::{Machine, View};
pub use event::{
    Action, ClaimError, Decision, DrainReason, EngineFailure, EngineInfo, Event, FailureKind, Health, Identity,
    KeeperEvent, KeeperState, Looked, Ordered, Outcome, SignalResult, State, Timer, Work,
};
pub use policy::Policy;

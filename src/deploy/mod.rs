//! Plan, change set, review, execute, settle; destroy.
//!
//! A plan is so specific that executing it needs no more choices: [`ports::Blueprint`] holds the template's text and every
//! parameter. What a change set would do is a [`Review`]; what it does is followed by a [`Tracker`]; why it failed is
//! found by [`cause::root_cause`]. These are pure; the calls are behind [`ports`].

pub mod cause;
pub mod ports;
pub mod progress;
pub mod review;

pub use progress::{News, Tracker, Verb};
pub use review::{Effect, Review};

//! Whether an objective of availability is met, from the rounds of failover tests; pure.
//!
//! Reading order: [`Inputs`] is what is not measured; `measured` picks the outages of the reports; `simulate` draws years; [`Answer`] is the
//! document, and [`text`](text()) shows it to people. The generator is the room's own, so that a seed gives the same answer in every version.

mod answer;
mod inputs;
mod limits;
mod measured;
mod random;
mod simulate;
mod text;
mod words;

pub use answer::{Answer, Fit, Interval, Outages, Planned, SCHEMA, Unplanned, answer};
pub use inputs::{DEFAULT_FAULTS, DEFAULT_OBJECTIVE, DEFAULT_SWAPS, Inputs, InvalidRate, Rate, Source, Swaps};
pub use measured::NoAnswer;
pub use text::text;

#[cfg(test)]
mod tests;

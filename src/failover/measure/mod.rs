//! What is measured, and what follows from it: pure. Nothing here knows a clock, a network or a file; all of it is tested against oracles.
//!
//! Reading order: [`id`] is the identity of a message; [`ledger`] writes down every message, [`account`] counts them by class, [`gap`]
//! finds the outage of each worker, [`phases`] says where its seconds went, [`latency`] when service is full again, `at_rest` compares
//! with the broker's own count, [`unsent`] looks for slots that nothing explains, [`verdict`] judges all of it by [`limits`],
//! [`spread`] the outages of a fault's rounds together, and [`shift`] those of two tests.

pub mod account;
pub(crate) mod at_rest;
pub mod connection;
mod copies;
mod entry;
pub mod gap;
pub mod id;
mod lane;
pub mod latency;
pub mod ledger;
pub mod limits;
pub mod link;
pub mod pack;
pub mod phases;
mod repeat;
pub(crate) mod round_end;
pub mod series;
pub mod shift;
pub mod spread;
pub(crate) mod targets;
pub mod unsent;
pub mod verdict;

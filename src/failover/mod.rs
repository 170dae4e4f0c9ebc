//! The failover test: load, faults, ledger, verdict, report.
//!
//! Reading order: [`Scenario`] says what is done; [`run`] does it; [`Report`] says what came of it; [`text`] shows it to people.
//! Underneath, [`ledger`] writes down every message, [`account`] counts them by class, [`gap`] finds the outage of each worker,
//! [`phases`] says where its seconds went, [`verdict`] judges. These know no clock and no network and are tested against oracles.
//! [`client`] and [`port`] are what the test needs of a broker and of the cloud.

pub mod account;
pub mod client;
mod error;
pub mod gap;
pub mod id;
pub mod ledger;
pub mod pack;
pub mod phases;
pub mod port;
pub mod report;
mod scenario;
pub mod verdict;

pub use error::FailoverError;
pub use report::Report;
pub use scenario::{Consent, Duplicates, Fault, Limits, Load, Pace, Scenario, UnknownFault};

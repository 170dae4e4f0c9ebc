//! The failover test: load, faults, ledger, verdict, report.
//!
//! Reading order: [`Scenario`] says what is done; [`run()`] does it; [`Report`] says what came of it; [`text`] shows it to people.
//! Underneath, [`ledger`] writes down every message, [`account`] counts them by class, [`gap`] finds the outage of each worker,
//! [`phases`] says where its seconds went, [`verdict`] judges. These know no clock and no network and are tested against oracles.
//! [`client`] and [`port`] are what the test needs of a broker and of the cloud.

pub mod account;
pub mod amqp;
pub mod archive;
mod assemble;
mod check;
pub mod client;
mod conclude;
mod depth;
mod drain;
pub mod endpoint;
mod ends;
mod entry;
mod error;
mod fill;
pub mod gap;
mod heard;
mod holder;
pub mod id;
mod inject;
mod journal;
mod lane;
pub mod ledger;
pub mod link;
pub mod load;
mod observed;
pub mod pack;
pub mod phases;
pub mod port;
mod preface;
mod preflight;
mod recovery;
mod repeat;
pub mod report;
pub mod round;
mod run;
mod scenario;
mod session;
pub mod text;
pub mod tls;
mod turn;
pub mod unsent;
pub mod verdict;

#[cfg(test)]
mod calibration;
#[cfg(test)]
mod sky;
#[cfg(test)]
pub(crate) mod toy;
#[cfg(test)]
mod trial;
#[cfg(test)]
mod turns;

pub use conclude::schema;
pub use error::FailoverError;
pub use journal::Journal;
pub use report::Report;
pub use run::{Stop, Watch, heal, never, run};
pub use scenario::{Consent, Duplicates, Fault, Limits, Load, Pace, Scenario, Times, UnknownFault};
pub use tls::Trust;

//! What came of a test, as a document and for people: pure but for the files that it is written into.
//!
//! Reading order: [`Report`] is the document; `assemble` makes one of its rounds from what was observed, `conclude` the end of it; [`archive`]
//! is the file of ledgers beside it, [`text`] what people see, [`markdown`] the same for a page, and [`junit`] for a program that counts
//! tests; [`compare`] sets two reports side by side.

pub mod archive;
mod assemble;
mod by_fault;
pub mod compare;
mod complaints;
mod conclude;
mod document;
pub mod junit;
pub mod markdown;
pub mod matrix;
mod modeled;
mod parse;
#[cfg(test)]
pub(crate) mod samples;
pub mod text;
mod timeline;

pub(crate) use assemble::{Observations, assemble, host, rfc3339};
pub(crate) use by_fault::outage;
pub use complaints::complaints;
pub use conclude::{loss_chance_bound, schema};
pub use document::{
    AssumedDelay, Broken, BrokerCount, DriverInfo, Engine, Entry, FIRST, FaultRecord, FaultSummary, Host, Latency,
    NotRun, Place, Report, Response, Rto, RtoSummary, Run, SCHEMA, Stall, Summary, Unwritten,
};
pub use modeled::{Model, ModeledPart};
pub use parse::NotAReport;

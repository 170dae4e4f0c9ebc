//! The failover test: load, faults, ledger, verdict, report.
//!
//! Reading order: [`Scenario`] says what is done; [`run()`] does it; [`Report`] says what came of it; [`text`] shows it to people.
//!
//! There are six rooms, and `tests/pure/walls.rs` keeps the walls between them:
//!
//! 1. [`measure`]: what is measured and what follows from it; pure;
//! 2. [`clients`]: how a broker is spoken to, one file a driver; names `measure`;
//! 3. [`report`]: what came of it; names `measure`, and the [`scenario`] that was asked for;
//! 4. [`slo`]: whether an objective of availability is met; names `report` and `measure`; pure;
//! 5. [`page`]: the report as one page for a browser; names `slo` and those before it; pure;
//! 6. [`drive`]: the effects; names all of them, and the cloud by its [`port`].

pub mod clients;
pub mod drive;
pub mod measure;
pub mod page;
pub mod report;
pub mod scenario;
pub mod slo;

#[cfg(test)]
mod tests;

pub use crate::topology::{Fault, UnknownFault};
pub use clients::dial::DriverName;
pub use clients::endpoint;
pub use clients::tls::Trust;
pub use drive::error::FailoverError;
pub use drive::journal::Journal;
pub use drive::{Plan, Stop, Watch, heal, never, plan, port, run, untested};
pub use measure::limits::{Duplicates, Limits};
pub use measure::verdict;
pub use report::{Report, archive, matrix, schema, text};
pub use scenario::{Consent, Faults, Load, Pace, Scenario, Times};

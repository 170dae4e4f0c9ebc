//! AWS clients: the only place that names an SDK type.
//!
//! `Clients` holds the configuration of one account, region and endpoint. Adapters in this module implement the ports
//! that `deploy`, `observe` and `failover` declare; every error leaves as `AwsError`, which says what to do about it.
//! [`signed`] is what the agent uses in place of an SDK.

pub mod signed;

#[cfg(feature = "cli")]
mod clients;
#[cfg(feature = "cli")]
mod error;
#[cfg(feature = "cli")]
mod http;

#[cfg(feature = "cli")]
pub use clients::{Choice, Clients, Identity, LocalCloud};
#[cfg(feature = "cli")]
pub use error::{AwsError, Problem};

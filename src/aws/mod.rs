//! AWS clients: the only place that names an SDK type.
//!
//! `Clients` holds the configuration of one account, region and endpoint. Adapters in this module implement the ports
//! that `deploy`, `observe`, `failover` and `image` declare; every error leaves as `AwsError`, which says what to do about it.
//! [`signed`] is what the agent uses in place of an SDK.

pub mod signed;

#[cfg(feature = "cli")]
mod clients;
#[cfg(feature = "cli")]
mod command;
#[cfg(feature = "cli")]
mod error;
#[cfg(feature = "cli")]
mod failover;
#[cfg(feature = "cli")]
mod http;
#[cfg(feature = "cli")]
mod images;
#[cfg(feature = "cli")]
mod networks;
#[cfg(feature = "cli")]
mod readings;
#[cfg(feature = "cli")]
mod stacks;
#[cfg(feature = "cli")]
mod surroundings;
#[cfg(feature = "cli")]
mod turns;

#[cfg(feature = "cli")]
pub use clients::{Choice, Clients, Identity, LocalCloud};
#[cfg(feature = "cli")]
pub use error::{AwsError, Problem};
#[cfg(feature = "cli")]
pub use networks::{Vpc, VpcSubnet};

/// An instant as AWS writes it; `None` outside the years that a clock shows.
#[cfg(feature = "cli")]
fn time(at: &aws_smithy_types::DateTime) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_nanosecond(at.as_nanos()).ok()
}

//! AWS clients: the only place that names an SDK type.
//!
//! `Clients` holds the configuration of one account, region and endpoint. Adapters in this module implement the ports
//! that `deploy`, `observe`, `failover` and `image` declare; every error leaves as `AwsError`, which says what to do about it.

mod clients;
mod command;
mod failover;
mod http;
mod images;
mod local_faults;
mod networks;
mod profile;
mod readings;
mod sdk_error;
mod stacks;
mod surroundings;
mod turns;

pub use clients::{Choice, Clients, Identity, LocalCloud};
pub use networks::{Vpc, VpcSubnet};

/// An instant as AWS writes it; `None` outside the years that a clock shows.
fn time(at: &aws_smithy_types::DateTime) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_nanosecond(at.as_nanos()).ok()
}

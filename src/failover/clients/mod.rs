//! Clients of the broker under test, one file a driver, behind the trait in [`client`]. They know messages by [`measure`](super::measure)
//! and nothing of faults, stacks and reports.

pub mod amqp;
pub mod amqp091;
pub mod client;
pub(crate) mod dial;
pub mod endpoint;
mod heard;
pub mod tls;

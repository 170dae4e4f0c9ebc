//! What is there now: reads, never writes, and never takes a failed call for a fact.
//!
//! [`ports::Readings`] declares the calls; [`status::gather`] collects them into a [`status::Report`] in which every
//! part is either a fact or the reason why it could not be read, and [`state`] says in one word what they come to.

pub mod agents;
pub mod ports;
mod size;
pub mod state;
pub mod status;

pub use ports::{
    Alarm, FileSystem, Group, GroupInstance, LoadBalancer, ReadError, Readings, Resource, Stack, StackBusy,
    StackStatus, Target,
};
pub use size::megabytes;

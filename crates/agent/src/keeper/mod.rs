//! The lock keeper: a process of its own that holds the lock and does all the agent's I/O on the shared file system.
//!
//! It outlives the agent, so that the lock lasts as long as anything that can write; the agent talks to it over a unix
//! socket ([`protocol`]) and finds it again after its own restart ([`client`]). It writes the owner record and the sign of
//! life in it; the time that takes is the measurement of the file system. It also runs the engine's commands that write
//! ([`commands`]), so that nothing writes without it. When the lock is lost, or was not proved for T
//! ([`crate::fence::SELF_RESET`]), it resets the host through the port [`super::ports::HostReset`]: nothing else may be
//! trusted to stop an engine that writes.

pub mod client;
pub mod commands;
mod guard;
mod hold;
mod last_proof;
mod order;
pub mod protocol;
mod record;
mod server;
mod shared;
mod socket;
#[cfg(test)]
mod tests;
mod work;

pub(crate) use client::{Keeper, Watch};
pub(crate) use commands::FencedRunner;
pub(crate) use last_proof::guard_file;
pub(crate) use server::{KeeperPorts, run};
pub(crate) use work::{ClaimError, Claimed, KeeperEvent, KeeperOutcome, KeeperState, KeeperWork, Looked};

//! Leases on files of a shared file system: the lab's double of NFSv4 locking.
//!
//! A plain directory frees a lock at once when its holder is killed and never when it is frozen; NFS does neither.
//! Here a closed connection frees the lock while the instance still runs (its kernel closes the file); the lock of an
//! instance that died as a whole is held until the lease ends; a holder that does not renew loses it after the lease.
//!
//! [`table`] is the pure core with a clock as a parameter, [`server`] the JSON lines on loopback.

pub mod server;
pub(crate) mod table;

pub use server::{Hosts, LeaseServer};

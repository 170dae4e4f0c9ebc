//! The port that the keeper declares for the lock on the shared file system.

use serde::{Deserialize, Serialize};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A lock that outlives nothing but its holder and, for the length of a lease, its holder's host.
///
/// What every implementation must do is in [`super::conformance`].
pub trait Lock: Send {
    /// Tries once to obtain the lock; answers at once or after the transport's own bounded time.
    ///
    /// Holding it already is a success.
    ///
    /// # Errors
    /// [`LockError::Busy`] while another holds it; everything else says nothing about who holds it.
    fn acquire(&mut self) -> Result<(), LockError>;

    /// Shows that the lock is still held.
    ///
    /// # Errors
    /// [`LockError::Lost`] when it certainly is not; [`LockError::Unreachable`] when that could not be learned.
    fn renew(&mut self) -> Result<(), LockError>;

    /// Gives the lock back; not holding it is a success.
    ///
    /// # Errors
    /// [`LockError::Unreachable`]; the lease then ends by itself.
    fn release(&mut self) -> Result<(), LockError>;

    /// After how long without a renewal another may obtain the lock.
    fn lease(&self) -> Duration;
}

/// Why a lock is not held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another holds it.
    #[error("the lock is held by {holder}")]
    Busy {
        /// Instance id of the holder, as far as the server tells.
        holder: String,
    },
    /// It was held and is lost: another may have it now.
    #[error("the lock was lost: {0}")]
    Lost(String),
    /// The lock server did not answer.
    #[error("the lock server does not respond")]
    Unreachable(#[source] io::Error),
    /// The lock server answered something that is not in the protocol, or refused; or there is none.
    #[error("no lock: {0}")]
    Refused(String),
}

/// Where the keeper finds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockPlace {
    /// The lease server of the local cloud.
    Lease {
        /// Its address.
        address: SocketAddr,
        /// What it announces as lease.
        lease_ms: u64,
    },
    /// A file on the mounted NFS file system itself.
    Nfs {
        /// What the lease of its server is taken to be.
        lease_ms: u64,
    },
}

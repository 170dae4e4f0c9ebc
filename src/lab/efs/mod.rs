//! EFS of the local cloud: file systems are directories, mount targets decide who may mount, locks are leases.
//!
//! [`Efs`] is the service for `cloud.call("elasticfilesystem", …)`; [`routes`] turns its REST requests into actions;
//! [`Efs::mount`] is the double of `mount.efs`. States change with time and are computed when asked, so there is no
//! task to lose.

mod file_systems;
mod mount;
mod mount_targets;
mod policies;
pub mod routes;
mod service;
mod state;

#[cfg(test)]
mod tests;

pub use mount::{MountRequest, mount_route};
pub use service::{Efs, EfsTiming};

//! EFS of the local cloud: file systems are directories, mount targets decide who may mount, locks are leases.
//!
//! [`Efs`] is the service for `cloud.call("elasticfilesystem", …)`; [`Efs::mount`] is the double of `mount.efs`, reached
//! by [`add_routes`]. States change with time and are computed when asked, so there is no
//! task to lose.

mod file_systems;
mod mount;
mod mount_targets;
mod policies;
mod service;
mod state;

#[cfg(test)]
mod tests;

pub(crate) use mount::{MOUNT, add_routes};
pub(crate) use service::Efs;

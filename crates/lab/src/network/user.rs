//! The user namespace of a lab, in which an ordinary user may make networks.

use super::NetworkError;
use nix::sched::{CloneFlags, unshare};
use std::fs;

/// Moves this process into a user namespace of its own, in which it is root; to be called while it has one thread.
///
/// Root does the same: there, whatever the lab runs has no right to reset the machine (reboot(2) asks for it in the
/// machine's own user namespace), nor to touch its network.
///
/// # Errors
/// [`NetworkError::User`].
pub(crate) fn enter() -> Result<(), NetworkError> {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|e| NetworkError::User(e.into()))?;
    // Without the right to change groups the kernel wants them out of the way before it takes a map.
    for (file, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {} 1", user.as_raw())),
        ("gid_map", format!("0 {} 1", group.as_raw())),
    ] {
        fs::write(format!("/proc/self/{file}"), text).map_err(NetworkError::User)?;
    }
    Ok(())
}

//! The ports of a real host: mount, accounts, the keeper's unit, the init system.
//!
//! Everything here is effects: programs of the system run as commands, files of the kernel and of the init system. Each
//! takes the host's root and, for the tests, the directory of the programs; what is decided in words is decided by pure
//! functions beside it. None of it touches the shared file system: a mount whose server hangs hangs whoever looks at it.

pub(crate) mod accounts;
pub(crate) mod identity;
pub(crate) mod keeper_unit;
pub(crate) mod mount;
pub(crate) mod mount_unit;
pub(crate) mod mountinfo;
pub(crate) mod notify;
pub(crate) mod programs;

pub(crate) use accounts::HostAccounts;
pub(crate) use keeper_unit::KeeperUnit;
pub(crate) use mount::{HostMount, MountTarget, Network};
pub use notify::Systemd;
pub(crate) use programs::Programs;

//! The ports of a real host: mount, accounts, the keeper's unit, the init system.
//!
//! Everything here is effects: programs of the system run as commands, files of the kernel and of the init system. Each
//! takes the host's root and, for the tests, the directory of the programs; what is decided in words is decided by pure
//! functions beside it. None of it touches the shared file system: a mount whose server hangs hangs whoever looks at it.

pub mod accounts;
pub mod identity;
pub mod keeper_unit;
pub mod mount;
pub mod mount_unit;
pub mod mountinfo;
pub mod notify;
pub mod programs;

pub use accounts::HostAccounts;
pub use keeper_unit::KeeperUnit;
pub use mount::{HostMount, MountTarget, Network};
pub use notify::Systemd;
pub use programs::Programs;

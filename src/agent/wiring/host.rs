//! A real host's wiring, as far as it goes.
//!
//! The lock on an NFS file system, the mount and the accounts of a real host are not part of this version: without the lock
//! nothing on a real host may start a queue manager, so the agent refuses to run and says so. Its commands work.

use super::{Wiring, run_command, run_keeper};
use crate::agent::commands::Guard;
use crate::agent::layout::Layout;
use crate::agent::ports::HostReset;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

/// Why the agent does not run on a real host yet.
pub const REFUSAL: &str = "this version has no lock for an NFS file system, and without one it starts no queue manager";

/// The shipped agent. `reset` resets this machine; only the keeper is given it.
pub fn main(args: Vec<OsString>, reset: Arc<dyn HostReset>) -> ExitCode {
    let wiring = Wiring {
        layout: Layout::new("/"),
        mark: None,
        guard: Guard::Tag(super::imds()),
    };
    match args.first().and_then(|a| a.to_str()) {
        Some("__keeper") => run_keeper(&wiring, |_| reset),
        _ => run_command(&wiring, &args, |_| Err(REFUSAL.to_owned())),
    }
}

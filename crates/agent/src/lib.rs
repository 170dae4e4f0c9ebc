//! What runs on the instance: owns one queue manager, keeps it serving, and never writes beside another owner.
//!
//! Reading order: a [`duty`] decides, purely; [`ports`] are what it needs of the world; [`run`] is the main loop and
//! [`work`] what it has done; [`cloud`] implements a port, and `mqaws_engine` has the engines; [`keeper`] is the process that holds
//! the lock; `host` holds the ports of a real host; `only` keeps a second agent off. [`wiring`] puts it all together; [`commands`] is the command line, and `doctor` looks at the
//! image that a host boots from. [`fence`] says who may write, and [`signed`] makes the few calls to AWS.
//!
//! Neither an SDK nor an asynchronous runtime is in here, and nothing of the local cloud.

use crate as agent;
use mqaws_contract::{self as model, remedy};

mod clock;
pub mod cloud;
pub mod commands;
mod doctor;
pub mod duty;
mod faults;
pub mod fence;
mod host;
mod journal;
pub mod keeper;
pub mod layout;
mod logs;
mod marks;
mod metrics;
mod notices;
mod only;
pub mod ports;
pub mod run;
pub mod signed;
mod status;
mod target_check;
mod waits;
pub mod wiring;
pub mod work;

pub use host::Systemd;
pub use wiring::host::main as host_main;

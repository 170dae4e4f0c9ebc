//! What runs on the instance: owns one queue manager, keeps it serving, and never writes beside another owner.
//!
//! Reading order: [`machine`] decides, purely; [`ports`] are what it needs of the world; [`run`] is the main loop and
//! [`work`] what it has done; [`engine`], [`cloud`] and [`processes`] implement ports; [`keeper`] is the process that holds
//! the lock; [`host`] holds the ports of a real host. [`wiring`] puts it all together; [`commands`] is the command line, and [`doctor`] looks at the
//! image that a host boots from. [`fence`] says who may write, and [`signed`] makes the few calls to AWS.
//!
//! Neither an SDK nor an asynchronous runtime is in here, and nothing of the local cloud.

use crate as agent;
use mqaws_contract::{self as model, remedy};

pub mod certificate;
pub mod clock;
pub mod cloud;
pub mod commands;
pub mod doctor;
pub mod engine;
pub mod faults;
pub mod fence;
pub mod host;
pub mod journal;
pub mod keeper;
pub mod layout;
pub mod logs;
pub mod machine;
pub mod marks;
pub mod metrics;
pub mod notices;
pub mod ports;
pub mod processes;
pub mod run;
pub mod signed;
pub mod status;
pub mod tuning;
pub mod waits;
pub mod wiring;
pub mod work;

pub use wiring::host::main as host_main;

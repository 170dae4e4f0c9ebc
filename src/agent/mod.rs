//! What runs on the instance: owns one queue manager, keeps it serving, and never writes beside another owner.
//!
//! Reading order: [`machine`] decides, purely; [`ports`] are what it needs of the world; [`run`] is the main loop and
//! [`work`] what it has done; [`engine`], [`cloud`] and [`processes`] implement ports; [`keeper`] is the process that holds
//! the lock; [`host`] holds the ports of a real host; `only` keeps a second agent off. [`wiring`] puts it all together, for the lab or for a real host; [`commands`] is the command line, and [`doctor`] looks at the
//! image that a host boots from.

pub mod certificate;
pub mod clock;
pub mod cloud;
pub mod commands;
pub mod doctor;
pub mod engine;
pub mod faults;
pub mod host;
pub mod journal;
pub mod keeper;
pub mod layout;
pub mod logs;
pub mod machine;
pub mod marks;
pub mod metrics;
pub mod notices;
mod only;
pub mod ports;
pub mod processes;
pub mod run;
pub mod status;
pub mod tuning;
pub mod waits;
pub mod wiring;
pub mod work;

pub use wiring::host::main as host_main;
pub use wiring::lab::{keeper_main as lab_keeper_main, main as lab_main};

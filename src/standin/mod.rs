//! The stand-in queue manager of the local cloud: a test double.

pub mod commands;
pub mod defect;

mod amqp;
mod audit;
mod broker;
mod home;
mod lock;
mod log;
mod mqsc;
mod network;
mod objects;
mod qmgr;
mod queue;
mod record;
mod writer;

pub use audit::{Audit, EpochRun, audit};
pub use defect::Defect;
pub use qmgr::main as controller_main;

/// Version that the stand-in gives itself: that of the IBM MQ whose behaviour it follows.
pub const VERSION: &str = "9.4.0.0";

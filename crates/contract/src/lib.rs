//! What the packages of mqaws have in common, and nothing that does anything.
//!
//! - [`agent`] is what the deploying side and the agent tell each other: configuration in, status and marks out;
//! - [`engine::ENGINES`] is the list of engines, and [`EngineFacts`] what both sides must know of each alike;
//! - [`verb`] is what may be asked of an agent through Systems Manager, in the classes that IAM can tell apart;
//! - [`InstanceFault`] are the faults that the one tells the other to inject;
//! - [`QueueManagerName`] is the name that both go by, [`InstanceId`] whom they mean ([`AsWritten`], when somebody
//!   else wrote it), and [`PathComponent`] what its directories are named;
//! - [`Partition`] is where a region lies, which says what its ARNs and endpoints are called;
//! - [`lease`] is when a host gives itself up, and how long its successor waits;
//! - [`periods`] are those of the agent with which the deploying side reckons how long an outage takes;
//! - [`mqsc`] reads the lines of the user's own definitions, for the one who checks them and for the stand-in that runs them;
//! - [`remedy`] is what every error knows besides its text: its exit code, what to do next, what was left behind.

pub mod agent;
mod component;
pub mod engine;
mod exit;
mod fault;
pub mod lease;
mod mistake;
pub mod mqsc;
mod names;
mod partition;
pub mod periods;
mod ports;
mod quote;
pub mod remedy;
pub mod verb;
mod words;
mod written;

pub use component::PathComponent;
pub use engine::{EngineFacts, EngineKind};
pub use fault::{FaultOrder, InstanceFault, InvalidOrder};
pub use mistake::Mistake;
pub use names::{InstanceId, InvalidName, QueueManagerName};
pub use partition::Partition;
pub use quote::{clipped, is_obeyed, plain};
pub use words::UnknownWord;
pub use written::AsWritten;

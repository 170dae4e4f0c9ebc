//! What stories share: a private local cloud with a user of its own, calls to it, failover tests in it, hosts of the stand-in,
//! judges from elsewhere. Nothing here is a test.

mod calls;
mod client;
mod cloud;
mod command;
mod failover;
mod forced;
pub mod judge;
mod processes;
mod shipped_agent;
mod standin;

pub use calls::{all, between, call, json_call, own_call, request, run_command};
pub use client::{Client, Put};
pub use cloud::Lab;
pub use command::{LIMIT, Running, Said, said, until};
pub use failover::{failing, runs};
pub use forced::{STACK, forced, wait};
pub use judge::root;
pub use processes::{listening, marked, told_of};
pub use shipped_agent::shipped_agent;
pub use standin::{Host, QUEUE, run};

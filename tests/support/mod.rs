//! What stories share: a private local cloud with a user of its own, calls to it, failover tests in it, hosts of the stand-in,
//! judges from elsewhere. Nothing here is a test.

mod calls;
mod client;
mod cloud;
mod command;
mod failover;
mod forced;
pub(crate) mod judge;
mod processes;
mod shipped_agent;
mod standin;

pub(crate) use calls::{Session, all, between, call, json_call, own_call, request, run_command};
pub(crate) use client::{Client, Put};
pub(crate) use cloud::{Lab, SOFTWARE};
pub(crate) use command::{LIMIT, Running, Said, said, until};
pub(crate) use failover::{failing, runs};
pub(crate) use forced::{STACK, forced, wait};
pub(crate) use judge::root;
pub(crate) use processes::{listening, marked, told_of};
pub(crate) use shipped_agent::{built, shipped_agent};
pub(crate) use standin::{Host, QUEUE, run};

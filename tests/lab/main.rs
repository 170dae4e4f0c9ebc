//! Everything that runs in a private local cloud, or against a judge's double of AWS: deployed, failed over, upgraded, ended.
//!
//! Each test starts a cloud of its own and ends it. So the threads of the test harness are the number of clouds that live at a
//! time, one a core; whoever wants fewer says `RUST_TEST_THREADS`.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used)] // What a story cannot have has failed it.

mod ami;
mod benches;
mod deploy;
mod docs;
mod failover;
mod fence;
mod judges;
mod lies;
mod life;
mod lock;
mod permissions;
mod pipelines;
mod policies;
mod rabbitmq;
mod standby;
mod standin;
mod status;
mod suggestions;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod upgrade;

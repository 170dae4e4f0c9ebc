//! The local cloud: an AWS-compatible endpoint with a real data plane.
//!
//! [`server_main`] is the server process; [`client`] starts, finds and ends labs from outside. Services answer calls of
//! the form that [`api`] describes; how long things take is in [`timing`]. Only the command line starts a lab. It is a
//! server on the other side of HTTP: it names no other crate of mqaws, and starts agents and engines as processes, by name.

pub mod api;
mod autoscaling;
pub mod client;
mod clock;
mod cloudformation;
mod cloudwatch;
pub mod ec2;
mod edge;
mod efs;
mod elbv2;
mod faults;
pub mod home;
pub mod hosts;
mod http;
mod iam;
mod ids;
pub mod instance;
pub mod lease;
mod network;
mod nlb;
pub mod policy;
pub mod process;
mod reaper;
mod secrets;
pub mod server;
mod ssm;
mod start;
mod sts;
pub mod timing;
pub mod wire;

pub use network::Peers;
pub use start::{PORT, REGION, server_main};

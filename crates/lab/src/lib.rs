//! The local cloud: an AWS-compatible endpoint with a real data plane.
//!
//! [`server_main`] is the server process; [`client`] starts, finds and ends labs from outside. Services answer calls of
//! the form that [`api`] describes; how long things take is in [`timing`]. Only the command line starts a lab. It is a
//! server on the other side of HTTP: it names no other crate of mqaws, and starts agents and engines as processes, by name.

pub mod api;
pub mod autoscaling;
pub mod client;
pub mod clock;
pub mod cloudformation;
pub mod cloudwatch;
pub mod ec2;
pub mod edge;
pub mod efs;
pub mod elbv2;
pub mod home;
pub mod hosts;
pub mod iam;
pub mod ids;
pub mod instance;
pub mod lease;
pub mod network;
pub mod nlb;
pub mod policy;
pub mod process;
mod reaper;
pub mod secrets;
pub mod server;
pub mod ssm;
mod start;
pub mod sts;
pub mod timing;
pub mod wire;

pub use start::{PORT, REGION, server_main};

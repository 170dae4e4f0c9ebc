//! The local cloud: an AWS-compatible endpoint with a real data plane.

pub mod api;
pub mod autoscaling;
pub mod clock;
pub mod cloudformation;
pub mod cloudwatch;
pub mod ec2;
pub mod edge;
pub mod efs;
pub mod elbv2;
pub mod iam;
pub mod ids;
pub mod instance;
pub mod lease;
pub mod nlb;
pub mod process;
pub mod secrets;
pub mod server;
pub mod sts;
pub mod timing;
pub mod wire;

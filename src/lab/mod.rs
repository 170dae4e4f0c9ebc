//! The local cloud: an AWS-compatible endpoint with a real data plane.

pub mod api;
pub mod timing;

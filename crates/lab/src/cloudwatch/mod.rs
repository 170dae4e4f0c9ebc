//! CloudWatch: metrics as they are put, statistics over them, alarms computed from them when they are described.

mod alarms;
mod metrics;
mod service;

pub(crate) use service::CloudWatch;

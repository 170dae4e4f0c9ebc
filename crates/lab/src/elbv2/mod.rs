//! Elastic Load Balancing v2 of the local cloud: the control plane of network load balancers.
//!
//! [`Elb`] is the service for `cloud.call("elasticloadbalancing", …)`. It keeps what was asked for and hands it to the
//! data plane in [`crate::nlb`], with the periods of the lab's timing. Application load balancers and other
//! protocols than TCP are refused: nothing here could forward for them.

mod attributes;
mod balancers;
mod groups;
mod listeners;
mod metrics;
mod service;
mod state;
mod targets;

#[cfg(test)]
mod tests;

pub(crate) use service::Elb;

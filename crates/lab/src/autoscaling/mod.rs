//! Auto Scaling: groups, their control loop, lifecycle hooks and activities.
//!
//! [`decide`] is the pure heart: what is, in; what to launch and to terminate, out. As in AWS a replacement is launched
//! while the instance that it replaces terminates: a maximum of one does not mean one running instance.
//! Not here: rebalancing between zones, scaling policies, warm pools, instance refresh, mixed instances.

pub(crate) mod decide;

mod activities;
mod control;
mod describe;
mod group;
mod groups;
mod health;
mod hooks;
mod launching;
mod service;
mod settings;
mod state;
mod targets;
mod waiting;

#[cfg(test)]
mod tests;

pub(crate) use service::Autoscaling;

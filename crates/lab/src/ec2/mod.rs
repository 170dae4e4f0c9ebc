//! EC2: network objects, images, launch templates, and instances that are real processes.
//!
//! Handlers take and give wire names. Network objects are records that other services look up; packets do not ask them.

use crate::server::Routes;
use std::sync::Arc;

mod cables;
mod catalog;
mod filters;
mod groups;
mod images;
mod instances;
mod interfaces;
mod launch;
mod life;
mod network;
mod objects;
mod routes;
mod service;
mod state;
mod tags;
mod templates;
mod volumes;
mod wire;

pub use catalog::{BARE_IMAGE, SEEDED_IMAGE};
pub(crate) use interfaces::zone_of;
pub(crate) use service::Ec2;

/// Adds the lab's own calls about instances and images.
pub(crate) fn add_routes(routes: &mut Routes, ec2: &Arc<Ec2>) {
    cables::add_routes(routes, ec2);
    images::add_routes(routes, ec2);
}

/// An error with its cause, for a message.
fn with_cause(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|s| format!(": {s}")).unwrap_or_default();
    format!("{error}{cause}")
}

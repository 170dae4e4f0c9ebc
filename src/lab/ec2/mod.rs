//! EC2: network objects, images, launch templates, and instances that are real processes.
//!
//! Handlers take and give wire names. Network objects are records that other services look up; packets do not ask them.

mod catalog;
mod filters;
mod groups;
mod instances;
mod launch;
mod network;
mod objects;
mod routes;
mod service;
mod tags;
mod templates;
mod wire;

pub use catalog::{BARE_IMAGE, SEEDED_IMAGE};
pub use service::Ec2;

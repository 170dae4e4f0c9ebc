//! CloudFormation: templates become resources, over time, with events, rollback and real differences.
//!
//! Reading order: [`document`] and [`template`] read; [`references`], [`parameters`], [`intrinsics`] and [`schema`] check and
//! evaluate; [`state`] is what is remembered; [`service`] takes calls and hands them to [`stacks`], [`changesets`] and
//! [`describe`]; [`operations`] and [`provision`] carry changes out, [`resources`] one type each, all through the other
//! services' own actions; [`signals`] and [`rolling`] wait for instances.

pub mod cancel;
pub mod changesets;
pub mod context;
pub mod describe;
pub mod diff;
pub mod document;
pub mod events;
pub mod intrinsics;
pub mod operations;
pub mod parameters;
pub mod provision;
pub mod references;
mod request;
pub mod resources;
pub mod rolling;
pub mod schema;
pub mod service;
pub mod signals;
pub mod stacks;
pub mod state;
pub mod template;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

pub use service::CloudFormation;

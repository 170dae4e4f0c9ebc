//! CloudFormation: templates become resources, over time, with events, rollback and real differences.
//!
//! Reading order: [`document`] and [`template`] read; [`references`], [`parameters`], [`intrinsics`] and [`schema`] check and
//! evaluate; [`state`] is what is remembered; [`service`] takes calls and hands them to [`stacks`], [`changesets`] and
//! [`describe`]; [`operations`] and [`provision`] carry changes out, [`imports`] takes over what exists, [`resources`] one type each, all through the other
//! services' own actions; [`signals`] and [`rolling`] wait for instances.

pub(crate) mod cancel;
pub(crate) mod changesets;
pub(crate) mod context;
pub(crate) mod describe;
pub(crate) mod diff;
pub(crate) mod document;
pub(crate) mod events;
mod imports;
pub(crate) mod intrinsics;
pub(crate) mod operations;
pub(crate) mod parameters;
pub(crate) mod provision;
pub(crate) mod references;
mod request;
pub(crate) mod resources;
pub(crate) mod rolling;
pub(crate) mod schema;
pub(crate) mod service;
pub(crate) mod signals;
pub(crate) mod stacks;
pub(crate) mod state;
pub(crate) mod template;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use service::CloudFormation;

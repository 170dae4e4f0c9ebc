//! From a deployment to a template, its parameters, user data and the agent's configuration; pure and deterministic.
//!
//! [`template`] is the document, [`body`] its text, [`parameters`] the values that go with it, [`stack_tags`] the tags of
//! the stack. The same deployment always gives the same bytes; nothing here reads a clock, a file or an account.

mod alarms;
mod compute;
mod entry;
mod iam;
mod network;
pub mod packer;
mod parameters;
mod storage;
mod traffic;
mod user_data;

pub use entry::{RenderError, body, names, stack_tags, template};
pub use parameters::{Resolved, client_ranges, known_parameters, parameters};
pub use user_data::agent_config;

#[cfg(test)]
mod tests;

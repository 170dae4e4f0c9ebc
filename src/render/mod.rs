//! From a deployment to a template, its parameters, user data and the agent's configuration; pure and deterministic.
//!
//! [`template`] is the document, [`body`] its text, [`parameters`] the values that go with it, [`stack_tags`] the tags of
//! the stack. What is in the document is the topology's list; what topologies have in common are building blocks here. The same deployment always gives the same bytes; nothing here reads a clock, a file or an account.

pub(crate) mod alarm;
pub(crate) mod alarms;
pub(crate) mod credentials;
pub(crate) mod documents;
mod entry;
mod error;
pub(crate) mod launch_template;
pub(crate) mod load_balancer;
pub(crate) mod member_group;
pub(crate) mod network;
pub mod packer;
mod parameters;
pub(crate) mod role;
pub(crate) mod security_groups;
pub(crate) mod shared_storage;
mod tags;
pub(crate) mod target;
mod user_data;
pub(crate) mod writer_role;

pub(crate) use credentials::CREDENTIALS;
pub use entry::{body, body_renewing_last, stack_tags, template};
pub use error::RenderError;
pub(crate) use parameters::{CERTIFICATE, client_parameter, only_if, tcp, tcp_ports};
pub use parameters::{Resolved, client_ranges, known_parameters, parameters};
pub(crate) use tags::tags;

#[cfg(test)]
pub(crate) mod tests;

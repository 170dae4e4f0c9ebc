//! Systems Manager: documents, commands that really run on an instance, and parameters.
//!
//! `AWS-RunShellScript` is the only document of Amazon's own. A command runs as `/bin/sh -c` in the instance's own environment, so it can
//! do no more to the machine than the user who started the lab. An instance whose role does not let the agent of Systems
//! Manager register and fetch commands is not reached.

mod agent;
mod commands;
mod content;
mod documents;
mod execution;
mod parameters;
mod service;
mod state;

#[cfg(test)]
mod tests;

pub(crate) use documents::arn as document_arn;
pub(crate) use service::Ssm;

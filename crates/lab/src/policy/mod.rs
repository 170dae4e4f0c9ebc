//! Policies of IAM: read strictly, and decided on; pure.
//!
//! [`Document::parse`] refuses what it cannot evaluate, so that nothing in a policy is ever passed over: an operator or a
//! condition key that is not known here is an error when the policy is put. [`decide`] answers for one action on one
//! resource: an explicit deny wins, nothing is allowed unless a statement allows it, and a permissions boundary only
//! takes away.

mod condition;
mod context;
mod decide;
mod document;
mod keys;
mod operator;
mod pattern;
mod principal;
mod statement;

pub use context::Context;
pub use decide::{Ask, Decision, Denial, Layer, Policies, decide};
pub use document::{Document, Kind, Malformed};
pub use principal::{Caller, RoleSession};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

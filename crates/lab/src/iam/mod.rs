//! IAM: roles with their policies, instance profiles, managed policies; and the evaluation of what a role may do.
//!
//! [`authorise`] stands before every call that is signed with a role's credentials; [`Question`] asks IAM about one action
//! on one resource, for those who decide elsewhere, such as a mount.

mod actions;
mod authorise;
mod evaluate;
mod managed;
mod policies;
mod profiles;
mod roles;
mod service;
mod state;

pub(crate) use authorise::{authorise, message, role_of};
pub(crate) use evaluate::{Answer, Question};
pub(crate) use service::Iam;

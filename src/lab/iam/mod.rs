//! IAM: roles with their policies, instance profiles. Policies are checked for form here and kept for evaluation.

mod policies;
mod profiles;
mod roles;
mod service;

pub use policies::check_document;
pub use service::Iam;

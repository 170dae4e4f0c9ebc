//! The endpoint: HTTP on loopback, who calls, which service, and the lab's own calls under `/_mqaws/`.
//!
//! [`serve`] runs until [`Cloud::shut_down`](super::api::Cloud::shut_down); [`Routes`] is where other parts of the lab
//! add own calls; [`add_services`] enters CloudFormation, IAM, STS, Secrets Manager and CloudWatch.

mod auth;
mod endpoint;
mod inject;
mod routes;

pub use endpoint::{ServeError, add_services, serve};
pub use inject::{Injector, Kind, Rule};
pub use routes::{OwnRequest, Routes};

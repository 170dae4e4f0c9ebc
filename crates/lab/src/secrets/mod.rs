//! Secrets Manager.

mod password;
mod service;

pub use service::SecretsManager;

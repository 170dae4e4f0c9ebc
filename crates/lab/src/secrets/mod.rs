//! Secrets Manager.

mod password;
mod service;

pub(crate) use service::SecretsManager;

//! Why a lab has no network of its own.

use std::io;

/// What the system refuses, or lacks, when hosts are to be network namespaces.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetworkError {
    /// No user namespace.
    #[error("the system refuses a user namespace")]
    User(#[source] io::Error),
    /// No network namespace.
    #[error("the system refuses a network namespace")]
    Namespace(#[source] io::Error),
    /// Loopback addresses cannot be routed.
    #[error("the system does not let a namespace route loopback addresses")]
    Route(#[source] io::Error),
    /// The program `ip` did not run.
    #[error("cannot run `ip`")]
    Program(#[source] io::Error),
    /// The program `ip` refused.
    #[error("`ip` cannot make {what}")]
    Refused {
        /// What it was to make.
        what: String,
        /// What it said.
        #[source]
        source: io::Error,
    },
}

impl NetworkError {
    /// One sentence that says what to do next.
    pub(crate) fn hint(&self) -> String {
        let otherwise = "or leave `--hosts` out: hosts that are processes need no namespaces";
        match self {
            NetworkError::Program(_) => format!("install iproute2 (`ip`), {otherwise}"),
            NetworkError::User(_) | NetworkError::Namespace(_) => format!(
                "let this user have namespaces (sysctl `user.max_user_namespaces`, and on Ubuntu \
                 `kernel.apparmor_restrict_unprivileged_userns`) or run as root, {otherwise}"
            ),
            NetworkError::Route(_) | NetworkError::Refused { .. } => {
                format!("run outside a container that restricts the network, {otherwise}")
            }
        }
    }
}

//! Why a lab has no network of its own.

use std::io;

/// What the system refuses, or lacks, when hosts are to be network namespaces.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetworkError {
    /// No user namespace.
    #[error("the system does not allow user namespaces")]
    User(#[source] io::Error),
    /// No network namespace.
    #[error("the system does not allow network namespaces")]
    Namespace(#[source] io::Error),
    /// Loopback addresses cannot be routed.
    #[error("the system does not allow a namespace to route loopback addresses")]
    Route(#[source] io::Error),
    /// The program `ip` did not run.
    #[error("cannot run `ip`")]
    Program(#[source] io::Error),
    /// The program `ip` refused.
    #[error("`ip` cannot create {what}")]
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
        let otherwise = "or remove `--hosts`: process hosts do not require namespaces";
        match self {
            NetworkError::Program(_) => format!("install iproute2 (`ip`), {otherwise}"),
            NetworkError::User(_) | NetworkError::Namespace(_) => format!(
                "allow namespaces for this user (sysctl `user.max_user_namespaces`, and on Ubuntu \
                 `kernel.apparmor_restrict_unprivileged_userns`) or run as root, {otherwise}"
            ),
            NetworkError::Route(_) | NetworkError::Refused { .. } => {
                format!("run outside a container that restricts the network, {otherwise}")
            }
        }
    }
}

//! What can go wrong with a call.

use super::imds::ImdsError;
use super::transport::TransportError;
use crate::remedy::{ExitKind, Remedy};

/// Why a call gave no result. It says nothing about the state of what was asked about.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The instance's role gave no credentials.
    #[error("{action}: no credentials from the instance's role")]
    Credentials {
        /// `service:Action`.
        action: String,
        /// Why.
        #[source]
        source: ImdsError,
    },
    /// No answer, after all attempts.
    #[error("{action} failed after {attempts} attempts")]
    Unreachable {
        /// `service:Action`.
        action: String,
        /// How often it was tried.
        attempts: u32,
        /// The last reason.
        #[source]
        source: TransportError,
    },
    /// AWS refused, after all attempts if it was worth repeating.
    #[error("{action}: {code}: {message}")]
    Api {
        /// `service:Action`.
        action: String,
        /// HTTP status.
        status: u16,
        /// AWS's error code.
        code: String,
        /// AWS's message.
        message: String,
    },
    /// The answer is not what the API promises.
    #[error("{action}: the response cannot be read: {what}")]
    Malformed {
        /// `service:Action`.
        action: String,
        /// What is wrong with it.
        what: String,
    },
    /// The request could not be built or signed.
    #[error("{action}: the request cannot be signed")]
    Signing {
        /// `service:Action`.
        action: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl CallError {
    /// AWS's error code, when AWS answered.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Api { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without anybody's doing.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Credentials { .. } | Self::Unreachable { .. } => true,
            Self::Api { status, code, .. } => super::retry::repeatable(*status, code) || super::retry::expired(code),
            Self::Malformed { .. } | Self::Signing { .. } => false,
        }
    }

    /// The whole chain in one line, for a log.
    pub fn line(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}

impl Remedy for CallError {
    fn exit(&self) -> ExitKind {
        ExitKind::Remote
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Credentials { .. } => {
                Some("check that the instance has its instance profile and that IMDSv2 is reachable".to_owned())
            }
            Self::Unreachable { source, .. } => Some(format!(
                "check the route, the security group and, in a private subnet, the VPC endpoint to {}",
                source.authority
            )),
            Self::Api { action, code, .. } if code.contains("AccessDenied") || code == "UnauthorizedOperation" => {
                Some(format!("the instance role must allow {action}"))
            }
            Self::Api { code, .. } if code == "PermanentRedirect" || code == "AuthorizationHeaderMalformed" => {
                Some("the bucket is in a different region: set AWS_REGION to it".to_owned())
            }
            _ => None,
        }
    }
}

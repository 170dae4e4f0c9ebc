//! Why a start was safe.

use crate::model::{AsWritten, InstanceId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Kinds of proof that the previous owner writes no more.
///
/// Written as kebab-case text; a kind this version does not know is kept as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ProofKind {
    /// There was neither data nor an owner.
    New,
    /// The previous owner stopped its engine and let go.
    Clean,
    /// The previous owner is this host, and nothing of its engine runs on it.
    SameHost,
    /// EC2 says that the previous owner is terminated or stopped.
    Terminated,
    /// The lock was obtained, and the previous owner gave no sign of life for longer than its lease and its self-reset bound.
    Lease,
    /// A person named the previous owner as gone.
    Operator,
    /// A person named the file system of which this one is a copy: a world of its own.
    Copy,
    /// Written by another version.
    Other(String),
}

impl ProofKind {
    /// The word in records and reports.
    pub fn as_str(&self) -> &str {
        match self {
            Self::New => "new",
            Self::Clean => "clean",
            Self::SameHost => "same-host",
            Self::Terminated => "terminated",
            Self::Lease => "lease",
            Self::Operator => "operator",
            Self::Copy => "copy",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for ProofKind {
    fn from(word: String) -> Self {
        match word.as_str() {
            "new" => Self::New,
            "clean" => Self::Clean,
            "same-host" => Self::SameHost,
            "terminated" => Self::Terminated,
            "lease" => Self::Lease,
            "operator" => Self::Operator,
            "copy" => Self::Copy,
            _ => Self::Other(word),
        }
    }
}

impl From<ProofKind> for String {
    fn from(kind: ProofKind) -> Self {
        kind.as_str().to_owned()
    }
}

impl fmt::Display for ProofKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A proof, about whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Proof {
    /// What kind.
    pub kind: ProofKind,
    /// Instance id of the previous owner, when there was one; of a copy, that of the original's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<AsWritten<InstanceId>>,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.previous {
            Some(previous) => write!(f, "{} ({previous})", self.kind),
            None => write!(f, "{}", self.kind),
        }
    }
}

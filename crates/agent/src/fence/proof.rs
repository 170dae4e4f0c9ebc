//! Why a start was safe.

use crate::model::agent::ProofKind;
use crate::model::{AsWritten, InstanceId};
use serde::{Deserialize, Serialize};
use std::fmt;

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

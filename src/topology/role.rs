//! What members do, and what shows that service is given.

use crate::model::InstanceId;
use serde::Serialize;
use std::fmt;

/// What a member does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Clients are served there.
    Active,
    /// It waits to take over.
    Standby,
    /// It is on its way to serving, or to waiting.
    Starting,
    /// It does nothing, or nobody can tell.
    Unknown,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Active => "active",
            Self::Standby => "standby",
            Self::Starting => "starting",
            Self::Unknown => "unknown",
        })
    }
}

/// An instance of a member's group, as Auto Scaling sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// The instance.
    pub instance: &'a InstanceId,
    /// Its lifecycle state, `InService`.
    pub lifecycle: &'a str,
}

impl Seen<'_> {
    /// Whether it is in service.
    pub fn is_in_service(&self) -> bool {
        self.lifecycle == "InService"
    }
}

/// `i-1 InService, i-2 Pending`
pub(super) fn listed(seen: &[Seen<'_>]) -> String {
    let all = seen.iter().map(|one| format!("{} {}", one.instance, one.lifecycle));
    all.collect::<Vec<_>>().join(", ")
}

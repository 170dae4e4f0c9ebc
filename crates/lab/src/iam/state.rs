//! What IAM remembers.

use super::managed::Managed;
use super::policies::Policy;
use indexmap::IndexMap;

#[derive(Default)]
pub(super) struct State {
    pub(super) roles: IndexMap<String, Role>,
    pub(super) profiles: IndexMap<String, Profile>,
    /// Managed policies of the account by ARN.
    pub(super) managed: IndexMap<String, Managed>,
}

#[derive(Clone)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) path: String,
    pub(super) created: String,
    pub(super) trust: String,
    pub(super) description: Option<String>,
    pub(super) session_seconds: i64,
    pub(super) boundary: Option<String>,
    pub(super) tags: Vec<(String, String)>,
    /// Inline policies by name.
    pub(super) inline: IndexMap<String, Policy>,
    /// ARNs of attached managed policies.
    pub(super) attached: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) path: String,
    pub(super) created: String,
    pub(super) roles: Vec<String>,
    pub(super) tags: Vec<(String, String)>,
}

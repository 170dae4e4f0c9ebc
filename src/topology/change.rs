//! What changes in a stack, and what it means.

use serde::Serialize;

/// The resource type of a member's group.
pub const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";

/// The resource type of a file system that holds messages.
pub const FILE_SYSTEM: &str = "AWS::EFS::FileSystem";

/// One change to a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Logical id.
    pub logical: String,
    /// Physical id, when the resource exists.
    pub physical: Option<String>,
    /// Resource type.
    pub kind: String,
    /// `Add`, `Modify`, `Remove`, `Import`, `Dynamic` or something newer.
    pub action: String,
    /// `True`, `False`, `Conditional`; absent for additions and removals.
    pub replacement: Option<String>,
    /// What happens to the old resource, `Retain`, `Delete`, `ReplaceAndRetain` …
    pub policy: Option<String>,
    /// What changes in it.
    pub details: Vec<Detail>,
}

/// One property that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// `Properties`, `Tags`, `Metadata` …
    pub attribute: String,
    /// Name or path of the property.
    pub name: Option<String>,
    /// Value before, when CloudFormation tells.
    pub before: Option<String>,
    /// Value after.
    pub after: Option<String>,
    /// `Never`, `Conditionally`, `Always`.
    pub recreation: Option<String>,
    /// The parameter, or the other resource's attribute, that causes the change.
    pub cause: Option<String>,
    /// Whether the value is known only when the change is carried out, and may then be the one of before.
    pub dynamic: bool,
}

impl Change {
    /// Whether CloudFormation says for certain that a new resource takes the place of this one; whatever it does not say it finds
    /// out while it works.
    pub fn is_certain(&self) -> bool {
        self.replacement.as_deref() == Some("True")
    }

    /// Whether the old resource stays when it is replaced, or leaves the stack.
    pub fn is_kept(&self) -> bool {
        self.policy.as_deref().is_some_and(|policy| policy.contains("Retain"))
    }

    /// What happens to the resource, by CloudFormation's own words; what is not known to be harmless is not.
    pub fn effect(&self) -> Effect {
        match (self.action.as_str(), self.replacement.as_deref()) {
            ("Add", _) => Effect::Add,
            ("Import", _) => Effect::Import,
            ("Remove", _) => Effect::Remove,
            (_, None | Some("False")) => Effect::Change,
            _ => Effect::Replace,
        }
    }
}

impl Detail {
    /// Whether its name or path has a property in it.
    pub fn is_in(&self, property: &str) -> bool {
        self.name.as_deref().is_some_and(|name| name.contains(property))
    }
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It is created.
    Add,
    /// It exists, and becomes the stack's.
    Import,
    /// It is changed in place.
    Change,
    /// A new one takes its place, or may do so.
    Replace,
    /// It is removed.
    Remove,
}

/// What a change to one resource means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// What happens to the resource.
    pub effect: Effect,
    /// What that means for service and clients; `None` when the change says it all.
    pub words: Option<&'static str>,
    /// Whether data are at stake.
    pub data: bool,
}

impl Meaning {
    /// What a change means in any topology, as it does where nothing depends on the resource but clients.
    pub fn usual(change: &Change) -> Self {
        let effect = match change.effect() {
            // Those of the template get a new version under the same name.
            Effect::Replace if change.kind == "AWS::SSM::Document" && !change.is_certain() => Effect::Change,
            effect => effect,
        };
        let either = |sure, perhaps| Some(if change.is_certain() { sure } else { perhaps });
        let words = match (change.kind.as_str(), effect) {
            ("AWS::ElasticLoadBalancingV2::LoadBalancer", Effect::Replace) => either(
                "replaced: clients need the new DNS name",
                "may be replaced: clients would need the new DNS name",
            ),
            ("AWS::SecretsManager::Secret", Effect::Replace) => either(
                "replaced: clients need the new password",
                "may be replaced: clients would need the new password",
            ),
            (_, Effect::Replace) => either("replaced", "may be replaced"),
            (_, Effect::Remove) => Some("removed"),
            (_, Effect::Add | Effect::Import | Effect::Change) => None,
        };
        Self {
            effect,
            words,
            data: false,
        }
    }

    /// What a change to a file system with messages means.
    pub fn of_file_system(change: &Change) -> Self {
        let effect = change.effect();
        let words = match effect {
            Effect::Replace if change.is_certain() => {
                Some("REPLACES the file system: all messages stay on the old one, which is kept")
            }
            Effect::Replace => {
                Some("MAY REPLACE the file system: all messages would stay on the old one, which is kept")
            }
            Effect::Remove if change.is_kept() => {
                Some("is removed from the stack: the file system is kept, but no longer used")
            }
            Effect::Remove => Some("DELETES the file system with all messages"),
            Effect::Import => Some("becomes the stack's own, with all messages"),
            Effect::Add | Effect::Change => None,
        };
        Self {
            effect,
            words,
            data: matches!(effect, Effect::Replace | Effect::Remove),
        }
    }
}

/// What cannot move while it stands: CloudFormation makes the new one first, and AWS allows it once.
#[derive(Debug, Clone, Copy)]
pub struct Anchored {
    /// Logical id of the load balancer.
    pub load_balancer: &'static str,
    /// Logical ids of the mount targets of a shared file system, one for each zone; none without one.
    pub mount_targets: &'static [&'static str],
}

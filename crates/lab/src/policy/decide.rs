//! The decision on one action on one resource.

use super::context::Context;
use super::document::Document;
use super::principal::{Caller, Naming};
use super::statement::Effect;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// `ec2:TerminateInstances`.
    pub action: &'a str,
    /// ARN of the resource; `*` for an action that knows none.
    pub resource: &'a str,
    /// Condition keys.
    pub context: &'a Context,
}

/// The policies that have a say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policies<'a> {
    /// Policies of the caller's role.
    pub identity: &'a [Document],
    /// Its permissions boundary.
    pub boundary: Option<&'a Document>,
    /// The resource's own policy.
    pub resource: Option<&'a Document>,
}

/// Whether the action is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is.
    Allowed,
    /// It is not.
    Denied(Denial),
}

/// Why it is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// A statement denies it.
    Explicit(Layer),
    /// No statement allows it.
    Implicit(Layer),
}

/// Which policies decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Those of the role.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// That of the resource.
    Resource,
}

impl Denial {
    /// The end of AWS's message.
    pub(crate) fn words(self, action: &str) -> String {
        let layer = |layer: Layer| match layer {
            Layer::Identity => "identity-based policy",
            Layer::Boundary => "permissions boundary",
            Layer::Resource => "resource-based policy",
        };
        match self {
            Denial::Explicit(Layer::Identity) => "with an explicit deny in an identity-based policy".to_owned(),
            Denial::Explicit(of) => format!("with an explicit deny in a {}", layer(of)),
            Denial::Implicit(of) => format!("because no {} allows the {action} action", layer(of)),
        }
    }
}

/// The strongest statement of an effect that speaks of the request.
fn strongest(document: &Document, effect: Effect, ask: &Ask<'_>) -> Option<Naming> {
    let statements = document.statements.iter().filter(|s| s.effect == effect);
    statements.filter_map(|s| s.speaks_of(ask)).max()
}

/// Decides within one account, as AWS documents it: an explicit deny anywhere wins; then the role's policies or the
/// resource's policy must allow; the boundary limits both, but for a resource policy that names the session itself.
pub fn decide(ask: &Ask<'_>, policies: &Policies<'_>) -> Decision {
    // A role's policies and boundary are nothing to somebody who did not come with the role.
    let (identity, boundary) = match ask.caller {
        Caller::Anonymous => (&[][..], None),
        Caller::Role(_) => (policies.identity, policies.boundary),
    };
    let denies = |document: &Document| strongest(document, Effect::Deny, ask).is_some();
    for (layer, denied) in [
        (Layer::Identity, identity.iter().any(denies)),
        (Layer::Boundary, boundary.is_some_and(denies)),
        (Layer::Resource, policies.resource.is_some_and(denies)),
    ] {
        if denied {
            return Decision::Denied(Denial::Explicit(layer));
        }
    }
    let allows = |document: &Document| strongest(document, Effect::Allow, ask);
    let granted = policies.resource.and_then(allows);
    if granted == Some(Naming::Session) {
        return Decision::Allowed;
    }
    if granted != Some(Naming::Role) && !identity.iter().any(|d| allows(d).is_some()) {
        let layer = match ask.caller {
            Caller::Anonymous => Layer::Resource,
            Caller::Role(_) => Layer::Identity,
        };
        return Decision::Denied(Denial::Implicit(layer));
    }
    if boundary.is_some_and(|b| allows(b).is_none()) {
        return Decision::Denied(Denial::Implicit(Layer::Boundary));
    }
    Decision::Allowed
}

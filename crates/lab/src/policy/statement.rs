//! One statement of a policy.

use super::condition::{self, Condition};
use super::context::Context;
use super::decide::Ask;
use super::document::{Kind, Malformed};
use super::pattern::{Pattern, Special};
use super::principal::{self, Naming, Principal};
use serde_json::{Map, Value};

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    /// Empty in identity policies, which speak of whoever has them.
    principals: Vec<Principal>,
    actions: Choice,
    /// Absent in trust policies, and in policies of a resource that speak of the resource itself.
    resources: Option<Choice>,
    conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug, Clone, PartialEq)]
struct Choice {
    patterns: Vec<Pattern>,
    inverted: bool,
}

impl Choice {
    fn has(&self, matches: impl Fn(&Pattern) -> bool) -> bool {
        self.patterns.iter().any(matches) != self.inverted
    }
}

const ELEMENTS: &[&str] = &[
    "Sid",
    "Effect",
    "Principal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// A text, or a list of texts that is not empty.
pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(all) if !all.is_empty() => all.iter().map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

impl Statement {
    /// Reads a statement; `variables` as the document's version has it.
    ///
    /// # Errors
    /// [`Malformed`] in IAM's words where they are known.
    pub(super) fn parse(value: &Value, kind: Kind, variables: bool) -> Result<Self, Malformed> {
        let Value::Object(elements) = value else {
            return Err(Malformed::syntax());
        };
        if elements.contains_key("NotPrincipal") {
            return Err(Malformed(
                "NotPrincipal is not supported by the local cloud.".to_owned(),
            ));
        }
        if elements.keys().any(|k| !ELEMENTS.contains(&k.as_str())) {
            return Err(Malformed::syntax());
        }
        let effect = match elements.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => return Err(Malformed::syntax()),
        };
        let sid = match elements.get("Sid") {
            None => None,
            Some(Value::String(sid)) => Some(sid.clone()),
            Some(_) => return Err(Malformed::syntax()),
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || (kind == Kind::Resource && c == ' ');
        if kind != Kind::Trust && sid.as_ref().is_some_and(|sid| !sid.chars().all(allowed)) {
            return Err(Malformed(
                "Statement IDs (SID) should be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
                    .to_owned(),
            ));
        }
        Ok(Self {
            sid,
            effect,
            principals: principals(elements, kind)?,
            actions: actions(elements)?,
            resources: resources(elements, kind, variables)?,
            conditions: match elements.get("Condition") {
                None => Vec::new(),
                Some(element) => condition::parse(element, kind, variables)?,
            },
        })
    }

    /// In which way it speaks of this request; `None` when it does not.
    pub(super) fn speaks_of(&self, ask: &Ask<'_>) -> Option<Naming> {
        let naming = match self.principals.as_slice() {
            [] => Naming::Role,
            all => all.iter().filter_map(|p| p.names(ask.caller)).max()?,
        };
        let action = self.actions.has(|p| p.matches_any_case(ask.action, &Context::new()));
        let resource = || match &self.resources {
            None => true,
            Some(choice) => choice.has(|p| p.matches_arn(ask.resource, ask.context)),
        };
        (action && resource() && self.conditions.iter().all(|c| c.holds(ask.context))).then_some(naming)
    }
}

/// The element of a pair of which a statement has at most one, and whether it is the inverted one.
fn either<'a>(elements: &'a Map<String, Value>, name: &str) -> Result<Option<(&'a Value, bool)>, Malformed> {
    match (elements.get(name), elements.get(&format!("Not{name}"))) {
        (Some(_), Some(_)) => Err(Malformed::syntax()),
        (Some(value), None) => Ok(Some((value, false))),
        (None, Some(value)) => Ok(Some((value, true))),
        (None, None) => Ok(None),
    }
}

fn principals(elements: &Map<String, Value>, kind: Kind) -> Result<Vec<Principal>, Malformed> {
    match (kind, elements.get("Principal")) {
        (Kind::Identity, None) => Ok(Vec::new()),
        (Kind::Identity, Some(_)) => Err(Malformed("Policy document should not specify a principal.".to_owned())),
        (_, None) => Err(Malformed("Missing required field Principal".to_owned())),
        (kind, Some(element)) => principal::parse(element, kind),
    }
}

fn actions(elements: &Map<String, Value>) -> Result<Choice, Malformed> {
    let Some((value, inverted)) = either(elements, "Action")? else {
        return Err(Malformed("Policy statement must contain actions.".to_owned()));
    };
    let names = texts(value).ok_or_else(Malformed::syntax)?;
    let mut patterns = Vec::new();
    for name in names {
        if name != "*" {
            let Some((vendor, action)) = name.split_once(':') else {
                return Err(Malformed(
                    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.".to_owned(),
                ));
            };
            if vendor.is_empty() || !vendor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                return Err(Malformed(format!("Vendor {vendor} is not valid")));
            }
            if action.is_empty() || action.contains(':') {
                return Err(Malformed::syntax());
            }
        }
        let special = Special {
            wildcards: true,
            variables: false,
        };
        patterns.push(Pattern::parse(&name, special)?);
    }
    Ok(Choice { patterns, inverted })
}

fn resources(elements: &Map<String, Value>, kind: Kind, variables: bool) -> Result<Option<Choice>, Malformed> {
    let found = either(elements, "Resource")?;
    let (value, inverted) = match (kind, found) {
        (Kind::Trust, Some(_)) => return Err(Malformed("Has prohibited field Resource".to_owned())),
        (Kind::Identity, None) => return Err(Malformed("Policy statement must contain resources.".to_owned())),
        (_, None) => return Ok(None),
        (_, Some(found)) => found,
    };
    let names = texts(value).ok_or_else(Malformed::syntax)?;
    let mut patterns = Vec::new();
    for name in names {
        if name != "*" && !name.starts_with("arn:") {
            return Err(Malformed(format!("Resource {name} must be in ARN format or \"*\".")));
        }
        let special = Special {
            wildcards: true,
            variables,
        };
        patterns.push(Pattern::parse(&name, special)?);
    }
    Ok(Some(Choice { patterns, inverted }))
}

//! Which places of a property change, from what to what, and because of what.

use super::super::references::{self, Reference};
use super::super::schema::{Schema, UNKNOWN};
use super::super::state::{Desired, Stack};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What stands in a change set for a value that comes from another resource, and is known only when that has changed.
const KNOWN_LATER: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// A value before and after, with the expressions that it comes from.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub before: Option<&'a Value>,
    pub after: Option<&'a Value>,
    /// Expression of the template before.
    pub old: Option<&'a Value>,
    /// Expression of the template after.
    pub new: Option<&'a Value>,
}

/// One place that changes, with its path in the resource.
pub(super) struct Place<'a> {
    path: String,
    step: Step<'a>,
}

/// The innermost places within a value that differ.
pub(super) fn places(path: String, step: Step<'_>) -> Vec<Place<'_>> {
    let (before, after) = (step.before, step.after);
    if before == after {
        return Vec::new();
    }
    let inner: Vec<(String, Step<'_>)> = match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            let inner = |name: &String| Step {
                before: before.get(name),
                after: after.get(name),
                old: member(step.old, name),
                new: member(step.new, name),
            };
            names.into_iter().map(|name| (name.clone(), inner(name))).collect()
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) if before.len() == after.len() => {
            let long = before.len();
            let inner = |at: usize| Step {
                before: before.get(at),
                after: after.get(at),
                old: item(step.old, at, long),
                new: item(step.new, at, long),
            };
            (0..long).map(|at| (at.to_string(), inner(at))).collect()
        }
        _ => return vec![Place { path, step }],
    };
    let inner = inner.into_iter();
    inner
        .flat_map(|(name, step)| places(format!("{path}/{name}"), step))
        .collect()
}

/// The expression of a member; a function, whose parts have other names, stands for all of its value.
fn member<'a>(expression: Option<&'a Value>, name: &str) -> Option<&'a Value> {
    match expression {
        Some(Value::Object(members)) if !is_function(members) => members.get(name),
        other => other,
    }
}

/// The expression of an item; a list that a condition makes shorter stands for all of its value.
fn item(expression: Option<&Value>, at: usize, long: usize) -> Option<&Value> {
    match expression {
        Some(Value::Array(items)) if items.len() == long => items.get(at),
        other => other,
    }
}

fn is_function(members: &Map<String, Value>) -> bool {
    members.len() == 1 && members.keys().all(|name| name == "Ref" || name.starts_with("Fn::"))
}

/// Adds why one place of a property changes: each resource and each parameter that its value comes from, or the template.
pub(super) fn property(
    stack: &Stack,
    desired: &Desired,
    schema: &Schema,
    name: &str,
    place: &Place<'_>,
    details: &mut Vec<Value>,
) {
    let recreation = if schema.create_only.contains(name) {
        "Always"
    } else if schema.conditional_create_only.contains(name) {
        "Conditionally"
    } else {
        "Never"
    };
    let attribute = if matches!(name, "Tags" | "FileSystemTags") {
        "Tags"
    } else {
        "Properties"
    };
    let shown = (attribute == "Properties").then_some(name);
    let step = place.step;
    let mut unknown = BTreeSet::new();
    if let Some(after) = step.after {
        causes(after, &mut unknown);
    }
    let known = unknown.is_empty();
    let mut add = |evaluation: &str, source: &str, cause: Option<&str>| {
        let mut one = detail(attribute, shown, recreation, evaluation, source, cause);
        let target = &mut one["Target"];
        target["Path"] = place.path.as_str().into();
        target["AttributeChangeType"] = match (step.before, step.after) {
            (None, _) => "Add",
            (_, None) => "Remove",
            _ => "Modify",
        }
        .into();
        if let Some(before) = step.before {
            target["BeforeValue"] = words(before);
        }
        if let Some(after) = step.after {
            target["AfterValue"] = if known { words(after) } else { KNOWN_LATER.into() };
        }
        details.push(one);
    };
    for cause in &unknown {
        let source = if cause.contains('.') {
            "ResourceAttribute"
        } else {
            "ResourceReference"
        };
        add("Dynamic", source, Some(cause));
    }
    let changed = step.new.map(|new| changed_parameters(stack, desired, new));
    let changed = changed.unwrap_or_default();
    if step.old != step.new || (known && changed.is_empty()) {
        add("Static", "DirectModification", None);
    }
    for parameter in &changed {
        add("Static", "ParameterReference", Some(parameter));
    }
}

/// A value as a change set shows it: a text as it is, anything else as JSON.
fn words(value: &Value) -> Value {
    match value {
        Value::String(text) => text.as_str().into(),
        other => other.to_string().into(),
    }
}

/// The changes as they are shown to who does not ask for values: one detail for each property and cause.
pub(crate) fn without_values(changes: &mut [Value]) {
    for change in changes {
        let Some(Value::Array(details)) = change.pointer_mut("/ResourceChange/Details") else {
            continue;
        };
        for target in details.iter_mut().filter_map(|one| one["Target"].as_object_mut()) {
            for name in ["Path", "AttributeChangeType", "BeforeValue", "AfterValue"] {
                target.remove(name);
            }
        }
        let mut seen: Vec<Value> = Vec::new();
        details.retain(|one| {
            let first = !seen.contains(one);
            if first {
                seen.push(one.clone());
            }
            first
        });
    }
}

pub(super) fn changed_parameters(stack: &Stack, desired: &Desired, expression: &Value) -> Vec<String> {
    references::references(expression)
        .into_iter()
        .filter_map(|r| match r {
            Reference::Name(name) => Some(name),
            _ => None,
        })
        .filter(|n| stack.desired.facts.parameters.get(n) != desired.facts.parameters.get(n))
        .collect()
}

pub(super) fn detail(
    attribute: &str,
    name: Option<&str>,
    recreation: &str,
    evaluation: &str,
    source: &str,
    cause: Option<&str>,
) -> Value {
    let mut target = json!({"Attribute": attribute, "RequiresRecreation": recreation});
    if let Some(name) = name {
        target["Name"] = name.into();
    }
    let mut out = json!({"Target": target, "Evaluation": evaluation, "ChangeSource": source});
    if let Some(cause) = cause {
        out["CausingEntity"] = cause.into();
    }
    out
}

fn causes(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            for (i, part) in text.split(UNKNOWN).enumerate() {
                if i % 2 == 1 {
                    found.insert(part.to_owned());
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|v| causes(v, found)),
        Value::Object(members) => members.values().for_each(|v| causes(v, found)),
        _ => {}
    }
}

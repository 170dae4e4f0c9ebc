//! What a change would do, before it is done.
//!
//! The wanted properties are evaluated against the resources as they are now. What is not known yet, because it comes from
//! a resource that is added, replaced or modified, becomes a marker; a property that holds one is a *dynamic* change.

use super::intrinsics::{Lookup, Scope};
use super::references;
use super::resources;
use super::schema::{self, UNKNOWN};
use super::state::{Desired, Record, Stack};
use super::template::{Resource, Template};
use crate::api::ApiError;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

mod details;

pub(crate) use details::without_values;
use details::{Step, changed_parameters, detail};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Added,
    Replaced,
    Modified,
}

struct Planned<'a> {
    records: &'a indexmap::IndexMap<String, Record>,
    fates: &'a BTreeMap<String, Fate>,
}

impl Lookup for Planned<'_> {
    fn reference(&self, logical: &str) -> Option<Value> {
        match self.fates.get(logical) {
            Some(Fate::Added | Fate::Replaced) => Some(marker(logical)),
            _ => self.records.get(logical)?.physical.clone().map(Value::String),
        }
    }

    fn attribute(&self, logical: &str, attribute: &str) -> Option<Value> {
        match self.fates.get(logical) {
            Some(_) => Some(marker(&format!("{logical}.{attribute}"))),
            None => self.records.get(logical)?.attribute(attribute),
        }
    }
}

fn marker(name: &str) -> Value {
    Value::String(format!("{UNKNOWN}{name}{UNKNOWN}"))
}

/// The changes between a stack and what is wanted, as DescribeChangeSet shows them.
///
/// # Errors
/// `ValidationError` when an expression of the template has no value.
pub(crate) fn changes(stack: &Stack, desired: &Desired) -> Result<Vec<Value>, ApiError> {
    let template = &desired.template;
    let mut fates = BTreeMap::new();
    let mut found: BTreeMap<String, Value> = BTreeMap::new();
    for logical in references::order(template)? {
        if !desired.active(&logical) {
            continue;
        }
        let resource = &template.resources[&logical];
        match stack.resources.get(&logical).filter(|r| lives(r)) {
            None => {
                fates.insert(logical.clone(), Fate::Added);
                found.insert(
                    logical.clone(),
                    change("Add", &logical, resource.kind.as_str(), json!({})),
                );
            }
            Some(record) => {
                let planned = Planned {
                    records: &stack.resources,
                    fates: &fates,
                };
                if let Some((fate, shown)) = modify(stack, desired, &logical, resource, record, &planned)? {
                    fates.insert(logical.clone(), fate);
                    found.insert(logical.clone(), shown);
                }
            }
        }
    }
    let mut out: Vec<Value> = Vec::new();
    for record in stack
        .resources
        .values()
        .filter(|r| lives(r) && !desired.active(&r.logical))
    {
        let kept = matches!(
            record.resource.deletion_policy.as_deref(),
            Some("Retain" | "RetainExceptOnCreate")
        );
        let policy = json!({"PolicyAction": if kept { "Retain" } else { "Delete" },
            "PhysicalResourceId": record.physical});
        out.push(change("Remove", &record.logical, &record.kind, policy));
    }
    // Template order is what people compare with.
    out.extend(template.resources.keys().filter_map(|l| found.remove(l)));
    Ok(out)
}

fn lives(record: &Record) -> bool {
    record.physical.is_some() && !matches!(record.status.as_str(), "DELETE_COMPLETE" | "DELETE_SKIPPED")
}

fn change(action: &str, logical: &str, kind: &str, more: Value) -> Value {
    let mut inner =
        json!({"Action": action, "LogicalResourceId": logical, "ResourceType": kind, "Scope": [], "Details": []});
    if let (Value::Object(inner), Value::Object(more)) = (&mut inner, more) {
        inner.extend(more);
    }
    json!({"Type": "Resource", "ResourceChange": inner})
}

fn modify(
    stack: &Stack,
    desired: &Desired,
    logical: &str,
    resource: &Resource,
    record: &Record,
    planned: &Planned<'_>,
) -> Result<Option<(Fate, Value)>, ApiError> {
    let scope = Scope {
        template: &desired.template,
        facts: &desired.facts,
        resources: planned,
    };
    let empty = || Value::Object(Map::new());
    let raw = scope.evaluate(&resource.properties)?.unwrap_or_else(empty);
    let Some(schema) = schema::find(&resource.kind) else {
        return Ok(None);
    };
    // What does not fit its schema is refused when it is carried out, and by validation before.
    let new = schema.check(&raw).unwrap_or(raw);
    let mut details = Vec::new();
    let mut scopes: BTreeSet<&str> = BTreeSet::new();
    let names: BTreeSet<&String> = keys(&record.properties).chain(keys(&new)).collect();
    for name in names {
        let (was, is) = (record.properties.get(name), new.get(name));
        if was == is {
            continue;
        }
        let is_tags = matches!(name.as_str(), "Tags" | "FileSystemTags");
        scopes.insert(if is_tags { "Tags" } else { "Properties" });
        let places = details::places(
            format!("/Properties/{name}"),
            Step {
                before: was,
                after: is,
                old: record.resource.properties.get(name),
                new: resource.properties.get(name),
            },
        );
        for place in &places {
            details::property(stack, desired, schema, name, place, &mut details);
        }
    }
    if resources::takes_tags(&resource.kind) && record.tags != desired.tags {
        scopes.insert("Tags");
        details.push(detail("Tags", None, "Never", "Static", "DirectModification", None));
    }
    for (scope, differs) in [
        ("Metadata", record.resource.metadata != resource.metadata),
        (
            "CreationPolicy",
            record.resource.creation_policy != resource.creation_policy,
        ),
        ("UpdatePolicy", record.resource.update_policy != resource.update_policy),
        (
            "DeletionPolicy",
            record.resource.deletion_policy != resource.deletion_policy,
        ),
        (
            "UpdateReplacePolicy",
            record.resource.update_replace_policy != resource.update_replace_policy,
        ),
    ] {
        if differs {
            scopes.insert(scope);
            details.push(detail(scope, None, "Never", "Static", "DirectModification", None));
        }
    }
    if record.kind != resource.kind {
        scopes.insert("Properties");
    }
    if scopes.is_empty() {
        return Ok(None);
    }
    let replacement = if record.kind != resource.kind {
        "True"
    } else {
        replacement(&details)
    };
    let mut more = json!({
        "PhysicalResourceId": record.physical,
        "Replacement": replacement,
        "Scope": scopes,
        "Details": details,
    });
    if replacement == "True" {
        let kept = resource.update_replace_policy.as_deref() == Some("Retain");
        more["PolicyAction"] = if kept { "ReplaceAndRetain" } else { "ReplaceAndDelete" }.into();
    }
    let fate = match replacement {
        "True" => Fate::Replaced,
        _ => Fate::Modified,
    };
    Ok(Some((fate, change("Modify", logical, &resource.kind, more))))
}

fn keys(value: &Value) -> impl Iterator<Item = &String> {
    value.as_object().into_iter().flat_map(Map::keys)
}

fn replacement(details: &[Value]) -> &'static str {
    let is = |evaluation: &str, recreation: &str| {
        details
            .iter()
            .any(|d| d["Evaluation"] == evaluation && d["Target"]["RequiresRecreation"] == recreation)
    };
    if is("Static", "Always") {
        "True"
    } else if is("Dynamic", "Always") || is("Static", "Conditionally") || is("Dynamic", "Conditionally") {
        "Conditional"
    } else {
        "False"
    }
}

/// Whether the outputs of the templates differ, or what their parameters make of them.
pub(crate) fn outputs_differ(stack: &Stack, desired: &Desired) -> bool {
    let outputs = |t: &Template| t.outputs.clone();
    if outputs(&stack.desired.template) != outputs(&desired.template) {
        return true;
    }
    let shown = |d: &Desired| -> Vec<String> {
        d.template
            .outputs
            .iter()
            .filter(|(_, o)| {
                o.condition
                    .as_ref()
                    .is_none_or(|c| d.facts.conditions.get(c).copied().unwrap_or_default())
            })
            .map(|(k, _)| k.clone())
            .collect()
    };
    let referenced = desired
        .template
        .outputs
        .values()
        .any(|o| !changed_parameters(stack, desired, &o.value).is_empty());
    referenced || shown(&stack.desired) != shown(desired)
}

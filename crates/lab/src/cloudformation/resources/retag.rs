//! Tags that change: each service is told by two actions of its own, and all go by the same difference.

use crate::cloudformation::context::{Context, Failure};
use crate::cloudformation::state::Record;
use serde_json::{Value, json};

/// How a service is told of tags that change.
pub(super) struct Tagging {
    service: &'static str,
    /// The property of a template that lists the resource's own.
    property: &'static str,
    /// The parameter that names the resource, and its value.
    resource: (&'static str, fn(&str) -> Value),
    /// The action that removes tags, its parameter, and one key there.
    remove: (&'static str, &'static str, fn(&str) -> Value),
    /// The action that sets tags, and its parameter.
    set: (&'static str, &'static str),
    /// What else both actions must be told.
    besides: &'static [(&'static str, &'static str)],
}

fn one(text: &str) -> Value {
    text.into()
}

fn list(text: &str) -> Value {
    json!([text])
}

pub(super) const EC2: Tagging = Tagging {
    service: "ec2",
    property: "Tags",
    resource: ("ResourceId", list),
    remove: ("DeleteTags", "Tag", |key| json!({"Key": key})),
    set: ("CreateTags", "Tag"),
    besides: &[],
};

pub(super) const FILE_SYSTEM: Tagging = Tagging {
    service: "elasticfilesystem",
    property: "FileSystemTags",
    resource: ("ResourceId", one),
    remove: ("UntagResource", "TagKeys", one),
    set: ("TagResource", "Tags"),
    besides: &[],
};

pub(super) const LOAD_BALANCING: Tagging = Tagging {
    service: "elasticloadbalancing",
    property: "Tags",
    resource: ("ResourceArns", list),
    remove: ("RemoveTags", "TagKeys", one),
    set: ("AddTags", "Tags"),
    besides: &[],
};

pub(super) const ROLE: Tagging = Tagging {
    service: "iam",
    property: "Tags",
    resource: ("RoleName", one),
    remove: ("UntagRole", "TagKeys", one),
    set: ("TagRole", "Tags"),
    besides: &[],
};

pub(super) const SECRET: Tagging = Tagging {
    service: "secretsmanager",
    property: "Tags",
    resource: ("SecretId", one),
    remove: ("UntagResource", "TagKeys", one),
    set: ("TagResource", "Tags"),
    besides: &[],
};

pub(super) const DOCUMENT: Tagging = Tagging {
    service: "ssm",
    property: "Tags",
    resource: ("ResourceId", one),
    remove: ("RemoveTagsFromResource", "TagKeys", one),
    set: ("AddTagsToResource", "Tags"),
    besides: &[("ResourceType", "Document")],
};

/// Brings the tags of a resource up to date: its own, and those of the stack.
pub(super) async fn retag(
    tagging: &Tagging,
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<(), Failure> {
    let mut before = context.clone();
    before.tags.clone_from(&old.tags);
    let was = before.all_tags(old.properties.get(tagging.property));
    let is = context.all_tags(properties.get(tagging.property));
    let (name, resource) = tagging.resource;
    let (remove, keys, key) = tagging.remove;
    let gone: Vec<Value> = was
        .iter()
        .filter(|(k, _)| !is.iter().any(|(other, _)| other == k))
        .map(|(k, _)| key(k))
        .collect();
    if !gone.is_empty() {
        let params = with(json!({name: resource(physical), keys: gone}), tagging.besides);
        context.call(tagging.service, remove, params).await?;
    }
    let (set, tags) = tagging.set;
    let new: Vec<Value> = is
        .iter()
        .filter(|tag| !was.contains(tag))
        .map(|(k, v)| json!({"Key": k, "Value": v}))
        .collect();
    if !new.is_empty() {
        let params = with(json!({name: resource(physical), tags: new}), tagging.besides);
        context.call(tagging.service, set, params).await?;
    }
    Ok(())
}

fn with(mut params: Value, besides: &[(&str, &str)]) -> Value {
    for (name, value) in besides {
        params[*name] = (*value).into();
    }
    params
}

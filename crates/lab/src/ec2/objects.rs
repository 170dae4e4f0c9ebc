//! The store of EC2 objects that are records only, and the Describe call that all of them share.

use super::filters;
use super::wire::{tag_set, tags_of};
use crate::api::{ApiError, ApiResult, list, number, only, text, texts};
use indexmap::IndexMap;
use serde_json::{Map, Value};

/// Kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub(super) enum Kind {
    Vpc,
    Subnet,
    InternetGateway,
    RouteTable,
    VpcEndpoint,
    SecurityGroup,
    Image,
    KeyPair,
    LaunchTemplate,
    AvailabilityZone,
    Region,
    InstanceType,
    InstanceTypeOffering,
    Instance,
    Volume,
    NetworkInterface,
}

/// How a kind of record looks on the wire.
pub(super) struct Facts {
    /// List in the answer, `vpcSet`.
    pub(crate) set: &'static str,
    /// Id member in the answer, `vpcId`.
    pub(crate) id: &'static str,
    /// Parameter with ids, `VpcId`.
    pub(crate) ids: &'static str,
    /// Resource type in tag specifications, `vpc`.
    pub(crate) resource_type: &'static str,
    /// Error code of an unknown id.
    pub(crate) not_found: &'static str,
    /// Filters and where they look.
    pub(crate) filters: &'static [(&'static str, &'static str)],
    /// Parameters of the Describe call beyond ids, filters and paging.
    pub(crate) extra: &'static [&'static str],
}

impl Kind {
    /// Facts of the kind.
    pub(super) fn facts(self) -> &'static Facts {
        super::catalog::facts(self)
    }

    /// The kind that a resource type or the prefix of an id names.
    pub(super) fn of_id(id: &str) -> Option<Self> {
        let prefix = id.rsplit_once('-')?.0;
        Some(match prefix {
            "vpc" => Kind::Vpc,
            "subnet" => Kind::Subnet,
            "igw" => Kind::InternetGateway,
            "rtb" => Kind::RouteTable,
            "vpce" => Kind::VpcEndpoint,
            "sg" => Kind::SecurityGroup,
            "ami" => Kind::Image,
            "key" => Kind::KeyPair,
            "lt" => Kind::LaunchTemplate,
            "i" => Kind::Instance,
            "vol" => Kind::Volume,
            "eni" => Kind::NetworkInterface,
            _ => return None,
        })
    }
}

/// One record.
#[derive(Debug, Clone)]
pub(super) struct Object {
    /// Kind.
    pub(crate) kind: Kind,
    /// Members of the answer, without tags.
    pub(crate) body: Map<String, Value>,
    /// Tags in the order they were set.
    pub(crate) tags: IndexMap<String, String>,
}

impl Object {
    /// The record as an answer shows it.
    pub(super) fn shown(&self) -> Value {
        // Members that begin with a dot are kept beside what answers show.
        let mut body: Map<String, Value> = self
            .body
            .iter()
            .filter(|(name, _)| !name.starts_with('.'))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if !matches!(
            self.kind,
            Kind::AvailabilityZone | Kind::Region | Kind::InstanceType | Kind::InstanceTypeOffering
        ) {
            body.insert("tagSet".to_owned(), tag_set(&self.tags));
        }
        Value::Object(body)
    }

    /// A text member.
    pub(super) fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// All records by id.
#[derive(Debug, Default)]
pub(super) struct Objects {
    items: IndexMap<String, Object>,
}

impl Objects {
    /// Adds a record.
    pub(super) fn insert(&mut self, id: impl Into<String>, object: Object) {
        self.items.insert(id.into(), object);
    }

    /// Removes a record.
    pub(super) fn remove(&mut self, id: &str) -> Option<Object> {
        self.items.shift_remove(id)
    }

    /// A record of a kind.
    ///
    /// # Errors
    /// The kind's own `NotFound`.
    pub(super) fn get(&self, kind: Kind, id: &str) -> Result<&Object, ApiError> {
        self.items
            .get(id)
            .filter(|o| o.kind == kind)
            .ok_or_else(|| not_found(kind, id))
    }

    /// A record of a kind, to be changed.
    ///
    /// # Errors
    /// The kind's own `NotFound`.
    pub(super) fn get_mut(&mut self, kind: Kind, id: &str) -> Result<&mut Object, ApiError> {
        self.items
            .get_mut(id)
            .filter(|o| o.kind == kind)
            .ok_or_else(|| not_found(kind, id))
    }

    /// Any record.
    pub(super) fn any_mut(&mut self, id: &str) -> Option<&mut Object> {
        self.items.get_mut(id)
    }

    /// All records of a kind with their ids.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&String, &Object)> {
        self.items.iter().filter(move |(_, o)| o.kind == kind)
    }

    /// All records that can have tags.
    pub(super) fn all(&self) -> impl Iterator<Item = (&String, &Object)> {
        self.items.iter()
    }
}

/// The error for an id that names nothing.
pub(super) fn not_found(kind: Kind, id: &str) -> ApiError {
    let facts = kind.facts();
    let word = facts.resource_type.replace('-', " ");
    ApiError::new(facts.not_found, format!("The {word} ID '{id}' does not exist"))
}

/// The Describe call of a kind over already rendered records.
///
/// # Errors
/// Unknown parameters, filters or ids.
pub(super) fn describe(kind: Kind, params: &Value, shown: Vec<Value>) -> ApiResult {
    let facts = kind.facts();
    let mut known = vec![facts.ids, "Filter", "MaxResults", "NextToken", "DryRun"];
    known.extend(facts.extra);
    only(params, &known)?;
    let filters = filters::filters(params, facts.filters)?;
    let ids = texts(params, facts.ids);
    if let Some(unknown) = ids
        .iter()
        .find(|id| !shown.iter().any(|o| o[facts.id].as_str() == Some(id)))
    {
        return Err(not_found(kind, unknown));
    }
    let found: Vec<Value> = shown
        .into_iter()
        .filter(|o| ids.is_empty() || ids.iter().any(|id| o[facts.id].as_str() == Some(id)))
        .filter(|o| filters::passes(o, &filters, facts.filters))
        .collect();
    let (found, next) = page(found, params)?;
    let mut answer = Map::new();
    answer.insert(facts.set.to_owned(), Value::Array(found));
    if let Some(next) = next {
        answer.insert("nextToken".to_owned(), Value::String(next));
    }
    Ok(Value::Object(answer))
}

/// One page of a list by `MaxResults` and `NextToken`.
///
/// # Errors
/// `InvalidParameterValue` for a token that no answer gave.
pub(super) fn page(items: Vec<Value>, params: &Value) -> Result<(Vec<Value>, Option<String>), ApiError> {
    let start = match text(params, "NextToken").filter(|t| !t.is_empty()) {
        None => 0,
        Some(token) => token
            .strip_prefix("page-")
            .and_then(|n| n.parse::<usize>().ok())
            .ok_or_else(|| ApiError::new("InvalidParameterValue", "Invalid value for nextToken"))?,
    };
    let size = number(params, "MaxResults")
        .and_then(|n| usize::try_from(n).ok())
        .filter(|n| *n > 0)
        .unwrap_or(usize::MAX);
    let end = start.saturating_add(size);
    let next = (end < items.len()).then(|| format!("page-{end}"));
    Ok((items.into_iter().skip(start).take(size).collect(), next))
}

/// Tags of a `TagSpecification` list for one resource type.
///
/// # Errors
/// `InvalidParameterValue` for another resource type or a wrong tag.
pub(super) fn specified_tags(
    params: &Value,
    allowed: &[&str],
    wanted: &str,
) -> Result<IndexMap<String, String>, ApiError> {
    let mut tags = IndexMap::new();
    for specification in list(params, "TagSpecification") {
        super::wire::only_nested(&specification, "TagSpecification", &["ResourceType", "Tag"])?;
        let resource_type = text(&specification, "ResourceType").unwrap_or_default();
        if !allowed.contains(&resource_type.as_str()) {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!("'{resource_type}' is not a valid taggable resource type for this operation."),
            ));
        }
        if resource_type == wanted {
            tags.extend(tags_of(&specification)?);
        }
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pages_follow_each_other_and_end() {
        let items: Vec<Value> = (0..5).map(|n| json!(n)).collect();
        let mut seen = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let params = json!({"MaxResults": "2", "NextToken": token.clone().unwrap_or_default()});
            let (page, next) = page(items.clone(), &params).expect("a page");
            seen.extend(page);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, items);
        assert!(super::page(items, &json!({"NextToken": "other"})).is_err());
    }
}

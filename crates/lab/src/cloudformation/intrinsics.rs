//! Values of intrinsic functions.

mod conditions;

pub(crate) use conditions::conditions;

use super::references::{attribute_of, placeholders};
use super::schema::UNKNOWN;
use super::template::{Template, invalid};
use crate::api::ApiError;
use base64::Engine;
use indexmap::IndexMap;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// What `Ref` and `Fn::GetAtt` give for resources.
pub(crate) trait Lookup {
    /// Value of `Ref`.
    fn reference(&self, logical: &str) -> Option<Value>;
    /// Value of `Fn::GetAtt`.
    fn attribute(&self, logical: &str, attribute: &str) -> Option<Value>;
}

/// A lookup that knows no resource.
pub(crate) struct NoResources;

impl Lookup for NoResources {
    fn reference(&self, _: &str) -> Option<Value> {
        None
    }

    fn attribute(&self, _: &str, _: &str) -> Option<Value> {
        None
    }
}

/// Values of conditions by name.
pub(crate) type Conditions = HashMap<String, bool>;

/// What a stack's intrinsics are evaluated against, but for its resources.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// Resolved parameters: a text, or a list of texts.
    pub(crate) parameters: IndexMap<String, Value>,
    /// Values of conditions.
    pub(crate) conditions: Conditions,
    /// Region of the stack.
    pub(crate) region: String,
    /// Account of the stack.
    pub(crate) account: String,
    /// ARN of the stack.
    pub(crate) stack_id: String,
    /// Name of the stack.
    pub(crate) stack_name: String,
    /// Availability zones of the region, for `Fn::GetAZs`.
    pub(crate) zones: Vec<String>,
    /// Exports of other stacks, for `Fn::ImportValue`.
    pub(crate) exports: HashMap<String, String>,
    /// Parameters of AWS types, for the functions of rules: type, and what EC2 says about the values.
    pub(crate) objects: IndexMap<String, (String, Vec<Value>)>,
}

/// An evaluation of one template.
pub(crate) struct Scope<'a> {
    /// The template, for its mappings and conditions.
    pub(crate) template: &'a Template,
    /// The stack's facts.
    pub(crate) facts: &'a Facts,
    /// Its resources.
    pub(crate) resources: &'a dyn Lookup,
}

fn error(message: impl std::fmt::Display) -> ApiError {
    invalid(format!("Template error: {message}"))
}

/// What the regions of a partition other than `aws` begin with, its name and the domain of its endpoints, as AWS publishes
/// them in `partitions.json`.
const PARTITIONS: [(&str, &str, &str); 7] = [
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
];

fn of_region(region: &str) -> (&'static str, &'static str) {
    let found = PARTITIONS.iter().find(|(start, _, _)| region.starts_with(start));
    found.map_or(("aws", "amazonaws.com"), |(_, name, suffix)| (name, suffix))
}

/// Partition of a region.
pub(crate) fn partition(region: &str) -> &'static str {
    of_region(region).0
}

impl Scope<'_> {
    /// The value with all intrinsics resolved; `None` is `AWS::NoValue`.
    ///
    /// # Errors
    /// `ValidationError` in CloudFormation's words.
    pub(crate) fn evaluate(&self, value: &Value) -> Result<Option<Value>, ApiError> {
        match value {
            Value::Array(items) => {
                let mut out = Vec::with_capacity(items.len());
                for item in items {
                    out.extend(self.evaluate(item)?);
                }
                Ok(Some(Value::Array(out)))
            }
            Value::Object(members) => {
                if members.len() == 1
                    && let Some((key, inner)) = members.iter().next()
                    && (key == "Ref" || key.starts_with("Fn::"))
                {
                    return self.function(key, inner);
                }
                let mut out = Map::new();
                for (key, value) in members {
                    if let Some(value) = self.evaluate(value)? {
                        out.insert(key.clone(), value);
                    }
                }
                Ok(Some(Value::Object(out)))
            }
            other => Ok(Some(other.clone())),
        }
    }

    /// The value as text.
    ///
    /// # Errors
    /// As [`Scope::evaluate`], and when it is none.
    pub(crate) fn text(&self, value: &Value) -> Result<String, ApiError> {
        match self.evaluate(value)? {
            Some(Value::String(text)) => Ok(text),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(Value::Bool(flag)) => Ok(flag.to_string()),
            _ => Err(error("every value must resolve to a string")),
        }
    }

    fn function(&self, key: &str, inner: &Value) -> Result<Option<Value>, ApiError> {
        Ok(Some(match key {
            "Ref" => {
                let name = inner.as_str().ok_or_else(|| error("Ref needs a name"))?;
                return if name == "AWS::NoValue" {
                    Ok(None)
                } else {
                    self.reference(name).map(Some)
                };
            }
            "Fn::GetAtt" => {
                let parts = match inner {
                    Value::Array(parts) if parts.len() == 2 => {
                        let attribute = self.text(&parts[1])?;
                        parts[0].as_str().map(|r| (r.to_owned(), attribute))
                    }
                    other => attribute_of(other),
                };
                let (resource, attribute) =
                    parts.ok_or_else(|| error("Fn::GetAtt object requires two non-empty parameters"))?;
                self.attribute(&resource, &attribute)?
            }
            "Fn::Sub" => Value::String(self.substitute(inner)?),
            "Fn::Join" => {
                let (separator, items) = self.pair(key, inner)?;
                let separator = separator
                    .as_str()
                    .ok_or_else(|| error("every Fn::Join object requires a string delimiter"))?;
                let items = items
                    .as_array()
                    .ok_or_else(|| error("every Fn::Join object requires a list of values"))?;
                let texts: Option<Vec<String>> = items.iter().map(scalar).collect();
                let texts =
                    texts.ok_or_else(|| error("every value of the list of Fn::Join must resolve to a string"))?;
                Value::String(texts.join(separator))
            }
            "Fn::Split" => {
                let (separator, text) = self.pair(key, inner)?;
                match (separator.as_str(), text.as_str()) {
                    (Some(separator), Some(text)) if !separator.is_empty() => {
                        text.split(separator).map(Value::from).collect::<Vec<_>>().into()
                    }
                    _ => return Err(error("every Fn::Split object requires a delimiter and a string")),
                }
            }
            "Fn::Select" => {
                let (index, items) = self.pair(key, inner)?;
                let index: Option<usize> = scalar(&index).and_then(|i| i.parse().ok());
                match (index, items.as_array()) {
                    (Some(index), Some(items)) => items
                        .get(index)
                        .cloned()
                        .ok_or_else(|| error(format!("Fn::Select cannot select nonexistent value at index {index}")))?,
                    _ => {
                        return Err(error(
                            "Fn::Select requires a list argument with two elements: an integer index and a list",
                        ));
                    }
                }
            }
            "Fn::If" => {
                let Value::Array(parts) = inner else {
                    return Err(error("Fn::If requires a list argument with three elements"));
                };
                let [Value::String(name), then, otherwise] = parts.as_slice() else {
                    return Err(error("Fn::If requires a list argument with three elements"));
                };
                let holds = self.named_condition(name)?;
                return self.evaluate(if holds { then } else { otherwise });
            }
            "Fn::Base64" => Value::String(match self.text(inner)? {
                // Encoded, it would hide that it is not known yet.
                text if text.contains(UNKNOWN) => text,
                text => base64::engine::general_purpose::STANDARD.encode(text),
            }),
            "Fn::FindInMap" => self.find_in_map(inner)?,
            "Fn::GetAZs" => {
                let region = self.text(inner)?;
                if !region.is_empty() && region != self.facts.region {
                    return Err(error(format!("Fn::GetAZs: the lab has no region {region}")));
                }
                self.facts
                    .zones
                    .iter()
                    .map(|z| Value::from(z.as_str()))
                    .collect::<Vec<_>>()
                    .into()
            }
            "Fn::Cidr" => self.cidr(inner)?,
            "Fn::ImportValue" => {
                let name = self.text(inner)?;
                let value = self.facts.exports.get(&name);
                Value::String(
                    value
                        .cloned()
                        .ok_or_else(|| invalid(format!("No export named {name} found. Rollback requested by user.")))?,
                )
            }
            "Fn::RefAll" if !self.facts.objects.is_empty() => {
                let kind = self.text(inner)?;
                let of_kind = self.facts.objects.iter().filter(|(_, (k, _))| *k == kind);
                let values = of_kind.filter_map(|(name, _)| self.facts.parameters.get(name));
                let values = values.flat_map(|v| v.as_array().cloned().unwrap_or_else(|| vec![v.clone()]));
                values.collect::<Vec<_>>().into()
            }
            "Fn::ValueOf" | "Fn::ValueOfAll" if !self.facts.objects.is_empty() => {
                let (of, attribute) = self.pair(key, inner)?;
                let (Some(of), Some(attribute)) = (of.as_str(), attribute.as_str()) else {
                    return Err(error(format!("every {key} object requires two strings")));
                };
                let matching = self.facts.objects.iter().filter(|(name, (kind, _))| match key {
                    "Fn::ValueOf" => name.as_str() == of,
                    _ => kind == of,
                });
                let values: Vec<Value> = matching
                    .flat_map(|(_, (_, objects))| objects)
                    .map(|object| attribute_value(object, attribute))
                    .collect();
                match (key, self.facts.parameters.get(of)) {
                    // A parameter that is no list has one value.
                    ("Fn::ValueOf", Some(Value::String(_))) => values.into_iter().next().unwrap_or_default(),
                    _ => values.into(),
                }
            }
            "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => {
                return Err(error(format!("{key} cannot be used outside of the Conditions block")));
            }
            other => return Err(error(format!("unsupported intrinsic function {other}"))),
        }))
    }

    fn reference(&self, name: &str) -> Result<Value, ApiError> {
        let facts = self.facts;
        Ok(match name {
            "AWS::AccountId" => facts.account.as_str().into(),
            "AWS::Partition" => partition(&facts.region).into(),
            "AWS::Region" => facts.region.as_str().into(),
            "AWS::StackId" => facts.stack_id.as_str().into(),
            "AWS::StackName" => facts.stack_name.as_str().into(),
            "AWS::NotificationARNs" => Value::Array(Vec::new()),
            "AWS::URLSuffix" => of_region(&facts.region).1.into(),
            other => match facts.parameters.get(other) {
                Some(value) => value.clone(),
                None => self.resources.reference(other).ok_or_else(|| {
                    invalid(format!(
                        "Unresolved resource dependencies [{other}] in the Resources block of the template"
                    ))
                })?,
            },
        })
    }

    fn attribute(&self, resource: &str, attribute: &str) -> Result<Value, ApiError> {
        self.resources.attribute(resource, attribute).ok_or_else(|| {
            error(format!(
                "resource {resource} does not support attribute type {attribute} in Fn::GetAtt"
            ))
        })
    }

    fn substitute(&self, inner: &Value) -> Result<String, ApiError> {
        let malformed = || error("one or more Fn::Sub intrinsic functions don't specify expected arguments");
        let (text, variables) = match inner {
            Value::String(text) => (text.as_str(), None),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(text), Value::Object(variables)] => (text.as_str(), Some(variables)),
                _ => return Err(malformed()),
            },
            _ => return Err(malformed()),
        };
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for (range, name) in placeholders(text) {
            out.push_str(&text[from..range.start]);
            from = range.end;
            let value = match variables.and_then(|v| v.get(name)) {
                Some(value) => self.evaluate(value)?.unwrap_or_default(),
                None => match name.split_once('.') {
                    Some((resource, attribute)) => self.attribute(resource, attribute)?,
                    None => self.reference(name)?,
                },
            };
            let value = scalar(&value).ok_or_else(|| {
                error(format!(
                    "variable {name} in Fn::Sub expression does not resolve to a string"
                ))
            })?;
            out.push_str(&value);
        }
        out.push_str(&text[from..]);
        Ok(out.replace("${!", "${"))
    }

    fn pair(&self, function: &str, inner: &Value) -> Result<(Value, Value), ApiError> {
        match inner {
            Value::Array(parts) if parts.len() == 2 => Ok((
                self.evaluate(&parts[0])?.unwrap_or_default(),
                self.evaluate(&parts[1])?.unwrap_or_default(),
            )),
            _ => Err(error(format!("every {function} object requires two parameters"))),
        }
    }

    fn find_in_map(&self, inner: &Value) -> Result<Value, ApiError> {
        let parts = inner.as_array().map(Vec::as_slice).unwrap_or_default();
        let (Some(map), Some(first), Some(second)) = (parts.first(), parts.get(1), parts.get(2)) else {
            return Err(error("every Fn::FindInMap object requires three parameters"));
        };
        let (map, first, second) = (self.text(map)?, self.text(first)?, self.text(second)?);
        let Some(table) = self.template.mappings.get(&map) else {
            return Err(error(format!(
                "Mapping named '{map}' is not present in the 'Mappings' section of template."
            )));
        };
        match table.get(&first).and_then(|row| row.get(&second)) {
            Some(value) => Ok(value.clone()),
            None => match parts.get(3).and_then(|d| d.get("DefaultValue")) {
                Some(default) => Ok(self.evaluate(default)?.unwrap_or_default()),
                None => Err(error(format!("Unable to get mapping for {map}::{first}::{second}"))),
            },
        }
    }

    fn cidr(&self, inner: &Value) -> Result<Value, ApiError> {
        let malformed = || error("Fn::Cidr requires an IPv4 block, a count of 1 to 256 and the bits of a subnet");
        let parts = inner.as_array().ok_or_else(malformed)?;
        let block = self.text(parts.first().ok_or_else(malformed)?)?;
        let count: u32 = self
            .text(parts.get(1).ok_or_else(malformed)?)?
            .parse()
            .map_err(|_| malformed())?;
        let bits: u32 = self
            .text(parts.get(2).ok_or_else(malformed)?)?
            .parse()
            .map_err(|_| malformed())?;
        let (address, length) = block.split_once('/').ok_or_else(malformed)?;
        let address: std::net::Ipv4Addr = address.parse().map_err(|_| malformed())?;
        let length: u32 = length.parse().map_err(|_| malformed())?;
        if !(1..=256).contains(&count) || !(1..32).contains(&bits) || length > 32 - bits {
            return Err(malformed());
        }
        if u64::from(count) > 1 << (32 - bits - length) {
            return Err(error(format!(
                "Fn::Cidr: {block} has fewer than {count} blocks of {bits} bits"
            )));
        }
        let mask = if length == 0 { 0 } else { u32::MAX << (32 - length) };
        let base = u32::from(address) & mask;
        Ok((0..count)
            .map(|i| {
                Value::String(format!(
                    "{}/{}",
                    std::net::Ipv4Addr::from(base + (i << bits)),
                    32 - bits
                ))
            })
            .collect::<Vec<_>>()
            .into())
    }
}

/// An attribute that rules can ask for, from EC2's description: `VpcId`, `AvailabilityZone`, `Tags.Name`.
fn attribute_value(object: &Value, attribute: &str) -> Value {
    if let Some(key) = attribute.strip_prefix("Tags.") {
        let tags = object["tagSet"].as_array().into_iter().flatten();
        let mut found = tags.filter(|t| t["key"] == key).map(|t| t["value"].clone());
        return found.next_back().unwrap_or_else(|| "".into());
    }
    let mut name = attribute.to_owned();
    if let Some(first) = name.get_mut(0..1) {
        first.make_ascii_lowercase();
    }
    object.get(&name).cloned().unwrap_or_default()
}

fn plain(value: &Value) -> Value {
    scalar(value).map_or_else(|| value.clone(), Value::String)
}

/// A scalar as text.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

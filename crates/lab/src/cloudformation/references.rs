//! What refers to what: dangling references, attributes that do not exist, cycles, order.

use super::schema;
use super::template::{Template, invalid};
use crate::api::ApiError;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Pseudo parameters.
pub(crate) const PSEUDO: &[&str] = &[
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// One reference in a template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reference {
    /// `Ref` to a parameter, pseudo parameter or resource.
    Name(String),
    /// `Fn::GetAtt`.
    Attribute(String, String),
    /// A condition.
    Condition(String),
}

/// All references in a value.
pub(crate) fn references(value: &Value) -> BTreeSet<Reference> {
    let mut found = BTreeSet::new();
    walk(value, &mut found);
    found
}

fn walk(value: &Value, found: &mut BTreeSet<Reference>) {
    match value {
        Value::Array(items) => items.iter().for_each(|v| walk(v, found)),
        Value::Object(members) => {
            if members.len() == 1
                && let Some((key, inner)) = members.iter().next()
            {
                match (key.as_str(), inner) {
                    ("Ref", Value::String(name)) => {
                        found.insert(Reference::Name(name.clone()));
                        return;
                    }
                    ("Condition", Value::String(name)) => {
                        found.insert(Reference::Condition(name.clone()));
                        return;
                    }
                    ("Fn::GetAtt", inner) => {
                        if let Some((resource, attribute)) = attribute_of(inner) {
                            found.insert(Reference::Attribute(resource, attribute));
                        }
                        return;
                    }
                    ("Fn::Sub", inner) => return walk_sub(inner, found),
                    ("Fn::If", Value::Array(items)) => {
                        if let Some(Value::String(name)) = items.first() {
                            found.insert(Reference::Condition(name.clone()));
                        }
                    }
                    _ => {}
                }
            }
            members.values().for_each(|v| walk(v, found));
        }
        _ => {}
    }
}

/// The two parts of a `Fn::GetAtt`.
pub(crate) fn attribute_of(inner: &Value) -> Option<(String, String)> {
    match inner {
        Value::String(text) => text.split_once('.').map(|(r, a)| (r.to_owned(), a.to_owned())),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(Value::as_str).collect();
            match texts.as_slice() {
                [resource, rest @ ..] if !rest.is_empty() => Some(((*resource).to_owned(), rest.join("."))),
                _ => None,
            }
        }
        _ => None,
    }
}

fn walk_sub(inner: &Value, found: &mut BTreeSet<Reference>) {
    let (text, variables) = match inner {
        Value::String(text) => (text.as_str(), None),
        Value::Array(parts) => (
            parts.first().and_then(Value::as_str).unwrap_or_default(),
            parts.get(1).and_then(Value::as_object),
        ),
        _ => return,
    };
    for (_, name) in placeholders(text) {
        if variables.is_some_and(|v| v.contains_key(name)) {
            continue;
        }
        found.insert(match name.split_once('.') {
            Some((resource, attribute)) => Reference::Attribute(resource.to_owned(), attribute.to_owned()),
            None => Reference::Name(name.to_owned()),
        });
    }
    if let Some(variables) = variables {
        variables.values().for_each(|v| walk(v, found));
    }
}

/// The `${Name}` of a `Fn::Sub` text with the range that each takes; `${!Literal}` is none.
pub(crate) fn placeholders(text: &str) -> Vec<(std::ops::Range<usize>, &str)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find("${").map(|at| at + from) {
        let Some(end) = text[start..].find('}').map(|at| at + start) else {
            break;
        };
        let name = text[start + 2..end].trim();
        if !name.starts_with('!') {
            found.push((start..end + 1, name));
        }
        from = end + 1;
    }
    found
}

/// Logical ids that a resource needs first: its references and `DependsOn`.
pub(crate) fn dependencies(template: &Template, logical: &str) -> BTreeSet<String> {
    let Some(resource) = template.resources.get(logical) else {
        return BTreeSet::new();
    };
    let mut needed: BTreeSet<String> = resource.depends_on.iter().cloned().collect();
    for value in [
        &resource.properties,
        &resource.metadata,
        &resource.creation_policy,
        &resource.update_policy,
    ] {
        for reference in references(value) {
            let (Reference::Name(name) | Reference::Attribute(name, _)) = reference else {
                continue;
            };
            if template.resources.contains_key(&name) {
                needed.insert(name);
            }
        }
    }
    // An attachment makes the gateway usable: routes through it wait for it as CloudFormation's own hidden rule.
    if resource.kind == "AWS::EC2::Route" {
        for (name, other) in &template.resources {
            let gateways = references(&other.properties);
            let shared = references(&resource.properties)
                .into_iter()
                .any(|r| matches!(&r, Reference::Name(n) if template.resources.get(n).is_some_and(|x| x.kind == "AWS::EC2::InternetGateway")) && gateways.contains(&r));
            if other.kind == "AWS::EC2::VPCGatewayAttachment" && shared {
                needed.insert(name.clone());
            }
        }
    }
    needed
}

/// Checks every reference of a template.
///
/// # Errors
/// `ValidationError` for a dangling reference, an attribute that the type does not have, or a cycle.
pub(crate) fn check(template: &Template) -> Result<(), ApiError> {
    check_conditions(template)?;
    let mut dangling = BTreeSet::new();
    for resource in template.resources.values() {
        for value in [
            &resource.properties,
            &resource.metadata,
            &resource.creation_policy,
            &resource.update_policy,
        ] {
            check_value(template, value, &mut dangling)?;
        }
        dangling.extend(
            resource
                .depends_on
                .iter()
                .filter(|d| !template.resources.contains_key(*d))
                .cloned(),
        );
        condition_exists(template, resource.condition.as_deref())?;
    }
    refuse_dangling(&dangling, "Resources")?;
    for output in template.outputs.values() {
        check_value(template, &output.value, &mut dangling)?;
        condition_exists(template, output.condition.as_deref())?;
    }
    refuse_dangling(&dangling, "Outputs")?;
    order(template).map(drop)
}

fn refuse_dangling(names: &BTreeSet<String>, block: &str) -> Result<(), ApiError> {
    if names.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Err(invalid(format!(
        "Template format error: Unresolved resource dependencies [{}] in the {block} block of the template",
        names.join(", ")
    )))
}

fn condition_exists(template: &Template, name: Option<&str>) -> Result<(), ApiError> {
    match name {
        Some(name) if !template.conditions.contains_key(name) => Err(invalid(format!(
            "Template format error: Unresolved condition dependency {name} in the Resources block of the template"
        ))),
        _ => Ok(()),
    }
}

fn check_value(template: &Template, value: &Value, dangling: &mut BTreeSet<String>) -> Result<(), ApiError> {
    for reference in references(value) {
        match reference {
            Reference::Name(name) => {
                let known = template.parameters.contains_key(&name)
                    || template.resources.contains_key(&name)
                    || PSEUDO.contains(&name.as_str());
                if !known {
                    dangling.insert(name);
                }
            }
            Reference::Attribute(name, attribute) => {
                let Some(resource) = template.resources.get(&name) else {
                    return Err(invalid(format!(
                        "Template error: instance of Fn::GetAtt references undefined resource {name}"
                    )));
                };
                if !schema::find(&resource.kind).is_some_and(|s| s.attributes.contains(&attribute)) {
                    return Err(invalid(format!(
                        "Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt"
                    )));
                }
            }
            Reference::Condition(name) => {
                if !template.conditions.contains_key(&name) {
                    return Err(invalid(format!(
                        "Template error: unresolved condition dependency {name} in Fn::If"
                    )));
                }
            }
        }
    }
    Ok(())
}

fn check_conditions(template: &Template) -> Result<(), ApiError> {
    let mut edges: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in &template.conditions {
        let mut needs = BTreeSet::new();
        for reference in references(value) {
            match reference {
                Reference::Condition(other) if template.conditions.contains_key(&other) => {
                    needs.insert(other);
                }
                Reference::Name(other)
                    if template.parameters.contains_key(&other) || PSEUDO.contains(&other.as_str()) => {}
                Reference::Condition(other) | Reference::Name(other) | Reference::Attribute(other, _) => {
                    return Err(invalid(format!(
                        "Template format error: Unresolved dependencies [{other}]. Cannot reference resources in the Conditions \
                         block of the template"
                    )));
                }
            }
        }
        edges.insert(name, needs);
    }
    match sort(&edges) {
        Ok(_) => Ok(()),
        Err(cycle) => Err(invalid(format!(
            "Template format error: Found circular condition dependency between {}",
            cycle.join(" and ")
        ))),
    }
}

/// The resources in an order in which each comes after what it needs.
///
/// # Errors
/// `Circular dependency between resources: […]`.
pub(crate) fn order(template: &Template) -> Result<Vec<String>, ApiError> {
    let edges: BTreeMap<&str, BTreeSet<String>> = template
        .resources
        .keys()
        .map(|name| (name.as_str(), dependencies(template, name)))
        .collect();
    sort(&edges).map_err(|cycle| invalid(format!("Circular dependency between resources: [{}]", cycle.join(", "))))
}

fn sort(edges: &BTreeMap<&str, BTreeSet<String>>) -> Result<Vec<String>, Vec<String>> {
    let mut done: Vec<String> = Vec::new();
    let mut left: BTreeMap<&str, &BTreeSet<String>> = edges.iter().map(|(k, v)| (*k, v)).collect();
    while !left.is_empty() {
        let ready: Vec<&str> = left
            .iter()
            .filter(|(_, needs)| needs.iter().all(|n| !left.contains_key(n.as_str())))
            .map(|(name, _)| *name)
            .collect();
        if ready.is_empty() {
            // What is left holds the cycle and what leads to it; the latter is needed by nobody who is left.
            loop {
                let idle: Vec<&str> = left
                    .keys()
                    .copied()
                    .filter(|name| !left.values().any(|needs| needs.contains(*name)))
                    .collect();
                if idle.is_empty() {
                    break;
                }
                idle.iter().for_each(|name| {
                    left.remove(name);
                });
            }
            return Err(left.keys().map(|k| (*k).to_owned()).collect());
        }
        for name in ready {
            left.remove(name);
            done.push(name.to_owned());
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> String {
        Template::read(body).unwrap_err().message
    }

    #[test]
    fn refuses_what_leads_nowhere() {
        let cases = [
            (
                "Resources: {A: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: !Ref Nope}}}",
                "Template format error: Unresolved resource dependencies [Nope] in the Resources block of the template",
            ),
            (
                "Resources: {A: {Type: 'AWS::EC2::VPC', DependsOn: Nope}}",
                "Template format error: Unresolved resource dependencies [Nope] in the Resources block of the template",
            ),
            (
                "Resources: {A: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: !GetAtt Nope.X}}}",
                "Template error: instance of Fn::GetAtt references undefined resource Nope",
            ),
            (
                "Resources: {A: {Type: 'AWS::EC2::VPC'}, B: {Type: 'AWS::EC2::Subnet', Properties: {VpcId: !GetAtt A.Nope}}}",
                "Template error: resource A does not support attribute type Nope in Fn::GetAtt",
            ),
            (
                "Resources: {A: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: !Sub 'x${B}'}}, B: {Type: 'AWS::EC2::Subnet', Properties: {VpcId: !Ref A}}, C: {Type: 'AWS::EC2::Subnet', Properties: {VpcId: !Ref A}}}",
                "Circular dependency between resources: [A, B]",
            ),
            (
                "Resources: {A: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: !If [Nope, a, b]}}}",
                "Template error: unresolved condition dependency Nope in Fn::If",
            ),
            (
                "Resources: {A: {Type: 'AWS::EC2::VPC'}}\nOutputs: {O: {Value: !Ref Nope}}",
                "Template format error: Unresolved resource dependencies [Nope] in the Outputs block of the template",
            ),
        ];
        for (body, message) in cases {
            assert_eq!(refusal(body), message, "{body}");
        }
        assert!(
            refusal("Conditions: {C: !Equals [!Ref A, x]}\nResources: {A: {Type: 'AWS::EC2::VPC'}}")
                .contains("Conditions block")
        );
        assert!(
            refusal(
                "Conditions: {C: !Not [!Condition D], D: !Not [!Condition C]}\nResources: {A: {Type: 'AWS::EC2::VPC'}}"
            )
            .contains("circular condition")
        );
    }

    #[test]
    fn routes_wait_for_the_gateway_to_be_attached() {
        let template = Template::read(
            "Resources:
  V: {Type: 'AWS::EC2::VPC'}
  G: {Type: 'AWS::EC2::InternetGateway'}
  Att: {Type: 'AWS::EC2::VPCGatewayAttachment', Properties: {VpcId: !Ref V, InternetGatewayId: !Ref G}}
  T: {Type: 'AWS::EC2::RouteTable', Properties: {VpcId: !Ref V}}
  R: {Type: 'AWS::EC2::Route', Properties: {RouteTableId: !Ref T, GatewayId: !Ref G, DestinationCidrBlock: 0.0.0.0/0}}",
        )
        .unwrap();
        assert!(dependencies(&template, "R").contains("Att"));
        let order = order(&template).unwrap();
        let at = |name: &str| order.iter().position(|n| n == name);
        assert!(at("Att") < at("R") && at("V") < at("T"));
    }

    #[test]
    fn literal_placeholders_are_none() {
        assert_eq!(
            placeholders("a${B} ${!C} ${D.E}")
                .iter()
                .map(|p| p.1)
                .collect::<Vec<_>>(),
            ["B", "D.E"]
        );
    }
}

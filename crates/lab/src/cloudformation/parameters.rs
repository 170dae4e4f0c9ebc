//! Parameters: what a template declares against what the caller gave, and the rules about them.

use super::intrinsics::{Facts, NoResources, Scope, conditions, scalar};
use super::template::{Template, invalid};
use crate::api::{ApiError, Caller, Cloud, list, text};
use indexmap::IndexMap;
use regex::Regex;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// One parameter of a stack.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    /// Value as given or by default.
    pub(crate) given: String,
    /// Value of an SSM parameter that was looked up.
    pub(crate) resolved: Option<String>,
    /// Whether descriptions hide it.
    pub(crate) no_echo: bool,
    /// Whether it is a list.
    pub(crate) list: bool,
    /// AWS type of the value or of its elements, `AWS::EC2::Subnet::Id`; absent for plain types.
    pub(crate) kind: Option<String>,
    /// What EC2 says about the values of an AWS type, in their order.
    pub(crate) described: Vec<Value>,
}

impl Parameter {
    /// The value that `Ref` gives.
    pub(crate) fn value(&self) -> Value {
        let text = self.resolved.as_ref().unwrap_or(&self.given);
        if !self.list {
            return Value::String(text.clone());
        }
        text.split(',')
            .map(str::trim)
            .filter(|t| !t.is_empty())
            .map(Value::from)
            .collect::<Vec<_>>()
            .into()
    }
}

/// Parameters of a stack by name.
pub(crate) type Parameters = IndexMap<String, Parameter>;

/// AWS types whose values must exist: type, describing action, its parameter, the list in its answer.
const EXISTING: &[(&str, &str, &str, &str)] = &[
    ("AWS::EC2::VPC::Id", "DescribeVpcs", "VpcId", "vpcSet"),
    ("AWS::EC2::Subnet::Id", "DescribeSubnets", "SubnetId", "subnetSet"),
    (
        "AWS::EC2::SecurityGroup::Id",
        "DescribeSecurityGroups",
        "GroupId",
        "securityGroupInfo",
    ),
    ("AWS::EC2::KeyPair::KeyName", "DescribeKeyPairs", "KeyName", "keySet"),
    ("AWS::EC2::Image::Id", "DescribeImages", "ImageId", "imagesSet"),
    (
        "AWS::EC2::AvailabilityZone::Name",
        "DescribeAvailabilityZones",
        "ZoneName",
        "availabilityZoneInfo",
    ),
    (
        "AWS::EC2::Instance::Id",
        "DescribeInstances",
        "InstanceId",
        "reservationSet",
    ),
    ("AWS::EC2::Volume::Id", "", "", ""),
    ("AWS::EC2::SecurityGroup::GroupName", "", "", ""),
    ("AWS::Route53::HostedZone::Id", "", "", ""),
];

fn inner_type(kind: &str) -> Option<&str> {
    kind.strip_prefix("List<").and_then(|k| k.strip_suffix('>'))
}

fn ssm_type(kind: &str) -> Option<&str> {
    kind.strip_prefix("AWS::SSM::Parameter::Value<")
        .and_then(|k| k.strip_suffix('>'))
}

/// Whether CloudFormation has this parameter type.
pub(crate) fn is_type(kind: &str) -> bool {
    if let Some(inner) = ssm_type(kind) {
        return inner != "Number" && is_type(inner) || inner == "List<String>";
    }
    matches!(
        kind,
        "String" | "Number" | "CommaDelimitedList" | "List<Number>" | "List<String>" | "AWS::SSM::Parameter::Name"
    ) || EXISTING.iter().any(|e| e.0 == kind || inner_type(kind) == Some(e.0))
}

fn is_list(kind: &str) -> bool {
    let kind = ssm_type(kind).unwrap_or(kind);
    kind == "CommaDelimitedList" || kind.starts_with("List<")
}

/// Settles the parameters of a stack: given values, previous values, defaults, constraints, existence.
///
/// `given` is the wire list of `{ParameterKey, ParameterValue, UsePreviousValue}`.
///
/// # Errors
/// `ValidationError` in CloudFormation's words for the first violation.
pub(crate) async fn settle(
    cloud: &Arc<Cloud>,
    caller: &Caller,
    template: &Template,
    given: &[Value],
    previous: &Parameters,
) -> Result<Parameters, ApiError> {
    let mut values: IndexMap<String, Option<String>> = IndexMap::new();
    for entry in given {
        let key = text(entry, "ParameterKey").unwrap_or_default();
        let value = text(entry, "ParameterValue");
        let use_previous = text(entry, "UsePreviousValue").as_deref() == Some("true");
        if use_previous && value.is_some() {
            return Err(invalid(format!(
                "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true and non empty value for a parameter"
            )));
        }
        if !use_previous && value.is_none() {
            return Err(invalid(format!(
                "Invalid input for parameter key {key}. Value must be specified or usePreviousValue must be true"
            )));
        }
        if use_previous && !previous.contains_key(&key) {
            return Err(invalid(format!(
                "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true for a parameter key not in the previous \
                 template"
            )));
        }
        values.insert(key, value);
    }
    let unknown: Vec<&str> = values
        .keys()
        .map(String::as_str)
        .filter(|k| !template.parameters.contains_key(*k))
        .collect();
    if !unknown.is_empty() {
        return Err(invalid(format!(
            "Parameters: [{}] do not exist in the template",
            unknown.join(", ")
        )));
    }
    let mut out = Parameters::new();
    let mut missing = Vec::new();
    for (name, declared) in &template.parameters {
        let value = match values.get(name) {
            Some(Some(value)) => Some(value.clone()),
            Some(None) => previous.get(name).map(|p| p.given.clone()),
            None => declared.get("Default").and_then(scalar),
        };
        match value {
            Some(given) => {
                let kind = declared.get("Type").and_then(Value::as_str).unwrap_or("String");
                let parameter = Parameter {
                    given,
                    resolved: None,
                    no_echo: declared.get("NoEcho").and_then(scalar).as_deref() == Some("true"),
                    list: is_list(kind),
                    kind: None,
                    described: Vec::new(),
                };
                out.insert(name.clone(), parameter);
            }
            None => missing.push(name.as_str()),
        }
    }
    if !missing.is_empty() {
        return Err(invalid(format!(
            "Parameters: [{}] must have values",
            missing.join(", ")
        )));
    }
    for (name, parameter) in &mut out {
        let declared = &template.parameters[name];
        constraints(name, declared, &parameter.given)?;
        let kind = declared.get("Type").and_then(Value::as_str).unwrap_or("String");
        if let Some(inner) = ssm_type(kind) {
            parameter.resolved = Some(look_up(cloud, caller, &parameter.given).await?);
            exists(cloud, caller, name, inner, parameter).await?;
        } else {
            exists(cloud, caller, name, kind, parameter).await?;
        }
    }
    Ok(out)
}

fn constraints(name: &str, declared: &Map<String, Value>, given: &str) -> Result<(), ApiError> {
    let described = declared.get("ConstraintDescription").and_then(Value::as_str);
    let violated = |otherwise: String| match described {
        Some(text) => invalid(format!("Parameter '{name}' failed to satisfy constraint: {text}")),
        None => invalid(format!("Parameter '{name}' {otherwise}")),
    };
    let kind = declared.get("Type").and_then(Value::as_str).unwrap_or("String");
    let items: Vec<&str> = if is_list(kind) {
        given.split(',').map(str::trim).collect()
    } else {
        vec![given]
    };
    let limit = |key: &str| declared.get(key).and_then(scalar).and_then(|t| t.parse::<f64>().ok());
    if kind == "Number" || kind == "List<Number>" {
        for item in &items {
            let Ok(number) = item.parse::<f64>() else {
                return Err(invalid(format!("Parameter '{name}' must be a number.")));
            };
            if let Some(min) = limit("MinValue").filter(|min| number < *min) {
                return Err(violated(format!("must be a number not less than {min}")));
            }
            if let Some(max) = limit("MaxValue").filter(|max| number > *max) {
                return Err(violated(format!("must be a number not greater than {max}")));
            }
        }
    }
    let length = given.chars().count() as f64;
    if let Some(min) = limit("MinLength").filter(|min| length < *min) {
        return Err(violated(format!("must contain at least {min} characters")));
    }
    if let Some(max) = limit("MaxLength").filter(|max| length > *max) {
        return Err(violated(format!("must contain at most {max} characters")));
    }
    if let Some(allowed) = declared.get("AllowedValues").and_then(Value::as_array) {
        let allowed: Vec<String> = allowed.iter().filter_map(scalar).collect();
        if items.iter().any(|i| !allowed.iter().any(|a| a == i)) {
            return Err(match described {
                Some(_) => violated(String::new()),
                None => invalid(format!("Parameter '{name}' must be one of AllowedValues")),
            });
        }
    }
    if let Some(pattern) = declared.get("AllowedPattern").and_then(Value::as_str) {
        let whole = Regex::new(&format!("^(?:{pattern})$")).map_err(|e| {
            invalid(format!(
                "Template format error: AllowedPattern of parameter {name} is invalid: {e}"
            ))
        })?;
        if items.iter().any(|i| !whole.is_match(i)) {
            return Err(violated(format!("must match pattern {pattern}")));
        }
    }
    Ok(())
}

async fn look_up(cloud: &Arc<Cloud>, caller: &Caller, name: &str) -> Result<String, ApiError> {
    let found = cloud
        .call("ssm", "GetParameter", json!({"Name": name}), caller.clone())
        .await;
    match found {
        Ok(answer) => Ok(answer
            .get("Parameter")
            .and_then(|p| text(p, "Value"))
            .unwrap_or_default()),
        Err(error) if error.status >= 500 => Err(error),
        Err(_) => Err(invalid(format!(
            "Unable to fetch parameters [{name}] from parameter store for this account."
        ))),
    }
}

async fn exists(
    cloud: &Arc<Cloud>,
    caller: &Caller,
    name: &str,
    kind: &str,
    parameter: &mut Parameter,
) -> Result<(), ApiError> {
    let single = inner_type(kind).unwrap_or(kind);
    let Some((_, action, key, set)) = EXISTING.iter().find(|e| e.0 == single && !e.1.is_empty()) else {
        return Ok(());
    };
    parameter.kind = Some(single.to_owned());
    let values = match parameter.value() {
        Value::Array(items) => items,
        one => vec![one],
    };
    for value in values {
        let asked = value.as_str().unwrap_or_default().to_owned();
        let answer = cloud.call("ec2", action, json!({*key: [asked]}), caller.clone()).await;
        let found = match answer {
            Ok(answer) => list(&answer, set).into_iter().next(),
            Err(error) if error.status >= 500 => return Err(error),
            Err(_) => None,
        };
        if let Some(object) = found {
            parameter.described.push(object);
        } else {
            return Err(invalid(format!(
                "Parameter validation failed: parameter value {asked} for parameter name {name} does not exist. Rollback requested by \
                 user."
            )));
        }
    }
    Ok(())
}

/// Evaluates the template's rules against its parameters.
///
/// # Errors
/// `ValidationError` with the descriptions of all assertions that do not hold. AWS documents no exact words for this.
pub(crate) fn rules(template: &Template, settled: &Parameters, facts: &Facts) -> Result<(), ApiError> {
    let objects = settled
        .iter()
        .filter_map(|(name, p)| Some((name.clone(), (p.kind.clone()?, p.described.clone()))))
        .collect();
    let facts = Facts {
        objects,
        conditions: conditions(template, facts)?,
        ..facts.clone()
    };
    let scope = Scope {
        template,
        facts: &facts,
        resources: &NoResources,
    };
    let mut failed = Vec::new();
    for (name, rule) in &template.rules {
        if let Some(condition) = rule.get("RuleCondition")
            && !scope.condition(condition)?
        {
            continue;
        }
        for assertion in list(rule, "Assertions") {
            let Some(assert) = assertion.get("Assert") else {
                return Err(invalid(format!(
                    "Template format error: rule {name} has an assertion without Assert."
                )));
            };
            if !scope.condition(assert)? {
                let described =
                    text(&assertion, "AssertDescription").unwrap_or_else(|| format!("assertion of rule {name}"));
                failed.push(format!("{name}: {}", described.trim()));
            }
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(invalid(format!(
            "Template rules validation failed: {}",
            failed.join("; ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudformation::testing::{answer, block_on, cloud_with};

    const TEMPLATE: &str = "
Parameters:
  Mode: {Type: String, Default: a, AllowedValues: [a, b]}
  Size: {Type: Number, Default: 3, MinValue: 1, MaxValue: 5}
  Name: {Type: String, Default: abc, AllowedPattern: '[a-z]+', MaxLength: 4}
  Told: {Type: String, Default: x, AllowedPattern: '[a-z]', ConstraintDescription: one letter}
  Subnets: {Type: 'List<AWS::EC2::Subnet::Id>', Default: 'subnet-1,subnet-2'}
  Image: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>', Default: /ami}
  Secret: {Type: String, NoEcho: true}
Rules:
  Zones:
    RuleCondition: !Equals [!Ref Mode, a]
    Assertions:
      - {Assert: {'Fn::Contains': [[abc, abd], !Ref Name]}, AssertDescription: name must be known}
  Network:
    Assertions:
      - Assert: {'Fn::EachMemberEquals': [{'Fn::ValueOfAll': ['AWS::EC2::Subnet::Id', VpcId]}, vpc-1]}
        AssertDescription: subnets must be in the VPC
      - Assert: {'Fn::EachMemberIn': [{'Fn::ValueOf': [Subnets, AvailabilityZone]}, [a, b]]}
Resources: {V: {Type: 'AWS::EC2::VPC'}}
";

    fn run(given: Value) -> Result<Parameters, String> {
        let cloud = cloud_with(|service, action, params| match (service, action) {
            ("ssm", "GetParameter") if params["Name"] == "/ami" => Ok(answer(r#"{"Parameter":{"Value":"ami-1"}}"#)),
            ("ec2", "DescribeImages") => Ok(answer(r#"{"imagesSet":[{}]}"#)),
            ("ec2", "DescribeSubnets") if params["SubnetId"][0] == "subnet-8" => {
                Ok(answer(r#"{"subnetSet":[{"vpcId":"vpc-2","availabilityZone":"a"}]}"#))
            }
            ("ec2", "DescribeSubnets") if params["SubnetId"][0] != "subnet-9" => {
                Ok(answer(r#"{"subnetSet":[{"vpcId":"vpc-1","availabilityZone":"a"}]}"#))
            }
            _ => Err(ApiError::new("NotFound", "none")),
        });
        let template = Template::read(TEMPLATE).unwrap();
        let given: Vec<Value> = given
            .as_object()
            .unwrap()
            .iter()
            .map(|(k, v)| json!({"ParameterKey": k, "ParameterValue": v}))
            .collect();
        let settled =
            block_on(settle(&cloud, &Caller::Admin, &template, &given, &Parameters::new())).map_err(|e| e.message)?;
        let facts = Facts {
            parameters: settled.iter().map(|(k, p)| (k.clone(), p.value())).collect(),
            ..Facts::default()
        };
        rules(&template, &settled, &facts).map_err(|e| e.message)?;
        Ok(settled)
    }

    #[test]
    fn defaults_lists_and_ssm() {
        let settled = run(json!({"Secret": "s"})).unwrap();
        assert_eq!(settled["Subnets"].value(), json!(["subnet-1", "subnet-2"]));
        assert_eq!(settled["Image"].value(), json!("ami-1"));
        assert_eq!(settled["Image"].given, "/ami");
        assert!(settled["Secret"].no_echo);
    }

    #[test]
    fn refuses_in_cloudformations_words() {
        let cases = [
            (json!({}), "Parameters: [Secret] must have values"),
            (
                json!({"Secret": "s", "Foo": "x"}),
                "Parameters: [Foo] do not exist in the template",
            ),
            (
                json!({"Secret": "s", "Mode": "c"}),
                "Parameter 'Mode' must be one of AllowedValues",
            ),
            (
                json!({"Secret": "s", "Size": "6"}),
                "Parameter 'Size' must be a number not greater than 5",
            ),
            (
                json!({"Secret": "s", "Size": "x"}),
                "Parameter 'Size' must be a number.",
            ),
            (
                json!({"Secret": "s", "Name": "abcde"}),
                "Parameter 'Name' must contain at most 4 characters",
            ),
            (
                json!({"Secret": "s", "Name": "A"}),
                "Parameter 'Name' must match pattern [a-z]+",
            ),
            (
                json!({"Secret": "s", "Told": "xy"}),
                "Parameter 'Told' failed to satisfy constraint: one letter",
            ),
            (
                json!({"Secret": "s", "Image": "/none"}),
                "Unable to fetch parameters [/none] from parameter store for this account.",
            ),
            (
                json!({"Secret": "s", "Subnets": "subnet-9"}),
                "Parameter validation failed: parameter value subnet-9 for parameter name Subnets does not exist. Rollback requested by user.",
            ),
            (
                json!({"Secret": "s", "Name": "zzz"}),
                "Template rules validation failed: Zones: name must be known",
            ),
            (
                json!({"Secret": "s", "Subnets": "subnet-1,subnet-8"}),
                "Template rules validation failed: Network: subnets must be in the VPC",
            ),
        ];
        for (given, message) in cases {
            assert_eq!(run(given.clone()).unwrap_err(), message, "{given}");
        }
        assert!(run(json!({"Secret": "s", "Name": "zzz", "Mode": "b"})).is_ok());
    }
}

//! A template as CloudFormation takes it: sections, resources with their attributes, and what is denied immediately.

use super::document;
use super::schema;
use crate::api::ApiError;
use indexmap::IndexMap;
use serde_json::{Map, Value};

/// Largest template body in bytes.
pub(crate) const MAX_BODY: usize = 51_200;

/// A template whose structure was checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Template {
    /// The text as it was sent.
    pub(crate) body: String,
    /// `Description`.
    pub(crate) description: Option<String>,
    /// `Metadata`.
    pub(crate) metadata: Option<Value>,
    /// `Parameters` by name.
    pub(crate) parameters: IndexMap<String, Map<String, Value>>,
    /// `Rules` by name.
    pub(crate) rules: IndexMap<String, Value>,
    /// `Mappings`.
    pub(crate) mappings: Map<String, Value>,
    /// `Conditions` by name.
    pub(crate) conditions: IndexMap<String, Value>,
    /// `Resources` by logical id.
    pub(crate) resources: IndexMap<String, Resource>,
    /// `Outputs` by name.
    pub(crate) outputs: IndexMap<String, Output>,
}

/// One resource of a template.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Resource {
    /// Type, `AWS::EFS::FileSystem`.
    pub(crate) kind: String,
    /// Properties with intrinsics unresolved; an object.
    pub(crate) properties: Value,
    /// Logical ids in `DependsOn`.
    pub(crate) depends_on: Vec<String>,
    /// Name of the condition.
    pub(crate) condition: Option<String>,
    /// `Delete`, `Retain`, `RetainExceptOnCreate` or `Snapshot`.
    pub(crate) deletion_policy: Option<String>,
    /// `Delete`, `Retain` or `Snapshot`.
    pub(crate) update_replace_policy: Option<String>,
    /// `CreationPolicy`; `null` when absent.
    pub(crate) creation_policy: Value,
    /// `UpdatePolicy`; `null` when absent.
    pub(crate) update_policy: Value,
    /// `Metadata`; `null` when absent.
    pub(crate) metadata: Value,
}

/// One output of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Output {
    /// Value with intrinsics unresolved.
    pub(crate) value: Value,
    /// `Description`.
    pub(crate) description: Option<String>,
    /// Name of the condition.
    pub(crate) condition: Option<String>,
    /// Name of the export, intrinsics unresolved.
    pub(crate) export: Option<Value>,
}

/// A `ValidationError`.
pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", message)
}

fn format_error(message: impl std::fmt::Display) -> ApiError {
    invalid(format!("Template format error: {message}"))
}

const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Resources",
    "Outputs",
];

const RESOURCE_KEYS: &[&str] = &[
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "CreationPolicy",
    "UpdatePolicy",
    "Metadata",
];

const PARAMETER_KEYS: &[&str] = &[
    "Type",
    "Default",
    "Description",
    "AllowedPattern",
    "AllowedValues",
    "ConstraintDescription",
    "MaxLength",
    "MaxValue",
    "MinLength",
    "MinValue",
    "NoEcho",
];

impl Template {
    /// Reads and checks a template body: its form, its sections, its resource types and its references.
    ///
    /// # Errors
    /// `ValidationError` in CloudFormation's words.
    pub(crate) fn read(body: &str) -> Result<Self, ApiError> {
        if body.len() > MAX_BODY {
            return Err(invalid(format!(
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less \
                 than or equal to {MAX_BODY}"
            )));
        }
        let root = document::read(body).map_err(|e| invalid(e.to_string()))?;
        let root = root.as_object().cloned().unwrap_or_default();
        let unknown: Vec<&str> = root
            .keys()
            .map(String::as_str)
            .filter(|k| !SECTIONS.contains(k))
            .collect();
        if !unknown.is_empty() {
            return Err(invalid(format!(
                "Invalid template property or properties [{}]",
                unknown.join(", ")
            )));
        }
        if let Some(version) = root.get("AWSTemplateFormatVersion")
            && version.as_str() != Some("2010-09-09")
        {
            let shown = version.as_str().map_or_else(|| version.to_string(), str::to_owned);
            return Err(format_error(format!(
                "{shown} is not a supported value for AWSTemplateFormatVersion."
            )));
        }
        let description = match root.get("Description") {
            None => None,
            Some(Value::String(text)) if text.len() <= 1024 => Some(text.clone()),
            Some(Value::String(_)) => return Err(format_error("'Description' length is greater than 1024.")),
            Some(_) => return Err(format_error("'Description' must be a string.")),
        };
        let mut template = Template {
            body: body.to_owned(),
            description,
            metadata: root.get("Metadata").cloned(),
            mappings: section(&root, "Mappings")?,
            ..Template::default()
        };
        for (name, value) in section(&root, "Parameters")? {
            template.parameters.insert(name.clone(), parameter(&name, &value)?);
        }
        template.rules = section(&root, "Rules")?.into_iter().collect();
        template.conditions = section(&root, "Conditions")?.into_iter().collect();
        for (name, value) in section(&root, "Resources")? {
            template.resources.insert(name.clone(), resource(&name, &value)?);
        }
        if template.resources.is_empty() {
            return Err(format_error("At least one Resources member must be defined."));
        }
        let mut types: Vec<&str> = template
            .resources
            .values()
            .map(|r| r.kind.as_str())
            .filter(|kind| schema::find(kind).is_none())
            .collect();
        types.sort_unstable();
        types.dedup();
        if !types.is_empty() {
            return Err(format_error(format!(
                "Unrecognized resource types: [{}]",
                types.join(", ")
            )));
        }
        for (name, value) in section(&root, "Outputs")? {
            template.outputs.insert(name.clone(), output(&name, &value)?);
        }
        super::references::check(&template)?;
        Ok(template)
    }

    /// Capabilities that the template needs, with the types that need them.
    pub(crate) fn capabilities(&self) -> (Vec<&'static str>, Vec<String>) {
        let mut kinds: Vec<String> = self
            .resources
            .values()
            .filter(|r| r.kind.starts_with("AWS::IAM::"))
            .map(|r| r.kind.clone())
            .collect();
        kinds.sort();
        kinds.dedup();
        let named = self.resources.values().any(|r| {
            ["RoleName", "InstanceProfileName"]
                .iter()
                .any(|key| r.kind.starts_with("AWS::IAM::") && r.properties.get(key).is_some())
        });
        match (kinds.is_empty(), named) {
            (true, _) => (Vec::new(), kinds),
            (false, false) => (vec!["CAPABILITY_IAM"], kinds),
            (false, true) => (vec!["CAPABILITY_NAMED_IAM"], kinds),
        }
    }
}

fn section(root: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, ApiError> {
    match root.get(name) {
        None => Ok(Map::new()),
        Some(Value::Object(members)) => {
            if let Some(bad) = members
                .keys()
                .find(|k| k.is_empty() || !k.chars().all(|c| c.is_ascii_alphanumeric()))
                && name != "Mappings"
            {
                let what = name.trim_end_matches('s');
                return Err(format_error(format!("{what} name {bad} is non alphanumeric.")));
            }
            Ok(members.clone())
        }
        Some(_) => Err(format_error(format!("{name} section must be a map."))),
    }
}

fn parameter(name: &str, value: &Value) -> Result<Map<String, Value>, ApiError> {
    let Value::Object(members) = value else {
        return Err(format_error(format!("Parameter {name} must be a map.")));
    };
    if let Some(bad) = members.keys().find(|k| !PARAMETER_KEYS.contains(&k.as_str())) {
        return Err(invalid(format!("Invalid template parameter property '{bad}'")));
    }
    let Some(kind) = members.get("Type").and_then(Value::as_str) else {
        return Err(format_error("Every Parameters object must contain a Type member."));
    };
    if !super::parameters::is_type(kind) {
        return Err(format_error(format!("Unrecognized parameter type: {kind}")));
    }
    if members
        .get("Default")
        .is_some_and(|d| d.is_object() || d.is_array() || d.is_null())
    {
        return Err(format_error("Every Default member must be a string."));
    }
    Ok(members.clone())
}

fn resource(name: &str, value: &Value) -> Result<Resource, ApiError> {
    let Value::Object(members) = value else {
        return Err(format_error(format!(
            "[/Resources/{name}] resource definition is malformed"
        )));
    };
    if let Some(bad) = members.keys().find(|k| !RESOURCE_KEYS.contains(&k.as_str())) {
        return Err(invalid(format!("Invalid template resource property '{bad}'")));
    }
    let Some(kind) = members.get("Type").and_then(Value::as_str) else {
        return Err(format_error(format!(
            "[/Resources/{name}] Every Resources object must contain a Type member."
        )));
    };
    let properties = match members.get("Properties") {
        None => Value::Object(Map::new()),
        Some(properties @ Value::Object(_)) => properties.clone(),
        Some(_) => return Err(format_error(format!("[/Resources/{name}/Properties] must be a map"))),
    };
    let depends_on = match members.get("DependsOn") {
        None => Vec::new(),
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) if many.iter().all(Value::is_string) => {
            many.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(_) => {
            return Err(format_error(format!(
                "DependsOn must be a string or list of strings in resource {name}."
            )));
        }
    };
    let policy = |key: &str, allowed: &[&str]| match members.get(key) {
        None => Ok(None),
        // What is to be kept as a snapshot must not be deleted because there are none here.
        Some(Value::String(policy)) if policy == "Snapshot" && kind == "AWS::EC2::Volume" => Err(invalid(format!(
            "{key} Snapshot of resource {name} is not supported: the local cloud has no snapshots"
        ))),
        Some(Value::String(policy)) if allowed.contains(&policy.as_str()) => Ok(Some(policy.clone())),
        Some(other) => {
            let shown = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            Err(format_error(format!("Unrecognized {key} {shown} for resource {name}")))
        }
    };
    let condition = match members.get("Condition") {
        None => None,
        Some(Value::String(condition)) => Some(condition.clone()),
        Some(_) => {
            return Err(format_error(format!(
                "Every Condition member must be a string in resource {name}."
            )));
        }
    };
    Ok(Resource {
        kind: kind.to_owned(),
        properties,
        depends_on,
        condition,
        deletion_policy: policy(
            "DeletionPolicy",
            &["Delete", "Retain", "RetainExceptOnCreate", "Snapshot"],
        )?,
        update_replace_policy: policy("UpdateReplacePolicy", &["Delete", "Retain", "Snapshot"])?,
        creation_policy: members.get("CreationPolicy").cloned().unwrap_or_default(),
        update_policy: members.get("UpdatePolicy").cloned().unwrap_or_default(),
        metadata: members.get("Metadata").cloned().unwrap_or_default(),
    })
}

fn output(name: &str, value: &Value) -> Result<Output, ApiError> {
    let Value::Object(members) = value else {
        return Err(format_error(format!("Output {name} is malformed.")));
    };
    if let Some(bad) = members
        .keys()
        .find(|k| !["Value", "Description", "Condition", "Export"].contains(&k.as_str()))
    {
        return Err(invalid(format!("Invalid template output property '{bad}'")));
    }
    let Some(value) = members.get("Value") else {
        return Err(format_error("Every Outputs member must contain a Value object"));
    };
    Ok(Output {
        value: value.clone(),
        description: members.get("Description").and_then(Value::as_str).map(str::to_owned),
        condition: members.get("Condition").and_then(Value::as_str).map(str::to_owned),
        export: members.get("Export").and_then(|e| e.get("Name")).cloned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_in_cloudformations_words() {
        let cases = [
            (
                "Resources: {}",
                "Template format error: At least one Resources member must be defined.",
            ),
            (
                "Foo: 1\nResources: {A: {Type: 'AWS::EC2::VPC'}}",
                "Invalid template property or properties [Foo]",
            ),
            (
                "Resources: {A: {Type: 'AWS::Foo::Bar'}, B: {Type: 'AWS::EC2::VPC'}}",
                "Template format error: Unrecognized resource types: [AWS::Foo::Bar]",
            ),
            (
                "AWSTemplateFormatVersion: 2011-01-01\nResources: {A: {Type: 'AWS::EC2::VPC'}}",
                "Template format error: 2011-01-01 is not a supported value for AWSTemplateFormatVersion.",
            ),
            (
                "Resources: {a-b: {Type: 'AWS::EC2::VPC'}}",
                "Template format error: Resource name a-b is non alphanumeric.",
            ),
            (
                "Resources: {A: {Properties: {}}}",
                "Template format error: [/Resources/A] Every Resources object must contain a Type member.",
            ),
            (
                "Resources: {A: {Type: 'AWS::EC2::VPC', Foo: 1}}",
                "Invalid template resource property 'Foo'",
            ),
            (
                "Resources: {A: {Type: 'AWS::EC2::VPC', DeletionPolicy: Keep}}",
                "Template format error: Unrecognized DeletionPolicy Keep for resource A",
            ),
            (
                "Parameters: {P: {Type: Text}}\nResources: {A: {Type: 'AWS::EC2::VPC'}}",
                "Template format error: Unrecognized parameter type: Text",
            ),
            (
                "Parameters: {P: {Type: String, Foo: 1}}\nResources: {A: {Type: 'AWS::EC2::VPC'}}",
                "Invalid template parameter property 'Foo'",
            ),
        ];
        for (body, message) in cases {
            let error = Template::read(body).unwrap_err();
            assert_eq!(
                (error.code.as_str(), error.message.as_str()),
                ("ValidationError", message),
                "{body}"
            );
        }
        let long = format!("Description: {}\nResources: {{}}", "x".repeat(MAX_BODY));
        assert!(Template::read(&long).unwrap_err().message.contains("51200"));
    }

    #[test]
    fn named_identities_need_more() {
        let iam = "Resources: {R: {Type: 'AWS::IAM::Role', Properties: {AssumeRolePolicyDocument: {}}}}";
        assert_eq!(Template::read(iam).unwrap().capabilities().0, ["CAPABILITY_IAM"]);
        let named = iam.replace("Properties: {", "Properties: {RoleName: x, ");
        assert_eq!(
            Template::read(&named).unwrap().capabilities().0,
            ["CAPABILITY_NAMED_IAM"]
        );
    }
}

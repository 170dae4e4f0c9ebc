//! The document: parameters, rules, conditions, resources, outputs.

use indexmap::IndexMap;

use super::value::Value;

/// Why a document could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The text is no document of its format.
    #[error("the text cannot be read as a template")]
    Read {
        /// What the format's reader said, with line and column.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A value has no form in the output format.
    #[error("the template cannot be written")]
    Write {
        /// What the format's writer said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A section or an attribute has the wrong shape.
    #[error("`{at}` must be {expected}, found {found}")]
    Shape {
        /// Path of the value, such as `Resources.Group.DependsOn`.
        at: String,
        /// What belongs there.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// A key that CloudFormation does not know in this place.
    #[error("unsupported key `{key}` in `{at}`")]
    UnknownKey {
        /// Path of the map.
        at: String,
        /// The key.
        key: String,
    },
    /// A key that CloudFormation demands is absent.
    #[error("`{at}` requires key `{key}`")]
    MissingKey {
        /// Path of the map.
        at: String,
        /// The key.
        key: &'static str,
    },
}

/// A whole document; its format version is always `2010-09-09`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Template {
    /// At most 1,024 bytes.
    pub description: Option<String>,
    /// Free form, ignored by CloudFormation but for its interface keys.
    pub metadata: Option<Value>,
    /// Values given at deployment.
    pub parameters: IndexMap<String, Parameter>,
    /// Assertions about parameters, checked before anything is made.
    pub rules: IndexMap<String, Rule>,
    /// Lookup tables, as they stand.
    pub mappings: IndexMap<String, Value>,
    /// Named conditions.
    pub conditions: IndexMap<String, Value>,
    /// Macros, as they stand.
    pub transform: Option<Value>,
    /// What is made.
    pub resources: IndexMap<String, Resource>,
    /// What is told afterwards.
    pub outputs: IndexMap<String, Output>,
}

/// Type of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterType {
    /// `String`
    String,
    /// `Number`
    Number,
    /// `CommaDelimitedList`
    CommaDelimitedList,
    /// An AWS type such as `AWS::EC2::VPC::Id`, a list, or an SSM parameter type.
    Other(String),
}

impl ParameterType {
    /// The name that a document uses.
    pub fn as_str(&self) -> &str {
        match self {
            Self::String => "String",
            Self::Number => "Number",
            Self::CommaDelimitedList => "CommaDelimitedList",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for ParameterType {
    fn from(name: &str) -> Self {
        match name {
            "String" => Self::String,
            "Number" => Self::Number,
            "CommaDelimitedList" => Self::CommaDelimitedList,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A value given at deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Type of the value.
    pub kind: ParameterType,
    /// What it is for.
    pub description: Option<String>,
    /// Value when none is given; without it the parameter must be given.
    pub default: Option<Value>,
    /// The only values allowed.
    pub allowed_values: Vec<Value>,
    /// Regular expression that the whole value must match.
    pub allowed_pattern: Option<String>,
    /// What is said when a constraint is violated.
    pub constraint_description: Option<String>,
    /// Shortest text.
    pub min_length: Option<i64>,
    /// Longest text.
    pub max_length: Option<i64>,
    /// Smallest number.
    pub min_value: Option<i64>,
    /// Largest number.
    pub max_value: Option<i64>,
    /// Whether the value is hidden in descriptions of the stack.
    pub no_echo: bool,
}

impl Parameter {
    /// A parameter of `kind` without default and constraints.
    pub fn new(kind: impl Into<ParameterType>, description: &str) -> Self {
        Self {
            kind: kind.into(),
            description: Some(description.to_owned()),
            default: None,
            allowed_values: Vec::new(),
            allowed_pattern: None,
            constraint_description: None,
            min_length: None,
            max_length: None,
            min_value: None,
            max_value: None,
            no_echo: false,
        }
    }

    /// With a value for when none is given.
    #[must_use]
    pub fn default_to(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// With the only values allowed.
    #[must_use]
    pub fn one_of(mut self, values: &[&str]) -> Self {
        self.allowed_values = values.iter().map(|value| Value::from(*value)).collect();
        self
    }

    /// With a pattern for the whole value and the words for a violation.
    #[must_use]
    pub fn matching(mut self, pattern: &str, otherwise: &str) -> Self {
        self.allowed_pattern = Some(pattern.to_owned());
        self.constraint_description = Some(otherwise.to_owned());
        self
    }

    /// With bounds of a number, both allowed.
    #[must_use]
    pub fn between(mut self, min: i64, max: i64) -> Self {
        (self.min_value, self.max_value) = (Some(min), Some(max));
        self
    }
}

/// Assertions about parameters.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rule {
    /// When the assertions count; always without it.
    pub condition: Option<Value>,
    /// What must hold.
    pub assertions: Vec<Assertion>,
}

/// One assertion of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    /// A rule function.
    pub assert: Value,
    /// What is said when it does not hold.
    pub description: Option<String>,
}

/// What happens to a resource that leaves the stack, or to the old one of a replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// `Delete`
    Delete,
    /// `Retain`
    Retain,
    /// `RetainExceptOnCreate`: kept, but for a creation that is rolled back.
    RetainExceptOnCreate,
    /// `Snapshot`
    Snapshot,
    /// A value this version does not know.
    Other(String),
}

impl DeletionPolicy {
    /// The name that a document uses.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Delete => "Delete",
            Self::Retain => "Retain",
            Self::RetainExceptOnCreate => "RetainExceptOnCreate",
            Self::Snapshot => "Snapshot",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for DeletionPolicy {
    fn from(name: &str) -> Self {
        match name {
            "Delete" => Self::Delete,
            "Retain" => Self::Retain,
            "RetainExceptOnCreate" => Self::RetainExceptOnCreate,
            "Snapshot" => Self::Snapshot,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// What is made: a type, its properties and the attributes around them.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Such as `AWS::EC2::VPC`.
    pub kind: String,
    /// Name of the condition under which it exists.
    pub condition: Option<String>,
    /// Resources that must exist before, beside those it refers to.
    pub depends_on: Vec<String>,
    /// What its creation waits for.
    pub creation_policy: Option<Value>,
    /// How updates are carried out.
    pub update_policy: Option<Value>,
    /// What happens when it leaves the stack.
    pub deletion_policy: Option<DeletionPolicy>,
    /// What happens to the old one of a replacement.
    pub update_replace_policy: Option<DeletionPolicy>,
    /// Free form.
    pub metadata: Option<Value>,
    /// Properties of the type.
    pub properties: IndexMap<String, Value>,
}

impl Resource {
    /// A resource of `kind` with `properties`, which must be a map.
    pub fn new(kind: &str, properties: Value) -> Self {
        Self {
            kind: kind.to_owned(),
            condition: None,
            depends_on: Vec::new(),
            creation_policy: None,
            update_policy: None,
            deletion_policy: None,
            update_replace_policy: None,
            metadata: None,
            properties: match properties {
                Value::Map(entries) => entries,
                _ => IndexMap::new(),
            },
        }
    }

    /// With the condition under which it exists.
    #[must_use]
    pub fn when(mut self, condition: &str) -> Self {
        self.condition = Some(condition.to_owned());
        self
    }

    /// With resources that must exist before.
    #[must_use]
    pub fn after(mut self, resources: &[&str]) -> Self {
        self.depends_on.extend(resources.iter().map(|name| (*name).to_owned()));
        self
    }
}

/// What is told after a deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// What it is.
    pub description: Option<String>,
    /// Name of the condition under which it is told.
    pub condition: Option<String>,
    /// The value.
    pub value: Value,
    /// Name under which other stacks import it.
    pub export: Option<Value>,
}

impl Output {
    /// An output with a description.
    pub fn new(description: &str, value: Value) -> Self {
        Self {
            description: Some(description.to_owned()),
            condition: None,
            value,
            export: None,
        }
    }

    /// With the condition under which it is told.
    #[must_use]
    pub fn when(mut self, condition: &str) -> Self {
        self.condition = Some(condition.to_owned());
        self
    }
}

pub(super) const FORMAT_VERSION: &str = "2010-09-09";

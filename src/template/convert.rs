//! Between the document and its one value.

use indexmap::IndexMap;

use super::document::{
    Assertion, DeletionPolicy, FORMAT_VERSION, Output, Parameter, Resource, Rule, Template, TemplateError,
};
use super::value::Value;

type Entries = IndexMap<String, Value>;

impl Template {
    /// The document as one value, its sections in CloudFormation's customary order.
    pub fn to_value(&self) -> Value {
        let mut out = Entries::new();
        out.insert("AWSTemplateFormatVersion".to_owned(), FORMAT_VERSION.into());
        put_text(&mut out, "Description", self.description.as_ref());
        put(&mut out, "Metadata", self.metadata.clone());
        put_section(&mut out, "Parameters", &self.parameters, parameter_to_value);
        put_section(&mut out, "Rules", &self.rules, rule_to_value);
        put_section(&mut out, "Mappings", &self.mappings, Value::clone);
        put_section(&mut out, "Conditions", &self.conditions, Value::clone);
        put(&mut out, "Transform", self.transform.clone());
        put_section(&mut out, "Resources", &self.resources, resource_to_value);
        put_section(&mut out, "Outputs", &self.outputs, output_to_value);
        Value::Map(out)
    }

    /// Reads the document out of one value.
    ///
    /// # Errors
    /// [`TemplateError::Shape`], [`TemplateError::UnknownKey`] or [`TemplateError::MissingKey`] with the path of the first
    /// thing that does not belong.
    pub fn from_value(value: Value) -> Result<Self, TemplateError> {
        let mut top = Fields::of(value, "the template")?;
        top.root = true;
        if let Some(version) = top.text("AWSTemplateFormatVersion")?
            && version != FORMAT_VERSION
        {
            return Err(TemplateError::UnknownKey {
                at: "AWSTemplateFormatVersion".to_owned(),
                key: version,
            });
        }
        let template = Self {
            description: top.text("Description")?,
            metadata: top.take("Metadata"),
            parameters: top.section("Parameters", parameter_from)?,
            rules: top.section("Rules", rule_from)?,
            mappings: top.section("Mappings", |_, value| Ok(value))?,
            conditions: top.section("Conditions", |_, value| Ok(value))?,
            transform: top.take("Transform"),
            resources: top.section("Resources", resource_from)?,
            outputs: top.section("Outputs", output_from)?,
        };
        top.finish()?;
        Ok(template)
    }
}

fn put(out: &mut Entries, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        out.insert(key.to_owned(), value);
    }
}

fn put_text(out: &mut Entries, key: &str, value: Option<&String>) {
    put(out, key, value.map(|text| Value::Str(text.clone())));
}

fn put_section<T>(out: &mut Entries, key: &str, section: &IndexMap<String, T>, to_value: impl Fn(&T) -> Value) {
    if !section.is_empty() {
        let entries = section
            .iter()
            .map(|(name, entry)| (name.clone(), to_value(entry)))
            .collect();
        out.insert(key.to_owned(), Value::Map(entries));
    }
}

fn parameter_to_value(parameter: &Parameter) -> Value {
    let mut out = Entries::new();
    out.insert("Type".to_owned(), parameter.kind.as_str().into());
    put_text(&mut out, "Description", parameter.description.as_ref());
    put(&mut out, "Default", parameter.default.clone());
    if !parameter.allowed_values.is_empty() {
        out.insert(
            "AllowedValues".to_owned(),
            Value::List(parameter.allowed_values.clone()),
        );
    }
    put_text(&mut out, "AllowedPattern", parameter.allowed_pattern.as_ref());
    put_text(
        &mut out,
        "ConstraintDescription",
        parameter.constraint_description.as_ref(),
    );
    for (key, bound) in [
        ("MinLength", parameter.min_length),
        ("MaxLength", parameter.max_length),
        ("MinValue", parameter.min_value),
        ("MaxValue", parameter.max_value),
    ] {
        put(&mut out, key, bound.map(Value::Int));
    }
    if parameter.no_echo {
        out.insert("NoEcho".to_owned(), true.into());
    }
    Value::Map(out)
}

fn rule_to_value(rule: &Rule) -> Value {
    let mut out = Entries::new();
    put(&mut out, "RuleCondition", rule.condition.clone());
    let assertions = rule.assertions.iter().map(|assertion| {
        let mut out = Entries::new();
        out.insert("Assert".to_owned(), assertion.assert.clone());
        put_text(&mut out, "AssertDescription", assertion.description.as_ref());
        Value::Map(out)
    });
    out.insert("Assertions".to_owned(), Value::List(assertions.collect()));
    Value::Map(out)
}

fn resource_to_value(resource: &Resource) -> Value {
    let mut out = Entries::new();
    out.insert("Type".to_owned(), resource.kind.as_str().into());
    put_text(&mut out, "Condition", resource.condition.as_ref());
    match resource.depends_on.as_slice() {
        [] => {}
        [one] => put_text(&mut out, "DependsOn", Some(one)),
        several => put(&mut out, "DependsOn", Some(several.to_vec().into())),
    }
    put(&mut out, "CreationPolicy", resource.creation_policy.clone());
    put(&mut out, "UpdatePolicy", resource.update_policy.clone());
    put(
        &mut out,
        "DeletionPolicy",
        resource.deletion_policy.as_ref().map(|policy| policy.as_str().into()),
    );
    put(
        &mut out,
        "UpdateReplacePolicy",
        resource
            .update_replace_policy
            .as_ref()
            .map(|policy| policy.as_str().into()),
    );
    put(&mut out, "Metadata", resource.metadata.clone());
    if !resource.properties.is_empty() {
        out.insert("Properties".to_owned(), Value::Map(resource.properties.clone()));
    }
    Value::Map(out)
}

fn output_to_value(output: &Output) -> Value {
    let mut out = Entries::new();
    put_text(&mut out, "Description", output.description.as_ref());
    put_text(&mut out, "Condition", output.condition.as_ref());
    out.insert("Value".to_owned(), output.value.clone());
    if let Some(name) = &output.export {
        out.insert(
            "Export".to_owned(),
            Value::Map(Entries::from([("Name".to_owned(), name.clone())])),
        );
    }
    Value::Map(out)
}

/// A map whose keys are taken one by one; what is left at the end does not belong.
struct Fields {
    at: String,
    root: bool,
    entries: Entries,
}

impl Fields {
    fn of(value: Value, at: &str) -> Result<Self, TemplateError> {
        match value {
            Value::Map(entries) => Ok(Self {
                at: at.to_owned(),
                root: false,
                entries,
            }),
            other => Err(shape(at, "a map", &other)),
        }
    }

    fn path(&self, key: &str) -> String {
        if self.root {
            key.to_owned()
        } else {
            format!("{}.{key}", self.at)
        }
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.entries.shift_remove(key)
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, TemplateError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Str(text)) => Ok(Some(text)),
            Some(other) => Err(shape(&self.path(key), "text", &other)),
        }
    }

    /// A whole number, which documents of others also write as text.
    fn number(&mut self, key: &str) -> Result<Option<i64>, TemplateError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Int(number)) => Ok(Some(number)),
            Some(Value::Str(text)) => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(shape(&self.path(key), "a whole number", &Value::Str(text))),
            },
            Some(other) => Err(shape(&self.path(key), "a whole number", &other)),
        }
    }

    fn list(&mut self, key: &str) -> Result<Vec<Value>, TemplateError> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Value::List(entries)) => Ok(entries),
            Some(other) => Err(shape(&self.path(key), "a list", &other)),
        }
    }

    fn required(&mut self, key: &'static str) -> Result<Value, TemplateError> {
        self.take(key).ok_or_else(|| TemplateError::MissingKey {
            at: self.at.clone(),
            key,
        })
    }

    fn section<T>(
        &mut self,
        key: &str,
        read: impl Fn(&str, Value) -> Result<T, TemplateError>,
    ) -> Result<IndexMap<String, T>, TemplateError> {
        match self.take(key) {
            None => Ok(IndexMap::new()),
            Some(Value::Map(entries)) => entries
                .into_iter()
                .map(|(name, entry)| Ok((name.clone(), read(&format!("{key}.{name}"), entry)?)))
                .collect(),
            Some(other) => Err(shape(key, "a map", &other)),
        }
    }

    fn finish(self) -> Result<(), TemplateError> {
        match self.entries.into_iter().next() {
            None => Ok(()),
            Some((key, _)) => Err(TemplateError::UnknownKey { at: self.at, key }),
        }
    }
}

fn shape(at: &str, expected: &'static str, found: &Value) -> TemplateError {
    TemplateError::Shape {
        at: at.to_owned(),
        expected,
        found: found.kind(),
    }
}

fn parameter_from(at: &str, value: Value) -> Result<Parameter, TemplateError> {
    let mut fields = Fields::of(value, at)?;
    let kind = fields.text("Type")?.ok_or_else(|| TemplateError::MissingKey {
        at: at.to_owned(),
        key: "Type",
    })?;
    let parameter = Parameter {
        kind: kind.as_str().into(),
        description: fields.text("Description")?,
        default: fields.take("Default"),
        allowed_values: fields.list("AllowedValues")?,
        allowed_pattern: fields.text("AllowedPattern")?,
        constraint_description: fields.text("ConstraintDescription")?,
        min_length: fields.number("MinLength")?,
        max_length: fields.number("MaxLength")?,
        min_value: fields.number("MinValue")?,
        max_value: fields.number("MaxValue")?,
        no_echo: match fields.take("NoEcho") {
            None | Some(Value::Bool(false)) => false,
            Some(Value::Bool(true)) => true,
            Some(Value::Str(text)) => text.eq_ignore_ascii_case("true"),
            Some(other) => return Err(shape(&format!("{at}.NoEcho"), "true or false", &other)),
        },
    };
    fields.finish()?;
    Ok(parameter)
}

fn rule_from(at: &str, value: Value) -> Result<Rule, TemplateError> {
    let mut fields = Fields::of(value, at)?;
    let condition = fields.take("RuleCondition");
    let mut assertions = Vec::new();
    for (index, value) in fields.list("Assertions")?.into_iter().enumerate() {
        let mut entry = Fields::of(value, &format!("{at}.Assertions.{index}"))?;
        assertions.push(Assertion {
            assert: entry.required("Assert")?,
            description: entry.text("AssertDescription")?,
        });
        entry.finish()?;
    }
    fields.finish()?;
    Ok(Rule { condition, assertions })
}

fn resource_from(at: &str, value: Value) -> Result<Resource, TemplateError> {
    let mut fields = Fields::of(value, at)?;
    let kind = fields.text("Type")?.ok_or_else(|| TemplateError::MissingKey {
        at: at.to_owned(),
        key: "Type",
    })?;
    let depends_on = match fields.take("DependsOn") {
        None => Vec::new(),
        Some(Value::Str(one)) => vec![one],
        Some(Value::List(entries)) => entries
            .into_iter()
            .map(|entry| match entry {
                Value::Str(name) => Ok(name),
                other => Err(shape(&format!("{at}.DependsOn"), "a list of names", &other)),
            })
            .collect::<Result<_, _>>()?,
        Some(other) => return Err(shape(&format!("{at}.DependsOn"), "a name or a list of names", &other)),
    };
    let resource = Resource {
        kind,
        condition: fields.text("Condition")?,
        depends_on,
        creation_policy: fields.take("CreationPolicy"),
        update_policy: fields.take("UpdatePolicy"),
        deletion_policy: fields
            .text("DeletionPolicy")?
            .map(|name| DeletionPolicy::from(name.as_str())),
        update_replace_policy: fields
            .text("UpdateReplacePolicy")?
            .map(|name| DeletionPolicy::from(name.as_str())),
        metadata: fields.take("Metadata"),
        properties: match fields.take("Properties") {
            None => IndexMap::new(),
            Some(Value::Map(entries)) => entries,
            Some(other) => return Err(shape(&format!("{at}.Properties"), "a map", &other)),
        },
    };
    fields.finish()?;
    Ok(resource)
}

fn output_from(at: &str, value: Value) -> Result<Output, TemplateError> {
    let mut fields = Fields::of(value, at)?;
    let output = Output {
        description: fields.text("Description")?,
        condition: fields.text("Condition")?,
        value: fields.required("Value")?,
        export: match fields.take("Export") {
            None => None,
            Some(value) => {
                let mut export = Fields::of(value, &format!("{at}.Export"))?;
                let name = export.required("Name")?;
                export.finish()?;
                Some(name)
            }
        },
    };
    fields.finish()?;
    Ok(output)
}

//! What is in a document of schema 2.2: parameters and steps of `aws:runShellScript`.
//!
//! What the local cloud does not know is refused when the document is made, so that no document means something else here than on AWS.

use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use std::time::Duration;

/// Longest run when a document does not say.
pub(super) const SECONDS: u64 = 3_600;

static PLACE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\{\{\s*([A-Za-z0-9_.:/-]+)\s*\}\}").ok());

/// What runs on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    /// For `/bin/sh`.
    pub(super) text: String,
    /// Longest run.
    pub(super) limit: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Content {
    schema_version: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    main_steps: Vec<Step>,
    #[serde(skip)]
    read: Vec<(String, Parameter)>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Step {
    action: String,
    name: String,
    #[serde(default)]
    precondition: Value,
    inputs: Inputs,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Inputs {
    run_command: Vec<String>,
    #[serde(default)]
    timeout_seconds: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    r#type: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    default: Option<String>,
    #[serde(default)]
    allowed_values: Option<Vec<String>>,
    #[serde(default)]
    allowed_pattern: Option<String>,
}

#[derive(Debug, Clone)]
struct Parameter {
    fields: Fields,
    pattern: Option<Regex>,
}

impl Parameter {
    fn takes(&self, value: &str) -> bool {
        let listed = self.fields.allowed_values.as_ref();
        listed.is_none_or(|all| all.iter().any(|one| one == value))
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(value))
    }
}

/// Puts something in the places `{{ Name }}` of a text.
fn filled(text: &str, mut with: impl FnMut(&str) -> Result<String, String>) -> Result<String, String> {
    let Some(place) = PLACE.as_ref() else {
        return Err("no pattern of places".to_owned());
    };
    let (mut out, mut last) = (String::new(), 0);
    for found in place.captures_iter(text) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else {
            continue;
        };
        out.push_str(&text[last..whole.start()]);
        out.push_str(&with(name.as_str())?);
        last = whole.end();
    }
    out.push_str(&text[last..]);
    Ok(out)
}

impl Content {
    /// Reads and checks.
    ///
    /// # Errors
    /// In words.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut content: Self =
            serde_json::from_str(text).map_err(|e| format!("JSON not well-formed or unknown here: {e}"))?;
        if content.schema_version != "2.2" {
            return Err(format!(
                "the local cloud supports schema 2.2, not {}",
                content.schema_version
            ));
        }
        for (name, fields) in &content.parameters {
            let fields: Fields =
                serde_json::from_value(fields.clone()).map_err(|e| format!("parameter {name}: {e}"))?;
            if fields.r#type != "String" {
                return Err(format!(
                    "parameter {name}: the local cloud supports type String, not {}",
                    fields.r#type
                ));
            }
            let pattern = fields.allowed_pattern.as_deref().map(Regex::new).transpose();
            let pattern = pattern.map_err(|e| format!("parameter {name}: allowedPattern: {e}"))?;
            let parameter = Parameter { fields, pattern };
            if parameter
                .fields
                .default
                .as_ref()
                .is_some_and(|value| !parameter.takes(value))
            {
                return Err(format!("parameter {name}: the default value is not an allowed one"));
            }
            content.read.push((name.clone(), parameter));
        }
        if content.main_steps.is_empty() {
            return Err("mainSteps is empty".to_owned());
        }
        for step in &content.main_steps {
            if step.action != "aws:runShellScript" {
                return Err(format!("step {}: the local cloud has no {}", step.name, step.action));
            }
            let linux = json!({"StringEquals": ["platformType", "Linux"]});
            if !step.precondition.is_null() && step.precondition != linux {
                return Err(format!(
                    "step {}: the local cloud supports platformType Linux only",
                    step.name
                ));
            }
            step.limit()?;
            for line in &step.inputs.run_command {
                filled(line, |name| {
                    let known = content.read.iter().any(|(known, _)| known == name);
                    known
                        .then(String::new)
                        .ok_or_else(|| format!("step {}: no parameter {name}", step.name))
                })?;
            }
        }
        Ok(content)
    }

    /// As DescribeDocument shows them.
    pub(super) fn parameters_shown(&self) -> Value {
        let shown = |(name, parameter): &(String, Parameter)| {
            json!({"Name": name, "Type": "String", "Description": parameter.fields.description,
                "DefaultValue": parameter.fields.default})
        };
        self.read.iter().map(shown).collect::<Vec<_>>().into()
    }

    /// What comes of the parameters of a command, each a list of one text.
    ///
    /// # Errors
    /// In words: one that is not declared, is missing, or holds what its pattern or list does not allow.
    pub(super) fn script(&self, given: &Value) -> Result<Script, String> {
        let empty = Map::new();
        let given = given.as_object().unwrap_or(&empty);
        if let Some(name) = given
            .keys()
            .find(|name| !self.read.iter().any(|(known, _)| known == *name))
        {
            return Err(format!("Parameter {name} is not defined in the document"));
        }
        let mut values: Vec<(&str, String)> = Vec::new();
        for (name, parameter) in &self.read {
            let value = match given.get(name).map(|value| value.as_array().map(Vec::as_slice)) {
                None => parameter.fields.default.clone(),
                Some(Some([Value::String(one)])) => Some(one.clone()),
                Some(_) => return Err(format!("Parameter {name} takes one value")),
            };
            let value = value.ok_or_else(|| format!("Parameter {name} requires a value"))?;
            if !parameter.takes(&value) {
                let pattern = parameter.fields.allowed_pattern.as_deref().unwrap_or_default();
                return Err(format!(
                    "Parameter {name} does not match the allowed values or the allowed pattern {pattern}"
                ));
            }
            values.push((name, value));
        }
        let mut text = Vec::new();
        let mut limit = Duration::ZERO;
        for step in &self.main_steps {
            for line in &step.inputs.run_command {
                text.push(filled(line, |name| {
                    let found = values.iter().find(|(known, _)| *known == name);
                    found
                        .map(|(_, value)| value.clone())
                        .ok_or_else(|| format!("no parameter {name}"))
                })?);
            }
            limit += step.limit()?;
        }
        Ok(Script {
            text: text.join("\n"),
            limit,
        })
    }
}

impl Step {
    fn limit(&self) -> Result<Duration, String> {
        match &self.inputs.timeout_seconds {
            None => Ok(Duration::from_secs(SECONDS)),
            Some(text) => text
                .parse()
                .ok()
                .filter(|seconds| (1..=172_800).contains(seconds))
                .map(Duration::from_secs)
                .ok_or_else(|| format!("step {}: timeoutSeconds `{text}` is not 1 to 172800", self.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(parameters: Value, lines: Value) -> Result<Content, String> {
        let document = json!({"schemaVersion": "2.2", "parameters": parameters, "mainSteps": [
            {"action": "aws:runShellScript", "name": "s", "precondition": {"StringEquals": ["platformType", "Linux"]},
             "inputs": {"timeoutSeconds": "7", "runCommand": lines}}]});
        Content::read(&document.to_string())
    }

    #[test]
    fn a_value_that_the_pattern_does_not_allow_never_reaches_the_script() {
        let name = json!({"type": "String", "default": "none", "allowedPattern": "^[A-Za-z0-9._:-]{1,64}$"});
        let verb = json!({"type": "String", "allowedValues": ["a", "b"]});
        let content = content(
            json!({"Name": name, "Verb": verb}),
            json!(["{{Verb}}", "x '{{ Name }}'"]),
        )
        .unwrap();
        let script = |given: Value| content.script(&given);
        let good = script(json!({"Verb": ["a"], "Name": ["i-0:1._"]})).unwrap();
        assert_eq!(
            (good.text.as_str(), good.limit),
            ("a\nx 'i-0:1._'", Duration::from_secs(7))
        );
        assert_eq!(script(json!({"Verb": ["b"]})).unwrap().text, "b\nx 'none'");
        let long = "a".repeat(65);
        for bad in [
            "a'b",
            "a b",
            "$(id)",
            "`id`",
            "a;b",
            "a\nb",
            "a\n",
            "{{ssm:x}}",
            "a|b",
            "",
            &long,
        ] {
            assert!(script(json!({"Verb": ["a"], "Name": [bad]})).is_err(), "{bad}");
        }
        for bad in [
            json!({}),
            json!({"Verb": ["c"]}),
            json!({"Verb": ["a", "b"]}),
            json!({"Verb": "a"}),
            json!({"Verb": ["a"], "Other": ["x"]}),
        ] {
            assert!(script(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn documents_that_would_mean_something_else_are_refused() {
        let string = json!({"A": {"type": "String"}});
        assert!(content(string.clone(), json!(["{{A}}"])).is_ok());
        assert!(
            content(string.clone(), json!(["{{B}}"]))
                .unwrap_err()
                .contains("no parameter B")
        );
        assert!(content(json!({"A": {"type": "StringList"}}), json!([])).is_err());
        assert!(content(json!({"A": {"type": "String", "allowedPattern": "("}}), json!([])).is_err());
        let default = json!({"A": {"type": "String", "allowedPattern": "^x$", "default": "y"}});
        assert!(content(default, json!([])).unwrap_err().contains("default"));
        assert!(Content::read("{}").is_err());
        assert!(Content::read(r#"{"schemaVersion": "1.2", "mainSteps": []}"#).is_err());
    }
}

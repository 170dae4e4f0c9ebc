//! The short form: YAML with tags such as `!Ref`, and the reader of both forms.
//!
//! Strings that another YAML version would read as something else (`on`, `12:30:45`, `2010-09-09`) are quoted.

use indexmap::IndexMap;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_saphyr::Tagged;

use super::document::{Template, TemplateError};
use super::json::finite;
use super::value::{Function, Value};

struct Short<'a>(&'a Value);

impl Serialize for Short<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Str(value) => serializer.serialize_str(value),
            Value::List(entries) => {
                let mut list = serializer.serialize_seq(Some(entries.len()))?;
                for entry in entries {
                    list.serialize_element(&Short(entry))?;
                }
                list.end()
            }
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, entry) in entries {
                    map.serialize_entry(key, &Short(entry))?;
                }
                map.end()
            }
            // YAML allows one tag a node, so the outer of two nested functions takes the long form.
            Value::Call(function, argument) if !function.has_short() || matches!(**argument, Value::Call(..)) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(function.long(), &Short(argument))?;
                map.end()
            }
            Value::Call(function, argument) => {
                Tagged(Short(argument), Some(format!("!{}", function.short()))).serialize(serializer)
            }
        }
    }
}

struct FromYaml(Value);

impl<'de> Deserialize<'de> for FromYaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YamlVisitor).map(Self)
    }
}

fn join<E: de::Error>(Tagged(FromYaml(value), tag): Tagged<FromYaml>) -> Result<Value, E> {
    let Some(name) = tag.as_deref().and_then(|tag| tag.strip_prefix('!')) else {
        return Ok(value);
    };
    // Tags of YAML's own types say what the value already is.
    if name.starts_with('!') {
        return Ok(value);
    }
    match Function::from_short(name) {
        Some(function) => Ok(Value::call(function, value)),
        None => Err(E::custom(format!("unknown function `!{name}`"))),
    }
}

struct YamlVisitor;

impl<'de> Visitor<'de> for YamlVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value of a CloudFormation document")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        i64::try_from(value)
            .map(Value::Int)
            .map_err(|_| E::custom(format!("number `{value}` is too large")))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        finite(value)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Str(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_element::<Tagged<FromYaml>>()? {
            entries.push(join(entry)?);
        }
        Ok(Value::List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = IndexMap::new();
        while let Some((key, entry)) = access.next_entry::<String, Tagged<FromYaml>>()? {
            entries.insert(key, join(entry)?);
        }
        Ok(Value::from_entries(entries))
    }
}

/// Writes a value as YAML in the short form.
///
/// # Errors
/// [`TemplateError::Write`] when a value has no YAML form.
pub fn value_to_yaml(value: &Value) -> Result<String, TemplateError> {
    // No folding: a long line stays one line, as reviewers and `grep` want it.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(&Short(value), options)
        .map_err(|source| TemplateError::Write { source: source.into() })
}

/// Reads a value from YAML in either form.
///
/// # Errors
/// [`TemplateError::Read`] with line and column when the text is no YAML, a key stands twice or a tag is unknown.
pub fn value_from_yaml(text: &str) -> Result<Value, TemplateError> {
    serde_saphyr::from_str::<Tagged<FromYaml>>(text)
        .and_then(join)
        .map_err(|source| TemplateError::Read { source: source.into() })
}

impl Template {
    /// The document as YAML in the short form.
    ///
    /// # Errors
    /// [`TemplateError::Write`] when a value has no YAML form.
    pub fn to_yaml(&self) -> Result<String, TemplateError> {
        value_to_yaml(&self.to_value())
    }

    /// Reads a document from YAML in either form.
    ///
    /// # Errors
    /// [`TemplateError::Read`] when the text is no YAML, and the errors of [`Template::from_value`].
    pub fn from_yaml(text: &str) -> Result<Self, TemplateError> {
        Self::from_value(value_from_yaml(text)?)
    }
}

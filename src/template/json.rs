//! The long form: JSON without tags, and the readers of it.

use indexmap::IndexMap;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::document::{Template, TemplateError};
use super::value::{Function, Value};

/// Writes a value in the long form of any serde format.
pub(super) struct Long<'a>(pub &'a Value);

impl Serialize for Long<'_> {
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
                    list.serialize_element(&Long(entry))?;
                }
                list.end()
            }
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, entry) in entries {
                    map.serialize_entry(key, &Long(entry))?;
                }
                map.end()
            }
            Value::Call(function, argument) => {
                let mut map = serializer.serialize_map(Some(1))?;
                match (function, argument.as_str().and_then(|text| text.split_once('.'))) {
                    // The dotted text belongs to the short form; the long form is documented as a list of two.
                    (Function::GetAtt, Some((resource, attribute))) => {
                        map.serialize_entry(function.long(), &[resource, attribute])?;
                    }
                    _ => map.serialize_entry(function.long(), &Long(argument))?,
                }
                map.end()
            }
        }
    }
}

/// Reads a value in the long form of any serde format.
struct FromLong(Value);

impl<'de> Deserialize<'de> for FromLong {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LongVisitor).map(Self)
    }
}

struct LongVisitor;

impl<'de> Visitor<'de> for LongVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value of a CloudFormation document")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
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
        while let Some(FromLong(entry)) = access.next_element()? {
            entries.push(entry);
        }
        Ok(Value::List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = IndexMap::new();
        while let Some((key, FromLong(entry))) = access.next_entry::<String, FromLong>()? {
            if entries.contains_key(&key) {
                return Err(de::Error::custom(format!("duplicate key `{key}`")));
            }
            entries.insert(key, entry);
        }
        Ok(Value::from_entries(entries))
    }
}

/// Refuses what no document can hold.
pub(super) fn finite<E: de::Error>(value: f64) -> Result<Value, E> {
    if value.is_finite() {
        Ok(Value::Float(value))
    } else {
        Err(E::custom("a number must be finite"))
    }
}

/// Writes a value as indented JSON in the long form.
///
/// # Errors
/// [`TemplateError::Write`] when a number has no JSON form.
pub fn value_to_json(value: &Value) -> Result<String, TemplateError> {
    serde_json::to_string_pretty(&Long(value)).map_err(|source| TemplateError::Write { source: source.into() })
}

/// Reads a value from JSON.
///
/// # Errors
/// [`TemplateError::Read`] with line and column when the text is no JSON or a key stands twice.
pub fn value_from_json(text: &str) -> Result<Value, TemplateError> {
    serde_json::from_str::<FromLong>(text)
        .map(|FromLong(value)| value)
        .map_err(|source| TemplateError::Read { source: source.into() })
}

impl Template {
    /// The document as indented JSON in the long form, with a newline at the end.
    ///
    /// # Errors
    /// [`TemplateError::Write`] when a number has no JSON form.
    pub fn to_json(&self) -> Result<String, TemplateError> {
        value_to_json(&self.to_value()).map(|text| text + "\n")
    }

    /// The document as JSON in the long form without spaces, the shortest text there is of it; for where its size is limited.
    ///
    /// # Errors
    /// [`TemplateError::Write`] when a number has no JSON form.
    pub fn to_short_json(&self) -> Result<String, TemplateError> {
        serde_json::to_string(&Long(&self.to_value())).map_err(|source| TemplateError::Write { source: source.into() })
    }

    /// Reads a document from JSON.
    ///
    /// # Errors
    /// [`TemplateError::Read`] when the text is no JSON, and the errors of [`Template::from_value`].
    pub fn from_json(text: &str) -> Result<Self, TemplateError> {
        Self::from_value(value_from_json(text)?)
    }
}

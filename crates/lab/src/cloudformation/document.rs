//! YAML or JSON text to one tree, short intrinsics (`!Ref`) written out as long ones (`{"Ref": …}`).
//!
//! The lab reads templates by itself and not through the library's own reader: what mqaws wrote has to be understood by
//! somebody else.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Tagged;

/// Why a text is no document, as CloudFormation words it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Template format error: {0}")]
pub struct DocumentError(String);

/// Reads a template body.
///
/// # Errors
/// `Template format error: …` for text that is neither well-formed YAML nor JSON, or not a map.
pub fn read(body: &str) -> Result<Value, DocumentError> {
    let root = if body.trim_start().starts_with('{') {
        // JSON with tabs is no YAML, so the one that it claims to be comes first.
        match serde_json::from_str::<Value>(body) {
            Ok(root) => root,
            Err(error) => {
                return Err(DocumentError(format!(
                    "JSON not well-formed. (line {}, column {})",
                    error.line(),
                    error.column()
                )));
            }
        }
    } else {
        // Words such as `no` stay text: CloudFormation, a YAML 1.1 reader, may take them for booleans, so mqaws quotes them.
        let options = serde_saphyr::options! { strict_booleans: true };
        match serde_saphyr::from_str_with_options::<Node>(body, options) {
            Ok(node) => node.0,
            Err(error) => {
                let place = error.location().map_or_else(String::new, |at| {
                    format!(" (line {}, column {})", at.line(), at.column())
                });
                return Err(DocumentError(format!("YAML not well-formed.{place}")));
            }
        }
    };
    if root.is_object() {
        Ok(root)
    } else {
        Err(DocumentError("unsupported structure.".to_owned()))
    }
}

struct Node(Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(Raw(value), tag) = Tagged::<Raw>::deserialize(deserializer)?;
        let Some(name) = tag.as_deref().and_then(|t| t.strip_prefix('!')) else {
            return Ok(Node(value));
        };
        let (key, value) = match name {
            "Ref" | "Condition" => (name.to_owned(), as_text(value)),
            "GetAtt" => match &value {
                Value::String(text) => match text.split_once('.') {
                    Some((resource, attribute)) => (
                        "Fn::GetAtt".to_owned(),
                        Value::Array(vec![resource.into(), attribute.into()]),
                    ),
                    None => return Err(serde::de::Error::custom("!GetAtt needs resource.attribute")),
                },
                _ => ("Fn::GetAtt".to_owned(), value),
            },
            other => (format!("Fn::{other}"), value),
        };
        let mut map = Map::new();
        map.insert(key, value);
        Ok(Node(Value::Object(map)))
    }
}

fn as_text(value: Value) -> Value {
    match value {
        Value::Number(n) => Value::String(n.to_string()),
        Value::Bool(b) => Value::String(b.to_string()),
        other => other,
    }
}

struct Raw(Value);

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor).map(Raw)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(Number::from_f64(v).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Node(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((key, Node(value))) = map.next_entry::<String, Node>()? {
            if members.insert(key.clone(), value).is_some() {
                return Err(serde::de::Error::custom(format!("duplicate key {key}")));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn short_and_long_intrinsics_are_one() {
        let yaml = "
A: !Ref B
B: !GetAtt C.D.E
C: !Sub [\"${x}\", {x: !Ref Y}]
D: !If [Cond, [!Ref A], !Ref \"AWS::NoValue\"]
E: !Equals [a, b]
F: {\"Fn::Join\": [\"\", [a, !Ref B]]}
G: !Select [0, !GetAZs \"\"]
H: !Base64
  Fn::Sub: x
I: 12
J: \"12\"
K: 2012-10-17
";
        let expected = json!({
            "A": {"Ref": "B"},
            "B": {"Fn::GetAtt": ["C", "D.E"]},
            "C": {"Fn::Sub": ["${x}", {"x": {"Ref": "Y"}}]},
            "D": {"Fn::If": ["Cond", [{"Ref": "A"}], {"Ref": "AWS::NoValue"}]},
            "E": {"Fn::Equals": ["a", "b"]},
            "F": {"Fn::Join": ["", ["a", {"Ref": "B"}]]},
            "G": {"Fn::Select": [0, {"Fn::GetAZs": ""}]},
            "H": {"Fn::Base64": {"Fn::Sub": "x"}},
            "I": 12,
            "J": "12",
            "K": "2012-10-17",
        });
        assert_eq!(read(yaml).unwrap(), expected);
        assert_eq!(read(&expected.to_string()).unwrap(), expected);
    }

    #[test]
    fn refuses_what_is_no_template() {
        for (body, message) in [
            ("a: [", "YAML not well-formed."),
            ("a: 1\na: 2", "YAML not well-formed."),
            ("{\"a\": }", "JSON not well-formed. (line 1, column 7)"),
            ("just text", "unsupported structure."),
            ("- a", "unsupported structure."),
        ] {
            let text = read(body).unwrap_err().to_string();
            assert!(
                text.starts_with(&format!("Template format error: {message}")),
                "{body}: {text}"
            );
        }
    }
}

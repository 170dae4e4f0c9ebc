//! YAML or JSON text to one tree, short intrinsics (`!Ref`) written out as long ones (`{"Ref": …}`).
//!
//! The lab reads templates by itself and not through the library's own reader: what mqaws wrote has to be understood by
//! somebody else.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, json};
use serde_saphyr::{Location, Spanned, Tagged};
use std::collections::HashSet;

/// Why a text is no document, as CloudFormation words it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Template format error: {0}")]
pub(crate) struct DocumentError(String);

/// Reads a template body.
///
/// # Errors
/// `Template format error: …` for text that is neither well-formed YAML nor JSON, or not a map.
pub(crate) fn read(body: &str) -> Result<Value, DocumentError> {
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
            Ok(node) => node.value(body),
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

/// A node of a YAML document, numbers still as places in its text.
enum Node {
    Plain(Value),
    Number(Value, Location),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// A short intrinsic and what it is given.
    Call(String, Box<Node>),
}

impl Node {
    fn value(self, body: &str) -> Value {
        match self {
            Self::Plain(value) => value,
            Self::Number(value, place) => number(value, place, body),
            Self::List(items) => items.into_iter().map(|item| item.value(body)).collect(),
            Self::Map(members) => members
                .into_iter()
                .map(|(key, member)| (key, member.value(body)))
                .collect::<Map<String, Value>>()
                .into(),
            Self::Call(name, given) => {
                let given = given.value(body);
                let (key, value) = match name.as_str() {
                    "Ref" | "Condition" => (name, as_text(given)),
                    "GetAtt" => match given.as_str().and_then(|text| text.split_once('.')) {
                        Some((resource, attribute)) => ("Fn::GetAtt".to_owned(), json!([resource, attribute])),
                        None => ("Fn::GetAtt".to_owned(), given),
                    },
                    other => (format!("Fn::{other}"), given),
                };
                json!({ key: value })
            }
        }
    }
}

/// A number that is written as one writes it is a number. Of the rest CloudFormation keeps the text: account ids with a zero in front,
/// modes of files, versions.
fn number(value: Value, place: Location, body: &str) -> Value {
    let span = place.span();
    let bounds = span.byte_offset().zip(span.byte_len()).and_then(|(start, length)| {
        let start = usize::try_from(start).ok()?;
        Some((start, start.checked_add(usize::try_from(length).ok()?)?))
    });
    let text = bounds.and_then(|(start, end)| body.get(start..end)).map(str::trim);
    let canonical = value.to_string();
    match text {
        Some(text) if !text.is_empty() && text != canonical => text.into(),
        _ => value,
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(Spanned { value, defined, .. }, tag) = Tagged::<Spanned<Raw>>::deserialize(deserializer)?;
        let node = match value {
            Raw(Node::Plain(value @ Value::Number(_))) => Node::Number(value, defined),
            Raw(node) => node,
        };
        let Some(name) = tag.as_deref().and_then(|t| t.strip_prefix('!')) else {
            return Ok(node);
        };
        match &node {
            Node::Plain(Value::String(text)) if name == "GetAtt" && !text.contains('.') => {
                Err(serde::de::Error::custom("!GetAtt needs resource.attribute"))
            }
            _ => Ok(Node::Call(name.to_owned(), Box::new(node))),
        }
    }
}

fn as_text(value: Value) -> Value {
    match value {
        Value::Number(n) => Value::String(n.to_string()),
        Value::Bool(b) => Value::String(b.to_string()),
        other => other,
    }
}

struct Raw(Node);

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor).map(Raw)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Node, E> {
        Ok(Node::Plain(v.into()))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Node, E> {
        Ok(Node::Plain(v.into()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Node, E> {
        Ok(Node::Plain(v.into()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Node, E> {
        Ok(Node::Plain(Number::from_f64(v).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, v: &str) -> Result<Node, E> {
        Ok(Node::Plain(v.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Plain(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Plain(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members: Vec<(String, Node)> = Vec::new();
        let mut keys = HashSet::new();
        while let Some((key, node)) = map.next_entry::<String, Node>()? {
            if !keys.insert(key.clone()) {
                return Err(serde::de::Error::custom(format!("duplicate key {key}")));
            }
            members.push((key, node));
        }
        Ok(Node::Map(members))
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
    fn what_is_not_written_as_a_number_stays_text() {
        for text in [
            "012345678901",
            "0644",
            "1e3",
            "1.10",
            "0x1F",
            "1_000",
            "+1",
            ".5",
            "12345678901234567890123",
        ] {
            let yaml = format!("a:\n  - {text} # a comment\n  - {{b: {text}}}\n");
            assert_eq!(read(&yaml).unwrap(), json!({"a": [text, {"b": text}]}), "{text}");
        }
        let numbers = "a: [12, -3, 0, 1.5]\nb: !Select [1, !Ref C]\n";
        let expected = json!({"a": [12, -3, 0, 1.5], "b": {"Fn::Select": [1, {"Ref": "C"}]}});
        assert_eq!(read(numbers).unwrap(), expected);
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

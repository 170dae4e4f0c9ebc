//! The query protocol and EC2's dialect of it: form parameters in, XML out.

use crate::api::ApiError;
use indexmap::IndexMap;
use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use serde_json::{Map, Value};

/// Deepest nesting of parameters that is read.
const MAX_DEPTH: usize = 16;

enum Node {
    Text(String),
    Tree(IndexMap<String, Node>),
}

/// Turns `A.member.1.B=x` and `Filter.1.Value.1=x` into `{"A":[{"B":"x"}]}` and `{"Filter":[{"Value":["x"]}]}`.
///
/// # Errors
/// `MalformedQueryString` when a name is used both as text and as a structure, or is nested too deeply.
pub(crate) fn read(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Map<String, Value>, ApiError> {
    let mut root = IndexMap::new();
    for (key, text) in pairs {
        let path: Vec<&str> = key.split('.').collect();
        if path.len() > MAX_DEPTH || path.iter().any(|p| p.is_empty()) {
            return Err(malformed(&key));
        }
        insert(&mut root, &path, text).map_err(|()| malformed(&key))?;
    }
    Ok(root.into_iter().map(|(k, v)| (k, value(v))).collect())
}

fn malformed(key: &str) -> ApiError {
    ApiError::new("MalformedQueryString", format!("The parameter {key} is malformed")).status(404)
}

fn insert(tree: &mut IndexMap<String, Node>, path: &[&str], text: String) -> Result<(), ()> {
    let (first, rest) = path.split_first().ok_or(())?;
    if rest.is_empty() {
        return match tree.insert((*first).to_owned(), Node::Text(text)) {
            None => Ok(()),
            Some(_) => Err(()),
        };
    }
    match tree
        .entry((*first).to_owned())
        .or_insert_with(|| Node::Tree(IndexMap::new()))
    {
        Node::Tree(inner) => insert(inner, rest, text),
        Node::Text(_) => Err(()),
    }
}

fn value(node: Node) -> Value {
    match node {
        Node::Text(text) => Value::String(text),
        Node::Tree(mut tree) => {
            if tree.len() == 1
                && let Some(Node::Tree(_)) = tree.get("member")
                && let Some(inner) = tree.swap_remove("member")
            {
                return value(inner);
            }
            if tree.keys().all(|k| k.parse::<u32>().is_ok()) {
                tree.sort_by(|a, _, b, _| a.parse::<u32>().ok().cmp(&b.parse::<u32>().ok()));
                return Value::Array(tree.into_values().map(value).collect());
            }
            Value::Object(tree.into_iter().map(|(k, v)| (k, value(v))).collect())
        }
    }
}

/// An XML document under construction.
pub(crate) struct Xml {
    writer: Writer<Vec<u8>>,
    item: &'static str,
}

impl Xml {
    /// An empty document whose lists are made of elements named `item`.
    pub(crate) fn new(item: &'static str) -> Self {
        Self {
            writer: Writer::new(br#"<?xml version="1.0" encoding="UTF-8"?>"#.to_vec()),
            item,
        }
    }

    /// Opens an element, with an XML namespace when there is one.
    pub(crate) fn open(&mut self, name: &str, namespace: Option<&str>) {
        let mut start = BytesStart::new(name);
        if let Some(namespace) = namespace {
            start.push_attribute(("xmlns", namespace));
        }
        self.event(Event::Start(start));
    }

    /// Closes an element.
    pub(crate) fn close(&mut self, name: &str) {
        self.event(Event::End(BytesEnd::new(name)));
    }

    /// Writes an element that holds text.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.open(name, None);
        self.raw_text(text);
        self.close(name);
    }

    /// Writes one member of a structure; `null` is left out.
    pub(crate) fn member(&mut self, name: &str, value: &Value) {
        if value.is_null() {
            return;
        }
        self.open(name, None);
        self.content(value);
        self.close(name);
    }

    /// Writes what is inside an element.
    pub(crate) fn content(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::String(text) => self.raw_text(text),
            Value::Number(number) => self.raw_text(&number.to_string()),
            Value::Bool(flag) => self.raw_text(if *flag { "true" } else { "false" }),
            Value::Array(items) => {
                let item = self.item;
                for value in items {
                    self.member(item, value);
                }
            }
            Value::Object(members) => {
                for (name, value) in members {
                    self.member(name, value);
                }
            }
        }
    }

    /// The document's bytes.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.writer.into_inner()
    }

    fn raw_text(&mut self, text: &str) {
        // XML 1.0 has no way to write most control characters.
        let clean: String = text
            .chars()
            .filter(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r'))
            .collect();
        self.event(Event::Text(BytesText::new(&clean)));
    }

    fn event(&mut self, event: Event<'_>) {
        // Writing into memory cannot fail.
        let _ = self.writer.write_event(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pairs(query: &str) -> Vec<(String, String)> {
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    #[test]
    fn reads_both_dialects() {
        let cases = [
            ("StackName=a%20b", json!({"StackName": "a b"})),
            (
                "Parameters.member.2.ParameterKey=B&Parameters.member.1.ParameterKey=A&Parameters.member.1.ParameterValue=",
                json!({"Parameters": [{"ParameterKey": "A", "ParameterValue": ""}, {"ParameterKey": "B"}]}),
            ),
            (
                "Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1&Filter.1.Value.2=vpc-2",
                json!({"Filter": [{"Name": "vpc-id", "Value": ["vpc-1", "vpc-2"]}]}),
            ),
            (
                "LaunchTemplateData.MetadataOptions.HttpTokens=required&LaunchTemplateData.TagSpecification.1.Tag.1.Key=k",
                json!({"LaunchTemplateData": {"MetadataOptions": {"HttpTokens": "required"},
                    "TagSpecification": [{"Tag": [{"Key": "k"}]}]}}),
            ),
        ];
        for (query, expected) in cases {
            assert_eq!(Value::Object(read(pairs(query)).unwrap()), expected, "{query}");
        }
    }

    #[test]
    fn refuses_a_name_used_twice() {
        for query in ["A=1&A=2", "A=1&A.B=2", "A.B=1&A=2", "A..B=1"] {
            assert_eq!(read(pairs(query)).unwrap_err().code, "MalformedQueryString", "{query}");
        }
    }

    #[test]
    fn writes_lists_and_escapes() {
        let mut xml = Xml::new("member");
        xml.member(
            "R",
            &json!({"A": [{"B": "<&>"}, {"B": true}], "N": null, "E": [], "C": 1.5, "T": "a\u{1}b"}),
        );
        assert_eq!(
            String::from_utf8(xml.finish()).unwrap(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><R><A><member><B>&lt;&amp;&gt;</B></member><member><B>true</B></member></A>\
             <E></E><C>1.5</C><T>ab</T></R>"
        );
    }
}

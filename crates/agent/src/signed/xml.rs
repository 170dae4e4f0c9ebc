//! Answers of the query protocol as a tree.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event};

/// Deeper answers are refused; AWS's are under 20.
const DEEPEST: usize = 64;

/// An element: its name without prefix, its text, its children. Attributes are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Node>,
}

impl Node {
    /// Reads a document; the node returned is its root element.
    pub(super) fn parse(document: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(document).map_err(|_| "not UTF-8".to_owned())?;
        let mut reader = Reader::from_str(text);
        let mut open = vec![Node::default()];
        loop {
            let event = reader.read_event().map_err(|e| e.to_string())?;
            let Some(top) = open.last_mut() else {
                return Err("an element is closed twice".to_owned());
            };
            match event {
                Event::Start(start) => {
                    if open.len() > DEEPEST {
                        return Err("nested too deeply".to_owned());
                    }
                    open.push(Node::named(start.local_name().as_ref()));
                }
                Event::Empty(start) => top.children.push(Node::named(start.local_name().as_ref())),
                Event::End(_) => {
                    let Some(done) = open.pop() else { break };
                    let Some(parent) = open.last_mut() else {
                        return Err("an element is closed twice".to_owned());
                    };
                    parent.children.push(done);
                }
                Event::Text(t) => top.text.push_str(&t.into_inner()),
                Event::CData(t) => top.text.push_str(&t.into_inner()),
                Event::GeneralRef(name) => match entity(&name) {
                    Some(c) => top.text.push_str(&c),
                    None => return Err("an unknown entity".to_owned()),
                },
                Event::Eof => break,
                _ => {}
            }
        }
        match (open.len(), open.pop().and_then(|mut root| root.children.pop())) {
            (1, Some(root)) => Ok(root.trimmed()),
            (1, None) => Err("no element".to_owned()),
            _ => Err("cut off".to_owned()),
        }
    }

    fn named(name: impl AsRef<[u8]>) -> Self {
        Self {
            name: String::from_utf8_lossy(name.as_ref()).into_owned(),
            ..Self::default()
        }
    }

    fn trimmed(mut self) -> Self {
        self.text = self.text.trim().to_owned();
        self.children = self.children.into_iter().map(Node::trimmed).collect();
        self
    }

    /// The first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|c| c.name == name)
    }

    /// The first node along a path of names.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, name| node.child(name))
    }

    /// The text of the first node along a path.
    pub(super) fn text(&self, path: &[&str]) -> Option<&str> {
        self.at(path).map(|n| n.text.as_str())
    }

    /// The elements of a list: its `item` or `member` children.
    pub(super) fn items(&self, path: &[&str]) -> impl Iterator<Item = &Node> {
        self.at(path)
            .into_iter()
            .flat_map(|n| &n.children)
            .filter(|c| c.name == "item" || c.name == "member")
    }

    /// The first node of this name anywhere, depth first.
    pub(super) fn find(&self, name: &str) -> Option<&Node> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|c| c.find(name))
    }
}

fn entity(name: &BytesRef<'_>) -> Option<String> {
    match name.resolve_char_ref().ok()? {
        Some(c) => Some(c.into()),
        None => resolve_predefined_entity(name).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_answers_errors_and_entities() {
        let text = br#"<?xml version="1.0"?><DescribeInstancesResponse xmlns="http://x/"><reservationSet><item><instancesSet>
            <item><instanceId>i-1</instanceId><instanceState><code>48</code><name>terminated</name></instanceState></item>
            </instancesSet></item></reservationSet><nothing/></DescribeInstancesResponse>"#;
        let root = Node::parse(text).expect("answer");
        assert_eq!(root.name, "DescribeInstancesResponse");
        let reservation = root.items(&["reservationSet"]).next().expect("one");
        let instance = reservation.items(&["instancesSet"]).next().expect("one");
        assert_eq!(instance.text(&["instanceState", "name"]), Some("terminated"));
        let root =
            Node::parse(b"<E><Message>a &amp; b &lt;c&gt; &#233;&#x41; <![CDATA[<raw>]]></Message></E>").expect("text");
        assert_eq!(root.text(&["Message"]), Some("a & b <c> \u{e9}A <raw>"));
    }

    #[test]
    fn half_an_answer_is_an_error() {
        for text in ["", "<a>", "<a><b></a>", "</a>", "plain", "<a>&nope;</a>", "<a><b>"] {
            assert!(Node::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Node::parse(&bytes);
        }

        #[test]
        fn no_markup_makes_the_reader_panic(text in "[<>/a&;!\\[\\]?-]{0,80}") {
            let _ = Node::parse(text.as_bytes());
        }
    }
}

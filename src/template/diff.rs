//! What differs between two documents.

use std::fmt;

use super::document::Template;
use super::value::Value;

/// One difference, at the deepest path that shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Such as `Resources.Group.Properties.MinSize`; list entries by their index.
    pub path: String,
    /// Value in the first document, when it has one.
    pub before: Option<Value>,
    /// Value in the second document, when it has one.
    pub after: Option<Value>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match (&self.before, &self.after) {
            (None, _) => '+',
            (_, None) => '-',
            _ => '~',
        };
        write!(f, "{sign} {}", self.path)
    }
}

/// Every difference between two documents; the order of keys is none.
pub fn diff(before: &Template, after: &Template) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("", Some(&before.to_value()), Some(&after.to_value()), &mut changes);
    changes
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<Change>) {
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match (before, after) {
        (Some(Value::Map(a)), Some(Value::Map(b))) => {
            for (key, value) in a {
                compare(&below(key), Some(value), b.get(key), changes);
            }
            for (key, value) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
                compare(&below(key), None, Some(value), changes);
            }
        }
        // Lists of other lengths differ as a whole: which entry moved where would be a guess.
        (Some(Value::List(a)), Some(Value::List(b))) if a.len() == b.len() => {
            for (index, (x, y)) in a.iter().zip(b).enumerate() {
                compare(&below(&index.to_string()), Some(x), Some(y), changes);
            }
        }
        (before, after) if before == after => {}
        (before, after) => {
            changes.push(Change {
                path: path.to_owned(),
                before: before.cloned(),
                after: after.cloned(),
            });
        }
    }
}

//! Answers to statements.

use crate::standin::objects::Attributes;

/// How a statement ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done: the lines to print.
    Done(Vec<String>),
    /// Understood, but it could not be done.
    Failed(Vec<String>),
    /// Not understood: the text up to where it was.
    Syntax(String),
}

impl Answer {
    /// Done, with one message.
    pub(super) fn done(message: &str) -> Self {
        Self::Done(vec![message.to_owned()])
    }

    /// Failed, with one message.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(vec![message.into()])
    }

    /// The object does not exist.
    pub(super) fn not_found(name: &str) -> Self {
        Self::failed(format!("AMQ8147E: IBM MQ object {name} not found."))
    }

    /// The object exists already.
    pub(super) fn exists() -> Self {
        Self::failed("AMQ8150E: IBM MQ object already exists.")
    }
}

/// Attributes in two columns, as `DISPLAY` prints them.
pub(crate) fn columns(attributes: &[(String, String)]) -> Vec<String> {
    let cells: Vec<String> = attributes
        .iter()
        .map(|(key, value)| match value.as_str() {
            "" => format!("{key}( )"),
            value => format!("{key}({value})"),
        })
        .collect();
    let mut lines = Vec::new();
    let mut left: Option<String> = None;
    for cell in cells {
        match left.take() {
            // A wide cell has a line of its own.
            Some(first) if first.len() < 40 && cell.len() < 40 => lines.push(format!("   {first:<40}{cell}")),
            Some(first) => {
                lines.push(format!("   {first}"));
                left = Some(cell);
            }
            None => left = Some(cell),
        }
    }
    lines.extend(left.map(|first| format!("   {first}")));
    lines
}

/// The pairs of an object: its name first, then those asked for, or all.
pub(crate) fn pairs(
    head: &[(&str, &str)],
    attributes: &Attributes,
    wanted: Option<&[String]>,
) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = head.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    for (key, value) in attributes {
        let shown = wanted.is_none_or(|w| w.contains(key));
        if shown && !out.iter().any(|(k, _)| k == key) {
            out.push((key.clone(), value.clone()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_columns_and_wide_cells() {
        let attributes = [
            ("QUEUE", "Q1"),
            ("TYPE", "QLOCAL"),
            ("DESCR", ""),
            ("X", &"x".repeat(50)),
            ("Y", "1"),
        ];
        let attributes: Vec<_> = attributes.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let lines = columns(&attributes);
        assert_eq!(lines[0], "   QUEUE(Q1)                               TYPE(QLOCAL)");
        assert_eq!(lines[1], "   DESCR( )");
        assert_eq!(lines.len(), 4);
    }
}

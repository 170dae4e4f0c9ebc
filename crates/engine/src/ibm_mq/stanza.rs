//! Stanza files: `mqs.ini`, `qm.ini` and what `dspmqinf -o stanza` prints.

use mqaws_contract::PathComponent;
use std::path::{Path, PathBuf};

/// One stanza: a title and its attributes in order. Titles repeat (`NativeHAInstance:`), attributes may too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stanza {
    /// The title without its colon.
    pub title: String,
    /// `key=value` in the order of the file.
    pub(crate) values: Vec<(String, String)>,
}

impl Stanza {
    /// A stanza without attributes.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            values: Vec::new(),
        }
    }

    /// Adds one attribute.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.values.push((key.to_owned(), value.into()));
        self
    }

    /// The first value under that key, in any case.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(key))
            .map(|(_, v)| v.as_str())
    }

    /// Where the data of the queue manager of a `QueueManager:` stanza is: `DataPath`, else the place under `Prefix`.
    ///
    /// Absent for a `Directory` that would lead out of that place.
    pub fn data_path(&self) -> Option<PathBuf> {
        if let Some(path) = self.get("DataPath") {
            return Some(path.into());
        }
        let directory = match self.get("Directory") {
            Some(directory) => PathComponent::new(directory).ok()?,
            None => PathComponent::of_queue_manager(self.get("Name")?),
        };
        Some(Path::new(self.get("Prefix")?).join("qmgrs").join(directory))
    }
}

/// Reads a whole file. Comments (`#`, `*`) and lines that are neither title nor attribute are passed over; attributes before
/// the first title go into a stanza without one.
pub fn parse(text: &str) -> Vec<Stanza> {
    let mut found: Vec<Stanza> = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with('*') {
            continue;
        }
        if let Some((key, value)) = line.split_once('=') {
            if found.is_empty() {
                found.push(Stanza::default());
            }
            let end = found.len() - 1;
            found[end].values.push((key.trim().to_owned(), value.trim().to_owned()));
        } else if let Some(title) = line.strip_suffix(':') {
            found.push(Stanza::new(title.trim()));
        }
    }
    found
}

/// Writes stanzas in the layout of IBM MQ: title at the margin, attributes indented by three blanks.
pub fn write(stanzas: &[Stanza]) -> String {
    let mut text = String::new();
    for stanza in stanzas {
        text.push_str(&stanza.title);
        text.push_str(":\n");
        for (key, value) in &stanza.values {
            text.push_str(&format!("   {key}={value}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn data_path_is_stated_or_under_the_prefix() {
        let stanza = Stanza::new("QueueManager")
            .with("Name", "A.B")
            .with("Prefix", "/var/mqm");
        assert_eq!(stanza.data_path().unwrap(), std::path::Path::new("/var/mqm/qmgrs/A!B"));
        let stanza = stanza.with("DataPath", "/mnt/mqaws/A.B/data/A!B");
        assert_eq!(
            stanza.data_path().unwrap(),
            std::path::Path::new("/mnt/mqaws/A.B/data/A!B")
        );
        assert_eq!(Stanza::new("QueueManager").data_path(), None);
        let astray = Stanza::new("QueueManager")
            .with("Prefix", "/var/mqm")
            .with("Directory", "../../etc");
        assert_eq!(astray.data_path(), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(\\PC|\\n){0,200}") {
            parse(&text);
        }

        #[test]
        fn what_was_written_comes_back(
            stanzas in proptest::collection::vec(
                ("[A-Z][A-Za-z]{0,12}", proptest::collection::vec(("[A-Z][A-Za-z]{0,8}", "[a-z0-9/.()=]{0,16}"), 0..4)),
                0..5,
            )
        ) {
            let stanzas: Vec<Stanza> =
                stanzas.into_iter().map(|(title, values)| Stanza { title, values }).collect();
            prop_assert_eq!(parse(&write(&stanzas)), stanzas);
        }
    }
}

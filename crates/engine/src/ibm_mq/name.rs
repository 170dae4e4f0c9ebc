//! Names: of objects in MQSC, and of the directories of queue managers.

use mqaws_contract::PathComponent;
use std::path::{Path, PathBuf};

/// Where `crtmqm -md DIR` puts the data of the queue manager, the `DataPath` of its entry in `mqs.ini`.
pub fn data_path(md: &Path, queue_manager: &str) -> PathBuf {
    md.join(PathComponent::of_queue_manager(queue_manager))
}

/// A name that can stand between quotes in MQSC: 1 to 48 of `A-Z a-z 0-9 . / _ %`, and `*` in a profile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(String);

impl ObjectName {
    /// Checks a name; absent when it breaks the rule.
    pub fn new(name: &str) -> Option<Self> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "./_%*".contains(c);
        (!name.is_empty() && name.len() <= 48 && name.chars().all(fits)).then(|| Self(name.to_owned()))
    }

    pub(crate) fn literal(name: &'static str) -> Self {
        Self(name.to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ObjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_directories() {
        for (name, directory) in [("Q.1", "Q!1"), ("..", "!!"), ("/ABS", "&ABS")] {
            let data = data_path(Path::new("/mnt/mqaws/QM1/data"), name);
            assert_eq!(data, Path::new("/mnt/mqaws/QM1/data").join(directory));
        }
    }

    #[test]
    fn names_of_objects_cannot_break_out_of_their_quotes() {
        assert!(ObjectName::new("MQAWS.PROBE.A_1%/b").is_some());
        for bad in ["", "a'b", "a b", "a\nb", "ä", &"x".repeat(49)] {
            assert_eq!(ObjectName::new(bad), None, "{bad:?}");
        }
    }
}

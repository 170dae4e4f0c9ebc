//! One component of a path, made from a text that comes from outside.

use super::names::InvalidName;
use std::fmt;
use std::path::Path;

/// One component of a path: joined to a folder, it names something directly in that folder, whatever text it was made from.
///
/// 1 to 255 bytes, neither `.` nor `..`, without `/` and control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathComponent(String);

impl PathComponent {
    /// Checks a text.
    ///
    /// # Errors
    /// [`InvalidName`] for a text that is no single component.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
        let value = text.into();
        let fits = (1..=255).contains(&value.len())
            && !matches!(value.as_str(), "." | "..")
            && !value.contains(|c: char| c == '/' || c.is_control());
        match fits {
            true => Ok(Self(value)),
            false => Err(InvalidName {
                value,
                what: "file name",
                requirement: "1 to 255 bytes without / and control characters, and neither . nor ..",
                example: "orders".into(),
            }),
        }
    }

    /// The directory that IBM MQ makes for a queue manager: `.` becomes `!`, `/` becomes `&`.
    ///
    /// No two texts have one directory. What no queue manager's name may hold becomes `~` and two hexadecimal digits.
    pub fn of_queue_manager(name: &str) -> Self {
        let mut directory = String::with_capacity(name.len());
        for byte in name.bytes() {
            match byte {
                b'.' => directory.push('!'),
                b'/' => directory.push('&'),
                b'_' | b'%' => directory.push(char::from(byte)),
                _ if byte.is_ascii_alphanumeric() => directory.push(char::from(byte)),
                _ => directory.push_str(&format!("~{byte:02x}")),
            }
        }
        if directory.is_empty() {
            directory.push('~');
        }
        Self(directory)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<Path> for PathComponent {
    fn as_ref(&self) -> &Path {
        self.0.as_ref()
    }
}

impl fmt::Display for PathComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<PathComponent> for String {
    fn from(component: PathComponent) -> Self {
        component.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    fn is_directly_in(folder: &Path, component: &PathComponent) -> bool {
        let path = folder.join(component);
        let below: Option<Vec<Component<'_>>> = path.strip_prefix(folder).ok().map(|rest| rest.components().collect());
        below.is_some_and(|below| matches!(below.as_slice(), [Component::Normal(_)]))
    }

    #[test]
    fn directories_are_those_of_ibm_mq() {
        for (name, directory) in [
            ("QM1", "QM1"),
            ("foo", "foo"),
            ("a/b", "a&b"),
            (".", "!"),
            ("..", "!!"),
            ("/ABS", "&ABS"),
            ("../../x", "!!&!!&x"),
            ("A.B/C%", "A!B&C%"),
        ] {
            assert_eq!(PathComponent::of_queue_manager(name).as_str(), directory);
        }
    }

    #[test]
    fn a_text_that_leads_elsewhere_is_refused() {
        for bad in [
            "",
            ".",
            "..",
            "/",
            "/x",
            "x/",
            "a/b",
            "../x",
            "a\0b",
            "a\nb",
            &"x".repeat(256),
        ] {
            let error = PathComponent::new(bad).expect_err(bad);
            assert!(error.to_string().contains("neither . nor .."), "{error}");
        }
        for good in ["...", "..a", "QM.1", "i-0123-9c1e", "ä", &"x".repeat(255)] {
            assert!(PathComponent::new(good).is_ok(), "{good}");
        }
    }

    proptest! {
        #[test]
        fn no_queue_manager_leaves_the_folder_or_shares_a_directory(
            one in "[A-Za-z0-9./_%]{1,48}", other in "[A-Za-z0-9./_%]{1,48}", small in "[./aA]{1,4}", few in "[./aA]{1,4}"
        ) {
            for (one, other) in [(&one, &other), (&small, &few)] {
                let (first, second) = (PathComponent::of_queue_manager(one), PathComponent::of_queue_manager(other));
                prop_assert!(is_directly_in(Path::new("/mnt/mqaws"), &first), "{first}");
                prop_assert!(first.as_str().len() == one.len(), "{first}");
                prop_assert_eq!(first == second, one == other);
            }
        }

        #[test]
        fn no_text_at_all_does(one in "\\PC{0,9}", other in "\\PC{0,9}", any in proptest::collection::vec(any::<char>(), 0..9)) {
            let any: String = any.into_iter().collect();
            for text in [&one, &other, &any] {
                prop_assert!(is_directly_in(Path::new("/mnt/mqaws"), &PathComponent::of_queue_manager(text)));
                if let Ok(checked) = PathComponent::new(text.as_str()) {
                    prop_assert!(is_directly_in(Path::new("relative"), &checked));
                }
            }
            let same = PathComponent::of_queue_manager(&one) == PathComponent::of_queue_manager(&other);
            prop_assert_eq!(same, one == other);
        }
    }
}

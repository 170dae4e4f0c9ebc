//! The user's own MQSC commands: a file beside the deployment's own.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Commands that the agent applies once per change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definitions {
    /// The file as the deployment names it.
    pub file: String,
    /// What it holds; empty until it was read.
    pub text: String,
}

/// As the deployment's file has it: the name alone.
impl Serialize for Definitions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.file.serialize(serializer)
    }
}

/// A file that was not read yet.
impl<'de> Deserialize<'de> for Definitions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::named)
    }
}

impl Definitions {
    /// Most bytes of a file: it travels in the user data, of which EC2 takes 16 KiB.
    pub const LIMIT: usize = 8 * 1024;

    /// A file that was not read yet.
    pub fn named(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            text: String::new(),
        }
    }

    /// The same file with what it holds.
    ///
    /// # Errors
    /// In words, when the agent could not be given that text.
    pub fn with_text(self, text: String) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err(format!("`{}` is empty", self.file));
        }
        if text.len() > Self::LIMIT {
            return Err(format!(
                "`{}` has {} bytes, but the user data has room for only {}",
                self.file,
                text.len(),
                Self::LIMIT
            ));
        }
        let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if let Some(n) = text.lines().position(|line| line.contains(odd)) {
            return Err(format!(
                "line {} of `{}` contains a control character",
                n + 1,
                self.file
            ));
        }
        Ok(Self { text, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_that_can_travel_is_taken() {
        let with = |text: &str| Definitions::named("own.mqsc").with_text(text.to_owned());
        assert_eq!(
            with("DEFINE QLOCAL(A)\n").map(|d| d.text),
            Ok("DEFINE QLOCAL(A)\n".to_owned())
        );
        let most = "*".repeat(Definitions::LIMIT);
        assert!(with(&most).is_ok() && with(&format!("{most}*")).is_err());
        for (text, why) in [(" \n", "empty"), ("a\nb\u{7}", "line 2")] {
            assert!(with(text).expect_err("refused").contains(why));
        }
        assert_eq!(
            serde_json::to_value(Definitions::named("a.mqsc")).expect("json"),
            "a.mqsc"
        );
    }
}

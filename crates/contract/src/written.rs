//! Ids as somebody else wrote them.

use crate::InvalidName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An id as a record or an answer holds it. A text that is no id is kept as it is, and stands for nobody.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AsWritten<T> {
    /// It is one.
    Id(T),
    /// It is none; for people.
    Other(String),
}

impl<T> AsWritten<T> {
    /// The id, when it is one.
    pub const fn id(&self) -> Option<&T> {
        match self {
            Self::Id(id) => Some(id),
            Self::Other(_) => None,
        }
    }
}

impl<T: PartialEq> AsWritten<T> {
    /// Whether it is this one.
    pub fn is(&self, id: &T) -> bool {
        self.id() == Some(id)
    }
}

impl<T: AsRef<str>> AsWritten<T> {
    /// The text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Id(id) => id.as_ref(),
            Self::Other(text) => text,
        }
    }
}

impl<T> Default for AsWritten<T> {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl<T: AsRef<str>> fmt::Display for AsWritten<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<T: TryFrom<String, Error = InvalidName>> From<String> for AsWritten<T> {
    fn from(text: String) -> Self {
        T::try_from(text).map_or_else(|error| Self::Other(error.value), Self::Id)
    }
}

impl<T: TryFrom<String, Error = InvalidName>> From<&str> for AsWritten<T> {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl<T: AsRef<str>> Serialize for AsWritten<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, T: TryFrom<String, Error = InvalidName>> Deserialize<'de> for AsWritten<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InstanceId;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};

    #[test]
    fn what_is_no_id_is_kept_as_it_is_and_stands_for_nobody() {
        let me = InstanceId::new("i-0a").expect("an id");
        for text in ["i-0a", "", "i-", "i-0a ", "mi-0a", "fs-1", "i-\u{e9}", "i-0a\n"] {
            let text_of: StrDeserializer<'_, Error> = text.into_deserializer();
            let read: AsWritten<InstanceId> = AsWritten::deserialize(text_of).expect(text);
            assert_eq!((read.as_str(), read.to_string()), (text, text.to_owned()));
            assert_eq!((read.is(&me), read.id().is_some()), (text == "i-0a", text == "i-0a"));
        }
    }
}

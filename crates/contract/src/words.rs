//! Words of a closed list that travel as text: known ones are told apart, unknown ones are kept as they are.

/// A word that is none of those which this version knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this version does not support `{word}`; supported values: {}", listed(.known))]
pub struct UnknownWord {
    /// The word.
    pub word: String,
    /// Those that it knows.
    pub known: Vec<String>,
}

fn listed(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

/// An enum of words, and its way to and from text.
macro_rules! words {
    (
        $(#[$of:meta])*
        pub enum $name:ident {
            $($(#[$doc:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$of])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $($(#[$doc])* $variant,)+
            /// A word that this version does not know; it permits nothing.
            Other(String),
        }

        impl $name {
            /// Every word that this version knows.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The error of a word that this version does not know.
            pub fn unknown(word: &str) -> crate::UnknownWord {
                crate::UnknownWord {
                    word: word.to_owned(),
                    known: Self::ALL.iter().map(|known| known.as_str().to_owned()).collect(),
                }
            }

            /// The word.
            pub const fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word.as_str(),
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$variant,)+
                    _ => Self::Other(word),
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                Self::from(word.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                match value {
                    $name::Other(word) => word,
                    known => known.as_str().to_owned(),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use words;

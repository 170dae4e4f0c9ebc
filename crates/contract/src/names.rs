//! Texts that can only be made by a checking constructor.

/// A text that breaks the rule of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} `{}`: must be {requirement}", crate::clipped(.value))]
pub struct InvalidName {
    /// What was given.
    pub value: String,
    /// What it should have been, such as `queue manager name`.
    pub what: &'static str,
    /// The rule that it breaks, in words that follow "must be".
    pub requirement: &'static str,
    /// A text that obeys the rule.
    pub example: std::borrow::Cow<'static, str>,
}

/// Declares a checked text: its name, what it is, its rule in words that follow "must be", an example, the rule as a regular expression, the
/// check.
///
/// Whoever uses it needs serde.
#[macro_export]
macro_rules! checked {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $example:literal, $pattern:expr, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The rule in words.
            pub const RULE: &'static str = $rule;
            /// A text that obeys the rule.
            pub const EXAMPLE: &'static str = $example;
            /// The rule as a regular expression.
            pub const PATTERN: &'static str = $pattern;

            /// Checks a text.
            ///
            /// # Errors
            /// `InvalidName` with the rule that the text breaks.
            pub fn new(text: impl Into<String>) -> Result<Self, $crate::InvalidName> {
                let value = text.into();
                let check: fn(&str) -> bool = $check;
                match check(&value) {
                    true => Ok(Self(value)),
                    false => Err($crate::InvalidName {
                        value,
                        what: $what,
                        requirement: Self::RULE,
                        example: Self::EXAMPLE.into(),
                    }),
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::InvalidName;

            fn try_from(text: String) -> Result<Self, $crate::InvalidName> {
                Self::new(text)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::InvalidName;

            fn from_str(text: &str) -> Result<Self, $crate::InvalidName> {
                Self::new(text)
            }
        }
    };
}

checked!(
    /// Name of a queue manager, by IBM MQ's rules.
    QueueManagerName,
    "queue manager name",
    "1 to 48 characters of A-Z a-z 0-9 . / _ %",
    "QM1",
    "^[A-Za-z0-9./_%]{1,48}$",
    |text| (1..=48).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./_%".contains(&byte))
);

checked!(
    /// Id of an EC2 instance: whom a command, a fault or an end is meant for.
    ///
    /// AWS's own are hexadecimal; what it may add stays readable.
    InstanceId,
    "instance ID",
    "`i-` followed by 1 to 62 letters, digits and hyphens",
    "i-0123456789abcdef0",
    "^i-[A-Za-z0-9-]{1,62}$",
    |text| text
        .strip_prefix("i-")
        .is_some_and(|rest| (1..=62).contains(&rest.len())
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
);

//! What the values of a key are, and how a text becomes one.

use std::fmt::Display;
use std::str::FromStr;

use mqaws_contract::clipped;
use serde_json::Value;

use crate::model::config::{Place, Violation};
use crate::model::names::Checked;
use crate::model::{Cidr, InvalidName};

/// What the values of a key are.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer {
        /// The smallest.
        min: u32,
        /// The largest.
        max: u32,
    },
    /// One of these words.
    Word(fn() -> Vec<&'static str>),
    /// A text that obeys a rule: a name, an id, an ARN, a range.
    Text(Rule),
    /// An IPv4 range with bounds for its prefix.
    Range {
        /// What it is the range of, with its article.
        of: &'static str,
        /// The shortest prefix.
        min: u8,
        /// The longest prefix.
        max: u8,
    },
    /// Two different ones, each in another availability zone.
    Pair {
        /// What one of them is called.
        what: &'static str,
        /// What each must be.
        rule: Rule,
    },
    /// Different IPv4 ranges.
    Ranges {
        /// The fewest.
        min: usize,
        /// The most.
        max: usize,
    },
    /// Texts with names.
    Map {
        /// What each name must be.
        key: Rule,
        /// What each text must be.
        value: Rule,
        /// The most.
        max: usize,
    },
}

/// Shape of a value in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One scalar.
    Scalar,
    /// A list of scalars; in variables and flags, separated by commas.
    List,
    /// A map of scalars; in variables and flags, `key=value` separated by commas.
    Map,
}

/// What a text must be.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// As a regular expression; empty where none says it.
    pub pattern: &'static str,
    /// In words.
    pub words: &'static str,
    /// Gives the text of a key as a deployment keeps it.
    pub(in crate::model) check: fn(&str, &str) -> Result<String, Wrong>,
}

impl Rule {
    /// The rule of a checked type.
    pub(super) const fn of<T: Checked + FromStr<Err = InvalidName> + Display>() -> Self {
        Self {
            pattern: T::PATTERN,
            words: T::RULE,
            check: |_, text| match text.parse::<T>() {
                Ok(value) => Ok(value.to_string()),
                Err(error) => Err(Wrong::from(&error)),
            },
        }
    }
}

/// What is wrong with a value, before its place is known.
#[derive(Debug)]
pub(in crate::model) struct Wrong {
    message: String,
    hint: Option<String>,
}

impl Wrong {
    pub(in crate::model) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: Some(hint.into()),
        }
    }

    /// One whose message says already what to write.
    fn plain(message: String) -> Self {
        Self { message, hint: None }
    }

    pub(in crate::model) fn at(self, key: &str, place: Place) -> Violation {
        let violation = Violation::new(key, self.message, place);
        match self.hint {
            Some(hint) => violation.hint(hint),
            None => violation,
        }
    }
}

impl From<&InvalidName> for Wrong {
    fn from(error: &InvalidName) -> Self {
        Self::new(error.to_string(), format!("Example: {}", error.example))
    }
}

impl Kind {
    /// Shape of a value in the file.
    pub const fn shape(self) -> Shape {
        match self {
            Self::Pair { .. } | Self::Ranges { .. } => Shape::List,
            Self::Map { .. } => Shape::Map,
            Self::Boolean | Self::Integer { .. } | Self::Word(_) | Self::Text(_) | Self::Range { .. } => Shape::Scalar,
        }
    }

    /// What one text must be: each one of a list.
    pub const fn rule(self) -> Option<Rule> {
        match self {
            Self::Text(rule) | Self::Pair { rule, .. } | Self::Map { value: rule, .. } => Some(rule),
            Self::Range { .. } | Self::Ranges { .. } => Some(Rule::of::<Cidr>()),
            Self::Boolean | Self::Integer { .. } | Self::Word(_) => None,
        }
    }

    /// The value of a text of `key`, or of one text of its list.
    pub(in crate::model) fn value(self, key: &str, text: &str) -> Result<Value, Wrong> {
        match self {
            Self::Boolean => match boolean(text) {
                Some(value) => Ok(value.into()),
                None => Err(Wrong::plain(format!(
                    "`{key}` must be true or false, found `{}`",
                    clipped(text)
                ))),
            },
            Self::Integer { min, max } => match text.parse::<u32>() {
                Ok(number) if (min..=max).contains(&number) => Ok(number.into()),
                _ => Err(Wrong::plain(format!(
                    "`{key}` must be a whole number from {min} to {max}, found `{}`",
                    clipped(text)
                ))),
            },
            Self::Word(words) => match words() {
                words if words.contains(&text) => Ok(text.into()),
                words => Err(Wrong::new(
                    format!("invalid value `{}` for `{key}`", clipped(text)),
                    format!("valid values: {}", words.join(", ")),
                )),
            },
            Self::Text(rule) | Self::Pair { rule, .. } | Self::Map { value: rule, .. } => {
                (rule.check)(key, text).map(Value::from)
            }
            Self::Range { .. } | Self::Ranges { .. } => (Rule::of::<Cidr>().check)(key, text).map(Value::from),
        }
    }
}

/// What a text says, where only `true` and `false` say something, in capitals or not.
pub fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// What is wrong with the value of a variable that is no key of the file.
pub fn wrong_variable(kind: Kind, name: &str, text: &str) -> Option<Violation> {
    let wrong = kind.value(name, text).err()?;
    Some(wrong.at(name, Place::Variable(name.to_owned())))
}

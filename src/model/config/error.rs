//! What is wrong with a configuration, all of it at once.

use std::fmt;

use super::place::Place;
use crate::remedy::{ExitKind, Remedy};

/// So many are shown one by one; who corrects them sees the next ones.
const SHOWN: usize = 20;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the key, such as `network.subnets`.
    pub key: String,
    /// What is wrong, in one lower-case fragment.
    pub message: String,
    /// A few words beside the underlined spot.
    pub label: String,
    /// What to do.
    pub hint: Option<String>,
    /// Where it stands.
    pub place: Place,
}

impl Violation {
    /// A violation at a place.
    pub fn new(key: &str, message: impl Into<String>, place: Place) -> Self {
        Self {
            key: key.to_owned(),
            message: message.into(),
            label: String::new(),
            hint: None,
            place,
        }
    }

    /// With words beside the underlined spot.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// With what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A configuration that cannot be used: at least one violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    violations: Vec<Violation>,
}

impl ConfigError {
    /// An error of these violations; none when there are none.
    pub fn of(violations: Vec<Violation>) -> Option<Self> {
        (!violations.is_empty()).then_some(Self { violations })
    }

    /// Every violation, in the order of the file.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}

impl From<Violation> for ConfigError {
    fn from(violation: Violation) -> Self {
        Self {
            violations: vec![violation],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.violations.as_slice() {
            [one] => f.write_str(&one.message),
            several => write!(f, "{} errors in the configuration", several.len()),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Remedy for ConfigError {
    fn exit(&self) -> ExitKind {
        ExitKind::Precondition
    }

    fn hint(&self) -> Option<String> {
        match self.violations.as_slice() {
            [one] => one.hint.clone(),
            _ => Some("correct them, then check the file with `mqaws validate`".to_owned()),
        }
    }

    fn left(&self) -> Option<String> {
        Some("nothing was changed".to_owned())
    }

    fn place(&self) -> Option<String> {
        if let [one] = self.violations.as_slice() {
            return one.place.long(&one.label);
        }
        let blocks = self
            .violations
            .iter()
            .take(SHOWN)
            .enumerate()
            .map(|(index, violation)| {
                let mut block = format!("{}. {}", index + 1, violation.message);
                if let Some(place) = violation.place.long(&violation.label) {
                    block = format!("{block}\n{place}");
                }
                if let Some(hint) = &violation.hint {
                    block = format!("{block}\n   hint: {hint}");
                }
                block
            });
        let mut blocks: Vec<String> = blocks.collect();
        let more = self.violations.len().saturating_sub(SHOWN);
        if more > 0 {
            blocks.push(format!("… and {more} more"));
        }
        Some(blocks.join("\n"))
    }
}

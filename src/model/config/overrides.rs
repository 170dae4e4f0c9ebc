//! Values given beside the file: environment variables and flags.

use super::place::Place;
use crate::model::keys::{keys, variable};

/// Values that weigh more than the file's, later ones more than earlier ones.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    pub(super) entries: Vec<Override>,
}

#[derive(Debug, Clone)]
pub(super) struct Override {
    pub key: String,
    pub value: String,
    pub place: Place,
}

impl Overrides {
    /// Nothing beside the file.
    pub fn none() -> Self {
        Self::default()
    }

    /// The `MQAWS_*` variables of the keys of the file; others are not looked at, empty ones count as absent.
    #[must_use]
    pub fn variables(mut self, environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let environment: Vec<(String, String)> = environment
            .into_iter()
            .filter(|(name, value)| name.starts_with("MQAWS_") && !value.is_empty())
            .collect();
        for key in keys() {
            let name = variable(key.path);
            if let Some((_, value)) = environment.iter().find(|(candidate, _)| *candidate == name) {
                self.entries.push(Override {
                    key: key.path.to_owned(),
                    value: value.clone(),
                    place: Place::Variable(name),
                });
            }
        }
        self
    }

    /// A flag for a key; its path is checked when the configuration is read.
    #[must_use]
    pub fn flag(mut self, key: &str, flag: &str, value: impl Into<String>) -> Self {
        self.entries.push(Override {
            key: key.to_owned(),
            value: value.into(),
            place: Place::Flag(flag.to_owned()),
        });
        self
    }

    /// A flag for a key when it was given.
    #[must_use]
    pub fn optional_flag(self, key: &str, flag: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.flag(key, flag, value),
            None => self,
        }
    }
}

//! A stop of the queue manager that an operator ordered.

use serde::{Deserialize, Serialize};

/// Who stopped the queue manager, and when. It is kept beside the data, and no host starts the queue manager until it is resumed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// When it was ordered, RFC 3339 UTC.
    #[serde(default)]
    pub since: String,
    /// Who ordered it, as the operating system of the instance names them.
    #[serde(default)]
    pub by: String,
    /// Why, in the operator's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl std::fmt::Display for Pause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = |text: &str, unknown: &'static str| match text {
            "" => unknown.to_owned(),
            text => text.to_owned(),
        };
        write!(
            f,
            "since {} by {}",
            known(&self.since, "an unknown time"),
            known(&self.by, "an unknown operator")
        )?;
        match &self.why {
            Some(why) => write!(f, " ({why})"),
            None => Ok(()),
        }
    }
}

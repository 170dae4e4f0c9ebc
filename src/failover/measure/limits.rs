//! What the measured values are held against.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Which repetitions are held against the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Duplicates {
    /// Any number.
    Allow,
    /// Those that a lost connection explains: it had the message, not yet settled or settled less than 5 s before its end. A flag of the
    /// broker explains nothing.
    #[default]
    Explained,
    /// None at all.
    None,
}

impl FromStr for Duplicates {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "allow" => Ok(Self::Allow),
            "explained" => Ok(Self::Explained),
            "none" => Ok(Self::None),
            other => Err(format!("`{other}` is not one of allow, explained, none")),
        }
    }
}

/// What the measured values are held against.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Longest outage of any worker, in nanoseconds; absent when any outage that ends in time will do.
    pub max_rto_ns: Option<u64>,
    /// Most acknowledged persistent messages that may be lost.
    pub max_rpo: u64,
    /// Which repetitions are allowed.
    pub duplicates: Duplicates,
    /// Whether first receipts may come out of order within one producer and consumer connection. Those that the broker flags, or that
    /// follow the end of another consumer's connection, are not judged.
    pub allow_reordering: bool,
}

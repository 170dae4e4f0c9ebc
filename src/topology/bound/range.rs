//! From a number of seconds to another one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From a number of seconds to another one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Range {
    /// At least.
    pub least_s: f64,
    /// At most, by the defaults.
    pub most_s: f64,
}

impl Range {
    pub(super) const ZERO: Self = range(0.0, 0.0);

    pub(super) fn and(self, other: Self) -> Self {
        range(self.least_s + other.least_s, self.most_s + other.most_s)
    }

    /// The later of both, at either end.
    pub(super) fn or_later(self, other: Self) -> Self {
        range(self.least_s.max(other.least_s), self.most_s.max(other.most_s))
    }

    /// What may be left of it at a time.
    pub(super) fn left_at(self, now: Self) -> Self {
        range(
            (self.least_s - now.most_s).max(0.0),
            (self.most_s - now.least_s).max(0.0),
        )
    }
}

pub(super) const fn range(least_s: f64, most_s: f64) -> Range {
    Range { least_s, most_s }
}

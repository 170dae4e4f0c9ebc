//! What no test measures: the objective, how often an instance is swapped on purpose, how often there is a fault. Each knows its source.

use crate::topology::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Percent of a year: five nines.
pub const DEFAULT_OBJECTIVE: f64 = 99.999;

/// Planned swaps a year: one every two weeks, for a new image.
pub const DEFAULT_SWAPS: u32 = 26;

/// Faults a year, without a record of one's own.
pub const DEFAULT_FAULTS: &str = "2/year";

/// Where an input comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// An assumption of mqaws.
    Default,
    /// An assumption of the user.
    Assumed,
    /// A record of the user.
    Seen,
}

/// Planned swaps a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swaps {
    /// How many.
    pub per_year: u32,
    /// Who says so.
    pub source: Source,
}

impl Default for Swaps {
    fn default() -> Self {
        Self {
            per_year: DEFAULT_SWAPS,
            source: Source::Default,
        }
    }
}

/// So many events in so much time: an assumption as certain as that record, or the record itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Of which fault; `None` for faults of any kind.
    pub fault: Option<Fault>,
    /// How many.
    pub events: f64,
    /// In how many years.
    pub years: f64,
    /// Who says so.
    pub source: Source,
}

impl Rate {
    /// The gamma distribution of the rate: shape, and rate. A record begins with Jeffreys' prior, so that none in a short time is not never.
    pub(super) fn gamma(&self) -> (f64, f64) {
        match self.source {
            Source::Seen => (self.events + 0.5, self.years),
            Source::Default | Source::Assumed => (self.events, self.years),
        }
    }

    /// Expected number in a year.
    pub(super) fn per_year(&self) -> f64 {
        let (shape, rate) = self.gamma();
        shape / rate
    }

    /// The same, from this source.
    #[must_use]
    pub fn from(self, source: Source) -> Self {
        Self { source, ..self }
    }
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            fault: None,
            events: 2.0,
            years: 1.0,
            source: Source::Default,
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let months = self.years * 12.0;
        match self.years {
            1.0 => write!(f, "{} in a year", self.events),
            years if years < 1.0 && months.fract() < 1e-9 => write!(f, "{} in {months:.0} months", self.events),
            years => write!(f, "{} in {years} years", self.events),
        }
    }
}

/// A text that is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRate {
    /// Its form is another one.
    #[error("must be a number and a time, such as 2/year or 0/3months, or kill-queue-manager=2/year for one fault")]
    Form,
    /// It names a fault that does not exist.
    #[error(transparent)]
    Fault(#[from] crate::topology::UnknownFault),
}

impl FromStr for Rate {
    type Err = InvalidRate;

    /// Reads `2/year`, `0/3months`, `terminate-instance=1/2years`.
    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let (fault, rate) = match text.split_once('=') {
            Some((fault, rate)) => (Some(fault.trim().parse()?), rate),
            None => (None, text),
        };
        let (events, time) = rate.split_once('/').ok_or(InvalidRate::Form)?;
        let unit = time.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = &time[..time.len() - unit.len()];
        let number: f64 = match number {
            "" => 1.0,
            number => number.parse().map_err(|_| InvalidRate::Form)?,
        };
        let years = match unit.trim().trim_end_matches('s') {
            "year" => number,
            "month" => number / 12.0,
            _ => return Err(InvalidRate::Form),
        };
        let events: f64 = events.trim().parse().map_err(|_| InvalidRate::Form)?;
        let is_bounded = (0.0..=100_000.0).contains(&events) && (0.01..=1000.0).contains(&years);
        let rate = Self {
            fault,
            events,
            years,
            source: Source::Assumed,
        };
        is_bounded.then_some(rate).ok_or(InvalidRate::Form)
    }
}

/// All that is not measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// Percent of a year in which service is to be given.
    pub objective: f64,
    /// Planned swaps a year.
    pub swaps: Swaps,
    /// Faults a year: one rate for those of any kind, or one for each kind.
    pub faults: Vec<Rate>,
    /// Number of years to simulate.
    pub draws: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for Inputs {
    fn default() -> Self {
        Self {
            objective: DEFAULT_OBJECTIVE,
            swaps: Swaps::default(),
            faults: vec![Rate::default()],
            draws: 20_000,
            seed: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_read_as_they_are_written() {
        for (text, events, years) in [
            ("2/year", 2.0, 1.0),
            ("0/3months", 0.0, 0.25),
            ("0.5/1year", 0.5, 1.0),
            ("7/2years", 7.0, 2.0),
            ("1/month", 1.0, 1.0 / 12.0),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.fault, rate.events, rate.years), (None, events, years), "{text}");
        }
        let named: Rate = "terminate-instance=1/2years".parse().unwrap();
        assert_eq!(named.fault, Some(Fault::TerminateInstance));
        assert_eq!(
            DEFAULT_FAULTS.parse::<Rate>().unwrap().from(Source::Default),
            Rate::default()
        );
        for text in [
            "2",
            "",
            "/year",
            "x/year",
            "2/week",
            "-1/year",
            "inf/year",
            "NaN/year",
            "1/0years",
            "unplug=1/year",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn none_in_three_months_is_not_never() {
        let seen = "0/3months".parse::<Rate>().unwrap().from(Source::Seen);
        assert_eq!((seen.gamma(), seen.per_year()), ((0.5, 0.25), 2.0));
        assert_eq!("0/year".parse::<Rate>().unwrap().per_year(), 0.0);
        assert_eq!(seen.to_string(), "0 in 3 months");
    }
}

//! What the measured values are held against.

use super::spread::Statistic;
use crate::topology::Fault;
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
            other => Err(format!("must be allow, explained, or none, not `{other}`")),
        }
    }
}

/// What the measured values are held against.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Longest outage of any worker, in nanoseconds, of faults that have no limit of their own; absent when any outage that ends in time
    /// will do.
    pub max_rto_ns: Option<u64>,
    /// Further limits of the outage: for one fault, or over the rounds of a fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rto: Vec<RtoLimit>,
    /// Largest number of acknowledged persistent messages that may be lost.
    pub max_rpo: u64,
    /// Which repetitions are allowed.
    pub duplicates: Duplicates,
    /// Whether first receipts may come out of order within one producer and consumer connection. Those that the broker flags, or that
    /// follow the end of another consumer's connection, are not judged.
    pub allow_reordering: bool,
}

/// A limit of the outage for one fault, or over the rounds of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RtoLimit {
    /// The fault; absent for every fault that has no such limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// Which of the outages is held against it.
    pub of: Statistic,
    /// The longest that passes, in nanoseconds.
    pub max_ns: u64,
}

impl Limits {
    /// The limit of a fault's outages: its own, else the one of every fault.
    #[must_use]
    pub fn max_rto(&self, fault: Fault, of: Statistic) -> Option<u64> {
        let of_fault = |wanted| move |limit: &&RtoLimit| limit.of == of && limit.fault == wanted;
        let general = || match of {
            Statistic::Worst => self.max_rto_ns,
            _ => None,
        };
        let found = self.rto.iter().find(of_fault(Some(fault)));
        let found = found.or_else(|| self.rto.iter().find(of_fault(None)));
        found.map(|limit| limit.max_ns).or_else(general)
    }

    /// The limits of a round of this fault.
    #[must_use]
    pub fn of_round(&self, fault: Fault) -> Self {
        Self {
            max_rto_ns: self.max_rto(fault, Statistic::Worst),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_the_fault_goes_before_that_of_every_fault() {
        let limit = |fault, of, max_ns| RtoLimit { fault, of, max_ns };
        let limits = Limits {
            max_rto_ns: Some(9),
            rto: vec![
                limit(None, Statistic::Median, 5),
                limit(Some(Fault::KillQueueManager), Statistic::Median, 4),
                limit(Some(Fault::KillQueueManager), Statistic::Worst, 3),
            ],
            ..Limits::default()
        };
        for (fault, of, expected) in [
            (Fault::KillQueueManager, Statistic::Worst, Some(3)),
            (Fault::KillQueueManager, Statistic::Median, Some(4)),
            (Fault::KillQueueManager, Statistic::P95, None),
            (Fault::TerminateInstance, Statistic::Worst, Some(9)),
            (Fault::TerminateInstance, Statistic::Median, Some(5)),
        ] {
            assert_eq!(limits.max_rto(fault, of), expected, "{fault} {of:?}");
        }
        assert_eq!(limits.of_round(Fault::KillQueueManager).max_rto_ns, Some(3));
    }
}

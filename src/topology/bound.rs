//! A model of an outage, term by term: what its parts take at least, and what they may take by their defaults. No measurement.
//!
//! A term of a topology consists of parameters, each with its source; what has no documented value is marked as assumed. A user replaces
//! parameters by measured values. A poll with interval *I* that needs *N* results notices after (*N* - 1) *I* at least, and after *N* *I*
//! and its own timeout at most.

use super::{Restart, Topology};
use crate::render::target::{CHECK_INTERVAL_S, CHECK_TIMEOUT_S, HEALTHY_CHECKS};
use serde::Serialize;
use std::collections::BTreeMap;

/// From a number of seconds to another one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Range {
    /// At least.
    pub least_s: f64,
    /// At most, by the defaults.
    pub most_s: f64,
}

impl Range {
    const ZERO: Self = range(0.0, 0.0);

    fn and(self, other: Self) -> Self {
        range(self.least_s + other.least_s, self.most_s + other.most_s)
    }
}

const fn range(least_s: f64, most_s: f64) -> Range {
    Range { least_s, most_s }
}

/// A delay that the model consists of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parameter {
    /// Name.
    pub name: &'static str,
    /// How long it takes.
    #[serde(flatten)]
    pub range: Range,
    /// Where that is from.
    pub source: String,
    /// Whether no documentation has a value.
    pub is_assumed: bool,
}

/// The parameters with their defaults.
#[must_use]
pub fn parameters() -> Vec<Parameter> {
    let (interval, timeout, checks) = (
        f64::from(CHECK_INTERVAL_S),
        f64::from(CHECK_TIMEOUT_S),
        f64::from(HEALTHY_CHECKS),
    );
    let all = [
        ("agent.look", range(0.0, 1.0), "the agent looks every second", false),
        (
            "agent.notice",
            range(0.0, 5.0),
            "the agent asks for its lifecycle state every second, for notices of EC2 every 5 s",
            false,
        ),
        (
            "autoscaling.reaction",
            range(5.0, 60.0),
            "`immediately` in the user guide for SetInstanceHealth; 5 to 60 s observed",
            true,
        ),
        (
            "ec2.launch",
            range(25.0, 60.0),
            "launch, boot, and start of the agent: commonly 25 to 60 s",
            true,
        ),
        ("storage.mount", range(0.5, 2.0), "mount by efs-utils", true),
        (
            "lock.free",
            range(0.0, 90.0),
            "an owner that stops releases its lock at once; after the loss of a host its lease must end, 90 s by default of the agent",
            true,
        ),
        (
            "proof.same-host",
            range(0.0, 1.0),
            "the agent reads the owner record and the lock",
            false,
        ),
        (
            "proof.successor",
            range(0.1, 12.0),
            "released data are proved at once; otherwise EC2 is asked, and calls may time out",
            true,
        ),
        ("engine.start", range(2.0, 5.0), "start of a small queue manager", true),
        (
            "engine.replay",
            range(0.0, 1.0),
            "log since the last checkpoint; grows with the load",
            true,
        ),
        (
            "target.healthy",
            range((checks - 1.0) * interval, checks * interval + timeout),
            "health check of the template's target group",
            false,
        ),
    ];
    let parameter = |(name, range, source, is_assumed): (&'static str, Range, &str, bool)| Parameter {
        name,
        range,
        source: source.to_owned(),
        is_assumed,
    };
    all.into_iter().map(parameter).collect()
}

/// The parameters of a term by its name, where that is one of the usual ones; `None` for a term that the model does not know.
#[must_use]
pub fn usual(term: &str, by: Restart) -> Option<&'static [&'static str]> {
    Some(match (term, by) {
        ("detection", Restart::InPlace) => &["agent.look"],
        ("detection", Restart::Elsewhere) => &["agent.notice"],
        ("replacement", Restart::Elsewhere) => &["autoscaling.reaction", "ec2.launch"],
        ("storage", Restart::Elsewhere) => &["storage.mount"],
        ("proof", Restart::InPlace) => &["proof.same-host"],
        ("proof", Restart::Elsewhere) => &["proof.successor"],
        ("engine", Restart::InPlace | Restart::Elsewhere) => &["engine.start", "engine.replay"],
        ("target", Restart::Elsewhere) => &["target.healthy"],
        ("lock", Restart::Elsewhere) => &["lock.free"],
        ("replacement" | "storage" | "lock" | "target", Restart::InPlace) => &[],
        // Nothing is started: what lasts is the fault itself, which is no term.
        (
            "detection" | "replacement" | "storage" | "lock" | "proof" | "engine" | "target",
            Restart::Unnoticed | Restart::WhenItEnds,
        ) => &[],
        _ => return None,
    })
}

/// One term of the model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModeledTerm {
    /// Its name in reports.
    pub name: &'static str,
    /// How long it takes; absent when the model does not know it.
    pub range: Option<Range>,
    /// The parameters that it consists of.
    pub parameters: &'static [&'static str],
}

/// How a client comes back: after these pauses, in milliseconds, the last of them again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// What it is.
    pub name: &'static str,
    /// The pauses.
    pub pauses_ms: &'static [u64],
}

/// The ways of clients to come back.
pub const RECONNECTS: [Reconnect; 3] = [
    Reconnect {
        name: "every 100 ms, as this test",
        pauses_ms: &[100],
    },
    Reconnect {
        name: "ReconDelay=(200,100)(200,100)(500,100)",
        pauses_ms: &[300, 300, 600],
    },
    Reconnect {
        name: "doubling: 0.1, 1, 2, 4, 8, 16 s",
        pauses_ms: &[100, 1000, 2000, 4000, 8000, 16_000],
    },
];

impl Reconnect {
    /// When a client is served by a service that is back after so many seconds: its first attempt that is not before that.
    #[must_use]
    pub fn served_s(&self, back_s: f64) -> f64 {
        let last = self.pauses_ms.last().copied().unwrap_or(1).max(1);
        let back = (back_s.clamp(0.0, 1e9) * 1000.0).ceil() as u64;
        let mut at = 0;
        for pause in self.pauses_ms {
            at += pause;
            if at >= back {
                return at as f64 / 1000.0;
            }
        }
        at += (back - at).div_ceil(last) * last;
        at as f64 / 1000.0
    }
}

/// The model of an outage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bound {
    /// The terms, in the order in which they must end.
    pub terms: Vec<ModeledTerm>,
    /// When service is back.
    pub service: Range,
    /// When clients are, by how they come back.
    pub clients: Vec<(&'static str, Range)>,
}

/// The model of an outage that ends by such a restart.
#[must_use]
pub fn bound(topology: &dyn Topology, by: Restart, parameters: &[Parameter]) -> Bound {
    let value = |name: &&str| {
        parameters
            .iter()
            .find(|parameter| parameter.name == *name)
            .map(|parameter| parameter.range)
    };
    let terms: Vec<ModeledTerm> = topology
        .terms()
        .iter()
        .map(|term| {
            let of = topology.modeled(term.name, by);
            let ranges = of.map(|names| names.iter().filter_map(value).fold(Range::ZERO, Range::and));
            ModeledTerm {
                name: term.name,
                range: ranges,
                parameters: of.unwrap_or_default(),
            }
        })
        .collect();
    let service = terms.iter().filter_map(|term| term.range).fold(Range::ZERO, Range::and);
    let served = |way: &Reconnect| {
        (
            way.name,
            range(way.served_s(service.least_s), way.served_s(service.most_s)),
        )
    };
    Bound {
        clients: RECONNECTS.iter().map(served).collect(),
        terms,
        service,
    }
}

/// A value that cannot replace a parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// There is no such parameter.
    #[error("unknown parameter `{0}`; valid parameters: {names}", names = names())]
    Unknown(String),
    /// It is no time.
    #[error("invalid value for `{0}`: must be seconds from 0 to 86400, or two of them, the least and the most")]
    Seconds(String),
}

fn names() -> String {
    parameters()
        .iter()
        .map(|parameter| parameter.name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A measured value: seconds, or the least and the most.
#[derive(Debug, Clone, Copy, PartialEq, serde::Deserialize)]
#[serde(untagged)]
pub enum Measured {
    /// So long.
    Seconds(f64),
    /// From the least to the most.
    Range(f64, f64),
}

/// Replaces parameters by measured values.
///
/// # Errors
/// [`InvalidValue`].
pub fn replace(
    parameters: &mut [Parameter],
    values: &BTreeMap<String, Measured>,
    source: &str,
) -> Result<(), InvalidValue> {
    for (name, value) in values {
        let parameter = parameters.iter_mut().find(|parameter| parameter.name == name);
        let parameter = parameter.ok_or_else(|| InvalidValue::Unknown(name.clone()))?;
        let (least_s, most_s) = match *value {
            Measured::Seconds(seconds) => (seconds, seconds),
            Measured::Range(least, most) => (least, most),
        };
        if !(0.0..=86_400.0).contains(&least_s) || !(least_s..=86_400.0).contains(&most_s) {
            return Err(InvalidValue::Seconds(name.clone()));
        }
        parameter.range = range(least_s, most_s);
        parameter.source = format!("measured: {source}");
        parameter.is_assumed = false;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model;
    use crate::topology;

    #[test]
    fn clients_come_back_at_their_first_attempt_that_is_not_too_early() {
        let [steady, tuned, doubling] = RECONNECTS;
        // The article's example: back at 7.2 s, seen at 15.1 s.
        for (way, back, served) in [
            (doubling, 7.2, 15.1),
            (doubling, 0.05, 0.1),
            (doubling, 31.2, 47.1),
            (tuned, 7.2, 7.2),
            (tuned, 0.31, 0.6),
            (steady, 7.25, 7.3),
        ] {
            assert!((way.served_s(back) - served).abs() < 1e-9, "{} {back}", way.name);
        }
    }

    #[test]
    fn every_term_of_every_topology_is_modeled() {
        for name in model::Topology::all() {
            let topology = topology::of(name);
            let starts = |by| matches!(by, Restart::InPlace | Restart::Elsewhere);
            for stand in topology.stands().iter().filter(|stand| starts(stand.by)) {
                let bound = bound(topology, stand.by, &parameters());
                for term in &bound.terms {
                    assert!(term.range.is_some(), "{name:?}: {}", term.name);
                }
                assert!(
                    bound.service.least_s > 0.0 && bound.service.most_s > bound.service.least_s,
                    "{bound:?}"
                );
            }
        }
        let unknown = bound(topology::of(model::Topology::TOY), Restart::InPlace, &parameters());
        assert!(unknown.terms.iter().any(|term| term.range.is_none()), "{unknown:?}");
    }

    #[test]
    fn every_parameter_is_of_a_term_and_a_measured_one_is_no_assumption() {
        let mut all = parameters();
        let used: Vec<&str> = [
            "detection",
            "replacement",
            "storage",
            "lock",
            "proof",
            "engine",
            "target",
        ]
        .iter()
        .flat_map(|term| [Restart::InPlace, Restart::Elsewhere].map(|by| usual(term, by)))
        .flatten()
        .flatten()
        .copied()
        .collect();
        for parameter in &all {
            assert!(used.contains(&parameter.name), "{}", parameter.name);
        }
        let values = |name: &str, value| BTreeMap::from([(name.to_owned(), value)]);
        replace(&mut all, &values("ec2.launch", Measured::Range(31.0, 44.0)), "file").unwrap();
        let launch = all.iter().find(|parameter| parameter.name == "ec2.launch").unwrap();
        assert_eq!((launch.range, launch.is_assumed), (range(31.0, 44.0), false));
        assert!(launch.source.contains("measured: file"));
        for (name, value) in [
            ("ec2.lunch", Measured::Seconds(1.0)),
            ("ec2.launch", Measured::Seconds(-1.0)),
            ("ec2.launch", Measured::Seconds(f64::NAN)),
            ("ec2.launch", Measured::Range(2.0, 1.0)),
        ] {
            assert!(
                replace(&mut all, &values(name, value), "file").is_err(),
                "{name} {value:?}"
            );
        }
    }

    #[test]
    fn a_longer_part_never_shortens_the_outage() {
        let topology = topology::of(model::Topology::default());
        let before = bound(topology, Restart::Elsewhere, &parameters());
        for name in parameters().iter().map(|parameter| parameter.name) {
            let mut all = parameters();
            for parameter in all.iter_mut().filter(|parameter| parameter.name == name) {
                parameter.range.least_s += 7.0;
                parameter.range.most_s += 7.0;
            }
            let after = bound(topology, Restart::Elsewhere, &all);
            assert!(after.service.least_s >= before.service.least_s, "{name}");
            for (one, other) in after.clients.iter().zip(&before.clients) {
                assert!(
                    one.1.least_s >= other.1.least_s && one.1.most_s >= other.1.most_s,
                    "{name}"
                );
            }
        }
    }
}

//! Two reports side by side: whether it got worse, and how sure that is.

use super::by_fault::outage;
use super::document::{FaultSummary, Report, Run};
use super::text;
use crate::failover::measure::shift::{Change, Interval, Shift, p_more_losses, shift};
use crate::remedy::ExitKind;
use crate::topology::Fault;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Version of the comparison's shape.
pub const COMPARISON: &str = "mqaws.comparison/1";

/// More losses are shown by a chance below this.
const SHOWN: f64 = 0.05;

/// How changes are found, and what that rests on.
pub const METHOD: &str = "change: Hodges-Lehmann estimate and exact interval of the Wilcoxon rank-sum test, at least 95 % confidence for each fault \
                          by itself; loss: Fisher's exact test, one-sided. Both assume that rounds are independent; the first also assumes that \
                          the outages in B have the same distribution as those in A, apart from a shift";

/// Two tests side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// [`COMPARISON`].
    pub schema: String,
    /// [`METHOD`].
    pub method: String,
    /// In what the tests are of different kinds.
    pub differences: Vec<String>,
    /// What to know besides: versions, tests that were broken off.
    pub notes: Vec<String>,
    /// Each fault that both injected.
    pub faults: Vec<FaultComparison>,
    /// The worst of it.
    pub outcome: Outcome,
    /// The exit code of that.
    pub exit_code: u8,
}

/// One fault in both tests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultComparison {
    /// The fault.
    pub fault: Fault,
    /// Its rounds in A.
    pub a: FaultSummary,
    /// Its rounds in B.
    pub b: FaultSummary,
    /// The change of the outage; absent when one of them measured none.
    pub rto: Option<Shift>,
    /// The chance of as many losing rounds in B or more if both lose alike; absent when B has none.
    pub p_more_losses: Option<f64>,
    /// What is shown.
    pub outcome: Outcome,
}

/// What a comparison shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// B loses messages more often than A.
    LosesMore,
    /// The outage is longer in B.
    Worse,
    /// Too few rounds to show anything.
    Inconclusive,
    /// A change is not shown.
    NotShown,
    /// The outage is shorter in B.
    Better,
}

impl Outcome {
    /// The exit code that it stands for.
    #[must_use]
    pub fn exit(self) -> ExitKind {
        match self {
            Self::LosesMore => ExitKind::Lost,
            Self::Worse => ExitKind::RtoExceeded,
            Self::Inconclusive => ExitKind::Inconclusive,
            Self::NotShown | Self::Better => ExitKind::Success,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::LosesMore => "WORSE: more rounds lose messages",
            Self::Worse => "WORSE",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::NotShown => "NO CHANGE SHOWN",
            Self::Better => "BETTER",
        }
    }
}

/// In what two tests are of different kinds, so that their figures say nothing about each other.
#[must_use]
pub fn differences(a: &Report, b: &Report) -> Vec<String> {
    let mut found = Vec::new();
    let mut differ = |what: &str, a: &dyn ToString, b: &dyn ToString| {
        let (a, b) = (a.to_string(), b.to_string());
        if a != b {
            found.push(format!("{what}: {a} in A, {b} in B"));
        }
    };
    let optional = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
    differ("place", &a.place.kind, &b.place.kind);
    differ("timing", &optional(&a.place.timing), &optional(&b.place.timing));
    differ("hosts", &optional(&a.place.hosts), &optional(&b.place.hosts));
    differ("region", &a.place.region, &b.place.region);
    differ("topology", &optional(&a.place.topology), &optional(&b.place.topology));
    let engine = |report: &Report| match report.engine.stand_in {
        true => "a stand-in",
        false => "an engine",
    };
    differ("served by", &engine(a), &engine(b));
    differ("driver", &a.driver.name, &b.driver.name);
    let transport = |report: &Report| match report.place.endpoint.starts_with("amqps://") {
        true => "TLS",
        false => "plain",
    };
    differ("connections", &transport(a), &transport(b));
    let loads = [a, b].map(|report| serde_json::to_value(&report.load).unwrap_or_default());
    if let [Value::Object(a), Value::Object(b)] = &loads {
        for (name, value) in a {
            differ(&format!("load.{name}"), value, b.get(name).unwrap_or(&Value::Null));
        }
    }
    let faults = |report: &Report| {
        let names: BTreeSet<&str> = report.summary.faults.iter().map(|entry| entry.fault.name()).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    };
    differ("faults", &faults(a), &faults(b));
    found
}

/// Rounds that both reports hold, by their identity.
#[must_use]
pub fn shared_rounds(a: &Report, b: &Report) -> usize {
    let ids = |report: &Report| -> BTreeSet<String> { report.runs.iter().map(|run| run.run_id.clone()).collect() };
    ids(a).intersection(&ids(b)).count()
}

/// Compares two tests. An outage is longer when it is so by more than `tolerated_ns`.
#[must_use]
pub fn compare(a: &Report, b: &Report, tolerated_ns: i64) -> Comparison {
    let pairs = a.summary.faults.iter().filter_map(|of_a| {
        let of_b = b.summary.faults.iter().find(|of_b| of_b.fault == of_a.fault)?;
        Some((of_a, of_b))
    });
    let faults: Vec<FaultComparison> = pairs
        .map(|(of_a, of_b)| fault(&a.runs, &b.runs, of_a, of_b, tolerated_ns))
        .collect();
    let outcome = worst(&faults);
    Comparison {
        schema: COMPARISON.into(),
        method: METHOD.into(),
        differences: differences(a, b),
        notes: notes(a, b),
        outcome,
        exit_code: outcome.exit() as u8,
        faults,
    }
}

fn fault(runs_a: &[Run], runs_b: &[Run], a: &FaultSummary, b: &FaultSummary, tolerated_ns: i64) -> FaultComparison {
    let outages = |runs: &[Run]| -> Vec<Option<u64>> {
        let of_fault = runs.iter().filter(|run| run.fault.name == a.fault);
        of_fault.filter_map(outage).collect()
    };
    let rto = shift(&outages(runs_a), &outages(runs_b), tolerated_ns);
    let losses = (b.losing_rounds > 0).then(|| {
        let (a_rounds, b_rounds) = (a.rounds - a.inconclusive, b.rounds - b.inconclusive);
        p_more_losses(
            a.losing_rounds.into(),
            a_rounds.max(a.losing_rounds).into(),
            b.losing_rounds.into(),
            b_rounds.max(b.losing_rounds).into(),
        )
    });
    let outcome = match rto.map(|shift| shift.change) {
        _ if losses.is_some_and(|p| p < SHOWN) => Outcome::LosesMore,
        Some(Change::Longer) => Outcome::Worse,
        Some(Change::Shorter) => Outcome::Better,
        Some(Change::NotShown) => Outcome::NotShown,
        Some(Change::TooFewRounds) | None => Outcome::Inconclusive,
    };
    FaultComparison {
        fault: a.fault,
        a: a.clone(),
        b: b.clone(),
        rto,
        p_more_losses: losses,
        outcome,
    }
}

/// What got worse outweighs what was not shown, which outweighs what got better.
fn worst(faults: &[FaultComparison]) -> Outcome {
    let order = [
        Outcome::LosesMore,
        Outcome::Worse,
        Outcome::Inconclusive,
        Outcome::NotShown,
    ];
    let any = |outcome: &&Outcome| faults.iter().any(|fault| fault.outcome == **outcome);
    match order.iter().find(any) {
        Some(outcome) => *outcome,
        None if faults.is_empty() => Outcome::Inconclusive,
        None => Outcome::Better,
    }
}

fn notes(a: &Report, b: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    for (side, report) in [("A", a), ("B", b)] {
        if let Some(broken) = &report.broken_off {
            let done = report.runs.len();
            notes.push(format!(
                "{side} was interrupted after {done} of {} rounds",
                broken.rounds
            ));
        }
    }
    let said = |version: &Option<String>| version.clone().unwrap_or_else(|| "unknown".to_owned());
    for (what, of_a, of_b) in [
        ("mqaws", a.mqaws_version.clone(), b.mqaws_version.clone()),
        ("agent", a.engine.agent_version.clone(), b.engine.agent_version.clone()),
        ("engine", said(&a.engine.version), said(&b.engine.version)),
    ] {
        if of_a != of_b {
            notes.push(format!("{what}: {of_a} in A, {of_b} in B"));
        }
    }
    notes
}

/// The comparison for people.
#[must_use]
pub fn comparison(comparison: &Comparison) -> String {
    let mut text = String::new();
    for fault in &comparison.faults {
        let _ = writeln!(text, "  fault    {}", fault.fault);
        for (side, summary) in [("A", &fault.a), ("B", &fault.b)] {
            let rto = summary
                .rto
                .as_ref()
                .map_or_else(|| "not measured".to_owned(), text::spread);
            text::line(&mut text, &format!("{side}        RTO {rto}"), "             ");
        }
        text::line(&mut text, &format!("change   {}", change(fault)), "             ");
        if let Some(p) = fault.p_more_losses {
            let losses = format!(
                "loss     {} of {} rounds lose messages in A, {} of {} in B; p = {p:.3}",
                fault.a.losing_rounds, fault.a.rounds, fault.b.losing_rounds, fault.b.rounds
            );
            text::line(&mut text, &losses, "             ");
        }
        text::line(&mut text, fault.outcome.words(), "             ");
    }
    for difference in &comparison.differences {
        text::line_at(&mut text, "  differs  ", difference, "           ");
    }
    for note in &comparison.notes {
        text::line_at(&mut text, "  note     ", note, "           ");
    }
    text::line_at(&mut text, "  how      ", &comparison.method, "           ");
    let _ = writeln!(
        text,
        "  verdict  {} (exit {})",
        comparison.outcome.words(),
        comparison.exit_code
    );
    text
}

fn change(fault: &FaultComparison) -> String {
    let Some(shift) = &fault.rto else {
        return "not measured: no conclusive round measured an outage".to_owned();
    };
    let estimate = shift.estimate_ns.map_or_else(|| "unbounded".to_owned(), signed);
    match &shift.interval {
        None => {
            format!("{estimate}; too few conclusive rounds for an interval: it requires 4 in A and 4 in B, or 3 and 5")
        }
        Some(Interval {
            least_ns,
            most_ns,
            confidence,
        }) => {
            let end = |ns: &Option<i64>| ns.map_or_else(|| "unbounded".to_owned(), signed);
            let range = format!("{} to {}", end(least_ns), end(most_ns));
            let left = match (shift.change, most_ns) {
                (Change::NotShown, Some(most)) if *most > 0 => format!(
                    "; an increase of up to {} cannot be ruled out",
                    signed(*most).trim_start_matches('+')
                ),
                (Change::NotShown, None) => "; a longer outage cannot be ruled out".to_owned(),
                _ => String::new(),
            };
            format!(
                "{estimate} ({:.1} % interval {range}; p = {:.3} for longer){left}",
                confidence * 100.0,
                shift.p_longer
            )
        }
    }
}

fn signed(ns: i64) -> String {
    format!("{:+.3} s", ns as f64 / 1e9)
}

#[cfg(test)]
mod tests;

//! The outages of all rounds of one fault: median, 95th percentile, worst, and the limits of those.

use super::latency::percentile;
use super::limits::Limits;
use super::verdict::{Check, check};
use crate::remedy::ExitKind;
use crate::topology::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// With fewer rounds, the 95th percentile by the nearest rank is the worst round.
const ROUNDS_FOR_P95: usize = 20;

/// Which of the outages of a fault's rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Statistic {
    /// The longest: every round is held against its limit.
    Worst,
    /// The median, the lower one of an even number.
    Median,
    /// The 95th percentile, by the nearest rank.
    P95,
}

/// The outages of the rounds of one fault that proved something, in nanoseconds; a value is absent where service did not come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RtoSpread {
    /// Rounds counted.
    pub rounds: u32,
    /// The median, the lower one of an even number.
    pub median_ns: Option<u64>,
    /// The 95th percentile, by the nearest rank.
    pub p95_ns: Option<u64>,
    /// The longest.
    pub worst_ns: Option<u64>,
    /// Whether there are so few rounds that the 95th percentile is nothing but the longest.
    pub p95_is_worst: bool,
}

impl RtoSpread {
    /// The spread of these outages, those that did not end as `None`; nothing of none.
    #[must_use]
    pub fn of(outages: &[Option<u64>]) -> Option<Self> {
        // An outage without an end is longer than any other.
        let mut sorted: Vec<u64> = outages.iter().map(|outage| outage.unwrap_or(u64::MAX)).collect();
        sorted.sort_unstable();
        let at = |share| percentile(&sorted, share).filter(|ns| *ns != u64::MAX);
        (!sorted.is_empty()).then(|| Self {
            rounds: u32::try_from(sorted.len()).unwrap_or(u32::MAX),
            median_ns: at(0.5),
            p95_ns: at(0.95),
            worst_ns: at(1.0),
            p95_is_worst: sorted.len() < ROUNDS_FOR_P95,
        })
    }
}

/// Holds the median and the 95th percentile of a fault's outages against their limits, where there are any.
#[must_use]
pub fn over_rounds(fault: Fault, spread: Option<&RtoSpread>, limits: &Limits) -> Vec<Check> {
    let judged = [(Statistic::Median, "rto.median"), (Statistic::P95, "rto.p95")];
    let checks = judged.into_iter().filter_map(|(of, name)| {
        let limit = limits.max_rto(fault, of)?;
        Some(over(name, of, spread, limit))
    });
    checks.collect()
}

fn over(name: &str, of: Statistic, spread: Option<&RtoSpread>, limit_ns: u64) -> Check {
    let seconds = |ns: u64| format!("{:.3} s", ns as f64 / 1e9);
    let limit = seconds(limit_ns);
    let Some(spread) = spread else {
        let reason = "no conclusive round measured an outage";
        return check(name, limit, None, Some((ExitKind::Inconclusive, reason.to_owned())));
    };
    let rounds = match spread.rounds {
        1 => "1 round".to_owned(),
        rounds => format!("{rounds} rounds"),
    };
    let (value_ns, what) = match of {
        Statistic::Median => (spread.median_ns, format!("the median of {rounds}")),
        Statistic::P95 if spread.p95_is_worst => (spread.p95_ns, format!("the p95 of {rounds}, which is the worst,")),
        Statistic::P95 => (spread.p95_ns, format!("the p95 of {rounds}")),
        Statistic::Worst => (spread.worst_ns, format!("the worst of {rounds}")),
    };
    let Some(value_ns) = value_ns else {
        let reason = format!("{}: service was not restored", what.trim_end_matches(','));
        return check(name, limit, None, Some((ExitKind::NoRecovery, reason)));
    };
    let value = seconds(value_ns);
    let bad = (value_ns > limit_ns).then(|| {
        let reason = format!("{what} is {value}, which exceeds the limit of {limit}");
        (ExitKind::RtoExceeded, reason)
    });
    check(
        name,
        limit,
        Some(format!("{value}, {}", what.trim_end_matches(','))),
        bad,
    )
}

#[cfg(test)]
mod tests {
    use super::super::limits::RtoLimit;
    use super::super::verdict::Verdict;
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn percentiles_of_few_rounds_are_marked() {
        let of = |values: &[u64]| RtoSpread::of(&values.iter().copied().map(Some).collect::<Vec<_>>());
        let few = of(&[3, 1, 2]).unwrap();
        assert_eq!((few.median_ns, few.p95_ns, few.worst_ns), (Some(2), Some(3), Some(3)));
        assert!(few.p95_is_worst);
        let many = of(&(1..=40).collect::<Vec<_>>()).unwrap();
        assert_eq!(
            (many.median_ns, many.p95_ns, many.worst_ns),
            (Some(20), Some(38), Some(40))
        );
        assert!(!many.p95_is_worst && of(&(1..=20).collect::<Vec<_>>()).unwrap().p95_ns == Some(19));
        assert_eq!(RtoSpread::of(&[]), None);
        let hung = RtoSpread::of(&[Some(1), None, Some(2)]).unwrap();
        assert_eq!((hung.median_ns, hung.worst_ns), (Some(2), None));
    }

    #[test]
    fn limits_over_rounds_pass_fail_and_prove_nothing() {
        let fault = Fault::KillQueueManager;
        let limits = |of| Limits {
            rto: vec![RtoLimit {
                fault: Some(fault),
                of,
                max_ns: 2 * S,
            }],
            ..Limits::default()
        };
        let spread = |outages: &[Option<u64>]| RtoSpread::of(outages);
        for (of, outages, expected) in [
            (
                Statistic::Median,
                &[Some(S), Some(S), Some(9 * S)][..],
                ExitKind::Success,
            ),
            (Statistic::P95, &[Some(S), Some(S), Some(9 * S)], ExitKind::RtoExceeded),
            (Statistic::Median, &[Some(S), None, None], ExitKind::NoRecovery),
            (Statistic::Median, &[], ExitKind::Inconclusive),
        ] {
            let checks = over_rounds(fault, spread(outages).as_ref(), &limits(of));
            assert_eq!(checks[0].exit_code, expected as u8, "{checks:?}");
            assert_eq!(checks[0].verdict == Verdict::Pass, expected == ExitKind::Success);
        }
        let checks = over_rounds(fault, spread(&[Some(9 * S)]).as_ref(), &limits(Statistic::P95));
        assert_eq!(
            checks[0].reason.as_deref(),
            Some("the p95 of 1 round, which is the worst, is 9.000 s, which exceeds the limit of 2.000 s")
        );
        assert_eq!(
            checks[0].value.as_deref(),
            Some("9.000 s, the p95 of 1 round, which is the worst")
        );
        assert!(over_rounds(Fault::MarkUnhealthy, None, &limits(Statistic::P95)).is_empty());
    }
}

//! Whether outages got longer from one test to another, and how sure that is.
//!
//! The change is the Hodges-Lehmann estimate: the median of all differences between a round of B and a round of A. Its interval is the
//! exact one of the Wilcoxon rank-sum (Mann-Whitney) test: it holds for any distribution of outages, as long as rounds are independent of
//! each other and B's outages are distributed as A's are but for a shift. An outage that did not end is longer than any other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The interval is to hold the change with at least this chance.
const CONFIDENCE: f64 = 0.95;

/// With more rounds together, the distribution of the ranks is taken as normal.
const EXACT: usize = 120;

/// What the interval says of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// All of it is longer than what is tolerated.
    Longer,
    /// All of it is shorter.
    Shorter,
    /// It holds no change, or what is tolerated; how much longer is not excluded is its end.
    NotShown,
    /// There is none: too few rounds.
    TooFewRounds,
}

/// A change of the outage from A to B, in nanoseconds; positive when it got longer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shift {
    /// What is shown.
    pub change: Change,
    /// The Hodges-Lehmann estimate; absent when it has no bound, since outages did not end.
    pub estimate_ns: Option<i64>,
    /// The interval; absent with so few rounds that none has the confidence that is wanted.
    pub interval: Option<Interval>,
    /// The chance of ranks like these or more in favour of "longer" when nothing changed, one-sided.
    pub p_longer: f64,
}

/// An interval of the change; a bound is absent where there is none, since outages did not end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Least change.
    pub least_ns: Option<i64>,
    /// Most change.
    pub most_ns: Option<i64>,
    /// The confidence that it has.
    pub confidence: f64,
}

/// The change of outages from `a` to `b`, those that did not end as `None`; nothing when either has no round. It is longer when it is so by
/// more than `tolerated_ns`.
#[must_use]
pub fn shift(a: &[Option<u64>], b: &[Option<u64>], tolerated_ns: i64) -> Option<Shift> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let mut differences: Vec<i64> = b.iter().flat_map(|b| a.iter().map(|a| difference(*a, *b))).collect();
    differences.sort_unstable();
    let pairs = differences.len();
    let ranks = Ranks::of(a.len(), b.len());
    let bounded = |ns: i64| (ns != i64::MAX && ns != i64::MIN).then_some(ns);
    // Cut off at each end: as many differences as leave the confidence.
    let cut = (0..=pairs / 2)
        .take_while(|cut| 2.0 * ranks.at_most(*cut) <= 1.0 - CONFIDENCE)
        .count();
    let ends = (cut > 0).then(|| (differences[cut - 1], differences[pairs - cut]));
    let change = match ends {
        None => Change::TooFewRounds,
        Some((least, _)) if least > tolerated_ns => Change::Longer,
        Some((_, most)) if most < 0 => Change::Shorter,
        Some(_) => Change::NotShown,
    };
    let interval = ends.map(|(least, most)| Interval {
        least_ns: bounded(least),
        most_ns: bounded(most),
        confidence: 1.0 - 2.0 * ranks.at_most(cut - 1),
    });
    let longer = differences.iter().filter(|ns| **ns > 0).count();
    let ties = differences.iter().filter(|ns| **ns == 0).count();
    // Ties count half, rounded against "longer".
    let in_favour = longer + ties / 2;
    let (low, high) = (differences[(pairs - 1) / 2], differences[pairs / 2]);
    Some(Shift {
        change,
        estimate_ns: bounded(low).and_then(|low| bounded(high).map(|high| low + (high - low) / 2)),
        interval,
        p_longer: ranks.at_most(pairs - in_favour),
    })
}

fn difference(a: Option<u64>, b: Option<u64>) -> i64 {
    let ns = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    match (a, b) {
        (None, None) => 0,
        (None, Some(_)) => i64::MIN,
        (Some(_), None) => i64::MAX,
        (Some(a), Some(b)) => ns(b) - ns(a),
    }
}

/// The distribution of the number of pairs in favour of one side when nothing changed.
enum Ranks {
    /// The chance of each number or fewer.
    Exact(Vec<f64>),
    /// Mean and standard deviation.
    Normal(f64, f64),
}

impl Ranks {
    fn of(one: usize, other: usize) -> Self {
        let pairs = one * other;
        if one + other > EXACT {
            let (mean, all) = (pairs as f64 / 2.0, (one + other + 1) as f64);
            return Self::Normal(mean, (pairs as f64 * all / 12.0).sqrt());
        }
        // Ways to give `chosen` of the ranks to the smaller side, by the number of pairs in its favour.
        let few = one.min(other);
        let mut ways = vec![vec![0.0_f64; pairs + 1]; few + 1];
        ways[0][0] = 1.0;
        for rank in 0..one + other {
            for chosen in (1..=few.min(rank + 1)).rev() {
                // The one that is chosen last is ahead of all that were passed over.
                let ahead = rank + 1 - chosen;
                let (below, here) = ways.split_at_mut(chosen);
                for number in ahead..=pairs {
                    here[0][number] += below[chosen - 1][number - ahead];
                }
            }
        }
        let all: f64 = ways[few].iter().sum();
        let mut sum = 0.0;
        let cumulated = ways[few].iter().map(|ways| {
            sum += ways / all;
            sum
        });
        Self::Exact(cumulated.collect())
    }

    /// The chance of this number of pairs or fewer, which is that of as many short of all or more.
    fn at_most(&self, number: usize) -> f64 {
        match self {
            Self::Exact(cumulated) => cumulated.get(number).copied().unwrap_or(1.0).min(1.0),
            Self::Normal(mean, deviation) => normal((number as f64 + 0.5 - mean) / deviation),
        }
    }
}

/// The normal distribution function, by Abramowitz and Stegun 26.2.17; off by less than 1e-7.
fn normal(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let series = [
        1.330_274_429,
        -1.821_255_978,
        1.781_477_937,
        -0.356_563_782,
        0.319_381_530,
    ];
    let sum = series.iter().fold(0.0, |sum, factor| (sum + factor) * t);
    let tail = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum;
    if z < 0.0 { tail } else { 1.0 - tail }
}

/// The chance of `b_losing` or more losing rounds in B when A and B lose alike, by Fisher's exact test.
#[must_use]
pub fn p_more_losses(a_losing: u64, a_rounds: u64, b_losing: u64, b_rounds: u64) -> f64 {
    let losing = a_losing + b_losing;
    let all = log_choose(a_rounds + b_rounds, losing);
    (b_losing..=losing.min(b_rounds))
        .filter(|in_b| losing - in_b <= a_rounds)
        .map(|in_b| (log_choose(b_rounds, in_b) + log_choose(a_rounds, losing - in_b) - all).exp())
        .sum::<f64>()
        .min(1.0)
}

fn log_choose(all: u64, chosen: u64) -> f64 {
    (1..=chosen).map(|k| ((all - chosen + k) as f64 / k as f64).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn ms(values: &[u64]) -> Vec<Option<u64>> {
        values.iter().map(|value| Some(value * MS)).collect()
    }

    /// Critical values of the Mann-Whitney test, two-sided 5 %, as in every table of it.
    #[test]
    fn ranks_are_those_of_the_tables() {
        for (one, other, critical) in [(4, 4, 0), (5, 5, 2), (3, 5, 0), (8, 10, 17), (20, 20, 127)] {
            let ranks = Ranks::of(one, other);
            assert!(2.0 * ranks.at_most(critical) <= 0.05, "{one} {other}");
            assert!(2.0 * ranks.at_most(critical + 1) > 0.05, "{one} {other}");
        }
        assert!(2.0 * Ranks::of(3, 3).at_most(0) > 0.05, "three rounds are too few");
    }

    /// Every way to deal the ranks, one by one.
    #[test]
    fn ranks_agree_with_counting() {
        for (one, other) in [(1, 1), (2, 3), (4, 3), (5, 6)] {
            let all = one + other;
            let mut counts = vec![0_u32; one * other + 1];
            for deal in 0_u32..1 << all {
                if deal.count_ones() as usize != one {
                    continue;
                }
                let mine = |rank: usize| deal >> rank & 1 == 1;
                let ahead = |rank: usize| (0..rank).filter(|below| !mine(*below)).count();
                counts[(0..all).filter(|rank| mine(*rank)).map(ahead).sum::<usize>()] += 1;
            }
            let total: u32 = counts.iter().sum();
            let ranks = Ranks::of(one, other);
            let mut sum = 0;
            for (number, count) in counts.iter().enumerate() {
                sum += count;
                let expected = f64::from(sum) / f64::from(total);
                assert!(
                    (ranks.at_most(number) - expected).abs() < 1e-12,
                    "{one} {other} {number}"
                );
            }
        }
    }

    #[test]
    fn normal_and_exact_agree_where_they_meet() {
        let exact = Ranks::of(60, 60);
        let (mean, deviation) = (1800.0, (3600.0_f64 * 121.0 / 12.0).sqrt());
        for number in [1400, 1600, 1800, 2000] {
            let approximate = normal((number as f64 + 0.5 - mean) / deviation);
            assert!((exact.at_most(number) - approximate).abs() < 0.002, "{number}");
        }
    }

    #[test]
    fn a_clear_change_is_shown_and_a_small_sample_says_nothing() {
        let (a, b) = (ms(&[100, 110, 120, 130, 140]), ms(&[200, 210, 220, 230, 240]));
        let longer = shift(&a, &b, 0).unwrap();
        assert_eq!(longer.estimate_ns, Some(100 * MS as i64));
        let interval = longer.interval.unwrap();
        assert!(
            interval.least_ns > Some(0) && interval.confidence >= 0.95,
            "{interval:?}"
        );
        assert!(longer.p_longer < 0.01);
        let shorter = shift(&b, &a, 0).unwrap();
        assert!(shorter.interval.unwrap().most_ns < Some(0) && shorter.p_longer > 0.99);
        let same = shift(&a, &a, 0).unwrap().interval.unwrap();
        assert!(same.least_ns < Some(0) && same.most_ns > Some(0));
        let few = shift(&a[..3], &b[..3], 0).unwrap();
        assert_eq!((few.interval, few.change), (None, Change::TooFewRounds));
        assert_eq!(shift(&[], &b, 0), None);
        assert_eq!((longer.change, shorter.change), (Change::Longer, Change::Shorter));
        assert_eq!(shift(&a, &b, 200 * MS as i64).unwrap().change, Change::NotShown);
    }

    #[test]
    fn an_outage_without_an_end_is_longer_than_any() {
        let (a, hung) = (ms(&[100, 110, 120, 130]), [None; 4]);
        let change = shift(&a, &hung, 0).unwrap();
        assert_eq!(change.change, Change::Longer);
        assert_eq!((change.estimate_ns, change.interval.unwrap().least_ns), (None, None));
        assert!(change.p_longer < 0.02);
    }

    #[test]
    fn losses_by_fisher() {
        for (a, n, b, m, expected) in [
            (0, 10, 0, 10, 1.0),
            (0, 10, 1, 10, 0.5),
            (0, 5, 5, 5, 1.0 / 252.0),
            (3, 10, 3, 10, 0.686),
        ] {
            let p = p_more_losses(a, n, b, m);
            assert!((p - expected).abs() < 0.001, "{a} of {n}, {b} of {m}: {p}");
        }
    }
}

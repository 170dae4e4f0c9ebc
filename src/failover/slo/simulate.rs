//! Years drawn from the model: the downtime is the sum over planned swaps, and over the faults of each cause a Poisson number of them, each
//! outage one of those measured. What is not known well is drawn anew for every year: the rate of a cause from its gamma distribution, and
//! the weights of the measured outages by the Bayesian bootstrap.

use super::random::Random;

/// With more outages of one kind in a year, their sum is drawn from the normal distribution that it is near.
const SUMMED_ONE_BY_ONE: u64 = 2_000;

/// Outages of one kind in a year.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cause<'a> {
    /// The measured ones, in seconds; at least one.
    pub outages: &'a [f64],
    /// How many there are.
    pub events: Events,
}

/// How many outages of a kind there are in a year.
#[derive(Debug, Clone, Copy)]
pub(super) enum Events {
    /// So many.
    Planned(u64),
    /// Poisson, with a rate from the gamma distribution of this shape and rate.
    Gamma { shape: f64, rate: f64 },
}

/// What came of the draws, sorted.
#[derive(Debug)]
pub(super) struct Drawn {
    /// Expected downtime of a year in seconds, one for each draw of what is not known.
    pub expected: Vec<f64>,
    /// Downtime of one year in seconds.
    pub years: Vec<f64>,
}

impl Drawn {
    /// The share of years whose downtime is within a budget.
    pub(super) fn within(&self, budget: f64) -> f64 {
        self.years.partition_point(|downtime| *downtime <= budget) as f64 / self.years.len() as f64
    }
}

/// The value at a share of sorted values.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (share * sorted.len() as f64) as usize;
    sorted
        .get(place.min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

/// Draws `draws` years.
pub(super) fn simulate(causes: &[Cause<'_>], draws: usize, seed: u64) -> Drawn {
    let mut random = Random::new(seed);
    let mut drawn = Drawn {
        expected: Vec::with_capacity(draws),
        years: Vec::with_capacity(draws),
    };
    let mut sums = Vec::new();
    for _ in 0..draws {
        let (mut expected, mut year) = (0.0, 0.0);
        for cause in causes {
            random.weights(cause.outages.len(), &mut sums);
            let (mean, deviation) = moments(cause.outages, &sums);
            let (often, number) = match cause.events {
                Events::Planned(number) => (number as f64, number),
                Events::Gamma { shape, rate } => {
                    let often = random.gamma(shape) / rate;
                    (often, random.poisson(often))
                }
            };
            expected += often * mean;
            year += sum(cause.outages, &sums, number, (mean, deviation), &mut random);
        }
        drawn.expected.push(expected);
        drawn.years.push(year);
    }
    drawn.expected.sort_unstable_by(f64::total_cmp);
    drawn.years.sort_unstable_by(f64::total_cmp);
    drawn
}

/// Mean and standard deviation of outages with these weights.
fn moments(outages: &[f64], sums: &[f64]) -> (f64, f64) {
    let (mut before, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for (outage, sum) in outages.iter().zip(sums) {
        let weight = sum - before;
        before = *sum;
        mean += weight * outage;
        squares += weight * outage * outage;
    }
    (mean, (squares - mean * mean).max(0.0).sqrt())
}

/// The sum of so many outages, each drawn by the weights.
fn sum(outages: &[f64], sums: &[f64], number: u64, (mean, deviation): (f64, f64), random: &mut Random) -> f64 {
    if number > SUMMED_ONE_BY_ONE {
        let many = number as f64;
        return (many * mean + many.sqrt() * deviation * random.normal()).max(0.0);
    }
    (0..number)
        .map(|_| {
            let at = random.uniform();
            outages[sums.partition_point(|sum| *sum < at).min(outages.len() - 1)]
        })
        .sum()
}

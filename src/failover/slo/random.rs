//! Random numbers from a seed, and draws from the distributions of the model.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng as _, SeedableRng as _};

/// The generator xoshiro256++, seeded by SplitMix64: of those of its crate, one whose numbers are promised to be the same on every machine.
/// The distributions are drawn here, since a crate of distributions may draw differently in its next version, and the same seed is to
/// give the same answer.
#[derive(Debug, Clone)]
pub(super) struct Random(Xoshiro256PlusPlus);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Above 0 and at most 1.
    pub(super) fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }

    pub(super) fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Gamma with this shape and scale 1, by Marsaglia and Tsang; 0 for the shape 0.
    pub(super) fn gamma(&mut self, shape: f64) -> f64 {
        if shape <= 0.0 {
            return 0.0;
        }
        if shape < 1.0 {
            let below = self.uniform().powf(1.0 / shape);
            return self.gamma(shape + 1.0) * below;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let z = self.normal();
            let v = (1.0 + c * z).powi(3);
            let accepted = v > 0.0 && self.uniform().ln() < 0.5 * z * z + d * (1.0 - v + v.ln());
            if accepted {
                return d * v;
            }
        }
    }

    /// Poisson; above 200 as the normal distribution that it is then near.
    pub(super) fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 200.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let mut waited = self.exponential();
        let mut events = 0;
        while waited < mean {
            events += 1;
            waited += self.exponential();
        }
        events
    }

    /// Weights of `number` measurements whose sum is 1, uniform among all such: one draw of the Bayesian bootstrap. As sums up to each.
    pub(super) fn weights(&mut self, number: usize, sums: &mut Vec<f64>) {
        sums.clear();
        let mut sum = 0.0;
        for _ in 0..number {
            sum += self.exponential();
            sums.push(sum);
        }
        for weight in sums {
            *weight /= sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(mut draw: impl FnMut(&mut Random) -> f64) -> (f64, f64) {
        let mut random = Random::new(7);
        let drawn: Vec<f64> = (0..40_000).map(|_| draw(&mut random)).collect();
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        let variance = drawn.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / drawn.len() as f64;
        (mean, variance)
    }

    #[test]
    fn draws_have_the_mean_and_the_variance_of_their_distribution() {
        let near = |(mean, variance): (f64, f64), expected: (f64, f64)| {
            let close = |got: f64, wanted: f64| (got - wanted).abs() < 0.05 * wanted.max(0.2);
            assert!(
                close(mean, expected.0) && close(variance, expected.1),
                "{mean} {variance} {expected:?}"
            );
        };
        near(moments(Random::uniform), (0.5, 1.0 / 12.0));
        near(moments(|random| random.normal() + 1.0), (1.0, 1.0));
        for shape in [0.25, 0.5, 1.0, 2.0, 17.0] {
            near(moments(|random| random.gamma(shape)), (shape, shape));
        }
        for mean in [0.1, 2.0, 90.0, 400.0] {
            near(moments(|random| random.poisson(mean) as f64), (mean, mean));
        }
        // The first of ten weights is one of Beta(1, 9).
        let mut sums = Vec::new();
        near(
            moments(|random| {
                random.weights(10, &mut sums);
                assert!((sums[9] - 1.0).abs() < 1e-12);
                sums[0] * 10.0
            }),
            (1.0, 100.0 * 9.0 / (100.0 * 11.0)),
        );
    }

    /// The generator is part of the answer: another one gives other last digits.
    #[test]
    fn a_seed_gives_the_same_numbers_in_every_version() {
        let mut random = Random::new(1);
        let first: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(first, FIRST);
        assert_eq!(Random::new(0).gamma(0.0), 0.0);
    }

    /// Of the reference implementation by Blackman and Vigna, with the seed 1.
    const FIRST: [u64; 3] = [0xcfc5_d07f_6f03_c29b, 0xbf42_4132_963f_e08d, 0x19a3_7d57_57aa_f520];
}

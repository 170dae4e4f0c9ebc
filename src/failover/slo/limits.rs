//! How much more would still fit: the most swaps, and the most faults, with which 95 of 100 years are within the budget.

use super::answer::{Model, SURE};
use super::inputs::Inputs;
use super::simulate::simulate;

/// Years drawn for each number that is tried: the last digit of such a limit says nothing anyway.
const DRAWS: usize = 2_000;

/// No more swaps than these are looked for.
const MOST_SWAPS: u32 = 100_000;

/// No more faults a year than these are looked for.
const MOST_FAULTS: f64 = 100_000.0;

/// Most planned swaps a year; `None` when not even none fit.
pub(super) fn most_swaps(model: &Model<'_>, inputs: &Inputs, budget_s: f64) -> Option<u32> {
    let fits = |swaps: u32| simulate(&model.causes(swaps, 1.0), DRAWS, inputs.seed).within(budget_s) >= SURE;
    if !fits(0) {
        return None;
    }
    let (mut fit, mut too_many) = (0, MOST_SWAPS);
    // Not with more of them can so many swaps be within the budget as with the mean outage alone.
    let mean = model.planned.mean();
    if mean > 0.0 {
        too_many = ((1.5 * budget_s / mean) as u32 + 2).min(MOST_SWAPS);
    }
    while too_many - fit > 1 {
        let middle = fit + (too_many - fit) / 2;
        match fits(middle) {
            true => fit = middle,
            false => too_many = middle,
        }
    }
    Some(fit)
}

/// Most faults a year, in the proportions of the inputs; `None` without faults, and when not even none fit.
pub(super) fn most_faults(model: &Model<'_>, inputs: &Inputs, budget_s: f64) -> Option<f64> {
    let now: f64 = model.unplanned.iter().map(|(_, rate)| rate.per_year()).sum();
    let swaps = inputs.swaps.per_year;
    let fits = |times: f64| simulate(&model.causes(swaps, times), DRAWS, inputs.seed).within(budget_s) >= SURE;
    if now <= 0.0 || !fits(0.0) {
        return None;
    }
    let (mut fit, mut too_many) = (0.0, 1.0);
    while fits(too_many) && now * too_many < MOST_FAULTS {
        (fit, too_many) = (too_many, too_many * 2.0);
    }
    while too_many - fit > 0.01 * too_many {
        let middle = f64::midpoint(fit, too_many);
        match fits(middle) {
            true => fit = middle,
            false => too_many = middle,
        }
    }
    Some(now * fit)
}

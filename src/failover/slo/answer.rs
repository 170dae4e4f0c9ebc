//! The answer: what is expected, what one year may bring, what still fits, and what none of it shows.

use super::inputs::{Inputs, Rate, Source};
use super::limits::{most_faults, most_swaps};
use super::measured::{Group, NoAnswer, groups, together, topology};
use super::simulate::{Cause, Drawn, Events, quantile, simulate};
use super::words;
use crate::failover::report::Report;
use crate::remedy::ExitKind;
use crate::topology::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the answer's shape; within it, fields are only added.
pub const SCHEMA: &str = "mqaws.slo/1";

/// A Julian year, as the budget of five nines is usually counted.
pub(super) const YEAR_S: f64 = 365.25 * 86_400.0;

/// Share of years that must stay within the budget.
pub(super) const SURE: f64 = 0.95;

/// With fewer rounds of a fault, the answer is not said to fit.
const ENOUGH_ROUNDS: usize = 10;

/// Whether an objective is met.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// [`SCHEMA`].
    pub schema: String,
    /// Where the rounds ran, `lab` or `aws`.
    pub place: String,
    /// Whether a stand-in of the engine served.
    pub stand_in: bool,
    /// Topology of the stack; `not said` in reports of earlier versions.
    pub topology: String,
    /// Number of reports.
    pub reports: u32,
    /// The objective, percent of a year.
    pub objective_percent: f64,
    /// Downtime in seconds that the objective allows in a year of 365.25 days.
    pub budget_s: f64,
    /// Planned swaps.
    pub planned: Planned,
    /// Faults, one entry for each kind that has a rate.
    pub unplanned: Vec<Unplanned>,
    /// Expected availability in percent, with its 95 % interval.
    pub expected_percent: Interval,
    /// Downtime of one year in seconds: the interval holds 95 of 100 years.
    pub year_downtime_s: Interval,
    /// Share of years within the budget.
    pub chance: f64,
    /// Most planned swaps a year with which 95 of 100 years are within the budget, all else as it is; absent when there is none.
    pub most_swaps: Option<u32>,
    /// Most faults a year with which 95 of 100 years are within the budget, all else as it is; absent when there is none.
    pub most_faults: Option<f64>,
    /// What so many rounds can and cannot show.
    pub shown: Vec<String>,
    /// What is not covered.
    pub not_covered: Vec<String>,
    /// Number of years drawn.
    pub draws: u32,
    /// Seed of the simulation; the same seed gives the same answer.
    pub seed: u64,
    /// The answer in a word.
    pub fit: Fit,
    /// The exit code of that, with `--require-slo`.
    pub exit_code: u8,
}

/// A value with an interval around it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The upper end.
    pub high: f64,
}

/// Measured outages, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outages {
    /// The fault that was injected.
    pub fault: Fault,
    /// Rounds that count.
    pub rounds: u32,
    /// Rounds that do not: they proved nothing, or measured no outage.
    pub uncounted: u32,
    /// Of those that count, the ones in which service did not come back; they are taken as long as they were watched.
    pub unended: u32,
    /// The shortest.
    pub least_s: f64,
    /// The median, the lower one of an even number.
    pub median_s: f64,
    /// The longest.
    pub worst_s: f64,
}

/// Planned swaps of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Planned {
    /// How many in a year.
    pub per_year: u32,
    /// Who says so.
    pub source: Source,
    /// The outage that each is taken to cost.
    pub outages: Outages,
    /// Whether that fault is an orderly replacement; else none was measured, and the fault with the longest mean outage takes its place.
    pub is_orderly: bool,
    /// Downtime in seconds of each swap if they used up the whole budget; absent without swaps.
    pub share_s: Option<f64>,
}

/// Faults of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Unplanned {
    /// How many were assumed or seen.
    pub events: f64,
    /// In so many years.
    pub years: f64,
    /// Expected number in a year.
    pub per_year: f64,
    /// Who says so.
    pub source: Source,
    /// Whether the rate is that of faults of any kind, each taken as the one with the longest mean outage.
    pub is_any: bool,
    /// The outage that each is taken to cost.
    pub outages: Outages,
}

/// The answer in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// At least 95 of 100 years are within the budget.
    Fits,
    /// They would be, and too few rounds were measured to say so.
    TooFewRounds,
    /// They are not, or service did not come back in a round.
    DoesNotFit,
}

impl Fit {
    /// The exit code that it stands for.
    #[must_use]
    pub fn exit(self) -> ExitKind {
        match self {
            Self::Fits => ExitKind::Success,
            Self::TooFewRounds => ExitKind::Inconclusive,
            Self::DoesNotFit => ExitKind::SloExceeded,
        }
    }
}

/// What is taken for what.
pub(super) struct Model<'a> {
    pub planned: &'a Group,
    pub is_orderly: bool,
    pub unplanned: Vec<(&'a Group, Rate)>,
}

impl<'a> Model<'a> {
    /// Nothing that is unknown is taken for its cheapest: faults of any kind are those with the longest mean outage.
    fn of(groups: &'a [Group], inputs: &Inputs) -> Result<Self, NoAnswer> {
        let measured = || groups.iter().filter(|group| !group.outages.is_empty());
        let longest = |of: &mut dyn Iterator<Item = &'a Group>| of.max_by(|a, b| a.mean().total_cmp(&b.mean()));
        let any = longest(&mut measured()).ok_or(NoAnswer::NothingMeasured)?;
        let orderly = longest(&mut measured().filter(|group| group.fault.is_orderly()));
        let unplanned = inputs.faults.iter().map(|rate| match rate.fault {
            None => Ok((any, *rate)),
            Some(fault) => {
                let own = measured().find(|group| group.fault == fault);
                own.map(|own| (own, *rate)).ok_or(NoAnswer::NotMeasured(fault))
            }
        });
        Ok(Self {
            planned: orderly.unwrap_or(any),
            is_orderly: orderly.is_some(),
            unplanned: unplanned.collect::<Result<_, _>>()?,
        })
    }

    /// The causes of a year with so many swaps, and so many times the faults.
    pub(super) fn causes(&self, swaps: u32, times: f64) -> Vec<Cause<'a>> {
        let planned = Cause {
            outages: &self.planned.outages,
            events: Events::Planned(swaps.into()),
        };
        let unplanned = self.unplanned.iter().map(|(group, rate)| {
            let (shape, rate) = rate.gamma();
            Cause {
                outages: &group.outages,
                events: Events::Gamma {
                    shape: shape * times,
                    rate,
                },
            }
        });
        std::iter::once(planned).chain(unplanned).collect()
    }

    /// Those whose outages the answer rests on.
    pub(super) fn used(&self, swaps: u32) -> impl Iterator<Item = &'a Group> {
        let planned = (swaps > 0).then_some(self.planned);
        planned
            .into_iter()
            .chain(self.unplanned.iter().map(|(group, _)| *group))
    }
}

/// Answers from reports.
///
/// # Errors
/// [`NoAnswer`].
pub fn answer(reports: &[&Report], inputs: &Inputs) -> Result<Answer, NoAnswer> {
    together(reports)?;
    let groups = groups(reports);
    let model = Model::of(&groups, inputs)?;
    let first = reports.first().ok_or(NoAnswer::NothingMeasured)?;
    let budget_s = YEAR_S * (1.0 - inputs.objective / 100.0);
    let swaps = inputs.swaps.per_year;
    let drawn = simulate(&model.causes(swaps, 1.0), inputs.draws, inputs.seed);
    let chance = drawn.within(budget_s);
    let fit = fit(&model, swaps, chance);
    Ok(Answer {
        schema: SCHEMA.into(),
        place: first.place.kind.clone(),
        stand_in: first.engine.stand_in,
        topology: topology(first),
        reports: u32::try_from(reports.len()).unwrap_or(u32::MAX),
        objective_percent: inputs.objective,
        budget_s,
        planned: Planned {
            per_year: swaps,
            source: inputs.swaps.source,
            outages: outages(model.planned),
            is_orderly: model.is_orderly,
            share_s: (swaps > 0).then(|| budget_s / f64::from(swaps)),
        },
        unplanned: model
            .unplanned
            .iter()
            .map(|(group, rate)| unplanned(group, rate))
            .collect(),
        expected_percent: expected(&drawn),
        year_downtime_s: interval(&drawn.years),
        chance,
        most_swaps: most_swaps(&model, inputs, budget_s),
        most_faults: most_faults(&model, inputs, budget_s),
        shown: words::shown(&model, swaps),
        not_covered: words::not_covered(&groups, &model, reports),
        draws: u32::try_from(inputs.draws).unwrap_or(u32::MAX),
        seed: inputs.seed,
        fit,
        exit_code: fit.exit() as u8,
    })
}

fn fit(model: &Model<'_>, swaps: u32, chance: f64) -> Fit {
    // How long an outage lasts that did not end is not known.
    let unended = model.used(swaps).any(|group| group.unended > 0);
    let few = model.used(swaps).any(|group| group.outages.len() < ENOUGH_ROUNDS);
    match () {
        () if unended || chance < SURE => Fit::DoesNotFit,
        () if few => Fit::TooFewRounds,
        () => Fit::Fits,
    }
}

fn outages(group: &Group) -> Outages {
    let mut sorted = group.outages.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |place: usize| sorted.get(place).copied().unwrap_or_default();
    let rounds = sorted.len();
    Outages {
        fault: group.fault,
        rounds: u32::try_from(rounds).unwrap_or(u32::MAX),
        uncounted: group.uncounted,
        unended: group.unended,
        least_s: at(0),
        median_s: at(rounds.saturating_sub(1) / 2),
        worst_s: at(rounds.saturating_sub(1)),
    }
}

fn unplanned(group: &Group, rate: &Rate) -> Unplanned {
    Unplanned {
        events: rate.events,
        years: rate.years,
        per_year: rate.per_year(),
        source: rate.source,
        is_any: rate.fault.is_none(),
        outages: outages(group),
    }
}

pub(super) fn interval(sorted: &[f64]) -> Interval {
    Interval {
        low: quantile(sorted, 0.025),
        median: quantile(sorted, 0.5),
        high: quantile(sorted, 0.975),
    }
}

/// Downtime as availability: the longest is the least.
pub(super) fn expected(drawn: &Drawn) -> Interval {
    let downtime = interval(&drawn.expected);
    let percent = |seconds: f64| 100.0 * (1.0 - seconds / YEAR_S);
    Interval {
        low: percent(downtime.high),
        median: percent(downtime.median),
        high: percent(downtime.low),
    }
}

//! The answer for people.

use super::answer::{Answer, Fit, Interval, Outages, Planned, Unplanned};
use super::inputs::Source;
use crate::failover::report::text::line_at;
use std::fmt::Write;

const INDENT: &str = "               ";

/// The answer for people, 80 columns.
#[must_use]
pub fn text(answer: &Answer) -> String {
    let mut text = String::new();
    if answer.place != "aws" {
        let served = match answer.stand_in {
            true => "with a stand-in as the engine",
            false => "on one machine",
        };
        let _ = writeln!(text, "local cloud: figures of a lab, {served}, not of AWS");
    }
    let mut row = |label: &str, content: &str| line_at(&mut text, &format!("  {label:<13}"), content, INDENT);
    row("objective", &objective(answer));
    row("planned", &planned(&answer.planned));
    for cause in &answer.unplanned {
        row("faults", &unplanned(cause));
    }
    row("expected", &expected(answer));
    row("one year", &year(answer));
    row("still fits", &still_fits(answer));
    for sentence in &answer.shown {
        row("shown", sentence);
    }
    for line in &answer.not_covered {
        row("not covered", line);
    }
    row("verdict", &verdict(answer));
    text
}

fn objective(answer: &Answer) -> String {
    let share = answer.planned.share_s.map_or_else(String::new, |share| {
        format!(
            ", or {share:.1} s for each of {} swaps and nothing for faults",
            answer.planned.per_year
        )
    });
    format!(
        "{} % of a year: a budget of {:.1} s ({}){share}",
        answer.objective_percent,
        answer.budget_s,
        minutes(answer.budget_s)
    )
}

fn planned(planned: &Planned) -> String {
    let source = match planned.source {
        Source::Default => "assumed by mqaws, one every two weeks; --swaps",
        Source::Assumed | Source::Seen => "your input",
    };
    let as_what = match planned.is_orderly {
        true => "each as",
        false => "no orderly replacement was measured, so each is taken as",
    };
    format!(
        "{} swaps a year ({source}), {as_what} {}",
        planned.per_year,
        measured(&planned.outages)
    )
}

fn unplanned(cause: &Unplanned) -> String {
    let source = match cause.source {
        Source::Default => "assumed by mqaws, not measured; --faults".to_owned(),
        Source::Assumed => "assumed: your input, not measured".to_owned(),
        Source::Seen => format!("seen: {} in {} years, your input", cause.events, trimmed(cause.years)),
    };
    let any = if cause.is_any {
        ", any of them taken as"
    } else {
        ", each as"
    };
    format!(
        "{} a year ({source}){any} {}",
        trimmed(cause.per_year),
        measured(&cause.outages)
    )
}

fn measured(outages: &Outages) -> String {
    let seconds = |value: f64| {
        if value < 9.95 {
            format!("{value:.2} s")
        } else {
            format!("{value:.0} s")
        }
    };
    let mut text = match outages.rounds {
        1 => format!("{}: {} (1 round)", outages.fault, seconds(outages.median_s)),
        rounds => format!(
            "{}: median {}, {} to {} ({rounds} rounds)",
            outages.fault,
            seconds(outages.median_s),
            seconds(outages.least_s),
            seconds(outages.worst_s)
        ),
    };
    if outages.unended > 0 {
        let _ = write!(text, ", service did not come back in {} of them", outages.unended);
    }
    if outages.uncounted > 0 {
        let _ = write!(
            text,
            ", {} more are inconclusive or measured no outage",
            outages.uncounted
        );
    }
    text
}

fn expected(answer: &Answer) -> String {
    let Interval { low, median, high } = answer.expected_percent;
    let digits = digits(answer.objective_percent);
    format!("{median:.digits$} % of a year (95 % interval {low:.digits$} to {high:.digits$} %)")
}

/// Five digits, as five nines need, or two more than the objective has.
fn digits(objective: f64) -> usize {
    let own = objective
        .to_string()
        .split_once('.')
        .map_or(0, |(_, digits)| digits.len());
    (own + 2).max(5)
}

fn year(answer: &Answer) -> String {
    let Interval { low, high, .. } = answer.year_downtime_s;
    format!(
        "{low:.0} to {high:.0} s of downtime in 95 of 100 years; within the budget with a chance of {:.2}",
        // A chance just below 1 is not 1.
        if answer.chance < 1.0 {
            answer.chance.min(0.99)
        } else {
            1.0
        }
    )
}

fn still_fits(answer: &Answer) -> String {
    let swaps = answer.most_swaps.map_or_else(
        || "no planned swap".to_owned(),
        |most| format!("about {} planned swaps", rounded(f64::from(most))),
    );
    let faults = match answer.most_faults {
        Some(most) => format!("about {} faults", rounded(most)),
        None => "no fault".to_owned(),
    };
    format!("{swaps}, or {faults} a year, all else as it is, in 95 of 100 years")
}

/// Two digits, rounded down.
fn rounded(value: f64) -> String {
    if value < 10.0 {
        return trimmed((value * 10.0).floor() / 10.0);
    }
    let unit = 10_f64.powf(value.log10().floor() - 1.0);
    format!("{:.0}", (value / unit).floor() * unit)
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn verdict(answer: &Answer) -> String {
    let word = match answer.fit {
        Fit::Fits => "FITS",
        Fit::TooFewRounds => "TOO FEW ROUNDS: it would fit, and a fault has fewer than 10 rounds",
        Fit::DoesNotFit => "DOES NOT FIT",
    };
    format!("{word} (exit {} with --require-slo)", answer.exit_code)
}

fn minutes(seconds: f64) -> String {
    let (hours, rest) = ((seconds / 3600.0) as u64, seconds % 3600.0);
    let (minutes, seconds) = ((rest / 60.0) as u64, rest % 60.0);
    match (hours, minutes) {
        (0, 0) => format!("{seconds:.1} s"),
        (0, _) => format!("{minutes} min {seconds:.1} s"),
        _ => format!("{hours} h {minutes} min"),
    }
}

//! What rounds show and do not show, in words.

use super::answer::Model;
use super::measured::Group;
use crate::failover::report::Report;
use crate::topology::Fault;

/// The percentiles that are spoken of.
const SHARES: [f64; 3] = [0.90, 0.95, 0.99];

/// Confidence that the worst of `rounds` is longer than so large a share of all outages.
pub(super) fn confidence(rounds: usize, share: f64) -> f64 {
    1.0 - share.powf(rounds as f64)
}

/// The fewest rounds whose worst is longer than so large a share of all outages, with 95 % confidence.
pub(super) fn rounds_for(share: f64) -> u32 {
    (0.05_f64.ln() / share.ln()).ceil() as u32
}

/// What so many rounds can and cannot show, a sentence for each fault.
pub(super) fn shown(model: &Model<'_>, swaps: u32) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut told: Vec<Fault> = Vec::new();
    for group in model.used(swaps) {
        if told.contains(&group.fault) {
            continue;
        }
        told.push(group.fault);
        sentences.push(sentence(group));
    }
    sentences
}

fn sentence(group: &Group) -> String {
    let rounds = group.outages.len();
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let each = SHARES.map(|share| {
        format!(
            "{} of all outages: {}",
            percent(share),
            percent(confidence(rounds, share))
        )
    });
    let word = if rounds == 1 { "round" } else { "rounds" };
    let mut text = format!(
        "{}: {rounds} {word}. Confidence that the worst of them is longer than {}",
        group.fault,
        each.join(", ")
    );
    let next = SHARES.into_iter().find(|share| (rounds as u32) < rounds_for(*share));
    if let Some(share) = next {
        let needed = rounds_for(share);
        text += &format!(
            "; {needed} rounds bound {} of all outages with 95 % confidence",
            percent(share)
        );
    }
    text + ". The model contains no outage longer than the worst that was measured"
}

/// What is not covered.
pub(super) fn not_covered(groups: &[Group], model: &Model<'_>, reports: &[&Report]) -> Vec<String> {
    let mut lines = Vec::new();
    let tested = |fault: &Fault| {
        groups
            .iter()
            .any(|group| group.fault == *fault && !group.outages.is_empty())
    };
    let all = Fault::ALL.to_vec();
    let untested: Vec<&str> = all
        .iter()
        .filter(|fault| !tested(fault))
        .map(|fault| fault.name())
        .collect();
    if !untested.is_empty() {
        lines.push(format!(
            "faults that no round measured ({} of {}): {}",
            untested.len(),
            all.len(),
            untested.join(", ")
        ));
    }
    // A rate of faults of any kind is also theirs.
    let rated = |fault: Fault| {
        let mut rates = model.unplanned.iter();
        rates.any(|(group, rate)| rate.fault.is_none() || group.fault == fault)
    };
    let used = |fault: Fault| model.planned.fault == fault || rated(fault);
    let measured = groups.iter().filter(|group| !group.outages.is_empty());
    let unused: Vec<&str> = measured
        .filter(|group| !used(group.fault))
        .map(|group| group.fault.name())
        .collect();
    if !unused.is_empty() {
        lines.push(format!(
            "faults that were measured and have no rate: {}",
            unused.join(", ")
        ));
    }
    let lost: u64 = reports.iter().map(|report| report.summary.lost).sum();
    if lost > 0 {
        lines.push(format!(
            "lost messages: {lost} in these rounds; the availability does not include them"
        ));
    }
    lines.extend(
        [
            "loss of the region, operator errors, DNS, clients, and everything else that no fault simulates",
            "faults that coincide with each other or with a swap: each outage is counted separately",
            "the service-level agreements of AWS: those of EC2, EFS, and NLB are 99.99 %, which are terms of a refund, not a prediction",
        ]
        .map(str::to_owned),
    );
    lines
}

//! The measured outages of several reports, by fault, and what keeps reports from being taken together.

use crate::failover::report::compare::shared_rounds;
use crate::failover::report::{Report, outage};
use crate::topology::Fault;

/// Why reports give no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// No round measured an outage and proved something.
    #[error("no conclusive round of the reports measured an outage")]
    NothingMeasured,
    /// A round would be counted twice.
    #[error("two reports contain the same rounds ({0})")]
    SharedRounds(usize),
    /// Their figures say nothing about each other.
    #[error("the reports are of different {what}: {first} and {second}")]
    Different {
        /// In what they differ.
        what: &'static str,
        /// That of one report.
        first: String,
        /// That of another one.
        second: String,
    },
    /// A rate is given for a fault whose outage is not known.
    #[error("{0} has a rate, but no conclusive round of it measured an outage")]
    NotMeasured(Fault),
}

/// The rounds of one fault.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    pub fault: Fault,
    /// Outages in seconds; one that did not end is as long as it was watched.
    pub outages: Vec<f64>,
    /// How many of them did not end.
    pub unended: u32,
    /// Rounds that do not count: they proved nothing, or measured no outage.
    pub uncounted: u32,
}

impl Group {
    pub(super) fn mean(&self) -> f64 {
        self.outages.iter().sum::<f64>() / self.outages.len().max(1) as f64
    }
}

/// The rounds of all reports by fault, in the order of the first round of each.
pub(super) fn groups(reports: &[&Report]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for run in reports.iter().flat_map(|report| &report.runs) {
        let fault = run.fault.name;
        if groups.iter().all(|group| group.fault != fault) {
            groups.push(Group {
                fault,
                outages: Vec::new(),
                unended: 0,
                uncounted: 0,
            });
        }
        let Some(group) = groups.iter_mut().find(|group| group.fault == fault) else {
            continue;
        };
        match (outage(run), &run.rto) {
            (Some(ended), Some(rto)) => {
                group.unended += u32::from(ended.is_none());
                group.outages.push(ended.unwrap_or(rto.ns) as f64 / 1e9);
            }
            _ => group.uncounted += 1,
        }
    }
    groups
}

/// Whether reports may be taken together.
///
/// # Errors
/// [`NoAnswer`] for one that is given twice, and for reports of different kinds.
pub(super) fn together(reports: &[&Report]) -> Result<(), NoAnswer> {
    for (at, a) in reports.iter().enumerate() {
        for b in &reports[at + 1..] {
            let shared = shared_rounds(a, b);
            if shared > 0 {
                return Err(NoAnswer::SharedRounds(shared));
            }
            for (what, first, second) in [
                ("places", place(a), place(b)),
                ("topologies", topology(a), topology(b)),
                ("engines", engine(a), engine(b)),
            ] {
                if first != second {
                    return Err(NoAnswer::Different { what, first, second });
                }
            }
        }
    }
    Ok(())
}

fn place(report: &Report) -> String {
    let place = &report.place;
    let parts = [Some(&place.kind), place.timing.as_ref(), place.hosts.as_ref()];
    parts.into_iter().flatten().cloned().collect::<Vec<_>>().join("/")
}

pub(super) fn topology(report: &Report) -> String {
    report.place.topology.clone().unwrap_or_else(|| "not said".to_owned())
}

/// The product without its version: rounds of two versions are taken together, those of two products are not.
fn engine(report: &Report) -> String {
    let version = report
        .engine
        .version
        .as_deref()
        .unwrap_or("an engine that is not named");
    let is_name = |word: &&str| !word.starts_with(|first: char| first.is_ascii_digit());
    let product = version
        .split_whitespace()
        .take_while(is_name)
        .collect::<Vec<_>>()
        .join(" ");
    match report.engine.stand_in && !product.contains("stand-in") {
        true => format!("{product} (a stand-in)"),
        false => product,
    }
}

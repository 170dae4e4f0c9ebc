//! The model of an outage beside what was measured, and the difference.

use super::html::Html;
use crate::failover::measure::phases::Phase;
use crate::failover::report::Report;
use crate::model::Topology;
use crate::topology::bound::{Range, bound, parameters};
use crate::topology::{self, Fault};

/// A table of the terms; nothing for a topology or a fault that this version does not know.
pub(super) fn write(page: &mut Html, report: &Report, fault: Fault, measured: &[Phase]) {
    let name = report.place.topology.as_deref().and_then(Topology::of);
    let Some(topology) = name.map(topology::of) else { return };
    let Some(stand) = topology.stand(fault) else { return };
    let bound = bound(topology, stand.by, &parameters());
    // Nothing is started, so that the model has no term.
    if bound.service.most_s == 0.0 {
        return;
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    for term in &bound.terms {
        let own = measured.iter().find(|phase| phase.name == term.name);
        rows.push(row(term.name, term.range, own.map(|phase| phase.ns)));
    }
    // The test's clients try again every 100 ms.
    let reconnect = Range {
        least_s: 0.0,
        most_s: 0.1,
    };
    for phase in measured
        .iter()
        .filter(|phase| bound.terms.iter().all(|term| term.name != phase.name))
    {
        let modeled = (phase.name == "reconnect").then_some(reconnect);
        rows.push(row(&phase.name, modeled, Some(phase.ns)));
    }
    let all: u64 = measured.iter().map(|phase| phase.ns).sum();
    let way = bound.clients.first().map(|(_, range)| *range);
    rows.push(row("all, until clients are back", way, Some(all)));
    page.table(&["Term", "Modeled", "Measured", "Difference"], 1, &rows);
    let lab = match report.place.kind.as_str() {
        "aws" => "",
        _ => " The model is of AWS: in a local cloud, shorter terms are the lab's own delays.",
    };
    page.paragraph(
        "soft",
        &format!(
            "The model has the default of each parameter; `mqaws plan --rto` names them, and which are assumed.{lab}"
        ),
    );
}

fn row(name: &str, modeled: Option<Range>, measured_ns: Option<u64>) -> Vec<String> {
    let measured = measured_ns.map(|ns| ns as f64 / 1e9);
    let difference = match (modeled, measured) {
        (Some(range), Some(seconds)) if seconds < range.least_s => format!("{:.2} s shorter", range.least_s - seconds),
        (Some(range), Some(seconds)) if seconds > range.most_s => format!("{:.2} s longer", seconds - range.most_s),
        (Some(_), Some(_)) => "within".to_owned(),
        _ => String::new(),
    };
    let modeled = match modeled {
        None => "not modeled".to_owned(),
        Some(range) if range.most_s == 0.0 => "none".to_owned(),
        Some(range) => format!("{:.1} to {:.1} s", range.least_s, range.most_s),
    };
    let measured = measured.map_or_else(|| "not seen".to_owned(), |seconds| format!("{seconds:.2} s"));
    vec![name.to_owned(), modeled, measured, difference]
}

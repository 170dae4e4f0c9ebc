//! The model of an outage beside what was measured, and the difference.

use super::html::Html;
use crate::failover::report::{ModeledPart, Report, Run};

/// A table of the parts; nothing for a topology or a fault that this version does not know.
pub(super) fn write(page: &mut Html, report: &Report, run: &Run) {
    let parts = report.modeled(run);
    if parts.is_empty() {
        return;
    }
    let measured = |part: &ModeledPart| match part.measured_ns {
        None => "not seen".to_owned(),
        Some(ns) => format!("{:.2} s", ns as f64 / 1e9),
    };
    let row = |part: &ModeledPart| vec![part.name.clone(), part.range(), measured(part), part.difference()];
    let rows: Vec<Vec<String>> = parts.iter().map(row).collect();
    page.table(&["Term", "Modeled", "Measured", "Difference"], 1, &rows);
    let lab = match report.place.kind.as_str() {
        "aws" => "",
        _ => " The model is of AWS: in a local cloud, shorter terms are the lab's own delays.",
    };
    let after = match report.waits_for_the_fault(run) {
        true => " It begins when the fault has ended; what was measured includes the time of the fault.",
        false => "",
    };
    let from = match &report.model {
        None => "The model has the default of each parameter".to_owned(),
        Some(model) => match &model.values {
            None => "The model has the parameters of the configuration".to_owned(),
            Some(values) => {
                format!("The model has the parameters of the configuration, and the measured values of {values}")
            }
        },
    };
    page.paragraph(
        "soft",
        &format!("{from}; `mqaws plan --rto` names them, and which are assumed.{after}{lab}"),
    );
}

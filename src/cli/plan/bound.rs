//! `plan --rto`: the model of an outage, term by term. It asks no cloud.

use crate::cli::settings;
use crate::cli::{CliError, Context, Outcome};
use crate::remedy::ExitKind;
use crate::topology::bound::{Bound, Measured, Parameter, Range, bound, parameters, replace};
use crate::topology::{self, Restart};
use mqaws_files::read_text;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Most bytes of a file of values.
const LARGEST: u64 = 1 << 16;

/// Shows the model for each way of the topology to end an outage.
pub(super) fn run(context: &Context, args: &super::Args) -> Outcome {
    let loaded = settings::load(context, &args.settings)?;
    let topology = topology::of(loaded.deployment.topology);
    let mut parameters = parameters();
    if let Some(path) = &args.rto_values {
        values(path, &mut parameters)?;
    }
    let mut ways: Vec<(Restart, Vec<&str>)> = Vec::new();
    for stand in topology.stands() {
        match ways.iter_mut().find(|(by, _)| *by == stand.by) {
            Some((_, faults)) => faults.push(stand.fault.name()),
            None => ways.push((stand.by, vec![stand.fault.name()])),
        }
    }
    let output = context.output();
    let ways: Vec<(Restart, Vec<&str>, Bound)> = ways
        .into_iter()
        .map(|(by, faults)| (by, faults, bound(topology, by, &parameters)))
        .collect();
    if output.is_json() {
        let ways = ways
            .iter()
            .map(|(by, faults, bound)| json!({ "restart": by.words(), "faults": faults, "bound": bound }));
        output.document(&json!({
            "schema": "mqaws.rto/1",
            "topology": topology.facts().name,
            "ways": ways.collect::<Vec<_>>(),
            "parameters": parameters,
        }));
    }
    let mut text = format!(
        "mqaws plan --rto: {}; a model, not a measurement\n",
        topology.facts().name
    );
    for (by, faults, bound) in &ways {
        let _ = write!(text, "\n{}", way(*by, faults, bound));
    }
    let _ = write!(text, "\n{}", table(&parameters));
    text += "\nThe least of each term is a lower bound: `mqaws failover-test` measures the outage.\n";
    output.data(text);
    Ok(ExitKind::Success)
}

fn values(path: &Path, parameters: &mut [Parameter]) -> Result<(), CliError> {
    let text = read_text(path, LARGEST).map_err(|source| CliError::Text {
        path: path.to_owned(),
        source,
    })?;
    let refused = |why: String| CliError::Precondition {
        message: format!("cannot use `{}`: {why}", path.display()),
        hint: Some(
            "name parameters with their seconds, such as `ec2.launch: 41.5` or `ec2.launch: [31, 44]`".to_owned(),
        ),
    };
    let values: BTreeMap<String, Measured> =
        serde_saphyr::from_str(&text).map_err(|error| refused(error.to_string()))?;
    replace(parameters, &values, &path.display().to_string()).map_err(|error| refused(error.to_string()))
}

fn seconds(range: Range) -> String {
    format!("{:.1} to {:.1} s", range.least_s, range.most_s)
}

fn way(by: Restart, faults: &[&str], bound: &Bound) -> String {
    let title = match by {
        Restart::Unnoticed => "no client notices anything",
        Restart::WhenItEnds => "clients are served again when they reconnect, or when the fault ends",
        Restart::InPlace => "the same instance starts the queue manager again",
        Restart::Elsewhere => "another instance takes over",
    };
    let mut text = format!("{title}: {}\n", faults.join(", "));
    if bound.service.most_s == 0.0 {
        return text + "  no term: nothing is started\n";
    }
    for term in &bound.terms {
        let line = match term.range {
            None => "not modeled".to_owned(),
            Some(_) if term.parameters.is_empty() => "none".to_owned(),
            Some(range) => format!("{:<18} {}", seconds(range), term.parameters.join(" + ")),
        };
        let _ = writeln!(text, "  {:<14} {line}", term.name);
    }
    let _ = writeln!(text, "  {:<14} {}", "service back", seconds(bound.service));
    for (name, range) in &bound.clients {
        let _ = writeln!(text, "  {:<14} {:<18} {name}", "clients back", seconds(*range));
    }
    text
}

fn table(parameters: &[Parameter]) -> String {
    let mut text = String::from("parameters, each replaced by --rto-values FILE\n");
    for parameter in parameters {
        let assumed = if parameter.is_assumed { "assumed: " } else { "" };
        let range = seconds(parameter.range);
        let _ = writeln!(
            text,
            "  {:<21} {range:<15} {assumed}{}",
            parameter.name, parameter.source
        );
    }
    text
}

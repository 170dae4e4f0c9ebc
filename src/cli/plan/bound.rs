//! `plan --rto`: the model of an outage, term by term. It asks no cloud.

use crate::cli::rto_values::RtoValues;
use crate::cli::settings;
use crate::cli::{Context, Outcome};
use crate::model::agent::ProofKind;
use crate::remedy::ExitKind;
use crate::topology::bound::{Bound, Course, Parameter, Range, bound, parameters};
use crate::topology::{self, Lasts, Restart, Topology};
use serde_json::json;
use std::fmt::Write;

/// A way to end an outage, with the faults that end so.
struct Way {
    course: Course,
    /// Whether the engine is started only after the fault has ended.
    lasts: bool,
    faults: Vec<&'static str>,
    bound: Bound,
}

/// Shows the model for each way of the topology to end an outage.
pub(super) fn run(context: &Context, args: &super::Args) -> Outcome {
    let loaded = settings::load(context, &args.settings)?;
    let topology = topology::of(loaded.deployment.topology);
    let values = args.rto_values.as_deref().map(RtoValues::read).transpose()?;
    let model = RtoValues::model(values.as_ref(), parameters(&loaded.deployment))?;
    let ways = ways(topology, &model.parameters);
    let output = context.output();
    if output.is_json() {
        let ways = ways.iter().map(|way| {
            json!({
                "restart": way.course.by.words(),
                "proof": way.course.proof,
                "after_the_fault": way.lasts,
                "faults": way.faults,
                "bound": way.bound,
            })
        });
        output.document(&json!({
            "schema": "mqaws.rto/1",
            "topology": topology.facts().name,
            "ways": ways.collect::<Vec<_>>(),
            "parameters": model.parameters,
        }));
    }
    let mut text = format!(
        "mqaws plan --rto: {}; a model, not a measurement\n",
        topology.facts().name
    );
    for way in &ways {
        let _ = write!(text, "\n{}", block(way));
    }
    let _ = write!(text, "\n{}", table(&model.parameters));
    text += "\nThe least of each term is a lower bound: `mqaws failover-test` measures the outage.\n";
    output.data(text);
    Ok(ExitKind::Success)
}

/// Faults whose outage consists of the same, together.
fn ways(topology: &dyn Topology, parameters: &[Parameter]) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    for stand in topology.stands() {
        let course = Course::expected(topology, *stand);
        let bound = bound(topology, &course, parameters);
        let lasts = stand.by == Restart::InPlace && stand.fault.facts().lasts != Lasts::Once;
        let same = |way: &&mut Way| {
            (way.course.by, &way.course.proof, way.lasts, &way.bound) == (course.by, &course.proof, lasts, &bound)
        };
        match ways.iter_mut().find(same) {
            Some(way) => way.faults.push(stand.fault.name()),
            None => ways.push(Way {
                course,
                lasts,
                faults: vec![stand.fault.name()],
                bound,
            }),
        }
    }
    ways
}

fn seconds(range: Range) -> String {
    format!("{:.1} to {:.1} s", range.least_s, range.most_s)
}

fn title(way: &Way) -> &'static str {
    match (way.course.by, &way.course.proof) {
        (Restart::Unnoticed, _) => "no client notices anything",
        (Restart::WhenItEnds, _) => "clients are served again when they reconnect, or when the fault ends",
        (Restart::InPlace, _) if way.lasts => {
            "after the fault has ended, the same instance starts the queue manager again"
        }
        (Restart::InPlace, _) => "the same instance starts the queue manager again",
        (Restart::Elsewhere, Some(ProofKind::Clean)) => "another instance takes over data that were released",
        (Restart::Elsewhere, Some(ProofKind::Terminated)) => "another instance takes over from one that is gone",
        (Restart::Elsewhere, _) => "another instance takes over",
    }
}

fn block(way: &Way) -> String {
    let bound = &way.bound;
    let proof = match &way.course.proof {
        Some(proof) => format!(" (proof `{proof}`)"),
        None => String::new(),
    };
    let mut text = format!("{}{proof}: {}\n", title(way), way.faults.join(", "));
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

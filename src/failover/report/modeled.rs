//! The model of an outage beside what was measured of one, part by part, and the difference.

use super::by_fault::{median, way};
use super::document::{Report, Run};
use crate::failover::measure::phases::Phase;
use crate::model;
use crate::topology::bound::{Course, Parameter, Range, bound, parameters};
use crate::topology::{self, Lasts, Restart, Topology};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The part that is left to the clients, which the model knows as a pause between their attempts.
const RECONNECT: &str = "reconnect";

/// The test's clients try again at least every 100 ms.
const PAUSE: Range = Range {
    least_s: 0.0,
    most_s: 0.1,
};

/// What the model of an outage is computed from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Model {
    /// The parameters of the configuration, each with where it is from.
    pub parameters: Vec<Parameter>,
    /// File with measured values that replaced some of them; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<String>,
}

impl Default for Model {
    /// That of a configuration without keys.
    fn default() -> Self {
        Self {
            parameters: parameters(&model::Deployment::default()),
            values: None,
        }
    }
}

/// A part of an outage as it is modeled, and as it was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModeledPart {
    /// Name of the part; the last one is the whole outage.
    pub name: String,
    /// At least, in nanoseconds; absent when the model does not know the part.
    pub least_ns: Option<u64>,
    /// At most by the defaults, in nanoseconds.
    pub most_ns: Option<u64>,
    /// As measured, in nanoseconds; absent when the part was not seen.
    pub measured_ns: Option<u64>,
    /// By how much it was shorter than the least (negative) or longer than the most; 0 within the range.
    pub difference_ns: Option<i64>,
}

impl Report {
    /// Computes the model of all outages from this.
    pub fn set_model(&mut self, model: Model) {
        self.model = Some(model);
        self.model_by_fault();
    }

    /// Computes the model of each fault's median outage, also in a report of an earlier version.
    pub(super) fn model_by_fault(&mut self) {
        for index in 0..self.summary.faults.len() {
            let fault = self.summary.faults[index].fault;
            let runs: Vec<&Run> = self.runs.iter().filter(|run| run.fault.name == fault).collect();
            let median = median(&runs);
            let parts = median.map_or_else(Vec::new, |run| self.modeled(run));
            let waits = !parts.is_empty() && median.is_some_and(|run| self.waits_for_the_fault(run));
            let summary = &mut self.summary.faults[index];
            (summary.modeled, summary.modeled_after_fault) = (parts, waits);
        }
    }

    /// What the model says of an outage that took the course of this round, beside the parts of the round's; nothing for a topology or a
    /// fault that this version does not know, and where nothing is started.
    pub(crate) fn modeled(&self, run: &Run) -> Vec<ModeledPart> {
        let (Some((topology, course)), Some(rto)) = (self.course(run), &run.rto) else {
            return Vec::new();
        };
        match &self.model {
            Some(model) => modeled(topology, &course, &model.parameters, &rto.phases),
            None => modeled(topology, &course, &Model::default().parameters, &rto.phases),
        }
    }
}

impl Report {
    /// The course that the outage of a round took; the expected one where service did not come back.
    fn course(&self, run: &Run) -> Option<(&'static dyn Topology, Course)> {
        // Before a report named its topology, there was only the first one.
        let named = self.place.topology.as_deref();
        let known = named.map_or_else(|| Some(model::Topology::default()), model::Topology::of);
        let topology = known.map(topology::of)?;
        let expected = Course::expected(topology, topology.stand(run.fault.name)?);
        let course = match way(run) {
            None => expected,
            Some((by, proof)) => expected.measured(by, proof.as_deref().map(Into::into)),
        };
        Some((topology, course))
    }

    /// Whether the model of this round's outage begins with the end of the fault: the instance that it holds up is the one that starts the
    /// queue manager again.
    pub(crate) fn waits_for_the_fault(&self, run: &Run) -> bool {
        let in_place = self
            .course(run)
            .is_some_and(|(_, course)| course.by == Restart::InPlace);
        in_place && run.fault.name.facts().lasts != Lasts::Once
    }
}

/// The parts of an outage in their order, and the whole of it as the last one; none where nothing is started, which the model says nothing of.
fn modeled(topology: &dyn Topology, course: &Course, parameters: &[Parameter], measured: &[Phase]) -> Vec<ModeledPart> {
    let bound = bound(topology, course, parameters);
    if bound.service.most_s == 0.0 || measured.is_empty() {
        return Vec::new();
    }
    let of = |name: &str| measured.iter().find(|phase| phase.name == name).map(|phase| phase.ns);
    let terms = bound
        .terms
        .iter()
        .map(|term| part(term.name, term.range, of(term.name)));
    let others = measured
        .iter()
        .filter(|phase| bound.terms.iter().all(|term| term.name != phase.name));
    let others = others.map(|phase| part(&phase.name, (phase.name == RECONNECT).then_some(PAUSE), Some(phase.ns)));
    let clients = bound.clients.first().map(|(_, range)| *range);
    let whole = part(
        ModeledPart::WHOLE,
        clients,
        Some(measured.iter().map(|phase| phase.ns).sum()),
    );
    terms.chain(others).chain([whole]).collect()
}

fn part(name: &str, range: Option<Range>, measured_ns: Option<u64>) -> ModeledPart {
    let ns = |seconds: f64| (seconds * 1e9).round() as u64;
    let (least_ns, most_ns) = (
        range.map(|range| ns(range.least_s)),
        range.map(|range| ns(range.most_s)),
    );
    let off = |least: u64, most: u64, measured: u64| match measured {
        measured if measured < least => -(least.saturating_sub(measured) as i64),
        measured => measured.saturating_sub(most) as i64,
    };
    let difference_ns = match (least_ns, most_ns, measured_ns) {
        (Some(least), Some(most), Some(measured)) => Some(off(least, most, measured)),
        _ => None,
    };
    ModeledPart {
        name: name.to_owned(),
        least_ns,
        most_ns,
        measured_ns,
        difference_ns,
    }
}

impl ModeledPart {
    /// Name of the last part, which is the whole outage.
    pub const WHOLE: &str = "all, until clients are back";

    /// The difference in words; empty where one of the two is not known.
    #[must_use]
    pub fn difference(&self) -> String {
        let seconds = |ns: u64| format!("{:.2} s", ns as f64 / 1e9);
        match self.difference_ns {
            None => String::new(),
            Some(0) => "within".to_owned(),
            Some(ns @ ..0) => format!("{} shorter", seconds(ns.unsigned_abs())),
            Some(ns) => format!("{} longer", seconds(ns.unsigned_abs())),
        }
    }

    /// What is modeled, in words.
    #[must_use]
    pub fn range(&self) -> String {
        match (self.least_ns, self.most_ns) {
            (Some(_), Some(0)) => "none".to_owned(),
            (Some(least), Some(most)) => format!("{:.1} to {:.1} s", least as f64 / 1e9, most as f64 / 1e9),
            _ => "not modeled".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failover::report::document::Host;
    use crate::failover::report::samples;
    use crate::topology::Fault;

    fn phase(name: &str, ns: u64) -> Phase {
        Phase {
            uncertainty_ns: 0,
            name: name.into(),
            detail: String::new(),
            ns,
        }
    }

    fn of(fault: Fault, measured: &[Phase]) -> Vec<ModeledPart> {
        let topology = topology::of(model::Topology::default());
        let course = Course::expected(topology, topology.stand(fault).unwrap());
        modeled(topology, &course, &Model::default().parameters, measured)
    }

    /// A report of one round, which another host ended with this proof.
    fn replaced(fault: Fault, proof: &str) -> Report {
        let mut report = samples::report(&[Some(100_000_000_000)]);
        let run = &mut report.runs[0];
        run.fault.name = fault;
        run.served_after = Some(Host {
            instance: "i-2".into(),
            zone: String::new(),
            epoch: Some(2),
            proof: Some(proof.into()),
        });
        run.rto.as_mut().unwrap().phases = vec![phase("lock", 40_000_000_000), phase("engine", 3_000_000_000)];
        report.summary.faults[0].fault = fault;
        report.model_by_fault();
        report
    }

    fn range_of(report: &Report, name: &str) -> String {
        let parts = &report.summary.faults[0].modeled;
        parts.iter().find(|part| part.name == name).unwrap().range()
    }

    #[test]
    fn every_part_stands_beside_its_model_and_says_how_far_it_is_off() {
        let measured = [
            phase("detection", 20_000_000),
            phase("engine", 9_000_000_000),
            phase("reconnect", 400_000_000),
        ];
        let parts = of(Fault::KillQueueManager, &measured);
        let said = |name: &str| {
            let part = parts.iter().find(|part| part.name == name).unwrap();
            (part.range(), part.difference())
        };
        assert_eq!(said("detection"), ("0.0 to 1.0 s".into(), "within".into()));
        assert_eq!(said("engine"), ("2.0 to 6.0 s".into(), "3.00 s longer".into()));
        assert_eq!(said("reconnect"), ("0.0 to 0.1 s".into(), "0.30 s longer".into()));
        assert_eq!(said("proof").1, "", "nobody saw it");
        let whole = parts.last().unwrap();
        assert_eq!(
            (whole.name.as_str(), whole.measured_ns),
            (ModeledPart::WHOLE, Some(9_420_000_000))
        );
        let short = of(Fault::KillQueueManager, &[phase("engine", 500_000_000)]);
        assert_eq!(short.last().unwrap().difference(), "1.50 s shorter");
    }

    #[test]
    fn where_nothing_is_started_nothing_is_modeled() {
        assert_eq!(of(Fault::ResetConnections, &[phase("reconnect", 1)]), Vec::new());
    }

    #[test]
    fn the_lock_is_modeled_by_the_proof_that_was_measured_whatever_was_expected() {
        for (fault, proof, lock) in [
            (Fault::TerminateInstance, "clean", "0.0 to 20.0 s"),
            (Fault::TerminateInstance, "terminated", "0.0 to 59.5 s"),
            (Fault::PowerOffHost, "terminated", "0.0 to 59.5 s"),
            (Fault::PowerOffHost, "clean", "0.0 to 20.0 s"),
        ] {
            assert_eq!(range_of(&replaced(fault, proof), "lock"), lock, "{fault} {proof}");
        }
        assert_eq!(
            range_of(&replaced(Fault::PowerOffHost, "lease"), "proof"),
            "45.0 to 135.0 s"
        );
    }

    #[test]
    fn a_round_in_which_clients_only_reconnected_stands_beside_no_takeover() {
        let mut report = replaced(Fault::PowerOffHost, "terminated");
        report.runs[0].served_after = Some(report.runs[0].served_before.clone());
        report.conclude();
        assert_eq!(report.summary.faults[0].modeled, Vec::new());
    }

    #[test]
    fn the_model_of_a_fault_that_lasts_says_that_it_begins_with_its_end() {
        for (fault, epoch, waits) in [
            (Fault::CutStorage, 3, true),
            (Fault::KillQueueManager, 3, false),
            (Fault::PowerOffHost, 2, false),
        ] {
            let mut report = replaced(fault, "terminated");
            if epoch == 3 {
                let before = &mut report.runs[0].served_before;
                (before.instance, before.epoch) = ("i-2".into(), Some(1));
            }
            report.conclude();
            let text = crate::failover::report::text::summary(&report);
            assert!(text.contains("modeled"), "{text}");
            let said = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(said.contains("modeled after the fault has ended,"), waits, "{text}");
        }
    }

    #[test]
    fn a_model_with_other_parameters_replaces_the_one_that_was_there() {
        let mut report = replaced(Fault::PowerOffHost, "terminated");
        let mut model = Model {
            values: Some("measured.yaml".into()),
            ..Model::default()
        };
        let start = model
            .parameters
            .iter_mut()
            .find(|one| one.name == "engine.start")
            .unwrap();
        start.range = Range {
            least_s: 3.0,
            most_s: 3.0,
        };
        report.set_model(model);
        assert_eq!(range_of(&report, "engine"), "3.0 to 4.0 s");
        let text = crate::failover::report::text::summary(&report);
        assert!(text.contains("measured values of measured.yaml"), "{text}");
    }

    #[test]
    fn a_report_without_a_model_has_one_when_it_is_read() {
        let report = replaced(Fault::PowerOffHost, "terminated");
        let mut json = serde_json::to_value(&report).unwrap();
        assert!(json["place"].get("topology").is_none());
        json["summary"]["faults"][0].as_object_mut().unwrap().remove("modeled");
        let read = Report::parse(&json.to_string()).unwrap();
        assert_eq!(read.summary.faults[0].modeled, report.summary.faults[0].modeled);
        assert!(crate::failover::report::text::summary(&read).contains("  model    power-off-host: "));
    }
}

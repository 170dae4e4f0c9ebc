//! The model of an outage beside what was measured of one, part by part, and the difference.

use super::document::{ModeledPart, Report};
use crate::failover::measure::phases::Phase;
use crate::model;
use crate::topology::bound::{Range, bound, parameters};
use crate::topology::{self, Fault, Stand, Topology};

/// The part that is left to the clients, which the model knows as a pause between their attempts.
const RECONNECT: &str = "reconnect";

/// The test's clients try again at least every 100 ms.
const PAUSE: Range = Range {
    least_s: 0.0,
    most_s: 0.1,
};

impl Report {
    /// What the model says of an outage by this fault, beside these parts of one; nothing for a topology or a fault that this version does
    /// not know.
    pub(crate) fn modeled(&self, fault: Fault, measured: &[Phase]) -> Vec<ModeledPart> {
        let topology = self
            .place
            .topology
            .as_deref()
            .and_then(model::Topology::of)
            .map(topology::of);
        let stand = topology.and_then(|topology| Some((topology, topology.stand(fault)?)));
        stand.map_or_else(Vec::new, |(topology, stand)| modeled(topology, stand, measured))
    }
}

/// The parts of an outage in their order, and the whole of it as the last one; none where nothing is started, which the model says nothing of.
fn modeled(topology: &dyn Topology, stand: Stand, measured: &[Phase]) -> Vec<ModeledPart> {
    let bound = bound(topology, stand.by, &parameters());
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

    fn phase(name: &str, ns: u64) -> Phase {
        Phase {
            uncertainty_ns: 0,
            name: name.into(),
            detail: String::new(),
            ns,
        }
    }

    #[test]
    fn every_part_stands_beside_its_model_and_says_how_far_it_is_off() {
        let topology = topology::of(model::Topology::default());
        let stand = topology.stand(Fault::KillQueueManager).unwrap();
        let measured = [
            phase("detection", 20_000_000),
            phase("engine", 9_000_000_000),
            phase("reconnect", 400_000_000),
        ];
        let parts = modeled(topology, stand, &measured);
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
        let short = modeled(topology, stand, &[phase("engine", 500_000_000)]);
        assert_eq!(short.last().unwrap().difference(), "1.50 s shorter");
    }

    #[test]
    fn where_nothing_is_started_nothing_is_modeled() {
        let topology = topology::of(model::Topology::default());
        let stand = topology.stand(Fault::ResetConnections).unwrap();
        assert_eq!(modeled(topology, stand, &[phase("reconnect", 1)]), Vec::new());
    }
}

//! The outage: its terms one after the other, and when service and clients are back.

use super::course::Course;
use super::parameters::Parameter;
use super::range::{Range, range};
use super::reconnect::{RECONNECTS, Reconnect};
use crate::topology::Topology;
use serde::Serialize;

/// One term of the model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModeledTerm {
    /// Its name in reports.
    pub name: &'static str,
    /// How long it takes; absent when the model does not know it.
    pub range: Option<Range>,
    /// The parameters that it consists of.
    pub parameters: &'static [&'static str],
}

/// The model of an outage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bound {
    /// The terms, in the order in which they must end.
    pub terms: Vec<ModeledTerm>,
    /// When service is back. A part that runs beside others is counted once, so this may be less than the sum of the terms.
    pub service: Range,
    /// When clients are, by how they come back.
    pub clients: Vec<(&'static str, Range)>,
}

/// How far an outage has got.
struct Progress {
    now: Range,
    launched: Range,
}

impl Progress {
    /// Goes on by a parameter, and returns what of it is left at that time.
    fn pass(&mut self, name: &str, takes: Range) -> Range {
        // Both run since before, beside the launch of an instance and the start of the engine.
        let until = match name {
            "lock.lease" => takes,
            "target.registered" => self.launched.and(takes),
            _ => {
                self.now = self.now.and(takes);
                if name == "autoscaling.reaction" {
                    self.launched = self.now;
                }
                return takes;
            }
        };
        let left = until.left_at(self.now);
        self.now = self.now.or_later(until);
        left
    }
}

/// The model of an outage that takes this course.
#[must_use]
pub fn bound(topology: &dyn Topology, course: &Course, parameters: &[Parameter]) -> Bound {
    let value = |name: &&'static str| {
        let found = parameters.iter().find(|parameter| parameter.name == *name);
        found.map(|parameter| (*name, parameter.range))
    };
    let mut progress = Progress {
        now: Range::ZERO,
        launched: Range::ZERO,
    };
    let terms: Vec<ModeledTerm> = topology
        .terms()
        .iter()
        .map(|term| {
            let of = topology.modeled(term.name, course);
            let sum = of.map(|names| {
                let known = names.iter().filter_map(value);
                known.fold(Range::ZERO, |sum, (name, takes)| sum.and(progress.pass(name, takes)))
            });
            ModeledTerm {
                name: term.name,
                range: sum,
                parameters: of.unwrap_or_default(),
            }
        })
        .collect();
    let service = progress.now;
    let served = |way: &Reconnect| {
        (
            way.name,
            range(way.served_s(service.least_s), way.served_s(service.most_s)),
        )
    };
    Bound {
        clients: RECONNECTS.iter().map(served).collect(),
        terms,
        service,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parameters::parameters;
    use super::*;
    use crate::model::agent::ProofKind;
    use crate::model::{self, Deployment};
    use crate::topology::{self, Fault, Restart, Stand};

    fn defaults() -> Vec<Parameter> {
        parameters(&Deployment::default())
    }

    fn of(topology: &dyn Topology, fault: Fault) -> Bound {
        let stand = topology.stand(fault).unwrap();
        bound(topology, &Course::expected(topology, stand), &defaults())
    }

    fn starts(stand: &&Stand) -> bool {
        matches!(stand.by, Restart::InPlace | Restart::Elsewhere)
    }

    #[test]
    fn every_term_of_every_topology_is_modeled() {
        for name in model::Topology::all() {
            let topology = topology::of(name);
            for stand in topology.stands().iter().filter(starts) {
                let bound = of(topology, stand.fault);
                for term in &bound.terms {
                    assert!(term.range.is_some(), "{name:?}: {}", term.name);
                }
                assert!(
                    bound.service.least_s > 0.0 && bound.service.most_s > bound.service.least_s,
                    "{bound:?}"
                );
            }
        }
        let toy = topology::of(model::Topology::TOY);
        let unknown = of(toy, toy.stands()[0].fault);
        assert!(unknown.terms.iter().any(|term| term.range.is_none()), "{unknown:?}");
    }

    #[test]
    fn every_parameter_is_of_a_term() {
        let mut used: Vec<&str> = Vec::new();
        for name in model::Topology::all() {
            let topology = topology::of(name);
            for stand in topology.stands() {
                let course = Course::expected(topology, *stand);
                let by_lease = course.clone().measured(course.by, Some(ProofKind::Lease));
                for course in [course, by_lease] {
                    used.extend(
                        bound(topology, &course, &defaults())
                            .terms
                            .iter()
                            .flat_map(|term| term.parameters),
                    );
                }
            }
        }
        for parameter in defaults() {
            assert!(used.contains(&parameter.name.as_str()), "{}", parameter.name);
        }
    }

    /// What a host released is free: no lease has to end.
    #[test]
    fn nobody_waits_for_a_lease_where_the_proof_is_clean_and_everybody_does_where_a_host_is_lost() {
        for name in model::Topology::all() {
            let topology = topology::of(name);
            for stand in topology.stands().iter().filter(|stand| stand.by == Restart::Elsewhere) {
                let bound = of(topology, stand.fault);
                let waits = bound.terms.iter().any(|term| term.parameters.contains(&"lock.lease"));
                assert_eq!(
                    waits,
                    !stand.proofs.contains(&ProofKind::Clean),
                    "{name:?}: {}",
                    stand.fault
                );
            }
        }
    }

    #[test]
    fn a_hung_queue_manager_is_noticed_by_health_checks_and_a_dead_one_at_once() {
        let topology = topology::of(model::Topology::default());
        let detection = |fault| of(topology, fault).terms[0].parameters;
        assert_eq!(detection(Fault::HangQueueManager), ["agent.health"]);
        assert_eq!(detection(Fault::KillQueueManager), ["agent.look"]);
    }

    /// A lease runs while an instance is launched, and what is left of it is waited for.
    #[test]
    fn what_runs_beside_the_launch_is_not_added_to_it() {
        let topology = topology::of(model::Topology::default());
        let mut all = defaults();
        let course = Course::expected(topology, topology.stand(Fault::PowerOffHost).unwrap());
        let [launch, lease] = ["ec2.launch", "lock.lease"].map(|name| {
            let found = all.iter().position(|parameter| parameter.name == name);
            found.unwrap()
        });
        (all[launch].range, all[lease].range) = (range(25.0, 25.0), range(90.0, 90.0));
        let long = bound(topology, &course, &all).service;
        all[launch].range = range(26.0, 26.0);
        let longer = bound(topology, &course, &all).service;
        assert_eq!(long.least_s, longer.least_s, "the lease ends last");
        let lock = bound(topology, &course, &all)
            .terms
            .iter()
            .find(|term| term.name == "lock")
            .unwrap()
            .range;
        // 26 s and a reaction of 5 to 60 s and a mount of 0.5 to 2 s have passed by then.
        assert_eq!(lock, Some(range(2.0, 58.5)));
    }

    #[test]
    fn a_longer_part_never_shortens_the_outage() {
        for name in model::Topology::all() {
            let topology = topology::of(name);
            for stand in topology.stands().iter().filter(starts) {
                let course = Course::expected(topology, *stand);
                let before = bound(topology, &course, &defaults());
                for name in defaults().iter().map(|parameter| &parameter.name) {
                    let mut all = defaults();
                    for parameter in all.iter_mut().filter(|parameter| parameter.name == *name) {
                        parameter.range = parameter.range.and(range(7.0, 7.0));
                    }
                    let after = bound(topology, &course, &all);
                    assert!(after.service.least_s >= before.service.least_s, "{name}");
                    for (one, other) in after.clients.iter().zip(&before.clients) {
                        assert!(
                            one.1.least_s >= other.1.least_s && one.1.most_s >= other.1.most_s,
                            "{name}"
                        );
                    }
                }
            }
        }
    }
}

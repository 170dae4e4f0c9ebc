//! Where the seconds of an outage went: the agent's marks laid on the client's clock.
//!
//! The cuts are taken in the order in which they must happen, each no earlier than the one before and within the outage, so the parts
//! always add up to the whole. A cut without a mark leaves its time to the part after it; nothing is invented. Which cuts there are is
//! the topology's knowledge.

use super::targets::Moment;
use crate::model::agent::{Mark, mark};
use crate::topology::{Cut, Term};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the instance's clock relates to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Clock {
    /// Wall clock in nanoseconds since 1970 at the beginning of the round.
    pub origin_unix_ns: i64,
    /// How far a mark may be off, in nanoseconds.
    pub uncertainty_ns: u64,
}

impl Clock {
    /// A wall clock time on the round's clock; may be before its beginning.
    #[must_use]
    pub fn round_ns(&self, unix_ns: i64) -> i64 {
        unix_ns.saturating_sub(self.origin_unix_ns)
    }

    /// A time of the round as wall clock.
    #[must_use]
    pub fn unix_ns(&self, round_ns: u64) -> i64 {
        self.origin_unix_ns.saturating_add_unsigned(round_ns)
    }
}

/// One part of an outage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// `detection`, `replacement`, `storage`, `proof`, `engine`, `target` or `reconnect`.
    pub name: String,
    /// A few words more, e.g. the kind of proof.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// How long it took.
    pub ns: u64,
    /// How far its end may be off, when that is known of this part alone: the time between two looks at the load balancer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub uncertainty_ns: u64,
}

fn is_zero(ns: &u64) -> bool {
    *ns == 0
}

/// Cuts an outage from `last_ok_ns` to `first_ok_ns` into the terms of a topology, and `reconnect`.
///
/// `marks` may come from several instances, in any order. `target` is until when the load balancer had none, if that was waited for.
#[must_use]
pub fn phases(
    terms: &[Term],
    marks: &[Mark],
    clock: Clock,
    last_ok_ns: u64,
    first_ok_ns: u64,
    target: Option<Moment>,
) -> Vec<Phase> {
    let at = |mark: &Mark| clock.round_ns(mark.t_unix_ns);
    let slack = i64::try_from(clock.uncertainty_ns).unwrap_or(i64::MAX);
    let (start, end) = (to_i64(last_ok_ns), to_i64(first_ok_ns));
    let mut marks: Vec<&Mark> = marks
        .iter()
        .filter(|mark| at(mark) >= start - slack && at(mark) <= end + slack)
        .collect();
    marks.sort_by_key(|mark| mark.t_unix_ns);

    // The start that ended the outage is the last one, and its instance is the one that served.
    let served = marks.iter().rposition(|one| one.mark == mark::ENGINE_STARTED);
    let server = served.map(|place| marks[place].instance.clone());
    let before_start = |name: &str| {
        let (place, server) = (served?, server.as_deref()?);
        marks[..place]
            .iter()
            .rev()
            .find(|one| one.mark == name && one.instance == server)
            .copied()
    };
    let first = |names: &[&str]| marks.iter().find(|one| names.contains(&one.mark.as_str())).copied();
    let mut phases = Vec::new();
    let mut from = start;
    for term in terms {
        let (cut, detail) = match term.until {
            Cut::First(names) => (first(names).map(at), ""),
            Cut::BeforeStart(name) => (before_start(name).map(at), ""),
            Cut::BeforeStartWithDetail(name) => {
                let found = before_start(name);
                (found.map(at), found.map_or("", |one| one.detail.as_str()))
            }
            Cut::Start => (served.map(|place| at(marks[place])), ""),
            Cut::Target => (target.map(|moment| to_i64(moment.at_ns)), ""),
        };
        let Some(cut) = cut else { continue };
        let cut = cut.clamp(from, end);
        phases.push(Phase {
            name: term.name.into(),
            detail: detail.into(),
            ns: (cut - from).unsigned_abs(),
            uncertainty_ns: match (&term.until, target) {
                (Cut::Target, Some(moment)) if cut > from => moment.uncertainty_ns,
                _ => 0,
            },
        });
        from = cut;
    }
    let rest = (end - from).unsigned_abs();
    // Without a single mark nothing is known about the parts.
    let name = if phases.is_empty() { "unattributed" } else { "reconnect" };
    phases.push(Phase {
        name: name.into(),
        detail: String::new(),
        ns: rest,
        uncertainty_ns: 0,
    });
    phases
}

fn to_i64(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Topology;
    use crate::topology;
    use proptest::prelude::*;

    const MS: i64 = 1_000_000;
    const CLOCK: Clock = Clock {
        origin_unix_ns: 1_000_000 * MS,
        uncertainty_ns: 0,
    };

    fn at(ms: i64, instance: &str, name: &str, detail: &str) -> Mark {
        Mark {
            t_unix_ns: CLOCK.origin_unix_ns + ms * MS,
            instance: instance.into(),
            epoch: 1,
            mark: name.into(),
            detail: detail.into(),
            waits: Vec::new(),
        }
    }

    fn moment(at_ns: u64) -> Moment {
        Moment {
            at_ns,
            uncertainty_ns: 7,
        }
    }

    fn shown(marks: &[Mark], start: u64, end: u64, healthy: Option<u64>) -> Vec<(String, u64)> {
        shown_by(Topology::default(), marks, start, end, healthy)
    }

    fn shown_by(name: Topology, marks: &[Mark], start: u64, end: u64, healthy: Option<u64>) -> Vec<(String, u64)> {
        let ms = MS as u64;
        let terms = topology::of(name).terms();
        phases(
            terms,
            marks,
            CLOCK,
            start * ms,
            end * ms,
            healthy.map(|at| moment(at * ms)),
        )
        .into_iter()
        .map(|phase| (format!("{}{}", phase.name, phase.detail), phase.ns / ms))
        .collect()
    }

    fn parts(list: &[(&str, u64)]) -> Vec<(String, u64)> {
        list.iter().map(|(name, ms)| ((*name).to_owned(), *ms)).collect()
    }

    #[test]
    fn restart_in_place() {
        let marks = [
            at(100, "i-1", mark::SERVING, ""), // before the outage
            at(1010, "i-1", mark::DEATH_NOTICED, ""),
            at(1011, "i-1", mark::RESTARTING, "1 of 3"),
            at(1020, "i-1", mark::PROOF, " same-host"),
            at(1230, "i-1", mark::ENGINE_STARTED, ""),
            at(1235, "i-1", mark::SERVING, ""),
        ];
        let expected = parts(&[
            ("detection", 15),
            ("proof same-host", 10),
            ("engine", 210),
            ("reconnect", 100),
        ]);
        assert_eq!(shown(&marks, 995, 1330, None), expected);
    }

    #[test]
    fn replacement_and_a_first_start_that_failed() {
        let marks = [
            at(1010, "i-1", mark::DRAINING, ""),
            at(1200, "i-1", mark::ENGINE_STARTED, ""), // came up once more, for nothing
            at(2000, "i-2", mark::AGENT_STARTED, ""),
            at(2100, "i-2", mark::MOUNTED, ""),
            at(2600, "i-2", mark::PROOF, " terminated"),
            at(2800, "i-2", mark::ENGINE_STARTED, ""),
        ];
        let expected = parts(&[
            ("detection", 10),
            ("replacement", 990),
            ("storage", 100),
            ("proof terminated", 500),
            ("engine", 200),
            ("target", 400),
            ("reconnect", 50),
        ]);
        assert_eq!(shown(&marks, 1000, 3250, Some(3200)), expected);
    }

    #[test]
    fn terms_are_those_of_the_topology() {
        let marks = [
            at(1010, "i-1", mark::DEATH_NOTICED, ""),
            at(1200, "i-2", mark::PROOF, ""),
            at(1230, "i-2", mark::ENGINE_STARTED, ""),
        ];
        let expected = parts(&[("notice", 10), ("takeover", 220), ("reconnect", 70)]);
        assert_eq!(shown_by(Topology::TOY, &marks, 1000, 1300, Some(1250)), expected);
    }

    #[test]
    fn a_target_that_was_waited_for_says_how_far_its_end_may_be_off() {
        let marks = [
            at(1010, "i-1", mark::DEATH_NOTICED, ""),
            at(1230, "i-1", mark::ENGINE_STARTED, ""),
        ];
        let terms = topology::of(Topology::default()).terms();
        let off = |target: u64| -> Vec<(String, u64)> {
            let ms = MS as u64;
            let parts = phases(terms, &marks, CLOCK, 1000 * ms, 1300 * ms, Some(moment(target * ms)));
            parts.into_iter().map(|part| (part.name, part.uncertainty_ns)).collect()
        };
        let expected = parts(&[("detection", 0), ("engine", 0), ("target", 7), ("reconnect", 0)]);
        assert_eq!(off(1250), expected);
        let over = parts(&[("detection", 0), ("engine", 0), ("target", 0), ("reconnect", 0)]);
        assert_eq!(off(1200), over, "it was there before the engine ran");
    }

    #[test]
    fn without_marks_nothing_is_invented() {
        assert_eq!(shown(&[], 1000, 2000, None), parts(&[("unattributed", 1000)]));
        let outside = [at(3000, "i-1", mark::ENGINE_STARTED, "")];
        assert_eq!(shown(&outside, 1000, 2000, None), parts(&[("unattributed", 1000)]));
    }

    proptest! {
        #[test]
        fn the_parts_add_up(
            picks in prop::collection::vec((0i64..5000, 0usize..9, 0usize..3), 0..30),
            start in 0u64..3000, length in 0u64..3000, healthy in prop::option::of(0u64..7000), off in 0u64..100,
        ) {
            let names = [
                mark::AGENT_STARTED, mark::MOUNTED, mark::PROOF, mark::ENGINE_STARTED, mark::DEATH_NOTICED,
                mark::HANG_NOTICED, mark::DRAINING, mark::SERVING, mark::CONDEMNED,
            ];
            let marks: Vec<Mark> =
                picks.into_iter().map(|(ms, name, host)| at(ms, ["i-1", "i-2", "i-3"][host], names[name], "")).collect();
            let clock = Clock { uncertainty_ns: off * MS as u64, ..CLOCK };
            let terms = topology::of(Topology::default()).terms();
            let parts = phases(terms, &marks, clock, start * MS as u64, (start + length) * MS as u64, healthy.map(|at| moment(at * MS as u64)));
            prop_assert_eq!(parts.iter().map(|part| part.ns).sum::<u64>(), length * MS as u64);
        }
    }
}

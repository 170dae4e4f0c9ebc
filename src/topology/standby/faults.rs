//! The faults that it stands, what it does about each, and of what terms an outage consists.

use crate::model::agent::mark;
use crate::topology::fault::{CLEAN, SAME_HOST, TERMINATED};
use crate::topology::{Cut, Fault, NOTICED, Restart, Stand, Term};

/// The faults.
pub(super) const STANDS: &[Stand] = &[
    Stand::new(Fault::KillAgent, Restart::Unnoticed, &[]),
    Stand::new(Fault::StallStorage, Restart::Unnoticed, &[]),
    Stand::new(Fault::ResetConnections, Restart::WhenItEnds, &[]),
    Stand::new(Fault::IdleTimeout, Restart::WhenItEnds, &[]),
    Stand::new(Fault::StopQueueManager, Restart::InPlace, SAME_HOST),
    Stand::new(Fault::KillQueueManager, Restart::InPlace, SAME_HOST),
    Stand::new(Fault::HangQueueManager, Restart::InPlace, SAME_HOST),
    Stand::new(Fault::KillKeeper, Restart::InPlace, SAME_HOST),
    Stand::new(Fault::HangHost, Restart::Elsewhere, TERMINATED),
    Stand::new(Fault::CutStorage, Restart::Elsewhere, TERMINATED),
    Stand::new(Fault::CutOneWay, Restart::WhenItEnds, &[]),
    Stand::new(Fault::CutHost, Restart::Elsewhere, TERMINATED),
    Stand::new(Fault::CutZone, Restart::Elsewhere, TERMINATED),
    Stand::new(Fault::FillStorage, Restart::WhenItEnds, &[]),
    Stand::new(Fault::Move, Restart::Elsewhere, CLEAN),
    Stand::new(Fault::TerminateInstance, Restart::Elsewhere, CLEAN),
    Stand::new(Fault::MarkUnhealthy, Restart::Elsewhere, CLEAN),
    Stand::new(Fault::PowerOffHost, Restart::Elsewhere, TERMINATED),
    Stand::new(Fault::ApiDown, Restart::Elsewhere, TERMINATED),
];

/// The terms, in the order in which they must end. No launch is among them: whoever takes over waits already.
pub(super) const TERMS: &[Term] = &[
    Term {
        name: "detection",
        until: Cut::First(NOTICED),
    },
    Term {
        name: "lock",
        until: Cut::BeforeStart(mark::LOCK_OBTAINED),
    },
    Term {
        name: "proof",
        until: Cut::BeforeStartWithDetail(mark::PROOF),
    },
    Term {
        name: "engine",
        until: Cut::Start,
    },
    Term {
        name: "target",
        until: Cut::Target,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A host that lives and whose lock ended by its lease must be gone before the one that waits may write.
    #[test]
    fn the_one_that_waits_serves_after_a_lease_that_ended_only_on_the_word_of_ec2() {
        let by = |proofs| STANDS.iter().filter(move |stand| stand.proofs == proofs);
        let gone: Vec<Fault> = by(TERMINATED).map(|stand| stand.fault).collect();
        assert_eq!(
            gone,
            [
                Fault::HangHost,
                Fault::CutStorage,
                Fault::CutHost,
                Fault::CutZone,
                Fault::PowerOffHost,
                Fault::ApiDown
            ]
        );
        assert!(by(TERMINATED).all(|stand| stand.by == Restart::Elsewhere));
    }
}

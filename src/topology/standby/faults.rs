//! The faults that it stands, what it does about each, and of what terms an outage consists.

use crate::model::agent::mark;
use crate::topology::{Cut, Fault, NOTICED, Restart, Stand, Term};

const fn stand(fault: Fault, by: Restart, proofs: &'static [&'static str]) -> Stand {
    Stand { fault, by, proofs }
}

/// The same boot of the same host, without an engine's process.
const SAME_HOST: &[&str] = &["same-host"];
/// The one of before released the data.
const CLEAN: &[&str] = &["clean"];
/// The one of before is gone by EC2's word.
const TERMINATED: &[&str] = &["terminated"];

/// The faults.
pub(super) const STANDS: &[Stand] = &[
    stand(Fault::KillAgent, Restart::Unnoticed, &[]),
    stand(Fault::StallStorage, Restart::Unnoticed, &[]),
    stand(Fault::ResetConnections, Restart::WhenItEnds, &[]),
    stand(Fault::StopQueueManager, Restart::InPlace, SAME_HOST),
    stand(Fault::KillQueueManager, Restart::InPlace, SAME_HOST),
    stand(Fault::HangQueueManager, Restart::InPlace, SAME_HOST),
    stand(Fault::KillKeeper, Restart::InPlace, SAME_HOST),
    stand(Fault::HangHost, Restart::Elsewhere, TERMINATED),
    stand(Fault::CutStorage, Restart::Elsewhere, TERMINATED),
    stand(Fault::CutOneWay, Restart::WhenItEnds, &[]),
    stand(Fault::CutHost, Restart::Elsewhere, TERMINATED),
    stand(Fault::CutZone, Restart::Elsewhere, TERMINATED),
    stand(Fault::FillStorage, Restart::WhenItEnds, &[]),
    stand(Fault::TerminateInstance, Restart::Elsewhere, CLEAN),
    stand(Fault::MarkUnhealthy, Restart::Elsewhere, CLEAN),
    stand(Fault::PowerOffHost, Restart::Elsewhere, TERMINATED),
    stand(Fault::ApiDown, Restart::Elsewhere, TERMINATED),
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

    #[test]
    fn it_stands_every_fault_and_a_proof_is_wanted_where_an_engine_starts() {
        let stood: Vec<Fault> = STANDS.iter().map(|stand| stand.fault).collect();
        assert_eq!(stood, Fault::ALL);
        for stand in STANDS {
            let starts = matches!(stand.by, Restart::InPlace | Restart::Elsewhere);
            assert_eq!(!stand.proofs.is_empty(), starts, "{}", stand.fault);
            assert_eq!(
                stand.by == Restart::InPlace,
                stand.proofs == SAME_HOST,
                "{}",
                stand.fault
            );
        }
    }

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

//! The faults that it stands, what it does about each, and of what terms an outage consists.

use crate::model::agent::mark;
use crate::topology::{Cut, Fault, NOTICED, Restart, Stand, Term};

const fn stand(fault: Fault, by: Restart) -> Stand {
    Stand { fault, by }
}

/// The faults.
pub(super) const STANDS: &[Stand] = &[
    stand(Fault::StopQueueManager, Restart::InPlace),
    stand(Fault::KillQueueManager, Restart::InPlace),
    stand(Fault::HangQueueManager, Restart::InPlace),
    stand(Fault::TerminateInstance, Restart::Elsewhere),
    stand(Fault::MarkUnhealthy, Restart::Elsewhere),
];

/// The terms, in the order in which they must end.
pub(super) const TERMS: &[Term] = &[
    Term {
        name: "detection",
        until: Cut::First(NOTICED),
    },
    Term {
        name: "replacement",
        until: Cut::BeforeStart(mark::AGENT_STARTED),
    },
    Term {
        name: "storage",
        until: Cut::BeforeStart(mark::MOUNTED),
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
    fn what_is_done_to_the_engine_alone_is_made_good_in_place() {
        use Restart::{Elsewhere, InPlace};
        let stood: Vec<_> = STANDS.iter().map(|stand| (stand.fault, stand.by)).collect();
        assert_eq!(
            stood,
            [
                (Fault::StopQueueManager, InPlace),
                (Fault::KillQueueManager, InPlace),
                (Fault::HangQueueManager, InPlace),
                (Fault::TerminateInstance, Elsewhere),
                (Fault::MarkUnhealthy, Elsewhere),
            ]
        );
    }
}

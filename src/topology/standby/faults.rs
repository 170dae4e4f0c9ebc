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
/// The same, or its lease ended while EC2 could not be asked.
const GONE: &[&str] = &["terminated", "lease"];

/// The faults.
pub(super) const STANDS: &[Stand] = &[
    stand(Fault::KillAgent, Restart::Unnoticed, &[]),
    stand(Fault::StallStorage, Restart::Unnoticed, &[]),
    stand(Fault::ResetConnections, Restart::WhenItEnds, &[]),
    stand(Fault::StopQueueManager, Restart::InPlace, SAME_HOST),
    stand(Fault::KillQueueManager, Restart::InPlace, SAME_HOST),
    stand(Fault::HangQueueManager, Restart::InPlace, SAME_HOST),
    stand(Fault::KillKeeper, Restart::Elsewhere, TERMINATED),
    stand(Fault::HangHost, Restart::Elsewhere, TERMINATED),
    stand(Fault::CutStorage, Restart::Elsewhere, TERMINATED),
    stand(Fault::CutOneWay, Restart::WhenItEnds, &[]),
    stand(Fault::CutHost, Restart::Elsewhere, TERMINATED),
    stand(Fault::CutZone, Restart::Elsewhere, TERMINATED),
    stand(Fault::FillStorage, Restart::WhenItEnds, &[]),
    stand(Fault::TerminateInstance, Restart::Elsewhere, CLEAN),
    stand(Fault::MarkUnhealthy, Restart::Elsewhere, CLEAN),
    stand(Fault::PowerOffHost, Restart::Elsewhere, TERMINATED),
    stand(Fault::ApiDown, Restart::Elsewhere, GONE),
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

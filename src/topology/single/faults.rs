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
    Stand::new(Fault::HangHost, Restart::InPlace, SAME_HOST),
    Stand::new(Fault::CutStorage, Restart::InPlace, SAME_HOST),
    Stand::new(Fault::CutOneWay, Restart::WhenItEnds, &[]),
    Stand::new(Fault::CutHost, Restart::InPlace, SAME_HOST),
    Stand::new(Fault::CutZone, Restart::InPlace, SAME_HOST),
    Stand::new(Fault::FillStorage, Restart::WhenItEnds, &[]),
    Stand::new(Fault::Move, Restart::Elsewhere, CLEAN),
    Stand::new(Fault::TerminateInstance, Restart::Elsewhere, CLEAN),
    Stand::new(Fault::MarkUnhealthy, Restart::Elsewhere, CLEAN),
    Stand::new(Fault::PowerOffHost, Restart::Elsewhere, TERMINATED),
    Stand::new(Fault::ApiDown, Restart::Elsewhere, TERMINATED),
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

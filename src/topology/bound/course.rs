//! What course an outage takes, and of which parameters its terms then consist.

use crate::model::agent::ProofKind;
use crate::topology::{Fault, Restart, Stand, Topology};

/// The course of an outage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// What was done.
    pub fault: Fault,
    /// How service comes back.
    pub by: Restart,
    /// The proof with which the engine starts; absent when none starts, or any will do.
    pub proof: Option<ProofKind>,
    /// Whether an instance must be launched for it, instead of one that waits.
    pub launches: bool,
}

impl Course {
    /// The course that a topology is to take.
    #[must_use]
    pub fn expected(topology: &dyn Topology, stand: Stand) -> Self {
        let has_launch = topology.terms().iter().any(|term| term.name == "replacement");
        Self {
            fault: stand.fault,
            by: stand.by,
            proof: stand.proofs.first().cloned(),
            launches: has_launch && stand.by == Restart::Elsewhere,
        }
    }

    /// The same, as it was measured instead.
    #[must_use]
    pub fn measured(self, by: Restart, proof: Option<ProofKind>) -> Self {
        Self {
            launches: self.launches && by == Restart::Elsewhere,
            by,
            proof: proof.or(self.proof),
            ..self
        }
    }
}

/// The parameters of a term by its name, where that is one of the usual ones; `None` for a term that the model does not know.
#[must_use]
pub fn usual(term: &str, course: &Course) -> Option<&'static [&'static str]> {
    use ProofKind::{Clean, Lease};
    Some(match (term, course.by, &course.proof) {
        ("detection", Restart::InPlace, _) if course.fault == Fault::HangQueueManager => &["agent.health"],
        ("detection", Restart::InPlace, _) => &["agent.look"],
        // An operator's order goes to the agent of a host that waits to be relieved; nothing has to be noticed.
        ("detection", Restart::Elsewhere, _) if course.fault == Fault::Move && !course.launches => &[],
        ("detection", Restart::Elsewhere, Some(Clean) | None) => &["agent.notice"],
        // A host that is lost notices nothing, and who comes after it waits for the lock.
        ("detection", Restart::Elsewhere, Some(_)) => &[],
        ("replacement", Restart::Elsewhere, _) => &["autoscaling.reaction", "ec2.launch"],
        ("storage", Restart::Elsewhere, _) => &["storage.mount"],
        ("lock", Restart::Elsewhere, Some(Clean)) => &["engine.stop"],
        ("lock", Restart::Elsewhere, _) => &["lock.lease"],
        ("proof", Restart::InPlace, _) => &["proof.same-host"],
        ("proof", Restart::Elsewhere, Some(Clean)) => &["proof.clean"],
        ("proof", Restart::Elsewhere, Some(Lease)) => &["proof.lease"],
        ("proof", Restart::Elsewhere, _) => &["proof.terminated"],
        ("engine", Restart::InPlace | Restart::Elsewhere, _) => &["engine.start", "engine.replay"],
        ("target", Restart::Elsewhere, _) if course.launches => &["target.registered", "target.healthy"],
        ("target", Restart::Elsewhere, _) => &["target.healthy"],
        ("replacement" | "storage" | "lock" | "target", Restart::InPlace, _) => &[],
        // Nothing is started: what lasts is the fault itself, which is no term.
        (
            "detection" | "replacement" | "storage" | "lock" | "proof" | "engine" | "target",
            Restart::Unnoticed | Restart::WhenItEnds,
            _,
        ) => &[],
        _ => return None,
    })
}

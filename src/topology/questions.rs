//! What the rest of the program asks a topology.

use super::bound::{self, Course};
use super::{Anchored, Change, Facts, Fault, Meaning, Role, Seen, Stand, Term};
use crate::model::Deployment;
use crate::model::agent::AgentStatus;
use crate::template::Template;

/// Adds one group of resources, or of outputs, to a template.
pub type Builder = fn(&mut Template, &Deployment);

/// How an operator moves the queue manager to another host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlannedMove {
    /// The agent that serves lets go of the data, and a host that waits takes over.
    HandOver,
    /// The group is taken to no instance and back to one: the old instance drains, and another one is launched.
    Relaunch,
}

/// A way to make a queue manager highly available: where the data is, who decides which member may write, how clients find it.
///
/// Everything that is particular to one is in its folder; whoever deploys, observes or tests asks here, and nowhere matches on a
/// name.
pub trait Topology: Sync {
    /// What it is made of.
    fn facts(&self) -> &'static Facts;

    /// What its template consists of, in the template's order; parameters, rules and conditions are there already.
    fn builders(&self) -> &'static [Builder];

    /// What one change of a change set means, beside the others.
    fn meaning(&self, change: &Change, set: &[Change]) -> Meaning;

    /// What cannot move while it stands.
    fn anchored(&self) -> &'static Anchored;

    /// Parts of a path in the template with logical ids of its own, and the key of the configuration whose value ends up there.
    fn keys(&self) -> &'static [(&'static str, &'static str)];

    /// What a member does, by its agent's word.
    fn role(&self, agent: &AgentStatus) -> Role;

    /// Whether service is given as it should be, by the roles of the members; [`Role::Unknown`] for one without an instance in service.
    fn is_service(&self, roles: &[Role]) -> bool;

    /// Whether clients are served at all, be it by fewer members than there should be.
    fn is_served(&self, roles: &[Role]) -> bool {
        self.is_service(roles) || roles.contains(&Role::Active)
    }

    /// Whether service can come while so many of its members are held up until a person acts.
    fn can_serve_without(&self, members: usize) -> bool;

    /// How an operator moves the queue manager to another host.
    fn planned_move(&self) -> PlannedMove {
        match self.facts().members.len() {
            0 | 1 => PlannedMove::Relaunch,
            _ => PlannedMove::HandOver,
        }
    }

    /// Which of the groups' instances have agents that tell whether there is something to test, as indices.
    ///
    /// # Errors
    /// Why there is nothing to test, in words.
    fn asked(&self, seen: &[Seen<'_>]) -> Result<Vec<usize>, String>;

    /// Which of the agents that were asked is where clients are served.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn serving(&self, agents: &[AgentStatus]) -> Result<usize, String>;

    /// Logical ids of the alarms that say that service is not as it should be.
    fn alarms(&self) -> &'static [&'static str];

    /// The faults that it stands, and what it must do about each.
    fn stands(&self) -> &'static [Stand];

    /// What it does about a fault; `None` when it does not stand it.
    fn stand(&self, fault: Fault) -> Option<Stand> {
        self.stands().iter().copied().find(|stand| stand.fault == fault)
    }

    /// Of what terms an outage consists, in the order in which they must end.
    fn terms(&self) -> &'static [Term];

    /// Of which parameters a term consists, by its name, for an outage that takes this course; `None` when there is no model of it.
    fn modeled(&self, term: &str, course: &Course) -> Option<&'static [&'static str]> {
        bound::usual(term, course)
    }
}

//! `standby`: two hosts in two zones on one file system, of which one runs the queue manager and the other is ready to.
//!
//! A group of at most one instance in each zone keeps them. The host that waits has mounted, knows the queue manager and waits
//! for the lock, and runs no engine: the owner record on the file system, read and written by the agent, decides whether it may
//! start one. Clients follow through a network load balancer, behind which only the active host listens.

mod alarms;
mod changes;
mod faults;
mod ids;
mod members;
mod outputs;
mod service;

use super::shared_data;
use super::{Anchored, Arbiter, Builder, Change, Engines, Facts, Meaning, Role, Seen, Stand, Term, Topology};
use crate::model::agent::AgentStatus;
use crate::render::{credentials, documents, load_balancer, network, security_groups, shared_storage, writer_role};

/// The topology.
pub(super) struct Standby;

impl Topology for Standby {
    fn facts(&self) -> &'static Facts {
        &Facts {
            name: "standby",
            summary: "two instances in two zones on the same data: one is active, the other is ready to take over",
            description: "one queue manager on EFS, active in one of two zones and ready to start in the other, behind an NLB",
            members: &ids::MEMBERS,
            arbiter: Arbiter::OwnerRecord,
            engines: Engines::Any,
            alone: false,
        }
    }

    fn builders(&self) -> &'static [Builder] {
        &[
            network::add_vpc,
            security_groups::add,
            network::add_endpoints,
            shared_storage::add,
            credentials::add,
            writer_role::add,
            load_balancer::add,
            members::add,
            alarms::add,
            outputs::add,
            documents::add,
        ]
    }

    fn meaning(&self, change: &Change, set: &[Change]) -> Meaning {
        changes::meaning(change, set)
    }

    fn anchored(&self) -> &'static Anchored {
        &shared_data::ANCHORED
    }

    fn keys(&self) -> &'static [(&'static str, &'static str)] {
        shared_data::KEYS
    }

    fn role(&self, agent: &AgentStatus) -> Role {
        service::role(agent)
    }

    fn is_service(&self, roles: &[Role]) -> bool {
        roles.contains(&Role::Active) && roles.contains(&Role::Standby)
    }

    fn can_serve_without(&self, members: usize) -> bool {
        members < ids::MEMBERS.len()
    }

    fn asked(&self, seen: &[Seen<'_>]) -> Result<Vec<usize>, String> {
        service::asked(seen)
    }

    fn serving(&self, agents: &[AgentStatus]) -> Result<usize, String> {
        service::serving(agents)
    }

    fn alarms(&self) -> &'static [&'static str] {
        &alarms::OF_SERVICE
    }

    fn stands(&self) -> &'static [Stand] {
        faults::STANDS
    }

    fn terms(&self) -> &'static [Term] {
        faults::TERMS
    }
}

#[cfg(test)]
mod tests;

//! `single`: one instance at a time writes to a file system that reaches both zones.
//!
//! A group of at most one instance replaces it in either zone; the owner record on the file system, read and written by the
//! agent, decides whether the successor may start. Clients follow through a network load balancer.

mod alarms;
mod changes;
mod compute;
mod faults;
mod ids;
mod outputs;
mod service;

use super::shared_data;
use super::{Anchored, Arbiter, Builder, Change, Engines, Facts, Meaning, Role, Seen, Stand, Term, Topology};
use crate::model::agent::AgentStatus;
use crate::render::{credentials, documents, load_balancer, network, security_groups, shared_storage, writer_role};

/// The topology.
pub(super) struct Single;

impl Topology for Single {
    fn facts(&self) -> &'static Facts {
        &Facts {
            name: "single",
            summary: "one instance, replaced in either of two zones, on the same data",
            description: "one queue manager on EFS, in either of two zones, behind an NLB",
            members: &[ids::MEMBER],
            arbiter: Arbiter::OwnerRecord,
            engines: Engines::Any,
            alone: true,
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
            compute::add,
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
        roles.contains(&Role::Active)
    }

    fn can_serve_without(&self, members: usize) -> bool {
        members == 0
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

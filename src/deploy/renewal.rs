//! In which order the members of a stack are renewed: the active one last, so that service moves once.

use crate::model::{InstanceId, Topology};
use crate::observe::ports::{Readings, Stack};
use crate::stack::Parts;
use crate::topology::{self, Role};
use serde::Serialize;

/// The member that is renewed after the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Renewal {
    /// Logical id of its group.
    pub last: &'static str,
    /// Its instance, which is active.
    pub instance: InstanceId,
}

/// Who is active, where several members share the data; `None` for a single member, and where it cannot be told.
pub(super) async fn renewal<C: Readings>(cloud: &C, topology: Topology, stack: &Stack) -> Option<Renewal> {
    let of = topology::of(topology);
    if of.facts().members.len() < 2 {
        return None;
    }
    let parts = Parts::read(&stack.name, &stack.outputs, &stack.tags).ok()?;
    let mut active = Vec::new();
    // The output names the groups in the topology's order.
    for (member, own) in parts.members.iter().zip(of.facts().members) {
        let group = cloud.group(&member.group).await.ok().flatten();
        for instance in group
            .iter()
            .flat_map(|group| &group.members)
            .filter(|one| one.is_in_service())
        {
            let agent = cloud.agent_status(&parts.documents, &instance.instance).await;
            if agent.is_ok_and(|agent| of.role(&agent) == Role::Active) {
                active.push(Renewal {
                    last: own.group,
                    instance: instance.instance.clone(),
                });
            }
        }
    }
    // Of two that say so, one is about to find out.
    match active.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
}

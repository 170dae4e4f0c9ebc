//! In which order the members of a stack are renewed: the active one last, so that service moves once.

use super::error::DeployError;
use super::plan::Plan;
use crate::model::agent::AgentStatus;
use crate::model::{InstanceId, Topology};
use crate::observe::agents::{ANSWER, ask};
use crate::observe::ports::{GroupInstance, Readings, Stack};
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

/// Refuses a plan that renews another member last than the one that is active now: its order would move service twice. Where nobody can be
/// told to be active, as in the middle of a move, the order is as good as any.
///
/// # Errors
/// [`DeployError::Moved`], [`DeployError::Aws`]; nothing was executed.
pub(super) async fn still_last<C: Readings>(cloud: &C, plan: &Plan) -> Result<(), DeployError> {
    let Some(planned) = &plan.renewal else { return Ok(()) };
    let Some(stack) = cloud.stack(&plan.stack).await? else {
        return Ok(());
    };
    match renewal(cloud, plan.topology, &stack).await {
        Some(now) if now.last != planned.last => Err(DeployError::Moved {
            stack: plan.stack.clone(),
            from: planned.instance.clone(),
            to: now.instance,
        }),
        _ => Ok(()),
    }
}

/// Who is active, where several members share the data; `None` for a single member, and where it cannot be told.
pub(super) async fn renewal<C: Readings>(cloud: &C, topology: Topology, stack: &Stack) -> Option<Renewal> {
    let of = topology::of(topology);
    if of.facts().members.len() < 2 {
        return None;
    }
    let parts = Parts::read(&stack.name, &stack.outputs, &stack.tags).ok()?;
    // The output names the groups in the topology's order.
    let mut seated = Vec::new();
    for (member, own) in parts.members.iter().zip(of.facts().members) {
        let group = cloud.group(&member.group).await.ok().flatten();
        let members = group.into_iter().flat_map(|group| group.members);
        seated.extend(
            members
                .filter(GroupInstance::is_in_service)
                .map(|one| (own.group, one.instance)),
        );
    }
    let asked: Vec<&InstanceId> = seated.iter().map(|(_, instance)| instance).collect();
    let agents = ask(cloud, &parts.documents, &asked, ANSWER).await;
    let is_active = |agent: &Result<AgentStatus, _>| agent.as_ref().is_ok_and(|agent| of.role(agent) == Role::Active);
    let active = seated.iter().zip(&agents).filter(|(_, agent)| is_active(agent));
    let active: Vec<Renewal> = active
        .map(|((last, instance), _)| Renewal {
            last,
            instance: instance.clone(),
        })
        .collect();
    // Of two that say so, one is about to find out.
    match active.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
}

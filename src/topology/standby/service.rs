//! What shows service: one host is active, and as it should be another one is ready to take over.

use super::ids::MEMBERS;
use crate::model::agent::{AgentState, AgentStatus};
use crate::topology::role::listed;
use crate::topology::{Role, Seen};

/// What a member does, by its agent's word.
pub(super) fn role(agent: &AgentStatus) -> Role {
    use AgentState as State;
    match agent.current_state() {
        State::Serving => Role::Active,
        State::Standby => Role::Standby,
        State::Booting | State::Mounting | State::Fencing | State::Adopting | State::Starting | State::Restarting => {
            Role::Starting
        }
        // No copy of the data is a member of anything here.
        State::Joining => Role::Unknown,
        State::Condemned | State::Draining | State::Stopped | State::Paused | State::Unknown | State::Other(_) => {
            Role::Unknown
        }
    }
}

/// Whose agents tell whether there is something to test: those of both members.
pub(super) fn asked(seen: &[Seen<'_>]) -> Result<Vec<usize>, String> {
    let in_service: Vec<usize> = (0..seen.len()).filter(|&index| seen[index].is_in_service()).collect();
    match in_service.len() {
        // With fewer there is nobody to fail over to, with more one takes over from another.
        count if count == MEMBERS.len() => Ok(in_service),
        count => Err(format!("{count} instances in service ({})", listed(seen))),
    }
}

/// Which of the agents that were asked serves; the other one must be ready.
pub(super) fn serving(agents: &[AgentStatus]) -> Result<usize, String> {
    let active = agents.iter().position(|one| role(one) == Role::Active);
    let ready = agents.iter().any(|one| role(one) == Role::Standby);
    let words = agents
        .iter()
        .map(|one| format!("the agent on {} is {}", one.instance, one.current_state()));
    active
        .filter(|_| ready)
        .ok_or_else(|| words.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::tests::{agent, instance};

    #[test]
    fn both_members_are_asked_and_one_of_them_serves_while_the_other_is_ready() {
        let (one, two) = (instance("i-1"), instance("i-2"));
        let seen =
            |first, second| [(&one, first), (&two, second)].map(|(instance, lifecycle)| Seen { instance, lifecycle });
        assert_eq!(asked(&seen("InService", "InService")), Ok(vec![0, 1]));
        let words = asked(&seen("InService", "Pending")).unwrap_err();
        assert_eq!(words, "1 instances in service (i-1 InService, i-2 Pending)");

        assert_eq!(serving(&[agent("i-1", "standby"), agent("i-2", "serving")]), Ok(1));
        for (first, second) in [("serving", "fencing"), ("standby", "restarting")] {
            let words = serving(&[agent("i-1", first), agent("i-2", second)]).unwrap_err();
            assert_eq!(
                words,
                format!("the agent on i-1 is {first}, the agent on i-2 is {second}")
            );
        }
    }

    #[test]
    fn a_host_that_waits_and_is_not_ready_is_on_its_way() {
        assert_eq!(role(&agent("i-1", "standby")), Role::Standby);
        assert_eq!(role(&agent("i-1", "fencing")), Role::Starting);
        assert_eq!(role(&agent("i-1", "condemned")), Role::Unknown);
    }
}

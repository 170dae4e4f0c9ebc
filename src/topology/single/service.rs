//! What shows service: one instance in service whose agent serves.

use crate::model::agent::{AgentState, AgentStatus};
use crate::topology::role::listed;
use crate::topology::{Role, Seen};

/// What a member does, by its agent's word.
pub(super) fn role(agent: &AgentStatus) -> Role {
    use AgentState as State;
    match agent.current_state() {
        State::Serving => Role::Active,
        State::Booting | State::Mounting | State::Fencing | State::Adopting | State::Starting | State::Restarting => {
            Role::Starting
        }
        // Nobody waits beside the one instance.
        State::Standby => Role::Unknown,
        // No copy of the data is a member of anything here.
        State::Joining => Role::Unknown,
        State::Condemned | State::Draining | State::Stopped | State::Paused | State::Unknown | State::Other(_) => {
            Role::Unknown
        }
    }
}

/// Whose agent tells whether there is something to test.
pub(super) fn asked(seen: &[Seen<'_>]) -> Result<Vec<usize>, String> {
    let in_service: Vec<usize> = (0..seen.len()).filter(|&index| seen[index].is_in_service()).collect();
    match in_service.len() {
        // While one takes over from another nobody can say whose faults are whose.
        1 => Ok(in_service),
        count => Err(format!("{count} instances in service ({})", listed(seen))),
    }
}

/// Which of the agents that were asked serves.
pub(super) fn serving(agents: &[AgentStatus]) -> Result<usize, String> {
    let words = agents
        .iter()
        .map(|one| format!("the agent on {} is {}", one.instance, one.current_state()));
    let found = agents.iter().position(|one| role(one) == Role::Active);
    found.ok_or_else(|| words.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::tests::{agent, instance};

    #[test]
    fn exactly_one_in_service_is_asked() {
        let (one, two) = (instance("i-1"), instance("i-2"));
        let seen =
            |first, second| [(&one, first), (&two, second)].map(|(instance, lifecycle)| Seen { instance, lifecycle });
        assert_eq!(asked(&seen("Terminating:Wait", "InService")), Ok(vec![1]));
        let words = asked(&seen("InService", "InService")).unwrap_err();
        assert_eq!(words, "2 instances in service (i-1 InService, i-2 InService)");
        assert_eq!(asked(&[]).unwrap_err(), "0 instances in service ()");
    }

    #[test]
    fn an_agent_that_serves_is_the_evidence() {
        assert_eq!(serving(&[agent("i-1", "serving")]), Ok(0));
        assert_eq!(
            serving(&[agent("i-1", "fencing")]).unwrap_err(),
            "the agent on i-1 is fencing"
        );
        assert_eq!(role(&agent("i-1", "condemned")), Role::Unknown);
        assert_eq!(role(&agent("i-1", "something-new")), Role::Unknown);
    }
}

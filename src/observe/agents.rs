//! What the agents of several instances say, asked at the same time, and whose word counts for the queue manager.

use super::ports::{ReadError, Readings};
use crate::model::InstanceId;
use crate::model::agent::{AgentState, AgentStatus};
use crate::stack::Documents;
use crate::topology::Role;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// How long an agent has to answer. Systems Manager keeps a command for a host that hangs for half a minute, whatever the others say.
pub const ANSWER: Duration = Duration::from_secs(8);

/// What each of these agents says, in their order; one that does not answer in time holds up none of the others.
pub async fn ask<C: Readings>(
    cloud: &C,
    documents: &Documents,
    instances: &[&InstanceId],
    limit: Duration,
) -> Vec<Result<AgentStatus, ReadError>> {
    let asked = instances.iter().map(|instance| async move {
        let answer = tokio::time::timeout(limit, cloud.agent_status(documents, instance)).await;
        answer.unwrap_or_else(|_| {
            Err(ReadError::Silent {
                instance: instance.to_string(),
                seconds: limit.as_secs(),
            })
        })
    });
    all(asked).await
}

/// Whose word counts: that of the agent where clients are served, else of the one that has the data, paused or on its way, else the
/// first that said anything. Which member is listed first says nothing.
pub fn speaks<'a>(said: impl IntoIterator<Item = (Role, Option<&'a AgentStatus>)>) -> Option<usize> {
    let weight = |(role, agent): (Role, Option<&AgentStatus>)| {
        let agent = agent?;
        let known = *agent.current_state() != AgentState::Unknown;
        Some(match agent.current_state() {
            _ if role == Role::Active => 4,
            AgentState::Paused => 3,
            _ if known && agent.lock_held => 2,
            _ if known => 1,
            _ => 0,
        })
    };
    let weighed = said.into_iter().enumerate();
    let weighed = weighed.filter_map(|(index, one)| Some((weight(one)?, std::cmp::Reverse(index))));
    weighed.max().map(|(_, index)| index.0)
}

/// Awaits all of them at the same time; their outputs are in their order.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    let mut done = pin!(poll_fn(|context| {
        for (future, output) in &mut waiting {
            if output.is_none()
                && let Poll::Ready(found) = future.as_mut().poll(context)
            {
                *output = Some(found);
            }
        }
        match waiting.iter().all(|(_, output)| output.is_some()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }));
    done.as_mut().await;
    waiting.into_iter().filter_map(|(_, output)| output).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::tests::agent;

    #[test]
    fn the_owner_of_the_data_speaks_whichever_member_is_listed_first() {
        let waits = |instance| agent(instance, AgentState::Standby.as_str());
        let owner = |state: &str| AgentStatus {
            lock_held: true,
            ..agent("i-1", state)
        };
        let silent = AgentStatus {
            age_seconds: Some(60),
            ..owner("fencing")
        };
        for (said, expected) in [
            ([(Role::Standby, waits("i-2")), (Role::Unknown, owner("paused"))], 1),
            ([(Role::Unknown, owner("paused")), (Role::Standby, waits("i-2"))], 0),
            ([(Role::Standby, waits("i-2")), (Role::Starting, owner("starting"))], 1),
            ([(Role::Standby, waits("i-2")), (Role::Active, owner("serving"))], 1),
            ([(Role::Unknown, silent), (Role::Standby, waits("i-2"))], 1),
            ([(Role::Standby, waits("i-1")), (Role::Standby, waits("i-2"))], 0),
        ] {
            let heard = said.iter().map(|(role, agent)| (*role, Some(agent)));
            assert_eq!(speaks(heard), Some(expected), "{said:?}");
        }
        assert_eq!(speaks([(Role::Unknown, None)]), None);
    }
}

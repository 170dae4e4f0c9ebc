//! A planned move of the queue manager to another host.

mod error;

pub use error::MoveError;

use super::watch::{Observer, Pace, Step, Stop};
use crate::cloud::AwsError;
use crate::model::InstanceId;
use crate::model::agent::{AgentState, AgentStatus};
use crate::observe::agents::{ANSWER, ask};
use crate::observe::ports::{Group, ReadError, Readings};
use crate::observe::state::Blocker;
use crate::observe::status::gather;
use crate::stack::{Documents, Parts};
use crate::topology::{self, PlannedMove, Role};
use serde::Serialize;
use std::future::Future;
use std::time::{Duration, Instant};

/// The calls that a move needs beside those that read.
pub trait Moves: Readings {
    /// Has the agent of an instance let go of the data, whether another host is ready or, with `unready`, not.
    fn hand_over(
        &self,
        documents: &Documents,
        instance: &InstanceId,
        unready: bool,
    ) -> impl Future<Output = Result<AgentStatus, ReadError>> + Send;
    /// Auto Scaling SetDesiredCapacity.
    fn set_capacity(&self, group: &str, desired: u32) -> impl Future<Output = Result<(), AwsError>> + Send;
}

/// A move that can begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Move {
    /// Name of the stack.
    pub stack: String,
    /// The queue manager.
    pub queue_manager: String,
    /// Where it is.
    pub from: InstanceId,
    /// Which host is ready to take over, where one waits.
    pub to: Option<InstanceId>,
    /// How it is moved.
    pub how: PlannedMove,
    /// Whether it is moved though no host is ready.
    unready: bool,
    epoch: u64,
    parts: Parts,
}

/// A move that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Where the queue manager was.
    pub from: InstanceId,
    /// Where it serves now; where it was, when no other host took over.
    pub to: String,
    /// Epoch of the owner record.
    pub epoch: u64,
    /// The proof of its start.
    pub proof: Option<String>,
}

/// Reads whether the queue manager can be moved, and where to; `None` when there is no such stack.
///
/// # Errors
/// [`MoveError`]; nothing was changed.
pub async fn prepare_move<C: Readings>(
    cloud: &C,
    name: &str,
    region: &str,
    local: bool,
    unready: bool,
) -> Result<Option<Move>, MoveError> {
    let Some(report) = gather(cloud, name, region, local).await? else {
        return Ok(None);
    };
    let Some(stack) = cloud.stack(name).await? else {
        return Ok(None);
    };
    stack.status.at_rest(&stack.name)?;
    if let Some(blocker) = report.blockers.iter().find(|blocker| blocker.holds_up_service()) {
        return Err(MoveError::Blocked {
            stack: report.stack,
            blocker: blocker.clone(),
        });
    }
    let parts = Parts::read(&stack.name, &stack.outputs, &stack.tags).unwrap_or_default();
    let how = topology::of(parts.topology).planned_move();
    if let Some(blocker) = report.blockers.iter().find(|blocker| blocker.holds_up_move(how)) {
        return Err(MoveError::Blocked {
            stack: report.stack,
            blocker: blocker.clone(),
        });
    }
    let serves = |agent: &AgentStatus| *agent.current_state() == AgentState::Serving;
    let agent = report.agent.as_ref().filter(|agent| serves(agent));
    let from = agent.and_then(|agent| Some((agent, InstanceId::new(&agent.instance).ok()?)));
    let Some((agent, from)) = from else {
        return Err(MoveError::NotServing {
            stack: report.stack,
            state: report.state,
        });
    };
    let mut standbys = report.roles.iter().filter(|(_, role)| **role == Role::Standby);
    let to = standbys.next().map(|(instance, _)| instance.clone());
    let ready = agent.standby_ready == Some(true) && to.is_some();
    if how == PlannedMove::HandOver && !ready && !unready {
        return Err(MoveError::NoStandby { stack: report.stack });
    }
    Ok(Some(Move {
        stack: report.stack,
        queue_manager: report.queue_manager,
        to: to.filter(|_| ready),
        from,
        how,
        unready: unready && !ready,
        epoch: agent.epoch.unwrap_or_default(),
        parts,
    }))
}

impl Move {
    /// What may be left when mqaws ends at once while this move is under way.
    pub fn remains(&self) -> String {
        let under_way = error::under_way(&self.stack);
        match self.how {
            PlannedMove::HandOver => under_way,
            PlannedMove::Relaunch => {
                let group = group_of(&self.parts).to_owned();
                let remedy = Blocker::NoCapacity { group: group.clone() }.remedy();
                format!("{under_way}, and possibly group {group} without capacity; to restore it, run {remedy}")
            }
        }
    }
}

/// Moves the queue manager, and waits until it serves again for at most `limit`.
///
/// # Errors
/// [`MoveError`].
pub async fn carry_out_move<C: Moves>(
    cloud: &C,
    planned: &Move,
    limit: Duration,
    pace: Pace,
    stop: &Stop,
    observer: &mut impl Observer,
) -> Result<Moved, MoveError> {
    let began = Instant::now();
    let tell = |observer: &mut dyn FnMut(Step), words: String| observer(Step::Waiting(words));
    let interrupted = || MoveError::Interrupted {
        stack: planned.stack.clone(),
    };
    let mut notice = |step| observer.tell(step);
    // Once more: since the plan was shown, a user may have taken a while to agree.
    if let Some(stack) = cloud.stack(&planned.stack).await? {
        stack.status.at_rest(&stack.name)?;
    }
    tell(
        &mut notice,
        format!("agent: {} is ending {}", planned.from, planned.queue_manager),
    );
    let until = began + limit;
    begin_move(
        cloud,
        &planned.parts,
        &planned.from,
        planned.unready,
        pace,
        (until, stop),
    )
    .await?;
    let mut seen = "no agent has responded yet".to_owned();
    loop {
        let Some((groups, agents)) = stop.or(look(cloud, &planned.parts)).await else {
            return Err(interrupted());
        };
        let serves = |agent: &&AgentStatus| {
            *agent.current_state() == AgentState::Serving && agent.epoch.is_some_and(|epoch| epoch > planned.epoch)
        };
        if let Some(agent) = agents.iter().find(serves) {
            return Ok(Moved {
                from: planned.from.clone(),
                to: agent.instance.clone(),
                epoch: agent.epoch.unwrap_or_default(),
                proof: agent.proof.as_ref().map(|proof| proof.kind.to_string()),
            });
        }
        let words: Vec<String> = match agents.is_empty() {
            true => groups
                .iter()
                .flat_map(|g| &g.members)
                .map(|m| format!("{} is {}", m.instance, m.lifecycle))
                .collect(),
            false => agents
                .iter()
                .map(|a| format!("{} is {}", a.instance, a.current_state()))
                .collect(),
        };
        if !words.is_empty() {
            seen = words.join(", ");
        }
        tell(&mut notice, format!("agent: {seen}"));
        if Instant::now() >= until {
            return Err(MoveError::Late {
                stack: planned.stack.clone(),
                limit,
                seen,
            });
        }
        stop.pause(pace.poll).await;
    }
}

/// How long a group may take to take its instance out of service; it wants another one afterwards in any case.
const TAKEN_OUT: Duration = Duration::from_secs(120);

/// Begins a move away from an instance, as the topology moves; ends without waiting any longer at an instant, or when the user wants to stop.
///
/// # Errors
/// [`MoveError::Read`], [`MoveError::Aws`], [`MoveError::NoCapacity`].
pub async fn begin_move<C: Moves>(
    cloud: &C,
    parts: &Parts,
    from: &InstanceId,
    unready: bool,
    pace: Pace,
    (until, stop): (Instant, &Stop),
) -> Result<(), MoveError> {
    let until = until.min(Instant::now() + TAKEN_OUT);
    match topology::of(parts.topology).planned_move() {
        PlannedMove::HandOver => {
            let order = stop.or(cloud.hand_over(&parts.documents, from, unready));
            // An order without an answer may have arrived: what becomes of it is seen on the agents.
            if let Ok(Some(said)) = tokio::time::timeout_at(until.into(), order).await {
                said?;
            }
        }
        PlannedMove::Relaunch => relaunch(cloud, group_of(parts), from, pace, (until, stop)).await?,
    }
    Ok(())
}

/// The group of a stack of one member.
fn group_of(parts: &Parts) -> &str {
    let first = parts.members.first().map(|member| member.group.as_str());
    first.unwrap_or_default()
}

/// Takes the group to no instance, and back to one once its instance is on its way out. Whatever happens in between, it wants one again.
async fn relaunch<C: Moves>(
    cloud: &C,
    group: &str,
    from: &InstanceId,
    pace: Pace,
    (until, stop): (Instant, &Stop),
) -> Result<(), MoveError> {
    let taken = cloud.set_capacity(group, 0).await;
    if let Err(error) = taken {
        // An answer that got lost says nothing, so that the group may want none now; a refusal says that nothing began.
        return match error.is_transient() {
            true => restore(cloud, group, pace).await.and(Err(error.into())),
            false => Err(error.into()),
        };
    }
    let is_out = |found: &Group| {
        !found
            .members
            .iter()
            .any(|one| one.instance == *from && one.is_in_service())
    };
    while Instant::now() < until {
        // What cannot be read is no instance that has gone.
        match stop.or(cloud.group(group)).await {
            Some(Ok(Some(found))) if is_out(&found) => break,
            None => break,
            Some(_) => stop.pause(pace.poll).await,
        }
    }
    restore(cloud, group, pace).await
}

/// Lets a group want its instance again.
async fn restore<C: Moves>(cloud: &C, group: &str, pace: Pace) -> Result<(), MoveError> {
    let mut left = 5;
    loop {
        match cloud.set_capacity(group, 1).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_transient() && left > 0 => left -= 1,
            Err(source) => {
                return Err(MoveError::NoCapacity {
                    group: group.to_owned(),
                    source,
                });
            }
        }
        tokio::time::sleep(pace.poll).await;
    }
}

/// The groups, and what the agents of their instances in service say.
async fn look<C: Readings>(cloud: &C, parts: &Parts) -> (Vec<Group>, Vec<AgentStatus>) {
    let mut groups = Vec::new();
    for member in &parts.members {
        groups.extend(cloud.group(&member.group).await.ok().flatten());
    }
    let members = groups.iter().flat_map(|group| &group.members);
    let asked: Vec<&InstanceId> = members
        .filter(|one| one.is_in_service())
        .map(|one| &one.instance)
        .collect();
    let agents = ask(cloud, &parts.documents, &asked, ANSWER).await;
    let agents = agents.into_iter().flatten().collect();
    (groups, agents)
}

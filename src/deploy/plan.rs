//! From a blueprint to a reviewed change set, and back to nothing.

use super::adopt::{self, Adoption};
use super::error::DeployError;
use super::no_way_back::{NoWayBack, Unusable, active_version};
use super::ports::{Blueprint, ChangeSet, ChangeSetIds, SetKind, Stacks};
use super::renewal::Renewal;
use super::review::{self, Effect, Review};
use super::stake::{self, KeptStorage, Rename, StakeError};
use super::standing::{Standing, standing};
use super::storage::kept_beside;
use super::undo::delete_stack;
use super::watch::{Observer, Pace, Patience, Step, Stop};
use crate::model::agent::{AgentState, AgentStatus};
use crate::model::{InstanceId, Topology};
use crate::observe::agents::{ANSWER, ask};
use crate::observe::ports::{Readings, Stack};
use crate::stack::{Parts, QUEUE_MANAGER_PARAMETER};
use crate::topology::{self, GROUP};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Instant;

/// What had been changed when the empty stack of a failed deployment was removed.
pub const CLEARED: &str = "the previous, empty stack was removed";

/// What whoever asks for a plan agrees to beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Consent {
    /// To start on a new file system beside those that are kept.
    pub new_storage: bool,
    /// To remove the empty stack that a failed deployment left, which is in the way of a change set.
    pub clear: bool,
}

/// A change set that waits for a decision.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name of the stack.
    pub stack: String,
    /// Whether the stack does not exist yet.
    pub fresh: bool,
    /// How its queue manager is made highly available.
    pub topology: Topology,
    /// What would change.
    pub review: Review,
    /// Another queue manager in the place of the one that the stack holds.
    pub rename: Option<Rename>,
    /// File systems of before that stay unused beside the new one.
    pub kept: Vec<KeptStorage>,
    /// The file system that the new stack adopts: this plan makes the stack of it alone, another one the rest.
    pub adopts: Option<Adoption>,
    /// Instances on which the queue manager is paused, when the change may replace them; it stays paused.
    pub paused: Vec<String>,
    /// The higher engine level to which the change takes the data, for good.
    pub no_way_back: Option<NoWayBack>,
    /// The engine level with which the agent will not start the data.
    pub unusable: Option<Unusable>,
    /// The member that is renewed last, when the change may replace instances of more than one; `None` where none is known to be active.
    pub renewal: Option<Renewal>,
    /// Whether instances of several members may be replaced and none is known to be active, so that service may move more than once.
    pub unordered: bool,
    /// Whether the empty stack that a failed deployment left was removed for it.
    pub cleared: bool,
    /// Whether this plan made the stack, in review, that its change set is of.
    pub(super) made_stack: bool,
    /// The change set; `None` when there is nothing to change.
    pub(super) ids: Option<ChangeSetIds>,
    /// Events of the operation are those since then, on CloudFormation's clock.
    pub(super) from: Timestamp,
    /// CloudFormation service role.
    pub(super) role: Option<String>,
}

impl Plan {
    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.ids.is_none()
    }

    /// Refuses a plan that would replace or remove a file system that `allowed` does not name, or put another queue manager
    /// on the stack when it does not name that.
    ///
    /// # Errors
    /// [`StakeError::OtherQueueManager`], [`DeployError::DataAtStake`].
    pub fn check(&self, allowed: &[String]) -> Result<(), DeployError> {
        let named = allowed.iter().any(|name| name == QUEUE_MANAGER_PARAMETER);
        if let Some(rename) = self.rename.as_ref().filter(|_| !named) {
            return Err(StakeError::OtherQueueManager {
                stack: self.stack.clone(),
                rename: rename.clone(),
            }
            .into());
        }
        let at_stake = self.review.data_at_stake(allowed);
        if at_stake.is_empty() {
            return Ok(());
        }
        Err(DeployError::DataAtStake {
            replaced: at_stake.iter().all(|l| l.effect == Effect::Replace),
            logical: at_stake.iter().map(|l| l.logical.clone()).collect(),
        })
    }
}

/// Makes a change set and reads what it would do; changes no resource.
///
/// A stack that an earlier attempt left without a resource is removed first, with consent. No change is a plan that is empty.
///
/// # Errors
/// [`DeployError::Aws`], [`DeployError::Busy`], [`DeployError::Stuck`], [`DeployError::Dead`],
/// [`DeployError::Foreign`], [`DeployError::Unclaimed`], [`DeployError::OtherTopology`], [`DeployError::OtherEngine`], [`DeployError::Output`], [`DeployError::Invalid`], [`DeployError::Refused`], [`DeployError::Interrupted`],
/// [`DeployError::NotReviewed`], [`DeployError::StillDeleting`], [`DeployError::Besides`] when the empty stack had been removed, [`DeployError::LostSight`] of its removal,
/// [`StakeError::KeptStorage`], [`StakeError::UnknownQueueManager`], [`DeployError::Adopt`].
pub async fn plan<C: Readings + Stacks>(
    cloud: &C,
    blueprint: &Blueprint,
    consent: Consent,
    pace: Pace,
    stop: &Stop,
    observer: &mut impl Observer,
) -> Result<Plan, DeployError> {
    let found = cloud.stack(&blueprint.stack).await?;
    let old = found.as_ref().map(|stack| stack.parameters.clone()).unwrap_or_default();
    let standing = standing(cloud, found).await?;
    let mut plan = nothing(blueprint);
    let mut import = None;
    if let Standing::Living(stack) = &standing {
        let deployed = crate::stack::topology(&stack.name, &stack.tags).map_err(DeployError::Output)?;
        if deployed != blueprint.topology {
            return Err(DeployError::OtherTopology {
                stack: stack.name.clone(),
                deployed,
                wanted: blueprint.topology,
            });
        }
        let deployed = crate::stack::engine(&stack.name, &stack.tags).map_err(DeployError::Output)?;
        if deployed != blueprint.engine {
            return Err(DeployError::OtherEngine {
                stack: stack.name.clone(),
                deployed,
                wanted: blueprint.engine,
            });
        }
        plan.rename = stake::rename(cloud, stack, blueprint).await?;
        if let Some(adopts) = &blueprint.adopts {
            adopt::same_storage(cloud, stack, adopts).await?;
        }
    } else {
        plan.fresh = true;
        plan.kept = kept_beside(cloud, &blueprint.stack, &blueprint.queue_manager).await?;
        if let Some(adopts) = &blueprint.adopts {
            let (adoption, alone) = adopt::prepare(cloud, blueprint, adopts).await?;
            plan.kept.retain(|kept| kept.id != adoption.storage.id);
            (plan.adopts, import) = (Some(adoption), Some(alone));
        }
        // Under another name it is another deployment, as each run of a pipeline is one; it is only told of what there is.
        let mut own = plan.kept.clone();
        own.retain(|kept| kept.stack == blueprint.stack);
        if !(own.is_empty() || consent.new_storage || plan.adopts.is_some()) {
            return Err(StakeError::KeptStorage {
                queue_manager: blueprint.queue_manager.clone(),
                kept: own,
            }
            .into());
        }
    }
    // Another run's review may become a stack, so it stays, whatever becomes of this plan.
    plan.made_stack = !matches!(standing, Standing::Living(_) | Standing::Review);
    let living = match &standing {
        Standing::Living(stack) => Some(stack.clone()),
        _ => None,
    };
    if let Standing::Dead(stack) = standing {
        if !consent.clear {
            return Err(DeployError::Dead {
                stack: stack.name,
                status: stack.status.0,
            });
        }
        observer.tell(Step::Note(format!(
            "removing the empty stack left over from a failed deployment ({})",
            stack.status
        )));
        remove(cloud, &stack.name, &stack.id, None, pace).await?;
        plan.cleared = true;
    }
    let cleared = plan.cleared;
    let first = import.as_ref().unwrap_or(blueprint);
    let mut proposed = propose(cloud, first, plan, &old, pace, stop, observer).await;
    if let (Ok(plan), Some(stack)) = (&mut proposed, &living)
        && plan.review.lines.iter().any(|line| line.kind == GROUP && !line.follows)
    {
        let agents = agents(cloud, stack).await;
        let is_paused = |(_, agent): &&(InstanceId, AgentStatus)| *agent.current_state() == AgentState::Paused;
        let paused = agents.iter().filter(is_paused);
        plan.paused = paused.map(|(instance, _)| instance.to_string()).collect();
        let to = blueprint.engine_version.as_deref();
        if let (Some(from), Some(to)) = (active_version(blueprint.topology, &agents), to) {
            plan.no_way_back = NoWayBack::of(blueprint.engine, from, to);
            plan.unusable = Unusable::of(blueprint.engine, from, to);
        }
        plan.renewal = blueprint.renewal.clone();
        plan.unordered = plan.renewal.is_none() && topology::of(blueprint.topology).facts().members.len() > 1;
    }
    proposed.map_err(|error| if cleared { error.besides(CLEARED) } else { error })
}

/// What the agents of the stack's instances say; one that cannot be read says nothing.
async fn agents<C: Readings>(cloud: &C, stack: &Stack) -> Vec<(InstanceId, AgentStatus)> {
    let parts = Parts::read(&stack.name, &stack.outputs, &stack.tags).unwrap_or_default();
    let mut members = Vec::new();
    for member in &parts.members {
        let group = cloud.group(&member.group).await.ok().flatten();
        for instance in group
            .iter()
            .flat_map(|group| &group.members)
            .filter(|one| one.is_in_service())
        {
            members.push(instance.instance.clone());
        }
    }
    let asked: Vec<&InstanceId> = members.iter().collect();
    let agents = ask(cloud, &parts.documents, &asked, ANSWER).await;
    let said = members.into_iter().zip(agents);
    said.filter_map(|(instance, agent)| Some((instance, agent.ok()?)))
        .collect()
}

/// Makes the change set of a plan and reads it.
async fn propose<C: Readings + Stacks>(
    cloud: &C,
    blueprint: &Blueprint,
    mut plan: Plan,
    old: &BTreeMap<String, String>,
    pace: Pace,
    stop: &Stop,
    observer: &mut impl Observer,
) -> Result<Plan, DeployError> {
    // The name is also the token that makes a repeated call harmless, so it must be new for each plan.
    let name = format!("mqaws-{}", Timestamp::now().as_nanosecond());
    observer.tell(Step::Waiting("change set".into()));
    let kind = match plan.fresh {
        true if plan.adopts.is_some() => SetKind::Import,
        true => SetKind::Create,
        false => SetKind::Update,
    };
    let ids = match cloud.create_change_set(blueprint, &name, kind).await {
        Ok(ids) => ids,
        // AWS words this as an error of the call when it sees at once that nothing changes.
        Err(error) if is_no_change(error.message()) => return Ok(plan),
        Err(error) if error.problem == crate::cloud::Problem::Refused => {
            let reason = error.message().to_owned();
            return Err(DeployError::Refused {
                stack: blueprint.stack.clone(),
                reason,
                unread: None,
            });
        }
        Err(error) => return Err(error.into()),
    };
    plan.ids = Some(ids.clone());
    let mut set = match wait(cloud, &plan.stack, &ids, pace, stop).await {
        Ok(set) => set,
        Err(error) => {
            abandon(cloud, &plan, pace).await?;
            return Err(error);
        }
    };
    if set.status == "CREATE_COMPLETE" {
        review::complete(&mut set.changes, old, &blueprint.parameters);
        plan.review = Review::of(plan.topology, &set.changes);
        plan.from = set.created.unwrap_or(Timestamp::UNIX_EPOCH);
        return Ok(plan);
    }
    let reason = set.reason.unwrap_or_else(|| set.status.clone());
    // The findings go with the change set.
    let findings = match reason.contains("DescribeEvents") {
        true => Some(cloud.findings(&ids.change_set).await),
        false => None,
    };
    abandon(cloud, &plan, pace).await?;
    if is_no_change(&reason) {
        return Ok(Plan { ids: None, ..plan });
    }
    let stack = blueprint.stack.clone();
    Err(match findings {
        Some(Ok(findings)) if !findings.is_empty() => DeployError::Invalid {
            stack,
            topology: blueprint.topology,
            findings,
        },
        other => DeployError::Refused {
            stack,
            reason,
            // Old roles may not allow the call; then CloudFormation's own words have to do.
            unread: other.and_then(Result::err),
        },
    })
}

/// Removes the change set, and the stack when this plan made it and it holds nothing else, not even another's change set.
///
/// Such a stack goes together with the change set, without which nothing would tell that mqaws made it.
///
/// # Errors
/// [`DeployError::NotAbandoned`], [`DeployError::LostSight`], [`DeployError::NotDeleted`].
pub async fn abandon<C: Readings + Stacks>(cloud: &C, plan: &Plan, pace: Pace) -> Result<(), DeployError> {
    let Some(ids) = &plan.ids else { return Ok(()) };
    let kept = |source| DeployError::NotAbandoned {
        stack: plan.stack.clone(),
        source,
    };
    // Look again: somebody may have executed a change set of the stack meanwhile, or added one.
    let found = match plan.made_stack {
        true => cloud.stack(&ids.stack).await.map_err(kept)?,
        false => None,
    };
    let sets = match found.is_some_and(|stack| stack.status.is_review()) {
        true => Some(cloud.change_sets(&ids.stack).await.map_err(kept)?),
        false => None,
    };
    if sets.is_some_and(|sets| sets.iter().all(|set| set.change_set == ids.change_set)) {
        // Cleaning up is followed to its end, however little time the user gave for what came before.
        let patient = Pace {
            operation: None,
            ..pace
        };
        let removed = remove(cloud, &plan.stack, &ids.stack, plan.role.as_deref(), patient).await;
        return removed.map_err(|error| match error {
            DeployError::Aws(source) => kept(source),
            other => other,
        });
    }
    cloud.delete_change_set(&ids.change_set).await.map_err(kept)
}

fn nothing(blueprint: &Blueprint) -> Plan {
    Plan {
        stack: blueprint.stack.clone(),
        fresh: false,
        topology: blueprint.topology,
        review: Review::of(blueprint.topology, &[]),
        rename: None,
        kept: Vec::new(),
        adopts: None,
        paused: Vec::new(),
        no_way_back: None,
        unusable: None,
        renewal: None,
        unordered: false,
        cleared: false,
        made_stack: false,
        ids: None,
        from: Timestamp::UNIX_EPOCH,
        role: blueprint.role.clone(),
    }
}

/// The two texts that CloudFormation uses.
fn is_no_change(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

async fn wait<C: Stacks>(
    cloud: &C,
    stack: &str,
    ids: &ChangeSetIds,
    pace: Pace,
    stop: &Stop,
) -> Result<ChangeSet, DeployError> {
    let mut patience = Patience::new(pace.patience);
    let began = Instant::now();
    loop {
        if let Some(set) = patience.bear(cloud.change_set(&ids.change_set).await)?
            && !matches!(set.status.as_str(), "CREATE_PENDING" | "CREATE_IN_PROGRESS")
        {
            return Ok(set);
        }
        if stop.requested() {
            return Err(DeployError::Interrupted { left: None, hint: None });
        }
        if began.elapsed() >= pace.review {
            return Err(DeployError::NotReviewed {
                stack: stack.to_owned(),
                waited: pace.review,
            });
        }
        stop.pause(pace.poll).await;
    }
}

/// Deletes a stack without resources and waits until it is gone.
async fn remove<C: Readings + Stacks>(
    cloud: &C,
    name: &str,
    id: &str,
    role: Option<&str>,
    pace: Pace,
) -> Result<(), DeployError> {
    let lost = |source| DeployError::LostSight {
        stack: name.to_owned(),
        source,
    };
    let asked = delete_stack(cloud, id, role, "remove").await;
    // An answer that got lost says nothing; a refusal says that nothing began.
    asked.map_err(|error| {
        if error.is_transient() {
            lost(error)
        } else {
            error.into()
        }
    })?;
    let mut patience = Patience::new(pace.patience);
    let began = Instant::now();
    loop {
        match patience.bear(cloud.stack(id).await).map_err(lost)? {
            Some(None) => return Ok(()),
            Some(Some(found)) if found.status.is_deleted() => return Ok(()),
            Some(Some(found)) if found.status.0 == "DELETE_FAILED" => {
                let left = format!("stack {}", found.name);
                return Err(DeployError::NotDeleted {
                    stack: found.name,
                    cause: found.reason,
                    in_the_way: None,
                    left,
                });
            }
            _ => match pace.operation.filter(|limit| began.elapsed() >= *limit) {
                None => tokio::time::sleep(pace.poll).await,
                Some(waited) => {
                    return Err(DeployError::StillDeleting {
                        stack: name.to_owned(),
                        waited,
                        on: Vec::new(),
                        left: format!("stack {name}; its deletion continues"),
                    });
                }
            },
        }
    }
}

//! From a blueprint to a reviewed change set, and back to nothing.

use super::error::DeployError;
use super::ports::{Blueprint, ChangeSet, ChangeSetIds, Stacks};
use super::review::{self, Effect, Review};
use super::watch::{Observer, Pace, Patience, Step, Stop};
use crate::observe::ports::{Readings, Stack};
use jiff::Timestamp;

/// The largest template that CloudFormation takes in a call.
pub const MOST_BYTES: usize = 51_200;

/// Tag that names the stack; it marks what mqaws made.
pub const STACK_TAG: &str = "mqaws:stack";

/// A change set that waits for a decision.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name of the stack.
    pub stack: String,
    /// Whether the stack does not exist yet.
    pub fresh: bool,
    /// What would change.
    pub review: Review,
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

    /// Refuses a plan that would replace or remove a file system that `allowed` does not name.
    ///
    /// # Errors
    /// [`DeployError::DataAtStake`].
    pub fn check(&self, allowed: &[String]) -> Result<(), DeployError> {
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
/// A stack that an earlier attempt left without a resource is removed first. No change is a plan that is empty.
///
/// # Errors
/// [`DeployError::Aws`], [`DeployError::TooLarge`], [`DeployError::Busy`], [`DeployError::Stuck`],
/// [`DeployError::Foreign`], [`DeployError::Invalid`], [`DeployError::Refused`], [`DeployError::Interrupted`].
pub async fn plan<C: Readings + Stacks>(
    cloud: &C,
    blueprint: &Blueprint,
    pace: Pace,
    stop: &Stop,
    observer: &mut impl Observer,
) -> Result<Plan, DeployError> {
    if blueprint.template.len() > MOST_BYTES {
        return Err(DeployError::TooLarge {
            bytes: blueprint.template.len(),
            most: MOST_BYTES,
        });
    }
    let found = cloud.stack(&blueprint.stack).await?;
    let old = found.as_ref().map(|stack| stack.parameters.clone()).unwrap_or_default();
    let fresh = match found {
        None => true,
        Some(stack) => is_fresh(cloud, stack, pace, observer).await?,
    };
    // The name is also the token that makes a repeated call harmless, so it must be new for each plan.
    let name = format!("mqaws-{}", Timestamp::now().as_nanosecond());
    observer.tell(Step::Waiting("change set".into()));
    let ids = match cloud.create_change_set(blueprint, &name, fresh).await {
        Ok(ids) => ids,
        // AWS words this as an error of the call when it sees at once that nothing changes.
        Err(error) if is_no_change(error.message()) => return Ok(nothing(blueprint)),
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
    let mut plan = Plan {
        ids: Some(ids.clone()),
        fresh,
        ..nothing(blueprint)
    };
    let mut set = match wait(cloud, &ids, pace, stop).await {
        Ok(set) => set,
        Err(error) => {
            abandon(cloud, &plan, pace).await?;
            return Err(error);
        }
    };
    if set.status == "CREATE_COMPLETE" {
        review::complete(&mut set.changes, &old, &blueprint.parameters);
        plan.review = Review::of(&set.changes);
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
        return Ok(nothing(blueprint));
    }
    let stack = blueprint.stack.clone();
    Err(match findings {
        Some(Ok(findings)) if !findings.is_empty() => DeployError::Invalid { stack, findings },
        other => DeployError::Refused {
            stack,
            reason,
            // Old roles may not allow the call; then CloudFormation's own words have to do.
            unread: other.and_then(Result::err),
        },
    })
}

/// Removes the change set, and the stack when it held nothing else.
///
/// # Errors
/// [`DeployError::NotAbandoned`].
pub async fn abandon<C: Readings + Stacks>(cloud: &C, plan: &Plan, pace: Pace) -> Result<(), DeployError> {
    let Some(ids) = &plan.ids else { return Ok(()) };
    let kept = |source| DeployError::NotAbandoned {
        stack: plan.stack.clone(),
        source,
    };
    cloud.delete_change_set(&ids.change_set).await.map_err(kept)?;
    // Look again: somebody may have executed a change set of the stack meanwhile.
    let found = cloud.stack(&ids.stack).await.map_err(kept)?;
    if plan.fresh && found.is_some_and(|s| s.status.is_review()) {
        remove(cloud, &ids.stack, plan.role.as_deref(), pace).await?;
    }
    Ok(())
}

fn nothing(blueprint: &Blueprint) -> Plan {
    Plan {
        stack: blueprint.stack.clone(),
        fresh: false,
        review: Review::of(&[]),
        ids: None,
        from: Timestamp::UNIX_EPOCH,
        role: blueprint.role.clone(),
    }
}

/// The two texts that CloudFormation uses.
fn is_no_change(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

/// Whether a change set on an existing stack has to be one that creates it.
async fn is_fresh<C: Readings + Stacks>(
    cloud: &C,
    stack: Stack,
    pace: Pace,
    observer: &mut impl Observer,
) -> Result<bool, DeployError> {
    let ours = is_ours(&stack);
    // Only a change set was made so far: another may be added.
    if stack.status.is_review() || stack.status.is_deleted() {
        return Ok(true);
    }
    if stack.status.is_busy() {
        return Err(DeployError::Busy {
            stack: stack.name,
            status: stack.status.0,
        });
    }
    let stuck = DeployError::Stuck {
        stack: stack.name.clone(),
        status: stack.status.0.clone(),
        reason: stack.reason.clone(),
        ours,
    };
    if stack.status.is_dead() {
        let resources = cloud.resources(&stack.id).await?;
        let empty = resources
            .iter()
            .all(|r| matches!(r.status.as_str(), "DELETE_COMPLETE" | "DELETE_SKIPPED"));
        if !(ours && empty) {
            return Err(stuck);
        }
        observer.tell(Step::Note(format!(
            "removing the empty stack that a failed deployment left ({})",
            stack.status
        )));
        remove(cloud, &stack.id, None, pace).await?;
        return Ok(true);
    }
    if matches!(
        stack.status.0.as_str(),
        "UPDATE_ROLLBACK_FAILED" | "DELETE_FAILED" | "UPDATE_FAILED"
    ) {
        return Err(stuck);
    }
    if ours {
        Ok(false)
    } else {
        Err(DeployError::Foreign { stack: stack.name })
    }
}

/// Whether a stack is one of ours: tagged by mqaws, or made from its template by other means.
pub(super) fn is_ours(stack: &Stack) -> bool {
    stack.tags.get(STACK_TAG).is_some_and(|name| *name == stack.name)
        || (stack.outputs.contains_key("QueueManagerName") && stack.outputs.contains_key("FileSystemId"))
}

async fn wait<C: Stacks>(cloud: &C, ids: &ChangeSetIds, pace: Pace, stop: &Stop) -> Result<ChangeSet, DeployError> {
    let mut patience = Patience::new(pace.patience);
    loop {
        if let Some(set) = patience.bear(cloud.change_set(&ids.change_set).await)?
            && !matches!(set.status.as_str(), "CREATE_PENDING" | "CREATE_IN_PROGRESS")
        {
            return Ok(set);
        }
        if stop.requested() {
            return Err(DeployError::Interrupted { left: None, hint: None });
        }
        stop.pause(pace.poll).await;
    }
}

/// Deletes a stack without resources and waits until it is gone.
async fn remove<C: Readings + Stacks>(
    cloud: &C,
    stack: &str,
    role: Option<&str>,
    pace: Pace,
) -> Result<(), DeployError> {
    cloud
        .delete_stack(stack, role, &format!("mqaws-{}", Timestamp::now().as_nanosecond()))
        .await?;
    let mut patience = Patience::new(pace.patience);
    loop {
        match patience.bear(cloud.stack(stack).await)? {
            Some(None) => return Ok(()),
            Some(Some(found)) if found.status.is_deleted() => return Ok(()),
            Some(Some(found)) if found.status.0 == "DELETE_FAILED" => {
                let left = format!("stack {}", found.name);
                return Err(DeployError::NotDeleted {
                    stack: found.name,
                    cause: found.reason,
                    left,
                });
            }
            _ => tokio::time::sleep(pace.poll).await,
        }
    }
}

//! Executing a plan, and following it until the stack has settled.

use super::cause;
use super::error::DeployError;
use super::plan::{Plan, abandon};
use super::ports::{Event, Stacks};
use super::progress::{Tracker, Verb};
use super::watch::{Observer, Pace, Patience, Step, Stop};
use crate::aws::AwsError;
use crate::observe::ports::{Readings, Stack};
use jiff::Timestamp;
use std::sync::{Mutex, PoisonError};

/// Polls after the end, since the status may be ahead of the events.
const FINAL_POLLS: usize = 5;

/// Executes a plan and follows it until the stack has settled. An empty plan returns at once.
///
/// When the user stops, a stack that did not exist before is deleted, an update is rolled back; both are followed.
///
/// # Errors
/// [`DeployError::RolledBack`] with the root cause, [`DeployError::LostSight`], [`DeployError::Interrupted`].
pub async fn execute<C: Readings + Stacks>(
    cloud: &C,
    plan: &Plan,
    pace: Pace,
    stop: &Stop,
    observer: &mut impl Observer,
) -> Result<Stack, DeployError> {
    let Some(ids) = &plan.ids else {
        let found = cloud.stack(&plan.stack).await?;
        return found.ok_or_else(|| DeployError::Busy {
            stack: plan.stack.clone(),
            status: "deleted meanwhile".into(),
        });
    };
    if let Err(source) = cloud.execute(&ids.change_set, &token("execute")).await {
        // An answer that got lost says nothing; a refusal says that nothing began.
        if source.is_transient() {
            return Err(DeployError::LostSight {
                stack: plan.stack.clone(),
                source,
            });
        }
        abandon(cloud, plan, pace).await?;
        return Err(source.into());
    }
    let words = AgentWords::default();
    let tracker = Tracker::new(&ids.stack, plan.review.lines.len());
    let mut follow = Follow {
        cloud,
        plan,
        stack_id: &ids.stack,
        pace,
        stop,
        tracker,
        words: &words,
    };
    tokio::select! {
        settled = follow.run(observer) => settled,
        never = words.listen(cloud, &ids.stack, pace) => match never {},
    }
}

pub(super) fn token(purpose: &str) -> String {
    format!("mqaws-{purpose}-{}", Timestamp::now().as_nanosecond())
}

struct Follow<'a, C> {
    cloud: &'a C,
    plan: &'a Plan,
    stack_id: &'a str,
    pace: Pace,
    stop: &'a Stop,
    tracker: Tracker,
    words: &'a AgentWords,
}

impl<C: Readings + Stacks> Follow<'_, C> {
    async fn run(&mut self, observer: &mut impl Observer) -> Result<Stack, DeployError> {
        let mut patience = Patience::new(self.pace.patience);
        let mut stopping = false;
        let lost = |source: AwsError| DeployError::LostSight {
            stack: self.plan.stack.clone(),
            source,
        };
        let settled = loop {
            let looked = look(self.cloud, self.stack_id, self.plan.from).await;
            if let Some((stack, events)) = patience.bear(looked).map_err(lost)? {
                tell(&mut self.tracker, events, observer);
                match stack {
                    // By ARN a deleted stack is still described; no answer means that it is long gone.
                    None => break None,
                    Some(stack) if self.has_ended(&stack) => break Some(stack),
                    Some(_) => {}
                }
            }
            if self.stop.requested() && !stopping {
                stopping = true;
                observer.tell(Step::Note(self.undo().await.map_err(lost)?.into()));
            }
            self.stop.pause(self.pace.poll).await;
        };
        for _ in 0..FINAL_POLLS {
            let ended = settled
                .as_ref()
                .is_none_or(|s| self.tracker.last_of_stack() == Some(s.status.0.as_str()));
            if ended {
                break;
            }
            tokio::time::sleep(self.pace.poll).await;
            if let Ok(events) = self.cloud.events(self.stack_id, self.plan.from).await {
                tell(&mut self.tracker, events, observer);
            }
        }
        match settled {
            Some(stack) if stack.status.is_good() => Ok(stack),
            _ if stopping => Err(DeployError::Interrupted {
                left: self.left(settled.as_ref()),
            }),
            other => Err(self.rolled_back(other.as_ref())),
        }
    }

    /// Whether the operation is over. Right after the call the stack may still show the end of the one before, so the
    /// operation's own first event has to have been seen.
    fn has_ended(&self, stack: &Stack) -> bool {
        let over = !stack.status.is_busy() && !stack.status.is_review();
        over && self.tracker.last_of_stack().is_some_and(|s| s != "REVIEW_IN_PROGRESS")
    }

    async fn undo(&self) -> Result<&'static str, AwsError> {
        if self.plan.fresh {
            self.cloud
                .delete_stack(self.stack_id, self.plan.role.as_deref(), &token("undo"))
                .await?;
            return Ok("deleting what was created so far");
        }
        match self.cloud.cancel_update(self.stack_id).await {
            Ok(()) => Ok("rolling the update back"),
            // Too late to cancel: the update is over, or already rolling back.
            Err(error) if error.problem == crate::aws::Problem::Refused => Ok("the update can no longer be stopped"),
            Err(error) => Err(error),
        }
    }

    fn rolled_back(&self, stack: Option<&Stack>) -> DeployError {
        let found = cause::root_cause(self.tracker.events(), self.stack_id);
        let agent = self.words.last();
        let status = stack.map_or_else(|| "DELETE_COMPLETE".to_owned(), |s| s.status.0.clone());
        DeployError::RolledBack {
            stack: self.plan.stack.clone(),
            undone: matches!(
                status.as_str(),
                "ROLLBACK_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE" | "DELETE_COMPLETE"
            ),
            cause: found.map(describe).or_else(|| stack.and_then(|s| s.reason.clone())),
            hint: found.map_or_else(
                || "the stack's events hold the details".into(),
                |event| cause::remedy(event, agent.as_deref()),
            ),
            left: self.left(stack).unwrap_or_else(|| "nothing".into()),
            agent,
            status,
        }
    }

    /// What exists after a failure, in words.
    fn left(&self, stack: Option<&Stack>) -> Option<String> {
        let kept = kept(self.tracker.events());
        let mut left: Vec<String> = kept.iter().map(|k| format!("{k} (kept)")).collect();
        match stack.map(|s| s.status.0.as_str()) {
            Some("ROLLBACK_COMPLETE") => left.push("the empty stack, which the next deploy removes".into()),
            Some("UPDATE_ROLLBACK_COMPLETE") => left.push("the stack as it was before".into()),
            None | Some("DELETE_COMPLETE") => {}
            Some(other) => left.push(format!("stack {} in {other}", self.plan.stack)),
        }
        (!left.is_empty()).then(|| left.join(", "))
    }
}

/// The stack and its events; the status first, so that the events are never behind it for long.
async fn look<C: Readings + Stacks>(
    cloud: &C,
    id: &str,
    from: Timestamp,
) -> Result<(Option<Stack>, Vec<Event>), AwsError> {
    let stack = cloud.stack(id).await?;
    match cloud.events(id, from).await {
        Ok(events) => Ok((stack, events)),
        Err(error) if error.is_not_found() => Ok((stack, Vec::new())),
        Err(error) => Err(error),
    }
}

pub(super) fn tell(tracker: &mut Tracker, events: Vec<Event>, observer: &mut impl Observer) {
    let news = tracker.feed(events);
    let (done, total) = tracker.count();
    for news in news {
        observer.tell(Step::News { news, done, total });
    }
    let on = tracker.in_work().map(|(l, k)| (l.to_owned(), k.to_owned())).collect();
    observer.tell(Step::Working { on, done, total });
}

/// `Group` AWS::AutoScaling::AutoScalingGroup, 14:02:11: Received 0 SUCCESS signal(s) out of 1
pub(super) fn describe(event: &Event) -> String {
    let time = event.at.strftime("%H:%M:%S");
    let reason = event.reason.as_deref().unwrap_or(&event.status);
    format!("`{}` {}, {time}: {reason}", event.logical, event.kind)
}

/// What CloudFormation kept though it left the stack: `file system fs-…`.
pub(super) fn kept(events: &[Event]) -> Vec<String> {
    let mut tracker = Tracker::new("", 0);
    let news = tracker.feed(events.iter().cloned());
    let kept = news.iter().filter_map(|n| match n {
        super::progress::News::Ended {
            logical,
            verb: Verb::Keep,
            ..
        } => Some(logical),
        _ => None,
    });
    kept.filter_map(|logical| {
        let event = events
            .iter()
            .find(|e| e.logical == *logical && e.status == "DELETE_SKIPPED")?;
        let what = if event.kind == "AWS::EFS::FileSystem" {
            "file system"
        } else {
            event.kind.as_str()
        };
        Some(format!(
            "{what} {}",
            event.physical.as_deref().unwrap_or(&event.logical)
        ))
    })
    .collect()
}

/// The agent's last words: after a rollback its instance is gone, so they are gathered while it lives.
#[derive(Debug, Default)]
struct AgentWords(Mutex<Option<String>>);

impl AgentWords {
    fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Listens as long as it is polled; whatever cannot be read is not said.
    async fn listen<C: Readings>(&self, cloud: &C, stack: &str, pace: Pace) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(pace.agent).await;
            let Ok(resources) = cloud.resources(stack).await else {
                continue;
            };
            let group = resources
                .iter()
                .find(|r| r.kind == "AWS::AutoScaling::AutoScalingGroup");
            let Some(name) = group.and_then(|g| g.physical.clone()) else {
                continue;
            };
            let Ok(Some(group)) = cloud.group(&name).await else {
                continue;
            };
            for member in &group.members {
                if let Ok(status) = cloud.agent_status(&member.instance).await
                    && let Some(error) = status.last_error
                {
                    let words = format!("{} at {}: {error}", member.instance, status.since);
                    *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
                }
            }
        }
    }
}

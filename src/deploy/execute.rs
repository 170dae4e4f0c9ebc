//! Executing a plan, and following it until the stack has settled.

use super::cause::{self, GROUP};
use super::error::DeployError;
use super::plan::{Plan, abandon};
use super::ports::{Event, Launch, Stacks};
use super::progress::{Tracker, Verb};
use super::undo::{Undo, undo};
use super::watch::{Observer, Pace, Patience, Step, Stop};
use super::witness::Witness;
use crate::aws::AwsError;
use crate::observe::ports::{Readings, Stack};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Polls after the end, since the status may be ahead of the events.
const FINAL_POLLS: usize = 5;

/// A stack whose operation ended well.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The stack.
    pub stack: Stack,
    /// The signal of an instance that this operation waited for, in CloudFormation's words; `None` when it waited for none.
    pub signal: Option<String>,
    /// What the stack no longer has, but CloudFormation kept, such as `file system fs-…`.
    pub kept: Vec<String>,
}

/// Executes a plan and follows it until the stack has settled. An empty plan returns at once.
///
/// When the user stops, a stack that did not exist before is deleted, an update is rolled back; both are followed. What
/// cannot be undone any more is followed too, and the error says which state the stack ended in.
///
/// # Errors
/// [`DeployError::RolledBack`] with the root cause, [`DeployError::LostSight`], [`DeployError::Interrupted`].
pub async fn execute<C: Readings + Stacks>(
    cloud: &C,
    plan: &Plan,
    pace: Pace,
    stop: &Stop,
    observer: &mut impl Observer,
) -> Result<Settled, DeployError> {
    let Some(ids) = &plan.ids else {
        let found = cloud.stack(&plan.stack).await?;
        let stack = found.ok_or_else(|| DeployError::Busy {
            stack: plan.stack.clone(),
            status: "deleted meanwhile".into(),
        })?;
        return Ok(Settled {
            stack,
            signal: None,
            kept: Vec::new(),
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
    let witness = Witness::default();
    let tracker = Tracker::new(&ids.stack, plan.review.lines.len());
    let mut follow = Follow {
        cloud,
        plan,
        stack_id: &ids.stack,
        pace,
        stop,
        tracker,
        witness: &witness,
        told: BTreeSet::new(),
    };
    tokio::select! {
        settled = follow.run(observer) => settled,
        never = witness.listen(cloud, &ids.stack, plan.from, pace) => match never {},
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
    witness: &'a Witness,
    /// Words about failed launches that were told already.
    told: BTreeSet<String>,
}

impl<C: Readings + Stacks> Follow<'_, C> {
    async fn run(&mut self, observer: &mut impl Observer) -> Result<Settled, DeployError> {
        let mut patience = Patience::new(self.pace.patience);
        let mut stopped: Option<Undo> = None;
        let lost = |source: AwsError| DeployError::LostSight {
            stack: self.plan.stack.clone(),
            source,
        };
        let settled = loop {
            let looked = look(self.cloud, self.stack_id, self.plan.from).await;
            if let Some((stack, events)) = patience.bear(looked).map_err(lost)? {
                tell(&mut self.tracker, events, observer);
                self.tell_launches(observer);
                match stack {
                    // By ARN a deleted stack is still described; no answer means that it is long gone.
                    None => break None,
                    Some(stack) if self.has_ended(&stack) => break Some(stack),
                    Some(_) => {}
                }
            }
            if self.stop.requested() && stopped.is_none() {
                stopped = undo(self.cloud, self.plan, self.stack_id).await;
                observer.tell(match &stopped {
                    Some(undo) => Step::Note(undo.to_string()),
                    // The next look tries again.
                    None => Step::Waiting("an answer to the wish to stop".into()),
                });
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
        match (settled, stopped) {
            (settled, Some(undo)) => Err(DeployError::Interrupted {
                left: self.left(settled.as_ref()),
                hint: undo.hint(),
            }),
            (Some(stack), None) if stack.status.is_good() => Ok(Settled {
                stack,
                signal: cause::signal(self.tracker.events()).map(str::to_owned),
                kept: kept(self.tracker.events()),
            }),
            (other, None) => Err(self.rolled_back(other.as_ref()).await),
        }
    }

    /// Whether the operation is over. Right after the call the stack may still show the end of the one before, so the
    /// operation's own first event has to have been seen.
    fn has_ended(&self, stack: &Stack) -> bool {
        let over = !stack.status.is_busy() && !stack.status.is_review();
        over && self.tracker.last_of_stack().is_some_and(|s| s != "REVIEW_IN_PROGRESS")
    }

    /// Tells why launches failed; Auto Scaling tries again and again, mostly with the same end.
    fn tell_launches(&mut self, observer: &mut impl Observer) {
        for words in self.witness.launches().iter().filter_map(Launch::failure) {
            if self.told.insert(words.to_owned()) {
                observer.tell(Step::Note(format!("launch failed: {words}")));
            }
        }
    }

    async fn rolled_back(&self, stack: Option<&Stack>) -> DeployError {
        let found = cause::root_cause(self.tracker.events(), self.stack_id);
        let launch = match found {
            Some(event) => self.failed_launch(event).await,
            None => None,
        };
        let agent = self.witness.agent();
        let status = stack.map_or_else(|| "DELETE_COMPLETE".to_owned(), |s| s.status.0.clone());
        let told = found.map(|event| match &launch {
            Some(launch) => format!("{}\n{}", cause::describe_launch(launch), cause::describe(event)),
            None => cause::describe(event),
        });
        DeployError::RolledBack {
            stack: self.plan.stack.clone(),
            undone: matches!(
                status.as_str(),
                "ROLLBACK_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE" | "DELETE_COMPLETE"
            ),
            cause: told.or_else(|| stack.and_then(|s| s.reason.clone())),
            hint: match (found, &launch) {
                (_, Some(launch)) => cause::launch_remedy(launch.failure().unwrap_or_default()),
                (Some(event), None) => cause::remedy(event, agent.as_deref()),
                (None, None) => "the stack's events hold the details".into(),
            },
            left: self.left(stack).unwrap_or_else(|| "nothing".into()),
            agent,
            status,
        }
    }

    /// The launch that kept an event's group without an instance, so that there was nobody to signal.
    async fn failed_launch(&self, event: &Event) -> Option<Launch> {
        if event.kind != GROUP {
            return None;
        }
        let mut events = self.tracker.events().iter().filter(|e| e.logical == event.logical);
        let group = events.find_map(|e| e.physical.clone());
        // What was heard while the operation went on is second best, and what cannot be read is not said.
        let launches = match group {
            Some(group) => self.cloud.launches(&group, self.plan.from).await.ok(),
            None => None,
        };
        let launches = launches.unwrap_or_else(|| self.witness.launches());
        cause::failed_launch(&launches, event.at).cloned()
    }

    /// What exists after a failure, in words.
    fn left(&self, stack: Option<&Stack>) -> Option<String> {
        let kept = kept(self.tracker.events());
        let mut left: Vec<String> = kept.iter().map(|k| format!("{k} (kept)")).collect();
        match stack.map(|s| s.status.0.as_str()) {
            Some("ROLLBACK_COMPLETE") => left.push("the empty stack, which the next deploy removes".into()),
            Some("UPDATE_ROLLBACK_COMPLETE") => left.push("the stack as it was before".into()),
            Some("UPDATE_COMPLETE") => left.push(format!("stack {} with the change, which is live", self.plan.stack)),
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

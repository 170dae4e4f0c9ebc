//! Executing a plan, and following it until the stack has settled.

use super::cause;
use super::error::DeployError;
use super::instances::{self, Instances};
use super::kept::{self, Kept, kept};
use super::left::left;
use super::plan::{CLEARED, Plan, abandon};
use super::ports::{Event, Launch, Stacks};
use super::progress::Tracker;
use super::renewal::still_last;
use super::undo::{self, Undo};
use super::watch::{Observer, Pace, Patience, Step, Stop};
use super::witness::Witness;
use crate::cloud::AwsError;
use crate::observe::ports::{Readings, Stack, StackBusy};
use crate::remedy::{Remedy, chain};
use crate::topology::GROUP;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::Instant;

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
/// [`DeployError::Moved`] when nothing was executed, [`DeployError::RolledBack`] with the root cause, [`DeployError::LostSight`], [`DeployError::StillWorking`], [`DeployError::Interrupted`].
pub async fn execute<C: Readings + Stacks>(
    cloud: &C,
    plan: &Plan,
    pace: Pace,
    stop: &Stop,
    observer: &mut impl Observer,
) -> Result<Settled, DeployError> {
    let Some(ids) = &plan.ids else {
        let found = cloud.stack(&plan.stack).await?;
        let stack = found.ok_or_else(|| StackBusy {
            stack: plan.stack.clone(),
            status: "deleted in the meantime".into(),
        })?;
        return Ok(Settled {
            stack,
            signal: None,
            kept: Vec::new(),
        });
    };
    if let Err(moved) = still_last(cloud, plan).await {
        return Err(match abandon(cloud, plan, pace).await {
            Ok(()) => moved,
            // Why nothing was executed is what a user has to know.
            Err(unabandoned) => moved.besides(remains(&unabandoned)),
        });
    }
    if let Err(source) = cloud.execute(&ids.change_set, &token("execute")).await {
        // An answer that got lost says nothing; a refusal says that nothing began.
        if source.is_transient() {
            return Err(DeployError::LostSight {
                stack: plan.stack.clone(),
                source,
            });
        }
        let error = DeployError::from(source);
        let error = match abandon(cloud, plan, pace).await {
            Ok(()) => error,
            Err(unabandoned) => error.besides(remains(&unabandoned)),
        };
        return Err(if plan.cleared { error.besides(CLEARED) } else { error });
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

/// What a plan leaves that could not be abandoned, and why.
fn remains(error: &DeployError) -> String {
    let left = error.left().unwrap_or_else(|| "the change set".to_owned());
    format!("{left} remains ({})", chain(error))
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
        let began = Instant::now();
        let lost = |source: AwsError| DeployError::LostSight {
            stack: self.plan.stack.clone(),
            source,
        };
        let settled = loop {
            let looked = look(self.cloud, self.stack_id, self.plan.from).await;
            if let Some((stack, events)) = patience.bear(looked).map_err(lost)? {
                tell(&mut self.tracker, events, observer);
                self.tell_launches(observer);
                self.tell_deletion(stack.as_ref(), stopped.is_some(), observer);
                match stack {
                    // By ARN a deleted stack is still described; no answer means that it is long gone.
                    None => break None,
                    Some(stack) if self.has_ended(&stack) => break Some(stack),
                    Some(_) => {}
                }
            }
            if self.stop.requested() && stopped.is_none() {
                stopped = undo::begin(self.cloud, self.plan, self.stack_id, self.tracker.events()).await;
                observer.tell(match &stopped {
                    Some(undo) => Step::Note(undo.to_string()),
                    // The next look tries again.
                    None => Step::Waiting("confirmation of the cancellation".into()),
                });
            }
            let late = self.pace.operation.filter(|limit| began.elapsed() >= *limit);
            // What the user wants undone is followed to its end.
            if let Some(waited) = late.filter(|_| stopped.is_none()) {
                return Err(DeployError::StillWorking {
                    stack: self.plan.stack.clone(),
                    waited,
                    on: self.tracker.in_work().map(|work| work.logical.clone()).collect(),
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
        if let Some(undo) = stopped {
            return Err(self.interrupted(settled.as_ref(), undo, observer).await);
        }
        match settled {
            Some(stack) if stack.status.is_good() => Ok(Settled {
                stack,
                signal: cause::signal(self.tracker.events()).map(str::to_owned),
                kept: kept(self.tracker.events()).iter().map(ToString::to_string).collect(),
            }),
            Some(stack) if !stack.status.0.starts_with("DELETE_") => Err(self.rolled_back(&stack).await),
            other => Err(DeployError::Deleted {
                stack: self.plan.stack.clone(),
                gone: other.as_ref().is_none_or(|s| s.status.is_deleted()),
                left: self.left(other.as_ref(), &[], self.touched(other.as_ref()).await.as_ref()),
            }),
        }
    }

    /// After a wish to stop: what was kept for nothing goes too, the rest is named.
    async fn interrupted(&self, settled: Option<&Stack>, undo: Undo, observer: &mut impl Observer) -> DeployError {
        let events = self.tracker.events();
        let gone = settled.is_none_or(|s| s.status.is_deleted());
        let cleared = match undo.may_clear(events) && gone {
            true => undo::clear(self.cloud, events, self.pace, observer).await,
            false => Vec::new(),
        };
        let kept_still = |k: &Kept| !cleared.contains(k);
        let deletions: Vec<String> = kept(events)
            .iter()
            .filter(|k| self.plan.fresh && k.is_file_system() && kept_still(k))
            .map(|k| format!("`{}`", kept::deletion(&k.id, self.stack_id)))
            .collect();
        let mut hints: Vec<String> = undo.hint().into_iter().collect();
        if !deletions.is_empty() {
            hints.push(format!(
                "the file system may contain messages, so it was kept; to delete it permanently: {}",
                deletions.join(", ")
            ));
        }
        let instances = self.touched(settled).await;
        hints.extend(self.way_back(instances.as_ref()));
        DeployError::Interrupted {
            left: self.left(settled, &cleared, instances.as_ref()),
            hint: (!hints.is_empty()).then(|| hints.join("; ")),
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

    /// Tells once that a deletion is going on that is none of ours.
    fn tell_deletion(&mut self, stack: Option<&Stack>, ours: bool, observer: &mut impl Observer) {
        let deleting = stack.is_some_and(|s| s.status.0 == "DELETE_IN_PROGRESS");
        if deleting && !ours && self.told.insert("DELETE_IN_PROGRESS".to_owned()) {
            observer.tell(Step::Note("another principal is deleting the stack".into()));
        }
    }

    async fn rolled_back(&self, stack: &Stack) -> DeployError {
        let found = cause::root_cause(self.tracker.events(), self.stack_id);
        let launch = match found {
            Some(event) => self.failed_launch(event).await,
            None => None,
        };
        let agent = match cause::failed_instance(self.tracker.events()) {
            Some(instance) => self.witness.agent(instance),
            None => found.and_then(|event| self.witness.last_agent(event.at)),
        };
        let told = found.map(|event| match &launch {
            Some(launch) => format!("{}\n{}", cause::describe_launch(launch), cause::describe(event)),
            None => cause::describe(event),
        });
        let instances = self.touched(Some(stack)).await;
        let remedy = match (found, &launch) {
            (_, Some(launch)) => cause::launch_remedy(launch.failure().unwrap_or_default()),
            (Some(event), None) => cause::remedy(event, agent.as_deref()),
            (None, None) => "for details, see the events of the stack".into(),
        };
        DeployError::RolledBack {
            stack: self.plan.stack.clone(),
            undone: matches!(
                stack.status.0.as_str(),
                "ROLLBACK_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE"
            ),
            cause: told.or_else(|| stack.reason.clone()),
            hint: match self.way_back(instances.as_ref()) {
                Some(way_back) => format!("{remedy}; {way_back}"),
                None => remedy,
            },
            left: self
                .left(Some(stack), &[], instances.as_ref())
                .unwrap_or_else(|| "nothing".into()),
            agent,
            status: stack.status.0.clone(),
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
            Some(group) => match self.cloud.launches(&group, self.plan.from).await {
                Ok(launches) => launches,
                Err(_) => self.witness.launches_of(&group),
            },
            None => self.witness.launches(),
        };
        cause::failed_launch(&launches, event.at).cloned()
    }

    /// What exists after a failure, in words, but for what was cleared since.
    fn left(&self, stack: Option<&Stack>, cleared: &[Kept], instances: Option<&Instances>) -> Option<String> {
        let status = stack.map(|s| s.status.0.as_str());
        left(&self.plan.stack, status, self.tracker.events(), cleared, instances)
    }

    /// What became of the instances, where a stack ended so that they can have changed for nothing.
    async fn touched(&self, stack: Option<&Stack>) -> Option<Instances> {
        match stack.map(|s| s.status.0.as_str()) {
            Some(status) if status.starts_with("UPDATE_") && status != "UPDATE_COMPLETE" => {
                Some(self.instances().await)
            }
            _ => None,
        }
    }

    /// Whoever is told that nobody serves wants to know when somebody does.
    fn way_back(&self, instances: Option<&Instances>) -> Option<String> {
        let stack = &self.plan.stack;
        let out = instances.is_some_and(Instances::are_out_of_service);
        out.then(|| format!("`mqaws status --stack {stack} --wait serving` waits until it is back in service"))
    }

    /// What became of the instances since the operation's own first event.
    async fn instances(&self) -> Instances {
        let events = self.tracker.events();
        let own = events.iter().filter(|e| e.is_of_stack(self.stack_id)).map(|e| e.at);
        let from = own.min().unwrap_or(self.plan.from);
        let mut patience = Patience::new(self.pace.patience);
        loop {
            let found = instances::read(self.cloud, self.stack_id, self.plan.topology, events, from).await;
            match found {
                Instances::Unread(error) if matches!(patience.bear::<()>(Err(error.clone())), Ok(None)) => {
                    self.stop.pause(self.pace.poll).await;
                }
                found => return found,
            }
        }
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
    let on = tracker.in_work().cloned().collect();
    observer.tell(Step::Working { on, done, total });
}

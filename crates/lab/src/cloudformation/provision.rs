//! Brings the resources of a stack to what a template wants, each as soon as what it needs is ready.

use super::context::{CANCELLED, Context, Failure, Phase};
use super::intrinsics::Scope;
use super::references;
use super::resources;
use super::schema;
use super::service::CloudFormation;
use super::signals::{self, ExpectedSignals};
use super::state::{Desired, Record, Snapshot};
use super::template::Resource;
use crate::api::{Caller, Cloud};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;

/// One pass over the resources of a stack.
pub(crate) struct Plan {
    /// CloudFormation itself.
    pub(crate) service: Arc<CloudFormation>,
    /// The cloud.
    pub(crate) cloud: Arc<Cloud>,
    /// Whose call started the operation.
    pub(crate) caller: Caller,
    /// ARN of the stack.
    pub(crate) stack_id: String,
    /// Name of the stack.
    pub(crate) stack_name: String,
    /// What is wanted.
    pub(crate) desired: Desired,
    /// Set when something failed, or when a user stopped the operation.
    pub(crate) cancelled: Arc<AtomicBool>,
    /// Records of resources that were replaced in this pass, as they were before.
    pub(crate) replaced: Mutex<Vec<Record>>,
}

/// Reason of resources whose update ended because another one failed, or because a user stopped it.
const UPDATE_CANCELLED: &str = "Resource update cancelled";

/// A resource that failed, with what was being done.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    /// Logical id.
    pub(crate) logical: String,
    /// True for a creation, false for an update.
    pub(crate) creating: bool,
    /// Why.
    pub(crate) failure: Failure,
}

impl Failed {
    /// Whether the resource did not fail by itself.
    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self.failure.reason.as_str(), CANCELLED | UPDATE_CANCELLED)
    }
}

impl Plan {
    /// A pass over a stack.
    pub(crate) fn new(
        service: Arc<CloudFormation>,
        cloud: Arc<Cloud>,
        caller: Caller,
        stack_id: &str,
        desired: Desired,
        cancelled: Arc<AtomicBool>,
    ) -> Arc<Self> {
        let stack_name = desired.facts.stack_name.clone();
        Arc::new(Self {
            service,
            cloud,
            caller,
            stack_id: stack_id.to_owned(),
            stack_name,
            desired,
            cancelled,
            replaced: Mutex::default(),
        })
    }

    /// The context of a resource.
    pub(crate) fn context(&self, logical: &str, resource: &Resource, phase: Phase) -> Context {
        Context {
            cloud: self.cloud.clone(),
            caller: self.caller.clone(),
            service: self.service.clone(),
            stack_id: self.stack_id.clone(),
            stack_name: self.stack_name.clone(),
            logical: logical.to_owned(),
            kind: resource.kind.clone(),
            tags: self.desired.tags.clone(),
            phase,
            creation_policy: self.evaluated(&resource.creation_policy),
            update_policy: self.evaluated(&resource.update_policy),
            cancelled: self.cancelled.clone(),
        }
    }

    fn snapshot(&self) -> Snapshot {
        let state = self.service.lock();
        Snapshot {
            records: state
                .stacks
                .get(&self.stack_id)
                .map(|s| s.resources.clone())
                .unwrap_or_default(),
        }
    }

    // Policies hold nothing but parameters and conditions; what cannot be evaluated counts as absent.
    fn evaluated(&self, value: &Value) -> Value {
        let snapshot = self.snapshot();
        let scope = Scope {
            template: &self.desired.template,
            facts: &self.desired.facts,
            resources: &snapshot,
        };
        scope.evaluate(value).ok().flatten().unwrap_or_default()
    }

    pub(super) fn properties(&self, logical: &str, resource: &Resource) -> Result<Value, Failure> {
        let snapshot = self.snapshot();
        let scope = Scope {
            template: &self.desired.template,
            facts: &self.desired.facts,
            resources: &snapshot,
        };
        let value = scope
            .evaluate(&resource.properties)
            .map_err(|e| Failure::new(e.message))?
            .unwrap_or_else(|| Value::Object(Map::new()));
        let Some(schema) = schema::find(&resource.kind) else {
            return Err(Failure::new(format!("Unrecognized resource type: {}", resource.kind)));
        };
        schema.check(&value).map_err(|problems| {
            Failure::new(format!(
                "Properties validation failed for resource {logical} with message:\n[{}]",
                problems.join(", ")
            ))
        })
    }

    /// Runs the pass; returns what failed, in the order in which it failed.
    pub(crate) async fn run(self: &Arc<Self>) -> Vec<Failed> {
        let wanted: Vec<String> = self
            .desired
            .template
            .resources
            .keys()
            .filter(|l| self.desired.active(l))
            .cloned()
            .collect();
        let mut waiting: Vec<(String, BTreeSet<String>)> = wanted
            .iter()
            .map(|logical| {
                let mut needs = references::dependencies(&self.desired.template, logical);
                needs.retain(|n| wanted.contains(n));
                (logical.clone(), needs)
            })
            .collect();
        let mut done: BTreeSet<String> = BTreeSet::new();
        let mut running: JoinSet<(String, Result<(), Failed>)> = JoinSet::new();
        let mut failed = Vec::new();
        loop {
            if failed.is_empty() && !self.cancelled.load(Ordering::SeqCst) {
                let (ready, rest): (Vec<_>, Vec<_>) =
                    waiting.into_iter().partition(|(_, needs)| needs.is_subset(&done));
                waiting = rest;
                for (logical, needs) in ready {
                    let plan = self.clone();
                    running.spawn(async move {
                        let outcome = plan.one(&logical, needs).await;
                        (logical, outcome)
                    });
                }
            }
            match running.join_next().await {
                None => return failed,
                Some(Ok((logical, Ok(())))) => {
                    done.insert(logical);
                }
                Some(Ok((_, Err(failure)))) => {
                    self.cancelled.store(true, Ordering::SeqCst);
                    self.service.news.notify_waiters();
                    failed.push(failure);
                }
                Some(Err(panic)) => {
                    self.cancelled.store(true, Ordering::SeqCst);
                    failed.push(Failed {
                        logical: "unknown".to_owned(),
                        creating: true,
                        failure: Failure::new(format!("Internal Failure: {panic}")),
                    });
                }
            }
        }
    }

    async fn one(&self, logical: &str, needs: BTreeSet<String>) -> Result<(), Failed> {
        let resource = self.desired.template.resources[logical].clone();
        let existing = {
            let state = self.service.lock();
            state
                .stacks
                .get(&self.stack_id)
                .and_then(|s| s.resources.get(logical))
                .filter(|r| r.physical.is_some() && !r.status.starts_with("DELETE"))
                .cloned()
        };
        match existing {
            None => self.create(logical, resource, needs, None).await,
            Some(old) => self.change(logical, resource, needs, old).await,
        }
    }

    async fn create(
        &self,
        logical: &str,
        resource: Resource,
        needs: BTreeSet<String>,
        old: Option<Record>,
    ) -> Result<(), Failed> {
        let replacing = old.is_some();
        let phase = if replacing { Phase::Update } else { Phase::Create };
        let (progress, complete, failed) = match phase {
            Phase::Create => ("CREATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_FAILED"),
            _ => ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", "UPDATE_FAILED"),
        };
        let context = self.context(logical, &resource, phase);
        let properties = self.properties(logical, &resource);
        let record = Record {
            logical: logical.to_owned(),
            kind: resource.kind.clone(),
            properties: properties.clone().unwrap_or_default(),
            tags: self.desired.tags.clone(),
            resource,
            needs,
            fresh: true,
            ..Record::default()
        };
        if let Some(old) = old {
            self.replaced.lock().push(old);
        }
        {
            let mut state = self.service.lock();
            if let Some(stack) = state.stacks.get_mut(&self.stack_id) {
                stack.resources.insert(logical.to_owned(), record);
            }
        }
        self.service.forget_signals(&self.stack_id, logical);
        let why = replacing.then(|| {
            "Requested update requires the creation of a new physical resource; hence creating one.".to_owned()
        });
        self.service.resource_status(&self.stack_id, logical, progress, why);
        let outcome = async {
            let properties = properties?;
            let attributes = resources::create(&context, &properties).await?;
            if let Some(wanted) = ExpectedSignals::of_creation(&context.creation_policy) {
                signals::wait(&context, wanted).await?;
            }
            Ok(attributes)
        }
        .await;
        match outcome {
            Ok(attributes) => {
                self.remember(logical, |record| record.attributes = attributes);
                self.service.resource_status(&self.stack_id, logical, complete, None);
                Ok(())
            }
            Err(failure) => Err(self.fail(logical, failed, !replacing, failure)),
        }
    }

    async fn change(
        &self,
        logical: &str,
        resource: Resource,
        needs: BTreeSet<String>,
        old: Record,
    ) -> Result<(), Failed> {
        let properties = match self.properties(logical, &resource) {
            Ok(properties) => properties,
            Err(failure) => return Err(self.fail(logical, "UPDATE_FAILED", false, failure)),
        };
        let retagged = old.tags != self.desired.tags && resources::takes_tags(&resource.kind);
        let interrupted = old.status.ends_with("_FAILED");
        if old.kind == resource.kind && old.properties == properties && !retagged && !interrupted {
            self.remember(logical, |record| {
                record.resource = resource;
                record.needs = needs;
                record.tags.clone_from(&self.desired.tags);
            });
            return Ok(());
        }
        if old.kind != resource.kind || resources::replaces(&resource.kind, &old.properties, &properties) {
            if let Some(name) = resources::custom_name(&resource.kind, &old.properties, &properties) {
                let text = format!(
                    "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {name} and update the \
                     stack again."
                );
                return Err(self.fail(logical, "UPDATE_FAILED", false, Failure::new(text)));
            }
            return self.create(logical, resource, needs, Some(old)).await;
        }
        let context = self.context(logical, &resource, Phase::Update);
        self.remember(logical, |record| {
            record.properties = properties.clone();
            record.tags.clone_from(&self.desired.tags);
            record.resource = resource;
            record.needs = needs;
        });
        self.service.forget_signals(&self.stack_id, logical);
        self.service
            .resource_status(&self.stack_id, logical, "UPDATE_IN_PROGRESS", None);
        let physical = old.physical.clone().unwrap_or_default();
        match resources::update(&context, &physical, &old, &properties).await {
            Ok(attributes) => {
                self.remember(logical, |record| record.attributes.extend(attributes));
                self.service
                    .resource_status(&self.stack_id, logical, "UPDATE_COMPLETE", None);
                Ok(())
            }
            Err(failure) => Err(self.fail(logical, "UPDATE_FAILED", false, failure)),
        }
    }

    fn remember(&self, logical: &str, change: impl FnOnce(&mut Record)) {
        let mut state = self.service.lock();
        if let Some(record) = state
            .stacks
            .get_mut(&self.stack_id)
            .and_then(|s| s.resources.get_mut(logical))
        {
            change(record);
        }
    }

    fn fail(&self, logical: &str, status: &str, creating: bool, mut failure: Failure) -> Failed {
        if failure.reason == CANCELLED && !creating {
            failure.reason = UPDATE_CANCELLED.to_owned();
        }
        self.service
            .resource_status(&self.stack_id, logical, status, Some(failure.reason.clone()));
        Failed {
            logical: logical.to_owned(),
            creating,
            failure,
        }
    }
}

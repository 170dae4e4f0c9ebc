//! Whole operations on a stack: create, update, delete, and their way back.

use super::cancel::stoppable;
use super::context::{Context, Failure, Phase};
use super::events;
use super::intrinsics::Scope;
use super::provision::{Failed, Plan};
use super::resources;
use super::service::CloudFormation;
use super::state::{Desired, OnFailure, Record, Snapshot, StackOutput};
use crate::api::{Caller, Cloud};
use crate::clock;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;

/// An operation that runs in the background.
#[derive(Clone)]
pub(super) struct Operation {
    pub(super) service: Arc<CloudFormation>,
    pub(super) cloud: Arc<Cloud>,
    pub(super) caller: Caller,
    pub(super) stack_id: String,
    /// Id of this operation; a deletion takes the stack over by giving it another.
    pub(super) id: String,
}

impl Operation {
    pub(super) fn status(&self, status: &str, reason: Option<String>) {
        let mut state = self.service.lock();
        if state.stacks.get(&self.stack_id).is_some_and(|s| s.operation == self.id) {
            events::set_stack(&mut state, &self.stack_id, status, reason);
        }
    }

    fn superseded(&self) -> bool {
        let state = self.service.lock();
        state.stacks.get(&self.stack_id).is_none_or(|s| s.operation != self.id)
    }

    /// Waits until no other operation works on this stack.
    pub(super) async fn turn(&self) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = self
            .service
            .lock()
            .turns
            .entry(self.stack_id.clone())
            .or_default()
            .clone();
        turn.lock_owned().await
    }

    pub(super) fn plan(&self, desired: Desired, cancelled: Arc<AtomicBool>) -> Arc<Plan> {
        Plan::new(
            self.service.clone(),
            self.cloud.clone(),
            self.caller.clone(),
            &self.stack_id,
            desired,
            cancelled,
        )
    }

    fn records(&self) -> Vec<Record> {
        let state = self.service.lock();
        state
            .stacks
            .get(&self.stack_id)
            .map(|s| s.resources.values().cloned().collect())
            .unwrap_or_default()
    }

    /// Creates the stack's resources; the stack is in `CREATE_IN_PROGRESS` already.
    pub(super) async fn create(self, desired: Desired, on_failure: OnFailure) {
        let _turn = self.turn().await;
        let cancel = stoppable(&mut self.service.lock(), &self.stack_id);
        let plan = self.plan(desired.clone(), cancel);
        let mut failed = plan.run().await;
        self.service.lock().cancels.remove(&self.stack_id);
        if self.superseded() {
            return;
        }
        if failed.is_empty() {
            match self.outputs(&desired) {
                Ok(outputs) => {
                    self.finish(outputs);
                    self.status("CREATE_COMPLETE", None);
                    return;
                }
                Err(failure) => failed.push(Failed {
                    logical: "Outputs".to_owned(),
                    creating: true,
                    failure,
                }),
            }
        }
        let reason = failed_to("create", &failed);
        match on_failure {
            OnFailure::DoNothing => self.status("CREATE_FAILED", Some(reason)),
            OnFailure::Rollback => {
                self.status(
                    "ROLLBACK_IN_PROGRESS",
                    Some(format!("{reason}Rollback requested by user.")),
                );
                let left = self.delete_records(self.records(), retained_on_rollback, false).await;
                match left.is_empty() {
                    true => self.status("ROLLBACK_COMPLETE", None),
                    false => self.status("ROLLBACK_FAILED", Some(failed_to("delete", &left))),
                }
            }
            OnFailure::Delete => {
                self.status("DELETE_IN_PROGRESS", Some(format!("{reason}Delete requested by user.")));
                let left = self.delete_records(self.records(), retained_on_rollback, false).await;
                self.end_delete(&left);
            }
        }
    }

    /// Updates the stack from `before` to `desired`; the stack is in `UPDATE_IN_PROGRESS` already.
    ///
    /// `cancel` is what a user stops it with; then it goes back whatever `on_failure` says.
    pub(super) async fn update(
        self,
        before: Desired,
        desired: Desired,
        on_failure: OnFailure,
        cancel: Arc<AtomicBool>,
    ) {
        let _turn = self.turn().await;
        let plan = self.plan(desired.clone(), cancel.clone());
        let mut failed = plan.run().await;
        // From here on it is too late to stop it.
        self.service.lock().cancels.remove(&self.stack_id);
        let stopped = cancel.load(Ordering::SeqCst) && failed.iter().all(Failed::is_cancelled);
        let replaced = std::mem::take(&mut *plan.replaced.lock());
        if stopped {
            // AWS documents no reason for this status; `User Initiated` is the one of every operation that a user asks for.
            return self
                .roll_back_update(before, "User Initiated".to_owned(), replaced)
                .await;
        }
        let mut outputs = Vec::new();
        if failed.is_empty() {
            match self.outputs(&desired) {
                Ok(found) => outputs = found,
                Err(failure) => failed.push(Failed {
                    logical: "Outputs".to_owned(),
                    creating: false,
                    failure,
                }),
            }
        }
        if failed.is_empty() {
            self.finish(outputs);
            self.status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None);
            let mut gone: Vec<Record> = self
                .records()
                .into_iter()
                .filter(|r| !desired.active(&r.logical))
                .collect();
            gone.extend(replaced);
            // A failed clean-up does not fail the update.
            let retain = |record: &Record| match desired.active(&record.logical) {
                true => record.resource.update_replace_policy.as_deref() == Some("Retain"),
                false => retained(record),
            };
            self.delete_records(gone, retain, true).await;
            self.status("UPDATE_COMPLETE", None);
            return;
        }
        let (creating, updating): (Vec<Failed>, Vec<Failed>) = failed.into_iter().partition(|f| f.creating);
        let mut reason = String::new();
        if !creating.is_empty() {
            reason.push_str(&failed_to("create", &creating));
        }
        if !updating.is_empty() {
            reason.push_str(&failed_to("update", &updating));
        }
        if on_failure == OnFailure::DoNothing {
            self.status("UPDATE_FAILED", Some(reason));
            return;
        }
        self.roll_back_update(before, reason, replaced).await;
    }

    async fn roll_back_update(&self, before: Desired, reason: String, replaced: Vec<Record>) {
        self.status("UPDATE_ROLLBACK_IN_PROGRESS", Some(reason));
        let mut gone: Vec<Record> = Vec::new();
        {
            let mut state = self.service.lock();
            if let Some(stack) = state.stacks.get_mut(&self.stack_id) {
                stack.desired = before.clone();
                for old in replaced {
                    let logical = old.logical.clone();
                    gone.extend(
                        stack
                            .resources
                            .insert(logical, old)
                            .filter(|new| new.physical.is_some()),
                    );
                }
                stack.resources.retain(|_, r| !(r.fresh && r.physical.is_none()));
            }
        }
        self.go_back(before, gone).await;
    }

    /// Goes on with the way back of an update that got stuck; the stack is in `UPDATE_ROLLBACK_IN_PROGRESS` already.
    pub(super) async fn continue_back(self, before: Desired, gone: Vec<Record>) {
        let _turn = self.turn().await;
        self.go_back(before, gone).await;
    }

    /// Brings the resources back to what they were, then deletes what the update had made.
    async fn go_back(&self, before: Desired, mut gone: Vec<Record>) {
        let plan = self.plan(before.clone(), Arc::default());
        let failed = plan.run().await;
        gone.extend(plan.replaced.lock().drain(..));
        if !failed.is_empty() {
            if let Some(stack) = self.service.lock().stacks.get_mut(&self.stack_id) {
                stack.leftover = gone;
            }
            self.status("UPDATE_ROLLBACK_FAILED", Some(failed_to("update", &failed)));
            return;
        }
        self.status("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", None);
        gone.extend(self.records().into_iter().filter(|r| !before.active(&r.logical)));
        self.delete_records(gone, retained_on_rollback, true).await;
        if let Ok(outputs) = self.outputs(&before) {
            self.finish(outputs);
        }
        self.status("UPDATE_ROLLBACK_COMPLETE", None);
    }

    /// Deletes the stack; it is in `DELETE_IN_PROGRESS` already.
    pub(super) async fn delete(self, retain: Vec<String>) {
        let _turn = self.turn().await;
        let keep = |record: &Record| retain.contains(&record.logical) || retained(record);
        let left = self.delete_records(self.records(), keep, false).await;
        self.end_delete(&left);
    }

    fn end_delete(&self, left: &[Failed]) {
        if !left.is_empty() {
            self.status("DELETE_FAILED", Some(failed_to("delete", left)));
            return;
        }
        self.status("DELETE_COMPLETE", None);
        let mut state = self.service.lock();
        if let Some(stack) = state.stacks.get_mut(&self.stack_id) {
            stack.deleted = Some(clock::now_iso());
        }
    }

    pub(super) fn finish(&self, outputs: Vec<StackOutput>) {
        let mut state = self.service.lock();
        if let Some(stack) = state.stacks.get_mut(&self.stack_id) {
            stack.outputs = outputs;
            stack.resources.values_mut().for_each(|r| r.fresh = false);
        }
    }

    fn outputs(&self, desired: &Desired) -> Result<Vec<StackOutput>, Failure> {
        let snapshot = Snapshot {
            records: self.records().into_iter().map(|r| (r.logical.clone(), r)).collect(),
        };
        let scope = Scope {
            template: &desired.template,
            facts: &desired.facts,
            resources: &snapshot,
        };
        let worded = |e: crate::api::ApiError| Failure::new(e.message);
        let mut out = Vec::new();
        for (key, output) in &desired.template.outputs {
            let holds = output
                .condition
                .as_ref()
                .is_none_or(|c| desired.facts.conditions.get(c).copied().unwrap_or_default());
            if !holds {
                continue;
            }
            out.push(StackOutput {
                key: key.clone(),
                value: scope.text(&output.value).map_err(worded)?,
                description: output.description.clone(),
                export: output
                    .export
                    .as_ref()
                    .map(|e| scope.text(e))
                    .transpose()
                    .map_err(worded)?,
            });
        }
        Ok(out)
    }

    /// Deletes resources, each after everything that needs it; `forget` takes their records out of the stack.
    async fn delete_records(
        &self,
        records: Vec<Record>,
        retain: impl Fn(&Record) -> bool,
        forget: bool,
    ) -> Vec<Failed> {
        let mut waiting: Vec<Record> = Vec::new();
        for record in records {
            if record.status == "DELETE_COMPLETE" || record.status == "DELETE_SKIPPED" {
                continue;
            }
            match (&record.physical, retain(&record)) {
                // It never came to be.
                (None, _) => {
                    self.delete_status(&record, "DELETE_COMPLETE", None);
                    self.forget(&record, forget);
                }
                (Some(_), true) => {
                    self.delete_status(&record, "DELETE_SKIPPED", None);
                    self.forget(&record, forget);
                }
                (Some(_), false) => waiting.push(record),
            }
        }
        let mut running: JoinSet<(Record, Result<(), Failure>)> = JoinSet::new();
        let mut busy: Vec<Record> = Vec::new();
        let mut failed = Vec::new();
        loop {
            let mut later = Vec::new();
            let pending: Vec<Record> = waiting.iter().chain(busy.iter()).cloned().collect();
            for record in waiting {
                let needed = pending
                    .iter()
                    .any(|other| other.logical != record.logical && other.needs.contains(&record.logical));
                if needed {
                    later.push(record);
                    continue;
                }
                busy.push(record.clone());
                self.delete_status(&record, "DELETE_IN_PROGRESS", None);
                let context = self.context(&record);
                running.spawn(async move {
                    let physical = record.physical.clone().unwrap_or_default();
                    let outcome = match resources::delete(&context, &physical, &record.properties).await {
                        Err(failure) if failure.not_found() => Ok(()),
                        other => other,
                    };
                    (record, outcome)
                });
            }
            waiting = later;
            let Some(ended) = running.join_next().await else {
                break;
            };
            let Ok((record, outcome)) = ended else {
                break;
            };
            busy.retain(|b| b.logical != record.logical || b.physical != record.physical);
            match outcome {
                Ok(()) => {
                    self.delete_status(&record, "DELETE_COMPLETE", None);
                    self.forget(&record, forget);
                }
                Err(failure) => {
                    self.delete_status(&record, "DELETE_FAILED", Some(failure.reason.clone()));
                    failed.push(Failed {
                        logical: record.logical.clone(),
                        creating: false,
                        failure,
                    });
                    // What the failed one needs cannot go either.
                    let mut kept = record.needs.clone();
                    while let Some(at) = waiting.iter().position(|w| kept.contains(&w.logical)) {
                        kept.extend(waiting.swap_remove(at).needs);
                    }
                }
            }
        }
        failed
    }

    fn context(&self, record: &Record) -> Context {
        let state = self.service.lock();
        Context {
            cloud: self.cloud.clone(),
            caller: self.caller.clone(),
            service: self.service.clone(),
            stack_id: self.stack_id.clone(),
            stack_name: state
                .stacks
                .get(&self.stack_id)
                .map(|s| s.name.clone())
                .unwrap_or_default(),
            logical: record.logical.clone(),
            kind: record.kind.clone(),
            tags: record.tags.clone(),
            phase: Phase::Delete,
            creation_policy: Value::Null,
            update_policy: Value::Null,
            cancelled: Arc::default(),
        }
    }

    // A replaced resource has the logical id of a living one, whose status must not change.
    fn delete_status(&self, record: &Record, status: &str, reason: Option<String>) {
        {
            let mut state = self.service.lock();
            let current = state
                .stacks
                .get(&self.stack_id)
                .and_then(|s| s.resources.get(&record.logical))
                .is_some_and(|r| r.physical == record.physical);
            if current {
                events::set_resource(&mut state, &self.stack_id, &record.logical, status, reason);
                return;
            }
        }
        self.service.tell(
            &self.stack_id,
            &record.logical,
            &record.kind,
            record.physical.clone(),
            status,
            reason,
        );
    }

    fn forget(&self, record: &Record, forget: bool) {
        if !forget {
            return;
        }
        let mut state = self.service.lock();
        if let Some(stack) = state.stacks.get_mut(&self.stack_id)
            && stack
                .resources
                .get(&record.logical)
                .is_some_and(|r| r.physical == record.physical)
        {
            stack.resources.shift_remove(&record.logical);
        }
    }
}

fn retained(record: &Record) -> bool {
    matches!(
        record.resource.deletion_policy.as_deref(),
        Some("Retain" | "RetainExceptOnCreate")
    )
}

fn retained_on_rollback(record: &Record) -> bool {
    match record.fresh {
        true => record.resource.deletion_policy.as_deref() == Some("Retain"),
        false => retained(record),
    }
}

fn failed_to(verb: &str, failed: &[Failed]) -> String {
    let names: Vec<&str> = failed.iter().map(|f| f.logical.as_str()).collect();
    format!("The following resource(s) failed to {verb}: [{}]. ", names.join(", "))
}

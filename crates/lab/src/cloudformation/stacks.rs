//! CreateStack, UpdateStack, DeleteStack, and what they have in common with change sets.

use super::cancel::stoppable;
use super::diff;
use super::events;
use super::intrinsics::{Facts, conditions};
use super::operations::Operation;
use super::parameters::{self, Parameters};
use super::request::{assumable, capable, check_name, check_params, on_failure, stack_arn, tags, zones};
use super::service::CloudFormation;
use super::signals::missing;
use super::state::{Desired, OnFailure, Stack};
use super::template::{Template, invalid};
use crate::api::{ACCOUNT, ApiError, ApiResult, Caller, Cloud, flag, list, only, text, texts};
use crate::{clock, ids};
use serde_json::{Value, json};
use std::sync::Arc;

impl CloudFormation {
    /// Settles what a request asks for: template, parameters, rules, conditions, capabilities, tags.
    pub(super) async fn desired(
        &self,
        cloud: &Arc<Cloud>,
        caller: &Caller,
        params: &Value,
        name: &str,
        id: &str,
        previous: Option<&Desired>,
    ) -> Result<Desired, ApiError> {
        let use_previous = flag(params, "UsePreviousTemplate").unwrap_or_default();
        let template = match (text(params, "TemplateBody"), use_previous, previous) {
            (Some(_), true, _) => {
                return Err(invalid(
                    "You cannot specify both usePreviousTemplate and Template Body/URL.",
                ));
            }
            (Some(body), false, _) => Arc::new(Template::read(&body)?),
            (None, true, Some(previous)) => previous.template.clone(),
            _ => return Err(invalid("Either Template URL or Template Body must be specified.")),
        };
        let capabilities = texts(params, "Capabilities");
        capable(&template, &capabilities)?;
        let before = previous.map_or_else(Parameters::new, |p| p.parameters.clone());
        let given = list(params, "Parameters");
        let given: Vec<Value> = given.into_iter().filter(Value::is_object).collect();
        let settled = parameters::settle(cloud, caller, &template, &given, &before).await?;
        let mut facts = Facts {
            parameters: settled.iter().map(|(k, p)| (k.clone(), p.value())).collect(),
            region: cloud.region.clone(),
            account: ACCOUNT.to_owned(),
            stack_id: id.to_owned(),
            stack_name: name.to_owned(),
            zones: zones(cloud, caller).await?,
            exports: self.lock().exports(id),
            ..Facts::default()
        };
        parameters::rules(&template, &settled, &facts)?;
        facts.conditions = conditions(&template, &facts)?;
        let role = text(params, "RoleARN").or_else(|| previous.and_then(|p| p.role.clone()));
        if let Some(role) = &role {
            assumable(cloud, caller, role).await?;
        }
        let tags = match (params.get("Tags"), previous) {
            (None, Some(previous)) => previous.tags.clone(),
            _ => tags(params)?,
        };
        Ok(Desired {
            template,
            parameters: settled,
            facts,
            tags,
            capabilities,
            role,
        })
    }

    pub(super) async fn create_stack(
        self: Arc<Self>,
        cloud: &Arc<Cloud>,
        params: &Value,
        caller: &Caller,
    ) -> ApiResult {
        check_params(
            params,
            &[
                "DisableRollback",
                "OnFailure",
                "ClientRequestToken",
                "EnableTerminationProtection",
                "RetainExceptOnCreate",
            ],
        )?;
        let name = text(params, "StackName").ok_or_else(|| missing("StackName"))?;
        check_name(&name)?;
        let token = text(params, "ClientRequestToken");
        let failure = on_failure(params, "OnFailure")?.unwrap_or_default();
        if let Some(existing) = self.lock().stack(&name) {
            if token.is_some() && existing.token == token {
                return Ok(json!({"StackId": existing.id}));
            }
            return Err(ApiError::new(
                "AlreadyExistsException",
                format!("Stack [{name}] already exists"),
            ));
        }
        let id = stack_arn(&cloud.region, &name);
        let desired = self.desired(cloud, caller, params, &name, &id, None).await?;
        {
            let mut state = self.lock();
            // Somebody may have been faster while the parameters were looked up.
            if state.stack(&name).is_some() {
                return Err(ApiError::new(
                    "AlreadyExistsException",
                    format!("Stack [{name}] already exists"),
                ));
            }
            let stack = Stack {
                id: id.clone(),
                name: name.clone(),
                created: clock::now_iso(),
                desired: desired.clone(),
                protected: flag(params, "EnableTerminationProtection").unwrap_or_default(),
                on_failure: failure,
                operation: ids::uuid(),
                token,
                ..Stack::default()
            };
            state.stacks.insert(id.clone(), stack);
            events::set_stack(&mut state, &id, "CREATE_IN_PROGRESS", Some("User Initiated".to_owned()));
        }
        let operation = self.operation(cloud, caller, &id);
        tokio::spawn(operation.create(desired, failure));
        Ok(json!({"StackId": id}))
    }

    /// An operation on a stack as the caller.
    pub(super) fn operation(self: &Arc<Self>, cloud: &Arc<Cloud>, caller: &Caller, stack_id: &str) -> Operation {
        Operation {
            service: self.clone(),
            cloud: cloud.clone(),
            caller: caller.clone(),
            stack_id: stack_id.to_owned(),
            id: self
                .lock()
                .stacks
                .get(stack_id)
                .map(|s| s.operation.clone())
                .unwrap_or_default(),
        }
    }

    pub(super) async fn update_stack(
        self: Arc<Self>,
        cloud: &Arc<Cloud>,
        params: &Value,
        caller: &Caller,
    ) -> ApiResult {
        check_params(
            params,
            &["DisableRollback", "ClientRequestToken", "RetainExceptOnCreate"],
        )?;
        let name = text(params, "StackName").ok_or_else(|| missing("StackName"))?;
        let token = text(params, "ClientRequestToken");
        let failure = on_failure(params, "OnFailure")?.unwrap_or_default();
        let stack = self.updatable(&name)?;
        let desired = self
            .desired(cloud, caller, params, &stack.name, &stack.id, Some(&stack.desired))
            .await?;
        if diff::changes(&stack, &desired)?.is_empty() && !diff::outputs_differ(&stack, &desired) {
            return Err(invalid("No updates are to be performed."));
        }
        self.start_update(cloud, caller, &stack.id, desired, failure, token)?;
        Ok(json!({"StackId": stack.id}))
    }

    /// A stack that can be updated now.
    pub(super) fn updatable(&self, name: &str) -> Result<Stack, ApiError> {
        let state = self.lock();
        let Some(stack) = state.stack(name).filter(|s| s.deleted.is_none()) else {
            return Err(invalid(format!("Stack [{name}] does not exist")));
        };
        let ready = matches!(
            stack.status.as_str(),
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE" | "UPDATE_FAILED" | "IMPORT_COMPLETE"
        );
        if ready {
            Ok(stack.clone())
        } else {
            Err(invalid(format!(
                "Stack:{} is in {} state and can not be updated.",
                stack.id, stack.status
            )))
        }
    }

    /// Begins an update in the background.
    pub(super) fn start_update(
        self: &Arc<Self>,
        cloud: &Arc<Cloud>,
        caller: &Caller,
        id: &str,
        desired: Desired,
        failure: OnFailure,
        token: Option<String>,
    ) -> Result<(), ApiError> {
        self.updatable(id)?;
        let (before, cancel) = {
            let mut state = self.lock();
            let Some(stack) = state.stacks.get_mut(id) else {
                return Err(invalid(format!("Stack [{id}] does not exist")));
            };
            let before = std::mem::replace(&mut stack.desired, desired.clone());
            stack.updated = Some(clock::now_iso());
            stack.on_failure = failure;
            stack.operation = ids::uuid();
            stack.token = token;
            events::set_stack(&mut state, id, "UPDATE_IN_PROGRESS", Some("User Initiated".to_owned()));
            // Under the same lock: there is no moment in which an update is under way and cannot be stopped.
            (before, stoppable(&mut state, id))
        };
        let operation = self.operation(cloud, caller, id);
        tokio::spawn(operation.update(before, desired, failure, cancel));
        Ok(())
    }

    pub(super) fn delete_stack(self: Arc<Self>, cloud: &Arc<Cloud>, params: &Value, caller: &Caller) -> ApiResult {
        only(
            params,
            &[
                "StackName",
                "RetainResources",
                "RoleARN",
                "ClientRequestToken",
                "DeletionMode",
            ],
        )?;
        let name = text(params, "StackName").ok_or_else(|| missing("StackName"))?;
        let retain: Vec<String> = texts(params, "RetainResources")
            .into_iter()
            .filter(|r| !r.is_empty())
            .collect();
        let forced = text(params, "DeletionMode").as_deref() == Some("FORCE_DELETE_STACK");
        let (id, retain) = {
            let mut state = self.lock();
            let Some(stack) = state.stack(&name).filter(|s| s.deleted.is_none()) else {
                return Ok(Value::Null);
            };
            let (id, status) = (stack.id.clone(), stack.status.clone());
            if stack.protected {
                return Err(invalid(format!(
                    "Stack [{}] cannot be deleted while TerminationProtection is enabled",
                    stack.name
                )));
            }
            if status == "DELETE_IN_PROGRESS" {
                return Ok(Value::Null);
            }
            let takes_over = matches!(
                status.as_str(),
                "REVIEW_IN_PROGRESS" | "CREATE_IN_PROGRESS" | "ROLLBACK_IN_PROGRESS"
            );
            if status.ends_with("_IN_PROGRESS") && !takes_over {
                return Err(invalid(format!(
                    "Stack [{}] cannot be deleted while in status {status}",
                    stack.name
                )));
            }
            if (!retain.is_empty() || forced) && status != "DELETE_FAILED" {
                return Err(invalid(format!(
                    "Invalid operation on stack [{id}]. Specify a list of resources to retain only if the stack is in the DELETE_FAILED \
                     state."
                )));
            }
            if let Some(unknown) = retain.iter().find(|r| !stack.resources.contains_key(*r)) {
                return Err(invalid(format!(
                    "Resource [{unknown}] does not exist in stack [{}]",
                    stack.name
                )));
            }
            let failed = stack
                .resources
                .values()
                .filter(|r| forced && r.status == "DELETE_FAILED");
            let retain: Vec<String> = failed
                .map(|r| r.logical.clone())
                .chain(retain.iter().cloned())
                .collect();
            let review = status == "REVIEW_IN_PROGRESS";
            if let Some(stack) = state.stacks.get_mut(&id) {
                stack.operation = ids::uuid();
                stack.token = text(params, "ClientRequestToken");
            }
            for set in state.change_sets.values_mut().filter(|c| c.stack == id) {
                set.execution = "OBSOLETE".to_owned();
            }
            if review {
                events::set_stack(&mut state, &id, "DELETE_COMPLETE", None);
                if let Some(stack) = state.stacks.get_mut(&id) {
                    stack.deleted = Some(clock::now_iso());
                }
                return Ok(Value::Null);
            }
            events::set_stack(&mut state, &id, "DELETE_IN_PROGRESS", Some("User Initiated".to_owned()));
            if let Some(cancel) = state.cancels.get(&id) {
                cancel.store(true, std::sync::atomic::Ordering::SeqCst);
            }
            (id, retain)
        };
        self.news.notify_waiters();
        let operation = self.operation(cloud, caller, &id);
        tokio::spawn(operation.delete(retain));
        Ok(Value::Null)
    }

    pub(super) fn continue_update_rollback(
        self: Arc<Self>,
        cloud: &Arc<Cloud>,
        params: &Value,
        caller: &Caller,
    ) -> ApiResult {
        only(
            params,
            &["StackName", "RoleARN", "ResourcesToSkip", "ClientRequestToken"],
        )?;
        let name = text(params, "StackName").ok_or_else(|| missing("StackName"))?;
        let skip: Vec<String> = texts(params, "ResourcesToSkip")
            .into_iter()
            .filter(|r| !r.is_empty())
            .collect();
        let (id, before, gone) = {
            let mut state = self.lock();
            let Some(stack) = state.stack(&name).filter(|s| s.deleted.is_none()) else {
                return Err(invalid(format!("Stack [{name}] does not exist")));
            };
            let id = stack.id.clone();
            if stack.status != "UPDATE_ROLLBACK_FAILED" {
                return Err(invalid(format!(
                    "Stack:{id} is in {} state and can not continue update rollback.",
                    stack.status
                )));
            }
            let failed = |logical: &String| {
                stack
                    .resources
                    .get(logical)
                    .is_some_and(|r| r.status == "UPDATE_FAILED")
            };
            if let Some(wrong) = skip.iter().find(|r| !failed(r)) {
                return Err(invalid(format!(
                    "Resource [{wrong}] is not in UPDATE_FAILED state and cannot be skipped."
                )));
            }
            let (before, gone) = (stack.desired.clone(), stack.leftover.clone());
            if let Some(stack) = state.stacks.get_mut(&id) {
                stack.leftover.clear();
                stack.operation = ids::uuid();
                stack.token = text(params, "ClientRequestToken");
            }
            events::set_stack(
                &mut state,
                &id,
                "UPDATE_ROLLBACK_IN_PROGRESS",
                Some("User Initiated".to_owned()),
            );
            for logical in &skip {
                events::set_resource(&mut state, &id, logical, "UPDATE_COMPLETE", None);
            }
            (id, before, gone)
        };
        tokio::spawn(self.operation(cloud, caller, &id).continue_back(before, gone));
        Ok(json!({}))
    }

    pub(super) fn update_termination_protection(&self, params: &Value) -> ApiResult {
        only(params, &["StackName", "EnableTerminationProtection"])?;
        let name = text(params, "StackName").ok_or_else(|| missing("StackName"))?;
        let wanted =
            flag(params, "EnableTerminationProtection").ok_or_else(|| missing("EnableTerminationProtection"))?;
        let mut state = self.lock();
        let Some(id) = state.stack(&name).filter(|s| s.deleted.is_none()).map(|s| s.id.clone()) else {
            return Err(invalid(format!("Stack [{name}] does not exist")));
        };
        if let Some(stack) = state.stacks.get_mut(&id) {
            stack.protected = wanted;
        }
        Ok(json!({"StackId": id}))
    }
}

//! Change sets: made, shown, carried out, deleted.

use super::diff;
use super::events;
use super::imports;
use super::intrinsics::Scope;
use super::request::{check_name, check_params, on_failure, stack_arn};
use super::schema::{self, UNKNOWN};
use super::service::CloudFormation;
use super::signals::missing;
use super::state::{ChangeSet, Desired, OnFailure, Stack, State};
use super::template::invalid;
use crate::api::{ACCOUNT, ApiError, ApiResult, Caller, Cloud, flag, only, text};
use crate::{clock, ids};
use serde_json::{Value, json};
use std::sync::Arc;

/// CloudFormation's reason for a change set without changes.
pub(crate) const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

impl CloudFormation {
    pub(super) async fn create_change_set(
        self: Arc<Self>,
        cloud: &Arc<Cloud>,
        params: &Value,
        caller: &Caller,
    ) -> ApiResult {
        check_params(
            params,
            &[
                "ChangeSetName",
                "ChangeSetType",
                "ClientToken",
                "Description",
                "IncludeNestedStacks",
                "ImportExistingResources",
                "OnStackFailure",
                "ResourcesToImport",
            ],
        )?;
        let name = text(params, "ChangeSetName").ok_or_else(|| missing("ChangeSetName"))?;
        let stack_name = text(params, "StackName").ok_or_else(|| missing("StackName"))?;
        if !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        {
            return Err(invalid(format!(
                "1 validation error detected: Value '{name}' at 'changeSetName' failed to satisfy constraint: Member must satisfy regular \
                 expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
            )));
        }
        let kind = text(params, "ChangeSetType");
        let imports = imports::read(params)?;
        let creates = match kind.as_deref() {
            Some("CREATE") => true,
            // Into a stack that exists, nothing of the product imports.
            Some("IMPORT") => true,
            None | Some("UPDATE") => false,
            Some(other) => {
                return Err(invalid(format!(
                    "ChangeSetType {other} is not supported by the local cloud"
                )));
            }
        };
        let is_import = kind.as_deref() == Some("IMPORT");
        if !is_import && !imports.is_empty() {
            return Err(invalid(
                "ResourcesToImport can only be used when the change set type is IMPORT",
            ));
        }
        let failure = on_failure(params, "OnStackFailure")?;
        if failure == Some(OnFailure::Delete) && !creates {
            return Err(invalid(
                "OnStackFailure DELETE can only be used when the change set type is CREATE",
            ));
        }
        let token = text(params, "ClientToken");
        if let Some(set) = self.lock().change_set(&name, Some(&stack_name)) {
            if token.is_some() && set.token == token {
                return Ok(json!({"Id": set.id, "StackId": set.stack}));
            }
            return Err(ApiError::new(
                "AlreadyExistsException",
                format!("ChangeSet {name} cannot be created due to a mismatch with existing attribute Name"),
            ));
        }
        let existing = self.existing(&stack_name, creates)?;
        let id = existing
            .as_ref()
            .map_or_else(|| stack_arn(&cloud.region, &stack_name), |s| s.id.clone());
        let own_name = existing.as_ref().map_or(stack_name, |s| s.name.clone());
        let previous = existing.as_ref().filter(|_| !creates).map(|s| &s.desired);
        let desired = self.desired(cloud, caller, params, &own_name, &id, previous).await?;
        let stack = existing.unwrap_or_else(|| Stack {
            id: id.clone(),
            name: own_name.clone(),
            created: clock::now_iso(),
            operation: ids::uuid(),
            token: token.clone(),
            ..Stack::default()
        });
        if is_import {
            imports::check(&desired, &imports)?;
        }
        let mut set = judge(&cloud.region, &stack, desired, &name, creates, failure, token, params)?;
        if is_import {
            set.changes = imports::changes(&imports);
            if let Some(reason) = imports::taken(&self.lock(), &imports) {
                (set.status, set.execution, set.reason) = ("FAILED".into(), "UNAVAILABLE".into(), Some(reason));
            }
            set.imports = imports;
        }
        let answer = json!({"Id": set.id, "StackId": stack.id});
        let mut state = self.lock();
        if creates && !state.stacks.contains_key(&id) {
            if state.stack(&own_name).is_some() {
                return Err(ApiError::new(
                    "AlreadyExistsException",
                    format!("Stack [{own_name}] already exists"),
                ));
            }
            state.stacks.insert(id.clone(), stack);
            events::set_stack(&mut state, &id, "REVIEW_IN_PROGRESS", Some("User Initiated".to_owned()));
        }
        state.change_sets.insert(set.id.clone(), set);
        Ok(answer)
    }

    /// The stack that a change set is for; none yet when it creates one.
    fn existing(&self, name: &str, creates: bool) -> Result<Option<Stack>, ApiError> {
        let state = self.lock();
        let living = state.stack(name).filter(|s| s.deleted.is_none());
        match (living, creates) {
            (None, true) => {
                check_name(name)?;
                Ok(None)
            }
            (Some(stack), true) if stack.status == "REVIEW_IN_PROGRESS" => Ok(Some(stack.clone())),
            (Some(stack), true) => Err(invalid(format!(
                "Stack [{}] already exists and cannot be created again with the changeSet [CREATE].",
                stack.name
            ))),
            (None, false) => Err(invalid(format!("Stack [{name}] does not exist"))),
            (Some(_), false) => {
                drop(state);
                self.updatable(name).map(Some)
            }
        }
    }

    pub(super) fn describe_change_set(&self, params: &Value) -> ApiResult {
        only(
            params,
            &["ChangeSetName", "StackName", "NextToken", "IncludePropertyValues"],
        )?;
        let state = self.lock();
        let set = find(&state, params)?;
        let stack = state.stacks.get(&set.stack);
        let mut out = summary(set, stack);
        out["Parameters"] = super::describe::parameters(&set.desired);
        out["Tags"] = super::describe::tags(&set.desired);
        out["Capabilities"] = json!(set.desired.capabilities);
        out["NotificationARNs"] = json!([]);
        out["RollbackConfiguration"] = json!({});
        if let Some(failure) = set.on_failure {
            out["OnStackFailure"] = match failure {
                OnFailure::Rollback => "ROLLBACK",
                OnFailure::DoNothing => "DO_NOTHING",
                OnFailure::Delete => "DELETE",
            }
            .into();
        }
        let mut changes = set.changes.clone();
        if crate::api::flag(params, "IncludePropertyValues") != Some(true) {
            diff::without_values(&mut changes);
        }
        let (changes, next) = super::describe::page(&changes, params, 100)?;
        out["Changes"] = changes.into();
        out["NextToken"] = next;
        Ok(out)
    }

    pub(super) fn list_change_sets(&self, params: &Value) -> ApiResult {
        only(params, &["StackName", "NextToken"])?;
        let name = text(params, "StackName").ok_or_else(|| missing("StackName"))?;
        let state = self.lock();
        let Some(stack) = state.stack(&name) else {
            return Err(invalid(format!("Stack [{name}] does not exist")));
        };
        let all: Vec<Value> = state
            .change_sets
            .values()
            .filter(|c| c.stack == stack.id)
            .map(|c| summary(c, Some(stack)))
            .collect();
        Ok(json!({"Summaries": all}))
    }

    pub(super) fn delete_change_set(&self, params: &Value) -> ApiResult {
        only(params, &["ChangeSetName", "StackName"])?;
        let mut state = self.lock();
        let id = match find(&state, params) {
            Ok(set) => set.id.clone(),
            // Deleting what is gone already succeeds, as long as its stack is known.
            Err(error) => {
                let stack = text(params, "StackName").is_some_and(|s| state.stack(&s).is_some());
                let arn = text(params, "ChangeSetName").is_some_and(|n| n.starts_with("arn:"));
                return if stack || arn { Ok(json!({})) } else { Err(error) };
            }
        };
        state.change_sets.shift_remove(&id);
        Ok(json!({}))
    }

    pub(super) fn execute_change_set(
        self: Arc<Self>,
        cloud: &Arc<Cloud>,
        params: &Value,
        caller: &Caller,
    ) -> ApiResult {
        only(
            params,
            &[
                "ChangeSetName",
                "StackName",
                "ClientRequestToken",
                "DisableRollback",
                "RetainExceptOnCreate",
            ],
        )?;
        let token = text(params, "ClientRequestToken");
        let disabled = flag(params, "DisableRollback");
        let set = {
            let state = self.lock();
            let set = find(&state, params)?.clone();
            let stack = state.stacks.get(&set.stack);
            // The same request again, after an answer that got lost.
            if set.execution == "EXECUTE_COMPLETE" && token.is_some() && stack.is_some_and(|s| s.token == token) {
                return Ok(json!({}));
            }
            if set.execution != "AVAILABLE" {
                let shown = if set.status == "FAILED" {
                    &set.status
                } else {
                    &set.execution
                };
                return Err(ApiError::new(
                    "InvalidChangeSetStatus",
                    format!(
                        "ChangeSet [{}] cannot be executed in its current status of [{shown}]",
                        set.id
                    ),
                ));
            }
            set
        };
        if disabled.is_some() && set.on_failure.is_some() {
            return Err(invalid("You may not specify both DisableRollback and OnStackFailure"));
        }
        let failure = match disabled {
            Some(true) => OnFailure::DoNothing,
            _ => set.on_failure.unwrap_or_default(),
        };
        if set.creates {
            {
                let mut state = self.lock();
                let Some(stack) = state
                    .stacks
                    .get_mut(&set.stack)
                    .filter(|s| s.status == "REVIEW_IN_PROGRESS")
                else {
                    return Err(invalid(format!(
                        "Stack [{}] is not in status REVIEW_IN_PROGRESS",
                        set.stack
                    )));
                };
                stack.desired = set.desired.clone();
                stack.on_failure = failure;
                stack.operation = ids::uuid();
                stack.token = token;
                events::set_stack(
                    &mut state,
                    &set.stack,
                    match set.imports.is_empty() {
                        true => "CREATE_IN_PROGRESS",
                        false => "IMPORT_IN_PROGRESS",
                    },
                    Some("User Initiated".to_owned()),
                );
            }
            let operation = self.operation(cloud, caller, &set.stack);
            match set.imports.is_empty() {
                true => drop(tokio::spawn(operation.create(set.desired.clone(), failure))),
                false => drop(tokio::spawn(operation.import(set.desired.clone(), set.imports.clone()))),
            }
        } else {
            self.start_update(cloud, caller, &set.stack, set.desired.clone(), failure, token)?;
        }
        let mut state = self.lock();
        if let Some(stack) = state.stacks.get_mut(&set.stack) {
            stack.change_set = Some(set.id.clone());
        }
        // Executing one deletes all others of the stack.
        state
            .change_sets
            .retain(|id, other| other.stack != set.stack || *id == set.id);
        if let Some(done) = state.change_sets.get_mut(&set.id) {
            done.execution = "EXECUTE_COMPLETE".to_owned();
        }
        Ok(json!({}))
    }
}

fn find<'a>(state: &'a State, params: &Value) -> Result<&'a ChangeSet, ApiError> {
    let name = text(params, "ChangeSetName").ok_or_else(|| missing("ChangeSetName"))?;
    let stack = text(params, "StackName");
    if !name.starts_with("arn:") && stack.is_none() {
        return Err(invalid(
            "StackName must be specified if ChangeSetName is not specified as an ARN.",
        ));
    }
    if let Some(stack) = &stack
        && state.stack(stack).is_none()
    {
        return Err(invalid(format!("Stack [{stack}] does not exist")));
    }
    state
        .change_set(&name, stack.as_deref())
        .ok_or_else(|| ApiError::new("ChangeSetNotFound", format!("ChangeSet [{name}] does not exist")).status(404))
}

fn summary(set: &ChangeSet, stack: Option<&Stack>) -> Value {
    json!({
        "ChangeSetId": set.id,
        "ChangeSetName": set.name,
        "StackId": set.stack,
        "StackName": stack.map(|s| s.name.clone()),
        "Description": set.description,
        "CreationTime": set.created,
        "Status": set.status,
        "StatusReason": set.reason,
        "ExecutionStatus": set.execution,
        "IncludeNestedStacks": false,
        "ImportExistingResources": false,
    })
}

#[allow(clippy::too_many_arguments)]
fn judge(
    region: &str,
    stack: &Stack,
    desired: Desired,
    name: &str,
    creates: bool,
    failure: Option<OnFailure>,
    token: Option<String>,
    params: &Value,
) -> Result<ChangeSet, ApiError> {
    let changes = diff::changes(stack, &desired)?;
    let findings = findings(&desired);
    let empty = changes.is_empty() && !diff::outputs_differ(stack, &desired);
    let (status, execution, reason) = if empty {
        ("FAILED", "UNAVAILABLE", Some(NO_CHANGES.to_owned()))
    } else if !findings.is_empty() {
        let text = "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]. To troubleshoot Early Validation \
            errors, use the DescribeEvents API for detailed failure information.";
        ("FAILED", "UNAVAILABLE", Some(text.to_owned()))
    } else {
        ("CREATE_COMPLETE", "AVAILABLE", None)
    };
    let partition = super::intrinsics::partition(region);
    Ok(ChangeSet {
        id: format!(
            "arn:{partition}:cloudformation:{region}:{ACCOUNT}:changeSet/{name}/{}",
            ids::uuid()
        ),
        name: name.to_owned(),
        stack: stack.id.clone(),
        status: status.to_owned(),
        execution: execution.to_owned(),
        reason,
        description: text(params, "Description"),
        created: clock::now_iso(),
        creates,
        imports: Vec::new(),
        desired,
        changes,
        on_failure: failure,
        token,
        findings,
    })
}

/// Violations of the resource schemas that show before anything is made.
fn findings(desired: &Desired) -> Vec<Value> {
    struct Unknown;
    impl super::intrinsics::Lookup for Unknown {
        fn reference(&self, logical: &str) -> Option<Value> {
            Some(Value::String(format!("{UNKNOWN}{logical}{UNKNOWN}")))
        }
        fn attribute(&self, logical: &str, attribute: &str) -> Option<Value> {
            Some(Value::String(format!("{UNKNOWN}{logical}.{attribute}{UNKNOWN}")))
        }
    }
    let mut out = Vec::new();
    for (logical, resource) in desired.template.resources.iter().filter(|(l, _)| desired.active(l)) {
        let scope = Scope {
            template: &desired.template,
            facts: &desired.facts,
            resources: &Unknown,
        };
        let Ok(Some(properties)) = scope.evaluate(&resource.properties) else {
            continue;
        };
        let problems = schema::find(&resource.kind).and_then(|s| s.check(&properties).err());
        for problem in problems.unwrap_or_default() {
            let (path, said) = problem.split_once(": ").unwrap_or(("#", &problem));
            out.push(json!({
                "LogicalResourceId": logical,
                "ResourceType": resource.kind,
                "ValidationName": "PROPERTY_VALIDATION",
                "ValidationFailureMode": "FAIL",
                "ValidationStatus": "FAILED",
                "ValidationStatusReason": said,
                "ValidationPath": format!("/Resources/{logical}/Properties{}", path.trim_start_matches('#')),
            }));
        }
    }
    out
}

//! The actions that only read.

use super::intrinsics::scalar;
use super::service::CloudFormation;
use super::signals::missing;
use super::state::{Desired, Event, Record, Stack, State};
use super::template::{Template, invalid};
use crate::api::{ApiError, ApiResult, only, text, texts};
use serde_json::{Value, json};

/// Parameters of a stack as they are shown.
pub(super) fn parameters(desired: &Desired) -> Value {
    desired
        .parameters
        .iter()
        .map(|(key, parameter)| {
            let hidden = || "****".to_owned();
            let value = if parameter.no_echo {
                hidden()
            } else {
                parameter.given.clone()
            };
            json!({"ParameterKey": key, "ParameterValue": value, "ResolvedValue": parameter.resolved})
        })
        .collect::<Vec<_>>()
        .into()
}

/// Tags of a stack.
pub(super) fn tags(desired: &Desired) -> Value {
    desired
        .tags
        .iter()
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect::<Vec<_>>()
        .into()
}

/// One page of a list with the token of the next.
///
/// # Errors
/// `ValidationError` for a token that was not given by this action.
pub(super) fn page(all: &[Value], params: &Value, size: usize) -> Result<(Vec<Value>, Value), ApiError> {
    let from = match text(params, "NextToken") {
        None => 0,
        Some(token) => token
            .strip_prefix("from-")
            .and_then(|t| t.parse::<usize>().ok())
            .filter(|from| *from < all.len())
            .ok_or_else(|| invalid("NextToken is invalid"))?,
    };
    let some: Vec<Value> = all.iter().skip(from).take(size).cloned().collect();
    let next = match from + size < all.len() {
        true => format!("from-{}", from + size).into(),
        false => Value::Null,
    };
    Ok((some, next))
}

fn describe(stack: &Stack) -> Value {
    let outputs: Vec<Value> = stack
        .outputs
        .iter()
        .map(|o| json!({"OutputKey": o.key, "OutputValue": o.value, "Description": o.description, "ExportName": o.export}))
        .collect();
    json!({
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": stack.change_set,
        "Description": stack.desired.template.description,
        "Parameters": parameters(&stack.desired),
        "CreationTime": stack.created,
        "DeletionTime": stack.deleted,
        "LastUpdatedTime": stack.updated,
        "RollbackConfiguration": {},
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "DisableRollback": stack.on_failure == super::state::OnFailure::DoNothing,
        "NotificationARNs": [],
        "Capabilities": stack.desired.capabilities,
        "Outputs": outputs,
        "RoleARN": stack.desired.role,
        "Tags": tags(&stack.desired),
        "EnableTerminationProtection": stack.protected,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
    })
}

fn resource(stack: &Stack, record: &Record) -> Value {
    json!({
        "StackName": stack.name,
        "StackId": stack.id,
        "LogicalResourceId": record.logical,
        "PhysicalResourceId": record.physical,
        "ResourceType": record.kind,
        "Timestamp": record.at,
        "ResourceStatus": record.status,
        "ResourceStatusReason": record.reason,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    })
}

fn event(stack: &Stack, event: &Event) -> Value {
    json!({
        "StackId": stack.id,
        "EventId": event.id,
        "StackName": stack.name,
        "OperationId": event.operation,
        "LogicalResourceId": event.logical,
        "PhysicalResourceId": event.physical,
        "ResourceType": event.kind,
        "Timestamp": event.at,
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason,
        "ResourceProperties": event.properties,
        "ClientRequestToken": event.token,
    })
}

fn need<'a>(state: &'a State, params: &Value) -> Result<&'a Stack, ApiError> {
    let name = text(params, "StackName").ok_or_else(|| missing("StackName"))?;
    state
        .stack(&name)
        .ok_or_else(|| invalid(format!("Stack with id {name} does not exist")))
}

impl CloudFormation {
    pub(super) fn describe_stacks(&self, params: &Value) -> ApiResult {
        only(params, &["StackName", "NextToken"])?;
        let state = self.lock();
        if text(params, "StackName").is_some() {
            return Ok(json!({"Stacks": [describe(need(&state, params)?)]}));
        }
        let all: Vec<Value> = state
            .stacks
            .values()
            .rev()
            .filter(|s| s.deleted.is_none())
            .map(describe)
            .collect();
        let (stacks, next) = page(&all, params, 100)?;
        Ok(json!({"Stacks": stacks, "NextToken": next}))
    }

    pub(super) fn list_stacks(&self, params: &Value) -> ApiResult {
        only(params, &["NextToken", "StackStatusFilter"])?;
        let wanted = texts(params, "StackStatusFilter");
        let state = self.lock();
        let all: Vec<Value> = state
            .stacks
            .values()
            .rev()
            .filter(|s| wanted.is_empty() || wanted.contains(&s.status))
            .map(|s| {
                json!({
                    "StackId": s.id,
                    "StackName": s.name,
                    "TemplateDescription": s.desired.template.description,
                    "CreationTime": s.created,
                    "LastUpdatedTime": s.updated,
                    "DeletionTime": s.deleted,
                    "StackStatus": s.status,
                    "StackStatusReason": s.reason,
                    "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
                })
            })
            .collect();
        let (stacks, next) = page(&all, params, 100)?;
        Ok(json!({"StackSummaries": stacks, "NextToken": next}))
    }

    pub(super) fn list_exports(&self, params: &Value) -> ApiResult {
        only(params, &["NextToken"])?;
        let state = self.lock();
        let all: Vec<Value> = state
            .stacks
            .values()
            .filter(|s| s.deleted.is_none())
            .flat_map(|s| s.outputs.iter().map(move |o| (s, o)))
            .filter_map(|(s, o)| {
                let name = o.export.clone()?;
                Some(json!({"ExportingStackId": s.id, "Name": name, "Value": o.value}))
            })
            .collect();
        let (exports, next) = page(&all, params, 100)?;
        Ok(json!({"Exports": exports, "NextToken": next}))
    }

    pub(super) fn describe_stack_events(&self, params: &Value) -> ApiResult {
        only(params, &["StackName", "NextToken"])?;
        let name = text(params, "StackName").ok_or_else(|| missing("StackName"))?;
        let state = self.lock();
        let Some(stack) = state.stack(&name) else {
            return Err(invalid(format!("Stack [{name}] does not exist")));
        };
        let events = state.events.get(&stack.id).map(Vec::as_slice).unwrap_or_default();
        // Newest first; a token counts from the oldest, so that new events do not shift the pages.
        let until = match text(params, "NextToken") {
            None => events.len(),
            Some(token) => token
                .strip_prefix("before-")
                .and_then(|t| t.parse::<usize>().ok())
                .filter(|at| *at <= events.len())
                .ok_or_else(|| invalid("NextToken is invalid"))?,
        };
        let from = until.saturating_sub(100);
        let shown: Vec<Value> = events[from..until].iter().rev().map(|e| event(stack, e)).collect();
        let next = (from > 0).then(|| format!("before-{from}"));
        Ok(json!({"StackEvents": shown, "NextToken": next}))
    }

    pub(super) fn describe_events(&self, params: &Value) -> ApiResult {
        only(
            params,
            &["StackName", "ChangeSetName", "OperationId", "Filters", "NextToken"],
        )?;
        let failed_only = params
            .get("Filters")
            .and_then(|f| text(f, "FailedEvents"))
            .is_some_and(|t| t == "true");
        let state = self.lock();
        let name = text(params, "StackName");
        let mut out: Vec<Value> = Vec::new();
        if let Some(set_name) = text(params, "ChangeSetName") {
            let set = state.change_set(&set_name, name.as_deref()).ok_or_else(|| {
                ApiError::new("ChangeSetNotFound", format!("ChangeSet [{set_name}] does not exist")).status(404)
            })?;
            for (i, finding) in set.findings.iter().enumerate() {
                let mut shown = finding.clone();
                shown["EventId"] = format!("{}-{i}", set.id).into();
                shown["StackId"] = set.stack.clone().into();
                shown["OperationId"] = set.id.clone().into();
                shown["OperationType"] = "CREATE_CHANGESET".into();
                shown["EventType"] = "VALIDATION_ERROR".into();
                shown["Timestamp"] = set.created.clone().into();
                out.push(shown);
            }
        } else {
            let operation = text(params, "OperationId");
            let stack = match (&name, &operation) {
                (Some(name), _) => state.stack(name),
                (None, Some(id)) => state
                    .events
                    .iter()
                    .find(|(_, events)| events.iter().any(|e| e.operation == *id))
                    .and_then(|(stack, _)| state.stacks.get(stack)),
                (None, None) => {
                    return Err(invalid(
                        "One of StackName, ChangeSetName or OperationId must be specified.",
                    ));
                }
            };
            let stack =
                stack.ok_or_else(|| invalid(format!("Stack [{}] does not exist", name.clone().unwrap_or_default())))?;
            let events = state.events.get(&stack.id).map(Vec::as_slice).unwrap_or_default();
            let wanted = events
                .iter()
                .rev()
                .filter(|e| operation.as_ref().is_none_or(|o| e.operation == *o))
                .filter(|e| !failed_only || e.status.ends_with("_FAILED"));
            for one in wanted {
                let mut shown = event(stack, one);
                if let Value::Object(members) = &mut shown {
                    members.shift_remove("StackName");
                }
                shown["EventType"] = "STACK_EVENT".into();
                out.push(shown);
            }
        }
        let (events, next) = page(&out, params, 100)?;
        Ok(json!({"OperationEvents": events, "NextToken": next}))
    }

    pub(super) fn describe_stack_resource(&self, params: &Value) -> ApiResult {
        only(params, &["StackName", "LogicalResourceId"])?;
        let logical = text(params, "LogicalResourceId").ok_or_else(|| missing("LogicalResourceId"))?;
        let state = self.lock();
        let name = text(params, "StackName").ok_or_else(|| missing("StackName"))?;
        let stack = state
            .stack(&name)
            .ok_or_else(|| invalid(format!("Stack '{name}' does not exist")))?;
        let record = stack
            .resources
            .get(&logical)
            .ok_or_else(|| invalid(format!("Resource {logical} does not exist for stack {name}")))?;
        let mut shown = resource(stack, record);
        if let Value::Object(members) = &mut shown
            && let Some(at) = members.shift_remove("Timestamp")
        {
            members.insert("LastUpdatedTimestamp".into(), at);
            members.insert("Metadata".into(), record.resource.metadata.to_string().into());
        }
        Ok(json!({"StackResourceDetail": shown}))
    }

    pub(super) fn describe_stack_resources(&self, params: &Value) -> ApiResult {
        only(params, &["StackName", "LogicalResourceId", "PhysicalResourceId"])?;
        let state = self.lock();
        let physical = text(params, "PhysicalResourceId");
        let stack = match &physical {
            None => need(&state, params)?,
            Some(id) => state
                .stacks
                .values()
                .rev()
                .find(|s| s.resources.values().any(|r| r.physical.as_ref() == Some(id)))
                .ok_or_else(|| invalid(format!("Stack for {id} does not exist")))?,
        };
        let logical = text(params, "LogicalResourceId");
        let all: Vec<Value> = stack
            .resources
            .values()
            .filter(|r| logical.as_ref().is_none_or(|l| r.logical == *l))
            .map(|r| resource(stack, r))
            .collect();
        Ok(json!({"StackResources": all}))
    }

    pub(super) fn list_stack_resources(&self, params: &Value) -> ApiResult {
        only(params, &["StackName", "NextToken"])?;
        let state = self.lock();
        let stack = need(&state, params)?;
        let all: Vec<Value> = stack
            .resources
            .values()
            .map(|r| {
                let mut shown = resource(stack, r);
                if let Value::Object(members) = &mut shown {
                    members.shift_remove("StackName");
                    members.shift_remove("StackId");
                    if let Some(at) = members.shift_remove("Timestamp") {
                        members.insert("LastUpdatedTimestamp".into(), at);
                    }
                }
                shown
            })
            .collect();
        let (resources, next) = page(&all, params, 100)?;
        Ok(json!({"StackResourceSummaries": resources, "NextToken": next}))
    }

    pub(super) fn get_template(&self, params: &Value) -> ApiResult {
        only(params, &["StackName", "ChangeSetName", "TemplateStage"])?;
        let state = self.lock();
        let body = match text(params, "ChangeSetName") {
            Some(set) => state
                .change_set(&set, text(params, "StackName").as_deref())
                .map(|c| c.desired.template.body.clone())
                .ok_or_else(|| {
                    ApiError::new("ChangeSetNotFound", format!("ChangeSet [{set}] does not exist")).status(404)
                })?,
            None => need(&state, params)?.desired.template.body.clone(),
        };
        Ok(json!({"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}))
    }

    pub(super) fn get_template_summary(&self, params: &Value) -> ApiResult {
        only(params, &["TemplateBody", "StackName", "TemplateSummaryConfig"])?;
        let template = match text(params, "TemplateBody") {
            Some(body) => Template::read(&body)?,
            None => {
                let state = self.lock();
                (*need(&state, params)?.desired.template).clone()
            }
        };
        let parameters: Vec<Value> = template
            .parameters
            .iter()
            .map(|(key, p)| {
                let member = |name: &str| p.get(name).and_then(scalar);
                let allowed: Vec<String> = p
                    .get("AllowedValues")
                    .and_then(Value::as_array)
                    .map(|v| v.iter().filter_map(scalar).collect())
                    .unwrap_or_default();
                json!({
                    "ParameterKey": key,
                    "DefaultValue": member("Default"),
                    "ParameterType": member("Type"),
                    "NoEcho": member("NoEcho").as_deref() == Some("true"),
                    "Description": member("Description"),
                    "ParameterConstraints": {"AllowedValues": allowed},
                })
            })
            .collect();
        let mut kinds: Vec<&String> = template.resources.values().map(|r| &r.kind).collect();
        kinds.sort();
        kinds.dedup();
        let (capabilities, reason) = needed(&template);
        Ok(json!({
            "Parameters": parameters,
            "Description": template.description,
            "Capabilities": capabilities,
            "CapabilitiesReason": reason,
            "ResourceTypes": kinds,
            "Version": "2010-09-09",
            "Metadata": template.metadata.as_ref().map(Value::to_string),
        }))
    }

    pub(super) fn validate_template(&self, params: &Value) -> ApiResult {
        only(params, &["TemplateBody"])?;
        let Some(body) = text(params, "TemplateBody") else {
            return Err(invalid("Either Template URL or Template Body must be specified."));
        };
        let template = Template::read(&body)?;
        let parameters: Vec<Value> = template
            .parameters
            .iter()
            .map(|(key, p)| {
                let member = |name: &str| p.get(name).and_then(scalar);
                json!({
                    "ParameterKey": key,
                    "DefaultValue": member("Default"),
                    "NoEcho": member("NoEcho").as_deref() == Some("true"),
                    "Description": member("Description"),
                })
            })
            .collect();
        let (capabilities, reason) = needed(&template);
        Ok(json!({
            "Parameters": parameters,
            "Description": template.description,
            "Capabilities": capabilities,
            "CapabilitiesReason": reason,
        }))
    }
}

fn needed(template: &Template) -> (Vec<&'static str>, Option<String>) {
    let (capabilities, kinds) = template.capabilities();
    let reason =
        (!kinds.is_empty()).then(|| format!("The following resource(s) require capabilities: [{}]", kinds.join(", ")));
    (capabilities, reason)
}

//! Import: a new stack takes over resources that exist.
//!
//! CloudFormation reads such a resource and touches nothing of it. So the record holds what the template says of it, tags of
//! the stack included, whether or not the resource has them: what the next change does not change stays as it is.

use super::context::{Attributes, Failure, Phase};
use super::operations::Operation;
use super::resources;
use super::schema;
use super::state::{Desired, Record, State};
use super::template::invalid;
use crate::api::{ApiError, list, text};
use serde_json::{Value, json};
use std::sync::Arc;

/// A resource that exists, and what it becomes in the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    /// Logical id.
    pub(crate) logical: String,
    /// Type.
    pub(crate) kind: String,
    /// Physical id.
    pub(crate) physical: String,
}

/// What a request imports.
///
/// # Errors
/// `ValidationError` for a resource without a type, a logical id, or the one identifier of its type.
pub(super) fn read(params: &Value) -> Result<Vec<Import>, ApiError> {
    let wanted = list(params, "ResourcesToImport");
    let wanted = wanted.iter().filter(|one| one.is_object());
    wanted
        .map(|one| {
            let need = |name: &str| {
                text(one, name).ok_or_else(|| invalid(format!("{name} of a resource to import must be specified")))
            };
            let (kind, logical) = (need("ResourceType")?, need("LogicalResourceId")?);
            let names = schema::find(&kind).map(|schema| schema.identifier.as_slice());
            let [name] = names.unwrap_or_default() else {
                return Err(invalid(format!("ResourceTypes [{kind}] are not supported for Import")));
            };
            if !resources::is_importable(&kind) {
                return Err(invalid(format!("{kind} cannot be imported in the local cloud")));
            }
            let given = identifiers(&one["ResourceIdentifier"]);
            match given.as_slice() {
                [(key, value)] if key == name => Ok(Import {
                    logical,
                    kind,
                    physical: value.clone(),
                }),
                _ => Err(invalid(format!(
                    "Invalid resource identifier for {logical}: {kind} is identified by [{name}]"
                ))),
            }
        })
        .collect()
}

/// A map, in either of the shapes that protocols give it.
fn identifiers(map: &Value) -> Vec<(String, String)> {
    let entries = list(map, "entry");
    if !entries.is_empty() {
        let pair = |entry: &Value| Some((text(entry, "key")?, text(entry, "value")?));
        return entries.iter().filter_map(pair).collect();
    }
    let members = map.as_object().into_iter().flatten();
    members
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Refuses a template of which an import makes no stack.
///
/// # Errors
/// `ValidationError`.
pub(super) fn check(desired: &Desired, imports: &[Import]) -> Result<(), ApiError> {
    let template = &desired.template;
    if imports.is_empty() {
        return Err(invalid(
            "Resources to import must be specified for an IMPORT change set.",
        ));
    }
    if !template.outputs.is_empty() {
        return Err(invalid(
            "As part of the import operation, you cannot modify or add [Outputs]",
        ));
    }
    let named = |logical: &str| imports.iter().any(|one| one.logical == logical);
    for (logical, resource) in template.resources.iter().filter(|(logical, _)| desired.active(logical)) {
        if !named(logical) {
            return Err(invalid(format!(
                "Resources [{logical}] is missing from ResourceToImport list"
            )));
        }
        if resource.deletion_policy.is_none() {
            return Err(invalid(format!(
                "Resources [{logical}] to import must have DeletionPolicy attribute specified in the template."
            )));
        }
    }
    let fits = |one: &Import| {
        let resource = template
            .resources
            .get(&one.logical)
            .filter(|_| desired.active(&one.logical));
        resource.is_some_and(|resource| resource.kind == one.kind)
    };
    match imports.iter().find(|one| !fits(one)) {
        None => Ok(()),
        Some(one) => Err(invalid(format!(
            "Resource [{}] of type {} to import is not in the template",
            one.logical, one.kind
        ))),
    }
}

/// Why a resource cannot be imported: a stack has it.
pub(super) fn taken(state: &State, imports: &[Import]) -> Option<String> {
    let left = |record: &Record| matches!(record.status.as_str(), "DELETE_COMPLETE" | "DELETE_SKIPPED");
    imports.iter().find_map(|one| {
        let has = |record: &Record| record.physical.as_ref() == Some(&one.physical) && !left(record);
        let mut stacks = state.stacks.values().filter(|stack| stack.deleted.is_none());
        let stack = stacks.find(|stack| stack.resources.values().any(has))?;
        Some(format!(
            "Resource {} ({}) already exists in stack [{}]",
            one.physical, one.kind, stack.id
        ))
    })
}

/// The changes of an import, as DescribeChangeSet shows them.
pub(super) fn changes(imports: &[Import]) -> Vec<Value> {
    let change = |one: &Import| {
        json!({"Type": "Resource", "ResourceChange": {"Action": "Import", "LogicalResourceId": one.logical,
            "PhysicalResourceId": one.physical, "ResourceType": one.kind, "Scope": [], "Details": []}})
    };
    imports.iter().map(change).collect()
}

impl Operation {
    /// Imports resources; the stack is in `IMPORT_IN_PROGRESS` already.
    pub(super) async fn import(self, desired: Desired, imports: Vec<Import>) {
        let _turn = self.turn().await;
        for one in &imports {
            if let Err(failure) = self.import_one(&desired, one).await {
                self.service
                    .resource_status(&self.stack_id, &one.logical, "IMPORT_FAILED", Some(failure.reason));
                let reason = format!("The following resource(s) failed to import: [{}]. ", one.logical);
                self.status("IMPORT_ROLLBACK_IN_PROGRESS", Some(reason));
                if let Some(stack) = self.service.lock().stacks.get_mut(&self.stack_id) {
                    stack.resources.clear();
                }
                self.status("IMPORT_ROLLBACK_COMPLETE", None);
                return;
            }
        }
        self.finish(Vec::new());
        self.status("IMPORT_COMPLETE", None);
    }

    async fn import_one(&self, desired: &Desired, one: &Import) -> Result<(), Failure> {
        let plan = self.plan(desired.clone(), Arc::default());
        let resource = desired.template.resources[&one.logical].clone();
        let properties = plan.properties(&one.logical, &resource)?;
        let context = plan.context(&one.logical, &resource, Phase::Update);
        let record = Record {
            logical: one.logical.clone(),
            kind: one.kind.clone(),
            physical: Some(one.physical.clone()),
            properties,
            tags: desired.tags.clone(),
            resource,
            ..Record::default()
        };
        if let Some(stack) = self.service.lock().stacks.get_mut(&self.stack_id) {
            stack.resources.insert(one.logical.clone(), record);
        }
        let tell = |status| self.service.resource_status(&self.stack_id, &one.logical, status, None);
        tell("IMPORT_IN_PROGRESS");
        let attributes: Attributes = resources::read(&context, &one.physical).await?;
        if let Some(stack) = self.service.lock().stacks.get_mut(&self.stack_id)
            && let Some(record) = stack.resources.get_mut(&one.logical)
        {
            record.attributes = attributes;
        }
        tell("IMPORT_COMPLETE");
        Ok(())
    }
}

//! Status changes and the events that tell of them.

use super::service::CloudFormation;
use super::state::{Event, State};
use crate::{clock, ids};

/// Type of a stack in its own events.
pub(crate) const STACK_TYPE: &str = "AWS::CloudFormation::Stack";

impl CloudFormation {
    /// Sets the status of a resource and tells it; a record that does not exist is not made.
    pub(super) fn resource_status(&self, stack_id: &str, logical: &str, status: &str, reason: Option<String>) {
        let mut state = self.lock();
        set_resource(&mut state, stack_id, logical, status, reason);
    }

    /// Tells of something that is not, or no longer, a resource of the stack, e.g. a replaced one.
    pub(super) fn tell(
        &self,
        stack_id: &str,
        logical: &str,
        kind: &str,
        physical: Option<String>,
        status: &str,
        reason: Option<String>,
    ) {
        let mut state = self.lock();
        push(&mut state, stack_id, logical, kind, physical, status, reason, None);
    }
}

/// Sets the status of a stack and tells it, under a lock that is held already.
pub(super) fn set_stack(state: &mut State, stack_id: &str, status: &str, reason: Option<String>) {
    let Some(stack) = state.stacks.get_mut(stack_id) else {
        return;
    };
    stack.status = status.to_owned();
    stack.reason.clone_from(&reason);
    let name = stack.name.clone();
    push(
        state,
        stack_id,
        &name,
        STACK_TYPE,
        Some(stack_id.to_owned()),
        status,
        reason,
        None,
    );
}

/// [`CloudFormation::resource_status`] under a lock that is held already.
pub(super) fn set_resource(state: &mut State, stack_id: &str, logical: &str, status: &str, reason: Option<String>) {
    let Some(record) = state
        .stacks
        .get_mut(stack_id)
        .and_then(|s| s.resources.get_mut(logical))
    else {
        return;
    };
    record.status = status.to_owned();
    record.reason.clone_from(&reason);
    record.at = clock::now_iso();
    let (kind, physical, properties) = (
        record.kind.clone(),
        record.physical.clone(),
        record.properties.to_string(),
    );
    push(
        state,
        stack_id,
        logical,
        &kind,
        physical,
        status,
        reason,
        Some(properties),
    );
}

#[allow(clippy::too_many_arguments)]
fn push(
    state: &mut State,
    stack_id: &str,
    logical: &str,
    kind: &str,
    physical: Option<String>,
    status: &str,
    reason: Option<String>,
    properties: Option<String>,
) {
    let (operation, token) = state
        .stacks
        .get(stack_id)
        .map(|s| (s.operation.clone(), s.token.clone()))
        .unwrap_or_default();
    tracing::info!(stack = %stack_id, %logical, %status, reason = reason.as_deref().unwrap_or_default(), "stack event");
    let id = if kind == STACK_TYPE {
        ids::uuid()
    } else {
        format!("{logical}-{status}-{}", clock::now_iso())
    };
    let events = state.events.entry(stack_id.to_owned()).or_default();
    // Two events of one resource in one millisecond still have ids of their own.
    let id = if events.iter().rev().take(16).any(|e| e.id == id) {
        format!("{id}-{}", ids::hex(6))
    } else {
        id
    };
    events.push(Event {
        id,
        operation,
        logical: logical.to_owned(),
        physical,
        kind: kind.to_owned(),
        status: status.to_owned(),
        reason,
        at: clock::now_iso(),
        properties,
        token,
    });
}

//! What CloudFormation remembers.

use super::imports::Import;
use super::intrinsics::{Facts, Lookup};
use super::parameters::Parameters;
use super::template::{Resource, Template};
use indexmap::IndexMap;
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Everything about all stacks.
#[derive(Default)]
pub(crate) struct State {
    /// Stacks by ARN, in order of creation; deleted ones stay.
    pub(crate) stacks: IndexMap<String, Stack>,
    /// Events by stack ARN, oldest first.
    pub(crate) events: HashMap<String, Vec<Event>>,
    /// Change sets by ARN, in order of creation.
    pub(crate) change_sets: IndexMap<String, ChangeSet>,
    /// Signals that came in, by stack ARN and logical id, as unique id and whether it was a success.
    pub(crate) signals: HashMap<(String, String), Vec<(String, bool)>>,
    /// Turns of operations by stack ARN: one at a time.
    pub(crate) turns: HashMap<String, Arc<tokio::sync::Mutex<()>>>,
    /// How a creation or an update that runs is told to stop, by stack ARN.
    pub(crate) cancels: HashMap<String, Arc<AtomicBool>>,
}

/// What is settled about a stack before resources are touched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Desired {
    /// Template.
    pub(crate) template: Arc<Template>,
    /// Parameters.
    pub(crate) parameters: Parameters,
    /// What intrinsics are evaluated against.
    pub(crate) facts: Facts,
    /// Stack tags.
    pub(crate) tags: Vec<(String, String)>,
    /// Acknowledged capabilities.
    pub(crate) capabilities: Vec<String>,
    /// Role that was given for the stack's calls.
    pub(crate) role: Option<String>,
}

impl Desired {
    /// Whether a resource is part of the stack: its condition holds or it has none.
    pub(crate) fn active(&self, logical: &str) -> bool {
        self.template
            .resources
            .get(logical)
            .is_some_and(|r| match &r.condition {
                None => true,
                Some(condition) => self.facts.conditions.get(condition).copied().unwrap_or_default(),
            })
    }
}

/// What happens when a creation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnFailure {
    /// What was created is deleted, the stack stays.
    #[default]
    Rollback,
    /// Everything stays.
    DoNothing,
    /// What was created is deleted, and the stack with it.
    Delete,
}

/// One stack.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stack {
    /// ARN.
    pub(crate) id: String,
    /// Name.
    pub(crate) name: String,
    /// Status, `CREATE_COMPLETE`.
    pub(crate) status: String,
    /// Why it has this status.
    pub(crate) reason: Option<String>,
    /// When it was created.
    pub(crate) created: String,
    /// When it was last updated.
    pub(crate) updated: Option<String>,
    /// When it was deleted.
    pub(crate) deleted: Option<String>,
    /// What it is made from.
    pub(crate) desired: Desired,
    /// Termination protection.
    pub(crate) protected: bool,
    /// What happens when an operation fails.
    pub(crate) on_failure: OnFailure,
    /// Outputs.
    pub(crate) outputs: Vec<StackOutput>,
    /// Resources by logical id.
    pub(crate) resources: IndexMap<String, Record>,
    /// The change set that was executed last.
    pub(crate) change_set: Option<String>,
    /// Id of the operation that runs or ran last.
    pub(crate) operation: String,
    /// Client token of that operation.
    pub(crate) token: Option<String>,
    /// What a rollback that got stuck has still to delete.
    pub(crate) leftover: Vec<Record>,
}

/// One output.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StackOutput {
    /// Name.
    pub(crate) key: String,
    /// Value.
    pub(crate) value: String,
    /// Description.
    pub(crate) description: Option<String>,
    /// Name under which it is exported.
    pub(crate) export: Option<String>,
}

/// One resource of a stack.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    /// Logical id.
    pub(crate) logical: String,
    /// Type.
    pub(crate) kind: String,
    /// Physical id, once there is one.
    pub(crate) physical: Option<String>,
    /// Status, `CREATE_COMPLETE`.
    pub(crate) status: String,
    /// Why it has this status.
    pub(crate) reason: Option<String>,
    /// When the status was entered.
    pub(crate) at: String,
    /// Properties as they were last applied.
    pub(crate) properties: Value,
    /// Tags of the stack as they were last applied.
    pub(crate) tags: Vec<(String, String)>,
    /// Values of `Fn::GetAtt`.
    pub(crate) attributes: Map<String, Value>,
    /// The template's definition that was last applied.
    pub(crate) resource: Resource,
    /// Logical ids that it needs.
    pub(crate) needs: BTreeSet<String>,
    /// Whether the operation that created it is not over.
    pub(crate) fresh: bool,
}

impl Record {
    /// Value of an attribute: what the service answered, else the property of that name.
    pub(crate) fn attribute(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.attributes.get(name) {
            return Some(value.clone());
        }
        let mut value = &self.properties;
        for part in name.split('.') {
            value = value.get(part)?;
        }
        Some(value.clone())
    }
}

/// One event of a stack.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Unique id.
    pub(crate) id: String,
    /// Operation that it belongs to.
    pub(crate) operation: String,
    /// Logical id; the stack's name for the stack itself.
    pub(crate) logical: String,
    /// Physical id.
    pub(crate) physical: Option<String>,
    /// Type.
    pub(crate) kind: String,
    /// Status.
    pub(crate) status: String,
    /// Why.
    pub(crate) reason: Option<String>,
    /// When.
    pub(crate) at: String,
    /// Properties, for resources.
    pub(crate) properties: Option<String>,
    /// Client token of the operation.
    pub(crate) token: Option<String>,
}

/// One change set.
#[derive(Debug, Clone)]
pub(crate) struct ChangeSet {
    /// ARN.
    pub(crate) id: String,
    /// Name.
    pub(crate) name: String,
    /// ARN of the stack.
    pub(crate) stack: String,
    /// `CREATE_PENDING`, `CREATE_COMPLETE`, `FAILED`.
    pub(crate) status: String,
    /// `UNAVAILABLE`, `AVAILABLE`, `EXECUTE_COMPLETE`, `OBSOLETE`.
    pub(crate) execution: String,
    /// Why the status is so.
    pub(crate) reason: Option<String>,
    /// Description.
    pub(crate) description: Option<String>,
    /// When it was made.
    pub(crate) created: String,
    /// Whether it creates the stack.
    pub(crate) creates: bool,
    /// Resources that exist already, of which the stack will be made.
    pub(crate) imports: Vec<Import>,
    /// What the stack will be made from.
    pub(crate) desired: Desired,
    /// Changes as DescribeChangeSet shows them.
    pub(crate) changes: Vec<Value>,
    /// What happens when the execution fails.
    pub(crate) on_failure: Option<OnFailure>,
    /// Client token.
    pub(crate) token: Option<String>,
    /// Violations that were found before anything was made, as DescribeEvents shows them.
    pub(crate) findings: Vec<Value>,
}

impl State {
    /// The stack by ARN, or the living one of this name.
    pub(crate) fn stack(&self, name_or_id: &str) -> Option<&Stack> {
        if name_or_id.starts_with("arn:") {
            return self.stacks.get(name_or_id);
        }
        self.stacks
            .values()
            .rev()
            .find(|s| s.name == name_or_id && s.deleted.is_none())
    }

    /// The change set by ARN, or by name within a stack.
    pub(crate) fn change_set(&self, name_or_id: &str, stack: Option<&str>) -> Option<&ChangeSet> {
        if name_or_id.starts_with("arn:") {
            return self.change_sets.get(name_or_id);
        }
        let stack = self.stack(stack?)?.id.clone();
        self.change_sets
            .values()
            .rev()
            .find(|c| c.name == name_or_id && c.stack == stack)
    }

    /// Exports of all living stacks but one.
    pub(crate) fn exports(&self, but: &str) -> HashMap<String, String> {
        self.stacks
            .values()
            .filter(|s| s.deleted.is_none() && s.id != but)
            .flat_map(|s| s.outputs.iter())
            .filter_map(|o| o.export.clone().map(|name| (name, o.value.clone())))
            .collect()
    }
}

/// The resources of a stack as intrinsics see them at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    /// Records by logical id.
    pub(crate) records: IndexMap<String, Record>,
}

impl Lookup for Snapshot {
    fn reference(&self, logical: &str) -> Option<Value> {
        self.records.get(logical)?.physical.clone().map(Value::String)
    }

    fn attribute(&self, logical: &str, attribute: &str) -> Option<Value> {
        self.records.get(logical)?.attribute(attribute)
    }
}

//! What CloudFormation kept though it left the stack.

use super::ports::Event;
use crate::topology::FILE_SYSTEM;
use std::fmt;

/// A resource that is there, but belongs to no stack any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// Resource type.
    pub kind: String,
    /// Physical id.
    pub id: String,
}

impl Kept {
    /// Whether it holds messages.
    pub(super) fn is_file_system(&self) -> bool {
        self.kind == FILE_SYSTEM
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_file_system() {
            "file system"
        } else {
            &self.kind
        };
        write!(f, "{what} {}", self.id)
    }
}

/// What an operation kept, by its events.
pub(super) fn kept(events: &[Event]) -> Vec<Kept> {
    let skipped = events.iter().filter(|e| e.status == "DELETE_SKIPPED");
    let mut all: Vec<Kept> = Vec::new();
    for event in skipped {
        let one = Kept {
            kind: event.kind.clone(),
            id: event.physical.clone().unwrap_or_else(|| event.logical.clone()),
        };
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

/// What an operation wanted to delete and did not, by its events: it belongs to no stack any more.
pub(super) fn undeleted(events: &[Event]) -> Vec<Kept> {
    let mut all: Vec<Kept> = Vec::new();
    for event in events {
        let Some(id) = &event.physical else { continue };
        let one = Kept {
            kind: event.kind.clone(),
            id: id.clone(),
        };
        // CloudFormation tries more than once.
        match event.status.as_str() {
            "DELETE_FAILED" if !all.contains(&one) => all.push(one),
            "DELETE_COMPLETE" => all.retain(|k| *k != one),
            _ => {}
        }
    }
    all
}

/// The command that deletes a file system for good.
pub(super) fn deletion(file_system: &str, stack_id: &str) -> String {
    let region = region(stack_id);
    format!("aws efs delete-file-system --file-system-id {file_system}{region}")
}

/// The command that deletes a stack, this one and no other that has its name later.
pub(super) fn deletion_of_stack(stack_id: &str) -> String {
    let region = region(stack_id);
    format!("aws cloudformation delete-stack --stack-name {stack_id}{region}")
}

/// The region's option; an ARN holds it as its fourth part.
fn region(arn: &str) -> String {
    let region = arn.split(':').nth(3).filter(|r| !r.is_empty());
    region.map(|r| format!(" --region {r}")).unwrap_or_default()
}

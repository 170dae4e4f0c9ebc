//! File systems that earlier stacks left, so that nobody starts empty beside kept messages without knowing it.

use super::ports::Stacks;
use super::stake;
use super::standing::is_ours;
use crate::cloud::AwsError;
use crate::model::FileSystemId;
use crate::observe::megabytes;
use crate::observe::ports::Readings;
use crate::stack::{QUEUE_MANAGER_TAG, STACK_TAG};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::fmt;

/// Tag by which CloudFormation names the stack that made something; it outlives the stack.
pub(super) const STACK_ID_TAG: &str = "aws:cloudformation:stack-id";

/// A file system that holds what a stack left, and that no stack uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptStorage {
    /// Id.
    pub id: String,
    /// Metered size in bytes.
    pub bytes: u64,
    /// Queue manager whose data it holds; `None` when neither its tags nor its stack tell.
    pub queue_manager: Option<String>,
    /// Name of the stack that it is of.
    pub stack: String,
    /// When it was made, on AWS's clock; `None` when AWS does not tell.
    #[serde(serialize_with = "as_text")]
    pub created: Option<Timestamp>,
}

impl fmt::Display for KeptStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match &self.queue_manager {
            Some(name) => format!("queue manager {name}"),
            None => "queue manager unknown".to_owned(),
        };
        let made = self
            .created
            .map(|at| at.strftime(", created %Y-%m-%d %H:%M:%S UTC").to_string());
        write!(
            f,
            "file system {}, {}, {of}, of stack {}{}",
            self.id,
            megabytes(self.bytes),
            self.stack,
            made.unwrap_or_default()
        )
    }
}

fn as_text<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(|at| at.to_string()).serialize(serializer)
}

/// The file systems of that stack's name or of that queue manager that no living stack has; the newest first.
///
/// # Errors
/// [`AwsError`]: as long as anything cannot be read, nothing is known to be kept by nobody.
pub(super) async fn kept_beside<C: Readings + Stacks>(
    cloud: &C,
    stack: &str,
    queue_manager: &str,
) -> Result<Vec<KeptStorage>, AwsError> {
    kept(cloud, Some((stack, queue_manager))).await
}

/// Every file system that a stack of mqaws left and that no living stack has; the newest first.
///
/// # Errors
/// [`AwsError`]: as long as anything cannot be read, nothing is known to be kept by nobody.
pub async fn kept_everywhere<C: Readings + Stacks>(cloud: &C) -> Result<Vec<KeptStorage>, AwsError> {
    kept(cloud, None).await
}

/// Those of a stack's name or of a queue manager, or all of them.
async fn kept<C: Readings + Stacks>(cloud: &C, of: Option<(&str, &str)>) -> Result<Vec<KeptStorage>, AwsError> {
    let mut kept = Vec::new();
    for storage in cloud.file_systems().await? {
        let stack_id = storage.tags.get(STACK_ID_TAG);
        let tag = storage.tags.get(STACK_TAG).map(String::as_str);
        let Some(of_stack) = tag.or(stack_id.and_then(|id| name_in(id))).filter(|_| !storage.goes()) else {
            continue;
        };
        let elsewhere = of.is_some_and(|(stack, _)| of_stack != stack);
        // What another stack made without a tag of ours is somebody else's, and no business of this one.
        if elsewhere && tag.is_none() {
            continue;
        }
        let tagged = storage.tags.get(QUEUE_MANAGER_TAG).map(|value| untagged(value));
        let other = |name: &Option<String>| of.is_some_and(|(_, wanted)| name.as_deref() != Some(wanted));
        if elsewhere && tagged.is_some() && other(&tagged) {
            continue;
        }
        let owner = cloud.stack(stack_id.map_or(of_stack, String::as_str)).await?;
        // A stack that other means made from our template has no tag of ours.
        if tag.is_none() && !owner.as_ref().is_some_and(is_ours) {
            continue;
        }
        // CloudFormation tags what it makes, not what a stack adopts later: only it knows who has it now.
        let id = FileSystemId::new(storage.id.as_str())
            .map_err(|invalid| AwsError::no_id("cloudformation:DescribeStackResources", &invalid))?;
        if cloud.holder(&id).await?.is_some() {
            continue;
        }
        // Under the name alone there may be a later stack by now.
        let maker = owner.as_ref().filter(|_| stack_id.is_some());
        let holds = tagged.or_else(|| maker.and_then(stake::deployed).map(str::to_owned));
        if elsewhere && other(&holds) {
            continue;
        }
        kept.push(KeptStorage {
            stack: of_stack.to_owned(),
            queue_manager: holds,
            id: storage.id,
            bytes: storage.bytes,
            created: storage.created,
        });
    }
    kept.sort_by(|a, b| (b.created, &a.id).cmp(&(a.created, &b.id)));
    Ok(kept)
}

/// The file systems that stacks of that name left, the newest first.
///
/// # Errors
/// [`AwsError`]: as long as anything cannot be read, nothing is known to be kept by nobody.
pub async fn kept_of<C: Readings + Stacks>(cloud: &C, stack: &str) -> Result<Vec<KeptStorage>, AwsError> {
    // No queue manager has no name.
    let mut kept = kept_beside(cloud, stack, "").await?;
    kept.retain(|one| one.stack == stack);
    Ok(kept)
}

/// The name in a stack's ARN, `arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID`.
pub(super) fn name_in(arn: &str) -> Option<&str> {
    let (_, path) = arn.split_once(":stack/")?;
    path.split_once('/').map(|(name, _)| name)
}

/// The name in a tag: EFS takes no `%` in a value, and a queue manager's name has no `:`.
pub(super) fn untagged(value: &str) -> String {
    value.replace(':', "%")
}

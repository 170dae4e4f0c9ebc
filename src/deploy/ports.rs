//! The calls that deploying needs beyond reading, and what they return.

use super::adopt::Adopts;
use super::finding::Finding;
use super::renewal::Renewal;
use crate::cloud::AwsError;
use crate::model::{Engine, FileSystemId, InstanceId, StackId, Topology};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::future::Future;

pub use crate::topology::{Change, Detail};

/// Everything a change set is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blueprint {
    /// Name of the stack.
    pub stack: String,
    /// Name of the queue manager.
    pub queue_manager: String,
    /// How it is made highly available.
    pub topology: Topology,
    /// What it is made of.
    pub engine: Engine,
    /// The template as text, at most 51,200 bytes.
    pub template: String,
    /// Parameters of the template.
    pub parameters: BTreeMap<String, String>,
    /// Tags of the stack and, through CloudFormation, of its resources.
    pub tags: BTreeMap<String, String>,
    /// CloudFormation service role, when the account wants one.
    pub role: Option<String>,
    /// Whether to switch termination protection on after the deployment.
    pub protect: bool,
    /// The file system that a new stack adopts.
    pub adopts: Option<Adopts>,
    /// Who is active in the stack, and so renewed last; `None` for one member, for a new stack, and where it cannot be told.
    pub renewal: Option<Renewal>,
    /// Version of the engine in the image, as far as its tag tells it.
    pub engine_version: Option<String>,
}

/// What a change set does to its stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetKind {
    /// It creates the stack.
    Create,
    /// It changes the stack.
    Update,
    /// It makes the stack of the file system that the blueprint adopts.
    Import,
}

/// A change set that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSetIds {
    /// ARN of the change set.
    pub change_set: String,
    /// ARN of the stack.
    pub stack: String,
}

/// A change set as CloudFormation describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSet {
    /// Status, `CREATE_COMPLETE`.
    pub status: String,
    /// Why it failed.
    pub reason: Option<String>,
    /// When it was made, on CloudFormation's clock.
    pub created: Option<Timestamp>,
    /// Its changes, all pages.
    pub changes: Vec<Change>,
}

/// A change set of a stack, as far as it tells who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// ARN of the change set.
    pub change_set: String,
    /// Tags that it would give to the stack.
    pub tags: BTreeMap<String, String>,
}

/// A file system of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// Id.
    pub id: String,
    /// State, `available`.
    pub state: String,
    /// Metered size in bytes.
    pub bytes: u64,
    /// When it was made, on AWS's clock; `None` when AWS does not tell.
    pub created: Option<Timestamp>,
    /// Tags, those of CloudFormation included.
    pub tags: BTreeMap<String, String>,
    /// How it was made.
    pub made: Made,
}

/// Properties of a file system, as EFS tells them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Made {
    /// Whether it is encrypted at rest.
    pub encrypted: bool,
    /// ARN of the key that encrypts it.
    pub kms_key: Option<String>,
    /// Performance mode, `generalPurpose`.
    pub performance_mode: String,
    /// Throughput mode, `elastic`.
    pub throughput: String,
    /// MiB/s for throughput mode `provisioned`.
    pub provisioned_mibps: Option<u32>,
    /// The zone of one that has only one.
    pub zone: Option<String>,
}

impl Storage {
    /// Whether it is being deleted.
    pub(super) fn goes(&self) -> bool {
        matches!(self.state.as_str(), "deleting" | "deleted")
    }
}

/// One event of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Unique id.
    pub id: String,
    /// When, on CloudFormation's clock.
    pub at: Timestamp,
    /// Logical id; the stack's name for events of the stack itself.
    pub logical: String,
    /// Physical id, once there is one.
    pub physical: Option<String>,
    /// Resource type.
    pub kind: String,
    /// Status, `CREATE_IN_PROGRESS`.
    pub status: String,
    /// Why, in AWS's words.
    pub reason: Option<String>,
}

impl Event {
    /// Whether the event is about the stack itself.
    pub fn is_of_stack(&self, stack_id: &str) -> bool {
        self.kind == "AWS::CloudFormation::Stack" && self.physical.as_deref() == Some(stack_id)
    }
}

/// A launch of an instance that Auto Scaling tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// When it began, on Auto Scaling's clock.
    pub at: Timestamp,
    /// The instance, once there is one.
    pub instance: Option<InstanceId>,
    /// Status, `Failed`.
    pub status: String,
    /// Why, in AWS's words.
    pub words: Option<String>,
}

impl Launch {
    /// AWS's words about a launch that failed.
    pub fn failure(&self) -> Option<&str> {
        (self.status == "Failed").then(|| self.words.as_deref().unwrap_or("no reason given"))
    }
}

/// An instance that Auto Scaling took out of service and ended, or tried to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Termination {
    /// When it began, on Auto Scaling's clock.
    pub at: Timestamp,
    /// The instance.
    pub instance: InstanceId,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// Id.
    pub id: String,
    /// VPC.
    pub vpc: String,
    /// Availability zone by name.
    pub zone: String,
    /// Whether AWS made it as the zone's default subnet.
    pub default: bool,
}

/// An image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Device name of its root volume; `None` when AWS does not tell.
    pub root_device: Option<String>,
    /// Version of the engine in it, by its tag; `None` for one that has none, or that another account shares.
    pub engine_version: Option<String>,
}

/// What uses a security group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupUsers {
    /// Ids of other security groups with a rule that refers to it.
    pub groups: Vec<String>,
    /// Ids of network interfaces that have it.
    pub interfaces: Vec<String>,
}

/// Change sets, stacks and what CloudFormation cannot express.
pub trait Stacks: Sync {
    /// Makes a change set; `fresh` when the stack does not exist yet.
    fn create_change_set(
        &self,
        blueprint: &Blueprint,
        name: &str,
        kind: SetKind,
    ) -> impl Future<Output = Result<ChangeSetIds, AwsError>> + Send;
    /// Describes a change set with all its changes.
    fn change_set(&self, id: &str) -> impl Future<Output = Result<ChangeSet, AwsError>> + Send;
    /// The change sets of a stack, all pages.
    fn change_sets(&self, stack: &str) -> impl Future<Output = Result<Vec<Listed>, AwsError>> + Send;
    /// What CloudFormation found wrong with a change set, before anything is made.
    fn findings(&self, change_set: &str) -> impl Future<Output = Result<Vec<Finding>, AwsError>> + Send;
    /// Executes a change set; `token` makes a repeated call harmless.
    fn execute(&self, change_set: &str, token: &str) -> impl Future<Output = Result<(), AwsError>> + Send;
    /// Deletes a change set; none is fine.
    fn delete_change_set(&self, change_set: &str) -> impl Future<Output = Result<(), AwsError>> + Send;
    /// Deletes a stack; none is fine.
    fn delete_stack(
        &self,
        stack: &StackId,
        role: Option<&str>,
        token: &str,
    ) -> impl Future<Output = Result<(), AwsError>> + Send;
    /// Stops an update and rolls it back.
    fn cancel_update(&self, stack: &str) -> impl Future<Output = Result<(), AwsError>> + Send;
    /// Events of a stack from an instant on, oldest first.
    fn events(&self, stack: &str, from: Timestamp) -> impl Future<Output = Result<Vec<Event>, AwsError>> + Send;
    /// Switches termination protection.
    fn protect(&self, stack: &str, on: bool) -> impl Future<Output = Result<(), AwsError>> + Send;
    /// Every file system of the account in the region, all pages.
    fn file_systems(&self) -> impl Future<Output = Result<Vec<Storage>, AwsError>> + Send;
    /// Name of the stack that has a file system; `None` when no stack has it.
    fn holder(&self, id: &FileSystemId) -> impl Future<Output = Result<Option<String>, AwsError>> + Send;
    /// Deletes a file system with everything in it; none is fine.
    fn delete_file_system(&self, id: &FileSystemId) -> impl Future<Output = Result<(), AwsError>> + Send;
    /// What refers to a security group or uses it, itself apart.
    fn users_of_group(&self, group: &str) -> impl Future<Output = Result<GroupUsers, AwsError>> + Send;
    /// Launches that a group tried from an instant on, oldest first; also those of a group that is gone.
    fn launches(&self, group: &str, from: Timestamp) -> impl Future<Output = Result<Vec<Launch>, AwsError>> + Send;
    /// Terminations of a group's instances that began from an instant on, oldest first; also those of a group that is gone.
    fn terminations(
        &self,
        group: &str,
        from: Timestamp,
    ) -> impl Future<Output = Result<Vec<Termination>, AwsError>> + Send;
    /// Suspends processes of a group.
    fn suspend(&self, group: &str, processes: &[&str]) -> impl Future<Output = Result<(), AwsError>> + Send;
}

/// What a deployment's defaults come from.
pub trait Surroundings: Sync {
    /// The account's default VPC in the region, when there is one.
    fn default_vpc(&self) -> impl Future<Output = Result<Option<String>, AwsError>> + Send;
    /// The subnets of a VPC.
    fn subnets(&self, vpc: &str) -> impl Future<Output = Result<Vec<Subnet>, AwsError>> + Send;
    /// Subnets by id, whatever their VPC.
    fn subnets_by_id(&self, ids: &[String]) -> impl Future<Output = Result<Vec<Subnet>, AwsError>> + Send;
    /// Names of the region's availability zones that can be used.
    fn zones(&self) -> impl Future<Output = Result<Vec<String>, AwsError>> + Send;
    /// Zones of the region in which EC2 offers an instance type.
    fn offered_in(&self, instance_type: &str) -> impl Future<Output = Result<Vec<String>, AwsError>> + Send;
    /// What is known of an image.
    fn image(&self, image: &str) -> impl Future<Output = Result<Image, AwsError>> + Send;
    /// A parameter of Systems Manager; `None` when there is none.
    fn parameter(&self, name: &str) -> impl Future<Output = Result<Option<String>, AwsError>> + Send;
}

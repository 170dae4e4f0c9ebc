//! The calls that images need, and what they return.

use super::stages::Temporary;
use crate::cloud::AwsError;
use crate::model::{AmiId, SnapshotId};
use crate::render::packer::tags;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;

/// An image of this account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnImage {
    /// Id, `ami-…`.
    pub id: String,
    /// Name.
    pub name: String,
    /// State, `available`, `pending`, `failed` …
    pub state: String,
    /// When it was made; `None` when AWS does not tell.
    pub created: Option<Timestamp>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Snapshots that it is made of.
    pub snapshots: Vec<String>,
    /// Those among them that mqaws did not make; told apart only for an image that is to go.
    pub foreign: BTreeSet<String>,
}

impl OwnImage {
    /// The engine that it holds, when it is one of mqaws.
    pub fn engine(&self) -> Option<&str> {
        self.tag(tags::IMAGE)
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str)
    }

    /// Whether it can be started.
    pub fn is_available(&self) -> bool {
        self.state == "available"
    }
}

/// Something that uses an image, so that the image must stay.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "by", content = "name")]
pub enum Use {
    /// An instance that is not terminated.
    Instance(String),
    /// A version of a launch template, `lt-… version 3`.
    LaunchTemplate(String),
    /// A launch configuration of Auto Scaling.
    LaunchConfiguration(String),
    /// A parameter of Systems Manager names it: the next deployment starts it.
    Parameter(String),
    /// It is shared with others, whose use nobody here can see.
    Shared(String),
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(id) => write!(f, "instance {id}"),
            Self::LaunchTemplate(name) => write!(f, "launch template {name}"),
            Self::LaunchConfiguration(name) => write!(f, "launch configuration {name}"),
            Self::Parameter(name) => write!(f, "parameter {name}"),
            Self::Shared(with) => write!(f, "shared with {with}"),
        }
    }
}

/// Who uses which image.
pub type Uses = BTreeMap<String, BTreeSet<Use>>;

/// What is left of a build, each by its id or name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Instances that are neither terminated nor on the way to it.
    pub instances: Vec<String>,
    /// Volumes.
    pub volumes: Vec<String>,
    /// Images.
    pub images: Vec<String>,
    /// Snapshots, those of these images too, which outlive them.
    pub snapshots: Vec<String>,
    /// Key pairs, by name.
    pub key_pairs: Vec<String>,
    /// Security groups.
    pub security_groups: Vec<String>,
}

/// Images, parameters, and what uses or surrounds them.
pub trait Images: Sync {
    /// An image by id; `None` when there is none.
    fn image(&self, id: &str) -> impl Future<Output = Result<Option<OwnImage>, AwsError>> + Send;
    /// Every image of this account that is one of mqaws.
    fn own_images(&self) -> impl Future<Output = Result<Vec<OwnImage>, AwsError>> + Send;
    /// Which of these snapshots are of this account and carry the tag of an image of mqaws.
    fn own_snapshots(&self, ids: &[String]) -> impl Future<Output = Result<BTreeSet<String>, AwsError>> + Send;
    /// What uses these images: instances, launch templates, launch configurations, other accounts.
    fn uses(&self, images: &[String]) -> impl Future<Output = Result<Uses, AwsError>> + Send;
    /// The value of a parameter; `None` when there is none.
    fn image_parameter(&self, name: &str) -> impl Future<Output = Result<Option<String>, AwsError>> + Send;
    /// Sets a parameter whose value is an image, whether it exists or not.
    fn set_image_parameter(&self, name: &str, image: &str) -> impl Future<Output = Result<(), AwsError>> + Send;
    /// What carries the tag of a run, and what else Packer told that it made: key pair, security group and the image that it
    /// copies into an encrypted one have no tag.
    fn left_of(&self, run: &str, temporary: &Temporary) -> impl Future<Output = Result<Left, AwsError>> + Send;
    /// Deregisters an image; none is fine.
    fn deregister(&self, image: &AmiId) -> impl Future<Output = Result<(), AwsError>> + Send;
    /// Deletes a snapshot; none is fine.
    fn delete_snapshot(&self, snapshot: &SnapshotId) -> impl Future<Output = Result<(), AwsError>> + Send;
}

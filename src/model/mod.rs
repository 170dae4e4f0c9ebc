//! A deployment as typed data; pure.
//!
//! [`Deployment`] is what the user wants. Every name in it obeys its AWS or IBM MQ rule, because it can only be made by
//! a checking constructor. [`keys`] declares each key of `mqaws.yaml` once; [`config`] reads the file, variables and flags by them; [`agent`] holds what the deploying side and the instance tell each other.

mod arn;
mod cidr;
pub mod config;
mod definitions;
mod deployment;
mod engine;
mod image;
pub mod keys;
mod names;
mod schema;
mod topology;

pub use cidr::Cidr;
pub use definitions::Definitions;
pub use deployment::{
    Alarms, Credentials, Deployment, Endpoint, Instance, Mount, Network, PerformanceMode, Placement, QueueManager,
    Security, Storage, Throughput, Tls,
};
pub use engine::Engine;
pub use image::{
    Connect, DeviceName, EngineVersion, Image, ImageOwner, ImagePattern, InstanceProfile, LoginName, Package,
    ParameterName, Sha256, SourceImage,
};
pub use mqaws_contract::{EngineFacts, EngineKind, InstanceId, InvalidName, QueueManagerName, agent};
pub use names::{
    AmiId, FileSystemId, InstanceType, KeyArn, KeyPairName, KmsKey, PolicyArn, ProfileName, Region, RoleArn, SecretArn,
    ServerName, SnapshotId, StackId, StackName, SubnetId, TagKey, TagValue, TopicArn, UserName, VpcId, ZoneName,
};
pub use schema::json_schema;
pub use topology::Topology;

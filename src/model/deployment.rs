//! What is deployed: the typed form of `mqaws.yaml`, field by field.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use mqaws_contract::QueueManagerName;
use mqaws_contract::agent::MountMethod;

use super::Topology;
use super::cidr::Cidr;
use super::definitions::Definitions;
use super::engine::Engine;
use super::image::Image;
use super::keys::Values;
use super::names::{
    AmiId, FileSystemId, InstanceType, KeyArn, KeyPairName, KmsKey, PolicyArn, ProfileName, QueueManagerNameSchema,
    Region, RoleArn, SecretArn, ServerName, StackName, SubnetId, TagKey, TagValue, TopicArn, UserName, VpcId, ZoneName,
};

/// A deployment, complete but for what only an account can tell: see [`Network::placement`] and [`Instance::ami`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "mqaws.yaml", deny_unknown_fields)]
pub struct Deployment {
    /// Name of the CloudFormation stack.
    pub stack: StackName,
    /// AWS region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Profile of the user's AWS configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileName>,
    /// Topology that makes the queue manager highly available.
    pub topology: Topology,
    /// Engine of the queue manager.
    pub engine: Engine,
    /// The queue manager.
    pub queue_manager: QueueManager,
    /// Network.
    pub network: Network,
    /// How clients reach it.
    pub endpoint: Endpoint,
    /// The instance that it runs on.
    pub instance: Instance,
    /// The file system that holds its data.
    pub storage: Storage,
    /// The application's user.
    pub credentials: Credentials,
    /// The certificate that is presented to clients.
    pub tls: Tls,
    /// Roles and limits.
    pub security: Security,
    /// Notifications.
    pub alarms: Alarms,
    /// The image that instances start from.
    pub image: Image,
    /// Tags of the stack, its resources, and images.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(with = "std::collections::BTreeMap<TagKey, TagValue>")]
    pub tags: IndexMap<TagKey, TagValue>,
}

/// The queue manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct QueueManager {
    /// Its name.
    #[schemars(with = "QueueManagerNameSchema")]
    pub name: QueueManagerName,
    /// File with the user's own MQSC commands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub definitions: Option<Definitions>,
}

/// Network of the queue manager, and the clients that may connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "NetworkKeys")]
#[schemars(with = "NetworkKeys")]
pub struct Network {
    /// An existing VPC, a new one, or the account's default.
    #[serde(flatten)]
    pub placement: Placement,
    /// Ranges from which clients may connect.
    pub clients: Vec<Cidr>,
}

/// In which network the queue manager lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Placement {
    /// A VPC that exists, and two of its subnets, in different availability zones.
    Existing {
        /// The VPC; when absent, it is the one that the subnets are in.
        #[serde(skip_serializing_if = "Option::is_none")]
        vpc: Option<VpcId>,
        /// Two different subnets.
        subnets: [SubnetId; 2],
    },
    /// The VPC named, or else the account's default VPC, with a subnet in each of two of its zones, chosen at deployment.
    Choose {
        /// The VPC; when absent, the account's default VPC.
        #[serde(skip_serializing_if = "Option::is_none")]
        vpc: Option<VpcId>,
    },
    /// A VPC of the deployment's own.
    New {
        /// Range of the VPC, prefix 16 to 24.
        cidr: Cidr,
        /// Two different zones; when absent, the region's first two, chosen at deployment.
        #[serde(skip_serializing_if = "Option::is_none")]
        zones: Option<[ZoneName; 2]>,
    },
}

/// The keys of `network` as they stand in the file.
#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Network")]
struct NetworkKeys {
    vpc: Option<VpcId>,
    subnets: Option<Vec<SubnetId>>,
    cidr: Option<Cidr>,
    zones: Option<Vec<ZoneName>>,
    clients: Option<Vec<Cidr>>,
}

impl From<NetworkKeys> for Network {
    fn from(keys: NetworkKeys) -> Self {
        let subnets = keys.subnets.and_then(|both| <[SubnetId; 2]>::try_from(both).ok());
        let zones = keys.zones.and_then(|both| <[ZoneName; 2]>::try_from(both).ok());
        let placement = match (keys.cidr, subnets) {
            (Some(cidr), _) => Placement::New { cidr, zones },
            (None, Some(subnets)) => Placement::Existing { vpc: keys.vpc, subnets },
            (None, None) => Placement::Choose { vpc: keys.vpc },
        };
        Self {
            placement,
            clients: keys.clients.unwrap_or_else(|| Self::default().clients),
        }
    }
}

/// How clients reach the queue manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Endpoint {
    /// Whether the load balancer is reachable only from the VPC and networks connected to it.
    pub internal: bool,
    /// Whether AMQP 1.0 is served.
    pub amqp: bool,
    /// Seconds after which the load balancer drops an idle connection.
    pub idle_timeout_seconds: u32,
    /// Of tests alone.
    #[cfg(test)]
    pub toy_seconds: u32,
}

/// The instance that the queue manager runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Instance {
    /// EC2 instance type.
    #[serde(rename = "type")]
    pub kind: InstanceType,
    /// Image with the engine and the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ami: Option<AmiId>,
    /// EC2 key pair for SSH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_name: Option<KeyPairName>,
    /// Size of the encrypted root volume in GiB.
    pub root_volume_gib: u32,
}

/// The file system that holds the queue manager's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Storage {
    /// A kept file system that a new stack adopts; when absent, it makes one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_system: Option<FileSystemId>,
    /// Throughput mode.
    pub throughput: Throughput,
    /// Throughput in MiB/s for [`Throughput::Provisioned`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioned_mibps: Option<u32>,
    /// EFS performance mode; a change REPLACES the file system.
    pub performance_mode: PerformanceMode,
    /// Whether AWS Backup backs it up daily.
    pub backup: bool,
    /// Key that encrypts it; when absent, the account's own key for EFS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<KmsKey>,
    /// How the instance mounts it.
    pub mount: Mount,
    /// Assumed NFS lease of its server; when absent, the agent's assumption for EFS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_seconds: Option<u32>,
    /// Whether the engine may start on the proof `lease`; when absent, the engine's own rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_on_lease: Option<bool>,
}

/// How the instance mounts the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mount {
    /// By efs-utils, with TLS and the instance's role.
    EfsUtils,
    /// By the kernel's NFS 4.1 alone: without TLS, and accessible to any client that can reach a mount target.
    Nfs,
}

impl From<Mount> for MountMethod {
    fn from(mount: Mount) -> Self {
        match mount {
            Mount::EfsUtils => Self::EfsUtils,
            Mount::Nfs => Self::Nfs,
        }
    }
}

impl Mount {
    /// Every way.
    pub const ALL: [Self; 2] = [Self::EfsUtils, Self::Nfs];

    /// The word that the file and the agent use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EfsUtils => "efs-utils",
            Self::Nfs => "nfs",
        }
    }
}

/// Throughput mode of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Throughput {
    /// Scales with use.
    Elastic,
    /// By size, with credits for bursts.
    Bursting,
    /// A fixed amount.
    Provisioned,
}

impl Throughput {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Elastic, Self::Bursting, Self::Provisioned];

    /// The word that the file and EFS use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Elastic => "elastic",
            Self::Bursting => "bursting",
            Self::Provisioned => "provisioned",
        }
    }
}

/// EFS performance mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PerformanceMode {
    /// Recommended for all workloads.
    #[serde(rename = "generalPurpose")]
    GeneralPurpose,
    /// The previous generation's mode for many clients; not with `throughput: elastic`.
    #[serde(rename = "maxIO")]
    MaxIo,
}

impl PerformanceMode {
    /// Every mode.
    pub const ALL: [Self; 2] = [Self::GeneralPurpose, Self::MaxIo];

    /// The word that the file and EFS use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GeneralPurpose => "generalPurpose",
            Self::MaxIo => "maxIO",
        }
    }
}

/// The application's user; the password is generated and stored only in Secrets Manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Credentials {
    /// Name of the user.
    pub username: UserName,
    /// KMS key that encrypts the secret; when absent, the account's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<KeyArn>,
}

/// The certificate that is presented to clients; without one, connections to the queue manager are not encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Tls {
    /// Secret with the certificate and its key; when absent, connections are not encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<SecretArn>,
    /// KMS key that encrypts that secret; when absent, the account's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<KeyArn>,
    /// Name in the certificate; when absent, the endpoint's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<ServerName>,
}

/// Roles and limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Security {
    /// Permissions boundary of the instance's role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<PolicyArn>,
    /// Role that CloudFormation assumes; when absent, the caller's permissions apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloudformation_role: Option<RoleArn>,
    /// Whether failover tests may inject faults into this deployment.
    pub allow_faults: bool,
}

/// Notifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Alarms {
    /// SNS topic for alarms; when absent, they are only displayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<TopicArn>,
}

impl Default for Deployment {
    fn default() -> Self {
        let defaults = Values::defaults().deployment();
        defaults.expect("the defaults of the table fit their fields")
    }
}

/// Gives sections of a deployment the defaults of their keys.
macro_rules! default_of_section {
    ($($section:ident: $name:ident),+) => {
        $(impl Default for $name {
            fn default() -> Self {
                Deployment::default().$section
            }
        })+
    };
}

default_of_section!(
    queue_manager: QueueManager,
    network: Network,
    endpoint: Endpoint,
    instance: Instance,
    storage: Storage,
    credentials: Credentials,
    tls: Tls,
    security: Security,
    alarms: Alarms,
    image: Image
);

//! What is deployed: the typed form of `mqaws.yaml`, field by field.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use super::Topology;
use mqaws_contract::QueueManagerName;
use mqaws_contract::agent::MountMethod;

use super::cidr::Cidr;
use super::definitions::Definitions;
use super::image::{Engine, Image};
use super::names::{
    AmiId, InstanceType, KeyArn, KeyPairName, KmsKey, PolicyArn, ProfileName, QueueManagerNameSchema, Region, RoleArn,
    SecretArn, ServerName, StackName, SubnetId, TagKey, TagValue, TopicArn, UserName, VpcId, ZoneName,
};

/// A deployment, complete but for what only an account can tell: see [`Network::placement`] and [`Instance::ami`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(title = "mqaws.yaml", deny_unknown_fields)]
pub struct Deployment {
    /// Name of the CloudFormation stack; default `mqaws-` and the queue manager's name in lower case.
    #[schemars(default = "default_stack")]
    pub stack: StackName,
    /// AWS region; default: what the user's AWS configuration says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Profile of the user's AWS configuration; default: what that configuration says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileName>,
    /// How the queue manager is made highly available.
    #[schemars(default)]
    pub topology: Topology,
    /// The queue manager.
    #[schemars(default)]
    pub queue_manager: QueueManager,
    /// Where it lives.
    #[schemars(default)]
    pub network: Network,
    /// How clients reach it.
    #[schemars(default)]
    pub endpoint: Endpoint,
    /// The instance it runs on.
    #[schemars(default)]
    pub instance: Instance,
    /// The file system that holds its data.
    #[schemars(default)]
    pub storage: Storage,
    /// The application's user.
    #[schemars(default)]
    pub credentials: Credentials,
    /// The certificate that clients see.
    #[schemars(default)]
    pub tls: Tls,
    /// Roles and limits.
    #[schemars(default)]
    pub security: Security,
    /// Who is told when something is wrong.
    #[schemars(default)]
    pub alarms: Alarms,
    /// How the image is made that instances start from.
    #[schemars(default)]
    pub image: Image,
    /// Tags of the stack and of everything in it, and of images, at most 40.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(default, with = "std::collections::BTreeMap<TagKey, TagValue>", extend("maxProperties" = 40))]
    pub tags: IndexMap<TagKey, TagValue>,
}

fn default_stack() -> StackName {
    Deployment::default().stack
}

impl Deployment {
    /// The engine of its queue manager, for which there is no key yet: an image may hold another.
    pub fn engine(&self) -> Engine {
        Engine::default()
    }
}

/// The queue manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct QueueManager {
    /// Its name; default `QM1`.
    #[schemars(default = "default_name", with = "QueueManagerNameSchema")]
    pub name: QueueManagerName,
    /// File with your own MQSC commands, at most 8 KiB, beside this file; applied once per change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub definitions: Option<Definitions>,
}

fn default_name() -> QueueManagerName {
    QueueManager::default().name
}

/// Where the queue manager lives and who may connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
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
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Network")]
#[allow(dead_code, reason = "only its schema is used")]
struct NetworkKeys {
    /// An existing VPC; default: the VPC of the subnets, or the account's default VPC.
    vpc: Option<VpcId>,
    /// Two subnets in different availability zones; default: chosen at deployment.
    #[schemars(length(equal = 2))]
    subnets: Option<Vec<SubnetId>>,
    /// Range of a new VPC, prefix 16 to 24; excludes `vpc` and `subnets`.
    cidr: Option<Cidr>,
    /// Two zones of the new VPC; default: the region's first two.
    #[schemars(length(equal = 2))]
    zones: Option<Vec<ZoneName>>,
    /// Ranges from which clients may connect, 1 to 20; default: the private ranges 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16.
    #[schemars(length(min = 1, max = 20))]
    clients: Option<Vec<Cidr>>,
}

/// How clients reach the queue manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Endpoint {
    /// Whether the load balancer is reachable only from the VPC and networks connected to it.
    #[schemars(default = "yes")]
    pub internal: bool,
    /// Whether AMQP 1.0 is served on port 5672.
    #[schemars(default = "yes")]
    pub amqp: bool,
    /// After how many idle seconds the load balancer forgets a connection, 60 to 6000.
    #[schemars(default = "default_idle_timeout", range(min = 60, max = 6000))]
    pub idle_timeout_seconds: u32,
}

const fn yes() -> bool {
    true
}

fn default_idle_timeout() -> u32 {
    Endpoint::default().idle_timeout_seconds
}

/// The instance that the queue manager runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Instance {
    /// EC2 instance type; default `m6i.large`.
    #[serde(rename = "type")]
    #[schemars(default = "default_instance_type")]
    pub kind: InstanceType,
    /// Image with IBM MQ and the agent; default: the one that `mqaws ami build` made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ami: Option<AmiId>,
    /// EC2 key pair for ssh; default: none, Session Manager is the way in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_name: Option<KeyPairName>,
    /// Size of the encrypted root volume in GiB, 10 to 1024.
    #[schemars(default = "default_root_volume", range(min = 10, max = 1024))]
    pub root_volume_gib: u32,
}

fn default_instance_type() -> InstanceType {
    Instance::default().kind
}

fn default_root_volume() -> u32 {
    Instance::default().root_volume_gib
}

/// The file system that holds the queue manager's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Storage {
    /// How its throughput is paid for.
    #[schemars(default)]
    pub throughput: Throughput,
    /// Throughput in MiB/s for `throughput: provisioned`, 1 to 3414.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3414))]
    pub provisioned_mibps: Option<u32>,
    /// EFS performance mode; a change REPLACES the file system.
    #[schemars(default)]
    pub performance_mode: PerformanceMode,
    /// Whether AWS Backup copies it daily.
    #[schemars(default = "yes")]
    pub backup: bool,
    /// Key that encrypts it; default: the account's own key for EFS. A change REPLACES the file system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<KmsKey>,
    /// How the instance mounts it.
    #[schemars(default)]
    pub mount: Mount,
    /// What the NFS lease of its server is taken to be, 5 to 300 s; default: the agent's assumption about EFS, 90.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 5, max = 300))]
    pub lease_seconds: Option<u32>,
    /// Whether the engine may start when the previous owner's lease has run out and EC2 says nothing of it; default: the
    /// engine's own rule, by which IBM MQ may, since it locks its own files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_on_lease: Option<bool>,
}

/// How the instance mounts the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mount {
    /// By efs-utils, with TLS and the instance's role.
    #[default]
    EfsUtils,
    /// By the kernel's NFS 4.1 alone: without TLS, and open to whoever reaches a mount target.
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

/// How the throughput of a file system is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Throughput {
    /// As much as is used.
    #[default]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub enum PerformanceMode {
    /// Recommended for everything.
    #[default]
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

/// The application's user; the password is generated and never leaves Secrets Manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Credentials {
    /// Name of the user; default `mqapp`.
    #[schemars(default = "default_user")]
    pub username: UserName,
}

fn default_user() -> UserName {
    Credentials::default().username
}

/// The certificate that clients see; without one nothing is encrypted on its way between them and the queue manager.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Tls {
    /// Your own secret with the certificate and its key; default: none, and connections are plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<SecretArn>,
    /// KMS key of yours that encrypts that secret; default: the account's own key for Secrets Manager, which needs no leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<KeyArn>,
    /// The name that the certificate is made out to, for the clients of the failover test; default: the endpoint's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<ServerName>,
}

/// Roles and limits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Security {
    /// Policy that bounds what the instance's role may ever do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<PolicyArn>,
    /// Role that CloudFormation assumes; default: the caller's own permissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloudformation_role: Option<RoleArn>,
    /// Whether failover tests may inject faults into this deployment.
    #[schemars(default)]
    pub allow_faults: bool,
}

/// Who is told when something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Alarms {
    /// SNS topic that alarms go to; default: none, alarms are only shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<TopicArn>,
}

impl Default for Deployment {
    fn default() -> Self {
        let queue_manager = QueueManager::default();
        Self {
            stack: StackName::default_of(&queue_manager.name),
            region: None,
            profile: None,
            topology: Topology::default(),
            queue_manager,
            network: Network::default(),
            endpoint: Endpoint::default(),
            instance: Instance::default(),
            storage: Storage::default(),
            credentials: Credentials::default(),
            tls: Tls::default(),
            security: Security::default(),
            alarms: Alarms::default(),
            image: Image::default(),
            tags: IndexMap::new(),
        }
    }
}

impl Default for QueueManager {
    fn default() -> Self {
        Self {
            name: QueueManagerName::new("QM1").expect("the default name obeys the rule"),
            definitions: None,
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self {
            placement: Placement::Choose { vpc: None },
            clients: Cidr::PRIVATE.to_vec(),
        }
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        // The longest that AWS allows: quiet channels and AMQP links then live as long as their own heartbeats say.
        Self {
            internal: true,
            amqp: true,
            idle_timeout_seconds: 6000,
        }
    }
}

impl Default for Instance {
    fn default() -> Self {
        Self {
            kind: InstanceType::new("m6i.large").expect("the default type obeys the rule"),
            ami: None,
            key_name: None,
            root_volume_gib: 20,
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            throughput: Throughput::default(),
            provisioned_mibps: None,
            performance_mode: PerformanceMode::default(),
            backup: true,
            kms_key: None,
            mount: Mount::default(),
            lease_seconds: None,
            start_on_lease: None,
        }
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            username: UserName::new("mqapp").expect("the default user obeys the rule"),
        }
    }
}

/// The JSON Schema of `mqaws.yaml`, for editors and other programs.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Deployment).into()
}

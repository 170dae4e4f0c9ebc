//! The calls that reading needs, and what they return; values that AWS may add to are kept as text.

use crate::cloud::AwsError;
use crate::model::InstanceId;
use crate::model::agent::AgentStatus;
use crate::remedy::{ExitKind, NOTHING, Remedy};
use crate::stack::{Documents, NoDocument};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::future::Future;

/// The Auto Scaling process that would move a healthy instance to another zone.
pub const REBALANCE: &str = "AZRebalance";

/// Status of a stack in CloudFormation's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackStatus(pub String);

impl StackStatus {
    /// Whether an operation is going on. `REVIEW_IN_PROGRESS` is none: it waits for a person.
    pub fn is_busy(&self) -> bool {
        self.0.ends_with("_IN_PROGRESS") && !self.is_review()
    }

    /// Refuses the stack of this name while an operation on it is going on.
    ///
    /// # Errors
    /// [`StackBusy`].
    pub fn at_rest(&self, stack: &str) -> Result<(), StackBusy> {
        match self.is_busy() {
            true => Err(StackBusy {
                stack: stack.to_owned(),
                status: self.0.clone(),
            }),
            false => Ok(()),
        }
    }

    /// Whether only a change set was made so far.
    pub fn is_review(&self) -> bool {
        self.0 == "REVIEW_IN_PROGRESS"
    }

    /// Whether the last operation did what it was asked to.
    pub fn is_good(&self) -> bool {
        matches!(
            self.0.as_str(),
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE"
        )
    }

    /// Whether nothing can be done with the stack but delete it.
    pub fn is_dead(&self) -> bool {
        matches!(
            self.0.as_str(),
            "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED"
        )
    }

    /// Whether the stack is gone.
    pub fn is_deleted(&self) -> bool {
        self.0 == "DELETE_COMPLETE"
    }
}

impl std::fmt::Display for StackStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An operation on a stack is going on, which replaces instances or removes them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stack {stack} is busy: {status}")]
pub struct StackBusy {
    /// Name of the stack.
    pub stack: String,
    /// Its status.
    pub status: String,
}

impl Remedy for StackBusy {
    fn exit(&self) -> ExitKind {
        ExitKind::Precondition
    }

    fn hint(&self) -> Option<String> {
        let stack = &self.stack;
        Some(format!(
            "wait until the operation is complete (`mqaws status --stack {stack}`), then try again"
        ))
    }

    fn left(&self) -> Option<String> {
        Some(NOTHING.into())
    }
}

/// A stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Name.
    pub name: String,
    /// ARN; it also finds a deleted stack.
    pub id: String,
    /// Status.
    pub status: StackStatus,
    /// Why, when CloudFormation says so.
    pub reason: Option<String>,
    /// When it was created.
    pub created: Timestamp,
    /// Outputs.
    pub outputs: BTreeMap<String, String>,
    /// Parameters.
    pub parameters: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Whether termination protection is on.
    pub protected: bool,
}

/// A resource of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// Logical id.
    pub logical: String,
    /// Physical id, once there is one.
    pub physical: Option<String>,
    /// Resource type.
    pub kind: String,
    /// Status in CloudFormation's words.
    pub status: String,
}

/// An Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Desired capacity.
    pub desired: u32,
    /// Instances, those on their way in and out included.
    pub members: Vec<GroupInstance>,
    /// Suspended processes.
    pub suspended: Vec<String>,
}

/// An instance of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupInstance {
    /// Instance id.
    pub instance: InstanceId,
    /// Availability zone.
    pub zone: String,
    /// Lifecycle state, `InService`.
    pub lifecycle: String,
    /// Health, `Healthy`.
    pub health: String,
}

impl GroupInstance {
    /// Whether the instance is in service.
    pub fn is_in_service(&self) -> bool {
        self.lifecycle == "InService"
    }
}

/// A target of a target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    /// Instance id or address.
    pub id: String,
    /// Port.
    pub port: u16,
    /// State, `healthy`.
    pub state: String,
    /// Why it is not healthy, in AWS's words.
    pub reason: Option<String>,
    /// The same as AWS's code, `Elb.InitialHealthChecking`.
    #[serde(skip)]
    pub code: Option<String>,
}

impl Target {
    /// Whether its registration is over and it was not deregistered: the load balancer sends connections to it, at the latest when no
    /// target is healthy.
    pub fn is_registered(&self) -> bool {
        match self.state.as_str() {
            "healthy" | "unhealthy" | "unhealthy.draining" => true,
            "initial" => self.code.as_deref() == Some("Elb.InitialHealthChecking"),
            _ => false,
        }
    }

    /// Whether the load balancer sends connections to it for its health.
    pub fn is_healthy(&self) -> bool {
        self.state == "healthy"
    }
}

/// A load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoadBalancer {
    /// `internal` or `internet-facing`.
    pub scheme: String,
    /// State, `active`.
    pub state: String,
    /// DNS name.
    pub dns_name: String,
}

/// A file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileSystem {
    /// Id.
    pub id: String,
    /// State, `available`.
    pub state: String,
    /// Metered size in bytes.
    pub bytes: u64,
    /// Throughput mode, `elastic`.
    pub throughput: String,
    /// Whether it is encrypted at rest.
    pub encrypted: bool,
    /// Mount targets by zone with their state.
    pub mount_targets: BTreeMap<String, String>,
}

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// Name.
    pub name: String,
    /// State: `OK`, `ALARM`, `INSUFFICIENT_DATA`.
    pub state: String,
    /// Why, in CloudWatch's words.
    pub reason: String,
}

impl Alarm {
    /// Whether it fires.
    pub fn is_firing(&self) -> bool {
        self.state == "ALARM"
    }
}

/// Something could not be read. It says nothing about the thing itself.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// AWS did not answer the call.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The stack has no document to ask with.
    #[error(transparent)]
    NoDocument(#[from] NoDocument),
    /// A command on the instance did not succeed.
    #[error("`{command}` on {instance} ended with {status}: {text}")]
    Command {
        /// The command line.
        command: String,
        /// Instance id.
        instance: String,
        /// Status of the command in the words of Systems Manager.
        status: String,
        /// Its exit code, when it has one.
        code: Option<i32>,
        /// What it printed to standard error.
        text: String,
    },
    /// The agent of an instance did not answer in time.
    #[error("{instance} did not respond within {seconds} s")]
    Silent {
        /// Instance id.
        instance: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The stack's document, or the agent of an instance, is of a version without the command.
    #[error("{of} is of a version without the command `{command}`")]
    Older {
        /// Which.
        of: &'static str,
        /// The command line.
        command: String,
        /// What to do first, in words that `run` follows.
        first: &'static str,
    },
    /// A command's output was not what it should be.
    #[error("unexpected output of `{command}` on {instance}: {text}")]
    Output {
        /// The command line.
        command: String,
        /// Instance id.
        instance: String,
        /// Its first words, or the parser's complaint.
        text: String,
    },
}

impl ReadError {
    /// Whether the same reading may well succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Aws(error) => error.is_transient(),
            // The agent may be starting, or the instance may be on its way out.
            Self::Command { .. } | Self::Silent { .. } | Self::Output { .. } => true,
            Self::NoDocument(_) | Self::Older { .. } => false,
        }
    }
}

impl Remedy for ReadError {
    fn exit(&self) -> ExitKind {
        match self {
            Self::Aws(error) => error.exit(),
            Self::NoDocument(_) | Self::Older { .. } => ExitKind::Precondition,
            Self::Command { .. } | Self::Silent { .. } | Self::Output { .. } => ExitKind::Remote,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Aws(error) => error.hint(),
            Self::NoDocument(error) => Some(error.hint()),
            Self::Older { first, .. } => Some(format!("{first}run `mqaws deploy`")),
            Self::Command { instance, .. } | Self::Silent { instance, .. } | Self::Output { instance, .. } => {
                Some(format!(
                    "check the agent on the instance: `aws ssm start-session --target {instance}`, then `journalctl -u \
                 mqaws-agent`"
                ))
            }
        }
    }
}

/// The calls that reading needs.
pub trait Readings: Sync {
    /// A stack by name or ARN; `None` when CloudFormation says that there is none.
    fn stack(&self, name: &str) -> impl Future<Output = Result<Option<Stack>, AwsError>> + Send;
    /// The resources of a stack.
    fn resources(&self, stack: &str) -> impl Future<Output = Result<Vec<Resource>, AwsError>> + Send;
    /// A group by name; `None` when there is none.
    fn group(&self, name: &str) -> impl Future<Output = Result<Option<Group>, AwsError>> + Send;
    /// The targets of a target group with their health.
    fn targets(&self, target_group: &str) -> impl Future<Output = Result<Vec<Target>, AwsError>> + Send;
    /// A load balancer by ARN; `None` when there is none.
    fn load_balancer(&self, arn: &str) -> impl Future<Output = Result<Option<LoadBalancer>, AwsError>> + Send;
    /// A file system by id; `None` when there is none.
    fn file_system(&self, id: &str) -> impl Future<Output = Result<Option<FileSystem>, AwsError>> + Send;
    /// Alarms by name.
    fn alarms(&self, names: &[String]) -> impl Future<Output = Result<Vec<Alarm>, AwsError>> + Send;
    /// What the agent of an instance says of itself, through Systems Manager.
    fn agent_status(
        &self,
        documents: &Documents,
        instance: &InstanceId,
    ) -> impl Future<Output = Result<AgentStatus, ReadError>> + Send;
}

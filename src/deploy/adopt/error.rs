//! Why a file system cannot be adopted.

use crate::remedy::{ExitKind, Remedy};

/// A file system that a stack cannot adopt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// A stack has it.
    #[error("file system {file_system} belongs to stack {stack}")]
    InUse {
        /// Its id.
        file_system: String,
        /// Name of the stack.
        stack: String,
    },
    /// It can be mounted, so something may be using it.
    #[error("file system {file_system} has mount targets: {}", targets.join(", "))]
    MountTargets {
        /// Its id.
        file_system: String,
        /// Where they are, with their states.
        targets: Vec<String>,
    },
    /// It contains the data of another queue manager.
    #[error("file system {file_system} contains the data of queue manager {holds}, not of {meant}")]
    OtherQueueManager {
        /// Its id.
        file_system: String,
        /// The one whose data it holds.
        holds: String,
        /// The one that is configured.
        meant: String,
    },
    /// The configuration wants what a file system cannot become.
    #[error(
        "file system {file_system} has {has}, but the configuration requires {wanted}: this cannot be changed for an existing file system"
    )]
    Differs {
        /// Its id.
        file_system: String,
        /// Key of the configuration.
        key: &'static str,
        /// What it has.
        has: String,
        /// What the configuration wants.
        wanted: String,
    },
    /// It is none that mqaws deploys on.
    #[error("file system {file_system} cannot be adopted: {why}")]
    Unfit {
        /// Its id.
        file_system: String,
        /// Why not.
        why: String,
    },
    /// The stack exists, on other storage.
    #[error(
        "stack {stack} already exists and has {}; only a new stack can adopt {wanted}",
        has.as_ref().map_or_else(|| "no file system".to_owned(), |id| format!("file system {id}"))
    )]
    OtherStorage {
        /// Name of the stack.
        stack: String,
        /// Its own file system.
        has: Option<String>,
        /// The one that is configured.
        wanted: String,
    },
}

impl AdoptError {
    /// The key of the configuration that it is about, and a few words for the place where it stands.
    pub(crate) fn key(&self) -> (&'static str, String) {
        let adopted = "storage.file_system";
        match self {
            Self::InUse { stack, .. } => (adopted, format!("belongs to stack {stack}")),
            Self::MountTargets { .. } => (adopted, "has mount targets".into()),
            Self::OtherQueueManager { holds, .. } => (adopted, format!("contains the data of {holds}")),
            Self::Differs { key, has, .. } => (key, format!("the file system has {has}")),
            Self::Unfit { .. } => (adopted, "cannot be adopted".into()),
            Self::OtherStorage { stack, .. } => (adopted, format!("stack {stack} has a different one")),
        }
    }
}

impl Remedy for AdoptError {
    fn exit(&self) -> ExitKind {
        ExitKind::Precondition
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::InUse { stack, .. } => format!(
                "to deploy to that stack: `mqaws deploy --stack {stack}`; to move its data to a different stack, first run `mqaws destroy \
                 --stack {stack}`, which keeps the data"
            ),
            Self::MountTargets { file_system, .. } => format!(
                "check which clients mount it; if there are none, delete the mount targets: `aws efs describe-mount-targets --file-system-id \
                 {file_system}` lists them, `aws efs delete-mount-target` deletes one"
            ),
            Self::OtherQueueManager { file_system, holds, .. } => {
                format!("to deploy {holds}: `mqaws deploy --queue-manager {holds} --adopt-file-system {file_system}`")
            }
            Self::Differs { key, has, .. } => format!("set `{key}: {has}`"),
            Self::Unfit { .. } => {
                "specify one that mqaws deployed; to list the kept ones, run `mqaws storage list`".into()
            }
            Self::OtherStorage { wanted, .. } => format!(
                "choose a different stack with --stack, or remove `storage.file_system`; {wanted} is not changed"
            ),
        })
    }

    fn left(&self) -> Option<String> {
        Some("nothing was changed".into())
    }
}

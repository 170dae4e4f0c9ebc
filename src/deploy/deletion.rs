//! Deleting a kept file system, with all messages on it.

use super::ports::Stacks;
use super::storage::{KeptStorage, kept_everywhere};
use crate::cloud::AwsError;
use crate::model::FileSystemId;
use crate::observe::ports::Readings;
use crate::remedy::{ExitKind, Remedy};

/// A file system that is not to be deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A call did not succeed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// There is none.
    #[error("file system {file_system} does not exist in this region")]
    Unknown {
        /// Its id.
        file_system: String,
    },
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
    /// No stack of mqaws left it.
    #[error("file system {file_system} is not a file system that mqaws kept")]
    Foreign {
        /// Its id.
        file_system: String,
    },
}

impl Remedy for StorageError {
    fn exit(&self) -> ExitKind {
        match self {
            Self::Aws(error) => error.exit(),
            _ => ExitKind::Precondition,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Aws(error) => return error.hint(),
            Self::Unknown { .. } => "to list the kept file systems, run `mqaws storage list`".into(),
            Self::InUse { stack, .. } => {
                format!("to remove the stack and keep its data, run `mqaws destroy --stack {stack}`")
            }
            Self::MountTargets { file_system, .. } => format!(
                "check which clients mount it; to list the mount targets, run `aws efs describe-mount-targets --file-system-id {file_system}`"
            ),
            Self::Foreign { .. } => {
                "delete it with the tool that created it; to list the kept file systems, run `mqaws storage list`"
                    .into()
            }
        })
    }

    fn left(&self) -> Option<String> {
        Some("nothing was changed".into())
    }
}

/// A kept file system that may be deleted.
///
/// # Errors
/// [`StorageError`]: it is in use, can be mounted, or was not kept by mqaws.
pub async fn deletable<C: Readings + Stacks>(cloud: &C, id: &FileSystemId) -> Result<KeptStorage, StorageError> {
    let file_system = || id.to_string();
    if let Some(stack) = cloud.holder(id).await? {
        return Err(StorageError::InUse {
            file_system: file_system(),
            stack,
        });
    }
    let Some(found) = cloud.file_system(id.as_str()).await? else {
        return Err(StorageError::Unknown {
            file_system: file_system(),
        });
    };
    if !found.mount_targets.is_empty() {
        let targets = found.mount_targets.into_iter();
        return Err(StorageError::MountTargets {
            file_system: file_system(),
            targets: targets.map(|(zone, state)| format!("{zone} ({state})")).collect(),
        });
    }
    let kept = kept_everywhere(cloud).await?;
    let found = kept.into_iter().find(|kept| kept.id == id.as_str());
    found.ok_or_else(|| StorageError::Foreign {
        file_system: file_system(),
    })
}

/// Deletes a kept file system with all messages on it, unless it is in use by now.
///
/// # Errors
/// Those of [`deletable`].
pub async fn delete_kept<C: Readings + Stacks>(cloud: &C, id: &FileSystemId) -> Result<(), StorageError> {
    // Somebody may have adopted it while the question was open.
    deletable(cloud, id).await?;
    Ok(cloud.delete_file_system(id).await?)
}

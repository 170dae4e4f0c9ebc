//! Why a deployment could not be rendered.

use crate::remedy::{ExitKind, Remedy};
use crate::stack::MOST_TEMPLATE_BYTES;
use crate::template::{Inconsistencies, TemplateError};

/// Why a deployment could not be rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The rendered template refers to nothing or in circles: a bug in mqaws.
    #[error("the rendered template is not consistent")]
    Inconsistent {
        /// What is wrong with it.
        #[from]
        source: Inconsistencies,
    },
    /// The rendered template cannot be written: a bug in mqaws.
    #[error("the rendered template cannot be written")]
    Unwritable {
        /// What the writer said.
        #[from]
        source: TemplateError,
    },
    /// The rendered template is over CloudFormation's limit.
    #[error("the rendered template has {bytes} bytes, but CloudFormation accepts at most {MOST_TEMPLATE_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Something that only an account can tell was not given.
    #[error("the parameter `{parameter}` has no value")]
    Unresolved {
        /// The template's parameter.
        parameter: &'static str,
    },
}

impl Remedy for RenderError {
    fn exit(&self) -> ExitKind {
        match self {
            Self::Inconsistent { .. } | Self::Unwritable { .. } => ExitKind::Internal,
            Self::TooLarge { .. } | Self::Unresolved { .. } => ExitKind::Precondition,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Inconsistent { .. } | Self::Unwritable { .. } => {
                "this is a bug in mqaws; report it with your configuration file".to_owned()
            }
            Self::TooLarge { .. } => "list fewer ranges under `network.clients`".to_owned(),
            Self::Unresolved { parameter: "AMI" } => {
                "set `instance.ami` to an image, or build one with `mqaws ami build`".to_owned()
            }
            Self::Unresolved { .. } => {
                "specify a VPC and two subnets under `network`, or deploy with a region and credentials".to_owned()
            }
        })
    }

    fn left(&self) -> Option<String> {
        Some("nothing was changed".to_owned())
    }
}

//! The whole template, assembled from the list of its topology.

use indexmap::IndexMap;

use super::parameters;
use crate::model::{Deployment, Topology};
use crate::remedy::{ExitKind, Remedy};
use crate::stack::{ALLOW_FAULTS_TAG, MOST_TEMPLATE_BYTES, STACK_TAG, TOPOLOGY_TAG};
use crate::template::{Faults, Template, TemplateError};
use crate::topology;

/// Why a deployment could not be rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The rendered template refers to nothing or in circles: a bug in mqaws.
    #[error("the rendered template is not consistent")]
    Inconsistent {
        /// What is wrong with it.
        #[from]
        source: Faults,
    },
    /// The rendered template cannot be written: a bug in mqaws.
    #[error("the rendered template cannot be written")]
    Unwritable {
        /// What the writer said.
        #[from]
        source: TemplateError,
    },
    /// The rendered template is over CloudFormation's limit.
    #[error("the rendered template has {bytes} bytes, CloudFormation accepts {MOST_TEMPLATE_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Something that only an account can tell was not given.
    #[error("the parameter `{parameter}` has no value yet")]
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
                "this is a bug in mqaws; please report it with your configuration file".to_owned()
            }
            Self::TooLarge { .. } => "list fewer ranges under `network.clients`".to_owned(),
            Self::Unresolved { parameter: "AMI" } => {
                "name an image under `instance.ami`, or build one with `mqaws ami build`".to_owned()
            }
            Self::Unresolved { .. } => {
                "name a VPC and two subnets under `network`, or deploy with a region and credentials".to_owned()
            }
        })
    }

    fn left(&self) -> Option<String> {
        Some("nothing was changed".to_owned())
    }
}

/// Renders a deployment.
///
/// Values that the deployment has become defaults of parameters, so that the template can also be used without mqaws.
///
/// # Errors
/// [`RenderError::Inconsistent`] never happens unless mqaws has a bug.
pub fn template(deployment: &Deployment) -> Result<Template, RenderError> {
    let topology = topology::of(deployment.topology);
    let mut template = Template {
        description: Some(format!(
            "mqaws {}: {}",
            deployment.topology.as_str(),
            topology.facts().description
        )),
        ..Template::default()
    };
    parameters::declare(&mut template, deployment);
    for add in topology.builders() {
        add(&mut template, deployment);
    }
    template.check()?;
    Ok(template)
}

/// Renders a deployment as the YAML that CloudFormation receives.
///
/// # Errors
/// Those of [`template`], and [`RenderError::TooLarge`].
pub fn body(deployment: &Deployment) -> Result<String, RenderError> {
    let text = template(deployment)?.to_yaml()?;
    if text.len() > MOST_TEMPLATE_BYTES {
        return Err(RenderError::TooLarge { bytes: text.len() });
    }
    Ok(text)
}

/// Tags of the stack itself, which CloudFormation hands on to everything in it.
pub fn stack_tags(deployment: &Deployment) -> IndexMap<String, String> {
    let mut tags = IndexMap::from([(STACK_TAG.to_owned(), deployment.stack.to_string())]);
    // Stacks of before know of no other, and a tag that comes later would change everything in them.
    if deployment.topology != Topology::default() {
        tags.insert(TOPOLOGY_TAG.to_owned(), deployment.topology.as_str().to_owned());
    }
    if deployment.security.allow_faults {
        tags.insert(ALLOW_FAULTS_TAG.to_owned(), "true".to_owned());
    }
    tags.extend(
        deployment
            .tags
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string())),
    );
    tags
}

//! The whole template, assembled from its parts.

use indexmap::IndexMap;

use super::{alarms, compute, iam, network, parameters, storage, traffic};
use crate::model::{Deployment, Topology};
use crate::remedy::{ExitKind, Remedy};
use crate::stack::{ALLOW_FAULTS_TAG, MOST_TEMPLATE_BYTES, STACK_TAG};
use crate::template::{Faults, Template, TemplateError, Value, object, reference};

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

/// Logical ids that other parts of the program speak of.
pub mod names {
    /// The EFS file system.
    pub const FILE_SYSTEM: &str = "FileSystem";
    /// The Auto Scaling group, which waits for the agent's signal.
    pub const GROUP: &str = "Group";
    /// The network load balancer.
    pub const LOAD_BALANCER: &str = "LoadBalancer";
    /// The target group of the queue manager's own protocol.
    pub const TARGET_GROUP: &str = "TargetGroup";
    /// The secret with the application's user.
    pub const CREDENTIALS: &str = "Credentials";
    /// The parameter with the secret that holds the certificate; empty without TLS.
    pub const CERTIFICATE: &str = "Certificate";
    /// The lifecycle hook that lets the agent stop the queue manager before its instance ends.
    pub const TERMINATING_HOOK: &str = "mqaws-terminating";
}

/// Renders a deployment.
///
/// Values that the deployment has become defaults of parameters, so that the template can also be used without mqaws.
///
/// # Errors
/// [`RenderError::Inconsistent`] never happens unless mqaws has a bug.
pub fn template(deployment: &Deployment) -> Result<Template, RenderError> {
    let mut template = Template {
        description: Some(match deployment.topology {
            Topology::Single => {
                "mqaws single: one queue manager on EFS, in either of two zones, behind an NLB".to_owned()
            }
        }),
        ..Template::default()
    };
    parameters::declare(&mut template, deployment);
    network::add(&mut template, deployment);
    storage::add(&mut template, deployment);
    iam::add(&mut template);
    traffic::add(&mut template, deployment);
    compute::add(&mut template, deployment);
    alarms::add(&mut template);
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

/// The tags that every resource carries: its stack, and a name that people recognise.
pub(super) fn tags() -> Value {
    Value::List(vec![
        object! { "Key" => "Name", "Value" => reference("AWS::StackName") },
        object! { "Key" => STACK_TAG, "Value" => reference("AWS::StackName") },
    ])
}

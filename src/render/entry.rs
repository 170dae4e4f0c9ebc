//! The whole template, assembled from the list of its topology.

use indexmap::IndexMap;

use super::error::RenderError;
use super::parameters;
use crate::model::{Deployment, Engine, Topology};
use crate::stack::{ALLOW_FAULTS_TAG, ENGINE_TAG, MOST_TEMPLATE_BYTES, STACK_TAG, TOPOLOGY_TAG};
use crate::template::Template;
use crate::topology::{self, Member};

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

/// Renders a deployment as the text that CloudFormation receives: YAML, or JSON without spaces where that would be over CloudFormation's limit.
///
/// # Errors
/// Those of [`template`], and [`RenderError::TooLarge`].
pub fn body(deployment: &Deployment) -> Result<String, RenderError> {
    body_of(&template(deployment)?)
}

/// As [`body`], and CloudFormation comes to the group `last` after those of the topology's other members.
///
/// # Errors
/// As [`body`].
pub fn body_renewing_last(deployment: &Deployment, last: &str) -> Result<String, RenderError> {
    let mut template = template(deployment)?;
    renew_last(&mut template, topology::of(deployment.topology).facts().members, last);
    template.check()?;
    body_of(&template)
}

fn body_of(template: &Template) -> Result<String, RenderError> {
    let yaml = template.to_yaml()?;
    if yaml.len() <= MOST_TEMPLATE_BYTES {
        return Ok(yaml);
    }
    // A YAML reader takes it too.
    let json = template.to_short_json()?;
    if json.len() > MOST_TEMPLATE_BYTES {
        return Err(RenderError::TooLarge { bytes: json.len() });
    }
    Ok(json)
}

/// Puts the group of a member after those of the others, which keep their order.
fn renew_last(template: &mut Template, members: &[Member], last: &str) {
    let is_group = |name: &str| members.iter().any(|member| member.group == name);
    let (after, mut order): (Vec<&str>, Vec<&str>) = members
        .iter()
        .map(|member| member.group)
        .partition(|name| *name == last);
    order.extend(after);
    let mut before: Option<&str> = None;
    for name in order {
        if let Some(group) = template.resources.get_mut(name) {
            group.depends_on.retain(|other| !is_group(other));
            group.depends_on.extend(before.map(str::to_owned));
        }
        before = Some(name);
    }
}

/// Tags of the stack itself, which CloudFormation hands on to everything in it.
pub fn stack_tags(deployment: &Deployment) -> IndexMap<String, String> {
    let mut tags = IndexMap::from([(STACK_TAG.to_owned(), deployment.stack.to_string())]);
    // Stacks of before know of no other, and a tag that comes later would change everything in them.
    if deployment.topology != Topology::default() {
        tags.insert(TOPOLOGY_TAG.to_owned(), deployment.topology.as_str().to_owned());
    }
    if deployment.engine != Engine::default() {
        tags.insert(ENGINE_TAG.to_owned(), deployment.engine.as_str().to_owned());
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

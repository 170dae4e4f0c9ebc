//! The launch template and the group that keeps one instance of it.

use super::ids::{LAUNCH_TEMPLATE, MEMBER};
use crate::model::Deployment;
use crate::render::launch_template::launch_template;
use crate::render::member_group::member_group;
use crate::template::Template;

/// Adds the launch template and the Auto Scaling group.
pub(super) fn add(template: &mut Template, deployment: &Deployment) {
    let launched = launch_template(deployment, &MEMBER);
    template.resources.insert(LAUNCH_TEMPLATE.to_owned(), launched);
    let group = member_group(deployment, LAUNCH_TEMPLATE, &["Subnet1", "Subnet2"]);
    template.resources.insert(MEMBER.group.to_owned(), group);
}

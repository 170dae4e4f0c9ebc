//! What the stack tells of itself.

use super::ids::MEMBERS;
use crate::model::Deployment;
use crate::render::load_balancer::LOAD_BALANCER;
use crate::render::shared_storage::FILE_SYSTEM;
use crate::stack::{References, write_outputs};
use crate::template::{Template, reference};

/// Adds the outputs.
pub(super) fn add(template: &mut Template, deployment: &Deployment) {
    let parts = References {
        load_balancer: LOAD_BALANCER,
        members: &MEMBERS,
        storage: Some(reference(FILE_SYSTEM)),
    };
    write_outputs(template, deployment, &parts);
}

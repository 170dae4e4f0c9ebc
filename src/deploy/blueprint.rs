//! From a deployment as the user wrote it to a blueprint in which nothing is left to choose.

use super::error::DeployError;
use super::ports::{Blueprint, Surroundings};
use super::resolve::{Site, Wanted, resolve};
use crate::model::{AmiId, Deployment, InvalidName, Placement, SubnetId, VpcId, ZoneName};
use crate::render::{self, Resolved};

/// Renders a deployment for the account that `cloud` speaks for; also says what was chosen on the way.
///
/// # Errors
/// [`DeployError::Render`], [`DeployError::Unknown`] for an image, and those of [`resolve`].
pub async fn blueprint<C: Surroundings>(
    cloud: &C,
    deployment: &Deployment,
    protect: bool,
) -> Result<(Blueprint, Vec<String>), DeployError> {
    // Rendering first: what is wrong in the file is told without a call.
    let template = render::body(deployment)?;
    let image = deployment.instance.ami.as_ref().map(ToString::to_string);
    let site = resolve(cloud, &wanted(&deployment.network.placement), image.as_deref()).await?;
    let root_device = cloud.root_device(&site.image).await.map_err(|error| {
        if !error.is_not_found() {
            return error.into();
        }
        DeployError::Unknown {
            key: "instance.ami",
            what: "image",
            id: site.image.clone(),
            source: Some(error),
        }
    })?;
    let chosen = site.chosen.clone();
    let resolved = resolved(site, root_device).map_err(|error| DeployError::NoNetwork { why: error.to_string() })?;
    let blueprint = Blueprint {
        stack: deployment.stack.to_string(),
        queue_manager: deployment.queue_manager.name.to_string(),
        template,
        parameters: render::parameters(deployment, &resolved)?.into_iter().collect(),
        tags: render::stack_tags(deployment).into_iter().collect(),
        role: deployment
            .security
            .cloudformation_role
            .as_ref()
            .map(ToString::to_string),
        protect,
    };
    Ok((blueprint, chosen))
}

fn wanted(placement: &Placement) -> Wanted {
    match placement {
        Placement::Existing { subnets, .. } => Wanted::Subnets(subnets.clone().map(|s| s.to_string())),
        Placement::Choose { vpc } => Wanted::Vpc(vpc.as_ref().map(ToString::to_string)),
        Placement::New { zones, .. } => Wanted::New(zones.clone().map(|zones| zones.map(|z| z.to_string()))),
    }
}

fn resolved(site: Site, root_device: Option<String>) -> Result<Resolved, InvalidName> {
    let [first, second] = site.zones;
    let subnets = match site.subnets {
        Some([first, second]) => Some([SubnetId::new(first)?, SubnetId::new(second)?]),
        None => None,
    };
    Ok(Resolved {
        vpc: site.vpc.map(VpcId::new).transpose()?,
        subnets,
        zones: Some([ZoneName::new(first)?, ZoneName::new(second)?]),
        ami: Some(AmiId::new(site.image)?),
        root_device,
    })
}

//! From a deployment as the user wrote it to a blueprint in which nothing is left to choose.

use super::adopt::Adopts;
use super::doomed::{Circumstances, dooms};
use super::error::DeployError;
use super::network::{Network, in_order_of, standing};
use super::ports::{Blueprint, Surroundings};
use super::renewal::renewal;
use super::resolve::{NetworkChoice, Site, offered, resolve};
use crate::model::{AmiId, Cidr, Deployment, InvalidName, Placement, SubnetId, VpcId, ZoneName};
use crate::observe::ports::Readings;
use crate::render::{self, Resolved};
use crate::topology::FILE_SYSTEM;
use mqaws_contract::lease;
use std::collections::BTreeMap;
use std::time::Duration;

/// Renders a deployment for the account that `cloud` speaks for; also says what was chosen on the way.
///
/// Where the stack is there, what was chosen for it before is chosen again, and what has no order keeps the order that it
/// has there.
///
/// # Errors
/// [`DeployError::Render`], [`DeployError::NotOffered`], [`DeployError::Unknown`] for an image, [`DeployError::Doomed`], and those of resolving the network and the image.
pub async fn blueprint<C: Surroundings + Readings>(
    cloud: &C,
    deployment: &Deployment,
    protect: bool,
) -> Result<(Blueprint, Vec<String>), DeployError> {
    // Rendering first: what is wrong in the file is told without a call.
    let mut template = render::body(deployment)?;
    let found = cloud.stack(deployment.stack.as_ref()).await?;
    let deployed = found.as_ref().and_then(standing);
    let network = deployed.and_then(Network::of);
    let settled = deployed.map(|parameters| with_clients_of(deployment, parameters));
    let deployment = settled.as_ref().unwrap_or(deployment);
    let renewal = match found.as_ref().filter(|_| settled.is_some()) {
        Some(stack) => renewal(cloud, deployment.topology, stack).await,
        None => None,
    };
    if settled.is_some() {
        template = match &renewal {
            Some(renewal) => render::body_renewing_last(deployment, renewal.last)?,
            None => render::body(deployment)?,
        };
    }
    let placement = &deployment.network.placement;
    let named = deployment.instance.ami.as_ref().map(ToString::to_string);
    let site = resolve(
        cloud,
        &wanted(placement),
        named.as_deref(),
        deployment.engine,
        network.as_ref(),
    )
    .await?;
    let unasked = offered(cloud, deployment.instance.kind.as_ref(), &site.zones).await?;
    let image = cloud.image(&site.image).await.map_err(|error| {
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
    let mut chosen = site.chosen.clone();
    chosen.extend(unasked);
    let gone = gone(cloud, network.as_ref(), &site).await?;
    let resolved =
        resolved(site, image.root_device).map_err(|error| DeployError::NoNetwork { why: error.to_string() })?;
    let parameters = render::parameters(deployment, &resolved)?.into_iter().collect();
    let circumstances = Circumstances {
        topology: deployment.topology,
        engine: deployment.engine,
        network_key: key(placement),
        gone: &gone,
    };
    let dooms = deployed.map_or_else(Vec::new, |old| dooms(old, &parameters, circumstances));
    if !dooms.is_empty() {
        return Err(DeployError::Doomed {
            stack: deployment.stack.to_string(),
            dooms,
        });
    }
    let blueprint = Blueprint {
        stack: deployment.stack.to_string(),
        queue_manager: deployment.queue_manager.name.to_string(),
        topology: deployment.topology,
        engine: deployment.engine,
        template,
        parameters,
        tags: render::stack_tags(deployment).into_iter().collect(),
        role: deployment
            .security
            .cloudformation_role
            .as_ref()
            .map(ToString::to_string),
        protect,
        adopts: adopts(deployment)?,
        renewal,
        engine_version: image.engine_version,
    };
    Ok((blueprint, chosen))
}

/// What the deployment wants of the file system that it adopts, when it adopts one.
fn adopts(deployment: &Deployment) -> Result<Option<Adopts>, DeployError> {
    let Some(file_system) = &deployment.storage.file_system else {
        return Ok(None);
    };
    let template = render::template(deployment)?;
    let mut resources = template.resources.iter();
    // Every topology so far has one; one that has several says which of them a kept one becomes.
    let logical = resources
        .find(|(_, resource)| resource.kind == FILE_SYSTEM)
        .map(|(logical, _)| logical);
    Ok(logical.map(|logical| Adopts {
        file_system: file_system.clone(),
        logical: logical.clone(),
        performance_mode: deployment.storage.performance_mode,
        kms_key: deployment.storage.kms_key.as_ref().map(ToString::to_string),
        lease: (deployment.storage.start_on_lease != Some(false)).then(|| {
            let given = deployment.storage.lease_seconds;
            given.map_or(lease::ASSUMED, |seconds| Duration::from_secs(seconds.into()))
        }),
        rest: template.resources.len() - 1,
    }))
}

/// The deployment with its client ranges in the order of a deployed stack's parameters.
fn with_clients_of(deployment: &Deployment, parameters: &BTreeMap<String, String>) -> Deployment {
    let ranges = render::client_ranges(parameters);
    let earlier: Vec<Cidr> = ranges.iter().filter_map(|range| range.parse().ok()).collect();
    let mut settled = deployment.clone();
    settled.network.clients = in_order_of(&earlier, settled.network.clients);
    settled
}

/// Those of a deployed stack's subnets that the deployment leaves and that are there no longer.
async fn gone<C: Surroundings>(cloud: &C, network: Option<&Network>, site: &Site) -> Result<Vec<String>, DeployError> {
    let Some(Network::Existing { places, .. }) = network else {
        return Ok(Vec::new());
    };
    let mut gone = Vec::new();
    for place in places {
        if site.subnets.iter().flatten().any(|subnet| *subnet == place.subnet) {
            continue;
        }
        match cloud.subnets_by_id(std::slice::from_ref(&place.subnet)).await {
            Ok(found) if !found.is_empty() => {}
            Ok(_) => gone.push(place.subnet.clone()),
            Err(error) if error.is_not_found() => gone.push(place.subnet.clone()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(gone)
}

/// The key that chooses the network.
fn key(placement: &Placement) -> Option<&'static str> {
    match placement {
        Placement::Existing { vpc: Some(_), .. } | Placement::Choose { vpc: Some(_) } => Some("network.vpc"),
        Placement::Existing { vpc: None, .. } => Some("network.subnets"),
        Placement::Choose { vpc: None } => None,
        Placement::New { .. } => Some("network.cidr"),
    }
}

fn wanted(placement: &Placement) -> NetworkChoice {
    match placement {
        Placement::Existing { subnets, .. } => NetworkChoice::Subnets(subnets.clone().map(|s| s.to_string())),
        Placement::Choose { vpc } => NetworkChoice::Vpc(vpc.as_ref().map(ToString::to_string)),
        Placement::New { zones, .. } => NetworkChoice::New(zones.clone().map(|zones| zones.map(|z| z.to_string()))),
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

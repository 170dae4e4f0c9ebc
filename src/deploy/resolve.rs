//! Defaults that only an account can tell: network, zones, image.

use super::error::DeployError;
use super::network::{Choice, Network, choose, pair_in_order_of};
use super::ports::Surroundings;
use crate::cloud::Problem;
use crate::model::Engine;
use crate::stack::image_parameter;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NetworkChoice {
    /// These two subnets.
    Subnets([String; 2]),
    /// Two subnets of this VPC, or of the default one.
    Vpc(Option<String>),
    /// A new network in these zones, or in the region's first two.
    New(Option<[String; 2]>),
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    /// The VPC; `None` for a new one.
    pub vpc: Option<String>,
    /// Two subnets; `None` in a new network.
    pub subnets: Option<[String; 2]>,
    /// The zones, in the order of the subnets.
    pub zones: [String; 2],
    /// The image.
    pub image: String,
    /// What was chosen here rather than by the user, in words.
    pub chosen: Vec<String>,
}

/// Finds network and image.
///
/// What nobody names stays as the deployed stack has it, as long as it exists; so does the order of what has no order. An
/// image that nobody names is the one that was built last, on purpose: deploying again is how a new image gets into use.
///
/// # Errors
/// [`DeployError::NoNetwork`], [`DeployError::OneZone`], [`DeployError::Unknown`], [`DeployError::NoImage`],
/// [`DeployError::Aws`].
pub(super) async fn resolve<C: Surroundings>(
    cloud: &C,
    wanted: &NetworkChoice,
    image: Option<&str>,
    engine: Engine,
    deployed: Option<&Network>,
) -> Result<Site, DeployError> {
    let mut site = match wanted {
        NetworkChoice::Subnets(ids) => given(cloud, &as_deployed(ids, deployed)).await?,
        NetworkChoice::Vpc(vpc) => chosen(cloud, vpc.as_deref(), deployed).await?,
        NetworkChoice::New(zones) => new(cloud, zones.as_ref(), deployed).await?,
    };
    site.image = match image {
        Some(image) => image.to_owned(),
        None => {
            let parameter = image_parameter(engine);
            let image = cloud.parameter(&parameter).await?.ok_or(DeployError::NoImage)?;
            site.chosen.push(format!("image {image} (parameter {parameter})"));
            image
        }
    };
    Ok(site)
}

/// Makes sure that EC2 can run the instance in each of the zones. CloudFormation would find out at the first instance that
/// does not launch, which for the second zone is the day on which the first one fails.
///
/// # Errors
/// [`DeployError::NotOffered`], [`DeployError::Aws`]; none where it may not be asked: returns a line that says so instead.
pub(super) async fn offered<C: Surroundings>(
    cloud: &C,
    instance_type: &str,
    zones: &[String; 2],
) -> Result<Option<String>, DeployError> {
    let offered = match cloud.offered_in(instance_type).await {
        Ok(offered) => offered,
        // What may not be asked is no verdict; CloudFormation tells when an instance fails to launch.
        Err(error) if error.is_unknown_action() || matches!(error.problem, Problem::Denied(_)) => {
            return Ok(Some(format!(
                "instance type {instance_type}, without asking whether {} and {} offer it: {error}",
                zones[0], zones[1]
            )));
        }
        Err(error) => return Err(error.into()),
    };
    let missing: Vec<String> = zones.iter().filter(|zone| !offered.contains(zone)).cloned().collect();
    if missing.is_empty() {
        return Ok(None);
    }
    Err(DeployError::NotOffered {
        instance_type: instance_type.to_owned(),
        missing,
        offered,
    })
}

async fn given<C: Surroundings>(cloud: &C, ids: &[String; 2]) -> Result<Site, DeployError> {
    let unknown = |id: &str, source| DeployError::Unknown {
        key: "network.subnets",
        what: "subnet",
        id: id.to_owned(),
        source,
    };
    let found = cloud.subnets_by_id(ids.as_slice()).await.map_err(|error| {
        if !error.is_not_found() {
            return error.into();
        }
        // AWS names the one that it misses first.
        let missed = ids.iter().find(|id| error.message().contains(id.as_str()));
        unknown(
            missed.map_or_else(|| ids.join(", "), Clone::clone).as_str(),
            Some(error),
        )
    })?;
    let find = |id: &String| {
        let subnet = found.iter().find(|s| s.id == *id);
        subnet.ok_or_else(|| unknown(id, None))
    };
    let (first, second) = (find(&ids[0])?, find(&ids[1])?);
    if first.vpc != second.vpc {
        let why = format!(
            "{} is in {}, but {} is in {}",
            first.id, first.vpc, second.id, second.vpc
        );
        return Err(DeployError::NoNetwork { why });
    }
    if first.zone == second.zone {
        let all = cloud.subnets(&first.vpc).await?;
        let other = all.into_iter().find(|s| s.zone != first.zone).map(|s| (s.id, s.zone));
        return Err(DeployError::OneZone {
            zone: first.zone.clone(),
            other,
        });
    }
    Ok(site(
        Some(first.vpc.clone()),
        Some(ids.clone()),
        [first.zone.clone(), second.zone.clone()],
        Vec::new(),
    ))
}

/// The subnets that the user names, in the order in which the stack has them.
fn as_deployed(ids: &[String; 2], deployed: Option<&Network>) -> [String; 2] {
    match deployed {
        Some(Network::Existing { places, .. }) => {
            pair_in_order_of(&places.clone().map(|place| place.subnet), ids.clone())
        }
        _ => ids.clone(),
    }
}

async fn chosen<C: Surroundings>(
    cloud: &C,
    vpc: Option<&str>,
    deployed: Option<&Network>,
) -> Result<Site, DeployError> {
    let mut words = Vec::new();
    let (at, places) = match deployed {
        Some(Network::Existing { vpc, places }) => (Some(vpc), Some(places)),
        _ => (None, None),
    };
    let vpc = match (vpc, at) {
        (Some(vpc), _) => vpc.to_owned(),
        (None, Some(at)) => {
            words.push(format!("VPC {at}, as deployed"));
            at.clone()
        }
        (None, None) => {
            let none = || DeployError::NoNetwork {
                why: "the region has no default VPC".into(),
            };
            let vpc = cloud.default_vpc().await?.ok_or_else(none)?;
            words.push(format!("default VPC {vpc}"));
            vpc
        }
    };
    let places = places.filter(|_| at == Some(&vpc));
    let choice = choose(places, cloud.subnets(&vpc).await?).ok_or_else(|| DeployError::NoNetwork {
        why: format!("{vpc} has no subnets in two availability zones"),
    })?;
    words.push(told(&choice, places.is_some()));
    let [first, second] = choice.subnets;
    Ok(site(
        Some(vpc),
        Some([first.id, second.id]),
        [first.zone, second.zone],
        words,
    ))
}

/// `subnets subnet-1 in z-a, subnet-2 in z-b, as deployed`, or what is gone and what takes its place.
fn told(choice: &Choice, deployed: bool) -> String {
    let [first, second] = &choice.subnets;
    let both = format!(
        "subnets {} in {}, {} in {}",
        first.id, first.zone, second.id, second.zone
    );
    let gone: Vec<String> = choice
        .gone
        .iter()
        .map(|p| format!("{} in {}", p.subnet, p.zone))
        .collect();
    match (deployed, gone.is_empty()) {
        (false, _) => both,
        (true, true) => format!("{both}, as deployed"),
        (true, false) => format!("{both}; no longer in the VPC: {}", gone.join(", ")),
    }
}

async fn new<C: Surroundings>(
    cloud: &C,
    zones: Option<&[String; 2]>,
    deployed: Option<&Network>,
) -> Result<Site, DeployError> {
    let there = match deployed {
        Some(Network::Own { zones, .. }) => Some(zones),
        _ => None,
    };
    match (zones, there) {
        (Some(zones), there) => {
            let zones = zones.clone();
            let zones = there.map_or(zones.clone(), |there| pair_in_order_of(there, zones));
            Ok(site(None, None, zones, Vec::new()))
        }
        // Also one that AWS calls impaired: the subnets stand in it.
        (None, Some(zones)) => {
            let [first, second] = zones;
            let words = vec![format!("its own network in {first} and {second}, as deployed")];
            Ok(site(None, None, zones.clone(), words))
        }
        (None, None) => {
            let mut found = cloud.zones().await?.into_iter();
            let (Some(first), Some(second)) = (found.next(), found.next()) else {
                return Err(DeployError::NoNetwork {
                    why: "the region has fewer than two availability zones".into(),
                });
            };
            let words = vec![format!("new network in {first} and {second}")];
            Ok(site(None, None, [first, second], words))
        }
    }
}

fn site(vpc: Option<String>, subnets: Option<[String; 2]>, zones: [String; 2], chosen: Vec<String>) -> Site {
    Site {
        vpc,
        subnets,
        zones,
        image: String::new(),
        chosen,
    }
}

#[cfg(test)]
mod tests;

//! Defaults that only an account can tell: network, zones, image.

use super::error::DeployError;
use super::ports::{Subnet, Surroundings};
use serde::Serialize;

/// Parameter of Systems Manager that names the image which `mqaws ami build` made last.
pub const IMAGE_PARAMETER: &str = "/mqaws/ami/ibm-mq";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// These two subnets.
    Subnets([String; 2]),
    /// Two subnets of this VPC, or of the default one.
    Vpc(Option<String>),
    /// A new network in these zones, or in the region's first two.
    New(Option<[String; 2]>),
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Site {
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
/// # Errors
/// [`DeployError::NoNetwork`], [`DeployError::OneZone`], [`DeployError::Unknown`], [`DeployError::NoImage`],
/// [`DeployError::Aws`].
pub async fn resolve<C: Surroundings>(cloud: &C, wanted: &Wanted, image: Option<&str>) -> Result<Site, DeployError> {
    let mut site = match wanted {
        Wanted::Subnets(ids) => given(cloud, ids).await?,
        Wanted::Vpc(vpc) => choose(cloud, vpc.as_deref()).await?,
        Wanted::New(zones) => new(cloud, zones.as_ref()).await?,
    };
    site.image = match image {
        Some(image) => image.to_owned(),
        None => {
            let image = cloud.parameter(IMAGE_PARAMETER).await?.ok_or(DeployError::NoImage)?;
            site.chosen.push(format!("image {image} (parameter {IMAGE_PARAMETER})"));
            image
        }
    };
    Ok(site)
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

async fn choose<C: Surroundings>(cloud: &C, vpc: Option<&str>) -> Result<Site, DeployError> {
    let mut chosen = Vec::new();
    let vpc = match vpc {
        Some(vpc) => vpc.to_owned(),
        None => {
            let none = || DeployError::NoNetwork {
                why: "the region has no default VPC".into(),
            };
            let vpc = cloud.default_vpc().await?.ok_or_else(none)?;
            chosen.push(format!("default VPC {vpc}"));
            vpc
        }
    };
    let [first, second] = pick(cloud.subnets(&vpc).await?).ok_or_else(|| DeployError::NoNetwork {
        why: format!("{vpc} has no subnets in two availability zones"),
    })?;
    chosen.push(format!(
        "subnets {} in {}, {} in {}",
        first.id, first.zone, second.id, second.zone
    ));
    Ok(site(
        Some(vpc),
        Some([first.id, second.id]),
        [first.zone, second.zone],
        chosen,
    ))
}

/// Two subnets in the first two zones, the zones' default subnets before others: the same answer every time.
fn pick(mut subnets: Vec<Subnet>) -> Option<[Subnet; 2]> {
    subnets.sort_by(|a, b| (&a.zone, !a.default, &a.id).cmp(&(&b.zone, !b.default, &b.id)));
    subnets.dedup_by(|a, b| a.zone == b.zone);
    let mut subnets = subnets.into_iter();
    Some([subnets.next()?, subnets.next()?])
}

async fn new<C: Surroundings>(cloud: &C, zones: Option<&[String; 2]>) -> Result<Site, DeployError> {
    if let Some(zones) = zones {
        return Ok(site(None, None, zones.clone(), Vec::new()));
    }
    let mut found = cloud.zones().await?.into_iter();
    let (Some(first), Some(second)) = (found.next(), found.next()) else {
        return Err(DeployError::NoNetwork {
            why: "the region has fewer than two availability zones".into(),
        });
    };
    let chosen = vec![format!("new network in {first} and {second}")];
    Ok(site(None, None, [first, second], chosen))
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
mod tests {
    use super::*;
    use crate::cloud::AwsError;
    use crate::remedy::{ExitKind, Remedy};

    /// An account with a default VPC `vpc-d`, two zones and no image, unless changed.
    struct Account {
        vpc: Option<String>,
        subnets: Vec<Subnet>,
        image: Option<String>,
    }

    impl Surroundings for Account {
        async fn default_vpc(&self) -> Result<Option<String>, AwsError> {
            Ok(self.vpc.clone())
        }
        async fn subnets(&self, vpc: &str) -> Result<Vec<Subnet>, AwsError> {
            Ok(self.subnets.iter().filter(|s| s.vpc == vpc).cloned().collect())
        }
        async fn subnets_by_id(&self, ids: &[String]) -> Result<Vec<Subnet>, AwsError> {
            if let Some(id) = ids.iter().find(|id| id.contains("ffff")) {
                let message = format!("The subnet ID '{id}' does not exist");
                return Err(AwsError::test_answer(
                    "ec2:DescribeSubnets",
                    "InvalidSubnetID.NotFound",
                    &message,
                ));
            }
            Ok(self.subnets.iter().filter(|s| ids.contains(&s.id)).cloned().collect())
        }
        async fn zones(&self) -> Result<Vec<String>, AwsError> {
            Ok(vec!["z-a".into(), "z-b".into()])
        }
        async fn root_device(&self, _image: &str) -> Result<Option<String>, AwsError> {
            Ok(None)
        }
        async fn parameter(&self, name: &str) -> Result<Option<String>, AwsError> {
            assert_eq!(name, IMAGE_PARAMETER);
            Ok(self.image.clone())
        }
    }

    fn subnet(id: &str, zone: &str, default: bool) -> Subnet {
        Subnet {
            id: id.into(),
            vpc: "vpc-d".into(),
            zone: zone.into(),
            default,
        }
    }

    fn account() -> Account {
        Account {
            vpc: Some("vpc-d".into()),
            subnets: vec![
                subnet("subnet-4", "z-b", true),
                subnet("subnet-1", "z-a", false),
                subnet("subnet-2", "z-a", true),
                subnet("subnet-3", "z-c", true),
            ],
            image: Some("ami-1".into()),
        }
    }

    fn run(account: &Account, wanted: Wanted, image: Option<&str>) -> Result<Site, DeployError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        runtime.block_on(resolve(account, &wanted, image))
    }

    fn pair(a: &str, b: &str) -> [String; 2] {
        [a.into(), b.into()]
    }

    #[test]
    fn default_network_is_the_same_every_time() {
        let site = run(&account(), Wanted::Vpc(None), None).expect("resolves");
        assert_eq!(site.subnets, Some(pair("subnet-2", "subnet-4")));
        assert_eq!(site.zones, pair("z-a", "z-b"));
        assert_eq!(site.image, "ami-1");
        assert_eq!(site.chosen.len(), 3);
    }

    #[test]
    fn what_the_user_names_is_not_called_chosen() {
        let wanted = Wanted::Subnets(pair("subnet-1", "subnet-3"));
        let site = run(&account(), wanted, Some("ami-2")).expect("resolves");
        assert_eq!((site.image.as_str(), site.chosen.len()), ("ami-2", 0));
    }

    #[test]
    fn what_is_missing_is_named() {
        let no_vpc = Account { vpc: None, ..account() };
        let one_zone = Account {
            subnets: vec![subnet("subnet-1", "z-a", true)],
            ..account()
        };
        let no_image = Account {
            image: None,
            ..account()
        };
        for (account, wanted, words) in [
            (&no_vpc, Wanted::Vpc(None), "no default VPC"),
            (&one_zone, Wanted::Vpc(None), "two availability zones"),
            (
                &account(),
                Wanted::Subnets(pair("subnet-1", "subnet-9")),
                "subnet subnet-9 does not exist in this region",
            ),
            (
                &account(),
                Wanted::Subnets(pair("subnet-1", "subnet-2")),
                "one availability zone, z-a",
            ),
            (&no_image, Wanted::New(None), "no image"),
        ] {
            let error = run(account, wanted, None).expect_err(words);
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn subnet_that_aws_does_not_know_is_an_error_of_the_configuration() {
        let error = run(&account(), Wanted::Subnets(pair("subnet-1", "subnet-ffff")), None).expect_err("unknown");
        assert_eq!(error.to_string(), "subnet subnet-ffff does not exist in this region");
        assert_eq!(error.exit(), ExitKind::Precondition);
        assert_eq!(error.key().map(|(key, _)| key), Some("network.subnets"));
        assert!(error.hint().is_some_and(|h| h.contains("`network.subnets`")));
    }

    #[test]
    fn other_zone_is_offered() {
        let error =
            run(&account(), Wanted::Subnets(pair("subnet-1", "subnet-2")), Some("ami-1")).expect_err("one zone");
        assert!(matches!(error, DeployError::OneZone { other: Some((_, zone)), .. } if zone != "z-a"));
    }

    #[test]
    fn new_network_takes_the_first_two_zones() {
        let site = run(&account(), Wanted::New(None), Some("ami-1")).expect("resolves");
        assert_eq!((site.vpc, site.subnets, site.zones), (None, None, pair("z-a", "z-b")));
    }
}

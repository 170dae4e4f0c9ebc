//! Choices for an account that a test makes up.

use super::super::network::Place;
use super::super::ports::{Image, Subnet};
use super::*;
use crate::cloud::AwsError;
use crate::remedy::{ExitKind, Remedy};

/// An account with a default VPC `vpc-d`, two zones and no image, unless changed.
struct Account {
    vpc: Option<String>,
    subnets: Vec<Subnet>,
    image: Option<String>,
    /// Zones that have instances of the type that is asked about.
    offered: Vec<String>,
    /// Code with which it refuses to say what is offered.
    refused: Option<&'static str>,
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
    async fn offered_in(&self, _instance_type: &str) -> Result<Vec<String>, AwsError> {
        match self.refused {
            None => Ok(self.offered.clone()),
            Some(code) => Err(AwsError::test_answer("ec2:DescribeInstanceTypeOfferings", code, "no")),
        }
    }
    async fn image(&self, _image: &str) -> Result<Image, AwsError> {
        Ok(Image::default())
    }
    async fn parameter(&self, name: &str) -> Result<Option<String>, AwsError> {
        assert_eq!(name, image_parameter(Engine::default()));
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
        refused: None,
        vpc: Some("vpc-d".into()),
        subnets: vec![
            subnet("subnet-4", "z-b", true),
            subnet("subnet-1", "z-a", false),
            subnet("subnet-2", "z-a", true),
            subnet("subnet-3", "z-c", true),
        ],
        image: Some("ami-1".into()),
        offered: vec!["z-a".into(), "z-c".into()],
    }
}

fn run(account: &Account, wanted: NetworkChoice, image: Option<&str>) -> Result<Site, DeployError> {
    again(account, wanted, image, None)
}

fn again(
    account: &Account,
    wanted: NetworkChoice,
    image: Option<&str>,
    deployed: Option<&Network>,
) -> Result<Site, DeployError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(resolve(account, &wanted, image, Engine::default(), deployed))
}

fn pair(a: &str, b: &str) -> [String; 2] {
    [a.into(), b.into()]
}

#[test]
fn default_network_is_the_same_every_time() {
    let site = run(&account(), NetworkChoice::Vpc(None), None).expect("resolves");
    assert_eq!(site.subnets, Some(pair("subnet-2", "subnet-4")));
    assert_eq!(site.zones, pair("z-a", "z-b"));
    assert_eq!(site.image, "ami-1");
    assert_eq!(site.chosen.len(), 3);
}

#[test]
fn what_the_user_names_is_not_called_chosen() {
    let wanted = NetworkChoice::Subnets(pair("subnet-1", "subnet-3"));
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
        (&no_vpc, NetworkChoice::Vpc(None), "no default VPC"),
        (&one_zone, NetworkChoice::Vpc(None), "two availability zones"),
        (
            &account(),
            NetworkChoice::Subnets(pair("subnet-1", "subnet-9")),
            "subnet subnet-9 does not exist in this region",
        ),
        (
            &account(),
            NetworkChoice::Subnets(pair("subnet-1", "subnet-2")),
            "one availability zone, z-a",
        ),
        (&no_image, NetworkChoice::New(None), "no image"),
    ] {
        let error = run(account, wanted, None).expect_err(words);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn subnet_that_aws_does_not_know_is_an_error_of_the_configuration() {
    let error = run(
        &account(),
        NetworkChoice::Subnets(pair("subnet-1", "subnet-ffff")),
        None,
    )
    .expect_err("unknown");
    assert_eq!(error.to_string(), "subnet subnet-ffff does not exist in this region");
    assert_eq!(error.exit(), ExitKind::Precondition);
    assert_eq!(error.key().map(|(key, _)| key), Some("network.subnets"));
    assert!(error.hint().is_some_and(|h| h.contains("`network.subnets`")));
}

#[test]
fn other_zone_is_offered() {
    let error = run(
        &account(),
        NetworkChoice::Subnets(pair("subnet-1", "subnet-2")),
        Some("ami-1"),
    )
    .expect_err("one zone");
    assert!(matches!(error, DeployError::OneZone { other: Some((_, zone)), .. } if zone != "z-a"));
}

#[test]
fn a_zone_without_the_instance_type_is_named_with_those_that_have_it() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let ask = |account: &Account, zones| runtime.block_on(offered(account, "m8i.large", &zones));
    assert!(ask(&account(), pair("z-a", "z-c")).is_ok());
    let error = ask(&account(), pair("z-a", "z-b")).expect_err("missing in z-b");
    assert_eq!(error.to_string(), "instance type m8i.large is not offered in z-b");
    assert_eq!(error.exit(), ExitKind::Precondition);
    assert_eq!(error.key(), Some(("instance.type", "not offered in z-b".to_owned())));
    assert!(error.hint().is_some_and(|h| h.contains("two zones of z-a, z-c")));
    let nowhere = Account {
        offered: Vec::new(),
        ..account()
    };
    let error = ask(&nowhere, pair("z-a", "z-b")).expect_err("missing everywhere");
    assert_eq!(
        error.to_string(),
        "instance type m8i.large is not offered in z-a and z-b"
    );
    assert!(
        error
            .hint()
            .is_some_and(|h| h.contains("does not offer it in this region"))
    );
    // What an endpoint other than AWS does not know, or the credentials may not ask, keeps nobody from deploying.
    for code in ["InvalidAction", "UnauthorizedOperation"] {
        let mute = Account {
            refused: Some(code),
            ..account()
        };
        let told = ask(&mute, pair("z-a", "z-b")).expect("goes on").expect("a line");
        assert!(told.contains("without asking whether z-a and z-b offer it"), "{told}");
    }
    let broken = Account {
        refused: Some("InternalError"),
        ..account()
    };
    ask(&broken, pair("z-a", "z-b")).expect_err("an error is an error");
}

#[test]
fn new_network_takes_the_first_two_zones() {
    let site = run(&account(), NetworkChoice::New(None), Some("ami-1")).expect("resolves");
    assert_eq!((site.vpc, site.subnets, site.zones), (None, None, pair("z-a", "z-b")));
}

fn existing(vpc: &str, first: (&str, &str), second: (&str, &str)) -> Network {
    let place = |(subnet, zone): (&str, &str)| Place {
        subnet: subnet.into(),
        zone: zone.into(),
    };
    Network::Existing {
        vpc: vpc.into(),
        places: [place(first), place(second)],
    }
}

#[test]
fn what_nobody_names_stays_as_deployed_and_what_somebody_names_wins() {
    let deployed = existing("vpc-d", ("subnet-4", "z-b"), ("subnet-3", "z-c"));
    let other = existing("vpc-o", ("subnet-8", "z-a"), ("subnet-9", "z-b"));
    let own = Network::Own {
        cidr: "10.0.0.0/16".into(),
        zones: pair("z-b", "z-z"),
    };
    let vpc = |id: &str| NetworkChoice::Vpc(Some(id.into()));
    let zones = |a, b| NetworkChoice::New(Some(pair(a, b)));
    for (wanted, deployed, subnets, in_zones) in [
        (
            NetworkChoice::Vpc(None),
            &deployed,
            Some(pair("subnet-4", "subnet-3")),
            pair("z-b", "z-c"),
        ),
        (
            vpc("vpc-d"),
            &deployed,
            Some(pair("subnet-4", "subnet-3")),
            pair("z-b", "z-c"),
        ),
        // Named, so not that of the stack.
        (
            vpc("vpc-d"),
            &other,
            Some(pair("subnet-2", "subnet-4")),
            pair("z-a", "z-b"),
        ),
        (
            vpc("vpc-d"),
            &own,
            Some(pair("subnet-2", "subnet-4")),
            pair("z-a", "z-b"),
        ),
        // Of what is named, only the order is the stack's.
        (
            NetworkChoice::Subnets(pair("subnet-3", "subnet-4")),
            &deployed,
            Some(pair("subnet-4", "subnet-3")),
            pair("z-b", "z-c"),
        ),
        (
            NetworkChoice::Subnets(pair("subnet-3", "subnet-1")),
            &deployed,
            Some(pair("subnet-1", "subnet-3")),
            pair("z-a", "z-c"),
        ),
        (NetworkChoice::New(None), &own, None, pair("z-b", "z-z")),
        (NetworkChoice::New(None), &deployed, None, pair("z-a", "z-b")),
        (zones("z-z", "z-b"), &own, None, pair("z-b", "z-z")),
        (zones("z-a", "z-b"), &own, None, pair("z-b", "z-a")),
    ] {
        let site = again(&account(), wanted.clone(), None, Some(deployed)).expect("resolves");
        assert_eq!(
            (site.subnets, site.zones),
            (subnets, in_zones),
            "{wanted:?} {deployed:?}"
        );
    }
}

#[test]
fn what_was_chosen_says_whether_it_was_so_before() {
    let chosen = |deployed: Option<&Network>| {
        let site = again(&account(), NetworkChoice::Vpc(None), Some("ami-1"), deployed).expect("resolves");
        site.chosen
    };
    assert_eq!(
        chosen(None),
        ["default VPC vpc-d", "subnets subnet-2 in z-a, subnet-4 in z-b"]
    );
    let kept = existing("vpc-d", ("subnet-4", "z-b"), ("subnet-3", "z-c"));
    assert_eq!(
        chosen(Some(&kept)),
        [
            "VPC vpc-d, as deployed",
            "subnets subnet-4 in z-b, subnet-3 in z-c, as deployed"
        ]
    );
    let gone = existing("vpc-d", ("subnet-4", "z-b"), ("subnet-7", "z-c"));
    assert_eq!(
        chosen(Some(&gone)),
        [
            "VPC vpc-d, as deployed",
            "subnets subnet-4 in z-b, subnet-3 in z-c; no longer in the VPC: subnet-7 in z-c"
        ]
    );
}

#[test]
fn deployed_network_without_zones_is_not_left_for_another() {
    let gone = existing("vpc-gone", ("subnet-8", "z-a"), ("subnet-9", "z-b"));
    let error = again(&account(), NetworkChoice::Vpc(None), None, Some(&gone)).expect_err("no network");
    assert!(error.to_string().contains("vpc-gone has no subnets"), "{error}");
}

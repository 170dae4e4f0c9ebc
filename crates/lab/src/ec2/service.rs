//! The service: which handler answers which action.

use super::catalog::{has, is_instance_type};
use super::groups::{self, Direction};
use super::instances::{self, Instance};
use super::life;
use super::objects::{Kind, describe};
use super::state::State;
use super::{interfaces, launch, network, routes, tags, templates, volumes, wire};
use crate::api::{ApiError, ApiResult, Call, Cloud, Service, flag, list, text, texts, unknown_action};
use crate::instance::Host;
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

/// EC2 of the local cloud.
pub(crate) struct Ec2 {
    state: Mutex<State>,
}

impl Ec2 {
    /// A fresh account in a region.
    pub(crate) fn new(region: &str) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::new(region)),
        })
    }

    /// The state; never held across an await.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The host of a running instance.
    pub(crate) fn running_host(&self, instance: &str) -> Option<Arc<Host>> {
        let state = self.state();
        let found = state.instances.get(instance)?;
        found.is_running().then(|| found.host.clone()).flatten()
    }

    /// State of an instance in AWS's words; none when there is no such instance.
    pub(crate) fn instance_state(&self, instance: &str) -> Option<&'static str> {
        self.state().instances.get(instance).map(|i| i.state.name())
    }

    /// Ids of instances that exist and are not terminated.
    #[cfg(test)]
    pub(crate) fn living(&self) -> Vec<String> {
        let state = self.state();
        state
            .instances
            .iter()
            .filter(|(_, i)| !i.is_terminated())
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Id, state, zone and address of every instance, for people.
    pub(crate) fn overview(&self) -> Vec<Value> {
        let state = self.state();
        let row = |i: &Instance| json!({"id": i.id, "state": i.state.name(), "zone": i.zone, "address": i.address.to_string()});
        state.instances.values().map(row).collect()
    }

    /// Tells an instance, through its metadata, which state Auto Scaling moves it to.
    pub(crate) fn set_target_lifecycle_state(&self, instance: &str, target: &str) {
        if let Some(instance) = self.state().instances.get(instance) {
            instance.facts().target_lifecycle_state = Some(target.to_owned());
        }
    }

    /// Cuts the power of every host; for the end of the lab.
    pub(crate) async fn cut_all(&self) {
        let hosts: Vec<Arc<Host>> = self.state().instances.values().filter_map(|i| i.host.clone()).collect();
        let mut ends = tokio::task::JoinSet::new();
        for host in hosts {
            ends.spawn(async move { host.cut().await });
        }
        while ends.join_next().await.is_some() {}
    }

    async fn answer(self: Arc<Self>, cloud: Arc<Cloud>, mut call: Call) -> ApiResult {
        call.params = wire::canonical(call.params.take());
        let params = &call.params;
        if flag(params, "DryRun") == Some(true) {
            return Err(ApiError::new(
                "DryRunOperation",
                "Request would have succeeded, but DryRun flag is set.",
            )
            .status(412));
        }
        match call.action.as_str() {
            "RunInstances" => launch::run_instances(self, cloud, params).await,
            "TerminateInstances" => life::terminate(self, cloud, params),
            "StopInstances" => life::stop(self, cloud, params),
            "CreateVolume" => volumes::create(&self, &cloud, params),
            "ModifyVolume" => volumes::modify(&self, &cloud, params),
            "DeleteVolume" => volumes::delete(&self, &cloud, params),
            "AttachVolume" => volumes::attach(&self, &cloud, params),
            "DetachVolume" => volumes::detach(&self, &cloud, params),
            "CreateNetworkInterface" => interfaces::create(&mut self.state(), cloud.site.octet, params),
            _ => self.answer_from_records(&call),
        }
    }

    fn answer_from_records(&self, call: &Call) -> ApiResult {
        let params = &call.params;
        let mut guard = self.state();
        let state = &mut *guard;
        let region = state.region.clone();
        let interfaces = interfaces::places(state);
        let all = &mut state.objects;
        match call.action.as_str() {
            "CreateVpc" => network::create_vpc(all, params),
            "DeleteVpc" => network::delete_vpc(all, params),
            "ModifyVpcAttribute" => network::modify_vpc_attribute(all, params),
            "DescribeVpcAttribute" => network::describe_vpc_attribute(all, params),
            "CreateSubnet" => network::create_subnet(all, &region, params),
            "ModifySubnetAttribute" => network::modify_subnet_attribute(all, params),
            "DeleteSubnet" => network::delete_subnet(all, params, |id| interfaces.iter().any(|(s, _)| s == id)),
            "CreateInternetGateway" => routes::create_internet_gateway(all, params),
            "AttachInternetGateway" => routes::attach_internet_gateway(all, params),
            "DetachInternetGateway" => routes::detach_internet_gateway(all, params),
            "DeleteInternetGateway" => routes::delete_internet_gateway(all, params),
            "CreateRouteTable" => routes::create_route_table(all, params),
            "DeleteRouteTable" => routes::delete_route_table(all, params),
            "CreateRoute" => routes::create_route(all, params),
            "DeleteRoute" => routes::delete_route(all, params),
            "AssociateRouteTable" => routes::associate_route_table(all, params),
            "DisassociateRouteTable" => routes::disassociate_route_table(all, params),
            "CreateVpcEndpoint" => routes::create_vpc_endpoint(all, &region, params),
            "DeleteVpcEndpoints" => routes::delete_vpc_endpoints(all, params),
            "CreateSecurityGroup" => groups::create(all, params),
            "DeleteSecurityGroup" => groups::delete(all, params, |id| {
                interfaces.iter().any(|(_, g)| g.iter().any(|x| x == id))
            }),
            "AuthorizeSecurityGroupIngress" => groups::change_rules(all, params, Direction::Ingress, true),
            "AuthorizeSecurityGroupEgress" => groups::change_rules(all, params, Direction::Egress, true),
            "RevokeSecurityGroupIngress" => groups::change_rules(all, params, Direction::Ingress, false),
            "RevokeSecurityGroupEgress" => groups::change_rules(all, params, Direction::Egress, false),
            "DescribeSecurityGroups" => groups::show(all, params),
            "DescribeVpcs" => describe(Kind::Vpc, params, state.shown(Kind::Vpc)),
            "DescribeSubnets" => describe(Kind::Subnet, params, state.shown(Kind::Subnet)),
            "DescribeInternetGateways" => describe(Kind::InternetGateway, params, state.shown(Kind::InternetGateway)),
            "DescribeRouteTables" => describe(Kind::RouteTable, params, state.shown(Kind::RouteTable)),
            "DescribeVpcEndpoints" => describe(Kind::VpcEndpoint, params, state.shown(Kind::VpcEndpoint)),
            "DescribeImages" => describe_images(state, params),
            "DescribeKeyPairs" => describe(Kind::KeyPair, params, state.shown(Kind::KeyPair)),
            "DescribeAvailabilityZones" => describe_zones(state, params),
            "DescribeRegions" => describe(Kind::Region, params, state.shown(Kind::Region)),
            "DescribeInstanceTypes" => describe(Kind::InstanceType, params, state.shown(Kind::InstanceType)),
            "DescribeInstanceTypeOfferings" => describe_offerings(state, params),
            "CreateTags" => tags::create(state, params),
            "DeleteTags" => tags::delete(state, params),
            "DescribeTags" => tags::describe(state, params),
            "CreateLaunchTemplate" => templates::create(state, params),
            "CreateLaunchTemplateVersion" => templates::create_version(state, params),
            "ModifyLaunchTemplate" => templates::modify(state, params),
            "DeleteLaunchTemplate" => templates::delete(state, params),
            "DescribeLaunchTemplates" => templates::show(state, params),
            "DescribeLaunchTemplateVersions" => templates::show_versions(state, params),
            "DescribeInstances" => instances::describe_instances(state, params),
            "DescribeNetworkInterfaces" => interfaces::describe(state, params),
            "DeleteNetworkInterface" => interfaces::delete(all, params),
            "ModifyNetworkInterfaceAttribute" => interfaces::modify(state, params),
            "DescribeVolumes" => describe(Kind::Volume, params, state.shown(Kind::Volume)),
            "DescribeInstanceStatus" => instances::describe_status(state, params),
            "GetConsoleOutput" => instances::console_output(state, params),
            _ => Err(unknown_action(call)),
        }
    }
}

impl Service for Ec2 {
    fn call(self: Arc<Self>, cloud: Arc<Cloud>, call: Call) -> Pin<Box<dyn Future<Output = ApiResult> + Send>> {
        Box::pin(self.answer(cloud, call))
    }
}

fn describe_images(state: &State, params: &Value) -> ApiResult {
    let owners = texts(params, "Owner");
    let own = owners.is_empty() || owners.iter().any(|o| o == "self" || o == crate::api::ACCOUNT);
    describe(
        Kind::Image,
        params,
        if own { state.shown(Kind::Image) } else { Vec::new() },
    )
}

fn describe_zones(state: &State, params: &Value) -> ApiResult {
    let ids = texts(params, "ZoneId");
    let mut shown = state.shown(Kind::AvailabilityZone);
    shown.retain(|zone| ids.is_empty() || ids.iter().any(|id| zone["zoneId"] == **id));
    let unknown = texts(params, "ZoneName")
        .into_iter()
        .find(|name| !shown.iter().any(|zone| zone["zoneName"] == **name));
    if let Some(name) = unknown {
        return Err(ApiError::new(
            "InvalidParameterValue",
            format!("Invalid availability zone: [{name}]"),
        ));
    }
    describe(Kind::AvailabilityZone, params, shown)
}

fn describe_offerings(state: &State, params: &Value) -> ApiResult {
    let location_type = text(params, "LocationType").unwrap_or_else(|| "region".to_owned());
    let zones = state.shown(Kind::AvailabilityZone);
    let zones = zones
        .iter()
        .map(|zone| (zone, zone["zoneName"].as_str().unwrap_or_default()));
    // A location, and the zones that make it up.
    let places: Vec<(Value, Vec<&str>)> = match location_type.as_str() {
        "region" => vec![(json!(state.region), zones.map(|(_, name)| name).collect())],
        "availability-zone" => zones
            .map(|(zone, name)| (zone["zoneName"].clone(), vec![name]))
            .collect(),
        "availability-zone-id" => zones.map(|(zone, name)| (zone["zoneId"].clone(), vec![name])).collect(),
        _ => {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!("Value ({location_type}) for parameter locationType is invalid."),
            ));
        }
    };
    let places = &places;
    let location_type = &location_type;
    let mut types: BTreeSet<String> = state
        .shown(Kind::InstanceType)
        .iter()
        .filter_map(|t| t["instanceType"].as_str().map(str::to_owned))
        .collect();
    // What is not described starts here too, if it is called as a type is; who asks for it by name is told so.
    let filters = list(params, "Filter");
    let named = filters.iter().filter(|filter| filter["Name"] == "instance-type");
    types.extend(
        named
            .flat_map(|filter| texts(filter, "Value"))
            .filter(|name| is_instance_type(name)),
    );
    let rows = types.iter().flat_map(|name| {
        let there = places
            .iter()
            .filter(move |(_, zones)| zones.iter().any(|zone| has(zone, name)));
        there.map(move |(place, _)| json!({"instanceType": name, "locationType": location_type, "location": place}))
    });
    describe(Kind::InstanceTypeOffering, params, rows.collect())
}

#[cfg(test)]
mod tests {
    use super::super::catalog::SEEDED_IMAGE;
    use super::*;
    use crate::api::Caller;

    #[tokio::test]
    async fn unknown_actions_parameters_and_dry_runs_are_refused_in_aws_words() {
        let cloud = Cloud::new("eu-west-1");
        cloud.add("ec2", Ec2::new("eu-west-1"));
        let cases = [
            ("RebootTheWorld", json!({}), "InvalidAction"),
            ("DescribeVpcs", json!({"Vpc": "x"}), "UnknownParameter"),
            ("DescribeVpcs", json!({"VpcId": ["vpc-0"]}), "InvalidVpcID.NotFound"),
            ("DescribeVpcs", json!({"DryRun": "true"}), "DryRunOperation"),
            (
                "DescribeInstances",
                json!({"InstanceId": ["i-0"]}),
                "InvalidInstanceID.NotFound",
            ),
            (
                "CreateTags",
                json!({"ResourceId": ["vpc-0"], "Tag": [{"Key": "a", "Value": "b"}]}),
                "InvalidVpcID.NotFound",
            ),
        ];
        for (action, params, code) in cases {
            let error = cloud
                .call("ec2", action, params.clone(), Caller::Admin)
                .await
                .expect_err(action);
            assert_eq!(error.code, code, "{action} {params}");
        }
    }

    #[tokio::test]
    async fn a_fresh_account_has_a_default_vpc_with_a_subnet_in_each_of_three_zones() {
        let cloud = Cloud::new("eu-west-1");
        cloud.add("ec2", Ec2::new("eu-west-1"));
        let call = |action: &'static str, params: Value| cloud.call("ec2", action, params, Caller::Admin);
        let vpcs = call(
            "DescribeVpcs",
            json!({"Filter": [{"Name": "is-default", "Value": ["true"]}]}),
        )
        .await
        .expect("shown");
        let vpc = vpcs["vpcSet"][0]["vpcId"].clone();
        let subnets = call(
            "DescribeSubnets",
            json!({"Filter": [{"Name": "vpc-id", "Value": [vpc.clone()]}]}),
        )
        .await
        .expect("shown");
        let zones: Vec<_> = subnets["subnetSet"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|s| s["availabilityZone"].clone())
            .collect();
        assert_eq!(zones, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]);
        let dns = call(
            "DescribeVpcAttribute",
            json!({"VpcId": vpc, "Attribute": "enableDnsHostnames"}),
        )
        .await
        .expect("shown");
        assert_eq!(dns["enableDnsHostnames"]["value"], true);
    }

    #[tokio::test]
    async fn a_type_is_offered_where_instances_of_it_start() {
        let cloud = Cloud::new("eu-west-1");
        cloud.add("ec2", Ec2::new("eu-west-1"));
        for (name, by, places) in [
            (
                "m6i.large",
                "availability-zone",
                vec!["eu-west-1a", "eu-west-1b", "eu-west-1c"],
            ),
            ("m8i.large", "availability-zone", vec!["eu-west-1a", "eu-west-1c"]),
            ("m8i.large", "region", vec!["eu-west-1"]),
            ("r6i.24xlarge", "region", vec!["eu-west-1"]),
            ("zz.large", "availability-zone", vec![]),
        ] {
            let asked = json!({"LocationType": by, "Filter": [{"Name": "instance-type", "Value": [name]}]});
            let offered = cloud
                .call("ec2", "DescribeInstanceTypeOfferings", asked, Caller::Admin)
                .await;
            let offered = offered.expect("shown")["instanceTypeOfferingSet"].clone();
            let offered = offered.as_array().cloned().unwrap_or_default();
            let found: Vec<_> = offered.iter().filter_map(|o| o["location"].as_str()).collect();
            assert_eq!(found, places, "{name} by {by}");
        }
        for (letter, answer) in [("a", Ok(())), ("b", Err("Unsupported".to_owned()))] {
            let asked = json!({
                "ImageId": SEEDED_IMAGE, "InstanceType": "m8i.large", "MinCount": 1, "MaxCount": 1,
                "Placement": {"AvailabilityZone": format!("eu-west-1{letter}")},
            });
            let started = cloud.call("ec2", "RunInstances", asked, Caller::Admin).await;
            assert_eq!(started.map(|_| ()).map_err(|error| error.code), answer, "zone {letter}");
        }
    }
}

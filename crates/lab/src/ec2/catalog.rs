//! What kinds of records look like on the wire, and what exists in a fresh account.

use super::objects::{Facts, Kind, Object, Objects};
use super::wire::body;
use super::{interfaces, volumes};
use crate::api::ACCOUNT;
use crate::ids::resource_id;
use indexmap::IndexMap;
use serde_json::{Value, json};

/// Image that the lab seeds: a host with the agent, and the stand-in queue manager as engine.
pub const SEEDED_IMAGE: &str = "ami-0aa55ed1ab0000001";
/// A second image that the lab seeds: a host without agent and queue manager, to see what a wrong image does.
pub const BARE_IMAGE: &str = "ami-0ba5e5ed1ab000001";
/// What a build says of an image, said of the seeded one: its engine is no IBM MQ.
const SEEDED_TAGS: [(&str, &str); 3] = [
    ("mqaws:image", "ibm-mq"),
    ("mqaws:engine-version", "stand-in"),
    ("mqaws:agent-version", env!("CARGO_PKG_VERSION")),
];
/// Key pair that the lab seeds; process hosts have no SSH.
pub(super) const SEEDED_KEY: &str = "lab";

/// Zones of a region: letter and index.
pub(super) const ZONES: [(char, u8); 3] = [('a', 0), ('b', 1), ('c', 2)];

/// Type that one zone does not have, to see what is said about it, and the letter of that zone.
const SCARCE: (&str, char) = ("m8i.large", 'b');

const TYPES: [(&str, u32, u32); 9] = [
    ("t3.small", 2, 2048),
    ("t3.medium", 2, 4096),
    ("t3.large", 2, 8192),
    ("m5.large", 2, 8192),
    ("m6i.large", 2, 8192),
    ("m6i.xlarge", 4, 16384),
    ("m7i.large", 2, 8192),
    ("m8i.large", 2, 8192),
    ("c6i.large", 2, 4096),
];

/// Facts from their parts, in the order of their fields.
pub(super) const fn simple(
    set: &'static str,
    id: &'static str,
    ids: &'static str,
    resource_type: &'static str,
    not_found: &'static str,
    filters: &'static [(&'static str, &'static str)],
    extra: &'static [&'static str],
) -> Facts {
    Facts {
        set,
        id,
        ids,
        resource_type,
        not_found,
        filters,
        extra,
    }
}

static VPC: Facts = simple(
    "vpcSet",
    "vpcId",
    "VpcId",
    "vpc",
    "InvalidVpcID.NotFound",
    &[
        ("vpc-id", "vpcId"),
        ("cidr", "cidrBlock"),
        ("cidr-block", "cidrBlock"),
        ("is-default", "isDefault"),
        ("isDefault", "isDefault"),
        ("state", "state"),
        ("owner-id", "ownerId"),
    ],
    &[],
);
static SUBNET: Facts = simple(
    "subnetSet",
    "subnetId",
    "SubnetId",
    "subnet",
    "InvalidSubnetID.NotFound",
    &[
        ("subnet-id", "subnetId"),
        ("vpc-id", "vpcId"),
        ("availability-zone", "availabilityZone"),
        ("availabilityZone", "availabilityZone"),
        ("availability-zone-id", "availabilityZoneId"),
        ("cidr-block", "cidrBlock"),
        ("default-for-az", "defaultForAz"),
        ("defaultForAz", "defaultForAz"),
        ("map-public-ip-on-launch", "mapPublicIpOnLaunch"),
        ("state", "state"),
        ("owner-id", "ownerId"),
    ],
    &[],
);
static INTERNET_GATEWAY: Facts = simple(
    "internetGatewaySet",
    "internetGatewayId",
    "InternetGatewayId",
    "internet-gateway",
    "InvalidInternetGatewayID.NotFound",
    &[
        ("internet-gateway-id", "internetGatewayId"),
        ("attachment.vpc-id", "attachmentSet.vpcId"),
        ("attachment.state", "attachmentSet.state"),
    ],
    &[],
);
static ROUTE_TABLE: Facts = simple(
    "routeTableSet",
    "routeTableId",
    "RouteTableId",
    "route-table",
    "InvalidRouteTableID.NotFound",
    &[
        ("route-table-id", "routeTableId"),
        ("vpc-id", "vpcId"),
        ("association.subnet-id", "associationSet.subnetId"),
        ("association.main", "associationSet.main"),
        (
            "association.route-table-association-id",
            "associationSet.routeTableAssociationId",
        ),
        ("route.gateway-id", "routeSet.gatewayId"),
        ("route.destination-cidr-block", "routeSet.destinationCidrBlock"),
    ],
    &[],
);
static VPC_ENDPOINT: Facts = simple(
    "vpcEndpointSet",
    "vpcEndpointId",
    "VpcEndpointId",
    "vpc-endpoint",
    "InvalidVpcEndpointId.NotFound",
    &[
        ("vpc-id", "vpcId"),
        ("service-name", "serviceName"),
        ("vpc-endpoint-id", "vpcEndpointId"),
        ("vpc-endpoint-type", "vpcEndpointType"),
        ("vpc-endpoint-state", "state"),
    ],
    &[],
);
static SECURITY_GROUP: Facts = simple(
    "securityGroupInfo",
    "groupId",
    "GroupId",
    "security-group",
    "InvalidGroup.NotFound",
    &[
        ("group-id", "groupId"),
        ("group-name", "groupName"),
        ("vpc-id", "vpcId"),
        ("description", "groupDescription"),
        ("ip-permission.group-id", "ipPermissions.groups.groupId"),
        ("ip-permission.cidr", "ipPermissions.ipRanges.cidrIp"),
        ("egress.ip-permission.group-id", "ipPermissionsEgress.groups.groupId"),
        ("owner-id", "ownerId"),
    ],
    &["GroupName"],
);
static IMAGE: Facts = simple(
    "imagesSet",
    "imageId",
    "ImageId",
    "image",
    "InvalidAMIID.NotFound",
    &[
        ("image-id", "imageId"),
        ("name", "name"),
        ("state", "imageState"),
        ("architecture", "architecture"),
        ("owner-id", "imageOwnerId"),
        ("root-device-type", "rootDeviceType"),
        ("virtualization-type", "virtualizationType"),
        ("is-public", "isPublic"),
    ],
    &["ExecutableBy", "Owner", "IncludeDeprecated", "IncludeDisabled"],
);
static KEY_PAIR: Facts = simple(
    "keySet",
    "keyName",
    "KeyName",
    "key-pair",
    "InvalidKeyPair.NotFound",
    &[("key-name", "keyName"), ("key-pair-id", "keyPairId")],
    &["KeyPairId", "IncludePublicKey"],
);
static LAUNCH_TEMPLATE: Facts = simple(
    "launchTemplates",
    "launchTemplateId",
    "LaunchTemplateId",
    "launch-template",
    "InvalidLaunchTemplateId.NotFound",
    &[
        ("launch-template-name", "launchTemplateName"),
        ("create-time", "createTime"),
    ],
    &["LaunchTemplateName", "IncludeManagedResources"],
);
static AVAILABILITY_ZONE: Facts = simple(
    "availabilityZoneInfo",
    "zoneName",
    "ZoneName",
    "availability-zone",
    "InvalidParameterValue",
    &[
        ("zone-name", "zoneName"),
        ("zone-id", "zoneId"),
        ("zone-type", "zoneType"),
        ("state", "zoneState"),
        ("region-name", "regionName"),
        ("opt-in-status", "optInStatus"),
        ("group-name", "groupName"),
    ],
    &["ZoneId", "AllAvailabilityZones"],
);
static REGION: Facts = simple(
    "regionInfo",
    "regionName",
    "RegionName",
    "region",
    "InvalidParameterValue",
    &[
        ("region-name", "regionName"),
        ("endpoint", "regionEndpoint"),
        ("opt-in-status", "optInStatus"),
    ],
    &["AllRegions"],
);
static INSTANCE_TYPE: Facts = simple(
    "instanceTypeSet",
    "instanceType",
    "InstanceType",
    "instance-type",
    "InvalidInstanceType",
    &[
        ("instance-type", "instanceType"),
        ("current-generation", "currentGeneration"),
        ("vcpu-info.default-vcpus", "vCpuInfo.defaultVCpus"),
        ("memory-info.size-in-mib", "memoryInfo.sizeInMiB"),
    ],
    &["IncludeUnsupportedInRegion"],
);
static INSTANCE_TYPE_OFFERING: Facts = simple(
    "instanceTypeOfferingSet",
    "instanceType",
    "InstanceTypes.none",
    "instance-type-offering",
    "InvalidParameterValue",
    &[("instance-type", "instanceType"), ("location", "location")],
    &["LocationType"],
);
static INSTANCE: Facts = simple(
    "reservationSet",
    "instanceId",
    "InstanceId",
    "instance",
    "InvalidInstanceID.NotFound",
    &[
        ("instance-id", "instanceId"),
        ("instance-state-name", "instanceState.name"),
        ("instance-state-code", "instanceState.code"),
        ("vpc-id", "vpcId"),
        ("subnet-id", "subnetId"),
        ("image-id", "imageId"),
        ("instance-type", "instanceType"),
        ("availability-zone", "placement.availabilityZone"),
        ("private-ip-address", "privateIpAddress"),
        ("key-name", "keyName"),
        ("iam-instance-profile.arn", "iamInstanceProfile.arn"),
        ("instance.group-id", "groupSet.groupId"),
        (
            "network-interface.network-interface-id",
            "networkInterfaceSet.networkInterfaceId",
        ),
        ("reservation-id", "reservationId"),
        ("launch-time", "launchTime"),
        ("client-token", "clientToken"),
    ],
    &["IncludeManagedResources"],
);

/// Facts of a kind.
pub(super) fn facts(kind: Kind) -> &'static Facts {
    match kind {
        Kind::Vpc => &VPC,
        Kind::Subnet => &SUBNET,
        Kind::InternetGateway => &INTERNET_GATEWAY,
        Kind::RouteTable => &ROUTE_TABLE,
        Kind::VpcEndpoint => &VPC_ENDPOINT,
        Kind::SecurityGroup => &SECURITY_GROUP,
        Kind::Image => &IMAGE,
        Kind::KeyPair => &KEY_PAIR,
        Kind::LaunchTemplate => &LAUNCH_TEMPLATE,
        Kind::AvailabilityZone => &AVAILABILITY_ZONE,
        Kind::Region => &REGION,
        Kind::InstanceType => &INSTANCE_TYPE,
        Kind::InstanceTypeOffering => &INSTANCE_TYPE_OFFERING,
        Kind::Instance => &INSTANCE,
        Kind::Volume => &volumes::FACTS,
        Kind::NetworkInterface => &interfaces::FACTS,
    }
}

/// A record of a kind without tags.
pub(super) fn object(kind: Kind, value: Value) -> Object {
    Object {
        kind,
        body: body(value),
        tags: IndexMap::new(),
    }
}

/// Everything that exists before anybody creates anything.
pub(super) fn seed(region: &str) -> Objects {
    let mut all = Objects::default();
    all.insert(
        region,
        object(
            Kind::Region,
            json!({"regionName": region, "regionEndpoint": format!("ec2.{region}.amazonaws.com"), "optInStatus": "opt-in-not-required"}),
        ),
    );
    seed_images(&mut all);
    let vpc = resource_id("vpc");
    all.insert(&vpc, vpc_object(&vpc, "172.31.0.0/16", true));
    super::network::add_main_route_table(&mut all, &vpc, "172.31.0.0/16");
    super::groups::add_default_group(&mut all, &vpc);
    let gateway = resource_id("igw");
    all.insert(
        &gateway,
        object(
            Kind::InternetGateway,
            json!({"internetGatewayId": gateway, "ownerId": ACCOUNT, "attachmentSet": [{"vpcId": vpc, "state": "available"}]}),
        ),
    );
    for (letter, index) in ZONES {
        let zone = format!("{region}{letter}");
        all.insert(
            &zone,
            object(
                Kind::AvailabilityZone,
                json!({
                    "optInStatus": "opt-in-not-required", "messageSet": [], "regionName": region, "zoneName": zone,
                    "zoneId": zone_id(index), "groupName": region, "networkBorderGroup": region,
                    "zoneType": "availability-zone", "zoneState": "available",
                }),
            ),
        );
        let subnet = resource_id("subnet");
        let cidr = format!("172.31.{}.0/20", u16::from(index) * 16);
        all.insert(
            &subnet,
            subnet_object(&subnet, &vpc, &cidr, &zone, zone_id(index), true),
        );
    }
    all
}

/// Id of a zone by its index, as in Europe (Ireland).
pub(super) fn zone_id(index: u8) -> String {
    format!("euw1-az{}", index + 1)
}

/// A VPC.
pub(super) fn vpc_object(id: &str, cidr: &str, is_default: bool) -> Object {
    object(
        Kind::Vpc,
        json!({
            "vpcId": id, "ownerId": ACCOUNT, "state": "available", "cidrBlock": cidr, "dhcpOptionsId": resource_id("dopt"),
            "instanceTenancy": "default", "isDefault": is_default,
            "cidrBlockAssociationSet": [{
                "associationId": resource_id("vpc-cidr-assoc"), "cidrBlock": cidr, "cidrBlockState": {"state": "associated"},
            }],
        }),
    )
}

/// A subnet.
pub(super) fn subnet_object(id: &str, vpc: &str, cidr: &str, zone: &str, zone_id: String, is_default: bool) -> Object {
    object(
        Kind::Subnet,
        json!({
            "subnetId": id, "subnetArn": format!("arn:aws:ec2:{}:{ACCOUNT}:subnet/{id}", &zone[..zone.len() - 1]),
            "ownerId": ACCOUNT, "state": "available", "vpcId": vpc, "cidrBlock": cidr, "ipv6CidrBlockAssociationSet": [],
            "assignIpv6AddressOnCreation": false, "availableIpAddressCount": 4091, "availabilityZone": zone,
            "availabilityZoneId": zone_id, "defaultForAz": is_default, "mapPublicIpOnLaunch": is_default,
        }),
    )
}

fn seed_images(all: &mut Objects) {
    let full = "process host of the local cloud: agent and stand-in queue manager, no IBM MQ";
    let bare = "process host of the local cloud without agent and queue manager: an example of an unsuitable image";
    for (id, name, description) in [(SEEDED_IMAGE, "mqaws-lab", full), (BARE_IMAGE, "mqaws-lab-bare", bare)] {
        let mut image = image(id, name, description);
        // Older than what is built elsewhere and added, of which the newest comes first in lists.
        image.body["creationDate"] = json!("2025-12-01T00:00:00.000Z");
        if id == SEEDED_IMAGE {
            // As a build tags its images: deployments start this one, so `ami list` shows it.
            for (key, value) in SEEDED_TAGS {
                image.tags.insert(key.to_owned(), value.to_owned());
            }
        }
        all.insert(id, image);
    }
    all.insert(
        SEEDED_KEY,
        object(
            Kind::KeyPair,
            json!({"keyName": SEEDED_KEY, "keyPairId": resource_id("key"), "keyType": "ed25519", "keyFingerprint": "lab"}),
        ),
    );
    for (name, cpus, memory) in TYPES {
        all.insert(
            name,
            object(
                Kind::InstanceType,
                json!({
                    "instanceType": name, "currentGeneration": true, "freeTierEligible": false, "hypervisor": "nitro", "bareMetal": false,
                    "supportedUsageClasses": ["on-demand", "spot"], "vCpuInfo": {"defaultVCpus": cpus, "defaultCores": cpus / 2, "defaultThreadsPerCore": 2},
                    "memoryInfo": {"sizeInMiB": memory}, "processorInfo": {"supportedArchitectures": ["x86_64"]},
                }),
            ),
        );
    }
}

/// An image of this account, with a disk that no host of the lab has.
pub(super) fn image(id: &str, name: &str, description: &str) -> Object {
    let mut image = object(
        Kind::Image,
        json!({
            "imageId": id, "imageLocation": format!("{ACCOUNT}/{name}"), "imageState": "available",
            "imageOwnerId": ACCOUNT, "isPublic": false, "architecture": "x86_64", "imageType": "machine", "name": name,
            "description": description,
            "rootDeviceType": "ebs", "rootDeviceName": "/dev/xvda", "virtualizationType": "hvm", "hypervisor": "xen",
            "enaSupport": true, "imdsSupport": "v2.0", "platformDetails": "Linux/UNIX", "creationDate": "2026-01-01T00:00:00.000Z",
            "blockDeviceMapping": [{
                "deviceName": "/dev/xvda",
                "ebs": {"deleteOnTermination": true, "volumeSize": 20, "volumeType": "gp3", "encrypted": false, "snapshotId": resource_id("snap")},
            }],
        }),
    );
    image.tags.insert("Name".to_owned(), name.to_owned());
    image
}

/// Whether a zone has an instance type.
pub(super) fn has(zone: &str, instance_type: &str) -> bool {
    is_instance_type(instance_type) && !(instance_type == SCARCE.0 && zone.ends_with(SCARCE.1))
}

/// Whether the lab knows an instance type: those it describes, and any of the same shape of name.
pub(super) fn is_instance_type(name: &str) -> bool {
    let Some((family, size)) = name.split_once('.') else {
        return false;
    };
    let sizes = ["nano", "micro", "small", "medium", "large", "metal"];
    let is_size = sizes.contains(&size)
        || size
            .strip_suffix("xlarge")
            .is_some_and(|n| n.is_empty() || n.parse::<u8>().is_ok());
    let is_family = family.starts_with(|c: char| c.is_ascii_lowercase())
        && family.contains(|c: char| c.is_ascii_digit())
        && family
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    is_size && is_family
}

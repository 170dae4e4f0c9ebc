//! The network when it is new, and what is needed of it.

use super::parameters::tcp;
use super::tags::tags;
use crate::model::{Deployment, Placement};
use crate::template::{Resource, Template, Value, get_att, list, object, reference, sub};

/// Services that the agent, the mount and Session Manager call; all but S3 through an interface in the VPC.
const ENDPOINTS: [(&str, &str); 9] = [
    ("AutoScalingEndpoint", "autoscaling"),
    ("CloudFormationEndpoint", "cloudformation"),
    ("Ec2Endpoint", "ec2"),
    ("ElasticFileSystemEndpoint", "elasticfilesystem"),
    ("LogsEndpoint", "logs"),
    ("MonitoringEndpoint", "monitoring"),
    ("SecretsManagerEndpoint", "secretsmanager"),
    ("SsmEndpoint", "ssm"),
    ("SsmMessagesEndpoint", "ssmmessages"),
];

/// The VPC, as the template refers to it.
pub(crate) fn vpc(deployment: &Deployment) -> Value {
    reference(if is_new(deployment) { "Vpc" } else { "VPC" })
}

/// Resources without which an instance of a new network reaches nothing.
pub(crate) fn prerequisites(deployment: &Deployment) -> Vec<&'static str> {
    if !is_new(deployment) {
        return Vec::new();
    }
    let fixed = ["RouteTableOfSubnet1", "RouteTableOfSubnet2", "S3Endpoint"];
    let mut names: Vec<&str> = ENDPOINTS.iter().map(|(name, _)| *name).chain(fixed).collect();
    if !deployment.endpoint.internal {
        names.push("DefaultRoute");
    }
    names
}

fn is_new(deployment: &Deployment) -> bool {
    matches!(deployment.network.placement, Placement::New { .. })
}

/// Puts a resource under its logical id.
fn put(template: &mut Template, name: &str, resource: Resource) {
    template.resources.insert(name.to_owned(), resource);
}

/// Adds the new network, when there is one: its VPC with a subnet in each of two zones, and the way to the internet.
pub(crate) fn add_vpc(template: &mut Template, deployment: &Deployment) {
    if !is_new(deployment) {
        return;
    }
    let vpc = object! {
        "CidrBlock" => reference("VpcCidr"),
        // The names of mount targets and interface endpoints resolve only with both.
        "EnableDnsSupport" => true,
        "EnableDnsHostnames" => true,
        "Tags" => tags(),
    };
    put(template, "Vpc", Resource::new("AWS::EC2::VPC", vpc));
    for number in ["1", "2"] {
        let subnet = object! {
            "VpcId" => reference("Vpc"),
            "CidrBlock" => reference(&format!("Subnet{number}Cidr")),
            "AvailabilityZone" => reference(&format!("AvailabilityZone{number}")),
            "Tags" => tags(),
        };
        put(
            template,
            &format!("Subnet{number}"),
            Resource::new("AWS::EC2::Subnet", subnet),
        );
    }
    let table = object! { "VpcId" => reference("Vpc"), "Tags" => tags() };
    put(template, "RouteTable", Resource::new("AWS::EC2::RouteTable", table));
    for number in ["1", "2"] {
        let association = object! {
            "RouteTableId" => reference("RouteTable"),
            "SubnetId" => reference(&format!("Subnet{number}")),
        };
        put(
            template,
            &format!("RouteTableOfSubnet{number}"),
            Resource::new("AWS::EC2::SubnetRouteTableAssociation", association),
        );
    }
    if !deployment.endpoint.internal {
        let gateway = object! { "Tags" => tags() };
        put(
            template,
            "InternetGateway",
            Resource::new("AWS::EC2::InternetGateway", gateway),
        );
        let attachment = object! {
            "VpcId" => reference("Vpc"),
            "InternetGatewayId" => reference("InternetGateway"),
        };
        put(
            template,
            "GatewayAttachment",
            Resource::new("AWS::EC2::VPCGatewayAttachment", attachment),
        );
        let route = object! {
            "RouteTableId" => reference("RouteTable"),
            "DestinationCidrBlock" => "0.0.0.0/0",
            "GatewayId" => reference("InternetGateway"),
        };
        put(
            template,
            "DefaultRoute",
            Resource::new("AWS::EC2::Route", route).after(&["GatewayAttachment"]),
        );
    }
}

/// Adds the endpoints of a new network, which admit `InstanceSecurityGroup`.
pub(crate) fn add_endpoints(template: &mut Template, deployment: &Deployment) {
    if !is_new(deployment) {
        return;
    }
    let instance = ("SourceSecurityGroupId", get_att("InstanceSecurityGroup", "GroupId"));
    let group = object! {
        "GroupDescription" => "Endpoints: admit the instance",
        "VpcId" => reference("Vpc"),
        "SecurityGroupIngress" => list![tcp(443, instance, "Instance, HTTPS")],
        "Tags" => tags(),
    };
    put(
        template,
        "EndpointSecurityGroup",
        Resource::new("AWS::EC2::SecurityGroup", group),
    );
    for (name, service) in ENDPOINTS {
        let endpoint = object! {
            "VpcEndpointType" => "Interface",
            "VpcId" => reference("Vpc"),
            "ServiceName" => sub(format!("com.amazonaws.${{AWS::Region}}.{service}")),
            "SubnetIds" => list![reference("Subnet1"), reference("Subnet2")],
            "SecurityGroupIds" => list![get_att("EndpointSecurityGroup", "GroupId")],
            "PrivateDnsEnabled" => true,
        };
        put(template, name, Resource::new("AWS::EC2::VPCEndpoint", endpoint));
    }
    let storage = object! {
        "VpcEndpointType" => "Gateway",
        "VpcId" => reference("Vpc"),
        "ServiceName" => sub("com.amazonaws.${AWS::Region}.s3"),
        "RouteTableIds" => list![reference("RouteTable")],
    };
    put(template, "S3Endpoint", Resource::new("AWS::EC2::VPCEndpoint", storage));
}

//! The network when it is new, and the three security groups, each of which admits only its neighbour.

use super::entry::tags;
use super::parameters::{client_parameter, only_if, tcp};
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
pub(super) fn vpc(deployment: &Deployment) -> Value {
    reference(if is_new(deployment) { "Vpc" } else { "VPC" })
}

/// Resources without which an instance of a new network reaches nothing.
pub(super) fn prerequisites(deployment: &Deployment) -> Vec<&'static str> {
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

/// Adds the new network, when there is one, and the security groups.
pub(super) fn add(template: &mut Template, deployment: &Deployment) {
    if is_new(deployment) {
        add_vpc(template, !deployment.endpoint.internal);
    }
    add_security_groups(template, deployment);
    if is_new(deployment) {
        add_endpoints(template);
    }
}

fn put(template: &mut Template, name: &str, resource: Resource) {
    template.resources.insert(name.to_owned(), resource);
}

fn add_vpc(template: &mut Template, public: bool) {
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
    if public {
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

fn add_security_groups(template: &mut Template, deployment: &Deployment) {
    let group = |words: &str, ingress: Value, egress: Option<Value>| {
        let mut properties = indexmap::IndexMap::from([
            ("GroupDescription".to_owned(), words.into()),
            ("VpcId".to_owned(), vpc(deployment)),
            ("SecurityGroupIngress".to_owned(), ingress),
        ]);
        if let Some(egress) = egress {
            properties.insert("SecurityGroupEgress".to_owned(), egress);
        }
        properties.insert("Tags".to_owned(), tags());
        Resource::new("AWS::EC2::SecurityGroup", Value::Map(properties))
    };
    let engine = deployment.engine().facts();
    let mut clients = Vec::new();
    for index in 0..deployment.network.clients.len() {
        let range = || ("CidrIp", reference(&client_parameter(index)));
        clients.push(tcp(engine.port, range(), "MQ clients"));
        clients.push(only_if("HasAmqp", tcp(engine.amqp_port, range(), "AMQP clients")));
    }
    // By port only: naming the instances' group here and this group there would be a circle.
    let anywhere = || ("CidrIp", Value::from("0.0.0.0/0"));
    let to_targets = list![
        tcp(engine.port, anywhere(), "Targets, MQ"),
        only_if("HasAmqp", tcp(engine.amqp_port, anywhere(), "Targets, AMQP"))
    ];
    put(
        template,
        "LoadBalancerSecurityGroup",
        group("Load balancer: admits clients", Value::List(clients), Some(to_targets)),
    );

    let balancer = || ("SourceSecurityGroupId", get_att("LoadBalancerSecurityGroup", "GroupId"));
    let from_balancer = list![
        tcp(engine.port, balancer(), "Load balancer, MQ"),
        only_if("HasAmqp", tcp(engine.amqp_port, balancer(), "Load balancer, AMQP")),
    ];
    // Its way out stays open: a queue manager's sender channels go wherever its partners are.
    put(
        template,
        "InstanceSecurityGroup",
        group("Instance: admits the load balancer", from_balancer, None),
    );

    let instance = ("SourceSecurityGroupId", get_att("InstanceSecurityGroup", "GroupId"));
    // An empty list would mean everything; a mount target opens no connection of its own.
    let nowhere = object! { "Description" => "None", "IpProtocol" => "-1", "CidrIp" => "127.0.0.1/32" };
    put(
        template,
        "FileSystemSecurityGroup",
        group(
            "File system: admits the instance",
            list![tcp(2049, instance, "Instance, NFS")],
            Some(list![nowhere]),
        ),
    );
}

fn add_endpoints(template: &mut Template) {
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

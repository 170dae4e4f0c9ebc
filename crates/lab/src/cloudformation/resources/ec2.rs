//! VPC, subnet, internet gateway.

use super::retag::{EC2, retag};
use super::table::{answer, chosen};
use crate::cloudformation::context::{Attributes, Context, Failure};
use crate::cloudformation::state::Record;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Deletes by one parameter.
pub(super) async fn delete(
    context: &Context,
    action: &str,
    parameter: &str,
    physical: &str,
    _: &Value,
) -> Result<(), Failure> {
    let began = Instant::now();
    loop {
        match context.call("ec2", action, json!({parameter: physical})).await {
            Ok(_) => return Ok(()),
            Err(failure) if failure.code == "DependencyViolation" => {
                if began.elapsed() > patience(context, action, physical).await {
                    return Err(failure);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// How long what uses a resource may outlive its owner: interfaces of load balancers, mount targets and instances do for a moment. A rule
/// of another security group is not waited for, since nothing that goes on removes it.
async fn patience(context: &Context, action: &str, physical: &str) -> Duration {
    if action == "DeleteSecurityGroup" {
        for rules in ["ip-permission.group-id", "egress.ip-permission.group-id"] {
            let filter = json!({"Filters": [{"Name": rules, "Values": [physical]}]});
            let found = context.call("ec2", "DescribeSecurityGroups", filter).await;
            let groups = |answer: &Value| answer["securityGroupInfo"].as_array().cloned();
            let groups = found.ok().as_ref().and_then(groups).unwrap_or_default();
            if groups.iter().any(|group| group["groupId"] != *physical) {
                return Duration::from_secs(2);
            }
        }
    }
    Duration::from_secs(300)
}

/// Updates a resource of which nothing but its tags can change in place.
pub(super) async fn update_tags(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    retag(&EC2, context, physical, old, properties).await?;
    Ok(Attributes::new())
}

pub(super) async fn create_vpc(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let mut params = chosen(
        properties,
        &["CidrBlock", "InstanceTenancy", "Ipv4IpamPoolId", "Ipv4NetmaskLength"],
    );
    params.insert(
        "TagSpecification".into(),
        context.tag_specification("vpc", properties.get("Tags")),
    );
    let made = context.call("ec2", "CreateVpc", params.into()).await?;
    let id = answer(&made, "/vpc/vpcId")?;
    context.created(&id);
    vpc_switches(context, &id, properties).await?;
    let groups = context
        .call(
            "ec2",
            "DescribeSecurityGroups",
            json!({"Filter": [{"Name": "vpc-id", "Value": [id]}, {"Name": "group-name", "Value": ["default"]}]}),
        )
        .await?;
    let mut attributes = Attributes::new();
    attributes.insert("VpcId".into(), id.into());
    attributes.insert("CidrBlock".into(), made["vpc"]["cidrBlock"].clone());
    if let Some(group) = groups.pointer("/securityGroupInfo/0/groupId") {
        attributes.insert("DefaultSecurityGroup".into(), group.clone());
    }
    Ok(attributes)
}

async fn vpc_switches(context: &Context, id: &str, properties: &Value) -> Result<(), Failure> {
    for name in ["EnableDnsSupport", "EnableDnsHostnames"] {
        if let Some(value) = properties.get(name) {
            context
                .call(
                    "ec2",
                    "ModifyVpcAttribute",
                    json!({"VpcId": id, name: {"Value": value}}),
                )
                .await?;
        }
    }
    Ok(())
}

pub(super) async fn update_vpc(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    vpc_switches(context, physical, properties).await?;
    update_tags(context, physical, old, properties).await
}

pub(super) async fn create_subnet(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let mut params = chosen(
        properties,
        &[
            "VpcId",
            "AvailabilityZone",
            "AvailabilityZoneId",
            "CidrBlock",
            "Ipv6CidrBlock",
            "Ipv6Native",
        ],
    );
    params.insert(
        "TagSpecification".into(),
        context.tag_specification("subnet", properties.get("Tags")),
    );
    let made = context.call("ec2", "CreateSubnet", params.into()).await?;
    let id = answer(&made, "/subnet/subnetId")?;
    context.created(&id);
    subnet_switches(context, &id, properties).await?;
    let mut attributes = Attributes::new();
    attributes.insert("SubnetId".into(), id.into());
    for (attribute, member) in [
        ("AvailabilityZone", "availabilityZone"),
        ("CidrBlock", "cidrBlock"),
        ("VpcId", "vpcId"),
        ("AvailabilityZoneId", "availabilityZoneId"),
    ] {
        if let Some(value) = made["subnet"].get(member) {
            attributes.insert(attribute.into(), value.clone());
        }
    }
    Ok(attributes)
}

async fn subnet_switches(context: &Context, id: &str, properties: &Value) -> Result<(), Failure> {
    for name in ["MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation"] {
        if let Some(value) = properties.get(name) {
            context
                .call(
                    "ec2",
                    "ModifySubnetAttribute",
                    json!({"SubnetId": id, name: {"Value": value}}),
                )
                .await?;
        }
    }
    Ok(())
}

pub(super) async fn update_subnet(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    subnet_switches(context, physical, properties).await?;
    update_tags(context, physical, old, properties).await
}

pub(super) async fn create_gateway(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let tags = context.tag_specification("internet-gateway", properties.get("Tags"));
    let made = context
        .call("ec2", "CreateInternetGateway", json!({"TagSpecification": tags}))
        .await?;
    let id = answer(&made, "/internetGateway/internetGatewayId")?;
    context.created(&id);
    let mut attributes = Attributes::new();
    attributes.insert("InternetGatewayId".into(), id.into());
    Ok(attributes)
}

pub(super) async fn create_attachment(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    if properties.get("InternetGatewayId").is_none() {
        return Err(Failure::new(
            "VPN gateways are not supported: InternetGatewayId is missing",
        ));
    }
    let params = chosen(properties, &["InternetGatewayId", "VpcId"]);
    context.call("ec2", "AttachInternetGateway", params.into()).await?;
    context.created(&format!("IGW|{}", properties["VpcId"].as_str().unwrap_or_default()));
    let mut attributes = Attributes::new();
    attributes.insert("AttachmentType".into(), "IGW".into());
    Ok(attributes)
}

pub(super) async fn update_attachment(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    delete_attachment(context, physical, &old.properties).await?;
    let params = chosen(properties, &["InternetGatewayId", "VpcId"]);
    context.call("ec2", "AttachInternetGateway", params.into()).await?;
    Ok(Attributes::new())
}

pub(super) async fn delete_attachment(context: &Context, _: &str, properties: &Value) -> Result<(), Failure> {
    let params = chosen(properties, &["InternetGatewayId", "VpcId"]);
    context
        .call("ec2", "DetachInternetGateway", params.into())
        .await
        .map(drop)
}

//! Route tables, routes, endpoints.

use super::ec2::update_tags;
use super::table::{answer, chosen, document};
use crate::cloudformation::context::{Attributes, Context, Failure};
use crate::cloudformation::state::Record;
use serde_json::{Value, json};

const ROUTE: &[&str] = &[
    "RouteTableId",
    "DestinationCidrBlock",
    "DestinationIpv6CidrBlock",
    "DestinationPrefixListId",
    "GatewayId",
    "NatGatewayId",
    "InstanceId",
    "NetworkInterfaceId",
    "VpcEndpointId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
    "EgressOnlyInternetGatewayId",
    "CarrierGatewayId",
    "LocalGatewayId",
    "CoreNetworkArn",
];

pub(super) async fn create_route_table(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let mut params = chosen(properties, &["VpcId"]);
    params.insert(
        "TagSpecification".into(),
        context.tag_specification("route-table", properties.get("Tags")),
    );
    let made = context.call("ec2", "CreateRouteTable", params.into()).await?;
    let id = answer(&made, "/routeTable/routeTableId")?;
    context.created(&id);
    let mut attributes = Attributes::new();
    attributes.insert("RouteTableId".into(), id.into());
    Ok(attributes)
}

fn destination(properties: &Value) -> String {
    [
        "DestinationCidrBlock",
        "DestinationIpv6CidrBlock",
        "DestinationPrefixListId",
    ]
    .iter()
    .find_map(|name| properties.get(name).and_then(Value::as_str))
    .unwrap_or_default()
    .to_owned()
}

pub(super) async fn create_route(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    context
        .call("ec2", "CreateRoute", chosen(properties, ROUTE).into())
        .await?;
    let to = destination(properties);
    context.created(&format!(
        "{}|{to}",
        properties["RouteTableId"].as_str().unwrap_or_default()
    ));
    let mut attributes = Attributes::new();
    attributes.insert("CidrBlock".into(), to.into());
    Ok(attributes)
}

pub(super) async fn update_route(
    context: &Context,
    _: &str,
    _: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    context
        .call("ec2", "ReplaceRoute", chosen(properties, ROUTE).into())
        .await?;
    Ok(Attributes::new())
}

pub(super) async fn delete_route(context: &Context, _: &str, properties: &Value) -> Result<(), Failure> {
    let params = chosen(properties, &ROUTE[..4]);
    context.call("ec2", "DeleteRoute", params.into()).await.map(drop)
}

pub(super) async fn create_association(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let params = chosen(properties, &["SubnetId", "RouteTableId"]);
    let made = context.call("ec2", "AssociateRouteTable", params.into()).await?;
    let id = answer(&made, "/associationId")?;
    context.created(&id);
    let mut attributes = Attributes::new();
    attributes.insert("Id".into(), id.into());
    Ok(attributes)
}

/// Properties of an endpoint under their wire names.
fn endpoint(properties: &Value) -> serde_json::Map<String, Value> {
    let mut params = chosen(
        properties,
        &[
            "VpcId",
            "ServiceName",
            "VpcEndpointType",
            "PrivateDnsEnabled",
            "IpAddressType",
        ],
    );
    for (name, wire) in [
        ("SubnetIds", "SubnetId"),
        ("SecurityGroupIds", "SecurityGroupId"),
        ("RouteTableIds", "RouteTableId"),
    ] {
        if let Some(value) = properties.get(name) {
            params.insert(wire.into(), value.clone());
        }
    }
    if let Some(policy) = properties.get("PolicyDocument") {
        params.insert("PolicyDocument".into(), document(policy).into());
    }
    params
}

pub(super) async fn create_endpoint(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let mut params = endpoint(properties);
    params.insert(
        "TagSpecification".into(),
        context.tag_specification("vpc-endpoint", properties.get("Tags")),
    );
    let made = context.call("ec2", "CreateVpcEndpoint", params.into()).await?;
    let id = answer(&made, "/vpcEndpoint/vpcEndpointId")?;
    context.created(&id);
    let ready = context
        .settle(async || {
            let seen = context
                .call("ec2", "DescribeVpcEndpoints", json!({"VpcEndpointId": [id]}))
                .await?;
            let one = seen["vpcEndpointSet"][0].clone();
            match one["state"].as_str().unwrap_or_default().to_ascii_lowercase().as_str() {
                "available" => Ok(Some(one)),
                "failed" | "rejected" => Err(Failure::new(format!("VPC endpoint {id} is {}", one["state"]))),
                _ => Ok(None),
            }
        })
        .await?;
    let mut attributes = Attributes::new();
    attributes.insert("Id".into(), id.clone().into());
    let entries = ready["dnsEntrySet"].as_array().cloned().unwrap_or_default();
    let entries: Vec<Value> = entries
        .iter()
        .map(|e| {
            let zone = e["hostedZoneId"].as_str().unwrap_or_default();
            format!("{zone}:{}", e["dnsName"].as_str().unwrap_or_default()).into()
        })
        .collect();
    attributes.insert("DnsEntries".into(), entries.into());
    if let Some(interfaces) = ready.get("networkInterfaceIdSet") {
        attributes.insert("NetworkInterfaceIds".into(), interfaces.clone());
    }
    Ok(attributes)
}

pub(super) async fn update_endpoint(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    let mut params = serde_json::Map::new();
    params.insert("VpcEndpointId".into(), physical.into());
    let texts = |value: &Value, name: &str| -> Vec<Value> { value[name].as_array().cloned().unwrap_or_default() };
    for (name, wire) in [
        ("SubnetIds", "SubnetId"),
        ("SecurityGroupIds", "SecurityGroupId"),
        ("RouteTableIds", "RouteTableId"),
    ] {
        let (was, is) = (texts(&old.properties, name), texts(properties, name));
        let added: Vec<Value> = is.iter().filter(|v| !was.contains(v)).cloned().collect();
        let removed: Vec<Value> = was.iter().filter(|v| !is.contains(v)).cloned().collect();
        if !added.is_empty() {
            params.insert(format!("Add{wire}"), added.into());
        }
        if !removed.is_empty() {
            params.insert(format!("Remove{wire}"), removed.into());
        }
    }
    if properties.get("PrivateDnsEnabled") != old.properties.get("PrivateDnsEnabled")
        && let Some(value) = properties.get("PrivateDnsEnabled")
    {
        params.insert("PrivateDnsEnabled".into(), value.clone());
    }
    if properties.get("PolicyDocument") != old.properties.get("PolicyDocument") {
        match properties.get("PolicyDocument") {
            Some(policy) => params.insert("PolicyDocument".into(), document(policy).into()),
            None => params.insert("ResetPolicy".into(), true.into()),
        };
    }
    if params.len() > 1 {
        context.call("ec2", "ModifyVpcEndpoint", params.into()).await?;
    }
    update_tags(context, physical, old, properties).await
}

pub(super) async fn delete_endpoint(context: &Context, physical: &str, _: &Value) -> Result<(), Failure> {
    context
        .call("ec2", "DeleteVpcEndpoints", json!({"VpcEndpointId": [physical]}))
        .await?;
    context
        .settle(async || {
            let seen = context
                .call("ec2", "DescribeVpcEndpoints", json!({"VpcEndpointId": [physical]}))
                .await;
            match seen {
                Err(failure) if failure.not_found() => Ok(Some(())),
                Err(failure) => Err(failure),
                Ok(seen) => {
                    let left = seen["vpcEndpointSet"].as_array().cloned().unwrap_or_default();
                    Ok(left.iter().all(|e| e["state"] == "deleted").then_some(()))
                }
            }
        })
        .await
}

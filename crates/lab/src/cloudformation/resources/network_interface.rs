//! Network interfaces.

use super::retag::{EC2, retag};
use super::table::{answer, chosen};
use crate::cloudformation::context::{Attributes, Context, Failure};
use crate::cloudformation::state::Record;
use serde_json::{Value, json};

/// What the lab has no more than one of, or none.
const ABSENT: &[&str] = &[
    "ConnectionTrackingSpecification",
    "EnablePrimaryIpv6",
    "Ipv4PrefixCount",
    "Ipv4Prefixes",
    "Ipv6AddressCount",
    "Ipv6Addresses",
    "Ipv6PrefixCount",
    "Ipv6Prefixes",
    "PrivateIpAddresses",
    "PublicIpDnsHostnameTypeSpecification",
    "SecondaryPrivateIpAddressCount",
];

fn is_supported(properties: &Value) -> Result<(), Failure> {
    match ABSENT.iter().find(|name| properties.get(**name).is_some()) {
        None => Ok(()),
        Some(name) => Err(Failure::new(format!(
            "{name} is not supported in the local cloud: an interface has one address"
        ))),
    }
}

pub(super) async fn create(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    is_supported(properties)?;
    let mut params = chosen(
        properties,
        &["SubnetId", "Description", "PrivateIpAddress", "InterfaceType"],
    );
    if let Some(groups) = properties.get("GroupSet") {
        params.insert("SecurityGroupId".into(), groups.clone());
    }
    params.insert(
        "TagSpecification".into(),
        context.tag_specification("network-interface", properties.get("Tags")),
    );
    let made = context.call("ec2", "CreateNetworkInterface", params.into()).await?;
    let id = answer(&made, "/networkInterface/networkInterfaceId")?;
    context.created(&id);
    if properties["SourceDestCheck"] == false {
        modify(context, &id, "SourceDestCheck", json!({"Value": false})).await?;
    }
    read(context, &id).await
}

async fn modify(context: &Context, id: &str, name: &str, value: Value) -> Result<(), Failure> {
    let params = json!({"NetworkInterfaceId": id, name: value});
    let done = context.call("ec2", "ModifyNetworkInterfaceAttribute", params).await;
    done.map(drop)
}

/// What an interface tells of itself.
pub(super) async fn read(context: &Context, id: &str) -> Result<Attributes, Failure> {
    let asked = json!({"NetworkInterfaceId": [id]});
    let seen = context.call("ec2", "DescribeNetworkInterfaces", asked).await?;
    let seen = &seen["networkInterfaceSet"][0];
    let mut attributes = Attributes::new();
    attributes.insert("Id".into(), id.into());
    for (attribute, member) in [("PrimaryPrivateIpAddress", "/privateIpAddress"), ("VpcId", "/vpcId")] {
        attributes.insert(attribute.into(), answer(seen, member)?.into());
    }
    attributes.insert("SecondaryPrivateIpAddresses".into(), json!([]));
    Ok(attributes)
}

pub(super) async fn update(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    is_supported(properties)?;
    for (name, parameter, otherwise) in [
        ("GroupSet", "SecurityGroupId", json!([])),
        ("Description", "Description", json!("")),
        ("SourceDestCheck", "SourceDestCheck", json!(true)),
    ] {
        if old.properties.get(name) != properties.get(name) {
            let value = properties.get(name).unwrap_or(&otherwise);
            let value = match name {
                "GroupSet" => value.clone(),
                _ => json!({"Value": value}),
            };
            modify(context, physical, parameter, value).await?;
        }
    }
    retag(&EC2, context, physical, old, properties).await?;
    Ok(Attributes::new())
}

/// Deletes an interface; one that an instance has is left alone, and the deletion fails.
pub(super) async fn delete(context: &Context, physical: &str, _: &Value) -> Result<(), Failure> {
    let params = json!({"NetworkInterfaceId": physical});
    context.call("ec2", "DeleteNetworkInterface", params).await.map(drop)
}

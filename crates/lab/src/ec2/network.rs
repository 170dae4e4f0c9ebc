//! VPCs and subnets: records with AWS's checks of references and dependencies.

use super::catalog::{ZONES, object, subnet_object, vpc_object, zone_id};
use super::objects::{Kind, Object, Objects, specified_tags};
use super::routes::retain;
use super::wire::only_nested;
use crate::api::{ACCOUNT, ApiError, ApiResult, flag, only, required, text};
use crate::ids::resource_id;
use serde_json::{Value, json};

pub(super) fn done() -> ApiResult {
    Ok(json!({"return": true}))
}

pub(super) fn dependency(id: &str) -> ApiError {
    ApiError::new(
        "DependencyViolation",
        format!("The resource '{id}' has dependencies and cannot be deleted."),
    )
}

/// Checks an IPv4 block such as `10.0.0.0/16`; returns address and prefix length.
pub(super) fn cidr(block: &str) -> Result<(u32, u32), ApiError> {
    let refused = || {
        ApiError::new(
            "InvalidParameterValue",
            format!("Value ({block}) for parameter cidrBlock is invalid. This is not a valid CIDR block."),
        )
    };
    let (address, length) = block.split_once('/').ok_or_else(refused)?;
    let address: std::net::Ipv4Addr = address.parse().map_err(|_| refused())?;
    let length: u32 = length.parse().ok().filter(|l| *l <= 32).ok_or_else(refused)?;
    let bits = u32::from(address);
    let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
    if bits & !mask != 0 {
        return Err(refused());
    }
    Ok((bits, length))
}

fn overlaps(a: (u32, u32), b: (u32, u32)) -> bool {
    let mask = u32::MAX.checked_shl(32 - a.1.min(b.1)).unwrap_or(0);
    a.0 & mask == b.0 & mask
}

pub(super) fn insert_tagged(
    all: &mut Objects,
    id: &str,
    mut object: Object,
    params: &Value,
    resource_type: &str,
) -> Result<Value, ApiError> {
    object.tags = specified_tags(params, &[resource_type], resource_type)?;
    let shown = object.shown();
    all.insert(id, object);
    Ok(shown)
}

/// CreateVpc.
pub(super) fn create_vpc(all: &mut Objects, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "CidrBlock",
            "InstanceTenancy",
            "TagSpecification",
            "AmazonProvidedIpv6CidrBlock",
            "DryRun",
        ],
    )?;
    let block = required(params, "CidrBlock")?;
    let (_, length) = cidr(&block)?;
    if !(16..=28).contains(&length) {
        return Err(ApiError::new(
            "InvalidVpc.Range",
            format!("The CIDR '{block}' is invalid."),
        ));
    }
    let id = resource_id("vpc");
    let shown = insert_tagged(all, &id, vpc_object(&id, &block, false), params, "vpc")?;
    add_main_route_table(all, &id, &block);
    super::groups::add_default_group(all, &id);
    Ok(json!({"vpc": shown}))
}

/// The route table that every VPC begins with.
pub(super) fn add_main_route_table(all: &mut Objects, vpc: &str, block: &str) {
    let id = resource_id("rtb");
    let main = json!([{
        "routeTableAssociationId": resource_id("rtbassoc"), "routeTableId": id, "main": true,
        "associationState": {"state": "associated"},
    }]);
    all.insert(&id, route_table(&id, vpc, block, main));
}

pub(super) fn route_table(id: &str, vpc: &str, block: &str, associations: Value) -> Object {
    object(
        Kind::RouteTable,
        json!({
            "routeTableId": id, "vpcId": vpc, "ownerId": ACCOUNT, "propagatingVgwSet": [], "associationSet": associations,
            "routeSet": [{"destinationCidrBlock": block, "gatewayId": "local", "state": "active", "origin": "CreateRouteTable"}],
        }),
    )
}

/// DeleteVpc.
pub(super) fn delete_vpc(all: &mut Objects, params: &Value) -> ApiResult {
    only(params, &["VpcId", "DryRun"])?;
    let id = required(params, "VpcId")?;
    all.get(Kind::Vpc, &id)?;
    let is_main = |o: &Object| {
        o.body["associationSet"]
            .as_array()
            .is_some_and(|a| a.iter().any(|x| x["main"] == true))
    };
    let blocks = all.all().any(|(_, o)| match o.kind {
        Kind::Subnet | Kind::VpcEndpoint => o.text("vpcId") == id,
        Kind::SecurityGroup => o.text("vpcId") == id && o.text("groupName") != "default",
        Kind::RouteTable => o.text("vpcId") == id && !is_main(o),
        Kind::InternetGateway => o.body["attachmentSet"]
            .as_array()
            .is_some_and(|a| a.iter().any(|x| x["vpcId"] == *id)),
        _ => false,
    });
    if blocks {
        return Err(ApiError::new(
            "DependencyViolation",
            format!("The vpc '{id}' has dependencies and cannot be deleted."),
        ));
    }
    let with_it: Vec<String> = all
        .all()
        .filter(|(_, o)| matches!(o.kind, Kind::SecurityGroup | Kind::RouteTable) && o.text("vpcId") == id)
        .map(|(id, _)| id.clone())
        .collect();
    for part in with_it.iter().chain([&id]) {
        all.remove(part);
    }
    done()
}

fn attribute(params: &Value, name: &str) -> Result<Option<bool>, ApiError> {
    let Some(value) = params.get(name) else {
        return Ok(None);
    };
    if value.is_object() {
        only_nested(value, name, &["Value"])?;
        return Ok(flag(value, "Value"));
    }
    Ok(flag(params, name))
}

/// ModifyVpcAttribute: DNS support and DNS hostnames, one at a time.
pub(super) fn modify_vpc_attribute(all: &mut Objects, params: &Value) -> ApiResult {
    only(params, &["VpcId", "EnableDnsSupport", "EnableDnsHostnames"])?;
    let vpc = all.get_mut(Kind::Vpc, &required(params, "VpcId")?)?;
    for (parameter, member) in [
        ("EnableDnsSupport", "enableDnsSupport"),
        ("EnableDnsHostnames", "enableDnsHostnames"),
    ] {
        if let Some(value) = attribute(params, parameter)? {
            vpc.body.insert(format!(".{member}"), Value::Bool(value));
        }
    }
    done()
}

/// DescribeVpcAttribute.
pub(super) fn describe_vpc_attribute(all: &Objects, params: &Value) -> ApiResult {
    only(params, &["VpcId", "Attribute", "DryRun"])?;
    let id = required(params, "VpcId")?;
    let vpc = all.get(Kind::Vpc, &id)?;
    let name = required(params, "Attribute")?;
    // AWS: a default VPC has both on; another has support on and hostnames off until asked.
    let initially = match name.as_str() {
        "enableDnsSupport" => true,
        "enableDnsHostnames" => vpc.body["isDefault"] == true,
        "enableNetworkAddressUsageMetrics" => false,
        _ => {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!("Value ({name}) for parameter attribute is invalid."),
            ));
        }
    };
    let value = vpc
        .body
        .get(&format!(".{name}"))
        .and_then(Value::as_bool)
        .unwrap_or(initially);
    Ok(json!({"vpcId": id, name: {"value": value}}))
}

/// CreateSubnet.
pub(super) fn create_subnet(all: &mut Objects, region: &str, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "VpcId",
            "CidrBlock",
            "AvailabilityZone",
            "AvailabilityZoneId",
            "TagSpecification",
            "DryRun",
        ],
    )?;
    let vpc = required(params, "VpcId")?;
    let block = required(params, "CidrBlock")?;
    let wanted = cidr(&block)?;
    let outer = cidr(all.get(Kind::Vpc, &vpc)?.text("cidrBlock"))?;
    if !(16..=28).contains(&wanted.1) || wanted.1 < outer.1 || !overlaps(wanted, outer) {
        return Err(ApiError::new(
            "InvalidSubnet.Range",
            format!("The CIDR '{block}' is invalid."),
        ));
    }
    for (_, other) in all.of_kind(Kind::Subnet).filter(|(_, o)| o.text("vpcId") == vpc) {
        if overlaps(wanted, cidr(other.text("cidrBlock"))?) {
            return Err(ApiError::new(
                "InvalidSubnet.Conflict",
                format!("The CIDR '{block}' conflicts with another subnet"),
            ));
        }
    }
    let by_id = text(params, "AvailabilityZoneId");
    let zone = ZONES
        .iter()
        .find(|(letter, index)| match (&by_id, text(params, "AvailabilityZone")) {
            (Some(id), _) => *id == zone_id(*index),
            (None, Some(name)) => name == format!("{region}{letter}"),
            (None, None) => true,
        });
    let Some((letter, index)) = zone else {
        let given = text(params, "AvailabilityZone").or(by_id).unwrap_or_default();
        return Err(ApiError::new(
            "InvalidParameterValue",
            format!(
                "Value ({given}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: {region}a, {region}b, {region}c."
            ),
        ));
    };
    let id = resource_id("subnet");
    let subnet = subnet_object(&id, &vpc, &block, &format!("{region}{letter}"), zone_id(*index), false);
    Ok(json!({"subnet": insert_tagged(all, &id, subnet, params, "subnet")?}))
}

/// ModifySubnetAttribute: public addresses on launch.
pub(super) fn modify_subnet_attribute(all: &mut Objects, params: &Value) -> ApiResult {
    only(params, &["SubnetId", "MapPublicIpOnLaunch"])?;
    let subnet = all.get_mut(Kind::Subnet, &required(params, "SubnetId")?)?;
    if let Some(value) = attribute(params, "MapPublicIpOnLaunch")? {
        subnet.body.insert("mapPublicIpOnLaunch".to_owned(), Value::Bool(value));
    }
    done()
}

/// DeleteSubnet; `in_use` says whether an instance or another service has an interface in it.
pub(super) fn delete_subnet(all: &mut Objects, params: &Value, in_use: impl Fn(&str) -> bool) -> ApiResult {
    only(params, &["SubnetId", "DryRun"])?;
    let id = required(params, "SubnetId")?;
    all.get(Kind::Subnet, &id)?;
    let endpoint = all.of_kind(Kind::VpcEndpoint).any(|(_, o)| {
        o.body["subnetIdSet"]
            .as_array()
            .is_some_and(|s| s.iter().any(|x| *x == *id))
    });
    if endpoint || in_use(&id) {
        return Err(ApiError::new(
            "DependencyViolation",
            format!("The subnet '{id}' has dependencies and cannot be deleted."),
        ));
    }
    let tables: Vec<String> = all.of_kind(Kind::RouteTable).map(|(id, _)| id.clone()).collect();
    for table in tables {
        if let Some(table) = all.any_mut(&table) {
            retain(table, "associationSet", |a| a["subnetId"] != *id);
        }
    }
    all.remove(&id);
    done()
}

#[cfg(test)]
mod tests {
    use super::super::catalog;
    use super::super::routes::*;
    use super::*;

    #[test]
    fn blocks_are_checked() {
        assert_eq!(cidr("10.0.0.0/16").expect("a block"), (0x0a00_0000, 16));
        for wrong in ["10.0.0.1/16", "10.0.0.0", "10.0.0/8", "10.0.0.0/33"] {
            assert!(cidr(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_new_network_can_be_made_and_unmade_in_order() {
        let mut all = catalog::seed("eu-west-1");
        let before = all.all().count();
        let vpc = create_vpc(&mut all, &json!({"CidrBlock": "10.0.0.0/16"})).expect("a VPC");
        let vpc = vpc["vpc"]["vpcId"].as_str().expect("an id").to_owned();
        let subnet = json!({"VpcId": vpc, "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "eu-west-1b"});
        let made = create_subnet(&mut all, "eu-west-1", &subnet).expect("a subnet");
        let conflict = create_subnet(&mut all, "eu-west-1", &subnet).expect_err("the same block again");
        assert_eq!(conflict.code, "InvalidSubnet.Conflict");
        let subnet = made["subnet"]["subnetId"].as_str().expect("an id").to_owned();
        let table = create_route_table(&mut all, &json!({"VpcId": vpc})).expect("a table");
        let table = table["routeTable"]["routeTableId"].as_str().expect("an id").to_owned();
        let association =
            associate_route_table(&mut all, &json!({"RouteTableId": table, "SubnetId": subnet})).expect("associated");
        let blocked = delete_vpc(&mut all, &json!({"VpcId": vpc})).expect_err("it has a subnet");
        assert_eq!(blocked.code, "DependencyViolation");
        let used = delete_subnet(&mut all, &json!({"SubnetId": subnet}), |_| true).expect_err("an instance is in it");
        assert_eq!(used.code, "DependencyViolation");
        disassociate_route_table(&mut all, &json!({"AssociationId": association["associationId"]}))
            .expect("free again");
        delete_route_table(&mut all, &json!({"RouteTableId": table})).expect("deleted");
        delete_subnet(&mut all, &json!({"SubnetId": subnet}), |_| false).expect("deleted");
        delete_vpc(&mut all, &json!({"VpcId": vpc})).expect("deleted");
        assert_eq!(all.all().count(), before);
    }
}

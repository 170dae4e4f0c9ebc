//! Gateways, routes and endpoints of a VPC: records with AWS's checks of references and dependencies.

use super::catalog::object;
use super::network::{cidr, dependency, done, insert_tagged, route_table};
use super::objects::{Kind, Object, Objects};
use crate::api::{ACCOUNT, ApiError, ApiResult, flag, only, required, text, texts};
use crate::ids::resource_id;
use serde_json::{Value, json};

pub(super) fn retain(object: &mut Object, list: &str, keep: impl Fn(&Value) -> bool) {
    if let Some(items) = object.body.get_mut(list).and_then(Value::as_array_mut) {
        items.retain(keep);
    }
}

fn push(object: &mut Object, list: &str, item: Value) {
    if let Some(items) = object.body.get_mut(list).and_then(Value::as_array_mut) {
        items.push(item);
    }
}

/// CreateInternetGateway.
pub(super) fn create_internet_gateway(all: &mut Objects, params: &Value) -> ApiResult {
    only(params, &["TagSpecification", "DryRun"])?;
    let id = resource_id("igw");
    let gateway = object(
        Kind::InternetGateway,
        json!({"internetGatewayId": id, "ownerId": ACCOUNT, "attachmentSet": []}),
    );
    Ok(json!({"internetGateway": insert_tagged(all, &id, gateway, params, "internet-gateway")?}))
}

/// AttachInternetGateway.
pub(super) fn attach_internet_gateway(all: &mut Objects, params: &Value) -> ApiResult {
    only(params, &["InternetGatewayId", "VpcId", "DryRun"])?;
    let vpc = required(params, "VpcId")?;
    all.get(Kind::Vpc, &vpc)?;
    let id = required(params, "InternetGatewayId")?;
    let gateway = all.get_mut(Kind::InternetGateway, &id)?;
    if gateway.body["attachmentSet"].as_array().is_some_and(|a| !a.is_empty()) {
        return Err(ApiError::new(
            "Resource.AlreadyAssociated",
            format!("resource {id} is already attached to network {vpc}"),
        ));
    }
    push(gateway, "attachmentSet", json!({"vpcId": vpc, "state": "available"}));
    done()
}

/// DetachInternetGateway.
pub(super) fn detach_internet_gateway(all: &mut Objects, params: &Value) -> ApiResult {
    only(params, &["InternetGatewayId", "VpcId", "DryRun"])?;
    let vpc = required(params, "VpcId")?;
    let id = required(params, "InternetGatewayId")?;
    let gateway = all.get_mut(Kind::InternetGateway, &id)?;
    let attached = gateway.body["attachmentSet"]
        .as_array()
        .is_some_and(|a| a.iter().any(|x| x["vpcId"] == *vpc));
    if !attached {
        return Err(ApiError::new(
            "Gateway.NotAttached",
            format!("resource {id} is not attached to network {vpc}"),
        ));
    }
    retain(gateway, "attachmentSet", |a| a["vpcId"] != *vpc);
    done()
}

/// DeleteInternetGateway.
pub(super) fn delete_internet_gateway(all: &mut Objects, params: &Value) -> ApiResult {
    only(params, &["InternetGatewayId", "DryRun"])?;
    let id = required(params, "InternetGatewayId")?;
    if all.get(Kind::InternetGateway, &id)?.body["attachmentSet"]
        .as_array()
        .is_some_and(|a| !a.is_empty())
    {
        return Err(dependency(&id));
    }
    all.remove(&id);
    done()
}

/// CreateRouteTable.
pub(super) fn create_route_table(all: &mut Objects, params: &Value) -> ApiResult {
    only(params, &["VpcId", "TagSpecification", "ClientToken", "DryRun"])?;
    let vpc = required(params, "VpcId")?;
    let block = all.get(Kind::Vpc, &vpc)?.text("cidrBlock").to_owned();
    let id = resource_id("rtb");
    let table = route_table(&id, &vpc, &block, json!([]));
    Ok(json!({"routeTable": insert_tagged(all, &id, table, params, "route-table")?}))
}

/// DeleteRouteTable.
pub(super) fn delete_route_table(all: &mut Objects, params: &Value) -> ApiResult {
    only(params, &["RouteTableId", "DryRun"])?;
    let id = required(params, "RouteTableId")?;
    if all.get(Kind::RouteTable, &id)?.body["associationSet"]
        .as_array()
        .is_some_and(|a| !a.is_empty())
    {
        return Err(ApiError::new(
            "DependencyViolation",
            format!("The routeTable '{id}' has dependencies and cannot be deleted."),
        ));
    }
    all.remove(&id);
    done()
}

/// CreateRoute to an internet gateway.
pub(super) fn create_route(all: &mut Objects, params: &Value) -> ApiResult {
    only(params, &["RouteTableId", "DestinationCidrBlock", "GatewayId", "DryRun"])?;
    let block = required(params, "DestinationCidrBlock")?;
    cidr(&block)?;
    let gateway = required(params, "GatewayId")?;
    let vpc = all
        .get(Kind::RouteTable, &required(params, "RouteTableId")?)?
        .text("vpcId")
        .to_owned();
    let attached = all.get(Kind::InternetGateway, &gateway)?.body["attachmentSet"]
        .as_array()
        .is_some_and(|a| a.iter().any(|x| x["vpcId"] == *vpc));
    if !attached {
        return Err(ApiError::new(
            "InvalidParameterValue",
            format!("route table and network gateway {gateway} belong to different networks"),
        ));
    }
    let table = all.get_mut(Kind::RouteTable, &required(params, "RouteTableId")?)?;
    if table.body["routeSet"]
        .as_array()
        .is_some_and(|r| r.iter().any(|x| x["destinationCidrBlock"] == *block))
    {
        return Err(ApiError::new(
            "RouteAlreadyExists",
            format!("The route identified by {block} already exists."),
        ));
    }
    push(
        table,
        "routeSet",
        json!({"destinationCidrBlock": block, "gatewayId": gateway, "state": "active", "origin": "CreateRoute"}),
    );
    done()
}

/// DeleteRoute.
pub(super) fn delete_route(all: &mut Objects, params: &Value) -> ApiResult {
    only(params, &["RouteTableId", "DestinationCidrBlock", "DryRun"])?;
    let block = required(params, "DestinationCidrBlock")?;
    let id = required(params, "RouteTableId")?;
    let table = all.get_mut(Kind::RouteTable, &id)?;
    if !table.body["routeSet"]
        .as_array()
        .is_some_and(|r| r.iter().any(|x| x["destinationCidrBlock"] == *block))
    {
        return Err(ApiError::new(
            "InvalidRoute.NotFound",
            format!("no route with destination-cidr-block {block} in route table {id}"),
        ));
    }
    retain(table, "routeSet", |r| r["destinationCidrBlock"] != *block);
    done()
}

/// AssociateRouteTable with a subnet.
pub(super) fn associate_route_table(all: &mut Objects, params: &Value) -> ApiResult {
    only(params, &["RouteTableId", "SubnetId", "DryRun"])?;
    let subnet = required(params, "SubnetId")?;
    let vpc = all.get(Kind::Subnet, &subnet)?.text("vpcId").to_owned();
    let id = required(params, "RouteTableId")?;
    let associated = all
        .of_kind(Kind::RouteTable)
        .flat_map(|(_, o)| o.body["associationSet"].as_array().cloned().unwrap_or_default())
        .any(|a| a["subnetId"] == *subnet);
    if associated {
        return Err(ApiError::new(
            "Resource.AlreadyAssociated",
            format!("the specified association for route table {id} conflicts with an existing association"),
        ));
    }
    let table = all.get_mut(Kind::RouteTable, &id)?;
    if table.text("vpcId") != vpc {
        return Err(ApiError::new(
            "InvalidParameterValue",
            format!("Route table {id} and subnet {subnet} belong to different networks"),
        ));
    }
    let association = resource_id("rtbassoc");
    push(
        table,
        "associationSet",
        json!({
            "routeTableAssociationId": association, "routeTableId": id, "subnetId": subnet, "main": false,
            "associationState": {"state": "associated"},
        }),
    );
    Ok(json!({"associationId": association, "associationState": {"state": "associated"}}))
}

/// DisassociateRouteTable.
pub(super) fn disassociate_route_table(all: &mut Objects, params: &Value) -> ApiResult {
    only(params, &["AssociationId", "DryRun"])?;
    let association = required(params, "AssociationId")?;
    let holds = |o: &Object| {
        o.body["associationSet"]
            .as_array()
            .is_some_and(|a| a.iter().any(|x| x["routeTableAssociationId"] == *association))
    };
    let table = all
        .of_kind(Kind::RouteTable)
        .find(|(_, o)| holds(o))
        .map(|(id, _)| id.clone());
    let Some(table) = table.and_then(|id| all.any_mut(&id)) else {
        return Err(ApiError::new(
            "InvalidAssociationID.NotFound",
            format!("The association ID '{association}' does not exist"),
        ));
    };
    retain(table, "associationSet", |a| {
        a["routeTableAssociationId"] != *association
    });
    done()
}

/// CreateVpcEndpoint.
pub(super) fn create_vpc_endpoint(all: &mut Objects, region: &str, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "VpcId",
            "ServiceName",
            "VpcEndpointType",
            "PolicyDocument",
            "RouteTableId",
            "SubnetId",
            "SecurityGroupId",
            "PrivateDnsEnabled",
            "IpAddressType",
            "DnsOptions",
            "ClientToken",
            "TagSpecification",
            "DryRun",
        ],
    )?;
    let vpc = required(params, "VpcId")?;
    all.get(Kind::Vpc, &vpc)?;
    let service = required(params, "ServiceName")?;
    let is_service = service
        .strip_prefix(&format!("com.amazonaws.{region}."))
        .is_some_and(|name| {
            !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c))
        });
    if !is_service {
        return Err(ApiError::new(
            "InvalidServiceName",
            format!("The Vpc Endpoint Service '{service}' does not exist"),
        ));
    }
    let kind = text(params, "VpcEndpointType").unwrap_or_else(|| "Gateway".to_owned());
    if !["Gateway", "Interface"].contains(&kind.as_str()) {
        return Err(ApiError::new(
            "InvalidParameter",
            format!("VpcEndpointType {kind} is not supported by the local cloud"),
        ));
    }
    for (name, of) in [
        ("SubnetId", Kind::Subnet),
        ("SecurityGroupId", Kind::SecurityGroup),
        ("RouteTableId", Kind::RouteTable),
    ] {
        for id in texts(params, name) {
            if all.get(of, &id)?.text("vpcId") != vpc {
                return Err(ApiError::new(
                    "InvalidParameter",
                    format!("{id} does not belong to VPC {vpc}"),
                ));
            }
        }
    }
    let id = resource_id("vpce");
    let groups: Vec<Value> = texts(params, "SecurityGroupId")
        .iter()
        .map(|g| json!({"groupId": g, "groupName": all.get(Kind::SecurityGroup, g).map(|o| o.text("groupName").to_owned()).unwrap_or_default()}))
        .collect();
    let endpoint = object(
        Kind::VpcEndpoint,
        json!({
            "vpcEndpointId": id, "vpcEndpointType": kind, "vpcId": vpc, "serviceName": service, "state": "available",
            "policyDocument": text(params, "PolicyDocument").unwrap_or_default(), "routeTableIdSet": texts(params, "RouteTableId"),
            "subnetIdSet": texts(params, "SubnetId"), "groupSet": groups, "privateDnsEnabled": flag(params, "PrivateDnsEnabled").unwrap_or(false),
            "requesterManaged": false, "networkInterfaceIdSet": [], "dnsEntrySet": [], "ownerId": ACCOUNT,
            "creationTimestamp": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string(),
        }),
    );
    Ok(json!({"vpcEndpoint": insert_tagged(all, &id, endpoint, params, "vpc-endpoint")?}))
}

/// DeleteVpcEndpoints: what cannot be deleted is listed, not an error.
pub(super) fn delete_vpc_endpoints(all: &mut Objects, params: &Value) -> ApiResult {
    only(params, &["VpcEndpointId", "DryRun"])?;
    let mut unsuccessful = Vec::new();
    for id in texts(params, "VpcEndpointId") {
        match all.get(Kind::VpcEndpoint, &id) {
            Ok(_) => {
                all.remove(&id);
            }
            Err(e) => unsuccessful.push(json!({"resourceId": id, "error": {"code": e.code, "message": e.message}})),
        }
    }
    Ok(json!({"unsuccessful": unsuccessful}))
}

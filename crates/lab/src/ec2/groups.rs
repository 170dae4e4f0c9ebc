//! Security groups and their rules.

use super::catalog::object;
use super::filters;
use super::objects::{Kind, Objects, describe, not_found, specified_tags};
use super::wire::{only_nested, tag_set};
use crate::api::{ACCOUNT, ApiError, ApiResult, list, number, only, required, text, texts};
use crate::ids::resource_id;
use serde_json::{Map, Value, json};

/// Direction of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Into the group's members.
    Ingress,
    /// Out of the group's members.
    Egress,
}

impl Direction {
    fn member(self) -> &'static str {
        match self {
            Direction::Ingress => "ipPermissions",
            Direction::Egress => "ipPermissionsEgress",
        }
    }
}

const SOURCES: [(&str, &str, &str); 4] = [
    ("IpRanges", "ipRanges", "cidrIp"),
    ("Ipv6Ranges", "ipv6Ranges", "cidrIpv6"),
    ("Groups", "groups", "groupId"),
    ("PrefixListIds", "prefixListIds", "prefixListId"),
];

fn everything() -> Value {
    json!({
        "ipProtocol": "-1", "ipRanges": [{"cidrIp": "0.0.0.0/0"}], "ipv6Ranges": [], "groups": [], "prefixListIds": [],
    })
}

fn group(id: &str, vpc: &str, name: &str, description: &str, ingress: Value) -> super::objects::Object {
    object(
        Kind::SecurityGroup,
        json!({
            "groupId": id, "groupName": name, "groupDescription": description, "vpcId": vpc, "ownerId": ACCOUNT,
            "ipPermissions": ingress, "ipPermissionsEgress": [everything()],
        }),
    )
}

/// The group that every VPC begins with: its members reach each other.
pub(super) fn add_default_group(all: &mut Objects, vpc: &str) {
    let id = resource_id("sg");
    let ingress = json!([{
        "ipProtocol": "-1", "ipRanges": [], "ipv6Ranges": [], "groups": [{"groupId": id, "userId": ACCOUNT}], "prefixListIds": [],
    }]);
    all.insert(&id, group(&id, vpc, "default", "default VPC security group", ingress));
}

/// CreateSecurityGroup.
pub(super) fn create(all: &mut Objects, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "GroupDescription",
            "Description",
            "GroupName",
            "VpcId",
            "TagSpecification",
            "DryRun",
        ],
    )?;
    let name = required(params, "GroupName")?;
    let description = match text(params, "GroupDescription") {
        Some(description) => description,
        None => required(params, "Description")?,
    };
    let vpc = match text(params, "VpcId") {
        Some(vpc) => vpc,
        None => default_vpc(all)?,
    };
    all.get(Kind::Vpc, &vpc)?;
    if name.starts_with("sg-") || name.len() > 255 {
        return Err(ApiError::new(
            "InvalidParameterValue",
            format!("Value ({name}) for parameter GroupName is invalid."),
        ));
    }
    let taken = all
        .of_kind(Kind::SecurityGroup)
        .any(|(_, o)| o.text("vpcId") == vpc && o.text("groupName") == name);
    if taken {
        return Err(ApiError::new(
            "InvalidGroup.Duplicate",
            format!("The security group '{name}' already exists for VPC '{vpc}'"),
        ));
    }
    let id = resource_id("sg");
    let mut made = group(&id, &vpc, &name, &description, json!([]));
    made.tags = specified_tags(params, &["security-group"], "security-group")?;
    let tags = tag_set(&made.tags);
    all.insert(&id, made);
    Ok(json!({"return": true, "groupId": id, "tagSet": tags}))
}

/// The default VPC.
///
/// # Errors
/// `VPCIdNotSpecified` when it was deleted.
pub(super) fn default_vpc(all: &Objects) -> Result<String, ApiError> {
    all.of_kind(Kind::Vpc)
        .find(|(_, o)| o.body["isDefault"] == true)
        .map(|(id, _)| id.clone())
        .ok_or_else(|| ApiError::new("VPCIdNotSpecified", "No default VPC for this user"))
}

/// DescribeSecurityGroups; `GroupName` names groups of the default VPC, as in EC2.
pub(super) fn show(all: &Objects, params: &Value) -> ApiResult {
    let names = texts(params, "GroupName");
    let default = if names.is_empty() {
        None
    } else {
        Some(default_vpc(all)?)
    };
    let shown: Vec<Value> = all
        .of_kind(Kind::SecurityGroup)
        .filter(|(_, o)| {
            names.is_empty()
                || (Some(o.text("vpcId")) == default.as_deref()
                    && names.iter().any(|n| filters::matches(n, o.text("groupName"))))
        })
        .map(|(_, o)| o.shown())
        .collect();
    describe(Kind::SecurityGroup, params, shown)
}

/// DeleteSecurityGroup; `in_use` says whether an instance has it.
pub(super) fn delete(all: &mut Objects, params: &Value, in_use: impl Fn(&str) -> bool) -> ApiResult {
    only(params, &["GroupId", "GroupName", "DryRun"])?;
    let id = required(params, "GroupId")?;
    let target = all.get(Kind::SecurityGroup, &id)?;
    if target.text("groupName") == "default" {
        return Err(ApiError::new(
            "CannotDelete",
            format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user"),
        ));
    }
    let refers = |permissions: &Value| {
        permissions.as_array().is_some_and(|p| {
            p.iter().any(|x| {
                x["groups"]
                    .as_array()
                    .is_some_and(|g| g.iter().any(|y| y["groupId"] == *id))
            })
        })
    };
    let referred = all
        .of_kind(Kind::SecurityGroup)
        .any(|(other, o)| *other != id && (refers(&o.body["ipPermissions"]) || refers(&o.body["ipPermissionsEgress"])));
    let endpoint = all.of_kind(Kind::VpcEndpoint).any(|(_, o)| {
        o.body["groupSet"]
            .as_array()
            .is_some_and(|g| g.iter().any(|x| x["groupId"] == *id))
    });
    if referred || endpoint || in_use(&id) {
        return Err(ApiError::new(
            "DependencyViolation",
            format!("resource {id} has a dependent object"),
        ));
    }
    all.remove(&id);
    Ok(json!({"return": true, "groupId": id}))
}

/// Authorize or revoke rules, by `IpPermissions` or by the flat parameters.
pub(super) fn change_rules(all: &mut Objects, params: &Value, direction: Direction, authorize: bool) -> ApiResult {
    only(
        params,
        &[
            "GroupId",
            "GroupName",
            "IpPermissions",
            "IpProtocol",
            "FromPort",
            "ToPort",
            "CidrIp",
            "TagSpecification",
            "DryRun",
        ],
    )?;
    let id = required(params, "GroupId")?;
    all.get(Kind::SecurityGroup, &id)?;
    let mut permissions = list(params, "IpPermissions");
    if let Some(protocol) = text(params, "IpProtocol") {
        permissions.push(json!({
            "IpProtocol": protocol, "FromPort": text(params, "FromPort"), "ToPort": text(params, "ToPort"),
            "IpRanges": [{"CidrIp": required(params, "CidrIp")?}],
        }));
    }
    if permissions.is_empty() {
        return Err(ApiError::new(
            "MissingParameter",
            "Either 'ipPermissions' or 'securityGroupRuleIds' should be provided.",
        ));
    }
    let rules = permissions
        .iter()
        .map(|p| rule(all, p))
        .collect::<Result<Vec<_>, _>>()?
        .concat();
    let member = direction.member();
    let target = all.get_mut(Kind::SecurityGroup, &id)?;
    let have = target
        .body
        .get_mut(member)
        .and_then(Value::as_array_mut)
        .ok_or_else(|| not_found(Kind::SecurityGroup, &id))?;
    let mut shown = Vec::new();
    for rule in rules {
        let position = have.iter().position(|other| same_rule(other, &rule));
        match (authorize, position) {
            (true, Some(_)) => {
                return Err(ApiError::new(
                    "InvalidPermission.Duplicate",
                    format!("the specified rule \"{}\" already exists", describe_rule(&rule)),
                ));
            }
            (true, None) => {
                shown.push(json!({
                    "securityGroupRuleId": resource_id("sgr"), "groupId": id, "groupOwnerId": ACCOUNT,
                    "isEgress": direction == Direction::Egress, "ipProtocol": rule["ipProtocol"], "fromPort": port(&rule, "fromPort"),
                    "toPort": port(&rule, "toPort"),
                }));
                have.push(rule);
            }
            (false, Some(position)) => {
                have.remove(position);
            }
            (false, None) => {
                return Err(ApiError::new(
                    "InvalidPermission.NotFound",
                    "The specified rule does not exist in this security group.",
                ));
            }
        }
    }
    Ok(match authorize {
        true => json!({"return": true, "securityGroupRuleSet": shown}),
        false => json!({"return": true, "unknownIpPermissionSet": []}),
    })
}

fn port(rule: &Value, name: &str) -> Value {
    rule.get(name).cloned().unwrap_or(json!(-1))
}

fn describe_rule(rule: &Value) -> String {
    format!(
        "{}, {}, from port {}, to port {}, ALLOW",
        rule["ipRanges"], rule["ipProtocol"], rule["fromPort"], rule["toPort"]
    )
}

fn same_rule(a: &Value, b: &Value) -> bool {
    let source = |rule: &Value| {
        SOURCES.map(|(_, set, id)| {
            let items = rule[set].as_array().cloned().unwrap_or_default();
            items.iter().map(|i| i[id].clone()).collect::<Vec<_>>()
        })
    };
    a["ipProtocol"] == b["ipProtocol"]
        && a["fromPort"] == b["fromPort"]
        && a["toPort"] == b["toPort"]
        && source(a) == source(b)
}

/// One permission of a request as single rules of an answer, one for each source.
fn rule(all: &Objects, permission: &Value) -> Result<Vec<Value>, ApiError> {
    only_nested(
        permission,
        "IpPermissions",
        &[
            "IpProtocol",
            "FromPort",
            "ToPort",
            "IpRanges",
            "Ipv6Ranges",
            "Groups",
            "UserIdGroupPairs",
            "PrefixListIds",
        ],
    )?;
    let protocol = required(permission, "IpProtocol")?;
    let mut base = Map::new();
    base.insert("ipProtocol".to_owned(), json!(protocol));
    match protocol.as_str() {
        "-1" => {}
        "tcp" | "udp" | "6" | "17" => {
            let (from, to) = (port_number(permission, "FromPort")?, port_number(permission, "ToPort")?);
            if from > to {
                return Err(ApiError::new(
                    "InvalidParameterValue",
                    format!("Invalid value '{from}-{to}' for portRange."),
                ));
            }
            base.insert("fromPort".to_owned(), json!(from));
            base.insert("toPort".to_owned(), json!(to));
        }
        "icmp" | "icmpv6" => {
            for (name, member) in [("FromPort", "fromPort"), ("ToPort", "toPort")] {
                base.insert(member.to_owned(), json!(number(permission, name).unwrap_or(-1)));
            }
        }
        _ => {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!("Invalid value '{protocol}' for IP protocol. Unknown protocol."),
            ));
        }
    }
    for (_, set, _) in SOURCES {
        base.insert(set.to_owned(), json!([]));
    }
    let mut rules = Vec::new();
    for (name, set, id) in SOURCES {
        let mut items = list(permission, name);
        if name == "Groups" {
            items.extend(list(permission, "UserIdGroupPairs"));
        }
        for item in items {
            let mut one = base.clone();
            one.insert(set.to_owned(), json!([source(all, &item, name, id)?]));
            rules.push(Value::Object(one));
        }
    }
    if rules.is_empty() {
        return Err(ApiError::new(
            "MissingParameter",
            "The request must contain a source: CIDR, security group or prefix list",
        ));
    }
    Ok(rules)
}

fn port_number(permission: &Value, name: &str) -> Result<i64, ApiError> {
    number(permission, name)
        .filter(|n| (0..=65_535).contains(n))
        .ok_or_else(|| {
            ApiError::new(
                "InvalidParameterValue",
                format!(
                    "Invalid value '{}' for {name}.",
                    text(permission, name).unwrap_or_default()
                ),
            )
        })
}

fn source(all: &Objects, item: &Value, name: &str, id: &str) -> Result<Value, ApiError> {
    only_nested(
        item,
        name,
        &[
            "CidrIp",
            "CidrIpv6",
            "GroupId",
            "UserId",
            "PrefixListId",
            "Description",
            "VpcId",
        ],
    )?;
    let key = {
        let mut letters = id.chars();
        letters
            .next()
            .map(|c| c.to_ascii_uppercase().to_string())
            .unwrap_or_default()
            + letters.as_str()
    };
    let value = required(item, &key)?;
    let mut shown = Map::new();
    if name == "Groups" {
        all.get(Kind::SecurityGroup, &value)?;
        shown.insert("userId".to_owned(), json!(ACCOUNT));
    }
    if name == "IpRanges" && value.parse::<IpBlock>().is_err() {
        return Err(ApiError::new(
            "InvalidParameterValue",
            format!("CIDR block {value} is malformed"),
        ));
    }
    shown.insert(id.to_owned(), json!(value));
    if let Some(description) = text(item, "Description") {
        shown.insert("description".to_owned(), json!(description));
    }
    Ok(Value::Object(shown))
}

struct IpBlock;

impl std::str::FromStr for IpBlock {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, length) = text.split_once('/').ok_or(())?;
        address.parse::<std::net::Ipv4Addr>().map_err(|_| ())?;
        length
            .parse::<u8>()
            .ok()
            .filter(|l| *l <= 32)
            .map(|_| IpBlock)
            .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog;
    use super::*;

    fn new_group(all: &mut Objects, name: &str) -> String {
        let made = create(all, &json!({"GroupName": name, "GroupDescription": "d"})).expect("a group");
        made["groupId"].as_str().expect("an id").to_owned()
    }

    #[test]
    fn rules_are_checked_listed_and_revoked() {
        let mut all = catalog::seed("eu-west-1");
        let (front, back) = (new_group(&mut all, "front"), new_group(&mut all, "back"));
        let rule = json!({
            "GroupId": back,
            "IpPermissions": [{"IpProtocol": "tcp", "FromPort": "1414", "ToPort": "1414", "Groups": [{"GroupId": front}]}],
        });
        change_rules(&mut all, &rule, Direction::Ingress, true).expect("authorized");
        let twice = change_rules(&mut all, &rule, Direction::Ingress, true).expect_err("the same rule");
        assert_eq!(twice.code, "InvalidPermission.Duplicate");
        let blocked = delete(&mut all, &json!({"GroupId": front}), |_| false).expect_err("back refers to it");
        assert_eq!(blocked.code, "DependencyViolation");
        let shown = show(&all, &json!({"GroupId": [back]})).expect("shown");
        assert_eq!(
            shown["securityGroupInfo"][0]["ipPermissions"][0]["groups"][0]["groupId"],
            front
        );
        change_rules(&mut all, &rule, Direction::Ingress, false).expect("revoked");
        delete(&mut all, &json!({"GroupId": front}), |_| false).expect("deleted");
    }

    #[test]
    fn wrong_rules_are_refused() {
        let mut all = catalog::seed("eu-west-1");
        let id = new_group(&mut all, "g");
        let cases = [
            (
                json!({"IpProtocol": "tcp", "FromPort": "2", "ToPort": "1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}),
                "InvalidParameterValue",
            ),
            (
                json!({"IpProtocol": "tcp", "FromPort": "1", "ToPort": "1", "IpRanges": [{"CidrIp": "0.0.0.0"}]}),
                "InvalidParameterValue",
            ),
            (
                json!({"IpProtocol": "tcp", "FromPort": "1", "ToPort": "1"}),
                "MissingParameter",
            ),
            (
                json!({"IpProtocol": "tcp", "FromPort": "1", "ToPort": "1", "Groups": [{"GroupId": "sg-no"}]}),
                "InvalidGroup.NotFound",
            ),
            (json!({"IpProtocol": "tcp", "Port": "1"}), "UnknownParameter"),
        ];
        for (permission, code) in cases {
            let params = json!({"GroupId": id, "IpPermissions": [permission]});
            let error = change_rules(&mut all, &params, Direction::Ingress, true).expect_err("refused");
            assert_eq!(error.code, code, "{params}");
        }
    }
}

//! Security groups and their rules.

use super::ec2::update_tags;
use super::table::{answer, chosen};
use crate::cloudformation::context::{Attributes, Context, Failure};
use crate::cloudformation::state::Record;
use serde_json::{Value, json};

/// A rule of a template as EC2's `IpPermissions` member.
fn permission(rule: &Value) -> Value {
    let mut out = chosen(rule, &["IpProtocol", "FromPort", "ToPort"]);
    let described = |mut range: serde_json::Map<String, Value>| {
        if let Some(text) = rule.get("Description") {
            range.insert("Description".into(), text.clone());
        }
        Value::Array(vec![range.into()])
    };
    let one = |key: &str, value: &Value| {
        let mut range = serde_json::Map::new();
        range.insert(key.to_owned(), value.clone());
        range
    };
    if let Some(cidr) = rule.get("CidrIp") {
        out.insert("IpRanges".into(), described(one("CidrIp", cidr)));
    }
    if let Some(cidr) = rule.get("CidrIpv6") {
        out.insert("Ipv6Ranges".into(), described(one("CidrIpv6", cidr)));
    }
    for name in ["SourceSecurityGroupId", "DestinationSecurityGroupId"] {
        if let Some(group) = rule.get(name) {
            out.insert("Groups".into(), described(one("GroupId", group)));
        }
    }
    for name in ["SourcePrefixListId", "DestinationPrefixListId"] {
        if let Some(list) = rule.get(name) {
            out.insert("PrefixListIds".into(), described(one("PrefixListId", list)));
        }
    }
    out.into()
}

fn everything() -> Value {
    json!({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
}

fn rules(properties: &Value, name: &str) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for rule in properties[name].as_array().into_iter().flatten() {
        let permission = permission(rule);
        // EC2 refuses the same rule twice in one call; CloudFormation sends it once.
        if !out.contains(&permission) {
            out.push(permission);
        }
    }
    out
}

/// Outbound rules that hold for a template: without any, EC2's own that allows everything.
fn outbound(properties: &Value) -> Vec<Value> {
    match properties.get("SecurityGroupEgress") {
        None => vec![everything()],
        Some(_) => rules(properties, "SecurityGroupEgress"),
    }
}

async fn change(context: &Context, id: &str, direction: &str, was: &[Value], is: &[Value]) -> Result<(), Failure> {
    let removed: Vec<&Value> = was.iter().filter(|r| !is.contains(r)).collect();
    let added: Vec<&Value> = is.iter().filter(|r| !was.contains(r)).collect();
    if !removed.is_empty() {
        let action = format!("RevokeSecurityGroup{direction}");
        context
            .call("ec2", &action, json!({"GroupId": id, "IpPermissions": removed}))
            .await?;
    }
    if !added.is_empty() {
        let action = format!("AuthorizeSecurityGroup{direction}");
        context
            .call("ec2", &action, json!({"GroupId": id, "IpPermissions": added}))
            .await?;
    }
    Ok(())
}

pub(super) async fn create(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let name = properties["GroupName"]
        .as_str()
        .map_or_else(|| context.name(255), str::to_owned);
    let mut params = chosen(properties, &["GroupDescription", "VpcId"]);
    params.insert("GroupName".into(), name.clone().into());
    params.insert(
        "TagSpecification".into(),
        context.tag_specification("security-group", properties.get("Tags")),
    );
    let made = context.call("ec2", "CreateSecurityGroup", params.into()).await?;
    let id = answer(&made, "/groupId")?;
    context.created(&id);
    change(context, &id, "Egress", &[everything()], &outbound(properties)).await?;
    change(context, &id, "Ingress", &[], &rules(properties, "SecurityGroupIngress")).await?;
    let mut attributes = Attributes::new();
    attributes.insert("GroupId".into(), id.clone().into());
    attributes.insert("Id".into(), id.into());
    attributes.insert("GroupName".into(), name.into());
    Ok(attributes)
}

pub(super) async fn update(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    change(
        context,
        physical,
        "Egress",
        &outbound(&old.properties),
        &outbound(properties),
    )
    .await?;
    let name = "SecurityGroupIngress";
    change(
        context,
        physical,
        "Ingress",
        &rules(&old.properties, name),
        &rules(properties, name),
    )
    .await?;
    update_tags(context, physical, old, properties).await
}

fn direction(context: &Context) -> &'static str {
    if context.kind.ends_with("Egress") {
        "Egress"
    } else {
        "Ingress"
    }
}

pub(super) async fn create_rule(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let action = format!("AuthorizeSecurityGroup{}", direction(context));
    let params = json!({"GroupId": properties["GroupId"], "IpPermissions": [permission(properties)]});
    let made = context.call("ec2", &action, params).await?;
    let id = made
        .pointer("/securityGroupRuleSet/0/securityGroupRuleId")
        .and_then(Value::as_str)
        .map_or_else(|| format!("sgr-{}", crate::ids::hex(17)), str::to_owned);
    context.created(&id);
    let mut attributes = Attributes::new();
    attributes.insert("Id".into(), id.into());
    Ok(attributes)
}

pub(super) async fn delete_rule(context: &Context, _: &str, properties: &Value) -> Result<(), Failure> {
    let action = format!("RevokeSecurityGroup{}", direction(context));
    let params = json!({"GroupId": properties["GroupId"], "IpPermissions": [permission(properties)]});
    context.call("ec2", &action, params).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_take_their_wire_names() {
        assert_eq!(
            permission(
                &json!({"IpProtocol": "tcp", "FromPort": 1414, "ToPort": 1414, "SourceSecurityGroupId": "sg-1", "Description": "d"})
            ),
            json!({"IpProtocol": "tcp", "FromPort": 1414, "ToPort": 1414, "Groups": [{"GroupId": "sg-1", "Description": "d"}]})
        );
        assert_eq!(outbound(&json!({})), [everything()]);
        assert!(outbound(&json!({"SecurityGroupEgress": []})).is_empty());
    }
}

//! Load balancers, target groups, listeners.

use super::retag::{LOAD_BALANCING, retag};
use super::table::{answer, chosen};
use crate::cloudformation::context::{Attributes, Context, Failure};
use crate::cloudformation::state::Record;
use serde_json::{Value, json};

const ELB: &str = "elasticloadbalancing";

const HEALTH: &[&str] = &[
    "HealthCheckEnabled",
    "HealthCheckIntervalSeconds",
    "HealthCheckPath",
    "HealthCheckPort",
    "HealthCheckProtocol",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher",
];

const LISTENER: &[&str] = &[
    "Port",
    "Protocol",
    "SslPolicy",
    "Certificates",
    "DefaultActions",
    "AlpnPolicy",
    "MutualAuthentication",
];

/// Deletes by ARN; a target group that a listener of this stack just let go of is free in a moment.
pub(super) async fn delete(
    context: &Context,
    action: &str,
    parameter: &str,
    physical: &str,
    _: &Value,
) -> Result<(), Failure> {
    context
        .settle(
            async || match context.call(ELB, action, json!({parameter: physical})).await {
                Ok(_) => Ok(Some(())),
                Err(failure) if failure.code == "ResourceInUse" => Ok(None),
                Err(failure) => Err(failure),
            },
        )
        .await
}

async fn attributes_of(
    context: &Context,
    action: &str,
    parameter: &str,
    id: &str,
    attributes: Option<&Value>,
) -> Result<(), Failure> {
    match attributes.and_then(Value::as_array) {
        Some(all) if !all.is_empty() => context
            .call(ELB, action, json!({parameter: id, "Attributes": all}))
            .await
            .map(drop),
        _ => Ok(()),
    }
}

/// What follows `word` in an ARN, the full name of CloudWatch's dimensions.
fn full_name(arn: &str, word: &str, keep: bool) -> String {
    match arn.find(word) {
        Some(at) if keep => arn[at..].to_owned(),
        Some(at) => arn[at + word.len()..].to_owned(),
        None => arn.to_owned(),
    }
}

pub(super) async fn create_balancer(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let name = properties["Name"]
        .as_str()
        .map_or_else(|| context.name(32), str::to_owned);
    let mut params = chosen(
        properties,
        &[
            "Type",
            "Scheme",
            "Subnets",
            "SubnetMappings",
            "SecurityGroups",
            "IpAddressType",
        ],
    );
    params.insert("Name".into(), name.into());
    params.insert("Tags".into(), context.tag_list(properties.get("Tags")));
    let made = context.call(ELB, "CreateLoadBalancer", params.into()).await?;
    let arn = answer(&made, "/LoadBalancers/0/LoadBalancerArn")?;
    context.created(&arn);
    attributes_of(
        context,
        "ModifyLoadBalancerAttributes",
        "LoadBalancerArn",
        &arn,
        properties.get("LoadBalancerAttributes"),
    )
    .await?;
    let ready = context
        .settle(async || {
            let seen = context
                .call(ELB, "DescribeLoadBalancers", json!({"LoadBalancerArns": [arn]}))
                .await?;
            let one = seen["LoadBalancers"][0].clone();
            match one["State"]["Code"].as_str() {
                Some("active") => Ok(Some(one)),
                Some("failed") => Err(Failure::new(format!("Load balancer {arn} failed"))),
                _ => Ok(None),
            }
        })
        .await?;
    let mut attributes = Attributes::new();
    for (attribute, member) in [
        ("DNSName", "DNSName"),
        ("CanonicalHostedZoneID", "CanonicalHostedZoneId"),
        ("LoadBalancerName", "LoadBalancerName"),
        ("SecurityGroups", "SecurityGroups"),
    ] {
        if let Some(value) = ready.get(member) {
            attributes.insert(attribute.into(), value.clone());
        }
    }
    attributes.insert(
        "LoadBalancerFullName".into(),
        full_name(&arn, ":loadbalancer/", false).into(),
    );
    attributes.insert("LoadBalancerArn".into(), arn.into());
    Ok(attributes)
}

pub(super) async fn update_balancer(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    let changed = |name: &str| old.properties.get(name) != properties.get(name);
    for (action, names) in [
        ("SetSecurityGroups", &["SecurityGroups"][..]),
        ("SetSubnets", &["Subnets", "SubnetMappings"][..]),
        ("SetIpAddressType", &["IpAddressType"][..]),
    ] {
        if names.iter().any(|n| changed(n)) {
            let mut params = chosen(properties, names);
            params.insert("LoadBalancerArn".into(), physical.into());
            context.call(ELB, action, params.into()).await?;
        }
    }
    if changed("LoadBalancerAttributes") {
        attributes_of(
            context,
            "ModifyLoadBalancerAttributes",
            "LoadBalancerArn",
            physical,
            properties.get("LoadBalancerAttributes"),
        )
        .await?;
    }
    retag(&LOAD_BALANCING, context, physical, old, properties).await?;
    let mut attributes = Attributes::new();
    if let Some(groups) = properties.get("SecurityGroups") {
        attributes.insert("SecurityGroups".into(), groups.clone());
    }
    Ok(attributes)
}

pub(super) async fn delete_balancer(context: &Context, physical: &str, _: &Value) -> Result<(), Failure> {
    context
        .call(ELB, "DeleteLoadBalancer", json!({"LoadBalancerArn": physical}))
        .await?;
    context
        .settle(async || {
            let seen = context
                .call(ELB, "DescribeLoadBalancers", json!({"LoadBalancerArns": [physical]}))
                .await;
            match seen {
                Err(failure) if failure.not_found() => Ok(Some(())),
                Err(failure) => Err(failure),
                Ok(seen) => Ok(seen["LoadBalancers"].as_array().is_none_or(Vec::is_empty).then_some(())),
            }
        })
        .await
}

pub(super) async fn create_target_group(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let name = properties["Name"]
        .as_str()
        .map_or_else(|| context.name(32), str::to_owned);
    let mut params = chosen(properties, HEALTH);
    params.extend(chosen(
        properties,
        &[
            "Port",
            "Protocol",
            "ProtocolVersion",
            "TargetType",
            "VpcId",
            "IpAddressType",
        ],
    ));
    params.insert("Name".into(), name.into());
    params.insert("Tags".into(), context.tag_list(properties.get("Tags")));
    let made = context.call(ELB, "CreateTargetGroup", params.into()).await?;
    let arn = answer(&made, "/TargetGroups/0/TargetGroupArn")?;
    context.created(&arn);
    attributes_of(
        context,
        "ModifyTargetGroupAttributes",
        "TargetGroupArn",
        &arn,
        properties.get("TargetGroupAttributes"),
    )
    .await?;
    targets(context, "RegisterTargets", &arn, &[], properties).await?;
    let mut attributes = Attributes::new();
    attributes.insert(
        "TargetGroupFullName".into(),
        full_name(&arn, "targetgroup/", true).into(),
    );
    attributes.insert(
        "TargetGroupName".into(),
        answer(&made, "/TargetGroups/0/TargetGroupName")?.into(),
    );
    attributes.insert("LoadBalancerArns".into(), json!([]));
    attributes.insert("TargetGroupArn".into(), arn.into());
    Ok(attributes)
}

async fn targets(context: &Context, action: &str, arn: &str, but: &[Value], properties: &Value) -> Result<(), Failure> {
    let all = properties["Targets"].as_array().cloned().unwrap_or_default();
    let some: Vec<Value> = all.into_iter().filter(|t| !but.contains(t)).collect();
    if some.is_empty() {
        return Ok(());
    }
    context
        .call(ELB, action, json!({"TargetGroupArn": arn, "Targets": some}))
        .await
        .map(drop)
}

pub(super) async fn update_target_group(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    if HEALTH.iter().any(|n| old.properties.get(n) != properties.get(n)) {
        let mut params = chosen(properties, HEALTH);
        params.insert("TargetGroupArn".into(), physical.into());
        context.call(ELB, "ModifyTargetGroup", params.into()).await?;
    }
    if old.properties.get("TargetGroupAttributes") != properties.get("TargetGroupAttributes") {
        attributes_of(
            context,
            "ModifyTargetGroupAttributes",
            "TargetGroupArn",
            physical,
            properties.get("TargetGroupAttributes"),
        )
        .await?;
    }
    let list = |value: &Value| value["Targets"].as_array().cloned().unwrap_or_default();
    let (was, is) = (list(&old.properties), list(properties));
    targets(context, "RegisterTargets", physical, &was, properties).await?;
    targets(context, "DeregisterTargets", physical, &is, &old.properties).await?;
    retag(&LOAD_BALANCING, context, physical, old, properties).await?;
    Ok(Attributes::new())
}

pub(super) async fn create_listener(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let mut params = chosen(properties, LISTENER);
    params.insert("LoadBalancerArn".into(), properties["LoadBalancerArn"].clone());
    let made = context.call(ELB, "CreateListener", params.into()).await?;
    let arn = answer(&made, "/Listeners/0/ListenerArn")?;
    context.created(&arn);
    let wanted = properties.get("ListenerAttributes");
    attributes_of(context, "ModifyListenerAttributes", "ListenerArn", &arn, wanted).await?;
    let mut attributes = Attributes::new();
    attributes.insert("ListenerArn".into(), arn.into());
    Ok(attributes)
}

pub(super) async fn update_listener(
    context: &Context,
    physical: &str,
    _: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    let mut params = chosen(properties, LISTENER);
    params.insert("ListenerArn".into(), physical.into());
    context.call(ELB, "ModifyListener", params.into()).await?;
    let wanted = properties.get("ListenerAttributes");
    attributes_of(context, "ModifyListenerAttributes", "ListenerArn", physical, wanted).await?;
    Ok(Attributes::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_names_are_those_of_the_dimensions() {
        let balancer = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:loadbalancer/net/x/50dc6c495c0c9188";
        assert_eq!(full_name(balancer, ":loadbalancer/", false), "net/x/50dc6c495c0c9188");
        let group = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/x/73e2d6bc24d8a067";
        assert_eq!(full_name(group, "targetgroup/", true), "targetgroup/x/73e2d6bc24d8a067");
    }
}

//! What load balancers and file systems share: tags and the questions they ask of EC2.

use crate::api::{self, ApiError, Caller, Cloud};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;

#[cfg(test)]
pub(crate) mod fake;

/// What EC2 says about an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstanceFacts {
    /// Private IPv4 address; absent once terminated.
    pub(crate) address: Option<Ipv4Addr>,
    /// Availability zone.
    pub(crate) zone: String,
    /// VPC.
    pub(crate) vpc: String,
    /// `pending running shutting-down terminated stopping stopped`.
    pub(crate) state: String,
}

/// What EC2 says about a subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubnetFacts {
    /// Subnet id.
    pub(crate) id: String,
    /// Availability zone name.
    pub(crate) zone: String,
    /// Availability zone id, `euw1-az1`.
    pub(crate) zone_id: String,
    /// VPC.
    pub(crate) vpc: String,
    /// IPv4 range.
    pub(crate) cidr: String,
}

fn field(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Asks EC2 for one instance.
///
/// # Errors
/// What EC2 answers; `InvalidInstanceID.NotFound` when it lists nothing.
pub(crate) async fn instance(cloud: &Arc<Cloud>, id: &str) -> Result<InstanceFacts, ApiError> {
    let answer = cloud
        .call("ec2", "DescribeInstances", json!({ "InstanceId": [id] }), Caller::Admin)
        .await?;
    let found = api::list(&answer, "reservationSet")
        .iter()
        .flat_map(|r| api::list(r, "instancesSet"))
        .find(|i| i.get("instanceId").and_then(Value::as_str) == Some(id));
    let Some(found) = found else {
        return Err(ApiError::new(
            "InvalidInstanceID.NotFound",
            format!("The instance ID '{id}' does not exist"),
        ));
    };
    Ok(InstanceFacts {
        address: field(&found, "privateIpAddress").parse().ok(),
        zone: found
            .get("placement")
            .map(|p| field(p, "availabilityZone"))
            .unwrap_or_default(),
        vpc: field(&found, "vpcId"),
        state: found.get("instanceState").map(|s| field(s, "name")).unwrap_or_default(),
    })
}

/// Asks EC2 for one subnet.
///
/// # Errors
/// What EC2 answers; `InvalidSubnetID.NotFound` when it lists nothing.
pub(crate) async fn subnet(cloud: &Arc<Cloud>, id: &str) -> Result<SubnetFacts, ApiError> {
    let answer = cloud
        .call("ec2", "DescribeSubnets", json!({ "SubnetId": [id] }), Caller::Admin)
        .await?;
    let found = api::list(&answer, "subnetSet")
        .into_iter()
        .find(|s| s.get("subnetId").and_then(Value::as_str) == Some(id));
    let Some(found) = found else {
        return Err(ApiError::new(
            "InvalidSubnetID.NotFound",
            format!("The subnet ID '{id}' does not exist"),
        ));
    };
    Ok(SubnetFacts {
        id: id.to_owned(),
        zone: field(&found, "availabilityZone"),
        zone_id: field(&found, "availabilityZoneId"),
        vpc: field(&found, "vpcId"),
        cidr: field(&found, "cidrBlock"),
    })
}

/// Whether EC2 knows a VPC.
pub(crate) async fn vpc_exists(cloud: &Arc<Cloud>, id: &str) -> bool {
    let answer = cloud
        .call("ec2", "DescribeVpcs", json!({ "VpcId": [id] }), Caller::Admin)
        .await;
    answer.is_ok_and(|a| {
        api::list(&a, "vpcSet")
            .iter()
            .any(|v| v.get("vpcId").and_then(Value::as_str) == Some(id))
    })
}

/// Asks EC2 in which VPC a security group is.
///
/// # Errors
/// What EC2 answers; `InvalidGroup.NotFound` when it lists nothing.
pub(crate) async fn group_vpc(cloud: &Arc<Cloud>, id: &str) -> Result<String, ApiError> {
    let answer = cloud
        .call(
            "ec2",
            "DescribeSecurityGroups",
            json!({ "GroupId": [id] }),
            Caller::Admin,
        )
        .await?;
    api::list(&answer, "securityGroupInfo")
        .iter()
        .find(|g| g.get("groupId").and_then(Value::as_str) == Some(id))
        .map(|g| field(g, "vpcId"))
        .ok_or_else(|| {
            ApiError::new(
                "InvalidGroup.NotFound",
                format!("The security group '{id}' does not exist"),
            )
        })
}

/// Reads `[{"Key":…,"Value":…}]`; an absent value is the empty string.
///
/// # Errors
/// `code` with AWS's limits: at most 50 tags, keys of 1 to 128 characters, values of at most 256, no key twice and
/// none that begins with `aws:`, but for those that CloudFormation sets.
pub(crate) fn tags(params: &Value, name: &str, code: &str) -> Result<Vec<(String, String)>, ApiError> {
    let mut tags: Vec<(String, String)> = Vec::new();
    for tag in api::list(params, name) {
        let bad = |message: String| ApiError::new(code, message);
        api::only(&tag, &["Key", "Value"])?;
        let key = api::text(&tag, "Key").ok_or_else(|| bad("a tag needs a Key".into()))?;
        let value = api::text(&tag, "Value").unwrap_or_default();
        if key.is_empty() || key.chars().count() > 128 {
            return Err(bad(format!("tag key '{key}' must have 1 to 128 characters")));
        }
        if value.chars().count() > 256 {
            return Err(bad(format!(
                "the value of tag '{key}' must have at most 256 characters"
            )));
        }
        if key.to_ascii_lowercase().starts_with("aws:") && !key.starts_with("aws:cloudformation:") {
            return Err(bad(format!("tag key '{key}' begins with aws:, which is reserved")));
        }
        if tags.iter().any(|(k, _)| *k == key) {
            return Err(bad(format!("tag key '{key}' is given twice")));
        }
        tags.push((key, value));
    }
    if tags.len() > 50 {
        return Err(ApiError::new(code, "a resource has at most 50 tags"));
    }
    Ok(tags)
}

/// Tags as `[{"Key":…,"Value":…}]`.
pub(crate) fn tag_list(tags: &[(String, String)]) -> Value {
    tags.iter().map(|(k, v)| json!({ "Key": k, "Value": v })).collect()
}

/// Adds tags, replacing values of keys that exist.
pub(crate) fn put_tags(have: &mut Vec<(String, String)>, new: Vec<(String, String)>) {
    for (key, value) in new {
        match have.iter_mut().find(|(k, _)| *k == key) {
            Some(tag) => tag.1 = value,
            None => have.push((key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_obey_the_limits() {
        let long = "k".repeat(129);
        for (case, ok) in [
            (json!([{"Key": "a", "Value": "b"}, {"Key": "c"}]), true),
            (json!([{"Key": "aws:cloudformation:stack-name", "Value": "s"}]), true),
            (json!([{"Key": "aws:other", "Value": "s"}]), false),
            (json!([{"Key": "a"}, {"Key": "a"}]), false),
            (json!([{"Key": ""}]), false),
            (json!([{"Key": long}]), false),
            (json!([{"Value": "b"}]), false),
            (json!([{"Key": "a", "Valeu": "b"}]), false),
        ] {
            let got = tags(&json!({ "Tags": case }), "Tags", "BadRequest");
            assert_eq!(got.is_ok(), ok, "{case}");
        }
    }
}

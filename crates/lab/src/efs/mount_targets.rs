//! Actions on mount targets.

use super::service::{Efs, need, one_of, page};
use super::state::{MountTarget, bad, must_be_available, no_file_system};
use crate::api::{ApiError, ApiResult, Caller, Cloud, list, text, texts};
use crate::edge::{self, SubnetFacts};
use crate::ids;
use crate::instance::guest;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Most security groups of a mount target.
const GROUP_LIMIT: usize = 5;

/// First and last usable address of a subnet; the first four and the last belong to AWS.
fn usable(cidr: &str) -> Option<(u32, u32)> {
    let (base, bits) = cidr.split_once('/')?;
    let bits: u32 = bits.parse().ok().filter(|b| (16..=28).contains(b))?;
    let base = u32::from(base.parse::<Ipv4Addr>().ok()?);
    let size = 1u32 << (32 - bits);
    Some((base + 4, base + size - 2))
}

/// The highest free address of a subnet, or the one asked for.
fn address(subnet: &SubnetFacts, asked: Option<String>, taken: &[String]) -> Result<String, ApiError> {
    let (first, last) = usable(&subnet.cidr).ok_or_else(|| bad(format!("subnet '{}' has no IPv4 range", subnet.id)))?;
    if let Some(asked) = asked {
        let inside = asked
            .parse::<Ipv4Addr>()
            .is_ok_and(|a| (first..=last).contains(&u32::from(a)));
        if !inside {
            return Err(bad(format!(
                "address {asked} is not a usable address of subnet '{}'",
                subnet.id
            )));
        }
        if taken.contains(&asked) {
            return Err(ApiError::new("IpAddressInUse", format!("address {asked} is in use")).status(409));
        }
        return Ok(asked);
    }
    (first..=last)
        .rev()
        .map(|a| Ipv4Addr::from(a).to_string())
        .find(|a| !taken.contains(a))
        .ok_or_else(|| {
            let message = format!("subnet '{}' has no free address", subnet.id);
            ApiError::new("NoFreeAddressesInSubnet", message).status(409)
        })
}

async fn check_groups(cloud: &Arc<Cloud>, groups: &[String], vpc: &str) -> Result<(), ApiError> {
    if groups.len() > GROUP_LIMIT {
        let message = format!("a mount target has at most {GROUP_LIMIT} security groups");
        return Err(ApiError::new("SecurityGroupLimitExceeded", message));
    }
    for group in groups {
        let missing = || {
            let message = format!("One or more security groups do not exist in VPC '{vpc}': '{group}'");
            ApiError::new("SecurityGroupNotFound", message)
        };
        if edge::group_vpc(cloud, group).await.map_err(|_| missing())? != vpc {
            return Err(missing());
        }
    }
    Ok(())
}

async fn default_group(cloud: &Arc<Cloud>, vpc: &str) -> Vec<String> {
    let filters = json!([{ "Name": "vpc-id", "Value": [vpc] }, { "Name": "group-name", "Value": ["default"] }]);
    let answer = cloud
        .call(
            "ec2",
            "DescribeSecurityGroups",
            json!({ "Filter": filters }),
            Caller::Admin,
        )
        .await;
    answer
        .map(|a| {
            list(&a, "securityGroupInfo")
                .iter()
                .filter_map(|g| text(g, "groupId"))
                .collect()
        })
        .unwrap_or_default()
}

impl Efs {
    pub(super) async fn create_mount_target(&self, cloud: &Arc<Cloud>, p: &Value) -> ApiResult {
        let (file_system, _) = self.available(&need(p, "FileSystemId")?)?;
        if let Some(kind) = text(p, "IpAddressType") {
            // the local cloud has no IPv6
            one_of("ipAddressType", kind, &["IPV4_ONLY"])?;
        }
        let subnet = need(p, "SubnetId")?;
        let subnet = edge::subnet(cloud, &subnet).await.map_err(|_| {
            let message = format!("The subnet ID '{subnet}' does not exist");
            ApiError::new("SubnetNotFound", message)
        })?;
        let mut groups = texts(p, "SecurityGroups");
        check_groups(cloud, &groups, &subnet.vpc).await?;
        if groups.is_empty() {
            groups = default_group(cloud, &subnet.vpc).await;
        }
        let served = self.serve(cloud, &file_system, &subnet.zone).await?;
        self.with(|s, now| {
            let one_zone = s.file_system(&file_system)?.zone.clone();
            if one_zone.is_some_and(|z| z != subnet.zone) {
                let message = format!("file system '{file_system}' is One Zone and not in {}", subnet.zone);
                return Err(ApiError::new("AvailabilityZonesMismatch", message));
            }
            let conflict = |message: String| Err(ApiError::new("MountTargetConflict", message).status(409));
            for have in s.targets_of(&file_system) {
                if have.zone == subnet.zone {
                    return conflict("mount target already exists in this AZ".into());
                }
                if have.vpc != subnet.vpc {
                    return conflict(format!(
                        "requested subnet for new mount target is not in VPC '{}'",
                        have.vpc
                    ));
                }
            }
            let taken: Vec<String> = s.mount_targets.values().map(|m| m.address.clone()).collect();
            let made = MountTarget {
                id: format!("fsmt-{}", ids::hex(17)),
                file_system,
                address: match served {
                    Some(served) => served.to_string(),
                    None => address(&subnet, text(p, "IpAddress"), &taken)?,
                },
                subnet: subnet.id,
                zone: subnet.zone,
                zone_id: subnet.zone_id,
                vpc: subnet.vpc,
                interface: format!("eni-{}", ids::hex(17)),
                groups,
                since: now,
                deleting: None,
            };
            let description = made.describe(now, &self.timing);
            s.mount_targets.insert(made.id.clone(), made);
            Ok(description)
        })
    }

    /// The address of a zone's mount target where hosts are virtual machines: a real one, at which the file system is served.
    async fn serve(&self, cloud: &Arc<Cloud>, file_system: &str, zone: &str) -> Result<Option<Ipv4Addr>, ApiError> {
        let Some(program) = &cloud.site.guests else {
            return Ok(None);
        };
        let (id, directory) = self.available(file_system)?;
        let letter = zone.bytes().last().unwrap_or(b'a');
        let address = Ipv4Addr::new(127, cloud.site.octet, 2, 10 + letter.saturating_sub(b'a'));
        let served = guest::export(program, &id, &directory, &address.to_string()).await;
        served.map_err(|e| {
            ApiError::new("InternalServerError", format!("cannot serve {id} at {address}: {e}")).status(500)
        })?;
        Ok(Some(address))
    }

    pub(super) fn describe_mount_targets(&self, p: &Value) -> ApiResult {
        let (file_system, target) = (text(p, "FileSystemId"), text(p, "MountTargetId"));
        if text(p, "AccessPointId").is_some() {
            return Err(ApiError::new("AccessPointNotFound", "the local cloud has no access points").status(404));
        }
        if file_system.is_some() == target.is_some() {
            return Err(bad(
                "You must specify exactly one of FileSystemId, MountTargetId and AccessPointId",
            ));
        }
        let items = self.with(|s, now| {
            if let Some(id) = target {
                let found = s.mount_target(&id)?;
                return Ok(vec![(id, found.describe(now, &self.timing))]);
            }
            let id = file_system.unwrap_or_default();
            let id = s.file_system(&id).map_err(|_| no_file_system(&id))?.id.clone();
            let described = |m: &MountTarget| (m.id.clone(), m.describe(now, &self.timing));
            Ok::<_, ApiError>(s.targets_of(&id).into_iter().map(described).collect())
        })?;
        page(p, "MountTargets", items)
    }

    pub(super) fn delete_mount_target(&self, p: &Value) -> ApiResult {
        let id = need(p, "MountTargetId")?;
        self.with(|s, now| {
            let found = s.mount_target(&id)?;
            found.deleting = found.deleting.or(Some(now));
            Ok(json!({}))
        })
    }

    pub(super) fn describe_mount_target_groups(&self, p: &Value) -> ApiResult {
        let id = need(p, "MountTargetId")?;
        self.with(|s, _| Ok(json!({ "SecurityGroups": s.mount_target(&id)?.groups })))
    }

    pub(super) async fn modify_mount_target_groups(&self, cloud: &Arc<Cloud>, p: &Value) -> ApiResult {
        let id = need(p, "MountTargetId")?;
        let groups = texts(p, "SecurityGroups");
        let vpc = self.with(|s, now| {
            let found = s.mount_target(&id)?;
            let state = found.state(now, &self.timing);
            if state != "available" {
                let message = format!("mount target '{id}' is {state}");
                return Err(ApiError::new("IncorrectMountTargetState", message).status(409));
            }
            Ok(found.vpc.clone())
        })?;
        check_groups(cloud, &groups, &vpc).await?;
        let groups = if groups.is_empty() {
            default_group(cloud, &vpc).await
        } else {
            groups
        };
        self.with(|s, _| {
            s.mount_target(&id)?.groups = groups;
            Ok(json!({}))
        })
    }

    /// Checks a policy's file system without changing it.
    pub(super) fn settled(&self, id: &str) -> Result<(), ApiError> {
        self.with(|s, now| {
            let found = s.file_system(id)?;
            must_be_available(&found.id, found.state(now, &self.timing))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_from_the_subnet() {
        let subnet = |cidr: &str| SubnetFacts {
            id: "subnet-1".into(),
            zone: "eu-west-1a".into(),
            zone_id: "euw1-az1".into(),
            vpc: "vpc-1".into(),
            cidr: cidr.into(),
        };
        let taken = vec!["10.0.0.14".to_owned()];
        for (cidr, asked, want) in [
            ("10.0.0.0/28", None, Ok("10.0.0.13")),
            ("10.0.0.0/28", Some("10.0.0.4"), Ok("10.0.0.4")),
            ("10.0.0.0/28", Some("10.0.0.3"), Err("BadRequest")),
            ("10.0.0.0/28", Some("10.0.0.15"), Err("BadRequest")),
            ("10.0.0.0/28", Some("10.0.0.14"), Err("IpAddressInUse")),
            ("10.0.0.0", None, Err("BadRequest")),
        ] {
            let got = address(&subnet(cidr), asked.map(str::to_owned), &taken);
            let got = got.as_ref().map(String::as_str).map_err(|e| e.code.as_str());
            assert_eq!(got, want, "{cidr} {asked:?}");
        }
        let all: Vec<String> = (4..=14).map(|n| format!("10.0.0.{n}")).collect();
        let full = address(&subnet("10.0.0.0/28"), None, &all).unwrap_err();
        assert_eq!(full.code, "NoFreeAddressesInSubnet");
    }
}

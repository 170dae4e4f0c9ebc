//! Actions on load balancers.

use super::attributes::Attributes;
use super::service::{Elb, config, invalid, name, need, one_of, page};
use super::state::{Balancer, Place, State};
use crate::api::{ACCOUNT, ApiError, ApiResult, Cloud, list, only, text, texts};
use crate::{clock, edge, ids, timing};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

/// Subnets of a request with their zones, and the VPC they are all in.
async fn places(cloud: &Arc<Cloud>, p: &Value) -> Result<(Vec<Place>, String), ApiError> {
    let mut subnets = texts(p, "Subnets");
    for mapping in list(p, "SubnetMappings") {
        // addresses of one's own would need a network of one's own
        only(&mapping, &["SubnetId"])?;
        subnets.push(need(&mapping, "SubnetId")?);
    }
    if subnets.is_empty() {
        return Err(invalid("At least one subnet must be specified"));
    }
    let mut found: Vec<Place> = Vec::new();
    let mut vpc: Option<String> = None;
    for id in subnets {
        let subnet = edge::subnet(cloud, &id)
            .await
            .map_err(|_| ApiError::new("SubnetNotFound", format!("The subnet ID '{id}' does not exist")))?;
        if vpc.as_ref().is_some_and(|v| *v != subnet.vpc) {
            return Err(config(format!("subnet '{id}' is not in the VPC of the other subnets")));
        }
        if found.iter().any(|f| f.zone == subnet.zone) {
            return Err(config(
                "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
            ));
        }
        vpc = Some(subnet.vpc);
        found.push(Place {
            subnet: id,
            zone: subnet.zone,
        });
    }
    Ok((found, vpc.unwrap_or_default()))
}

async fn check_groups(cloud: &Arc<Cloud>, groups: &[String], vpc: &str) -> Result<(), ApiError> {
    for group in groups {
        if edge::group_vpc(cloud, group).await.ok().as_deref() != Some(vpc) {
            let message = format!("One or more security groups are invalid: '{group}' is not in VPC '{vpc}'");
            return Err(ApiError::new("InvalidSecurityGroup", message));
        }
    }
    Ok(())
}

/// The first address that no load balancer has.
fn free_address(state: &State, octet: u8) -> Result<Ipv4Addr, ApiError> {
    (1..=254)
        .map(|n| Ipv4Addr::new(127, octet, 1, n))
        .find(|a| state.balancers.values().all(|b| b.address != *a))
        .ok_or_else(|| {
            ApiError::new(
                "TooManyLoadBalancers",
                "the local cloud has 254 addresses for load balancers",
            )
        })
}

impl Elb {
    pub(super) async fn create_balancer(&self, cloud: &Arc<Cloud>, p: &Value) -> ApiResult {
        let name = name(p, "load balancer")?;
        if name.starts_with("internal-") {
            return Err(invalid(format!(
                "load balancer name '{name}' cannot begin with internal-"
            )));
        }
        let kind = text(p, "Type").unwrap_or_else(|| "application".into());
        if one_of("type", kind, &["application", "network", "gateway"])? != "network" {
            return Err(config("the local cloud has network load balancers only"));
        }
        let scheme = text(p, "Scheme").unwrap_or_else(|| "internet-facing".into());
        let scheme = one_of("scheme", scheme, &["internet-facing", "internal"])?;
        if text(p, "IpAddressType").is_some_and(|kind| kind != "ipv4") {
            return Err(config("the local cloud has IPv4 only"));
        }
        let tags = edge::tags(p, "Tags", "ValidationError")?;
        let (places, vpc) = places(cloud, p).await?;
        let groups = texts(p, "SecurityGroups");
        check_groups(cloud, &groups, &vpc).await?;
        let provisioning = cloud.site.timing.of(&timing::NLB_PROVISIONING);
        self.with(|s| {
            if let Some(have) = s.balancers.values().find(|b| b.name == name) {
                if have.places == places && have.scheme == scheme && have.groups == groups {
                    return Ok(json!({ "LoadBalancers": [have.describe()] }));
                }
                let message =
                    format!("A load balancer with the same name '{name}' exists, but with different settings");
                return Err(ApiError::new("DuplicateLoadBalancerName", message));
            }
            let region = &cloud.region;
            let made = Balancer {
                arn: format!(
                    "arn:aws:elasticloadbalancing:{region}:{ACCOUNT}:loadbalancer/net/{name}/{}",
                    ids::hex(16)
                ),
                name,
                address: free_address(s, cloud.site.octet)?,
                created: clock::now_iso(),
                active_at: Instant::now() + provisioning,
                scheme,
                vpc,
                places,
                groups,
                private_link: "on".into(),
                attributes: Attributes::balancer(),
                tags,
            };
            let answer = json!({ "LoadBalancers": [made.describe()] });
            s.balancers.insert(made.arn.clone(), made);
            Ok(answer)
        })
    }

    pub(super) fn describe_balancers(&self, p: &Value) -> ApiResult {
        let (arns, names) = (texts(p, "LoadBalancerArns"), texts(p, "Names"));
        let items = self.with(|s| {
            for arn in &arns {
                s.balancer(arn)?;
            }
            if let Some(name) = names.iter().find(|n| s.balancers.values().all(|b| b.name != **n)) {
                return Err(ApiError::new(
                    "LoadBalancerNotFound",
                    format!("Load balancers '[{name}]' not found"),
                ));
            }
            let all = arns.is_empty() && names.is_empty();
            let chosen = s
                .balancers
                .values()
                .filter(|b| all || arns.contains(&b.arn) || names.contains(&b.name));
            Ok(chosen.map(|b| (b.arn.clone(), b.describe())).collect())
        })?;
        page(p, "LoadBalancers", items)
    }

    pub(super) fn delete_balancer(&self, p: &Value) -> ApiResult {
        let arn = need(p, "LoadBalancerArn")?;
        self.with(|s| {
            let Some(found) = s.balancers.get(&arn) else {
                return Ok(json!({}));
            };
            if found.attributes.flag("deletion_protection.enabled") {
                let message = format!("Load balancer '{arn}' cannot be deleted because deletion protection is enabled");
                return Err(ApiError::new("OperationNotPermitted", message));
            }
            s.balancers.remove(&arn);
            s.listeners.retain(|_, l| l.balancer != arn);
            s.rewire();
            Ok(json!({}))
        })
    }

    pub(super) fn modify_balancer_attributes(&self, p: &Value) -> ApiResult {
        let arn = need(p, "LoadBalancerArn")?;
        self.with(|s| {
            let found = s.balancer(&arn)?;
            found.attributes.modify(p)?;
            let attributes = found.attributes.describe();
            let cross_zone = found.attributes.flag("load_balancing.cross_zone.enabled");
            for listener in s.listeners.values().filter(|l| l.balancer == arn) {
                listener.front.configure(|f| f.cross_zone = cross_zone);
            }
            Ok(json!({ "Attributes": attributes }))
        })
    }

    pub(super) async fn set_security_groups(&self, cloud: &Arc<Cloud>, p: &Value) -> ApiResult {
        let arn = need(p, "LoadBalancerArn")?;
        let groups = texts(p, "SecurityGroups");
        let enforce = text(p, "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic");
        let enforce = enforce.map(|e| {
            one_of(
                "enforceSecurityGroupInboundRulesOnPrivateLinkTraffic",
                e,
                &["on", "off"],
            )
        });
        let enforce = enforce.transpose()?;
        let vpc = self.with(|s| {
            let found = s.balancer(&arn)?;
            if found.groups.is_empty() {
                return Err(config(
                    "You cannot set security groups on a load balancer that was created without any",
                ));
            }
            Ok(found.vpc.clone())
        })?;
        if groups.is_empty() {
            return Err(config("a load balancer with security groups must keep at least one"));
        }
        check_groups(cloud, &groups, &vpc).await?;
        self.with(|s| {
            let found = s.balancer(&arn)?;
            found.groups = groups;
            found.private_link = enforce.unwrap_or_else(|| found.private_link.clone());
            Ok(json!({
                "SecurityGroupIds": found.groups,
                "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic": found.private_link,
            }))
        })
    }

    pub(super) async fn set_subnets(&self, cloud: &Arc<Cloud>, p: &Value) -> ApiResult {
        let arn = need(p, "LoadBalancerArn")?;
        if text(p, "IpAddressType").is_some_and(|kind| kind != "ipv4") {
            return Err(config("the local cloud has IPv4 only"));
        }
        let (places, vpc) = places(cloud, p).await?;
        self.with(|s| {
            let found = s.balancer(&arn)?;
            if found.vpc != vpc {
                return Err(config(format!("the subnets are not in VPC '{}'", found.vpc)));
            }
            // AWS: a subnet has to leave its zone before another one of the zone can come, in a call of its own.
            for new in places.iter().filter(|new| !found.places.contains(new)) {
                if found.places.iter().any(|have| have.zone == new.zone) {
                    return Err(config(format!(
                        "You cannot specify an additional subnet from an Availability Zone that is already associated with the load \
                         balancer. The Availability Zone '{}' corresponding to the new subnet '{}' is already associated with the load \
                         balancer.",
                        new.zone, new.subnet
                    )));
                }
            }
            found.places = places;
            let answer = json!({ "AvailabilityZones": found.zones(), "IpAddressType": "ipv4" });
            s.rewire();
            Ok(answer)
        })
    }
}

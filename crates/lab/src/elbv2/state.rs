//! Load balancers, target groups and listeners as data, with the running parts that they own.

use super::attributes::Attributes;
use crate::api::ApiError;
use crate::edge;
use crate::nlb::{Front, Pool, Usage};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

/// Hosted zone of network load balancers in eu-west-1; the local cloud has no DNS.
const HOSTED_ZONE: &str = "Z2IFOLAFXWLO4F";

/// A subnet of a load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(crate) subnet: String,
    pub(crate) zone: String,
}

pub(super) struct Balancer {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) created: String,
    pub(crate) active_at: Instant,
    pub(crate) scheme: String,
    pub(crate) vpc: String,
    pub(crate) places: Vec<Place>,
    pub(crate) groups: Vec<String>,
    pub(crate) private_link: String,
    pub(crate) attributes: Attributes,
    pub(crate) tags: Vec<(String, String)>,
}

/// Health check as it was asked for, in AWS's units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HealthCheck {
    pub(crate) protocol: String,
    pub(crate) port: String,
    pub(crate) path: Option<String>,
    pub(crate) codes: Option<String>,
    pub(crate) interval: u32,
    pub(crate) timeout: u32,
    pub(crate) healthy: u32,
    pub(crate) unhealthy: u32,
}

pub(super) struct Group {
    pub(crate) arn: String,
    pub name: String,
    pub(crate) port: u16,
    pub(crate) vpc: String,
    pub(crate) kind: String,
    pub(crate) check: HealthCheck,
    pub(crate) attributes: Attributes,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) pool: Arc<Pool>,
}

pub(super) struct Listener {
    pub(crate) arn: String,
    pub(crate) balancer: String,
    pub(crate) port: u16,
    pub(crate) group: String,
    pub(crate) attributes: Attributes,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) front: Front,
}

/// Everything that the service knows.
#[derive(Default)]
pub(super) struct State {
    pub(crate) balancers: BTreeMap<String, Balancer>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) listeners: BTreeMap<String, Listener>,
}

impl Balancer {
    pub(super) fn zones(&self) -> Value {
        let zone = |p: &Place| json!({ "ZoneName": p.zone, "SubnetId": p.subnet, "LoadBalancerAddresses": [] });
        self.places.iter().map(zone).collect()
    }

    /// The wire shape `LoadBalancer`.
    pub(super) fn describe(&self) -> Value {
        let code = if Instant::now() >= self.active_at {
            "active"
        } else {
            "provisioning"
        };
        let mut value = json!({
            "LoadBalancerArn": self.arn,
            "DNSName": self.address.to_string(),
            "CanonicalHostedZoneId": HOSTED_ZONE,
            "CreatedTime": self.created,
            "LoadBalancerName": self.name,
            "Scheme": self.scheme,
            "VpcId": self.vpc,
            "State": { "Code": code },
            "Type": "network",
            "AvailabilityZones": self.zones(),
            "SecurityGroups": self.groups,
            "IpAddressType": "ipv4",
        });
        if !self.groups.is_empty() {
            value["EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"] = json!(self.private_link);
        }
        value
    }
}

impl Group {
    /// The wire shape `TargetGroup`.
    pub(super) fn describe(&self, balancers: BTreeSet<String>) -> Value {
        let check = &self.check;
        let mut value = json!({
            "TargetGroupArn": self.arn,
            "TargetGroupName": self.name,
            "Protocol": "TCP",
            "Port": self.port,
            "VpcId": self.vpc,
            "HealthCheckProtocol": check.protocol,
            "HealthCheckPort": check.port,
            "HealthCheckEnabled": true,
            "HealthCheckIntervalSeconds": check.interval,
            "HealthCheckTimeoutSeconds": check.timeout,
            "HealthyThresholdCount": check.healthy,
            "UnhealthyThresholdCount": check.unhealthy,
            "LoadBalancerArns": balancers,
            "TargetType": self.kind,
            "IpAddressType": "ipv4",
        });
        if let Some(path) = &check.path {
            value["HealthCheckPath"] = json!(path);
        }
        if let Some(codes) = &check.codes {
            value["Matcher"] = json!({ "HttpCode": codes });
        }
        value
    }
}

impl Listener {
    /// The wire shape `Listener`.
    pub(super) fn describe(&self) -> Value {
        json!({
            "ListenerArn": self.arn,
            "LoadBalancerArn": self.balancer,
            "Port": self.port,
            "Protocol": "TCP",
            "DefaultActions": [{
                "Type": "forward",
                "TargetGroupArn": self.group,
                "ForwardConfig": { "TargetGroups": [{ "TargetGroupArn": self.group }] },
            }],
        })
    }
}

impl State {
    pub(super) fn balancer(&mut self, arn: &str) -> Result<&mut Balancer, ApiError> {
        let missing = || ApiError::new("LoadBalancerNotFound", format!("Load balancer '{arn}' not found"));
        self.balancers.get_mut(arn).ok_or_else(missing)
    }

    pub(super) fn group(&mut self, arn: &str) -> Result<&mut Group, ApiError> {
        let missing = || ApiError::new("TargetGroupNotFound", format!("Target group '{arn}' not found"));
        self.groups.get_mut(arn).ok_or_else(missing)
    }

    pub(super) fn listener(&mut self, arn: &str) -> Result<&mut Listener, ApiError> {
        let missing = || ApiError::new("ListenerNotFound", format!("Listener '{arn}' not found"));
        self.listeners.get_mut(arn).ok_or_else(missing)
    }

    /// Tags of a resource by its ARN.
    pub(super) fn tags(&mut self, arn: &str) -> Result<&mut Vec<(String, String)>, ApiError> {
        if arn.contains(":listener/") {
            return self.listener(arn).map(|l| &mut l.tags);
        }
        if arn.contains(":targetgroup/") {
            return self.group(arn).map(|g| &mut g.tags);
        }
        self.balancer(arn).map(|b| &mut b.tags)
    }

    /// Load balancers that forward to a target group.
    pub(super) fn users(&self, group: &str) -> BTreeSet<String> {
        let uses = self.listeners.values().filter(|l| l.group == group);
        uses.map(|l| l.balancer.clone()).collect()
    }

    /// Tells the data plane which groups are used where; called after every change of what refers to what.
    pub(super) fn rewire(&self) {
        for group in self.groups.values() {
            let users = self.users(&group.arn);
            let balancers = users.iter().filter_map(|arn| self.balancers.get(arn));
            let zones: BTreeSet<String> = balancers.flat_map(|b| &b.places).map(|p| p.zone.clone()).collect();
            group.pool.set_usage((!users.is_empty()).then_some(Usage { zones }));
        }
    }

    /// The tag list of a resource in the shape `TagDescription`.
    pub(super) fn tag_description(&mut self, arn: &str) -> Result<Value, ApiError> {
        Ok(json!({ "ResourceArn": arn, "Tags": edge::tag_list(self.tags(arn)?) }))
    }
}

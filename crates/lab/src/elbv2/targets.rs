//! Registration of targets and their health.

use super::service::{Elb, need, within};
use crate::api::{ApiError, ApiResult, Cloud, list, only, text};
use crate::ec2;
use crate::edge;
use crate::nlb::{ANY_ZONE, TargetKey, TargetReport};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;

fn bad_target(message: String) -> ApiError {
    ApiError::new("InvalidTarget", message)
}

/// `Targets` of a request; the port is the group's when it is left out.
fn targets(p: &Value, default_port: u16) -> Result<Vec<TargetKey>, ApiError> {
    list(p, "Targets")
        .iter()
        .map(|target| {
            only(target, &["Id", "Port", "AvailabilityZone"])?;
            let port = within(target, "Port", 1, 65_535)?.map_or(default_port, |n| n as u16);
            Ok((need(target, "Id")?, port))
        })
        .collect()
}

fn describe(report: &TargetReport) -> Value {
    let mut health = json!({ "State": report.state });
    if let Some(reason) = report.reason {
        health["Reason"] = json!(reason);
    }
    if let Some(description) = &report.description {
        health["Description"] = json!(description);
    }
    json!({
        "Target": { "Id": report.key.0, "Port": report.key.1 },
        "HealthCheckPort": report.check_port.to_string(),
        "TargetHealth": health,
    })
}

impl Elb {
    /// Address and zone of a target.
    async fn resolve(cloud: &Arc<Cloud>, kind: &str, vpc: &str, id: &str) -> Result<(Ipv4Addr, String), ApiError> {
        if kind == "ip" {
            let address: Option<Ipv4Addr> = id.parse().ok().filter(Ipv4Addr::is_loopback);
            let missing = || {
                bad_target(format!(
                    "'{id}' is not a loopback address; the local cloud forwards only to loopback addresses"
                ))
            };
            let address = address.ok_or_else(missing)?;
            // An address of the VPC is in the zone of its subnet; one that no instance of a lab can have is in all of them.
            let zone = ec2::zone_of(&cloud.region, cloud.site.octet, address);
            return Ok((address, zone.unwrap_or_else(|| ANY_ZONE.into())));
        }
        let facts = edge::instance(cloud, id).await.map_err(|error| match error.status {
            500.. => error,
            _ => bad_target(format!("The following targets are not valid instances: '{id}'")),
        })?;
        if facts.vpc != vpc {
            return Err(bad_target(format!(
                "The following targets are not in the target group VPC '{vpc}': '{id}'"
            )));
        }
        match facts.address {
            Some(address) if facts.state == "running" => Ok((address, facts.zone)),
            _ => Err(bad_target(format!(
                "The following targets are not in a running state and cannot be registered: '{id}'"
            ))),
        }
    }

    pub(super) async fn register_targets(&self, cloud: &Arc<Cloud>, p: &Value) -> ApiResult {
        let arn = need(p, "TargetGroupArn")?;
        let (port, kind, vpc) = self.with(|s| s.group(&arn).map(|g| (g.port, g.kind.clone(), g.vpc.clone())))?;
        let targets = targets(p, port)?;
        if targets.is_empty() {
            return Err(ApiError::new("ValidationError", "Targets must be specified"));
        }
        let mut resolved = Vec::new();
        for key in targets {
            let (address, zone) = Self::resolve(cloud, &kind, &vpc, &key.0).await?;
            resolved.push((key, address, zone));
        }
        let pool = self.with(|s| s.group(&arn).map(|g| g.pool.clone()))?;
        for (key, address, zone) in resolved {
            pool.register(key, address, zone);
        }
        Ok(json!({}))
    }

    pub(super) fn deregister_targets(&self, p: &Value) -> ApiResult {
        let arn = need(p, "TargetGroupArn")?;
        let (port, pool) = self.with(|s| s.group(&arn).map(|g| (g.port, g.pool.clone())))?;
        let targets = targets(p, port)?;
        if let Some((id, _)) = targets.iter().find(|key| !pool.contains(key)) {
            return Err(bad_target(format!("The following targets are not registered: '{id}'")));
        }
        for key in targets {
            pool.deregister(&key);
        }
        Ok(json!({}))
    }

    pub(super) fn describe_target_health(&self, p: &Value) -> ApiResult {
        let arn = need(p, "TargetGroupArn")?;
        let (port, pool) = self.with(|s| s.group(&arn).map(|g| (g.port, g.pool.clone())))?;
        let asked = targets(p, port)?;
        let mut reports = pool.report();
        if !asked.is_empty() {
            let found = |key: TargetKey| {
                let not_registered = TargetReport {
                    check_port: key.1,
                    state: "unused",
                    reason: Some("Target.NotRegistered"),
                    description: Some("Target is not registered to the target group".into()),
                    key: key.clone(),
                };
                reports.iter().find(|r| r.key == key).cloned().unwrap_or(not_registered)
            };
            reports = asked.into_iter().map(found).collect();
        }
        // anomalies are detected for application load balancers only
        let include = text(p, "Include").is_some() || !list(p, "Include").is_empty();
        let mut described: Vec<Value> = reports.iter().map(describe).collect();
        if include {
            for one in &mut described {
                one["AnomalyDetection"] = json!({ "Result": "normal", "MitigationInEffect": "no" });
            }
        }
        Ok(json!({ "TargetHealthDescriptions": described }))
    }
}

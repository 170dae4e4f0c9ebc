//! Actions on target groups.

use super::attributes::Attributes;
use super::service::{Elb, config, invalid, name, need, one_of, page, within};
use super::state::{Group, HealthCheck};
use crate::api::{ACCOUNT, ApiError, ApiResult, Cloud, only, text, texts};
use crate::nlb::health::Thresholds;
use crate::nlb::routing::MinimumHealthy;
use crate::nlb::{self, CheckPort, CheckSettings, Pool, PoolSettings, Probe};
use crate::timing::{self, Timing};
use crate::{edge, ids};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A check on loopback answers at once or not at all, but a busy machine must not fail it: never scaled below this.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(500);

/// The health check of a request, on top of `have` or of AWS's defaults.
fn health_check(p: &Value, have: Option<&HealthCheck>) -> Result<HealthCheck, ApiError> {
    if text(p, "HealthCheckEnabled").is_some_and(|enabled| enabled != "true") {
        return Err(config(
            "Health checks cannot be disabled for target groups of instances and addresses",
        ));
    }
    let protocol = match text(p, "HealthCheckProtocol") {
        Some(protocol) => one_of("healthCheckProtocol", protocol, &["TCP", "HTTP", "HTTPS"])?,
        None => have.map_or("TCP".into(), |h| h.protocol.clone()),
    };
    if protocol == "HTTPS" {
        return Err(config("the local cloud checks health with TCP and HTTP only"));
    }
    let http = protocol == "HTTP";
    let port = text(p, "HealthCheckPort")
        .or(have.map(|h| h.port.clone()))
        .unwrap_or("traffic-port".into());
    if port != "traffic-port" && !port.parse::<u16>().is_ok_and(|n| n > 0) {
        return Err(invalid(format!(
            "Health check port '{port}' must be in the range 1-65535 or 'traffic-port'"
        )));
    }
    let (path, matcher) = (text(p, "HealthCheckPath"), p.get("Matcher").filter(|m| !m.is_null()));
    if !http && (path.is_some() || matcher.is_some()) {
        return Err(config("HealthCheckPath and Matcher need a health check over HTTP"));
    }
    if let Some(matcher) = matcher {
        only(matcher, &["HttpCode"])?;
    }
    let path = path.or(have.and_then(|h| h.path.clone())).unwrap_or("/".into());
    if !path.starts_with('/') || path.len() > 1024 || path.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(invalid(format!(
            "Health check path '{path}' must begin with '/' and have no blanks"
        )));
    }
    let codes = matcher
        .and_then(|m| text(m, "HttpCode"))
        .or(have.and_then(|h| h.codes.clone()));
    let codes = codes.unwrap_or("200-399".into());
    if nlb::matcher(&codes).is_none() {
        return Err(invalid(format!(
            "Health check matcher '{codes}' must hold codes between 200 and 599"
        )));
    }
    let check = HealthCheck {
        port,
        path: http.then_some(path),
        codes: http.then_some(codes),
        interval: within(p, "HealthCheckIntervalSeconds", 5, 300)?
            .or(have.map(|h| h.interval))
            .unwrap_or(30),
        timeout: within(p, "HealthCheckTimeoutSeconds", 2, 120)?
            .or(have.map(|h| h.timeout))
            .unwrap_or(if http { 6 } else { 10 }),
        healthy: within(p, "HealthyThresholdCount", 2, 10)?
            .or(have.map(|h| h.healthy))
            .unwrap_or(5),
        unhealthy: within(p, "UnhealthyThresholdCount", 2, 10)?
            .or(have.map(|h| h.unhealthy))
            .unwrap_or(2),
        protocol,
    };
    if check.timeout > check.interval {
        return Err(invalid(format!(
            "Health check timeout '{}' must be smaller than or equal to the interval '{}'",
            check.timeout, check.interval
        )));
    }
    Ok(check)
}

/// What the data plane runs: periods and delays by the lab's timing, limits on clients as they are.
fn pool_settings(timing: Timing, check: &HealthCheck, attributes: &Attributes) -> PoolSettings {
    let period = |seconds: u32| timing.period(Duration::from_secs(seconds.into()));
    let number = |key: &str| attributes.number(key) as usize;
    PoolSettings {
        check: CheckSettings {
            probe: match &check.path {
                None => Probe::Tcp,
                Some(path) => Probe::Http {
                    path: path.clone(),
                    codes: check.codes.as_deref().and_then(nlb::matcher).unwrap_or_default(),
                },
            },
            port: check.port.parse().map_or(CheckPort::Traffic, CheckPort::Fixed),
            interval: period(check.interval),
            timeout: period(check.timeout).max(SHORTEST_TIMEOUT),
            thresholds: Thresholds {
                healthy: check.healthy,
                unhealthy: check.unhealthy,
            },
        },
        registration: timing.of(&timing::NLB_REGISTRATION),
        deregistration: period(attributes.number("deregistration_delay.timeout_seconds")),
        reset_deregistered: attributes.flag("deregistration_delay.connection_termination.enabled"),
        reset_unhealthy: attributes.flag("target_health_state.unhealthy.connection_termination.enabled"),
        unhealthy_draining: period(attributes.number("target_health_state.unhealthy.draining_interval_seconds")),
        cross_zone: attributes.get("load_balancing.cross_zone.enabled").parse().ok(),
        minimum_healthy: MinimumHealthy {
            count: number("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count"),
            percent: number("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage"),
        },
        sticky: attributes.flag("stickiness.enabled"),
        proxy_protocol: attributes.flag("proxy_protocol_v2.enabled"),
    }
}

impl Elb {
    pub(super) async fn create_group(&self, cloud: &Arc<Cloud>, p: &Value) -> ApiResult {
        let name = name(p, "target group")?;
        let protocol = need(p, "Protocol")?;
        let all = [
            "HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC",
        ];
        if one_of("protocol", protocol, &all)? != "TCP" {
            return Err(config("the local cloud forwards TCP only"));
        }
        let port = within(p, "Port", 1, 65_535)?.ok_or_else(|| invalid("A port must be specified"))?;
        let kind = text(p, "TargetType").unwrap_or_else(|| "instance".into());
        let kind = one_of("targetType", kind, &["instance", "ip", "lambda", "alb"])?;
        if !["instance", "ip"].contains(&kind.as_str()) {
            return Err(config(format!("the local cloud has no targets of type {kind}")));
        }
        if text(p, "IpAddressType").is_some_and(|kind| kind != "ipv4") {
            return Err(config("the local cloud has IPv4 only"));
        }
        let check = health_check(p, None)?;
        let tags = edge::tags(p, "Tags", "ValidationError")?;
        let vpc = text(p, "VpcId").ok_or_else(|| invalid("A VPC ID must be specified"))?;
        if !edge::vpc_exists(cloud, &vpc).await {
            return Err(invalid(format!("The VPC ID '{vpc}' is not found")));
        }
        let attributes = Attributes::group();
        let settings = pool_settings(cloud.site.timing, &check, &attributes);
        self.with(|s| {
            if let Some(have) = s.groups.values().find(|g| g.name == name) {
                if have.check == check && (have.port, &have.vpc, &have.kind) == (port as u16, &vpc, &kind) {
                    return Ok(json!({ "TargetGroups": [have.describe(s.users(&have.arn))] }));
                }
                let message = format!("A target group with the same name '{name}' exists, but with different settings");
                return Err(ApiError::new("DuplicateTargetGroupName", message));
            }
            let region = &cloud.region;
            let made = Group {
                arn: format!(
                    "arn:aws:elasticloadbalancing:{region}:{ACCOUNT}:targetgroup/{name}/{}",
                    ids::hex(16)
                ),
                name,
                port: port as u16,
                vpc,
                kind,
                check,
                attributes,
                tags,
                pool: Pool::new(settings, cloud.network.clone()),
            };
            let answer = json!({ "TargetGroups": [made.describe(Default::default())] });
            s.groups.insert(made.arn.clone(), made);
            Ok(answer)
        })
    }

    pub(super) fn modify_group(&self, cloud: &Arc<Cloud>, p: &Value) -> ApiResult {
        let arn = need(p, "TargetGroupArn")?;
        self.with(|s| {
            let users = s.users(&arn);
            let found = s.group(&arn)?;
            found.check = health_check(p, Some(&found.check))?;
            found
                .pool
                .configure(pool_settings(cloud.site.timing, &found.check, &found.attributes));
            Ok(json!({ "TargetGroups": [found.describe(users)] }))
        })
    }

    pub(super) fn modify_group_attributes(&self, cloud: &Arc<Cloud>, p: &Value) -> ApiResult {
        let arn = need(p, "TargetGroupArn")?;
        self.with(|s| {
            let found = s.group(&arn)?;
            found.attributes.modify(p)?;
            found
                .pool
                .configure(pool_settings(cloud.site.timing, &found.check, &found.attributes));
            Ok(json!({ "Attributes": found.attributes.describe() }))
        })
    }

    pub(super) fn describe_groups(&self, p: &Value) -> ApiResult {
        let (arns, names, balancer) = (
            texts(p, "TargetGroupArns"),
            texts(p, "Names"),
            text(p, "LoadBalancerArn"),
        );
        let items = self.with(|s| {
            for arn in &arns {
                s.group(arn)?;
            }
            if let Some(name) = names.iter().find(|n| s.groups.values().all(|g| g.name != **n)) {
                return Err(ApiError::new(
                    "TargetGroupNotFound",
                    format!("Target groups '[{name}]' not found"),
                ));
            }
            if let Some(balancer) = &balancer {
                s.balancer(balancer)?;
            }
            let all = arns.is_empty() && names.is_empty();
            let mut items = Vec::new();
            for group in s.groups.values() {
                let users = s.users(&group.arn);
                let named = all || arns.contains(&group.arn) || names.contains(&group.name);
                if named && balancer.as_ref().is_none_or(|b| users.contains(b)) {
                    items.push((group.arn.clone(), group.describe(users)));
                }
            }
            Ok(items)
        })?;
        page(p, "TargetGroups", items)
    }

    pub(super) fn delete_group(&self, p: &Value) -> ApiResult {
        let arn = need(p, "TargetGroupArn")?;
        self.with(|s| {
            if !s.users(&arn).is_empty() {
                let message = format!("Target group '{arn}' is currently in use by a listener or a rule");
                return Err(ApiError::new("ResourceInUse", message));
            }
            s.groups.remove(&arn);
            Ok(json!({}))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_checks_obey_their_ranges() {
        for (params, ok) in [
            (json!({}), true),
            (
                json!({"HealthCheckIntervalSeconds": "5", "HealthCheckTimeoutSeconds": "5"}),
                true,
            ),
            (
                json!({"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2}),
                true,
            ),
            (json!({"HealthCheckIntervalSeconds": 5}), false),
            (
                json!({"HealthCheckIntervalSeconds": 4, "HealthCheckTimeoutSeconds": 2}),
                false,
            ),
            (json!({"HealthCheckIntervalSeconds": 301}), false),
            (json!({"HealthCheckTimeoutSeconds": 1}), false),
            (json!({"HealthyThresholdCount": 1}), false),
            (json!({"UnhealthyThresholdCount": 11}), false),
            (json!({"UnhealthyThresholdCount": "many"}), false),
            (json!({"HealthCheckPort": "traffic-port"}), true),
            (json!({"HealthCheckPort": "9100"}), true),
            (json!({"HealthCheckPort": "0"}), false),
            (json!({"HealthCheckProtocol": "UDP"}), false),
            (json!({"HealthCheckPath": "/x"}), false),
            (
                json!({"HealthCheckProtocol": "HTTP", "HealthCheckPath": "/x", "Matcher": {"HttpCode": "200"}}),
                true,
            ),
            (json!({"HealthCheckProtocol": "HTTP", "HealthCheckPath": "x"}), false),
            (
                json!({"HealthCheckProtocol": "HTTP", "Matcher": {"HttpCode": "700"}}),
                false,
            ),
            (
                json!({"HealthCheckProtocol": "HTTP", "Matcher": {"GrpcCode": "0"}}),
                false,
            ),
            (json!({"HealthCheckEnabled": "false"}), false),
        ] {
            assert_eq!(health_check(&params, None).is_ok(), ok, "{params}");
        }
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let first = health_check(
            &json!({"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2}),
            None,
        )
        .unwrap();
        let second = health_check(&json!({"HealthyThresholdCount": 2}), Some(&first)).unwrap();
        assert_eq!((second.interval, second.timeout, second.healthy), (5, 2, 2));
    }

    #[test]
    fn fast_timing_scales_periods_but_not_below_what_a_check_needs() {
        let check = health_check(
            &json!({"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2}),
            None,
        )
        .unwrap();
        let fast = pool_settings(Timing::Fast, &check, &Attributes::group());
        assert_eq!(
            (fast.check.interval, fast.deregistration),
            (Duration::from_millis(100), Duration::from_secs(6))
        );
        assert_eq!(fast.check.timeout, SHORTEST_TIMEOUT);
        let aws = pool_settings(Timing::Aws, &check, &Attributes::group());
        assert_eq!(
            (aws.check.interval, aws.check.timeout),
            (Duration::from_secs(5), Duration::from_secs(2))
        );
    }
}

//! Actions on listeners.

use super::attributes::Attributes;
use super::service::{Elb, config, invalid, need, one_of, page, within};
use super::state::{Listener, State};
use crate::api::{ACCOUNT, ApiError, ApiResult, Cloud, list, only, text, texts};
use crate::nlb::{Front, FrontSettings};
use crate::{edge, ids};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const IDLE: &str = "tcp.idle_timeout.seconds";

/// The target group of `DefaultActions`: one forward action to one group.
fn forward_group(p: &Value) -> Result<Option<String>, ApiError> {
    let actions = list(p, "DefaultActions");
    let [action] = actions.as_slice() else {
        return match actions.len() {
            0 => Ok(None),
            _ => Err(ApiError::new(
                "TooManyActions",
                "You must specify exactly one default action",
            )),
        };
    };
    only(action, &["Type", "TargetGroupArn", "Order", "ForwardConfig"])?;
    if text(action, "Type").as_deref() != Some("forward") {
        return Err(ApiError::new(
            "InvalidLoadBalancerAction",
            "a TCP listener has actions of type forward only",
        ));
    }
    let config_groups = match action.get("ForwardConfig") {
        None | Some(Value::Null) => Vec::new(),
        Some(config) => list(config, "TargetGroups"),
    };
    let mut groups: Vec<String> = config_groups.iter().filter_map(|g| text(g, "TargetGroupArn")).collect();
    groups.extend(text(action, "TargetGroupArn"));
    groups.dedup();
    match groups.as_slice() {
        [group] => Ok(Some(group.clone())),
        _ => Err(config(
            "the local cloud forwards a listener to exactly one target group",
        )),
    }
}

fn tcp_only(p: &Value) -> Result<(), ApiError> {
    let Some(protocol) = text(p, "Protocol") else {
        return Ok(());
    };
    let all = [
        "HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC",
    ];
    if one_of("protocol", protocol.clone(), &all)? != "TCP" {
        let message = format!("the local cloud has no listeners for protocol {protocol}");
        return Err(ApiError::new("UnsupportedProtocol", message));
    }
    Ok(())
}

/// What a front does for a listener of `balancer` that forwards to `group`.
fn front_settings(s: &mut State, balancer: &str, group: &str, idle: u32) -> Result<FrontSettings, ApiError> {
    let users = s.users(group);
    if users.iter().any(|u| u != balancer) {
        let message = format!("Target group '{group}' is used by another load balancer");
        return Err(ApiError::new("TargetGroupAssociationLimit", message));
    }
    let (vpc, pool) = s.group(group).map(|g| (g.vpc.clone(), g.pool.clone()))?;
    let balancer = s.balancer(balancer)?;
    if balancer.vpc != vpc {
        return Err(config(format!(
            "Target group '{group}' is not in VPC '{}'",
            balancer.vpc
        )));
    }
    Ok(FrontSettings {
        pool,
        cross_zone: balancer.attributes.flag("load_balancing.cross_zone.enabled"),
        // a limit on the client's own timers, which no timing scales
        idle: Duration::from_secs(idle.into()),
        active_at: balancer.active_at,
    })
}

async fn bind(address: SocketAddr, settings: FrontSettings) -> Result<Front, ApiError> {
    Front::start(address, settings).await.map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                format!(
                    "another process already listens on port {}; stop it, or choose a different port",
                    address.port()
                )
            }
            std::io::ErrorKind::PermissionDenied => "ports below 1024 require root in the local cloud".into(),
            _ => error.to_string(),
        };
        ApiError::new("InternalFailure", format!("cannot listen on {address}: {why}")).status(500)
    })
}

impl Elb {
    pub(super) async fn create_listener(&self, cloud: &Arc<Cloud>, p: &Value) -> ApiResult {
        let balancer = need(p, "LoadBalancerArn")?;
        tcp_only(p)?;
        if text(p, "Protocol").is_none() {
            return Err(invalid("A protocol must be specified"));
        }
        let port = within(p, "Port", 1, 65_535)?.ok_or_else(|| invalid("A port must be specified"))? as u16;
        let group = forward_group(p)?.ok_or_else(|| invalid("DefaultActions must be specified"))?;
        let tags = edge::tags(p, "Tags", "ValidationError")?;
        let attributes = Attributes::listener();
        let (address, settings, tail) = self.with(|s| {
            let found = s.balancer(&balancer)?;
            let address = SocketAddr::from((found.address, port));
            let tail = found.arn.rsplit_once("loadbalancer/").map(|(_, tail)| tail.to_owned());
            let tail = tail.unwrap_or_default();
            if s.listeners.values().any(|l| l.balancer == balancer && l.port == port) {
                let message = format!("A listener already exists on port {port} of load balancer '{balancer}'");
                return Err(ApiError::new("DuplicateListener", message));
            }
            let settings = front_settings(s, &balancer, &group, attributes.number(IDLE))?;
            Ok((address, settings, tail))
        })?;
        let front = bind(address, settings).await?;
        self.with(|s| {
            // deleted while the port was bound
            s.balancer(&balancer)?;
            s.group(&group)?;
            let region = &cloud.region;
            let made = Listener {
                arn: format!(
                    "arn:aws:elasticloadbalancing:{region}:{ACCOUNT}:listener/{tail}/{}",
                    ids::hex(16)
                ),
                balancer,
                port,
                group,
                attributes,
                tags,
                front,
            };
            let answer = json!({ "Listeners": [made.describe()] });
            s.listeners.insert(made.arn.clone(), made);
            s.rewire();
            Ok(answer)
        })
    }

    pub(super) async fn modify_listener(&self, p: &Value) -> ApiResult {
        let arn = need(p, "ListenerArn")?;
        tcp_only(p)?;
        let group = forward_group(p)?;
        let port = within(p, "Port", 1, 65_535)?.map(|n| n as u16);
        let (moved, settings) = self.with(|s| {
            let found = s.listener(&arn)?;
            let (balancer, old_port, idle) = (found.balancer.clone(), found.port, found.attributes.number(IDLE));
            let group = group.clone().unwrap_or_else(|| found.group.clone());
            let port = port.unwrap_or(old_port);
            if s.listeners
                .values()
                .any(|l| l.arn != arn && l.balancer == balancer && l.port == port)
            {
                let message = format!("A listener already exists on port {port} of load balancer '{balancer}'");
                return Err(ApiError::new("DuplicateListener", message));
            }
            let settings = front_settings(s, &balancer, &group, idle)?;
            let address = SocketAddr::from((s.balancer(&balancer)?.address, port));
            Ok(((port != old_port).then_some(address), settings))
        })?;
        let front = match moved {
            Some(address) => Some(bind(address, settings.clone()).await?),
            None => None,
        };
        self.with(|s| {
            let found = s.listener(&arn)?;
            found.group = group.unwrap_or_else(|| found.group.clone());
            found.port = port.unwrap_or(found.port);
            match front {
                Some(front) => found.front = front,
                None => found.front.configure(|have| *have = settings),
            }
            let answer = json!({ "Listeners": [found.describe()] });
            s.rewire();
            Ok(answer)
        })
    }

    pub(super) fn describe_listeners(&self, p: &Value) -> ApiResult {
        let (arns, balancer) = (texts(p, "ListenerArns"), text(p, "LoadBalancerArn"));
        if arns.is_empty() && balancer.is_none() {
            return Err(invalid("You must specify either listener ARNs or a load balancer ARN"));
        }
        let items = self.with(|s| {
            for arn in &arns {
                s.listener(arn)?;
            }
            if let Some(balancer) = &balancer {
                s.balancer(balancer)?;
            }
            let chosen = s.listeners.values().filter(|l| {
                (arns.is_empty() || arns.contains(&l.arn)) && balancer.as_ref().is_none_or(|b| l.balancer == *b)
            });
            Ok(chosen.map(|l| (l.arn.clone(), l.describe())).collect())
        })?;
        page(p, "Listeners", items)
    }

    pub(super) fn delete_listener(&self, p: &Value) -> ApiResult {
        let arn = need(p, "ListenerArn")?;
        self.with(|s| {
            s.listener(&arn)?;
            s.listeners.remove(&arn);
            s.rewire();
            Ok(json!({}))
        })
    }

    pub(super) fn modify_listener_attributes(&self, p: &Value) -> ApiResult {
        let arn = need(p, "ListenerArn")?;
        self.with(|s| {
            let found = s.listener(&arn)?;
            found.attributes.modify(p)?;
            let idle = Duration::from_secs(found.attributes.number(IDLE).into());
            found.front.configure(|f| f.idle = idle);
            Ok(json!({ "Attributes": found.attributes.describe() }))
        })
    }
}

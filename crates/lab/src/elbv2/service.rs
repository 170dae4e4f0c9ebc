//! The service: state, timing, instance events and the table of actions.

use super::state::State;
use crate::api::{ApiError, ApiResult, Call, Cloud, InstanceEvent, Service, only, texts, unknown_action};
use crate::edge;
use crate::nlb::Pool;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::broadcast::error::RecvError;

/// How long a connection that was forgotten may be silent until it is reset without a packet.
const SILENT: Duration = Duration::from_millis(100);

/// Elastic Load Balancing v2 of the local cloud.
pub(crate) struct Elb {
    state: Mutex<State>,
}

const CHECK: [&str; 9] = [
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckEnabled",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher",
];

/// Parameters of an action, `None` when there is no such action.
fn parameters(action: &str) -> Option<Vec<&'static str>> {
    let known: &[&str] = match action {
        "CreateLoadBalancer" => &[
            "Name",
            "Subnets",
            "SubnetMappings",
            "SecurityGroups",
            "Scheme",
            "Tags",
            "Type",
            "IpAddressType",
        ],
        "DescribeLoadBalancers" => &["LoadBalancerArns", "Names", "Marker", "PageSize"],
        "DeleteLoadBalancer" | "DescribeLoadBalancerAttributes" => &["LoadBalancerArn"],
        "ModifyLoadBalancerAttributes" => &["LoadBalancerArn", "Attributes"],
        "SetSecurityGroups" => &[
            "LoadBalancerArn",
            "SecurityGroups",
            "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic",
        ],
        "SetSubnets" => &["LoadBalancerArn", "Subnets", "SubnetMappings", "IpAddressType"],
        "CreateTargetGroup" => {
            let own = [
                "Name",
                "Protocol",
                "Port",
                "VpcId",
                "TargetType",
                "IpAddressType",
                "Tags",
            ];
            return Some([&own[..], &CHECK].concat());
        }
        "ModifyTargetGroup" => return Some([&["TargetGroupArn"][..], &CHECK].concat()),
        "DescribeTargetGroups" => &["LoadBalancerArn", "TargetGroupArns", "Names", "Marker", "PageSize"],
        "DeleteTargetGroup" | "DescribeTargetGroupAttributes" => &["TargetGroupArn"],
        "ModifyTargetGroupAttributes" => &["TargetGroupArn", "Attributes"],
        "CreateListener" => &["LoadBalancerArn", "Protocol", "Port", "DefaultActions", "Tags"],
        "ModifyListener" => &["ListenerArn", "Port", "Protocol", "DefaultActions"],
        "DescribeListeners" => &["LoadBalancerArn", "ListenerArns", "Marker", "PageSize"],
        "DeleteListener" | "DescribeListenerAttributes" => &["ListenerArn"],
        "ModifyListenerAttributes" => &["ListenerArn", "Attributes"],
        "RegisterTargets" | "DeregisterTargets" => &["TargetGroupArn", "Targets"],
        "DescribeTargetHealth" => &["TargetGroupArn", "Targets", "Include"],
        "AddTags" => &["ResourceArns", "Tags"],
        "RemoveTags" => &["ResourceArns", "TagKeys"],
        "DescribeTags" => &["ResourceArns"],
        _ => return None,
    };
    Some(known.to_vec())
}

impl Elb {
    /// Starts the service, which follows what happens to instances until the cloud ends.
    pub(crate) fn start(cloud: &Arc<Cloud>) -> Arc<Self> {
        let elb = Arc::new(Self {
            state: Mutex::default(),
        });
        let events = cloud.instance_events();
        tokio::spawn(follow_instances(Arc::downgrade(&elb), Arc::downgrade(cloud), events));
        tokio::spawn(super::metrics::send(Arc::downgrade(&elb), Arc::downgrade(cloud)));
        elb
    }

    /// Uses the state.
    pub(super) fn with<T>(&self, use_state: impl FnOnce(&mut State) -> T) -> T {
        use_state(&mut self.state.lock())
    }

    async fn act(&self, cloud: &Arc<Cloud>, call: &Call) -> ApiResult {
        let p = &call.params;
        let Some(known) = parameters(&call.action) else {
            return Err(unknown_action(call));
        };
        only(p, &known)?;
        match call.action.as_str() {
            "CreateLoadBalancer" => self.create_balancer(cloud, p).await,
            "DescribeLoadBalancers" => self.describe_balancers(p),
            "DeleteLoadBalancer" => self.delete_balancer(p),
            "ModifyLoadBalancerAttributes" => self.modify_balancer_attributes(p),
            "SetSecurityGroups" => self.set_security_groups(cloud, p).await,
            "SetSubnets" => self.set_subnets(cloud, p).await,
            "CreateTargetGroup" => self.create_group(cloud, p).await,
            "ModifyTargetGroup" => self.modify_group(cloud, p),
            "DescribeTargetGroups" => self.describe_groups(p),
            "DeleteTargetGroup" => self.delete_group(p),
            "ModifyTargetGroupAttributes" => self.modify_group_attributes(cloud, p),
            "CreateListener" => self.create_listener(cloud, p).await,
            "ModifyListener" => self.modify_listener(p).await,
            "DescribeListeners" => self.describe_listeners(p),
            "DeleteListener" => self.delete_listener(p),
            "ModifyListenerAttributes" => self.modify_listener_attributes(p),
            "RegisterTargets" => self.register_targets(cloud, p).await,
            "DeregisterTargets" => self.deregister_targets(p),
            "DescribeTargetHealth" => self.describe_target_health(p),
            "DescribeLoadBalancerAttributes" => self.with(|s| {
                let found = s.balancer(&need(p, "LoadBalancerArn")?)?;
                Ok(json!({ "Attributes": found.attributes.describe() }))
            }),
            "DescribeTargetGroupAttributes" => self.with(|s| {
                let found = s.group(&need(p, "TargetGroupArn")?)?;
                Ok(json!({ "Attributes": found.attributes.describe() }))
            }),
            "DescribeListenerAttributes" => self.with(|s| {
                let found = s.listener(&need(p, "ListenerArn")?)?;
                Ok(json!({ "Attributes": found.attributes.describe() }))
            }),
            _ => self.tag_action(&call.action, p),
        }
    }

    fn tag_action(&self, action: &str, p: &Value) -> ApiResult {
        let arns = texts(p, "ResourceArns");
        if arns.is_empty() {
            return Err(ApiError::new("ValidationError", "ResourceArns must be specified"));
        }
        let tags = edge::tags(p, "Tags", "ValidationError")?;
        let gone = texts(p, "TagKeys");
        self.with(|s| {
            // all must exist before any changes
            let described = arns
                .iter()
                .map(|arn| s.tag_description(arn))
                .collect::<Result<Vec<_>, _>>()?;
            if action == "DescribeTags" {
                return Ok(json!({ "TagDescriptions": described }));
            }
            for arn in &arns {
                let have = s.tags(arn)?;
                edge::put_tags(have, tags.clone());
                have.retain(|(k, _)| !gone.contains(k));
            }
            Ok(json!({}))
        })
    }

    fn pools(&self) -> Vec<Arc<Pool>> {
        self.with(|s| s.groups.values().map(|g| g.pool.clone()).collect())
    }

    /// Resets every connection to an instance, which is a target by its id or by its address; how many there were, and whether any of them is
    /// left after a time. As a load balancer that forgot its flows does, it discards the next packet of each; one that is silent is reset all
    /// the same after a while.
    pub(crate) async fn reset(&self, instance: &str, address: Ipv4Addr, limit: Duration) -> (usize, bool) {
        let instance = &[instance.to_owned(), address.to_string()];
        let pools = self.pools();
        let were = pools.iter().map(|pool| pool.forget(instance)).sum();
        let deadline = Instant::now() + limit;
        tokio::time::sleep(SILENT).await;
        for pool in &pools {
            pool.reset(instance);
        }
        let left = || pools.iter().any(|pool| pool.is_resetting(instance));
        while left() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (were, left())
    }

    /// Forgets every connection to an instance, as those that were idle for too long: the next packet of each is discarded, and answered by
    /// a reset. One on which nothing is sent stays as it is. How many there were.
    pub(crate) fn forget(&self, instance: &str, address: Ipv4Addr) -> usize {
        let instance = &[instance.to_owned(), address.to_string()];
        self.pools().iter().map(|pool| pool.forget(instance)).sum()
    }

    /// How many connections to an instance are forgotten and had no packet since.
    pub(crate) fn forgotten(&self, instance: &str, address: Ipv4Addr) -> usize {
        let instance = &[instance.to_owned(), address.to_string()];
        self.pools().iter().map(|pool| pool.forgotten(instance)).sum()
    }

    fn instance_state(&self, instance: &str, state: &str) {
        for pool in self.pools() {
            pool.instance_state(instance, state);
        }
    }
}

impl Service for Elb {
    fn call(self: Arc<Self>, cloud: Arc<Cloud>, call: Call) -> Pin<Box<dyn Future<Output = ApiResult> + Send>> {
        Box::pin(async move { self.act(&cloud, &call).await })
    }
}

async fn follow_instances(
    elb: Weak<Elb>,
    cloud: Weak<Cloud>,
    mut events: tokio::sync::broadcast::Receiver<InstanceEvent>,
) {
    loop {
        let event = events.recv().await;
        let Some(elb) = elb.upgrade() else { return };
        match event {
            Ok(InstanceEvent { instance, state }) => elb.instance_state(&instance, &state),
            Err(RecvError::Closed) => return,
            // some events are lost: ask about everything that is registered
            Err(RecvError::Lagged(_)) => {
                let ids: Vec<String> = elb.with(|s| s.groups.values().flat_map(|g| g.pool.ids()).collect());
                let Some(cloud) = cloud.upgrade() else { return };
                for id in ids {
                    if let Ok(facts) = edge::instance(&cloud, &id).await {
                        elb.instance_state(&id, &facts.state);
                    }
                }
            }
        }
    }
}

/// A required parameter.
pub(super) fn need(p: &Value, name: &str) -> Result<String, ApiError> {
    crate::api::text(p, name).ok_or_else(|| ApiError::new("ValidationError", format!("{name} must be specified")))
}

/// An error of the configuration.
pub(super) fn config(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidConfigurationRequest", message)
}

/// An error of the request.
pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", message)
}

/// Refuses a value that is not in the list.
pub(super) fn one_of(name: &str, value: String, allowed: &[&str]) -> Result<String, ApiError> {
    if allowed.contains(&value.as_str()) {
        return Ok(value);
    }
    Err(invalid(format!(
        "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: \
         Member must satisfy enum value set: [{}]",
        allowed.join(", ")
    )))
}

/// A whole number within a range.
pub(super) fn within(p: &Value, name: &str, low: u32, high: u32) -> Result<Option<u32>, ApiError> {
    let Some(given) = crate::api::text(p, name) else {
        return Ok(None);
    };
    match given.parse() {
        Ok(n) if (low..=high).contains(&n) => Ok(Some(n)),
        _ => Err(invalid(format!(
            "'{given}' at '{name}' must be a number from {low} to {high}"
        ))),
    }
}

/// A name of a load balancer or target group: 1 to 32 letters, digits and hyphens, no hyphen at either end.
pub(super) fn name(p: &Value, what: &str) -> Result<String, ApiError> {
    let name = need(p, "Name")?;
    let chars = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if name.is_empty() || name.len() > 32 || !chars || name.starts_with('-') || name.ends_with('-') {
        return Err(invalid(format!(
            "{what} name '{name}' must have 1 to 32 letters, digits and hyphens and no hyphen at either end"
        )));
    }
    Ok(name)
}

/// One page of a list: `PageSize` entries after `Marker`, and `NextMarker` when there are more.
pub(super) fn page(p: &Value, list: &str, items: Vec<(String, Value)>) -> ApiResult {
    let size = within(p, "PageSize", 1, 400)?.unwrap_or(400) as usize;
    let after = crate::api::text(p, "Marker");
    let mut rest = items
        .into_iter()
        .skip_while(|(id, _)| after.as_ref().is_some_and(|marker| id <= marker));
    let taken: Vec<(String, Value)> = rest.by_ref().take(size).collect();
    let next = rest.next().and_then(|_| taken.last().map(|(id, _)| id.clone()));
    let mut answer = json!({ list: taken.into_iter().map(|(_, v)| v).collect::<Vec<_>>() });
    if let Some(next) = next {
        answer["NextMarker"] = json!(next);
    }
    Ok(answer)
}

//! Metrics that a network load balancer sends to CloudWatch: how many targets are healthy.

use super::service::Elb;
use super::state::State;
use crate::api::{Caller, Cloud};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::{Duration, Instant};

/// How often the numbers are looked at, at most.
const LOOK: Duration = Duration::from_millis(500);

/// AWS sends a value every minute; three times as often leaves none of an alarm's periods without one.
const REPEAT: Duration = Duration::from_secs(20);

/// Load balancer and target group as dimensions.
type Key = (String, String);

/// Healthy and unhealthy targets of each group that is in use and has targets; AWS sends nothing for the others.
fn counts(state: &State) -> BTreeMap<Key, (usize, usize)> {
    let tail = |arn: &str, head: &str| {
        arn.split_once(head)
            .map(|(_, tail)| tail.to_owned())
            .unwrap_or_default()
    };
    let mut found = BTreeMap::new();
    for group in state.groups.values() {
        let reports = group.pool.report();
        if reports.is_empty() {
            continue;
        }
        let healthy = reports.iter().filter(|r| r.state == "healthy").count();
        let unhealthy = reports.iter().filter(|r| r.state.starts_with("unhealthy")).count();
        for balancer in state.users(&group.arn) {
            let target_group = format!("targetgroup/{}", tail(&group.arn, ":targetgroup/"));
            found.insert((tail(&balancer, ":loadbalancer/"), target_group), (healthy, unhealthy));
        }
    }
    found
}

fn data(counts: &BTreeMap<Key, (usize, usize)>) -> Vec<Value> {
    let mut data = Vec::new();
    for ((balancer, group), (healthy, unhealthy)) in counts {
        let dimensions =
            json!([{ "Name": "LoadBalancer", "Value": balancer }, { "Name": "TargetGroup", "Value": group }]);
        for (metric, value) in [("HealthyHostCount", healthy), ("UnHealthyHostCount", unhealthy)] {
            data.push(json!({ "MetricName": metric, "Dimensions": dimensions, "Value": value, "Unit": "Count" }));
        }
    }
    data
}

/// Sends the numbers when they change and at least every minute, until the service or the cloud is gone.
pub(super) async fn send(elb: Weak<Elb>, cloud: Weak<Cloud>) {
    let (mut before, mut last) = (BTreeMap::new(), Instant::now());
    let Some(repeat) = cloud.upgrade().map(|cloud| cloud.site.timing.period(REPEAT)) else {
        return;
    };
    loop {
        tokio::time::sleep(LOOK.min(repeat)).await;
        let (Some(elb), Some(cloud)) = (elb.upgrade(), cloud.upgrade()) else {
            return;
        };
        let now = elb.with(|s| counts(s));
        if now.is_empty() || (now == before && last.elapsed() < repeat) {
            continue;
        }
        let params = json!({ "Namespace": "AWS/NetworkELB", "MetricData": data(&now) });
        // what cannot be sent now is sent at the next look
        if cloud
            .call("monitoring", "PutMetricData", params, Caller::Admin)
            .await
            .is_ok()
        {
            (before, last) = (now, Instant::now());
        }
    }
}

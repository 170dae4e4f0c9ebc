//! A group's instances in its load balancer's target groups.

use super::control::LOOK;
use super::service::Autoscaling;
use crate::api::{Caller, Cloud, list};
use serde_json::json;
use std::sync::Arc;

/// Registers an instance with target groups, or takes it out.
pub(super) async fn change_targets(cloud: &Arc<Cloud>, targets: &[String], id: &str, register: bool) {
    let action = if register {
        "RegisterTargets"
    } else {
        "DeregisterTargets"
    };
    for arn in targets {
        let params = json!({"TargetGroupArn": arn, "Targets": [{"Id": id}]});
        if let Err(error) = cloud.call("elasticloadbalancing", action, params, Caller::Admin).await {
            tracing::warn!(target_group = %arn, instance = %id, %error, "{action} failed");
        }
    }
}

/// Waits while a target is draining and its instance runs.
pub(super) async fn until_drained(service: &Autoscaling, cloud: &Arc<Cloud>, targets: &[String], id: &str) {
    for arn in targets {
        while service.ec2.instance_state(id) == Some("running")
            && target_state(cloud, arn, id).await.as_deref() == Some("draining")
        {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// State of a target; none when it cannot be read or is not registered.
pub(super) async fn target_state(cloud: &Arc<Cloud>, arn: &str, id: &str) -> Option<String> {
    let params = json!({"TargetGroupArn": arn, "Targets": [{"Id": id}]});
    let answer = cloud
        .call("elasticloadbalancing", "DescribeTargetHealth", params, Caller::Admin)
        .await
        .ok()?;
    list(&answer, "TargetHealthDescriptions")
        .iter()
        .find(|d| d["Target"]["Id"] == id)
        .and_then(|d| d["TargetHealth"]["State"].as_str().map(str::to_owned))
}

//! Groups over real EC2 instances (without an agent) under fast timing.

use super::service::Autoscaling;
use crate::api::{Caller, Cloud, Site};
use crate::ec2::Ec2;
use crate::timing::Timing;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Lab {
    cloud: Arc<Cloud>,
    ec2: Arc<Ec2>,
    _dir: tempfile::TempDir,
}

impl Lab {
    async fn start(octet: u8) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let site = Site {
            id: crate::ids::uuid(),
            octet,
            port: 4566,
            dir: dir.path().to_owned(),
            timing: Timing::Fast,
            executable: "/bin/true".into(),
            standin_defect: None,
            software: Vec::new(),
            guests: None,
        };
        let cloud = Cloud::at("eu-west-1", site);
        let ec2 = Ec2::new("eu-west-1");
        cloud.add("ec2", ec2.clone());
        cloud.add("autoscaling", Autoscaling::start(&cloud, ec2.clone()));
        let data = json!({"ImageId": "ami-0aa55ed1ab0000001", "InstanceType": "m6i.large"});
        let lab = Self { cloud, ec2, _dir: dir };
        lab.call(
            "ec2",
            "CreateLaunchTemplate",
            json!({"LaunchTemplateName": "one", "LaunchTemplateData": data}),
        )
        .await;
        lab
    }

    async fn call(&self, service: &str, action: &str, params: Value) -> Value {
        let shown = params.to_string();
        let answer = self.cloud.call(service, action, params, Caller::Admin).await;
        answer.unwrap_or_else(|e| panic!("{action} {shown}: {e}"))
    }

    async fn create(&self, more: Value) {
        let subnets = self.call("ec2", "DescribeSubnets", json!({})).await;
        let ids: Vec<&str> = (0..2)
            .filter_map(|n| subnets["subnetSet"][n]["subnetId"].as_str())
            .collect();
        let mut params = json!({
            "AutoScalingGroupName": "g", "MinSize": "0", "MaxSize": "1", "DesiredCapacity": "1", "VPCZoneIdentifier": ids.join(","),
            "LaunchTemplate": {"LaunchTemplateName": "one", "Version": "1"},
            "Tags": [{"Key": "mqaws:stack", "Value": "s", "PropagateAtLaunch": "true"}],
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            params[key] = value.clone();
        }
        self.call("autoscaling", "CreateAutoScalingGroup", params).await;
    }

    async fn instances(&self) -> Vec<Value> {
        let answer = self
            .call(
                "autoscaling",
                "DescribeAutoScalingGroups",
                json!({"AutoScalingGroupNames": ["g"]}),
            )
            .await;
        answer["AutoScalingGroups"][0]["Instances"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    }

    /// Waits until the group's instances satisfy a condition; returns them.
    async fn until(&self, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let now = self.instances().await;
            if wanted(&now) {
                return now;
            }
            assert!(Instant::now() < deadline, "not reached: {what}; instances: {now:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn in_service(&self) -> Value {
        let found = self
            .until("one in service", |i| {
                i.len() == 1 && i[0]["LifecycleState"] == "InService"
            })
            .await;
        found[0].clone()
    }

    async fn causes(&self) -> Vec<String> {
        let answer = self
            .call(
                "autoscaling",
                "DescribeScalingActivities",
                json!({"AutoScalingGroupName": "g"}),
            )
            .await;
        let activities = answer["Activities"].as_array().cloned().unwrap_or_default();
        activities
            .iter()
            .map(|a| a["Cause"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

const HOOK: &str = "stop";

fn with_hook() -> Value {
    json!({"LifecycleHookSpecificationList": [{
        "LifecycleHookName": HOOK, "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "HeartbeatTimeout": "300",
        "DefaultResult": "CONTINUE",
    }]})
}

fn state_of<'a>(instances: &'a [Value], id: &Value) -> Option<&'a str> {
    instances
        .iter()
        .find(|i| i["InstanceId"] == *id)
        .and_then(|i| i["LifecycleState"].as_str())
}

#[tokio::test]
async fn a_terminated_instance_is_replaced_in_the_other_zone() {
    let lab = Lab::start(201).await;
    lab.create(json!({})).await;
    let first = lab.in_service().await;
    let tags = json!({"Filter": [{"Name": "resource-id", "Value": [first["InstanceId"]]}, {"Name": "key", "Value": ["mqaws:stack"]}]});
    assert_eq!(lab.call("ec2", "DescribeTags", tags).await["tagSet"][0]["value"], "s");
    lab.call(
        "ec2",
        "TerminateInstances",
        json!({"InstanceId": [first["InstanceId"]]}),
    )
    .await;
    let second = lab.until("a replacement in service", |i| {
        i.len() == 1 && i[0]["LifecycleState"] == "InService" && i[0]["InstanceId"] != first["InstanceId"]
    });
    let second = second.await[0].clone();
    assert_ne!(second["AvailabilityZone"], first["AvailabilityZone"]);
    let causes = lab.causes().await.join("\n");
    for expected in [
        "a user request created an AutoScalingGroup changing the desired capacity from 0 to 1.",
        "increasing the capacity from 0 to 1.",
        "in response to an EC2 health check indicating it has been terminated or stopped.",
        "in response to an unhealthy instance needing to be replaced.",
    ] {
        assert!(causes.contains(expected), "{expected:?} is not in {causes}");
    }
    lab.ec2.cut_all().await;
}

#[tokio::test]
async fn a_condemned_instance_waits_in_its_hook_while_the_replacement_serves() {
    let lab = Lab::start(202).await;
    lab.create(with_hook()).await;
    let first = lab.in_service().await;
    let id = &first["InstanceId"];
    let condemn = json!({"InstanceId": id, "HealthStatus": "Unhealthy", "ShouldRespectGracePeriod": "false"});
    lab.call("autoscaling", "SetInstanceHealth", condemn).await;
    // The overlap that a maximum of one does not prevent.
    let both = lab.until("old waits, new serves", |i| {
        i.len() == 2
            && state_of(i, id) == Some("Terminating:Wait")
            && i.iter().any(|x| x["LifecycleState"] == "InService")
    });
    assert_eq!(both.await.len(), 2);
    let name = json!({"AutoScalingGroupName": "g", "LifecycleHookName": HOOK, "InstanceId": id});
    lab.call("autoscaling", "RecordLifecycleActionHeartbeat", name.clone())
        .await;
    let mut complete = name.clone();
    complete["LifecycleActionResult"] = json!("CONTINUE");
    lab.call("autoscaling", "CompleteLifecycleAction", complete.clone())
        .await;
    lab.until("old gone", |i| i.len() == 1).await;
    let again = lab
        .cloud
        .call("autoscaling", "CompleteLifecycleAction", complete, Caller::Admin)
        .await;
    assert_eq!(again.expect_err("it is over").code, "ValidationError");
    assert!(
        lab.causes()
            .await
            .join("\n")
            .contains("in response to a user health-check.")
    );
    lab.ec2.cut_all().await;
}

#[tokio::test]
async fn the_grace_period_holds_back_a_user_health_check_unless_told_otherwise() {
    let lab = Lab::start(203).await;
    lab.create(json!({"HealthCheckGracePeriod": "7200"})).await;
    let first = lab.in_service().await;
    let mut condemn = json!({"InstanceId": first["InstanceId"], "HealthStatus": "Unhealthy"});
    lab.call("autoscaling", "SetInstanceHealth", condemn.clone()).await;
    assert_eq!(lab.instances().await[0]["HealthStatus"], "Healthy");
    condemn["ShouldRespectGracePeriod"] = json!("false");
    lab.call("autoscaling", "SetInstanceHealth", condemn).await;
    lab.until("replaced", |i| i.iter().all(|x| x["InstanceId"] != first["InstanceId"]))
        .await;
    lab.ec2.cut_all().await;
}

#[tokio::test]
async fn a_group_goes_to_zero_in_order_and_is_deleted_with_its_instances_by_force() {
    let lab = Lab::start(204).await;
    lab.create(with_hook()).await;
    lab.in_service().await;
    let name = json!({"AutoScalingGroupName": "g"});
    let busy = lab
        .cloud
        .call("autoscaling", "DeleteAutoScalingGroup", name.clone(), Caller::Admin)
        .await;
    assert_eq!(busy.expect_err("it has an instance").code, "ResourceInUse");
    let too_many = json!({"AutoScalingGroupName": "g", "DesiredCapacity": "2"});
    let refused = lab
        .cloud
        .call("autoscaling", "SetDesiredCapacity", too_many, Caller::Admin)
        .await;
    assert!(
        refused
            .expect_err("above the maximum")
            .message
            .contains("above max value 1")
    );
    // The force skips the hook, for which nobody would answer.
    lab.call(
        "autoscaling",
        "DeleteAutoScalingGroup",
        json!({"AutoScalingGroupName": "g", "ForceDelete": "true"}),
    )
    .await;
    lab.until("gone", <[Value]>::is_empty).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let shown = lab
            .call(
                "autoscaling",
                "DescribeAutoScalingGroups",
                json!({"AutoScalingGroupNames": ["g"]}),
            )
            .await;
        if shown["AutoScalingGroups"].as_array().is_some_and(Vec::is_empty) {
            break;
        }
        assert!(Instant::now() < deadline, "the group stays: {shown}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(lab.ec2.living(), Vec::<String>::new());
}

#[tokio::test]
async fn a_launch_that_fails_is_recorded_and_tried_again() {
    let lab = Lab::start(205).await;
    let data = json!({"ImageId": "ami-0000000000000dead", "InstanceType": "m6i.large"});
    lab.call(
        "ec2",
        "CreateLaunchTemplate",
        json!({"LaunchTemplateName": "bad", "LaunchTemplateData": data}),
    )
    .await;
    lab.create(json!({"LaunchTemplate": {"LaunchTemplateName": "bad"}}))
        .await;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = lab
            .call(
                "autoscaling",
                "DescribeScalingActivities",
                json!({"AutoScalingGroupName": "g"}),
            )
            .await;
        let activities = answer["Activities"].as_array().cloned().unwrap_or_default();
        let failed: Vec<&Value> = activities.iter().filter(|a| a["StatusCode"] == "Failed").collect();
        if failed.len() >= 2 {
            let message = failed[0]["StatusMessage"].as_str().unwrap_or_default();
            assert!(
                message.contains("does not exist") && message.ends_with("Launching EC2 instance failed."),
                "{message}"
            );
            break;
        }
        assert!(Instant::now() < deadline, "not tried twice: {activities:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(lab.ec2.living(), Vec::<String>::new());
}

mod interface;

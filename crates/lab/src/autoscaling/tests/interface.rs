//! A group of one in one zone, whose launch template names a network interface that exists.

use super::*;

const ADDRESS: &str = "12.99";

/// Creates an interface in the third zone and a group over it; returns the interface.
async fn member(lab: &Lab, octet: u8) -> Value {
    let subnets = lab.call("ec2", "DescribeSubnets", json!({})).await;
    let params = json!({
        "SubnetId": subnets["subnetSet"][2]["subnetId"], "PrivateIpAddress": format!("127.{octet}.{ADDRESS}"),
    });
    let made = lab.call("ec2", "CreateNetworkInterface", params).await;
    let id = made["networkInterface"]["networkInterfaceId"].clone();
    let data = json!({
        "ImageId": "ami-0aa55ed1ab0000001", "InstanceType": "m6i.large",
        "NetworkInterface": [{"NetworkInterfaceId": id, "DeviceIndex": 0}],
    });
    let template = json!({"LaunchTemplateName": "member", "LaunchTemplateData": data});
    lab.call("ec2", "CreateLaunchTemplate", template).await;
    group(lab, "g").await;
    id
}

async fn group(lab: &Lab, name: &str) {
    let params = json!({
        "AutoScalingGroupName": name, "MinSize": 0, "MaxSize": 1, "DesiredCapacity": 1, "AvailabilityZones": ["eu-west-1c"],
        "LaunchTemplate": {"LaunchTemplateName": "member", "Version": "1"},
    });
    lab.call("autoscaling", "CreateAutoScalingGroup", params).await;
}

async fn address(lab: &Lab, instance: &Value) -> String {
    let asked = json!({"InstanceId": [instance["InstanceId"]]});
    let seen = lab.call("ec2", "DescribeInstances", asked).await;
    let address = &seen["reservationSet"][0]["instancesSet"][0]["privateIpAddress"];
    address.as_str().unwrap_or_default().to_owned()
}

/// Activities of a group whose launch failed since the interface was in use.
async fn refused(lab: &Lab, name: &str, interface: &Value) -> usize {
    let asked = json!({"AutoScalingGroupName": name});
    let seen = lab.call("autoscaling", "DescribeScalingActivities", asked).await;
    let message = format!(
        "Interface: [{}] in use. Launching EC2 instance failed.",
        interface.as_str().unwrap_or_default()
    );
    let activities = seen["Activities"].as_array().cloned().unwrap_or_default();
    let failed = activities.iter().filter(|a| a["StatusCode"] == "Failed");
    failed.filter(|a| a["StatusMessage"] == message).count()
}

#[tokio::test]
async fn one_after_the_other_has_the_interface_and_no_launch_fails_between_them() {
    let lab = Lab::start(236).await;
    let interface = member(&lab, 236).await;
    let first = lab.in_service().await;
    assert_eq!(first["AvailabilityZone"], "eu-west-1c");
    assert_eq!(address(&lab, &first).await, format!("127.236.{ADDRESS}"));
    let shown = lab.call("autoscaling", "DescribeAutoScalingGroups", json!({})).await;
    assert_eq!(shown["AutoScalingGroups"][0]["VPCZoneIdentifier"], "");
    assert_eq!(
        shown["AutoScalingGroups"][0]["AvailabilityZones"],
        json!(["eu-west-1c"])
    );
    // As a group is rolled that can have one instance at a time.
    for desired in [0, 1] {
        let set = json!({"AutoScalingGroupName": "g", "DesiredCapacity": desired});
        lab.call("autoscaling", "SetDesiredCapacity", set).await;
        lab.until("the new capacity", |i| i.len() == desired).await;
    }
    let second = lab.in_service().await;
    assert_ne!(second["InstanceId"], first["InstanceId"]);
    assert_eq!(address(&lab, &second).await, format!("127.236.{ADDRESS}"));
    assert_eq!(refused(&lab, "g", &interface).await, 0);
}

#[tokio::test]
async fn a_launch_fails_while_the_interface_is_in_use_and_is_tried_again() {
    let lab = Lab::start(237).await;
    let interface = member(&lab, 237).await;
    let first = lab.in_service().await;
    group(&lab, "h").await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while refused(&lab, "h", &interface).await < 2 {
        assert!(Instant::now() < deadline, "no second launch failed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(refused(&lab, "g", &interface).await, 0);
    let end = json!({"AutoScalingGroupName": "h", "ForceDelete": true});
    lab.call("autoscaling", "DeleteAutoScalingGroup", end).await;
    // The replacement of an instance that is lost finds the interface in use, until that instance is terminated.
    lab.call(
        "ec2",
        "TerminateInstances",
        json!({"InstanceId": [first["InstanceId"]]}),
    )
    .await;
    let second = lab
        .until("a replacement in service", |i| {
            i.len() == 1 && i[0]["LifecycleState"] == "InService" && i[0]["InstanceId"] != first["InstanceId"]
        })
        .await;
    assert_eq!(address(&lab, &second[0]).await, format!("127.237.{ADDRESS}"));
}

#[tokio::test]
async fn zones_and_subnets_of_a_group_must_fit() {
    let lab = Lab::start(238).await;
    let subnets = lab.call("ec2", "DescribeSubnets", json!({})).await;
    let first = &subnets["subnetSet"][0]["subnetId"];
    for (more, words) in [
        (json!({}), "at least one Availability Zone or VPC subnet"),
        (
            json!({"AvailabilityZones": ["eu-west-1d"]}),
            "Invalid availability zone: [eu-west-1d]",
        ),
        (
            json!({"AvailabilityZones": ["eu-west-1b"], "VPCZoneIdentifier": first}),
            "which AvailabilityZones does not contain",
        ),
    ] {
        let mut params = json!({
            "AutoScalingGroupName": "g", "MinSize": 0, "MaxSize": 1, "LaunchTemplate": {"LaunchTemplateName": "one"},
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            params[key] = value.clone();
        }
        let answer = lab
            .cloud
            .call("autoscaling", "CreateAutoScalingGroup", params, Caller::Admin);
        let refused = answer.await.expect_err("refused");
        assert!(refused.message.contains(words), "{more}: {refused}");
    }
    // Without an interface the zone's subnet of the default VPC is taken.
    lab.create(json!({"VPCZoneIdentifier": "", "AvailabilityZones": ["eu-west-1b"]}))
        .await;
    assert_eq!(lab.in_service().await["AvailabilityZone"], "eu-west-1b");
}

//! The launch template and the group that keeps one instance of it.

use super::ids::{LAUNCH_TEMPLATE, MEMBER, MOUNT_TARGETS};
use crate::model::Deployment;
use crate::render::launch_template::{SIGNAL_TIMEOUT, TERMINATING_HOOK, launch_template};
use crate::render::{network, only_if};
use crate::stack::{ALLOW_FAULTS_TAG, STACK_TAG, Way};
use crate::template::{Resource, Template, Value, get_att, list, object, reference};

fn propagated(key: &str, value: Value) -> Value {
    object! { "Key" => key, "Value" => value, "PropagateAtLaunch" => true }
}

/// Adds the launch template and the Auto Scaling group.
pub(super) fn add(template: &mut Template, deployment: &Deployment) {
    template
        .resources
        .insert(LAUNCH_TEMPLATE.to_owned(), launch_template(deployment, &MEMBER));

    let attached = Way::all(deployment.engine).map(|way| way.only(reference(&way.group())));
    let group = object! {
        "MinSize" => "0",
        "MaxSize" => "1",
        "DesiredCapacity" => "1",
        "VPCZoneIdentifier" => list![reference("Subnet1"), reference("Subnet2")],
        "LaunchTemplate" => object! {
            "LaunchTemplateId" => reference(LAUNCH_TEMPLATE),
            "Version" => get_att(LAUNCH_TEMPLATE, "LatestVersionNumber"),
        },
        "TargetGroupARNs" => Value::List(attached.collect()),
        // The agent alone condemns: a load balancer's check would end an instance that replays its log.
        "HealthCheckType" => "EC2",
        "HealthCheckGracePeriod" => 0,
        "DefaultInstanceWarmup" => 0,
        // End before launch: two queue managers on one file system are never wanted.
        "InstanceMaintenancePolicy" => object! { "MinHealthyPercentage" => 0, "MaxHealthyPercentage" => 100 },
        "LifecycleHookSpecificationList" => list![object! {
            "LifecycleHookName" => TERMINATING_HOOK,
            "LifecycleTransition" => "autoscaling:EC2_INSTANCE_TERMINATING",
            // An instance that is already dead completes nothing, and its replacement waits meanwhile.
            "HeartbeatTimeout" => 60,
            "DefaultResult" => "CONTINUE",
        }],
        "MetricsCollection" => list![object! { "Granularity" => "1Minute" }],
        "Tags" => list![
            propagated("Name", reference("AWS::StackName")),
            propagated(STACK_TAG, reference("AWS::StackName")),
            only_if("HasFaultsAllowed", propagated(ALLOW_FAULTS_TAG, "true".into())),
        ],
    };
    let mut group = Resource::new("AWS::AutoScaling::AutoScalingGroup", group).after(&MOUNT_TARGETS);
    for way in Way::all(deployment.engine).filter(|way| way.condition().is_none()) {
        group = group.after(&[&way.listener()]);
    }
    group = group.after(&network::prerequisites(deployment));
    group.creation_policy = Some(object! { "ResourceSignal" => object! { "Count" => 1, "Timeout" => SIGNAL_TIMEOUT } });
    group.update_policy = Some(object! {
        "AutoScalingRollingUpdate" => object! {
            "MaxBatchSize" => 1,
            "MinInstancesInService" => 0,
            "WaitOnResourceSignals" => true,
            "PauseTime" => SIGNAL_TIMEOUT,
            // Not Launch, Terminate or AddToLoadBalancer: the update itself needs them.
            "SuspendProcesses" => list![
                "HealthCheck", "ReplaceUnhealthy", "AZRebalance", "AlarmNotification", "ScheduledActions",
            ],
        },
    });
    template.resources.insert(MEMBER.group.to_owned(), group);
}

#[cfg(test)]
mod tests {
    use crate::model::Deployment;
    use crate::render::template;
    use crate::template::Value;

    #[test]
    fn the_group_ends_before_it_launches() {
        let template = template(&Deployment::default()).unwrap();
        let group = &template.resources["Group"];
        assert_eq!(group.properties["MaxSize"].as_str(), Some("1"));
        assert_eq!(group.properties["MinSize"].as_str(), Some("0"));
        assert_eq!(group.properties["HealthCheckType"].as_str(), Some("EC2"));
        assert_eq!(
            group.properties["InstanceMaintenancePolicy"].get("MaxHealthyPercentage"),
            Some(&Value::Int(100))
        );
        let rolling = group
            .update_policy
            .as_ref()
            .unwrap()
            .get("AutoScalingRollingUpdate")
            .unwrap();
        assert_eq!(rolling.get("MinInstancesInService"), Some(&Value::Int(0)));
        assert_eq!(rolling.get("WaitOnResourceSignals"), Some(&Value::Bool(true)));
    }
}

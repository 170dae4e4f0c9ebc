//! The Auto Scaling group of a member, which keeps one instance of it.

use super::launch_template::{SIGNAL_TIMEOUT, TERMINATING_HOOK};
use super::shared_storage::MOUNT_TARGETS;
use super::{network, only_if};
use crate::model::Deployment;
use crate::stack::{ALLOW_FAULTS_TAG, STACK_TAG, Way};
use crate::template::{Resource, Value, get_att, list, object, reference};
use crate::topology::GROUP;

fn propagated(key: &str, value: Value) -> Value {
    object! { "Key" => key, "Value" => value, "PropagateAtLaunch" => true }
}

/// A group of at most one instance, which reaches the shared file system, and whose instance signals the stack when it is ready.
///
/// `subnets` are logical IDs or parameters, one for each zone in which the instance may be.
pub(crate) fn member_group(deployment: &Deployment, launch_template: &str, subnets: &[&str]) -> Resource {
    let attached = Way::all(deployment.engine).map(|way| way.only(reference(&way.group())));
    let group = object! {
        "MinSize" => "0",
        "MaxSize" => "1",
        "DesiredCapacity" => "1",
        "VPCZoneIdentifier" => Value::List(subnets.iter().map(|subnet| reference(subnet)).collect()),
        "LaunchTemplate" => object! {
            "LaunchTemplateId" => reference(launch_template),
            "Version" => get_att(launch_template, "LatestVersionNumber"),
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
    let mut group = Resource::new(GROUP, group).after(&MOUNT_TARGETS);
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
    group
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

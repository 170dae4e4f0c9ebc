//! The launch template and the group that keeps one instance of it.

use super::entry::{names, tags};
use super::network;
use super::parameters::only_if;
use super::user_data::user_data;
use crate::model::Deployment;
use crate::stack::{ALLOW_FAULTS_TAG, STACK_TAG};
use crate::template::{Resource, Template, Value, get_att, list, object, reference};

/// How long a new instance may take until its agent signals service.
const SIGNAL_TIMEOUT: &str = "PT15M";

fn propagated(key: &str, value: Value) -> Value {
    object! { "Key" => key, "Value" => value, "PropagateAtLaunch" => true }
}

/// Adds the launch template and the Auto Scaling group.
pub(super) fn add(template: &mut Template, deployment: &Deployment) {
    let specification = |kind: &str| object! { "ResourceType" => kind, "Tags" => tags() };
    let launch = object! {
        "TagSpecifications" => list![specification("launch-template")],
        "LaunchTemplateData" => object! {
            "ImageId" => reference("AMI"),
            "InstanceType" => reference("InstanceType"),
            "KeyName" => only_if("HasKeyName", reference("KeyName")),
            "IamInstanceProfile" => object! { "Arn" => get_att("InstanceProfile", "Arn") },
            "SecurityGroupIds" => list![get_att("InstanceSecurityGroup", "GroupId")],
            "MetadataOptions" => object! {
                "HttpEndpoint" => "enabled",
                "HttpTokens" => "required",
                "HttpPutResponseHopLimit" => 1,
                // The agent reads there whether faults are allowed.
                "InstanceMetadataTags" => "enabled",
            },
            "BlockDeviceMappings" => list![object! {
                "DeviceName" => reference("RootDeviceName"),
                "Ebs" => object! {
                    "Encrypted" => true,
                    "VolumeType" => "gp3",
                    "VolumeSize" => reference("RootVolumeSize"),
                    "DeleteOnTermination" => true,
                },
            }],
            "TagSpecifications" => list![specification("volume")],
            "UserData" => user_data(deployment),
        },
    };
    template.resources.insert(
        "LaunchTemplate".to_owned(),
        Resource::new("AWS::EC2::LaunchTemplate", launch),
    );

    let group = object! {
        "MinSize" => "0",
        "MaxSize" => "1",
        "DesiredCapacity" => "1",
        "VPCZoneIdentifier" => list![reference("Subnet1"), reference("Subnet2")],
        "LaunchTemplate" => object! {
            "LaunchTemplateId" => reference("LaunchTemplate"),
            "Version" => get_att("LaunchTemplate", "LatestVersionNumber"),
        },
        "TargetGroupARNs" => list![reference(names::TARGET_GROUP), only_if("HasAmqp", reference("AmqpTargetGroup"))],
        // The agent alone condemns: a load balancer's check would end an instance that replays its log.
        "HealthCheckType" => "EC2",
        "HealthCheckGracePeriod" => 0,
        "DefaultInstanceWarmup" => 0,
        // End before launch: two queue managers on one file system are never wanted.
        "InstanceMaintenancePolicy" => object! { "MinHealthyPercentage" => 0, "MaxHealthyPercentage" => 100 },
        "LifecycleHookSpecificationList" => list![object! {
            "LifecycleHookName" => names::TERMINATING_HOOK,
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
    let mut group = Resource::new("AWS::AutoScaling::AutoScalingGroup", group)
        .after(&["MountTarget1", "MountTarget2", "Listener"])
        .after(&network::prerequisites(deployment));
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
    template.resources.insert(names::GROUP.to_owned(), group);
}

//! What an instance of a member is launched from.

use super::parameters::only_if;
use super::tags::tags;
use super::user_data::user_data;
use crate::model::Deployment;
use crate::template::{Resource, get_att, list, object, reference};
use crate::topology::Member;

/// How long a new instance may take until its agent signals service.
pub(crate) const SIGNAL_TIMEOUT: &str = "PT15M";

/// The lifecycle hook that lets the agent stop the queue manager before its instance ends.
pub(crate) const TERMINATING_HOOK: &str = "mqaws-terminating";

/// The launch template of a member's instances, which carry `InstanceProfile` and are in `InstanceSecurityGroup`.
pub(crate) fn launch_template(deployment: &Deployment, member: &Member) -> Resource {
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
            "UserData" => user_data(deployment, member),
        },
    };
    Resource::new("AWS::EC2::LaunchTemplate", launch)
}

#[cfg(test)]
mod tests {
    use crate::model::Deployment;
    use crate::render::template;
    use crate::template::{Function, Value};

    #[test]
    fn the_instance_is_hardened() {
        let template = template(&Deployment::default()).unwrap();
        let data = &template.resources["LaunchTemplate"].properties["LaunchTemplateData"];
        let metadata = data.get("MetadataOptions").unwrap();
        assert_eq!(metadata.get("HttpTokens").unwrap().as_str(), Some("required"));
        assert_eq!(metadata.get("HttpPutResponseHopLimit"), Some(&Value::Int(1)));
        let volume = &data.get("BlockDeviceMappings").unwrap().as_list().unwrap()[0];
        assert_eq!(volume.get("Ebs").unwrap().get("Encrypted"), Some(&Value::Bool(true)));
        assert!(matches!(data.get("KeyName"), Some(Value::Call(Function::If, _))));
    }
}

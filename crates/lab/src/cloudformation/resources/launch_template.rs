//! Launch templates: every change is a new version.

use super::table::answer;
use crate::cloudformation::context::{Attributes, Context, Failure};
use crate::cloudformation::state::Record;
use serde_json::{Map, Value, json};

/// Where a member of the launch template data has another name on the wire than in a template.
const WIRE: &[(&str, &str)] = &[
    ("BlockDeviceMappings", "BlockDeviceMapping"),
    ("NetworkInterfaces", "NetworkInterface"),
    ("TagSpecifications", "TagSpecification"),
    ("SecurityGroupIds", "SecurityGroupId"),
    ("SecurityGroups", "SecurityGroup"),
    ("LicenseSpecifications", "LicenseSpecification"),
    ("Groups", "SecurityGroupId"),
    ("Tags", "Tag"),
    ("Ipv4Prefixes", "Ipv4Prefix"),
    ("Ipv6Prefixes", "Ipv6Prefix"),
    ("CpuManufacturers", "CpuManufacturer"),
    ("ExcludedInstanceTypes", "ExcludedInstanceType"),
    ("AllowedInstanceTypes", "AllowedInstanceType"),
    ("InstanceGenerations", "InstanceGeneration"),
    ("LocalStorageTypes", "LocalStorageType"),
    ("AcceleratorTypes", "AcceleratorType"),
    ("AcceleratorManufacturers", "AcceleratorManufacturer"),
    ("AcceleratorNames", "AcceleratorName"),
    ("RamDiskId", "RamDiskId"),
];

fn wire(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let name = WIRE.iter().find(|w| w.0 == name).map_or(name.as_str(), |w| w.1);
                (name.to_owned(), wire(value))
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(wire).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

pub(super) async fn create(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let name = properties["LaunchTemplateName"].as_str().map_or_else(
        || format!("{}_{}", context.logical, crate::ids::alphanumeric(12)),
        str::to_owned,
    );
    let mut params = json!({"LaunchTemplateName": name, "LaunchTemplateData": wire(&properties["LaunchTemplateData"])});
    if let Some(text) = properties.get("VersionDescription") {
        params["VersionDescription"] = text.clone();
    }
    let own = properties["TagSpecifications"]
        .as_array()
        .and_then(|all| all.iter().find(|s| s["ResourceType"] == "launch-template"))
        .map(|s| s["Tags"].clone());
    params["TagSpecification"] = context.tag_specification("launch-template", own.as_ref());
    let made = context.call("ec2", "CreateLaunchTemplate", params).await?;
    let id = answer(&made, "/launchTemplate/launchTemplateId")?;
    context.created(&id);
    let mut attributes = Attributes::new();
    attributes.insert("LaunchTemplateId".into(), id.into());
    for (attribute, member) in [
        ("LatestVersionNumber", "latestVersionNumber"),
        ("DefaultVersionNumber", "defaultVersionNumber"),
    ] {
        attributes.insert(
            attribute.into(),
            answer(&made, &format!("/launchTemplate/{member}"))?.into(),
        );
    }
    Ok(attributes)
}

pub(super) async fn update(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    let mut attributes = Attributes::new();
    let same = ["LaunchTemplateData", "VersionDescription"]
        .iter()
        .all(|name| old.properties.get(name) == properties.get(name));
    if same {
        return Ok(attributes);
    }
    let mut params =
        json!({"LaunchTemplateId": physical, "LaunchTemplateData": wire(&properties["LaunchTemplateData"])});
    if let Some(text) = properties.get("VersionDescription") {
        params["VersionDescription"] = text.clone();
    }
    let made = context.call("ec2", "CreateLaunchTemplateVersion", params).await?;
    let version = answer(&made, "/launchTemplateVersion/versionNumber")?;
    attributes.insert("LatestVersionNumber".into(), version.into());
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_takes_its_wire_names() {
        let data = json!({"ImageId": "ami-1", "SecurityGroupIds": ["sg-1"], "IamInstanceProfile": {"Arn": "a"},
            "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "k", "Value": "v"}]}],
            "NetworkInterfaces": [{"Groups": ["sg-2"]}], "BlockDeviceMappings": [{"Ebs": {"Encrypted": true}}]});
        assert_eq!(
            wire(&data),
            json!({"ImageId": "ami-1", "SecurityGroupId": ["sg-1"], "IamInstanceProfile": {"Arn": "a"},
            "TagSpecification": [{"ResourceType": "instance", "Tag": [{"Key": "k", "Value": "v"}]}],
            "NetworkInterface": [{"SecurityGroupId": ["sg-2"]}], "BlockDeviceMapping": [{"Ebs": {"Encrypted": true}}]})
        );
    }
}

//! Values before and after, in a change set.

use super::*;

const HOST: &str = "
Parameters: {Type: {Type: String, Default: m7i.large}, Size: {Type: String, Default: '20'}}
Resources:
  Vpc: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: 10.0.0.0/16}}
  Wall: {Type: 'AWS::EC2::SecurityGroup', Properties: {GroupDescription: d, VpcId: !Ref Vpc}}
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData:
        ImageId: ami-0123456789abcdef0
        InstanceType: !Ref Type
        SecurityGroupIds: [!GetAtt Wall.GroupId]
        BlockDeviceMappings: [{DeviceName: /dev/sda1, Ebs: {VolumeSize: !Ref Size}}]
";

/// Why places of the launch template change, as `EVALUATION PATH BEFORE → AFTER (CAUSE)`.
async fn changed(cloud: &Arc<Cloud>, name: &str, tags: Value) -> Vec<String> {
    let parameters = json!([{"ParameterKey": "Type", "ParameterValue": "m7i.xlarge"}, {"ParameterKey": "Size", "ParameterValue": "30"}]);
    let params = json!({"StackName": "host", "ChangeSetName": name, "UsePreviousTemplate": true, "Parameters": parameters, "Tags": tags});
    cfn(cloud, "CreateChangeSet", params).await.unwrap();
    let params = json!({"StackName": "host", "ChangeSetName": name, "IncludePropertyValues": true});
    let set = cfn(cloud, "DescribeChangeSet", params).await.unwrap();
    let changes = set["Changes"].as_array().unwrap();
    let of_template = changes
        .iter()
        .map(|change| &change["ResourceChange"])
        .find(|change| change["LogicalResourceId"] == "Template");
    let details = of_template.unwrap()["Details"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let told = |detail: &Value| {
        let target = &detail["Target"];
        format!(
            "{} {} {} → {} ({})",
            text(&detail["Evaluation"]),
            text(&target["Path"]),
            text(&target["BeforeValue"]),
            text(&target["AfterValue"]),
            text(&detail["CausingEntity"])
        )
    };
    details.iter().map(told).collect()
}

#[test]
fn a_parameter_is_named_beside_what_follows_from_a_tag() {
    block_on(async {
        let (cloud, _) = cloud();
        create(&cloud, "host", HOST).await;
        assert_eq!(settled(&cloud, "host").await, "CREATE_COMPLETE");
        let sure = [
            "Static /Properties/LaunchTemplateData/BlockDeviceMappings/0/Ebs/VolumeSize 20 → 30 (Size)",
            "Static /Properties/LaunchTemplateData/InstanceType m7i.large → m7i.xlarge (Type)",
        ];
        assert_eq!(changed(&cloud, "alone", json!([])).await, sure);
        let all = changed(&cloud, "tagged", json!([{"Key": "team", "Value": "x"}])).await;
        let (follows, named): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.starts_with("Dynamic"));
        assert_eq!(named[..2], sure);
        assert!(
            follows[0].ends_with("→ {{changeSet:KNOWN_AFTER_APPLY}} (Wall.GroupId)"),
            "{all:?}"
        );
        let plain = json!({"StackName": "host", "ChangeSetName": "alone"});
        let plain = cfn(&cloud, "DescribeChangeSet", plain).await.unwrap();
        assert_eq!(
            plain["Changes"][0]["ResourceChange"]["Details"][0]["Target"],
            json!({"Attribute": "Properties", "Name": "LaunchTemplateData", "RequiresRecreation": "Never"})
        );
    });
}

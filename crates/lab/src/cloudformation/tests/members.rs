//! What members with data of their own are made of, by the real EC2: a volume and a network interface that outlive their stack.

use super::*;
use crate::api::Site;
use crate::cloudformation::service::CloudFormation;
use crate::timing::Timing;

const TEMPLATE: &str = "
Parameters:
  Subnet: {Type: String}
  Size: {Type: Number, Default: 1}
  Zone: {Type: String, Default: eu-west-1b}
  Address: {Type: String, Default: 127.239.11.9}
Resources:
  Data:
    Type: AWS::EC2::Volume
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties: {AvailabilityZone: !Ref Zone, Size: !Ref Size, VolumeType: gp3, Encrypted: true, Tags: [{Key: a, Value: b}]}
  Interface:
    Type: AWS::EC2::NetworkInterface
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties: {SubnetId: !Ref Subnet, PrivateIpAddress: !Ref Address, Description: one}
";
const OUTPUTS: &str = "
Outputs:
  Volume: {Value: !Ref Data}
  Interface: {Value: !GetAtt Interface.Id}
  Address: {Value: !GetAtt Interface.PrimaryPrivateIpAddress}
";

struct Bench {
    cloud: Arc<Cloud>,
    subnet: Value,
    _dir: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let site = Site {
            id: crate::ids::uuid(),
            octet: 239,
            port: 4566,
            dir: dir.path().to_owned(),
            timing: Timing::Fast,
            executable: "/bin/true".into(),
            standin_defect: None,
            software: Vec::new(),
            guests: None,
        };
        let cloud = Cloud::at("eu-west-1", site);
        cloud.add("ec2", Ec2::new("eu-west-1"));
        cloud.add("cloudformation", Arc::new(CloudFormation::new()));
        let subnets = cloud.call("ec2", "DescribeSubnets", json!({}), Caller::Admin).await;
        let subnet = subnets.unwrap()["subnetSet"][1]["subnetId"].clone();
        Self {
            cloud,
            subnet,
            _dir: dir,
        }
    }

    fn parameters(&self, more: &[(&str, &str)]) -> Value {
        let subnet = json!({"ParameterKey": "Subnet", "ParameterValue": self.subnet});
        let more = more
            .iter()
            .map(|(k, v)| json!({"ParameterKey": k, "ParameterValue": v}));
        more.chain([subnet]).collect()
    }

    /// Creates or updates the stack; returns its status afterwards.
    async fn stack(&self, action: &str, template: &str, more: &[(&str, &str)]) -> String {
        let params = json!({"StackName": "m", "TemplateBody": template, "Parameters": self.parameters(more)});
        cfn(&self.cloud, action, params).await.unwrap();
        settled(&self.cloud, "m").await
    }

    async fn output(&self, name: &str) -> Value {
        let seen = cfn(&self.cloud, "DescribeStacks", json!({"StackName": "m"}))
            .await
            .unwrap();
        let outputs = seen["Stacks"][0]["Outputs"].as_array().cloned().unwrap_or_default();
        outputs.iter().find(|o| o["OutputKey"] == name).unwrap()["OutputValue"].clone()
    }

    async fn ec2(&self, action: &str, params: Value) -> Value {
        self.cloud.call("ec2", action, params, Caller::Admin).await.unwrap()
    }

    async fn count(&self) -> (usize, usize) {
        let volumes = self.ec2("DescribeVolumes", json!({})).await;
        let interfaces = self.ec2("DescribeNetworkInterfaces", json!({})).await;
        let count = |answer: &Value, set: &str| answer[set].as_array().map_or(0, Vec::len);
        (count(&volumes, "volumeSet"), count(&interfaces, "networkInterfaceSet"))
    }
}

#[test]
fn a_volume_and_an_interface_are_made_changed_kept_and_imported() {
    block_on(async {
        let bench = Bench::new().await;
        let template = format!("{TEMPLATE}{OUTPUTS}");
        assert_eq!(bench.stack("CreateStack", &template, &[]).await, "CREATE_COMPLETE");
        assert_eq!(bench.output("Address").await, "127.239.11.9");
        let (volume, interface) = (bench.output("Volume").await, bench.output("Interface").await);
        let seen = bench.ec2("DescribeVolumes", json!({"VolumeId": [volume]})).await;
        let seen = &seen["volumeSet"][0];
        assert_eq!(
            (&seen["status"], &seen["encrypted"]),
            (&json!("available"), &json!(true))
        );
        let tags: Vec<&str> = seen["tagSet"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|t| t["key"].as_str())
            .collect();
        assert!(
            tags.contains(&"a") && tags.contains(&"aws:cloudformation:logical-id"),
            "{tags:?}"
        );

        // Size and description change in place.
        let described = template.replace("Description: one", "Description: two, SourceDestCheck: false");
        assert_eq!(
            bench.stack("UpdateStack", &described, &[("Size", "2")]).await,
            "UPDATE_COMPLETE"
        );
        assert_eq!(
            (bench.output("Volume").await, bench.output("Interface").await),
            (volume.clone(), interface.clone())
        );
        let seen = bench.ec2("DescribeVolumes", json!({"VolumeId": [volume]})).await;
        assert_eq!(seen["volumeSet"][0]["size"], 2);
        let seen = bench
            .ec2("DescribeNetworkInterfaces", json!({"NetworkInterfaceId": [interface]}))
            .await;
        let seen = &seen["networkInterfaceSet"][0];
        assert_eq!(
            (&seen["description"], &seen["sourceDestCheck"]),
            (&json!("two"), &json!(false))
        );

        // The zone of a volume does not: the update fails and goes back.
        let moved = bench
            .stack("UpdateStack", &described, &[("Size", "2"), ("Zone", "eu-west-1a")])
            .await;
        assert_eq!(moved, "UPDATE_ROLLBACK_COMPLETE");
        assert!(
            events(&bench.cloud, "m")
                .await
                .iter()
                .any(|e| e.contains("Updates of AvailabilityZone are not supported"))
        );
        // The address of an interface replaces it, and the old one is kept.
        let other = [("Size", "2"), ("Address", "127.239.11.10")];
        assert_eq!(bench.stack("UpdateStack", &described, &other).await, "UPDATE_COMPLETE");
        assert_eq!(bench.output("Address").await, "127.239.11.10");
        let second = bench.output("Interface").await;
        assert_ne!(second, interface);
        assert_eq!(bench.count().await, (1, 2));

        // Both outlive the stack, and a new one takes them over.
        let stack = cfn(&bench.cloud, "DescribeStacks", json!({"StackName": "m"}))
            .await
            .unwrap();
        cfn(&bench.cloud, "DeleteStack", json!({"StackName": "m"}))
            .await
            .unwrap();
        let id = stack["Stacks"][0]["StackId"].as_str().unwrap();
        assert_eq!(settled(&bench.cloud, id).await, "DELETE_COMPLETE");
        assert_eq!(bench.count().await, (1, 2));
        let one = |kind: &str, logical: &str, key: &str, value: &Value| json!({"ResourceType": kind, "LogicalResourceId": logical, "ResourceIdentifier": {key: value}});
        let import = json!({
            "StackName": "m", "ChangeSetName": "import", "ChangeSetType": "IMPORT", "TemplateBody": TEMPLATE,
            "Parameters": bench.parameters(&other),
            "ResourcesToImport": [
                one("AWS::EC2::Volume", "Data", "VolumeId", &volume),
                one("AWS::EC2::NetworkInterface", "Interface", "Id", &second),
            ],
        });
        let set = cfn(&bench.cloud, "CreateChangeSet", import).await.unwrap();
        cfn(&bench.cloud, "ExecuteChangeSet", json!({"ChangeSetName": set["Id"]}))
            .await
            .unwrap();
        assert_eq!(settled(&bench.cloud, "m").await, "IMPORT_COMPLETE");
        assert_eq!(bench.stack("UpdateStack", &template, &other).await, "UPDATE_COMPLETE");
        assert_eq!(bench.output("Address").await, "127.239.11.10");
        assert_eq!(bench.output("Volume").await, volume);
    });
}

#[test]
fn no_volume_is_deleted_that_was_to_become_a_snapshot() {
    block_on(async {
        let bench = Bench::new().await;
        for key in ["DeletionPolicy: RetainExceptOnCreate", "UpdateReplacePolicy: Retain"] {
            let (name, _) = key.split_once(':').unwrap();
            let template = TEMPLATE.replacen(key, &format!("{name}: Snapshot"), 1);
            let params = json!({"StackName": "m", "TemplateBody": template, "Parameters": bench.parameters(&[])});
            let refused = cfn(&bench.cloud, "CreateStack", params).await.unwrap_err();
            assert!(refused.message.contains("has no snapshots"), "{refused}");
        }
    });
}

#[test]
fn a_first_creation_that_fails_leaves_neither() {
    block_on(async {
        let bench = Bench::new().await;
        let failing = format!(
            "{TEMPLATE}  Last:\n    Type: AWS::EC2::Volume\n    DependsOn: [Data, Interface]\n    Properties: {{AvailabilityZone: !Ref Zone, Size: 1, \
             VolumeType: gp3, Throughput: 1000}}\n"
        );
        assert_eq!(bench.stack("CreateStack", &failing, &[]).await, "ROLLBACK_COMPLETE");
        assert_eq!(bench.count().await, (0, 0));
    });
}

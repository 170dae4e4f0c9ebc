//! Lives of whole stacks, on the lab's own EC2, IAM, Secrets Manager and CloudWatch, with an Auto Scaling of the tests'.

use super::changesets::NO_CHANGES;
use super::testing::{answer, block_on, cfn, recording, settled};
use crate::lab::api::{ApiError, Caller, Cloud};
use crate::lab::cloudwatch::CloudWatch;
use crate::lab::ec2::Ec2;
use crate::lab::iam::Iam;
use crate::lab::secrets::SecretsManager;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// An Auto Scaling group that replaces a terminated instance at once.
#[derive(Default)]
struct Group {
    exists: bool,
    instances: Vec<String>,
    launched: u32,
    suspended: Vec<String>,
    desired: i64,
    calls: Vec<String>,
}

impl Group {
    fn fill(&mut self) {
        while (self.instances.len() as i64) < self.desired {
            self.launched += 1;
            self.instances.push(format!("i-{}", self.launched));
        }
        self.instances.truncate(self.desired.max(0) as usize);
    }

    fn call(&mut self, action: &str, params: &Value) -> Result<Value, ApiError> {
        self.calls.push(action.to_owned());
        let number = |name: &str| crate::lab::api::number(params, name);
        match action {
            "CreateAutoScalingGroup" => {
                self.exists = true;
                self.desired = number("DesiredCapacity").unwrap_or(1);
                self.fill();
            }
            "UpdateAutoScalingGroup" => {
                self.desired = number("DesiredCapacity").unwrap_or(self.desired);
                self.fill();
            }
            "DeleteAutoScalingGroup" => self.exists = false,
            "TerminateInstanceInAutoScalingGroup" => {
                self.instances.retain(|i| params["InstanceId"] != i.as_str());
                self.fill();
            }
            "SuspendProcesses" => self.suspended = crate::lab::api::texts(params, "ScalingProcesses"),
            "ResumeProcesses" => self.suspended.clear(),
            "DescribeAutoScalingGroups" => {
                let instances: Vec<Value> = self
                    .instances
                    .iter()
                    .map(|i| json!({"InstanceId": i, "LifecycleState": "InService"}))
                    .collect();
                let group = json!({"AutoScalingGroupARN": "arn:group", "DesiredCapacity": self.desired, "MaxSize": 1,
                    "Instances": instances, "SuspendedProcesses": []});
                return Ok(json!({"AutoScalingGroups": if self.exists { vec![group] } else { vec![] }}));
            }
            _ => {}
        }
        Ok(Value::Null)
    }
}

fn cloud() -> (Arc<Cloud>, Arc<Mutex<Group>>) {
    let group = Arc::new(Mutex::new(Group::default()));
    let shared = group.clone();
    let (cloud, _) = recording(move |service, action, params| match service {
        "autoscaling" => shared.lock().unwrap().call(action, params),
        "ssm" => Ok(answer(r#"{"Parameter":{"Value":"ami-1"}}"#)),
        _ => Err(ApiError::new("ServiceUnavailable", "not in this test").status(503)),
    });
    cloud.add("ec2", Ec2::new("eu-west-1"));
    cloud.add("iam", Arc::new(Iam::new()));
    cloud.add("secretsmanager", Arc::new(SecretsManager::new()));
    cloud.add("monitoring", Arc::new(CloudWatch::new()));
    (cloud, group)
}

async fn ec2(cloud: &Arc<Cloud>, action: &str, params: Value) -> Value {
    cloud.call("ec2", action, params, Caller::Admin).await.unwrap()
}

/// Events of a stack, oldest first, as `LogicalId STATUS reason`.
async fn events(cloud: &Arc<Cloud>, stack: &str) -> Vec<String> {
    let answer = cfn(cloud, "DescribeStackEvents", json!({"StackName": stack}))
        .await
        .unwrap();
    let mut all: Vec<String> = answer["StackEvents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            let text = |n: &str| e[n].as_str().unwrap_or_default().to_owned();
            format!(
                "{} {} {}",
                text("LogicalResourceId"),
                text("ResourceStatus"),
                text("ResourceStatusReason")
            )
            .trim_end()
            .to_owned()
        })
        .collect();
    all.reverse();
    all
}

async fn status_of(cloud: &Arc<Cloud>, stack: &str, logical: &str) -> (String, Option<String>) {
    let params = json!({"StackName": stack, "LogicalResourceId": logical});
    let answer = cfn(cloud, "DescribeStackResource", params).await.unwrap();
    let detail = &answer["StackResourceDetail"];
    let physical = detail["PhysicalResourceId"].as_str().map(str::to_owned);
    (detail["ResourceStatus"].as_str().unwrap().to_owned(), physical)
}

const NETWORK: &str = "
Parameters:
  Second: {Type: String, Default: 10.0.1.0/24}
  Public: {Type: String, Default: 'false'}
  Described: {Type: String, Default: inside}
Conditions:
  Extra: !Equals [!Ref Public, 'true']
Resources:
  Vpc: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: 10.0.0.0/16, EnableDnsHostnames: true}}
  One:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/24, MapPublicIpOnLaunch: !Ref Public}
  Two:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: !Ref Second, AvailabilityZone: !Select [1, !GetAZs '']}
  Group:
    Type: AWS::EC2::SecurityGroup
    DeletionPolicy: RetainExceptOnCreate
    Properties:
      GroupDescription: !Ref Described
      VpcId: !Ref Vpc
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 1414, ToPort: 1414, CidrIp: 10.0.0.0/8}]
  Gateway: {Type: 'AWS::EC2::InternetGateway', Condition: Extra}
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties:
      GenerateSecretString: {SecretStringTemplate: '{\"username\":\"mqapp\"}', GenerateStringKey: password, ExcludePunctuation: true}
Outputs:
  VpcId: {Value: !Ref Vpc}
  Block: {Value: !Sub '${Vpc.CidrBlock} of ${AWS::StackName}'}
  Gateway: {Value: !Ref Gateway, Condition: Extra}
";

async fn create(cloud: &Arc<Cloud>, name: &str, body: &str) -> String {
    let made = cfn(
        cloud,
        "CreateStack",
        json!({"StackName": name, "TemplateBody": body, "Capabilities": ["CAPABILITY_IAM"]}),
    )
    .await
    .unwrap();
    made["StackId"].as_str().unwrap().to_owned()
}

#[test]
fn a_stack_lives_through_change_sets() {
    block_on(async {
        let (cloud, _) = cloud();
        let tags = json!([{"Key": "mqaws:stack", "Value": "net"}]);
        let set = |name: &'static str, kind: &'static str, parameters: Value| {
            let (cloud, tags) = (cloud.clone(), tags.clone());
            async move {
                let params = json!({"StackName": "net", "ChangeSetName": name, "ChangeSetType": kind, "TemplateBody": NETWORK,
                    "Tags": tags, "Parameters": parameters});
                cfn(&cloud, "CreateChangeSet", params).await.unwrap();
                cfn(
                    &cloud,
                    "DescribeChangeSet",
                    json!({"StackName": "net", "ChangeSetName": name}),
                )
                .await
                .unwrap()
            }
        };
        let execute = |name: &'static str| {
            cfn(
                &cloud,
                "ExecuteChangeSet",
                json!({"StackName": "net", "ChangeSetName": name}),
            )
        };

        let first = set("create", "CREATE", json!([])).await;
        assert_eq!(
            (first["Status"].as_str(), first["ExecutionStatus"].as_str()),
            (Some("CREATE_COMPLETE"), Some("AVAILABLE"))
        );
        let names: Vec<&str> = first["Changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["ResourceChange"]["LogicalResourceId"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["Vpc", "One", "Two", "Group", "Secret"]);
        let review = cfn(&cloud, "DescribeStacks", json!({"StackName": "net"}))
            .await
            .unwrap();
        assert_eq!(review["Stacks"][0]["StackStatus"], "REVIEW_IN_PROGRESS");
        execute("create").await.unwrap();
        assert_eq!(settled(&cloud, "net").await, "CREATE_COMPLETE");

        let shown = cfn(&cloud, "DescribeStacks", json!({"StackName": "net"}))
            .await
            .unwrap()["Stacks"][0]
            .clone();
        assert_eq!(shown["Outputs"].as_array().unwrap().len(), 2);
        assert_eq!(shown["Outputs"][1]["OutputValue"], "10.0.0.0/16 of net");
        let told = events(&cloud, "net").await;
        assert_eq!(told[0], "net REVIEW_IN_PROGRESS User Initiated");
        assert_eq!(told[1], "net CREATE_IN_PROGRESS User Initiated");
        assert_eq!(told.last().unwrap(), "net CREATE_COMPLETE");
        let at = |text: &str| {
            told.iter()
                .position(|t| t == text)
                .unwrap_or_else(|| panic!("{text}: {told:#?}"))
        };
        assert!(at("Vpc CREATE_IN_PROGRESS") < at("Vpc CREATE_IN_PROGRESS Resource creation Initiated"));
        assert!(at("Vpc CREATE_COMPLETE") < at("One CREATE_IN_PROGRESS"));
        let vpcs = ec2(
            &cloud,
            "DescribeVpcs",
            json!({"VpcId": [shown["Outputs"][0]["OutputValue"]]}),
        )
        .await;
        let tagged = vpcs["vpcSet"][0]["tagSet"].to_string();
        for tag in [
            "mqaws:stack",
            "aws:cloudformation:stack-name",
            "aws:cloudformation:logical-id",
        ] {
            assert!(tagged.contains(tag), "{tagged}");
        }
        let (_, secret) = status_of(&cloud, "net", "Secret").await;
        let value = cloud
            .call(
                "secretsmanager",
                "GetSecretValue",
                json!({"SecretId": secret}),
                Caller::Admin,
            )
            .await
            .unwrap();
        let value: Value = serde_json::from_str(value["SecretString"].as_str().unwrap()).unwrap();
        assert_eq!(
            (value["username"].as_str(), value["password"].as_str().map(str::len)),
            (Some("mqapp"), Some(32))
        );

        let none = set("none", "UPDATE", json!([])).await;
        assert_eq!(
            (none["Status"].as_str(), none["StatusReason"].as_str()),
            (Some("FAILED"), Some(NO_CHANGES))
        );
        let refused = execute("none").await.unwrap_err();
        assert_eq!(refused.code, "InvalidChangeSetStatus");

        let parameters = json!([{"ParameterKey": "Public", "ParameterValue": "true"}, {"ParameterKey": "Second", "ParameterValue": "10.0.2.0/24"}]);
        let second = set("update", "UPDATE", parameters).await;
        let mut seen: Vec<(String, String, String)> = Vec::new();
        for change in second["Changes"].as_array().unwrap() {
            let change = &change["ResourceChange"];
            let text = |n: &str| change[n].as_str().unwrap_or("-").to_owned();
            seen.push((text("LogicalResourceId"), text("Action"), text("Replacement")));
        }
        let expected = [
            ("One", "Modify", "False"),
            ("Two", "Modify", "True"),
            ("Gateway", "Add", "-"),
        ];
        let expected: Vec<(String, String, String)> = expected
            .iter()
            .map(|(a, b, c)| ((*a).into(), (*b).into(), (*c).into()))
            .collect();
        assert_eq!(seen, expected);
        let two = &second["Changes"][1]["ResourceChange"];
        assert_eq!(two["PolicyAction"], "ReplaceAndDelete");
        assert_eq!(
            two["Details"][0],
            json!({"Target": {"Attribute": "Properties", "RequiresRecreation": "Always", "Name": "CidrBlock"},
                "Evaluation": "Static", "ChangeSource": "ParameterReference", "CausingEntity": "Second"})
        );
        let (_, before) = status_of(&cloud, "net", "Two").await;
        execute("update").await.unwrap();
        assert_eq!(settled(&cloud, "net").await, "UPDATE_COMPLETE");
        let (_, after) = status_of(&cloud, "net", "Two").await;
        assert_ne!(before, after);
        let left = ec2(
            &cloud,
            "DescribeSubnets",
            json!({"Filter": [{"Name": "vpc-id", "Value": [shown["Outputs"][0]["OutputValue"]]}]}),
        )
        .await;
        assert_eq!(left["subnetSet"].as_array().unwrap().len(), 2);
        let told = events(&cloud, "net").await;
        assert!(told.contains(&"Two UPDATE_IN_PROGRESS Requested update requires the creation of a new physical resource; hence creating one.".to_owned()));
        assert!(told.contains(&"net UPDATE_COMPLETE_CLEANUP_IN_PROGRESS".to_owned()));

        let id = shown["StackId"].as_str().unwrap();
        cfn(
            &cloud,
            "UpdateTerminationProtection",
            json!({"StackName": "net", "EnableTerminationProtection": true}),
        )
        .await
        .unwrap();
        let refused = cfn(&cloud, "DeleteStack", json!({"StackName": "net"}))
            .await
            .unwrap_err();
        assert_eq!(
            refused.message,
            "Stack [net] cannot be deleted while TerminationProtection is enabled"
        );
        cfn(
            &cloud,
            "UpdateTerminationProtection",
            json!({"StackName": "net", "EnableTerminationProtection": "false"}),
        )
        .await
        .unwrap();
        // The kept security group keeps its VPC, as on AWS.
        cfn(&cloud, "DeleteStack", json!({"StackName": "net"})).await.unwrap();
        let (_, group) = status_of(&cloud, id, "Group").await;
        let told_skipped = async {
            loop {
                if status_of(&cloud, id, "Group").await.0 == "DELETE_SKIPPED" {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), told_skipped)
            .await
            .unwrap();
        ec2(&cloud, "DeleteSecurityGroup", json!({"GroupId": group})).await;
        assert_eq!(settled(&cloud, id).await, "DELETE_COMPLETE");
        let gone = cfn(&cloud, "DescribeStacks", json!({"StackName": "net"}))
            .await
            .unwrap_err();
        assert_eq!(
            (gone.code.as_str(), gone.message.as_str()),
            ("ValidationError", "Stack with id net does not exist")
        );
        let left = ec2(
            &cloud,
            "DescribeVpcs",
            json!({"Filter": [{"Name": "tag:mqaws:stack", "Value": ["net"]}]}),
        )
        .await;
        assert_eq!(left["vpcSet"], json!([]));
    });
}

#[test]
fn a_failed_creation_rolls_back() {
    block_on(async {
        let (cloud, _) = cloud();
        let body = NETWORK.replace("!Ref Second", "192.168.0.0/24");
        let id = create(&cloud, "bad", &body).await;
        assert_eq!(settled(&cloud, "bad").await, "ROLLBACK_COMPLETE");
        let told = events(&cloud, &id).await;
        let cause = told
            .iter()
            .find(|t| t.contains("CREATE_FAILED") && !t.contains("cancelled"))
            .unwrap();
        assert!(
            cause.starts_with(
                "Two CREATE_FAILED Resource handler returned message: \"The CIDR '192.168.0.0/24' is invalid."
            ),
            "{cause}"
        );
        assert!(
            told.iter()
                .any(|t| t.starts_with("bad ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Two")),
            "{told:#?}"
        );
        // Kept after a delete, but not after a failed create.
        let groups = ec2(
            &cloud,
            "DescribeSecurityGroups",
            json!({"Filter": [{"Name": "description", "Value": ["inside"]}]}),
        )
        .await;
        assert_eq!(groups["securityGroupInfo"], json!([]));
        let update = cfn(
            &cloud,
            "UpdateStack",
            json!({"StackName": "bad", "TemplateBody": NETWORK}),
        )
        .await
        .unwrap_err();
        assert_eq!(
            update.message,
            format!("Stack:{id} is in ROLLBACK_COMPLETE state and can not be updated.")
        );
        cfn(&cloud, "DeleteStack", json!({"StackName": "bad"})).await.unwrap();
        assert_eq!(settled(&cloud, &id).await, "DELETE_COMPLETE");

        for (choice, end) in [("DO_NOTHING", "CREATE_FAILED"), ("DELETE", "DELETE_COMPLETE")] {
            let params = json!({"StackName": choice.replace('_', "-"), "TemplateBody": body, "OnFailure": choice});
            let made = cfn(&cloud, "CreateStack", params).await.unwrap();
            assert_eq!(settled(&cloud, made["StackId"].as_str().unwrap()).await, end);
        }
    });
}

#[test]
fn a_failed_update_goes_back() {
    block_on(async {
        let (cloud, _) = cloud();
        let id = create(&cloud, "net", NETWORK).await;
        assert_eq!(settled(&cloud, &id).await, "CREATE_COMPLETE");
        let (_, two) = status_of(&cloud, "net", "Two").await;
        // Public changes One in place, the description replaces Group, the gateway is new, Bad fails.
        let body = NETWORK.replace(
            "Outputs:",
            "  Bad: {Type: 'AWS::EC2::Subnet', DependsOn: [One, Group, Gateway, Two], Properties: {VpcId: !Ref Vpc, CidrBlock: 1.2.3.0/24}}\nOutputs:",
        );
        let parameters = json!([{"ParameterKey": "Public", "ParameterValue": "true"}, {"ParameterKey": "Described", "ParameterValue": "new"},
            {"ParameterKey": "Second", "ParameterValue": "10.0.3.0/24"}]);
        cfn(
            &cloud,
            "UpdateStack",
            json!({"StackName": "net", "TemplateBody": body, "Parameters": parameters}),
        )
        .await
        .unwrap();
        assert_eq!(settled(&cloud, &id).await, "UPDATE_ROLLBACK_COMPLETE");
        let told = events(&cloud, &id).await;
        assert!(
            told.iter()
                .any(|t| t == "net UPDATE_ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Bad]."),
            "{told:#?}"
        );
        assert_eq!(status_of(&cloud, "net", "Two").await.1, two);
        let subnets = ec2(
            &cloud,
            "DescribeSubnets",
            json!({"SubnetId": [status_of(&cloud, "net", "One").await.1]}),
        )
        .await;
        assert_eq!(
            subnets["subnetSet"][0]["mapPublicIpOnLaunch"]
                .to_string()
                .trim_matches('"'),
            "false"
        );
        let groups = ec2(
            &cloud,
            "DescribeSecurityGroups",
            json!({"Filter": [{"Name": "description", "Value": ["new"]}]}),
        )
        .await;
        assert_eq!(groups["securityGroupInfo"], json!([]));
        let gateways = ec2(
            &cloud,
            "DescribeInternetGateways",
            json!({"Filter": [{"Name": "tag:aws:cloudformation:stack-name", "Value": ["net"]}]}),
        )
        .await;
        assert_eq!(gateways["internetGatewaySet"], json!([]));
        let shown = cfn(&cloud, "DescribeStacks", json!({"StackName": "net"}))
            .await
            .unwrap();
        assert!(shown.to_string().contains("10.0.1.0/24"), "the old parameters are back");
        // What went back can be updated again.
        let params = json!({"StackName": "net", "TemplateBody": NETWORK, "Parameters": [{"ParameterKey": "Public", "ParameterValue": "true"}]});
        cfn(&cloud, "UpdateStack", params).await.unwrap();
        assert_eq!(settled(&cloud, &id).await, "UPDATE_COMPLETE");
        let none = json!({"StackName": "net", "UsePreviousTemplate": true, "Parameters": [{"ParameterKey": "Public", "UsePreviousValue": true}]});
        let refused = cfn(&cloud, "UpdateStack", none).await.unwrap_err();
        assert_eq!(refused.message, "No updates are to be performed.");
    });
}

const GROUP: &str = "
Parameters: {Type: {Type: String, Default: m7i.large}, Wait: {Type: String, Default: PT30S}}
Resources:
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties: {LaunchTemplateData: {ImageId: ami-0123456789abcdef0, InstanceType: !Ref Type}}
  Group:
    Type: AWS::AutoScaling::AutoScalingGroup
    CreationPolicy: {ResourceSignal: {Count: 1, Timeout: !Ref Wait}}
    UpdatePolicy:
      AutoScalingRollingUpdate: {MinInstancesInService: 0, MaxBatchSize: 1, WaitOnResourceSignals: true, PauseTime: PT30S, SuspendProcesses: [HealthCheck]}
    Properties:
      MinSize: 0
      MaxSize: '1'
      DesiredCapacity: '1'
      AvailabilityZones: [eu-west-1a]
      LaunchTemplate: {LaunchTemplateId: !Ref Template, Version: !GetAtt Template.LatestVersionNumber}
";

async fn signal(cloud: &Arc<Cloud>, stack: &str, instance: &str, status: &str) {
    let params = json!({"StackName": stack, "LogicalResourceId": "Group", "UniqueId": instance, "Status": status});
    let try_it = async {
        while cfn(cloud, "SignalResource", params.clone()).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), try_it)
        .await
        .unwrap();
}

#[test]
fn a_group_waits_for_signals_and_rolls() {
    block_on(async {
        let (cloud, group) = cloud();
        let id = create(&cloud, "asg", GROUP).await;
        signal(&cloud, &id, "i-1", "SUCCESS").await;
        assert_eq!(settled(&cloud, "asg").await, "CREATE_COMPLETE");
        let late = json!({"StackName": "asg", "LogicalResourceId": "Group", "UniqueId": "i-1", "Status": "SUCCESS"});
        let refused = cfn(&cloud, "SignalResource", late).await.unwrap_err();
        assert_eq!(
            refused.message,
            "Resource Group is in CREATE_COMPLETE state and cannot be signaled"
        );

        let parameters = json!([{"ParameterKey": "Type", "ParameterValue": "m7i.xlarge"}]);
        let params =
            json!({"StackName": "asg", "ChangeSetName": "c", "UsePreviousTemplate": true, "Parameters": parameters});
        cfn(&cloud, "CreateChangeSet", params).await.unwrap();
        let set = cfn(
            &cloud,
            "DescribeChangeSet",
            json!({"StackName": "asg", "ChangeSetName": "c"}),
        )
        .await
        .unwrap();
        let change = &set["Changes"][1]["ResourceChange"];
        assert_eq!(
            (change["LogicalResourceId"].as_str(), change["Replacement"].as_str()),
            (Some("Group"), Some("Conditional"))
        );
        assert_eq!(change["Details"][0]["CausingEntity"], "Template.LatestVersionNumber");
        assert_eq!(change["Details"][0]["Evaluation"], "Dynamic");
        cfn(
            &cloud,
            "ExecuteChangeSet",
            json!({"StackName": "asg", "ChangeSetName": "c"}),
        )
        .await
        .unwrap();
        let replaced = async {
            while group.lock().unwrap().instances != ["i-2"] {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), replaced)
            .await
            .unwrap();
        assert_eq!(group.lock().unwrap().suspended, ["HealthCheck"]);
        signal(&cloud, "asg", "i-2", "SUCCESS").await;
        assert_eq!(settled(&cloud, "asg").await, "UPDATE_COMPLETE");
        assert!(group.lock().unwrap().suspended.is_empty());
        let told = events(&cloud, "asg").await;
        assert!(
            told.iter()
                .any(|t| t.contains("Rolling update initiated. Terminating 1 obsolete instance(s)")),
            "{told:#?}"
        );
        assert!(
            told.iter()
                .any(|t| t == "Group UPDATE_IN_PROGRESS Received SUCCESS signal with UniqueId i-2"),
            "{told:#?}"
        );

        cfn(&cloud, "DeleteStack", json!({"StackName": "asg"})).await.unwrap();
        assert_eq!(settled(&cloud, &id).await, "DELETE_COMPLETE");
        assert!(!group.lock().unwrap().exists);
    });
}

#[test]
fn missing_and_failed_signals_fail_the_creation() {
    block_on(async {
        for (wait, status, reason) in [
            (
                "PT1S",
                None,
                "Received 0 SUCCESS signal(s) out of 1.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement",
            ),
            (
                "PT10M",
                Some("FAILURE"),
                "Received 1 FAILURE signal(s) out of 1.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement",
            ),
        ] {
            let (cloud, group) = cloud();
            let id = create(
                &cloud,
                "asg",
                &GROUP.replace("Default: PT30S", &format!("Default: {wait}")),
            )
            .await;
            if let Some(status) = status {
                signal(&cloud, &id, "i-1", status).await;
            }
            assert_eq!(settled(&cloud, &id).await, "ROLLBACK_COMPLETE");
            let told = events(&cloud, &id).await;
            assert!(told.contains(&format!("Group CREATE_FAILED {reason}")), "{told:#?}");
            assert!(!group.lock().unwrap().exists);
        }
    });
}

#[test]
fn refusals_are_cloudformations_own() {
    block_on(async {
        let (cloud, _) = cloud();
        let id = create(&cloud, "net", NETWORK).await;
        assert_eq!(settled(&cloud, &id).await, "CREATE_COMPLETE");
        let iam = "Resources: {R: {Type: 'AWS::IAM::Role', Properties: {AssumeRolePolicyDocument: {}}}}";
        let cases = [
            (
                "CreateStack",
                json!({"StackName": "net", "TemplateBody": NETWORK}),
                "AlreadyExistsException",
                "Stack [net] already exists",
            ),
            (
                "CreateStack",
                json!({"StackName": "x", "TemplateBody": iam}),
                "InsufficientCapabilitiesException",
                "Requires capabilities : [CAPABILITY_IAM]",
            ),
            (
                "CreateStack",
                json!({"StackName": "a_b", "TemplateBody": NETWORK}),
                "ValidationError",
                "regular expression pattern",
            ),
            (
                "CreateStack",
                json!({"StackName": "x"}),
                "ValidationError",
                "Either Template URL or Template Body must be specified.",
            ),
            (
                "CreateStack",
                json!({"StackName": "x", "TemplateBody": NETWORK, "Foo": 1}),
                "UnknownParameter",
                "Foo",
            ),
            (
                "CreateStack",
                json!({"StackName": "x", "TemplateBody": NETWORK, "Tags": [{"Key": "aws:x", "Value": "y"}]}),
                "ValidationError",
                "aws: prefixed tag key names",
            ),
            (
                "CreateStack",
                json!({"StackName": "x", "TemplateBody": NETWORK, "RoleARN": "arn:aws:iam::000000000000:role/none"}),
                "ValidationError",
                "is invalid or cannot be assumed",
            ),
            (
                "UpdateStack",
                json!({"StackName": "nope", "TemplateBody": NETWORK}),
                "ValidationError",
                "Stack [nope] does not exist",
            ),
            (
                "DescribeStackEvents",
                json!({"StackName": "nope"}),
                "ValidationError",
                "Stack [nope] does not exist",
            ),
            (
                "CreateChangeSet",
                json!({"StackName": "net", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": NETWORK}),
                "ValidationError",
                "already exists and cannot be created again",
            ),
            (
                "CreateChangeSet",
                json!({"StackName": "nope", "ChangeSetName": "c", "TemplateBody": NETWORK}),
                "ValidationError",
                "Stack [nope] does not exist",
            ),
            (
                "DescribeChangeSet",
                json!({"StackName": "net", "ChangeSetName": "c"}),
                "ChangeSetNotFound",
                "ChangeSet [c] does not exist",
            ),
            (
                "SignalResource",
                json!({"StackName": "net", "LogicalResourceId": "Vpc", "UniqueId": "i", "Status": "MAYBE"}),
                "ValidationError",
                "Member must satisfy enum value set: [FAILURE, SUCCESS]",
            ),
            (
                "DeleteStack",
                json!({"StackName": "net", "RetainResources": ["Vpc"]}),
                "ValidationError",
                "DELETE_FAILED",
            ),
            (
                "ValidateTemplate",
                json!({"TemplateBody": "a: ["}),
                "ValidationError",
                "Template format error: YAML not well-formed.",
            ),
            (
                "Frobnicate",
                json!({}),
                "InvalidAction",
                "The action Frobnicate is not valid for this endpoint.",
            ),
        ];
        for (action, params, code, message) in cases {
            let error = cfn(&cloud, action, params.clone()).await.unwrap_err();
            assert_eq!(error.code, code, "{action} {params}: {}", error.message);
            assert!(error.message.contains(message), "{action}: {}", error.message);
        }
        assert_eq!(
            cfn(&cloud, "DeleteStack", json!({"StackName": "never"})).await.unwrap(),
            Value::Null
        );
    });
}

#[test]
fn properties_are_validated_before_and_while_creating() {
    block_on(async {
        let (cloud, _) = cloud();
        let body = "Resources: {V: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: 10.0.0.0/16, Colour: red}}}";
        let params = json!({"StackName": "v", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": body});
        cfn(&cloud, "CreateChangeSet", params).await.unwrap();
        let set = cfn(
            &cloud,
            "DescribeChangeSet",
            json!({"StackName": "v", "ChangeSetName": "c"}),
        )
        .await
        .unwrap();
        assert_eq!(set["Status"], "FAILED");
        assert!(set["StatusReason"].as_str().unwrap().contains("PropertyValidation"));
        let params = json!({"StackName": "v", "ChangeSetName": "c", "Filters": {"FailedEvents": "true"}});
        let found = cfn(&cloud, "DescribeEvents", params).await.unwrap();
        let finding = &found["OperationEvents"][0];
        assert_eq!(
            finding["ValidationStatusReason"],
            "extraneous key [Colour] is not permitted"
        );
        assert_eq!(finding["EventType"], "VALIDATION_ERROR");

        let id = create(&cloud, "w", body).await;
        assert_eq!(settled(&cloud, &id).await, "ROLLBACK_COMPLETE");
        let told = events(&cloud, &id).await;
        assert!(told.contains(&"V CREATE_FAILED Properties validation failed for resource V with message:\n[#: extraneous key [Colour] is not permitted]".to_owned()), "{told:#?}");
        // A stack that never got further than review is deleted at once.
        cfn(&cloud, "DeleteStack", json!({"StackName": "v"})).await.unwrap();
        assert!(cfn(&cloud, "DescribeStacks", json!({"StackName": "v"})).await.is_err());
    });
}

#[test]
fn events_come_in_pages_newest_first() {
    block_on(async {
        let (cloud, _) = cloud();
        let many: String = (0..60)
            .map(|i| format!("  V{i}: {{Type: 'AWS::EC2::VPC', Properties: {{CidrBlock: 10.0.0.0/16}}}}\n"))
            .collect();
        let id = create(&cloud, "many", &format!("Resources:\n{many}")).await;
        assert_eq!(settled(&cloud, &id).await, "CREATE_COMPLETE");
        let first = cfn(&cloud, "DescribeStackEvents", json!({"StackName": "many"}))
            .await
            .unwrap();
        assert_eq!(first["StackEvents"][0]["ResourceStatus"], "CREATE_COMPLETE");
        assert_eq!(first["StackEvents"].as_array().unwrap().len(), 100);
        let second = cfn(
            &cloud,
            "DescribeStackEvents",
            json!({"StackName": "many", "NextToken": first["NextToken"]}),
        )
        .await
        .unwrap();
        let all: std::collections::BTreeSet<String> = [&first, &second]
            .iter()
            .flat_map(|p| p["StackEvents"].as_array().unwrap())
            .map(|e| e["EventId"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!((all.len(), second["NextToken"].clone()), (60 * 3 + 2, Value::Null));
    });
}

#[test]
fn a_creation_under_way_can_be_deleted() {
    block_on(async {
        let (cloud, group) = cloud();
        let id = create(&cloud, "asg", GROUP).await;
        let begun = async {
            while !group.lock().unwrap().exists {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), begun)
            .await
            .unwrap();
        cfn(&cloud, "DeleteStack", json!({"StackName": "asg"})).await.unwrap();
        assert_eq!(settled(&cloud, &id).await, "DELETE_COMPLETE");
        let told = events(&cloud, &id).await;
        assert!(
            told.contains(&"Group CREATE_FAILED Resource creation cancelled".to_owned()),
            "{told:#?}"
        );
        assert!(!told.iter().any(|t| t.contains("ROLLBACK")), "{told:#?}");
        assert!(!group.lock().unwrap().exists);
    });
}

#[test]
fn a_way_back_that_got_stuck_can_go_on() {
    block_on(async {
        let (cloud, group) = cloud();
        let id = create(&cloud, "asg", GROUP).await;
        signal(&cloud, &id, "i-1", "SUCCESS").await;
        assert_eq!(settled(&cloud, "asg").await, "CREATE_COMPLETE");
        let parameters = json!([{"ParameterKey": "Type", "ParameterValue": "m7i.xlarge"}]);
        let params = json!({"StackName": "asg", "UsePreviousTemplate": true, "Parameters": parameters});
        cfn(&cloud, "UpdateStack", params).await.unwrap();
        for instance in ["i-2", "i-3"] {
            // A signal before its instance exists belongs to no batch.
            let launched = async {
                while group.lock().unwrap().instances != [instance] {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(std::time::Duration::from_secs(10), launched)
                .await
                .unwrap();
            signal(&cloud, "asg", instance, "FAILURE").await;
        }
        assert_eq!(settled(&cloud, "asg").await, "UPDATE_ROLLBACK_FAILED");

        let skip = |name: &'static str| json!({"StackName": "asg", "ResourcesToSkip": [name]});
        let refused = cfn(&cloud, "ContinueUpdateRollback", skip("Template"))
            .await
            .unwrap_err();
        assert_eq!(
            refused.message,
            "Resource [Template] is not in UPDATE_FAILED state and cannot be skipped."
        );
        cfn(&cloud, "ContinueUpdateRollback", json!({"StackName": "asg"}))
            .await
            .unwrap();
        // The group has its old template already, so there is nothing to roll.
        assert_eq!(settled(&cloud, "asg").await, "UPDATE_ROLLBACK_COMPLETE");
        assert!(
            cfn(&cloud, "ContinueUpdateRollback", json!({"StackName": "asg"}))
                .await
                .is_err()
        );
    });
}

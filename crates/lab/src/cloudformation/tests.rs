//! Lives of whole stacks, on the lab's own EC2, IAM, Secrets Manager and CloudWatch, with an Auto Scaling of the tests'.

mod documents;
mod imports;
mod life;
mod members;
mod refusals;
mod rollback;
mod signals;
mod values;

use super::changesets::NO_CHANGES;
use super::testing::{answer, block_on, cfn, recording, settled};
use crate::api::{ApiError, Caller, Cloud};
use crate::cloudwatch::CloudWatch;
use crate::ec2::Ec2;
use crate::iam::Iam;
use crate::secrets::SecretsManager;
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
    /// Whether every launch fails, as with a key pair that does not exist.
    barren: bool,
    /// An instance that ends slowly, and is refused to be ended twice.
    ending: Option<String>,
    calls: Vec<String>,
}

impl Group {
    fn fill(&mut self) {
        while !self.barren && (self.instances.len() as i64) < self.desired {
            self.launched += 1;
            self.instances.push(format!("i-{}", self.launched));
        }
        self.instances.truncate(self.desired.max(0) as usize);
    }

    fn call(&mut self, action: &str, params: &Value) -> Result<Value, ApiError> {
        self.calls.push(action.to_owned());
        let number = |name: &str| crate::api::number(params, name);
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
            "TerminateInstanceInAutoScalingGroup" if params["InstanceId"].as_str() == self.ending.as_deref() => {
                return Err(ApiError::new("ValidationError", "is already terminating"));
            }
            "TerminateInstanceInAutoScalingGroup" => {
                self.instances.retain(|i| params["InstanceId"] != i.as_str());
                self.fill();
            }
            "SuspendProcesses" => self.suspended = crate::api::texts(params, "ScalingProcesses"),
            "ResumeProcesses" => self.suspended.clear(),
            "DescribeAutoScalingGroups" => {
                let state = |i: &String| match self.ending.as_ref() == Some(i) {
                    true => "Terminating:Wait",
                    false => "InService",
                };
                let instances: Vec<Value> = self
                    .instances
                    .iter()
                    .chain(&self.ending)
                    .map(|i| json!({"InstanceId": i, "LifecycleState": state(i)}))
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

/// Begins an update of the group to another instance type.
async fn roll(cloud: &Arc<Cloud>) {
    let parameters = json!([{"ParameterKey": "Type", "ParameterValue": "m7i.xlarge"}]);
    let params = json!({"StackName": "asg", "UsePreviousTemplate": true, "Parameters": parameters});
    cfn(cloud, "UpdateStack", params).await.unwrap();
}

/// Waits until the group consists of one instance.
async fn launched(group: &Arc<Mutex<Group>>, instance: &str) {
    let look = async {
        while group.lock().unwrap().instances != [instance] {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), look)
        .await
        .unwrap();
}

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

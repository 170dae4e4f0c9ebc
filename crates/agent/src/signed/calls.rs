//! The calls, typed.

use super::client::Client;
use super::endpoint::Service;
use super::error::CallError;
use crate::model::{AsWritten, InstanceId};
use secrecy::SecretString;
use serde_json::{Value, json};

/// An instance as EC2 describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceView {
    /// Instance id.
    pub(crate) id: AsWritten<InstanceId>,
    /// `pending running shutting-down terminated stopping stopped`, or a word of a later EC2.
    pub(crate) state: String,
}

/// A mount target as EFS describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountTargetView {
    /// Availability zone.
    pub(crate) zone: String,
    /// IPv4 address.
    pub(crate) address: String,
    /// `creating available updating deleting deleted error`, or a word of a later EFS.
    pub(crate) state: String,
}

/// What an instance tells its CloudFormation stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal<'a> {
    /// Stack name.
    pub(crate) stack: &'a str,
    /// Logical id of the resource that waits.
    pub(crate) resource: &'a str,
    /// Unique id: the instance id.
    pub(crate) id: &'a InstanceId,
    /// Whether the start succeeded.
    pub(crate) success: bool,
}

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalOutcome {
    /// The stack was waiting, and took it.
    Taken,
    /// The stack does not wait for signals now. Normal for a replacement outside a deployment.
    NotWaiting,
}

/// One value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Datum {
    /// Metric name.
    pub name: &'static str,
    /// Value.
    pub value: f64,
    /// CloudWatch unit: `Count`, `Milliseconds`, `None`.
    pub unit: &'static str,
}

fn pair(key: &str, value: impl Into<String>) -> (String, String) {
    (key.to_owned(), value.into())
}

impl Client {
    /// Looks at some instances. An id that EC2 does not know is not in the answer, and no error.
    ///
    /// # Errors
    /// [`CallError`].
    pub(crate) fn describe_instances(&self, ids: &[&InstanceId]) -> Result<Vec<InstanceView>, CallError> {
        // A filter, since one unknown id among `InstanceId.n` fails the whole call.
        let mut params = vec![pair("Filter.1.Name", "instance-id")];
        for (n, id) in ids.iter().enumerate() {
            params.push(pair(&format!("Filter.1.Value.{}", n + 1), id.as_str()));
        }
        let root = self.query(Service::Ec2, "DescribeInstances", &params)?;
        if root.child("reservationSet").is_none() {
            return Err(CallError::Malformed {
                action: "ec2:DescribeInstances".to_owned(),
                what: "no reservationSet".to_owned(),
            });
        }
        let mut found = Vec::new();
        for reservation in root.items(&["reservationSet"]) {
            for instance in reservation.items(&["instancesSet"]) {
                found.push(InstanceView {
                    id: instance.text(&["instanceId"]).unwrap_or_default().into(),
                    state: instance.text(&["instanceState", "name"]).unwrap_or_default().to_owned(),
                });
            }
        }
        Ok(found)
    }

    /// Terminates an instance without an orderly shutdown of its operating system.
    ///
    /// # Errors
    /// [`CallError`].
    pub(crate) fn terminate_instance(&self, id: &InstanceId) -> Result<(), CallError> {
        let params = [pair("InstanceId.1", id.as_str()), pair("SkipOsShutdown", "true")];
        self.query(Service::Ec2, "TerminateInstances", &params).map(|_| ())
    }

    /// Name of the Auto Scaling group that an instance is in; `None` when it is in none.
    ///
    /// # Errors
    /// [`CallError`].
    pub(crate) fn auto_scaling_group(&self, id: &InstanceId) -> Result<Option<String>, CallError> {
        let root = self.query(
            Service::AutoScaling,
            "DescribeAutoScalingInstances",
            &[pair("InstanceIds.member.1", id.as_str())],
        )?;
        Ok(root
            .items(&["DescribeAutoScalingInstancesResult", "AutoScalingInstances"])
            .find(|i| i.text(&["InstanceId"]) == Some(id.as_str()))
            .and_then(|i| i.text(&["AutoScalingGroupName"]))
            .filter(|name| !name.is_empty())
            .map(str::to_owned))
    }

    /// Reports an instance as unhealthy, whatever the group's grace period.
    ///
    /// # Errors
    /// [`CallError`].
    pub(crate) fn report_unhealthy(&self, id: &InstanceId) -> Result<(), CallError> {
        let params = [
            pair("InstanceId", id.as_str()),
            pair("HealthStatus", "Unhealthy"),
            pair("ShouldRespectGracePeriod", "false"),
        ];
        self.query(Service::AutoScaling, "SetInstanceHealth", &params)
            .map(|_| ())
    }

    /// Lets the group go on with a lifecycle action.
    ///
    /// # Errors
    /// [`CallError`].
    pub(crate) fn complete_lifecycle_action(&self, group: &str, hook: &str, id: &InstanceId) -> Result<(), CallError> {
        let params = [
            pair("AutoScalingGroupName", group),
            pair("LifecycleHookName", hook),
            pair("InstanceId", id.as_str()),
            pair("LifecycleActionResult", "CONTINUE"),
        ];
        self.query(Service::AutoScaling, "CompleteLifecycleAction", &params)
            .map(|_| ())
    }

    /// Tells the stack how the start went; a repetition with the same id does nothing.
    ///
    /// # Errors
    /// [`CallError`], except that a stack that does not wait is an outcome.
    pub fn signal(&self, signal: &Signal<'_>) -> Result<SignalOutcome, CallError> {
        let params = [
            pair("StackName", signal.stack),
            pair("LogicalResourceId", signal.resource),
            pair("UniqueId", signal.id.as_str()),
            pair("Status", if signal.success { "SUCCESS" } else { "FAILURE" }),
        ];
        match self.query(Service::CloudFormation, "SignalResource", &params) {
            Ok(_) => Ok(SignalOutcome::Taken),
            Err(error) if error.code() == Some("ValidationError") => Ok(SignalOutcome::NotWaiting),
            Err(error) => Err(error),
        }
    }

    /// Sends metrics, at most 1000 at once, all with the dimension `Stack`.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn put_metrics(&self, namespace: &str, stack: &str, data: &[Datum]) -> Result<(), CallError> {
        let mut params = vec![pair("Namespace", namespace)];
        for (n, datum) in data.iter().enumerate() {
            let prefix = format!("MetricData.member.{}", n + 1);
            params.push(pair(&format!("{prefix}.MetricName"), datum.name));
            params.push(pair(&format!("{prefix}.Value"), datum.value.to_string()));
            params.push(pair(&format!("{prefix}.Unit"), datum.unit));
            params.push(pair(&format!("{prefix}.Dimensions.member.1.Name"), "Stack"));
            params.push(pair(&format!("{prefix}.Dimensions.member.1.Value"), stack));
        }
        self.query(Service::CloudWatch, "PutMetricData", &params).map(|_| ())
    }

    /// The mount targets of a file system.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn mount_targets(&self, file_system: &str) -> Result<Vec<MountTargetView>, CallError> {
        let params = [("FileSystemId", file_system)];
        let answer = self.get(
            Service::Efs,
            "DescribeMountTargets",
            "2015-02-01/mount-targets",
            &params,
        )?;
        let targets = answer["MountTargets"].as_array().ok_or_else(|| CallError::Malformed {
            action: "elasticfilesystem:DescribeMountTargets".to_owned(),
            what: "no MountTargets".to_owned(),
        })?;
        let text = |target: &Value, name: &str| target[name].as_str().unwrap_or_default().to_owned();
        Ok(targets
            .iter()
            .map(|target| MountTargetView {
                zone: text(target, "AvailabilityZoneName"),
                address: text(target, "IpAddress"),
                state: text(target, "LifeCycleState"),
            })
            .collect())
    }

    /// The tags of a file system.
    ///
    /// # Errors
    /// [`CallError`].
    pub(crate) fn tags_of_file_system(&self, file_system: &str) -> Result<Vec<(String, String)>, CallError> {
        // A file system has 50 at most.
        let answer = self.get(
            Service::Efs,
            "ListTagsForResource",
            &format!("2015-02-01/resource-tags/{file_system}"),
            &[("MaxResults", "100")],
        )?;
        let tags = answer["Tags"].as_array().ok_or_else(|| CallError::Malformed {
            action: "elasticfilesystem:ListTagsForResource".to_owned(),
            what: "no Tags".to_owned(),
        })?;
        let text = |tag: &Value, name: &str| tag[name].as_str().unwrap_or_default().to_owned();
        Ok(tags.iter().map(|tag| (text(tag, "Key"), text(tag, "Value"))).collect())
    }

    /// Sets a tag of a file system.
    ///
    /// # Errors
    /// [`CallError`].
    pub(crate) fn tag_file_system(&self, file_system: &str, key: &str, value: &str) -> Result<(), CallError> {
        self.put(
            Service::Efs,
            "TagResource",
            &format!("2015-02-01/resource-tags/{file_system}"),
            &json!({"Tags": [{"Key": key, "Value": value}]}),
        )
    }

    /// The text of a secret.
    ///
    /// # Errors
    /// [`CallError`]; no error carries any of the secret.
    pub(crate) fn secret(&self, id: &str) -> Result<SecretString, CallError> {
        let mut answer = self.json(
            Service::SecretsManager,
            "secretsmanager",
            "GetSecretValue",
            &json!({"SecretId": id}),
        )?;
        match answer["SecretString"].take() {
            Value::String(text) => Ok(SecretString::from(text)),
            _ => Err(CallError::Malformed {
                action: "secretsmanager:GetSecretValue".to_owned(),
                what: "no SecretString".to_owned(),
            }),
        }
    }
}

//! What IAM calls an action of the local cloud, which resources it is on, and the condition keys that it carries.
//!
//! Source: AWS's service authorization reference. The table holds what the role of an instance may call; see [`on`] for
//! what it does not hold.

use crate::api::{ACCOUNT, ApiError, Caller, Cloud, list, text, texts};
use crate::cloudformation::intrinsics::partition;
use crate::policy::Context;
use crate::ssm::document_arn;
use serde_json::{Value, json};
use std::sync::Arc;

/// What an action is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    /// Whoever has credentials may call it.
    Free,
    /// No resource: `*`.
    Nothing,
    /// No resource, but the namespace of metrics.
    Namespace,
    /// The volume `VolumeId` and the instance that has it or is to have it.
    Attachment,
    /// Instances by `InstanceId`.
    Instances,
    /// The group by `AutoScalingGroupName`.
    Group,
    /// The group of the instance `InstanceId`.
    GroupOfInstance,
    /// The stack `StackName`.
    Stack,
    /// The file system, or that of a mount target.
    FileSystem,
    /// The secret `SecretId`.
    Secret,
    /// The parameter `Name`.
    Parameter,
    /// The document `DocumentName`, and the instances that are to run it.
    Command,
    /// The document `Name`.
    Document,
}

const ACTIONS: &[(&str, &str, On)] = &[
    ("autoscaling", "CompleteLifecycleAction", On::Group),
    ("autoscaling", "RecordLifecycleActionHeartbeat", On::Group),
    ("autoscaling", "ResumeProcesses", On::Group),
    ("autoscaling", "SetDesiredCapacity", On::Group),
    ("autoscaling", "SetInstanceHealth", On::GroupOfInstance),
    ("autoscaling", "SuspendProcesses", On::Group),
    (
        "autoscaling",
        "TerminateInstanceInAutoScalingGroup",
        On::GroupOfInstance,
    ),
    ("cloudformation", "DescribeStackResources", On::Stack),
    ("cloudformation", "DescribeStacks", On::Stack),
    ("cloudformation", "SignalResource", On::Stack),
    ("ec2", "AttachVolume", On::Attachment),
    ("ec2", "DetachVolume", On::Attachment),
    ("ec2", "StopInstances", On::Instances),
    ("ec2", "TerminateInstances", On::Instances),
    ("elasticfilesystem", "DescribeFileSystems", On::FileSystem),
    ("elasticfilesystem", "DescribeMountTargets", On::FileSystem),
    ("elasticfilesystem", "ListTagsForResource", On::FileSystem),
    ("elasticfilesystem", "TagResource", On::FileSystem),
    ("monitoring", "DescribeAlarms", On::Nothing),
    ("monitoring", "PutMetricData", On::Namespace),
    ("secretsmanager", "GetSecretValue", On::Secret),
    ("ssm", "DescribeDocument", On::Document),
    ("ssm", "GetCommandInvocation", On::Nothing),
    ("ssm", "GetDocument", On::Document),
    ("ssm", "GetParameter", On::Parameter),
    ("ssm", "ListCommandInvocations", On::Nothing),
    ("ssm", "ListCommands", On::Nothing),
    ("ssm", "SendCommand", On::Command),
    ("sts", "GetCallerIdentity", On::Free),
];

/// Services whose every `Describe…` action knows no resource.
const DESCRIBE: &[&str] = &["autoscaling", "ec2", "elasticloadbalancing"];

/// What an action is on; `None` for one that the table does not hold, which a role cannot call here.
pub(super) fn on(service: &str, action: &str) -> Option<On> {
    let found = ACTIONS.iter().find(|(s, a, _)| *s == service && *a == action);
    match found {
        Some((_, _, on)) => Some(*on),
        None => (DESCRIBE.contains(&service) && action.starts_with("Describe")).then_some(On::Nothing),
    }
}

/// IAM's name of an action.
pub(super) fn name(service: &str, action: &str) -> String {
    let prefix = match service {
        "monitoring" => "cloudwatch",
        same => same,
    };
    format!("{prefix}:{action}")
}

/// One resource of a request, with the keys that come with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    /// ARN; `*` for an action that knows none.
    pub(crate) arn: String,
    /// Condition keys.
    pub(crate) context: Context,
}

impl Resource {
    fn new(arn: impl Into<String>) -> Self {
        Self {
            arn: arn.into(),
            context: Context::new(),
        }
    }

    /// Adds a key, where the resource has a value for it.
    fn with(mut self, key: &str, value: Option<String>) -> Self {
        if let Some(value) = value {
            self.context.add(key, value);
        }
        self
    }

    /// Adds the tags in the global key, and in the service's own.
    fn tagged(mut self, tags: &[Value], own: &[&str]) -> Self {
        for tag in tags {
            let member = |names: [&str; 2]| names.iter().find_map(|n| text(tag, n));
            let Some(key) = member(["Key", "key"]) else { continue };
            let value = member(["Value", "value"]).unwrap_or_default();
            for family in own.iter().chain(&["aws"]) {
                self.context.add(&format!("{family}:ResourceTag/{key}"), &value);
            }
        }
        self
    }
}

/// The resources of a request, as the cloud knows them. One that does not exist has the ARN that it would have, and no
/// tags: who may act on what bears a tag learns nothing about what is not there.
///
/// # Errors
/// What a service answers to the question for a resource, but for that it does not exist.
pub(super) async fn resources(cloud: &Arc<Cloud>, on: On, params: &Value) -> Result<Vec<Resource>, ApiError> {
    let here = Here(cloud);
    let named = |name: &str| text(params, name).unwrap_or_default();
    Ok(match on {
        On::Free => Vec::new(),
        On::Nothing => vec![Resource::new("*")],
        On::Namespace => {
            let mut one = Resource::new("*");
            one.context.add("cloudwatch:namespace", named("Namespace"));
            vec![one]
        }
        On::Attachment => {
            let (volume, holder) = here.volume(&named("VolumeId")).await?;
            // A detachment need not name the instance.
            match text(params, "InstanceId").or(holder) {
                Some(id) => vec![volume, here.instance(&id, "ec2").await?],
                None => vec![volume, Resource::new(here.arn("ec2", "instance/*"))],
            }
        }
        On::Instances => {
            let mut all = Vec::new();
            for id in ["InstanceId", "InstanceIds"].iter().flat_map(|n| texts(params, n)) {
                all.push(here.instance(&id, "ec2").await?);
            }
            // Without one the action answers for itself.
            if all.is_empty() {
                all.push(Resource::new(here.arn("ec2", "instance/*")));
            }
            all
        }
        On::Group => vec![here.group(&named("AutoScalingGroupName")).await?],
        On::GroupOfInstance => {
            let asked = json!({"InstanceIds": [named("InstanceId")]});
            let found = here.ask("autoscaling", "DescribeAutoScalingInstances", asked).await?;
            let group = text(&found["AutoScalingInstances"][0], "AutoScalingGroupName");
            vec![here.group(&group.unwrap_or_else(|| "*".to_owned())).await?]
        }
        On::Stack => vec![here.stack(&named("StackName")).await?],
        On::FileSystem => {
            let mut one = here.file_system(params).await?;
            // Those of the request, of an action that sets some.
            for key in list(params, "Tags").iter().filter_map(|tag| text(tag, "Key")) {
                one.context.add("aws:TagKeys", key);
            }
            vec![one]
        }
        On::Secret => vec![here.secret(&named("SecretId")).await?],
        On::Command => {
            let mut all = vec![here.document(&named("DocumentName")).await?];
            let targets = list(params, "Targets");
            let named = targets
                .iter()
                .filter(|one| text(one, "Key").is_some_and(|key| key.eq_ignore_ascii_case("instanceids")));
            let ids = named.clone().flat_map(|one| texts(one, "Values"));
            for id in texts(params, "InstanceIds").into_iter().chain(ids) {
                all.push(here.instance(&id, "ssm").await?);
            }
            // Who chooses by a tag may end up with any.
            if named.count() < targets.len() || all.len() == 1 {
                all.push(Resource::new(here.arn("ec2", "instance/*")));
            }
            all
        }
        On::Document => vec![here.document(&named("Name")).await?],
        On::Parameter => {
            let name = named("Name");
            let name = name.split(':').next().unwrap_or_default();
            vec![Resource::new(
                here.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/'))),
            )]
        }
    })
}

/// What a service does at another in the caller's name, and the caller must be allowed: Secrets Manager decrypts with a
/// customer's key. An id or an alias stands for the account's own key, which asks nobody.
///
/// # Errors
/// As [`resources`].
pub(super) async fn on_behalf(
    cloud: &Arc<Cloud>,
    service: &str,
    action: &str,
    params: &Value,
) -> Result<Option<(String, Resource)>, ApiError> {
    if (service, action) != ("secretsmanager", "GetSecretValue") {
        return Ok(None);
    }
    let asked = json!({"SecretId": text(params, "SecretId").unwrap_or_default()});
    let secret = Here(cloud).ask("secretsmanager", "DescribeSecret", asked).await?;
    let key = text(&secret, "KmsKeyId").filter(|key| key.starts_with("arn:") && key.contains(":key/"));
    Ok(key.map(|key| {
        let mut resource = Resource::new(key);
        let service = format!("secretsmanager.{}.amazonaws.com", cloud.region);
        resource.context.add("kms:ViaService", service);
        let arn = text(&secret, "ARN").unwrap_or_default();
        resource.context.add("kms:EncryptionContext:SecretARN", arn);
        ("kms:Decrypt".to_owned(), resource)
    }))
}

/// The cloud, asked as its administrator.
struct Here<'a>(&'a Arc<Cloud>);

impl Here<'_> {
    fn arn(&self, service: &str, rest: &str) -> String {
        let region = &self.0.region;
        format!("arn:{}:{service}:{region}:{ACCOUNT}:{rest}", partition(region))
    }

    /// The answer of a service; null when it does not know what it is asked about.
    async fn ask(&self, service: &str, action: &str, params: Value) -> Result<Value, ApiError> {
        match self.0.call(service, action, params, Caller::Admin).await {
            Err(error) if error.status < 500 => Ok(Value::Null),
            other => other,
        }
    }

    /// An instance, with its tags as the service `family` calls them.
    async fn instance(&self, id: &str, family: &str) -> Result<Resource, ApiError> {
        let found = self
            .ask("ec2", "DescribeInstances", json!({"InstanceId": [id]}))
            .await?;
        let found = &found["reservationSet"][0]["instancesSet"][0];
        let mut one = Resource::new(self.arn("ec2", &format!("instance/{id}")));
        if family == "ec2" {
            one.context.add("ec2:InstanceID", id);
            let profile = text(&found["iamInstanceProfile"], "arn");
            let zone = text(&found["placement"], "availabilityZone");
            one = one
                .with("ec2:InstanceProfile", profile)
                .with("ec2:AvailabilityZone", zone);
        }
        Ok(one.tagged(&list(found, "tagSet"), &[family]))
    }

    /// A volume, and the instance that has it.
    async fn volume(&self, id: &str) -> Result<(Resource, Option<String>), ApiError> {
        let found = self.ask("ec2", "DescribeVolumes", json!({"VolumeId": [id]})).await?;
        let found = &found["volumeSet"][0];
        let mut one = Resource::new(self.arn("ec2", &format!("volume/{id}")));
        one.context.add("ec2:VolumeID", id);
        let one = one
            .with("ec2:AvailabilityZone", text(found, "availabilityZone"))
            .with("ec2:Encrypted", text(found, "encrypted"));
        let holder = text(&found["attachmentSet"][0], "instanceId");
        Ok((one.tagged(&list(found, "tagSet"), &["ec2"]), holder))
    }

    async fn document(&self, name: &str) -> Result<Resource, ApiError> {
        let asked = json!({"Name": name});
        let found = self.ask("ssm", "DescribeDocument", asked).await?;
        let tags = list(&found["Document"], "Tags");
        Ok(Resource::new(document_arn(&self.0.region, name)).tagged(&tags, &["ssm"]))
    }

    async fn group(&self, name: &str) -> Result<Resource, ApiError> {
        let asked = json!({"AutoScalingGroupNames": [name]});
        let found = self.ask("autoscaling", "DescribeAutoScalingGroups", asked).await?;
        let group = &found["AutoScalingGroups"][0];
        // The id of a group is not known before the group.
        let would_be = || {
            self.arn(
                "autoscaling",
                &format!("autoScalingGroup:*:autoScalingGroupName/{name}"),
            )
        };
        let arn = text(group, "AutoScalingGroupARN").unwrap_or_else(would_be);
        Ok(Resource::new(arn).tagged(&list(group, "Tags"), &["autoscaling"]))
    }

    async fn stack(&self, name: &str) -> Result<Resource, ApiError> {
        let found = self
            .ask("cloudformation", "DescribeStacks", json!({"StackName": name}))
            .await?;
        let stack = &found["Stacks"][0];
        let would_be = || match name.starts_with("arn:") {
            true => name.to_owned(),
            false => self.arn("cloudformation", &format!("stack/{name}/*")),
        };
        let arn = text(stack, "StackId").unwrap_or_else(would_be);
        Ok(Resource::new(arn).tagged(&list(stack, "Tags"), &[]))
    }

    async fn file_system(&self, params: &Value) -> Result<Resource, ApiError> {
        let mut id = text(params, "FileSystemId").or_else(|| text(params, "ResourceId"));
        if let Some(target) = text(params, "MountTargetId") {
            let asked = json!({"MountTargetId": target});
            let found = self.ask("elasticfilesystem", "DescribeMountTargets", asked).await?;
            id = id.or_else(|| text(&found["MountTargets"][0], "FileSystemId"));
        }
        let id = id.unwrap_or_else(|| "*".to_owned());
        let found = self
            .ask("elasticfilesystem", "DescribeFileSystems", json!({"FileSystemId": id}))
            .await?;
        let file_system = &found["FileSystems"][0];
        let would_be = || match id.starts_with("arn:") {
            true => id.clone(),
            false => self.arn("elasticfilesystem", &format!("file-system/{id}")),
        };
        let arn = text(file_system, "FileSystemArn").unwrap_or_else(would_be);
        Ok(Resource::new(arn).tagged(&list(file_system, "Tags"), &[]))
    }

    async fn secret(&self, id: &str) -> Result<Resource, ApiError> {
        let found = self
            .ask("secretsmanager", "DescribeSecret", json!({"SecretId": id}))
            .await?;
        let would_be = || match id.starts_with("arn:") {
            true => id.to_owned(),
            false => self.arn("secretsmanager", &format!("secret:{id}")),
        };
        let arn = text(&found, "ARN").unwrap_or_else(would_be);
        Ok(Resource::new(arn).tagged(&list(&found, "Tags"), &["secretsmanager"]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudformation::testing::{answer, block_on, cloud_with};

    fn known() -> Arc<Cloud> {
        let tags = r#"[{"Key": "mqaws:stack", "Value": "s"}]"#;
        let none = || ApiError::new("ValidationError", "none");
        cloud_with(move |service, action, params| {
            let first = |name: &str| texts(params, name).first().cloned().unwrap_or_default();
            let json = match (service, action) {
                ("ec2", "DescribeInstances") if first("InstanceId") == "i-1" => {
                    r#"{"reservationSet": [{"instancesSet": [{"tagSet": [{"key": "mqaws:stack", "value": "s"}]}]}]}"#
                        .to_owned()
                }
                ("autoscaling", "DescribeAutoScalingInstances") if first("InstanceIds") == "i-1" => {
                    r#"{"AutoScalingInstances": [{"AutoScalingGroupName": "g"}]}"#.to_owned()
                }
                ("autoscaling", "DescribeAutoScalingGroups") if first("AutoScalingGroupNames") == "g" => {
                    format!(r#"{{"AutoScalingGroups": [{{"AutoScalingGroupARN": "arn:group", "Tags": {tags}}}]}}"#)
                }
                ("elasticfilesystem", "DescribeMountTargets") => {
                    r#"{"MountTargets": [{"FileSystemId": "fs-1"}]}"#.to_owned()
                }
                ("elasticfilesystem", "DescribeFileSystems") if params["FileSystemId"] == "fs-1" => {
                    format!(r#"{{"FileSystems": [{{"FileSystemArn": "arn:fs", "Tags": {tags}}}]}}"#)
                }
                ("secretsmanager", "DescribeSecret") if params["SecretId"] == "one" => {
                    format!(r#"{{"ARN": "arn:one", "Tags": {tags}}}"#)
                }
                _ => return Err(none()),
            };
            Ok(answer(&json))
        })
    }

    #[test]
    fn requests_are_on_resources_with_their_tags() {
        let cloud = known();
        let arn = |rest: &str| format!("arn:aws:{rest}");
        for (service, action, params, expected, tagged) in [
            ("ec2", "DescribeInstances", json!({}), "*".to_owned(), None),
            (
                "ec2",
                "TerminateInstances",
                json!({"InstanceId": ["i-1"]}),
                arn("ec2:eu-west-1:000000000000:instance/i-1"),
                Some("ec2:ResourceTag/mqaws:stack"),
            ),
            (
                "ec2",
                "TerminateInstances",
                json!({"InstanceId": ["i-2"]}),
                arn("ec2:eu-west-1:000000000000:instance/i-2"),
                None,
            ),
            (
                "autoscaling",
                "SetInstanceHealth",
                json!({"InstanceId": "i-1"}),
                "arn:group".to_owned(),
                Some("autoscaling:ResourceTag/mqaws:stack"),
            ),
            (
                "autoscaling",
                "SetInstanceHealth",
                json!({"InstanceId": "i-2"}),
                arn("autoscaling:eu-west-1:000000000000:autoScalingGroup:*:autoScalingGroupName/*"),
                None,
            ),
            (
                "autoscaling",
                "CompleteLifecycleAction",
                json!({"AutoScalingGroupName": "h"}),
                arn("autoscaling:eu-west-1:000000000000:autoScalingGroup:*:autoScalingGroupName/h"),
                None,
            ),
            (
                "cloudformation",
                "SignalResource",
                json!({"StackName": "s"}),
                arn("cloudformation:eu-west-1:000000000000:stack/s/*"),
                None,
            ),
            (
                "elasticfilesystem",
                "DescribeMountTargets",
                json!({"MountTargetId": "fsmt-1"}),
                "arn:fs".to_owned(),
                Some("aws:ResourceTag/mqaws:stack"),
            ),
            (
                "elasticfilesystem",
                "DescribeMountTargets",
                json!({"FileSystemId": "fs-2"}),
                arn("elasticfilesystem:eu-west-1:000000000000:file-system/fs-2"),
                None,
            ),
            (
                "elasticfilesystem",
                "TagResource",
                json!({"ResourceId": "fs-1", "Tags": [{"Key": "k", "Value": "v"}]}),
                "arn:fs".to_owned(),
                Some("aws:ResourceTag/mqaws:stack"),
            ),
            (
                "secretsmanager",
                "GetSecretValue",
                json!({"SecretId": "one"}),
                "arn:one".to_owned(),
                Some("secretsmanager:ResourceTag/mqaws:stack"),
            ),
            (
                "ssm",
                "GetParameter",
                json!({"Name": "/a/b:3"}),
                arn("ssm:eu-west-1:000000000000:parameter/a/b"),
                None,
            ),
        ] {
            let on = on(service, action).unwrap_or_else(|| panic!("{action} is not in the table"));
            let found = block_on(resources(&cloud, on, &params)).unwrap();
            let [one] = found.as_slice() else {
                panic!("{action} {params}: {found:?}")
            };
            assert_eq!(one.arn, expected, "{action} {params}");
            let tag = one.context.single("aws:ResourceTag/mqaws:stack");
            assert_eq!(tag, tagged.map(|_| "s"), "{action} {params}");
            assert_eq!(tagged.and_then(|key| one.context.single(key)), tag, "{action} {params}");
        }
        let two = json!({"InstanceId": ["i-1", "i-2"]});
        assert_eq!(block_on(resources(&cloud, On::Instances, &two)).unwrap().len(), 2);
        assert_eq!(on("ec2", "RunInstances"), None);
        assert_eq!(on("iam", "DescribeAnything"), None);
        assert_eq!(name("monitoring", "PutMetricData"), "cloudwatch:PutMetricData");
    }
}

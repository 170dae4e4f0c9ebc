//! A file system that all members share, and its mount targets.

use super::{only_if, tags};
use crate::model::agent::CREATE_TAG;
use crate::model::{Deployment, Mount};
use crate::stack::{QUEUE_MANAGER_PARAMETER, QUEUE_MANAGER_TAG};
use crate::template::{DeletionPolicy, Function, Resource, Template, Value, get_att, list, object, reference};

/// Logical ID of the EFS file system.
pub(crate) const FILE_SYSTEM: &str = "FileSystem";
/// Logical IDs of its mount targets, in the order of the zones.
pub(crate) const MOUNT_TARGETS: [&str; 2] = ["MountTarget1", "MountTarget2"];

const CLIENT: [&str; 3] = [
    "elasticfilesystem:ClientMount",
    "elasticfilesystem:ClientWrite",
    "elasticfilesystem:ClientRootAccess",
];

/// Who may mount: the instance's role over TLS, or, where the kernel mounts alone, whoever reaches a mount target.
fn who_mounts(mount: Mount) -> Value {
    let through_mount_target =
        || object! { "Bool" => object! { "elasticfilesystem:AccessedViaMountTarget" => "true" } };
    match mount {
        Mount::EfsUtils => list![
            object! {
                "Sid" => "InstanceThroughMountTarget",
                "Effect" => "Allow",
                "Principal" => object! { "AWS" => get_att("Role", "Arn") },
                "Action" => Value::from(CLIENT.to_vec()),
                "Condition" => through_mount_target(),
            },
            object! {
                "Sid" => "TlsOnly",
                "Effect" => "Deny",
                "Principal" => object! { "AWS" => "*" },
                "Action" => "*",
                "Condition" => object! { "Bool" => object! { "aws:SecureTransport" => "false" } },
            },
        ],
        // Such a client signs nothing, so the policy can name nobody. The name says so to whoever reads it in an account.
        Mount::Nfs => list![object! {
            "Sid" => "AnybodyThroughMountTargetWithoutTlsOrIam",
            "Effect" => "Allow",
            "Principal" => object! { "AWS" => "*" },
            "Action" => Value::from(CLIENT.to_vec()),
            "Condition" => through_mount_target(),
        }],
    }
}

/// Its stack and its queue manager, so that whoever finds it without its stack knows what it holds.
fn file_system_tags() -> Value {
    // EFS takes no `%` in the value of a tag, and a queue manager's name has no `:`.
    let parts = Value::call(Function::Split, list!["%", reference(QUEUE_MANAGER_PARAMETER)]);
    let name = Value::call(Function::Join, list![":", parts]);
    let mut all = match tags() {
        Value::List(all) => all,
        one => vec![one],
    };
    all.push(object! { "Key" => QUEUE_MANAGER_TAG, "Value" => name.clone() });
    // Whoever makes a file system, or allows another queue manager on it, means that one to be created on it, once.
    all.push(object! { "Key" => CREATE_TAG, "Value" => name });
    Value::List(all)
}

/// Adds the file system with its policy, and a mount target in each zone.
pub(crate) fn add(template: &mut Template, deployment: &Deployment) {
    let properties = object! {
        "Encrypted" => true,
        "KmsKeyId" => only_if("HasKmsKey", reference("KmsKey")),
        "PerformanceMode" => reference("PerformanceMode"),
        "ThroughputMode" => reference("ThroughputMode"),
        "ProvisionedThroughputInMibps" => only_if("HasProvisionedThroughput", reference("ProvisionedThroughput")),
        "BackupPolicy" => object! { "Status" => reference("Backup") },
        "FileSystemPolicy" => object! { "Version" => "2012-10-17", "Statement" => who_mounts(deployment.storage.mount) },
        "FileSystemTags" => file_system_tags(),
    };
    let mut file_system = Resource::new("AWS::EFS::FileSystem", properties);
    // The data outlives the stack; an empty file system of a failed creation need not.
    file_system.deletion_policy = Some(DeletionPolicy::RetainExceptOnCreate);
    file_system.update_replace_policy = Some(DeletionPolicy::Retain);
    template.resources.insert(FILE_SYSTEM.to_owned(), file_system);

    for (name, number) in MOUNT_TARGETS.into_iter().zip(1..) {
        let target = object! {
            "FileSystemId" => reference(FILE_SYSTEM),
            "SubnetId" => reference(&format!("Subnet{number}")),
            "SecurityGroups" => list![get_att("FileSystemSecurityGroup", "GroupId")],
        };
        template
            .resources
            .insert(name.to_owned(), Resource::new("AWS::EFS::MountTarget", target));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::template;

    #[test]
    fn data_outlives_the_stack_but_not_a_failed_creation() {
        for (name, resource) in template(&Deployment::default()).unwrap().resources {
            let policies = (resource.deletion_policy, resource.update_replace_policy);
            let policies = (
                policies.0.as_ref().map(|p| p.as_str().to_owned()),
                policies.1.as_ref().map(|p| p.as_str().to_owned()),
            );
            let expected = match name.as_str() {
                "FileSystem" => (Some("RetainExceptOnCreate".to_owned()), Some("Retain".to_owned())),
                "Credentials" => (Some("Delete".to_owned()), Some("Delete".to_owned())),
                _ => (None, None),
            };
            assert_eq!(policies, expected, "{name}");
        }
    }

    #[test]
    fn plain_nfs_is_admitted_by_a_policy_that_says_so() {
        let policy = |deployment: &Deployment| {
            let template = template(deployment).unwrap();
            let statements = template.resources["FileSystem"].properties["FileSystemPolicy"].get("Statement");
            let sid = |s: &Value| s.get("Sid").and_then(Value::as_str).unwrap().to_owned();
            statements
                .unwrap()
                .as_list()
                .unwrap()
                .iter()
                .map(sid)
                .collect::<Vec<_>>()
        };
        let mut deployment = Deployment::default();
        assert_eq!(policy(&deployment), ["InstanceThroughMountTarget", "TlsOnly"]);
        deployment.storage.mount = Mount::Nfs;
        assert_eq!(policy(&deployment), ["AnybodyThroughMountTargetWithoutTlsOrIam"]);
    }
}

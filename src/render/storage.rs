//! The file system, its mount targets, and the secret.

use super::entry::{names, tags};
use super::parameters::only_if;
use crate::model::{Deployment, Mount};
use crate::stack::{QUEUE_MANAGER_PARAMETER, QUEUE_MANAGER_TAG};
use crate::template::{DeletionPolicy, Function, Resource, Template, Value, get_att, list, object, reference, sub};

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
    all.push(object! { "Key" => QUEUE_MANAGER_TAG, "Value" => name });
    Value::List(all)
}

/// Adds the file system with its policy, a mount target in each zone, and the application's user.
pub(super) fn add(template: &mut Template, deployment: &Deployment) {
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
    template.resources.insert(names::FILE_SYSTEM.to_owned(), file_system);

    for number in ["1", "2"] {
        let target = object! {
            "FileSystemId" => reference(names::FILE_SYSTEM),
            "SubnetId" => reference(&format!("Subnet{number}")),
            "SecurityGroups" => list![get_att("FileSystemSecurityGroup", "GroupId")],
        };
        template.resources.insert(
            format!("MountTarget{number}"),
            Resource::new("AWS::EFS::MountTarget", target),
        );
    }

    let secret = object! {
        "Description" => sub("Application user of queue manager ${QueueManagerName}"),
        "GenerateSecretString" => object! {
            "SecretStringTemplate" => sub("{\"username\":\"${UserName}\"}"),
            "GenerateStringKey" => "password",
            "PasswordLength" => 32,
            // Letters and digits survive every shell, URL and MQSC string.
            "ExcludePunctuation" => true,
        },
        "Tags" => tags(),
    };
    let mut secret = Resource::new("AWS::SecretsManager::Secret", secret);
    // A password without its queue manager is worth nothing; a new stack on the kept data makes a new one.
    secret.deletion_policy = Some(DeletionPolicy::Delete);
    secret.update_replace_policy = Some(DeletionPolicy::Delete);
    template.resources.insert(names::CREDENTIALS.to_owned(), secret);
}

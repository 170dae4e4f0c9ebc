//! Who mounts, and through what.

use super::Bench;
use crate::api::Caller;
use crate::iam::Iam;
use serde_json::{Value, json};
use std::sync::Arc;

#[tokio::test]
async fn an_instance_mounts_through_the_target_of_its_zone() {
    let bench = Bench::new().await;
    let id = bench.file_system("t").await;
    let target = json!({ "FileSystemId": id, "SubnetId": "subnet-a" });
    let target = bench.call("CreateMountTarget", target).await.unwrap();
    let target = json!({ "MountTargetId": target["MountTargetId"] });
    bench.ec2.set("i-a", "127.77.10.1", "a", "running");
    bench.ec2.set("i-b", "127.77.11.1", "b", "running");
    let mount = |instance: &'static str, params: Value| {
        let caller = Caller::Instance {
            instance: instance.into(),
            role: "r".into(),
        };
        bench.cloud.call("elasticfilesystem", "mqaws:Mount", params, caller)
    };
    let plain = json!({ "file_system": id });
    let early = mount("i-a", plain.clone()).await;
    assert_eq!(
        early.unwrap_err().code,
        "MountTargetNotFound",
        "the mount target is still creating"
    );
    bench
        .wait("DescribeMountTargets", "MountTargets", target.clone(), "available")
        .await;
    let mounted = mount("i-a", plain.clone()).await.unwrap();
    assert_eq!(mounted["path"], json!(bench.dir.path().join("fs").join(&id)));
    assert_eq!(mounted["lease_ms"], 3000);
    assert!(mounted["lease_address"].as_str().unwrap().starts_with("127.0.0.1:"));
    let elsewhere = json!({ "file_system": id, "mount_target_az": "eu-west-1a" });
    assert_eq!(
        mount("i-b", plain.clone()).await.unwrap_err().code,
        "MountTargetNotFound"
    );
    assert!(mount("i-b", elsewhere).await.is_ok());
    assert_eq!(
        mount("i-c", plain.clone()).await.unwrap_err().code,
        "InvalidInstanceID.NotFound"
    );
    assert_eq!(bench.code("mqaws:Mount", plain.clone()).await.0, "AccessDenied");

    bench.cloud.note_instance_token("good", "i-a");
    assert!(
        super::super::mount::by_token(&bench.cloud, Some("good"), plain.clone())
            .await
            .is_ok()
    );
    for token in [None, Some("bad")] {
        let refused = super::super::mount::by_token(&bench.cloud, token, plain.clone())
            .await
            .unwrap_err();
        assert_eq!(
            (refused.code.as_str(), refused.status),
            ("AccessDenied", 403),
            "{token:?}"
        );
    }
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

#[tokio::test]
async fn policies_decide_who_mounts_and_without_one_everybody_does() {
    let bench = Bench::new().await;
    bench.cloud.add("iam", Arc::new(Iam::new()));
    let iam = async |action: &str, params: Value| {
        let done = bench.cloud.call("iam", action, params, Caller::Admin).await;
        done.unwrap_or_else(|e| panic!("{action}: {e}"));
    };
    iam(
        "CreateRole",
        json!({ "RoleName": "r", "AssumeRolePolicyDocument": TRUST }),
    )
    .await;
    iam("CreateInstanceProfile", json!({ "InstanceProfileName": "p" })).await;
    let id = bench.file_system("t").await;
    let target = json!({ "FileSystemId": id, "SubnetId": "subnet-a" });
    let target = bench.call("CreateMountTarget", target).await.unwrap();
    let target = json!({ "MountTargetId": target["MountTargetId"] });
    bench
        .wait("DescribeMountTargets", "MountTargets", target, "available")
        .await;
    bench.ec2.set("i-a", "127.77.10.1", "a", "running");
    bench.cloud.note_instance_token("token", "i-a");
    let mount = async |options: &[&str]| {
        let body = json!({ "file_system": id, "options": options });
        let mounted = super::super::mount::by_token(&bench.cloud, Some("token"), body).await;
        mounted.map_or_else(|e| format!("{}: {}", e.code, e.message), |_| "mounted".to_owned())
    };
    let put = async |statements: Value| {
        let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        let put = json!({ "FileSystemId": id, "Policy": policy });
        bench.call("PutFileSystemPolicy", put).await.unwrap();
    };

    assert_eq!(mount(&[]).await, "mounted", "without a policy");
    let wrong = mount(&["iam"]).await;
    assert_eq!(wrong, "BadRequest: option `iam` requires option `tls`");
    assert!(mount(&["sync"]).await.starts_with("BadRequest: unknown variant `sync`"));

    let role = json!({ "AWS": "arn:aws:iam::000000000000:role/r" });
    let clients = json!({ "Effect": "Allow", "Principal": role, "Action": "elasticfilesystem:Client*",
        "Condition": { "Bool": { "elasticfilesystem:AccessedViaMountTarget": "true" } } });
    let tls = json!({ "Effect": "Deny", "Principal": { "AWS": "*" }, "Action": "*",
        "Condition": { "Bool": { "aws:SecureTransport": "false" } } });
    put(json!([clients, tls])).await;
    let no_role = mount(&["tls", "iam"]).await;
    assert!(
        no_role.ends_with("i-a has no role, and therefore no credentials"),
        "{no_role}"
    );
    let member = json!({ "InstanceProfileName": "p", "RoleName": "r" });
    iam("AddRoleToInstanceProfile", member).await;
    assert_eq!(mount(&["tls", "iam"]).await, "mounted");
    let anonymous = mount(&["tls"]).await;
    let words = "an anonymous client is not authorized to perform: elasticfilesystem:ClientMount on resource: arn:aws:elasticfilesystem:";
    assert!(anonymous.contains(words), "{anonymous}");
    let plain = mount(&[]).await;
    assert!(
        plain.ends_with("with an explicit deny in a resource-based policy"),
        "{plain}"
    );

    let read = json!({ "Effect": "Allow", "Principal": "*", "Action": "elasticfilesystem:ClientMount" });
    put(json!([read, tls])).await;
    let denied = mount(&["tls", "iam"]).await;
    let words = "User: arn:aws:sts::000000000000:assumed-role/r/i-a is not authorized to perform: elasticfilesystem:ClientWrite on resource";
    assert!(denied.starts_with("AccessDenied") && denied.contains(words), "{denied}");
    let policy = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Resource": "*",
        "Action": ["elasticfilesystem:ClientWrite", "elasticfilesystem:ClientRootAccess"] } });
    let of_role = json!({ "RoleName": "r", "PolicyName": "p", "PolicyDocument": policy.to_string() });
    iam("PutRolePolicy", of_role).await;
    assert_eq!(mount(&["tls", "iam"]).await, "mounted", "the role's policies count too");
}

//! The service through the call interface, with a scripted EC2.

use super::service::{Efs, EfsTiming};
use crate::api::{ApiResult, Caller, Cloud};
use crate::edge::fake::FakeEc2;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

mod mounts;

struct Bench {
    cloud: Arc<Cloud>,
    ec2: Arc<FakeEc2>,
    efs: Arc<Efs>,
    dir: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let (cloud, ec2) = FakeEc2::cloud();
        let dir = tempfile::tempdir().unwrap();
        let timing = EfsTiming {
            file_system: Duration::from_millis(20),
            file_system_deletion: Duration::from_millis(20),
            mount_target: Duration::from_millis(20),
            mount_target_deletion: Duration::from_millis(20),
            lease: Duration::from_secs(3),
        };
        let efs = Efs::start_at(&cloud, dir.path().join("fs"), Ipv4Addr::LOCALHOST, timing)
            .await
            .unwrap();
        cloud.add("elasticfilesystem", efs.clone());
        Self { cloud, ec2, efs, dir }
    }

    async fn call(&self, action: &str, params: Value) -> ApiResult {
        self.cloud
            .call("elasticfilesystem", action, params, Caller::Admin)
            .await
    }

    async fn code(&self, action: &str, params: Value) -> (String, u16) {
        let error = self
            .call(action, params.clone())
            .await
            .expect_err(&format!("{action} {params}"));
        (error.code, error.status)
    }

    async fn file_system(&self, token: &str) -> String {
        let made = self
            .call("CreateFileSystem", json!({ "CreationToken": token }))
            .await
            .unwrap();
        let id = made["FileSystemId"].as_str().unwrap().to_owned();
        self.wait(
            "DescribeFileSystems",
            "FileSystems",
            json!({ "FileSystemId": id }),
            "available",
        )
        .await;
        id
    }

    async fn wait(&self, action: &str, list: &str, params: Value, state: &str) {
        let start = Instant::now();
        loop {
            match self.call(action, params.clone()).await {
                Ok(answer) if answer[list][0]["LifeCycleState"] == state => return,
                Err(error) if error.status == 404 && state == "deleted" => return,
                _ => assert!(
                    start.elapsed() < Duration::from_secs(20),
                    "{params} never became {state}"
                ),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_file_system_lives_and_dies() {
    let bench = Bench::new().await;
    let made = bench
        .call(
            "CreateFileSystem",
            json!({ "CreationToken": "t", "Encrypted": true, "ThroughputMode": "elastic", "Backup": true,
                    "Tags": [{ "Key": "Name", "Value": "data" }] }),
        )
        .await
        .unwrap();
    assert_eq!(made["LifeCycleState"], "creating");
    assert_eq!(made["Name"], "data");
    assert!(made["KmsKeyId"].as_str().unwrap().starts_with("arn:aws:kms:eu-west-1:"));
    let id = made["FileSystemId"].as_str().unwrap().to_owned();
    let directory = bench.dir.path().join("fs").join(&id);
    assert!(directory.is_dir());
    let again = bench.code("CreateFileSystem", json!({ "CreationToken": "t" })).await;
    assert_eq!(again, ("FileSystemAlreadyExists".into(), 409));
    bench
        .wait(
            "DescribeFileSystems",
            "FileSystems",
            json!({ "CreationToken": "t" }),
            "available",
        )
        .await;

    std::fs::write(directory.join("message"), [0u8; 1000]).unwrap();
    let described = bench
        .call("DescribeFileSystems", json!({ "FileSystemId": id }))
        .await
        .unwrap();
    assert_eq!(described["FileSystems"][0]["SizeInBytes"]["Value"], 7144);

    bench
        .call("DeleteFileSystem", json!({ "FileSystemId": id }))
        .await
        .unwrap();
    assert!(!directory.exists());
    bench
        .wait(
            "DescribeFileSystems",
            "FileSystems",
            json!({ "FileSystemId": id }),
            "deleted",
        )
        .await;
    assert!(bench.efs.file_systems().is_empty());
}

#[tokio::test]
async fn what_aws_refuses_is_refused() {
    let bench = Bench::new().await;
    let id = bench.file_system("t").await;
    let bad = || ("BadRequest".to_owned(), 400);
    let gone = || ("FileSystemNotFound".to_owned(), 404);
    for (action, params, want) in [
        ("CreateFileSystem", json!({}), bad()),
        (
            "CreateFileSystem",
            json!({ "CreationToken": "u", "PerformanceMode": "fast" }),
            bad(),
        ),
        (
            "CreateFileSystem",
            json!({ "CreationToken": "u", "ThroughputMode": "provisioned" }),
            bad(),
        ),
        (
            "CreateFileSystem",
            json!({ "CreationToken": "u", "ProvisionedThroughputInMibps": 5 }),
            bad(),
        ),
        (
            "CreateFileSystem",
            json!({ "CreationToken": "u", "KmsKeyId": "alias/x" }),
            bad(),
        ),
        (
            "CreateFileSystem",
            json!({ "CreationToken": "u", "Tags": [{ "Key": "a", "Value": "A%B" }] }),
            bad(),
        ),
        (
            "CreateFileSystem",
            json!({ "CreationToken": "u", "Typo": 1 }),
            ("UnknownParameter".into(), 400),
        ),
        ("DescribeFileSystems", json!({ "FileSystemId": "fs-0" }), gone()),
        ("DeleteFileSystem", json!({ "FileSystemId": "fs-0" }), gone()),
        (
            "PutFileSystemPolicy",
            json!({ "FileSystemId": id, "Policy": "{" }),
            ("InvalidPolicyException".into(), 400),
        ),
        (
            "PutFileSystemPolicy",
            json!({ "FileSystemId": id, "Policy": json!({ "Statement": { "Effect": "Allow", "Principal": "*", "Action": "*",
                "Condition": { "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } } } }) }),
            ("InvalidPolicyException".into(), 400),
        ),
        (
            "DescribeFileSystemPolicy",
            json!({ "FileSystemId": id }),
            ("PolicyNotFound".into(), 404),
        ),
        (
            "PutBackupPolicy",
            json!({ "FileSystemId": id, "BackupPolicy": { "Status": "ON" } }),
            bad(),
        ),
        (
            "PutLifecycleConfiguration",
            json!({ "FileSystemId": id, "LifecyclePolicies": [{ "TransitionToIA": "AFTER_2_DAYS" }] }),
            bad(),
        ),
        (
            "UpdateFileSystemProtection",
            json!({ "FileSystemId": id, "ReplicationOverwriteProtection": "REPLICATING" }),
            bad(),
        ),
        ("DescribeMountTargets", json!({}), bad()),
        (
            "DescribeMountTargets",
            json!({ "MountTargetId": "fsmt-0" }),
            ("MountTargetNotFound".into(), 404),
        ),
        (
            "CreateMountTarget",
            json!({ "FileSystemId": id, "SubnetId": "subnet-x" }),
            ("SubnetNotFound".into(), 400),
        ),
        (
            "CreateMountTarget",
            json!({ "FileSystemId": id, "SubnetId": "subnet-a", "SecurityGroups": ["sg-9"] }),
            ("SecurityGroupNotFound".into(), 400),
        ),
        ("CreateAccessPoint", json!({}), ("InvalidAction".into(), 404)),
    ] {
        assert_eq!(bench.code(action, params.clone()).await, want, "{action} {params}");
    }
}

#[tokio::test]
async fn one_mount_target_in_each_zone_and_none_while_one_is_left_to_delete() {
    let bench = Bench::new().await;
    let id = bench.file_system("t").await;
    let create = |subnet: &str| json!({ "FileSystemId": id, "SubnetId": subnet, "SecurityGroups": ["sg-1"] });
    let a = bench.call("CreateMountTarget", create("subnet-a")).await.unwrap();
    assert_eq!(
        (&a["LifeCycleState"], &a["AvailabilityZoneName"]),
        (&json!("creating"), &json!("eu-west-1a"))
    );
    assert_eq!(a["IpAddress"], "10.0.1.254");
    for subnet in ["subnet-a2", "subnet-other"] {
        let params = json!({ "FileSystemId": id, "SubnetId": subnet });
        assert_eq!(
            bench.code("CreateMountTarget", params).await.0,
            "MountTargetConflict",
            "{subnet}"
        );
    }
    bench.call("CreateMountTarget", create("subnet-b")).await.unwrap();
    let all = bench
        .call("DescribeMountTargets", json!({ "FileSystemId": id }))
        .await
        .unwrap();
    assert_eq!(all["MountTargets"].as_array().unwrap().len(), 2);
    let first = bench
        .call("DescribeMountTargets", json!({ "FileSystemId": id, "MaxItems": "1" }))
        .await
        .unwrap();
    let marker = first["NextMarker"].as_str().unwrap().to_owned();
    let rest = json!({ "FileSystemId": id, "MaxItems": "1", "Marker": marker });
    let second = bench.call("DescribeMountTargets", rest).await.unwrap();
    assert_ne!(first["MountTargets"], second["MountTargets"]);
    assert!(second.get("NextMarker").is_none());

    assert_eq!(
        bench.code("DeleteFileSystem", json!({ "FileSystemId": id })).await,
        ("FileSystemInUse".into(), 409)
    );
    for target in all["MountTargets"].as_array().unwrap() {
        let target = json!({ "MountTargetId": target["MountTargetId"] });
        bench.call("DeleteMountTarget", target.clone()).await.unwrap();
        bench
            .wait("DescribeMountTargets", "MountTargets", target, "deleted")
            .await;
    }
    bench
        .call("DeleteFileSystem", json!({ "FileSystemId": id }))
        .await
        .unwrap();
}

#[tokio::test]
async fn policies_backup_life_cycle_and_tags_are_kept() {
    let bench = Bench::new().await;
    let id = bench.file_system("t").await;
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "elasticfilesystem:ClientMount" }] });
    let put = json!({ "FileSystemId": id, "Policy": policy.to_string() });
    bench.call("PutFileSystemPolicy", put).await.unwrap();
    let got = bench
        .call("DescribeFileSystemPolicy", json!({ "FileSystemId": id }))
        .await
        .unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(got["Policy"].as_str().unwrap()).unwrap(),
        policy
    );
    bench
        .call("DeleteFileSystemPolicy", json!({ "FileSystemId": id }))
        .await
        .unwrap();
    assert_eq!(
        bench
            .code("DescribeFileSystemPolicy", json!({ "FileSystemId": id }))
            .await
            .0,
        "PolicyNotFound"
    );

    for (put, params, get, want) in [
        (
            "PutBackupPolicy",
            json!({ "FileSystemId": id, "BackupPolicy": { "Status": "ENABLED" } }),
            "DescribeBackupPolicy",
            json!({ "BackupPolicy": { "Status": "ENABLED" } }),
        ),
        (
            "PutLifecycleConfiguration",
            json!({ "FileSystemId": id, "LifecyclePolicies": [{ "TransitionToIA": "AFTER_30_DAYS" }] }),
            "DescribeLifecycleConfiguration",
            json!({ "LifecyclePolicies": [{ "TransitionToIA": "AFTER_30_DAYS" }] }),
        ),
    ] {
        bench.call(put, params).await.unwrap();
        assert_eq!(
            bench.call(get, json!({ "FileSystemId": id })).await.unwrap(),
            want,
            "{get}"
        );
    }

    let tag = json!({ "ResourceId": id, "Tags": [{ "Key": "a", "Value": "1" }, { "Key": "b", "Value": "2" }] });
    bench.call("TagResource", tag).await.unwrap();
    bench
        .call("UntagResource", json!({ "ResourceId": id, "TagKeys": ["a"] }))
        .await
        .unwrap();
    let tags = bench
        .call("ListTagsForResource", json!({ "ResourceId": id }))
        .await
        .unwrap();
    assert_eq!(tags, json!({ "Tags": [{ "Key": "b", "Value": "2" }] }));
}

//! Volumes over instances that are real, without an agent, under fast timing.

use crate::api::{ApiResult, Caller, Cloud, Site};
use crate::ec2::{Ec2, SEEDED_IMAGE};
use crate::timing::Timing;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Bench {
    cloud: Arc<Cloud>,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new(octet: u8) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let site = Site {
            id: crate::ids::uuid(),
            octet,
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
        Self { cloud, dir }
    }

    async fn ask(&self, action: &str, params: Value) -> ApiResult {
        self.cloud.call("ec2", action, params, Caller::Admin).await
    }

    async fn call(&self, action: &str, params: Value) -> Value {
        let shown = params.to_string();
        self.ask(action, params)
            .await
            .unwrap_or_else(|e| panic!("{action} {shown}: {e}"))
    }

    async fn code(&self, action: &str, params: Value) -> String {
        let shown = params.to_string();
        let refused = self.ask(action, params).await.expect_err(&format!("{action} {shown}"));
        refused.code
    }

    async fn volume(&self, more: Value) -> String {
        let mut params = json!({"AvailabilityZone": "eu-west-1a", "Size": 1, "VolumeType": "gp3"});
        for (key, value) in more.as_object().into_iter().flatten() {
            params[key] = value.clone();
        }
        let made = self.call("CreateVolume", params).await;
        made["volumeId"].as_str().expect("an id").to_owned()
    }

    /// A volume that is available.
    async fn ready(&self) -> String {
        let id = self.volume(json!({})).await;
        self.until(&id, "available").await;
        id
    }

    async fn instance(&self, zone: &str) -> String {
        let params = json!({
            "ImageId": SEEDED_IMAGE, "InstanceType": "m6i.large", "MinCount": 1, "MaxCount": 1,
            "Placement": {"AvailabilityZone": zone},
        });
        let made = self.call("RunInstances", params).await;
        let id = made["instancesSet"][0]["instanceId"]
            .as_str()
            .expect("an id")
            .to_owned();
        self.state(&id, "running").await;
        id
    }

    async fn state(&self, instance: &str, wanted: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let seen = self.call("DescribeInstances", json!({"InstanceId": [instance]})).await;
            if seen["reservationSet"][0]["instancesSet"][0]["instanceState"]["name"] == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "{instance} is not {wanted}: {seen}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn shown(&self, id: &str) -> Value {
        self.call("DescribeVolumes", json!({"VolumeId": [id]})).await["volumeSet"][0].clone()
    }

    /// Waits for a state of a volume, or of its attachment.
    async fn until(&self, id: &str, wanted: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let seen = self.shown(id).await;
            if seen["status"] == wanted || seen["attachmentSet"][0]["status"] == wanted {
                return seen;
            }
            assert!(Instant::now() < deadline, "{id} is not {wanted}: {seen}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn attach(&self, id: &str, instance: &str) {
        let params = json!({"VolumeId": id, "InstanceId": instance, "Device": "/dev/sdf"});
        assert_eq!(self.call("AttachVolume", params).await["status"], "attaching");
        self.until(id, "attached").await;
    }

    fn folder(&self, id: &str) -> PathBuf {
        self.dir.path().join("vol").join(id)
    }

    /// Where an instance finds its volume.
    fn link(&self, id: &str, instance: &str) -> PathBuf {
        let name = format!("nvme-Amazon_Elastic_Block_Store_{}", id.replace('-', ""));
        let root = self.dir.path().join("i").join(instance);
        root.join("dev/disk/by-id").join(name)
    }
}

#[tokio::test]
async fn a_volume_is_seen_by_the_instance_that_has_it_and_only_while_it_has_it() {
    let bench = Bench::new(231);
    let tags = json!([{"ResourceType": "volume", "Tag": [{"Key": "Name", "Value": "one"}]}]);
    let asked = json!({"TagSpecification": tags, "Encrypted": true, "ClientToken": "t"});
    let id = bench.volume(asked.clone()).await;
    assert_eq!(bench.volume(asked).await, id, "the same request again");
    let early = json!({"VolumeId": id, "InstanceId": "i-0", "Device": "/dev/sdf"});
    assert_eq!(bench.code("AttachVolume", early).await, "IncorrectState");
    let made = bench.until(&id, "available").await;
    assert_eq!(
        (&made["encrypted"], &made["iops"], &made["throughput"]),
        (&json!(true), &json!(3_000), &json!(125))
    );
    assert_eq!(made["tagSet"], json!([{"key": "Name", "value": "one"}]));

    let device = fs::metadata(bench.folder(&id).join("device")).expect("a device");
    let blocks = std::os::unix::fs::MetadataExt::blocks(&device);
    assert_eq!(
        (device.len(), blocks),
        (1 << 30, 0),
        "blank, and as large as the volume"
    );
    let (first, second) = tokio::join!(bench.instance("eu-west-1a"), bench.instance("eu-west-1a"));
    bench.attach(&id, &first).await;
    fs::write(bench.link(&id, &first).join("data/written"), "by the first").expect("mounted");
    let other = json!({"VolumeId": id, "InstanceId": second, "Device": "/dev/sdf"});
    assert_eq!(bench.code("AttachVolume", other).await, "VolumeInUse");
    assert_eq!(bench.code("DeleteVolume", json!({"VolumeId": id})).await, "VolumeInUse");

    let detached = bench.call("DetachVolume", json!({"VolumeId": id})).await;
    assert_eq!(
        (&detached["status"], &detached["instanceId"]),
        (&json!("detaching"), &json!(first))
    );
    bench.until(&id, "available").await;
    assert!(!bench.link(&id, &first).exists());
    bench.attach(&id, &second).await;
    let read = fs::read_to_string(bench.link(&id, &second).join("data/written"));
    assert_eq!(read.expect("the same data"), "by the first");
    bench
        .call("DetachVolume", json!({"VolumeId": id, "InstanceId": second}))
        .await;
    bench.until(&id, "available").await;
    bench.call("DeleteVolume", json!({"VolumeId": id})).await;
    assert_eq!(bench.shown(&id).await["status"], "deleting");
    let deadline = Instant::now() + Duration::from_secs(30);
    while bench.ask("DescribeVolumes", json!({"VolumeId": [id]})).await.is_ok() {
        assert!(Instant::now() < deadline, "{id} is not gone");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(!bench.folder(&id).exists());
}

#[tokio::test]
async fn what_aws_refuses_of_volumes_is_refused_and_so_is_what_breaks_the_proof() {
    let bench = Bench::new(232);
    for (more, code) in [
        (json!({"AvailabilityZone": "eu-west-1d"}), "InvalidZone.NotFound"),
        (json!({"SnapshotId": "snap-1"}), "InvalidSnapshot.NotFound"),
        (json!({"KmsKeyId": "alias/own"}), "InvalidParameterDependency"),
        (json!({"MultiAttachEnabled": true}), "UnsupportedOperation"),
        (json!({"Throughput": 751}), "InvalidParameterValue"),
        (
            json!({"TagSpecification": [{"ResourceType": "vpc"}]}),
            "InvalidParameterValue",
        ),
        (json!({"Colour": "red"}), "UnknownParameter"),
    ] {
        let mut params = json!({"AvailabilityZone": "eu-west-1a", "Size": 1, "VolumeType": "gp3"});
        for (key, value) in more.as_object().into_iter().flatten() {
            params[key] = value.clone();
        }
        assert_eq!(bench.code("CreateVolume", params).await, code, "{more}");
    }
    let (id, other) = (bench.ready().await, bench.ready().await);
    let (here, there) = tokio::join!(bench.instance("eu-west-1a"), bench.instance("eu-west-1b"));
    let attach = |volume: &str, instance: &str, device: &str| json!({"VolumeId": volume, "InstanceId": instance, "Device": device});
    for (params, code) in [
        (attach("vol-0", &here, "/dev/sdf"), "InvalidVolume.NotFound"),
        (attach(&id, "i-0", "/dev/sdf"), "InvalidInstanceID.NotFound"),
        (attach(&id, &there, "/dev/sdf"), "InvalidVolume.ZoneMismatch"),
        (attach(&id, &here, "sdf"), "InvalidParameterValue"),
        (attach(&id, &here, "/dev/xvda"), "InvalidParameterValue"),
        (json!({"VolumeId": id, "InstanceId": here}), "MissingParameter"),
    ] {
        assert_eq!(bench.code("AttachVolume", params.clone()).await, code, "{params}");
    }
    assert_eq!(
        bench.code("DetachVolume", json!({"VolumeId": id})).await,
        "IncorrectState"
    );
    bench.attach(&id, &here).await;
    assert_eq!(
        bench.code("AttachVolume", attach(&other, &here, "/dev/sdf")).await,
        "InvalidParameterValue"
    );
    for (more, code) in [
        (json!({"InstanceId": there}), "InvalidAttachment.NotFound"),
        (json!({"InstanceId": "i-0"}), "InvalidInstanceID.NotFound"),
        (json!({"Device": "/dev/sdg"}), "InvalidAttachment.NotFound"),
        (json!({"Force": true}), "UnsupportedOperation"),
    ] {
        let mut params = more.clone();
        params["VolumeId"] = json!(id);
        assert_eq!(bench.code("DetachVolume", params).await, code, "{more}");
    }
    assert_eq!(bench.until(&id, "attached").await["status"], "in-use");
    bench.call("TerminateInstances", json!({"InstanceId": [there]})).await;
    bench.state(&there, "terminated").await;
    assert_eq!(
        bench.code("AttachVolume", attach(&other, &there, "/dev/sdf")).await,
        "IncorrectState"
    );
}

#[tokio::test]
async fn a_mounted_volume_is_busy_until_it_is_unmounted_or_its_host_is_off() {
    let bench = Bench::new(233);
    let (id, instance) = (bench.ready().await, bench.instance("eu-west-1a").await);
    let detach = json!({"VolumeId": id});
    for unmount in [true, false] {
        bench.attach(&id, &instance).await;
        let mark = bench.link(&id, &instance).join("mounted");
        fs::write(&mark, "").expect("mounted");
        bench.call("DetachVolume", detach.clone()).await;
        bench.until(&id, "busy").await;
        assert_eq!(bench.call("DetachVolume", detach.clone()).await["status"], "busy");
        assert!(mark.exists(), "it stays with the instance");
        match unmount {
            true => fs::remove_file(&mark).expect("unmounted"),
            false => drop(bench.call("StopInstances", json!({"InstanceId": [instance]})).await),
        }
        bench.until(&id, "available").await;
        assert!(!bench.link(&id, &instance).exists() && !bench.folder(&id).join("mounted").exists());
    }
    // Attached while it is stopped, as EC2 allows.
    bench.state(&instance, "stopped").await;
    bench.attach(&id, &instance).await;
}

#[tokio::test]
async fn the_end_of_an_instance_frees_its_volume_with_everything_on_it() {
    let bench = Bench::new(234);
    let (id, instance) = (bench.ready().await, bench.instance("eu-west-1a").await);
    bench.attach(&id, &instance).await;
    let seen = bench.link(&id, &instance);
    fs::write(seen.join("mounted"), "").expect("mounted");
    fs::write(seen.join("data/kept"), "x").expect("written");
    bench
        .call(
            "TerminateInstances",
            json!({"InstanceId": [instance], "SkipOsShutdown": true}),
        )
        .await;
    bench.state(&instance, "terminated").await;
    let freed = bench.until(&id, "available").await;
    assert_eq!(freed["attachmentSet"], json!([]));
    assert!(bench.folder(&id).join("data/kept").exists());
    assert!(
        !bench.folder(&id).join("mounted").exists(),
        "a host that is gone has nothing mounted"
    );
    let next = bench.instance("eu-west-1a").await;
    bench.attach(&id, &next).await;
}

#[tokio::test]
async fn a_volume_grows_while_it_is_in_use_and_keeps_its_signature() {
    let bench = Bench::new(235);
    let (id, instance) = (bench.ready().await, bench.instance("eu-west-1a").await);
    bench.attach(&id, &instance).await;
    let device = bench.link(&id, &instance).join("device");
    let open = fs::File::options().write(true).open(&device);
    std::io::Write::write_all(&mut open.expect("a device"), b"XFSB").expect("formatted");
    let asked = json!({"VolumeId": id, "Size": 2, "Iops": 1_000});
    assert_eq!(bench.code("ModifyVolume", asked).await, "InvalidParameterValue");
    let done = bench
        .call("ModifyVolume", json!({"VolumeId": id, "Size": 2, "Throughput": 250}))
        .await;
    let done = &done["volumeModification"];
    assert_eq!((&done["originalSize"], &done["targetSize"]), (&json!(1), &json!(2)));
    assert_eq!(bench.shown(&id).await["throughput"], 250);
    assert_eq!(fs::metadata(&device).expect("a device").len(), 2 << 30);
    let mut read = [0; 4];
    std::io::Read::read_exact(&mut fs::File::open(&device).expect("a device"), &mut read).expect("read");
    assert_eq!(&read, b"XFSB");
}

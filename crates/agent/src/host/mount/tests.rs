//! The mount with doubles: `systemctl` and `mount` are real processes, the kernel's files lie below a root of the test's own.

use super::*;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const NAME_OF_FS: &str = "fs-1.efs.eu-west-1.amazonaws.com";

fn config(mount_with: &str) -> AgentConfig {
    let file = include_str!("../../../../../tests/fixtures/agent.json");
    let mut config: AgentConfig = serde_json::from_str(file).expect("a configuration");
    config.storage.mount_with = mount_with.into();
    config
}

/// A double of the network of an instance in `eu-west-1a`.
struct Net {
    named: Arc<AtomicBool>,
    targets: Result<Vec<MountTarget>, String>,
}

impl Network for Net {
    fn here(&self) -> Result<(String, String), String> {
        Ok(("i-0a".into(), "eu-west-1a".into()))
    }
    fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        assert_eq!(name, NAME_OF_FS);
        match self.named.load(Ordering::SeqCst) {
            true => Ok(vec![[10, 0, 1, 9].into()]),
            false => Err("no such name".into()),
        }
    }
    fn mount_targets(&self, file_system: &str) -> Result<Vec<MountTarget>, String> {
        assert_eq!(file_system, "fs-1");
        self.targets.clone()
    }
}

fn target(zone: &str, address: &str, state: &str) -> MountTarget {
    MountTarget {
        zone: zone.into(),
        address: address.into(),
        state: state.into(),
    }
}

fn script(path: &Path, body: &str) {
    fs::write(path, format!("#!/bin/sh\n{body}\n")).expect("double");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("mode");
}

/// A host: its root, with a `systemctl` that does with the mount unit what systemd does.
struct Host {
    root: tempfile::TempDir,
    named: Arc<AtomicBool>,
}

impl Host {
    /// `refused`: what the double of `mount` cannot reach.
    fn new(refused: &str) -> Self {
        let root = tempfile::tempdir().expect("tempdir");
        let dir = root.path();
        for (file, text) in [
            ("proc/self/mountinfo", ""),
            ("sys/fs/nfs/net/nfs_client/identifier", "(null)"),
        ] {
            let path = dir.join(file);
            fs::create_dir_all(path.parent().expect("dir")).expect("dir");
            fs::write(path, text).expect("file");
        }
        fs::create_dir_all(dir.join("bin")).expect("bin");
        script(
            &dir.join("bin/systemctl"),
            r#"root=$(dirname $(dirname $0)); echo "$@" >> $root/systemctl.log
[ "$1" = start ] || exit 0
unit=$root/run/systemd/system/$2
value() { sed -n "s/^$1=//p" $unit; }
exec $root/bin/mount $(value What) $(value Where) -t $(value Type) -o $(value Options)"#,
        );
        script(
            &dir.join("bin/mount"),
            &format!(
                r#"root=$(dirname $(dirname $0)); echo "mount $@" >> $root/mount.log
case "$*" in {}) echo "Job for mnt-mqaws.mount failed." >&2; exit 1;; esac
source=$1; [ $4 = efs ] && source=127.0.0.1:/
echo "61 22 0:45 / $2 rw - nfs4 $source rw,vers=4.1,hard,local_lock=none" >> $root/proc/self/mountinfo"#,
                if refused.is_empty() { "nothing" } else { refused }
            ),
        );
        Self {
            root,
            named: Arc::new(AtomicBool::new(true)),
        }
    }

    fn mounter(&self, mount_with: &str, targets: Result<Vec<MountTarget>, String>) -> HostMount {
        let network = Net {
            named: self.named.clone(),
            targets,
        };
        let programs = Programs::in_directory(self.root.path().join("bin"));
        let layout = Layout::new(self.root.path());
        HostMount::new(
            &config(mount_with),
            "amazonaws.com",
            layout,
            programs,
            Box::new(network),
        )
        .expect("method")
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.root.path().join(file)).unwrap_or_default()
    }
}

const LOCK: LockPlace = LockPlace::Nfs { lease_ms: 90_000 };

fn two() -> Result<Vec<MountTarget>, String> {
    Ok(vec![
        target("eu-west-1b", "10.0.2.9", "available"),
        target("eu-west-1a", "10.0.1.9", "available"),
        target("eu-west-1c", "10.0.3.9", "deleting"),
    ])
}

#[test]
fn the_default_is_efs_utils_with_tls_and_iam() {
    let host = Host::new("");
    assert_eq!(host.mounter("efs-utils", two()).mount(), Ok(LOCK));
    assert_eq!(
        host.read("mount.log"),
        "mount fs-1:/ /mnt/mqaws -t efs -o _netdev,tls,iam\n"
    );
    assert_eq!(host.read("systemctl.log"), "start mnt-mqaws.mount\n");
    assert_eq!(
        host.read("sys/fs/nfs/net/nfs_client/identifier"),
        "i-0a",
        "set before the mount"
    );
    // The agent was restarted: the helper's mount has no name, and is known again.
    assert_eq!(host.mounter("efs-utils", two()).mount(), Ok(LOCK));
    assert_eq!(
        host.read("mount.log").lines().count(),
        1,
        "already mounted is a success"
    );
}

#[test]
fn plain_nfs_has_awss_options_and_its_own_lease_when_told() {
    let host = Host::new("");
    let mut config = config("nfs");
    config.storage.lease_seconds = Some(10);
    let mut mounter = host.mounter("nfs", two());
    mounter.lease = Duration::from_secs(10);
    assert_eq!(mounter.mount(), Ok(LockPlace::Nfs { lease_ms: 10_000 }));
    assert_eq!(
        host.read("mount.log"),
        format!(
            "mount {NAME_OF_FS}:/ /mnt/mqaws -t nfs4 -o nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,retry=0,_netdev\n"
        )
    );
}

#[test]
fn a_name_that_is_not_there_yet_is_waited_for_and_then_addresses_serve() {
    let host = Host::new("");
    host.named.store(false, Ordering::SeqCst);
    let mut mounter = host.mounter("nfs", two());
    let why = mounter.mount().expect_err("no name yet");
    assert!(why.contains("waiting for the name fs-1.efs"), "{why}");
    assert_eq!(host.read("mount.log"), "", "nothing was tried");
    mounter.patience = Duration::ZERO;
    mounter.mount().expect("by address");
    assert!(
        host.read("mount.log").starts_with("mount 10.0.1.9:/ "),
        "this zone's first"
    );
}

#[test]
fn a_mount_target_that_is_down_is_replaced_by_another_zones() {
    let host = Host::new("*fs-1.efs*|*10.0.1.9*");
    host.mounter("nfs", two()).mount().expect("by address");
    let log = host.read("mount.log");
    let tried: Vec<&str> = log.lines().filter_map(|l| l.split(' ').nth(1)).collect();
    assert_eq!(tried, [&format!("{NAME_OF_FS}:/"), "10.0.1.9:/", "10.0.2.9:/"]);
    assert_eq!(
        host.mounter("nfs", two()).mount(),
        Ok(LOCK),
        "known again though it has no name"
    );
    let start = "start mnt-mqaws.mount\n";
    let expected = format!("{start}daemon-reload\n{start}daemon-reload\n{start}");
    assert_eq!(
        host.read("systemctl.log"),
        expected,
        "a unit that has changed is read again"
    );
}

#[test]
fn a_failure_tells_everything_that_was_tried() {
    let host = Host::new("*");
    let why = host
        .mounter(
            "efs-utils",
            Err("elasticfilesystem:DescribeMountTargets: AccessDenied".into()),
        )
        .mount();
    let why = why.expect_err("nothing works");
    for word in [
        "mount fs-1",
        "Job for mnt-mqaws.mount failed",
        "journalctl -u mnt-mqaws.mount",
        "AccessDenied",
    ] {
        assert!(why.contains(word), "{why}");
    }
    let none = host
        .mounter("efs-utils", Ok(vec![target("eu-west-1a", "10.0.1.9", "creating")]))
        .mount();
    assert!(none.expect_err("none").contains("no available mount target"));
}

#[test]
fn something_else_at_the_mount_point_is_never_used() {
    for (line, expected) in [
        ("tmpfs tmpfs rw", "type tmpfs"),
        ("nfs4 other:/ rw,vers=4.1,hard,local_lock=none", "not by this agent"),
        (
            &format!("nfs4 {NAME_OF_FS}:/ rw,vers=4.1,soft,local_lock=none"),
            "`hard`",
        ),
    ] {
        let host = Host::new("");
        let path = host.root.path().join("proc/self/mountinfo");
        fs::write(path, format!("61 22 0:45 / /mnt/mqaws rw - {line}\n")).expect("mountinfo");
        let why = host.mounter("nfs", two()).mount().expect_err("refused");
        assert!(why.contains(expected), "{why}");
        assert_eq!(host.read("systemctl.log"), "");
    }
}

#[test]
fn a_mount_of_the_same_name_by_somebody_else_will_do() {
    let host = Host::new("");
    let path = host.root.path().join("proc/self/mountinfo");
    fs::write(
        path,
        format!("61 22 0:45 / /mnt/mqaws rw - nfs4 {NAME_OF_FS}:/ rw,vers=4.1,hard,local_lock=none\n"),
    )
    .expect("mountinfo");
    assert_eq!(host.mounter("nfs", two()).mount(), Ok(LOCK));
}

#[test]
fn a_unit_that_systemd_did_not_find_is_read_again() {
    let host = Host::new("");
    let systemctl = host.root.path().join("bin/systemctl");
    let body = fs::read_to_string(&systemctl).expect("double");
    let once = r#"root=$(dirname $(dirname $0))
if [ "$1" = start ] && [ ! -e $root/reloaded ]; then
  echo 'Failed to start mnt-mqaws.mount: Unit mnt-mqaws.mount not found.' >&2; exit 5
fi
[ "$1" = daemon-reload ] && touch $root/reloaded"#;
    script(
        &systemctl,
        &format!("{once}\n{}", body.trim_start_matches("#!/bin/sh\n")),
    );
    assert_eq!(host.mounter("nfs", two()).mount(), Ok(LOCK));
    assert_eq!(host.read("systemctl.log"), "daemon-reload\nstart mnt-mqaws.mount\n");
}

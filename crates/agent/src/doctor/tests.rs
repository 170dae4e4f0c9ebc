use super::*;
use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};

/// An image in a directory of its own.
struct Built(tempfile::TempDir);

impl Built {
    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    fn put(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("directory");
        fs::write(path, text).expect("file");
    }

    fn program(&self, path: &str) {
        self.put(path, "");
        self.mode(path, 0o755);
    }

    fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).expect("mode");
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.at(path)).expect("remove");
    }

    fn record(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let text = fs::read(self.at("/etc/mqaws/image.json")).expect("record");
        let mut record = serde_json::from_slice(&text).expect("JSON");
        change(&mut record);
        self.put("/etc/mqaws/image.json", record.to_string());
    }

    fn good() -> Self {
        let image = Self(tempfile::tempdir().expect("tempdir"));
        let record = serde_json::json!({
            "schema": "mqaws.image/1", "agent_version": env!("CARGO_PKG_VERSION"), "engine": "ibm-mq",
            "engine_version": "9.4.0.0", "licence": "accepted", "mount": "efs-utils", "uid": 1234, "gid": 1234,
        });
        image.put("/etc/mqaws/image.json", record.to_string());
        image.program("/usr/bin/mqaws-agent");
        for file in SHIPPED {
            image.put(file.path, file.text);
        }
        image.put(
            "/etc/passwd",
            "root:x:0:0::/root:/bin/sh\nmqm:x:1234:1234::/var/mqm:/bin/bash\n",
        );
        image.put("/etc/group", "root:x:0:\nmqm:x:1234:\n");
        for name in [
            "crtmqm", "strmqm", "endmqm", "dspmq", "dltmqm", "runmqsc", "dspmqinf", "addmqinf", "dspmqver", "crtmqdir",
            "setmqprd",
        ] {
            image.program(&format!("/opt/mqm/bin/{name}"));
        }
        image.program("/usr/sbin/mount.nfs4");
        image.program("/usr/sbin/mount.efs");
        image.program("/usr/bin/openssl");
        image.put("/usr/lib/systemd/libsystemd-shared-252-46.el9_5.2.so", "");
        image.put(
            "/usr/lib64/libc.so.6",
            b"\x7fELF\0GNU C Library (GNU libc) stable release version 2.34.\n\xff",
        );
        image.put("/etc/machine-id", "");
        image.put("/root/.ssh/authorized_keys", "");
        image.put("/home/admin/.profile", "umask 022");
        image.put("/var/lib/cloud/scripts/per-boot/note", "");
        image
    }

    fn findings(&self) -> Vec<Finding> {
        examine(self.0.path()).findings
    }
}

#[test]
fn a_good_image_has_no_findings() {
    let image = Built::good();
    assert_eq!(image.findings(), []);
    let report = examine(image.0.path());
    assert_eq!(report.to_string().lines().count(), CHECKS.len());
    let rabbitmq = Built::good();
    rabbitmq.record(|record| {
        record["engine"] = "rabbitmq".into();
        record["licence"] = "none".into();
        record["mount"] = "nfs".into();
    });
    rabbitmq.put(
        "/etc/passwd",
        "rabbitmq:x:1234:1234::/var/lib/rabbitmq:/usr/sbin/nologin\n",
    );
    rabbitmq.put("/etc/group", "rabbitmq:x:1234:\n");
    rabbitmq.program("/usr/sbin/rabbitmqctl");
    rabbitmq.program("/usr/sbin/rabbitmq-server");
    rabbitmq.remove("/usr/sbin/mount.efs");
    rabbitmq.remove("/etc/tmpfiles.d/mqaws.conf");
    assert_eq!(rabbitmq.findings(), []);
}

type Defect = (&'static str, fn(&Built), &'static str);

/// The check, how the defect is planted, and a part of what is said about it.
const DEFECTS: &[Defect] = &[
    ("record of the image", |i| i.remove("/etc/mqaws/image.json"), "missing"),
    (
        "record of the image",
        |i| i.put("/etc/mqaws/image.json", "{"),
        "cannot be read",
    ),
    (
        "record of the image",
        |i| i.record(|r| r["schema"] = "mqaws.image/9".into()),
        "mqaws.image/9",
    ),
    (
        "record of the image",
        |i| i.record(|r| r["engine"] = "kafka".into()),
        "kafka",
    ),
    ("agent", |i| i.remove("/usr/bin/mqaws-agent"), "/usr/bin/mqaws-agent"),
    ("agent", |i| i.mode("/usr/bin/mqaws-agent", 0o644), "cannot be run"),
    ("agent", |i| i.record(|r| r["agent_version"] = "0.0.1".into()), "0.0.1"),
    (
        "units and settings",
        |i| i.remove("/etc/systemd/system/mqaws-engine.service"),
        "is missing",
    ),
    (
        "units and settings",
        |i| i.put("/etc/systemd/system/mqaws-agent.service", "[Unit]\n"),
        "not from this release",
    ),
    (
        "units and settings",
        |i| i.remove("/etc/systemd/system.conf.d/mqaws.conf"),
        "system.conf.d",
    ),
    (
        "units and settings",
        |i| i.remove("/etc/systemd/logind.conf.d/mqaws.conf"),
        "logind.conf.d",
    ),
    (
        "units and settings",
        |i| i.remove("/etc/systemd/journald.conf.d/mqaws.conf"),
        "journald.conf.d",
    ),
    (
        "units and settings",
        |i| i.remove("/etc/modules-load.d/mqaws.conf"),
        "modules-load.d",
    ),
    (
        "units and settings",
        |i| i.remove("/etc/tmpfiles.d/mqaws.conf"),
        "tmpfiles.d",
    ),
    (
        "kernel settings and limits",
        |i| i.remove("/etc/sysctl.d/99-mqaws.conf"),
        "sysctl.d",
    ),
    (
        "kernel settings and limits",
        |i| i.put("/etc/security/limits.d/99-mqaws.conf", ""),
        "limits.d",
    ),
    (
        "kernel settings and limits",
        |i| i.put("/etc/sysctl.d/99-sysctl.conf", "# kernel.sem = 1\n-kernel/shmmni=1\n"),
        "sets kernel.shmmni after",
    ),
    (
        "nothing starts before the agent",
        |i| i.put("/etc/systemd/system/multi-user.target.wants/mqaws-agent.service", ""),
        "mqaws-agent.service",
    ),
    (
        "nothing starts before the agent",
        |i| {
            let wants = i.at("/etc/systemd/system/multi-user.target.wants");
            fs::create_dir_all(&wants).expect("directory");
            symlink("/nowhere", wants.join("rabbitmq-server.service")).expect("link");
        },
        "rabbitmq-server.service",
    ),
    (
        "engine's user",
        |i| i.put("/etc/passwd", "mqm:x:1001:1234::/:/bin/sh\n"),
        "1234:1234",
    ),
    ("engine's user", |i| i.put("/etc/group", "mqm:x:1001:\n"), "1234:1234"),
    ("engine's user", |i| i.remove("/etc/passwd"), "mqm"),
    ("engine", |i| i.remove("/opt/mqm/bin/runmqsc"), "/opt/mqm/bin/runmqsc"),
    (
        "engine",
        |i| i.mode("/opt/mqm/bin/strmqm", 0o644),
        "/opt/mqm/bin/strmqm",
    ),
    (
        "licence",
        |i| i.record(|r| r["licence"] = "none".into()),
        "not accepted",
    ),
    (
        "file system clients",
        |i| i.remove("/usr/sbin/mount.nfs4"),
        "mount.nfs4",
    ),
    ("file system clients", |i| i.remove("/usr/sbin/mount.efs"), "mount.efs"),
    ("openssl", |i| i.remove("/usr/bin/openssl"), "openssl is missing"),
    (
        "systemd",
        |i| {
            i.remove("/usr/lib/systemd/libsystemd-shared-252-46.el9_5.2.so");
            i.put("/usr/lib/systemd/libsystemd-shared-245.so", "");
        },
        "systemd is 245",
    ),
    (
        "systemd",
        |i| i.remove("/usr/lib/systemd/libsystemd-shared-252-46.el9_5.2.so"),
        "cannot determine the version",
    ),
    (
        "glibc",
        |i| i.put("/usr/lib64/libc.so.6", "release version 2.28.\n"),
        "glibc is 2.28",
    ),
    (
        "glibc",
        |i| i.remove("/usr/lib64/libc.so.6"),
        "cannot determine the version",
    ),
    (
        "identity",
        |i| i.put("/etc/ssh/ssh_host_ed25519_key", "x"),
        "ssh_host_ed25519_key",
    ),
    (
        "identity",
        |i| i.put("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
        "/etc/machine-id",
    ),
    (
        "identity",
        |i| i.put("/var/lib/dbus/machine-id", "0123456789abcdef\n"),
        "dbus",
    ),
    (
        "identity",
        |i| i.put("/var/lib/systemd/random-seed", "x"),
        "random-seed",
    ),
    (
        "identity",
        |i| i.put("/var/lib/rabbitmq/.erlang.cookie", "x"),
        ".erlang.cookie",
    ),
    (
        "identity",
        |i| i.put("/var/lib/NetworkManager/secret_key", "x"),
        "secret_key",
    ),
    ("identity", |i| i.put("/etc/pki/consumer/key.pem", "x"), "consumer"),
    (
        "identity",
        |i| i.put("/etc/insights-client/machine-id", "x"),
        "insights-client",
    ),
    (
        "identity",
        |i| i.put("/var/lib/cloud/instances/i-1/user-data.txt", ""),
        "/var/lib/cloud/instances",
    ),
    (
        "access",
        |i| i.put("/root/.ssh/authorized_keys", "ssh-ed25519 AAAA"),
        "/root/.ssh/authorized_keys",
    ),
    (
        "access",
        |i| i.put("/home/admin/.ssh/authorized_keys", "ssh-ed25519 AAAA"),
        "/home/admin",
    ),
    ("access", |i| i.put("/home/admin/.ssh/id_ed25519", "x"), "id_ed25519"),
    ("access", |i| i.put("/root/.aws/credentials", "x"), "/root/.aws"),
    ("access", |i| i.put("/root/.bash_history", "ls"), ".bash_history"),
    ("deployment", |i| i.put("/etc/mqaws/agent.json", "{}"), "agent.json"),
    ("deployment", |i| i.put("/var/lib/mqaws/marks.jsonl", ""), "marks.jsonl"),
    (
        "leftovers",
        |i| i.put("/tmp/mqaws-provision/step.sh", ""),
        "/tmp/mqaws-provision",
    ),
    (
        "leftovers",
        |i| i.put("/tmp/mq_license_9.4.0/license/status.dat", ""),
        "mq_license",
    ),
    (
        "leftovers",
        |i| i.put("/var/tmp/mqaws-engine.Ab12/package", ""),
        "/var/tmp/mqaws-engine.Ab12",
    ),
];

#[test]
fn each_planted_defect_is_found_by_its_check_and_by_no_other() {
    for (number, (check, plant, said)) in DEFECTS.iter().enumerate() {
        let image = Built::good();
        plant(&image);
        let found = image.findings();
        assert!(
            found.iter().any(|f| f.what.contains(said)),
            "{number} {check}: {found:?}"
        );
        // Without a record nothing is known that only one engine needs.
        assert!(
            found.iter().all(|f| f.check == *check && !f.remedy.is_empty()),
            "{number} {check}: {found:?}"
        );
    }
    let planted: BTreeSet<&str> = DEFECTS.iter().map(|(check, ..)| *check).collect();
    assert_eq!(
        planted,
        CHECKS.iter().map(|(check, _)| *check).collect(),
        "every check has a defect"
    );
}

#[test]
fn every_file_of_the_units_is_shipped() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packer/provision/units");
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(&folder).expect("units").flatten() {
        match entry.path().is_dir() {
            false => there.insert(entry.file_name().to_string_lossy().into_owned()),
            true => {
                let name = entry.file_name().to_string_lossy().into_owned();
                let files = fs::read_dir(entry.path()).expect("folder").flatten();
                there.extend(files.map(|file| format!("{name}/{}", file.file_name().to_string_lossy())));
                true
            }
        };
    }
    assert_eq!(there, SHIPPED.iter().map(|file| file.name.to_owned()).collect());
}

#[test]
fn the_kernel_settings_are_at_least_ibms_minima_and_not_below_the_kernels_own() {
    let text = SHIPPED
        .iter()
        .find(|f| f.name.starts_with("sysctl"))
        .expect("settings")
        .text;
    let value = |key: &str| -> Vec<u128> {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.trim().strip_prefix('='));
        let numbers = line.expect(key).split_whitespace();
        numbers.map(|number| number.parse().expect("number")).collect()
    };
    // IBM's minima, and the defaults of Linux 5.14 on 64 bits with systemd.
    for (key, minimum, own) in [
        ("kernel.shmmni", vec![4096], vec![4096]),
        ("kernel.shmmax", vec![268_435_456], vec![18_446_744_073_692_774_399]),
        ("kernel.shmall", vec![2_097_152], vec![18_446_744_073_692_774_399]),
        (
            "kernel.sem",
            vec![32, 4096, 32, 128],
            vec![32_000, 1_024_000_000, 500, 32_000],
        ),
        ("fs.file-max", vec![524_288], vec![9_223_372_036_854_775_807]),
        ("kernel.pid_max", vec![32_768], vec![4_194_304]),
        ("kernel.threads-max", vec![32_768], vec![32_768]),
    ] {
        let set = value(key);
        let enough = |least: &[u128]| set.len() == least.len() && set.iter().zip(least).all(|(a, b)| a >= b);
        assert!(enough(&minimum) && enough(&own), "{key} = {set:?}");
    }
    assert!(value("net.ipv4.tcp_keepalive_time")[0] <= 300);
}

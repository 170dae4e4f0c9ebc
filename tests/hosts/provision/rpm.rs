//! RHEL 9 and Amazon Linux 2023: what their package system is given, told by doubles of `dnf` and `rpm`. The real ones have not
//! run here.

use super::host::{LabHost, Mq, must};
use crate::support::shipped_agent;
use mqaws::render::packer::{PROVISION, STEPS};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// The double of `dnf`: it writes down what it was given, and leaves of each package the one file that is looked for.
const DNF: &str = r#"#!/bin/bash
echo "dnf $*" >>/srv/asked
program() { printf '#!/bin/sh\n%s\n' "$2" >"$1" && chmod 755 "$1"; }
case "$*" in
  *" list rabbitmq-server") [[ -e /etc/has-rabbitmq ]] || { echo "Error: No matching Packages to list" >&2 && exit 1; } ;;
  *" openssl") program /usr/bin/openssl : ;;
  *" nfs-utils") program /usr/sbin/mount.nfs4 : ;;
  *" amazon-efs-utils" | *"/amazon-efs-utils.rpm") program /usr/sbin/mount.efs : ;;
  *" rabbitmq-server" | *"/rabbitmq-server-"*)
    program /usr/sbin/rabbitmqctl : && program /usr/sbin/rabbitmq-server :
    printf '[Service]\nExecStart=/bin/true\n' >/usr/lib/systemd/system/rabbitmq-server.service
    ;;
  *MQSeriesServer*)
    mkdir -p /opt/mqm/bin && install -d -o mqm -g mqm /var/mqm
    for command in crtmqm strmqm endmqm dspmq dltmqm runmqsc dspmqinf addmqinf dspmqver crtmqdir setmqprd; do
      program "/opt/mqm/bin/$command" "echo 9.4.0.0"
    done
    ;;
esac
"#;
const RPM: &str = "#!/bin/sh\necho \"rpm $*\" >>/srv/asked\nprintf 3.13.7\n";

/// A host that says that it is this system.
fn host(root: &Path, id: &str) -> LabHost {
    let host = LabHost::new(root);
    host.put("/etc/os-release", format!("ID=\"{id}\"\n"));
    for (name, text) in [("dnf", DNF), ("rpm", RPM)] {
        host.put(&format!("/usr/local/bin/{name}"), text);
        let path = host.disk().join("usr/local/bin").join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    // Both package systems on one host would leave open which one was meant.
    host.put(
        "/usr/local/bin/apt-get",
        "#!/bin/sh\necho \"apt-get $*\" >>/srv/asked\nexit 1\n",
    );
    fs::set_permissions(
        host.disk().join("usr/local/bin/apt-get"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    for file in PROVISION {
        host.put(&format!("/tmp/mqaws-provision/{}", file.path), file.text);
    }
    fs::copy(shipped_agent(), host.disk().join("tmp/mqaws-provision/mqaws-agent")).unwrap();
    host
}

/// Runs these steps; the output, and what the package system was asked, with the work directory's random end taken out.
fn steps(host: &mut LabHost, steps: &[&str], words: &str) -> (String, Vec<String>) {
    let mut script = "set -e\n".to_owned();
    for step in steps {
        script += &format!(
            "env MQAWS_PROVISION=1 MQAWS_AGENT_VERSION={} MQAWS_MQM_UID=1234 MQAWS_MQM_GID=1234 {words} bash /tmp/mqaws-provision/{step} \
             || echo exit $?\n",
            env!("CARGO_PKG_VERSION")
        );
    }
    let said = host.run(&script);
    let asked = fs::read_to_string(host.disk().join("srv/asked")).unwrap_or_default();
    let asked = asked.lines().map(|line| {
        let words = line.split(' ').map(|word| match word.split_once("/mqaws-engine.") {
            Some((_, rest)) => rest.split_once('/').map_or(rest, |(_, path)| path).to_owned(),
            None => word.to_owned(),
        });
        words.collect::<Vec<String>>().join(" ")
    });
    (said.text, asked.collect())
}

pub(super) fn all(root: &Path) {
    ibm_mq_on_rhel(root);
    rabbitmq_on_amazon_linux(root);
}

fn ibm_mq_on_rhel(root: &Path) {
    let mut host = host(root, "rhel");
    let server = host.dir().join("MQServer");
    fs::create_dir(&server).unwrap();
    let names = "AMQP AMS Client FTBase GSKit JRE Java Man Msg_de Runtime SDK Samples Server Web XRService";
    for name in names.split(' ') {
        fs::write(server.join(format!("MQSeries{name}-9.4.0-0.x86_64.rpm")), "").unwrap();
    }
    fs::write(server.join("mqlicense.sh"), "echo mqlicense \"$@\" >>/srv/asked\n").unwrap();
    let archive = host.disk().join("tmp/mqaws-provision/package");
    must(
        Command::new("tar")
            .arg("-czf")
            .arg(&archive)
            .arg("-C")
            .arg(host.dir())
            .arg("MQServer"),
    );
    let mq = Mq::of(archive);
    host.put("/tmp/mqaws-provision/efs.rpm", "an rpm");
    let efs = Mq::of(host.disk().join("tmp/mqaws-provision/efs.rpm"));
    let words = format!(
        "MQAWS_ENGINE=ibm-mq MQAWS_ENGINE_VERSION=9.4.0.0 MQAWS_MOUNT=efs-utils MQAWS_ACCEPT_LICENCE=yes \
         MQAWS_PACKAGE=/tmp/mqaws-provision/package MQAWS_PACKAGE_SHA256={} \
         MQAWS_EFS_UTILS_PACKAGE=/tmp/mqaws-provision/efs.rpm MQAWS_EFS_UTILS_SHA256={}",
        mq.sha256, efs.sha256
    );
    // The lab host's base has it for other packages' sake.
    host.run("rm -f /usr/bin/openssl");
    let (said, asked) = steps(&mut host, &STEPS, &words);
    let rpms = [
        "Runtime", "JRE", "Java", "GSKit", "Server", "AMQP", "AMS", "Client", "Samples",
    ];
    let rpms = rpms
        .map(|name| format!("MQServer/MQSeries{name}-9.4.0-0.x86_64.rpm"))
        .join(" ");
    let expected = [
        "dnf -q -y install nfs-utils".to_owned(),
        "dnf -q -y install /var/tmp/amazon-efs-utils.rpm".to_owned(),
        "dnf -q -y install openssl".to_owned(),
        "mqlicense -accept".to_owned(),
        format!("dnf -q -y install {rpms}"),
        "dnf -q clean all".to_owned(),
    ];
    assert_eq!(asked, expected, "{said}");
    assert!(
        !said.contains("exit ") && said.contains("ok    leftovers") && !said.contains("wrong "),
        "{said}"
    );
}

fn rabbitmq_on_amazon_linux(root: &Path) {
    let mut host = host(root, "amzn");
    let words = |version: &str| format!("MQAWS_ENGINE=rabbitmq MQAWS_ENGINE_VERSION={version} MQAWS_MOUNT=efs-utils");
    let until_engine = &STEPS[..3];
    let (said, asked) = steps(&mut host, until_engine, &words("3.13"));
    let clients = ["dnf -q -y install nfs-utils", "dnf -q -y install amazon-efs-utils"];
    let looked = "dnf -q list rabbitmq-server";
    assert_eq!(asked, [&clients[..], &[looked]].concat(), "{said}");
    for part in [
        "the repositories of this system have no rabbitmq-server",
        "hint: ",
        "exit 3",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    host.put("/etc/has-rabbitmq", "");
    let (said, asked) = steps(&mut host, until_engine, &words("3.1"));
    let version = "rpm -q --qf %{VERSION} rabbitmq-server";
    let installed = [looked, "dnf -q -y install rabbitmq-server", version];
    assert_eq!(asked[3..], installed, "{said}");
    assert!(said.contains("RabbitMQ 3.13.7 is installed, not 3.1\n"), "{said}");
    let (said, asked) = steps(&mut host, &STEPS, &words("3.13"));
    assert_eq!(asked[6..], [version, version, "dnf -q clean all"], "{said}");
    assert!(
        said.contains("RabbitMQ 3.13.7 is installed") && said.contains("ok    leftovers"),
        "{said}"
    );
    assert!(!said.contains("exit ") && !said.contains("wrong "), "{said}");
    rabbitmq_from_packages_of_its_makers(root);
}

/// Amazon Linux has neither RabbitMQ nor Erlang: both come in one archive, whose checksum is verified, and in one transaction.
fn rabbitmq_from_packages_of_its_makers(root: &Path) {
    let mut host = host(root, "amzn");
    let folder = host.dir().join("rpms");
    fs::create_dir(&folder).unwrap();
    for name in [
        "rabbitmq-server-3.13.7-1.el8.noarch.rpm",
        "erlang-26.2.5-1.amzn2023.x86_64.rpm",
        "README",
    ] {
        fs::write(folder.join(name), "").unwrap();
    }
    let archive = host.disk().join("tmp/mqaws-provision/package");
    must(
        Command::new("tar")
            .arg("-czf")
            .arg(&archive)
            .arg("-C")
            .arg(&folder)
            .arg("."),
    );
    let package = Mq::of(archive);
    let words = |sum: &str| {
        format!(
            "MQAWS_ENGINE=rabbitmq MQAWS_ENGINE_VERSION=3.13 MQAWS_MOUNT=nfs \
             MQAWS_PACKAGE=/tmp/mqaws-provision/package MQAWS_PACKAGE_SHA256={sum}"
        )
    };
    let (said, asked) = steps(&mut host, &STEPS[..3], &words(&"0".repeat(64)));
    assert!(
        said.contains("the SHA-256 of the package of RabbitMQ is") && said.contains("exit 3"),
        "{said}"
    );
    assert_eq!(asked, ["dnf -q -y install nfs-utils"], "{said}");
    let (said, asked) = steps(&mut host, &STEPS, &words(&package.sha256));
    let version = "rpm -q --qf %{VERSION} rabbitmq-server";
    let both = "dnf -q -y install erlang-26.2.5-1.amzn2023.x86_64.rpm rabbitmq-server-3.13.7-1.el8.noarch.rpm";
    assert_eq!(asked[1..], [both, version, version, "dnf -q clean all"], "{said}");
    assert!(
        !said.contains("exit ") && !said.contains("wrong ") && said.contains("ok    leftovers"),
        "{said}"
    );
}

//! The image, made: the Packer that Debian ships runs the provisioners of the rendered template over ssh on a lab host, and
//! what comes of it boots as a guest and serves.
//!
//! The lab host is a bare Debian root in namespaces of its own (`host.sh`), with its own sshd, no network and a local package
//! archive. The builder is Packer's `null` in place of `amazon-ebs`; scripts, uploads and environment are the template's own. The
//! engine is the stand-in, a test double, packed in an archive of the shape of IBM's. Where a system has `dnf`, doubles of it
//! and of `rpm` stand in: what RHEL 9 and Amazon Linux 2023 run is tested to its command lines alone.
//! Needs root and the packages that `scripts/test` installs; else each test prints `SKIPPED hosts` and why, or fails under
//! `MQAWS_REQUIRE_HOSTS=1`.

mod host;
mod packer;
mod refusals;
mod rpm;

use crate::rig;
use crate::site::Site;
use host::{LabHost, Mq, tree};
use packer::Build;
use std::path::Path;

/// Runs a test on a lab host, when there can be one.
fn on_a_host(test: &str, story: impl FnOnce(&Path)) {
    match host::missing() {
        Some(why) => rig::skip(test, &why),
        None => rig::with_root(test, story),
    }
}

/// Provisions a bare host, twice; then its disk is an image, of which an instance boots and serves.
#[test]
fn packer_provisions_a_bare_host_and_its_image_boots_and_serves() {
    let test = "provision::packer_provisions_a_bare_host_and_its_image_boots_and_serves";
    if std::env::var_os("MQAWS_RIG").is_none()
        && let Some(why) = host::missing()
    {
        return rig::skip(test, &why);
    }
    let mut kept = None;
    let image = |root: &Path| {
        let mut host = LabHost::new(root);
        let mq = Mq::packed(host.dir(), &[]);
        host.serve();
        let build = Build::ibm_mq(&mq).accepting_the_licence();
        let first = build.run(&host);
        assert!(first.ended_well, "{}", first.text);
        let made = tree(&host.disk());
        let again = build.run(&host);
        assert!(again.ended_well, "{}", again.text);
        for said in ["IBM MQ 9.4.0.0 is already installed", "mqm is 1234:1234"] {
            assert!(again.text.contains(said), "{said}: {}", again.text);
        }
        assert_eq!(tree(&host.disk()), made, "a second run changes nothing");
        println!("provisioned in {:.1} s, again in {:.1} s", first.seconds, again.seconds);
        host.end();
        let disk = host.disk();
        kept = Some(host);
        Some(disk)
    };
    rig::in_rig_of(test, image, an_instance_of_the_image_serves);
}

fn an_instance_of_the_image_serves() {
    let site = Site::deployed();
    let instance = site.running();
    let status = site.serving(&instance);
    assert!(status.lock_held, "{status:?}");
    let sent = site.put("image", 50);
    assert_eq!(site.get(sent.len()), sent);
    site.one_writer();
    let shell = |script: &str| site.shell(&instance, script).unwrap().trim().to_owned();
    assert_eq!(
        shell("echo $(id -u mqm):$(id -g mqm) $(stat -c %u:%g /var/mqm)"),
        "1234:1234 1234:1234"
    );
    assert_eq!(
        shell("sysctl -n kernel.sem net.ipv4.tcp_keepalive_time | tr '\\t\\n' '  '"),
        "32000 1024000000 500 32000 300"
    );
    assert_eq!(
        shell("cat /var/mqm/licence"),
        "/etc/mqaws/licence.lic",
        "accepted on this boot"
    );
    assert!(shell("cat /etc/mqaws/image.json").contains("\"engine_version\": \"9.4.0.0\""));
    assert_eq!(
        shell("readlink -f /proc/$(systemctl show -p MainPID --value mqaws-agent)/exe"),
        "/usr/bin/mqaws-agent"
    );
    // A machine of its own again.
    assert_eq!(shell("wc -c </etc/machine-id"), "33");
}

#[test]
fn what_must_not_be_built_is_refused_and_leaves_nothing_of_the_engine() {
    on_a_host(
        "what_must_not_be_built_is_refused_and_leaves_nothing_of_the_engine",
        refusals::all,
    );
}

#[test]
fn no_step_runs_where_nobody_said_that_it_may() {
    on_a_host("no_step_runs_where_nobody_said_that_it_may", refusals::unasked);
}

/// RabbitMQ comes from the distribution, does not start by itself, and leaves no secret behind.
#[test]
fn rabbitmq_comes_from_the_distribution_and_has_never_run() {
    on_a_host("rabbitmq_comes_from_the_distribution_and_has_never_run", |root| {
        let mut host = LabHost::new(root);
        host.serve();
        let built = Build::rabbitmq(host.dir()).run(&host);
        assert!(built.ended_well, "{}", built.text);
        let said = host
            .run("dpkg-query -W -f '${Version}' rabbitmq-server; id -u rabbitmq; systemctl is-enabled rabbitmq-server");
        assert!(
            said.text.starts_with("3.10.8") && said.text.ends_with("1234\ndisabled\n"),
            "{}",
            said.text
        );
        let record = std::fs::read_to_string(host.disk().join("etc/mqaws/image.json")).unwrap();
        assert!(record.contains("\"engine_version\": \"3.10.8"), "{record}");
        println!("provisioned in {:.1} s", built.seconds);
    });
}

/// The same from an archive of packages, by which a version comes that the distribution does not have.
#[test]
fn rabbitmq_comes_from_an_archive_of_packages_whose_checksum_is_right() {
    on_a_host(
        "rabbitmq_comes_from_an_archive_of_packages_whose_checksum_is_right",
        |root| {
            let mut host = LabHost::new(root);
            let packages = Mq::rabbitmq(host.dir(), root);
            host.serve();
            let build = Build::rabbitmq(host.dir()).with("package", &packages.file.display().to_string());
            let refused = build.with("package_sha256", &"0".repeat(64)).run(&host);
            assert!(
                !refused.ended_well && refused.text.contains("the SHA-256 of the package of RabbitMQ is"),
                "{}",
                refused.text
            );
            let built = build.with("package_sha256", &packages.sha256).run(&host);
            assert!(
                built.ended_well && built.text.contains("/rabbitmq-server_3.10.8"),
                "{}",
                built.text
            );
            let said = host.run(
                "id -u rabbitmq; systemctl is-enabled rabbitmq-server; ls -a /var/lib/rabbitmq /var/tmp | grep -c -e cookie -e mqaws-",
            );
            assert_eq!(said.text, "1234\ndisabled\n0\n");
        },
    );
}

#[test]
fn the_steps_of_rhel_and_amazon_linux_give_these_commands_to_doubles() {
    on_a_host(
        "the_steps_of_rhel_and_amazon_linux_give_these_commands_to_doubles",
        rpm::all,
    );
}

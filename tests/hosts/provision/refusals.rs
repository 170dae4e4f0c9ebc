//! What a build refuses, in which words, and that nothing of the engine is there afterwards.

use super::host::{LabHost, Mq, tree};
use super::packer::Build;
use mqaws::render::packer::{PROVISION, STEPS};
use std::fs;
use std::path::Path;

const NOUGHTS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One after the other on one host.
pub(super) fn all(root: &Path) {
    let mut host = LabHost::new(root);
    let dir = host.dir().to_owned();
    let small = |name: &str, text: &str| {
        fs::write(dir.join(name), text).unwrap();
        dir.join(name)
    };
    // The agent is looked at after the engine; a small one is sooner there.
    let agent = small("agent", "#!/bin/sh\necho no credentials >&2\nexit 4\n")
        .display()
        .to_string();
    let text = Mq::of(small("text.tar", "no archive"));
    let parts = dir.join("parts");
    fs::create_dir(&parts).unwrap();
    let without_server = Mq::packed(&parts, &["server", "runtime"]);
    host.serve();

    let build = Build::ibm_mq(&text).with("agent", &agent);
    let accepting = build.accepting_the_licence();
    let missing = Build::ibm_mq(&without_server)
        .with("agent", &agent)
        .accepting_the_licence();
    let sums = format!("the SHA-256 of the package of IBM MQ is {}, not {NOUGHTS}", text.sha256);
    let cases: [(Build, i32, &str, &str); 7] = [
        (
            build,
            3,
            "the license of IBM MQ is not accepted",
            "add --accept-licence",
        ),
        (
            accepting.with("package_sha256", NOUGHTS),
            3,
            &sums,
            "download the file again",
        ),
        (
            accepting.with("package_sha256", "none"),
            3,
            "is `none`, not 64 hexadecimal characters",
            "do not compute it from the file itself",
        ),
        (
            accepting.clone(),
            3,
            "is not an archive with a folder MQServer",
            "unchanged",
        ),
        (missing, 3, "has no part Runtime as .deb", "with .deb packages"),
        (
            accepting.with("mount", "efs-utils"),
            3,
            "only Amazon Linux has amazon-efs-utils",
            "storage.mount: nfs",
        ),
        (
            accepting
                .with("package", "s3://packages/mq.tar.gz")
                .with("region", "eu-west-1"),
            3,
            "cannot download s3://packages/mq.tar.gz",
            "must allow s3:GetObject",
        ),
    ];
    for (build, code, error, hint) in cases {
        let built = build.run(&host);
        assert!(!built.ended_well, "{error}: {}", built.text);
        let exit = format!("Script exited with non-zero exit status: {code}");
        for said in [error, hint, &exit, "error: ", "hint: "] {
            assert!(built.text.contains(said), "{said}: {}", built.text);
        }
        nothing_of_the_engine(&host, error);
    }
    let absent = accepting.with("package", "/nowhere/mq.tar.gz").run(&host);
    assert!(
        !absent.ended_well && absent.text.contains("/nowhere/mq.tar.gz"),
        "{}",
        absent.text
    );
    nothing_of_the_engine(&host, "no package");
}

fn nothing_of_the_engine(host: &LabHost, after: &str) {
    let there = tree(&host.disk());
    let engine = |path: &&String| {
        [
            "opt/mqm",
            "var/mqm",
            "etc/mqaws",
            "var/tmp/mqaws",
            "tmp/mq_license",
            "usr/bin/mqaws-agent",
        ]
        .iter()
        .any(|left| path.starts_with(left))
    };
    let left: Vec<&String> = there.keys().filter(engine).collect();
    assert!(left.is_empty(), "{after}: {left:?}");
    let packages = fs::read_to_string(host.disk().join("var/lib/dpkg/status")).unwrap_or_default();
    assert!(!packages.contains("Package: ibmmq"), "{after}");
}

/// Every step refuses without the provisioner's word, without root, and on a host of a deployment; nothing changes.
pub(super) fn unasked(root: &Path) {
    let mut host = LabHost::new(root);
    for file in PROVISION {
        host.put(&format!("/tmp/mqaws-provision/{}", file.path), file.text);
    }
    let words = "MQAWS_ENGINE=ibm-mq MQAWS_ENGINE_VERSION=9.4.0.0 MQAWS_AGENT_VERSION=0.1.0 MQAWS_MOUNT=nfs \
                 MQAWS_MQM_UID=1234 MQAWS_MQM_GID=1234";
    let before = tree(&host.disk());
    let mut script = String::new();
    for step in STEPS {
        let step = format!("bash /tmp/mqaws-provision/{step}");
        script += &format!("env {words} {step}; echo exit $?\n");
        script += &format!("sudo -n -u admin env {words} MQAWS_PROVISION=1 {step}; echo exit $?\n");
        script += &format!("env {words} MQAWS_PROVISION=1 MQAWS_ENGINE='a b' {step}; echo exit $?\n");
    }
    let said = host.run(&script);
    assert_eq!(said.text.matches("exit 3\n").count(), 3 * STEPS.len(), "{}", said.text);
    let refused = [
        "this machine is not marked as an image build",
        "this step requires root",
        "MQAWS_ENGINE is `a b`, not one word",
    ];
    for refusal in refused {
        assert_eq!(
            said.text.matches(refusal).count(),
            STEPS.len(),
            "{refusal}: {}",
            said.text
        );
    }
    let changed: Vec<String> = tree(&host.disk())
        .into_keys()
        .filter(|path| !before.contains_key(path))
        .collect();
    assert!(
        changed
            .iter()
            .all(|path| ["", "run", "dev", "proc", "etc"].contains(&path.as_str())),
        "{changed:?}"
    );

    host.put("/etc/mqaws/agent.json", "{}");
    let script: String = STEPS
        .iter()
        .map(|step| format!("env {words} MQAWS_PROVISION=1 bash /tmp/mqaws-provision/{step}; echo exit $?\n"))
        .collect();
    let said = host.run(&script);
    assert_eq!(
        said.text.matches("this machine is part of a deployment").count(),
        STEPS.len(),
        "{}",
        said.text
    );
}

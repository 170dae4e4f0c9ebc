//! Other versions than this machine's own: those of Debian's other suites, unpacked by `scripts/test`. A suite moves, so what is
//! there is read and not demanded.

use super::{EXAMPLE, story, with_the_queue_gone};
use crate::support::judge::{TOOLS, left_out, skip};
use crate::support::{Lab, SOFTWARE, call, failing, root, runs, until};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The variable with the folder that has one folder a suite.
const SUITES: &str = "MQAWS_TEST_SUITES";

/// The folder with RabbitMQ of a suite, when its first numbers are these; says so when it is not there.
#[track_caller]
fn of_suite(test: &str, suite: &str, series: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(SUITES).map(|all| Path::new(&all).join(suite));
    let Some(folder) = folder.filter(|folder| folder.join("usr/lib/rabbitmq").is_dir()) else {
        skip(
            TOOLS,
            test,
            &format!("there is no RabbitMQ of {suite}; scripts/test unpacks it"),
        );
        return None;
    };
    let packages = fs::read_to_string(folder.join("packages")).unwrap();
    let version = packages.lines().find_map(|line| line.strip_prefix("rabbitmq-server: "));
    let version = version.expect("a version").to_owned();
    if !version.starts_with(&format!("{series}.")) {
        // Nothing that this machine lacks: the suite has moved on.
        left_out(test, &format!("{suite} has RabbitMQ {version} and not {series}"));
        return None;
    }
    Some(folder)
}

#[test]
fn version_4_0_runs_the_whole_length() {
    if let Some(software) = of_suite("RabbitMQ 4.0", "trixie", "4.0") {
        story(Lab::up_with(&software), "4.0", "schema.DAT");
    }
}

#[test]
fn version_4_3_runs_the_whole_length() {
    if let Some(software) = of_suite("RabbitMQ 4.3", "sid", "4.3") {
        story(Lab::up_with(&software), "4.3", "coordination");
    }
}

#[test]
fn version_4_0_is_tested_with_amqp_1_0() {
    if let Some(software) = of_suite("AMQP 1.0 of RabbitMQ 4.0", "trixie", "4.0") {
        with_amqp_1_0(&Lab::up_with(&software));
    }
}

#[test]
fn version_4_3_is_tested_with_amqp_1_0() {
    if let Some(software) = of_suite("AMQP 1.0 of RabbitMQ 4.3", "sid", "4.3") {
        with_amqp_1_0(&Lab::up_with(&software));
    }
}

/// A restart without loss, and one after which the queue is gone, which each version says in its own way.
fn with_amqp_1_0(lab: &Lab) {
    let example = root().join(EXAMPLE).display().to_string();
    let config = ["--config", example.as_str()];
    lab.run(&[&["deploy", "--local", "--yes"][..], &config].concat(), 0);
    let options = [&config[..], &["--driver", "amqp10"]].concat();
    let test = [
        &["--yes", "--fault", "kill-queue-manager", "--non-persistent", "1"][..],
        &options,
    ]
    .concat();
    let report = lab.failover(&test, 0);
    assert_eq!(report["driver"]["name"], "amqp10");
    assert_eq!(failing(&report), Vec::<String>::new());
    let ledger = &runs(&report)[0]["ledger"];
    assert!(
        ledger["lost"] == 0 && ledger["persistent"]["acked"].as_u64() > Some(0),
        "{ledger}"
    );

    let report = with_the_queue_gone(lab, &options);
    assert!(runs(&report)[0]["ledger"]["lost"].as_u64() > Some(0), "{report}");
}

#[test]
fn data_of_3_10_is_not_opened_by_4_0() {
    let Some(new) = of_suite("an upgrade from 3.10 to 4.0", "trixie", "4.0") else {
        return;
    };
    if super::is_here("an upgrade from 3.10 to 4.0") {
        let old = std::env::var_os(SOFTWARE).map_or_else(|| PathBuf::from("/"), PathBuf::from);
        leap(&old, &new, "upgrade to 3.13 first");
    }
}

#[test]
fn data_of_4_0_is_not_opened_by_4_3() {
    let test = "an upgrade from 4.0 to 4.3";
    if let (Some(old), Some(new)) = (of_suite(test, "trixie", "4.0"), of_suite(test, "sid", "4.3")) {
        leap(&old, &new, "upgrade to 4.2 first");
    }
}

/// An instance that comes with a version which must not open the data: it says so and starts nothing, and with the one before, the
/// data are served again.
fn leap(old: &Path, new: &Path, remedy: &str) {
    let folder = tempfile::tempdir().unwrap();
    // What hosts have is a link, so that those which come later have another version.
    let software = folder.path().join("software");
    let switch = |to: &Path| {
        let next = folder.path().join("next");
        symlink(to, &next).unwrap();
        fs::rename(next, &software).unwrap();
    };
    switch(old);
    let lab = Lab::up_with(&software);
    let example = root().join(EXAMPLE).display().to_string();
    let config = ["--config", example.as_str()];
    lab.run(&[&["deploy", "--local", "--yes"][..], &config].concat(), 0);
    let status = || {
        let said = lab
            .spawn(&[&["status", "--local", "--output", "json"][..], &config].concat())
            .wait();
        serde_json::from_str::<Value>(&said.out).unwrap_or_default()
    };
    let writer = status()["writer"]["instance"].as_str().unwrap().to_owned();
    let terminate = |instance: &str| {
        let params = [("Action", "TerminateInstances"), ("InstanceId.1", instance)];
        call(&lab.record(), "ec2", "2016-11-15", &params);
    };
    let shared = fs::read_dir(lab.dir().join("fs")).unwrap().flatten().next().unwrap();
    let database = shared.path().join("RABBIT1/rabbitmq");

    switch(new);
    terminate(&writer);
    let refused = until("the data are refused", || {
        let status = status().to_string();
        status.contains(remedy).then_some(status)
    });
    assert!(refused.contains("the data was last written by RabbitMQ"), "{refused}");
    let before = names(&database);
    // Nothing runs that could write, and nothing was started: a start would have made its log.
    let lines = lab.processes().join("\n");
    assert!(!lines.contains("beam.smp"), "{lines}");
    let hosts: Vec<PathBuf> = fs::read_dir(lab.dir().join("i"))
        .unwrap()
        .flatten()
        .map(|host| host.path())
        .collect();
    let started = |host: &&PathBuf| host.join("var/log/mqaws/rabbitmq/rabbit@mqaws.log").exists();
    let started: Vec<&PathBuf> = hosts.iter().filter(started).collect();
    assert!(started.iter().all(|host| host.ends_with(&writer)), "{started:?}");
    assert_eq!(names(&database), before);

    switch(old);
    let refusing = status();
    let instances = refusing["instances"].as_array().cloned().unwrap_or_default();
    for instance in instances.iter().filter_map(|one| one["id"].as_str()) {
        terminate(instance);
    }
    until("service with the version before", || {
        let status = status();
        (status["writer"]["epoch"].as_u64() > Some(1) && status["state"] == "serving").then_some(())
    });
    lab.end();
}

/// Names of the files below a folder.
fn names(folder: &Path) -> Vec<PathBuf> {
    let mut names = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().flatten() {
            names.push(entry.path());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    names.sort_unstable();
    names
}

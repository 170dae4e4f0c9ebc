//! Failover tests from the command line to the verdict, in private labs: every fault, every negative control, every way to prove nothing.

mod alive;
mod elsewhere;
mod hard;
mod pipeline;
mod registration;
mod reports;

use crate::support::{Lab, failing, runs};
use rustix::process::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};

const FAULTS: [&str; 5] = [
    "stop-queue-manager",
    "kill-queue-manager",
    "hang-queue-manager",
    "terminate-instance",
    "mark-unhealthy",
];

/// All files of that name below a folder.
fn files(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path, name)),
            false if path.file_name().is_some_and(|file| file == name) => found.push(path),
            false => {}
        }
    }
    found
}

/// `MQAWS_ROUNDS=10` makes it ten rounds of each fault.
#[test]
fn every_fault_passes_and_is_explained() {
    let lab = Lab::deployed(&[]);
    let rounds = std::env::var("MQAWS_ROUNDS").unwrap_or_else(|_| "1".into());
    let mut told = Vec::new();
    for fault in FAULTS {
        let report = lab.failover(&["--fault", fault, "--rounds", &rounds], 0);
        assert_eq!(report["schema"], "mqaws.failover/1");
        assert_eq!(
            (&report["verdict"], &report["engine"]["stand_in"]),
            (&"pass".into(), &true.into())
        );
        assert_eq!(
            [
                &report["place"]["kind"],
                &report["place"]["timing"],
                &report["place"]["hosts"]
            ],
            [&"lab".into(), &"fast".into(), &"process".into()] as [&Value; 3]
        );
        assert_eq!(runs(&report).len().to_string(), rounds);
        for run in runs(&report) {
            assert_eq!(
                (&run["fault"]["verified"], &run["ledger"]["lost"]),
                (&true.into(), &0.into()),
                "{fault}"
            );
            assert!(
                run["backlog_at_fault"].as_u64().unwrap() > 1000,
                "{fault}: {}",
                run["backlog_at_fault"]
            );
            let rto = &run["rto"];
            let phases = rto["phases"].as_array().unwrap();
            let sum: u64 = phases.iter().map(|phase| phase["ns"].as_u64().unwrap()).sum();
            assert_eq!(sum, rto["ns"].as_u64().unwrap(), "{fault}: the parts are the whole");
            told.push((fault, phases.iter().any(|phase| phase["name"] == "engine")));
            let (before, after) = (&run["served_before"], &run["served_after"]);
            let replaced = before["instance"] != after["instance"];
            assert_eq!(
                replaced,
                ["terminate-instance", "mark-unhealthy"].contains(&fault),
                "{fault}"
            );
            if fault == "terminate-instance" {
                // The launch of another instance is not called the storage's time.
                let phases = run["rto"]["phases"].as_array().unwrap();
                let first = phases.iter().find(|phase| phase["ns"] != 0).unwrap();
                assert_eq!(first["name"], "replacement", "{phases:?}");
            }
            assert!(
                after["epoch"].as_u64() > before["epoch"].as_u64(),
                "{fault}: {before} {after}"
            );
        }
    }
    // A pause of a busy machine can be longer than an outage of a quarter of a second; then nothing of it is the engine's.
    let explained = told.iter().filter(|(_, engine)| *engine).count();
    assert!(explained * 4 >= told.len() * 3, "{told:?}");
    let data = files(&lab.dir().join("fs"), "qm.ini");
    assert_eq!(data.len(), 1, "{data:?}");
    let audit = mqaws_standin::audit(data[0].parent().unwrap()).unwrap();
    assert!(
        !audit.interleaved && audit.runs.len() > FAULTS.len(),
        "two writers: {audit:?}"
    );
    // Five reports, none overwritten, each with its ledger, which counts the same again.
    for name in ["report.json", "report-5.json", "ledger.bin", "ledger-5.bin"] {
        assert!(lab.path(name).is_file(), "{name}");
    }
    let recount = lab.run(&["failover-test", "verify", "ledger.bin"], 0);
    assert!(recount.out.contains("0 lost"), "{recount}");
}

#[test]
fn a_broker_that_acknowledges_early_loses_every_time() {
    let lab = Lab::deployed(&["--standin-defect", "ack-early"]);
    for round in 0..3 {
        let report = lab.failover(&["--fault", "kill-queue-manager"], 10);
        let run = &runs(&report)[0];
        assert!(run["ledger"]["lost"].as_u64().unwrap() > 0, "round {round}");
        assert!(!run["ledger"]["samples"]["missing"].as_array().unwrap().is_empty());
        assert!(run["rpo_ns"].as_u64().is_some());
    }
    lab.run(&["failover-test", "verify", "ledger.bin"], 10);
}

#[test]
fn other_defects_are_found_too() {
    for (defect, more, code, check) in [
        ("lose", &[][..], 10, "rpo.lost"),
        ("duplicate", &[], 13, "duplicates"),
        ("reorder", &[], 13, "order"),
        ("reorder", &["--consumers", "1"], 13, "order"),
    ] {
        let lab = Lab::deployed(&["--standin-defect", defect]);
        let args: Vec<&str> = ["--fault", "kill-queue-manager"].iter().chain(more).copied().collect();
        let report = lab.failover(&args, code);
        assert!(
            failing(&report).iter().any(|name| name == check),
            "{defect}: {:?}",
            failing(&report)
        );
    }
}

#[test]
fn what_cannot_be_tested_says_what_to_do() {
    let lab = Lab::deployed(&[]);
    for (args, words) in [
        (
            &["failover-test", "--local", "--amqp-url", "amqp://127.0.0.1:1"][..],
            "--amqp-url",
        ),
        (&["failover-test", "--local", "--stack", "mqaws-not-there"], "deploy"),
    ] {
        let text = lab.run(args, 3).err;
        let hint = text
            .lines()
            .find(|line| line.starts_with("hint:"))
            .unwrap_or_else(|| panic!("no hint: {text}"));
        assert!(hint.contains(words), "{text}");
    }
    // A service that does not come back in time is no pass.
    let report = lab.failover(&["--fault", "terminate-instance", "--recovery-timeout", "200ms"], 11);
    assert_eq!(report["verdict"], "fail");
}

/// An interrupted test leaves the stack as it was: a test after it is not refused, and passes.
#[test]
fn an_interrupt_undoes_what_was_begun() {
    let lab = Lab::deployed(&[]);
    let mut running = lab.spawn(&["failover-test", "--local", "--baseline", "200s"]);
    // The load line is the sign that the stack is marked and the queues are there.
    running.until_out("load");
    running.signal(Signal::INT);
    assert_eq!(running.wait().code, Some(130));
    lab.failover(&["--fault", "stop-queue-manager"], 0);
}

/// A third of all calls to the cloud fail: the verdict stays the same, and nothing healthy is condemned.
#[test]
fn a_shaky_cloud_changes_no_verdict() {
    let lab = Lab::deployed(&["--api-faults", "0.3"]);
    for (fault, epochs) in [("kill-queue-manager", 1), ("terminate-instance", 1)] {
        let report = lab.failover(&["--fault", fault, "--recovery-timeout", "2m"], 0);
        let run = &runs(&report)[0];
        let epoch = |host: &str| run[host]["epoch"].as_u64().unwrap();
        assert_eq!(
            epoch("served_after") - epoch("served_before"),
            epochs,
            "{fault}: one start, no more"
        );
    }
}

//! The units that an image installs: checked by systemd's own verifier, and for what must never be in them.

use crate::judge;
use std::fs;
use std::path::Path;
use std::process::Command;

const UNITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packer/provision/units");

fn units() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = fs::read_dir(UNITS)
        .expect("units")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "service"))
        .map(|path| {
            let name = path.file_name().expect("name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("unit"))
        })
        .collect();
    found.sort();
    found
}

fn value<'a>(unit: &'a str, key: &str) -> Option<&'a str> {
    unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        judge::skip(judge::TOOLS, "units", "systemd-analyze is not installed");
        return;
    }
    // The verifier looks for the executable, which is not installed here.
    let dir = tempfile::tempdir().expect("tempdir");
    let mut paths = Vec::new();
    for (name, text) in units() {
        let path = dir.path().join(name);
        fs::write(&path, text.replace("/usr/bin/mqaws-agent", "/bin/true")).expect("copy");
        paths.push(path);
    }
    let output = Command::new("systemd-analyze")
        .arg("verify")
        .args(&paths)
        .output()
        .expect("run");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn engine_and_keeper_live_and_die_together_and_the_agent_apart() {
    let units = units();
    let names: Vec<&str> = units.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["mqaws-agent.service", "mqaws-engine.service"]);
    let (agent, engine) = (&units[0].1, &units[1].1);
    for unit in [agent, engine] {
        assert!(!unit.contains("KillMode=none") && !unit.contains("KillMode=process"));
        assert_eq!(
            value(unit, "StartLimitIntervalSec"),
            Some("0"),
            "it is started again without end"
        );
    }
    // What is left of a unit in mode `mixed` gets SIGKILL as soon as its main process has ended.
    assert_eq!(value(engine, "KillMode"), Some("mixed"));
    assert_eq!(
        value(engine, "Restart"),
        Some("on-failure"),
        "a dead keeper's guard goes on"
    );
    let number = |key: &str| value(engine, key).and_then(|v| v.parse::<u64>().ok()).expect(key);
    // A proof may be 5 s old when the keeper dies; systemd waits twice for what does not die, before it starts another.
    assert!(
        5 + 2 * number("TimeoutStopSec") + 5 < mqaws_agent::fence::SELF_RESET.as_secs(),
        "in time for T"
    );
    for unit in [agent, engine] {
        assert_eq!(value(unit, "RuntimeDirectoryMode"), Some("0700"));
        assert_eq!(value(unit, "RuntimeDirectoryPreserve"), Some("yes"));
    }
    let watchdog = value(engine, "WatchdogSec").and_then(|v| v.parse::<u64>().ok());
    assert!(watchdog.is_some_and(|w| w < 30), "shorter than the guard's own bound");
    assert_eq!(value(engine, "WatchdogSignal"), Some("SIGKILL"));
    assert!(value(engine, "ExecStart").is_some_and(|e| e.ends_with(" __keeper")));
    assert!(!engine.contains("[Install]") && !engine.contains("BindsTo=") && !engine.contains("PartOf="));
    assert_eq!(value(agent, "Restart"), Some("always"));
    assert!(value(agent, "WatchdogSec").is_some());
    // In a mount name space of its own a unit does not see what the other mounts.
    for sandbox in [
        "Private",
        "Protect",
        "ReadOnlyPaths",
        "ReadWritePaths",
        "Inaccessible",
        "RootDirectory",
        "DynamicUser",
    ] {
        for (name, unit) in &units {
            assert!(
                !unit.lines().any(|line| line.starts_with(sandbox)),
                "{name} has {sandbox}"
            );
        }
    }
}

#[test]
fn the_engine_gets_what_ibm_asks_for() {
    let units = units();
    let number = |key: &str| {
        value(&units[1].1, key)
            .and_then(|v| v.parse::<u64>().ok())
            .expect("number")
    };
    assert!(number("LimitNOFILE") >= 10_240 && number("LimitNPROC") >= 4096);
}

#[test]
fn the_keeper_finds_its_configuration_where_the_agent_writes_it() {
    let units = units();
    assert_eq!(value(&units[1].1, "StandardInput"), Some("file:/run/mqaws/keeper.json"));
    assert!(Path::new(UNITS).join("mqaws-engine.service").exists());
}

//! While images and programs are of two versions: agents of the version before asked by this version, and the reverse.

use super::{Site, asked_as_before};
use crate::support::{Lab, STACK, until, wait};
use mqaws::failover::port::TestBed;
use mqaws::model::InstanceId;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const DOUBLE: &str = include_str!("../../fixtures/29030b5/mqaws-agent");
const RECORDED: [(&str, &str); 4] = [
    (
        "agent-status.json",
        include_str!("../../fixtures/29030b5/agent-status.json"),
    ),
    ("probe.json", include_str!("../../fixtures/29030b5/probe.json")),
    ("fault.json", include_str!("../../fixtures/29030b5/fault.json")),
    ("usage.txt", include_str!("../../fixtures/29030b5/usage.txt")),
];

/// What stands for an agent of the version before on an instance.
struct Before {
    place: PathBuf,
}

impl Before {
    /// Puts the double in the place of the program that documents call; the agent that runs goes on.
    fn on(lab: &Lab, instance: &str) -> Self {
        let programs = lab.instance(instance).join("opt/mqm/bin");
        let place = programs.join("before");
        for folder in ["current", "recorded"] {
            std::fs::create_dir_all(place.join(folder)).expect("a folder");
        }
        for (name, text) in RECORDED {
            std::fs::write(place.join("recorded").join(name), text).expect("written");
        }
        let program = programs.join("mqaws-agent");
        std::fs::rename(&program, place.join("current/mqaws-agent")).expect("moved");
        let python = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .map(|folder| folder.join("python3"))
            .find(|path| path.exists())
            .expect("python3");
        std::fs::write(&program, DOUBLE.replace("PYTHON", &python.display().to_string())).expect("written");
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("executable");
        Self { place }
    }

    fn asked(&self) -> String {
        std::fs::read_to_string(self.place.join("asked")).unwrap_or_default()
    }
}

#[test]
fn a_program_of_this_version_gets_along_with_an_agent_of_the_version_before() {
    let site = Site::deployed();
    let first = site.serving(None);
    let agent = Before::on(&site.lab, &first.instance);
    let target = wait(site.clients.target(STACK)).expect("a stack");
    let id = InstanceId::new(&first.instance).expect("an instance");

    let status = site.json(&["status", "--check"]);
    let said = &status["instances"][0]["agent"];
    assert_eq!(status["state"], "serving", "{status}");
    assert!(said.get("measured_seconds").is_none_or(Value::is_null), "{status}");
    let connections = wait(site.clients.connections(&target, &id)).expect("an answer");
    assert_eq!(connections, None, "it cannot be asked");

    let report = site.lab.failover(&["--fault", "kill-queue-manager"], 0);
    assert_eq!(report["verdict"], "pass", "{report}");
    // A fault that it does not know yet is refused, and nothing is tested.
    let refused = site
        .lab
        .json(&["failover-test", "--local", "--fault", "kill-keeper"], 3);
    assert_eq!(
        refused["causes"][1], "the agent is of a version without this command",
        "{refused}"
    );
    let hint = refused["hint"].as_str().unwrap_or_default();
    assert!(
        hint.contains(&format!("`mqaws deploy --stack {STACK} --local`")),
        "{refused}"
    );
    assert!(!refused["left"].to_string().contains("injected"), "{refused}");

    let asked = agent.asked();
    for line in [
        "status --json",
        "connections",
        "probe define",
        "fault kill-queue-manager",
        "probe delete",
    ] {
        assert!(asked.lines().any(|one| one == line), "{line}: {asked}");
    }
    // In that agent's place comes one of this version.
    assert_eq!(site.json(&["deploy"])["changed"], false);
}

/// What a program of the version before sends, in its own words, and the answers that it was given then.
const LINES: [(&str, usize); 5] = [
    ("mqaws-agent status --json", 0),
    ("mqaws-agent probe define", 1),
    ("mqaws-agent probe depth", 1),
    ("mqaws-agent probe delete", 1),
    ("mqaws-agent fault kill-queue-manager", 2),
];

#[test]
fn a_program_of_the_version_before_gets_along_with_an_agent_of_this_version() {
    let site = Site::deployed();
    let serves = site.serving(None);
    let ask = |line: &str| {
        asked_as_before(&site.record, &serves.instance, line).unwrap_or_else(|| panic!("{line} does not succeed"))
    };
    for (line, recorded) in LINES {
        let (name, text) = RECORDED[recorded];
        let recorded: Value = serde_json::from_str(text).expect("JSON");
        let said = serde_json::from_str(&ask(line)).unwrap_or_else(|error| panic!("{line}: {error}"));
        reads(&recorded, &said, &format!("{line}, as {name}"));
    }
    let parsed = |lines: &str| -> Vec<Value> {
        let marks = lines.lines().map(|line| serde_json::from_str(line).expect("a mark"));
        marks.collect()
    };
    // All that was marked there is, once it serves again.
    for mut recorded in parsed(include_str!("../../fixtures/29030b5/marks.jsonl")) {
        let kind = recorded["mark"].clone();
        let same = until(&format!("the mark {kind}"), || {
            let marks = parsed(&ask("mqaws-agent marks --since 0"));
            marks.into_iter().find(|mark| mark["mark"] == kind)
        });
        // A mark without details or waits has no such fields, then as now.
        let fields = recorded.as_object_mut().expect("a mark");
        fields.retain(|field, _| !["detail", "waits"].contains(&field.as_str()) || same.get(field).is_some());
        reads(&recorded, &same, "a mark");
    }
}

/// Demands each field that was there before, of the same kind unless one of the two is empty.
fn reads(before: &Value, now: &Value, place: &str) {
    match (before, now) {
        (Value::Object(before), Value::Object(_)) => {
            for (field, value) in before {
                let found = now.get(field);
                let found = found.unwrap_or_else(|| panic!("{place}: no `{field}` in {now}"));
                reads(value, found, &format!("{place}.{field}"));
            }
        }
        (Value::Array(before), Value::Array(now)) => {
            let (Some(before), Some(now)) = (before.first(), now.first()) else {
                return;
            };
            reads(before, now, place);
        }
        (Value::Null, _) | (_, Value::Null) => {}
        _ => assert_eq!(
            std::mem::discriminant(before),
            std::mem::discriminant(now),
            "{place}: {before} was before, {now} is now"
        ),
    }
}

//! A queue manager that an operator stopped.

use super::{agent, cut, deployed, engines, members};
use crate::support::{Lab, Said, said, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::process::{Command, Stdio};

/// Runs a command of an instance's agent, as a person on the instance does.
pub(super) fn on_instance(lab: &Lab, instance: &str, words: &[&str]) -> Said {
    let root = lab.instance(instance);
    let mut command = Command::new(root.join("opt/mqm/bin/mqaws-agent"));
    command.args(words).env_clear().env("MQAWS_LAB_ROOT", &root);
    said(command.stdin(Stdio::null()))
}

/// Kills the processes of an instance whose command line has this word.
fn kill(lab: &Lab, instance: &str, word: &str) -> usize {
    let root = lab.instance(instance);
    let own = format!("MQAWS_LAB_ROOT={}", root.display());
    let mut killed = 0;
    for process in std::fs::read_dir("/proc").expect("a process table").flatten() {
        let read = |file: &str| {
            String::from_utf8_lossy(&std::fs::read(process.path().join(file)).unwrap_or_default()).into_owned()
        };
        let pid = process.file_name().to_str().and_then(|name| name.parse().ok());
        let (Some(pid), line) = (pid.and_then(Pid::from_raw), read("cmdline")) else {
            continue;
        };
        if read("environ").split('\0').any(|entry| entry == own) && line.contains(word) {
            killed += usize::from(kill_process(pid, Signal::KILL).is_ok());
        }
    }
    killed
}

/// A pause is about the data: whatever dies and whoever takes over, nothing is started until it is resumed.
#[test]
fn what_an_operator_stopped_stays_stopped_through_deaths_and_a_takeover() {
    let lab = Lab::up(&[]);
    let first = deployed(&lab);
    let waits = on_instance(&lab, &first.standby, &["pause"]);
    assert!(
        waits.code != Some(0) && waits.err.contains("only the host that serves"),
        "{waits}"
    );
    let paused = on_instance(&lab, &first.active, &["pause", "--reason", "a new disk"]);
    assert_eq!(paused.code, Some(0), "{paused}");
    kill(&lab, &first.active, "amqzxma0");
    until("the operator ended it", || (engines(&lab) == 0).then_some(()));

    let state = || lab.json(&["status", "--local"], 0);
    let is_paused = |instance: &str| {
        until("paused there", || {
            let status = agent(&lab, instance);
            (status["state"] == "paused" && status["paused"]["why"] == "a new disk").then_some(())
        });
        assert_eq!(engines(&lab), 0, "nothing was started");
        // Whichever member is listed first.
        let status = until("and said so", || {
            Some(state()).filter(|status| status["state"] == "paused")
        });
        assert_eq!(status["blockers"][0]["instance"], instance, "{status}");
        assert_eq!(status["blockers"][0]["why"], "a new disk", "{status}");
    };
    is_paused(&first.active);
    let example = Lab::example();
    let deploy = [
        "deploy",
        "--local",
        "--yes",
        "--config",
        &example,
        "--topology",
        "standby",
    ];
    let refused = lab.run(&deploy, 3);
    assert!(
        refused.err.contains("paused on i-") && refused.err.contains("a new disk"),
        "{refused}"
    );

    let before = agent_pid(&lab, &first.active).expect("an agent");
    kill_process(before, Signal::KILL).expect("killed");
    until("another agent", || {
        agent_pid(&lab, &first.active).filter(|pid| *pid != before)
    });
    is_paused(&first.active);
    assert!(kill(&lab, &first.active, "__keeper") > 0, "no keeper");
    until("its next keeper claimed", || {
        (agent(&lab, &first.active)["epoch"] == 2).then_some(())
    });
    is_paused(&first.active);
    cut(&lab, &first.active);
    is_paused(&first.standby);
    assert!(
        agent(&lab, &first.standby)["epoch"].as_u64() > Some(2),
        "it has the data"
    );
    let resumed = on_instance(&lab, &first.standby, &["resume"]);
    assert_eq!(resumed.code, Some(0), "{resumed}");
    let second = until("both members again", || members(&lab));
    assert_eq!(second.active, first.standby);
}

/// The process of an agent.
fn agent_pid(lab: &Lab, instance: &str) -> Option<Pid> {
    let text = std::fs::read(lab.instance(instance).join("run/mqaws/status.json")).unwrap_or_default();
    let file: Value = serde_json::from_slice(&text).unwrap_or_default();
    Pid::from_raw(i32::try_from(file["pid"].as_i64()?).ok()?)
}

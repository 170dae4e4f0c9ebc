//! Commands that the program suggests, pasted as they are.

use crate::support::{Lab, said};
use std::path::Path;

/// The commands of a text, pasted into a shell one after the other.
fn pasted(lab: &Lab, commands: &[String], more: &str) {
    for command in commands {
        let rest = command.strip_prefix("mqaws ").expect("a command of this program");
        let line = format!("exec {} {rest}{more}", env!("CARGO_BIN_EXE_mqaws"));
        let said = said(&mut lab.command_of(Path::new("/bin/sh"), &["-c", &line]));
        assert_eq!(said.code, Some(0), "{command}: {said}");
    }
}

/// Those between backticks.
fn commands(text: &str) -> Vec<String> {
    let parts = text.split('`').skip(1).step_by(2);
    parts
        .filter(|part| part.starts_with("mqaws "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_is_suggested_works_as_it_is_pasted() {
    let lab = Lab::up(&[]);
    let config = lab.path("my config.yaml");
    std::fs::write(&config, "queue_manager: {name: ORDERS}\n").expect("written");
    let config = config.display().to_string();
    let here = ["--local", "--config", &config];

    // A stack that is not there: the command deploys that one, with the configuration of the call.
    let missing = lab.json(&[&["status", "--stack", "not-there"][..], &here].concat(), 3);
    let hint = missing["hint"].as_str().expect("a hint");
    pasted(&lab, &commands(hint), "");
    let status = lab.json(&["status", "--local", "--stack", "not-there", "--wait", "serving"], 0);
    assert_eq!(status["queue_manager"], "ORDERS", "{hint}: {status}");

    // What comes next leads to the same stack; and so does what undoes it.
    let again = lab.run(&[&["deploy", "--stack", "not-there", "--yes"][..], &here].concat(), 0);
    let next = again.out.split("Next: ").nth(1).expect("what comes next").trim();
    let next: Vec<String> = next.split(" · ").map(str::to_owned).collect();
    assert_eq!(next.len(), 3, "{again}");
    pasted(&lab, &next[..1], "");
    pasted(&lab, &next[2..], " --yes");
    lab.run(&["status", "--local", "--stack", "not-there"], 3);

    // The command that starts on new storage nevertheless.
    let kept = lab.json(
        &[&["deploy", "--until", "stack", "--stack", "not-there"][..], &here].concat(),
        3,
    );
    pasted(&lab, &commands(kept["hint"].as_str().expect("a hint")), "");
    lab.end();
}

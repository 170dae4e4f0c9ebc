//! Commands that the program suggests, pasted as they are.

use crate::support::judge::tool;
use crate::support::{Lab, Said, said};
use rustix::process::Signal;
use std::path::Path;

/// A command pasted into a shell, with `more` behind it; it must exit with this code.
fn paste(lab: &Lab, command: &str, more: &str, exit: i32) -> Said {
    let rest = command.strip_prefix("mqaws ").expect("a command of this program");
    let line = format!("exec {} {rest}{more}", env!("CARGO_BIN_EXE_mqaws"));
    let said = said(&mut lab.command_of(Path::new("/bin/sh"), &["-c", &line]));
    assert_eq!(said.code, Some(exit), "{command}: {said}");
    said
}

/// The commands of a text, pasted one after the other.
fn pasted(lab: &Lab, commands: &[String], more: &str) {
    for command in commands {
        paste(lab, command, more, 0);
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

/// The commands that a call suggests: those between backticks, and those after `Next:`.
#[track_caller]
fn suggested(lab: &Lab, args: &[&str], exit: i32) -> Vec<String> {
    let text = lab.run(args, exit).text();
    let next = text.split("Next: ").nth(1).and_then(|rest| rest.lines().next());
    let next = next.into_iter().flat_map(|line| line.split(" \u{b7} "));
    let next = next.filter(|part| part.starts_with("mqaws ")).map(str::to_owned);
    commands(&text).into_iter().chain(next).collect()
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

#[test]
fn what_a_deadline_suggests_does_not_end_at_the_same_moment() {
    let lab = Lab::deployed(&[]);
    let again = suggested(&lab, &["destroy", "--local", "--yes", "--timeout", "1ms"], 4);
    assert_eq!(again, ["mqaws destroy --stack mqaws-qm1 --local"]);
    pasted(&lab, &again, " --yes");

    // The change set or the stack is late; whichever it is, nothing that is suggested is as late again.
    let args = [
        "deploy",
        "--local",
        "--yes",
        "--new-storage",
        "--allow-faults",
        "--timeout",
        "1ms",
    ];
    let follow = suggested(&lab, &args, 4);
    assert!(
        follow.iter().all(|command| !command.contains("--timeout")),
        "{follow:?}"
    );
    pasted(&lab, &follow, "");
    // A stack that is still busy is waited for, and one that was not begun is deployed.
    if follow.is_empty() {
        lab.run(&args[..5], 0);
    }
    let more = suggested(
        &lab,
        &[
            "status",
            "--local",
            "--stack",
            "none",
            "--wait",
            "serving",
            "--timeout",
            "1ms",
        ],
        3,
    );
    assert_eq!(more, ["mqaws deploy --stack none --local"]);

    let late = lab.run(
        &["failover-test", "--local", "--baseline", "60s", "--timeout", "1s"],
        20,
    );
    assert!(
        late.err.contains("the test was not complete within 1 s") && late.err.contains("left:  nothing"),
        "{late}"
    );
    let demo = lab.run(&["demo", "--timeout", "1s"], 4);
    assert!(
        demo.err.contains("the demo did not end within 1 s") && demo.err.contains("local cloud with everything in it"),
        "{demo}"
    );
    // It left no mark that another test would have to heal.
    lab.run(&["failover-test", "--local", "--dry-run"], 0);
    lab.end();
}

#[test]
fn the_commands_of_every_verb_can_be_pasted() {
    let lab = Lab::new();
    // Without a local cloud: each verb of it, and a verb that wants one.
    for args in [
        &["lab", "status"][..],
        &["lab", "logs"],
        &["lab", "env"],
        &["status", "--local"],
    ] {
        let up = suggested(&lab, args, 3);
        assert_eq!(up[0], "mqaws lab up", "{args:?}: {up:?}");
    }
    let next = suggested(&lab, &["lab", "up"], 0);
    assert_eq!(next, ["mqaws deploy --local", "mqaws lab status", "mqaws lab down"]);
    pasted(&lab, &next, " --yes");
    lab.run(&["lab", "up"], 0);
    let other = suggested(&lab, &["lab", "up", "--timing", "aws"], 3);
    assert_eq!(other, ["mqaws lab down"]);
    pasted(&lab, &other, "");
    lab.run(&["lab", "up"], 0);
    let none = suggested(&lab, &["lab", "logs", "i-0"], 3);
    pasted(&lab, &none, " --yes --allow-faults");

    // A file that `init` wrote, and the one that is wrong.
    let next = suggested(&lab, &["init", "my own.yaml", "--local", "--queue-manager", "QM1"], 0);
    assert_eq!(next.len(), 2, "{next:?}");
    paste(&lab, &next[0], "", 0);
    paste(&lab, &next[1], " --local", 0);
    std::fs::write(lab.path("wrong file.yaml"), "netwrok: {}\n").expect("written");
    let check = suggested(&lab, &["plan", "--local", "--config", "wrong file.yaml"], 3);
    for command in &check {
        let said = paste(&lab, command, "", 3);
        assert!(said.err.contains("netwrok"), "{command}: {said}");
    }

    // A test that was killed; its ledger, and the report beside it.
    let mut test = lab.spawn(&["failover-test", "--local", "--baseline", "200s", "--out", "killed"]);
    test.until_out("load");
    let busy = suggested(&lab, &["failover-test", "--local"], 3);
    paste(&lab, &busy[0], "", 3);
    let forced = suggested(&lab, &["failover-test", "heal", "--local"], 3);
    assert!(forced[0].ends_with(" --force"), "{forced:?}");
    test.signal(Signal::KILL);
    test.wait();
    pasted(&lab, &suggested(&lab, &["failover-test", "--local"], 3), "");
    lab.failover(&["--out", "a folder"], 0);
    let recount = suggested(&lab, &["failover-test", "report", "a folder/ledger.bin"], 3);
    pasted(&lab, &recount, "");

    // What a stack leaves: it is listed, deleted, or adopted.
    lab.run(&["destroy", "--local", "--yes"], 0);
    let [adopt, delete] = &suggested(&lab, &["storage", "list", "--local"], 0)[..] else {
        panic!("two commands");
    };
    let list = suggested(&lab, &["storage", "delete", "no", "--local"], 2);
    pasted(&lab, &list, "");
    let unknown = suggested(&lab, &["storage", "delete", "fs-0123456789abcdef0", "--local"], 3);
    pasted(&lab, &unknown, "");
    let kept = suggested(&lab, &["deploy", "--local"], 3);
    let [first, new] = &kept[..] else { panic!("{kept:?}") };
    assert!(
        adopt.starts_with(first.trim_end_matches(" --local")),
        "{kept:?} {adopt}"
    );
    assert!(new.contains(" --new-storage"), "{kept:?}");
    let missing = ["deploy", "--local", "--adopt-file-system", "fs-0123456789abcdef0"];
    pasted(&lab, &suggested(&lab, &missing, 3), "");
    paste(&lab, adopt, " --yes", 0);
    lab.run(&["destroy", "--local", "--yes"], 0);
    paste(&lab, delete, " --yes", 0);
    assert_eq!(
        lab.json(&["storage", "list", "--local"], 0)["file_systems"],
        serde_json::json!([])
    );

    // Images are not built here, and none of the commands of an account goes to one.
    assert_eq!(suggested(&lab, &["ami", "list", "--local"], 0), Vec::<String>::new());
    for args in [
        &["ami", "build", "--local"][..],
        &["ami", "prune", "--keep", "1", "--local"],
    ] {
        assert_eq!(suggested(&lab, args, 2), Vec::<String>::new(), "{args:?}");
    }
    lab.end();
}

#[test]
fn commands_of_the_aws_cli_reach_the_local_cloud() {
    let Some(aws) = tool("aws") else { return };
    let lab = Lab::deployed(&[]);
    let environment = lab.run(&["lab", "env"], 0).out;
    let pasted = |command: &str| {
        let line = format!(
            "{environment}\nexec '{}' {}",
            aws.display(),
            command.strip_prefix("aws ").expect("of the AWS CLI")
        );
        let said = said(&mut lab.command_of(Path::new("/bin/sh"), &["-c", &line]));
        assert_eq!(said.code, Some(0), "{command}: {said}");
        said
    };
    let status = lab.json(&["status", "--local"], 0);
    let instance = status["writer"]["instance"].as_str().expect("a writer");
    let region = "--region eu-west-1";
    let groups = pasted(&format!(
        "aws autoscaling describe-auto-scaling-groups {region} --output json"
    ))
    .json();
    let group = groups["AutoScalingGroups"][0]["AutoScalingGroupName"]
        .as_str()
        .expect("a group");
    assert_eq!(groups["AutoScalingGroups"][0]["Instances"][0]["InstanceId"], instance);
    for (order, warning) in [
        (
            format!("suspend-processes --auto-scaling-group-name {group} --scaling-processes Launch HealthCheck"),
            "suspended processes",
        ),
        (
            format!("update-auto-scaling-group --auto-scaling-group-name {group} --min-size 0 --desired-capacity 0"),
            "desired capacity",
        ),
    ] {
        pasted(&format!("aws autoscaling {order} {region}"));
        let text = lab.run(&["status", "--local"], 0).out;
        let remedy = text.split('`').find(|part| part.starts_with("aws autoscaling "));
        let remedy = remedy.unwrap_or_else(|| panic!("{text}"));
        assert!(text.contains(warning) && remedy.contains("--endpoint-url"), "{text}");
        pasted(remedy);
        let after = lab.run(&["status", "--local"], 0).out;
        assert!(!after.contains(warning), "{after}");
    }
    lab.end();
}

//! The fence in the local cloud, from end to end: a lost zone that EC2 never confirms, which takes the whole wait of the proof
//! `lease`; queue managers whose names look like paths; a second agent on a host; a copy of a file system; and one that is found empty.

use crate::support::{LIMIT, Lab, all, call, own_call, said, until};
use mqaws_agent::fence::LeaseTimes;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Waits until `mqaws status` of a stack says this.
fn until_status_says(lab: &Lab, stack: &str, wanted: &[&str]) {
    until(&format!("{wanted:?}"), || {
        let said = lab.spawn(&["status", "--local", "--stack", stack]).wait();
        wanted.iter().all(|words| said.out.contains(words)).then_some(())
    });
}

/// The root of an instance.
fn root(lab: &Lab, agent: &Value) -> PathBuf {
    lab.instance(agent["instance"].as_str().expect("its id"))
}

/// The directory of the file system that an instance mounts; its name is the file system's id.
fn file_system(lab: &Lab, agent: &Value) -> PathBuf {
    std::fs::read_link(root(lab, agent).join("mnt/mqaws")).expect("its mount")
}

/// Deploys a queue manager as a stack of its own.
fn deploy(lab: &Lab, stack: &str, queue_manager: &str) {
    let example = Lab::example();
    let named = ["--stack", stack, "--queue-manager", queue_manager];
    lab.run(
        &[&["deploy", "--local", "--yes", "--config", &example], &named[..]].concat(),
        0,
    );
}

/// What is in the root of each file system, and in the folder of locks and owner records, by its name.
fn on_file_systems(lab: &Lab) -> Vec<Vec<String>> {
    let file_systems = std::fs::read_dir(lab.dir().join("fs")).expect("file systems").flatten();
    file_systems
        .map(|file_system| {
            let mut found = names_in(&file_system.path());
            found.retain(|name| name != ".mqaws");
            let folders = names_in(&file_system.path().join(".mqaws"));
            found.extend(folders.iter().map(|name| format!(".mqaws/{name}")));
            found
        })
        .collect()
}

/// Has EC2 terminate an instance at once.
fn terminate(lab: &Lab, instance: &str) {
    let params = [
        ("Action", "TerminateInstances"),
        ("SkipOsShutdown", "true"),
        ("InstanceId.1", instance),
    ];
    call(&lab.record(), "ec2", "2016-11-15", &params);
}

/// The first status of an agent that is so; each agent of the lab that has written one is looked at.
fn until_agent(lab: &Lab, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let agents = || {
        let mut found = Vec::new();
        statuses(&lab.dir().join("i"), 0, &mut found);
        found
    };
    let deadline = Instant::now() + LIMIT;
    loop {
        let agents = agents();
        if let Some(agent) = agents.iter().find(|a| wanted(a)) {
            return agent.clone();
        }
        assert!(Instant::now() < deadline, "{what}: {agents:#?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

fn statuses(dir: &Path, depth: usize, found: &mut Vec<Value>) {
    let status = dir.join("run/mqaws/status.json");
    if let Ok(text) = std::fs::read(status) {
        let file: Value = serde_json::from_slice(&text).unwrap_or_default();
        found.push(file["status"].clone());
        return;
    }
    if depth < 4 {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                statuses(&entry.path(), depth + 1, found);
            }
        }
    }
}

#[test]
fn a_lost_owner_that_ec2_never_confirms_is_outwaited() {
    let lab = Lab::up(&[]);
    deploy(&lab, "mqaws-qm1", "QM1");
    let owner = until_agent(&lab, "the first owner", |a| a["state"] == "serving");
    let owner = owner["instance"].as_str().expect("its id").to_owned();

    // From now on EC2 answers no question about instances; what it is told to do, it does.
    let silence = json!({"service": "ec2", "action": "DescribeInstances", "error": "InternalError"});
    own_call(&lab.record(), "inject", &silence).expect("silenced");
    terminate(&lab, &owner);

    let waits = until_agent(&lab, "a replacement that waits", |a| {
        a["previous"]["instance"] == owner.as_str()
    });
    let begin = Instant::now();
    assert_eq!((&waits["state"], &waits["epoch"]), (&json!("fencing"), &Value::Null));
    let serves = until_agent(&lab, "the replacement", |a| {
        a["state"] == "serving" && a["instance"] != owner.as_str()
    });
    assert_eq!(serves["proof"]["kind"], "lease", "{serves}");
    assert_eq!(serves["proof"]["previous"], owner.as_str());
    assert_eq!(serves["epoch"], 2);
    let wait = LeaseTimes::default().wait(Duration::from_secs(3));
    println!(
        "served {:.1} s after it began to wait; the proof's wait is {wait:?}",
        begin.elapsed().as_secs_f64()
    );
}

#[test]
fn a_queue_manager_that_is_named_like_a_path_stays_on_its_own_file_system() {
    let lab = Lab::up(&[]);
    // A place of the machine itself, where only this test would find what was written.
    let outside = lab.path("ABS").display().to_string();
    let names = [".", "..", "../../x", outside.as_str()];
    for (number, name) in names.iter().enumerate() {
        deploy(&lab, &format!("s{number}"), name);
        let serves = until_agent(&lab, "it serves", |a| {
            a["state"] == "serving" && a["queue_manager"] == *name
        });
        assert_eq!(
            (&serves["epoch"], &serves["proof"]["kind"]),
            (&json!(1), &json!("new")),
            "{serves}"
        );
    }
    let mut found = on_file_systems(&lab);
    found.sort();
    let mut expected: Vec<Vec<String>> = names
        .iter()
        .map(|name| {
            let directory = name.replace('.', "!").replace('/', "&");
            vec![directory.clone(), format!(".mqaws/{directory}")]
        })
        .collect();
    expected.sort();
    assert_eq!(found, expected);
    let mut left = names_in(lab.home());
    left.retain(|name| !name.starts_with('.') && name != "l");
    assert_eq!(left, Vec::<String>::new());
}

/// The environment of a process.
fn environment(pid: u64) -> Vec<(String, String)> {
    let text = std::fs::read(format!("/proc/{pid}/environ")).expect("its environment");
    let entries = text.split(|b| *b == 0).map(String::from_utf8_lossy);
    entries
        .filter_map(|entry| entry.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())))
        .collect()
}

#[test]
fn a_second_agent_on_a_host_touches_nothing_and_the_next_one_is_never_taken_for_one() {
    let lab = Lab::up(&[]);
    deploy(&lab, "mqaws-qm1", "QM1");
    let serves = until_agent(&lab, "it serves", |a| a["state"] == "serving");
    let instance = serves["instance"].as_str().expect("its id");
    let root = root(&lab, &serves);
    let file = || -> Value {
        let text = std::fs::read(root.join("run/mqaws/status.json")).expect("a status");
        serde_json::from_slice(&text).expect("json")
    };
    let agent = |file: &Value| file["pid"].as_u64().expect("its pid");
    let starts = || {
        let marks = std::fs::read_to_string(root.join("var/lib/mqaws/marks.jsonl")).expect("marks");
        marks.matches("\"agent-started\"").count()
    };
    let first = agent(&file());
    for _ in 0..2 {
        let mut second = Command::new(root.join("opt/mqm/bin/mqaws-agent"));
        second
            .arg("run")
            .env_clear()
            .envs(environment(first))
            .stdin(Stdio::null());
        let ended = lab.started(second).wait();
        let said = ended.err;
        assert_eq!(ended.code, Some(3), "{said}");
        assert!(
            said.contains(&format!("process {first};")) && said.contains("hint:"),
            "{said}"
        );
        assert_eq!((agent(&file()), starts()), (first, 1));
    }
    // Killed, and started again at once by its unit: twice, since the second one finds what the first has left.
    for number in 1..=2 {
        let before = agent(&file());
        let pid = rustix::process::Pid::from_raw(i32::try_from(before).expect("a pid")).expect("a pid");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("kill");
        until("it serves again", || {
            let now = file();
            let again = starts() > number && agent(&now) != before && now["status"]["state"] == "serving";
            again.then_some(())
        });
    }
    let again = file();
    assert_eq!(
        (&again["status"]["epoch"], &again["status"]["restarts"]),
        (&json!(1), &json!(0)),
        "{again}"
    );
    let console = std::fs::read_to_string(lab.dir().join(format!("log/{instance}.console"))).expect("console");
    assert!(
        !console.contains("already running on this host") && !console.contains("is locked by another process"),
        "{console}"
    );
}

/// Runs a command of an instance's agent, as a person on the instance does; its output, when it succeeds.
fn on_instance(root: &Path, words: &[&str]) -> Result<String, String> {
    let mut command = Command::new(root.join("opt/mqm/bin/mqaws-agent"));
    command.args(words).env_clear().env("MQAWS_LAB_ROOT", root);
    let said = said(command.stdin(Stdio::null()));
    match said.code {
        Some(0) => Ok(said.out),
        _ => Err(said.err),
    }
}

/// Suspends or resumes that the group of a stack launches instances.
fn launches(lab: &Lab, stack: &str, verb: &str) {
    let record = lab.record();
    let groups = call(
        &record,
        "autoscaling",
        "2011-01-01",
        &[("Action", "DescribeAutoScalingGroups")],
    );
    let names = all(&groups, "AutoScalingGroupName");
    let group = names.iter().find(|name| name.starts_with(&format!("{stack}-")));
    let params = [
        ("Action", verb),
        ("AutoScalingGroupName", group.expect("its group").as_str()),
        ("ScalingProcesses.member.1", "Launch"),
    ];
    call(&record, "autoscaling", "2011-01-01", &params);
}

/// A file system that lost its data with all that was said of it looks like a new one; so does a directory below which nothing is mounted.
#[test]
fn a_file_system_that_is_found_empty_gets_no_new_queue_manager_until_a_person_names_it() {
    let lab = Lab::up(&[]);
    deploy(&lab, "emptied", "QM1");
    let served = until_agent(&lab, "the first", |a| a["state"] == "serving");
    assert_eq!(served["proof"]["kind"], "new", "{served}");
    let data = file_system(&lab, &served);
    launches(&lab, "emptied", "SuspendProcesses");
    terminate(&lab, served["instance"].as_str().expect("its id"));
    until("its host is gone", || (!root(&lab, &served).exists()).then_some(()));
    std::fs::remove_dir_all(&data).expect("emptied");
    std::fs::create_dir(&data).expect("an empty one");
    launches(&lab, "emptied", "ResumeProcesses");

    let id = data.file_name().expect("an id").to_string_lossy().into_owned();
    let waits = until_agent(&lab, "one that waits", |a| a["empty"] == id.as_str());
    assert_eq!(
        (&waits["state"], &waits["lock_held"]),
        (&json!("fencing"), &json!(true)),
        "{waits}"
    );
    assert!(!names_in(&data).contains(&"QM1".to_owned()), "{:?}", names_in(&data));
    // The command as the alarm gives it.
    let pasted = waits["alarm"]
        .as_str()
        .expect("an alarm")
        .split('`')
        .nth(1)
        .expect("a command");
    let words: Vec<&str> = pasted.split(' ').collect();
    assert_eq!(words, ["mqaws-agent", "fence", "create", id.as_str()]);
    until_status_says(&lab, "emptied", &["fencing", "contains no queue manager", pasted]);
    let root = root(&lab, &waits);
    let said = on_instance(&root, &["fence"]).expect("what it waits for");
    assert!(said.contains(pasted), "{said}");
    for wrong in [["fence", "create", "fs-0123"], ["fence", "copy", id.as_str()]] {
        let refused = on_instance(&root, &wrong).expect_err("refused");
        assert!(refused.contains("no decision was recorded"), "{refused}");
    }
    on_instance(&root, &words[1..]).expect("the decision");
    let serves = until_agent(&lab, "a new one", |a| {
        a["state"] == "serving" && a["instance"] == waits["instance"]
    });
    assert_eq!(
        (&serves["proof"]["kind"], &serves["epoch"]),
        (&json!("new"), &json!(1)),
        "{serves}"
    );
    lab.end();
}

#[test]
fn a_queue_manager_on_a_copy_leaves_the_original_alone_and_starts_when_a_person_names_it() {
    let lab = Lab::up(&[]);
    deploy(&lab, "original", "QM1");
    let owner = until_agent(&lab, "the original", |a| a["state"] == "serving");
    deploy(&lab, "copied", "QM1");
    let emptied = until_agent(&lab, "the other", |a| {
        a["state"] == "serving" && a["instance"] != owner["instance"]
    });
    let (original, copy) = (file_system(&lab, &owner), file_system(&lab, &emptied));

    // No instance of the other stack lives while its file system becomes a copy of one that is in use.
    launches(&lab, "copied", "SuspendProcesses");
    terminate(&lab, emptied["instance"].as_str().expect("its id"));
    until("its host is gone", || (!root(&lab, &emptied).exists()).then_some(()));
    std::fs::remove_dir_all(&copy).expect("emptied");
    let copied = Command::new("cp").arg("-a").args([&original, &copy]).status();
    assert!(copied.expect("cp").success());
    launches(&lab, "copied", "ResumeProcesses");

    let id = |path: &Path| path.file_name().expect("an id").to_string_lossy().into_owned();
    let waits = until_agent(&lab, "one that waits on the copy", |a| {
        a["original"]["file_system"] == id(&original).as_str()
    });
    assert_eq!(
        (&waits["state"], &waits["lock_held"]),
        (&json!("fencing"), &json!(true)),
        "{waits}"
    );
    assert_eq!(waits["original"]["owner"], owner["instance"]);
    let alarm = waits["alarm"].as_str().expect("an alarm");
    let root = root(&lab, &waits);
    // The command as the alarm gives it.
    let pasted = alarm.split('`').nth(1).expect("a command");
    let words: Vec<&str> = pasted.split(' ').collect();
    assert_eq!(words, ["mqaws-agent", "fence", "copy", id(&original).as_str()]);
    let said = on_instance(&root, &["fence"]).expect("what it waits for");
    assert!(said.contains("copy of         fs-") && said.contains(pasted), "{said}");
    until_status_says(&lab, "copied", &["fencing", "skewed data", pasted]);
    for wrong in [
        ["fence", "copy", id(&copy).as_str()],
        ["fence", "operator", owner["instance"].as_str().expect("id")],
    ] {
        let refused = on_instance(&root, &wrong).expect_err("refused");
        assert!(
            refused.contains(&id(&original)) && refused.contains("no decision was recorded"),
            "{refused}"
        );
    }
    on_instance(&root, &words[1..]).expect("the decision");

    let serves = until_agent(&lab, "the copy", |a| {
        a["state"] == "serving" && a["instance"] == waits["instance"]
    });
    let proof = &serves["proof"];
    assert_eq!(
        (&proof["kind"], &proof["previous"]),
        (&json!("copy"), &owner["instance"]),
        "{serves}"
    );
    assert_eq!(serves["epoch"], 2);
    until_status_says(&lab, "copied", &["proof: copy", "duplicated, skewed, or excluded data"]);
    let record = |of: &Path, epoch: u64| -> Value {
        let path = of.join(format!(".mqaws/QM1/owner-{epoch}.json"));
        serde_json::from_slice(&std::fs::read(path).expect("a record")).expect("json")
    };
    assert_eq!(record(&copy, 2)["file_system"], id(&copy).as_str());
    assert_eq!(record(&original, 1)["file_system"], id(&original).as_str());
    let still = until_agent(&lab, "the original", |a| {
        a["instance"] == owner["instance"] && a["state"] == "serving"
    });
    assert_eq!((&still["epoch"], &still["restarts"]), (&json!(1), &json!(0)));
}

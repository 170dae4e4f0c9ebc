//! An engine and a topology are a folder each: toys that only this test knows are deployed, run, killed and replaced in the local
//! cloud.
//!
//! The lab boots its instances with this executable as their agent, which is the lab's own with the toy in its table. So the
//! test has a `main` of its own: it is the agent, the keeper, the toy and the program, by the name and verb that it is called with.

#![allow(clippy::unwrap_used)] // What a test cannot have has failed it.

#[allow(dead_code, unused_imports, reason = "stories of the local cloud want more")]
#[path = "../support/mod.rs"]
mod support;
mod toy_engine;
mod toy_topology;

use mqaws::lab_agent::{keeper_main_with, main_with};
use mqaws::model::Engine;
use mqaws::topology;
use mqaws_agent::duty::{DUTIES, Duties, DutyOf};
use mqaws_engine::{PRODUCTS, Products};
use mqaws_lab::home::LabRecord;
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use support::{LIMIT, Lab, Said, call, failing, said};
use toy_engine::{Toy, WORDS, ask};

/// The one row.
const ENGINES: Products = &[&Toy, PRODUCTS[0]];
/// Whoever has the toy topology writes alone, as with the first one.
const ALL_DUTIES: Duties = &[
    DUTIES[0],
    DutyOf {
        topology: toy_topology::NAME,
        begin: DUTIES[0].begin,
    },
];
const NAME: &str = "an_engine_and_a_topology_that_only_a_test_knows_are_run_in_the_local_cloud";
/// The image that the lab has.
const IMAGE: &str = "ami-0aa55ed1ab0000001";
/// The verb by which this executable is `mqaws`.
const PROGRAM: &str = "__mqaws";

fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    let called_as = Path::new(&args[0]).file_name().unwrap().to_owned();
    if called_as == "mqaws-agent" {
        return main_with(ENGINES, ALL_DUTIES, args.split_off(1));
    }
    match args.get(1).and_then(|arg| arg.to_str()) {
        Some("__agent") => return main_with(ENGINES, ALL_DUTIES, args.split_off(2)),
        Some(PROGRAM) => {
            topology::bring(&toy_topology::Toy)
                .ok()
                .expect("there is none of its name");
            Engine::bring(&toy_engine::FACTS).expect("there is none of its word");
            args.remove(1);
            return mqaws::cli::main(args);
        }
        Some("__keeper") => return keeper_main_with(ENGINES, args.split_off(2)),
        _ => {}
    }
    // As cargo calls a test: `--list`, and words that a name must contain. What belongs to other options looks like none.
    let words: Vec<&str> = args[1..].iter().filter_map(|arg| arg.to_str()).collect();
    let named = |word: &&str| word.chars().all(|c| c == '_' || c.is_ascii_lowercase());
    let mut filters = words.iter().filter(|word| named(word)).peekable();
    if words.contains(&"--list") {
        println!("{NAME}: test");
    } else if filters.peek().is_none() || filters.any(|word| NAME.contains(word)) {
        story();
        println!("test {NAME} ... ok");
    }
    ExitCode::SUCCESS
}

fn story() {
    let lab = Lab::new();
    let mut up = lab.command(&["lab", "up"]);
    up.env("MQAWS_EXE", std::env::current_exe().unwrap());
    let up = lab.started(up).wait();
    assert_eq!(up.code, Some(0), "{up}");
    // The lab's parameter names the image of the engine that it stands in for, so the toy's is named here.
    let own = lab.path("engine.yaml");
    let text = fs::read_to_string(Lab::example()).unwrap();
    fs::write(&own, format!("{text}engine: toy\ninstance: {{ami: {IMAGE}}}\n")).unwrap();
    let example = own.to_str().unwrap();
    // It is known to nobody else.
    let refused = lab.run(&["validate", "--config", example], 3);
    assert!(refused.err.contains("invalid value `toy` for `engine`"), "{refused}");
    program(&lab, &["deploy", "--local", "--yes", "--config", example], 0);

    let json = ["status", "--local", "--output", "json", "--config", example];
    let status = program(&lab, &json, 0).json();
    assert!(status.to_string().contains("\"Toy 1\""), "{status}");
    let endpoint = status["clients"]["lines"].as_str().expect("a way to it");
    let endpoint: SocketAddr = endpoint.parse().unwrap();
    assert_eq!(until_answered(endpoint, "PUT one"), 1);

    // A fault is injected and seen, and the engine is started again in place, on its data.
    let record = lab.record();
    let (first, root) = serving(&record, |_| true);
    let killed = on_instance(&root, &["fault", "kill-queue-manager"]);
    assert_eq!(killed["verified"], true, "{killed}");
    assert!(killed["evidence"].as_str().unwrap().contains("serve ("), "{killed}");
    serving(&record, |status| status["restarts"].as_u64() >= Some(1));
    assert_eq!(until_answered(endpoint, "PUT two"), 2);
    assert_eq!(on_instance(&root, &["probe", "depth"])["queues"][0]["depth"], 0);

    // The instance is lost: another one adopts the data, by EC2's word about the first.
    let gone = [
        ("Action", "TerminateInstances"),
        ("SkipOsShutdown", "true"),
        ("InstanceId.1", first.as_str()),
    ];
    call(&record, "ec2", "2016-11-15", &gone);
    let (second, _) = serving(&record, |status| status["proof"]["kind"] == "terminated");
    assert_ne!(first, second);
    assert_eq!(
        until_answered(endpoint, &format!("COUNT {WORDS}")),
        2,
        "nothing is lost"
    );

    // Under load: what it acknowledged is received, and it is asked for its own counts.
    tested(&lab, example);
    program(&lab, &["destroy", "--local", "--yes", "--config", example], 0);
    of_the_toy_topology(&lab, example);
}

/// The program itself, with the toys in its tables.
fn program(lab: &Lab, words: &[&str], code: i32) -> Said {
    let itself = std::env::current_exe().unwrap();
    let words = [&[PROGRAM], words].concat();
    let said = lab.started(lab.command_of(&itself, &words)).wait();
    lab.demand(&words, &said, code);
    said
}

/// The report of a failover test of one round, in which nothing fails.
fn tested(lab: &Lab, config: &str) -> Value {
    let words = [
        "failover-test",
        "--local",
        "--yes",
        "--config",
        config,
        "--rounds",
        "1",
        "--output",
        "json",
        "--fault",
        "kill-queue-manager",
    ];
    let itself = std::env::current_exe().unwrap();
    let words = [&[PROGRAM], &words[..]].concat();
    let once = || lab.started(lab.command_of(&itself, &words)).wait();
    let report = lab.repeated(&words, 0, once);
    assert_eq!(failing(&report), Vec::<String>::new());
    report
}

/// The same of the other toy: its topology.
fn of_the_toy_topology(lab: &Lab, example: &str) {
    let program = |words: &[&str], code: i32| program(lab, words, code);
    let own = lab.path("toy.yaml");
    let text = fs::read_to_string(example).unwrap();
    let text = text.replace("topology: single", "topology: toy");
    fs::write(&own, text.replace("QM1", "TOY1").replace("mqaws-qm1", "mqaws-toy")).unwrap();
    let config = ["--config", own.to_str().unwrap()];
    let local = ["--local", "--yes", config[0], config[1]];

    // It is known to nobody else.
    let refused = lab.run(&["validate", config[0], config[1]], 3);
    assert!(refused.err.contains("unknown topology `toy`"), "{refused}");
    let template = program(&["render", config[0], config[1]], 0);
    assert!(template.out.contains("That this is a toy"), "{template}");
    program(&[&["deploy"], &local[..]].concat(), 0);
    let status = program(&["status", "--local", config[0], config[1]], 0);
    assert!(
        status.out.contains("serving") && status.out.contains("· toy"),
        "{status}"
    );
    let said = program(
        &[&["failover-test", "--fault", "terminate-instance"], &local[..]].concat(),
        3,
    );
    assert!(said.err.contains("does not support fault terminate-instance"), "{said}");
    let report = tested(lab, config[1]);
    let phases = report["runs"][0].to_string();
    assert!(phases.contains("\"notice\"") && phases.contains("\"play\""), "{phases}");
    program(&[&["destroy"], &local[..]].concat(), 0);
}

/// The answer of the toy behind the load balancer, once there is one.
fn until_answered(endpoint: SocketAddr, line: &str) -> u64 {
    let deadline = Instant::now() + LIMIT;
    loop {
        // What is said is said to a toy that answers: a message may not be put twice.
        match ask(endpoint, &format!("COUNT {WORDS}")).and_then(|_| ask(endpoint, line)) {
            Ok(answer) => return answer,
            Err(error) => assert!(Instant::now() < deadline, "{line} to {endpoint}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The instance that serves and of whose status this is so, and its root.
fn serving(record: &LabRecord, wanted: impl Fn(&Value) -> bool) -> (String, PathBuf) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let roots = fs::read_dir(record.dir.join("i")).into_iter().flatten().flatten();
        let mut seen = Vec::new();
        for root in roots.map(|entry| entry.path()) {
            let text = fs::read(root.join("run/mqaws/status.json")).unwrap_or_default();
            let file: Value = serde_json::from_slice(&text).unwrap_or_default();
            let status = &file["status"];
            if status["state"] == "serving" && wanted(status) {
                return (status["instance"].as_str().unwrap().to_owned(), root);
            }
            seen.push(status.clone());
        }
        assert!(Instant::now() < deadline, "{seen:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What a command of an instance's agent prints.
fn on_instance(root: &Path, words: &[&str]) -> Value {
    let mut command = Command::new(root.join("opt/mqm/bin/mqaws-agent"));
    command.args(words).env_clear().env("MQAWS_LAB_ROOT", root);
    let said = said(command.stdin(Stdio::null()));
    assert_eq!(said.code, Some(0), "{words:?}: {said}");
    said.json()
}

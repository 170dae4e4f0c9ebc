//! An engine is one file and one row: a toy that only this test knows is deployed, run, killed and replaced in the local cloud.
//!
//! The lab boots its instances with this executable as their agent, which is the lab's own with the toy in its table. So the
//! test has a `main` of its own: it is the agent, the keeper and the toy, by the name and verb that it is called with.

#![allow(clippy::unwrap_used)] // What a test cannot have has failed it.

#[allow(dead_code, unused_imports, reason = "stories of the local cloud want more")]
#[path = "../support/mod.rs"]
mod support;
mod toy;

use mqaws::lab_agent::{keeper_main_with, main_with};
use mqaws_engine::{PRODUCTS, Products};
use mqaws_lab::home::LabRecord;
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use support::{LIMIT, Lab, call, said};
use toy::{Toy, ask};

/// The one row.
const ENGINES: Products = &[&Toy, PRODUCTS[0]];
const NAME: &str = "an_engine_that_only_a_test_knows_is_run_in_the_local_cloud";

fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    let called_as = Path::new(&args[0]).file_name().unwrap().to_owned();
    if called_as == "mqaws-agent" {
        let words = args.split_off(1);
        if words.is_empty() {
            name_the_toy();
        }
        return main_with(ENGINES, words);
    }
    match args.get(1).and_then(|arg| arg.to_str()) {
        Some("__agent") => return main_with(ENGINES, args.split_off(2)),
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

/// A deployment has no key for its engine yet, so the instance's configuration is given the word on its way to the agent.
fn name_the_toy() {
    let path = PathBuf::from(std::env::var_os("MQAWS_LAB_ROOT").unwrap()).join("etc/mqaws/agent.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config["engine"]["kind"] = "toy".into();
    fs::write(&path, config.to_string()).unwrap();
}

fn story() {
    let lab = Lab::new();
    let mut up = lab.command(&["lab", "up"]);
    up.env("MQAWS_EXE", std::env::current_exe().unwrap());
    let up = lab.started(up).wait();
    assert_eq!(up.code, Some(0), "{up}");
    let example = Lab::example();
    let example = example.as_str();
    lab.run(&["deploy", "--local", "--yes", "--config", example], 0);

    let status = lab.json(&["status", "--local", "--config", example], 0);
    assert!(status.to_string().contains("\"Toy 1\""), "{status}");
    let conname = status["clients"]["conname"].as_str().expect("a way to it");
    let endpoint: SocketAddr = conname.replace('(', ":").replace(')', "").parse().unwrap();
    assert_eq!(until_answered(endpoint, "PUT one"), 1);

    // A fault is injected and seen, and the engine is started again in place, on its data.
    let record = lab.record();
    let (first, root) = serving(&record, |_| true);
    let killed = on_instance(&root, &["fault", "kill-queue-manager"]);
    assert_eq!(killed["verified"], true, "{killed}");
    assert!(killed["evidence"].as_str().unwrap().contains("serve ("), "{killed}");
    serving(&record, |status| status["restarts"].as_u64() >= Some(1));
    assert_eq!(until_answered(endpoint, "PUT two"), 2);
    assert_eq!(on_instance(&root, &["probe", "depth"])["queues"][0]["depth"], 2);

    // The instance is lost: another one adopts the data, by EC2's word about the first.
    let gone = [
        ("Action", "TerminateInstances"),
        ("SkipOsShutdown", "true"),
        ("InstanceId.1", first.as_str()),
    ];
    call(&record, "ec2", "2016-11-15", &gone);
    let (second, _) = serving(&record, |status| status["proof"]["kind"] == "terminated");
    assert_ne!(first, second);
    assert_eq!(until_answered(endpoint, "COUNT"), 2, "nothing is lost");
    lab.run(&["destroy", "--local", "--yes", "--config", example], 0);
}

/// The answer of the toy behind the load balancer, once there is one.
fn until_answered(endpoint: SocketAddr, line: &str) -> usize {
    let deadline = Instant::now() + LIMIT;
    loop {
        // What is said is said to a toy that answers: a message may not be put twice.
        match ask(endpoint, "COUNT").and_then(|_| ask(endpoint, line)) {
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

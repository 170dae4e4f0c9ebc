//! Each bench once, with its smallest counts and the programs of the tests: that it still measures something. Its figures are
//! those of a debug build on a busy machine, and nobody judges them here.

use crate::support::{judge, root, shipped_agent};
use std::process::{Command, Output, Stdio};

/// What `failover-test` says when the machine did not let it measure.
const INCONCLUSIVE: i32 = 20;

fn bench(name: &str, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(root().join("scripts").join(name))
        .args(args)
        .env("MQAWS_BIN", env!("CARGO_BIN_EXE_mqaws"))
        .env("MQAWS_AGENT_BIN", shipped_agent())
        .env("MQAWS_UNJUDGED", "1")
        .env("RUNS", "1")
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Runs a bench and wants these words in what it prints.
#[track_caller]
fn measures(name: &str, args: &[&str], words: &[&str]) {
    let mut output = bench(name, args);
    for _ in 0..4 {
        if output.status.code() != Some(INCONCLUSIVE) {
            break;
        }
        println!("{name}: once more, for this machine did not let it measure");
        output = bench(name, args);
    }
    let [told, said] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{name}: {}\n{told}\n{said}", output.status);
    for words in words {
        assert!(told.contains(words), "{name} tells nothing of {words}:\n{told}\n{said}");
    }
}

#[test]
fn bench_render() {
    if judge::venv("bench_render").is_none() {
        return;
    }
    measures(
        "bench-render",
        &[],
        &["mqaws render", "troposphere, YAML", "troposphere, JSON"],
    );
}

#[test]
fn bench_report() {
    measures(
        "bench-report",
        &[],
        &["page of 60 rounds", "slo, 20,000 draws", "size of the page"],
    );
}

#[test]
fn bench_deploy() {
    measures(
        "bench-deploy",
        &[],
        &["from nothing", "service: median", "messages put and got: median"],
    );
}

#[test]
fn bench_failover() {
    let words = ["outage at the clients", "stand-in's own restart", "bytes a message"];
    measures("bench-failover", &[], &words);
}

#[test]
fn bench_agent() {
    measures(
        "bench-agent",
        &["1"],
        &["size of mqaws-agent", "keeper, most resident", "agent, idle"],
    );
}

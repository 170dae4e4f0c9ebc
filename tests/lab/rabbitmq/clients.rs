//! Applications with client libraries of others: what they lose, and with which settings they do not.

use super::fence::Broker;
use super::is_here;
use crate::support::judge;
use mqaws_engine::DataState;
use std::fs;
use std::process::Command;

/// The Python that has Celery and pika; `None` after a visible line when there is none.
fn python(test: &str) -> Option<std::path::PathBuf> {
    let python = judge::venv(test)?.join("bin/python");
    let found = Command::new(&python).args(["-c", "import celery, pika"]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    judge::skip(
        judge::TOOLS,
        test,
        "no Python with celery and pika; scripts/test installs them",
    );
    None
}

#[test]
fn celery_loses_tasks_silently_without_confirms_and_none_with_them() {
    let test = "Celery and pika";
    if !is_here(test) {
        return;
    }
    let Some(python) = python(test) else { return };
    let home = tempfile::Builder::new().prefix("mq").tempdir_in("/tmp").unwrap();
    let shared = home.path().join("shared");
    fs::create_dir_all(shared.join("TWICE/rabbitmq")).unwrap();
    let broker = Broker::new(home.path(), "a", &shared, "127.251.16.1");
    broker.start(DataState::Absent);
    let script = judge::script("rabbitmq_clients.py");
    let output = judge::clean(python, home.path())
        .arg(script)
        .args([&broker.address.to_string(), "5672", "mqaws"])
        .env("MQAWS_TEST_PASSWORD", broker.password())
        .output()
        .unwrap();
    let [told, said] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    println!("{told}");
    assert!(output.status.success(), "{told}\n{said}");
    assert_eq!(told.lines().filter(|line| line.starts_with("ok ")).count(), 5, "{told}");
}

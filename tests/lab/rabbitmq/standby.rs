//! The broker on two hosts of one directory: one runs it, the other is ready and runs none, whichever is lost or let go.

use super::is_here;
use crate::support::{Lab, failing, marked, runs, until};
use mqaws_engine::Product;
use mqaws_engine::rabbitmq::RabbitMq;
use serde_json::Value;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const QUEUE_MANAGER: &str = "QM1";

/// Hosts of a lab that run a broker, now. A broker that starts a program of its own is there twice for a moment, on the same host.
fn brokers(lab: &Path) -> usize {
    let is_broker = |line: &String| {
        let words: Vec<&str> = line.split_whitespace().collect();
        RabbitMq
            .identify(&words, QUEUE_MANAGER)
            .is_some_and(|process| process.controller)
    };
    let hosts = std::fs::read_dir(lab.join("i")).into_iter().flatten().flatten();
    let runs = |root: &Path| {
        marked(&format!("MQAWS_LAB_ROOT={}", root.display()))
            .iter()
            .any(is_broker)
    };
    hosts.filter(|host| runs(&host.path())).count()
}

/// Ends what goes on beside a story.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Does something, and says how many brokers ran at a time at most.
fn most_brokers<T>(lab: &Lab, work: impl FnOnce() -> T) -> (T, usize) {
    let (done, most) = (AtomicBool::new(false), AtomicUsize::new(0));
    let root = lab.dir();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                most.fetch_max(brokers(&root), Ordering::AcqRel);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        // Also when what is done fails, or its failure would wait for ever.
        let ends = Ends(&done);
        let worked = work();
        drop(ends);
        (worked, most.load(Ordering::Acquire))
    })
}

/// Who is active and who is ready to take over, once each does its part.
fn members(lab: &Lab) -> (String, String) {
    until("both members", || {
        let said = lab.spawn(&["status", "--local", "--output", "json"]).wait();
        let status: Value = serde_json::from_str(&said.out).ok()?;
        let of = |role: &str| {
            let mut found = status["roles"].as_object()?.iter().filter(|(_, is)| *is == role);
            found.next().map(|(instance, _)| instance.clone())
        };
        (status["state"] == "serving").then_some((of("active")?, of("standby")?))
    })
}

#[test]
fn the_host_that_waits_takes_the_broker_over_and_nothing_that_was_confirmed_is_lost() {
    if !is_here("RabbitMQ on two hosts") {
        return;
    }
    let lab = Lab::up(&[]);
    let example = Lab::example();
    let config = [
        "--config",
        &example,
        "--set",
        "engine=rabbitmq",
        "--set",
        "topology=standby",
    ];
    lab.run(&[&["deploy", "--local", "--yes"][..], &config].concat(), 0);
    let mut before = members(&lab);
    assert_eq!(brokers(&lab.dir()), 1, "the host that waits runs none");
    for (fault, proof) in [("power-off-host", "terminated"), ("move", "clean")] {
        let test = ["--yes", "--fault", fault];
        let (report, most) = most_brokers(&lab, || lab.failover(&test, 0));
        assert_eq!(most, 1, "{fault}: never two brokers at a time");
        assert_eq!(failing(&report), Vec::<String>::new(), "{fault}");
        assert_eq!(report["driver"]["name"], "amqp091");
        let run = &runs(&report)[0];
        println!("{fault}: {} s", run["rto"]["ns"].as_f64().unwrap_or_default() / 1e9);
        assert_eq!(
            (&run["fault"]["verified"], &run["ledger"]["lost"]),
            (&true.into(), &0.into()),
            "{fault}: {}",
            run["fault"]
        );
        let served = &run["served_after"];
        assert_eq!(
            (served["instance"].as_str(), served["proof"].as_str()),
            (Some(before.1.as_str()), Some(proof)),
            "{fault}"
        );
        let row = &report["summary"]["faults"][0];
        assert_eq!(row["measured"][0], row["expected"], "{fault}");
        let after = members(&lab);
        assert_eq!(after.0, before.1, "{fault}: the one that waited");
        if fault == "move" {
            assert_eq!(after.1, before.0, "they changed places");
        }
        before = after;
    }

    let done = lab.json(&["failover", "--local", "--yes"], 0);
    assert_eq!(
        (&done["from"], &done["to"], &done["proof"]),
        (&before.0.as_str().into(), &before.1.as_str().into(), &"clean".into()),
        "{done}"
    );
    lab.run(&["destroy", "--local", "--yes"], 0);
    assert_eq!(brokers(&lab.dir()), 0);
    lab.end();
}

//! Two hosts on the same data: one serves, the other is ready and runs no engine; whichever is lost, both are there again unaided.

mod alarm;
mod change;
mod demo;
mod moved;
mod pause;

use crate::support::{Client, Lab, Put, call, runs, until, wait};
use mqaws::failover::port::{Probe, TestBed};
use mqaws::model::InstanceId;
use mqaws::stack::AMQP;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// A stack with both of its hosts.
fn deployed(lab: &Lab) -> Members {
    let example = Lab::example();
    let words = [
        "deploy",
        "--local",
        "--yes",
        "--config",
        &example,
        "--topology",
        "standby",
    ];
    lab.run(&words, 0);
    members(lab).expect("a deployment is complete when one serves and one is ready")
}

/// Who is active, and who is ready to take over.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Members {
    active: String,
    standby: String,
}

/// The members of the stack, when each does its part and nothing says otherwise.
fn members(lab: &Lab) -> Option<Members> {
    let said = lab.spawn(&["status", "--local", "--output", "json"]).wait();
    let status: Value = serde_json::from_str(&said.out).ok()?;
    let roles = status["roles"].as_object()?;
    let of = |role: &str| {
        let mut found = roles.iter().filter(|(_, is)| *is == role);
        found.next().map(|(instance, _)| instance.clone())
    };
    let both = Members {
        active: of("active")?,
        standby: of("standby")?,
    };
    (status["state"] == "serving").then_some(both)
}

/// Has EC2 end an instance at once, without a goodbye.
fn cut(lab: &Lab, instance: &str) {
    let params = [
        ("Action", "TerminateInstances"),
        ("SkipOsShutdown", "true"),
        ("InstanceId.1", instance),
    ];
    call(&lab.record(), "ec2", "2016-11-15", &params);
}

/// What an agent says of itself.
fn agent(lab: &Lab, instance: &str) -> Value {
    let text = std::fs::read(lab.instance(instance).join("run/mqaws/status.json")).unwrap_or_default();
    let file: Value = serde_json::from_slice(&text).unwrap_or_default();
    file["status"].clone()
}

fn client(lab: &Lab) -> Client {
    let clients = lab.clients();
    let target = wait(clients.target("mqaws-qm1")).expect("a stack");
    let user = wait(clients.credentials(&target)).expect("a user");
    let endpoint = target.parts.endpoint(&AMQP).expect("AMQP is on");
    let address = endpoint.address.host.parse().expect("an address");
    until("a client is let in", || {
        Client::connect(address, &user.username, user.password.expose_secret(), "standby").ok()
    })
}

/// Execution controllers of all instances, now.
fn engines(lab: &Lab) -> usize {
    let all = lab.of_instances();
    all.iter().filter(|line| line.contains("amqzxma0")).count()
}

/// Ends what goes on beside a story.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Does something, and says how many engines ran at a time at most.
fn most_engines<T>(lab: &Lab, work: impl FnOnce() -> T) -> (T, usize) {
    let (done, most) = (AtomicBool::new(false), AtomicUsize::new(0));
    let root = lab.dir();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let all = crate::support::marked(&format!("MQAWS_LAB_ROOT={}", root.display()));
                let now = all.iter().filter(|line| line.contains("amqzxma0")).count();
                most.fetch_max(now, Ordering::AcqRel);
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

#[test]
fn a_lost_host_is_taken_over_from_by_the_one_that_waits_and_nothing_is_lost() {
    let lab = Lab::up(&[]);
    let first = deployed(&lab);
    assert_eq!(engines(&lab), 1, "the host that waits runs none");
    let waits = agent(&lab, &first.standby);
    assert_eq!(
        (&waits["state"], &waits["standby_ready"], &waits["alarm"]),
        (&"standby".into(), &true.into(), &Value::Null)
    );
    until("the active host sees it", || {
        (agent(&lab, &first.active)["standby_ready"] == true).then_some(())
    });

    let clients = lab.clients();
    let target = wait(clients.target("mqaws-qm1")).expect("a stack");
    let instance = InstanceId::new(&first.active).expect("an id");
    let probe = wait(clients.probe(&target, &instance, Probe::Define)).expect("its queues");
    let queue = &probe.queues[0].name;
    let ids: Vec<String> = (0..50).map(|n| format!("m-{n}")).collect();
    let puts: Vec<Put> = ids.iter().map(|id| Put::persistent(id)).collect();
    assert_eq!(client(&lab).put(queue, &puts).expect("put").len(), 50);

    let (second, most) = most_engines(&lab, || {
        cut(&lab, &first.active);
        until("both members again", || members(&lab).filter(|now| *now != first))
    });
    assert_eq!(most, 1, "never two engines at a time");
    assert_eq!(second.active, first.standby, "the one that waited");
    assert_ne!(second.standby, first.active, "another instance waits now");
    let serves = agent(&lab, &second.active);
    assert_eq!(
        (&serves["proof"]["kind"], &serves["epoch"]),
        (&"terminated".into(), &2.into()),
        "{serves}"
    );
    let got = client(&lab).get(queue, 50).expect("got");
    let got: HashSet<&str> = got.iter().map(|one| one.id.as_str()).collect();
    assert!(ids.iter().all(|id| got.contains(id.as_str())), "{got:?}");

    // Without its standby it serves on, and says that it is not as it should be.
    cut(&lab, &second.standby);
    let third = until("another standby", || members(&lab).filter(|now| *now != second));
    assert_eq!(third.active, second.active);
    assert_eq!(agent(&lab, &third.active)["epoch"], 2, "the same start");
}

#[test]
fn failover_tests_pass_and_the_one_that_waited_serves_after_the_loss_of_the_other() {
    let lab = Lab::up(&[]);
    let mut before = deployed(&lab);
    for fault in ["kill-queue-manager", "terminate-instance", "mark-unhealthy"] {
        let (report, most) = most_engines(&lab, || lab.failover(&["--fault", fault], 0));
        assert_eq!(most, 1, "{fault}: never two engines at a time");
        let run = &runs(&report)[0];
        assert_eq!(run["ledger"]["lost"], 0, "{fault}");
        let after = until("both members", || members(&lab));
        match fault {
            "kill-queue-manager" => assert_eq!(after, before, "restarted in place"),
            _ => assert_eq!(after.active, before.standby, "{fault}"),
        }
        let served = run["served_after"]["instance"].as_str();
        assert_eq!(served, Some(after.active.as_str()));
        let phases = run["rto"]["phases"].to_string();
        assert!(
            !phases.contains("replacement"),
            "{fault}: nobody waits for a launch: {phases}"
        );
        println!("{fault}: {} s", run["rto"]["ns"].as_f64().unwrap_or_default() / 1e9);
        before = after;
    }
    let data: Vec<_> = std::fs::read_dir(lab.dir().join("fs")).unwrap().flatten().collect();
    assert_eq!(data.len(), 1, "one file system");
    lab.run(&["destroy", "--local", "--yes"], 0);
    assert_eq!(lab.of_instances(), Vec::<String>::new());
}

/// Faults that break hard, and for each whether the host that waited serves afterwards.
#[test]
fn hard_faults_are_answered_where_the_fence_says_and_lose_nothing() {
    let lab = Lab::up(&[]);
    let mut before = deployed(&lab);
    for (fault, moves, proof) in [
        ("kill-keeper", false, "same-host"),
        ("hang-host", true, "terminated"),
        ("power-off-host", true, "terminated"),
    ] {
        let (report, most) = most_engines(&lab, || lab.failover(&["--fault", fault], 0));
        let run = &runs(&report)[0];
        println!(
            "{fault}: {} s, {}",
            run["rto"]["ns"].as_f64().unwrap_or_default() / 1e9,
            run["rto"]["phases"]
        );
        assert_eq!(
            (&run["fault"]["verified"], &run["ledger"]["lost"]),
            (&true.into(), &0.into()),
            "{fault}"
        );
        // A host that hangs has its engine's processes still, stopped, until EC2 has ended it; the successor starts after that.
        assert_eq!(most, 1, "{fault}: never two engines at a time");
        let after = until("both members", || members(&lab));
        let expected = if moves { &before.standby } else { &before.active };
        assert_eq!(&after.active, expected, "{fault}");
        let served = &run["served_after"];
        assert_eq!(
            (served["instance"].as_str(), served["proof"].as_str()),
            (Some(after.active.as_str()), Some(proof)),
            "{fault}"
        );
        let row = &report["summary"]["faults"][0];
        assert_eq!(row["measured"][0], row["expected"], "{fault}");
        before = after;
    }
}

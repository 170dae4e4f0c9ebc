//! The stand-in as a user of its commands and an AMQP client see it: real processes, real sockets, real kills.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use crate::support::{Client, Host, Put, QUEUE, judge, run};
use mqaws_contract::PathComponent;
use mqaws_engine::{
    Output,
    ibm_mq::{
        Driver, EndExit, EndOptions, QueueManagerInfo, QueueManagerStatus as Status, Show, StartExit, StartOptions,
        data_path,
    },
};
use mqaws_standin::audit;
use rustix::process::Signal;

#[test]
fn the_driver_runs_a_whole_life_of_a_queue_manager() {
    let host = Host::new();
    let driver = host.driver();
    assert_eq!(run(&driver.create_directories()).code, 0);
    assert_eq!(host.status(), None, "unknown");
    assert_eq!(run(&driver.display_info(host.name())).code, 72);

    let created = run(&driver.create(&host.create_options()));
    assert_eq!(created.code, 0, "{}", created.text);
    assert_eq!(run(&driver.create(&host.create_options())).code, 8);
    assert!(host.data().join("qm.ini").is_file());
    assert_eq!(host.status(), Some(Status::EndedImmediately));
    assert_eq!(run(&driver.ping(host.name())).code, 20);

    let started = run(&driver.start(host.name(), StartOptions::default()));
    assert_eq!(Driver::started(&started).unwrap(), StartExit::Started);
    assert!(
        started
            .text
            .contains(&format!("IBM MQ queue manager '{}' starting.", host.name())),
        "{}",
        started.text
    );
    assert!(started.text.contains("started using V"), "{}", started.text);
    assert_eq!(host.status(), Some(Status::Running));
    assert_eq!(run(&driver.start(host.name(), StartOptions::default())).code, 5);
    Driver::processed(&run(&driver.ping(host.name()))).unwrap();

    let version = Driver::versioned(&run(&driver.version())).unwrap();
    assert!(
        version.is_stand_in() && version.to_string().contains("stand-in"),
        "{version}"
    );

    assert_eq!(run(&driver.delete(host.name())).code, 5);
    let ended = run(&driver.end(host.name(), EndOptions::orderly(Duration::from_secs(10))));
    assert_eq!(EndExit::from_code(ended.code), EndExit::Ended);
    assert!(ended.text.contains("ended."), "{}", ended.text);
    assert_eq!(host.status(), Some(Status::EndedNormally));
    assert_eq!(run(&driver.end(host.name(), EndOptions::immediate())).code, 40);
    assert_eq!(run(&driver.delete(host.name())).code, 0);
    assert_eq!(run(&driver.delete(host.name())).code, 16);
    assert_eq!(run(&driver.start(host.name(), StartOptions::default())).code, 16);
    assert!(!host.data().exists());
}

#[test]
fn wrong_arguments_are_refused_as_such() {
    let host = Host::new();
    for (command, args, code) in [
        ("dspmq", &["--json"][..], 36),
        ("dspmq", &["-o", "ha"], 36),
        ("dspmq", &["-m", "NONE"], 72),
        ("strmqm", &["-quick", "QM1"], 39),
        ("strmqm", &["QM1"], 16),
        ("endmqm", &["-w", "-i", "QM1"], 36),
        ("endmqm", &["QM1"], 16),
        ("crtmqm", &["-sx", "QM1"], 36),
        ("crtmqm", &["-md"], 36),
        ("crtmqm", &["bad name"], 72),
        ("runmqsc", &["QM1"], 20),
        ("addmqinf", &["-v", "Name=A"], 36),
    ] {
        let output = host.command(command, args);
        assert_eq!(output.code, code, "{command} {args:?}: {}", output.text);
        assert!(!output.text.is_empty(), "{command} {args:?} says nothing");
    }
}

#[test]
fn the_default_definitions_let_the_application_in_and_nobody_else() {
    let host = Host::running();
    let report = host.mqsc(&host.definitions());
    assert_eq!(report.failed, Some(0));
    // They may be applied again.
    host.mqsc(&host.definitions());

    let right = host.client("c1").unwrap();
    for (queue, capability, condition) in [
        ("MQAWS.PROBE.NONE", true, "not-found"),
        (QUEUE, false, "not-implemented"),
        ("SYSTEM.DEAD.LETTER.QUEUE", true, "unauthorized-access"),
    ] {
        let error = right.refused(queue, capability);
        assert!(error.contains(condition), "{queue}: {error}");
    }
    assert!(host.client_as("c2", "mqapp", "wrong").is_err());
    assert!(host.client_as("c3", "nobody", &host.password()).is_err());

    // Without its rule the channel is closed by the back-stop.
    host.mqsc("SET CHLAUTH('MQAWS.AMQP') TYPE(ADDRESSMAP) ADDRESS('*') USERSRC(NOACCESS) ACTION(REPLACE)");
    let closed = host.client("c4").and_then(|c| c.put(QUEUE, &[Put::persistent("x")]));
    assert!(closed.is_err());
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let host = Host::serving();
    let client = host.client("producer").unwrap();
    let ids: Vec<String> = (0..500).map(|n| format!("m{n}")).collect();
    let puts: Vec<Put> = ids.iter().map(|id| Put::persistent(id)).collect();
    let acknowledged = client.put(QUEUE, &puts).unwrap();
    assert_eq!(acknowledged, ids);
    client
        .put(
            QUEUE,
            &[Put {
                id: "fleeting".into(),
                durable: false,
            }],
        )
        .unwrap();
    assert_eq!(host.depth(QUEUE), 501);

    host.kill();
    assert_eq!(host.status(), Some(Status::EndedUnexpectedly));
    drop(client);
    host.start();
    assert_eq!(host.depth(QUEUE), 500);
    let got = host.client("consumer").unwrap().get(QUEUE, 500).unwrap();
    assert_eq!(
        got.iter().map(|g| g.id.clone()).collect::<Vec<_>>(),
        ids,
        "all, once, in order"
    );
    assert!(
        got.iter().all(|g| g.delivery_count == 1),
        "flagged: nobody knows whether they were delivered"
    );
    host.wait_for_depth(QUEUE, 0);
    // What was taken is gone after another kill, too.
    host.kill();
    host.start();
    assert_eq!(host.depth(QUEUE), 0);
    assert!(!audit(&host.data()).unwrap().interleaved);
}

#[test]
fn listeners_and_channels_come_back_with_the_queue_manager() {
    let host = Host::serving();
    host.kill();
    host.start();
    // No definition was applied since the start.
    host.client("c").unwrap().put(QUEUE, &[Put::persistent("x")]).unwrap();
    assert!(std::net::TcpStream::connect((host.address(), 1414)).is_ok());
}

#[test]
fn a_consumer_that_goes_gives_back_what_it_did_not_accept() {
    let host = Host::serving();
    let producer = host.client("producer").unwrap();
    let puts: Vec<Put> = (0..10).map(|n| Put::persistent(&format!("m{n}"))).collect();
    producer.put(QUEUE, &puts).unwrap();

    let first = host.client("first").unwrap();
    let held = first.hold(QUEUE, 4).unwrap();
    assert_eq!(held, ["m0", "m1", "m2", "m3"]);
    first.break_off();
    let got = host.client("second").unwrap().get(QUEUE, 10).unwrap();
    let ids: Vec<&str> = got.iter().map(|g| g.id.as_str()).collect();
    assert_eq!(ids, ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"]);
    let counts: Vec<u32> = got.iter().map(|g| g.delivery_count).collect();
    assert!(
        counts[..4].iter().all(|c| *c == 1) && counts[5..].iter().all(|c| *c == 0),
        "{counts:?}"
    );
}

/// Consumers that want nothing more do not change the order in which another one gets the rest.
#[test]
fn a_consumer_without_credit_disturbs_no_order() {
    let host = Host::serving();
    let producer = host.client("producer").unwrap();
    let put = |round: u32| {
        let ids: Vec<String> = (0..3000).map(|n| format!("{round}:{n}")).collect();
        let puts: Vec<Put> = ids.iter().map(|id| Put::persistent(id)).collect();
        assert_eq!(producer.put(QUEUE, &puts).unwrap(), ids);
        ids
    };
    put(0);
    let full = |n: usize| {
        let client = host.client(&format!("full{n}")).unwrap();
        client.hold(QUEUE, 500).unwrap();
        client
    };
    let _full: Vec<Client> = (0..6).map(full).collect();
    let hungry = host.client("hungry").unwrap();
    for round in 1..8 {
        let ids = put(round);
        let got = hungry.get(QUEUE, ids.len()).unwrap();
        let late = got.iter().map(|got| &got.id).zip(&ids).find(|(got, id)| got != id);
        assert_eq!(late, None);
    }
}

#[test]
fn refused_messages_and_a_full_queue() {
    let host = Host::serving();
    let client = host.client("c").unwrap();
    for error in client.malformed(QUEUE) {
        assert!(
            error.contains("NotImplemented") || error.contains("InvalidField"),
            "{error}"
        );
    }
    assert_eq!(host.depth(QUEUE), 0);
    host.mqsc(&format!("ALTER QLOCAL('{QUEUE}') MAXDEPTH(3)"));
    let puts: Vec<Put> = (0..5).map(|n| Put::persistent(&format!("m{n}"))).collect();
    assert_eq!(client.put(QUEUE, &puts).unwrap(), ["m0", "m1", "m2"]);
    assert_eq!(host.depth(QUEUE), 3);
}

#[test]
fn a_second_connection_with_the_same_client_id_takes_over() {
    let host = Host::serving();
    let first = host.client("same").unwrap();
    first.put(QUEUE, &[Put::persistent("a")]).unwrap();
    let second = host.client("same").unwrap();
    second.put(QUEUE, &[Put::persistent("b")]).unwrap();
    first.wait_until_closed();
    assert_eq!(host.depth(QUEUE), 2);
}

#[test]
fn another_host_gets_the_data_only_when_the_first_has_let_go() {
    let first = Host::serving();
    first.client("c").unwrap().put(QUEUE, &[Put::persistent("x")]).unwrap();
    let second = first.neighbour();
    let driver = second.driver();
    assert_eq!(run(&driver.create_directories()).code, 0);
    let info = QueueManagerInfo {
        name: second.name().to_owned(),
        directory: PathComponent::of_queue_manager(second.name()).into(),
        prefix: second.root().join("var/mqm"),
        data_path: data_path(&second.data_dir(), second.name()),
    };
    let added = run(&driver.add_info(&info));
    assert_eq!(added.code, 0, "{}", added.text);
    assert_eq!(run(&driver.display_info(second.name())).code, 0);
    assert_eq!(second.status(), Some(Status::RunningElsewhere));
    let refused = run(&driver.start(second.name(), StartOptions::default()));
    assert_eq!(StartExit::from_code(refused.code), StartExit::ActiveElsewhereNoStandby);

    first.kill();
    second.start();
    assert_eq!(first.status(), Some(Status::RunningElsewhere));
    // The listeners of the first host's address are not opened on the second one, until they are defined for it.
    assert!(second.client("c").is_err());
    second.apply_definitions();
    let got = second.client("c").unwrap().get(QUEUE, 1).unwrap();
    assert_eq!(got[0].id, "x");
    let seen = audit(&first.data()).unwrap();
    assert!(!seen.interleaved);
    assert_eq!(
        seen.runs.iter().map(|r| r.epoch).collect::<BTreeSet<_>>(),
        BTreeSet::from([1, 2])
    );
}

#[test]
fn a_half_made_queue_manager_is_told_apart() {
    let host = Host::new();
    run(&host.driver().create_directories());
    assert_eq!(run(&host.driver().create(&host.create_options())).code, 0);
    std::fs::write(host.data().join("creating"), []).unwrap();
    let output = run(&host.driver().start(host.name(), StartOptions::default()));
    assert_eq!(StartExit::from_code(output.code), StartExit::BeingCreated);
}

#[test]
fn acknowledging_too_early_loses_messages_when_killed() {
    let host = Host::serving_with_defect("ack-early");
    let client = host.client("producer").unwrap();
    // Puts go on up to the kill, however slow the machine is: the last ones are in memory only.
    let (told, acknowledged) = std::sync::mpsc::channel();
    let producer = std::thread::spawn(move || {
        let mut count = 0_u64;
        while client
            .put(QUEUE, &[Put::persistent("m")])
            .is_ok_and(|ids| ids.len() == 1)
        {
            count += 1;
            told.send(()).unwrap();
        }
        count
    });
    for _ in 0..20 {
        acknowledged.recv().unwrap();
    }
    host.kill();
    let count = producer.join().unwrap();
    host.start();
    assert!(
        host.depth(QUEUE) < count,
        "a negative control that loses nothing controls nothing"
    );
}

#[test]
fn the_other_defects_show() {
    for (defect, count) in [("lose", 198), ("duplicate", 202), ("reorder", 200)] {
        let host = Host::serving_with_defect(defect);
        let ids: Vec<String> = (0..200).map(|n| format!("m{n}")).collect();
        let client = host.client("c").unwrap();
        let puts: Vec<Put> = ids.iter().map(|id| Put::persistent(id)).collect();
        assert_eq!(
            client.put(QUEUE, &puts).unwrap().len(),
            200,
            "{defect}: every one is acknowledged"
        );
        host.wait_for_depth(QUEUE, count);
        let got: Vec<String> = client
            .get(QUEUE, count as usize)
            .unwrap()
            .into_iter()
            .map(|g| g.id)
            .collect();
        let distinct: BTreeSet<&String> = got.iter().collect();
        match defect {
            "lose" => assert_eq!(distinct.len(), 198),
            "duplicate" => assert_eq!(distinct.len(), 200),
            _ => assert!(distinct.len() == 200 && got != ids, "the order is another one"),
        }
    }
    let unknown = Host::with_environment(&[("MQAWS_STANDIN_DEFECT", "los")]);
    run(&unknown.driver().create_directories());
    run(&unknown.driver().create(&unknown.create_options()));
    let output: Output = run(&unknown.driver().start(unknown.name(), StartOptions::default()));
    assert_eq!(
        output.code, 71,
        "a misspelt negative control must not pass for a sound queue manager"
    );
}

#[test]
fn a_stopped_process_answers_nothing_and_serves_again() {
    let host = Host::serving();
    host.signal(Signal::STOP);
    let driver = host.driver();
    let hung = mqaws_engine::runner::run(&driver.ping(host.name()).deadline(Duration::from_millis(400)));
    assert!(matches!(hung, Err(mqaws_engine::RunError::TimedOut { .. })), "{hung:?}");
    let shown = run(&driver.display(Some(host.name()), Show::Status, false));
    assert_eq!(
        Driver::displayed(&shown, host.name()).unwrap().unwrap().status,
        Some(Status::Running)
    );
    host.signal(Signal::CONT);
    Driver::processed(&run(&driver.ping(host.name()).deadline(Duration::from_secs(20)))).unwrap();
}

/// The Python that has Qpid Proton; `None` after a visible line when there is none.
pub(crate) fn proton(test: &str) -> Option<PathBuf> {
    let venv = std::env::var_os("MQAWS_TEST_VENV").map(|v| PathBuf::from(v).join("bin/python"));
    for python in venv.into_iter().chain(["python3".into()]) {
        let found = std::process::Command::new(&python)
            .args(["-c", "import proton"])
            .output();
        if found.is_ok_and(|o| o.status.success()) {
            return Some(python);
        }
    }
    judge::skip(
        judge::TOOLS,
        test,
        "no Python with python-qpid-proton; scripts/test installs it",
    );
    None
}

#[test]
fn another_implementation_of_amqp_agrees() {
    let Some(python) = proton("another_implementation_of_amqp_agrees") else {
        return;
    };
    let host = Host::serving();
    let script = judge::script("proton_standin.py");
    let command = mqaws_engine::Command::new(python)
        .arg(script)
        .args([&host.address().to_string(), "5672", "mqapp", QUEUE])
        .env("MQAWS_TEST_PASSWORD", host.password())
        .deadline(Duration::from_secs(120));
    let judgement = run(&command);
    assert_eq!(judgement.code, 0, "{}", judgement.text);
    assert_eq!(
        judgement.text.lines().filter(|l| l.starts_with("ok ")).count(),
        10,
        "{}",
        judgement.text
    );
    host.wait_for_depth(QUEUE, 0);
}

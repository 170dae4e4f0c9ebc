//! The stories, one function each.

use crate::locks::{self, Guests};
use crate::phases;
use crate::site::{PATIENCE, Site, until};
use mqaws::failover::port::Cloud;
use mqaws::fence::conformance;
use std::time::Duration;

/// Two hosts without an agent on one file system: the lock on NFS obeys every rule of a lock, with one of them frozen too.
pub fn the_lock_on_nfs_obeys_every_rule_of_a_lock_between_two_hosts() {
    if locks::kept_one() {
        return;
    }
    let test = "the_lock_on_nfs_obeys_every_rule_of_a_lock_between_two_hosts";
    conformance(&Guests::up(test, 10)).unwrap();
}

/// The first host's power goes off without warning: the second, in another zone, serves the same messages.
pub fn the_power_goes_off_and_another_zone_serves_the_same_messages() {
    let site = Site::deployed();
    let first = site.running();
    let sent = site.put("before", 200);
    let fault = phases::now();
    site.rig("cut", &first);
    let second = site.successor(&first);
    let status = site.serving(&second);
    let serving = phases::now();
    let got = site.get(sent.len());
    let served = phases::now();
    assert_eq!(got, sent, "every message, once, in order");
    let proof = status.proof.clone().expect("a start has a proof");
    assert_eq!(
        (proof.kind.as_str(), proof.previous.as_deref()),
        ("terminated", Some(first.id.as_str()))
    );
    let audit = site.one_writer();
    assert!(
        audit.runs.iter().any(|r| r.epoch == status.epoch.unwrap_or_default()),
        "{audit:?}"
    );
    let seen = [("seen to serve", serving), ("messages got by a client", served)];
    phases::print(
        &format!("power off in {}, takeover in {}", first.zone, second.zone),
        fault,
        &site.console(&second),
        &site.marks(&second),
        &seen,
    );
    until("EC2 says what became of the first", PATIENCE, || {
        site.instances()
            .iter()
            .any(|i| i.id == first.id && i.state == "terminated")
            .then_some(())
    });
}

/// The first host loses the network but lives, with unsynced pages; EC2 says nothing about it. It resets itself, the second
/// starts on the proof `lease` alone, the cable is plugged in again: no byte of the old epoch arrives.
pub fn a_host_that_is_cut_off_resets_itself_and_nothing_of_it_arrives_later() {
    let site = Site::deployed();
    let first = site.running();
    let sent = site.put("before", 100);
    site.write_unsynced(&first, "stray");
    let (fault, boots) = (phases::now(), site.boots(&first));
    site.rig("unplug", &first);
    site.ec2_fails();
    let second = site.launch_beside(&first);
    until("the host that is cut off resets itself", PATIENCE, || {
        (site.boots(&first) > boots).then_some(())
    });
    let reset = phases::now();
    let status = site.serving(&second);
    let proof = status.proof.clone().expect("a start has a proof");
    assert_eq!(
        (proof.kind.as_str(), proof.previous.as_deref()),
        ("lease", Some(first.id.as_str()))
    );
    assert!(status.epoch > Some(1), "{status:?}");
    let stray = std::fs::read(site.data().join("QM1/data/stray")).unwrap();

    site.rig("plug", &first);
    let (seen, plugged) = (site.audit(), phases::now());
    let again = until("the first is back and asks for the data", PATIENCE, || {
        site.status(&first).ok().filter(|s| s.state == "fencing")
    });
    assert!(!again.lock_held, "{again:?}");
    assert_eq!(
        std::fs::read(site.data().join("QM1/data/stray")).unwrap().len(),
        stray.len(),
        "bytes of the old epoch"
    );
    assert_eq!(
        std::fs::read(site.data().join("QM1/data/stray")).unwrap(),
        stray,
        "bytes of the old epoch"
    );
    assert_eq!(site.get_from(&second, sent.len()), sent);
    let audit = site.one_writer();
    let of_first = |audit: &mqaws::standin::Audit| {
        audit
            .runs
            .iter()
            .filter(|r| r.epoch == 1)
            .map(|r| r.records)
            .sum::<u64>()
    };
    assert_eq!(of_first(&audit), of_first(&seen), "records of the old epoch");
    phases::print(
        "cut off alive, reset, successor on `lease`, plugged in again",
        fault,
        &site.console(&second),
        &site.marks(&second),
        &[
            ("first host seen to have reset itself", reset),
            ("plugged in again", plugged),
        ],
    );
}

/// The first host is frozen for longer than the lease and wakes with I/O in flight while its successor waits: it resets
/// itself, and nothing of it lands among what the successor writes.
pub fn a_host_that_wakes_after_its_lease_writes_nothing_into_its_successors_data() {
    let site = Site::deployed();
    let first = site.running();
    let sent = site.put("before", 100);
    site.write_unsynced(&first, "stray");
    let (fault, boots) = (phases::now(), site.boots(&first));
    site.rig("freeze", &first);
    site.ec2_fails();
    let second = site.launch_beside(&first);
    until("the successor has the lock and waits for a proof", PATIENCE, || {
        site.status(&second)
            .ok()
            .filter(|s| s.state == "fencing" && s.lock_held)
    });
    let waits = phases::now();
    site.rig("thaw", &first);
    until("the host that woke resets itself", PATIENCE, || {
        (site.boots(&first) > boots).then_some(())
    });
    let reset = phases::now();
    let status = site.serving(&second);
    let proof = status.proof.clone().expect("a start has a proof");
    assert_eq!(
        (proof.kind.as_str(), proof.previous.as_deref()),
        ("lease", Some(first.id.as_str()))
    );
    let stray = std::fs::read(site.data().join("QM1/data/stray")).unwrap();
    assert_eq!(site.get_from(&second, sent.len()), sent);
    site.one_writer();
    assert_eq!(
        std::fs::read(site.data().join("QM1/data/stray")).unwrap(),
        stray,
        "bytes of the old epoch"
    );
    phases::print(
        "frozen past its lease, woken while the successor waits",
        fault,
        &site.console(&second),
        &site.marks(&second),
        &[
            ("successor seen to wait; first woken", waits),
            ("first host seen to have reset itself", reset),
        ],
    );
}

/// The agent is killed, the keeper is killed, the keeper hangs, the agent's unit is restarted, the file server stands still for 8 s and for 60 s: the
/// same host serves on, the group replaces nothing, no message is lost.
pub fn a_dead_agent_and_a_server_that_stands_still_cost_no_message_and_no_host() {
    // A server that stood still counts that time against the lease of its clients, as if they had been silent.
    let site = Site::deployed_with_lease(20);
    let host = site.running();
    let mut sent = site.put("before", 50);

    let pid = |unit: &str| {
        site.shell(&host, &format!("systemctl show -p MainPID --value {unit}"))
            .unwrap()
    };
    let (agent, keeper) = (pid("mqaws-agent"), pid("mqaws-engine"));
    site.shell(&host, "systemctl kill -s KILL mqaws-agent").unwrap();
    sent.extend(site.put("agent-dead", 50));
    site.nobody_else_gets_the_lock(&host);
    until("another agent", PATIENCE, || {
        (!["0\n", agent.as_str()].contains(&pid("mqaws-agent").as_str())).then_some(())
    });
    site.nobody_else_gets_the_lock(&host);
    assert_eq!(site.serving(&host).epoch, Some(1), "the engine went on");
    assert_eq!(pid("mqaws-engine"), keeper, "the keeper went on");

    site.shell(&host, "systemctl kill -s KILL --kill-whom=main mqaws-engine")
        .unwrap();
    let served = until("the queue manager runs behind another keeper", PATIENCE, || {
        site.status(&host)
            .ok()
            .filter(|s| s.state == "serving" && s.epoch == Some(2))
    });
    assert_eq!(
        served.proof.map(|p| p.kind).as_deref(),
        Some("same-host"),
        "its engine died with it"
    );
    assert!(!["0\n", keeper.as_str()].contains(&pid("mqaws-engine").as_str()));
    sent.extend(site.put("keeper-dead", 50));

    // A keeper that hangs: its lock is the kernel's, so nobody else gets it, and its unit's watchdog ends it and its engine.
    let hung = pid("mqaws-engine");
    let stopped = phases::now();
    site.shell(&host, "systemctl kill -s STOP --kill-whom=main mqaws-engine")
        .unwrap();
    sent.extend(site.put("keeper-hangs", 50));
    site.nobody_else_gets_the_lock(&host);
    until("systemd ends the keeper that hangs", PATIENCE, || {
        (!["0\n", hung.as_str()].contains(&pid("mqaws-engine").as_str())).then_some(())
    });
    println!(
        "a keeper that hangs was replaced after {:.1} s",
        (phases::now() - stopped) as f64 / 1e9
    );
    until("the queue manager runs behind a third keeper", PATIENCE, || {
        site.status(&host)
            .ok()
            .filter(|s| s.state == "serving" && s.epoch == Some(3))
    });
    let why = site.shell(&host, "journalctl -u mqaws-engine").unwrap();
    assert!(why.contains("Watchdog timeout"), "{why}");
    sent.extend(site.put("keeper-hung", 50));

    let boots = site.boots(&host);
    // The length of each stand-still is what is tried.
    site.freeze_server(true);
    std::thread::sleep(Duration::from_secs(8));
    site.freeze_server(false);
    sent.extend(site.put("after-8-s", 50));
    assert_eq!(site.serving(&host).epoch, Some(3), "nothing but a stall");

    site.freeze_server(true);
    std::thread::sleep(Duration::from_secs(60));
    site.freeze_server(false);
    let fault = phases::now();
    sent.extend(site.put("after-60-s", 50));
    let status = site.serving(&host);
    println!(
        "60 s without the server: {} resets, epoch {:?}, served again {:.1} s after it came back",
        site.boots(&host) - boots,
        status.epoch,
        (phases::now() - fault) as f64 / 1e9
    );
    assert!(site.boots(&host) - boots <= 1, "it resets itself at most once");

    site.shell(&host, "systemctl restart mqaws-agent").unwrap();
    sent.extend(site.put("restarted", 50));
    let proof = site.serving(&host).proof.expect("a start has a proof");
    assert_eq!(proof.kind, "clean", "{proof:?}");

    assert_eq!(site.running(), host, "no replacement");
    assert_eq!(site.get(sent.len()), sent, "every message, once, in order");
    site.one_writer();
}

/// There is no name service at boot, the clock jumps by an hour, the local disk is full, the host reboots: each time the same
/// host serves, and no message is lost.
pub fn a_host_without_names_with_a_wrong_clock_or_a_full_disk_serves_on() {
    Site::no_names();
    let site = Site::deployed();
    let host = site.running();
    let mut sent = site.put("without-names", 50);
    let mounts = site.shell(&host, "grep ' /mnt/mqaws ' /proc/mounts").unwrap();
    assert!(mounts.starts_with("127.77.2."), "mounted by address: {mounts}");

    let epoch = site.serving(&host).epoch;
    for step in ["+1 hour", "-2 hours"] {
        site.shell(&host, &format!("date -s '{step}'")).unwrap();
        sent.extend(site.put(&format!("clock{step}").replace(' ', ""), 50));
        // Nothing is to happen, so there is no state to wait for: longer than the host's bound for a lock that it cannot prove.
        std::thread::sleep(Duration::from_secs(35));
        let status = site.serving(&host);
        assert_eq!(status.epoch, epoch, "a step of the wall clock is nothing: {status:?}");
    }
    site.shell(&host, "date -s '+1 hour'").unwrap();

    let full = site.shell(
        &host,
        "dd if=/dev/zero of=/var/mqm/full bs=1M; df --output=avail /var/mqm | tail -1",
    );
    assert_eq!(full.unwrap().trim(), "0");
    sent.extend(site.put("disk-full", 50));
    let status = site.serving(&host);
    assert_eq!(status.epoch, epoch, "messages are not on the local disk: {status:?}");
    site.shell(&host, "rm /var/mqm/full").unwrap();

    let boots = site.boots(&host);
    // The shell's connection ends with the host.
    let _ = site.shell(&host, "systemctl reboot");
    until("the host boots again", PATIENCE, || {
        (site.boots(&host) > boots).then_some(())
    });
    let status = site.serving(&host);
    let proof = status.proof.clone().expect("a start has a proof");
    assert_eq!(proof.kind, "clean", "an orderly reboot lets go of the data: {status:?}");
    assert_eq!(site.running(), host, "no replacement");
    assert_eq!(site.get(sent.len()), sent, "every message, once, in order");
    site.one_writer();
}

/// The shared file system is full, under a host that serves and under one that is to take over: nothing acknowledged is lost,
/// nothing starts without a record of its own, no host resets itself or is replaced, and each serves once there is room.
pub fn a_full_shared_file_system_ends_nothing_but_the_service() {
    let site = Site::deployed_on_mib(24);
    let first = site.running();
    let mut sent = site.put("before", 50);
    let epoch = site.serving(&first).epoch;
    let boots = site.boots(&first);
    site.fill(true);
    let alarm = until("the agent says that the file system is full", PATIENCE, || {
        site.status(&first).ok().and_then(|s| s.alarm)
    });
    assert!(alarm.contains("is full"), "{alarm}");
    // What is left of the log's last page may take some; the first that is not acknowledged may be there or not.
    let (doubtful, refusal) = (0..1000)
        .find_map(|n| match site.try_put(&format!("full-{n}"), 1) {
            Ok(ids) => {
                sent.extend(ids);
                None
            }
            Err(why) => Some((format!("full-{n}-0"), why)),
        })
        .expect("a put that is not acknowledged");
    println!("{} puts into a full file system, then: {refusal}", sent.len() - 50);
    // Nothing is to happen, so there is no state to wait for: longer than the host's bound for a lock that it cannot prove.
    std::thread::sleep(Duration::from_secs(35));
    assert_eq!(site.running(), first, "no replacement");
    assert_eq!(site.boots(&first), boots, "no reset");
    assert!(site.status(&first).unwrap().lock_held);
    site.nobody_else_gets_the_lock(&first);
    site.fill(false);
    let status = site.serving(&first);
    println!("epoch {epoch:?} before, {:?} once there was room", status.epoch);
    sent.extend(site.put("room", 50));
    until("the alarm is over", PATIENCE, || {
        site.status(&first).ok().filter(|s| s.alarm.is_none())
    });

    site.fill(true);
    let writers = site.audit().runs.len();
    site.rig("cut", &first);
    let second = site.successor(&first);
    let waiting = until("the successor says what it waits for", PATIENCE, || {
        let status = site.status(&second).ok()?;
        let why = status.last_error.clone().filter(|why| why.contains("No space left"))?;
        Some((status, why))
    });
    println!(
        "the successor on a full file system: {}: {}",
        waiting.0.state, waiting.1
    );
    assert!(waiting.0.lock_held && waiting.0.epoch.is_none(), "{:?}", waiting.0);
    let engine = site.shell(&second, "pgrep -c amqzxma0 || true").unwrap();
    assert_eq!(
        (engine.trim(), site.audit().runs.len()),
        ("0", writers),
        "nothing runs without a record"
    );
    site.fill(false);
    let proof = site.serving(&second).proof.expect("a start has a proof");
    assert_eq!(
        (proof.kind.as_str(), proof.previous.as_deref()),
        ("terminated", Some(first.id.as_str()))
    );
    sent.extend(site.put("after", 50));
    assert_eq!(site.running(), second, "one replacement");
    let mut got = site.get(sent.len());
    if got.contains(&doubtful) {
        got.retain(|id| *id != doubtful);
        got.extend(site.get(1));
    }
    assert_eq!(got, sent, "every message, once, in order");
    site.one_writer();
}

/// Auto Scaling replaces a host that still runs: the new one waits until the old one has drained, and has completed the
/// lifecycle hook; clients find the replacement, and nothing is lost.
pub fn a_replacement_waits_for_the_drain_of_the_one_that_still_runs() {
    let site = Site::deployed();
    let first = site.running();
    let sent = site.put("before", 100);
    let fault = phases::now();
    site.ask(site.clients.mark_unhealthy(&first.id)).unwrap();
    let second = site.successor(&first);
    let overlap = site.instances().into_iter().find(|i| i.id == first.id).map(|i| i.state);
    println!("when the replacement ran, the old one was {overlap:?}");
    let status = site.serving(&second);
    let proof = status.proof.clone().expect("a start has a proof");
    assert_eq!(
        (proof.kind.as_str(), proof.previous.as_deref()),
        ("clean", Some(first.id.as_str()))
    );
    until("the old one is gone", PATIENCE, || {
        site.instances()
            .iter()
            .any(|i| i.id == first.id && i.state == "terminated")
            .then_some(())
    });
    assert!(
        site.console(&first).contains("mark=stopped"),
        "the old one ended its drain"
    );
    // A call that is granted finds the hook still waiting: its heartbeat had not run out.
    let termination = site.termination(&first).expect("an activity of the group");
    let completed = site.calls("CompleteLifecycleAction", &first);
    assert_eq!(completed.len(), 1, "the agent completed the hook");
    let (took, heartbeat) = (completed[0] - termination.began, site.heartbeat());
    println!(
        "hook completed {:.1} s after the termination began, terminated after {:.1} s, heartbeat timeout {heartbeat:?}",
        took as f64 / 1e9,
        termination
            .ended
            .map_or(0.0, |at| (at - termination.began) as f64 / 1e9),
    );
    assert!(
        u128::try_from(took).unwrap() < heartbeat.as_nanos(),
        "within its heartbeat"
    );
    assert_eq!(site.get(sent.len()), sent, "every message, once, in order");
    site.one_writer();
    phases::print(
        "replaced in order",
        fault,
        &site.console(&second),
        &site.marks(&second),
        &[],
    );
}

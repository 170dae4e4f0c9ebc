//! Stories of a host that goes on whatever is done to it, one function each.

use crate::phases;
use crate::site::{PATIENCE, Site, until};
use mqaws::model::agent::{AgentState, ProofKind};
use std::time::Duration;

/// The agent is killed, the keeper is killed, the keeper hangs, the agent's unit is restarted, the file server stands still for 8 s and for 60 s: the
/// same host serves on, the group replaces nothing, no message is lost.
pub(crate) fn a_dead_agent_and_a_server_that_stands_still_cost_no_message_and_no_host() {
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
            .filter(|s| s.state == AgentState::Serving && s.epoch == Some(2))
    });
    assert_eq!(
        served.proof.map(|p| p.kind),
        Some(ProofKind::SameHost),
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
            .filter(|s| s.state == AgentState::Serving && s.epoch == Some(3))
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
    assert_eq!(proof.kind, ProofKind::Clean, "{proof:?}");

    assert_eq!(site.running(), host, "no replacement");
    assert_eq!(site.get(sent.len()), sent, "every message, once, in order");
    site.one_writer();
}

/// There is no name service at boot, the clock jumps by an hour, the local disk is full, the host reboots: each time the same
/// host serves, and no message is lost.
pub(crate) fn a_host_without_names_with_a_wrong_clock_or_a_full_disk_serves_on() {
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
    assert_eq!(
        proof.kind,
        ProofKind::Clean,
        "an orderly reboot lets go of the data: {status:?}"
    );
    assert_eq!(site.running(), host, "no replacement");
    assert_eq!(site.get(sent.len()), sent, "every message, once, in order");
    site.one_writer();
}

/// The shared file system is full, under a host that serves and under one that is to take over: nothing acknowledged is lost,
/// nothing starts without a record of its own, no host resets itself or is replaced, and each serves once there is room.
pub(crate) fn a_full_shared_file_system_ends_nothing_but_the_service() {
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

/// systemd crashes and stands still: it feeds the watchdog no more, which resets the host; the next boot serves the same messages.
pub(crate) fn a_host_whose_systemd_stands_still_is_reset_by_its_watchdog() {
    let site = Site::deployed();
    let host = site.running();
    let sent = site.put("before", 50);
    // A User-Mode Linux kernel has a watchdog of its own first, which needs a helper outside; an instance has softdog alone.
    site.shell(
        &host,
        "mkdir -p /run/systemd/system.conf.d && cd /run/systemd/system.conf.d && \
         printf '[Manager]\nWatchdogDevice=/dev/watchdog1\n' >rig.conf && rmmod softdog && systemctl daemon-reexec",
    )
    .unwrap();
    // As at a boot, where systemd is there before the module.
    site.shell(&host, "modprobe softdog").unwrap();
    until("systemd feeds softdog", PATIENCE, || {
        let said = site.shell(&host, "journalctl -b _PID=1 | grep -c \"watchdog 'Software Watchdog'\"");
        said.ok().filter(|count| count.trim() != "0")
    });
    let (boots, crashed) = (site.boots(&host), phases::now());
    let _ = site.shell(&host, "systemd-run -q --no-block sh -c 'sleep 1; kill -SEGV 1'");
    until("the watchdog resets the host", PATIENCE, || {
        (site.boots(&host) > boots).then_some(())
    });
    println!(
        "reset {:.0} s after systemd crashed",
        (phases::now() - crashed) as f64 / 1e9
    );
    let status = until("another boot serves", PATIENCE, || {
        site.status(&host)
            .ok()
            .filter(|s| s.state == AgentState::Serving && s.epoch == Some(2))
    });
    let proof = status.proof.expect("a start has a proof");
    assert_eq!(proof.kind, ProofKind::SameHost, "another boot of it: {proof:?}");
    assert_eq!(site.running(), host, "no replacement");
    assert_eq!(site.get(sent.len()), sent, "every message, once, in order");
    site.one_writer();
}

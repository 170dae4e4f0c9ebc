//! Stories of a takeover, one function each.

use crate::locks::{self, Guests};
use crate::phases;
use crate::site::{PATIENCE, Site, until};
use mqaws::failover::port::TestBed;
use mqaws::model::agent::AgentState;
use mqaws_agent::fence::conformance;

/// Two hosts without an agent on one file system: the lock on NFS obeys every rule of a lock, with one of them frozen too.
pub(crate) fn the_lock_on_nfs_obeys_every_rule_of_a_lock_between_two_hosts() {
    if locks::kept_one() {
        return;
    }
    let test = "the_lock_on_nfs_obeys_every_rule_of_a_lock_between_two_hosts";
    conformance(&Guests::up(test, 10)).unwrap();
}

/// The first host's power goes off without warning: the second, in another zone, serves the same messages.
pub(crate) fn the_power_goes_off_and_another_zone_serves_the_same_messages() {
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
pub(crate) fn a_host_that_is_cut_off_resets_itself_and_nothing_of_it_arrives_later() {
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
        site.status(&first).ok().filter(|s| s.state == AgentState::Fencing)
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
    let of_first = |audit: &mqaws_standin::Audit| {
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
pub(crate) fn a_host_that_wakes_after_its_lease_writes_nothing_into_its_successors_data() {
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
            .filter(|s| s.state == AgentState::Fencing && s.lock_held)
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

/// Auto Scaling replaces a host that still runs: the new one waits until the old one has drained, and has completed the
/// lifecycle hook; clients find the replacement, and nothing is lost.
pub(crate) fn a_replacement_waits_for_the_drain_of_the_one_that_still_runs() {
    let site = Site::deployed();
    let first = site.running();
    let sent = site.put("before", 100);
    let fault = phases::now();
    site.ask(site.clients.mark_unhealthy(&first.instance_id())).unwrap();
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

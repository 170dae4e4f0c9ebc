//! Stories of two hosts on the same data, one function each.

use crate::phases;
use crate::site::{PATIENCE, Site, until};
use mqaws::model::agent::{AgentState, ProofKind};

/// The engine dies and is restarted in place; then the power of the active host goes off, and the one that waited serves the same messages before
/// another instance has booted; then that other one, which waits now, is lost, and service goes on.
pub(crate) fn the_one_that_waits_serves_after_the_power_of_the_active_one_went_off() {
    let site = Site::deployed_with_a_standby();
    let (first, second) = site.active_and_standby();
    assert_ne!(first.zone, second.zone);
    let engine = site.shell(&second, "pgrep -c amqzxma0 || true").unwrap();
    assert_eq!(engine.trim(), "0", "the one that waits runs no engine");
    let mut sent = site.put("before", 100);

    site.shell(&first, "pkill -KILL amqzxma0").unwrap();
    let status = until("the queue manager runs again", PATIENCE, || {
        site.status(&first)
            .ok()
            .filter(|s| s.state == AgentState::Serving && s.epoch == Some(2))
    });
    assert_eq!(status.proof.map(|proof| proof.kind), Some(ProofKind::SameHost));
    sent.extend(site.put("restarted", 100));

    let fault = phases::now();
    site.rig("cut", &first);
    let status = site.serving(&second);
    let serving = phases::now();
    let proof = status.proof.clone().expect("a start has a proof");
    assert_eq!(
        (proof.kind.as_str(), proof.previous.as_deref(), status.epoch),
        ("terminated", Some(first.id.as_str()), Some(3))
    );
    sent.extend(site.put("taken-over", 100));
    let served = phases::now();
    phases::print(
        &format!("power off in {}, the standby in {} takes over", first.zone, second.zone),
        fault,
        &site.console(&second),
        &site.marks(&second),
        &[("seen to serve", serving), ("messages put by a client", served)],
    );

    let (active, third) = site.active_and_standby();
    assert_eq!(active, second);
    assert_eq!(third.zone, first.zone, "each zone has its own group");
    site.rig("cut", &third);
    sent.extend(site.put("standby-lost", 100));
    let (active, fourth) = site.active_and_standby();
    assert_eq!((&active, active.zone != fourth.zone), (&second, true));
    assert_eq!(
        site.serving(&second).epoch,
        Some(3),
        "the loss of a standby is none of service"
    );
    assert_eq!(site.get(sent.len()), sent, "every message, once, in order");
    site.one_writer();
}

/// The active host is frozen for longer than its lease with I/O in flight, EC2 tells nothing, and the standby starts on the proof `lease`; the
/// one that wakes resets itself, waits as the standby, and nothing of it lands among what its successor wrote.
pub(crate) fn an_active_host_that_wakes_after_its_lease_writes_nothing_into_the_standbys_data() {
    let site = Site::deployed_with_a_standby();
    let (first, second) = site.active_and_standby();
    let sent = site.put("before", 100);
    site.write_unsynced(&first, "stray");
    let (fault, boots) = (phases::now(), site.boots(&first));
    site.ec2_fails();
    site.rig("freeze", &first);
    until("the standby has the lock and waits for a proof", PATIENCE, || {
        site.status(&second)
            .ok()
            .filter(|s| s.state == AgentState::Fencing && s.lock_held)
    });
    let waits = phases::now();
    site.rig("thaw", &first);
    until("the host that woke resets itself", PATIENCE, || {
        (site.boots(&first) > boots).then_some(())
    });
    let status = site.serving(&second);
    let proof = status.proof.clone().expect("a start has a proof");
    assert_eq!(
        (proof.kind.as_str(), proof.previous.as_deref()),
        ("lease", Some(first.id.as_str()))
    );
    let stray = std::fs::read(site.data().join("QM1/data/stray")).unwrap();
    assert_eq!(site.get_from(&second, sent.len()), sent);
    site.one_writer();
    let now = std::fs::read(site.data().join("QM1/data/stray")).unwrap();
    assert_eq!(now, stray, "bytes of the old epoch");
    phases::print(
        "active host frozen past its lease, woken while the standby waits for its proof",
        fault,
        &site.console(&second),
        &site.marks(&second),
        &[("the standby seen to wait; the first woken", waits)],
    );
}

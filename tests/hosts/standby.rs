//! Stories of two hosts on the same data, one function each.

use crate::load::{Load, all_are_there_once, under_load};
use crate::phases;
use crate::site::{Instance, PATIENCE, Site, until};
use mqaws::failover::port::TestBed;
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

/// The queue manager is moved in order while clients put: the host that was ready serves on the proof `clean`, the one that let go waits as the
/// standby, and every message that was acknowledged is there once.
pub(crate) fn a_planned_move_under_load_loses_nothing_and_both_hosts_change_places() {
    let site = Site::deployed_with_a_standby();
    let (first, second) = site.active_and_standby();
    let acknowledged = under_load(&site, |load| {
        let fault = phases::now();
        let instance = first.instance_id();
        site.ask(site.clients.begin_move(&site.target, &instance)).unwrap();
        let status = site.serving(&second);
        let serving = phases::now();
        let proof = status.proof.clone().expect("a start has a proof");
        assert_eq!(
            (proof.kind.as_str(), proof.previous.as_deref(), status.epoch),
            ("clean", Some(first.id.as_str()), Some(2))
        );
        load.goes_on();
        phases::print(
            &format!("planned move from {} to {}", first.zone, second.zone),
            fault,
            &site.console(&second),
            &site.marks(&second),
            &[("seen to serve", serving)],
        );
    });
    let (active, standby) = site.active_and_standby();
    assert_eq!((&active, &standby), (&second, &first), "they changed places");
    all_are_there_once(&site, &acknowledged);
    site.one_writer();
}

/// What breaks a part of the stack while clients put: the queue manager's process, which is restarted where it was; the standby's host, which
/// disturbs nobody and is replaced; and the zone of the active host, after which the other zone serves alone until the lost one is back.
pub(crate) fn a_killed_process_a_lost_standby_and_a_lost_zone_cost_no_message_under_load() {
    let site = Site::deployed_with_a_standby();
    let (first, second) = site.active_and_standby();
    let acknowledged = under_load(&site, |load| {
        the_process_is_killed(&site, load, &first, &second);
        let third = the_standby_is_lost(&site, load, &first, &second);
        the_zone_is_lost(&site, load, &first, &third);
    });
    all_are_there_once(&site, &acknowledged);
    site.one_writer();
}

fn the_process_is_killed(site: &Site, load: &Load, active: &Instance, standby: &Instance) {
    let boots = site.boots(active);
    site.shell(active, "pkill -KILL amqzxma0").unwrap();
    let status = until("the queue manager runs again", PATIENCE, || {
        site.status(active)
            .ok()
            .filter(|s| s.state == AgentState::Serving && s.epoch == Some(2))
    });
    assert_eq!(status.proof.map(|proof| proof.kind), Some(ProofKind::SameHost));
    load.goes_on();
    assert_eq!(site.active_and_standby(), (active.clone(), standby.clone()));
    assert_eq!(site.boots(active), boots, "the same life of the same host");
}

/// The standby that is there afterwards.
fn the_standby_is_lost(site: &Site, load: &Load, active: &Instance, standby: &Instance) -> Instance {
    let refused = load.refused();
    site.rig("cut", standby);
    until("the active host misses it", PATIENCE, || {
        (site.status(active).ok()?.standby_ready == Some(false)).then_some(())
    });
    load.goes_on();
    let (still, another) = site.active_and_standby();
    assert_eq!((&still, &another.zone), (active, &standby.zone), "unaided");
    assert_ne!(&another, standby);
    load.goes_on();
    assert_eq!(site.serving(active).epoch, Some(2), "the same start");
    assert_eq!(load.refused(), refused, "no client noticed");
    another
}

fn the_zone_is_lost(site: &Site, load: &Load, active: &Instance, standby: &Instance) {
    let fault = phases::now();
    Site::cut_zone(&active.zone, true);
    let status = site.serving(standby);
    let serving = phases::now();
    let proof = status.proof.clone().expect("a start has a proof");
    assert_eq!(
        (proof.kind.as_str(), proof.previous.as_deref(), status.epoch),
        ("terminated", Some(active.id.as_str()), Some(3))
    );
    load.goes_on();
    phases::print(
        &format!("{} lost, the standby in {} takes over", active.zone, standby.zone),
        fault,
        &site.console(standby),
        &site.marks(standby),
        &[("seen to serve", serving)],
    );
    // What is launched there meanwhile reaches nothing.
    until("another instance is launched in the lost zone", PATIENCE, || {
        let all = site.instances();
        all.iter()
            .any(|i| i.zone == active.zone && i.id != active.id && i.state == "running" && site.boots(i) > 0)
            .then_some(())
    });
    load.goes_on();
    assert_eq!(site.serving(standby).standby_ready, Some(false), "nobody is ready");
    Site::cut_zone(&active.zone, false);
    let (still, another) = site.active_and_standby();
    assert_eq!((&still, &another.zone), (standby, &active.zone));
    assert_ne!(&another, active, "EC2 ended the one that was cut off");
    assert_eq!(site.serving(standby).epoch, Some(3), "the same start");
}

/// The active host loses its storage and nothing else: the standby gets the lock when the lease frees it, has the other one ended, and serves the
/// same messages; another standby is there afterwards.
pub(crate) fn an_active_host_without_its_storage_is_ended_and_the_standby_serves() {
    let site = Site::deployed_with_a_standby();
    let (first, second) = site.active_and_standby();
    let mut sent = site.put("before", 100);
    let server = site
        .shell(
            &first,
            r"sed -n 's|.* /mnt/mqaws nfs.*[ ,]addr=\([0-9.]*\).*|\1|p' /proc/mounts",
        )
        .unwrap();
    assert!(!server.trim().is_empty(), "the file server's address");
    let fault = phases::now();
    // A little later, so that the shell has its answer whatever the way back is.
    let cut = format!(
        "systemd-run -q --on-active=1 --timer-property=AccuracySec=100ms ip route add blackhole {}",
        server.trim()
    );
    site.shell(&first, &cut).unwrap();
    let status = site.serving(&second);
    let serving = phases::now();
    let proof = status.proof.clone().expect("a start has a proof");
    assert_eq!(
        (proof.kind.as_str(), proof.previous.as_deref()),
        ("terminated", Some(first.id.as_str()))
    );
    sent.extend(site.put("taken-over", 100));
    phases::print(
        "storage cut off the active host",
        fault,
        &site.console(&second),
        &site.marks(&second),
        &[("seen to serve", serving)],
    );
    let (active, third) = site.active_and_standby();
    assert_eq!((&active, third.zone == first.zone), (&second, true));
    assert_ne!(third.id, first.id, "another instance waits now");
    assert_eq!(site.get(sent.len()), sent, "every message, once, in order");
    site.one_writer();
}

use super::*;
use crate::fence::{DataState, ProofKind, RecordView};
use std::path::Path;

fn kept(mount: &Path, instance: &str) -> KeptRecord {
    let config = KeeperConfig {
        socket: mount.join("sock"),
        mount: mount.to_owned(),
        queue_manager: "QM1".into(),
        engine: mqaws_contract::EngineKind::default(),
        file_system: "fs-1".into(),
        instance: instance.parse().expect("an id"),
        boot: "boot".parse().expect("an id"),
        lock: LockPlace::Lease {
            address: ([127, 0, 0, 1], 1).into(),
            lease_ms: 1000,
        },
        owner: None,
    };
    KeptRecord::new(config, &mqaws_engine::ibm_mq::IbmMq, format!("keeper-of-{instance}"))
}

fn proof(kind: ProofKind) -> Proof {
    Proof { kind, previous: None }
}

#[test]
fn epochs_rise_from_owner_to_owner_and_a_claim_needs_the_record_that_was_seen() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut first, mut second) = (kept(dir.path(), "i-1"), kept(dir.path(), "i-2"));
    assert!(first.claim(proof(ProofKind::New)).changed, "nothing was inspected yet");
    let found = first.inspect(1000).found.expect("found").view();
    assert_eq!((found.record, found.data), (RecordView::Absent, DataState::Absent));
    assert_eq!(found.lease, Duration::from_secs(1));
    second.inspect(1000);
    assert_eq!(first.claim(proof(ProofKind::New)).epoch, Some(Epoch(1)));
    assert!(second.claim(proof(ProofKind::New)).changed, "somebody else was quicker");
    assert_eq!(
        first.claim(proof(ProofKind::SameHost)).epoch,
        Some(Epoch(2)),
        "a restart in place"
    );
    second.inspect(1000);
    assert!(matches!(first.beat(), Beat::Written));
    assert!(first.level("MQ".into()).ok);
    assert!(first.release(false).ok);
    assert!(
        second.claim(proof(ProofKind::Terminated)).changed,
        "the release was not seen"
    );
    second.inspect(1000);
    assert_eq!(second.claim(proof(ProofKind::Clean)).epoch, Some(Epoch(3)));
    assert!(first.fsync_millis().is_some_and(|ms| ms >= 0.0));
    assert!(first.fsync_fastest_millis() <= first.fsync_millis());
}

#[test]
fn a_zombie_finds_the_record_foreign_and_writes_nothing() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut old, mut new) = (kept(dir.path(), "i-1"), kept(dir.path(), "i-2"));
    old.inspect(1000);
    old.claim(proof(ProofKind::New));
    new.inspect(1000);
    new.claim(proof(ProofKind::Terminated));
    assert!(matches!(old.beat(), Beat::Foreign(_)));
    let left = new.store.read().expect("read").expect("record");
    assert_eq!((left.owner.instance.as_str(), left.epoch), ("i-2", Epoch(2)));
}

#[test]
fn a_record_that_is_gone_is_not_anothers_nor_is_a_claim_of_ones_own_whose_answer_was_lost() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut kept = kept(dir.path(), "i-1");
    kept.inspect(1000);
    kept.claim(proof(ProofKind::New));
    let mut lost = kept.own.clone().expect("claimed");
    lost.epoch = lost.epoch.next();
    kept.store.claim(&lost).expect("claim");
    assert!(matches!(kept.beat(), Beat::Failed(_)));
    fs::remove_file(kept.store.path(Epoch(2)).expect("path")).expect("remove");
    assert!(matches!(kept.beat(), Beat::Written));
    fs::remove_file(kept.store.path(Epoch(1)).expect("path")).expect("remove");
    assert!(matches!(kept.beat(), Beat::Gone(_)));
}

#[test]
fn a_look_finds_the_sign_of_life_of_the_inspected_record_and_of_no_other() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut old, mut new) = (kept(dir.path(), "i-1"), kept(dir.path(), "i-2"));
    old.inspect(1000);
    old.claim(proof(ProofKind::New));
    assert!(new.look().changed, "nothing was inspected yet");
    new.inspect(1000);
    assert_eq!(new.look().alive, Some(0));
    old.beat();
    assert_eq!(new.look().alive, Some(1));
    assert_eq!(new.seen().map(|r| (r.owner.instance, r.alive)), Some(("i-1".into(), 1)));
    old.release(false);
    assert!(new.look().changed, "it let go");
    new.inspect(1000);
    new.claim(proof(ProofKind::Clean));
    assert!(old.look().changed);
}

#[test]
fn the_engines_version_is_in_the_record_before_the_engine_writes_and_passes_to_the_next_epoch() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut kept = kept(dir.path(), "i-1");
    assert!(!kept.level("MQ 1".into()).ok, "nothing was claimed");
    kept.inspect(1000);
    kept.claim(proof(ProofKind::New));
    let on_disk = |kept: &KeptRecord| kept.store.read().expect("read").expect("record").engine_version;
    assert_eq!(on_disk(&kept), None);
    assert!(kept.level("MQ 1".into()).ok);
    assert_eq!(on_disk(&kept).as_deref(), Some("MQ 1"));
    kept.claim(proof(ProofKind::SameHost));
    assert_eq!(on_disk(&kept).as_deref(), Some("MQ 1"));
}

#[test]
fn instances_that_gave_up_are_counted_until_one_serves() {
    let dir = tempfile::tempdir().expect("tempdir");
    for n in 1..=3 {
        let mut kept = kept(dir.path(), &format!("i-{n}"));
        let before = kept
            .inspect(1000)
            .found
            .expect("found")
            .record
            .map_or(0, |r| r.condemned);
        assert_eq!(before, n - 1);
        kept.claim(proof(ProofKind::Clean));
        kept.release(true);
    }
    let mut kept = kept(dir.path(), "i-9");
    kept.inspect(1000);
    kept.claim(proof(ProofKind::Clean));
    assert!(kept.note_served().ok);
    kept.beat();
    assert_eq!(kept.store.read().expect("read").expect("record").condemned, 0);
}

#[test]
fn data_states_and_damage() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut kept = kept(dir.path(), "i-1");
    let own = dir.path().join("QM1/data/QM1");
    fs::create_dir_all(&own).expect("dir");
    assert_eq!(
        kept.inspect(1000).found.expect("found").view().data,
        DataState::HalfCreated
    );
    fs::write(own.join("qm.ini"), "").expect("qm.ini");
    assert_eq!(kept.inspect(1000).found.expect("found").view().data, DataState::Present);
    fs::write(kept.store.path(Epoch(1)).expect("path"), "garbage").expect("damage");
    assert!(matches!(
        kept.inspect(1000).found.expect("found").view().record,
        RecordView::Unreadable(_)
    ));
    assert!(kept.claim(proof(ProofKind::New)).error.is_some());
}

#[test]
fn on_a_copy_the_first_claim_names_the_copy_and_counts_nobody_who_gave_up_on_the_original() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut original = kept(dir.path(), "i-1");
    original.inspect(1000);
    original.claim(proof(ProofKind::New));
    original.level("MQ 9.4.0.0".into());
    original.release(true);
    let mut copied = kept(dir.path(), "i-2");
    copied.config.file_system = "fs-2".into();
    let found = copied.inspect(1000).found.expect("found").record.expect("record");
    assert_eq!((found.original("fs-2"), found.condemned), (Some("fs-1"), 1));
    copied.claim(proof(ProofKind::Copy));
    let record = copied.store.read().expect("read").expect("record");
    assert_eq!(
        (record.file_system.as_deref(), record.epoch, record.condemned),
        (Some("fs-2"), Epoch(2), 0)
    );
    assert_eq!(
        record.engine_version.as_deref(),
        Some("MQ 9.4.0.0"),
        "whoever wrote the data"
    );
}

#[test]
fn a_host_that_waits_is_seen_by_the_owner_and_claims_nothing_of_what_it_saw() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut owner, mut waits) = (kept(dir.path(), "i-1"), kept(dir.path(), "i-2"));
    owner.inspect(1000);
    assert_eq!(owner.claim(proof(ProofKind::New)).epoch, Some(Epoch(1)));
    let second = Duration::from_secs(1);
    for (at, ready) in [(0, false), (1, true)] {
        assert!(matches!(owner.beat(), Beat::Written));
        let found = waits.wait(ready, 1000).found.expect("found").view();
        let RecordView::Present(record) = found.record else {
            panic!("no record")
        };
        assert_eq!((record.alive, record.owner.instance.as_str()), (at + 1, "i-1"));
        let seen = owner.standby(second * u32::try_from(at).expect("a small number"));
        assert_eq!(seen.is_some(), ready, "it says so, and was seen to live");
    }
    assert!(
        waits.claim(proof(ProofKind::Terminated)).changed,
        "nothing was inspected under the lock"
    );
    waits.inspect(1000);
    assert_eq!(waits.claim(proof(ProofKind::Terminated)).epoch, Some(Epoch(2)));
    assert_eq!(owner.standby(second * 3), None, "it waits no more");
    assert!(owner.store.standbys().expect("notes").is_empty());
}

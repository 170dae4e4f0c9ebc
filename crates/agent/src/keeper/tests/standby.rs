//! Who asks for the lock first when several wait.

use super::{Mood, PATIENCE, start, start_with};
use crate::fence::{Epoch, OwnerRecord, Proof, ProofKind, RecordStore, SCHEMA, StandbyNote, Writer};
use crate::model::AsWritten;
use std::time::{Duration, Instant};

#[test]
fn a_host_that_has_just_begun_lets_one_go_first_that_waits() {
    for waits in ["i-1", "i-other"] {
        let dir = tempfile::tempdir().expect("tempdir");
        let config = super::config(dir.path());
        let note = StandbyNote {
            instance: waits.parse().expect("an id"),
            boot: "boot".into(),
            keeper: "keeper-2".into(),
            alive: 1,
            ready: true,
        };
        let store = RecordStore::new(&config.mount, &config.queue_manager);
        store.note_standby(&note).expect("noted");
        let begin = Instant::now();
        let keeper = start(dir.path(), Mood::Fine, PATIENCE);
        keeper.holds();
        let own = note.instance == config.instance;
        assert!(own || begin.elapsed() >= Duration::from_secs(1), "{waits}");
        keeper.client.release(false).expect("released");
        keeper.thread.join().expect("ended");
    }
}

/// What an owner elsewhere wrote last.
fn owner(alive: u64, released: bool) -> OwnerRecord {
    OwnerRecord {
        schema: SCHEMA.into(),
        queue_manager: "QM1".into(),
        file_system: Some("fs-1".into()),
        epoch: Epoch(3),
        owner: Writer {
            instance: "i-0a".into(),
            boot: "boot-0".into(),
        },
        keeper: "keeper-0".into(),
        alive,
        released,
        proof: Proof {
            kind: ProofKind::New,
            previous: None,
        },
        at: "2026-01-01T00:00:00Z".into(),
        engine_version: None,
        condemned: 0,
        served: false,
    }
}

#[test]
fn a_lock_is_given_back_to_an_owner_that_lives_for_a_while_and_once() {
    for released in [false, true] {
        let dir = tempfile::tempdir().expect("tempdir");
        let config = super::config(dir.path());
        let store = RecordStore::new(&config.mount, &config.queue_manager);
        std::fs::create_dir_all(&config.mount).expect("mount");
        store.prepare("keeper-0").expect("its directory");
        store.claim(&owner(1, false)).expect("claimed");
        let keeper = start_with(dir.path(), Mood::Busy, PATIENCE, Duration::from_secs(90));
        keeper.until("it waits", |k| k.client.wait(true).is_ok());
        assert!(keeper.client.stand_back().is_err(), "it has no lock");
        store.update(&owner(2, false)).expect("a heartbeat");
        keeper.client.wait(true).expect("looked");
        // What the owner did since is known only under the lock.
        store.update(&owner(3, released)).expect("its last word");
        keeper.be(Mood::Fine);
        keeper.holds();
        keeper.client.inspect().expect("inspected");
        let begin = Instant::now();
        assert_eq!(keeper.client.stand_back().is_ok(), !released);
        assert_eq!(keeper.client.status().expect("status").held, released);
        keeper.holds();
        assert_eq!(begin.elapsed() >= Duration::from_secs(2), !released);
        keeper.client.inspect().expect("inspected");
        assert!(keeper.client.stand_back().is_err(), "it did not come");
        keeper.client.release(false).expect("released");
        keeper.thread.join().expect("ended");
    }
}

/// Who let go by itself comes after the host that waits, and not before it had its turn.
#[test]
fn a_host_that_let_go_of_the_data_lets_the_one_that_waits_go_first() {
    let dir = tempfile::tempdir().expect("tempdir");
    let config = super::config(dir.path());
    let store = RecordStore::new(&config.mount, &config.queue_manager);
    std::fs::create_dir_all(&config.mount).expect("mount");
    store.prepare("keeper-0").expect("its directory");
    let mut record = owner(1, true);
    record.owner.instance = AsWritten::Id(config.instance.clone());
    store.claim(&record).expect("claimed");
    let note = StandbyNote {
        instance: "i-0b".parse().expect("an id"),
        boot: "boot".into(),
        keeper: "keeper-2".into(),
        alive: 1,
        ready: true,
    };
    store.note_standby(&note).expect("noted");
    let begin = Instant::now();
    let keeper = start(dir.path(), Mood::Fine, PATIENCE);
    keeper.until("it waits", |k| k.client.wait(false).is_ok());
    keeper.holds();
    assert!(begin.elapsed() >= Duration::from_secs(5));
    keeper.client.release(false).expect("released");
    keeper.thread.join().expect("ended");
}

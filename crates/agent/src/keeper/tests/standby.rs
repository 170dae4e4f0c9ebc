//! Who asks for the lock first when several wait.

use super::{Mood, PATIENCE, start};
use crate::fence::{RecordStore, StandbyNote};
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

//! Who waits to take over: a note of each such host, beside the owner record.
//!
//! It says nothing about who may write, and no start is safe because of it: an owner that cannot go on reads there whether letting
//! go would bring service back sooner than another attempt of its own.

use super::record::{BootId, Epoch, OwnerRecord};
use crate::model::{AsWritten, InstanceId};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;

/// A note that was not renewed for this long says nothing: five times the period of the sign of life.
pub(crate) const SIGHTED: Duration = Duration::from_secs(10);
/// A note that was not renewed for this long is of a host that waits no more.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// What a host that waits says of itself: `<mount>/.mqaws/<QM>/standby-<instance>.json`, which nobody else writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandbyNote {
    /// Which host.
    pub instance: InstanceId,
    /// In which life of its kernel.
    pub boot: AsWritten<BootId>,
    /// The keeper that wrote the note.
    pub keeper: String,
    /// Sign of life: rises while the host waits.
    pub alive: u64,
    /// All is prepared.
    pub ready: bool,
}

/// The notes as they were seen, timed by this host's clock.
#[derive(Debug, Default)]
pub(crate) struct Standbys {
    seen: HashMap<InstanceId, Sighting>,
}

#[derive(Debug)]
struct Sighting {
    keeper: String,
    alive: u64,
    /// When it was first seen like this.
    since: Duration,
    /// It was seen to change.
    lives: bool,
}

/// What the notes come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// A host that is ready to take over.
    pub(crate) ready: Option<InstanceId>,
    /// Hosts whose notes can be removed.
    pub(crate) forgotten: Vec<InstanceId>,
}

impl Standbys {
    /// Takes what is there now. A host counts once its note was seen to change, and for [`SIGHTED`] after each change.
    pub(crate) fn look(&mut self, now: Duration, notes: &[StandbyNote]) -> Waiting {
        self.seen
            .retain(|instance, _| notes.iter().any(|note| note.instance == *instance));
        let mut found = Waiting::default();
        for note in notes {
            let same = |seen: &Sighting| seen.keeper == note.keeper && seen.alive == note.alive;
            let before = self.seen.get(&note.instance);
            if !before.is_some_and(same) {
                let sighting = Sighting {
                    keeper: note.keeper.clone(),
                    alive: note.alive,
                    since: now,
                    lives: before.is_some(),
                };
                self.seen.insert(note.instance.clone(), sighting);
            }
            let Some(seen) = self.seen.get(&note.instance) else {
                continue;
            };
            let silent = now.saturating_sub(seen.since);
            if silent > FORGOTTEN {
                found.forgotten.push(note.instance.clone());
            } else if note.ready && seen.lives && silent <= SIGHTED {
                found.ready.get_or_insert_with(|| note.instance.clone());
            }
        }
        found
    }
}

/// For how long a host that waited leaves a lock that it could have to an owner whose heartbeat is fresh.
pub(crate) const STAND_BACK: Duration = Duration::from_secs(2);

/// The owner's sign of life, as a host that waits for the lock has seen it.
///
/// It says who tries first, and nothing about who may write: whoever obtains the lock begins with its proof, as ever.
#[derive(Debug, Default)]
pub(crate) struct OwnerSeen {
    last: Option<(Epoch, u64)>,
    /// When it was last seen to change.
    advanced: Option<Duration>,
    /// The sign of life for which this host stood back, and when it began to.
    stood_back: Option<((Epoch, u64), Duration)>,
}

impl OwnerSeen {
    /// Takes the record of another host as it is now, absent when there is none.
    pub(crate) fn look(&mut self, now: Duration, record: Option<&OwnerRecord>) {
        let found = record.filter(|record| !record.released);
        let found = found.map(|record| (record.epoch, record.alive));
        match (self.last, found) {
            (Some(before), Some(after)) if before != after => self.advanced = Some(now),
            (_, None) => self.advanced = None,
            _ => {}
        }
        self.last = found;
    }

    /// Whether the owner is to try for the lock first, now that this host has it and EC2 says that the owner may run.
    ///
    /// A lock that its lease ended was last proved a lease ago, and the owner's heartbeat ended soon after that: it is not
    /// fresh. If it is, the owner's host lives and has lost its keeper alone, and its next keeper is the quickest way back.
    /// Once for each sign of life: an owner that does not come is waited for once.
    pub(crate) fn goes_first(&mut self, now: Duration, lease: Duration) -> bool {
        let Some(last) = self.last else { return false };
        match self.stood_back {
            Some((before, at)) if before == last => now.saturating_sub(at) < STAND_BACK,
            _ => {
                let fresh = SIGHTED.min(lease * 3 / 4);
                let goes = self.advanced.is_some_and(|at| now.saturating_sub(at) < fresh);
                if goes {
                    self.stood_back = Some((last, now));
                }
                goes
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fence::record::tests::sample;

    fn note(instance: &str, alive: u64, ready: bool) -> StandbyNote {
        StandbyNote {
            instance: instance.parse().expect("an id"),
            boot: "boot".into(),
            keeper: "k".into(),
            alive,
            ready,
        }
    }

    #[test]
    fn a_host_is_ready_while_its_note_says_so_and_changes() {
        let seconds = Duration::from_secs;
        let mut standbys = Standbys::default();
        let mut ready = |at: u64, alive: u64, ready: bool| {
            let found = standbys.look(seconds(at), &[note("i-2", alive, ready)]);
            found.ready.map(|instance| instance.to_string())
        };
        assert_eq!(ready(0, 7, true), None, "it may be the note of a host that is gone");
        assert_eq!(ready(2, 8, true).as_deref(), Some("i-2"));
        assert_eq!(ready(12, 8, true).as_deref(), Some("i-2"));
        assert_eq!(ready(13, 8, true), None, "silent for too long");
        assert_eq!(ready(14, 9, false), None, "alive, and not prepared");
        assert_eq!(ready(16, 10, true).as_deref(), Some("i-2"));
    }

    #[test]
    fn the_note_of_a_host_that_is_gone_is_forgotten() {
        let mut standbys = Standbys::default();
        let old = [note("i-2", 7, true)];
        assert_eq!(standbys.look(Duration::ZERO, &old), Waiting::default());
        let found = standbys.look(FORGOTTEN + Duration::from_secs(1), &old);
        assert_eq!((found.ready, found.forgotten.len()), (None, 1));
    }

    #[test]
    fn an_owner_that_lives_goes_first_for_a_while_and_one_that_is_silent_or_let_go_does_not() {
        let seconds = Duration::from_secs;
        let lease = seconds(90);
        let record = |alive, released| OwnerRecord {
            alive,
            released,
            ..sample()
        };
        let mut owner = OwnerSeen::default();
        assert!(!owner.goes_first(seconds(0), lease), "nothing was seen");
        owner.look(seconds(0), Some(&record(1, false)));
        assert!(
            !owner.goes_first(seconds(0), lease),
            "it may be the record of a host that is gone"
        );
        owner.look(seconds(2), Some(&record(2, false)));
        assert!(owner.goes_first(seconds(3), lease));
        owner.look(seconds(4), Some(&record(2, false)));
        assert!(owner.goes_first(seconds(4), lease), "within the bound");
        assert!(
            !owner.goes_first(seconds(5), lease),
            "it did not come, and is not waited for again"
        );
        owner.look(seconds(6), Some(&record(3, false)));
        assert!(owner.goes_first(seconds(6), lease), "it came, and lost its lock again");

        owner.look(seconds(8), Some(&record(4, false)));
        assert!(!owner.goes_first(seconds(18), lease), "silent for too long");
        owner.look(seconds(20), Some(&record(5, false)));
        assert!(!owner.goes_first(seconds(23), seconds(3)), "the lease may have ended");
        owner.look(seconds(24), Some(&record(6, true)));
        assert!(!owner.goes_first(seconds(24), lease), "it let go");
        owner.look(seconds(25), None);
        assert!(!owner.goes_first(seconds(25), lease));
    }
}

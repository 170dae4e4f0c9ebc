//! Who waits to take over: a note of each such host, beside the owner record.
//!
//! It says nothing about who may write, and no start is safe because of it: an owner that cannot go on reads there whether letting
//! go would bring service back sooner than another attempt of its own.

use super::record::BootId;
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

#[cfg(test)]
mod tests {
    use super::*;

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
}

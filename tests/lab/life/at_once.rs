//! Labs that are started in one place at the same moment.

use crate::support::{Lab, Running, until};
use mqaws_lab::process::{self, LAB_MARK};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;

/// Whoever starts second finds the first one's lab, whether the place was empty or held what a killed lab left; nobody ends
/// the lab of another.
#[test]
fn labs_started_at_once_in_one_place_are_one_lab() {
    let lab = Lab::new();
    let mut ids = BTreeSet::new();
    for round in 0..8 {
        let up = |_| lab.spawn(&["lab", "up", "--output", "json"]);
        let starts: Vec<Running> = (0..4).map(up).collect();
        let said: Vec<Value> = starts
            .into_iter()
            .map(|start| {
                let said = start.wait();
                assert_eq!(said.code, Some(0), "round {round}: {said}");
                said.json()
            })
            .collect();
        let record = lab.record();
        assert!(
            said.iter().all(|one| one["id"] == *record.id),
            "round {round}: {said:?}"
        );
        ids.insert(record.id.clone());
        // The next round finds what a killed lab leaves.
        assert!(process::signal(record.server(), Signal::KILL));
        until("the server is gone", || {
            (!process::is_alive(record.server())).then_some(())
        });
    }
    lab.run(&["lab", "down"], 0);
    assert!(!lab.dir().exists());
    for id in ids {
        assert_eq!(
            process::marked(LAB_MARK, &id),
            Vec::new(),
            "processes of a lab that was killed"
        );
    }
}

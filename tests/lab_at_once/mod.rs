//! Labs that are started in one place at the same moment.

use super::{Place, mqaws, until};
use mqaws_lab::home;
use mqaws_lab::process::{self, LAB_MARK};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::{Child, Stdio};

fn up(place: &Place) -> Child {
    mqaws()
        .args(["lab", "up", "--output", "json"])
        .env("MQAWS_LAB_DIR", place.lab())
        .env("TMPDIR", place.root.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mqaws runs")
}

/// Whoever starts second finds the first one's lab, whether the place was empty or held what a killed lab left; nobody ends
/// the lab of another.
#[test]
fn labs_started_at_once_in_one_place_are_one_lab() {
    let place = Place::new();
    let mut ids = BTreeSet::new();
    for round in 0..8 {
        let starts: Vec<Child> = (0..4).map(|_| up(&place)).collect();
        let said: Vec<Value> = starts
            .into_iter()
            .map(|start| {
                let output = start.wait_with_output().expect("ends");
                assert!(
                    output.status.success(),
                    "round {round}: {}{}",
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr)
                );
                serde_json::from_slice(&output.stdout).expect("one JSON document")
            })
            .collect();
        let record = home::read_record(&place.lab()).expect("a record of a running lab");
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
    place.run(&["lab", "down"]);
    assert!(!place.lab().exists());
    for id in ids {
        assert_eq!(
            process::marked(LAB_MARK, &id),
            Vec::new(),
            "processes of a lab that was killed"
        );
    }
}

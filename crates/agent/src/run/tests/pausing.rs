//! An operator's stop, ordered on the command line and kept beside the data.

use super::fencing::command;
use super::*;

#[test]
fn what_an_operator_stopped_is_started_by_no_other_host_until_it_is_resumed() {
    let site = site();
    let first = site.boot("i-1");
    first.serves(1);
    // The double of the engine makes no data, without which nobody starts after it has served.
    fs::create_dir_all(site.shared.join("QM1/data/QM1")).expect("data");
    fs::write(site.shared.join("QM1/data/QM1/qm.ini"), "").expect("qm.ini");
    assert!(command(&first, &["resume"]), "without need, and no error");
    assert!(command(&first, &["pause", "--reason", "a new disk"]));
    assert!(command(&first, &["pause"]), "once more changes nothing");
    let paused = |host: &Host| {
        let status = host.until("paused", |s| s.state == AgentState::Paused);
        status.paused.expect("who")
    };
    let stop = paused(&first);
    assert_eq!(stop.why.as_deref(), Some("a new disk"));
    assert!(
        !stop.by.is_empty() && stop.since.parse::<jiff::Timestamp>().is_ok(),
        "{stop:?}"
    );
    // The operator ends the engine, and the host goes.
    processes::signal(first.engine.pid().expect("runs"), rustix::process::Signal::KILL);
    first.stop();
    assert!(!command(&first, &["pause"]), "it has no data any more");

    let second = site.boot("i-2");
    assert_eq!(paused(&second), stop);
    let status = second.until("its epoch", |s| s.epoch == Some(2));
    assert_eq!(status.proof.map(|p| p.kind), Some(ProofKind::Clean));
    assert_eq!((second.engine.pid(), status.lock_held), (None, true));
    assert!(command(&second, &["resume"]));
    assert_eq!(second.serves(3).paused, None);
    let store = RecordStore::new(&site.shared, "QM1");
    assert_eq!(store.paused().expect("read"), None);
    second.stop();
}

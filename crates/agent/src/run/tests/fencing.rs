//! Starts without EC2's word: on a lease, and on a person's.

use super::*;
use crate::agent::commands::{self, Guard};
use crate::agent::duty::DUTIES;
use crate::fence::{Epoch, LeaseTimes, OwnerRecord, Proof, ProofKind, SCHEMA, Writer};

/// A site whose data were left by i-old, which is neither there nor known to have stopped: EC2's API is silent.
fn abandoned() -> Site {
    abandoned_on(None)
}

/// The same, where the record says on which file system it was written.
fn abandoned_on(file_system: Option<&str>) -> Site {
    let site = site();
    fs::create_dir_all(site.shared.join("QM1/data/QM1")).expect("data");
    fs::write(site.shared.join("QM1/data/QM1/qm.ini"), "").expect("qm.ini");
    let store = RecordStore::new(&site.shared, "QM1");
    store.prepare("k-old").expect("prepare");
    let record = OwnerRecord {
        schema: SCHEMA.into(),
        queue_manager: "QM1".into(),
        file_system: file_system.map(str::to_owned),
        epoch: Epoch(1),
        owner: Writer {
            instance: "i-old".into(),
            boot: "another".into(),
        },
        keeper: "k-old".into(),
        alive: 9,
        released: false,
        proof: Proof {
            kind: ProofKind::New,
            previous: None,
        },
        at: String::new(),
        engine_version: None,
        condemned: 0,
        served: false,
    };
    store.claim(&record).expect("claim");
    site
}

impl Site {
    fn boot_in_silence(&self, policy: Policy) -> Host {
        let engine = Arc::new(Sleeper::default());
        let unstarted = Host::prepare(self.dir.path(), &self.shared, &self.server, "i-new", engine);
        unstarted.host.world.silent.store(true, Ordering::SeqCst);
        unstarted.started(policy)
    }
}

fn waits(host: &Host) -> AgentStatus {
    host.until("waiting for i-old", |s| {
        s.previous.as_ref().is_some_and(|p| p.instance == "i-old")
    })
}

fn proof(status: &AgentStatus) -> (String, Option<String>) {
    let proof = status.proof.clone().expect("proof");
    (proof.kind.to_string(), proof.previous)
}

/// Runs a command of the agent's command line; whether it succeeded.
pub(super) fn command(host: &Host, words: &[&str]) -> bool {
    let code = commands::run(
        words,
        &commands::Place {
            layout: &host.layout,
            guard: &Guard::Lab { own_network: false },
            engines: mqaws_engine::PRODUCTS,
            duties: DUTIES,
            own: &[],
        },
        |_, _| panic!("no engine is needed"),
        || panic!("no call is needed"),
    );
    format!("{code:?}") == format!("{:?}", std::process::ExitCode::SUCCESS)
}

#[test]
fn a_silent_owner_is_outwaited_when_ec2_never_answers() {
    let site = abandoned();
    let mut policy = Policy::default();
    policy.inquiry.times = LeaseTimes {
        self_reset: Duration::from_millis(200),
        margin: Duration::from_millis(100),
    };
    let host = site.boot_in_silence(policy);
    let status = host.serves(2);
    assert_eq!(proof(&status), ("lease".into(), Some("i-old".into())));
    assert!(host.calls().iter().any(|c| c == "describe i-old"));
    host.stop();
}

#[test]
fn a_person_decides_over_the_command_line_by_naming_the_previous_owner() {
    let site = abandoned();
    let host = site.boot_in_silence(Policy::default());
    let status = waits(&host);
    assert_eq!((status.state.as_str(), status.lock_held), ("fencing", true));
    assert!(command(&host, &["fence"]) && command(&host, &["fence", "--json"]));
    for named in ["i-new", "i-older"] {
        assert!(!command(&host, &["fence", "operator", named]), "{named}");
    }
    assert_eq!(waits(&host).decision, None);
    assert!(command(&host, &["fence", "operator", "i-old"]));
    let status = host.serves(2);
    assert_eq!(proof(&status), ("operator".into(), Some("i-old".into())));
    let record = RecordStore::new(&site.shared, "QM1")
        .read()
        .expect("read")
        .expect("record");
    assert_eq!(record.proof.to_string(), "operator (i-old)");
    assert!(
        !command(&host, &["fence", "operator", "i-old"]),
        "nothing is left to decide"
    );
    host.stop();
}

#[test]
fn a_decision_that_the_agent_refuses_is_answered_too() {
    let site = site();
    let host = site.boot("i-1");
    host.serves(1);
    // Past the command's own check, as from a status that was true a moment ago.
    let decision = r#"{"id": "7", "named": "i-old"}"#;
    fs::write(host.layout.decision(), decision).expect("decision");
    let status = host.until("an answer", |s| s.decision.is_some());
    let answer = status.decision.expect("decision");
    assert_eq!(answer.id, "7");
    assert!(answer.refused.is_some_and(|why| why.contains("no decision is pending")));
    assert!(!host.layout.decision().exists());
    assert_eq!(host.serves(1).restarts, 0);
    host.stop();
}

#[test]
fn a_copy_is_started_by_naming_the_original_and_then_has_a_record_of_its_own() {
    let site = abandoned_on(Some("fs-old"));
    let mut policy = Policy::default();
    policy.inquiry.times = LeaseTimes {
        self_reset: Duration::ZERO,
        margin: Duration::ZERO,
    };
    let host = site.boot_in_silence(policy);
    let status = host.until("a copy", |s| s.original.is_some());
    let original = status.original.clone().expect("original");
    assert_eq!(
        (original.file_system.as_str(), original.owner.as_str()),
        ("fs-old", "i-old")
    );
    assert_eq!(
        (status.state.as_str(), status.lock_held, status.previous),
        ("fencing", true, None)
    );
    assert!(
        status
            .alarm
            .is_some_and(|why| why.contains("`mqaws-agent fence copy fs-old`"))
    );
    assert!(command(&host, &["fence"]) && command(&host, &["fence", "--json"]));
    for wrong in [["operator", "i-old"], ["copy", "fs-1"], ["copy", "i-old"]] {
        assert!(!command(&host, &["fence", wrong[0], wrong[1]]), "{wrong:?}");
    }
    assert!(command(&host, &["fence", "copy", "fs-old"]));
    let status = host.serves(2);
    assert_eq!(proof(&status), ("copy".into(), Some("i-old".into())));
    assert_eq!(
        status.decision.map(|d| (d.kind, d.named)),
        Some(("copy".into(), "fs-old".into()))
    );
    let of_ec2 = |call: &&String| call.starts_with("describe") || call.starts_with("terminate");
    assert_eq!(
        host.calls().iter().filter(of_ec2).count(),
        0,
        "the owner of the original is left alone"
    );
    let store = RecordStore::new(&site.shared, "QM1");
    let record = store.read().expect("read").expect("record");
    assert_eq!((record.file_system.as_deref(), record.epoch), (Some("fs-1"), Epoch(2)));
    host.stop();
    // The next one finds a record of this file system.
    let next = site.boot("i-next");
    assert_eq!(proof(&next.serves(3)).0, "clean");
    next.stop();
}

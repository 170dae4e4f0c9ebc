//! A planned move, from one host to the other and back.

use super::pause::on_instance;
use super::{Members, agent, cut, deployed, members, most_engines};
use crate::support::{Lab, runs, until};

#[test]
fn a_planned_move_under_load_loses_nothing_and_leaves_a_ready_standby() {
    let lab = Lab::up(&[]);
    let mut before = deployed(&lab);
    let mut epoch = 1;
    let mut moved = |lab: &Lab, before: &Members| {
        let after = until("both members", || members(lab).filter(|now| now != before));
        assert_eq!(
            (&after.active, &after.standby),
            (&before.standby, &before.active),
            "they changed places"
        );
        let status = agent(lab, &after.active);
        let now = status["epoch"].as_u64().expect("its epoch");
        assert!(now > epoch, "epochs rise: {epoch}, then {now}");
        assert_eq!(status["proof"]["kind"], "clean", "{status}");
        epoch = now;
        after
    };
    for _ in 0..2 {
        let (report, most) = most_engines(&lab, || lab.failover(&["--fault", "move"], 0));
        assert_eq!(most, 1, "never two engines at a time");
        let run = &runs(&report)[0];
        println!(
            "move: {} s, {}",
            run["rto"]["ns"].as_f64().unwrap_or_default() / 1e9,
            run["rto"]["phases"]
        );
        assert_eq!(
            (&run["fault"]["verified"], &run["ledger"]["lost"]),
            (&true.into(), &0.into()),
            "{}",
            run["fault"]
        );
        let row = &report["summary"]["faults"][0];
        assert_eq!(row["measured"][0], row["expected"], "{row}");
        before = moved(&lab, &before);
    }

    // An operator, without load: the same.
    let refused = lab.run(&["failover", "--local"], 2);
    assert!(refused.err.contains("requires confirmation"), "{refused}");
    let done = lab.json(&["failover", "--local", "--yes"], 0);
    assert_eq!(
        (&done["from"], &done["to"], &done["proof"]),
        (
            &before.active.as_str().into(),
            &before.standby.as_str().into(),
            &"clean".into()
        ),
        "{done}"
    );
    assert_eq!(done["schema"], "mqaws.move/1", "{done}");
    before = moved(&lab, &before);

    // Neither what is stopped is moved, nor what nobody is ready for.
    let failover = ["failover", "--local", "--yes"];
    assert_eq!(on_instance(&lab, &before.active, &["pause"]).code, Some(0));
    let refused = lab.run(&failover, 3);
    assert!(
        refused.err.contains("is paused on i-") && refused.err.contains("resume"),
        "{refused}"
    );
    let waits = on_instance(&lab, &before.active, &["failover"]);
    assert!(waits.code != Some(0) && waits.err.contains("paused"), "{waits}");
    assert_eq!(on_instance(&lab, &before.active, &["resume"]).code, Some(0));
    until("it serves again", || members(&lab));
    cut(&lab, &before.standby);
    let refused = lab.run(&failover, 3);
    assert!(
        refused.err.contains("no standby") && refused.err.contains("--without-standby"),
        "{refused}"
    );
}

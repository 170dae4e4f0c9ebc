//! `heal` beside a test that goes on, and after one that was killed.

use crate::support::{Lab, Running};
use rustix::process::Signal;

/// A test that has marked the stack and made its queues, and then waits for long.
fn under_way(lab: &Lab, out: &str) -> Running {
    let mut running = lab.spawn(&["failover-test", "--local", "--baseline", "200s", "--out", out]);
    running.until_out("load");
    running
}

#[test]
fn heal_leaves_a_living_test_alone() {
    let lab = Lab::deployed(&[]);
    let test = under_way(&lab, "first");
    let text = lab.run(&["failover-test", "heal", "--local"], 3).err;
    let pid = test.child.id().to_string();
    assert!(
        text.contains(&format!("process {pid}")) && text.contains("--force"),
        "{text}"
    );
    assert!(text.contains("nothing was changed"), "{text}");
    // Another test is refused too, and names the same.
    let busy = lab.run(&["failover-test", "--local"], 3);
    assert!(busy.err.contains(&format!("process {pid}")), "{busy}");
    // So is a planned move, which would be a fault that the test did not inject.
    let move_it = ["failover", "--local", "--yes"];
    let moved = lab.run(&move_it, 3);
    assert!(
        moved.err.contains(&format!("process {pid}")) && moved.err.contains("nothing was changed"),
        "{moved}"
    );

    // So are a deployment, which would replace instances, and the end of the stack.
    let others = [&["deploy", "--local", "--yes"][..], &["destroy", "--local", "--yes"]];
    for verb in others {
        let refused = lab.run(verb, 3);
        assert!(
            refused.err.contains(&format!("process {pid}")) && refused.err.contains("nothing was changed"),
            "{refused}"
        );
    }

    // Its process is gone: nothing more has to be known.
    test.signal(Signal::KILL);
    test.wait();
    let text = lab.run(&["failover-test", "--local"], 3).err;
    assert!(
        text.contains(&format!("process {pid}")) && text.contains("that test has ended"),
        "{text}"
    );
    let moved = lab.run(&move_it, 3);
    assert!(moved.err.contains("that test has ended"), "{moved}");
    for verb in others {
        let refused = lab.run(verb, 3);
        assert!(
            refused.err.contains("that test has ended") && refused.err.contains("failover-test heal"),
            "{refused}"
        );
    }
    // The command as it is given, which needs no more than the dead process.
    let pasted: Vec<&str> = text.split('`').nth(1).expect("a command").split(' ').collect();
    assert_eq!(
        pasted,
        ["mqaws", "failover-test", "heal", "--stack", "mqaws-qm1", "--local"]
    );
    let healed = lab.run(&pasted[1..], 0);
    assert!(healed.out.contains("healed"), "{healed}");
    let again = lab.run(&["failover-test", "heal", "--local"], 0);
    assert!(again.out.contains("healed"), "{again}");

    // Who means it can; the test is not taken for one that measured something.
    let test = under_way(&lab, "second");
    lab.run(&["failover-test", "heal", "--local", "--force"], 0);
    // Long before its load is over it sees that.
    let ended = test.wait();
    assert_eq!(ended.code, Some(20), "{ended}");
    assert!(ended.err.contains("was removed during the test"), "{ended}");
    lab.failover(&["--fault", "stop-queue-manager"], 0);
}

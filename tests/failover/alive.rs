//! `heal` beside a test that goes on, and after one that was killed.

use super::{LIMIT, Lab, Running, rand_name};
use rustix::process::{Pid, Signal, kill_process};
use std::time::Instant;

/// A test that has marked the stack and made its queues, and then waits for long.
fn under_way(lab: &Lab) -> Running {
    let out = format!("{:x}", rand_name());
    let running = lab.spawn(&["failover-test", "--local", "--baseline", "200s", "--out", &out]);
    let deadline = Instant::now() + LIMIT;
    while !std::fs::read_to_string(&running.out).unwrap().contains("load") {
        let said = || std::fs::read_to_string(&running.err).unwrap();
        assert!(Instant::now() < deadline, "{}", said());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    running
}

fn signal(running: &Running, signal: Signal) {
    let pid = Pid::from_raw(running.child.id().cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[test]
fn heal_leaves_a_living_test_alone() {
    let lab = Lab::deployed(&[]);
    let test = under_way(&lab);
    let refused = lab.run(&["failover-test", "heal", "--local"], 3);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    let pid = test.child.id().to_string();
    assert!(
        text.contains(&format!("process {pid}")) && text.contains("--force"),
        "{text}"
    );
    assert!(text.contains("nothing was changed"), "{text}");
    // Another test is refused too, and names the same.
    let busy = lab.run(&["failover-test", "--local"], 3);
    assert!(String::from_utf8_lossy(&busy.stderr).contains(&format!("process {pid}")));

    // Its process is gone: nothing more has to be known.
    signal(&test, Signal::KILL);
    test.wait();
    let busy = lab.run(&["failover-test", "--local"], 3);
    let text = String::from_utf8_lossy(&busy.stderr).into_owned();
    assert!(
        text.contains(&format!("process {pid}")) && text.contains("which is over"),
        "{text}"
    );
    // The command as it is given, which needs no more than the dead process.
    let pasted: Vec<&str> = text.split('`').nth(1).expect("a command").split(' ').collect();
    assert_eq!(
        pasted,
        ["mqaws", "failover-test", "heal", "--stack", "mqaws-qm1", "--local"]
    );
    let healed = lab.run(&pasted[1..], 0);
    assert!(String::from_utf8_lossy(&healed.stdout).contains("healed"));
    let again = lab.run(&["failover-test", "heal", "--local"], 0);
    assert!(String::from_utf8_lossy(&again.stdout).contains("healed"));

    // Who means it can; the test is not taken for one that measured something.
    let test = under_way(&lab);
    lab.run(&["failover-test", "heal", "--local", "--force"], 0);
    // Long before its load is over it sees that.
    let ended = test.wait();
    let text = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(20), "{text}");
    assert!(text.contains("was taken away while it ran"), "{text}");
    lab.failover(&["--fault", "stop-queue-manager"], 0);
}

//! Failover tests through a relay that lies: what a bad broker or network does to clients must not pass, and what it may do must.

mod relay;

use crate::support::{LIMIT, Lab, failing, runs};
use relay::{How, Lie, Relay, Whose};
use std::net::SocketAddr;
use std::time::Duration;

/// Clients of a test with the usual load.
const WORKERS: usize = 6;

/// Where the lab's broker answers.
fn broker(lab: &Lab) -> SocketAddr {
    let status = lab.json(&["status", "--local"], 0);
    let host = status["load_balancer"]["dns_name"].as_str().unwrap();
    format!("{host}:5672").parse().unwrap()
}

/// The relay itself changes nothing: the same faults pass through it.
#[test]
fn the_truth_passes() {
    let lab = Lab::deployed(&[]);
    let relay = Relay::start(broker(&lab), Lie::None);
    for fault in ["kill-queue-manager", "hang-queue-manager"] {
        let report = lab.failover(&["--fault", fault, "--amqp-url", &relay.url()], 0);
        assert_eq!(runs(&report)[0]["ledger"]["lost"], 0, "{:?}", failing(&report));
    }
    assert!(relay.messages() > 5000 && relay.lies() == 0, "{}", relay.messages());
}

/// An outage that begins with the recovery and reaches the end of the time to settle is an outage, whoever has it.
#[test]
fn an_outage_that_reaches_the_end_of_the_load_counts() {
    let lab = Lab::deployed(&[]);
    for (whose, settle) in [
        (Whose::All, "4s"),
        (Whose::All, "2s"),
        (Whose::Producers, "4s"),
        (Whose::Consumers, "4s"),
        // The other one is served all the while.
        (Whose::OneConsumer, "2s"),
    ] {
        let relay = Relay::start(broker(&lab), Lie::None);
        let url = relay.url();
        let args = ["--max-rto", "1500ms", "--settle", settle, "--amqp-url", &url];
        let report = lab.failover_while(&args, 12, |running| {
            assert!(relay.wait_for_recovery(WORKERS, LIMIT, || running.is_over()));
            relay.freeze(whose, Duration::from_millis(4500));
        });
        let run = &runs(&report)[0];
        assert_eq!(failing(&report), ["rto.max"], "{whose:?}");
        assert!(
            run["rto"]["ns"].as_u64().unwrap() > 4_000_000_000,
            "{whose:?}: {}",
            run["rto"]
        );
        assert_eq!(run["ledger"]["lost"], 0);
    }
}

/// A message comes twice from a living connection, or long after it was settled: no lost connection explains that, and no flag does.
#[test]
fn duplicates_of_living_connections_fail() {
    let lab = Lab::deployed(&[]);
    let settled_long_before = How::AfterEnd {
        from: Duration::from_secs(7),
        to: Duration::from_secs(60),
    };
    for how in [How::Same, How::Other, settled_long_before] {
        for flagged in [false, true] {
            let relay = Relay::start(
                broker(&lab),
                Lie::Repeat {
                    every: 50,
                    flagged,
                    how,
                },
            );
            let baseline = if how == settled_long_before { "9s" } else { "2s" };
            let args = ["--baseline", baseline, "--amqp-url", &relay.url()];
            let report = lab.failover(&args, 13);
            // A copy on another way may also come before its like there.
            let failing = failing(&report);
            let known = |name: &String| ["duplicates", "order"].contains(&name.as_str());
            assert!(
                failing.contains(&"duplicates".to_owned()) && failing.iter().all(known),
                "{how:?} flagged {flagged}: {failing:?}"
            );
            assert!(relay.lies() > 0);
        }
    }
}

/// What was settled shortly before a connection ended may come back: an acceptance has no answer.
#[test]
fn what_was_settled_shortly_before_the_end_may_come_back() {
    let lab = Lab::deployed(&[]);
    for flagged in [false, true] {
        let how = How::AfterEnd {
            from: Duration::ZERO,
            to: Duration::from_millis(3500),
        };
        let relay = Relay::start(
            broker(&lab),
            Lie::Repeat {
                every: 20,
                flagged,
                how,
            },
        );
        let report = lab.failover(&["--baseline", "9s", "--amqp-url", &relay.url()], 0);
        let tally = &runs(&report)[0]["ledger"]["tally"];
        let extra = |name: &str| tally[name].as_u64().unwrap();
        // Those of the check before the load come back too, and are another round's.
        assert!(relay.lies() > 50, "{}", relay.lies());
        let came_back = extra("extra_flagged") + extra("extra_unflagged") + extra("foreign");
        // The round may end before a consumer reads the copy behind its last message.
        assert!(came_back + 2 >= relay.lies(), "{} lies, {tally}", relay.lies());
        assert_eq!(extra("extra_unexplained"), 0, "{tally}");
    }
}

/// With two consumers, too, no message may be overtaken by later ones of its producer on the way to one of them.
#[test]
fn order_is_judged_with_several_consumers() {
    let lab = Lab::deployed(&[]);
    let lie = |flagged| Lie::Overtake {
        every: 100,
        by: 12,
        flagged,
    };
    let relay = Relay::start(broker(&lab), lie(false));
    let report = lab.failover(&["--amqp-url", &relay.url()], 13);
    assert_eq!(failing(&report), ["order"], "{}", runs(&report)[0]["ledger"]["tally"]);
    // What is flagged may have been at another consumer before: not judged, and said so.
    let relay = Relay::start(broker(&lab), lie(true));
    let report = lab.failover(&["--amqp-url", &relay.url()], 0);
    let tally = &runs(&report)[0]["ledger"]["tally"];
    assert!(
        relay.lies() > 0 && tally["order_not_judged"].as_u64().unwrap() > 0,
        "{tally}"
    );
}

//! The broker on hosts with a network of their own, where neither its ports nor its node's name are the machine's.

use super::{example, is_here};
use crate::support::judge::{HOSTS, skip};
use crate::support::{Lab, failing, runs};

/// Killed, it comes back in place; when its host has lost its power, another one goes on with its data.
#[test]
fn on_hosts_with_a_network_of_their_own_nothing_that_was_confirmed_is_lost() {
    if !is_here("RabbitMQ in namespaces") {
        return;
    }
    let lab = Lab::new();
    let said = lab.spawn(&["lab", "up", "--hosts", "namespace"]).wait();
    if said.code != Some(0) {
        let why = said.err.lines().next().unwrap_or_default();
        return skip(HOSTS, "namespaces: RabbitMQ", why);
    }
    let example = example();
    let config = ["--config", example.as_str()];
    lab.run(&[&["deploy", "--local", "--yes"][..], &config].concat(), 0);
    for (fault, proof, same) in [
        ("kill-queue-manager", "same-host", true),
        ("power-off-host", "terminated", false),
    ] {
        let report = lab.failover(&[&["--yes", "--fault", fault][..], &config].concat(), 0);
        assert_eq!(failing(&report), Vec::<String>::new(), "{fault}");
        assert_eq!(
            (&report["place"]["hosts"], &report["driver"]["name"]),
            (&"namespace".into(), &"amqp091".into())
        );
        let run = &runs(&report)[0];
        assert_eq!(
            (&run["fault"]["verified"], &run["ledger"]["lost"]),
            (&true.into(), &0.into()),
            "{fault}: {}",
            run["fault"]
        );
        let (before, after) = (&run["served_before"], &run["served_after"]);
        assert_eq!(after["proof"], proof, "{fault}");
        assert_eq!(before["instance"] == after["instance"], same, "{fault}");
        assert!(after["epoch"].as_u64() > before["epoch"].as_u64(), "{fault}");
        println!("{fault}: {} s", run["rto"]["ns"].as_f64().unwrap_or_default() / 1e9);
    }
    lab.run(&[&["destroy", "--local", "--yes"][..], &config].concat(), 0);
    lab.end();
}

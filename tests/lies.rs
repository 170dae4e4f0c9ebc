//! Failover tests through a relay that lies: what a bad broker or network does to clients must not pass, and what it may do must.

#![allow(clippy::unwrap_used)] // A test that cannot read its report has failed.
#![cfg(feature = "cli")]

mod private_lab;
mod relay;

use private_lab::{Lab, failing, runs};
use relay::{Lie, Relay};
use serde_json::Value;
use std::net::SocketAddr;

/// Where the lab's broker answers.
fn broker(lab: &Lab) -> SocketAddr {
    let status = lab.run(&["status", "--local", "--output", "json"], 0);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
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

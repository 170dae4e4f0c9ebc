//! The stories, one function each.

use crate::phases;
use crate::site::{Site, until};

/// The first host's power goes off without warning: the second, in another zone, serves the same messages.
pub fn the_power_goes_off_and_another_zone_serves_the_same_messages() {
    let site = Site::deployed();
    let first = site.running();
    let sent = site.put("before", 200);
    let fault = phases::now();
    site.rig("cut", &first);
    let second = site.successor(&first);
    let status = site.serving(&second);
    let serving = phases::now();
    let got = site.get(sent.len());
    let served = phases::now();
    assert_eq!(got, sent, "every message, once, in order");
    let proof = status.proof.expect("a start has a proof");
    assert_eq!((proof.kind.as_str(), proof.previous.as_deref()), ("terminated", Some(first.id.as_str())));
    let audit = site.one_writer();
    assert!(audit.runs.iter().any(|r| r.epoch == status.epoch.unwrap_or_default()), "{audit:?}");
    let seen = [("seen to serve", serving), ("messages got by a client", served)];
    phases::print(
        &format!("power off in {}, takeover in {}", first.zone, second.zone),
        fault,
        &site.console(&second),
        &site.marks(&second),
        &seen,
    );
    until("EC2 says what became of the first", crate::site::PATIENCE, || {
        site.instances().iter().any(|i| i.id == first.id && i.state == "terminated").then_some(())
    });
}

//! The certificate is read again while the queue manager serves.

use super::host::Host;
use super::*;
use std::time::Duration;

#[test]
fn a_certificate_is_read_again_while_it_serves_and_a_wrong_one_harms_nobody() {
    let mut host = Host::new();
    host.machine.policy.certificate = Some(Duration::from_secs(300));
    host.send(Event::Begin);
    host.settle();
    host.renew = Err("the password does not open it".into());
    while host.now < Duration::from_secs(1000) {
        host.tick();
        assert_eq!(host.state(), State::Serving);
    }
    assert_eq!(host.ordered(|w| *w == Work::Renew), 3);
    assert_eq!(host.machine.view().restarts, 0);
    let mut host = Host::serving();
    for _ in 0..500 {
        host.tick();
    }
    assert_eq!(host.ordered(|w| *w == Work::Renew), 0, "without a certificate");
}

#[test]
fn a_new_certificate_that_cannot_be_used_is_told_for_as_long_as_that_is_so() {
    let mut host = Host::new();
    host.machine = SingleWriter::new(Policy {
        certificate: Some(Duration::from_secs(300)),
        ..Policy::default()
    });
    host.send(Event::Begin);
    host.settle();
    host.renew = Err("its `password` does not open its `pkcs12`".into());
    let told = |host: &Host| host.machine.view().last_error;
    for _ in 0..400 {
        host.tick();
    }
    assert!(host.ordered(|w| *w == Work::Renew) > 0 && host.ordered(|w| *w == Work::Check) > 100);
    assert_eq!(
        told(&host),
        host.renew.clone().err(),
        "after health checks that found all well"
    );
    host.renew = Ok(true);
    for _ in 0..400 {
        host.tick();
    }
    assert_eq!((told(&host), host.state()), (None, State::Serving));
}

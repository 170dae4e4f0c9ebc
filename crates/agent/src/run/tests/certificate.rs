//! The certificate: waited for, shown, renewed while the engine serves.

use super::*;
use crate::agent::ports::Engine;

fn with_certificate() -> Policy {
    Policy {
        certificate: Some(Duration::from_millis(20)),
        ..Policy::default()
    }
}

impl Host {
    fn shows(&self, label: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.engine.shown.lock().expect("shown").as_deref() != Some(label) {
            assert!(Instant::now() < deadline, "never shown: {label}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn nothing_starts_without_the_certificate_and_a_new_one_is_shown_without_a_restart() {
    let site = site();
    let engine = Arc::new(Sleeper::default());
    let host = Host::prepare(site.dir.path(), &site.shared, &site.server, "i-1", engine).started(with_certificate());
    host.until("waiting", |s| {
        s.last_error.as_deref() == Some("Secrets Manager does not answer")
    });
    assert_eq!(host.engine.pid(), None, "nothing was started");

    *host.world.certificate.lock().expect("certificate") = Some("first");
    host.serves(1);
    host.shows("first");
    let pid = host.engine.pid();
    *host.world.certificate.lock().expect("certificate") = Some("second");
    host.shows("second");

    *host.world.certificate.lock().expect("certificate") = Some("unusable");
    host.until("told", |s| s.last_error.as_deref() == Some("unusable"));
    *host.world.certificate.lock().expect("certificate") = None;
    host.until("told", |s| {
        s.last_error.as_deref() == Some("Secrets Manager does not answer")
    });
    host.shows("second");
    assert_eq!((host.serves(1).restarts, host.engine.pid()), (0, pid));
    host.stop();
}

#[test]
fn a_secret_that_is_waited_for_holds_up_no_restart() {
    let site = site();
    let engine = Arc::new(Sleeper::default());
    let host = Host::prepare(site.dir.path(), &site.shared, &site.server, "i-1", engine);
    let host = host.started(with_certificate());
    *host.world.certificate.lock().expect("certificate") = Some("first");
    host.serves(1);
    host.shows("first");
    // Whoever asks for it waits as long as this is held.
    let held = host.world.certificate.lock().expect("certificate");
    host.world.calls.lock().expect("calls").clear();
    let deadline = Instant::now() + PATIENCE;
    while !host
        .world
        .calls
        .lock()
        .expect("calls")
        .iter()
        .any(|c| c == "certificate")
    {
        assert!(Instant::now() < deadline, "nobody asks for it");
        std::thread::sleep(Duration::from_millis(5));
    }
    host.engine.kill().expect("killed");
    host.serves(2);
    drop(held);
    host.stop();
}

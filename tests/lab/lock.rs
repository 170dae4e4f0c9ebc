//! Every implementation of the lock passes one conformance suite: here the client of the lease server, against the real
//! server of the local cloud. The lock on NFS does so between the guests of `tests/hosts`.

use mqaws::lab_agent::LeaseLock;
use mqaws_agent::fence::{Bench, Lock, LockError, conformance};
use mqaws_lab::lease::{Hosts, LeaseServer};
use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const LEASE: Duration = Duration::from_millis(900);

/// Hosts run until their power is cut.
#[derive(Default)]
struct Power(Mutex<HashSet<String>>);

impl Hosts for Power {
    fn runs(&self, instance: String) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        let runs = !self.0.lock().expect("power").contains(&instance);
        Box::pin(std::future::ready(runs))
    }
}

struct Lab {
    address: SocketAddr,
    keepers: AtomicUsize,
}

impl Bench for Lab {
    fn keeper(&self, instance: &str) -> Box<dyn Lock> {
        let token = format!("{instance}-{}", self.keepers.fetch_add(1, Ordering::Relaxed));
        Box::new(LeaseLock::new(
            self.address,
            "fs-1",
            ".mqaws/QM1/lock",
            instance,
            &token,
            LEASE,
        ))
    }
}

/// A server on a thread of its own, which lives as long as the test program.
fn lab(power: Arc<Power>) -> Lab {
    let (send, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("runtime");
        runtime.block_on(async {
            let server = LeaseServer::start(Ipv4Addr::LOCALHOST, LEASE, power)
                .await
                .expect("server");
            send.send(server.address()).expect("address");
            std::future::pending::<()>().await
        });
    });
    Lab {
        address: address.recv().expect("server"),
        keepers: AtomicUsize::new(0),
    }
}

#[test]
fn the_client_of_the_labs_lease_server_obeys_the_rules_of_a_lock() {
    conformance(&lab(Arc::default())).expect("conformance");
}

#[test]
fn the_lock_of_a_host_whose_power_was_cut_is_held_until_the_lease_ends() {
    let power = Arc::new(Power::default());
    let lab = lab(power.clone());
    let mut old = lab.keeper("i-old");
    let renewed = Instant::now();
    old.acquire().expect("free");
    power.0.lock().expect("power").insert("i-old".into());
    drop(old);
    let mut new = lab.keeper("i-new");
    assert!(matches!(new.acquire(), Err(LockError::Busy { holder }) if holder == "i-old"));
    while new.acquire().is_err() {
        assert!(renewed.elapsed() < LEASE * 20, "it is never freed");
        std::thread::sleep(LEASE / 50);
    }
    assert!(renewed.elapsed() >= LEASE, "the lease ended early");
}

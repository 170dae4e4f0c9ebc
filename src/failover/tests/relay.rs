//! A test double of what lies before a broker: a relay of bytes that knows nothing of AMQP, and leads elsewhere or breaks when a test wants it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Debug)]
struct Route {
    /// Where new connections lead; nowhere when absent: they are closed at once.
    to: Option<SocketAddr>,
    /// The next connections are closed after this many bytes of the client's, all together.
    cut_after: Option<usize>,
    /// With that cut the way ends.
    for_good: bool,
    cuts: u32,
}

/// The relay; its threads end with the connections, its listener with the process.
pub(super) struct Relay {
    pub address: SocketAddr,
    route: Arc<Mutex<Route>>,
}

impl Relay {
    pub(super) fn to(broker: SocketAddr) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self {
            address: listener.local_addr().unwrap(),
            route: Arc::new(Mutex::new(Route {
                to: Some(broker),
                cut_after: None,
                for_good: false,
                cuts: 0,
            })),
        };
        let route = relay.route.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A connection that leads nowhere is dropped here.
                let to = route.lock().unwrap().to;
                if let Some(broker) = to.and_then(|to| TcpStream::connect(to).ok()) {
                    carry(&client, &broker, Some(route.clone()));
                    carry(&broker, &client, None);
                }
            }
        });
        Arc::new(relay)
    }

    /// From now on new connections lead there, or nowhere.
    pub(super) fn lead(&self, to: Option<SocketAddr>) {
        self.route.lock().unwrap().to = to;
    }

    /// Breaks the connection that carries the client's byte of this number from now on; once.
    pub(super) fn cut_after(&self, bytes: usize) {
        self.route.lock().unwrap().cut_after = Some(bytes);
    }

    /// As [`Relay::cut_after`], and from that moment on the way leads nowhere.
    pub(super) fn end_after(&self, bytes: usize) {
        let mut route = self.route.lock().unwrap();
        (route.cut_after, route.for_good) = (Some(bytes), true);
    }

    /// How often a connection was broken.
    pub(super) fn cuts(&self) -> u32 {
        self.route.lock().unwrap().cuts
    }
}

fn carry(from: &TcpStream, to: &TcpStream, route: Option<Arc<Mutex<Route>>>) {
    from.set_nodelay(true).unwrap();
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        loop {
            let read = from.read(&mut bytes).unwrap_or(0);
            let cut = route.as_ref().is_some_and(|route| {
                let mut route = route.lock().unwrap();
                let due = route.cut_after.is_some_and(|left| left <= read);
                route.cut_after = route.cut_after.filter(|_| !due).map(|left| left - read);
                route.cuts += u32::from(due);
                route.to = route.to.filter(|_| !(due && route.for_good));
                due
            });
            if read == 0 || cut || to.write_all(&bytes[..read]).is_err() {
                let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
                return;
            }
        }
    });
}

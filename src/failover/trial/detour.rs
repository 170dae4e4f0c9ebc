//! A way to a broker that leads elsewhere, or breaks, when a test wants it: a relay of bytes that knows nothing of AMQP.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Debug)]
struct Way {
    /// Where new connections lead; nowhere when absent: they are closed at once.
    to: Option<SocketAddr>,
    /// The next connections are closed after this many bytes of the client's, all together.
    cut_after: Option<usize>,
    /// With that cut the way ends.
    for_good: bool,
    cuts: u32,
}

/// The relay; its threads end with the connections, its listener with the process.
pub struct Detour {
    pub address: SocketAddr,
    way: Arc<Mutex<Way>>,
}

impl Detour {
    pub fn to(broker: SocketAddr) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let detour = Self {
            address: listener.local_addr().unwrap(),
            way: Arc::new(Mutex::new(Way {
                to: Some(broker),
                cut_after: None,
                for_good: false,
                cuts: 0,
            })),
        };
        let way = detour.way.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A connection that leads nowhere is dropped here.
                let to = way.lock().unwrap().to;
                if let Some(broker) = to.and_then(|to| TcpStream::connect(to).ok()) {
                    carry(&client, &broker, Some(way.clone()));
                    carry(&broker, &client, None);
                }
            }
        });
        Arc::new(detour)
    }

    /// From now on new connections lead there, or nowhere.
    pub fn lead(&self, to: Option<SocketAddr>) {
        self.way.lock().unwrap().to = to;
    }

    /// Breaks the connection that carries the client's byte of this number from now on; once.
    pub fn cut_after(&self, bytes: usize) {
        self.way.lock().unwrap().cut_after = Some(bytes);
    }

    /// As [`Detour::cut_after`], and from that moment on the way leads nowhere.
    pub fn end_after(&self, bytes: usize) {
        let mut way = self.way.lock().unwrap();
        (way.cut_after, way.for_good) = (Some(bytes), true);
    }

    /// How often a connection was broken.
    pub fn cuts(&self) -> u32 {
        self.way.lock().unwrap().cuts
    }
}

fn carry(from: &TcpStream, to: &TcpStream, way: Option<Arc<Mutex<Way>>>) {
    from.set_nodelay(true).unwrap();
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        loop {
            let read = from.read(&mut bytes).unwrap_or(0);
            let cut = way.as_ref().is_some_and(|way| {
                let mut way = way.lock().unwrap();
                let due = way.cut_after.is_some_and(|left| left <= read);
                way.cut_after = way.cut_after.filter(|_| !due).map(|left| left - read);
                way.cuts += u32::from(due);
                way.to = way.to.filter(|_| !(due && way.for_good));
                due
            });
            if read == 0 || cut || to.write_all(&bytes[..read]).is_err() {
                let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
                return;
            }
        }
    });
}

//! A lying AMQP relay, a test double: it stands between the clients of a failover test and a broker, and does to them on the wire
//! what a bad broker or network does. Both sides keep a correct conversation of their own.
//!
//! `Relay::start(broker, Lie::None)` tells the truth, and may be frozen, cut, or led to another broker while it runs. One session and one
//! link a connection, as the failover test's clients have; messages of one frame; no TLS.

#![allow(dead_code)] // Not every test that uses the relay needs every lie.

mod connection;
mod frames;

use connection::Connection;
use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What the relay does to messages on their way to consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    /// Nothing.
    None,
    /// Delivers every so-manieth message once more, flagged as redelivered or not.
    Repeat { every: u64, flagged: bool, how: How },
    /// Lets every so-manieth message be overtaken by the next `by` of its connection.
    Overtake { every: u64, by: usize, flagged: bool },
}

/// Where the second copy goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Over the connection that carried the first, right behind it.
    Same,
    /// Over another one, while the first is alive.
    Other,
    /// Over a connection made after the first one ended; the message had been settled this long before that end.
    AfterEnd { from: Duration, to: Duration },
}

/// Whose connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    All,
    Producers,
    Consumers,
    /// One of the consumers.
    OneConsumer,
}

/// Connections that are frozen.
#[derive(Debug, Clone, Copy)]
enum Frozen {
    Those(Whose),
    One(u64),
}

/// A message that was settled by a consumer.
struct Settled {
    at: Instant,
    payload: Vec<u8>,
}

struct Shared {
    broker: Mutex<SocketAddr>,
    lie: Lie,
    ended: AtomicBool,
    frozen: Mutex<Option<(Frozen, Instant)>>,
    thawed: Condvar,
    connections: Mutex<Vec<Arc<Connection>>>,
    numbers: AtomicU64,
    /// Copies on their way to the next connections.
    returning: Mutex<VecDeque<Vec<u8>>>,
    lies: AtomicU64,
    messages: AtomicU64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl Shared {
    /// Waits as long as such a connection is frozen.
    fn pass(&self, number: u64, consumer: bool) {
        let mut frozen = locked(&self.frozen);
        while let Some((which, until)) = *frozen {
            let mine = match which {
                Frozen::Those(Whose::Producers) => !consumer,
                Frozen::Those(Whose::Consumers | Whose::OneConsumer) => consumer,
                Frozen::Those(Whose::All) => true,
                Frozen::One(one) => one == number,
            };
            let now = Instant::now();
            if !mine || now >= until || self.ended.load(Ordering::SeqCst) {
                return;
            }
            frozen = self.thawed.wait_timeout(frozen, until - now).unwrap().0;
        }
    }

    /// Whether what is told wrongly is flagged as redelivered.
    fn flagged(&self) -> bool {
        matches!(
            self.lie,
            Lie::Repeat { flagged: true, .. } | Lie::Overtake { flagged: true, .. }
        )
    }

    fn alive(&self) -> Vec<Arc<Connection>> {
        let mut connections = locked(&self.connections);
        connections.retain(|connection| connection.alive.load(Ordering::SeqCst));
        connections.clone()
    }
}

/// The relay; everything ends with it.
pub(super) struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Relay {
    /// Listens on a free port of 127.0.0.1 and leads every connection to `broker`.
    pub(super) fn start(broker: SocketAddr, lie: Lie) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            broker: Mutex::new(broker),
            lie,
            ended: AtomicBool::new(false),
            frozen: Mutex::default(),
            thawed: Condvar::new(),
            connections: Mutex::default(),
            numbers: AtomicU64::new(0),
            returning: Mutex::default(),
            lies: AtomicU64::new(0),
            messages: AtomicU64::new(0),
        });
        let watching = shared.clone();
        std::thread::spawn(move || {
            while !watching.ended.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(50));
                for connection in watching.alive() {
                    connection.give_up_waiting(&watching);
                }
            }
        });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if serving.ended.load(Ordering::SeqCst) {
                    return;
                }
                let broker = *locked(&serving.broker);
                // A broker that is not there drops its clients; so does the relay.
                if let Ok(broker) = TcpStream::connect(broker) {
                    let number = serving.numbers.fetch_add(1, Ordering::SeqCst);
                    Connection::begin(number, client, broker, &serving);
                }
            }
        });
        Self { address, shared }
    }

    /// For `--amqp-url`.
    pub(super) fn url(&self) -> String {
        format!("amqp://{}", self.address)
    }

    /// Leads connections from now on to this broker; those there are stay where they are.
    pub(super) fn lead_to(&self, broker: SocketAddr) {
        *locked(&self.shared.broker) = broker;
    }

    /// Nothing passes on these connections for this long, in either direction; none is closed.
    pub(super) fn freeze(&self, whose: Whose, time: Duration) {
        let which = match whose {
            Whose::OneConsumer => {
                let consumers = self
                    .shared
                    .alive()
                    .into_iter()
                    .filter(|one| one.consumer.load(Ordering::SeqCst));
                let one = consumers.map(|one| one.number).min();
                Frozen::One(one.expect("a consumer that is connected"))
            }
            whose => Frozen::Those(whose),
        };
        *locked(&self.shared.frozen) = Some((which, Instant::now() + time));
    }

    /// Ends these connections at once.
    pub(super) fn cut(&self, whose: Whose) {
        for connection in self.shared.alive() {
            let consumer = connection.consumer.load(Ordering::SeqCst);
            if whose == Whose::All || consumer != (whose == Whose::Producers) {
                connection.end();
            }
        }
    }

    /// How many lies were told.
    pub(super) fn lies(&self) -> u64 {
        self.shared.lies.load(Ordering::SeqCst)
    }

    /// How many messages went to consumers, copies included.
    pub(super) fn messages(&self) -> u64 {
        self.shared.messages.load(Ordering::SeqCst)
    }

    /// Waits until this many connections carried messages, one of them ended, and as many newer ones carried messages after it.
    ///
    /// True when it was seen, false when `limit` passed or `over` said so before.
    pub(super) fn wait_for_recovery(&self, workers: usize, limit: Duration, mut over: impl FnMut() -> bool) -> bool {
        let deadline = Instant::now() + limit;
        let mut wait = |done: &dyn Fn() -> bool| {
            while !done() {
                if Instant::now() > deadline || over() {
                    return false;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            true
        };
        let busy = |since: u64| {
            let alive = self.shared.alive();
            alive
                .iter()
                .filter(|connection| connection.number >= since && connection.carried.load(Ordering::SeqCst) > 0)
                .count()
        };
        if !wait(&|| busy(0) >= workers) {
            return false;
        }
        let since = self.shared.numbers.load(Ordering::SeqCst);
        wait(&|| busy(0) < workers) && wait(&|| busy(since) >= workers)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.thawed.notify_all();
        self.cut(Whose::All);
        // Wakes the listener, so that it sees the end.
        drop(TcpStream::connect(self.address));
    }
}

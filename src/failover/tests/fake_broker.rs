//! A test double of a broker: AMQP 1.0 on a real socket, queues that survive its death, and defects on demand.

use fe2o3_amqp::acceptor::{ConnectionAcceptor, LinkAcceptor, LinkEndpoint, SaslPlainMechanism, SessionAcceptor};
use fe2o3_amqp::{Receiver, Sender};
use fe2o3_amqp_types::messaging::{Body, Header, Message, Outcome};
use fe2o3_amqp_types::primitives::{Binary, Value};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

/// What the broker does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BrokerDefect {
    None,
    /// Acknowledges what it only holds in memory: the last messages before its death are gone.
    AckEarly,
    /// Acknowledges and forgets one message in a hundred.
    Lose,
    /// Stores one message in a hundred twice.
    Duplicate,
    /// Lets one message in twenty be overtaken by the next five.
    Reorder,
    /// Acknowledges and forgets one message in ten.
    Swallow,
    /// Gives one persistent message in a hundred back as not persistent.
    Weaken,
}

#[derive(Debug, Clone)]
struct Stored {
    body: Vec<u8>,
    durable: bool,
    deliveries: u32,
    at: Instant,
}

#[derive(Debug, Default)]
struct Queue {
    messages: Mutex<BTreeMap<u64, Stored>>,
    held: AtomicU64,
    arrived: Notify,
}

/// What survives the broker's death.
#[derive(Debug)]
struct Disk {
    queues: Mutex<HashMap<String, Arc<Queue>>>,
    next: AtomicU64,
    defect: BrokerDefect,
    /// Connections whose user is refused: behind so many, so many.
    turned_away: Mutex<(u32, u32)>,
}

impl Disk {
    /// The password that the next connection must know.
    fn password(&self) -> &'static str {
        let mut turned_away = self.turned_away.lock().unwrap();
        match &mut *turned_away {
            (0, 0) => "secret",
            (0, left) => {
                *left -= 1;
                "another"
            }
            (before, _) => {
                *before -= 1;
                "secret"
            }
        }
    }

    fn queue(&self, name: &str) -> Arc<Queue> {
        self.queues.lock().unwrap().entry(name.to_owned()).or_default().clone()
    }

    fn store(&self, queue: &Queue, mut stored: Stored) {
        let number = self.next.fetch_add(2, Ordering::SeqCst);
        let unlucky = number / 2 % 100 == 50;
        stored.durable &= !(unlucky && self.defect == BrokerDefect::Weaken);
        let mut messages = queue.messages.lock().unwrap();
        match self.defect {
            BrokerDefect::Lose if unlucky => {}
            BrokerDefect::Swallow if number / 2 % 10 == 5 => {}
            BrokerDefect::Duplicate if unlucky => {
                messages.insert(number, stored.clone());
                messages.insert(number + 1, stored);
            }
            BrokerDefect::Reorder if number / 2 % 20 == 10 => {
                messages.insert(number + 11, stored);
            }
            _ => {
                messages.insert(number, stored);
            }
        }
        drop(messages);
        queue.arrived.notify_waiters();
    }
}

/// A message at a consumer; back in its place unless it was accepted.
struct Held {
    queue: Arc<Queue>,
    number: u64,
    stored: Option<Stored>,
}

impl Held {
    fn accepted(mut self) {
        self.stored = None;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut messages = self.queue.messages.lock().unwrap();
        self.queue.held.fetch_sub(1, Ordering::SeqCst);
        if let Some(mut stored) = self.stored.take() {
            stored.deliveries += 1;
            messages.insert(self.number, stored);
            self.queue.arrived.notify_waiters();
        }
    }
}

/// The broker.
pub(super) struct FakeBroker {
    disk: Arc<Disk>,
    address: SocketAddr,
    running: Mutex<Option<Runtime>>,
}

impl FakeBroker {
    pub(super) fn start(defect: BrokerDefect) -> Arc<Self> {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let disk = Disk {
            queues: Mutex::default(),
            next: AtomicU64::new(0),
            defect,
            turned_away: Mutex::default(),
        };
        let broker = Self {
            disk: Arc::new(disk),
            address: free.local_addr().unwrap(),
            running: Mutex::new(None),
        };
        drop(free);
        broker.boot();
        Arc::new(broker)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets `before` connections in, and refuses the user of the next `count`.
    pub(super) fn turn_away(&self, before: u32, count: u32) {
        *self.disk.turned_away.lock().unwrap() = (before, count);
    }

    /// How many are still to be turned away.
    pub(super) fn to_turn_away(&self) -> u32 {
        self.disk.turned_away.lock().unwrap().1
    }

    /// All connections die at once, and nothing listens any more.
    pub(super) fn kill(&self) {
        if let Some(runtime) = self.running.lock().unwrap().take() {
            // Waits until all tasks are gone, so that what consumers held is back in its place.
            std::thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(5)))
                .join()
                .unwrap();
        }
        if self.disk.defect == BrokerDefect::AckEarly {
            let unsaved = Instant::now() - Duration::from_millis(300);
            for queue in self.disk.queues.lock().unwrap().values() {
                queue.messages.lock().unwrap().retain(|_, stored| stored.at < unsaved);
            }
        }
    }

    pub(super) fn boot(&self) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (disk, address) = (self.disk.clone(), self.address);
        let (ready, up) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(address).unwrap();
            let listener = socket.listen(64).unwrap();
            ready.send(()).unwrap();
            serve(listener, disk).await;
        });
        up.recv_timeout(Duration::from_secs(5)).unwrap();
        *self.running.lock().unwrap() = Some(runtime);
    }

    /// Puts a message in a queue, past every client.
    pub(super) fn plant(&self, queue: &str, body: Vec<u8>) {
        let stored = Stored {
            body,
            durable: true,
            deliveries: 0,
            at: Instant::now(),
        };
        self.disk.store(&self.disk.queue(queue), stored);
    }

    /// Messages of a queue, those that consumers hold included.
    pub(super) fn depth(&self, queue: &str) -> u64 {
        let queue = self.disk.queue(queue);
        let messages = queue.messages.lock().unwrap();
        messages.len() as u64 + queue.held.load(Ordering::SeqCst)
    }
}

impl Drop for FakeBroker {
    fn drop(&mut self) {
        if let Some(runtime) = self.running.lock().unwrap().take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(listener: TcpListener, disk: Arc<Disk>) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        let disk = disk.clone();
        tokio::spawn(async move {
            let acceptor = ConnectionAcceptor::builder()
                .container_id("fake-broker")
                .max_frame_size(65_536u32)
                .sasl_acceptor(SaslPlainMechanism::new("app", disk.password()))
                .build();
            let Ok(mut connection) = acceptor.accept(stream).await else {
                return;
            };
            while let Ok(mut session) = SessionAcceptor::new().accept(&mut connection).await {
                let disk = disk.clone();
                tokio::spawn(async move {
                    while let Ok(link) = LinkAcceptor::new().accept(&mut session).await {
                        match link {
                            LinkEndpoint::Receiver(link) => {
                                tokio::spawn(take_in(link, disk.clone()));
                            }
                            LinkEndpoint::Sender(link) => {
                                tokio::spawn(give_out(link, disk.clone()));
                            }
                        }
                    }
                });
            }
        });
    }
}

async fn take_in(mut link: Receiver, disk: Arc<Disk>) {
    let name = link
        .target()
        .as_ref()
        .and_then(|target| target.address.clone())
        .unwrap_or_default();
    let queue = disk.queue(&name);
    while let Ok(delivery) = link.recv::<Body<Value>>().await {
        let message = delivery.message();
        let body = match &message.body {
            Body::Data(parts) => parts.iter().flat_map(|part| part.0.iter().copied()).collect(),
            _ => Vec::new(),
        };
        let durable = message.header.as_ref().is_some_and(|header| header.durable);
        disk.store(
            &queue,
            Stored {
                body,
                durable,
                deliveries: 0,
                at: Instant::now(),
            },
        );
        if link.accept(&delivery).await.is_err() {
            return;
        }
    }
}

async fn give_out(mut link: Sender, disk: Arc<Disk>) {
    let name = link
        .source()
        .as_ref()
        .and_then(|source| source.address.clone())
        .unwrap_or_default();
    let queue = disk.queue(&name);
    loop {
        let arrived = queue.arrived.notified();
        let first = {
            let mut messages = queue.messages.lock().unwrap();
            let first = messages.pop_first();
            queue.held.fetch_add(u64::from(first.is_some()), Ordering::SeqCst);
            first
        };
        let Some((number, stored)) = first else {
            tokio::select! {
                () = arrived => {}
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
                _ = link.on_detach() => return,
            }
            continue;
        };
        let header = Header::builder()
            .durable(stored.durable)
            .delivery_count(stored.deliveries)
            .build();
        let message = Message::builder()
            .header(header)
            .data(Binary::from(stored.body.clone()))
            .build();
        let held = Held {
            queue: queue.clone(),
            number,
            stored: Some(stored),
        };
        let Ok(settled) = link.send_batchable(message).await else {
            return;
        };
        tokio::spawn(async move {
            if let Ok(Outcome::Accepted(_)) = settled.await {
                held.accepted();
            }
        });
    }
}

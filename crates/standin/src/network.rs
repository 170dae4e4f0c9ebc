//! Listeners and connections of a running queue manager.

use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{io::AsyncReadExt, net::TcpStream, sync::Notify, task::AbortHandle};
use tokio_rustls::TlsAcceptor;

use super::{amqp, broker::Broker, objects::Attributes, tls::Tls};

/// What listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Service {
    /// A TCP listener, where a real queue manager speaks its own protocol. The stand-in accepts, and speaks none.
    Listener,
    /// An AMQP channel.
    Channel,
}

/// Where something listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) service: Service,
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// The user that a channel's clients act as, when it says.
    pub(crate) user: Option<String>,
    /// How a channel speaks TLS; plainly when absent.
    pub(crate) tls: Option<Tls>,
}

impl Endpoint {
    /// Where an object listens. Loopback only, and on a host with an address of its own only there.
    pub(crate) fn of(
        service: Service,
        name: &str,
        attributes: &Attributes,
        own: Option<IpAddr>,
    ) -> Result<Self, String> {
        let (address_key, default_port) = match service {
            Service::Listener => ("IPADDR", 1414),
            Service::Channel => ("LOCLADDR", 5672),
        };
        let stated = attributes.get(address_key).filter(|a| !a.is_empty());
        let ip = match stated {
            Some(text) => text.parse().map_err(|_| format!("{text} is not an address"))?,
            None => own.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        };
        if own.is_some_and(|own| own != ip) {
            return Err(format!("{ip} is not an address of this host"));
        }
        if !ip.is_loopback() {
            return Err(format!(
                "{ip} is not a loopback address; the stand-in listens only on loopback addresses"
            ));
        }
        let port = attributes
            .get("PORT")
            .and_then(|p| p.parse().ok())
            .unwrap_or(default_port);
        let user = attributes.get("MCAUSER").filter(|u| !u.is_empty()).cloned();
        Ok(Self {
            service,
            name: name.to_owned(),
            address: SocketAddr::new(ip, port),
            user,
            tls: None,
        })
    }
}

#[derive(Debug)]
struct Listening {
    endpoint: Endpoint,
    task: AbortHandle,
}

/// Everything that listens, and every client that is connected.
#[derive(Debug)]
pub(crate) struct Network {
    runtime: tokio::runtime::Handle,
    broker: OnceLock<Weak<Broker>>,
    listening: Mutex<HashMap<(Service, String), Listening>>,
    clients: Mutex<HashMap<String, (u64, Arc<Notify>)>>,
    /// The channel of each connection.
    connected: Mutex<BTreeMap<u64, String>>,
    next: AtomicU64,
}

impl Network {
    pub(crate) fn new(runtime: tokio::runtime::Handle) -> Self {
        Self {
            runtime,
            broker: OnceLock::new(),
            listening: Mutex::new(HashMap::new()),
            clients: Mutex::new(HashMap::new()),
            connected: Mutex::new(BTreeMap::new()),
            next: AtomicU64::new(0),
        }
    }

    /// Names the queue manager that connections are for; once.
    pub(crate) fn belongs_to(&self, broker: &Arc<Broker>) {
        let _ = self.broker.set(Arc::downgrade(broker));
    }

    /// Number of AMQP connections.
    pub(crate) fn connections(&self) -> u64 {
        self.connected.lock().len() as u64
    }

    /// Id and channel of each AMQP connection.
    pub(crate) fn connected(&self) -> Vec<(u64, String)> {
        self.connected.lock().clone().into_iter().collect()
    }

    /// What listens where.
    pub(crate) fn running(&self, service: Service) -> Vec<(String, SocketAddr)> {
        let mut found: Vec<_> = self
            .listening
            .lock()
            .iter()
            .filter(|((s, _), _)| *s == service)
            .map(|((_, name), l)| (name.clone(), l.endpoint.address))
            .collect();
        found.sort();
        found
    }

    /// Starts to listen; false when it does so already, at that place and as that user. A changed definition moves it.
    pub(crate) fn start(&self, _broker: &Broker, endpoint: &Endpoint) -> io::Result<bool> {
        let key = (endpoint.service, endpoint.name.clone());
        let mut listening = self.listening.lock();
        if let Some(running) = listening.get(&key) {
            if running.endpoint == *endpoint {
                return Ok(false);
            }
            running.task.abort();
            listening.remove(&key);
        }
        // What cannot speak TLS does not speak at all.
        let tls = endpoint.tls.as_ref().map(Tls::acceptor).transpose();
        let tls = tls.map_err(io::Error::other)?;
        let listener = bind(endpoint.address)?;
        let broker = self.broker.get().cloned().unwrap_or_default();
        let task = {
            let _entered = self.runtime.enter();
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::spawn(accept(broker, listener, endpoint.clone(), tls)).abort_handle()
        };
        listening.insert(
            key,
            Listening {
                endpoint: endpoint.clone(),
                task,
            },
        );
        Ok(true)
    }

    /// Stops to listen; false when it did not.
    pub(crate) fn stop(&self, service: Service, name: &str) -> bool {
        let stopped = self.listening.lock().remove(&(service, name.to_owned()));
        stopped.map(|l| l.task.abort()).is_some()
    }

    /// Stops everything of a kind.
    pub(crate) fn stop_all(&self, service: Service) {
        self.listening.lock().retain(|(s, _), l| {
            if *s == service {
                l.task.abort();
            }
            *s != service
        });
    }

    /// Registers a client under its container id; whoever had that id is told to go, as IBM MQ does.
    pub(crate) fn enter(&self, container: &str, channel: &str) -> (u64, Arc<Notify>) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.connected.lock().insert(id, channel.to_owned());
        let leave = Arc::new(Notify::new());
        if let Some((_, earlier)) = self.clients.lock().insert(container.to_owned(), (id, leave.clone())) {
            earlier.notify_one();
        }
        (id, leave)
    }

    /// A client has gone.
    pub(crate) fn leave(&self, container: &str, id: u64) {
        self.connected.lock().remove(&id);
        let mut clients = self.clients.lock();
        if clients.get(container).is_some_and(|(current, _)| *current == id) {
            clients.remove(container);
        }
    }
}

/// Binds; a port that a dying predecessor still holds is waited for, for a moment.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let mut last = None;
    for _ in 0..40 {
        match TcpListener::bind(address) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                return Ok(listener);
            }
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => last = Some(e),
            Err(e) => return Err(e),
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

/// A client that does not end its handshake within this time is dropped.
const HANDSHAKE: Duration = Duration::from_secs(10);

async fn accept(broker: Weak<Broker>, listener: tokio::net::TcpListener, endpoint: Endpoint, tls: Option<TlsAcceptor>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let Some(broker) = broker.upgrade() else { return };
                match endpoint.service {
                    Service::Listener => drop(tokio::spawn(hold(stream))),
                    Service::Channel => {
                        let (name, user, tls) = (endpoint.name.clone(), endpoint.user.clone(), tls.clone());
                        drop(tokio::spawn(async move {
                            if stream.set_nodelay(true).is_err() {
                                return;
                            }
                            let Some(tls) = tls else {
                                return amqp::serve(broker, name, user, stream).await;
                            };
                            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                                amqp::serve(broker, name, user, stream).await;
                            }
                        }));
                    }
                }
            }
            // Too many open files, or a client that was gone before it was accepted: neither ends the listener.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Keeps a connection until the client goes, or says nothing for a minute.
async fn hold(mut stream: TcpStream) {
    let mut nothing = [0; 512];
    while let Ok(Ok(1..)) = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut nothing)).await {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(attributes: &[(&str, &str)], own: Option<[u8; 4]>) -> Result<SocketAddr, String> {
        let attributes = attributes.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Endpoint::of(Service::Listener, "L", &attributes, own.map(IpAddr::from)).map(|e| e.address)
    }

    #[test]
    fn only_the_address_of_the_host_and_only_loopback() {
        let own = Some([127, 77, 10, 1]);
        assert_eq!(of(&[("PORT", "1414")], own), Ok("127.77.10.1:1414".parse().unwrap()));
        assert_eq!(
            of(&[("IPADDR", "127.77.10.1")], own),
            Ok("127.77.10.1:1414".parse().unwrap())
        );
        assert!(
            of(&[("IPADDR", "127.77.10.2")], own)
                .unwrap_err()
                .contains("not an address of this host")
        );
        assert!(of(&[("IPADDR", "0.0.0.0")], None).unwrap_err().contains("loopback"));
        assert_eq!(of(&[], None), Ok("127.0.0.1:1414".parse().unwrap()));
    }

    #[tokio::test]
    async fn a_second_client_of_the_same_name_takes_over() {
        let network = Network::new(tokio::runtime::Handle::current());
        let (first, leave) = network.enter("c", "A");
        let (second, _) = network.enter("c", "A");
        leave.notified().await;
        network.leave("c", first);
        assert_eq!(network.connections(), 1);
        assert!(network.clients.lock().contains_key("c"));
        network.leave("c", second);
        assert!(network.clients.lock().is_empty());
    }
}

//! The lease server: JSON lines over TCP on loopback, one connection per keeper, one reply line per request.

use super::table::{Claim, LeaseError, LeaseTable, LockKey};
use crate::network::Peers;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// Longest request line, in bytes.
const LINE_LIMIT: u64 = 4096;

/// How long the lock of a keeper that hung up while it was not answered is left to its next connection: longer than it waits before that.
const NEXT_CONNECTION: Duration = Duration::from_millis(500);

/// Whether an instance runs: asked when a connection closes.
pub trait Hosts: Send + Sync {
    /// True only when the instance is known to run; an error or doubt is false, so that the lock is kept.
    fn runs(&self, instance: String) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Request {
    Lock {
        file_system: String,
        path: String,
        instance: String,
        owner: String,
    },
    Renew {},
    Unlock {},
}

struct Shared {
    table: Mutex<LeaseTable>,
    start: Instant,
    hosts: Arc<dyn Hosts>,
    connections: AtomicU64,
    silence: Mutex<Option<Silence>>,
}

/// An instance whose requests are not answered for a time: to it the storage stalls.
#[derive(Debug)]
struct Silence {
    instance: String,
    until: tokio::time::Instant,
    unanswered: u64,
}

impl Shared {
    /// Until when a request of this instance waits; counts it.
    fn silent_until(&self, instance: &str) -> Option<tokio::time::Instant> {
        let mut silence = self.silence.lock();
        let silence = silence.as_mut().filter(|s| s.instance == instance)?;
        let lasts = tokio::time::Instant::now() < silence.until;
        lasts.then(|| {
            silence.unanswered += 1;
            silence.until
        })
    }

    /// Waits for as long as this instance is not to be answered; whether it had to.
    async fn wait_out(&self, instance: &str) -> bool {
        let mut until = self.silent_until(instance);
        let waited = until.is_some();
        while let Some(end) = until {
            // It may end earlier.
            while tokio::time::Instant::now() < end && self.is_silent(instance) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            until = self.silent_until(instance);
        }
        waited
    }

    fn is_silent(&self, instance: &str) -> bool {
        self.silence.lock().as_ref().is_some_and(|s| s.instance == instance)
    }

    fn with<T>(&self, use_table: impl FnOnce(&mut LeaseTable, Duration) -> T) -> T {
        let mut table = self.table.lock();
        use_table(&mut table, self.start.elapsed())
    }
}

/// A running lease server; it ends when this is dropped.
pub struct LeaseServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    task: AbortHandle,
}

impl Drop for LeaseServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl LeaseServer {
    /// Starts a server on a free port of an address of the machine.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(address: Ipv4Addr, lease: Duration, hosts: Arc<dyn Hosts>) -> std::io::Result<Self> {
        let listener = TcpListener::bind((address, 0)).await?;
        Self::serve(listener, Peers::Machine, lease, hosts)
    }

    /// Starts a server on a listener, for keepers that are of this process's user; others are hung up on.
    ///
    /// # Errors
    /// When the listener has no address.
    pub(crate) fn serve(
        listener: TcpListener,
        peers: Peers,
        lease: Duration,
        hosts: Arc<dyn Hosts>,
    ) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            table: Mutex::new(LeaseTable::new(lease)),
            start: Instant::now(),
            hosts,
            connections: AtomicU64::new(1),
            silence: Mutex::default(),
        });
        let task = tokio::spawn(accept(listener, peers, shared.clone())).abort_handle();
        Ok(Self { shared, address, task })
    }

    /// Address to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The lease time.
    pub fn lease(&self) -> Duration {
        self.shared.with(|t, _| t.lease())
    }

    /// Answers no request of an instance until then; what is asked meanwhile is answered afterwards.
    pub(crate) fn silence(&self, instance: &str, until: tokio::time::Instant) {
        *self.shared.silence.lock() = Some(Silence {
            instance: instance.to_owned(),
            until,
            unanswered: 0,
        });
    }

    /// Answers everybody again.
    pub(crate) fn speak(&self) {
        *self.shared.silence.lock() = None;
    }

    /// How many requests of the instance that is not answered have come.
    pub(crate) fn unanswered(&self) -> u64 {
        self.shared.silence.lock().as_ref().map_or(0, |s| s.unanswered)
    }

    /// Forgets the locks of a file system that was deleted.
    pub(crate) fn forget(&self, file_system: &str) {
        self.shared.with(|t, _| t.forget(file_system));
    }
}

async fn accept(listener: TcpListener, peers: Peers, shared: Arc<Shared>) {
    // dropped with this task, which closes all connections
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let (peers, shared) = (peers.clone(), shared.clone());
                connections.spawn(async move {
                    if peers.is_own(&stream).await {
                        serve(stream, shared).await;
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the lease server could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let connection = shared.connections.fetch_add(1, Ordering::Relaxed);
    let mut instance = None;
    let _ = stream.set_nodelay(true);
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    let mut hung_up = false;
    loop {
        line.clear();
        match (&mut read).take(LINE_LIMIT).read_until(b'\n', &mut line).await {
            Ok(n) if n > 0 && line.ends_with(b"\n") => {}
            _ => break,
        }
        let request = serde_json::from_slice(&line);
        if let Ok(Request::Lock { instance: asker, .. }) = &request {
            instance = Some(asker.clone());
        }
        if let Some(instance) = &instance {
            // An NFS client that gives up on a connection sends the request again on the next one, and is granted it once.
            if shared.wait_out(instance).await && is_closed(&mut read).await {
                hung_up = true;
                break;
            }
        }
        let mut reply = answer(&shared, connection, request).to_string();
        reply.push('\n');
        if write.write_all(reply.as_bytes()).await.is_err() {
            break;
        }
    }
    let Some(instance) = instance else { return };
    if hung_up {
        tokio::time::sleep(NEXT_CONNECTION).await;
    }
    let runs = shared.hosts.runs(instance.clone()).await;
    tracing::debug!(%instance, runs, "a keeper's connection closed");
    shared.with(|t, now| t.closed(now, connection, runs));
}

/// Whether the other side has closed the connection, without waiting for it.
async fn is_closed(read: &mut (impl AsyncBufReadExt + Unpin)) -> bool {
    match tokio::time::timeout(Duration::ZERO, read.fill_buf()).await {
        Err(_) => false,
        Ok(Ok(more)) => more.is_empty(),
        Ok(Err(_)) => true,
    }
}

fn answer(shared: &Shared, connection: u64, request: serde_json::Result<Request>) -> Value {
    let request = match request {
        Ok(request) => request,
        Err(error) => return json!({ "ok": false, "error": format!("bad request: {error}") }),
    };
    let result = match request {
        Request::Lock {
            file_system,
            path,
            instance: asker,
            owner,
        } => {
            let claim = Claim {
                connection,
                instance: asker,
                owner,
            };
            let key = LockKey { file_system, path };
            let lease = shared.with(|t, now| t.lock(now, key, claim).map(|()| t.lease()));
            match lease {
                Ok(lease) => return json!({ "ok": true, "lease_ms": lease.as_millis() as u64 }),
                Err(error) => Err(error),
            }
        }
        Request::Renew {} => shared.with(|t, now| t.renew(now, connection)),
        Request::Unlock {} => {
            shared.with(|t, _| t.unlock(connection));
            Ok(())
        }
    };
    match result {
        Ok(()) => json!({ "ok": true }),
        Err(LeaseError::Busy { instance }) => json!({ "ok": false, "error": "busy", "holder": instance }),
        Err(LeaseError::Expired) => json!({ "ok": false, "error": "expired" }),
        Err(other) => json!({ "ok": false, "error": other.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    struct Alive(AtomicBool);

    impl Hosts for Alive {
        fn runs(&self, _: String) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
            Box::pin(async { self.0.load(Ordering::SeqCst) })
        }
    }

    struct Keeper {
        read: BufReader<tokio::net::tcp::OwnedReadHalf>,
        write: tokio::net::tcp::OwnedWriteHalf,
    }

    impl Keeper {
        async fn connect(server: &LeaseServer) -> Self {
            let (read, write) = TcpStream::connect(server.address()).await.unwrap().into_split();
            let read = BufReader::new(read);
            Self { read, write }
        }

        async fn ask(&mut self, request: &str) -> Value {
            self.write.write_all(format!("{request}\n").as_bytes()).await.unwrap();
            let mut line = String::new();
            self.read.read_line(&mut line).await.unwrap();
            serde_json::from_str(&line).unwrap()
        }

        async fn lock(&mut self, instance: &str) -> Value {
            let lock =
                json!({"op": "lock", "file_system": "fs-1", "path": "p", "instance": instance, "owner": instance});
            self.ask(&lock.to_string()).await
        }
    }

    async fn until_locked(keeper: &mut Keeper, limit: Duration) -> Duration {
        let start = Instant::now();
        loop {
            if keeper.lock("i-2").await["ok"] == true {
                return start.elapsed();
            }
            assert!(start.elapsed() < limit, "still busy after {limit:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_killed_process_frees_the_lock_and_a_dead_host_keeps_it_for_the_lease() {
        let lease = Duration::from_millis(600);
        for alive in [true, false] {
            let hosts = Arc::new(Alive(AtomicBool::new(alive)));
            let server = LeaseServer::start(Ipv4Addr::LOCALHOST, lease, hosts).await.unwrap();
            let mut first = Keeper::connect(&server).await;
            let mut second = Keeper::connect(&server).await;
            assert_eq!(first.lock("i-1").await, json!({"ok": true, "lease_ms": 600}));
            assert_eq!(
                second.lock("i-2").await,
                json!({"ok": false, "error": "busy", "holder": "i-1"})
            );
            assert_eq!(first.ask(r#"{"op":"renew"}"#).await, json!({"ok": true}));
            let renewed = Instant::now();
            drop(first);
            until_locked(&mut second, Duration::from_secs(20)).await;
            if !alive {
                assert!(
                    renewed.elapsed() >= lease - Duration::from_millis(50),
                    "freed before the lease ended"
                );
            }
            assert_eq!(second.ask(r#"{"op":"unlock"}"#).await, json!({"ok": true}));
            assert_eq!(
                second.ask(r#"{"op":"renew"}"#).await,
                json!({"ok": false, "error": "expired"})
            );
        }
    }

    #[tokio::test]
    async fn a_frozen_holder_loses_the_lock_and_is_told() {
        let hosts = Arc::new(Alive(AtomicBool::new(true)));
        let server = LeaseServer::start(Ipv4Addr::LOCALHOST, Duration::from_millis(150), hosts)
            .await
            .unwrap();
        let mut first = Keeper::connect(&server).await;
        let mut second = Keeper::connect(&server).await;
        assert_eq!(first.lock("i-1").await["ok"], true);
        until_locked(&mut second, Duration::from_secs(20)).await;
        assert_eq!(first.ask(r#"{"op":"renew"}"#).await["error"], "expired");
    }

    #[tokio::test]
    async fn a_silent_server_answers_afterwards_and_only_one_instance_waits() {
        let hosts = Arc::new(Alive(AtomicBool::new(true)));
        let server = LeaseServer::start(Ipv4Addr::LOCALHOST, Duration::from_secs(60), hosts)
            .await
            .unwrap();
        let mut first = Keeper::connect(&server).await;
        let mut second = Keeper::connect(&server).await;
        assert_eq!(first.lock("i-1").await["ok"], true);
        server.silence("i-1", tokio::time::Instant::now() + Duration::from_millis(200));
        assert_eq!(server.unanswered(), 0, "nothing came yet, so nothing is proved");
        assert_eq!(second.lock("i-2").await["error"], "busy");
        let asked = Instant::now();
        assert_eq!(first.ask(r#"{"op":"renew"}"#).await, json!({"ok": true}));
        assert!(asked.elapsed() >= Duration::from_millis(150));
        assert_eq!(server.unanswered(), 1);
        server.silence("i-1", tokio::time::Instant::now() + Duration::from_secs(600));
        let waits = tokio::spawn(async move { first.ask(r#"{"op":"renew"}"#).await });
        while server.unanswered() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.speak();
        assert_eq!(waits.await.unwrap(), json!({"ok": true}));
    }

    /// A keeper that is not answered hangs up and asks again: to the file system that is one client, which has its lock for its lease.
    #[tokio::test]
    async fn a_keeper_that_hung_up_during_a_stall_has_its_lock_afterwards() {
        let hosts = Arc::new(Alive(AtomicBool::new(true)));
        let server = LeaseServer::start(Ipv4Addr::LOCALHOST, Duration::from_secs(60), hosts)
            .await
            .unwrap();
        let mut first = Keeper::connect(&server).await;
        let mut second = Keeper::connect(&server).await;
        assert_eq!(first.lock("i-1").await["ok"], true);
        server.silence("i-1", tokio::time::Instant::now() + Duration::from_secs(600));
        let lock = json!({"op": "lock", "file_system": "fs-1", "path": "p", "instance": "i-1", "owner": "i-1"});
        for (asked, request) in (1..).zip(std::iter::once(json!({"op": "renew"})).chain(vec![lock; 8])) {
            first.write.write_all(format!("{request}\n").as_bytes()).await.unwrap();
            while server.unanswered() < asked {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            first = Keeper::connect(&server).await;
        }
        server.speak();
        assert_eq!(second.lock("i-2").await["error"], "busy", "nobody was there to have it");
        assert_eq!(first.lock("i-1").await["ok"], true);
        let until = Instant::now() + NEXT_CONNECTION * 2;
        while Instant::now() < until {
            assert_eq!(first.ask(r#"{"op":"renew"}"#).await, json!({"ok": true}));
            assert_eq!(second.lock("i-2").await["error"], "busy");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn nonsense_is_answered_and_an_endless_line_ends_the_connection() {
        let hosts = Arc::new(Alive(AtomicBool::new(true)));
        let server = LeaseServer::start(Ipv4Addr::LOCALHOST, Duration::from_secs(1), hosts)
            .await
            .unwrap();
        let mut keeper = Keeper::connect(&server).await;
        for bad in ["{}", "x", r#"{"op":"steal"}"#, r#"{"op":"renew","force":true}"#] {
            let reply = keeper.ask(bad).await;
            assert_eq!(reply["ok"], false, "{bad}");
        }
        keeper.write.write_all(&[b'x'; 5000]).await.unwrap();
        let mut rest = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(20), keeper.read.read_to_end(&mut rest)).await;
        assert!(end.is_ok(), "the connection stayed open");
    }
}

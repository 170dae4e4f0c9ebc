//! The data plane with real sockets.

use super::health::Thresholds;
use super::routing::MinimumHealthy;
use super::*;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const LONG: Duration = Duration::from_secs(20);
const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn settings() -> PoolSettings {
    PoolSettings {
        check: CheckSettings {
            probe: Probe::Tcp,
            port: CheckPort::Traffic,
            interval: Duration::from_millis(20),
            timeout: Duration::from_secs(2),
            thresholds: Thresholds {
                healthy: 2,
                unhealthy: 2,
            },
        },
        registration: Duration::from_millis(5),
        deregistration: Duration::from_millis(50),
        reset_deregistered: false,
        reset_unhealthy: true,
        unhealthy_draining: Duration::ZERO,
        cross_zone: Some(true),
        minimum_healthy: MinimumHealthy { count: 1, percent: 0 },
        sticky: false,
        proxy_protocol: false,
    }
}

/// A target that says its name on every connection, then echoes; after the client's end it says `bye`.
struct Host {
    name: &'static str,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Host {
    async fn start(name: &'static str, port: u16) -> Self {
        let listener = TcpListener::bind((LOCAL, port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                // connections outlive the listener, as those of a host whose queue manager closed its port
                tokio::spawn(async move {
                    let _ = stream.write_all(name.as_bytes()).await;
                    let mut buffer = [0u8; 4096];
                    loop {
                        match stream.read(&mut buffer).await {
                            Ok(0) => {
                                let _ = stream.write_all(b"bye").await;
                                return;
                            }
                            Ok(n) => drop(stream.write_all(&buffer[..n]).await),
                            Err(_) => return,
                        }
                    }
                });
            }
        });
        Self { name, address, task }
    }

    fn key(&self) -> TargetKey {
        (self.name.to_owned(), self.address.port())
    }

    async fn stop(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

struct Bench {
    pool: Arc<Pool>,
    front: Front,
}

impl Bench {
    async fn new(settings: PoolSettings) -> Self {
        let pool = Pool::new(settings, crate::network::Network::Machine);
        let zones = ["a", "b"].iter().map(|z| (*z).to_owned()).collect();
        pool.set_usage(Some(Usage { zones }));
        let front = FrontSettings {
            pool: pool.clone(),
            cross_zone: true,
            idle: LONG,
            active_at: Instant::now(),
        };
        let front = Front::start((LOCAL, 0).into(), front).await.unwrap();
        Self { pool, front }
    }

    fn register(&self, host: &Host, zone: &str) {
        self.pool.register(host.key(), LOCAL, zone.to_owned());
    }

    fn state(&self, host: &Host) -> String {
        let report = self.pool.report().into_iter().find(|r| r.key == host.key());
        report.map_or("gone".to_owned(), |r| r.state.to_owned())
    }

    async fn wait(&self, host: &Host, state: &str) {
        let start = Instant::now();
        while self.state(host) != state {
            assert!(
                start.elapsed() < LONG,
                "{} is {}, not {state}",
                host.name,
                self.state(host)
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A connection and the name of the target that it reached.
    async fn connect(&self) -> std::io::Result<(TcpStream, String)> {
        let mut stream = TcpStream::connect(self.front.address()).await?;
        let mut name = [0u8; 1];
        stream.read_exact(&mut name).await?;
        Ok((stream, String::from_utf8_lossy(&name).into_owned()))
    }
}

async fn echo(stream: &mut TcpStream, text: &str) -> std::io::Result<String> {
    stream.write_all(text.as_bytes()).await?;
    let mut buffer = vec![0u8; text.len()];
    let read = tokio::time::timeout(LONG, stream.read_exact(&mut buffer)).await;
    read.expect("an answer or an end")?;
    Ok(String::from_utf8_lossy(&buffer).into_owned())
}

fn is_reset<T: std::fmt::Debug>(result: std::io::Result<T>) -> bool {
    // a write after the reset was seen by the kernel fails with a broken pipe
    matches!(result, Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forwards_both_ways_and_keeps_half_closed_connections() {
    let bench = Bench::new(settings()).await;
    let a = Host::start("A", 0).await;
    bench.register(&a, "a");
    assert_eq!(bench.state(&a), "initial");
    bench.wait(&a, "healthy").await;
    let (mut stream, name) = bench.connect().await.unwrap();
    assert_eq!(name, "A");
    let text = "x".repeat(200_000);
    let (mut read, mut write) = stream.split();
    let mut back = vec![0u8; text.len()];
    let (sent, got) = tokio::join!(write.write_all(text.as_bytes()), read.read_exact(&mut back));
    sent.unwrap();
    got.unwrap();
    assert_eq!(back, text.as_bytes());
    write.shutdown().await.unwrap();
    let mut rest = String::new();
    tokio::time::timeout(LONG, read.read_to_string(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(rest, "bye", "the target's last words after the client's end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_target_and_with_a_closed_port_connections_are_reset() {
    let bench = Bench::new(settings()).await;
    assert!(is_reset(bench.connect().await), "no target");
    let mut a = Host::start("A", 0).await;
    a.stop().await;
    bench.register(&a, "a");
    bench.wait(&a, "unhealthy").await;
    assert!(is_reset(bench.connect().await), "closed port, open group");
    let here = Host::start("A", a.address.port()).await;
    bench
        .connect()
        .await
        .expect("the group fails open, so a target serves before it is healthy");
    bench.wait(&here, "healthy").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flows_of_an_unhealthy_target_are_reset_unless_the_group_fails_open() {
    for other in [false, true] {
        let bench = Bench::new(settings()).await;
        let mut a = Host::start("A", 0).await;
        bench.register(&a, "a");
        bench.wait(&a, "healthy").await;
        let (mut flow, _) = bench.connect().await.unwrap();
        let b = Host::start("B", 0).await;
        if other {
            bench.register(&b, "b");
            bench.wait(&b, "healthy").await;
        }
        a.stop().await;
        bench.wait(&a, "unhealthy").await;
        let answer = echo(&mut flow, "still there?").await;
        if other {
            assert!(is_reset(answer), "the next packet is answered with RST");
            assert_eq!(bench.connect().await.unwrap().1, "B");
        } else {
            assert_eq!(answer.unwrap(), "still there?", "fail-open keeps flows");
            bench.register(&b, "b");
            bench.wait(&b, "healthy").await;
            assert!(is_reset(echo(&mut flow, "and now?").await), "no longer open");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unhealthy_targets_keep_their_flows_when_told_so() {
    let mut kept = settings();
    kept.reset_unhealthy = false;
    kept.unhealthy_draining = LONG * 10;
    let bench = Bench::new(kept).await;
    let (mut a, b) = (Host::start("A", 0).await, Host::start("B", 0).await);
    bench.register(&a, "a");
    bench.wait(&a, "healthy").await;
    let (mut flow, _) = bench.connect().await.unwrap();
    bench.register(&b, "b");
    bench.wait(&b, "healthy").await;
    a.stop().await;
    bench.wait(&a, "unhealthy.draining").await;
    assert_eq!(echo(&mut flow, "hello").await.unwrap(), "hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deregistered_target_drains_and_its_flows_end_only_when_told_so() {
    for reset in [false, true] {
        let mut settings = settings();
        settings.reset_deregistered = reset;
        let bench = Bench::new(settings).await;
        let (a, b) = (Host::start("A", 0).await, Host::start("B", 0).await);
        bench.register(&a, "a");
        bench.wait(&a, "healthy").await;
        let (mut flow, _) = bench.connect().await.unwrap();
        bench.register(&b, "b");
        bench.wait(&b, "healthy").await;
        assert!(bench.pool.deregister(&a.key()));
        assert_eq!(bench.state(&a), "draining");
        assert_eq!(bench.connect().await.unwrap().1, "B");
        bench.wait(&a, "gone").await;
        if reset {
            // at once, without a packet
            let mut byte = [0u8; 1];
            let end = tokio::time::timeout(LONG, flow.read_exact(&mut byte)).await.unwrap();
            assert!(is_reset(end));
        } else {
            assert_eq!(echo(&mut flow, "hello").await.unwrap(), "hello");
        }
        assert!(!bench.pool.deregister(&a.key()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registering_a_draining_target_again_keeps_it() {
    let bench = Bench::new(settings()).await;
    let a = Host::start("A", 0).await;
    bench.register(&a, "a");
    bench.wait(&a, "healthy").await;
    bench.pool.deregister(&a.key());
    bench.register(&a, "a");
    bench.wait(&a, "healthy").await;
    tokio::time::sleep(settings().deregistration * 2).await;
    assert_eq!(
        bench.state(&a),
        "healthy",
        "the old delay must not remove the new registration"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_packet_after_the_idle_timeout_is_answered_with_rst() {
    let bench = Bench::new(settings()).await;
    let a = Host::start("A", 0).await;
    bench.register(&a, "a");
    bench.wait(&a, "healthy").await;
    let idle = Duration::from_millis(300);
    bench.front.configure(|s| s.idle = idle);
    let (mut flow, _) = bench.connect().await.unwrap();
    tokio::time::sleep(idle * 2).await;
    assert!(is_reset(echo(&mut flow, "hello").await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_and_zones_that_are_not_in_use_get_no_checks_and_no_traffic() {
    let bench = Bench::new(settings()).await;
    let a = Host::start("A", 0).await;
    bench.register(&a, "c");
    let report = |bench: &Bench| bench.pool.report()[0].clone();
    assert_eq!(
        (report(&bench).state, report(&bench).reason),
        ("unused", Some("Target.NotInUse"))
    );
    assert!(is_reset(bench.connect().await));
    bench.pool.set_usage(None);
    assert_eq!(report(&bench).state, "unused");
    let zones = std::iter::once("c".to_owned()).collect();
    bench.pool.set_usage(Some(Usage { zones }));
    bench.wait(&a, "healthy").await;
    bench.pool.set_usage(None);
    assert_eq!(report(&bench).state, "unused");
    assert!(bench.pool.deregister(&a.key()));
    assert_eq!(bench.state(&a), "gone", "nothing to drain");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targets_follow_their_instance() {
    let bench = Bench::new(settings()).await;
    let a = Host::start("A", 0).await;
    bench.register(&a, "a");
    bench.wait(&a, "healthy").await;
    bench.pool.instance_state("A", "stopped");
    let report = bench.pool.report()[0].clone();
    assert_eq!((report.state, report.reason), ("unused", Some("Target.InvalidState")));
    bench.pool.instance_state("B", "running");
    assert_eq!(bench.state(&a), "unused");
    bench.pool.instance_state("A", "running");
    bench.wait(&a, "healthy").await;
    bench.pool.instance_state("A", "terminated");
    assert_eq!(bench.state(&a), "gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_protocol_header_names_the_client() {
    let mut with_header = settings();
    with_header.proxy_protocol = true;
    let bench = Bench::new(with_header).await;
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    bench.pool.register(("P".into(), port), LOCAL, "a".into());
    let client = tokio::spawn({
        let address = bench.front.address();
        async move {
            loop {
                if let Ok(stream) = TcpStream::connect(address).await {
                    // connections are reset until the target is known
                    let mut byte = [0u8; 1];
                    if !matches!(
                        tokio::time::timeout(Duration::from_millis(200), stream.peek(&mut byte)).await,
                        Ok(Err(_))
                    ) {
                        return stream;
                    }
                }
            }
        }
    });
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < LONG, "no connection with a header");
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut header = [0u8; 28];
        // health checks close without a word
        if stream.read_exact(&mut header).await.is_ok() {
            let SocketAddr::V4(from) = client.await.unwrap().local_addr().unwrap() else {
                unreachable!()
            };
            assert_eq!(header[16..20], from.ip().octets());
            assert_eq!(header[24..26], from.port().to_be_bytes());
            break;
        }
    }
}

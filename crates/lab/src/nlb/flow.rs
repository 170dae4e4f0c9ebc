//! One proxied connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

/// Bytes moved at once in one direction.
const BUFFER: usize = 32 * 1024;

/// What the load balancer wants of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Order {
    /// Keep forwarding.
    Keep,
    /// Answer the next packet with RST, as for a target that became unhealthy.
    ResetOnPacket,
    /// Reset both sides now.
    Reset,
}

/// Why a flow ended before both sides had closed.
struct Broken;

/// Makes closing this connection an RST.
pub(super) fn reset_on_close(stream: &TcpStream) {
    // fails only on a socket that is closed already
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

struct Clock {
    start: Instant,
    last: AtomicU64,
    idle: Duration,
}

impl Clock {
    fn millis(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes a packet; false when the flow was idle for too long before it.
    fn packet(&self) -> bool {
        let now = self.millis();
        let before = self.last.swap(now, Ordering::Relaxed);
        Duration::from_millis(now.saturating_sub(before)) <= self.idle
    }
}

async fn pump(
    mut read: ReadHalf<'_>,
    mut write: WriteHalf<'_>,
    clock: &Clock,
    orders: &watch::Receiver<Order>,
) -> Result<(), Broken> {
    let mut buffer = vec![0u8; BUFFER];
    loop {
        let n = read.read(&mut buffer).await.map_err(|_| Broken)?;
        if !clock.packet() || *orders.borrow() >= Order::ResetOnPacket {
            return Err(Broken);
        }
        if n == 0 {
            // the other direction goes on: half-closed
            return write.shutdown().await.map_err(|_| Broken);
        }
        write.write_all(&buffer[..n]).await.map_err(|_| Broken)?;
    }
}

/// Forwards until both sides have closed, one breaks, or the load balancer orders a reset; whatever is not an orderly
/// close is passed on as RST to both sides.
pub(super) async fn forward(
    mut client: TcpStream,
    mut target: TcpStream,
    idle: Duration,
    mut orders: watch::Receiver<Order>,
) {
    for stream in [&client, &target] {
        let _ = stream.set_nodelay(true);
    }
    let clock = Clock {
        start: Instant::now(),
        last: AtomicU64::new(0),
        idle,
    };
    let watching = orders.clone();
    let orderly = {
        let (client_read, client_write) = client.split();
        let (target_read, target_write) = target.split();
        let both = async {
            tokio::try_join!(
                pump(client_read, target_write, &clock, &watching),
                pump(target_read, client_write, &clock, &watching)
            )
        };
        tokio::select! {
            done = both => done.is_ok(),
            Ok(_) = orders.wait_for(|o| *o == Order::Reset) => false,
        }
    };
    if !orderly {
        reset_on_close(&client);
        reset_on_close(&target);
    }
}

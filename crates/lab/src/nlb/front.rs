//! A listener: accepts on the load balancer's address and hands connections to targets.

use super::flow;
use super::pool::Pool;
use super::proxy_header;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// How long a target's host may take to answer a connection.
const DIAL: Duration = Duration::from_secs(10);

/// What a listener does with connections; can change while it runs.
#[derive(Clone)]
pub(crate) struct FrontSettings {
    /// Target group.
    pub(crate) pool: Arc<Pool>,
    /// Cross-zone balancing of the load balancer; the target group's own setting goes first.
    pub(crate) cross_zone: bool,
    /// After this time without a packet the next packet is answered with RST.
    pub(crate) idle: Duration,
    /// When the load balancer becomes active; connections before are reset.
    pub(crate) active_at: Instant,
}

/// A running listener; dropping it closes the port and every connection through it.
pub(crate) struct Front {
    settings: Arc<Mutex<FrontSettings>>,
    #[cfg(test)]
    address: SocketAddr,
    task: AbortHandle,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Front {
    /// Binds the address and starts accepting.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub(crate) async fn start(address: SocketAddr, settings: FrontSettings) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let settings = Arc::new(Mutex::new(settings));
        let task = tokio::spawn(accept(listener, address, settings.clone())).abort_handle();
        Ok(Self {
            settings,
            #[cfg(test)]
            address,
            task,
        })
    }

    /// Address on which it accepts.
    #[cfg(test)]
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what happens to new connections; the idle timeout of running ones stays.
    pub(crate) fn configure(&self, change: impl FnOnce(&mut FrontSettings)) {
        change(&mut self.settings.lock());
    }
}

async fn accept(listener: TcpListener, address: SocketAddr, settings: Arc<Mutex<FrontSettings>>) {
    // dropped with this task, which closes all flows
    let mut flows = JoinSet::new();
    loop {
        while flows.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, peer)) => {
                let settings = settings.lock().clone();
                flows.spawn(serve(stream, peer, address, settings));
            }
            Err(error) => {
                tracing::warn!(%address, %error, "the load balancer could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(client: TcpStream, peer: SocketAddr, address: SocketAddr, settings: FrontSettings) {
    let chosen = (Instant::now() >= settings.active_at)
        .then(|| settings.pool.choose(peer.ip(), settings.cross_zone))
        .flatten();
    let Some(flow) = chosen else {
        tracing::debug!(%address, %peer, "no target: connection reset");
        return flow::reset_on_close(&client);
    };
    let dialled = tokio::time::timeout(DIAL, settings.pool.network().connect(flow.address)).await;
    let Ok(Ok(mut target)) = dialled else {
        tracing::debug!(%address, %peer, target = %flow.address, "target refused: connection reset");
        return flow::reset_on_close(&client);
    };
    if flow.proxy_protocol && target.write_all(&proxy_header::version_2(peer, address)).await.is_err() {
        return flow::reset_on_close(&client);
    }
    flow::forward(client, target, settings.idle, flow.orders.clone()).await;
}

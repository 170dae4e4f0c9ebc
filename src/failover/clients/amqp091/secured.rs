//! TLS below the client library, by the trust of every driver here: a runtime whose connections have shaken hands when they are there.
//!
//! The library's own TLS takes neither a name other than the host's nor roots other than its own.

use crate::failover::clients::tls::{Tls, untrusted};
use async_compat::{Compat, CompatExt};
use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

/// Tokio's reactor, with TLS on every connection.
#[derive(Debug, Clone)]
pub(super) struct Secured {
    tokio: Tokio,
    tls: Tls,
    within: Duration,
}

/// The runtime of one connection; a handshake that takes longer than `within` is given up, since nobody else ends it.
pub(super) fn runtime(tls: &Tls, within: Duration) -> Runtime<RuntimeParts<Tokio, Secured>> {
    let tokio = Tokio::current();
    let reactor = Secured {
        tokio: tokio.clone(),
        tls: tls.clone(),
        within,
    };
    Runtime::new(RuntimeParts::new(tokio, reactor))
}

impl Reactor for Secured {
    type TcpStream = Compat<TlsStream<TcpStream>>;
    type Sleep = tokio::time::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.tokio.register(socket)
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        self.tokio.sleep(time)
    }

    fn interval(&self, time: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.tokio.interval(time)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let Self { tls, within, .. } = self.clone();
        let plain = self.tokio.tcp_connect_addr(address);
        async move {
            let shaken = async {
                let stream = plain.await?.into_inner();
                let stream = tls.connector.connect(tls.name, stream).await;
                stream.map_err(|error| match untrusted(&error) {
                    Some(_) => error,
                    None => io::Error::other(format!("TLS handshake: {error}")),
                })
            };
            let shaken = timeout(within, shaken).await;
            let late = || io::Error::other(format!("no answer within {} s", within.as_secs()));
            Ok(shaken.unwrap_or_else(|_| Err(late()))?.compat())
        }
    }
}

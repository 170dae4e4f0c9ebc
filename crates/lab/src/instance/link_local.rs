//! The metadata service of all guests: one address, as on AWS, and the guests told apart by theirs.

use super::metadata::{Metadata, answer};
use crate::http::{self, Door};
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where a guest finds the service.
const LINK_LOCAL: (Ipv4Addr, u16) = (Ipv4Addr::new(169, 254, 169, 254), 80);

/// The instances behind 169.254.169.254, by their addresses.
#[derive(Default)]
pub struct Directory {
    instances: Arc<Mutex<HashMap<IpAddr, Arc<Metadata>>>>,
}

/// Answers guests on 169.254.169.254 until `stopping` is true or the handle is aborted.
///
/// # Errors
/// The address cannot be bound: the lab is not in a namespace that has it.
pub async fn serve_guests(directory: &Directory, stopping: watch::Receiver<bool>) -> io::Result<JoinHandle<()>> {
    let listener = TcpListener::bind(LINK_LOCAL).await?;
    let instances = directory.instances.clone();
    let answer = move |request: Request| {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let found = peer.and_then(|peer| instances.lock().get(&peer.ip()).cloned());
        async move {
            match found {
                Some(metadata) => answer(metadata, request).await,
                None => StatusCode::NOT_FOUND.into_response(),
            }
        }
    };
    // The sockets of guests are in their own kernels. Nobody else has their addresses.
    Ok(tokio::spawn(http::serve(listener, Door::Open, stopping, answer)))
}

/// An entry of the directory; dropping it takes the instance out.
struct Entry(Arc<Mutex<HashMap<IpAddr, Arc<Metadata>>>>, IpAddr);

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.lock().remove(&self.1);
    }
}

impl Directory {
    /// Enters an instance until the handle is aborted.
    pub(super) fn enter(&self, address: IpAddr, metadata: Arc<Metadata>) -> JoinHandle<()> {
        let entry = Entry(self.instances.clone(), address);
        entry.0.lock().insert(address, metadata);
        tokio::spawn(async move {
            let _entry = entry;
            std::future::pending::<()>().await;
        })
    }
}

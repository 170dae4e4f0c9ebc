//! The metadata service of all guests: one address, as on AWS, and the guests told apart by theirs.

use super::metadata::{Metadata, answer};
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Where a guest finds the service.
const LINK_LOCAL: (Ipv4Addr, u16) = (Ipv4Addr::new(169, 254, 169, 254), 80);

/// The instances behind 169.254.169.254, by their addresses.
#[derive(Default)]
pub struct Directory {
    instances: Arc<Mutex<HashMap<IpAddr, Arc<Metadata>>>>,
}

/// Answers guests on 169.254.169.254 until the handle is aborted.
///
/// # Errors
/// The address cannot be bound: the lab is not in a namespace that has it.
pub async fn serve_guests(directory: &Directory) -> io::Result<JoinHandle<()>> {
    let listener = TcpListener::bind(LINK_LOCAL).await?;
    let instances = directory.instances.clone();
    let router = Router::new().fallback(
        move |ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request| async move {
            let found = instances.lock().get(&peer.ip()).cloned();
            match found {
                Some(metadata) => answer(State(metadata), request).await,
                None => StatusCode::NOT_FOUND.into_response(),
            }
        },
    );
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    Ok(tokio::spawn(async move {
        // It ends only by being aborted.
        let _ = axum::serve(listener, service).await;
    }))
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

//! Connections that bring HTTP requests: who may make them, and how long a request may take to come.

use crate::network::Peers;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// How long the head of a request may take to come, and then its body; a connection without requests ends after it as well.
pub(crate) const REQUEST: Duration = Duration::from_secs(30);
/// How many connections of other users may be open at a time, where they are let in.
const OTHERS: usize = 64;

/// Who is let in.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    /// Everybody who can reach the listener.
    Open,
    /// The user of this process; others are hung up on.
    Own(Peers),
    /// Everybody, of other users a few at a time. Requests say by [`Stranger`] that they are not of the user of this process.
    Watched(Peers),
}

/// Mark of a request that another user made, or somebody who is not found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stranger;

/// Answers requests until `stopping` is true, then lets those under way end.
///
/// It does not return while nobody asks it to stop; a caller that cannot wait drops it, and every connection with it.
pub(crate) async fn serve<A, F>(listener: TcpListener, door: Door, mut stopping: watch::Receiver<bool>, answer: A)
where
    A: Fn(Request<Body>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let others = Arc::new(Semaphore::new(OTHERS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = asked(&mut stopping) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let (door, others, stopping, answer) = (door.clone(), others.clone(), stopping.clone(), answer.clone());
                connections.spawn(async move { connection(stream, door, others, stopping, answer).await });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn asked(stopping: &mut watch::Receiver<bool>) {
    if stopping.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could ask.
        std::future::pending::<()>().await;
    }
}

async fn connection<A, F>(
    stream: TcpStream,
    door: Door,
    others: Arc<Semaphore>,
    mut stopping: watch::Receiver<bool>,
    answer: A,
) where
    A: Fn(Request<Body>) -> F,
    F: Future<Output = Response<Body>>,
{
    let own = match &door {
        Door::Open => true,
        Door::Own(peers) | Door::Watched(peers) => peers.is_own(&stream).await,
    };
    let _permit = match (own, &door) {
        (true, _) => None,
        (false, Door::Watched(_)) => match others.try_acquire() {
            Ok(permit) => Some(permit),
            Err(_) => return,
        },
        (false, _) => return,
    };
    let Ok(peer) = stream.peer_addr() else { return };
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        if !own {
            request.extensions_mut().insert(Stranger);
        }
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut serving = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(REQUEST)
            .serve_connection(TokioIo::new(stream), service)
    );
    // However it ends, there is nobody to tell.
    let _ = tokio::select! {
        done = serving.as_mut() => done,
        () = asked(&mut stopping) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
}

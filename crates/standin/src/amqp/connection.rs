//! One connection: authentication, takeover, its session and links, its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fe2o3_amqp::acceptor::{
    ConnectionAcceptor, LinkAcceptor, LinkEndpoint, ListenerConnectionHandle, ListenerSessionHandle, SessionAcceptor,
};
use fe2o3_amqp_types::{
    definitions::{self, AmqpError, ConnectionError, ErrorCondition, Role, SessionError},
    messaging::{DistributionMode, TargetArchetype},
    performatives::Attach,
    primitives::{Array, Symbol},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

use super::{incoming, outgoing, peek::Peek, peek::Seen, sasl::Plain};
use crate::standin::{
    broker::{Broker, Phase},
    queue::Queue,
};

/// A client that neither authenticates nor opens within this time is dropped.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A silent client is dropped after this time; it is told the [half](super::opening), so that it sends heartbeats.
pub(super) const IDLE_MILLIS: u32 = 15_000;
/// How long deliveries under way may take when the queue manager quiesces, and puts when it ends at once.
const QUIESCE: Duration = Duration::from_secs(1);
const IMMEDIATE: Duration = Duration::from_millis(300);
/// How long a client may take to answer that the connection closes.
const CLOSE: Duration = Duration::from_millis(300);

/// How long a session may take to read what came before the connection's end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What the links of a connection share.
#[derive(Debug)]
pub(super) struct Client {
    pub(crate) broker: Arc<Broker>,
    /// The user it acts as.
    pub(crate) user: String,
    pub(crate) seen: Arc<Seen>,
    /// Puts that are not acknowledged yet.
    pub(crate) puts: AtomicUsize,
    /// Messages given out that are not settled yet.
    pub(crate) gets: AtomicUsize,
    /// True when the connection is gone.
    pub(crate) gone: watch::Sender<bool>,
}

/// Waits until a watched value is so, or its owner is gone; without the borrow that the channel's own call returns.
pub(super) async fn told<T>(watched: &mut watch::Receiver<T>, so: impl FnMut(&T) -> bool) {
    let _ = watched.wait_for(so).await;
}

pub(super) fn error(condition: impl Into<ErrorCondition>, description: &str) -> definitions::Error {
    definitions::Error::new(condition, description.to_owned(), None)
}

/// Serves one connection to its end.
pub(crate) async fn serve<S>(broker: Arc<Broker>, channel: String, mca_user: Option<String>, stream: S)
where
    S: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin + 'static,
{
    if *broker.phase.borrow() != Phase::Running {
        return;
    }
    let plain = Plain::new(broker.root.clone());
    let acceptor = ConnectionAcceptor::builder()
        .container_id(broker.name.clone())
        .max_frame_size(65_536_u32)
        .channel_max(16_u16)
        .idle_time_out(IDLE_MILLIS)
        .sasl_acceptor(plain.clone())
        .build();
    let (peek, seen) = Peek::new(stream);
    let Ok(Ok(mut connection)) = timeout(HANDSHAKE, acceptor.accept(peek)).await else {
        return;
    };
    let Some(authenticated) = plain.user().map(str::to_owned) else {
        return;
    };
    let user = mca_user.unwrap_or(authenticated);
    let allowed = {
        let objects = broker.objects();
        objects.is_open(&channel) && objects.may_connect(&user)
    };
    if !allowed {
        let refusal = error(AmqpError::UnauthorizedAccess, "AMQ9777E: the channel was blocked");
        let _ = timeout(CLOSE, connection.close_with_error(refusal)).await;
        return;
    }
    let container = seen.container.get().cloned().unwrap_or_default();
    let (id, taken_over) = broker.network.enter(&container, &channel);
    let client = Arc::new(Client {
        broker: broker.clone(),
        user,
        seen,
        puts: AtomicUsize::new(0),
        gets: AtomicUsize::new(0),
        gone: watch::Sender::new(false),
    });
    let mut phase = broker.phase.subscribe();
    // Without a bound, since what a link offers must not wait for room; the credit that the client gives is the bound.
    let session_acceptor = SessionAcceptor::builder().buffer_size(Semaphore::MAX_PERMITS).build();
    let mut session_task = None;
    let farewell = loop {
        tokio::select! {
            session = connection.next_incoming_session() => {
                let Some(incoming) = session else { break None };
                let Ok(mut session) = session_acceptor.accept_incoming_session(incoming, &mut connection).await else {
                    break None;
                };
                if session_task.is_some() {
                    let refusal = error(AmqpError::NotImplemented, "one session a connection");
                    tokio::spawn(async move { timeout(CLOSE, session.end_with_error(refusal)).await });
                } else {
                    session_task = Some(tokio::spawn(links(client.clone(), session)));
                }
            }
            () = taken_over.notified() => {
                break Some(error(ConnectionError::ConnectionForced, "another connection has taken over this client ID"));
            }
            () = told(&mut phase, |p| *p != Phase::Running) => {
                break Some(error(ConnectionError::ConnectionForced, "AMQ8146E: the queue manager is ending"));
            }
        }
    };
    if !phase_is(&phase, Phase::Running) {
        quiesce(&client, &phase).await;
    }
    if let Some(farewell) = farewell {
        close(&mut connection, farewell).await;
    }
    // A client may accept messages and close at once: its session still has those words to read. Only then what it did not
    // speak of goes back.
    if let Some(task) = session_task {
        let _ = timeout(LAST_WORDS, task).await;
    }
    client.gone.send_replace(true);
    broker.network.leave(&container, id);
}

async fn close(connection: &mut ListenerConnectionHandle, farewell: definitions::Error) {
    // A client that does not answer is not waited for.
    let _ = timeout(CLOSE, connection.close_with_error(farewell)).await;
}

/// Lets what is under way end.
async fn quiesce(client: &Client, phase: &watch::Receiver<Phase>) {
    let settled =
        |gets: bool| client.puts.load(Ordering::SeqCst) == 0 && (!gets || client.gets.load(Ordering::SeqCst) == 0);
    let _ = timeout(QUIESCE, async {
        while phase_is(phase, Phase::Quiescing) && !settled(true) {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let _ = timeout(IMMEDIATE, async {
        while !settled(false) {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

fn phase_is(phase: &watch::Receiver<Phase>, wanted: Phase) -> bool {
    *phase.borrow() == wanted
}

/// Accepts the links of a session.
async fn links(client: Arc<Client>, mut session: ListenerSessionHandle) {
    let queue_capability = vec![Symbol::from("queue")];
    let acceptor = LinkAcceptor::builder()
        .source_capabilities(queue_capability.clone())
        .target_capabilities(queue_capability)
        .max_message_size(104_857_600_u64)
        .build();
    while let Some(attach) = session.next_incoming_attach().await {
        let found = find_queue(&client, &attach);
        let Ok(link) = acceptor.accept_incoming_attach(attach, &mut session).await else {
            // Two links of one name in different directions are right in AMQP; the library knows each name once a session.
            let refusal = error(
                SessionError::HandleInUse,
                "the link could not be attached; is its name in use?",
            );
            let _ = timeout(CLOSE, session.end_with_error(refusal)).await;
            return;
        };
        match (link, found) {
            (LinkEndpoint::Receiver(receiver), Ok(queue)) => {
                tokio::spawn(incoming::receive(client.clone(), queue, receiver));
            }
            (LinkEndpoint::Sender(sender), Ok(queue)) => {
                tokio::spawn(outgoing::send(client.clone(), queue, sender));
            }
            (LinkEndpoint::Receiver(receiver), Err(refusal)) => {
                tokio::spawn(async move { timeout(HANDSHAKE, receiver.close_with_error(refusal)).await.is_ok() });
            }
            (LinkEndpoint::Sender(sender), Err(refusal)) => {
                tokio::spawn(async move { timeout(HANDSHAKE, sender.close_with_error(refusal)).await.is_ok() });
            }
        }
    }
}

/// The queue that a link names, or why it is refused.
fn find_queue(client: &Client, attach: &Attach) -> Result<Arc<Queue>, definitions::Error> {
    let no_topics = || {
        error(
            AmqpError::NotImplemented,
            "the capability `queue` is missing, and there are no topics here",
        )
    };
    let (address, capabilities, authority) = match attach.role {
        Role::Sender => match attach.target.as_deref() {
            Some(TargetArchetype::Target(target)) => (target.address.clone(), target.capabilities.clone(), "PUT"),
            None => (None, None, "PUT"),
        },
        Role::Receiver => {
            let source = attach.source.as_deref();
            if source.is_some_and(|s| matches!(s.distribution_mode, Some(DistributionMode::Copy))) {
                return Err(error(AmqpError::NotImplemented, "the stand-in does not browse"));
            }
            (
                source.and_then(|s| s.address.clone()),
                source.and_then(|s| s.capabilities.clone()),
                "GET",
            )
        }
    };
    let asks_for_queue = |c: &Array<Symbol>| c.0.iter().any(|s| s.as_str().eq_ignore_ascii_case("queue"));
    if !capabilities.as_ref().is_some_and(asks_for_queue) {
        return Err(no_topics());
    }
    let address = address.unwrap_or_default();
    let queue = client.broker.queue(&address).ok_or_else(|| {
        error(
            AmqpError::NotFound,
            &format!("AMQ8147E: IBM MQ object {address} not found."),
        )
    })?;
    if !client.broker.objects().may(&client.user, &address, authority) {
        let text = format!("{} may not {} {address}", client.user, authority.to_lowercase());
        return Err(error(AmqpError::UnauthorizedAccess, &text));
    }
    Ok(queue)
}

//! The toy's way to speak AMQP 1.0: one message at a time on each link, for any user.

use super::journal::Shared;
use fe2o3_amqp::acceptor::sasl_acceptor::{SaslAcceptor, SaslServerFrame};
use fe2o3_amqp::acceptor::{ConnectionAcceptor, LinkAcceptor, LinkEndpoint, SessionAcceptor};
use fe2o3_amqp::{Delivery, Receiver, Sender};
use fe2o3_amqp_types::messaging::{Body, Data, Header, Message, Outcome, TargetArchetype};
use fe2o3_amqp_types::performatives::Attach;
use fe2o3_amqp_types::primitives::{Array, Binary, Symbol, Value};
use fe2o3_amqp_types::sasl::{SaslCode, SaslInit, SaslOutcome, SaslResponse};
use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How often a consumer's link looks for a message.
const LOOK: Duration = Duration::from_millis(2);

/// Serves clients until the process ends.
pub(super) fn serve(listener: std::net::TcpListener, journal: &Shared) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(connection(stream, journal.clone()));
        }
    })
}

async fn connection(stream: TcpStream, journal: Shared) {
    let acceptor = ConnectionAcceptor::builder()
        .container_id("toy")
        .sasl_acceptor(Anybody)
        .build();
    let Ok(mut connection) = acceptor.accept(stream).await else {
        return;
    };
    let gone = watch::Sender::new(false);
    while let Some(incoming) = connection.next_incoming_session().await {
        let acceptor = SessionAcceptor::new();
        let Ok(mut session) = acceptor.accept_incoming_session(incoming, &mut connection).await else {
            break;
        };
        let (journal, gone) = (journal.clone(), gone.subscribe());
        tokio::spawn(async move {
            let queues = vec![Symbol::from("queue")];
            let acceptor = LinkAcceptor::builder()
                .source_capabilities(queues.clone())
                .target_capabilities(queues)
                .build();
            while let Some(attach) = session.next_incoming_attach().await {
                let queue = address(&attach);
                match acceptor.accept_incoming_attach(attach, &mut session).await {
                    Ok(LinkEndpoint::Receiver(receiver)) => drop(tokio::spawn(put(receiver, queue, journal.clone()))),
                    Ok(LinkEndpoint::Sender(sender)) => {
                        drop(tokio::spawn(get(sender, queue, journal.clone(), gone.clone())));
                    }
                    Err(_) => return,
                }
            }
        });
    }
    gone.send_replace(true);
}

fn address(attach: &Attach) -> String {
    let target = attach.target.as_deref();
    let target = target.and_then(|TargetArchetype::Target(target)| target.address.clone());
    let source = || attach.source.as_deref().and_then(|source| source.address.clone());
    target.or_else(source).unwrap_or_default()
}

/// Accepts what is on the disk.
async fn put(mut receiver: Receiver, queue: String, journal: Shared) {
    while let Ok(delivery) = receiver.recv::<Body<Value>>().await {
        let delivery: Delivery<Body<Value>> = delivery;
        let durable = delivery.message().header.as_ref().is_some_and(|header| header.durable);
        let body = match delivery.body() {
            Body::Data(parts) => parts.iter().flat_map(|part| part.0.to_vec()).collect(),
            _ => Vec::new(),
        };
        let kept = journal
            .lock()
            .is_ok_and(|mut journal| journal.put(&queue, body, durable).is_ok());
        if !kept || receiver.accept(&delivery).await.is_err() {
            return;
        }
    }
}

/// Gives out one message after another, each after the one before was accepted.
async fn get(mut sender: Sender, queue: String, journal: Shared, mut gone: watch::Receiver<bool>) {
    loop {
        let taken = journal.lock().ok().and_then(|mut journal| journal.take(&queue));
        let Some(held) = taken else {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => continue,
                _ = gone.wait_for(|gone| *gone) => return,
                _ = sender.on_detach() => return,
            }
        };
        let header = Header::builder()
            .durable(held.durable)
            .delivery_count(held.failed)
            .build();
        let body = Data(Binary::from(held.body.clone()));
        let message = Message::builder()
            .header(header)
            .body(Body::<Value>::Data(vec![body].into()))
            .build();
        let outcome = tokio::select! {
            biased;
            outcome = sender.send(message) => outcome.ok(),
            _ = gone.wait_for(|gone| *gone) => None,
        };
        let Ok(mut journal) = journal.lock() else { return };
        match outcome {
            Some(Outcome::Accepted(_)) if journal.accepted(&queue, &held).is_ok() => {}
            _ => return journal.back(&queue, held),
        }
    }
}

/// Lets everybody in.
#[derive(Debug, Clone)]
struct Anybody;

impl SaslAcceptor for Anybody {
    fn mechanisms(&self) -> Array<Symbol> {
        Array::from(vec![Symbol::from("PLAIN")])
    }

    fn on_init(&mut self, _: SaslInit) -> SaslServerFrame {
        outcome(SaslCode::Ok)
    }

    fn on_response(&mut self, _: SaslResponse) -> SaslServerFrame {
        outcome(SaslCode::Sys)
    }
}

fn outcome(code: SaslCode) -> SaslServerFrame {
    SaslServerFrame::Outcome(SaslOutcome {
        code,
        additional_data: None,
    })
}

//! What owns the connection of a link: one task a producer or consumer, which watches for the end at every point where it waits.

use super::Opened;
use super::ends::{ending, said, words};
use crate::failover::clients::client::{CREDIT, Delivery, Lost, Put, PutEvent};
use crate::failover::measure::ledger::Outcome;
use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::link::delivery::DeliveryInfo;
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::{Receiver, Sender};
use fe2o3_amqp_types::messaging::{Body, Header, Message, Outcome as Settled, Properties, Rejected};
use fe2o3_amqp_types::primitives::{Binary, Value};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// An answer that was on its way when the connection died is taken this long after.
const GRACE: Duration = Duration::from_millis(5);

/// Owns a producer's connection until it dies or the link is dropped.
pub(super) async fn produce(
    (mut connection, mut session, heard): Opened,
    mut sender: Sender,
    mut puts: mpsc::Receiver<Put>,
    events: mpsc::UnboundedSender<PutEvent>,
    operation: Duration,
) {
    let mut waiting = JoinSet::new();
    let cause = loop {
        while waiting.try_join_next().is_some() {}
        let put = tokio::select! {
            biased;
            ended = connection.on_close() => break ending("connection", ended),
            ended = session.on_end() => break ending("session", ended),
            detached = sender.on_detach() => break words(&detached.to_string()),
            put = puts.recv() => put,
        };
        let Some(put) = put else {
            waiting.abort_all();
            let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
            return;
        };
        let id = put.id;
        let sent = tokio::select! {
            biased;
            ended = connection.on_close() => break ending("connection", ended),
            sent = tokio::time::timeout(operation, sender.send_batchable(message(put))) => sent,
        };
        let settlement = match sent {
            Ok(Ok(settlement)) => settlement,
            Ok(Err(error)) => break words(&error.to_string()),
            Err(_) => break format!("no credit within {} s", operation.as_secs()),
        };
        let events = events.clone();
        waiting.spawn(async move {
            let (outcome, why) = match tokio::time::timeout(operation, settlement).await {
                Ok(Ok(Settled::Accepted(_))) => (Outcome::Acked, None),
                Ok(Ok(Settled::Rejected(Rejected { error }))) => (Outcome::Failed, error.map(|error| said(&error))),
                // Such as a queue that is gone: the broker has not taken it.
                Ok(Ok(other)) => (Outcome::Failed, unaccepted(&other).map(str::to_owned)),
                Ok(Err(_)) | Err(_) => (Outcome::Unknown, None),
            };
            let _ = events.send(PutEvent::Outcome {
                id,
                outcome,
                at: Instant::now(),
                why,
            });
        });
    };
    let at = Instant::now();
    tokio::time::sleep(GRACE).await;
    waiting.abort_all();
    // What still stands in line here has never left.
    puts.close();
    while let Ok(put) = puts.try_recv() {
        let _ = events.send(PutEvent::Outcome {
            id: put.id,
            outcome: Outcome::NotSent,
            at,
            why: None,
        });
    }
    let heard = heard.at();
    let _ = events.send(PutEvent::Lost(Lost { cause, at, heard }));
}

/// The word for an outcome by which a broker gives a message back.
fn unaccepted(outcome: &Settled) -> Option<&'static str> {
    match outcome {
        Settled::Released(_) => Some("released by the broker"),
        Settled::Modified(_) => Some("given back by the broker as modified"),
        _ => None,
    }
}

fn message(put: Put) -> Message<fe2o3_amqp_types::messaging::Data> {
    Message::builder()
        .header(Header::builder().durable(put.durable).build())
        .properties(Properties::builder().message_id(put.id.to_string()).build())
        .data(Binary::from(put.body))
        .build()
}

/// The driver's ends of a consumer's link.
pub(super) struct Ends {
    pub(super) deliveries: mpsc::Sender<Delivery>,
    pub(super) accepts: mpsc::UnboundedReceiver<u64>,
    pub(super) wanted: watch::Receiver<bool>,
    pub(super) spent: watch::Sender<bool>,
    /// Whether a message that comes again is told by not being acquired first.
    pub(super) first_acquirer: bool,
}

/// Owns a consumer's connection; returns why it died, or `None` when the link was dropped.
pub(super) async fn consume(
    mut connection: ConnectionHandle<()>,
    mut session: SessionHandle<()>,
    mut receiver: Receiver,
    ends: Ends,
) -> Option<String> {
    let Ends {
        deliveries,
        mut accepts,
        mut wanted,
        spent,
        first_acquirer,
    } = ends;
    let mut disposer = receiver.disposer();
    let mut wants = true;
    let mut open: HashMap<u64, DeliveryInfo> = HashMap::new();
    let mut next = 0u64;
    let mut ready: Option<Delivery> = None;
    loop {
        // Credit is never taken back, only used up: a message that is on its way would break a link without credit.
        if !wants && receiver.credit() == 0 && ready.is_none() && open.is_empty() {
            spent.send_replace(true);
        }
        tokio::select! {
            biased;
            ended = connection.on_close() => return Some(ending("connection", ended)),
            ended = session.on_end() => return Some(ending("session", ended)),
            Ok(()) = wanted.changed() => {
                wants = *wanted.borrow_and_update();
                receiver.set_credit_mode(if wants { CreditMode::Auto(CREDIT) } else { CreditMode::Manual });
                // It keeps the mode that it was made with.
                disposer = receiver.disposer();
                if wants {
                    spent.send_replace(false);
                    if let Err(error) = receiver.set_credit(CREDIT).await {
                        return Some(words(&error.to_string()));
                    }
                }
            }
            token = accepts.recv() => {
                let Some(token) = token else { break };
                if let Some(info) = open.remove(&token)
                    && let Err(error) = disposer.accept(info).await
                {
                    return Some(words(&error.to_string()));
                }
            }
            room = deliveries.reserve(), if ready.is_some() => {
                let Ok(room) = room else { break };
                if let Some(delivery) = ready.take() {
                    room.send(delivery);
                }
            }
            got = receiver.recv::<Body<Value>>(), if ready.is_none() => {
                let got = match got {
                    Ok(got) => got,
                    Err(error) => return Some(words(&error.to_string())),
                };
                let (info, message) = got.into_parts();
                let header = message.header.unwrap_or_default();
                let body = match message.body {
                    Body::Data(parts) => parts.into_iter().flat_map(|part| part.0.into_vec()).collect(),
                    _ => Vec::new(),
                };
                let redelivered = header.delivery_count > 0 || first_acquirer && !header.first_acquirer;
                next += 1;
                open.insert(next, info);
                ready = Some(Delivery { token: next, body, redelivered, durable: header.durable });
            }
        }
    }
    // The session first: its end comes behind the acceptances, the connection's could overtake them.
    let _ = tokio::time::timeout(Duration::from_secs(1), session.end()).await;
    let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
    None
}

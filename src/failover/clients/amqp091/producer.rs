//! What owns the connection of a producer's link.

use super::{Opened, close, ending, words};
use crate::failover::clients::client::{Lost, Put, PutEvent};
use crate::failover::measure::id::MessageId;
use crate::failover::measure::ledger::Outcome;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Confirmation};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// An answer that was on its way when the connection died is taken this long after.
const GRACE: Duration = Duration::from_millis(5);
/// The delivery mode of a message that survives its broker.
const PERSISTENT: u8 = 2;
const TRANSIENT: u8 = 1;

/// Owns a producer's connection until it dies, an operation takes too long, or the link is dropped.
pub(super) async fn produce(
    opened: Opened,
    queue: String,
    mut puts: mpsc::Receiver<Put>,
    events: mpsc::UnboundedSender<PutEvent>,
    (operation, confirms): (Duration, bool),
) {
    let mut waiting = JoinSet::new();
    let mut heard = Instant::now();
    let mut dying = Box::pin(ending(&opened.connection));
    let (late, mut overdue) = mpsc::unbounded_channel();
    let cause = loop {
        let put = tokio::select! {
            biased;
            cause = &mut dying => break cause,
            cause = overdue.recv() => break cause.unwrap_or_default(),
            Some(answered) = waiting.join_next() => {
                if let Ok(Some(at)) = answered {
                    heard = heard.max(at);
                }
                continue;
            }
            put = puts.recv() => put,
        };
        let Some(put) = put else {
            waiting.abort_all();
            drop(dying);
            close(&opened, Duration::from_secs(1)).await;
            return;
        };
        let id = put.id;
        let properties = BasicProperties::default()
            .with_delivery_mode(if put.durable { PERSISTENT } else { TRANSIENT })
            .with_message_id(id.to_string().into());
        let routed = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let publish = opened
            .channel
            .basic_publish("".into(), queue.as_str().into(), routed, &put.body, properties);
        let confirm = tokio::select! {
            biased;
            cause = &mut dying => {
                unknown(&events, id);
                break cause;
            }
            sent = tokio::time::timeout(operation, publish) => match sent {
                Ok(Ok(confirm)) => confirm,
                Ok(Err(error)) => {
                    unknown(&events, id);
                    break words(&error);
                }
                Err(_) => {
                    unknown(&events, id);
                    break format!("a publish was not taken within {} s", operation.as_secs());
                }
            },
        };
        let (events, late) = (events.clone(), late.clone());
        waiting.spawn(async move {
            let answer = tokio::time::timeout(operation, confirm).await;
            let at = Instant::now();
            let (outcome, why) = match answer {
                Ok(Ok(Confirmation::Ack(None))) => (Outcome::Acked, None),
                Ok(Ok(Confirmation::Ack(Some(returned)))) => {
                    (Outcome::Failed, Some(format!("returned: {}", returned.reply_text)))
                }
                Ok(Ok(Confirmation::Nack(_))) => {
                    (Outcome::Failed, Some("the broker says that it did not take it".into()))
                }
                // As a client without confirms has it: sent is done.
                Ok(Ok(Confirmation::NotRequested)) if !confirms => (Outcome::Acked, None),
                Ok(Ok(Confirmation::NotRequested)) => (Outcome::Unknown, None),
                Ok(Err(_)) => {
                    unknown(&events, id);
                    return None;
                }
                Err(_) => {
                    unknown(&events, id);
                    let _ = late.send(format!("no confirm within {} s", operation.as_secs()));
                    return None;
                }
            };
            let _ = events.send(PutEvent::Outcome { id, outcome, at, why });
            Some(at)
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
    let _ = events.send(PutEvent::Lost(Lost { cause, at, heard }));
}

fn unknown(events: &mpsc::UnboundedSender<PutEvent>, id: MessageId) {
    let _ = events.send(PutEvent::Outcome {
        id,
        outcome: Outcome::Unknown,
        at: Instant::now(),
        why: None,
    });
}

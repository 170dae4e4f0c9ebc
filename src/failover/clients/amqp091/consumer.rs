//! What owns the connection of a consumer's link.

use super::{Opened, close, ending, words};
use crate::failover::clients::client::Delivery;
use futures_core::Stream;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Acker, Consumer};
use std::collections::HashMap;
use std::pin::Pin;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// How long nothing comes until the broker is asked whether it still answers.
const QUIET: Duration = Duration::from_secs(1);
/// How long a consumer that ends waits for the broker's goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// The driver's ends of a consumer's link.
pub(super) struct Ends {
    pub(super) deliveries: mpsc::Sender<Delivery>,
    pub(super) accepts: mpsc::UnboundedReceiver<u64>,
    pub(super) wanted: watch::Receiver<bool>,
    pub(super) spent: watch::Sender<bool>,
}

/// Owns a consumer's connection; returns why it died, or `None` when the link was dropped.
pub(super) async fn consume(
    opened: Opened,
    client: &str,
    queue: &str,
    ends: Ends,
    operation: Duration,
    heard: &mut Instant,
) -> Option<String> {
    let Ends {
        deliveries,
        mut accepts,
        mut wanted,
        spent,
    } = ends;
    let late = |what: &str| format!("no answer to {what} within {} s", operation.as_secs());
    let mut dying = Box::pin(ending(&opened.connection));
    let mut open: HashMap<u64, Acker> = HashMap::new();
    let mut next = 0u64;
    let mut ready: Option<Delivery> = None;
    let mut consumer: Option<Consumer> = None;
    let mut wants = true;
    let mut cancelled = false;
    let mut quiet_until = Instant::now() + QUIET;
    loop {
        if wants && consumer.is_none() {
            let consume = opened.channel.basic_consume(
                queue.into(),
                client.into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            );
            consumer = match timeout(operation, consume).await {
                Ok(Ok(consumer)) => Some(consumer),
                Ok(Err(error)) => return Some(words(&error)),
                Err(_) => return Some(late("basic.consume")),
            };
            (cancelled, *heard) = (false, Instant::now());
        }
        if !wants && consumer.is_none() && ready.is_none() && open.is_empty() {
            spent.send_replace(true);
        }
        tokio::select! {
            biased;
            cause = &mut dying => return Some(cause),
            Ok(()) = wanted.changed() => {
                wants = *wanted.borrow_and_update();
                spent.send_replace(false);
                if !wants && !cancelled && consumer.is_some() {
                    // What it sent before it heard of this still comes, and then the end.
                    let cancel = opened.channel.basic_cancel(client.into(), BasicCancelOptions::default());
                    match timeout(operation, cancel).await {
                        Ok(Ok(())) => (cancelled, *heard) = (true, Instant::now()),
                        Ok(Err(error)) => return Some(words(&error)),
                        Err(_) => return Some(late("basic.cancel")),
                    }
                }
            }
            token = accepts.recv() => {
                let Some(token) = token else { break };
                if let Some(acker) = open.remove(&token) {
                    match timeout(operation, acker.ack(BasicAckOptions::default())).await {
                        Ok(Ok(_)) => {}
                        Ok(Err(error)) => return Some(words(&error)),
                        Err(_) => return Some(late("basic.ack")),
                    }
                }
            }
            room = deliveries.reserve(), if ready.is_some() => {
                let Ok(room) = room else { break };
                if let Some(delivery) = ready.take() {
                    room.send(delivery);
                }
            }
            got = delivered(&mut consumer), if ready.is_none() && consumer.is_some() => {
                *heard = Instant::now();
                quiet_until = *heard + QUIET;
                let delivery = match got {
                    Some(Ok(delivery)) => delivery,
                    Some(Err(error)) => return Some(words(&error)),
                    None if cancelled => {
                        consumer = None;
                        continue;
                    }
                    None => return Some("the broker canceled the consumer".to_owned()),
                };
                next += 1;
                ready = Some(Delivery {
                    token: next,
                    redelivered: delivery.redelivered,
                    durable: *delivery.properties.delivery_mode() == Some(2),
                    body: delivery.data,
                });
                open.insert(next, delivery.acker);
            }
            () = tokio::time::sleep_until(quiet_until.into()) => {
                // A consumer hears nothing of a broker that answers nobody any more.
                let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
                let asked = opened.channel.queue_declare(queue.into(), passive, FieldTable::default());
                match timeout(operation, asked).await {
                    Ok(Ok(_)) => *heard = Instant::now(),
                    Ok(Err(error)) => return Some(words(&error)),
                    Err(_) => return Some(late("queue.declare")),
                }
                quiet_until = Instant::now() + QUIET;
            }
        }
    }
    drop(dying);
    close(&opened, GOODBYE).await;
    None
}

/// The next delivery; `None` at the end of the consumer.
async fn delivered(consumer: &mut Option<Consumer>) -> Option<lapin::Result<lapin::message::Delivery>> {
    match consumer {
        Some(consumer) => std::future::poll_fn(|cx| Pin::new(&mut *consumer).poll_next(cx)).await,
        None => std::future::pending().await,
    }
}

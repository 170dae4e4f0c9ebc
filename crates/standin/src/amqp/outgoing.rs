//! A link on which the client receives: messages go out as far as its credit goes, and leave the queue when it accepts them.

use std::{
    future::Future,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use fe2o3_amqp::{Sendable, Sender};
use fe2o3_amqp_types::{
    definitions::AmqpError,
    messaging::{Message as AmqpMessage, Outcome, message::__private::Deserializable},
};
use tokio::{
    sync::{oneshot, watch},
    task::unconstrained,
    time::{sleep, timeout},
};

use super::{
    connection::{Client, error, told},
    incoming::Content,
};
use crate::standin::{
    queue::{Message, Queue},
    writer::Job,
};

/// How long a message is offered to a link that may have no credit, before others get it.
const OFFER: Duration = Duration::from_millis(5);
/// How long a link without credit, or a queue without messages, is left alone when nothing is told.
const REST: Duration = Duration::from_millis(500);

/// Sends until the link, its queue or its connection ends.
pub(super) async fn send(client: Arc<Client>, queue: Arc<Queue>, mut sender: Sender) {
    let (over, ended) = watch::channel(false);
    let mut gone = client.gone.subscribe();
    loop {
        // Registered before the queue is looked at, so that nothing is missed between.
        let flow = client.seen.flow.notified();
        tokio::pin!(flow);
        flow.as_mut().enable();
        if queue.is_deleted() {
            let deleted = error(AmqpError::ResourceDeleted, "the queue was deleted");
            let _ = timeout(REST, sender.close_with_error(deleted)).await;
            break;
        }
        let turn = queue.offering.lock().await;
        let Some(message) = queue.take() else {
            drop(turn);
            tokio::select! {
                () = queue.available.notified() => {}
                () = sleep(REST) => {}
                _ = sender.on_detach() => break,
                () = told(&mut gone, |g| *g) => break,
            }
            continue;
        };
        let Some(sendable) = encode(&message) else {
            // It was encoded here; should a later version not read it, it stays where it is.
            queue.give_back(message);
            break;
        };
        // Without a budget, and into a channel without a bound, it waits for nothing but credit. Given up while it waited for
        // anything else, it would have used up a credit, and might have left a part of the message on the link.
        let offered = timeout(OFFER, unconstrained(sender.send_batchable_ref(&sendable))).await;
        match offered {
            Ok(Ok(settlement)) => {
                client.gets.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(settle(
                    client.clone(),
                    queue.clone(),
                    message,
                    settlement,
                    ended.clone(),
                ));
            }
            Ok(Err(_)) => {
                // The link was gone before the message was on it: that was no delivery.
                queue.give_back(message);
                break;
            }
            Err(_) => {
                queue.give_back(message);
                drop(turn);
                tokio::select! {
                    () = flow => {}
                    () = sleep(REST) => {}
                    _ = sender.on_detach() => break,
                    () = told(&mut gone, |g| *g) => break,
                }
            }
        }
    }
    let _ = over.send(true);
}

fn encode(message: &Message) -> Option<Sendable<Content>> {
    let decoded: Deserializable<AmqpMessage<Content>> = serde_amqp::from_slice(&message.body).ok()?;
    let mut decoded = decoded.0;
    let mut header = decoded.header.take().unwrap_or_default();
    header.delivery_count = message.delivery_count;
    decoded.header = Some(header);
    Some(Sendable::builder().message(decoded).build())
}

fn give_back(queue: &Queue, mut message: Message) {
    message.delivery_count += 1;
    queue.give_back(message);
}

/// Waits for the client's word on one message.
async fn settle<E>(
    client: Arc<Client>,
    queue: Arc<Queue>,
    message: Message,
    settlement: impl Future<Output = Result<Outcome, E>>,
    mut ended: watch::Receiver<bool>,
) {
    let mut gone = client.gone.subscribe();
    // The client's word counts also when the link has ended since.
    let outcome = tokio::select! {
        biased;
        outcome = settlement => outcome.ok(),
        () = told(&mut ended, |e| *e) => None,
        () = told(&mut gone, |g| *g) => None,
    };
    match outcome {
        Some(Outcome::Accepted(_)) => client.broker.delivered(&queue, &message),
        Some(Outcome::Rejected(_)) => dead_letter(&client, &queue, message),
        Some(Outcome::Released(_)) => queue.give_back(message),
        Some(Outcome::Modified(modified)) if modified.delivery_failed != Some(true) => queue.give_back(message),
        _ => give_back(&queue, message),
    }
    client.gets.fetch_sub(1, Ordering::SeqCst);
}

/// A message that no client wants goes to the dead-letter queue; where there is none, or no room, it stays.
fn dead_letter(client: &Client, queue: &Arc<Queue>, message: Message) {
    let place = client
        .broker
        .dead_letter_queue()
        .filter(|d| d.name != queue.name && d.hold().is_ok());
    let Some(dead_letters) = place else {
        return give_back(queue, message);
    };
    let (done, _) = oneshot::channel();
    let job = Job::Put {
        queue: dead_letters,
        body: message.body.clone(),
        persistent: message.persistent,
        done,
    };
    if client.broker.writer.send(job) {
        client.broker.delivered(queue, &message);
    } else {
        give_back(queue, message);
    }
}

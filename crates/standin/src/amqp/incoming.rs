//! A link on which the client sends: messages come in, are made safe, then accepted.

use std::sync::{Arc, atomic::Ordering};

use fe2o3_amqp::{Delivery, Receiver, link::delivery::DeliveryInfo};
use fe2o3_amqp_types::{
    definitions::{self, AmqpError},
    messaging::{Body, Message, MessageId, message::__private::Serializable},
    primitives::Value,
};
use tokio::sync::{mpsc, oneshot};

use super::connection::{Client, error, told};
use crate::standin::{queue::Queue, writer::Job};

/// What is sent over the link.
pub(super) type Content = Body<Value>;

/// Receives until the link or its connection ends.
pub(super) async fn receive(client: Arc<Client>, queue: Arc<Queue>, mut receiver: Receiver) {
    let disposer = receiver.disposer();
    let (pending, mut acknowledged) = mpsc::unbounded_channel::<(oneshot::Receiver<()>, DeliveryInfo)>();
    let acknowledging = client.clone();
    tokio::spawn(async move {
        while let Some((safe, info)) = acknowledged.recv().await {
            // When the writer drops it the message is not safe, and nobody is told that it were.
            if safe.await.is_ok() {
                let _ = disposer.accept(info).await;
            }
            acknowledging.puts.fetch_sub(1, Ordering::SeqCst);
        }
    });
    let mut gone = client.gone.subscribe();
    loop {
        let delivery: Delivery<Content> = tokio::select! {
            delivery = receiver.recv() => match delivery {
                Ok(delivery) => delivery,
                Err(_) => return,
            },
            () = told(&mut gone, |g| *g) => return,
        };
        let (info, message) = delivery.into_parts();
        let persistent = message.header.as_ref().is_some_and(|h| h.durable);
        let accepted = admit(&client, &queue, message);
        let body = match accepted {
            Ok(body) => body,
            Err(refusal) => {
                if receiver.reject(info, refusal).await.is_err() {
                    return;
                }
                continue;
            }
        };
        let (done, safe) = oneshot::channel();
        client.puts.fetch_add(1, Ordering::SeqCst);
        let job = Job::Put {
            queue: queue.clone(),
            body: Arc::from(body),
            persistent,
            done,
        };
        if !client.broker.writer.send(job) || pending.send((safe, info)).is_err() {
            return;
        }
    }
}

/// Checks a message, holds its place on the queue and encodes it, or says why not.
fn admit(client: &Client, queue: &Queue, message: Message<Content>) -> Result<Vec<u8>, definitions::Error> {
    if message.message_annotations.as_ref().is_some_and(|a| !a.0.is_empty()) {
        return Err(error(
            AmqpError::NotImplemented,
            "message annotations are not supported",
        ));
    }
    if let Some(properties) = &message.properties {
        let is_text = |id: &Option<MessageId>| matches!(id, None | Some(MessageId::String(_)));
        if !is_text(&properties.message_id) || !is_text(&properties.correlation_id) {
            return Err(error(
                AmqpError::InvalidField,
                "message and correlation IDs must be strings",
            ));
        }
    }
    if queue.is_deleted() {
        return Err(error(AmqpError::ResourceDeleted, "the queue was deleted"));
    }
    let body = serde_amqp::to_vec(&Serializable(message)).map_err(|e| error(AmqpError::DecodeError, &e.to_string()))?;
    let longest = client.broker.longest_message(&queue.name);
    if body.len() as u64 > longest {
        return Err(error(
            AmqpError::ResourceLimitExceeded,
            &format!("the message is longer than MAXMSGL({longest})"),
        ));
    }
    queue
        .hold()
        .map_err(|_| error(AmqpError::ResourceLimitExceeded, "the queue is full"))?;
    Ok(body)
}

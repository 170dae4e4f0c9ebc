//! The load of a failover test in AMQP 0-9-1 by the bare client library: the same connections, bodies, confirms, acknowledgements and
//! beat, and nothing that measures. `scripts/bench-load` holds the test's processor time against this program's.
//!
//!   MQ_USER=… MQ_PASSWORD=… bare_amqp091 HOST:PORT QUEUE PRODUCERS CONSUMERS RATE SIZE WINDOW SECONDS

use futures_core::Stream;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
};
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer};
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

type Any = Box<dyn Error + Send + Sync>;

/// Messages that a broker may send ahead of a consumer.
const CREDIT: u16 = 50;

/// Consumers are waited for this long after the last message was put.
const PATIENCE: Duration = Duration::from_secs(60);

struct Load {
    uri: AMQPUri,
    queue: String,
    producers: u32,
    consumers: u32,
    rate: u32,
    size: usize,
    window: usize,
    time: Duration,
}

impl Load {
    fn read() -> Result<Self, Any> {
        let mut args = std::env::args().skip(1);
        let mut next = |what: &str| args.next().ok_or_else(|| format!("{what} is missing"));
        let mut uri: AMQPUri = format!("amqp://{}/%2f?heartbeat=4", next("HOST:PORT")?).parse()?;
        uri.authority.userinfo.username = std::env::var("MQ_USER")?;
        uri.authority.userinfo.password = std::env::var("MQ_PASSWORD")?;
        Ok(Self {
            uri,
            queue: next("QUEUE")?,
            producers: next("PRODUCERS")?.parse()?,
            consumers: next("CONSUMERS")?.parse()?,
            rate: next("RATE")?.parse()?,
            size: next("SIZE")?.parse()?,
            window: next("WINDOW")?.parse()?,
            time: Duration::from_secs_f64(next("SECONDS")?.parse()?),
        })
    }

    async fn open(&self, client: String) -> Result<(Connection, Channel), Any> {
        let properties = ConnectionProperties::default().with_connection_name(client.into());
        let connection = Connection::connect_uri(self.uri.clone(), properties).await?;
        let channel = connection.create_channel().await?;
        Ok((connection, channel))
    }

    /// Puts on the beat; returns how many messages were confirmed.
    async fn put(self: Arc<Self>, number: u32) -> Result<u64, Any> {
        let (connection, channel) = self.open(format!("bare-p{number}")).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let (asked, mut answers) = mpsc::channel::<lapin::PublisherConfirm>(self.window.max(1));
        let confirmed = tokio::spawn(async move {
            let mut confirmed = 0;
            while let Some(answer) = answers.recv().await {
                confirmed += u64::from(matches!(answer.await, Ok(Confirmation::Ack(None))));
            }
            confirmed
        });
        let (start, beat) = (Instant::now(), Duration::from_secs(1) / self.rate.max(1));
        for seq in 0u32.. {
            let due = start + beat * seq;
            if due >= start + self.time {
                break;
            }
            sleep_until(due).await;
            let routed = BasicPublishOptions {
                mandatory: true,
                ..BasicPublishOptions::default()
            };
            let properties = BasicProperties::default()
                .with_delivery_mode(2)
                .with_message_id(format!("{number}:{seq}").into());
            let body = vec![seq as u8; self.size];
            let answer = channel.basic_publish("".into(), self.queue.as_str().into(), routed, &body, properties);
            asked.send(answer.await?).await?;
        }
        drop(asked);
        let confirmed = confirmed.await?;
        let _ = connection.close(200, "done".into()).await;
        Ok(confirmed)
    }

    /// Gets and acknowledges until it is over.
    async fn get(
        self: Arc<Self>,
        number: u32,
        got: Arc<AtomicU64>,
        mut over: watch::Receiver<bool>,
    ) -> Result<(), Any> {
        let client = format!("bare-c{number}");
        let (connection, channel) = self.open(client.clone()).await?;
        channel.basic_qos(CREDIT, BasicQosOptions::default()).await?;
        let (options, table) = (BasicConsumeOptions::default(), FieldTable::default());
        let consume = channel.basic_consume(self.queue.as_str().into(), client.into(), options, table);
        let mut consumer = consume.await?;
        loop {
            tokio::select! {
                biased;
                delivery = next(&mut consumer) => {
                    let delivery = delivery.ok_or("the broker canceled the consumer")??;
                    delivery.acker.ack(BasicAckOptions::default()).await?;
                    got.fetch_add(1, Relaxed);
                }
                _ = over.changed() => break,
            }
        }
        let _ = connection.close(200, "done".into()).await;
        Ok(())
    }
}

/// The next delivery; `None` at the end of the consumer.
async fn next(consumer: &mut Consumer) -> Option<lapin::Result<Delivery>> {
    std::future::poll_fn(|cx| Pin::new(&mut *consumer).poll_next(cx)).await
}

#[tokio::main]
async fn main() -> Result<(), Any> {
    let load = Arc::new(Load::read()?);
    let got = Arc::new(AtomicU64::new(0));
    let (end, over) = watch::channel(false);
    let (mut producers, mut consumers) = (JoinSet::new(), JoinSet::new());
    for number in 0..load.consumers {
        consumers.spawn(load.clone().get(number, got.clone(), over.clone()));
    }
    for number in 0..load.producers {
        producers.spawn(load.clone().put(number));
    }
    let mut put = 0;
    while let Some(confirmed) = producers.join_next().await {
        put += confirmed??;
    }
    let limit = Instant::now() + PATIENCE;
    while got.load(Relaxed) < put && Instant::now() < limit {
        sleep(Duration::from_millis(20)).await;
    }
    end.send_replace(true);
    while let Some(ended) = consumers.join_next().await {
        ended??;
    }
    println!(r#"{{"acked": {put}, "received": {}}}"#, got.load(Relaxed));
    Ok(())
}

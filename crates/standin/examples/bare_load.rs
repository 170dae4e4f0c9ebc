//! The load of a failover test by the bare client library: the same links, bodies, acknowledgements and beat, and nothing that measures.
//! `scripts/bench-load` holds the test's processor time against this program's.
//!
//!   MQ_USER=… MQ_PASSWORD=… bare_load HOST:PORT QUEUE PRODUCERS CONSUMERS RATE SIZE WINDOW SECONDS

use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::{Connection, Receiver, Sender, Session};
use fe2o3_amqp_types::messaging::{Data, Header, Message, Outcome, Properties, Source, Target, TerminusDurability};
use fe2o3_amqp_types::primitives::{Binary, Symbol};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

type Any = Box<dyn Error + Send + Sync>;

/// Messages that a broker may send ahead of a consumer.
const CREDIT: u32 = 50;

/// Consumers are waited for this long after the last message was put.
const PATIENCE: Duration = Duration::from_secs(60);

struct Load {
    address: String,
    queue: String,
    user: String,
    password: String,
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
        Ok(Self {
            address: next("HOST:PORT")?,
            queue: next("QUEUE")?,
            producers: next("PRODUCERS")?.parse()?,
            consumers: next("CONSUMERS")?.parse()?,
            rate: next("RATE")?.parse()?,
            size: next("SIZE")?.parse()?,
            window: next("WINDOW")?.parse()?,
            time: Duration::from_secs_f64(next("SECONDS")?.parse()?),
            user: std::env::var("MQ_USER")?,
            password: std::env::var("MQ_PASSWORD")?,
        })
    }

    async fn open(&self, client: &str) -> Result<(ConnectionHandle<()>, SessionHandle<()>), Any> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let host = self.address.split(':').next().unwrap_or_default();
        let mut connection = Connection::builder()
            .container_id(client)
            .scheme("amqp")
            .hostname(host)
            .max_frame_size(65_536u32)
            .idle_time_out(5000u32)
            .sasl_profile(SaslProfile::Plain {
                username: self.user.clone(),
                password: self.password.clone(),
            })
            .open_with_stream(stream)
            .await?;
        let session = Session::begin(&mut connection).await?;
        Ok((connection, session))
    }

    /// Puts on the beat; returns how many messages were accepted.
    async fn put(self: Arc<Self>, number: u32) -> Result<u64, Any> {
        let client = format!("bare-p{number}");
        let (mut connection, mut session) = self.open(&client).await?;
        let target = Target::builder()
            .address(self.queue.clone())
            .durable(TerminusDurability::UnsettledState)
            .capabilities(vec![Symbol::from("queue")])
            .build();
        let mut sender = Sender::builder()
            .name(client)
            .target(target)
            .attach(&mut session)
            .await?;
        let (asked, mut answers) = mpsc::channel(self.window.max(1));
        let accepted = tokio::spawn(async move {
            let mut accepted = 0;
            while let Some(answer) = answers.recv().await {
                accepted += u64::from(matches!(answer_of(answer).await, Some(Outcome::Accepted(_))));
            }
            accepted
        });
        let (start, beat) = (Instant::now(), Duration::from_secs(1) / self.rate.max(1));
        for seq in 0u32.. {
            let due = start + beat * seq;
            if due >= start + self.time {
                break;
            }
            sleep_until(due).await;
            let message = Message::builder()
                .header(Header::builder().durable(true).build())
                .properties(Properties::builder().message_id(format!("{number}:{seq}")).build())
                .data(Binary::from(vec![seq as u8; self.size]))
                .build();
            let answer = sender.send_batchable(message).await?;
            asked.send(answer).await?;
        }
        drop(asked);
        let accepted = accepted.await?;
        // The library may have ended it by itself once the session is gone.
        let _ = connection.close().await;
        Ok(accepted)
    }

    /// Gets and accepts until it is over.
    async fn get(
        self: Arc<Self>,
        number: u32,
        got: Arc<AtomicU64>,
        mut over: watch::Receiver<bool>,
    ) -> Result<(), Any> {
        let client = format!("bare-c{number}");
        let (mut connection, mut session) = self.open(&client).await?;
        let source = Source::builder()
            .address(self.queue.clone())
            .capabilities(vec![Symbol::from("queue")])
            .build();
        let mut receiver = Receiver::builder()
            .name(client)
            .source(source)
            .credit_mode(CreditMode::Auto(CREDIT))
            .attach(&mut session)
            .await?;
        loop {
            tokio::select! {
                biased;
                delivery = receiver.recv::<Data>() => {
                    receiver.accept(&delivery?).await?;
                    got.fetch_add(1, Relaxed);
                }
                _ = over.changed() => break,
            }
        }
        let _ = session.end().await;
        let _ = connection.close().await;
        Ok(())
    }
}

async fn answer_of<E>(answer: impl Future<Output = Result<Outcome, E>>) -> Option<Outcome> {
    answer.await.ok()
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
    while let Some(accepted) = producers.join_next().await {
        put += accepted??;
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

//! AMQP 0-9-1, as RabbitMQ speaks it: confirms, manual acknowledgements, and no publish that nobody routes.
//!
//! A broker may answer a publish or a question never, with no error and no end of the connection, so every operation has a time limit,
//! and one that passes it ends the connection. A producer and a consumer have a connection each: a broker that is short of memory reads
//! nothing more from a connection that publishes, acknowledgements included.

mod consumer;
mod producer;
mod secured;

use super::client::{BoxFuture, BrokerDriver, CREDIT, ClientError, GetLink, Lost, PutLink};
use super::tls::{Tls, untrusted};
use consumer::{Ends, consume};
use lapin::options::{BasicQosOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Channel, Connection, ConnectionProperties, Error, ErrorKind};
use producer::produce;
use secrecy::{ExposeSecret, SecretString};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// Times of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amqp091Times {
    /// A connection attempt is given up after this.
    pub connect: Duration,
    /// Heartbeats are asked for this often; a broker that sends none for about twice as long is taken for gone.
    pub heartbeat: Duration,
    /// One operation is given up after this, and the connection with it.
    pub operation: Duration,
}

impl Default for Amqp091Times {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            heartbeat: Duration::from_secs(4),
            operation: Duration::from_secs(3),
        }
    }
}

/// An AMQP 0-9-1 client with SASL PLAIN, in the virtual host `/`.
#[derive(Debug, Clone)]
pub struct Amqp091 {
    host: String,
    port: u16,
    user: String,
    password: SecretString,
    times: Amqp091Times,
    tls: Option<Tls>,
    confirms: bool,
}

/// A connection with its one channel.
struct Opened {
    connection: Connection,
    channel: Channel,
}

impl Amqp091 {
    /// A client of one endpoint and user.
    #[must_use]
    pub fn new(
        host: impl Into<String>,
        port: u16,
        user: impl Into<String>,
        password: SecretString,
        times: Amqp091Times,
    ) -> Self {
        Self {
            host: host.into(),
            port,
            user: user.into(),
            password,
            times,
            tls: None,
            confirms: true,
        }
    }

    /// The same, without confirms: what was sent counts as acknowledged.
    #[must_use]
    pub fn without_confirms(mut self) -> Self {
        self.confirms = false;
        self
    }

    /// The same, with TLS.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    fn endpoint(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn unreachable(&self, cause: impl ToString) -> ClientError {
        ClientError::Unreachable {
            endpoint: self.endpoint(),
            cause: cause.to_string(),
        }
    }

    fn not_connected(&self, error: &Error) -> ClientError {
        let endpoint = self.endpoint();
        let doubt = match error.kind() {
            ErrorKind::ProtocolError(said) if said.get_id() == REFUSED => {
                return ClientError::Refused {
                    endpoint,
                    user: self.user.clone(),
                };
            }
            ErrorKind::IOError(error) => untrusted(error),
            _ => None,
        };
        match doubt {
            Some(cause) => ClientError::Untrusted { endpoint, cause },
            None => self.unreachable(words(error)),
        }
    }

    fn uri(&self) -> AMQPUri {
        AMQPUri {
            // The library adds no TLS of its own to that of the runtime.
            scheme: AMQPScheme::AMQP,
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo {
                    username: self.user.clone(),
                    password: self.password.expose_secret().to_owned(),
                },
                host: self.host.clone(),
                port: self.port,
            },
            vhost: "/".to_owned(),
            query: AMQPQueryString {
                heartbeat: Some(u16::try_from(self.times.heartbeat.as_secs()).unwrap_or(u16::MAX)),
                connection_timeout: Some(u64::try_from(self.times.connect.as_millis()).unwrap_or(u64::MAX)),
                ..AMQPQueryString::default()
            },
        }
    }

    /// Connects, and finds the queue: a broker accepts connections before its queues are there.
    async fn open(&self, client: &str, queue: &str) -> Result<Opened, ClientError> {
        let open = async {
            // Not its automatic recovery: an outage that a client hides is not measured.
            let properties = ConnectionProperties::default().with_connection_name(client.into());
            let connected = match &self.tls {
                None => Connection::connect_uri(self.uri(), properties).await,
                Some(tls) => {
                    let runtime = secured::runtime(tls, self.times.connect);
                    Connection::connect_uri_with_runtime(self.uri(), properties, runtime).await
                }
            };
            let connection = connected.map_err(|error| self.not_connected(&error))?;
            let channel = connection.create_channel().await;
            let channel = channel.map_err(|error| self.unreachable(words(&error)))?;
            let passive = QueueDeclareOptions {
                passive: true,
                ..QueueDeclareOptions::default()
            };
            match channel
                .queue_declare(queue.into(), passive, FieldTable::default())
                .await
            {
                Ok(_) => Ok(Opened { connection, channel }),
                Err(error) if matches!(error.kind(), ErrorKind::ProtocolError(_)) => Err(ClientError::Queue {
                    queue: queue.to_owned(),
                    cause: words(&error),
                }),
                Err(error) => Err(self.unreachable(words(&error))),
            }
        };
        tokio::time::timeout(self.times.connect, open)
            .await
            .unwrap_or_else(|_| Err(self.unreachable(format!("no answer within {} s", self.times.connect.as_secs()))))
    }
}

/// The code of a user whom a broker does not let in.
const REFUSED: u16 = 403;

/// An error in the words that everybody knows.
fn words(error: &Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(said) => format!("closed by the broker: {}", said.get_message()),
        ErrorKind::MissingHeartbeatError => "no heartbeat".to_owned(),
        ErrorKind::IOError(error) => match error.kind() {
            std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe => "connection reset".to_owned(),
            std::io::ErrorKind::ConnectionAborted | std::io::ErrorKind::UnexpectedEof => "connection closed".to_owned(),
            _ => error.to_string(),
        },
        _ => error.to_string(),
    }
}

impl BrokerDriver for Amqp091 {
    fn name(&self) -> &'static str {
        "amqp091"
    }

    fn caveat(&self) -> &'static str {
        match self.confirms {
            true => {
                "these clients give up an operation after 3 s and connect anew, wait for confirms, and send again what was not confirmed; clients that do not may wait for ever, or lose messages"
            }
            false => "these clients do not wait for confirms, and lose messages that clients with confirms send again",
        }
    }

    fn advice(&self) -> &'static str {
        match self.confirms {
            true => {
                "consumers must be idempotent: a client that loses nothing sends a message again when no confirm came; docs/failover-testing.md names the settings of client libraries"
            }
            false => {
                "clients need publisher confirms with a time limit, and idempotent consumers; docs/failover-testing.md names the settings of client libraries"
            }
        }
    }

    fn sends_again(&self) -> bool {
        self.confirms
    }

    fn producer(&self, client: String, queue: String) -> BoxFuture<'_, Result<PutLink, ClientError>> {
        Box::pin(async move {
            let opened = self.open(&client, &queue).await?;
            if self.confirms {
                let confirms = opened.channel.confirm_select(ConfirmSelectOptions::default());
                self.limited(confirms).await?;
            }
            let (put, puts) = mpsc::channel(1);
            let (event, events) = mpsc::unbounded_channel();
            tokio::spawn(produce(
                opened,
                queue,
                puts,
                event,
                (self.times.operation, self.confirms),
            ));
            Ok(PutLink { puts: put, events })
        })
    }

    fn consumer(&self, client: String, queue: String) -> BoxFuture<'_, Result<GetLink, ClientError>> {
        Box::pin(async move {
            let opened = self.open(&client, &queue).await?;
            let credit = u16::try_from(CREDIT).unwrap_or(u16::MAX);
            let qos = opened.channel.basic_qos(credit, BasicQosOptions::default());
            self.limited(qos).await?;
            let (delivery, deliveries) = mpsc::channel(1);
            let (accept, accepts) = mpsc::unbounded_channel();
            let (gone, lost) = oneshot::channel();
            let (want, wanted) = watch::channel(true);
            let (spend, spent) = watch::channel(false);
            let operation = self.times.operation;
            tokio::spawn(async move {
                let ends = Ends {
                    deliveries: delivery,
                    accepts,
                    wanted,
                    spent: spend,
                };
                let mut heard = Instant::now();
                if let Some(cause) = consume(opened, &client, &queue, ends, operation, &mut heard).await {
                    let _ = gone.send(Lost {
                        cause,
                        at: Instant::now(),
                        heard,
                    });
                }
            });
            Ok(GetLink {
                deliveries,
                accepts: accept,
                wanted: want,
                spent,
                lost,
            })
        })
    }
}

impl Amqp091 {
    async fn limited<T>(&self, operation: impl Future<Output = lapin::Result<T>>) -> Result<T, ClientError> {
        match tokio::time::timeout(self.times.operation, operation).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.unreachable(words(&error))),
            Err(_) => Err(self.unreachable(format!("no answer within {} s", self.times.operation.as_secs()))),
        }
    }
}

/// Says goodbye in the order in which the broker must hear it: the channel first, behind its last acknowledgement.
async fn close(opened: &Opened, within: Duration) {
    let goodbye = async {
        let _ = opened.channel.close(200, "done".into()).await;
        let _ = opened.connection.close(200, "done".into()).await;
    };
    let _ = tokio::time::timeout(within, goodbye).await;
}

/// The end of a connection, when it comes.
async fn ending(connection: &Connection) -> String {
    let mut events = Box::pin(connection.events_listener());
    loop {
        match std::future::poll_fn(|cx| futures_core::Stream::poll_next(events.as_mut(), cx)).await {
            Some(lapin::Event::Error(error)) => return words(&error),
            Some(_) => {}
            None => return "connection closed".to_owned(),
        }
    }
}

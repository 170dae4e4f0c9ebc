//! AMQP 1.0 over own sockets, watching the connection at every point where something waits.
//!
//! A future of a delivery does not resolve when the connection dies, so every wait here races the end of the connection. One session
//! a connection, since IBM MQ's AMQP service knows no more; string ids and no annotations, since it refuses others; capability
//! `queue`, since without it the address is a topic; the durable flag in the header, since without it a message is not persistent.

mod ends;
mod links;

use super::client::{BoxFuture, BrokerDriver, CREDIT, ClientError, GetLink, Lost, PutLink};
use super::heard::{Heard, Listening};
use super::tls::{self, Tls};
use ends::{AttachError, words};
use fe2o3_amqp::connection::{ConnectionHandle, OpenError};
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::{Connection, Receiver, Sender, Session};
use fe2o3_amqp_types::messaging::{Source, Target, TerminusDurability};
use fe2o3_amqp_types::primitives::Symbol;
use fe2o3_amqp_types::sasl::SaslCode;
use links::{Ends, consume, produce};
use mqaws_contract::engine::DriverFacts;
use secrecy::{ExposeSecret, SecretString};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};

/// Times of an AMQP client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmqpTimes {
    /// A connection attempt is given up after this.
    pub connect: Duration,
    /// A broker that says nothing for this long is taken for gone; it is asked to speak more often.
    pub idle: Duration,
    /// One operation is given up after this; a last resort, never what notices an outage.
    pub operation: Duration,
}

impl Default for AmqpTimes {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            idle: Duration::from_secs(5),
            operation: Duration::from_secs(10),
        }
    }
}

/// An AMQP 1.0 client with SASL PLAIN.
#[derive(Debug, Clone)]
pub struct Amqp10 {
    host: String,
    port: u16,
    user: String,
    password: SecretString,
    times: AmqpTimes,
    tls: Option<Tls>,
    facts: DriverFacts,
}

type Opened = (ConnectionHandle<()>, SessionHandle<()>, Heard);

impl Amqp10 {
    /// A client of one endpoint and user.
    #[must_use]
    pub fn new(
        host: impl Into<String>,
        port: u16,
        user: impl Into<String>,
        password: SecretString,
        times: AmqpTimes,
    ) -> Self {
        Self {
            host: host.into(),
            port,
            user: user.into(),
            password,
            times,
            tls: None,
            facts: DriverFacts::plain("amqp10"),
        }
    }

    /// Speaks to an engine of which this is known.
    #[must_use]
    pub fn of(mut self, facts: &DriverFacts) -> Self {
        self.facts = *facts;
        self
    }

    /// Speaks TLS to it.
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

    async fn open(&self, client: &str) -> Result<Opened, ClientError> {
        let open = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port))
                .await
                .map_err(|error| self.unreachable(error))?;
            // Without this a small frame waits for the acknowledgement of the one before.
            stream.set_nodelay(true).map_err(|error| self.unreachable(error))?;
            let socket = socket2::SockRef::from(&stream);
            let keepalive = socket2::TcpKeepalive::new()
                .with_time(self.times.idle)
                .with_interval(Duration::from_secs(1));
            socket
                .set_tcp_keepalive(&keepalive)
                .map_err(|error| self.unreachable(error))?;
            let (stream, heard) = Listening::to(stream);
            // The stream is made here, so the library is to make nothing of the scheme.
            let builder = Connection::builder()
                .container_id(client)
                .scheme("amqp")
                .hostname(self.host.as_str())
                .max_frame_size(65_536u32)
                .idle_time_out(u32::try_from(self.times.idle.as_millis()).unwrap_or(u32::MAX))
                .sasl_profile(SaslProfile::Plain {
                    username: self.user.clone(),
                    password: self.password.expose_secret().to_owned(),
                });
            let opened = match &self.tls {
                None => builder.open_with_stream(stream).await,
                Some(Tls { connector, name }) => {
                    let stream = connector.connect(name.clone(), stream).await;
                    let stream = stream.map_err(|error| match tls::untrusted(&error) {
                        Some(cause) => ClientError::Untrusted {
                            endpoint: self.endpoint(),
                            cause,
                        },
                        None => self.unreachable(format!("TLS handshake: {error}")),
                    })?;
                    builder.open_with_stream(stream).await
                }
            };
            let mut connection = opened.map_err(|error| match error {
                OpenError::SaslError { code, .. } if code != SaslCode::SysTemp => ClientError::Refused {
                    endpoint: self.endpoint(),
                    user: self.user.clone(),
                },
                other => self.unreachable(other),
            })?;
            let session = Session::begin(&mut connection)
                .await
                .map_err(|error| self.unreachable(error))?;
            Ok((connection, session, heard))
        };
        tokio::time::timeout(self.times.connect, open)
            .await
            .unwrap_or_else(|_| Err(self.unreachable(format!("no answer within {} s", self.times.connect.as_secs()))))
    }

    async fn attach<T, E: AttachError>(
        &self,
        queue: &str,
        attach: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ClientError> {
        match tokio::time::timeout(self.times.connect, attach).await {
            Ok(Ok(link)) => Ok(link),
            Ok(Err(error)) => Err(match error.end() {
                Some(end) => self.unreachable(end),
                None => ClientError::Queue {
                    queue: queue.to_owned(),
                    cause: words(&error.to_string()),
                },
            }),
            Err(_) => {
                let waited = self.times.connect.as_secs();
                Err(self.unreachable(format!("no answer within {waited} s when {queue} was opened")))
            }
        }
    }
}

impl BrokerDriver for Amqp10 {
    fn name(&self) -> &'static str {
        "amqp10"
    }

    fn caveat(&self) -> &'static str {
        self.facts.caveat
    }

    fn producer(&self, client: String, queue: String) -> BoxFuture<'_, Result<PutLink, ClientError>> {
        Box::pin(async move {
            let (connection, mut session, heard) = self.open(&client).await?;
            let target = Target::builder()
                .address(self.facts.address(&queue))
                .durable(TerminusDurability::UnsettledState)
                .capabilities(vec![Symbol::from("queue")])
                .build();
            let sender = Sender::builder().name(client).target(target);
            let sender = self.attach(&queue, sender.attach(&mut session)).await?;
            let (put, puts) = mpsc::channel(1);
            let (event, events) = mpsc::unbounded_channel();
            let operation = self.times.operation;
            tokio::spawn(produce((connection, session, heard), sender, puts, event, operation));
            Ok(PutLink { puts: put, events })
        })
    }

    fn consumer(&self, client: String, queue: String) -> BoxFuture<'_, Result<GetLink, ClientError>> {
        Box::pin(async move {
            let (connection, mut session, heard) = self.open(&client).await?;
            let source = Source::builder()
                .address(self.facts.address(&queue))
                .capabilities(vec![Symbol::from("queue")])
                .build();
            let receiver = Receiver::builder()
                .name(client)
                .source(source)
                .credit_mode(CreditMode::Auto(CREDIT));
            let receiver = self.attach(&queue, receiver.attach(&mut session)).await?;
            let (delivery, deliveries) = mpsc::channel(1);
            let (accept, accepts) = mpsc::unbounded_channel();
            let (gone, lost) = oneshot::channel();
            let (want, wanted) = watch::channel(true);
            let (spend, spent) = watch::channel(false);
            let first_acquirer = self.facts.first_acquirer;
            tokio::spawn(async move {
                let ends = Ends {
                    deliveries: delivery,
                    accepts,
                    wanted,
                    spent: spend,
                    first_acquirer,
                };
                if let Some(cause) = consume(connection, session, receiver, ends).await {
                    let _ = gone.send(Lost {
                        cause,
                        at: Instant::now(),
                        heard: heard.at(),
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

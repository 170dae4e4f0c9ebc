//! An AMQP 1.0 client over a socket of its own.

use std::{cell::RefCell, net::IpAddr, time::Duration};

use fe2o3_amqp::{
    Connection, Receiver, Sender, Session, connection::ConnectionHandle, link::receiver::CreditMode,
    sasl_profile::SaslProfile, session::SessionHandle,
};
use fe2o3_amqp_types::{
    messaging::{Body, Header, Message, MessageAnnotations, MessageId, Outcome, Properties, Source, Target},
    primitives::{Binary, OrderedMap, Symbol, Value},
};
use tokio::{runtime::Runtime, time::timeout};

const LIMIT: Duration = Duration::from_secs(30);

/// A message to put.
#[derive(Debug, Clone)]
pub(crate) struct Put {
    pub id: String,
    pub durable: bool,
}

impl Put {
    pub(crate) fn persistent(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            durable: true,
        }
    }
}

/// A message that was got.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub id: String,
    pub delivery_count: u32,
}

pub(crate) struct Client {
    runtime: Runtime,
    open: RefCell<Open>,
}

struct Open {
    connection: ConnectionHandle<()>,
    session: SessionHandle<()>,
    held: Vec<Receiver>,
}

fn source(queue: &str) -> Source {
    Source::builder()
        .address(queue)
        .capabilities(vec![Symbol::from("queue")])
        .build()
}

fn target(queue: &str) -> Target {
    Target::builder()
        .address(queue)
        .capabilities(vec![Symbol::from("queue")])
        .build()
}

fn message(put: &Put) -> Message<Body<Value>> {
    Message {
        header: Some(Header::builder().durable(put.durable).build()),
        delivery_annotations: None,
        message_annotations: None,
        properties: Some(Properties::builder().message_id(put.id.clone()).build()),
        application_properties: None,
        body: Body::Data(vec![fe2o3_amqp_types::messaging::Data(Binary::from(vec![b'x'; 512]))].into()),
        footer: None,
    }
}

fn id(message: &Message<Body<Value>>) -> String {
    match message.properties.as_ref().and_then(|p| p.message_id.clone()) {
        Some(MessageId::String(id)) => id,
        other => panic!("{other:?}"),
    }
}

impl Client {
    /// Opens a connection to the AMQP service at an address.
    ///
    /// # Errors
    /// In the words of the library, when nobody answers or this user is not let in.
    pub(crate) fn connect(address: IpAddr, user: &str, password: &str, container: &str) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let opening = async {
            let tcp = tokio::net::TcpStream::connect((address, 5672))
                .await
                .map_err(|e| e.to_string())?;
            tcp.set_nodelay(true).unwrap();
            let profile = SaslProfile::Plain {
                username: user.to_owned(),
                password: password.to_owned(),
            };
            let mut connection = Connection::builder()
                .container_id(container)
                .hostname(Some("localhost"))
                .scheme("amqp")
                .idle_time_out(5000_u32)
                .sasl_profile(profile)
                .open_with_stream(tcp)
                .await
                .map_err(|e| format!("{e:?}"))?;
            let session = Session::begin(&mut connection).await.map_err(|e| format!("{e:?}"))?;
            Ok::<_, String>(Open {
                connection,
                session,
                held: Vec::new(),
            })
        };
        let open = runtime.block_on(async {
            timeout(LIMIT, opening)
                .await
                .unwrap_or_else(|_| Err("timeout".to_owned()))
        })?;
        Ok(Self {
            runtime,
            open: RefCell::new(open),
        })
    }

    /// Puts messages; the ids of those that were acknowledged, in order.
    pub(crate) fn put(&self, queue: &str, puts: &[Put]) -> Result<Vec<String>, String> {
        let mut open = self.open.borrow_mut();
        self.runtime.block_on(async {
            let attach = Sender::builder()
                .name("p")
                .target(target(queue))
                .attach(&mut open.session);
            let mut sender = timeout(LIMIT, attach)
                .await
                .map_err(|e| e.to_string())?
                .map_err(|e| format!("{e:?}"))?;
            let mut pending = Vec::new();
            for put in puts {
                // Without credit, or when nobody reads any more, it waits.
                let sent = timeout(LIMIT, sender.send_batchable(message(put))).await;
                pending.push(sent.map_err(|e| e.to_string())?.map_err(|e| format!("{e:?}"))?);
            }
            let (mut acknowledged, mut ended) = (Vec::new(), None);
            for (put, outcome) in puts.iter().zip(pending) {
                match timeout(LIMIT, outcome).await {
                    Ok(Ok(Outcome::Accepted(_))) => acknowledged.push(put.id.clone()),
                    Ok(Ok(Outcome::Rejected(_))) => {}
                    other => {
                        ended = Some(format!("{other:?}"));
                        break;
                    }
                }
            }
            match timeout(LIMIT, sender.close()).await {
                Ok(Ok(())) => {}
                other => ended = ended.or(Some(format!("{other:?}"))),
            }
            // What was acknowledged before an error must be there all the same.
            match ended {
                Some(why) if acknowledged.is_empty() => Err(why),
                _ => Ok(acknowledged),
            }
        })
    }

    async fn receiver(open: &mut Open, queue: &str, name: &str, credit: u32) -> Receiver {
        let attach = Receiver::builder()
            .name(name)
            .source(source(queue))
            .credit_mode(CreditMode::Manual)
            .attach(&mut open.session);
        let mut receiver = timeout(LIMIT, attach).await.unwrap().unwrap();
        receiver.set_credit(credit).await.unwrap();
        receiver
    }

    /// Gets and accepts as many messages.
    pub(crate) fn get(&self, queue: &str, count: usize) -> Result<Vec<Got>, String> {
        let mut open = self.open.borrow_mut();
        self.runtime.block_on(async {
            let mut receiver = Self::receiver(&mut open, queue, "g", count as u32).await;
            let mut got = Vec::new();
            while got.len() < count {
                let delivery = timeout(LIMIT, receiver.recv::<Body<Value>>())
                    .await
                    .map_err(|_| format!("only {} of {count}", got.len()))?
                    .map_err(|e| format!("{e:?}"))?;
                let message = delivery.message();
                let delivery_count = message.header.as_ref().map_or(0, |h| h.delivery_count);
                got.push(Got {
                    id: id(message),
                    delivery_count,
                });
                receiver.accept(&delivery).await.map_err(|e| format!("{e:?}"))?;
            }
            receiver.close().await.map_err(|e| format!("{e:?}"))?;
            Ok(got)
        })
    }

    /// Gets as many messages and accepts none.
    pub(crate) fn hold(&self, queue: &str, count: usize) -> Result<Vec<String>, String> {
        let mut open = self.open.borrow_mut();
        self.runtime.block_on(async {
            let mut receiver = Self::receiver(&mut open, queue, "h", count as u32).await;
            let mut got = Vec::new();
            while got.len() < count {
                let delivery = timeout(LIMIT, receiver.recv::<Body<Value>>()).await.unwrap().unwrap();
                got.push(id(delivery.message()));
            }
            open.held.push(receiver);
            Ok(got)
        })
    }

    /// Goes without a word, as a client whose host is gone.
    pub(crate) fn break_off(self) {
        self.runtime.shutdown_background();
    }

    /// What a link to that queue is refused with.
    pub(crate) fn refused(&self, queue: &str, capability: bool) -> String {
        let mut open = self.open.borrow_mut();
        self.runtime.block_on(async {
            let target = if capability {
                target(queue)
            } else {
                Target::builder().address(queue).build()
            };
            let attach = Sender::builder()
                .name(format!("r-{queue}-{capability}"))
                .target(target)
                .attach(&mut open.session);
            match timeout(LIMIT, attach).await.unwrap() {
                Err(error) => error_text(&format!("{error:?}")),
                Ok(mut sender) => {
                    let error = timeout(LIMIT, sender.on_detach()).await.unwrap();
                    error_text(&format!("{error:?}"))
                }
            }
        })
    }

    /// What messages that IBM MQ does not take are rejected with.
    pub(crate) fn malformed(&self, queue: &str) -> Vec<String> {
        let good = message(&Put::persistent("m"));
        let mut annotations = OrderedMap::new();
        annotations.insert(Symbol::from("x-opt").into(), Value::Bool(true));
        let annotated = Message {
            message_annotations: Some(MessageAnnotations(annotations)),
            ..good.clone()
        };
        let numbered = Properties::builder().message_id(MessageId::Ulong(1)).build();
        let numbered = Message {
            properties: Some(numbered),
            ..good
        };
        let mut open = self.open.borrow_mut();
        self.runtime.block_on(async {
            let attach = Sender::builder()
                .name("m")
                .target(target(queue))
                .attach(&mut open.session);
            let mut sender = timeout(LIMIT, attach).await.unwrap().unwrap();
            let mut errors = Vec::new();
            for message in [annotated, numbered] {
                match timeout(LIMIT, sender.send(message)).await.unwrap().unwrap() {
                    Outcome::Rejected(rejected) => errors.push(format!("{:?}", rejected.error)),
                    other => panic!("{other:?}"),
                }
            }
            sender.close().await.unwrap();
            errors
        })
    }

    pub(crate) fn wait_until_closed(&self) {
        let mut open = self.open.borrow_mut();
        self.runtime.block_on(async {
            // Closed by the other side with an error, and that is what is waited for.
            let _ = timeout(LIMIT, open.connection.on_close())
                .await
                .expect("the connection is closed");
        });
    }
}

/// `NotFound` as `not-found`, wherever it stands.
fn error_text(debug: &str) -> String {
    debug
        .replace("NotFound", "not-found")
        .replace("NotImplemented", "not-implemented")
        .replace("UnauthorizedAccess", "unauthorized-access")
}

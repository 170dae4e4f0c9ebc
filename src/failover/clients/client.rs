//! Clients behind one trait: a driver connects, and a link is two channels, so that nothing that waits can hide a lost connection.
//!
//! A driver's task owns the connection. It watches for its end at every point where it waits; this is the whole trick.

use crate::failover::measure::id::MessageId;
use crate::failover::measure::ledger::Outcome;
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot, watch};

/// Messages that a broker may send ahead of a consumer.
pub const CREDIT: u32 = 50;

/// A future in a box, so that traits with such methods can be objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a connection or a link could not be opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// Nothing accepts there, or what accepts does not speak the protocol in time.
    #[error("could not connect to {endpoint}: {cause}")]
    Unreachable {
        /// `host:port`.
        endpoint: String,
        /// The operating system's or the protocol's words.
        cause: String,
    },
    /// It is not whom the certificate should name, or nobody vouches for it.
    #[error("cannot verify the certificate of {endpoint}: {cause}")]
    Untrusted {
        /// `host:port`.
        endpoint: String,
        /// What is wrong with its certificate.
        cause: String,
    },
    /// The user or password was refused.
    #[error("{endpoint} rejected user `{user}`")]
    Refused {
        /// `host:port`.
        endpoint: String,
        /// User name.
        user: String,
    },
    /// The queue could not be opened.
    #[error("could not open queue {queue}: {cause}")]
    Queue {
        /// Queue name.
        queue: String,
        /// The broker's words.
        cause: String,
    },
}

/// One message to put.
#[derive(Debug)]
pub struct Put {
    /// Its id.
    pub id: MessageId,
    /// Its body.
    pub body: Vec<u8>,
    /// Whether it is to be persistent.
    pub durable: bool,
}

/// What a producer's link tells.
#[derive(Debug)]
pub enum PutEvent {
    /// The outcome of one put.
    Outcome {
        /// Which.
        id: MessageId,
        /// What became of it.
        outcome: Outcome,
        /// When it was known.
        at: Instant,
        /// The broker's words, when it refused the message and said why.
        why: Option<String>,
    },
    /// The connection is gone; nothing comes after this.
    Lost(Lost),
}

/// A producer's link. Dropping it closes the connection.
#[derive(Debug)]
pub struct PutLink {
    /// Messages to put; closed when the connection is gone.
    pub puts: mpsc::Sender<Put>,
    /// Outcomes and the end.
    pub events: mpsc::UnboundedReceiver<PutEvent>,
}

/// One message received and not yet accepted.
#[derive(Debug)]
pub struct Delivery {
    /// Hand it to [`GetLink::accepts`] once the message is written down.
    pub token: u64,
    /// Body.
    pub body: Vec<u8>,
    /// Whether the broker flagged it as redelivered.
    pub redelivered: bool,
    /// Whether the broker says that it is persistent.
    pub durable: bool,
}

/// A consumer's link. Dropping it closes the connection once all tokens are accepted; other messages go back to the queue.
#[derive(Debug)]
pub struct GetLink {
    /// Messages; holds few, so that a slow reader holds the broker back. Closed when the connection is gone.
    pub deliveries: mpsc::Receiver<Delivery>,
    /// Tokens of messages to accept.
    pub accepts: mpsc::UnboundedSender<u64>,
    /// Whether the broker may be allowed to send more; true at first. What it was allowed already still comes.
    pub wanted: watch::Sender<bool>,
    /// True once nothing more is wanted, the broker may send nothing more, and everything it sent is accepted.
    pub spent: watch::Receiver<bool>,
    /// Resolves when the connection is gone, whatever still waits in `deliveries`.
    pub lost: oneshot::Receiver<Lost>,
}

/// The end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Why, as the client library words it.
    pub cause: String,
    /// When it was noticed.
    pub at: Instant,
    /// When the broker was last heard on it: it ended after that, perhaps long before it was noticed.
    pub heard: Instant,
}

/// A way to speak to a broker.
pub trait BrokerDriver: Send + Sync {
    /// Name in reports, e.g. `amqp10`.
    fn name(&self) -> &'static str;

    /// What the numbers of this driver do not say, in one sentence for the report; empty when there is nothing to say.
    fn caveat(&self) -> &'static str;

    /// What users of such clients are told when messages were lost or came twice, in one sentence; empty when there is nothing to say.
    fn advice(&self) -> &'static str {
        ""
    }

    /// Whether producers send again, on their next connection, what has no answer, as clients do that are to lose nothing.
    fn sends_again(&self) -> bool {
        false
    }

    /// Opens a connection, a session and a link that puts to `queue`. `client` is unique among all connections.
    ///
    /// # Errors
    /// [`ClientError`]; never waits longer than a few seconds.
    fn producer(&self, client: String, queue: String) -> BoxFuture<'_, Result<PutLink, ClientError>>;

    /// Opens a connection, a session and a link that gets from `queue`. `client` is unique among all connections.
    ///
    /// # Errors
    /// [`ClientError`]; never waits longer than a few seconds.
    fn consumer(&self, client: String, queue: String) -> BoxFuture<'_, Result<GetLink, ClientError>>;
}

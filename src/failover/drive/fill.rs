//! Messages put as fast as the window lets it, over as many connections as that takes: the backlog, and those of the check.

use super::load::{Producer, RETRY, client_name};
use super::round::Round;
use crate::failover::clients::client::{BrokerDriver, ClientError, Put, PutEvent, PutLink};
use crate::failover::measure::id::MessageId;
use crate::failover::measure::ledger::Outcome;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout_at};

/// Given up when for this long nothing was acknowledged and no connection held.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a fill came to.
#[derive(Debug, Clone)]
pub struct Filled {
    /// Messages acknowledged.
    pub acked: u64,
    /// What was in the way last; absent when nothing was.
    pub trouble: Option<Trouble>,
}

/// What is in the way of a fill.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Trouble {
    /// A connection ended, in the client library's words.
    #[error("{0}")]
    Ended(String),
    /// A connection could not be had, where they were had before.
    #[error("{0}")]
    NotServed(#[source] ClientError),
    /// The broker refused messages.
    #[error("{count} messages were rejected{}", .why.as_deref().map(|why| format!(": {why}")).unwrap_or_default())]
    Refused {
        /// How many.
        count: u64,
        /// The broker's words on the last one, when it said why.
        why: Option<String>,
    },
}

/// A fill under way.
struct Fill<'a> {
    producer: &'a Producer,
    wanted: u64,
    round: &'a Arc<Round>,
    connection: u32,
    next: u64,
    acked: u64,
    refused: u64,
    why: Option<String>,
}

impl Producer {
    /// Puts until `count` more messages are acknowledged, at most until `limit` is over; a connection that is lost is made anew, and what
    /// it left without a word is put in addition. Every id is attempted once.
    ///
    /// Whatever refuses a connection may be over soon, since user, certificate and queue were good before: a queue manager that ends, or
    /// one that has just started.
    pub async fn fill(&self, count: u64, round: &Arc<Round>, driver: &dyn BrokerDriver, limit: Duration) -> Filled {
        let until = tokio::time::Instant::now() + limit;
        let mut fill = Fill {
            producer: self,
            wanted: count,
            round,
            connection: 0,
            next: round.ledger().attempted(self.number),
            acked: 0,
            refused: 0,
            why: None,
        };
        let mut trouble = None;
        let mut progress = Instant::now();
        loop {
            let name = client_name(round, "b", self.number, fill.connection + 1);
            match driver.producer(name, self.queue.clone()).await {
                Ok(link) => {
                    fill.connection += 1;
                    let before = fill.acked;
                    let ended = timeout_at(until, fill.put_on(link)).await;
                    round.abandon(self.number);
                    match ended {
                        Ok(Some(cause)) => trouble = Some(cause),
                        Ok(None) => break,
                        // Over the limit: what was acknowledged so far is what there is.
                        Err(_) => break,
                    }
                    if fill.acked > before {
                        progress = Instant::now();
                    }
                }
                Err(error) => trouble = Some(Trouble::NotServed(error)),
            }
            if fill.acked >= count
                || fill.refused > 0
                || progress.elapsed() > PATIENCE
                || tokio::time::Instant::now() >= until
            {
                break;
            }
            sleep(RETRY).await;
        }
        Filled {
            acked: fill.acked,
            trouble,
        }
    }
}

impl Fill<'_> {
    /// Puts on one connection; returns why it ended, or `None` when enough was acknowledged.
    async fn put_on(&mut self, mut link: PutLink) -> Option<Trouble> {
        let (mut open, mut gone) = (0u64, false);
        while self.acked < self.wanted {
            if self.refused > 0 && open == 0 {
                return Some(Trouble::Refused {
                    count: self.refused,
                    why: self.why.take(),
                });
            }
            let room =
                !gone && self.refused == 0 && self.acked + open < self.wanted && open < self.producer.window as u64;
            tokio::select! {
                biased;
                event = link.events.recv() => match event {
                    Some(PutEvent::Outcome { id, outcome, at, why }) => {
                        open = open.saturating_sub(1);
                        self.count(id, outcome, at);
                        self.why = why.or(self.why.take());
                    }
                    Some(PutEvent::Lost(lost)) => return Some(Trouble::Ended(lost.cause)),
                    None => return Some(Trouble::Ended("the driver ended".into())),
                },
                room = link.puts.reserve(), if room => {
                    let Ok(room) = room else {
                        // The reason follows by the other channel.
                        gone = true;
                        continue;
                    };
                    let id = MessageId { producer: self.producer.number, seq: self.next };
                    let body = self.round.attempt(id, self.connection, self.round.now_ns(), self.producer.size);
                    room.send(Put { id, body, durable: self.producer.durable });
                    self.next += 1;
                    open += 1;
                }
            }
        }
        None
    }

    fn count(&mut self, id: MessageId, outcome: Outcome, at: Instant) {
        self.acked += u64::from(outcome == Outcome::Acked);
        self.refused += u64::from(outcome == Outcome::Failed);
        self.round.outcome(id, outcome, at);
    }
}
